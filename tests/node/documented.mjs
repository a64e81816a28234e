// Lets the document drive the hub: publishes every example of every event type over gRPC, reads it back on each transport,
// and checks every frame that comes, control frames included, against the document that the hub serves.

import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import WebSocket from 'ws';
import yaml from 'js-yaml';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, promisify } from 'node:util';
import { LOADER, bearer } from './backend.mjs';
import { Document } from './document.mjs';
import { options } from './options.mjs';

const { public: address, grpc: target, key, token, short, transports, pid } =
  options('public', 'grpc', 'key', 'token', 'short', 'transports', 'pid');
const used = transports.split(',');

const served = await (await fetch(`http://${address}/asyncapi.json`)).json();
/** Nothing may be sent that the document does not say, so objects are closed here. */
const document = new Document(served, { closed: true });

const proto = fileURLToPath(new URL('../../proto', import.meta.url));
const files = ['publisher', 'subscriber', 'connections', 'commands'].map((name) => `fanline/v1/${name}.proto`);
const { v1 } = grpc.loadPackageDefinition(loader.loadSync(files, { ...LOADER, includeDirs: [proto] })).fanline;
const publisher = new v1.Publisher(target, grpc.credentials.createInsecure());
const subscriber = new v1.Subscriber(target, grpc.credentials.createInsecure());
const connections = new v1.Connections(target, grpc.credentials.createInsecure());
const bus = new v1.CommandBus(target, grpc.credentials.createInsecure());
const publish = promisify((request, done) => publisher.Publish(request, bearer(key), { deadline: Date.now() + 60_000 }, done));

const faults = [];
const inYaml = yaml.load(await (await fetch(`http://${address}/asyncapi.yaml`)).text());
if (!isDeepStrictEqual(inYaml, served)) faults.push('/asyncapi.yaml is not /asyncapi.json');
const frames = {};
const delivered = {};

/** Checks a frame: it must be exactly one of the messages that the document lets the hub send on a channel. */
function checkFrame(channel, frame, what) {
  const keys = document.sentOn(channel);
  const found = document.matches(keys, frame);
  if (found.length !== 1) {
    const why = found.length > 1 ? found : keys.filter((one) => one.endsWith(what)).map((one) => document.faults(one, frame));
    faults.push(`${channel}: ${what}: ${found.length} messages fit ${JSON.stringify(frame).slice(0, 300)} ${JSON.stringify(why)}`);
  }
  for (const one of found) frames[one] = (frames[one] ?? 0) + 1;
}

/** Checks an event by its own type, and keeps it for the one who waits. */
const arrived = [];
let wake = () => {};
function checkEvent(transport, event) {
  faults.push(...document.faults(event.type, event).map((fault) => `${transport}: event ${event.type}: ${fault}`));
  delivered[transport] = (delivered[transport] ?? 0) + 1;
  arrived.push({ transport, id: event.id, data: event.data });
  wake();
}

/** Waits until an event came on all transports, the same everywhere. */
async function everywhere(id, data) {
  for (;;) {
    const seen = arrived.filter((one) => one.id === id);
    for (const one of seen) {
      if (JSON.stringify(one.data) !== JSON.stringify(data)) faults.push(`${one.transport}: other data: ${JSON.stringify(one.data)}`);
    }
    if (used.every((transport) => seen.some((one) => one.transport === transport))) return;
    await new Promise((resolve) => { wake = resolve; });
  }
}

const channels = [...new Set([...document.events()].map(({ channel, examples }) => examples[0]?.payload.channel ?? channel))];
const stop = new AbortController();
const streams = [];
const opened = { websocket: openWebSocket, grpc: openGrpc, sse: openSse, 'long-poll': openPoll };
const lifecycle = await followLifecycle();
const session = {};
for (const transport of used) session[transport] = await opened[transport]();

let published = 0;
for (const { type, publisher: who, examples } of document.events()) {
  for (const { payload } of examples) {
    const data = Buffer.from(JSON.stringify(payload.data));
    // What only clients publish is refused from a backend.
    const answer = who === 'client'
      ? await session.websocket.ask({ op: 'publish', channel: payload.channel, type, data: payload.data })
      : await publish({ channel: payload.channel, type, data });
    const { event_id: id } = answer;
    if (!id) throw new Error(`${type} is not published: ${JSON.stringify(answer)}`);
    published += 1;
    await everywhere(id, payload.data);
  }
}
await serveCommands();
await everyOperation(session.websocket);
await uplink();
await moved(session.websocket);
await tooSlow();
await lifecycle.everything;
stop.abort();
await drained(session.websocket);

