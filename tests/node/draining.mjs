// Many clients on two nodes behind a balancer while one of the nodes drains: prints how they came over.
//
// Prints `ready` when all have joined; the test then ends the first node, and this goes on publishing until nobody is on
// it any more.

import { WebSocket } from 'ws';
import { connect } from '../../clients/js/dist/index.js';
import { balance } from './balancer.mjs';
import { options } from './options.mjs';

const { nodes, tokens: listed, channel, window: windowMs } = options('nodes', 'tokens', 'channel', 'window');
// A client for each; the last publishes.
const tokens = listed.split(',');
const [own] = tokens.splice(-1);
const TRANSPORTS = ['websocket', 'sse', 'longpoll'];

const [leaving, staying] = nodes.split(',');
const balancer = await balance([leaving, staying]);
const clients = tokens.map((token, n) => {
  const transport = TRANSPORTS[n % TRANSPORTS.length];
  const client = connect(balancer.url, { token, transports: [transport], WebSocket });
  const each = { client, transport, data: [], gaps: 0, left: [] };
  client.onState(({ phase }) => phase === 'waiting' && each.left.push(Date.now()));
  const room = client.channel(channel);
  room.on('*', ({ data }) => each.data.push(data));
  room.onGap(() => (each.gaps += 1));
  each.joined = room.join();
  return each;
});
await Promise.all(clients.map(({ joined }) => joined));
const before = balancer.open();
const publisher = connect(`http://${staying}`, { token: own, WebSocket });
console.log('ready');

// The first client that leaves begins the drain; polls leave without a word.
let published = 0;
const publish = () => publisher.channel(channel).publish('note', published).then(() => (published += 1));
const deadline = Date.now() + 60_000;
let begun;
let ended;
while (ended === undefined && Date.now() < deadline) {
  await publish();
  begun ??= Math.min(...clients.flatMap(({ left }) => left)) === Infinity ? undefined : Date.now();
  if (begun !== undefined && balancer.open()[0] === 0) ended = Date.now();
}
// What the last one to come over must not have missed.
for (let more = 0; more < 20; more += 1) await publish();
const isWhole = ({ data }) => data.length === published && data.every((number, index) => number === index);
while (!clients.every(isWhole) && Date.now() < deadline) await publisher.channel(channel).presence().catch(() => {});

const reconnects = clients.flatMap(({ left }) => left).map((time) => time - begun);
const buckets = Array(10).fill(0);
for (const ms of reconnects) buckets[Math.min(Math.max(Math.floor((ms / Number(windowMs)) * 10), 0), 9)] += 1;
const incomplete = clients.filter((each) => !isWhole(each));
console.log(
  JSON.stringify({
    clients: clients.length,
    published,
    before,
    after: balancer.open(),
    tookMs: ended === undefined ? null : ended - begun,
    reconnects: reconnects.length,
    histogram: buckets,
    incomplete: incomplete.map(({ transport, data }) => `${transport}: ${data.length} of ${published}`),
    gaps: clients.reduce((sum, { gaps }) => sum + gaps, 0),
    states: [...new Set(clients.map(({ client }) => client.state.phase))],
  }),
);
for (const { client } of [...clients, { client: publisher }]) client.close();
balancer.close();
