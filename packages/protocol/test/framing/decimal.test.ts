import { expect, test } from "vitest";
import { parseDecimal } from "../../src/framing/decimal.ts";

test.each([
  ["0", 0],
  ["7", 7],
  ["1234567890", 1_234_567_890],
  ["9007199254740991", Number.MAX_SAFE_INTEGER],
])("parseDecimal(%j) is %d", (text, value) => {
  expect(parseDecimal(text)).toBe(value);
});

test.each([
  "",
  " ",
  " 1",
  "1 ",
  "1\n",
  "\t1",
  "0x10",
  "0b1",
  "0o7",
  "1e3",
  "1.0",
  ".5",
  "007",
  "00",
  "+5",
  "-0",
  "-1",
  "1_000",
  "1,000",
  "Infinity",
  "NaN",
  "null",
  "٣",
  "１",
  "9007199254740992",
  "1".repeat(400),
  "1\0",
])("parseDecimal(%j) is null, whatever Number() makes of it", (text) => {
  expect(parseDecimal(text)).toBeNull();
});

test("parseDecimal() keeps to its range", () => {
  expect([
    parseDecimal("0", 1),
    parseDecimal("1", 1),
    parseDecimal("191", 0, 191),
    parseDecimal("192", 0, 191),
  ]).toEqual([null, 1, 191, null]);
});
