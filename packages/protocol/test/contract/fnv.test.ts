import { expect, test } from "vitest";
import { fnv1a64 } from "../../src/contract/fnv.ts";

// The first from the test code of RFC 9923 (draft-eastlake-fnv), as published at
// http://www.isthe.com/chongo/src/fnv/test_fnv.c.
test.each([
  ["", "cbf29ce484222325"],
  ["a", "af63dc4c8601ec8c"],
  ["b", "af63df4c8601f1a5"],
  ["foobar", "85944171f73967e8"],
  ["chongo was here!\n", "46810940eff5f915"],
])("fnv1a64() of %j is the published value", (text, digest) => {
  expect(fnv1a64(text)).toBe(digest);
});

test("fnv1a64() agrees with a plain reading of the definition, over UTF-8", () => {
  for (let length = 0; length < 300; length++) {
    const text = Array.from({ length }, (_, i) =>
      String.fromCodePoint((i * 7919 + length * 104_729) % 0xd7ff),
    ).join("");
    expect(fnv1a64(text)).toBe(definition(Buffer.from(text)).toString(16).padStart(16, "0"));
  }
});

function definition(bytes: Uint8Array): bigint {
  return bytes.reduce(
    (hash, byte) => BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n),
    0xcbf29ce484222325n,
  );
}
