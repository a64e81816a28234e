// What travels, in the words of the protocol (`fanline.v1`): the same objects on every transport.

import type { Position } from "./position.js";

/** An event as the hub sends it. `Data` is the type of its data. */
export interface FanlineEvent<Type extends string = string, Data = unknown> {
  readonly channel: string;
  readonly position: Position;
  readonly id: string;
  readonly type: Type;
  /** RFC 3339, UTC, to the millisecond. */
  readonly time: string;
  readonly data: Data;
  /** Who published it, if a user did. */
  readonly user?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Of an event whose data is not JSON: then `data` is absent and the bytes are in `data_base64`. */
  readonly content_type?: string;
  readonly data_base64?: string;
}

/** A connection that is present in a channel. */
export interface Member {
  readonly connection: string;
  readonly user?: string;
  readonly info?: unknown;
  readonly joined_at: string;
}

/** Events that are lost for good. */
export interface Gap {
  readonly channel: string;
  /** The last position before the loss. */
  readonly from?: Position | undefined;
  /** The stream goes on after this. */
  readonly to?: Position | undefined;
  /** `expired`, `trimmed`, `epoch_changed`, `future`, `invalid`, `no_history`. */
  readonly reason: string;
}

/** Somebody came or went. */
export interface PresenceChange {
  readonly channel: string;
  readonly joined?: Member;
  readonly left?: Member;
}

/** Where the stream of a channel starts. */
export interface Start {
  readonly position?: Position;
  /** Present when a position was asked for: whether everything after it follows. */
  readonly recovered?: boolean;
  /** Why not. */
  readonly reason?: string;
}

/** The answer to a publish. */
export interface Published {
  readonly event_id: string;
  readonly position: Position;
  /** The idempotency key had published already; this is the first answer. */
  readonly duplicate?: boolean;
}

/** A page of history. */
export interface History {
  readonly events: readonly FanlineEvent[];
  /** The newest position of the channel. */
  readonly position: Position;
  readonly recovered?: boolean;
  readonly reason?: string;
  readonly more?: boolean;
}

/** What a client may ask for. */
export type Request =
  | { op: "publish"; channel: string; type: string; data: unknown; key: string; echo?: boolean }
  | { op: "call"; method: string; channel?: string; data: unknown }
  | { op: "presence"; channel: string }
  | { op: "history"; channel: string; since?: string; limit?: number; reverse?: boolean };

/** An answer: the fields depend on the request. */
export type Answer = Readonly<Record<string, unknown>>;
