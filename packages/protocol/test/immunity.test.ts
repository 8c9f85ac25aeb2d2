// The immunity table (the faults of others that must not be ours), as far as it concerns bytes and
// frames: each title begins with its row. Rows about sockets, timers and sessions are tested where
// these live.
import { describe, expect, test } from "vitest";
import { ByteWriter } from "../src/bytes/writer.ts";
import { bytes, json, text } from "../src/codec/codec.ts";
import type { HawserError } from "../src/errors.ts";
import {
  decodeChunks,
  encodeFrames,
  type Framing,
  type FramingFault,
} from "../src/framing/framing.ts";
import { resolveFrameLimits } from "../src/limits.ts";
import {
  cobs,
  contentLength,
  delimited,
  dotStuffed,
  jsonSequence,
  lengthPrefixed,
  lines,
  mllp,
  netstring,
  octetCounted,
  slip,
  varintPrefixed,
  wire,
} from "../src/mod.ts";
import { WireDecoder } from "../src/engine.ts";
import { allCuts, chunksOf } from "../src/testing/cuts.ts";
import { meter } from "../src/testing/meter.ts";
import { Random } from "../src/testing/random.ts";
import { compare, disagreement, randomPayload } from "./models/agree.ts";
import { modelsByFraming } from "./models/all.ts";
import { hex, latin, read, toHex } from "./notation.ts";

const SILENT = { frame: () => undefined, fault: () => undefined };
const everyModel = Object.values(modelsByFraming).flat();
const everyFraming: [string, Framing][] = everyModel.map(({ framing }) => [framing.name, framing]);

/** A payload that the framing carries, of `length` bytes if it can be. */
function payloadFor(framing: Framing, length: number): Uint8Array {
  if (framing.name === "dotStuffed") return latin("x".repeat(length - 2) + "\r\n");
  if (framing.name.startsWith("fixedLength"))
    return new Uint8Array(Number(/\d+/.exec(framing.name)?.[0])).fill(0x78);
  for (const candidate of [
    new Uint8Array(length).fill(0x78),
    Uint8Array.from([0, 0, length - 2, ...latin("x".repeat(length))]).subarray(0, length),
  ]) {
    try {
      encodeFrames(framing, [candidate]);
      return candidate;
    } catch {
      // the next one: lengthPrefixed() with a small skip wants its own length in the payload
    }
  }
  const value = length - (framing.name === "lengthPrefixed(16 big)" ? 3 : 0);
  for (const header of [[0, 0, value - 1], [0, value], [value], [value - 1], [0, 0, value]]) {
    const candidate = Uint8Array.from([...header, ...latin("x".repeat(length))]).subarray(
      0,
      length,
    );
    for (let low = 0; low < 256; low++) {
      candidate[header.length - 1] = low;
      try {
        encodeFrames(framing, [candidate]);
        return candidate;
      } catch {
        // the next value
      }
    }
  }
  throw new Error(`no payload for ${framing.name}`);
}

/** Headers that announce exactly the default limit, and nothing behind them. */
const promises: [string, Framing, Uint8Array][] = [
  ["lengthPrefixed", lengthPrefixed(), hex("00 10 00 00")],
  ["lengthPrefixed, 8 bytes", lengthPrefixed({ bytes: 8 }), hex("00 00 00 00 00 10 00 00")],
  ["varintPrefixed", varintPrefixed(), hex("80 80 40")],
  ["netstring", netstring(), latin("1048576:")],
  ["octetCounted", octetCounted(), latin("1048576 ")],
  ["contentLength", contentLength(), latin("Content-Length: 1048576\r\n\r\n")],
];

test.each(promises)(
  "row 1: %s allocates for what arrived, not for the megabyte that its header promises",
  (_, framing, header) => {
    const { largestBytes } = meter((counted) => {
      const decoder = framing.decoder(resolveFrameLimits());
      decoder.push(counted(header), SILENT);
      expect(decoder.partial).toBe(true);
      decoder.push(counted(latin("xy")), SILENT);
    });
    expect(largestBytes).toBeLessThan(128);
  },
);

