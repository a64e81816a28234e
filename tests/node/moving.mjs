// Publishes on both nodes in turn while a client moves between transports and nodes, in Node or in Chromium, and prints
// what it has seen.

import { readFile } from 'node:fs/promises';
import { chromium } from 'playwright-core';
import { WebSocket } from 'ws';
import { connect } from '../../clients/js/dist/index.js';
import { balance } from './balancer.mjs';
import { browserOptions } from './browser.mjs';
import { follow } from './mover.mjs';
import { options } from './options.mjs';
import { servePages } from './pages.mjs';

const { where, nodes, port, token, channel, total, seed } = options(
  'where',
  'nodes',
  'port',
  'token',
  'channel',
  'total',
  'seed',
);

const balancer = await balance(nodes.split(','));
const task = {
  url: balancer.url,
  token,
  channel,
  total: Number(total),
  seed: Number(seed),
  longestStayMs: 50,
};
const publishers = nodes.split(',').map((node) => connect(`http://${node}`, { token, WebSocket }));

const { joined, done, stop } = where === 'chromium' ? await inChromium() : inNode();
await joined;
for (let number = 0; number < task.total; number += 1) {
  await publishers[number % publishers.length].channel(channel).publish('note', number);
}
const seen = await done;
for (const publisher of publishers) publisher.close();
await stop();
balancer.close();
console.log(JSON.stringify({ ...seen, taken: balancer.taken }));

function inNode() {
  return { ...follow(connect, { ...task, options: { WebSocket } }), stop: async () => {} };
}

async function inChromium() {
  const files = new Map([
    ['/', ['text/html', '<!doctype html><title>mover</title>']],
    ['/mover.js', ['text/javascript', await readFile('mover.mjs', 'utf8')]],
    ['/fanline.js', ['text/javascript', await readFile('../../clients/js/dist/index.js', 'utf8')]],
  ]);
  const server = await servePages(port, (path) => files.get(path));
  const browser = await chromium.launch(browserOptions);
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${port}/`);
  const handle = await page.evaluateHandle(async (given) => {
    const [{ connect }, { follow }] = await Promise.all([import('/fanline.js'), import('/mover.js')]);
    return follow(connect, given);
  }, task);
  return {
    joined: handle.evaluate(({ joined }) => joined),
    done: handle.evaluate(({ done }) => done),
    async stop() {
      await browser.close();
      server.close();
    },
  };
}
