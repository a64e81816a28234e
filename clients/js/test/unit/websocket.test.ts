import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Listener, WebSocketLike } from "../../src/link.js";
import { Tokens, type TokenSource } from "../../src/token.js";
import { webSocket } from "../../src/websocket.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Frame = Record<string, unknown>;

/** The hub's side of a socket. */
class Socket implements WebSocketLike {
  static last: Socket;
  readonly sent: Frame[] = [];
  onmessage: WebSocketLike["onmessage"] = null;
  onclose: WebSocketLike["onclose"] = null;
  onerror: WebSocketLike["onerror"] = null;

  constructor() {
    Socket.last = this;
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Frame);
  }

  close(): void {}

  says(frame: Frame): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  /** What was sent of this kind, and not looked at before. */
  asked(op: string): Frame[] {
    const asked = this.sent.filter((frame) => frame["op"] === op);
    this.sent.splice(0, this.sent.length, ...this.sent.filter((frame) => frame["op"] !== op));
    return asked;
  }
}

/** A link over a fake socket, which has been let in, and what it tells. */
function opened(wanted: Map<string, string | undefined>, token: TokenSource = "token", hooks: Partial<Listener> = {}) {
  const told: string[] = [];
  const listener: Listener = {
    opened: () => void told.push("opened"),
    joined: (channel, { position }) => void told.push(`joined ${channel} ${position}`),
    refused: (channel, { reason }) => {
      wanted.delete(channel);
      told.push(`refused ${channel} ${reason}`);
    },
    left: () => {},
    event: () => {},
    moved: () => {},
    gap: () => {},
    presence: () => {},
    trouble: ({ reason }) => void told.push(`trouble ${reason}`),
    lost: ({ reason }) => void told.push(`lost ${reason}`),
    ...hooks,
  };
  const surroundings = { base: new URL("http://hub/"), tokens: new Tokens(token), fetch, WebSocket: Socket, wanted: () => wanted };
  const link = webSocket(surroundings, "token", listener);
  const socket = Socket.last;
  return { link, socket, told, tokens: surroundings.tokens };
}

const WELCOME = { op: "welcome", connection: "c", ping_interval: 25, expires_in: 3600, channels: {} };

test("many channels are joined a few at a time, and no faster than the hub takes them", async () => {
  const wanted = new Map(Array.from({ length: 100 }, (_, n) => [`chat:${n}`, undefined]));
  const { link, socket, told } = opened(wanted);
  socket.says(WELCOME);
  let budget = 40;
  for (let round = 0; told.length < 101; round += 1) {
    expect(round).toBeLessThan(50);
    const joins = socket.asked("join");
    expect(joins.length).toBeLessThanOrEqual(16);
    if (joins.length === 0) {
      await vi.advanceTimersByTimeAsync(1000);
      budget += 20;
    }
    for (const { id, channel } of joins) {
      if (budget > 0) socket.says({ op: "ok", id, channel, position: "e-0" });
      else socket.says({ op: "error", id, reason: "RATE_LIMITED", message: "", retry_after_ms: 20 });
      budget -= 1;
    }
  }
  expect(new Set(told).size).toBe(101);
  link.close();
});

test("a channel that the hub joins while the client asks for it is resumed where the client was", () => {
  const { link, socket, told } = opened(new Map([["chat:a", "e-3"]]));
  socket.says(WELCOME);
  const [first] = socket.asked("join");
  socket.says({ op: "joined", channel: "chat:a", position: "e-9" });
  socket.says({ op: "error", id: first!["id"], reason: "ALREADY_JOINED", message: "" });
  // It leaves what it was put into, and comes back from where it was.
  let answered = 0;
  for (let frame = socket.sent.shift(); frame !== undefined; frame = socket.sent.shift()) {
    if (frame["op"] === "join") {
      expect(frame["since"]).toBe("e-3");
      answered += 1;
    }
    socket.says({ op: "ok", id: frame["id"], channel: "chat:a", position: "e-3", recovered: true });
  }
  expect(answered).toBeGreaterThan(0);
  expect(new Set(told)).toEqual(new Set(["opened", "joined chat:a e-3"]));
  link.close();
});

test("who is told that it is connected may close", () => {
  const { link, socket, told } = opened(new Map([["chat:a", "e-3"]]), "token", { opened: () => link.close() });
  socket.says({ ...WELCOME, channels: { "chat:a": { position: "e-9" } } });
  expect(told).toEqual([]);
  expect(socket.sent).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test("a socket that cannot be made leaves nothing behind", () => {
  const Broken = class extends Socket {
    constructor() {
      super();
      throw new SyntaxError("no such subprotocol");
    }
  };
  const surroundings = { base: new URL("http://hub/"), tokens: new Tokens("a b"), fetch, WebSocket: Broken, wanted: () => new Map() };
  expect(() => webSocket(surroundings, "a b", undefined as never)).toThrow(SyntaxError);
  expect(vi.getTimerCount()).toBe(0);
});

test("a token that is short-lived from the start is not replaced again and again", async () => {
  let asked = 0;
  const { link, socket, tokens } = opened(new Map(), () => `token ${++asked}`);
  socket.says(WELCOME);
  socket.says({ op: "expiring", expires_in: 20 });
  for (let second = 0; second < 60; second += 1) {
    await vi.advanceTimersByTimeAsync(1000);
    for (const { id } of socket.asked("auth")) {
      socket.says({ op: "ok", id, expires_in: 20 });
      socket.says({ op: "expiring", expires_in: 20 });
    }
  }
  expect(asked).toBeGreaterThan(3);
  expect(asked).toBeLessThan(10);
  link.close();
  tokens.stop();
  expect(vi.getTimerCount()).toBe(0);
});