test.each(everyFraming)(
  "row 2: %s keeps no array per chunk: a frame of the largest size, one byte at a time",
  (_, framing) => {
    const payload = payloadFor(framing, 200);
    const stream = encodeFrames(framing, [payload]);
    const frames: number[] = [];
    const work = meter((counted) => {
      const decoder = framing.decoder({ maxFrameBytes: payload.length });
      for (const byte of stream)
        decoder.push(counted(hex(byte.toString(16).padStart(2, "0"))), {
          frame: (_bytes, start, end) => void frames.push(end - start),
          fault: SILENT.fault,
        });
    });
    expect(frames).toEqual([payload.length]);
    // hex() makes one for each chunk; the decoder's own are the steps of its growth, and
    // contentLength's those of its headers.
    expect(work.arrays - stream.length).toBeLessThan(30);
    expect(work.largestBytes).toBeLessThanOrEqual(payload.length + 32);
  },
);

test(
  "row 3: a flood of empty messages is stopped in the middle of a chunk, costs no memory before, " +
    "and waits as one chunk",
  () => {
    const flood = new Uint8Array(65_536).fill(0x0a);
    let delivered = 0;
    const decoder = new WireDecoder(
      wire({ framing: lines(), codec: text() }),
      {},
      {
        message: () => {
          if (++delivered % 256 === 0) decoder.hold();
        },
        finished: () => undefined,
        fault: () => undefined,
      },
    );
    decoder.push(flood);
    expect([delivered, decoder.waiting]).toEqual([256, 65_536 - 256]);
    for (let turn = 1; decoder.waiting > 0; turn++) {
      decoder.release();
      expect(delivered).toBe(256 * (turn + 1));
    }
    expect(delivered).toBe(65_536);
    const work = meter((counted) => {
      lines()
        .decoder({ maxFrameBytes: 8 })
        .push(counted(flood.subarray(0, 4096)), SILENT);
    });
    expect(work.arrays).toBe(0);
  },
);

describe("row 4: without an option, a frame that never ends is refused at 1 MiB", () => {
  const endless: [string, Framing, string][] = [
    ...(modelsByFraming["lines"]?.map(({ framing }): [string, Framing, string] => [
      framing.name,
      framing,
      "",
    ]) ?? []),
    ["delimited", delimited("||"), ""],
    ["mllp", mllp(), "\x0b"],
    ["dotStuffed", dotStuffed(), ""],
    ["slip", slip(), ""],
    ["cobs", cobs(), ""],
    ["jsonSequence", jsonSequence(), "\x1e"],
    ["contentLength", contentLength(), ""],
    ["netstring", netstring(), "9999999:"],
    ["octetCounted", octetCounted(), "9999999 "],
    ["varintPrefixed", varintPrefixed(), "\xff\xff\xff\x0f"],
    ["lengthPrefixed", lengthPrefixed(), "\x00\x10\x00\x01"],
  ];
  test.each(endless)("row 4: %s", (_, framing, begin) => {
    const faults: FramingFault[] = [];
    let sent = 0;
    const decoder = framing.decoder(resolveFrameLimits());
    const sink = { frame: SILENT.frame, fault: (fault: FramingFault) => void faults.push(fault) };
    decoder.push(latin(begin), sink);
    for (
      const chunk = new Uint8Array(65_536).fill(0x78);
      faults.length === 0 && sent < 2 ** 22;
      sent += chunk.length
    )
      decoder.push(chunk, sink);
    expect(faults).toMatchObject([{ fatal: true }]);
    expect(sent).toBeLessThanOrEqual(2 ** 20 + 65_536);
  });

  test("row 4: no limit can be switched off", () => {
    expect(() => resolveFrameLimits({ maxFrameBytes: Infinity })).toThrow(RangeError);
  });
});

test.each(everyFraming)(
  "row 5: %s holds the limit against a frame, not against a chunk of a thousand",
  (_, framing) => {
    const payload = payloadFor(framing, 9);
    const stream = encodeFrames(
      framing,
      Array.from({ length: 1000 }, () => payload),
    );
    const { frames, fault } = decodeChunks(framing, [stream], { maxFrameBytes: payload.length });
    expect([frames.length, fault]).toEqual([1000, null]);
  },
);

