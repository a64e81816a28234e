// How long to wait before the next attempt: full jitter, so that clients cut off together come back apart.

/** The first pause is chance below this, in milliseconds. */
const BASE_MS = 500;
/** No pause is longer than this, in milliseconds. */
const MAX_MS = 20_000;

/** The pause after so many failures in a row, in milliseconds; `chance` is in [0, 1). */
export function pauseMs(failures: number, chance: number): number {
  // 2^6 * 500 is over the maximum already; the bound keeps the power finite.
  return Math.round(chance * Math.min(MAX_MS, BASE_MS * 2 ** Math.min(failures, 6)));
}
