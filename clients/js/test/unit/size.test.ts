import { expect, test } from "vitest";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { options } from "../../bundle.mjs";

const LIMIT_BYTES = 8 * 1024;

test("all of it, minified and gzipped, is no more than 8 KB", async () => {
  const { outputFiles } = await build({ ...options, minify: true, write: false });
  const minified = outputFiles[0]!.contents;
  const { byteLength } = gzipSync(minified, { level: 9 });
  console.log(`@fanline/client: ${minified.byteLength} bytes minified, ${byteLength} gzipped, of ${LIMIT_BYTES}`);
  expect(byteLength).toBeLessThanOrEqual(LIMIT_BYTES);
});
