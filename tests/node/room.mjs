// A front-end in Node: joins a room, publishes, goes away and resumes.

import WebSocket from 'ws';
import { options } from './options.mjs';

const { url, token, channel } = options('url', 'token', 'channel');

const first = await connect();
const welcome = await first.next((frame) => frame.op === 'welcome');
await first.ask({ op: 'join', channel });
const events = [];
for (const data of [1, 2, 3]) {
  await first.ask({ op: 'publish', channel, type: 'note', data });
  events.push((await first.next((frame) => frame.op === 'event')).event);
}
// Without a Close, as a network would go.
first.socket.terminate();

const second = await connect();
const joined = await second.ask({ op: 'join', channel, since: events[0].position });
const missed = [];
while (missed.length < 2) missed.push((await second.next((frame) => frame.op === 'event')).event);
second.socket.close();

console.log(
  JSON.stringify({
    user: welcome.user,
    data: events.map((event) => event.data),
    resumed: missed.map((event) => event.data),
    recovered: joined.recovered,
  }),
);

// The way of browsers: they can set no header, so the token is a subprotocol.
async function connect() {
  const socket = new WebSocket(url, ['fanline.v1', `fanline.bearer.${token}`], {
    origin: 'https://app.example.com',
    handshakeTimeout: 20_000,
  });
  const unread = [];
  const waiting = [];
  let ids = 0;
  socket.on('message', (bytes) => {
    const frame = JSON.parse(bytes);
    const index = waiting.findIndex(({ wanted }) => wanted(frame));
    if (index < 0) unread.push(frame);
    else waiting.splice(index, 1)[0].resolve(frame);
  });
  const next = (wanted) => {
    const index = unread.findIndex(wanted);
    if (index >= 0) return Promise.resolve(unread.splice(index, 1)[0]);
    return new Promise((resolve) => waiting.push({ wanted, resolve }));
  };
  const ask = async (request) => {
    const id = (ids += 1);
    socket.send(JSON.stringify({ ...request, id }));
    const answer = await next((frame) => frame.id === id);
    if (answer.op !== 'ok') throw new Error(JSON.stringify(answer));
    return answer;
  };
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  if (socket.protocol !== 'fanline.v1') throw new Error(`the subprotocol is ${socket.protocol}`);
  return { socket, next, ask };
}