test.each<[string, Framing, string, number, string[]]>([
  ["Line(max 5)", lines({ ending: "crlf" }), "12345\r\nok\r\n", 5, ["12345", "ok"]],
  ["Delimiter ||", delimited("||"), "12345||ok||", 5, ["12345", "ok"]],
  [
    "Delimiter, discarding",
    delimited("||"),
    "1234567890||ok||zz||",
    5,
    ["~FRAME_TOO_LARGE@5", "ok", "zz"],
  ],
  ["Varint32 82 80 80 80 00", varintPrefixed(), "\x82\x80\x80\x80\x00hi", 5, ["FRAME_MALFORMED@4"]],
  ["Varint32 80 80 80 00", varintPrefixed(), "\x80\x80\x80\x00hi", 5, ["FRAME_MALFORMED@3"]],
])(
  "row 6: what Netty's %s reads by the cut, is read the same at every cut",
  (_, framing, stream, maxFrameBytes, expected) => {
    const onOversize = expected[0]?.startsWith("~") === true ? "skip" : "close";
    expect(read(framing, stream, { maxFrameBytes, onOversize })).toEqual(expected);
    for (const cut of stream.length <= 16 ? allCuts(stream.length) : []) {
      expect(
        decodeChunks(framing, chunksOf(latin(stream), cut), { maxFrameBytes, onOversize }).frames
          .length,
      ).toBe(expected.filter((one) => !one.includes("FRAME_")).length);
    }
  },
);

test.each(everyFraming)(
  "row 7: %s does twice the work for twice the bytes, one in each chunk",
  (_, framing) => {
    const steps = (count: number): number => {
      const frame = encodeFrames(framing, [payloadFor(framing, 100)]);
      const stream = Uint8Array.from(
        { length: count },
        (_unused, at) => frame[at % frame.length] as number,
      );
      return meter((counted) => {
        const decoder = framing.decoder({ maxFrameBytes: 4096 });
        for (let at = 0; at < stream.length; at++)
          decoder.push(counted(stream.subarray(at, at + 1)), SILENT);
      }).steps;
    };
    expect(steps(4000)).toBeLessThanOrEqual(2.2 * steps(2000));
  },
);

test(
  "row 7: contentLength does twice the work for a header of twice the length, and ends at 4 KiB " +
    "(vscode-jsonrpc: 79 s for 64 KiB)",
  () => {
    const cost = (count: number) => {
      let fault: FramingFault | null = null;
      const { steps } = meter((counted) => {
        const decoder = contentLength().decoder({ maxFrameBytes: 4096 });
        const byte = counted(latin("a"));
        for (let at = 0; at < count; at++)
          decoder.push(byte, {
            frame: SILENT.frame,
            fault: (got) => {
              fault ??= got;
            },
          });
      });
      return { steps, fault };
    };
    expect(cost(4000).steps / cost(2000).steps).toBeLessThan(2.2);
    expect(cost(65_536)).toMatchObject({ fault: { code: "FRAME_MALFORMED", offset: 4096 } });
    expect(cost(65_536).steps / cost(4096).steps).toBeLessThan(1.1);
  },
);

test.each<[string, Framing, string, number]>([
  ["a comma", netstring(), "5:hello;", 7],
  ["a colon", netstring(), "5;hello,", 1],
  ["a space", octetCounted(), "5\thello", 1],
  [
    "the CR of a header, at the LF that stands alone",
    contentLength(),
    "Content-Length: 5Z\nhello",
    18,
  ],
  ["the LF of a header", contentLength(), "Content-Length: 5\rZ\r\nhello", 17],
  ["the block's last CR", contentLength(), "Content-Length: 5\r\nZ\nhello", 20],
  ["the CR of a block's end", mllp(), "\x0bhello\x1cZ", 7],
  ["the start of a block", mllp(), "Zhello\x1c\r", 0],
  ["an escaped byte", slip(), "a\xdbZ\xc0", 2],
  ["a code", cobs(), "\x04ab\x00", 3],
  ["a record separator", jsonSequence(), "Z{}\n", 0],
  ["the LF before the next text", jsonSequence(), "\x1e{}\x1e{}\n", 3],
  ["the CR of a line", lines({ ending: "crlf" }), "helloZ\nok\r\n", 6],
  ["the LF of a line", lines({ ending: "crlf" }), "hello\rZok\r\n", 5],
  ["the LF before the dot", dotStuffed(), "a\rZ.\r\n", 1],
])("row 8: a terminator is verified, not skipped: %s, in %s", (_, framing, stream, offset) => {
  expect(read(framing, stream)).toEqual([`FRAME_MALFORMED@${offset}`]);
});

