// A client that changes its transport at random times, in Node and in a page alike.

const TRANSPORTS = ['websocket', 'sse', 'longpoll'];

/** Follows `channel` until `total` events have come. `joined` resolves once it may begin, `done` with what was seen. */
export function follow(connect, { url, token, channel, total, seed, longestStayMs, options }) {
  const random = chance(seed);
  const client = connect(url, { token, ...options });
  const seen = { data: [], gaps: [], errors: [], connected: { websocket: 0, sse: 0, longpoll: 0 } };
  const room = client.channel(channel);
  client.onState(({ phase, transport }) => phase === 'connected' && (seen.connected[transport] += 1));
  client.onError(({ reason, message }) => seen.errors.push(`${reason}: ${message}`));
  room.onGap((gap) => seen.gaps.push(gap));
  let timer;
  let at = 0;

  const done = new Promise((resolve) => {
    room.on('*', ({ data }) => {
      seen.data.push(data);
      if (seen.data.length < total) return;
      clearTimeout(timer);
      client.close();
      resolve(seen);
    });
  });
  // In turn, so that each change of transport is met many times; when it comes is chance, and so what is under way then.
  const move = () => {
    at = (at + 1) % TRANSPORTS.length;
    client.use(TRANSPORTS[at]);
    timer = setTimeout(move, random() * longestStayMs);
  };
  const joined = room.join().then(() => void (timer = setTimeout(move, random() * longestStayMs)));
  return { joined, done };
}

/** A small generator of the kind "mulberry32": the same moves for the same seed. */
function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
