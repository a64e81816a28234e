// Which fallback worked last, kept by the browser, so that the next page view does not try in vain first.

import { BELIEF_MS, type Belief } from "./machine.js";

/** The part of `localStorage` that is used. */
export interface Storage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

export class Memory {
  readonly #storage: Storage | undefined;
  readonly #key: string;

  constructor(storage: Storage | undefined, base: URL) {
    this.#storage = storage;
    this.#key = `fanline.transport ${base.href}`;
  }

  recall(now: number): Belief | undefined {
    try {
      const belief = JSON.parse(this.#storage?.getItem(this.#key) ?? "null") as Belief | null;
      return belief && belief.until > now && belief.until <= now + BELIEF_MS ? belief : undefined;
    } catch {
      // A page may be forbidden to store, and anybody may have written there, or a page whose clock was wrong.
      return undefined;
    }
  }

  keep(belief: Belief): void {
    try {
      this.#storage?.setItem(this.#key, JSON.stringify(belief));
    } catch {
      // Not to remember costs a failing attempt, no more.
    }
  }
}

/** The browser's own, where there is one and the page may use it. */
export function browserStorage(): Storage | undefined {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}
