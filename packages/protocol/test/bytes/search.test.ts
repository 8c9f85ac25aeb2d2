import { expect, test } from "vitest";
import { Needle, NeedleSearch } from "../../src/bytes/search.ts";
import { allCuts, chunksOf } from "../../src/testing/cuts.ts";
import { meter } from "../../src/testing/meter.ts";
import { Random } from "../../src/testing/random.ts";
import { latin } from "../notation.ts";

/**
 * Ends of the matches that do not overlap, found the slow way: at each place, a look at the whole
 * needle.
 */
function slowEnds(text: Uint8Array, needle: Uint8Array): number[] {
  const ends: number[] = [];
  for (let at = 0; at + needle.length <= text.length;) {
    const found = needle.every((byte, i) => text[at + i] === byte);
    if (found) ends.push(at + needle.length);
    at += found ? needle.length : 1;
  }
  return ends;
}

/** The same, by NeedleSearch, over chunks. */
function ends(chunks: readonly Uint8Array[], needle: Uint8Array): number[] {
  const search = new NeedleSearch(new Needle(needle));
  const found: number[] = [];
  let offset = 0;
  for (const chunk of chunks) {
    for (
      let from = search.next(chunk, 0, chunk.length);
      from !== -1;
      from = search.next(chunk, from, chunk.length)
    )
      found.push(offset + from);
    offset += chunk.length;
  }
  return found;
}

test("new Needle() refuses no bytes, and keeps its own copy, also of a Buffer", () => {
  expect(() => new Needle(latin(""))).toThrow(RangeError);
  for (const bytes of [latin("ab"), Buffer.from("ab")]) {
    const needle = new Needle(bytes);
    bytes.fill(0);
    expect(ends([latin("xab")], needle.bytes)).toEqual([3]);
    expect(needle.length).toBe(2);
  }
});

test.each([
  ["|", "a|b||"],
  ["||", "a|||b|||||"],
  ["aab", "aaaabaaab"],
  ["abab", "abababab"],
  ["aabaaab", "aabaabaaabx"],
  ["\r\n.\r\n", "\r\n.\r\r\n.\r\n"],
])("NeedleSearch.next() finds %j in %j at every cut", (needle, text) => {
  const expected = slowEnds(latin(text), latin(needle));
  for (const cut of allCuts(text.length))
    expect(ends(chunksOf(latin(text), cut), latin(needle))).toEqual(expected);
});

test("NeedleSearch.next() agrees with a slow search on 20 000 random texts of few letters", () => {
  const random = new Random(5);
  for (let run = 0; run < 20_000; run++) {
    const needle = random.bytes(1 + random.below(6), [97, 98]);
    const text = random.bytes(random.below(24), [97, 98, 98]);
    const at = random.below(text.length + 1);
    expect(ends([text.subarray(0, at), text.subarray(at)], needle)).toEqual(slowEnds(text, needle));
  }
});

test("NeedleSearch.matched is how many of the last bytes begin the needle", () => {
  const search = new NeedleSearch(new Needle(latin("aab")));
  search.next(latin("xaaa"), 0, 4);
  expect(search.matched).toBe(2);
  search.next(latin("x"), 0, 1);
  expect(search.matched).toBe(0);
});

test("NeedleSearch.next() searches only its range: a match behind the end is not seen", () => {
  const search = new NeedleSearch(new Needle(latin("ab")));
  expect(search.next(latin("xxab"), 0, 3)).toBe(-1);
  expect(search.matched).toBe(1);
  expect(new NeedleSearch(new Needle(latin("b"))).next(latin("xxab"), 0, 3)).toBe(-1);
});

test("NeedleSearch.next() does not look behind its range: what is there may be long", () => {
  const needle = new Needle(latin("\n"));
  const storage = new Uint8Array(10_000);
  const { steps } = meter((counted) => {
    const bytes = counted(storage);
    const search = new NeedleSearch(needle);
    for (let at = 0; at < 100; at++) search.next(bytes, at, at + 1);
  });
  expect(steps).toBeLessThan(1000);
});
