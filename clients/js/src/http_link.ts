// What SSE and long-polling share: events come in by streams of a bounded number of channels each, requests go out by
// the uplink. A stream has its channels for life; when they change, another takes its place where it stopped.

import { pauseMs } from "./backoff.js";
import { cursorOf } from "./cursor.js";
import { asError, disconnected, type FanlineError } from "./errors.js";
import { send, type Problem } from "./http.js";
import type { Link, Listener, Surroundings } from "./link.js";
import { request as uplink } from "./uplink.js";
import { mayRepeat, verdict } from "./verdict.js";
import type { Answer, Request } from "./wire.js";

/** The hub takes no more channels in one request (`limits.channels_per_request`). */
export const CHANNELS_PER_STREAM = 32;

/** What a stream works with. */
export interface Stream {
  readonly channels: readonly string[];
  readonly listener: Listener;
  /** The end of the stream; `probe` is dispatched to it when the link is in doubt. */
  readonly signal: AbortSignal;
  /** Its channels and where they start, as a query. */
  query(): URLSearchParams;
  /** Sends a request of this stream with the token of the moment. */
  get(path: string, query: URLSearchParams, accept: string, signal: AbortSignal): Promise<Response>;
  /** Says that the hub let the stream in. */
  opened(): void;
  /** The token has so many seconds left. */
  expiring(expiresInS: number): void;
}

/** Follows the channels of a stream until its signal aborts; rejects with why it ended before. */
export type Follow = (stream: Stream) => Promise<never>;

export class HttpLink implements Link {
  readonly #surroundings: Surroundings;
  readonly #listener: Listener;
  readonly #follow: Follow;
  readonly #end = new AbortController();
  #streams: { readonly channels: readonly string[]; readonly stop: AbortController }[] = [];
  #token: string | undefined;
  #publishing: Promise<unknown> = Promise.resolve();
  #isOpen = false;

  constructor(
    surroundings: Surroundings,
    token: string | undefined,
    listener: Listener,
    follow: Follow,
  ) {
    this.#surroundings = surroundings;
    this.#token = token;
    this.#listener = listener;
    this.#follow = follow;
    this.sync();
    // A request for no channel tells as well whether this transport works: a hub that minds has let it through.
    if (this.#streams.length === 0) this.#start([]);
  }

  sync(): void {
    if (this.#end.signal.aborted) return;
    const wanted = this.#surroundings.wanted();
    const loose = new Set(wanted.keys());
    this.#streams = this.#streams.filter((stream) => {
      const { channels } = stream;
      const stays = channels.every((channel) => wanted.has(channel));
      if (stays) channels.forEach((channel) => loose.delete(channel));
      else stream.stop.abort();
      return stays;
    });
    if (loose.size === 0) return;
    // New channels move in with others where there is room: a browser opens few connections to one host.
    const host = this.#streams.findIndex(({ channels }) => channels.length + loose.size <= CHANNELS_PER_STREAM);
    for (const { channels, stop } of host < 0 ? [] : this.#streams.splice(host, 1)) {
      stop.abort();
      channels.forEach((channel) => loose.add(channel));
    }
    for (const group of grouped(loose, wanted)) this.#streams.push(this.#start(group));
  }

