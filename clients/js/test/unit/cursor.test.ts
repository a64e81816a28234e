import { expect, test } from "vitest";
import { cursorOf, positionIn } from "../../src/cursor.js";
import { isSeen } from "../../src/position.js";

// The lines that `hub/core/src/cursor.rs` pins.
const SEVERAL = "b82d9d906295f499-aB3-7.e5495bbaa03a6526-Zz9-0";

test("a cursor is written as the hub writes it, in whatever order the channels are", () => {
  const positions = new Map([
    ["news", "Zz9-0"],
    ["chat:lobby", "aB3-7"],
  ]);
  expect(cursorOf(["chat:lobby"], positions)).toBe("aB3-7");
  expect(cursorOf(["news", "chat:lobby"], positions)).toBe(SEVERAL);
  expect(cursorOf(["chat:lobby", "news"], positions)).toBe(SEVERAL);
  expect(cursorOf(["other"], positions)).toBeUndefined();
});

test("one position among several channels is not taken for that of all", () => {
  const cursor = cursorOf(["chat:lobby", "news"], new Map([["news", "Zz9-0"]]))!;
  expect(cursor).toBe("0000000000000000-0-0.e5495bbaa03a6526-Zz9-0");
  expect(positionIn(cursor, "chat:lobby", ["chat:lobby", "news"])).toBeUndefined();
});

test("the position of a channel is found in a cursor", () => {
  const both = ["chat:lobby", "news"];
  expect(positionIn(SEVERAL, "news", both)).toBe("Zz9-0");
  expect(positionIn(SEVERAL, "chat:lobby", both)).toBe("aB3-7");
  expect(positionIn(SEVERAL, "other", both)).toBeUndefined();
  expect(positionIn("aB3-7", "chat:lobby", ["chat:lobby"])).toBe("aB3-7");
});

test.each([
  ["e-7", undefined, false],
  ["e-7", "e-6", false],
  ["e-7", "e-7", true],
  ["e-7", "e-10", true],
  ["e-10", "e-9", false],
  // Beyond what a number can hold.
  ["e-18446744073709551615", "e-18446744073709551614", false],
  ["e-18446744073709551614", "e-18446744073709551615", true],
  // Another epoch is another count.
  ["f-1", "e-7", false],
])("the event at %s was seen by who stands at %s: %s", (position, last, expected) => {
  expect(isSeen(position, last)).toBe(expected);
});
