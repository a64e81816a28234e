// Uses the console page of `fanline dev` as a person would, in Chromium.

import { chromium } from 'playwright-core';
import { options } from './options.mjs';

const { url, token } = options('url', 'token');

const browser = await chromium.launch({
  executablePath: process.env.FANLINE_CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
  ],
});
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  const errors = [];
  const foreign = [];
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('request', (request) => {
    if (new URL(request.url()).host !== new URL(url).host) foreign.push(request.url());
  });

  await page.goto(url);
  await page.fill('#token', token);
  const channel = await page.inputValue('#channel');
  await page.click('#join');
  await page.fill('#type', 'console.test');
  await page.fill('#data', '{"text":"from the page"}');
  // Playwright clicks once the button is enabled, which is when the room is joined.
  await page.click('#publish');
  await page.waitForFunction(() => {
    const log = document.querySelector('#log').textContent;
    return log.includes('from the page') && log.includes('console.test');
  });

  await page.click('#drop');
  await page.waitForFunction(() => document.querySelector('#log').textContent.includes('nothing missed'));
  const log = await page.textContent('#log');
  const status = await page.textContent('#status');
  console.log(JSON.stringify({ channel, log, status, errors, foreign }));
} finally {
  await browser.close();
}
