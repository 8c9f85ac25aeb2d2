import { expect, test } from "vitest";
import { ByteWriter } from "../src/bytes.ts";
import { allCuts, chunksOf } from "../src/testing/cuts.ts";
import { utf8Decode, utf8Pieces, utf8Write } from "../src/utf8.ts";
import { utf8Encode } from "../src/utf8-write.ts";
import { hex, toHex } from "./notation.ts";

/** UTF-8 by RFC 3629's table, for one code point. */
function encodePoint(point: number): number[] {
  if (point < 0x80) return [point];
  const tail = (shift: number): number => 0x80 | ((point >> shift) & 0x3f);
  if (point < 0x800) return [0xc0 | (point >> 6), tail(0)];
  if (point < 0x10000) return [0xe0 | (point >> 12), tail(6), tail(0)];
  return [0xf0 | (point >> 18), tail(12), tail(6), tail(0)];
}

function written(text: string): { ok: boolean; bytes: Uint8Array } {
  const output = new ByteWriter();
  output.byte(0x7e);
  const ok = utf8Write(text, output);
  return { ok, bytes: output.copy(1) };
}

test("utf8Write() writes RFC 3629's bytes for each of the 65 536 code units, and refuses the surrogates, which have none", () => {
  const wrong: number[] = [];
  for (let unit = 0; unit < 0x10000; unit++) {
    const surrogate = unit >= 0xd800 && unit <= 0xdfff;
    const { ok, bytes } = written(String.fromCharCode(unit));
    const expected = surrogate ? [] : encodePoint(unit);
    if (ok === surrogate || toHex(bytes) !== toHex(Uint8Array.from(expected))) wrong.push(unit);
  }
  expect(wrong).toEqual([]);
});

test.each([0x10000, 0x1f6a2, 0x10ffff])("utf8Write() writes four bytes for U+%d", (point) => {
  expect([...written(String.fromCodePoint(point)).bytes]).toEqual(encodePoint(point));
});

test.each(["a\ud800", "\udc00b", "\ud800\ud800\udc00", "\udc00\ud800"])("utf8Write() writes nothing of %j, which holds a lone surrogate", (text) => {
  expect(written(text)).toEqual({ ok: false, bytes: new Uint8Array(0) });
});

test("utf8Encode() gives the bytes of a text", () => {
  expect(toHex(utf8Encode("é\n"))).toBe("c3 a9 0a");
});

test("utf8Decode() reads its range alone, and keeps a BOM", () => {
  expect(utf8Decode(hex("ff 61 c3 a9 ff"), 1, 4)).toBe("aé");
  expect(utf8Decode(hex("ef bb bf 61"), 0, 4)).toBe("\ufeffa");
  expect(utf8Decode(hex("61"), 1, 1)).toBe("");
});

test.each([
  ["a lone continuation", "80"],
  ["an overlong slash", "c0 af"],
  ["an overlong NUL", "c0 80"],
  ["an overlong two-byte form", "e0 80 af"],
  ["an overlong three-byte form", "f0 80 80 af"],
  ["a surrogate (CESU-8)", "ed a0 80"],
  ["a surrogate pair (CESU-8)", "ed a0 bd ed ba 82"],
  ["a point above U+10FFFF", "f4 90 80 80"],
  ["a byte that never stands in UTF-8", "fe"],
  ["a character without its end", "e2 82"],
  ["a character cut by another", "e2 82 61"],
  ["latin-1", "63 61 66 e9"],
  ["UTF-16 with its BOM", "ff fe 61 00"],
])("utf8Decode() and utf8Pieces() refuse %s", (_, digits) => {
  const bytes = hex(digits);
  expect(() => utf8Decode(bytes, 0, bytes.length)).toThrow(TypeError);
  for (const cut of allCuts(bytes.length)) {
    expect(() => {
      const decoder = utf8Pieces();
      for (const chunk of chunksOf(bytes, cut)) decoder.decode(chunk, 0, chunk.length);
      decoder.end();
    }, `cut at ${cut.join(" ")}`).toThrow(TypeError);
  }
});

test("utf8Pieces() gives the text at every cut, never half a character", () => {
  const whole = "aé\ufeff€🚢z";
  const bytes = utf8Encode(whole);
  for (const cut of allCuts(bytes.length)) {
    const decoder = utf8Pieces();
    const pieces = chunksOf(bytes, cut).map((chunk) => decoder.decode(chunk, 0, chunk.length));
    decoder.end();
    expect(pieces.join("")).toBe(whole);
    expect(pieces.every((piece) => piece.isWellFormed())).toBe(true);
  }
});

test("utf8Pieces().decode() reads its range alone", () => {
  const decoder = utf8Pieces();
  expect(decoder.decode(hex("ff c3 ff"), 1, 2)).toBe("");
  expect(decoder.decode(hex("ff a9 ff"), 1, 2)).toBe("é");
});
