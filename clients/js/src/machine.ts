// When to connect, over what, and when to wait: a pure function, tested without I/O.
//
//            start                    opened
//   idle ───────────> connecting ──────────────> connected
//                      │  ^   ^                   │  │
//           lost       │  │   └───── lost ────────┘  │   (401: with a new token at once)
//    (all were tried)  v  │ rested, woken            │
//                     waiting <──────── lost ────────┘   (with a pause: jitter, or what the hub asked for)
//
//   any ── stop, or a loss that no return can mend ──> closed
//
// A round of attempts tries each transport once without a pause, beginning with the one that is believed to work, and
// pauses when none did. What the hub says outranks that: a 401 or 429 over one transport would be one over all.

import { pauseMs } from "./backoff.js";
import type { Loss } from "./errors.js";
import { verdict } from "./verdict.js";

export type TransportName = "websocket" | "sse" | "longpoll";

/**
 * - `idle`: not started.
 * - `connecting`: a transport is being tried.
 * - `connected`: the hub has let the client in.
 * - `waiting`: for the end of a pause.
 * - `closed`: for good.
 */
export type Phase = "idle" | "connecting" | "connected" | "waiting" | "closed";

/** No pause that the hub asks for is longer than this, in milliseconds. */
const ASKED_MAX_MS = 3_600_000;
/** A link that lasted less than this, in milliseconds, is no sign that its transport works. */
const STABLE_MS = 5_000;
/** After so many links in a row that did not last, the next transport has its turn. */
const SHORT_LIVED_MAX = 2;
/** How long a fallback is tried before what it stands in for, in milliseconds: long enough to spare each reconnect the
 * failing attempts, short enough to find back when the network is a better one. */
export const BELIEF_MS = 5 * 60_000;

export interface Machine {
  readonly phase: Phase;
  /** In the order of preference; never empty. */
  readonly transports: readonly TransportName[];
  /** The transport in use, or to be tried next. */
  readonly at: number;
  /** How many were tried in this round. */
  readonly tried: number;
  /** Failures in a row: the exponent of the back-off. */
  readonly failures: number;
  /** Tokens refused in a row. */
  readonly refusals: number;
  /** Links in a row that did not last. */
  readonly shortLived: number;
  readonly openedAt: number;
  /** Until when `at` is believed in, though it is not the first choice. */
  readonly believedUntil: number;
  /** The hub asked for the pause under way: nothing shortens it. */
  readonly asked: boolean;
  /** Whether a new token can be had. */
  readonly renewable: boolean;
}

export type Input =
  | { readonly is: "start" }
  /** The hub let the client in. */
  | { readonly is: "opened" }
  /** An attempt or a connection came to nothing. */
  | { readonly is: "lost"; readonly loss: Loss }
  /** The pause is over. */
  | { readonly is: "rested" }
  /** The page or the network came back. */
  | { readonly is: "woken" }
  /** The application wants other transports. */
  | { readonly is: "use"; readonly transports: readonly TransportName[] }
  | { readonly is: "stop" };

export type Effect =
  | { readonly do: "open"; readonly transport: TransportName; readonly renew: boolean }
  /** Close the link, whatever state it is in. */
  | { readonly do: "drop" }
  | { readonly do: "rest"; readonly ms: number }
  | { readonly do: "remember"; readonly belief: Belief }
  /** `loss` is absent when the application closed the client. */
  | { readonly do: "finish"; readonly loss?: Loss };

/** A transport that is tried first until a time, in milliseconds since 1970; 0 when it is the first choice anyway. */
export interface Belief {
  readonly transport: TransportName;
  readonly until: number;
}

/** What comes from outside: the time in milliseconds and chance in [0, 1). */
export interface Outside {
  readonly now: number;
  readonly chance: number;
}

/** A machine for these transports, of which there is at least one. */
export function machine(
  transports: readonly TransportName[],
  renewable: boolean,
  belief: Belief = { transport: transports[0]!, until: 0 },
): Machine {
  return {
    phase: "idle",
    transports,
    at: Math.max(transports.indexOf(belief.transport), 0),
    tried: 0,
    failures: 0,
    refusals: 0,
    shortLived: 0,
    openedAt: 0,
    believedUntil: belief.until,
    asked: false,
    renewable,
  };
}

