// Requests from the application's point of view: each is answered, fails, or runs out of time, whatever the connection
// does meanwhile.
//
// A request waits for a connection. One whose connection goes before the answer is sent again over the next, in the order
// in which they were made, if that can do no harm: reading does none, and a publish has an idempotency key. A call may
// have been carried out, so it fails instead.

import { FanlineError, asError } from "./errors.js";
import type { Link } from "./link.js";
import { tell } from "./listeners.js";
import { mayRepeat } from "./verdict.js";
import type { Answer, Request } from "./wire.js";

/** How long a request may take when the application says nothing, in milliseconds. */
const TIMEOUT_MS = 15_000;
/** No timer counts further, in milliseconds: a longer one fires at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;
/** More requests than this do not wait for a connection. */
const WAITING_MAX = 256;

export interface RequestOptions {
  /** In milliseconds; 15,000 by default. */
  readonly timeoutMs?: number | undefined;
  /** Called for each part of a streamed reply but the last. */
  readonly onPart?: ((data: unknown) => void) | undefined;
}

interface Entry {
  readonly request: Request;
  readonly onPart: ((data: unknown) => void) | undefined;
  readonly timeout: AbortController;
  isSent: boolean;
  settle(outcome: Answer | FanlineError): void;
}

export class Requests {
  /** All that are not settled, in the order in which they were made. */
  readonly #entries = new Set<Entry>();
  #link: Link | undefined;
  #closed: FanlineError | undefined;

  submit(request: Request, { timeoutMs = TIMEOUT_MS, onPart }: RequestOptions = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      if (this.#entries.size >= WAITING_MAX) {
        return reject(new FanlineError("QUEUE_FULL", `${WAITING_MAX} requests wait`));
      }
      const timeout = new AbortController();
      const timer = setTimeout(() => {
        entry.settle(new FanlineError("TIMEOUT", entry.isSent ? "no answer in time" : "no connection in time"));
        timeout.abort();
      }, Math.min(timeoutMs, TIMER_MAX_MS));
      const entry: Entry = {
        request,
        onPart: onPart && ((data) => tell(onPart, data)),
        timeout,
        isSent: false,
        settle: (outcome) => {
          clearTimeout(timer);
          this.#entries.delete(entry);
          if (outcome instanceof FanlineError) reject(outcome);
          else resolve(outcome);
        },
      };
      this.#entries.add(entry);
      this.#send(entry);
    });
  }

  /** From now on requests go out by this link. */
  attach(link: Link): void {
    this.#link = link;
    for (const entry of this.#entries) this.#send(entry);
  }

  /** The link is gone. */
  detach(): void {
    this.#link = undefined;
  }

  close(error: FanlineError): void {
    this.#closed = error;
    this.#link = undefined;
    for (const entry of this.#entries) entry.settle(error);
  }

  #send(entry: Entry): void {
    const link = this.#link;
    if (!link || entry.isSent) return;
    entry.isSent = true;
    link.request(entry.request, entry.timeout.signal, entry.onPart).then(entry.settle, (thrown) => {
      const error = asError(thrown);
      if (!mayRepeat(entry.request, error) || !this.#entries.has(entry)) return entry.settle(error);
      entry.isSent = false;
      // Another link may be there already; if not, the one that comes takes it along.
      if (this.#link !== link) this.#send(entry);
    });
  }
}
