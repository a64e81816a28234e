// Long-polling: `GET /v1/poll`. Works wherever HTTP does.

import { positionIn } from "./cursor.js";
import { FanlineError, asError } from "./errors.js";
import { HttpLink, type Follow, type Stream } from "./http_link.js";
import type { Transport } from "./link.js";
import type { FanlineEvent, Start } from "./wire.js";

/** How long the hub may keep a poll that has nothing to say, in seconds. */
const WAIT_S = 25;
/** What an answer may take beyond that, in milliseconds. */
const GRACE_MS = 10_000;
/** After so long, in milliseconds, the link ends itself: polls never break, and without a break no other transport would
 * be tried again. */
const AGE_MAX_MS = 30 * 60_000;

export const longPoll: Transport = (surroundings, token, listener) =>
  new HttpLink(surroundings, token, listener, follow);

interface Batch {
  readonly events: readonly FanlineEvent[];
  readonly cursor: string;
  readonly more?: boolean;
  readonly channels?: Readonly<Record<string, Start>>;
}

/** What a poll from a lost position is answered with. */
interface Reset {
  readonly reason: string;
  /** From here what history still holds follows. */
  readonly oldest?: string;
  /** From here on live. */
  readonly cursor: string;
}

const follow: Follow = async (stream) => {
  const { channels, listener } = stream;
  const begunAt = Date.now();
  let cursor: string | undefined;
  // The first answer comes at once, with a cursor to wait from.
  let wait = 0;
  while (Date.now() - begunAt < AGE_MAX_MS) {
    const query = stream.query();
    const since = cursor ?? query.get("since") ?? "";
    if (cursor !== undefined) {
      query.delete("since");
      query.set("cursor", cursor);
    }
    query.set("wait", String(wait));
    let batch: Batch;
    try {
      batch = await poll(stream, query);
    } catch (thrown) {
      const error = asError(thrown);
      if (error.status !== 410) throw error;
      const { oldest, cursor: live, reason } = error.details as Reset;
      stream.opened();
      cursor = oldest ?? live;
      for (const channel of channels) {
        const position = positionIn(cursor, channel, channels)!;
        const isLost = position !== positionIn(since, channel, channels);
        listener.joined(channel, isLost ? { position, recovered: false, reason } : { position });
      }
      continue;
    }
    if (cursor === undefined) {
      stream.opened();
      for (const channel of channels) listener.joined(channel, batch.channels?.[channel] ?? {});
    }
    for (const event of batch.events) listener.event(event);
    cursor = batch.cursor;
    // It may be past events that are not for this client, and says where quiet channels stand.
    for (const channel of channels) listener.moved(channel, positionIn(cursor, channel, channels)!);
    wait = batch.more ? 0 : WAIT_S;
  }
  throw new FanlineError("DISCONNECTED", "another transport may work by now", { planned: true, retryAfterMs: 0 });
};

async function poll({ get, signal }: Stream, query: URLSearchParams): Promise<Batch> {
  const cut = new AbortController();
  const timer = setTimeout(() => cut.abort(), Number(query.get("wait")) * 1000 + GRACE_MS);
  try {
    const response = await get("v1/poll", query, "application/json", AbortSignal.any([signal, cut.signal]));
    return (await response.json()) as Batch;
  } finally {
    clearTimeout(timer);
  }
}
