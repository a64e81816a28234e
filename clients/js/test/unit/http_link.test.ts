import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Listener, Surroundings } from "../../src/link.js";
import { longPoll } from "../../src/longpoll.js";
import { sse } from "../../src/sse.js";
import { Tokens, type TokenSource } from "../../src/token.js";
import { request } from "../../src/uplink.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Answer = (url: URL, signal: AbortSignal) => Response | Promise<Response>;

/** A hub that answers like this. An answer that never comes ends with its signal. */
function surroundings(answer: Answer, wanted = new Map<string, string | undefined>(), token: TokenSource = "token"): Surroundings {
  const fetch = (async (input: URL, { signal }: RequestInit) => {
    signal?.throwIfAborted();
    return answer(input, signal!);
  }) as unknown as typeof globalThis.fetch;
  return { base: new URL("http://hub/"), tokens: new Tokens(token), fetch, WebSocket: undefined, wanted: () => wanted };
}

/** Never answers, until whoever asked has had enough. */
function silence(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

/** A stream of these blocks that stays open until it is cut. */
function stream(text: string, signal: AbortSignal): Response {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
      signal.addEventListener("abort", () => controller.error(signal.reason));
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

const problem = (status: number, reason: string, channel?: string): Response =>
  Response.json({ status, reason, detail: "no", channel }, { status });
const open = (channels: readonly string[]): string => {
  const starts = Object.fromEntries(channels.map((channel) => [channel, { position: "e-1" }]));
  return `event: fanline.open\nretry: 1200\ndata: ${JSON.stringify({ channels: starts })}\n\n`;
};

function listener(hooks: Partial<Listener>): Listener {
  const nothing = (): void => {};
  return {
    opened: nothing,
    joined: nothing,
    refused: nothing,
    left: nothing,
    event: nothing,
    moved: nothing,
    gap: nothing,
    presence: nothing,
    trouble: nothing,
    lost: nothing,
    ...hooks,
  };
}

test("a streamed reply that fails after its first part fails, and one that is cut off is no reply", async () => {
  const call = { op: "call", method: "m", data: null } as const;
  const replied = (...lines: object[]): Promise<unknown> => {
    const body = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    return request(surroundings(() => new Response(body)), "t", call, new AbortController().signal, () => {});
  };
  expect(await replied({ data: 1, more: true }, { data: 2 })).toEqual({ data: 2 });
  const failure = { status: 409, reason: "ABORTED", detail: "not today" };
  await expect(replied({ data: 1, more: true }, failure)).rejects.toMatchObject({
    status: 409,
    reason: "ABORTED",
    message: "not today",
  });
  await expect(replied({ data: 1, more: true })).rejects.toMatchObject({ reason: "DISCONNECTED" });
});

test("a refusal whose body is no problem document is known by its status", async () => {
  const presence = { op: "presence", channel: "a" } as const;
  for (const body of ["null", "7", "<p>", ""]) {
    const answer = (): Response => new Response(body, { status: 401 });
    const asked = request(surroundings(answer), "t", presence, new AbortController().signal);
    await expect(asked).rejects.toMatchObject({ reason: "UNREACHABLE", status: 401 });
  }
});

test("channels among which some are refused share one stream in the end, however few connections a browser opens", async () => {
  const names = Array.from({ length: 20 }, (_, n) => `chat:${n}`);
  const wanted = new Map(names.map((name) => [name, "e-1" as string | undefined]));
  const streams = new Set<AbortSignal>();
  let most = 0;
  const hub = surroundings((url, signal) => {
    const channels = url.searchParams.getAll("channel");
    const bad = channels.find((name) => name === "chat:3" || name === "chat:11");
    if (bad !== undefined) return problem(403, "PERMISSION_DENIED", bad);
    streams.add(signal);
    signal.addEventListener("abort", () => streams.delete(signal));
    most = Math.max(most, streams.size);
    return stream(open(channels), signal);
  }, wanted);
  const refused: string[] = [];
  const joined = new Set<string>();
  const link = sse(hub, "token", listener({
    refused: (channel) => {
      refused.push(channel);
      wanted.delete(channel);
      link.sync();
    },
    joined: (channel) => void joined.add(channel),
  }));
  await vi.waitFor(() => expect(joined.size).toBe(18));
  expect(refused.sort()).toEqual(["chat:11", "chat:3"]);
  expect(streams.size).toBe(1);
  expect(most).toBeLessThanOrEqual(2);
  link.close();
});

test("a group that is refused though none of its channels is ends the link, once", async () => {
  let asked = 0;
  const hub = surroundings(() => {
    asked += 1;
    return problem(403, "ORIGIN_DENIED");
  }, new Map([["a", "e-1"], ["b", "e-1"]]));
  const lost: string[] = [];
  sse(hub, "token", listener({ lost: ({ reason }) => void lost.push(reason) }));
  await vi.waitFor(() => expect(lost).toEqual(["ORIGIN_DENIED"]));
  expect(asked).toBe(1);
});

test("a hub that wants a channel named has let a client without one in", async () => {
  const hub = surroundings(() => problem(400, "INVALID_ARGUMENT"), new Map());
  const told: string[] = [];
  const link = sse(hub, "token", listener({ opened: () => void told.push("opened"), lost: () => void told.push("lost") }));
  await vi.waitFor(() => expect(told).toEqual(["opened"]));
  link.close();
});

test("a token that is short-lived from the start is not replaced again and again", async () => {
  let asked = 0;
  let streams = 0;
  const hub = surroundings((_url, signal) => {
    streams += 1;
    return stream(`${open(["a"])}event: fanline.expiring\ndata: {"expires_in":20}\n\n`, signal);
  }, new Map([["a", "e-1"]]), () => `token ${++asked}`);
  const link = sse(hub, await hub.tokens.current(), listener({}));
  await vi.advanceTimersByTimeAsync(45_000);
  expect(asked).toBeGreaterThan(3);
  expect(asked).toBeLessThan(8);
  expect(streams).toBe(asked);
  link.close();
  hub.tokens.stop();
  await vi.advanceTimersByTimeAsync(0);
  expect(vi.getTimerCount()).toBe(0);
});

test("an application that signs out ends the link with that", async () => {
  let hasToken = true;
  const hub = surroundings((url, signal) => {
    if (url.pathname === "/v1/poll" && !url.searchParams.has("cursor")) {
      return Response.json({ events: [], cursor: "e-1", more: false, channels: { a: { position: "e-1" } } });
    }
    return hasToken ? silence(signal) : problem(401, "TOKEN_EXPIRED");
  }, new Map([["a", undefined]]), () => null);
  hasToken = false;
  const lost: string[] = [];
  longPoll(hub, "token", listener({ lost: ({ reason }) => void lost.push(reason) }));
  await vi.waitFor(() => expect(lost).toEqual(["SIGNED_OUT"]));
  lost.length = 0;
  let refuses = false;
  const other = surroundings((url, signal) => {
    if (refuses) return problem(401, "TOKEN_EXPIRED");
    return stream(open(url.searchParams.getAll("channel")), signal);
  }, new Map([["a", undefined]]), () => null);
  const link = sse(other, "token", listener({ lost: ({ reason }) => void lost.push(reason) }));
  await vi.advanceTimersByTimeAsync(0);
  refuses = true;
  other.wanted = () => new Map([["a", "e-1"], ["b", undefined]]);
  link.sync();
  await vi.waitFor(() => expect(lost).toEqual(["SIGNED_OUT"]));
});

test("a handler that leaves in the middle of a batch is told nothing more by its poll", async () => {
  const wanted = new Map<string, string | undefined>([["a", "e-1"]]);
  let polls = 0;
  const hub = surroundings((_url, signal) => {
    if (polls++ > 0) return silence(signal);
    const events = [2, 3].map((offset) => ({ channel: "a", position: `e-${offset}` }));
    return Response.json({ events, cursor: "e-3", more: false, channels: { a: { position: "e-1" } } });
  }, wanted);
  const told: string[] = [];
  const link = longPoll(hub, "token", listener({
    event: ({ position }) => {
      told.push(position);
      wanted.clear();
      link.sync();
    },
    moved: (_channel, position) => void told.push(`moved ${position}`),
  }));
  await vi.advanceTimersByTimeAsync(1000);
  expect(told).toEqual(["e-2"]);
  link.close();
});
