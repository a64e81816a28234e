import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FanlineError, disconnected } from "../../src/errors.js";
import type { Link } from "../../src/link.js";
import { Requests } from "../../src/requests.js";
import type { Answer, Request } from "../../src/wire.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const publish = (data: unknown): Request => ({ op: "publish", channel: "a", type: "t", data, key: String(data) });
const call: Request = { op: "call", method: "m", data: null };

/** A link whose answers the test gives. */
class FakeLink implements Link {
  readonly sent: { request: Request; resolve(answer: Answer): void; reject(error: FanlineError): void }[] = [];

  request(request: Request, _signal: AbortSignal, _onPart?: (data: unknown) => void): Promise<Answer> {
    return new Promise((resolve, reject) => this.sent.push({ request, resolve, reject }));
  }

  breaks(): void {
    for (const { reject } of this.sent) reject(disconnected());
  }

  sync(): void {}
  probe(): void {}
  close(): void {}
}

test("a request waits for a connection", async () => {
  const requests = new Requests();
  const answer = requests.submit(publish(1));
  const link = new FakeLink();
  requests.attach(link);
  link.sent[0]!.resolve({ op: "ok" });
  expect(await answer).toEqual({ op: "ok" });
});

test("a publish whose connection breaks goes out again over the next, in the order in which they were made", async () => {
  const requests = new Requests();
  const first = new FakeLink();
  requests.attach(first);
  const answers = [1, 2, 3].map((data) => requests.submit(publish(data)));
  first.sent[1]!.resolve({ n: 2 });
  await answers[1];
  requests.detach();
  first.breaks();
  await Promise.resolve();
  const second = new FakeLink();
  requests.attach(second);
  expect(second.sent.map(({ request }) => request)).toEqual([publish(1), publish(3)]);
  second.sent.forEach(({ resolve }, n) => resolve({ n }));
  expect(await Promise.all(answers)).toEqual([{ n: 0 }, { n: 2 }, { n: 1 }]);
});

test("a call whose connection breaks fails: it may have been carried out", async () => {
  const requests = new Requests();
  const link = new FakeLink();
  requests.attach(link);
  const answer = requests.submit(call);
  link.breaks();
  await expect(answer).rejects.toMatchObject({ reason: "DISCONNECTED" });
});

test("what a draining hub refuses is sent to the next one, calls too", async () => {
  const requests = new Requests();
  const first = new FakeLink();
  requests.attach(first);
  const answer = requests.submit(call);
  first.sent[0]!.reject(new FanlineError("DRAINING", ""));
  await Promise.resolve();
  await Promise.resolve();
  const second = new FakeLink();
  requests.attach(second);
  second.sent[0]!.resolve({ data: 1 });
  expect(await answer).toEqual({ data: 1 });
});

test("what the hub refuses is the caller's to know, and is not repeated", async () => {
  const requests = new Requests();
  const link = new FakeLink();
  requests.attach(link);
  const answer = requests.submit(publish(1));
  link.sent[0]!.reject(new FanlineError("RATE_LIMITED", "", { retryAfterMs: 5 }));
  await expect(answer).rejects.toMatchObject({ reason: "RATE_LIMITED", retryAfterMs: 5 });
  expect(link.sent).toHaveLength(1);
});

test("time runs out with or without a connection", async () => {
  const requests = new Requests();
  const unsent = requests.submit(publish(1), { timeoutMs: 100 });
  void vi.advanceTimersByTimeAsync(100);
  await expect(unsent).rejects.toMatchObject({ reason: "TIMEOUT", message: "no connection in time" });
  requests.attach(new FakeLink());
  const sent = requests.submit(publish(2));
  void vi.advanceTimersByTimeAsync(15_000);
  await expect(sent).rejects.toMatchObject({ reason: "TIMEOUT" });
});

test("no more than 256 wait", async () => {
  const requests = new Requests();
  const waiting = Array.from({ length: 256 }, (_, n) => requests.submit(publish(n)));
  await expect(requests.submit(publish("over"))).rejects.toMatchObject({ reason: "QUEUE_FULL" });
  requests.close(new FanlineError("CLOSED", ""));
  for (const answer of waiting) await expect(answer).rejects.toMatchObject({ reason: "CLOSED" });
  await expect(requests.submit(publish(0))).rejects.toMatchObject({ reason: "CLOSED" });
});

test("a handler of parts that throws hurts neither the call nor the connection", async () => {
  const shown = vi.spyOn(console, "error").mockImplementation(() => {});
  const requests = new Requests();
  const link = new FakeLink();
  link.request = async (_request, _signal, onPart) => {
    onPart!(1);
    return { data: 2 };
  };
  requests.attach(link);
  const fault = new Error("of the page");
  const onPart = (): void => {
    throw fault;
  };
  expect(await requests.submit(call, { onPart })).toEqual({ data: 2 });
  expect(shown).toHaveBeenCalledWith(fault);
  shown.mockRestore();
});

test("whoever waits for ever does", async () => {
  const requests = new Requests();
  const waiting = requests.submit(publish(1), { timeoutMs: Infinity });
  await vi.advanceTimersByTimeAsync(3_600_000);
  const link = new FakeLink();
  requests.attach(link);
  link.sent[0]!.resolve({ op: "ok" });
  expect(await waiting).toEqual({ op: "ok" });
});
