import { expect, test } from "vitest";
import { decodeChunks, encodeFrames, type Framing } from "../../src/framing/framing.ts";
import { type LineEnding, lines } from "../../src/framing/lines.ts";
import { verifyFraming } from "../../src/testing/mod.ts";
import { allCuts, chunksOf } from "../../src/testing/cuts.ts";
import { ChunkText } from "../../src/bytes/utf8.ts";
import { latin, read, toHex, transcript } from "../notation.ts";

const endings: LineEnding[] = ["lf", "crlf", "any"];
const samples = ["", "a", "bc", "de f", "hello world", "x".repeat(70), "\xff\x00", "a\x0bb"].map(
  latin,
);

test.each(endings)("lines(%s) keeps the contract of framings", (ending) => {
  const streams = ["a\r\nb\nc\rd\r\n", "\r\r\n\n\r", "0123456789\r", "0123456\n\r\nx"].map(latin);
  verifyFraming(lines({ ending }), samples, { streams });
});

test.each([
  ["lf", "61 0a 0a 62 63 0a"],
  ["crlf", "61 0d 0a 0d 0a 62 63 0d 0a"],
  ["any", "61 0a 0a 62 63 0a"],
] as const)("lines(%s) writes its golden bytes", (ending, bytes) => {
  expect(toHex(encodeFrames(lines({ ending }), ["a", "", "bc"].map(latin)))).toBe(bytes);
});

test.each([
  ["lf", "a\n\nb\r\n\r\n", ["a", "", "b\r", "\r"]],
  ["lf", "\n\n", ["", ""]],
  ["lf", "a\rb\n", ["a\rb"]],
  ["crlf", "a\r\n\r\nb\r\n", ["a", "", "b"]],
  ["any", "a\nb\r\n\r\n\n", ["a", "b", "", ""]],
  ["any", "a\r\r\nb\rc\n", ["a\r", "b\rc"]],
  ["any", "\r\r\r\n", ["\r\r"]],
] as const)("lines(%s) reads %j as %j", (ending, stream, frames) => {
  expect(read(lines({ ending }), stream)).toEqual(frames);
});

test.each([
  ["lf", "a\nlast", ["a", "last"]],
  ["lf", "last\r", ["last\r"]],
  ["lf", "a\n", ["a"]],
  ["lf", "", []],
  ["lf", "1234567890", ["1234567890"]],
  ["lf", "12345678901", ["FRAME_TOO_LARGE@10"]],
  ["any", "a\r\nlast", ["a", "last"]],
  ["any", "a\nlast\r", ["a", "last"]],
  ["any", "a\n\r", ["a", ""]],
  ["any", "1234567890\r", ["1234567890"]],
  ["crlf", "a\r\nlast", ["a", "last"]],
  ["crlf", "a\r\nlast\r", ["a", "FRAME_TRUNCATED@8"]],
  ["crlf", "la\rst", ["FRAME_TRUNCATED@5"]],
] as const)('lines(%s) with unterminated "deliver" reads %j as %j', (ending, stream, expected) => {
  expect(read(lines({ ending, unterminated: "deliver" }), stream, { maxFrameBytes: 10 })).toEqual(
    expected,
  );
});

test.each(endings)(
  'lines(%s) with unterminated "deliver" keeps the contract of framings',
  (ending) => {
    verifyFraming(lines({ ending, unterminated: "deliver" }), samples, {
      streams: ["a\r\nb\nc\rd", "\r\r\n\n\r", "0123456\n\r\nx"].map(latin),
    });
  },
);

test("lines() says in a truncated line's fault how much of it there was", () => {
  expect(decodeChunks(lines(), [latin("a\nlast")])).toMatchObject({
    frames: [latin("a")],
    fault: { code: "FRAME_TRUNCATED", offset: 6, size: 4 },
  });
});

