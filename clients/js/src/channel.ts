// One channel of a client: its handlers, where it stands, and what can be asked of it.

import { FanlineError } from "./errors.js";
import { Listeners } from "./listeners.js";
import { isSeen, type Position } from "./position.js";
import type { RequestOptions } from "./requests.js";
import type {
  Answer,
  FanlineEvent,
  Gap,
  History,
  Member,
  PresenceChange,
  Published,
  Request,
  Start,
} from "./wire.js";

/** Event types and the data of each, as an application declares them. */
export type EventMap = object;
export type TypeOf<Events extends EventMap> = keyof Events & string;
/** Any event of a map: a union that its `type` tells apart. */
export type AnyEvent<Events extends EventMap> = {
  [Type in TypeOf<Events>]: FanlineEvent<Type, Events[Type]>;
}[TypeOf<Events>];

export interface ChannelOptions {
  /** Where to start: a position, `earliest`, or `last:20`. With the next event, by default. */
  readonly since?: string | undefined;
}

export interface PublishOptions {
  /** The idempotency key: whatever is published under the same one within the hub's window (5 minutes) is published
   * once. By default each publish has its own, which makes it safe to send again after a broken connection. */
  readonly key?: string;
  /** `false`: this connection does not receive the event itself. Only over WebSocket is there one that does both. */
  readonly echo?: boolean;
  /** In milliseconds; 15,000 by default. */
  readonly timeoutMs?: number;
}

export interface HistoryOptions {
  /** A position, `earliest` or `last:20`. From the oldest by default. */
  readonly since?: string;
  readonly limit?: number;
  /** From the newest backwards. */
  readonly reverse?: boolean;
}

/** What a channel needs of its client. */
export interface Host {
  submit(request: Request, options?: RequestOptions): Promise<Answer>;
  /** The channel is wanted now, or is not any more. */
  changed(isWanted: boolean): void;
  trouble(error: FanlineError): void;
}

export class Channel<Events extends EventMap = Record<string, unknown>> {
  readonly name: string;
  readonly #host: Host;
  readonly #byType = new Map<string, Listeners<FanlineEvent>>();
  readonly #gaps = new Listeners<Gap>();
  readonly #presence = new Listeners<PresenceChange>();
  readonly #starts = new Listeners<Start>();
  readonly #errors = new Listeners<FanlineError>();
  /** Who waits to hear that the channel is joined. */
  readonly #joining: ((outcome: Start | FanlineError) => void)[] = [];
  #closed: FanlineError | undefined;
  #since: string | undefined;
  #position: Position | undefined;
  #isWanted = false;
  #isJoined = false;

  /** @internal */
  constructor(name: string, host: Host, options: ChannelOptions) {
    this.name = name;
    this.#host = host;
    this.#since = options.since;
  }

  /** The position of the last event seen, or where the stream starts; `undefined` before the first join. */
  get position(): Position | undefined {
    return this.#position;
  }

  /**
   * Calls `handler` with each event of a type, `*` for all, and joins the channel if it was not joined yet.
   * Each event comes once and in order, whatever the connection does; what cannot be had any more is told by
   * {@link Channel.onGap}. Returns a function that takes the handler out.
   */
  on(type: "*", handler: (event: AnyEvent<Events>) => void): () => void;
  on<Type extends TypeOf<Events>>(type: Type, handler: (event: FanlineEvent<Type, Events[Type]>) => void): () => void;
  on(type: string, handler: (event: never) => void): () => void {
    const listeners = this.#byType.get(type) ?? new Listeners<FanlineEvent>();
    this.#byType.set(type, listeners);
    this.#want();
    return listeners.add(handler as (event: FanlineEvent) => void);
  }

  /** Events were lost for good, and why. The position is past them already. */
  onGap(handler: (gap: Gap) => void): () => void {
    return this.#gaps.add(handler);
  }

  /** Somebody joined or left, where the namespace shows its members. */
  onPresence(handler: (change: PresenceChange) => void): () => void {
    return this.#presence.add(handler);
  }

  /** The channel is followed: after the first join and after each reconnect. */
  onJoined(handler: (start: Start) => void): () => void {
    return this.#starts.add(handler);
  }

  /** The channel cannot be followed, or the hub ended it: it is left then. */
  onError(handler: (error: FanlineError) => void): () => void {
    return this.#errors.add(handler);
  }

