import { describe, expect, test } from "vitest";
import type { Loss } from "../../src/errors.js";
import { BELIEF_MS, machine, step, type Effect, type Input, type Machine, type TransportName } from "../../src/machine.js";

const ALL: readonly TransportName[] = ["websocket", "sse", "longpoll"];
const unreachable: Loss = { reason: "UNREACHABLE" };
const refusedToken: Loss = { reason: "TOKEN_EXPIRED", status: 401 };
const overloaded: Loss = { reason: "RATE_LIMITED", status: 429, retryAfterMs: 3000 };
const forbidden: Loss = { reason: "PERMISSION_DENIED", status: 403 };
const draining: Loss = { reason: "DRAINING", planned: true, retryAfterMs: 700 };

/** A machine that is driven by hand: time stands still unless it is said to pass, and chance is one half. */
class Driven {
  machine: Machine;
  now = 1_000_000;

  constructor(transports = ALL, renewable = true, belief?: { transport: TransportName; until: number }) {
    this.machine = machine(transports, renewable, belief);
  }

  feed(input: Input): string {
    const [next, effects] = step(this.machine, input, { now: this.now, chance: 0.5 });
    this.machine = next;
    return effects.map(told).join(", ");
  }

  lose(loss: Loss): string {
    return this.feed({ is: "lost", loss });
  }

  open(): string {
    return this.feed({ is: "opened" });
  }

  after(ms: number): this {
    this.now += ms;
    return this;
  }
}

function told(effect: Effect): string {
  switch (effect.do) {
    case "open":
      return `open ${effect.transport}${effect.renew ? " with a new token" : ""}`;
    case "rest":
      return `rest ${effect.ms}`;
    case "remember":
      return `remember ${effect.belief.transport}${effect.belief.until === 0 ? " as first choice" : ""}`;
    case "finish":
      return `finish ${effect.loss?.reason ?? "by the application"}`;
    default:
      return effect.do;
  }
}

function connected(): Driven {
  const driven = new Driven();
  driven.feed({ is: "start" });
  driven.open();
  return driven.after(60_000);
}

describe("a round of attempts", () => {
  test("tries each transport once without a pause, then pauses and begins again", () => {
    const driven = new Driven();
    expect(driven.feed({ is: "start" })).toBe("open websocket");
    expect(driven.lose(unreachable)).toBe("open sse");
    expect(driven.lose(unreachable)).toBe("open longpoll");
    expect(driven.lose(unreachable)).toBe("rest 250");
    expect(driven.machine.phase).toBe("waiting");
    expect(driven.feed({ is: "rested" })).toBe("open websocket");
  });

  test("pauses longer after each that came to nothing, up to a limit", () => {
    const driven = new Driven(["websocket"]);
    driven.feed({ is: "start" });
    const pauses = Array.from({ length: 9 }, () => {
      const rest = driven.lose(unreachable);
      driven.feed({ is: "rested" });
      return Number(rest.replace("rest ", ""));
    });
    expect(pauses).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
  });

  test("does not go on to another transport when the hub itself refuses", () => {
    const driven = new Driven();
    driven.feed({ is: "start" });
    expect(driven.lose(overloaded)).toBe("rest 3250");
    expect(driven.feed({ is: "woken" })).toBe("");
    expect(driven.feed({ is: "rested" })).toBe("open websocket");
  });
});

describe("a fallback", () => {
  test("is remembered and tried first for a while, then the first choice again", () => {
    const driven = new Driven();
    driven.feed({ is: "start" });
    driven.lose(unreachable);
    expect(driven.open()).toBe("remember sse");
    driven.after(BELIEF_MS - 1).lose(unreachable);
    expect(driven.feed({ is: "rested" })).toBe("open sse");
    driven.open();
    driven.after(BELIEF_MS).lose(unreachable);
    expect(driven.feed({ is: "rested" })).toBe("open websocket");
    expect(driven.open()).toBe("remember websocket as first choice");
  });

  test("is begun with when an earlier page found it, and left when it fails", () => {
    const driven = new Driven(ALL, true, { transport: "longpoll", until: 1_000_001 });
    expect(driven.feed({ is: "start" })).toBe("open longpoll");
    expect(driven.lose(unreachable)).toBe("open websocket");
  });

  test("that an earlier page found is not believed for ever, nor when the application does not want it", () => {
    const late = new Driven(ALL, true, { transport: "sse", until: 1_000_000 });
    expect(late.feed({ is: "start" })).toBe("open websocket");
    const unwanted = new Driven(["websocket"], true, { transport: "sse", until: 2_000_000 });
    expect(unwanted.feed({ is: "start" })).toBe("open websocket");
  });

  test("is taken when connections begin and do not last", () => {
    const driven = new Driven();
    driven.feed({ is: "start" });
    for (const attempt of ["open websocket", "open sse"]) {
      driven.open();
      driven.after(100).lose(unreachable);
      expect(driven.feed({ is: "rested" })).toBe(attempt);
    }
  });
});

