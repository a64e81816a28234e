// An SSE client that is not ours, of the kind that is asked for: it opens streams and prints what comes on them, one line
// of JSON for each event, until it is stopped.
//
// A kind is a function `open({ url, headers, credentials }, tell)`. What it tells apart is its own affair: an event counts
// here only when the client hands it to its application.

import { options } from '../options.mjs';
import { inChromium } from './in_chromium.mjs';
import { inNode } from './in_node.mjs';

const { kind, token, origin, ca, streams } = options('kind', 'token', 'origin', 'ca', 'streams');

const print = (stream, name, data, id) => console.log(JSON.stringify({ stream, name, data, id }));
const open = kind in inNode ? startInNode() : await inChromium(kind, { origin, token }, print);
// What was started along, curl or a browser, ends with this process.
process.once('SIGTERM', () => process.exit());
for (const { name, url, credential } of JSON.parse(streams)) open(name, url, credential);

function startInNode() {
  const headers = {
    bearer: { authorization: `Bearer ${token}` },
    cookie: { cookie: `fanline_token=${token}`, origin },
  };
  return (name, url, credential) =>
    inNode[kind]({ url, headers: headers[credential], ca }, (...event) => print(name, ...event));
}