test(
  "row 9: of all strings of CR, LF and a dot, the line of one dot between CRLFs alone ends a " +
    "message",
  () => {
    const limits = { maxFrameBytes: 64, onOversize: "close" } as const;
    const [model] = modelsByFraming["dotStuffed"] ?? [];
    if (model === undefined) throw new Error("no model");
    for (let length = 1; length <= 7; length++) {
      for (let code = 0; code < 3 ** length; code++) {
        const stream = Array.from(
          { length },
          (_, place) => "\r\n."[Math.floor(code / 3 ** place) % 3],
        ).join("");
        expect(disagreement(model, stream, limits, [[], [Math.floor(length / 2)]])).toBeNull();
        const { frames } = decodeChunks(dotStuffed(), [latin(stream)]);
        expect(frames.length > 0, JSON.stringify(stream)).toBe(
          /^(?:(?!\.\r\n)\.*\r\n)*\.\r\n/.test(stream),
        );
      }
    }
  },
);

const badNumerals = [
  "+5",
  "-5",
  " 5",
  "5 ",
  "05",
  "005",
  "00",
  "0x5",
  "0X5",
  "5h",
  "5a",
  "5.0",
  "5.",
  ".5",
  "5e0",
  "5E0",
  "1e1",
  "5,",
  "5;",
  "5_0",
  "1_0",
  "\t5",
  "5\t",
  "5\0",
  "\x005",
  "\xb2",
  "\xd9\xa5",
  "\xef\xbc\x95",
  "0b101",
  "0o5",
  "0005",
  "1234567890",
  "99999999999999999999",
  "4294967301",
  "18446744073709551621",
  "Infinity",
  "NaN",
  "five",
  "V",
  "",
  "--5",
  "5-",
  "(5)",
  "5'",
  "٥",
].filter((numeral) => Array.from(numeral).every((letter) => letter.charCodeAt(0) < 256));

test.each(badNumerals)("row 10: no textual length is %j", (numeral) => {
  expect(badNumerals.length).toBeGreaterThanOrEqual(40);
  for (const [framing, stream] of [
    [netstring(), `${numeral}:hello,`],
    [octetCounted(), `${numeral} hello`],
    [contentLength(), `Content-Length: ${numeral}\r\n\r\nhello`],
  ] as const) {
    // "5" and its space, and then a payload that begins with one
    if (framing.name === "octetCounted" && numeral === "5 ") continue;
    const [first] = read(framing, stream);
    expect(first, framing.name).toMatch(/^FRAME_MALFORMED/);
  }
});

test.each([
  "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
  "Content-Length: 5\r\ncontent-LENGTH: 6\r\n\r\nhello",
])("row 10: no second length: %j", (stream) => {
  expect(read(contentLength(), stream)).toEqual(["FRAME_MALFORMED@19"]);
});

describe("row 11: lengths at the edges of integers", () => {
  const max = 1000n;
  const edges = [
    0n,
    1n,
    max,
    max + 1n,
    2n ** 31n - 1n,
    2n ** 31n,
    2n ** 31n + 1n,
    2n ** 32n - 1n,
    2n ** 32n,
    2n ** 53n - 1n,
    2n ** 53n,
    2n ** 53n + 1n,
    2n ** 63n - 1n,
    2n ** 63n,
    2n ** 64n - 1n,
  ];
  const varint = (value: bigint): string =>
    value < 128n
      ? String.fromCharCode(Number(value))
      : String.fromCharCode(Number(128n + (value % 128n))) + varint(value / 128n);

  test.each(edges)("row 11: %d", (length) => {
    const body = "x".repeat(Number(length > max + 1n ? 10n : length));
    const expected = length <= max ? ["="] : ["FRAME_TOO_LARGE"];
    const streams: [Framing, string, boolean][] = [
      ...([1, 2, 3, 4, 5, 6, 7, 8] as const).flatMap((width) =>
        (["big", "little"] as const).map((endian): [Framing, string, boolean] => {
          const digits = Array.from({ length: width }, (_, place) =>
            String.fromCharCode(Number((length >> BigInt(8 * place)) & 0xffn)),
          );
          return [
            lengthPrefixed({ bytes: width, endian }),
            (endian === "big" ? digits.reverse() : digits).join(""),
            length < 1n << BigInt(8 * width),
          ];
        }),
      ),
      [varintPrefixed(), varint(length), length < 2n ** 35n],
      [netstring(), `${length}:`, length < 10n ** 9n],
      [contentLength(), `Content-Length: ${length}\r\n\r\n`, length < 10n ** 9n],
    ];
    for (const [framing, header, sayable] of streams) {
      const stream = latin(`${header}${body}${framing.name === "netstring" ? "," : ""}`);
      const { frames, fault } = decodeChunks(framing, [stream], { maxFrameBytes: Number(max) });
      if (sayable)
        expect(
          [...frames.map(() => "="), ...(fault === null ? [] : [fault.code])],
          `${framing.name} ${header}`,
        ).toEqual(expected);
      else if (!framing.name.startsWith("length")) expect(fault?.code).toBe("FRAME_MALFORMED");
    }
  });
});

