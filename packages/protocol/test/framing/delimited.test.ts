import { expect, test } from "vitest";
import { delimited } from "../../src/framing/delimited.ts";
import { decodeChunks, encodeFrames } from "../../src/framing/framing.ts";
import { verifyFraming } from "../../src/testing/mod.ts";
import { Random } from "../../src/testing/random.ts";
import { hex, latin, read, toHex, transcript } from "../notation.ts";

const samples = ["", "a", "bc", "de f", "hello world", "x".repeat(70), "\xff\x00"].map(latin);

test.each(["\f", "||", "aab"])("delimited(%j) keeps the contract of framings", (delimiter) => {
  const streams = ["|||a||||b|", "aaabaaaab", "\r\r\n\r", "\0\0\0\0\0a\0\0"].map(latin);
  verifyFraming(delimited(delimiter), samples, { streams });
});

test("delimited() writes its golden bytes, with a delimiter of text or bytes", () => {
  expect(toHex(encodeFrames(delimited("||"), ["a", "", "bc"].map(latin)))).toBe(
    "61 7c 7c 7c 7c 62 63 7c 7c",
  );
  expect(toHex(encodeFrames(delimited("é"), [latin("a")]))).toBe("61 c3 a9");
  expect(toHex(encodeFrames(delimited(hex("00 ff")), [latin("a")]))).toBe("61 00 ff");
});

test("delimited() keeps its own copy of the delimiter, also of a Buffer", () => {
  for (const delimiter of [latin("|"), Buffer.from("|")]) {
    const framing = delimited(delimiter);
    delimiter.fill(0x61);
    expect(read(framing, "a|b|")).toEqual(["a", "b"]);
  }
});

test.each([
  ["||", "a||b||", ["a", "b"]],
  ["||", "a|||", ["a", "FRAME_TRUNCATED@4"]],
  ["||", "||||", ["", ""]],
  ["||", "|a||b|", ["|a", "FRAME_TRUNCATED@6"]],
  ["aab", "aaabaab", ["a", ""]],
  ["abac", "ababac", ["ab"]],
])(
  "delimited(%j) reads %j as %j: the first delimiter after the last one",
  (delimiter, stream, expected) => {
    expect(read(delimited(delimiter), stream)).toEqual(expected);
  },
);

test.each([
  ["12345||ok||", ["12345", "ok"]],
  ["123456||ok||", ["FRAME_TOO_LARGE@5"]],
  ["12345|", ["FRAME_TRUNCATED@6"]],
  ["12345|6||", ["FRAME_TOO_LARGE@5"]],
  ["12345|||", ["12345", "FRAME_TRUNCATED@8"]],
  ["123456", ["FRAME_TOO_LARGE@5"]],
])(
  "delimited() counts neither the delimiter nor its beginning against maxFrameBytes 5: %j",
  (stream, expected) => {
    expect(read(delimited("||"), stream, { maxFrameBytes: 5 })).toEqual(expected);
  },
);

test.each([
  ["1234567890||ok||zz||", ["~FRAME_TOO_LARGE@5", "ok", "zz"]],
  ["12345678|||ok||", ["~FRAME_TOO_LARGE@5", "|ok"]],
  ["123456||123456||", ["~FRAME_TOO_LARGE@5", "~FRAME_TOO_LARGE@13"]],
  ["12345678", ["~FRAME_TOO_LARGE@5"]],
  ["12345678|", ["~FRAME_TOO_LARGE@5"]],
])(
  "delimited() skips an oversized frame with one fault and goes on behind it: %j",
  (stream, expected) => {
    expect(read(delimited("||"), stream, { maxFrameBytes: 5, onOversize: "skip" })).toEqual(
      expected,
    );
  },
);

test("delimited() tells how much of a frame without delimiter arrived", () => {
  expect(transcript(delimited("||"), "a||bcd|").entries.at(-1)).toMatchObject({
    code: "FRAME_TRUNCATED",
    offset: 7,
    size: 4,
  });
});

test.each([
  ["||", "a||b"],
  ["||", "||"],
  ["||", "a|"],
  ["||", "|"],
  ["aab", "xaab"],
  ["aba", "ab"],
  ["abab", "xab"],
])("delimited(%j) refuses to send %j: its delimiter would come too early", (delimiter, payload) => {
  expect(() => encodeFrames(delimited(delimiter), [latin(payload)])).toThrow(
    expect.objectContaining({ code: "PAYLOAD_FORBIDDEN" }),
  );
});

test.each([
  ["aab", "a", "a"],
  ["|||", "||a", "||a"],
  ["abac", "ab", "ab"],
])(
  "delimited(%j) sends %j, which ends with a beginning of the delimiter that does no harm",
  (delimiter, payload, expected) => {
    expect(
      read(delimited(delimiter), encodeFrames(delimited(delimiter), [latin(payload)])),
    ).toEqual([expected]);
  },
);

test(
  "delimited() reads back what it sends, or refuses it, for 4 000 payloads of the delimiter's " +
    "own letters",
  () => {
    const random = new Random(3);
    let refused = 0;
    for (let run = 0; run < 4000; run++) {
      const framing = delimited(random.bytes(1 + random.below(4), latin("ab")));
      const payloads = [
        random.bytes(random.below(6), latin("abc")),
        random.bytes(random.below(6), latin("abc")),
      ];
      try {
        const { frames } = decodeChunks(framing, [encodeFrames(framing, payloads)]);
        expect(frames.map(toHex)).toEqual(payloads.map(toHex));
      } catch (error) {
        expect(error).toMatchObject({ code: "PAYLOAD_FORBIDDEN" });
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(400);
    expect(refused).toBeLessThan(3600);
  },
);

test.each([
  ["||", "a||last", ["a", "last"]],
  ["||", "a||last|", ["a", "last|"]],
  ["||", "a||", ["a"]],
  ["||", "|", ["|"]],
  ["||", "123456", ["123456"]],
  ["||", "123456|", ["FRAME_TRUNCATED@7"]],
  ["||", "1234567", ["FRAME_TOO_LARGE@6"]],
])('delimited(%j) with unterminated "deliver" reads %j as %j', (delimiter, stream, expected) => {
  expect(
    read(delimited(delimiter, { unterminated: "deliver" }), stream, { maxFrameBytes: 6 }),
  ).toEqual(expected);
});

test.each(["\f", "||", "aab"])(
  'delimited(%j) with unterminated "deliver" keeps the contract of framings',
  (delimiter) => {
    verifyFraming(
      delimited(delimiter, { unterminated: "deliver" }),
      ["", "x", "hello", "y".repeat(40)].map(latin),
      { streams: ["x|||y|", "xaaab"].map(latin) },
    );
  },
);

test("delimited() refuses an empty delimiter", () => {
  expect(() => delimited("")).toThrow(RangeError);
  expect(() => delimited(new Uint8Array(0))).toThrow(RangeError);
});

test("delimited() says `partial` also for a beginning of the delimiter alone", () => {
  const decoder = delimited("||").decoder({ maxFrameBytes: 3 });
  decoder.push(latin("|"), { frame: () => undefined, fault: () => undefined });
  expect(decoder.partial).toBe(true);
});
