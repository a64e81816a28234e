// A client of a hub: runs the state machine, and leads what links tell to the channels.

import { Channel, type ChannelOptions, type EventMap } from "./channel.js";
import { FanlineError, asError } from "./errors.js";
import type { Link, Listener, Surroundings, Transport, WebSocketConstructor } from "./link.js";
import { Listeners } from "./listeners.js";
import { longPoll } from "./longpoll.js";
import { machine, step, transportAt, type Effect, type Input, type Machine, type Phase, type TransportName } from "./machine.js";
import { Memory, browserStorage, type Storage } from "./memory.js";
import { observePage } from "./page.js";
import { Requests } from "./requests.js";
import { sse } from "./sse.js";
import { Tokens, type TokenSource } from "./token.js";
import { webSocket } from "./websocket.js";
import type { Answer } from "./wire.js";

/** In the order of preference. */
const TRANSPORTS: Readonly<Record<TransportName, Transport>> = { websocket: webSocket, sse, longpoll: longPoll };

export interface Options {
  /** The token, or a callback that gets one: called at the start, before the token runs out, and when the hub refuses it.
   * Without it, the browser's cookies have to do. */
  readonly token?: TokenSource;
  /** The transports that may be used, in the order of preference. All three by default: WebSocket, SSE, long-polling. */
  readonly transports?: readonly TransportName[];
  /** The WebSocket class, where there is no global one (Node 20): that of the npm package `ws`, for example. Without any,
   * the client goes on to SSE. */
  readonly WebSocket?: WebSocketConstructor;
  readonly fetch?: typeof fetch;
  /** Where the transport that worked is remembered; `localStorage` by default. */
  readonly storage?: Storage;
}

export interface CallOptions {
  /** The channel that the call is about. */
  readonly channel?: string;
  /** Called for each part of a streamed reply but the last. */
  readonly onPart?: (data: unknown) => void;
  /** In milliseconds; 15,000 by default. */
  readonly timeoutMs?: number;
}

/** What {@link Client.onState} tells. */
export interface State {
  readonly phase: Phase;
  /** In use, or being tried. */
  readonly transport: TransportName;
  /** Why it is waiting or closed. */
  readonly error?: FanlineError | undefined;
}

/**
 * Connects to a hub, at once and for good: until {@link Client.close}, or until the hub says that coming back cannot help.
 * `url` is where the hub's public listener is reached, `https://hub.example.com` for example.
 */
export function connect<Events extends EventMap = Record<string, unknown>>(
  url: string | URL,
  options: Options = {},
): Client<Events> {
  return new Client<Events>(url, options);
}

export class Client<Events extends EventMap = Record<string, unknown>> {
  readonly #surroundings: Surroundings;
  readonly #memory: Memory;
  readonly #channels = new Map<string, Channel<Events>>();
  readonly #requests = new Requests();
  readonly #states = new Listeners<State>();
  readonly #errors = new Listeners<FanlineError>();
  readonly #unobserve: () => void;
  #machine: Machine;
  #link: Link | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #error: FanlineError | undefined;
  /** Counts links, so that what an old one still says is known as such. */
  #generation = 0;