  /** Joins the channel, if it is not joined, and says when the hub has it. Rejects with why it may not be, with
   * `NOT_JOINED` when it is left before, or with why the client was closed. */
  join(): Promise<Start> {
    if (this.#closed) return Promise.reject(this.#closed);
    this.#want();
    if (this.#isJoined) return Promise.resolve(this.#position === undefined ? {} : { position: this.#position });
    return new Promise((resolve, reject) =>
      this.#joining.push((outcome) => (outcome instanceof FanlineError ? reject(outcome) : resolve(outcome))),
    );
  }

  /** Leaves the channel. Its handlers stay, for the case that it is joined again; it starts with the next event then. */
  leave(): void {
    this.#since = this.#position = undefined;
    this.#drop();
    this.#settle(new FanlineError("NOT_JOINED", `${this.name} was left`));
  }

  async publish<Type extends TypeOf<Events>>(
    type: Type,
    data: Events[Type],
    { key = newKey(), echo, timeoutMs }: PublishOptions = {},
  ): Promise<Published> {
    const request: Request = { op: "publish", channel: this.name, type, data, key };
    if (echo === false) request.echo = false;
    return (await this.#host.submit(request, { timeoutMs })) as unknown as Published;
  }

  /** Who is in the channel now. */
  async presence(): Promise<readonly Member[]> {
    const answer = await this.#host.submit({ op: "presence", channel: this.name });
    return answer["members"] as readonly Member[];
  }

  /** A page of what the channel keeps. */
  async history(options: HistoryOptions = {}): Promise<History> {
    return (await this.#host.submit({ op: "history", channel: this.name, ...options })) as unknown as History;
  }

  /** @internal Whether it is to be followed, and from where. */
  get wanted(): { readonly since: string | undefined } | undefined {
    return this.#isWanted ? { since: this.#position ?? this.#since } : undefined;
  }

  /** @internal Where it is to start, unless it is followed already. */
  startAt(since: string): void {
    if (this.#isWanted) return;
    this.#since = since;
    this.#position = undefined;
  }

  /** @internal */
  take(event: FanlineEvent): void {
    if (!this.#isWanted || isSeen(event.position, this.#position)) return;
    // First, so that a handler that looks sees where it is.
    this.#position = event.position;
    this.#byType.get(event.type)?.emit(event);
    this.#byType.get("*")?.emit(event);
  }

  /** @internal */
  joined(start: Start, byHub: boolean): void {
    if (byHub) this.#isWanted = true;
    if (!this.#isWanted) return;
    const from = this.#position;
    if (start.recovered === false) {
      this.#position = start.position;
      this.#gaps.emit({ channel: this.name, from, to: start.position, reason: start.reason ?? "expired" });
    } else if (start.position !== undefined) {
      this.moved(start.position);
    }
    this.#isJoined = true;
    this.#starts.emit(start);
    this.#settle(start);
  }

  /** @internal */
  moved(position: Position): void {
    if (this.#isWanted && !isSeen(position, this.#position)) this.#position = position;
  }

  /** @internal */
  lost(gap: Gap): void {
    if (!this.#isWanted) return;
    if (gap.to !== undefined) this.#position = gap.to;
    this.#gaps.emit(gap);
  }

  /** @internal */
  changed(change: PresenceChange): void {
    this.#presence.emit(change);
  }

  /** @internal The link that carried it is gone. */
  disconnected(): void {
    this.#isJoined = false;
  }

  /** @internal The client is closed; whoever waits for the channel is told. */
  closed(error: FanlineError): void {
    this.#closed = error;
    this.#isWanted = this.#isJoined = false;
    this.#errors.emit(error);
    this.#settle(error);
  }

  /** @internal */
  refused(error: FanlineError): void {
    if (!this.#isWanted) return;
    this.#drop();
    if (this.#errors.size > 0) this.#errors.emit(error);
    else if (this.#joining.length === 0) this.#host.trouble(error);
    this.#settle(error);
  }

  /** Tells whoever waits for the channel, once. */
  #settle(outcome: Start | FanlineError): void {
    for (const settle of this.#joining.splice(0)) settle(outcome);
  }

  #want(): void {
    if (this.#isWanted || this.#closed) return;
    this.#isWanted = true;
    this.#host.changed(true);
  }

  #drop(): void {
    this.#isWanted = this.#isJoined = false;
    this.#host.changed(false);
  }
}

/** 128 bits of chance: no other publish has the same. Pages without TLS have no `randomUUID`. */
function newKey(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}
