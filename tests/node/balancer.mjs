// A TCP balancer in front of several nodes, as a rolling restart has one: each connection goes to the next node that
// takes it.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export async function balance(nodes) {
  const open = nodes.map(() => new Set());
  /** How many connections each node has taken. */
  const taken = nodes.map(() => 0);
  let turn = 0;
  let isDown = false;
  const server = createServer((near) => {
    near.on('error', () => {});
    if (isDown) return near.destroy();
    near.pause();
    pass(near, turn, nodes.length);
    turn = (turn + 1) % nodes.length;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  function pass(near, index, tries) {
    if (tries === 0) return near.destroy();
    const [host, port] = nodes[index].split(':');
    const far = connect(Number(port), host);
    const next = () => pass(near, (index + 1) % nodes.length, tries - 1);
    far.once('error', next);
    far.once('connect', () => {
      far.off('error', next);
      far.on('error', () => near.destroy());
      far.on('close', () => open[index].delete(far) && near.destroy());
      near.on('close', () => far.destroy());
      open[index].add(far);
      taken[index] += 1;
      near.pipe(far).pipe(near);
    });
  }

  function cut() {
    for (const far of open.flatMap((sockets) => [...sockets])) far.destroy();
  }

  return {
    url: `http://127.0.0.1:${server.address().port}`,
    taken,
    /** How many connections each node has now. */
    open: () => open.map((sockets) => sockets.size),
    /** Ends all connections, and new ones at once, until `restore`. */
    takeDown() {
      isDown = true;
      cut();
    },
    restore() {
      isDown = false;
    },
    close() {
      server.close();
      cut();
    },
  };
}
