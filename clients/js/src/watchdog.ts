// Notices that the other side has gone quiet: a network that vanishes closes nothing.

/** Calls `onQuiet` when `fed` was not called for its time. */
export class Watchdog {
  readonly #onQuiet: () => void;
  readonly #quietMs: number;
  #until = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer fires. */
  #firesAt = Infinity;

  constructor(quietMs: number, onQuiet: () => void) {
    this.#quietMs = quietMs;
    this.#onQuiet = onQuiet;
    this.fed();
  }

  /** Something came: it may be quiet for so long from now, in milliseconds. */
  fed(quietMs = this.#quietMs): void {
    this.#until = Date.now() + quietMs;
    // A timer that fires too early looks and goes on; so there is none to be set for each message.
    if (this.#until < this.#firesAt) this.#arm();
  }

  /** Looks now: a machine that slept has timers that did too. */
  look(): void {
    if (Date.now() < this.#until) return;
    this.fed();
    this.#onQuiet();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#until = Infinity;
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#firesAt = this.#until;
    this.#timer = setTimeout(() => {
      this.#firesAt = Infinity;
      this.look();
      if (this.#until < this.#firesAt) this.#arm();
    }, this.#until - Date.now());
  }
}
