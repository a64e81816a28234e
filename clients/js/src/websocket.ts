// WebSocket rooms: `GET /v1/ws`, one JSON object per text frame.

import { FanlineError, disconnected, unreachable } from "./errors.js";
import { OPEN_TIMEOUT_MS, type Link, type Listener, type Surroundings, type Transport } from "./link.js";
import { watchdog, type Watchdog } from "./watchdog.js";
import type { Answer, FanlineEvent, Gap, PresenceChange, Request, Start } from "./wire.js";

export const webSocket: Transport = (surroundings, token, listener) =>
  new WebSocketLink(surroundings, token, listener);

/** How long the hub has to answer a ping, in milliseconds. */
const PONG_TIMEOUT_MS = 10_000;
/** So many joins are under way at once: fewer than the refusals in a row for which the hub closes a connection
 * (`limits.violations_before_close`). */
const JOINS_MAX = 16;
/** How much longer than it must a join waits that came too soon, in milliseconds: others can be made by then too. */
const JOIN_PAUSE_MS = 250;
/** RFC 6455, section 7.4.1: a frame was too large. */
const TOO_BIG = 1009;
/** RFC 6455, section 7.4.1, and what the hub closes with when it drains. */
const SERVICE_RESTART = 1012;

/** A frame of the hub, of whatever kind. */
interface Frame extends Start, Omit<Gap, "reason">, PresenceChange {
  readonly op: string;
  readonly id?: number;
  readonly event: FanlineEvent;
  readonly channels?: Readonly<Record<string, Start>>;
  readonly channel: string;
  readonly reason: string;
  readonly message?: string;
  readonly field?: string;
  readonly retry_after_ms?: number;
  readonly ping_interval?: number;
  readonly expires_in?: number;
  readonly reconnect?: boolean;
  readonly more?: boolean;
  readonly data?: unknown;
}

/** A request whose answer is due. */
interface Due {
  readonly onPart?: ((data: unknown) => void) | undefined;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: FanlineError) => void;
}

/** A request whose answer says nothing that matters. */
const UNHEARD: Due = { resolve() {}, reject() {} };

class WebSocketLink implements Link {
  readonly #surroundings: Surroundings;
  readonly #listener: Listener;
  readonly #due = new Map<number, Due>();
  /** The channels that this link is in, or has asked to be. */
  readonly #joined = new Set<string>();
  #watchdog: Watchdog;
  #joinsDue = 0;
  /** Until it fires nothing is joined. */
  #joinPause: ReturnType<typeof setTimeout> | undefined;
  #socket: InstanceType<NonNullable<Surroundings["WebSocket"]>> | undefined;
  #closing: Frame | undefined;
  #nextId = 1;
  #isOpen = false;
  /** It was quiet for so long that a ping is under way. */
  #isDoubted = false;

  constructor(surroundings: Surroundings, token: string | undefined, listener: Listener) {
    this.#surroundings = surroundings;
    this.#listener = listener;
    const url = new URL("v1/ws", surroundings.base);
    url.protocol = url.protocol.replace("http", "ws");
    // A browser cannot set a header here; the hub never repeats this subprotocol.
    const protocols = token === undefined ? ["fanline.v1"] : ["fanline.v1", `fanline.bearer.${token}`];
    const socket = new surroundings.WebSocket!(url.href, protocols);
    this.#socket = socket;
    this.#watchdog = watchdog(OPEN_TIMEOUT_MS, () => this.#end(unreachable("no welcome")));
    socket.onmessage = ({ data }) => this.#receive(String(data));
    socket.onclose = ({ code, reason }) => this.#end(this.#lossOf(code, reason));
    // A close follows, and says what there is to say.
    socket.onerror = () => {};
  }

  sync(): void {
    if (!this.#isOpen) return;
    const wanted = this.#surroundings.wanted();
    for (const channel of this.#joined) {
      if (!wanted.has(channel)) this.#leave(channel);
    }
    for (const [channel, since] of wanted) {
      if (this.#joinPause || this.#joinsDue >= JOINS_MAX) return;
      if (!this.#joined.has(channel)) this.#join(channel, since);
    }
  }

  request(request: Request, signal: AbortSignal, onPart?: (data: unknown) => void): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const id = this.#ask(request, { onPart, resolve, reject });
      signal.addEventListener("abort", () => this.#due.delete(id));
    });
  }

  probe(): void {
    this.#ping(PONG_TIMEOUT_MS / 2);
  }

  close(): void {
    this.#stop(1000);
  }

  /** Sends a request. Its answer is dealt with as it comes: a promise would let what follows it overtake it. */
  #ask(frame: object, due: Due): number {
    const id = this.#nextId++;
    this.#due.set(id, due);
    this.#socket!.send(JSON.stringify({ id, ...frame }));
    return id;
  }

