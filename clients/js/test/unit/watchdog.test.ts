import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { watchdog, type Watchdog } from "../../src/watchdog.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("it barks after the quiet time, counted from the last message, and again each time as long", () => {
  const bark = vi.fn();
  const dog = watchdog(1000, bark);
  vi.advanceTimersByTime(900);
  dog.fed();
  vi.advanceTimersByTime(999);
  expect(bark).toHaveBeenCalledTimes(0);
  vi.advanceTimersByTime(1);
  expect(bark).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1000);
  expect(bark).toHaveBeenCalledTimes(2);
  dog.stop();
  vi.advanceTimersByTime(10_000);
  expect(bark).toHaveBeenCalledTimes(2);
  expect(vi.getTimerCount()).toBe(0);
});

test("it may be stopped by its own bark", () => {
  const dog: Watchdog = watchdog(1000, () => dog.stop());
  vi.advanceTimersByTime(5000);
  expect(vi.getTimerCount()).toBe(0);
});

test("after a sleep that its timer shared, a look tells", () => {
  const bark = vi.fn();
  const dog = watchdog(1000, bark);
  vi.setSystemTime(Date.now() + 3_600_000);
  expect(bark).toHaveBeenCalledTimes(0);
  dog.look();
  expect(bark).toHaveBeenCalledTimes(1);
  dog.look();
  expect(bark).toHaveBeenCalledTimes(1);
  dog.stop();
});