/** What the document lets the hub send and the hub has not sent here. */
const endpoints = Object.keys(served.channels).filter((id) => /^fanline\.(websocket|sse|poll|uplink\..*|lifecycle)$/.test(id));
const unseen = [...new Set(endpoints.flatMap((id) => document.sentOn(id)))].filter((key) => !(key in frames)).sort();
console.log(JSON.stringify({ published, delivered, frames, unseen, faults: faults.slice(0, 20) }));
process.exit(0);

async function connect(withToken, { checkEvents = true } = {}) {
  const socket = new WebSocket(`ws://${address}/v1/ws`, ['fanline.v1', `fanline.bearer.${withToken}`]);
  const waiting = new Map();
  const passed = [];
  const watchers = new Set();
  let ids = 0;
  socket.on('message', (bytes) => {
    const frame = JSON.parse(bytes);
    checkFrame('fanline.websocket', frame, frame.op);
    passed.push(frame);
    if (frame.op === 'event' && checkEvents) checkEvent('websocket', frame.event);
    waiting.get(frame.id)?.(frame);
    watchers.forEach((look) => look());
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const ask = (request) => {
    const id = (ids += 1);
    return new Promise((resolve) => {
      waiting.set(id, resolve);
      socket.send(JSON.stringify({ ...request, id }));
    });
  };
  const until = async (op) => {
    while (!passed.some((frame) => frame.op === op)) {
      await new Promise((resolve) => { const look = () => { watchers.delete(look); resolve(); }; watchers.add(look); });
    }
  };
  return { socket, ask, until, closed };
}

async function openWebSocket() {
  const session = await connect(token);
  for (const channel of channels) await session.ask({ op: 'join', channel });
  return session;
}

/** Everything that a client can ask, right and wrong, so that every answer is seen. */
async function everyOperation({ socket, ask, until }) {
  const channel = channels.find((one) => one.startsWith('chat:'));
  const event = [...document.events()].find((one) => one.examples[0]?.payload.channel === channel);
  const data = event.examples[0].payload.data;
  await ask({ op: 'auth', token });
  const first = await ask({ op: 'publish', channel, type: event.type, data, key: 'once' });
  await ask({ op: 'publish', channel, type: event.type, data, key: 'once' });
  await ask({ op: 'publish', channel, type: event.type, data: { no: ['such', 'field'] } });
  await ask({ op: 'presence', channel });
  await ask({ op: 'history', channel, since: 'earliest', limit: 2 });
  await ask({ op: 'ping' });
  await ask({ op: 'fly' });
  await ask({ op: 'join', channel });
  await ask({ op: 'call', method: 'nobody.answers', data: {} });
  await ask({ op: 'call', method: 'echo.back', data: { said: 'hello' } });
  await ask({ op: 'leave', channel });
  await ask({ op: 'join', channel, since: first.position });
  await ask({ op: 'leave', channel });
  await ask({ op: 'join', channel, since: 'nonsense' });
  socket.send('{');

  // Somebody else comes and goes, with a token that soon ends.
  const other = await connect(short);
  await other.ask({ op: 'join', channel });
  await until('presence');
  await other.until('expiring');
  if (used.includes('sse')) await streamUntil('fanline.expiring', channel, short);
  other.socket.close();
}

/** A backend that answers `echo.*` with what it was asked. */
async function serveCommands() {
  const stream = bus.Serve(bearer(key));
  stream.on('error', (error) => error.code === grpc.status.UNAVAILABLE || faults.push(`commands: ${error}`));
  stream.write({ register: { methods: ['echo.*'], max_in_flight: 4 } });
  await new Promise((resolve) => {
    stream.on('data', ({ registered, command }) => {
      if (registered) resolve();
      if (command) stream.write({ reply: { id: command.id, data: command.data } });
    });
  });
}

/** A backend puts the user into a channel, and takes it out again. */
async function moved({ until }) {
  const channel = channels.find((one) => one.startsWith('chat:')).replace(/:.*/, ':moved');
  for (const [method, op] of [['Join', 'joined'], ['Leave', 'left']]) {
    const move = promisify((request, done) => connections[method](request, bearer(key), { deadline: Date.now() + 60_000 }, done));
    await move({ user: 'ada', channel });
    await until(op);
  }
}

/** More than anybody keeps, in a channel of which nothing is in the catalog, while nobody reads: what is lost is told. */
async function tooSlow() {
  const channel = 'bulk:load';
  const slow = await connect(token, { checkEvents: false });
  await slow.ask({ op: 'join', channel });
  const get = (path) => fetch(`http://${address}${path}`, { headers: { authorization: `Bearer ${token}` } });
  const { cursor } = await (await get(`/v1/poll?channel=${channel}`)).json();
  const stream = used.includes('sse') ? await get(`/v1/sse?channel=${channel}`) : undefined;
  slow.socket.pause();
  const data = Buffer.from(JSON.stringify('x'.repeat(500_000)));
  for (let count = 0; count < 60; count += 1) await publish({ channel, type: 'load', data });
  slow.socket.resume();
  await slow.until('gap');
  slow.socket.close();
  if (stream !== undefined) await untilBlock(stream.body, 'fanline.gap');
  const lost = await get(`/v1/poll?channel=${channel}&cursor=${encodeURIComponent(cursor)}`);
  checkFrame('fanline.poll', await lost.json(), 'lost');
}

/** Opens a stream and reads it until a block with this name came. */
async function streamUntil(name, channel, withToken) {
  const answer = await fetch(`http://${address}/v1/sse?channel=${encodeURIComponent(channel)}`, {
    headers: { authorization: `Bearer ${withToken}`, accept: 'text/event-stream' },
  });
  await untilBlock(answer.body, name);
}

async function untilBlock(body, name) {
  const found = new Error('found');
  await readBlocks(body, (block) => {
    checkBlock(block.event ?? 'message', JSON.parse(block.data));
    if (block.event === name) throw found;
  }).catch((error) => { if (error !== found) throw error; });
}

/** The hub says why it goes, with a code that the document explains. */
async function drained(session) {
  process.kill(Number(pid), 'SIGTERM');
  const code = await session.closed;
  await Promise.all(streams);
  if (!served['x-fanline'].closeCodes.some((one) => one.code === code)) faults.push(`the close code ${code} is not explained`);
}

async function openGrpc() {
  const stream = subscriber.Subscribe({ channels: channels.map((channel) => ({ channel })) }, bearer(key));
  let subscribed = 0;
  stream.on('error', (error) => stop.signal.aborted || error.code === grpc.status.UNAVAILABLE || faults.push(`grpc: ${error}`));
  return new Promise((resolve) => {
    stream.on('data', (message) => {
      if (message.subscribed && (subscribed += 1) === channels.length) resolve(stream);
      if (message.event) checkEvent('grpc', fromGrpc(message.event));
    });
  });
}

/** Listens to who comes and goes; what is awaited later is that each kind of it was told. */
async function followLifecycle() {
  const told = 'fanline.lifecycle';
  const channel = served.channels[told].address.replace('{namespace}', 'chat');
  const stream = subscriber.Subscribe({ channels: [{ channel }] }, bearer(key));
  stream.on('error', (error) => stop.signal.aborted || error.code === grpc.status.UNAVAILABLE || faults.push(`lifecycle: ${error}`));
  const all = document.sentOn(told);
  let complete;
  const everything = new Promise((resolve) => { complete = resolve; });
  await new Promise((subscribed) => {
    stream.on('data', (message) => {
      if (message.subscribed) subscribed();
      if (!message.event) return;
      checkFrame(told, fromGrpc(message.event), message.event.type);
      if (all.every((one) => one in frames)) complete();
    });
  });
  return { everything };
}

/** The event object, as bridges write it. */
function fromGrpc({ id, channel, type, data, time, position, user, headers }) {
  const event = { channel, position: `${position.epoch}-${position.offset}`, id, type };
  event.time = new Date(Number(time.seconds) * 1000 + time.nanos / 1e6).toISOString();
  event.data = JSON.parse(data);
  if (user !== '') event.user = user;
  if (Object.keys(headers).length > 0) event.headers = headers;
  return event;
}

async function openSse() {
  const query = channels.map((channel) => `channel=${encodeURIComponent(channel)}`).join('&');
  const answer = await fetch(`http://${address}/v1/sse?${query}`, {
    headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
  });
  if (answer.status !== 200) throw new Error(`SSE: ${answer.status} ${await answer.text()}`);
  let open;
  const isOpen = new Promise((resolve) => { open = resolve; });
  // It stays until the hub ends it.
  streams.push(readBlocks(answer.body, (block) => {
    const name = block.event ?? 'message';
    const payload = JSON.parse(block.data);
    checkBlock(name, payload);
    if (name === 'fanline.open') open();
    if (name === 'message') checkEvent('sse', payload);
  }).catch((error) => faults.push(`sse: ${error}`)));
  await isOpen;
}

/** A block is the message whose binding has its name. */
function checkBlock(name, payload) {
  const key = document.sentOn('fanline.sse').find((one) => {
    const event = document.value.components.messages[one].bindings?.['x-sse']?.event;
    return name === 'message' ? one === 'fanline.sse.event' : event === name;
  });
  if (key === undefined) return faults.push(`fanline.sse: no block is called ${name}`);
  frames[key] = (frames[key] ?? 0) + 1;
  faults.push(...document.faults(key, payload).map((fault) => `${key}: ${fault}`));
}

async function readBlocks(body, take) {
  let text = '';
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
      const block = { data: [] };
      for (const line of text.slice(0, end).split('\n')) {
        const at = line.indexOf(':');
        if (at <= 0) continue;
        const [field, value] = [line.slice(0, at), line.slice(at + 1).replace(/^ /, '')];
        if (field === 'data') block.data.push(value);
        else block[field] = value;
      }
      if (block.data.length > 0) take({ ...block, data: block.data.join('\n') });
    }
  }
}

