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
  let retry = 1000;
  for (;;) {
    const { head, lines } = bodyOf(options, url, { ...headers, ...(lastId && { 'last-event-id': lastId }) });
    const parser = createParser({
      onEvent({ event, data, id }) {
        lastId = id ?? lastId;
        tell(event ?? 'message', data, lastId);
      },
      onRetry(milliseconds) {
        retry = milliseconds;
      },
    });
    for await (const text of lines) parser.feed(text);
    // No head: there was no connection.
    const status = await head;
    if (status !== undefined && !status.startsWith('HTTP/2 200')) throw new Error(`curl: ${status}`);
    await new Promise((resolve) => setTimeout(resolve, retry));
  }
}

/** One transfer: the status line, and the body piece by piece. */
function bodyOf(options, url, headers) {
  const told = Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`]);
  const child = spawn('curl', ['--silent', '--show-error', '--no-buffer', '--include', ...options, ...told, url]);
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.stderr.pipe(process.stderr);
  child.stdout.setEncoding('utf8');
  let toldHead;
  const head = new Promise((resolve) => { toldHead = resolve; });
  async function* lines() {
    let before = '';
    for await (const text of child.stdout) {
      if (before === undefined) yield text;
      else {
        before += text;
        const end = before.indexOf('\r\n\r\n');
        if (end < 0) continue;
        toldHead(before.slice(0, before.indexOf('\r\n')));
        yield before.slice(end + 4);
        before = undefined;
      }
    }
    toldHead(undefined);
  }
  return { head, lines: lines() };
}
