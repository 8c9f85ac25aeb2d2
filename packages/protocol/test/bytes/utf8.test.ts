import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { allCuts, chunksOf } from "../../src/testing/cuts.ts";
import { ChunkText, utf8Decode, utf8Pieces, utf8Write } from "../../src/bytes/utf8.ts";
import { utf8Encode } from "../../src/bytes/utf8-write.ts";
import { hex, toHex } from "../notation.ts";

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

test(
  "utf8Write() writes RFC 3629's bytes for each of the 65 536 code units, and refuses the " +
    "surrogates, which have none",
  () => {
    const wrong: number[] = [];
    for (let unit = 0; unit < 0x10000; unit++) {
      const surrogate = unit >= 0xd800 && unit <= 0xdfff;
      const { ok, bytes } = written(String.fromCharCode(unit));
      const expected = surrogate ? [] : encodePoint(unit);
      if (ok === surrogate || toHex(bytes) !== toHex(Uint8Array.from(expected))) wrong.push(unit);
    }
    expect(wrong).toEqual([]);
  },
);

test.each([0x10000, 0x1f6a2, 0x10ffff])("utf8Write() writes four bytes for U+%d", (point) => {
  expect([...written(String.fromCodePoint(point)).bytes]).toEqual(encodePoint(point));
});

test.each(["a\ud800", "\udc00b", "\ud800\ud800\udc00", "\udc00\ud800"])(
  "utf8Write() writes nothing of %j, which holds a lone surrogate",
  (text) => {
    expect(written(text)).toEqual({ ok: false, bytes: new Uint8Array(0) });
  },
);

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
    expect(
      () => {
        const decoder = utf8Pieces();
        for (const chunk of chunksOf(bytes, cut)) decoder.decode(chunk, 0, chunk.length);
        decoder.end();
      },
      `cut at ${cut.join(" ")}`,
    ).toThrow(TypeError);
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

describe("ChunkText", () => {
  const texts = [
    "plain",
    "",
    "é",
    "€🚢",
    "\ufffd",
    "\ufeffa",
    "x".repeat(15),
    "y".repeat(16),
    "z".repeat(33),
    `${"w".repeat(31)}ü`,
    "last",
  ];

  /**
   * The texts, each behind bytes that are no text: where they begin, and the chunk, as a view into
   * storage or as a Buffer.
   */
  function chunkOf(
    between: number,
    wrap: (bytes: Uint8Array) => Uint8Array,
  ): { chunk: Uint8Array; ranges: [number, number][] } {
    const bytes: number[] = [];
    const ranges = Array.from({ length: 400 }, (_, index): [number, number] => {
      bytes.push(between, index & 0xff);
      const start = bytes.length;
      bytes.push(...utf8Encode(texts[index % texts.length] ?? ""));
      return [start, bytes.length];
    });
    return { chunk: wrap(Uint8Array.from(bytes)), ranges };
  }

  const forms: [string, (bytes: Uint8Array) => Uint8Array][] = [
    ["a Uint8Array", (bytes) => bytes],
    ["a view", (bytes) => Uint8Array.from([0xff, ...bytes, 0xff]).subarray(1, bytes.length + 1)],
    ["a Buffer", (bytes) => Buffer.from(Uint8Array.from([0xff, 0xff, ...bytes]).buffer, 2)],
  ];

  test.each(forms)("decodes each range of %s, whatever is between the ranges", (_, wrap) => {
    const decoder = new ChunkText();
    for (const between of [0x20, 0x80, 0xc3, 0xff, 0x20]) {
      const { chunk, ranges } = chunkOf(between, wrap);
      decoder.chunk(chunk);
      expect(ranges.map(([start, end]) => decoder.decode(chunk, start, end))).toEqual(
        ranges.map((_range, index) => texts[index % texts.length]),
      );
      decoder.chunk(null);
    }
  });

  test.each(forms)("refuses a range of %s that is not UTF-8, and goes on behind it", (_, wrap) => {
    const decoder = new ChunkText();
    const chunk = wrap(
      Uint8Array.from([
        ...utf8Encode("a".repeat(40)),
        0xc3,
        0x61,
        0xff,
        ...utf8Encode("b".repeat(40)),
      ]),
    );
    decoder.chunk(chunk);
    expect(decoder.decode(chunk, 0, 20)).toBe("a".repeat(20));
    for (const [start, end] of [
      [39, 41],
      [40, 42],
      [41, 43],
      [20, 60],
    ] as const)
      expect(() => decoder.decode(chunk, start, end)).toThrow(TypeError);
    expect(decoder.decode(chunk, 43, 83)).toBe("b".repeat(40));
  });

  test.each(forms)(
    "finds a character in %s from every place, if it is within a block, whatever the bytes " +
      "around it",
    (_, wrap) => {
      const searched = new ChunkText();
      const chunk = wrap(
        Uint8Array.from(
          { length: 20_000 },
          (_value, at) =>
            ([0, 1, 90, 4_000, 4_095, 8_190, 8_191, 12_287, 12_288, 19_998].includes(at)
              ? 0x0a
              : (at * 7) | 0x80) & 0xff,
        ),
      );
      searched.chunk(chunk);
      for (const from of [
        0, 1, 2, 3, 89, 91, 4_000, 4_001, 4_094, 4_096, 8_189, 8_192, 12_288, 12_289, 15_903,
        19_998, 5_000, 0,
      ]) {
        const expected = chunk.indexOf(0x0a, from);
        const found = searched.indexOf(chunk, "\n", from);
        if (expected - from < 4_096) expect(found, `from ${String(from)}`).toBe(expected);
        else expect([-1, expected], `from ${String(from)}`).toContain(found);
      }
      expect(searched.indexOf(chunk, "\n", 19_999)).toBe(-1);
      expect(searched.indexOf(Uint8Array.from(chunk), "\n", 0)).toBe(-1);
      searched.chunk(null);
      expect(searched.indexOf(chunk, "\n", 0)).toBe(-1);
    },
  );
});
