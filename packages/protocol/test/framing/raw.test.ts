import { expect, test } from "vitest";
import { decodeChunks, encodeFrames } from "../../src/framing/framing.ts";
import { raw } from "../../src/framing/raw.ts";
import { latin, toHex } from "../notation.ts";

const pieces = (chunks: string[], maxFrameBytes = 100): string[] =>
  decodeChunks(raw(), chunks.map(latin), { maxFrameBytes }).frames.map((piece) =>
    String.fromCharCode(...piece),
  );

test("raw() says that it has no frames", () => {
  expect(raw()).toMatchObject({ name: "raw", unframed: true });
  expect(raw().decoder({ maxFrameBytes: 1 }).partial).toBe(false);
});

test("raw() delivers chunks as they come, and nothing for an empty one", () => {
  expect(pieces(["ab", "", "c"])).toEqual(["ab", "c"]);
});

test.each([
  [1, ["a", "b", "c", "d", "e"]],
  [2, ["ab", "cd", "e"]],
  [4, ["abcd", "e"]],
  [5, ["abcde"]],
  [6, ["abcde"]],
])("raw() delivers at most maxFrameBytes (%d) at once", (max, expected) => {
  expect(pieces(["abcde"], max)).toEqual(expected);
});

test("raw() has no faults, and encodes what it is given", () => {
  expect(decodeChunks(raw(), [latin("a\n")]).fault).toBeNull();
  expect(toHex(encodeFrames(raw(), [latin("a\n"), latin("\0")]))).toBe("61 0a 00");
});