describe("a token that is refused", () => {
  test("is replaced at once, and the round begins anew", () => {
    const driven = new Driven();
    driven.feed({ is: "start" });
    driven.lose(unreachable);
    expect(driven.lose(refusedToken)).toBe("open websocket with a new token");
    expect(driven.open()).toBe("remember websocket as first choice");
  });

  test("again and again is no reason for haste", () => {
    const driven = new Driven();
    driven.feed({ is: "start" });
    driven.lose(refusedToken);
    expect(driven.lose(refusedToken)).toBe("rest 500");
    expect(driven.feed({ is: "rested" })).toBe("open websocket with a new token");
    expect(driven.lose(refusedToken)).toBe("rest 1000");
  });

  test("ends it when there is no other to be had", () => {
    const driven = new Driven(ALL, false);
    driven.feed({ is: "start" });
    expect(driven.lose(refusedToken)).toBe("finish TOKEN_EXPIRED");
    expect(driven.machine.phase).toBe("closed");
  });

  test("may be what a browser does not tell of a WebSocket: where there is nothing else, the next round has a new one", () => {
    const driven = new Driven(["websocket"]);
    driven.feed({ is: "start" });
    driven.lose(unreachable);
    expect(driven.feed({ is: "rested" })).toBe("open websocket with a new token");
    driven.open();
    // What breaks later says nothing of the token.
    driven.after(60_000).lose(unreachable);
    expect(driven.feed({ is: "rested" })).toBe("open websocket");
    const fixed = new Driven(["websocket"], false);
    fixed.feed({ is: "start" });
    fixed.lose(unreachable);
    expect(fixed.feed({ is: "rested" })).toBe("open websocket");
  });

  test("on a connection that has lasted is a token that ran out", () => {
    expect(connected().lose(refusedToken)).toBe("open websocket with a new token");
  });
});

describe("a connection", () => {
  test("that breaks comes back over the same transport after a short jittered pause", () => {
    const driven = connected();
    expect(driven.lose(unreachable)).toBe("rest 250");
    expect(driven.feed({ is: "rested" })).toBe("open websocket");
  });

  test("that the hub ends for a drain comes back when the hub said, to the millisecond", () => {
    expect(connected().lose(draining)).toBe("rest 700");
  });

  test("waits as long as it is asked to, but not for ever, and never a time that no timer can count", () => {
    const restFor = (retryAfterMs: number): string => connected().lose({ ...draining, retryAfterMs });
    expect(restFor(1e15)).toBe("rest 3600000");
    expect(restFor(-5)).toBe("rest 0");
  });

  test("that the hub forbids is over", () => {
    const driven = connected();
    expect(driven.lose(forbidden)).toBe("finish PERMISSION_DENIED");
    expect(driven.feed({ is: "woken" })).toBe("");
    expect(driven.feed({ is: "start" })).toBe("");
  });

  test("that is waited for is tried at once when the page or the network comes back", () => {
    const driven = connected();
    driven.lose(unreachable);
    expect(driven.feed({ is: "woken" })).toBe("open websocket");
  });

  test("moves when the application wants other transports", () => {
    const driven = connected();
    expect(driven.feed({ is: "use", transports: ["longpoll"] })).toBe("drop, open longpoll");
    expect(driven.machine.phase).toBe("connecting");
  });

  test("ends for good when the application says so", () => {
    const driven = connected();
    expect(driven.feed({ is: "stop" })).toBe("drop, finish by the application");
    expect(driven.feed({ is: "use", transports: ["sse"] })).toBe("");
  });
});

test("no sequence of inputs opens two links, rests twice, or leaves a phase without a way on", () => {
  let seed = 42;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  const losses = [unreachable, refusedToken, overloaded, draining];
  for (let run = 0; run < 300; run += 1) {
    let state = machine(ALL, true);
    let isOpening = false;
    let isResting = false;
    for (let turn = 0, now = 0; turn < 60; turn += 1, now += random(10_000)) {
      const inputs: Input[] = [
        { is: "start" },
        { is: "opened" },
        { is: "lost", loss: losses[random(losses.length)]! },
        { is: "woken" },
        { is: "use", transports: [ALL[random(3)]!] },
        ...(isResting ? [{ is: "rested" } as const] : []),
      ];
      const input = inputs[random(inputs.length)]!;
      if (input.is === "lost" || input.is === "rested") {
        if (input.is === "lost" && !isOpening) continue;
        if (input.is === "rested") isResting = false;
        else isOpening = false;
      }
      const [next, effects] = step(state, input, { now, chance: random(100) / 100 });
      for (const effect of effects) {
        if (effect.do === "drop") isOpening = false;
        if (effect.do === "open") {
          expect(isOpening, `run ${run}, turn ${turn}`).toBe(false);
          isOpening = true;
          isResting = false;
        }
        if (effect.do === "rest") {
          expect(isResting, `run ${run}, turn ${turn}`).toBe(false);
          isResting = true;
        }
      }
      state = next;
      if (state.phase === "connecting" || state.phase === "connected") expect(isOpening).toBe(true);
      if (state.phase === "waiting") expect(isResting).toBe(true);
    }
  }
});
