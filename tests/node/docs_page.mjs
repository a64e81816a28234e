// Reads the docs site as a person would, in Chromium: with the keyboard only, light and dark, and live.

import { mkdir } from 'node:fs/promises';
import { chromium } from 'playwright-core';
import { options } from './options.mjs';

const { url, token, channel, shots } = options('url', 'token', 'channel', 'shots');
const browser = await chromium.launch({
  executablePath: process.env.FANLINE_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
});
const errors = [];
const foreign = [];
try {
  const context = await browser.newContext({ viewport: { width: 1360, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('request', (request) => new URL(request.url()).host !== new URL(url).host && foreign.push(request.url()));

  const answer = await page.goto(url);
  await page.waitForSelector('html[data-ready]');
  const policy = answer.headers()['content-security-policy'];
  /** From the start of the navigation until the page answers to the reader. */
  const readMs = () => page.evaluate(() => performance.getEntriesByName('fanline-docs-ready')[0].startTime);
  const readyMs = [await readMs()];
  for (let again = 0; again < 2; again += 1) {
    await page.reload();
    await page.waitForSelector('html[data-ready]');
    readyMs.push(await readMs());
  }
  // The policy is in force and not only sent: what it forbids does not run.
  const inlineRan = await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.inlineRan = true';
    document.head.append(script);
    return window.inlineRan === true;
  });
  const expected = errors.splice(0).filter((text) => !text.includes('Content Security Policy'));
  errors.push(...expected);

  const keyboard = await withTheKeyboard(page);
  const headings = await everyPage(page);
  const strays = await strayPages(page);
  const pictures = shots === 'none' ? [] : await pictured(browser);
  const live = channel === 'none' ? null : await tried(page);
  console.log(JSON.stringify({ policy, readyMs, inlineRan, keyboard, headings, strays, pictures, live, errors, foreign }));
} finally {
  await browser.close();
}

/** From the top: skips to the content, searches, walks through the tabs of an event. Nothing is clicked. */
async function withTheKeyboard(page) {
  const steps = {};
  const focused = (read) => page.evaluate(read);
  await page.keyboard.press('Tab');
  steps.skip = await focused(() => document.activeElement.className === 'skip');
  await page.keyboard.press('/');
  steps.search = await focused(() => document.activeElement.id === 'search');
  const [event] = await page.evaluate(() => [...document.querySelectorAll('nav .events a')].map((one) => one.textContent));
  await page.keyboard.type(event);
  await page.waitForSelector('#results:not([hidden]) [role=option]');
  await page.keyboard.press('ArrowDown');
  steps.option = await focused(() => document.activeElement.getAttribute('aria-activedescendant') !== null);
  await page.keyboard.press('Enter');
  await page.waitForSelector('article.event.target');
  steps.event = await focused(() => document.activeElement.matches('article.event'));
  const reach = async (selector) => {
    for (let presses = 0; presses < 60; presses += 1) {
      if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return true;
      await page.keyboard.press('Tab');
    }
    return false;
  };
  steps.side = await reach('.segments button[data-side=publish]');
  await page.keyboard.press('Enter');
  steps.pressed = await focused(() => document.activeElement.getAttribute('aria-pressed') === 'true');
  steps.tabs = await reach('[role=tab]');
  await page.keyboard.press('ArrowRight');
  steps.tab = await focused(() => document.activeElement.matches('[role=tab][aria-selected=true]') && document.activeElement.textContent !== 'Example');
  await page.keyboard.press('Escape');
  return steps;
}

/** Every page of the contents, by its address alone: it has a heading of its own. */
async function everyPage(page) {
  const hashes = await page.evaluate(() => [...document.querySelectorAll('nav a')].map((one) => one.hash).filter((hash) => hash.split('/').length < 4));
  const headings = [];
  for (const hash of hashes) {
    await page.goto(`${url}${hash}`);
    await page.reload();
    await page.waitForSelector('html[data-ready]');
    headings.push(await page.textContent('main h1'));
  }
  return headings;
}

/** Addresses that name nothing, some of which every object of JavaScript has something for. */
async function strayPages(page) {
  const headings = [];
  for (const hash of ['#/nowhere', '#/constructor', '#/__proto__/x', '#/channels/toString', '#/%E0%A4%A']) {
    await page.goto(`${url}${hash}`);
    await page.reload();
    await page.waitForSelector('html[data-ready]');
    headings.push(await page.textContent('main h1'));
  }
  return headings;
}

/** Pictures for the README, in both schemes. */
async function pictured(browser) {
  await mkdir(shots, { recursive: true });
  const made = [];
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme });
    const page = await context.newPage();
    await page.goto(`${url}#/channels/room/message`);
    await page.waitForSelector('html[data-ready]');
    made.push({ colorScheme, ground: await page.evaluate(() => getComputedStyle(document.body).backgroundColor) });
    await page.screenshot({ path: `${shots}/docs-${colorScheme}.png` });
    await context.close();
  }
  return made;
}

/** Connects, says so, and waits for what somebody publishes over gRPC; then publishes the example that stands there. */
async function tried(page) {
  await page.goto(`${url}#/try/room`);
  await page.reload();
  await page.waitForSelector('html[data-ready]');
  await page.fill('#try-token', token);
  await page.fill('#try-channel', channel);
  await page.press('#try-channel', 'Enter');
  await page.waitForSelector('#try-status[data-state=open]');
  console.log('watching');
  await page.waitForSelector('#live .event');
  const fromBackend = await page.textContent('#live .event .preview');
  const verdict = await page.getAttribute('#live .event', 'data-verdict');
  await page.focus('#try-data');
  const example = await page.inputValue('#try-data');
  await page.keyboard.press('Control+Enter');
  await page.waitForFunction(() => document.querySelectorAll('#live .event').length === 2);
  const fromPage = await page.textContent('#live .event .preview');
  await page.fill('#try-data', '{"wrong": true}');
  const warned = await page.textContent('#try-problems');
  await page.keyboard.press('Control+Enter');
  await page.waitForFunction(() => document.querySelector('#try-problems').textContent.includes('SCHEMA_VIOLATION'));
  return { fromBackend, verdict, example, fromPage, warned };
}
