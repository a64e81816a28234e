// The application's token: asked for when one is needed, kept while it lasts, one question at a time.

import { FanlineError } from "./errors.js";

/** A token, or where to get one. `null` says that there is none to be had: the user signed out. */
export type TokenSource = string | (() => string | null | Promise<string | null>);

export class Tokens {
  readonly #source: TokenSource | undefined;
  #token: string | undefined;
  #asking: Promise<string> | undefined;

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

  async #ask(): Promise<string> {
    let token: string | null = null;
    try {
      if (typeof this.#source === "function") token = await this.#source();
    } catch (thrown) {
      throw new FanlineError("TOKEN_UNAVAILABLE", `the token callback failed: ${thrown}`);
    }
    if (!token) throw new FanlineError("SIGNED_OUT", "there is no token");
    return (this.#token = token);
  }
}
