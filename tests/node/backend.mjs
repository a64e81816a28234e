// What a backend does, whichever way its stubs were made.
//
// `v1` is the package `fanline.v1` as grpc-js loads it. The outcome is one line of JSON, which the Rust side compares
// with what a room has seen.

import assert from 'node:assert/strict';
import { promisify } from 'node:util';
import grpc from '@grpc/grpc-js';

const DEADLINE_MS = 20_000;

// How proto-loader shapes messages: 64-bit numbers as text, since offsets may pass what a double holds.
export const LOADER = { longs: String, enums: String, defaults: true, oneofs: true, keepCase: true };

export function bearer(key) {
  const metadata = new grpc.Metadata();
  metadata.set('authorization', `Bearer ${key}`);
  return metadata;
}

export async function run(v1, { target, key, channel }) {
  const insecure = grpc.credentials.createInsecure();
  const publisher = new v1.Publisher(target, insecure);
  const subscriber = new v1.Subscriber(target, insecure);
  const metadata = bearer(key);
  const call = () => ({ deadline: Date.now() + DEADLINE_MS });
  const publish = promisify((request, credential, done) => publisher.Publish(request, credential, call(), done));

  const published = [];
  let last;
  for (const n of [1, 2, 3]) {
    last = { channel, type: 'note', data: Buffer.from(JSON.stringify({ n })), idempotency_key: `event-${n}` };
    published.push((await publish(last, metadata)).position);
  }
  const again = await publish(last, metadata);
  assert.deepEqual(again.position, published.at(-1));

  const follow = (selector, count) =>
    new Promise((resolve, reject) => {
      const stream = subscriber.Subscribe({ channels: [{ channel, ...selector }] }, metadata, call());
      const events = [];
      let subscribed;
      stream.on('data', (message) => {
        if (message.subscribed) subscribed = message.subscribed;
        if (message.event) events.push(message.event);
        if (subscribed && events.length === count) {
          resolve({ subscribed, events });
          stream.cancel();
        }
      });
      // After a cancel of our own the promise is settled, and this one changes nothing.
      stream.on('error', reject);
    });
  const all = await follow({ earliest: true }, 3);
  const resumed = await follow({ after: published[0] }, 2);

  const refused = await publish(last, new grpc.Metadata()).then(
    () => null,
    (error) => grpc.status[error.code],
  );

  const text = ({ epoch, offset }) => `${epoch}-${offset}`;
  console.log(
    JSON.stringify({
      published: published.map(text),
      earliest: all.events.map((event) => text(event.position)),
      resumed: resumed.events.map((event) => text(event.position)),
      recovered: resumed.subscribed.recovered,
      duplicate: again.duplicate,
      refused,
    }),
  );
  publisher.close();
  subscriber.close();
}
