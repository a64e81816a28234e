// The clients that run in a page: the browser's own `EventSource`, and those that are written for browsers.

import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { browserOptions } from '../browser.mjs';
import { servePages } from '../pages.mjs';

/** Where the page finds what it is made of. */
const FILES = {
  '/page.mjs': here('page.mjs'),
  '/names.mjs': here('names.mjs'),
  '/fetch-event-source/': here('../node_modules/@microsoft/fetch-event-source/lib/esm/'),
  '/event-source-polyfill/': here('../node_modules/event-source-polyfill/src/'),
};

/** Opens a page of `origin` and gives the function that opens a stream in it. */
export async function inChromium(kind, { origin, token }, print) {
  await servePages(new URL(origin).port, page);
  const browser = await chromium.launch(browserOptions);
  const context = await browser.newContext();
  await context.addCookies([{ name: 'fanline_token', value: token, url: origin }]);
  const tab = await context.newPage();
  tab.on('pageerror', (error) => console.error(String(error)));
  tab.on('console', (message) => console.error(message.text()));
  await tab.exposeFunction('print', print);
  await tab.goto(`${origin}/`);
  return (name, url, credential) =>
    tab.evaluate(
      async ([kind, name, url, headers]) => {
        const { inPage } = await import('/page.mjs');
        inPage[kind]({ url, headers }, (...event) => window.print(name, ...event));
      },
      [kind, name, url, credential === 'bearer' ? { authorization: `Bearer ${token}` } : {}],
    );
}

async function page(path) {
  if (path === '/') return ['text/html', '<!doctype html><link rel="icon" href="data:,"><script src="/event-source-polyfill/eventsource.js"></script>'];
  const place = Object.keys(FILES).find((prefix) => path.startsWith(prefix));
  if (place === undefined) return undefined;
  const file = `${FILES[place]}${path.slice(place.length)}`;
  // The modules of one package name each other without an extension.
  return ['text/javascript', await readFile(extname(file) === '' ? `${file}.js` : file, 'utf8')];
}

function here(path) {
  return fileURLToPath(new URL(path, import.meta.url));
}
