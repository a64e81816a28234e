// Builds `dist/`: one ES module with its source map, and the type declarations.

import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { options } from "./bundle.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

rmSync(here("dist"), { recursive: true, force: true });
await build({ ...options, outfile: here("dist/index.js"), sourcemap: true });
execFileSync(here("node_modules/.bin/tsc"), ["--project", here("tsconfig.build.json")], { stdio: "inherit" });
