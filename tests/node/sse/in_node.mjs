// The clients that run in Node, and curl.

import { spawn } from 'node:child_process';
import { EventSource } from 'eventsource';
import { createEventSource } from 'eventsource-client';
import { createParser } from 'eventsource-parser';
import { NAMES } from './names.mjs';

export const inNode = {
  eventsource({ url, headers }, tell) {
    const withHeaders = (to, init) => fetch(to, { ...init, headers: { ...init.headers, ...headers } });
    const source = new EventSource(url, { fetch: withHeaders });
    for (const name of NAMES) {
      source.addEventListener(name, (event) => tell(name, event.data, event.lastEventId));
    }
  },

  'eventsource-client'({ url, headers }, tell) {
    createEventSource({ url, headers, onMessage: ({ event, data, id }) => tell(event ?? 'message', data, id ?? '') });
  },

  'curl-h2c': (stream, tell) => curl(['--http2-prior-knowledge'], stream, tell),

  'curl-h2': (stream, tell) => curl(['--http2', '--cacert', stream.ca], stream, tell),
};

const running = new Set();
process.once('exit', () => running.forEach((child) => child.kill()));

/** As a shell script would use curl: it reads a stream to its end, and starts curl again with the last id. */
async function curl(options, { url, headers }, tell) {
  let lastId = '';
  let retryMs = 1000;
  for (;;) {
    const parser = createParser({
      onEvent({ event, data, id }) {
        lastId = id ?? lastId;
        tell(event ?? 'message', data, lastId);
      },
      onRetry(milliseconds) {
        retryMs = milliseconds;
      },
    });
    const resume = lastId === '' ? {} : { 'last-event-id': lastId };
    const status = await transfer(options, url, { ...headers, ...resume }, (text) => parser.feed(text));
    // Without an answer there was no connection.
    if (status !== undefined && !status.startsWith('HTTP/2 200')) throw new Error(`curl got ${status}`);
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}

/** One run of curl: gives `take` the body piece by piece, and returns the status line. */
async function transfer(options, url, headers, take) {
  const told = Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`]);
  const child = spawn('curl', ['--silent', '--show-error', '--no-buffer', '--include', ...options, ...told, url]);
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.stderr.pipe(process.stderr);
  let head = '';
  let status;
  for await (const text of child.stdout.setEncoding('utf8')) {
    if (status !== undefined) {
      take(text);
      continue;
    }
    head += text;
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) continue;
    status = head.slice(0, head.indexOf('\r\n'));
    take(head.slice(end + 4));
  }
  return status;
}
