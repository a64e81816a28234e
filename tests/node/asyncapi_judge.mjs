// Judges AsyncAPI documents: by the official parser, by Spectral's `asyncapi` ruleset, and every example by a JSON Schema
// validator, which neither of the two does. Prints what they say as one line of JSON.

import { readFile } from 'node:fs/promises';
import { Parser } from '@asyncapi/parser';
import spectral from '@stoplight/spectral-core';
import rulesets from '@stoplight/spectral-rulesets';
import { Document } from './document.mjs';
import { options } from './options.mjs';

const ERROR = 0;
const outcome = { documents: 0, examples: 0, errors: [], warnings: {} };

for (const file of options('files').files.split(',')) {
  const text = await readFile(file, 'utf8');
  outcome.documents += 1;

  const { document, diagnostics } = await new Parser().parse(text, { source: file });
  if (document === undefined) outcome.errors.push(`${file}: the parser takes it for no document`);
  for (const one of diagnostics) note('parser', file, one);

  const linter = new spectral.Spectral();
  linter.setRuleset(new spectral.Ruleset({ extends: [[rulesets.asyncapi, 'recommended']] }));
  for (const one of await linter.run(text)) note('spectral', file, one);

  if (!file.endsWith('.json')) continue;
  const parsed = new Document(JSON.parse(text));
  for (const [key, message] of Object.entries(parsed.value.components.messages)) {
    for (const example of message.examples ?? []) {
      outcome.examples += 1;
      outcome.errors.push(...parsed.faults(key, example.payload).map((fault) => `${file}: example of ${key}: ${fault}`));
    }
  }
}
outcome.errors = outcome.errors.slice(0, 20);
console.log(JSON.stringify(outcome));

function note(judge, file, { severity, code, message, path = [] }) {
  if (severity === ERROR) outcome.errors.push(`${file}: ${judge}: ${path.join('.')}: ${message}`);
  else outcome.warnings[code] = (outcome.warnings[code] ?? 0) + 1;
}
