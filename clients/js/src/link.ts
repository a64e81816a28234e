// What a transport is: something that opens links to the hub. Everything above this file is the same for all of them.

import type { FanlineError } from "./errors.js";
import type { Position } from "./position.js";
import type { Tokens } from "./token.js";
import type { Answer, FanlineEvent, Gap, PresenceChange, Request, Start } from "./wire.js";

/** One connection to the hub, from the first attempt to its end. */
export interface Link {
  /** Makes the link carry the channels that are wanted now: some came, some went. */
  sync(): void;
  /**
   * Sends a request. A reply of several parts goes to `onPart`, all but the last.
   * Rejects with a `DISCONNECTED` error when the link ends first.
   */
  request(request: Request, signal: AbortSignal, onPart?: (data: unknown) => void): Promise<Answer>;
  /** Finds out whether the link is alive, and loses it if not. */
  probe(): void;
  /** Ends the link; it says nothing any more. */
  close(): void;
}

/** What a link tells, in this order: `opened` once, anything else, `lost` once and last. */
export interface Listener {
  opened(): void;
  /** A channel was joined; its events follow. */
  joined(channel: string, start: Start, byHub?: boolean): void;
  /** A channel cannot be joined. */
  refused(channel: string, error: FanlineError): void;
  /** The hub took the client out of a channel. */
  left(channel: string, reason: string): void;
  event(event: FanlineEvent): void;
  /** All events of a channel up to here have come. */
  moved(channel: string, position: Position): void;
  gap(gap: Gap): void;
  presence(change: PresenceChange): void;
  /** Something went wrong that ends nothing. */
  readonly trouble: (error: FanlineError) => void;
  lost(error: FanlineError): void;
}

/** What a link works with. */
export interface Surroundings {
  /** Where the hub is, ending in `/`. */
  readonly base: URL;
  readonly tokens: Tokens;
  readonly fetch: typeof fetch;
  readonly WebSocket: WebSocketConstructor | undefined;
  /** The channels that are wanted, each with what it starts from: the newest position seen, or what the application
   * asked for. Asked anew whenever a stream starts. */
  wanted(): ReadonlyMap<string, string | undefined>;
}

/** Opens a link with this token. Throws when it cannot even try. */
export type Transport = (surroundings: Surroundings, token: string | undefined, listener: Listener) => Link;

/** The part of the WebSocket API that is used: the browser's has it, and so has that of the npm package `ws`. */
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

export interface WebSocketLike {
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

/** How long an attempt may take until the hub has let the client in, in milliseconds. */
export const OPEN_TIMEOUT_MS = 10_000;
