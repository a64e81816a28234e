// The application's token: asked for when one is needed, kept while it lasts, one question at a time.

import { FanlineError } from "./errors.js";

/** A token, or where to get one. `null` says that there is none to be had: the user signed out. */
export type TokenSource = string | (() => string | null | Promise<string | null>);

/** How long the callback may take, in milliseconds. One that never answers would hold up every reconnect. */
const ANSWER_MS = 30_000;
/** Between a token and the next, in milliseconds, however soon the first runs out. */
const RENEWAL_MIN_MS = 3_000;

export class Tokens {
  readonly #source: TokenSource | undefined;
  #token: string | undefined;
  #asking: Promise<string> | undefined;
  #askedAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(source: TokenSource | undefined) {
    this.#source = source;
    if (typeof source === "string") this.#token = source;
  }

  get renewable(): boolean {
    return typeof this.#source === "function";
  }

  /** The token to use now; `undefined` when the application has none and leaves it to cookies. */
  async current(): Promise<string | undefined> {
    return this.#source === undefined ? undefined : (this.#token ?? this.renewed());
  }

  /** A new token. Whoever asks meanwhile gets the same. */
  async renewed(): Promise<string> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /**
   * The token after this one, which has so many seconds left: at once, but not before half of its life is over, as one that
   * is short-lived from the start would be replaced again and again. Never without a callback.
   */
  next(expiresInS: number): Promise<string> {
    const leftMs = expiresInS * 1000 - (Date.now() - this.#askedAt);
    const waitMs = leftMs > 0 ? Math.max(leftMs / 2, RENEWAL_MIN_MS) : 0;
    return new Promise((resolve, reject) => {
      clearTimeout(this.#timer);
      if (this.renewable) this.#timer = setTimeout(() => this.renewed().then(resolve, reject), waitMs);
    });
  }

  /** There is no link any more whose token could run out. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  async #ask(): Promise<string> {
    let token: string | null = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject("no answer in time"), ANSWER_MS);
    });
    try {
      if (typeof this.#source === "function") token = await Promise.race([this.#source(), silence]);
    } catch (thrown) {
      throw new FanlineError("TOKEN_UNAVAILABLE", `the callback failed: ${thrown}`);
    } finally {
      clearTimeout(timer);
    }
    if (!token) throw new FanlineError("SIGNED_OUT", "there is no token");
    this.#askedAt = Date.now();
    return (this.#token = token);
  }
}
