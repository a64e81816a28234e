// The positions of several channels in one text, as SSE and long-polling take and give them.
//
// One channel: its position. Several: `<key>-<position>` each, sorted, with dots between; the key is the 64-bit FNV-1a
// hash of the channel's name in 16 hexadecimal digits. A client that comes from another transport has positions and no
// cursor, so it writes one.

import type { Position } from "./position.js";

/** The hub takes a single entry for a bare position, which would be that of every channel: this one stands beside it and
 * is nobody's. */
const NOBODY = "0000000000000000-0-0";

/** A cursor of these positions for a request of `channels`, among which may be new ones; without any, none. */
export function cursorOf(
  channels: readonly string[],
  positions: ReadonlyMap<string, Position | undefined>,
): string | undefined {
  const known = channels.filter((channel) => positions.get(channel) !== undefined);
  if (known.length === 0) return undefined;
  if (channels.length === 1) return positions.get(channels[0]!);
  const entries = known.map((channel) => `${keyOf(channel)}-${positions.get(channel)}`);
  if (entries.length === 1) entries.push(NOBODY);
  return entries.sort().join(".");
}

/** What a cursor of `channels` says of one of them. */
export function positionIn(cursor: string, channel: string, channels: readonly string[]): Position | undefined {
  if (channels.length === 1) return cursor;
  const key = `${keyOf(channel)}-`;
  return cursor
    .split(".")
    .find((entry) => entry.startsWith(key))
    ?.slice(key.length);
}

function keyOf(channel: string): string {
  let hash = 0xcbf29ce484222325n;
  // Names of channels are ASCII.
  for (const letter of channel) hash = BigInt.asUintN(64, (hash ^ BigInt(letter.charCodeAt(0))) * 0x100000001b3n);
  return hash.toString(16).padStart(16, "0");
}
