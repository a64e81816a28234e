// Requests over HTTP: the bearer token on each, and the hub's problem documents (RFC 9457) as errors.

import { FanlineError, asError } from "./errors.js";
import type { Surroundings } from "./link.js";

export interface Problem {
  readonly status?: number;
  readonly reason?: string;
  readonly detail?: string;
  readonly field?: string;
  /** The one at fault, of several. */
  readonly channel?: string;
}

/** Sends a request with this token. Rejects with what the hub said, or `UNREACHABLE`. */
export async function send(
  { base, fetch }: Surroundings,
  token: string | undefined,
  path: string,
  init: RequestInit & { readonly headers?: Readonly<Record<string, string>> },
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(new URL(path, base), {
      ...init,
      headers: { ...init.headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
      // Two credentials are one too many: the hub refuses a request with both.
      credentials: token === undefined ? "include" : "omit",
    });
  } catch (thrown) {
    throw asError(thrown);
  }
  if (response.ok) return response;
  throw await refusal(response);
}

/** Hands on the text of an answer as it comes; a character that two pieces share comes whole. */
export async function read(response: Response, take: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  const reader = response.body!.getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    take(decoder.decode(piece.value, { stream: true }));
  }
}

async function refusal(response: Response): Promise<FanlineError> {
  const { status, headers } = response;
  let problem: Problem = {};
  try {
    problem = Object(await response.json()) as Problem;
  } catch {
    // Not from the hub, then: the status has to do.
  }
  // Seconds: that is what the hub writes. A proxy's date is none, and nothing to wait for.
  return errorOf(problem, status, Number(headers.get("retry-after")) * 1000 || undefined);
}

/** What a problem document says. */
export function errorOf(problem: Problem, status: number | undefined, retryAfterMs?: number): FanlineError {
  return new FanlineError(problem.reason ?? "UNREACHABLE", problem.detail ?? `the answer is ${status}`, {
    field: problem.field,
    status,
    retryAfterMs,
    details: problem,
  });
}
