// `@fanline/client`: a client of a Fanline event hub. Start with `connect`.
//
// What is where: `client.ts` runs `machine.ts`, which decides when to connect and over what (with `verdict.ts` and
// `backoff.ts`). A transport opens a `link.ts`: `websocket.ts`, `sse.ts`, or `longpoll.ts`; the last two share
// `http_link.ts`. `channel.ts` keeps the position of a channel and drops what was seen; `requests.ts` sees each request to
// its answer.

export { connect, Client, type CallOptions, type Options, type State } from "./client.js";
export {
  Channel,
  type AnyEvent,
  type ChannelOptions,
  type EventMap,
  type HistoryOptions,
  type PublishOptions,
  type TypeOf,
} from "./channel.js";
export { FanlineError, type ClientReason } from "./errors.js";
export type { WebSocketConstructor, WebSocketLike } from "./link.js";
export type { Phase, TransportName } from "./machine.js";
export type { Storage } from "./memory.js";
export type { Position } from "./position.js";
export type { TokenSource } from "./token.js";
export type { FanlineEvent, Gap, History, Member, PresenceChange, Published, Start } from "./wire.js";