test("lines(any) writes CR LF where it is told so, and then no CR in a line", () => {
  const telnet = lines({ ending: "any", write: "crlf" });
  expect(toHex(encodeFrames(telnet, ["a", ""].map(latin)))).toBe("61 0d 0a 0d 0a");
  expect(() => encodeFrames(telnet, [latin("a\rb")])).toThrow(
    expect.objectContaining({ code: "PAYLOAD_FORBIDDEN" }),
  );
  verifyFraming(telnet, samples);
});

test.each([
  [{ ending: "lf", write: "crlf" }, 'Cannot use write "crlf" with ending "lf": it is "lf"'],
  [{ ending: "crlf", write: "lf" }, 'Cannot use write "lf" with ending "crlf": it is "crlf"'],
  [{ ending: "any", write: "cr" }, 'Cannot use write "cr" with ending "any": it is "crlf" or "lf"'],
  [{ unterminated: true }, 'Cannot use unterminated true: it is "deliver" or "fault"'],
])("lines(%j) says what it takes", (options, message) => {
  expect(() => lines(options as never)).toThrow(new TypeError(message));
});

test.each([
  ["a lone LF", "ab\ncd\r\n", ["FRAME_MALFORMED@2"]],
  ["an LF at the start", "\n", ["FRAME_MALFORMED@0"]],
  ["a lone CR", "ab\rcd\r\n", ["FRAME_MALFORMED@2"]],
  ["a lone CR at the start", "\ra\r\n", ["FRAME_MALFORMED@0"]],
  ["CR CR LF", "ab\r\r\n", ["FRAME_MALFORMED@2"]],
  ["LF CR", "ok\r\na\n\rb\r\n", ["ok", "FRAME_MALFORMED@5"]],
  ["a lone CR, and then a lone LF", "a\rb\n", ["FRAME_MALFORMED@1"]],
])("lines(crlf) refuses %s at its byte, and nothing comes after", (_, stream, expected) => {
  expect(read(lines({ ending: "crlf" }), stream)).toEqual(expected);
});

test(
  "lines(crlf) lets nothing but CR LF end a line, of all strings of CR, LF and a dot up to seven " +
    "bytes",
  () => {
    for (let length = 1; length <= 7; length++) {
      for (let code = 0; code < 3 ** length; code++) {
        const stream = Array.from(
          { length },
          (_, place) => "\r\n."[Math.floor(code / 3 ** place) % 3],
        ).join("");
        const { frames, fault } = decodeChunks(lines({ ending: "crlf" }), [latin(stream)]);
        // By the grammar: the leading run of (dots CR LF), and then a fault unless nothing is left.
        const valid = /^(?:\.*\r\n)*/.exec(stream)?.[0] ?? "";
        expect(
          frames.map((frame) => frame.length),
          JSON.stringify(stream),
        ).toEqual(
          valid
            .split("\r\n")
            .slice(0, -1)
            .map((line) => line.length),
        );
        expect(fault === null, JSON.stringify(stream)).toBe(valid === stream);
      }
    }
  },
);

test.each([
  ["lf", "abc\nabcd\n", ["abc", "FRAME_TOO_LARGE@7"]],
  ["lf", "abc\r\n", ["FRAME_TOO_LARGE@3"]],
  ["crlf", "abc\r\nabcd\r\n", ["abc", "FRAME_TOO_LARGE@8"]],
  ["any", "abc\r\nabc\nabcd\n", ["abc", "abc", "FRAME_TOO_LARGE@12"]],
  ["any", "abc\r", ["FRAME_TRUNCATED@4"]],
  ["crlf", "abc\r", ["FRAME_TRUNCATED@4"]],
  ["any", "abc\rd\n", ["FRAME_TOO_LARGE@3"]],
  ["any", "abc\r\r\n", ["FRAME_TOO_LARGE@3"]],
  ["crlf", "abcd\n", ["FRAME_TOO_LARGE@3"]],
  ["crlf", "a\rbcd\r\n", ["FRAME_TOO_LARGE@3"]],
] as const)("lines(%s) with maxFrameBytes 3 reads %j as %j", (ending, stream, expected) => {
  expect(read(lines({ ending }), stream, { maxFrameBytes: 3 })).toEqual(expected);
});