  #receive(text: string): void {
    this.#isDoubted = false;
    if (this.#isOpen) this.#watchdog.fed();
    let frame: Frame;
    try {
      frame = JSON.parse(text) as Frame;
    } catch {
      return this.#end(unreachable("this is no hub"));
    }
    const { op, id, channel, reason } = frame;
    if (id !== undefined) return this.#answered(id, frame);
    if (op === "event") this.#listener.event(frame.event);
    else if (op === "presence") this.#listener.presence(frame);
    else if (op === "gap") this.#listener.gap(frame);
    else if (op === "welcome") this.#welcomed(frame);
    else if (op === "expiring") this.#renew(frame.expires_in!);
    else if (op === "closing") this.#closing = frame;
    else if (op === "joined") {
      this.#place(channel, frame);
      this.sync();
    } else if (op === "left") {
      this.#joined.delete(channel);
      this.#listener.left(channel, reason);
    } else if (op === "error") this.#listener.trouble(errorOf(frame));
  }

  /** Gives a new token in place: the connection and its channels stay. */
  #renew(expiresInS: number): void {
    const { trouble } = this.#listener;
    const use = (token: string): void => {
      if (this.#isOpen) this.#ask({ op: "auth", token }, { ...UNHEARD, reject: trouble });
    };
    this.#surroundings.tokens.next(expiresInS).then(use, trouble);
  }

  #answered(id: number, frame: Frame): void {
    const due = this.#due.get(id);
    if (!due) return;
    if (frame.more && frame.op === "reply") return due.onPart?.(frame.data);
    this.#due.delete(id);
    if (frame.op === "error") due.reject(errorOf(frame));
    else due.resolve(frame as unknown as Answer);
  }

  #welcomed({ ping_interval, channels }: Frame): void {
    this.#isOpen = true;
    this.#watchdog.stop();
    // The hub's own pings are answered below JavaScript, which never sees them.
    this.#watchdog = watchdog(ping_interval! * 1000, () => this.#onQuiet());
    this.#listener.opened();
    for (const [channel, start] of Object.entries(channels ?? {})) this.#place(channel, start);
    this.sync();
  }

  /** The hub put this link into a channel. One that was being followed already is resumed where it was left. */
  #place(channel: string, start: Start): void {
    // Whoever was told that the link is open may have closed it.
    if (!this.#isOpen) return;
    const since = this.#surroundings.wanted().get(channel);
    // It put us at the live end; where we were is reached by leaving first.
    if (since !== undefined && since !== start.position) return this.#leave(channel);
    this.#joined.add(channel);
    this.#listener.joined(channel, start, true);
  }

  #join(channel: string, since: string | undefined): void {
    this.#joined.add(channel);
    this.#joinsDue += 1;
    const answered = (act: () => void): void => {
      this.#joinsDue -= 1;
      act();
      this.sync();
    };
    this.#ask(
      { op: "join", channel, since },
      {
        resolve: (answer) => answered(() => this.#listener.joined(channel, answer)),
        reject: (error) => answered(() => this.#notJoined(channel, error)),
      },
    );
  }

  #notJoined(channel: string, error: FanlineError): void {
    if (error.reason === "DISCONNECTED") return;
    // The hub put us in while we asked; where we want to start is reached by leaving first.
    if (error.reason === "ALREADY_JOINED") return this.#leave(channel);
    this.#joined.delete(channel);
    if (error.retryAfterMs === undefined) return this.#listener.refused(channel, error);
    this.#joinPause ??= setTimeout(() => {
      this.#joinPause = undefined;
      this.sync();
    }, error.retryAfterMs + JOIN_PAUSE_MS);
  }

  #leave(channel: string): void {
    this.#joined.delete(channel);
    // Not to be in it is what was wanted, whatever the answer.
    this.#ask({ op: "leave", channel }, UNHEARD);
  }

  /** Whatever comes is an answer: the hub is there. */
  #ping(timeoutMs: number): void {
    if (!this.#isOpen) return;
    this.#isDoubted = true;
    this.#watchdog.fed(timeoutMs);
    this.#ask({ op: "ping" }, UNHEARD);
  }

  #onQuiet(): void {
    if (this.#isDoubted) this.#end(unreachable("no answer in time"));
    else this.#ping(PONG_TIMEOUT_MS);
  }

  #lossOf(code: number, text: string): FanlineError {
    const { reason, retry_after_ms, reconnect } = this.#closing ?? {};
    const status = code >= 4000 ? code - 4000 : reconnect === false ? 403 : undefined;
    const isTooBig = code === TOO_BIG;
    const unnamed = isTooBig ? "TOO_LARGE" : status === undefined ? "UNREACHABLE" : "DISCONNECTED";
    return new FanlineError(reason ?? unnamed, text || `closed with code ${code}`, {
      status,
      retryAfterMs: retry_after_ms,
      planned: status === undefined && (reconnect === true || code === SERVICE_RESTART || isTooBig),
    });
  }

  #end(error: FanlineError): void {
    if (!this.#socket) return;
    // The hub does not say which frame was too large: none of those under way is sent again.
    this.#stop(undefined, error.reason === "TOO_LARGE" ? error : disconnected());
    this.#listener.lost(error);
  }

  #stop(code?: number, error = disconnected()): void {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = undefined;
    this.#isOpen = false;
    this.#watchdog.stop();
    clearTimeout(this.#joinPause);
    socket.onmessage = null;
    socket.onclose = null;
    socket.close(code);
    for (const due of this.#due.values()) due.reject(error);
    this.#due.clear();
  }
}

function errorOf({ reason, message, field, retry_after_ms, ...details }: Frame): FanlineError {
  return new FanlineError(reason, message ?? reason, { field, retryAfterMs: retry_after_ms, details });
}
