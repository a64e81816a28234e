// Asks each route of a hub for each of its answers, holds them to the OpenAPI document, and prints what was seen, what is
// wrong, and which answers the document has besides.

import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { options } from './options.mjs';

const { hub, token, other, poor, hasty } = options('hub', 'token', 'other', 'poor', 'hasty');

const document = await (await fetch(`${hub}/openapi.json`)).json();
// OpenAPI keywords around the schemas are none of the validator's business.
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
// Its own formats say how large a number may be.
for (const format of ['int32', 'int64', 'uint16', 'uint32', 'uint64']) ajv.addFormat(format, true);
const shared = Object.entries(document.components.schemas).map(([name, schema]) => [name, closed(schema, true)]);
ajv.addSchema({ $id: 'document', components: { schemas: Object.fromEntries(shared) } });

const seen = new Set();
const faults = [];

const channel = 'chat:lobby';
const event = { channel, type: 'message', data: { text: 'hello' } };
const json = JSON.stringify;
const tooLong = json({ ...event, data: { text: 'x'.repeat(200_000) } });

await ask('POST /v1/publish', 200, { body: json({ ...event, key: 'once' }) });
await ask('POST /v1/publish', 200, { body: json({ ...event, key: 'once' }) });
await ask('POST /v1/publish', 400, { body: json({ ...event, channel: 'a b' }) });
await ask('POST /v1/publish', 400, { body: '{' });
await ask('POST /v1/publish', 401, { body: json(event), token: 'forged' });
await ask('POST /v1/publish', 403, { body: json({ ...event, channel: 'vault:a' }) });
await ask('POST /v1/publish', 404, { body: json({ ...event, channel: 'nowhere:a' }) });
await ask('POST /v1/publish', 413, { body: tooLong });
await ask('POST /v1/publish', 422, { body: json({ ...event, data: { no: 'such' } }) });

const call = (method) => ({ body: json({ method, data: { some: 'data' } }) });
await ask('POST /v1/call', 200, call('chat.ok'));
await ask('POST /v1/call', 200, { ...call('chat.ok'), headers: { accept: 'application/x-ndjson' } });
await ask('POST /v1/call', 400, { body: '{' });
await ask('POST /v1/call', 401, { ...call('chat.ok'), token: undefined });
await ask('POST /v1/call', 403, { ...call('chat.ok'), token: poor });
await ask('POST /v1/call', 404, call('nobody.answers'));
await ask('POST /v1/call', 409, call('chat.fails.10'));
await ask('POST /v1/call', 413, { body: tooLong });
await ask('POST /v1/call', 501, call('chat.fails.12'));
await ask('POST /v1/call', 503, call('chat.fails.14'));
await ask('POST /v1/call', 500, call('chat.fails.13'));
await ask('POST /v1/call', 504, call('chat.silent'));

// Its presence outlasts it, so that the list of members below has one.
const first = await ask('GET /v1/poll', 200, { query: { channel } });
await ask('GET /v1/poll', 200, { query: { channel, since: 'earliest', wait: 0 } });
const now = await ask('GET /v1/poll', 200, { query: { channel, wait: 0 } });
const tag = now.headers.get('etag');
await ask('GET /v1/poll', 304, { query: { channel, wait: 0, cursor: now.body.cursor }, headers: { 'if-none-match': tag } });
await ask('GET /v1/poll', 400, { query: { channel, cursor: 'garbage' } });
await ask('GET /v1/poll', 401, { query: { channel }, token: 'forged' });
await ask('GET /v1/poll', 403, { query: { channel: 'vault:a' } });
await ask('GET /v1/poll', 404, { query: { channel: 'nowhere:a' } });
// Ten events are kept.
const brief = { body: json({ channel: 'brief:a', type: 'note', data: 1 }), token: other };
const oldest = await ask('POST /v1/publish', 200, brief);
for (let more = 0; more < 12; more += 1) await ask('POST /v1/publish', 200, brief);
await ask('GET /v1/poll', 410, { query: { channel: 'brief:a', cursor: oldest.body.position } });

for (const [route, query] of [['GET /v1/presence', {}], ['GET /v1/history', { limit: 2 }]]) {
  await ask(route, 200, { query: { ...query, channel } });
  await ask(route, 400, { query: { ...query, channel: 'a b' } });
  await ask(route, 401, { query: { ...query, channel }, token: undefined });
  await ask(route, 403, { query: { ...query, channel }, token: poor });
  await ask(route, 404, { query: { ...query, channel: 'nowhere:a' } });
}
await ask('GET /v1/history', 200, { query: { channel, since: first.body.channels[channel].position } });
await ask('GET /v1/history', 200, { query: { channel, since: 'another-1' } });

