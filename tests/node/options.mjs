// Command line options of the scripts: `--name value`.

import { parseArgs } from 'node:util';

export function options(...names) {
  const spelled = Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
  const { values } = parseArgs({ options: spelled });
  for (const name of names) {
    if (values[name] === undefined) throw new Error(`--${name} is missing`);
  }
  return values;
}
