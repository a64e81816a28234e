// Pastes the first example of the client's README into a fresh Vite project, type-checks it and runs it in Chromium.

import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { browserOptions } from './browser.mjs';
import { options } from './options.mjs';

const VITE = 'vite@8.3.8';
const { hub, token, port } = options('hub', 'token', 'port');
const client = new URL('../../clients/js/', import.meta.url).pathname;
const project = await mkdtemp(join(tmpdir(), 'fanline-vite-'));
const run = (program, ...words) =>
  execFileSync(program, words, { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

try {
  const readme = await readFile(join(client, 'README.md'), 'utf8');
  const [, example] = /```ts\n(.*?)```/s.exec(readme);
  const pasted = example.replace('http://127.0.0.1:8080', hub).replace('eyJ…', token);
  if (!pasted.includes(hub) || !pasted.includes(token)) throw new Error('the example has no place for hub and token');
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'fresh', private: true, type: 'module' }));
  await writeFile(join(project, 'index.html'), '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/main.ts"></script>');
  await writeFile(join(project, 'main.ts'), pasted);
  const [packed] = JSON.parse(run('npm', 'pack', client, '--json', '--ignore-scripts'));
  run('npm', 'install', '--no-audit', '--no-fund', '--ignore-scripts', VITE, `./${packed.filename}`);
  run(join(client, 'node_modules/.bin/tsc'), '--noEmit', '--strict', '--target', 'es2022', '--module', 'esnext',
    '--moduleResolution', 'bundler', '--lib', 'es2022,dom', '--types', '', 'main.ts');
  run(join(project, 'node_modules/.bin/vite'), 'build', '--logLevel', 'error');

  const { createServer } = await import(pathToFileURL(join(project, 'node_modules/vite/dist/node/index.js')));
  const server = await createServer({
    root: project,
    logLevel: 'error',
    server: { host: '127.0.0.1', port: Number(port), strictPort: true },
  });
  await server.listen();
  const browser = await chromium.launch(browserOptions);
  try {
    const page = await browser.newPage();
    const said = [];
    const errors = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    const hello = page.waitForEvent('console', {
      predicate: (message) => {
        (message.type() === 'error' ? errors : said).push(message.text());
        return message.text().includes('hello');
      },
      timeout: 60_000,
    });
    await page.goto(`http://127.0.0.1:${port}/`);
    await hello;
    console.log(JSON.stringify({ said, errors, files: packed.files.map(({ path }) => path) }));
  } finally {
    await browser.close();
    await server.close();
  }
} finally {
  await rm(project, { recursive: true });
}
