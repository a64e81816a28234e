// What a loss asks for: the retry policy of the protocol, of links and of requests, and nothing else.

import type { Loss } from "./errors.js";
import type { Request } from "./wire.js";

/**
 * - `stop`: coming back the same way cannot help.
 * - `renew`: the token is at fault; come back with a new one.
 * - `elsewhere`: this transport does not get through here; another may.
 * - `later`: the way is right, the moment is not.
 */
export type Verdict = "stop" | "renew" | "elsewhere" | "later";

export function verdict({ reason, status, planned }: Loss): Verdict {
  if (planned || reason === "TOKEN_UNAVAILABLE") return "later";
  if (reason === "SIGNED_OUT") return "stop";
  if (status === undefined) return "elsewhere";
  if (status === 401) return "renew";
  if ([408, 425, 429].includes(status)) return "later";
  if (status >= 500) return status === 501 ? "elsewhere" : "later";
  // A refusal in the hub's words stands whatever the transport. Without them it is from something on the way, which
  // may mind one transport only.
  return reason === "UNREACHABLE" ? "elsewhere" : "stop";
}

/** Whether a request that failed may be sent again. A draining hub carries out nothing new; behind the same address is
 * another. Nothing heard is harmless for all but a call: a publish has an idempotency key. */
export function mayRepeat({ op }: Request, { reason, status }: Loss): boolean {
  const isUnheard = reason === "DISCONNECTED" || (reason === "UNREACHABLE" && status === undefined);
  return reason === "DRAINING" || (isUnheard && op !== "call");
}
