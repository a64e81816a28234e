// A chat backend: clients call `chat.say`, and the reply publishes what they say to the room.
//
// `methods` is the application; below it is what connects any methods to the hub (fanline.v1.CommandBus).

import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const methods = {
  'chat.say'(data, command) {
    const text = data?.text;
    // The hub has checked that the client may follow this channel, and who the client is.
    if (!command.channel.startsWith('chat:')) throw invalid('channel: say it in a room, chat:…');
    if (typeof text !== 'string' || !text.trim()) throw invalid('data.text: say something');
    const message = { channel: command.channel, type: 'message', data: json({ text }), headers: { user: command.user } };
    return { data: json({ said: text }), publish: [message] };
  },
};

const json = (value) => Buffer.from(JSON.stringify(value));
const invalid = (message) => Object.assign(new Error(message), { code: grpc.status.INVALID_ARGUMENT });

const { FANLINE_URL = 'http://127.0.0.1:50051', FANLINE_API_KEY } = process.env;
if (!FANLINE_API_KEY) throw new Error('set FANLINE_API_KEY');
const { protocol, host } = new URL(FANLINE_URL);
const proto = fileURLToPath(new URL('../../proto', import.meta.url));
const definition = loader.loadSync('fanline/v1/commands.proto', { includeDirs: [proto], keepCase: true, defaults: true, oneofs: true });
const { CommandBus } = grpc.loadPackageDefinition(definition).fanline.v1;
const tls = protocol === 'https:' ? grpc.credentials.createSsl() : grpc.credentials.createInsecure();
const bus = new CommandBus(host, tls, {
  // A hub that vanished without a word is noticed, also while no commands come; one that is back, within seconds.
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.max_reconnect_backoff_ms': 5_000,
});
const metadata = new grpc.Metadata();
metadata.set('authorization', `Bearer ${FANLINE_API_KEY}`);

let stream;
let stopping = false;

function serve() {
  if (stopping) return bus.close();
  stream = bus.Serve(metadata);
  stream.write({ register: { methods: Object.keys(methods), max_in_flight: 64 } });
  stream.on('data', ({ registered, command, rejected }) => {
    if (registered) console.log(`answering ${Object.keys(methods)}`);
    if (command) void answer(stream, command);
    if (rejected) console.error(`a reply was not taken: ${rejected.error.message}`);
  });
  stream.on('end', () => stream.end());
  // Comes last, however the stream ended.
  stream.on('status', ({ code, details }) => {
    const refused = [grpc.status.UNAUTHENTICATED, grpc.status.PERMISSION_DENIED, grpc.status.INVALID_ARGUMENT];
    if (stopping) return bus.close();
    if (refused.includes(code)) throw new Error(`the hub refuses: ${details}`);
    // Not all workers of a hub that was away come back at one moment.
    setTimeout(serve, 2000 * Math.random());
  });
  stream.on('error', () => {}); // 'status' says the same
}

async function answer(stream, command) {
  const { id, method, data } = command;
  try {
    stream.write({ reply: { id, ...(await methods[method](JSON.parse(data), command)) } });
  } catch (error) {
    if (error.code === undefined) console.error(error);
    // What went wrong inside is nothing for clients.
    const { code = grpc.status.INTERNAL } = error;
    const message = code === grpc.status.INTERNAL ? 'the backend failed' : error.message;
    stream.write({ reply: { id, error: { code, message } } });
  }
}

// No more commands; the hub ends the stream once those that we have are answered.
function stop() {
  stopping = true;
  stream.write({ drain: {} });
}
process.once('SIGINT', stop).once('SIGTERM', stop);
serve();
