import { expect, test } from "vitest";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const LIMIT_BYTES = 9 * 1024;

test("all of it, minified and gzipped, is no more than 9 KB", async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("../../src/index.ts", import.meta.url))],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  const minified = outputFiles[0]!.contents;
  const { byteLength } = gzipSync(minified, { level: 9 });
  console.log(`@fanline/client: ${minified.byteLength} bytes minified, ${byteLength} gzipped, of ${LIMIT_BYTES}`);
  expect(byteLength).toBeLessThanOrEqual(LIMIT_BYTES);
});
