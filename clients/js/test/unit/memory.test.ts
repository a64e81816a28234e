import { expect, test } from "vitest";
import { BELIEF_MS } from "../../src/machine.js";
import { Memory, type Storage } from "../../src/memory.js";

const NOW = 1_000_000;

function recalled(written: string | null): unknown {
  const storage: Storage = { getItem: () => written, setItem() {} };
  return new Memory(storage, new URL("http://hub/")).recall(NOW);
}

test("what an earlier page found is recalled while it may be believed", () => {
  const belief = { transport: "sse", until: NOW + BELIEF_MS };
  expect(recalled(JSON.stringify(belief))).toEqual(belief);
  expect(recalled(JSON.stringify({ ...belief, until: NOW }))).toBeUndefined();
});

test("what a page with a wrong clock, or anybody else, wrote is not believed for ever", () => {
  expect(recalled(JSON.stringify({ transport: "sse", until: NOW + BELIEF_MS + 1 }))).toBeUndefined();
  for (const written of [null, "", "null", "7", "[]", "{", '{"until":"x"}']) expect(recalled(written)).toBeUndefined();
});

test("a page that may not store anything goes without", () => {
  const forbidden = (): never => {
    throw new DOMException("no", "SecurityError");
  };
  const memory = new Memory({ getItem: forbidden, setItem: forbidden }, new URL("http://hub/"));
  expect(memory.recall(NOW)).toBeUndefined();
  memory.keep({ transport: "sse", until: NOW });
});
