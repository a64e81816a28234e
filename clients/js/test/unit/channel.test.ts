import { beforeEach, expect, test } from "vitest";
import { Channel, type Host } from "../../src/channel.js";
import { FanlineError } from "../../src/errors.js";
import type { FanlineEvent, Gap, Request } from "../../src/wire.js";

let requests: Request[];
let troubles: string[];
let changes: number;
let host: Host;

beforeEach(() => {
  requests = [];
  troubles = [];
  changes = 0;
  host = {
    submit: async (request) => {
      requests.push(request);
      return {};
    },
    changed: () => void (changes += 1),
    trouble: (error) => void troubles.push(error.reason),
  };
});

function event(position: string, type = "note"): FanlineEvent {
  return { channel: "chat:a", position, id: position, type, time: "", data: position };
}

test("the first handler joins, and handlers get their type or all", () => {
  const channel = new Channel("chat:a", host, {});
  expect(channel.wanted).toBeUndefined();
  const seen: string[] = [];
  const off = channel.on("note", ({ data }) => seen.push(`note ${data}`));
  channel.on("*", ({ data }) => seen.push(`any ${data}`));
  expect(changes).toBe(1);
  channel.take(event("e-1"));
  channel.take(event("e-2", "other"));
  off();
  channel.take(event("e-3"));
  expect(seen).toEqual(["note e-1", "any e-1", "any e-2", "any e-3"]);
});

test("what was seen is dropped, by position, also after a resume", () => {
  const channel = new Channel("chat:a", host, {});
  const seen: string[] = [];
  channel.on("*", ({ position }) => seen.push(position));
  channel.joined({ position: "e-4" }, false);
  for (const position of ["e-5", "e-5", "e-4", "e-6"]) channel.take(event(position));
  expect(channel.wanted).toEqual({ since: "e-6" });
  channel.joined({ position: "e-6", recovered: true }, false);
  for (const position of ["e-6", "e-7", "f-1"]) channel.take(event(position));
  expect(seen).toEqual(["e-5", "e-6", "e-7", "f-1"]);
});

test("what cannot be had any more is told as a gap, and the position is past it", () => {
  const channel = new Channel("chat:a", host, {});
  const gaps: Gap[] = [];
  channel.on("*", () => {});
  channel.onGap((gap) => gaps.push(gap));
  channel.joined({ position: "e-4" }, false);
  channel.joined({ position: "e-9", recovered: false, reason: "trimmed" }, false);
  channel.lost({ channel: "chat:a", from: "e-9", to: "e-12", reason: "expired" });
  expect(gaps).toEqual([
    { channel: "chat:a", from: "e-4", to: "e-9", reason: "trimmed" },
    { channel: "chat:a", from: "e-9", to: "e-12", reason: "expired" },
  ]);
  expect(channel.position).toBe("e-12");
});

test("a position from the future is given up, and what comes is taken", () => {
  const channel = new Channel("chat:a", host, { since: "e-100" });
  const seen: string[] = [];
  channel.on("*", ({ position }) => seen.push(position));
  channel.joined({ position: "e-3", recovered: false, reason: "future" }, false);
  channel.take(event("e-4"));
  expect(seen).toEqual(["e-4"]);
});

test("who left gets nothing more, and joins again at the live end", () => {
  const channel = new Channel("chat:a", host, {});
  const seen: string[] = [];
  channel.on("*", ({ position }) => seen.push(position));
  channel.take(event("e-1"));
  channel.leave();
  channel.take(event("e-2"));
  expect(channel.wanted).toBeUndefined();
  void channel.join();
  expect(channel.wanted).toEqual({ since: undefined });
  channel.take(event("e-3"));
  expect(seen).toEqual(["e-1", "e-3"]);
});

test("join says when the hub has it, or why not", async () => {
  const channel = new Channel("chat:a", host, {});
  const joining = channel.join();
  channel.joined({ position: "e-4" }, false);
  expect(await joining).toEqual({ position: "e-4" });
  expect(await channel.join()).toEqual({ position: "e-4" });

  const other = new Channel("chat:b", host, {});
  const refused = other.join();
  other.refused(new FanlineError("PERMISSION_DENIED", "no"));
  await expect(refused).rejects.toMatchObject({ reason: "PERMISSION_DENIED" });
  expect(other.wanted).toBeUndefined();
});

test("a refusal that no handler takes goes to the client", () => {
  const channel = new Channel("chat:a", host, {});
  channel.on("*", () => {});
  channel.refused(new FanlineError("PERMISSION_DENIED", "no"));
  expect(troubles).toEqual(["PERMISSION_DENIED"]);
});

test("a publish has an idempotency key of its own, or the caller's", async () => {
  const channel = new Channel("chat:a", host, {});
  await channel.publish("note", 1);
  await channel.publish("note", 2);
  await channel.publish("note", 3, { key: "mine", echo: false });
  const keys = requests.map((request) => (request.op === "publish" ? request.key : ""));
  expect(keys[0]).toMatch(/^\d{1,10}(-\d{1,10}){3}$/);
  expect(keys[0]).not.toBe(keys[1]);
  expect(requests[2]).toEqual({ op: "publish", channel: "chat:a", type: "note", data: 3, key: "mine", echo: false });
});

test("a join settles when the channel is left or the client closed, before or after it is asked for", async () => {
  const left = new Channel("chat:a", host, {});
  const joining = left.join();
  left.leave();
  await expect(joining).rejects.toMatchObject({ reason: "NOT_JOINED" });
  expect(troubles).toEqual([]);

  const closed = new FanlineError("CLOSED", "");
  left.closed(closed);
  await expect(left.join()).rejects.toBe(closed);
  left.on("*", () => {});
  expect(left.wanted).toBeUndefined();
});

test("what a stream that has had its day says of a channel that was left moves nothing", () => {
  const channel = new Channel("chat:a", host, {});
  channel.on("*", () => {});
  channel.take(event("e-1"));
  channel.leave();
  channel.moved("e-5");
  void channel.join();
  expect(channel.wanted).toEqual({ since: undefined });
});
