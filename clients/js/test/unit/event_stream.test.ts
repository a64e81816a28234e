import { expect, test } from "vitest";
import { eventStream, type Block } from "../../src/event_stream.js";

const STREAM =
  'event: fanline.open\nretry: 1500\ndata: {"a":1}\nid: e-1\n\n' +
  ":\n" +
  "data: one\r\ndata:two\r\rdata: three\n\n" +
  "event: fanline.retry\nretry: 10\n\n" +
  "id: only\n\nretry: x\ndata\n\n" +
  "data: never finished";

const BLOCKS: Block[] = [
  { event: "fanline.open", data: '{"a":1}', retry: 1500 },
  { event: "", data: "one\ntwo", retry: undefined },
  { event: "", data: "three", retry: undefined },
  { event: "fanline.retry", data: "", retry: 10 },
  { event: "", data: "", retry: undefined },
];

function read(pieces: string[]): Block[] {
  const blocks: Block[] = [];
  const push = eventStream((block) => blocks.push(block));
  pieces.forEach(push);
  return blocks;
}

test("blocks come out whatever the ends of lines", () => {
  expect(read([STREAM])).toEqual(BLOCKS);
});

test("blocks come out wherever the stream is cut", () => {
  for (let cut = 0; cut <= STREAM.length; cut += 1) {
    expect(read([STREAM.slice(0, cut), STREAM.slice(cut)]), `cut at ${cut}`).toEqual(BLOCKS);
  }
  expect(read([...STREAM])).toEqual(BLOCKS);
});

test("a line without end is not kept for ever", () => {
  const push = eventStream(() => {});
  const piece = "x".repeat(1 << 20);
  expect(() => {
    for (let pieces = 0; pieces < 9; pieces += 1) push(piece);
  }).toThrow(RangeError);
});
