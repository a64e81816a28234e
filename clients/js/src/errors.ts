// What can go wrong, with the hub's own words for it where the hub said something.

/**
 * Reasons that the client itself gives, beside those of the hub (`PERMISSION_DENIED`, `SCHEMA_VIOLATION`, ...):
 *
 * - `UNREACHABLE`: nobody answered, or somebody who is not the hub.
 * - `DISCONNECTED`: the connection went before the answer came. Whether the request was carried out is not known.
 * - `TIMEOUT`: no answer in time. Whether the request was carried out is not known.
 * - `SIGNED_OUT`: the application has no token.
 * - `TOKEN_UNAVAILABLE`: the application's token callback failed.
 * - `CLOSED`: the client was closed.
 * - `QUEUE_FULL`: too many requests are under way or wait for a connection.
 */
export type ClientReason =
  | "UNREACHABLE"
  | "DISCONNECTED"
  | "TIMEOUT"
  | "SIGNED_OUT"
  | "TOKEN_UNAVAILABLE"
  | "CLOSED"
  | "QUEUE_FULL";

/** Why a link to the hub ended or a request failed, as far as it decides what is done about it. */
export interface Loss {
  /** A reason of the hub, or a {@link ClientReason}. */
  readonly reason: string;
  /** The HTTP status, or what follows 4000 in a close code. */
  readonly status?: number | undefined;
  /** How long the hub asks to wait, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** The hub ended it on purpose and expects the client back: a drain, or the age limit of a stream. */
  readonly planned?: boolean | undefined;
}

/** What else is known of an error. */
interface Particulars extends Omit<Loss, "reason"> {
  /** The field of the request that is at fault. */
  readonly field?: string | undefined;
  /** All that the hub said, as it came: a schema violation names its places here. */
  readonly details?: unknown;
}

/** What the promises of this package reject with. */
export class FanlineError extends Error implements Loss, Particulars {
  declare readonly status?: number | undefined;
  declare readonly retryAfterMs?: number | undefined;
  declare readonly planned?: boolean | undefined;
  declare readonly field?: string | undefined;
  declare readonly details?: unknown;

  constructor(
    readonly reason: string,
    message: string,
    particulars?: Particulars,
  ) {
    super(message);
    Object.assign(this, { name: "FanlineError" }, particulars);
  }
}

export function unreachable(message: string, status?: number): FanlineError {
  return new FanlineError("UNREACHABLE", message, { status });
}

export function disconnected(): FanlineError {
  return new FanlineError("DISCONNECTED", "the connection was lost");
}

/** Whatever was thrown, as something with a reason. */
export function asError(thrown: unknown): FanlineError {
  return thrown instanceof FanlineError ? thrown : unreachable(String(thrown));
}