test(
  "row 12: what is encoded comes back as it was, or is refused: 500 hostile pairs for each " +
    "framing",
  () => {
    const random = new Random(12);
    for (const model of everyModel) {
      for (let run = 0; run < 500; run++) {
        const pair = [latin(randomPayload(model, random)), latin(randomPayload(model, random))];
        let stream: Uint8Array;
        try {
          stream = encodeFrames(model.framing, pair);
        } catch (error) {
          expect(error).toMatchObject({ code: "PAYLOAD_FORBIDDEN" });
          continue;
        }
        expect(decodeChunks(model.framing, [stream])).toEqual({ frames: pair, fault: null });
      }
    }
  },
);

test(
  "row 13: no code unit becomes a CR or an LF by losing half of itself, in any text codec and at " +
    "any place of a Buffer",
  () => {
    for (const storage of [new Uint8Array(512), Buffer.alloc(512)]) {
      for (const codec of [text(), json<string>()]) {
        for (let unit = 0; unit < 0x10000; unit++) {
          const output = new ByteWriter(storage);
          const message = `a${String.fromCharCode(unit)}`;
          try {
            codec.encode(message, output);
          } catch (error) {
            if (unit < 0xd800 || unit > 0xdfff) throw error;
            continue;
          }
          const written = output.bytes.subarray(0, output.length);
          if (
            (written.includes(0x0a) && unit !== 0x0a) ||
            (written.includes(0x0d) && unit !== 0x0d)
          )
            expect.fail(`U+${unit.toString(16)}: ${toHex(written)}`);
          if (codec.name === "text" && !Buffer.from(message, "utf8").equals(written))
            expect.fail(`U+${unit.toString(16)}: ${toHex(written)}`);
        }
      }
    }
  },
);

test(
  "row 21: noise is parsed or a fault, and nothing is thrown: 300 streams for each framing, as " +
    "the model says",
  () => {
    for (const model of everyModel) expect(compare(model, 300, 21)).toBeNull();
  },
);

test("row 21: noise is a message or a HawserError through every codec, with and without a sentinel", () => {
  const random = new Random(22);
  for (const codec of [text(), bytes(), json()]) {
    for (const sentinel of [undefined, "exit"]) {
      for (let run = 0; run < 300; run++) {
        const codes: string[] = [];
        const decoder = new WireDecoder(
          wire({ framing: lines(), codec, ...(sentinel === undefined ? {} : { sentinel }) }),
          { maxFrameBytes: 8 },
          {
            message: () => undefined,
            finished: (how) => void codes.push(how),
            fault: ({ code }) => void codes.push(code),
          },
        );
        for (let chunk = 0; chunk < 4; chunk++)
          decoder.push(
            random.bytes(random.below(12), chunk % 2 === 0 ? undefined : latin('exit\n"1{}')),
          );
        decoder.end();
        expect(codes.length).toBeGreaterThan(0);
      }
    }
  }
});