test(
  "lines() rejects a frame above maxFrameBytes at its first excess byte, when it comes and not " +
    "before",
  () => {
    const faults: number[] = [];
    const decoder = lines().decoder({ maxFrameBytes: 3 });
    const sink = {
      frame: () => undefined,
      fault: ({ offset }: { offset: number }) => void faults.push(offset),
    };
    decoder.push(latin("abc"), sink);
    expect(faults).toEqual([]);
    decoder.push(latin("d"), sink);
    expect(faults).toEqual([3]);
  },
);

test.each([
  ["lf", "abcdefgh\nok\nabcd\n\nx\n", ["~FRAME_TOO_LARGE@3", "ok", "~FRAME_TOO_LARGE@15", "", "x"]],
  ["crlf", "abcdefgh\r\nok\r\nabcd\r\n", ["~FRAME_TOO_LARGE@3", "ok", "~FRAME_TOO_LARGE@17"]],
  ["crlf", "abcdef\nok\rok\r\nok\r\n", ["~FRAME_TOO_LARGE@3", "ok"]],
  ["any", "abcdefgh\r\nok\nabcd\r\nx\n", ["~FRAME_TOO_LARGE@3", "ok", "~FRAME_TOO_LARGE@16", "x"]],
  ["lf", "abcdefgh", ["~FRAME_TOO_LARGE@3"]],
] as const)(
  "lines(%s) skips an oversized line with one fault and goes on behind it: %j",
  (ending, stream, expected) => {
    expect(read(lines({ ending }), stream, { maxFrameBytes: 3, onOversize: "skip" })).toEqual(
      expected,
    );
  },
);

test("lines() delivers the frames behind a skipped one from the same chunk at once", () => {
  const frames: number[] = [];
  const decoder = lines().decoder({ maxFrameBytes: 3, onOversize: "skip" });
  decoder.push(latin("abcdef\nok\nzz\n"), {
    frame: (_, start, end) => void frames.push(end - start),
    fault: () => undefined,
  });
  expect(frames).toEqual([2, 2]);
});

test.each([
  ["lf", "a\nbc", 4, 2],
  ["crlf", "a\r\nbc\r", 6, 3],
  ["any", "\r", 1, 1],
] as const)(
  "lines(%s) reports a last line without its ending: %j",
  (ending, stream, offset, size) => {
    expect(transcript(lines({ ending }), stream).entries.at(-1)).toMatchObject({
      code: "FRAME_TRUNCATED",
      offset,
      size,
      fatal: true,
    });
  },
);

test("lines() reads the same at all cuts of a long line around the place where indexOf takes over", () => {
  for (const length of [62, 63, 64, 65, 66, 128]) {
    expect(read(lines(), `${"y".repeat(length)}\n${"z".repeat(length)}\n`)).toEqual([
      "y".repeat(length),
      "z".repeat(length),
    ]);
  }
});

test.each([
  ["lf", "a\nb", "PAYLOAD_FORBIDDEN"],
  ["lf", "\n", "PAYLOAD_FORBIDDEN"],
  ["lf", "a\r", null],
  ["crlf", "a\nb", "PAYLOAD_FORBIDDEN"],
  ["crlf", "a\rb", "PAYLOAD_FORBIDDEN"],
  ["crlf", "\r", "PAYLOAD_FORBIDDEN"],
  ["any", "a\nb", "PAYLOAD_FORBIDDEN"],
  ["any", "a\r", "PAYLOAD_FORBIDDEN"],
  ["any", "\r", "PAYLOAD_FORBIDDEN"],
  ["any", "a\rb", null],
] as const)("lines(%s) encodes %j or throws: %s", (ending, payload, code) => {
  const encode = (): Uint8Array => encodeFrames(lines({ ending }), [latin(payload)]);
  if (code === null) expect(read(lines({ ending }), encode())).toEqual([payload]);
  else expect(encode).toThrow(expect.objectContaining({ code }));
});

