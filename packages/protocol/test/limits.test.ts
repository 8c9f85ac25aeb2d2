import { expect, test } from "vitest";
import { frameLimitTable, resolveFrameLimits, resolveLimits } from "../src/limits.ts";

const table = {
  idleTimeoutMs: { default: 60, unit: "milliseconds", min: 0, unlimited: true, reason: "none" },
  maxConnections: { default: 10, unit: "connections", min: 1, unlimited: false, reason: "none" },
} as const;

test("frameLimitTable has finite defaults that its own rows allow", () => {
  for (const row of Object.values(frameLimitTable)) {
    expect(Number.isSafeInteger(row.default)).toBe(true);
    expect(row.default).toBeGreaterThanOrEqual(row.min);
    expect(row.reason).not.toBe("");
  }
  expect(frameLimitTable.maxFrameBytes.default).toBe(1_048_576);
});

test("resolveLimits() takes defaults for what is absent or undefined, and what is given otherwise", () => {
  expect(resolveLimits(table, {})).toEqual({ idleTimeoutMs: 60, maxConnections: 10 });
  expect(resolveLimits(table, { idleTimeoutMs: undefined, maxConnections: 1 })).toEqual({
    idleTimeoutMs: 60,
    maxConnections: 1,
  });
  expect(Object.isFrozen(resolveLimits(table, {}))).toBe(true);
});

test("resolveLimits() ignores names that the table does not have", () => {
  const given: { maxConnections: number } = Object.assign({ maxConnections: 3 }, { other: -1 });
  expect(resolveLimits(table, given)).toEqual({ idleTimeoutMs: 60, maxConnections: 3 });
});

test("resolveLimits() takes Infinity only where the row says so, and the minimum", () => {
  expect(resolveLimits(table, { idleTimeoutMs: Infinity }).idleTimeoutMs).toBe(Infinity);
  expect(resolveLimits(table, { idleTimeoutMs: 0 }).idleTimeoutMs).toBe(0);
  expect(() => resolveLimits(table, { maxConnections: Infinity })).toThrow(
    new RangeError(
      "Cannot use maxConnections Infinity: it is a whole number of connections, at least 1",
    ),
  );
});

test.each([0, -1, 1.5, NaN, -Infinity, 2 ** 53])(
  "resolveLimits() refuses %d for a row of at least 1",
  (value) => {
    expect(() => resolveLimits(table, { maxConnections: value })).toThrow(RangeError);
  },
);

test("resolveLimits() names the value, the unit and Infinity where it is allowed", () => {
  expect(() => resolveLimits(table, { idleTimeoutMs: -1 })).toThrow(
    new RangeError(
      "Cannot use idleTimeoutMs -1: it is a whole number of milliseconds, at least 0, or Infinity",
    ),
  );
});

test.each(["5", null, true, 5n])(
  "resolveLimits() refuses %o, which is not a number, with a TypeError",
  (value) => {
    const given = { maxConnections: value as unknown as number };
    expect(() => resolveLimits(table, given)).toThrow(TypeError);
  },
);

test('resolveFrameLimits() gives 1 MiB and "close" by default', () => {
  expect(resolveFrameLimits()).toEqual({ maxFrameBytes: 1_048_576, onOversize: "close" });
  expect(resolveFrameLimits({ maxFrameBytes: 5, onOversize: "skip" })).toEqual({
    maxFrameBytes: 5,
    onOversize: "skip",
  });
});

test("resolveFrameLimits() refuses a limit of 0, which no frame passes, and one that is not finite", () => {
  expect(() => resolveFrameLimits({ maxFrameBytes: 0 })).toThrow(RangeError);
  expect(() => resolveFrameLimits({ maxFrameBytes: Infinity })).toThrow(RangeError);
});

test("resolveFrameLimits() refuses another policy", () => {
  expect(() => resolveFrameLimits({ onOversize: "truncate" as "skip" })).toThrow(
    new TypeError('Cannot use onOversize "truncate": it is "close" or "skip"'),
  );
});
