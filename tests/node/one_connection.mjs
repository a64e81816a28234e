// A page that opens many event streams and two rooms, publishes one event, and sees it come on each of them. Over TLS,
// because browsers speak HTTP/2 over nothing else.

import { createHash, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { chromium } from 'playwright-core';
import { browserOptions } from './browser.mjs';
import { options } from './options.mjs';

const { hub, certificate, token, channel, streams } = options('hub', 'certificate', 'token', 'channel', 'streams');

// The browser trusts this one key. Told to ignore faults instead, it would connect twice: to find the fault, and to ignore it.
const { publicKey } = new X509Certificate(await readFile(certificate));
const key = createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('base64');
const trust = `--ignore-certificate-errors-spki-list=${key}`;
const browser = await chromium.launch({ ...browserOptions, args: [...browserOptions.args, trust] });
try {
  const page = await browser.newPage();
  page.on('console', (message) => console.error(message.text()));
  // Any page of the hub's own origin will do.
  await page.goto(`${hub}/openapi.json`);
  const seen = await page.evaluate(follow, { token, channel, streams: Number(streams) });
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}

/** Runs in the page. */
async function follow({ token, channel, streams }) {
  const sources = await Promise.all(Array.from({ length: streams }, openStream));
  const rooms = [await openRoom(), await openRoom()];
  rooms[0].send({ op: 'publish', id: 9, channel, type: 'note', data: 'to all' });
  const delivered = await Promise.all(sources.map((source) => source.event));
  await Promise.all(rooms.map((room) => room.next((frame) => frame.op === 'event' && frame.event.data === 'to all')));
  return {
    streams: delivered.filter((event) => event.data === 'to all').length,
    rooms: rooms.map((room) => room.protocol),
    protocols: [...new Set(performance.getEntries().map((entry) => entry.nextHopProtocol).filter(Boolean))],
  };

  function openStream() {
    const query = new URLSearchParams({ channel, access_token: token });
    const source = new EventSource(`/v1/sse?${query}`);
    const event = new Promise((resolve) => {
      source.onmessage = ({ data }) => resolve(JSON.parse(data));
    });
    return new Promise((resolve) => source.addEventListener('fanline.open', () => resolve({ event })));
  }

  async function openRoom() {
    const socket = new WebSocket('/v1/ws', ['fanline.v1', `fanline.bearer.${token}`]);
    const frames = [];
    let look = () => {};
    socket.onmessage = ({ data }) => {
      frames.push(JSON.parse(data));
      look();
    };
    const next = (wanted) =>
      new Promise((resolve) => {
        look = () => frames.some(wanted) && resolve();
        look();
      });
    const send = (frame) => socket.send(JSON.stringify(frame));
    await next((frame) => frame.op === 'welcome');
    send({ op: 'join', id: 1, channel });
    await next((frame) => frame.id === 1);
    return { protocol: socket.protocol, send, next };
  }
}
