import { expect, test } from "vitest";
import { pauseMs } from "../../src/backoff.js";
import { verdict } from "../../src/verdict.js";

const loss = (status?: number, reason = "SAID_BY_THE_HUB") => ({ status, reason });

test.each([
  // Close codes of the contract, less 4000, and HTTP statuses.
  [400, "stop"],
  [401, "renew"],
  [403, "stop"],
  [408, "later"],
  [413, "stop"],
  [422, "stop"],
  [429, "later"],
  [500, "later"],
  [503, "later"],
  [504, "later"],
] as const)("the hub's %i asks for %s", (status, expected) => {
  expect(verdict(loss(status))).toBe(expected);
});

test.each([
  [undefined, "elsewhere"],
  [401, "renew"],
  [403, "elsewhere"],
  [404, "elsewhere"],
  [405, "elsewhere"],
  [426, "elsewhere"],
  [501, "elsewhere"],
  [502, "later"],
  [503, "later"],
] as const)("%s of something on the way asks for %s", (status, expected) => {
  expect(verdict(loss(status, "UNREACHABLE"))).toBe(expected);
});

test("what was planned is no failure, and the application decides about its token", () => {
  expect(verdict({ ...loss(), planned: true })).toBe("later");
  expect(verdict(loss(undefined, "TOKEN_UNAVAILABLE"))).toBe("later");
  expect(verdict(loss(undefined, "SIGNED_OUT"))).toBe("stop");
});

test("a pause is anything from nothing to its limit, which doubles up to a maximum", () => {
  expect(pauseMs(0, 0)).toBe(0);
  expect([0, 1, 2, 5, 6, 1e9].map((failures) => pauseMs(failures, 0.999_999))).toEqual([
    500, 1000, 2000, 16_000, 20_000, 20_000,
  ]);
});