async function openPoll() {
  const query = channels.map((channel) => `channel=${encodeURIComponent(channel)}`).join('&');
  const poll = async (rest) => {
    const answer = await fetch(`http://${address}/v1/poll?${query}${rest}`, {
      headers: { authorization: `Bearer ${token}` }, signal: stop.signal,
    });
    const body = await answer.json();
    checkFrame('fanline.poll', body, answer.status === 200 ? 'batch' : 'problem');
    return body;
  };
  let { cursor } = await poll('');
  const loop = async () => {
    while (!stop.signal.aborted) {
      const batch = await poll(`&cursor=${encodeURIComponent(cursor)}&wait=20`);
      batch.events.forEach((event) => checkEvent('long-poll', event));
      ({ cursor } = batch);
    }
  };
  loop().catch((error) => stop.signal.aborted || faults.push(`long-poll: ${error}`));
}

/** The routes of the uplink, where the hub has it. */
async function uplink() {
  if (!used.includes('long-poll')) return;
  const channel = channels.find((one) => one.startsWith('chat:'));
  const event = [...document.events()].find((one) => one.examples[0]?.payload.channel === channel);
  const ask = async (endpoint, path, body, withToken = token) => {
    const answer = await fetch(`http://${address}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${withToken}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    checkFrame(endpoint, await answer.json(), answer.ok ? endpoint.split('.').pop() : 'problem');
  };
  const name = encodeURIComponent(channel);
  await ask('fanline.uplink.publish', '/v1/publish', { channel, type: event.type, data: event.examples[0].payload.data });
  await ask('fanline.uplink.publish', '/v1/publish', { channel, type: event.type, data: { no: 'such' } });
  await ask('fanline.uplink.publish', '/v1/publish', { channel }, 'forged');
  await ask('fanline.uplink.presence', `/v1/presence?channel=${name}`);
  await ask('fanline.uplink.history', `/v1/history?channel=${name}&since=earliest`);
  await ask('fanline.uplink.call', '/v1/call', { method: 'nobody.answers', data: {} });
  await ask('fanline.uplink.tickets', '/v1/tickets', {});
  await ask('fanline.uplink.call', '/v1/call', { method: 'echo.back', data: { said: 'hello' } });
}
