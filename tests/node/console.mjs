// Uses the console page of `fanline dev` as a person would, in Chromium: one transport after the other, then all at once.

import { chromium } from 'playwright-core';
import { browserOptions } from './browser.mjs';
import { options } from './options.mjs';

const { url, token, picture } = options('url', 'token', 'picture');

const browser = await chromium.launch(browserOptions);
try {
  const page = await browser.newPage({ viewport: { width: 1120, height: 900 } });
  page.setDefaultTimeout(30_000);
  const errors = [];
  const foreign = [];
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('request', (request) => {
    if (new URL(request.url()).host !== new URL(url).host) foreign.push(request.url());
  });

  await page.goto(url);
  await page.fill('#token', token);
  await page.press('#data', 'Control+Enter'); // in no room yet: nothing happens
  const channel = await page.inputValue('#channel');
  await page.click('#join');

  // One client, which moves.
  for (const transport of ['websocket', 'sse', 'longpoll']) {
    await page.check(`[value=${transport}]`);
    await publish(`over ${transport}`);
    await shown(1, `"over ${transport}"`);
  }
  await page.check('[value=websocket]');
  await page.click('#drop');
  await publish('after a break');
  await shown(1, 'after a break');
  const log = await page.textContent('#panes');

  // Three clients in the same room.
  await page.check('[value=all]');
  for (const text of ['hello', 'the same, over each transport']) {
    await publish(text);
    await shown(3, text);
  }
  const titles = await page.locator('.pane h3').allTextContents();
  const status = await page.textContent('#status');
  await page.screenshot({ path: picture });
  console.log(JSON.stringify({ channel, log, titles, status, errors, foreign }));

  async function publish(text) {
    await page.fill('#data', JSON.stringify({ text }));
    // Playwright clicks once the button is enabled, which is when the room is joined.
    await page.click('#publish');
  }

  /** Waits until so many panes show an event with this text. */
  async function shown(panes, text) {
    const wanted = ([count, part]) =>
      [...document.querySelectorAll('.pane')].filter((pane) =>
        [...pane.querySelectorAll('.event')].some((entry) => entry.textContent.includes(part)),
      ).length === count;
    await page.waitForFunction(wanted, [panes, text]);
  }
} finally {
  await browser.close();
}
