// Notices that the other side has gone quiet: a network that vanishes closes nothing.

export interface Watchdog {
  /** Something came: it may be quiet for so long from now, in milliseconds. */
  fed(quietMs?: number): void;
  /** Looks now: a machine that slept has timers that did too. */
  look(): void;
  stop(): void;
}

/** Calls `onQuiet` when `fed` was not called for its time. */
export function watchdog(usualMs: number, onQuiet: () => void): Watchdog {
  let until: number;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let firesAt = Infinity;

  const fed = (quietMs = usualMs): void => {
    until = Date.now() + quietMs;
    // A timer that fires too early looks and goes on; so there is none to be set for each message.
    if (until < firesAt) arm();
  };
  const look = (): void => {
    if (Date.now() < until) return;
    fed();
    onQuiet();
  };
  const arm = (): void => {
    clearTimeout(timer);
    firesAt = until;
    timer = setTimeout(() => {
      firesAt = Infinity;
      look();
      if (until < firesAt) arm();
    }, until - Date.now());
  };
  const stop = (): void => {
    clearTimeout(timer);
    until = Infinity;
  };

  fed();
  return { fed, look, stop };
}