  request(request: Request, signal: AbortSignal, onPart?: (data: unknown) => void): Promise<Answer> {
    const either = AbortSignal.any([signal, this.#end.signal]);
    const ask = async (): Promise<Answer> => {
      for (let failures = 0; ; failures += 1) {
        try {
          return await this.#authorised((token) => uplink(this.#surroundings, token, request, either, onPart));
        } catch (thrown) {
          const error = this.#end.signal.aborted ? disconnected() : asError(thrown);
          if (either.aborted || !mayRepeat(request, error)) throw error;
          await pause(pauseMs(failures, Math.random()), either);
        }
      }
    };
    if (request.op !== "publish") return ask();
    // Requests that run side by side may overtake each other; what one client publishes keeps its order.
    const published = this.#publishing.then(ask, ask);
    this.#publishing = published;
    return published;
  }

  probe(): void {
    for (const { stop } of this.#streams) stop.signal.dispatchEvent(new Event("probe"));
  }

  close(): void {
    this.#end.abort();
    for (const { stop } of this.#streams) stop.abort();
  }

  #start(channels: readonly string[]): { channels: readonly string[]; stop: AbortController } {
    const stop = new AbortController();
    const stream: Stream = {
      channels,
      listener: this.#listener,
      signal: stop.signal,
      query: () => queryOf(channels, this.#surroundings.wanted()),
      get: (path, query, accept, signal) =>
        this.#authorised((token) =>
          send(this.#surroundings, token, `${path}?${query}`, { signal, headers: { accept } }),
        ),
      opened: () => this.#opened(),
      expiring: (expiresInS) =>
        void this.#surroundings.tokens.next(expiresInS).then((token) => this.#restart(token), this.#listener.trouble),
    };
    this.#follow(stream).catch((thrown) => {
      if (!stop.signal.aborted) this.#ended(channels, stop, asError(thrown));
    });
    return { channels, stop };
  }

  #ended(channels: readonly string[], stop: AbortController, error: FanlineError): void {
    if (!isRefusal(error)) return this.#lose(error);
    // What the hub will not have in a request is one of its channels, and it says which; or that there is none.
    const { channel } = error.details as Problem;
    const refused = channels.length > 1 ? channels.filter((name) => name === channel) : channels;
    if (channels.length > 1 && refused.length === 0) return this.#lose(error);
    this.#opened();
    this.#streams = this.#streams.filter((stream) => stream.stop !== stop);
    refused.forEach((name) => this.#listener.refused(name, error));
    this.sync();
  }

  #opened(): void {
    if (this.#isOpen || this.#end.signal.aborted) return;
    this.#isOpen = true;
    this.#listener.opened();
    this.sync();
  }

  #lose(error: FanlineError): void {
    if (this.#end.signal.aborted) return;
    this.close();
    this.#listener.lost(error);
  }

  /** Sends with the token at hand, and once more with a new one if that has run out since the link was opened. */
  async #authorised<T>(act: (token: string | undefined) => Promise<T>): Promise<T> {
    const token = this.#token;
    try {
      return await act(token);
    } catch (thrown) {
      if (!this.#isOpen || !this.#surroundings.tokens.renewable || asError(thrown).status !== 401) throw thrown;
      if (this.#token === token) this.#token = await this.#surroundings.tokens.renewed();
      return act(this.#token);
    }
  }

  /** Other streams, with this token, in the place of those there are. */
  #restart(token: string): void {
    this.#token = token;
    for (const { stop } of this.#streams.splice(0)) stop.abort();
    this.sync();
  }
}

/** Whether the hub says, in a problem document, that coming back the same way cannot help. */
function isRefusal(error: FanlineError): boolean {
  return verdict(error) === "stop" && error.details !== undefined;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Groups of channels that one request can ask for: not too many, and all of them with positions or nothing to start
 * from, or all with the same word for it. */
function grouped(
  channels: ReadonlySet<string>,
  wanted: ReadonlyMap<string, string | undefined>,
): string[][] {
  const byWord = new Map<string | undefined, string[]>();
  for (const channel of channels) {
    const word = wordOf(wanted.get(channel));
    byWord.set(word, [...(byWord.get(word) ?? []), channel]);
  }
  const groups: string[][] = [];
  for (const group of byWord.values()) {
    while (group.length > 0) groups.push(group.splice(0, CHANNELS_PER_STREAM));
  }
  return groups;
}

function queryOf(channels: readonly string[], wanted: ReadonlyMap<string, string | undefined>): URLSearchParams {
  const query = new URLSearchParams(channels.map((channel) => ["channel", channel]));
  const since = wordOf(wanted.get(channels[0]!)) ?? cursorOf(channels, wanted);
  if (since !== undefined) query.set("since", since);
  return query;
}

/** `earliest` and `last:20` say of all channels of a request where to start; positions have a channel each. */
function wordOf(since: string | undefined): string | undefined {
  return since === undefined || since.includes("-") ? undefined : since;
}