const ticket = await ask('POST /v1/tickets', 200, {});
await ask('POST /v1/tickets', 400, { query: { ticket: 'another' } });
await ask('POST /v1/tickets', 401, { token: 'forged' });
await ask('POST /v1/tickets', 403, { query: { ticket: ticket.body.ticket }, token: undefined });

// One token after the other is used up, until the answer is that this was too fast.
const requests = {
  'POST /v1/publish': { body: json(event) },
  'POST /v1/call': call('chat.ok'),
  'GET /v1/poll': { query: { channel, wait: 0 } },
  'GET /v1/presence': { query: { channel } },
  'GET /v1/history': { query: { channel } },
  'POST /v1/tickets': {},
};
const rest = hasty.split(',');
for (const [route, request] of Object.entries(requests)) {
  const token = rest.pop();
  let answer;
  do {
    answer = await ask(route, undefined, { ...request, token });
  } while (answer.status === 200);
  if (answer.status !== 429) faults.push(`${route}: ${answer.status} instead of 429`);
}

const unseen = [...documented()].filter((answer) => !seen.has(answer));
console.log(JSON.stringify({ seen: [...seen], unseen, faults: faults.slice(0, 20) }));

/** Sends a request, checks the answer, and gives it. `expected` is its status, if that is known. */
async function ask(route, expected, { query = {}, body, headers = {}, ...rest }) {
  const [method, path] = route.split(' ');
  const bearer = 'token' in rest ? rest.token : token;
  const authorization = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  const answer = await fetch(`${hub}${path}?${new URLSearchParams(query)}`, {
    method, body, headers: { ...type, ...authorization, ...headers },
  });
  const text = await answer.text();
  const what = `${route} ${answer.status}`;
  if (expected !== undefined && answer.status !== expected) faults.push(`${what} instead of ${expected}: ${text.slice(0, 300)}`);
  const described = document.paths[path]?.[method.toLowerCase()]?.responses[answer.status];
  if (described === undefined) faults.push(`${what} is not documented: ${text.slice(0, 300)}`);
  else faults.push(...check(what, described, answer, text));
  seen.add(what);
  return { status: answer.status, headers: answer.headers, body: text === '' ? undefined : JSON.parse(text.split('\n')[0]) };
}

function check(what, { content = {}, headers = {} }, answer, text) {
  const missing = Object.keys(headers).filter((name) => !answer.headers.has(name)).map((name) => `${what}: no ${name}`);
  const media = answer.headers.get('content-type')?.split(';')[0];
  if (Object.keys(content).length === 0) return text === '' ? missing : [...missing, `${what}: a body that is not documented`];
  const schema = content[media]?.schema;
  if (schema === undefined) return [...missing, `${what}: ${media} is not documented`];
  const validate = ajv.compile(closed(refer(schema)));
  const texts = media === 'application/x-ndjson' ? text.trimEnd().split('\n') : [text];
  const wrong = texts.filter((one) => !validate(JSON.parse(one)));
  return [...missing, ...wrong.map((one) => `${what}: ${JSON.stringify(validate.errors)} in ${one.slice(0, 300)}`)];
}

function* documented() {
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, { responses }] of Object.entries(operations)) {
      for (const status of Object.keys(responses)) yield `${method.toUpperCase()} ${path} ${status}`;
    }
  }
}

/** References of the document, as seen from a schema outside it. */
function refer(schema) {
  return JSON.parse(JSON.stringify(schema), (key, value) => (key === '$ref' ? `document${value}` : value));
}

/** A copy in which no object has a field that is not described: neither by itself nor by what it is put together from. */
function closed(value, isPart = false) {
  if (Array.isArray(value)) return value.map((one) => closed(one, isPart));
  if (value === null || typeof value !== 'object') return value;
  const copy = Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, closed(inner, key === 'allOf')]),
  );
  const describes = '$ref' in value || 'allOf' in value || 'properties' in value;
  // A part is closed by the whole, and a shared schema by whoever refers to it.
  if (describes && !isPart) copy.unevaluatedProperties = false;
  return copy;
}
