// Positions, `<epoch>-<offset>`: the only thing of them that a client needs is whether one lies behind another.

/** Where in a channel: what `since` takes, what every event carries. Opaque to applications. */
export type Position = string;

/**
 * Whether who stands at `last` has seen the event at `position` already.
 *
 * Offsets only grow inside an epoch, and a new epoch is the only reset: positions of two epochs say nothing of each
 * other, so what comes is taken. Offsets are 64 bits wide and are compared as text for that.
 */
export function isSeen(position: Position, last: Position | undefined): boolean {
  if (last === undefined) return false;
  const [epoch, offset] = partsOf(position);
  const [lastEpoch, lastOffset] = partsOf(last);
  if (epoch !== lastEpoch) return false;
  return offset.length === lastOffset.length ? offset <= lastOffset : offset.length < lastOffset.length;
}

function partsOf(position: Position): [epoch: string, offset: string] {
  const cut = position.lastIndexOf("-");
  return [position.slice(0, cut), position.slice(cut + 1)];
}
