// Judges AsyncAPI documents with the official parser and with Spectral's `asyncapi` ruleset.
//
// asyncapi_judge.mjs FILE...: prints a line of JSON, and exits with 1 when either complains.

import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";
import spectral from "@stoplight/spectral-core";
import rulesets from "@stoplight/spectral-rulesets";

const ERROR = 0;
const complaints = [];
for (const file of process.argv.slice(2)) {
  const text = await readFile(file, "utf8");
  const { document, diagnostics } = await new Parser().parse(text, { source: file });
  // Severity 0 is an error, 1 a warning; the rest are hints.
  for (const one of diagnostics.filter(({ severity }) => severity <= 1)) {
    complaints.push({ judge: "parser", file, severity: one.severity, message: one.message, path: one.path?.join(".") });
  }
  if (document === undefined) complaints.push({ judge: "parser", file, severity: ERROR, message: "not parsed" });

  const linter = new spectral.Spectral();
  linter.setRuleset(new spectral.Ruleset({ extends: [[rulesets.asyncapi, "recommended"]] }));
  for (const one of await linter.run(text)) {
    if (one.severity === ERROR) complaints.push({ judge: "spectral", file, message: one.message, code: one.code, path: one.path.join(".") });
    else complaints.push({ judge: "spectral", file, severity: one.severity, code: one.code, message: one.message, path: one.path.join(".") });
  }
}
const errors = complaints.filter(({ severity = ERROR }) => severity === ERROR);
console.log(JSON.stringify({ errors: errors.slice(0, 20), warnings: complaints.length - errors.length, warned: complaints.filter((c) => !errors.includes(c)).slice(0, 12) }, null, 1));
process.exit(errors.length === 0 ? 0 : 1);