/** The next state, and what is to be done about it, in this order. */
export function step(was: Machine, input: Input, outside: Outside): [Machine, readonly Effect[]] {
  if (was.phase === "closed") return [was, []];
  switch (input.is) {
    case "start":
    case "rested":
    case "woken": {
      const isDue = was.phase === "waiting" ? input.is === "rested" || !was.asked : was.phase === "idle" && input.is === "start";
      return isDue ? connect(round(was, outside), was.refusals > 0 || isInTheDark(was)) : [was, []];
    }
    case "opened":
      return was.phase === "connecting" ? opened(was, outside) : [was, []];
    case "lost":
      return was.phase === "connecting" || was.phase === "connected" ? lost(was, input.loss, outside) : [was, []];
    case "use": {
      const moved = { ...was, transports: input.transports, at: 0, tried: 0, believedUntil: 0, shortLived: 0 };
      if (was.phase === "idle") return [moved, []];
      const [next, effects] = connect(moved);
      return [next, [{ do: "drop" }, ...effects]];
    }
    case "stop":
      return [{ ...was, phase: "closed" }, [{ do: "drop" }, { do: "finish" }]];
  }
}

function opened(was: Machine, { now }: Outside): [Machine, readonly Effect[]] {
  const until = was.at === 0 ? 0 : now + BELIEF_MS;
  return [
    { ...was, phase: "connected", tried: 0, refusals: 0, openedAt: now, believedUntil: until },
    [{ do: "remember", belief: { transport: transportAt(was), until } }],
  ];
}

function lost(was: Machine, loss: Loss, outside: Outside): [Machine, readonly Effect[]] {
  const wasConnected = was.phase === "connected";
  const lasted = wasConnected && (loss.planned || outside.now - was.openedAt >= STABLE_MS);
  switch (verdict(loss)) {
    case "stop":
      return finish(was, loss);
    case "renew": {
      // Without a callback there may be a newer cookie by the time the old one has run out: that is worth one attempt.
      if (!was.renewable && !lasted) return finish(was, loss);
      const refused = { ...round(was, outside), refusals: was.refusals + 1 };
      // One refusal is a token that ran out. More are something that haste will not mend.
      const ranOut = was.refusals === 0 && (lasted || !wasConnected);
      return ranOut ? connect(refused, was.renewable) : wait({ ...refused, failures: was.refusals }, loss, outside);
    }
    case "elsewhere": {
      if (wasConnected) break;
      const tried = was.tried + 1;
      const next = { ...was, at: (was.at + 1) % was.transports.length, tried };
      return tried < was.transports.length ? connect(next) : wait(next, loss, outside);
    }
    case "later":
      if (!wasConnected) return wait(was, loss, outside);
  }
  if (lasted) return wait({ ...was, failures: 0, shortLived: 0 }, loss, outside);
  const shortLived = was.shortLived + 1;
  if (shortLived < SHORT_LIVED_MAX) return wait({ ...was, shortLived }, loss, outside);
  // Something lets the connection begin and cuts it: the next transport is believed in instead.
  const at = (was.at + 1) % was.transports.length;
  return wait({ ...was, shortLived: 0, at, believedUntil: outside.now + BELIEF_MS }, loss, outside);
}

/** A new round begins with the first choice, unless a fallback is believed to be what works here. */
function round(was: Machine, { now }: Outside): Machine {
  return { ...was, tried: 0, at: now < was.believedUntil ? was.at : 0 };
}

/** Whether a round came to nothing and nobody can have said why: a browser does not tell that a WebSocket was refused for
 * its token. */
function isInTheDark({ tried, renewable, transports }: Machine): boolean {
  return renewable && tried > 0 && transports.every((transport) => transport === "websocket");
}

function connect(was: Machine, renew = false): [Machine, readonly Effect[]] {
  return [{ ...was, phase: "connecting", asked: false }, [{ do: "open", transport: transportAt(was), renew }]];
}

function wait(was: Machine, loss: Loss, { chance }: Outside): [Machine, readonly Effect[]] {
  const asked = loss.retryAfterMs !== undefined;
  // The hub spreads its clients itself where it plans; where it only refuses, they must not come back together.
  const jitter = loss.planned && asked ? 0 : pauseMs(was.failures, chance);
  const ms = Math.min(Math.max(loss.retryAfterMs ?? 0, 0), ASKED_MAX_MS) + jitter;
  return [{ ...was, phase: "waiting", failures: was.failures + 1, asked }, [{ do: "rest", ms }]];
}

function finish(was: Machine, loss: Loss): [Machine, readonly Effect[]] {
  return [{ ...was, phase: "closed" }, [{ do: "finish", loss }]];
}

export function transportAt({ transports, at }: Machine): TransportName {
  return transports[at]!;
}