test("lines() looks at the payload alone when it encodes, not at the frames before it", () => {
  expect(
    read(
      lines({ ending: "any" }),
      encodeFrames(lines({ ending: "any" }), ["a", "", "b"].map(latin)),
    ),
  ).toEqual(["a", "", "b"]);
});

test("lines() says `partial` from a line's first byte to its ending", () => {
  const decoder = lines().decoder({ maxFrameBytes: 3, onOversize: "skip" });
  const sink = { frame: () => undefined, fault: () => undefined };
  const partials = ["", "a", "b\n", "", "abcd", "e", "\nx", "\n"].map((chunk) => {
    decoder.push(latin(chunk), sink);
    return decoder.partial;
  });
  expect(partials).toEqual([false, true, false, false, true, true, true, false]);
});

test("lines() ignores what comes after a fatal fault, whatever the cut", () => {
  for (const cut of allCuts(9)) {
    const { frames, fault } = decodeChunks(lines(), chunksOf(latin("abcd\nok\n\n"), cut), {
      maxFrameBytes: 3,
    });
    expect([frames.length, fault?.offset]).toEqual([0, 3]);
  }
});

test.each(endings)(
  "lines(%s) finds in the text of a codec what it finds in bytes, however long the lines are " +
    "and wherever chunks are cut",
  (ending) => {
    const end = ending === "crlf" ? "\r\n" : "\n";
    const lengths = [
      0, 3, 64, 64, 64, 1_023, 64, 1_025, 0, 5_000, 64, 64, 4_095, 4_096, 4_097, 20, 20_000, 64, 0,
      0, 1,
    ];
    const stream = latin(
      `${lengths.map((length, index) => (index % 3 === 0 ? "\xff" : "a").repeat(length)).join(end)}${end}${"b".repeat(700)}`,
    );
    const plain = decodeChunks(lines({ ending }), [stream]);
    for (const size of [1_023, 1_024, 1_500, 4_096, 4_160, 9_999, stream.length]) {
      const text = new ChunkText();
      const searching: Framing = {
        ...lines({ ending }),
        decoder: (limits) => {
          const decoder = lines({ ending }).decoder(limits);
          return {
            push: (chunk, sink) => {
              text.chunk(chunk);
              decoder.push(chunk, sink, text);
            },
            end: (sink) => {
              decoder.end(sink);
            },
          };
        },
      };
      const chunks = Array.from({ length: Math.ceil(stream.length / size) }, (_, index) =>
        stream.subarray(index * size, (index + 1) * size),
      );
      expect(decodeChunks(searching, chunks), `chunks of ${String(size)}`).toEqual(plain);
    }
  },
);

test("lines() refuses another ending", () => {
  expect(() => lines({ ending: "cr" as "lf" })).toThrow(
    new TypeError('Cannot use line ending "cr": it is "lf", "crlf" or "any"'),
  );
  expect(lines().name).toBe("lines(any)");
});

test("lines() finds an ending at every place, whatever bytes stand around it", () => {
  for (const filler of [0x00, 0x09, 0x0b, 0x8a, 0xff]) {
    for (let at = 0; at < 200; at++) {
      const stream = new Uint8Array(260).fill(filler);
      stream[at] = 0x0a;
      stream[259] = 0x0a;
      expect(
        decodeChunks(lines(), [stream]).frames.map((frame) => frame.length),
        `${String(filler)} ${String(at)}`,
      ).toEqual([at, 258 - at]);
    }
  }
});

test("lines(lf) and lines(crlf) take a text as a line of its own, but not one that holds an ending", () => {
  const limits = { maxFrameBytes: 100, onOversize: "close" } as const;
  const framed = (ending: LineEnding, text: string): string | null | undefined =>
    lines({ ending }).encoder(limits).frameText?.(text);
  expect([
    framed("lf", "a\r"),
    framed("lf", "a\nb"),
    framed("crlf", "a"),
    framed("crlf", "a\nb"),
    framed("crlf", "a\rb"),
  ]).toEqual(["a\r\n", null, "a\r\n", null, null]);
});
