// Pages that are clients, one over each transport, and that lose their network and get it back; prints what each has seen.

import { readFile } from 'node:fs/promises';
import { chromium } from 'playwright-core';
import { connect } from '../../clients/js/dist/index.js';
import { balance } from './balancer.mjs';
import { browserOptions } from './browser.mjs';
import { options } from './options.mjs';
import { servePages } from './pages.mjs';

const { hub, port, token, transports } = options('hub', 'port', 'token', 'transports');

const files = new Map([
  ['/', ['text/html', '<!doctype html><link rel="icon" href="data:,"><title>page</title>']],
  ['/fanline.js', ['text/javascript', await readFile('../../clients/js/dist/index.js', 'utf8')]],
]);
const server = await servePages(port, (path) => files.get(path));
const line = await balance([hub]);
const publisher = connect(`http://${hub}`, { token, transports: ['longpoll'] });
const browser = await chromium.launch(browserOptions);
const seen = {};
for (const transport of transports.split(',')) seen[transport] = await live(transport);
await browser.close();
publisher.close();
line.close();
server.close();
console.log(JSON.stringify(seen));

async function live(transport) {
  const channel = publisher.channel(`news:${transport}`);
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.evaluate(follow, { hub: line.url, token, channel: channel.name, transport });
  await channel.publish('note', 'before');
  await has(page, 'before');
  // The browser is told, and lets nothing new begin; what is under way is cut.
  await context.setOffline(true);
  line.takeDown();
  await page.waitForFunction(() => window.seen.phases.at(-1) !== 'connected');
  await channel.publish('note', 'meanwhile');
  line.restore();
  await context.setOffline(false);
  const back = performance.now();
  await has(page, 'meanwhile');
  const tookMs = Math.round(performance.now() - back);
  await channel.publish('note', 'after');
  await has(page, 'after');
  const seen = await page.evaluate(() => window.seen);
  await context.close();
  return { ...seen, tookMs };
}

/** Runs in the page. */
async function follow({ hub, token, channel, transport }) {
  const { connect } = await import('/fanline.js');
  const client = connect(hub, { token, transports: [transport] });
  window.seen = { data: [], gaps: 0, phases: [] };
  client.onState(({ phase }) => window.seen.phases.push(phase));
  const room = client.channel(channel);
  room.on('*', ({ data }) => window.seen.data.push(data));
  room.onGap(() => (window.seen.gaps += 1));
  await room.join();
}

function has(page, data) {
  return page.waitForFunction((data) => window.seen.data.includes(data), data, { timeout: 60_000 });
}