test.each(["[", '{"a":', '[{"a":'])(
  "row 22: a million nested %s are an error, not the end of the stack",
  (opening) => {
    const deep = latin(opening.repeat(1_000_000));
    const codes: string[] = [];
    const decoder = new WireDecoder(
      wire({ framing: lengthPrefixed(), codec: json() }),
      { maxFrameBytes: deep.length },
      {
        message: () => void codes.push("message"),
        finished: () => undefined,
        fault: ({ code }) => void codes.push(code),
      },
    );
    decoder.push(encodeFrames(lengthPrefixed(), [deep], { maxFrameBytes: deep.length }));
    expect(codes).toEqual(["MESSAGE_INVALID"]);
    expect(
      decodeChunks(jsonSequence(), [latin("\x1e"), deep, latin("\n")], { maxFrameBytes: 2 ** 24 })
        .fault?.code,
    ).toBe("FRAME_TRUNCATED");
  },
);

test(
  "row 29: a small message that is kept holds at most a block, not its chunk, and nothing of the " +
    "chunk's storage",
  () => {
    const chunk = encodeFrames(
      lengthPrefixed(),
      Array.from({ length: 5000 }, (_, at) => latin(String(at).padStart(8, "0"))),
    );
    const kept: Uint8Array[] = [];
    const decoder = new WireDecoder(
      wire({ framing: lengthPrefixed(), codec: bytes() }),
      {},
      {
        message: (message) => void kept.push(message),
        finished: () => undefined,
        fault: () => undefined,
      },
    );
    decoder.push(chunk);
    chunk.fill(0xff);
    expect(kept.map((message) => String.fromCharCode(...message))).toEqual(
      kept.map((_, at) => String(at).padStart(8, "0")),
    );
    const storages = new Set(kept.map((message) => message.buffer));
    expect(Math.max(...Array.from(storages, ({ byteLength }) => byteLength))).toBeLessThanOrEqual(
      16_384,
    );
    expect(storages.has(chunk.buffer)).toBe(false);
    expect(
      Array.from(storages).reduce((sum, { byteLength }) => sum + byteLength, 0),
    ).toBeLessThanOrEqual(2 * chunk.length);
  },
);

test.each(everyFraming.filter(([name]) => !name.startsWith("fixedLength")))(
  "row 30: %s delivers the frames behind a skipped one from the same chunk, at once",
  (_, framing) => {
    const small = payloadFor(framing, 9);
    const large = payloadFor(framing, 20);
    const stream = encodeFrames(framing, [large, small, large, large, small]);
    const heard: string[] = [];
    const decoder = framing.decoder({ maxFrameBytes: 12, onOversize: "skip" });
    decoder.push(stream, {
      frame: (_bytes, start, end) => void heard.push(String(end - start)),
      fault: ({ code, fatal }) => void heard.push(`${code} ${String(fatal)}`),
    });
    const skipped = "FRAME_TOO_LARGE false";
    expect(heard).toEqual([skipped, "9", skipped, skipped, "9"]);
  },
);

test("row 33: an error's text is at most 256 bytes and shows nothing of ten megabytes of bad input", () => {
  const secret = "hunter2-hunter2-hunter2";
  const input = latin(`${secret}\xff`.repeat(Math.ceil(10_000_000 / (secret.length + 1))));
  const errors: HawserError[] = [];
  const hear = {
    message: () => undefined,
    finished: () => undefined,
    fault: (error: HawserError) => void errors.push(error),
  };
  for (const [, framing] of everyFraming) {
    for (const codec of [text(), json()]) {
      const decoder = new WireDecoder(wire({ framing, codec }), {}, hear);
      for (let at = 0; at < 2 ** 21; at += 65_536) decoder.push(input.subarray(at, at + 65_536));
      decoder.end();
    }
  }
  const large = { maxFrameBytes: input.length };
  for (const codec of [text(), json()])
    new WireDecoder(wire({ framing: lengthPrefixed(), codec }), large, hear).push(
      encodeFrames(lengthPrefixed(), [input], large),
    );
  new WireDecoder(wire({ framing: lengthPrefixed(), codec: json() }), {}, hear).push(
    encodeFrames(lengthPrefixed(), [latin(secret)]),
  );
  expect(errors.length).toBeGreaterThanOrEqual(everyFraming.length * 2);
  for (const { message, cause } of errors) {
    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(256);
    const shown =
      cause instanceof Error ? `${message}${cause.message}` : `${message}${JSON.stringify(cause)}`;
    expect(shown).not.toContain("hunter");
  }
});
