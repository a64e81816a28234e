// Calls methods over each transport, and prints the replies and the refusals.

import { WebSocket } from 'ws';
import { connect } from '../../clients/js/dist/index.js';
import { options } from './options.mjs';

const { url, token, transports } = options('url', 'token', 'transports');

const seen = {};
for (const transport of transports.split(',')) {
  const client = connect(url, { token, WebSocket, transports: [transport] });
  const parts = [];
  const last = await client.call('sum.count', { to: 3 }, { onPart: (part) => parts.push(part) });
  const only = await client.call('sum.count', { to: 3 });
  const refused = await client.call('sum.fail', {}).catch(({ reason, message }) => ({ reason, message }));
  seen[transport] = { parts, last, only, refused };
  client.close();
}
console.log(JSON.stringify(seen));
