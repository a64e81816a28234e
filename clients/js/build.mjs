// Builds `dist/`: one ES module with its source map, and the type declarations.

import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

rmSync(here("dist"), { recursive: true, force: true });
await build({
  entryPoints: [here("src/index.ts")],
  outfile: here("dist/index.js"),
  bundle: true,
  format: "esm",
  target: "es2022",
  sourcemap: true,
});
execFileSync(here("node_modules/.bin/tsc"), ["--project", here("tsconfig.build.json")], { stdio: "inherit" });
