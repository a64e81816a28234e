import { expect, test, vi } from "vitest";
import { Tokens } from "../../src/token.js";

test("a callback is asked when a token is needed, and once for all who need it", async () => {
  let asked = 0;
  const tokens = new Tokens(async () => `token ${++asked}`);
  expect(await Promise.all([tokens.current(), tokens.current(), tokens.renewed()])).toEqual(Array(3).fill("token 1"));
  expect(await tokens.current()).toBe("token 1");
  expect(await tokens.renewed()).toBe("token 2");
});

test("a fixed token is what it is", async () => {
  const tokens = new Tokens("mine");
  expect(tokens.renewable).toBe(false);
  expect(await tokens.current()).toBe("mine");
  await expect(tokens.renewed()).rejects.toMatchObject({ reason: "SIGNED_OUT" });
});

test("no token at all leaves it to cookies", async () => {
  expect(await new Tokens(undefined).current()).toBeUndefined();
});

test("a callback without a token has signed out; one that fails may do better later", async () => {
  await expect(new Tokens(() => null).current()).rejects.toMatchObject({ reason: "SIGNED_OUT" });
  let fails = true;
  const tokens = new Tokens(() => {
    if (fails) throw new Error("no network");
    return "token";
  });
  await expect(tokens.current()).rejects.toMatchObject({ reason: "TOKEN_UNAVAILABLE" });
  fails = false;
  expect(await tokens.current()).toBe("token");
});

test("a callback that never answers is given up, and asked again the next time", async () => {
  vi.useFakeTimers();
  let asked = 0;
  const tokens = new Tokens(() => (asked++ === 0 ? new Promise(() => {}) : "token"));
  const first = expect(tokens.current()).rejects.toMatchObject({ reason: "TOKEN_UNAVAILABLE" });
  await vi.advanceTimersByTimeAsync(60_000);
  await first;
  expect(await tokens.current()).toBe("token");
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});