  /** @internal Use {@link connect}. */
  constructor(url: string | URL, options: Options) {
    const base = new URL(url, typeof location === "undefined" ? undefined : location.href);
    base.protocol = base.protocol.replace("ws", "http");
    if (!base.pathname.endsWith("/")) base.pathname += "/";
    const request = options.fetch ?? fetch;
    this.#surroundings = {
      base,
      tokens: new Tokens(options.token),
      // A browser's fetch wants to be called on nothing.
      fetch: (input, init) => request(input, init),
      WebSocket: options.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket,
      wanted: () => this.#wanted(),
    };
    this.#memory = new Memory(options.storage ?? browserStorage(), base);
    this.#machine = machine(
      this.#available(options.transports ?? (Object.keys(TRANSPORTS) as TransportName[])),
      this.#surroundings.tokens.renewable,
      this.#memory.recall(Date.now()),
    );
    this.#unobserve = observePage(
      () => {
        this.#link?.probe();
        this.#feed({ is: "woken" });
      },
      () => this.#link?.probe(),
    );
    // What the caller adds in the same breath is part of the first attempt.
    queueMicrotask(() => this.#feed({ is: "start" }));
  }

  /** The state of the connection. */
  get state(): State {
    return { phase: this.#machine.phase, transport: transportAt(this.#machine), error: this.#error };
  }

  /** Calls `handler` on each change of {@link Client.state}; returns how to stop. */
  onState(handler: (state: State) => void): () => void {
    return this.#states.add(handler);
  }

  /** What went wrong and has nobody else to tell: a refused channel without a handler of its own, a failed token refresh. */
  onError(handler: (error: FanlineError) => void): () => void {
    return this.#errors.add(handler);
  }

  /** Resolves as soon as the client is connected; rejects when it is closed for good. */
  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = ({ phase, error }: State): void => {
        if (phase === "connected") resolve();
        else if (phase === "closed") reject(error ?? closed());
        else return;
        off();
      };
      const off = this.#states.add(look);
      look(this.state);
    });
  }

  /** A channel, by its name: always the same object. It is joined by its first handler. `since` counts as long as the
   * channel is not followed. */
  channel(name: string, options: ChannelOptions = {}): Channel<Events> {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = new Channel<Events>(
        name,
        {
          submit: (request, options) => this.#requests.submit(request, options),
          // What is joined in one breath is joined at once. What is left is left before it may be joined anew.
          changed: (isWanted) => (isWanted ? queueMicrotask(() => this.#link?.sync()) : this.#link?.sync()),
          trouble: (error) => this.#trouble(error),
        },
        options,
      );
      this.#channels.set(name, channel);
      if (this.#machine.phase === "closed") channel.closed(this.#error ?? closed());
    } else if (options.since !== undefined) channel.startAt(options.since);
    return channel;
  }

  /** Asks a backend, and resolves with the data of its last reply. */
  async call(method: string, data: unknown, { channel, onPart, timeoutMs }: CallOptions = {}): Promise<unknown> {
    const request = { op: "call" as const, method, data, ...(channel !== undefined && { channel }) };
    const answer: Answer = await this.#requests.submit(request, { onPart, timeoutMs });
    return answer["data"];
  }

  /** Goes over to other transports, in this order of preference. Channels go on where they are. */
  use(...transports: readonly TransportName[]): void {
    this.#feed({ is: "use", transports: this.#available(transports) });
  }

  /** Ends the connection for good. What is under way fails. */
  close(): void {
    this.#feed({ is: "stop" });
  }

  #available(names: readonly TransportName[]): readonly TransportName[] {
    const here = names.filter((name) => TRANSPORTS[name] && (name !== "websocket" || this.#surroundings.WebSocket));
    if (here.length === 0) throw new RangeError(`no transport works here: ${names}`);
    return here;
  }

  #feed(input: Input): void {
    const [next, effects] = step(this.#machine, input, { now: Date.now(), chance: Math.random() });
    const changed = next.phase !== this.#machine.phase || transportAt(next) !== transportAt(this.#machine);
    this.#machine = next;
    if (next.phase === "connected") this.#error = undefined;
    for (const effect of effects) this.#carryOut(effect);
    if (changed) this.#states.emit(this.state);
  }

  #carryOut(effect: Effect): void {
    switch (effect.do) {
      case "open":
        clearTimeout(this.#timer);
        void this.#open(TRANSPORTS[effect.transport], effect.renew);
        break;
      case "drop":
        this.#generation += 1;
        this.#link?.close();
        this.#unlink();
        break;
      case "rest":
        this.#timer = setTimeout(() => this.#feed({ is: "rested" }), effect.ms);
        break;
      case "remember":
        this.#memory.keep(effect.belief);
        break;
      case "finish": {
        clearTimeout(this.#timer);
        this.#unobserve();
        const error = effect.loss ? this.#error! : closed();
        this.#requests.close(error);
        for (const channel of this.#channels.values()) channel.closed(error);
      }
    }
  }

  async #open(transport: Transport, renew: boolean): Promise<void> {
    const generation = ++this.#generation;
    const lost = (error: FanlineError): void => {
      if (generation !== this.#generation) return;
      this.#unlink();
      this.#error = error;
      this.#feed({ is: "lost", loss: error });
    };
    try {
      const { tokens } = this.#surroundings;
      const token = await (renew ? tokens.renewed() : tokens.current());
      if (generation !== this.#generation) return;
      this.#link = transport(this.#surroundings, token, this.#listener(generation, lost));
    } catch (thrown) {
      lost(asError(thrown));
    }
  }

  /** What leads from a link to here, as long as it is the link of the moment. */
  #listener(generation: number, lost: (error: FanlineError) => void): Listener {
    const now = (): boolean => generation === this.#generation;
    const at = (name: string): Channel<Events> | undefined => (now() ? this.#channels.get(name) : undefined);
    return {
      opened: () => {
        if (!now()) return;
        this.#feed({ is: "opened" });
        this.#requests.attach(this.#link!);
      },
      // A channel that the hub put the client into is there for handlers to be added.
      joined: (name, start, byHub = false) => (byHub && now() ? this.channel(name) : at(name))?.joined(start, byHub),
      refused: (name, error) => at(name)?.refused(error),
      left: (name, reason) => at(name)?.refused(new FanlineError(reason, `the hub ended ${name}`)),
      event: (event) => at(event.channel)?.take(event),
      moved: (name, position) => at(name)?.moved(position),
      gap: (gap) => at(gap.channel)?.lost(gap),
      presence: (change) => at(change.channel)?.changed(change),
      trouble: (error) => {
        if (now() && error.reason !== "DISCONNECTED") this.#trouble(error);
      },
      lost,
    };
  }

  #unlink(): void {
    this.#link = undefined;
    this.#requests.detach();
    this.#surroundings.tokens.stop();
    for (const channel of this.#channels.values()) channel.disconnected();
  }

  #wanted(): ReadonlyMap<string, string | undefined> {
    const wanted = new Map<string, string | undefined>();
    for (const [name, channel] of this.#channels) {
      if (channel.wanted) wanted.set(name, channel.wanted.since);
    }
    return wanted;
  }

  #trouble(error: FanlineError): void {
    if (this.#errors.size > 0) this.#errors.emit(error);
    else console.warn(`fanline: ${error.reason}: ${error.message}`);
  }
}

function closed(): FanlineError {
  return new FanlineError("CLOSED", "the client was closed");
}
