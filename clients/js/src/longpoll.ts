// Long-polling: `GET /v1/poll`. Works wherever HTTP does.

import { positionIn } from "./cursor.js";
import { FanlineError, asError } from "./errors.js";
import { HttpLink, type Follow, type Stream } from "./http_link.js";
import type { Transport } from "./link.js";
import type { FanlineEvent, Start } from "./wire.js";

/** How long the hub may keep a poll that has nothing to say, in seconds. */
const WAIT_S = "25";
/** How long an answer may take, in milliseconds. */
const ANSWER_MS = 35_000;
/** After so long, in milliseconds, the link ends itself: polls never break, and without a break no other transport would
 * be tried again. */
const AGE_MAX_MS = 30 * 60_000;

export const longPoll: Transport = (surroundings, token, listener) =>
  new HttpLink(surroundings, token, listener, follow);

interface Batch {
  readonly events: readonly FanlineEvent[];
  /** What to ask with next. */
  readonly cursor: string;
  readonly more: boolean;
  /** Where each channel starts. */
  readonly channels: Readonly<Record<string, Start>>;
}

/** What a poll from a lost position is answered with. */
interface Reset {
  /** From here what history still holds follows. */
  readonly oldest: string;
  readonly channels: Readonly<Record<string, Start>>;
}

const follow: Follow = async (stream) => {
  const { channels, listener } = stream;
  const begunAt = Date.now();
  const start = (starts: Readonly<Record<string, Start>>): void => {
    stream.opened();
    for (const channel of channels) listener.joined(channel, starts[channel]!);
  };
  let cursor: string | undefined;
  let more = false;
  while (Date.now() - begunAt < AGE_MAX_MS) {
    const query = stream.query();
    if (cursor !== undefined) {
      query.delete("since");
      query.set("cursor", cursor);
    }
    // Without a cursor the answer comes at once, with one to wait from.
    query.set("wait", more ? "0" : WAIT_S);
    try {
      const batch: Batch = await poll(stream, query);
      if (cursor === undefined) start(batch.channels);
      for (const event of batch.events) {
        // A handler may have ended the stream: another goes on after this event.
        if (!stream.signal.aborted) listener.event(event);
      }
      stream.signal.throwIfAborted();
      ({ cursor, more } = batch);
      // It may be past events that are not for this client, and says where quiet channels stand.
      for (const channel of channels) listener.moved(channel, positionIn(cursor, channel, channels)!);
    } catch (thrown) {
      const error = asError(thrown);
      if (error.status !== 410) throw error;
      const reset = error.details as Reset;
      start(reset.channels);
      cursor = reset.oldest;
      more = true;
    }
  }
  throw new FanlineError("DISCONNECTED", "time for another transport", { planned: true, retryAfterMs: 0 });
};

async function poll({ get, signal }: Stream, query: URLSearchParams): Promise<Batch> {
  const cut = new AbortController();
  const timer = setTimeout(() => cut.abort(), ANSWER_MS);
  try {
    const response = await get("v1/poll", query, "application/json", AbortSignal.any([signal, cut.signal]));
    return (await response.json()) as Batch;
  } finally {
    clearTimeout(timer);
  }
}
