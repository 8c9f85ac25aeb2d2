import { describe, expect, test } from "vitest";
import { decodeChunks, encodeFrames } from "../../src/framing/framing.ts";
import { lengthPrefixed, type LengthPrefixedOptions } from "../../src/framing/length-prefixed.ts";
import { verifyFraming } from "../../src/testing/mod.ts";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { hex, latin, read, toHex, transcript } from "../notation.ts";

type Width = NonNullable<LengthPrefixedOptions["bytes"]>;
const widths: Width[] = [1, 2, 3, 4, 5, 6, 7, 8];
const samples = ["", "a", "bc", "de f", "hello world", "x".repeat(70), "\0\0\0\x01"].map(latin);

/** A length field, written with BigInt and nothing of the source. */
function field(value: bigint, width: number, endian: "big" | "little"): number[] {
  const bytes = Array.from({ length: width }, (_, place) =>
    Number((value >> BigInt(8 * place)) & 0xffn),
  );
  return endian === "little" ? bytes : bytes.reverse();
}

test.each<LengthPrefixedOptions>([
  {},
  { bytes: 8, endian: "little" },
  { bytes: 3, offset: 2, adjustment: -1 },
  { bytes: 2, includesHeader: true },
])("lengthPrefixed(%j) keeps the contract of framings", (options) => {
  const streams = [
    hex("00 00 00 05 01 02"),
    hex("ff ff ff ff ff ff ff ff ff"),
    hex("00 01 02 03 04 05 06 07 08 09 0a 0b"),
    hex("01 01 01 01 01 01 01 01"),
  ];
  verifyFraming(lengthPrefixed(options), samples, { streams });
});

test(
  "lengthPrefixed() with a skip inside the header keeps the contract for payloads that bring " +
    "their own header",
  () => {
    const whole = lengthPrefixed({ bytes: 2, offset: 1, skip: 0 });
    verifyFraming(whole, [hex("09 00 00"), hex("07 00 01 61"), hex("07 00 03 61 62 63")]);
    verifyFraming(lengthPrefixed({ bytes: 2, skip: 1 }), [hex("00"), hex("02 61 62")]);
  },
);

describe.each(widths)("lengthPrefixed({ bytes: %d })", (width) => {
  test.each(["big", "little"] as const)(
    "writes and reads %s-endian lengths, as an independent writer does",
    (endian) => {
      const framing = lengthPrefixed({ bytes: width, endian });
      for (const length of [0, 1, 2, 127, 128, 255, ...(width > 1 ? [256, 1000] : [])]) {
        const payload = Uint8Array.from({ length }, (_, at) => at % 256);
        const stream = Uint8Array.from([...field(BigInt(length), width, endian), ...payload]);
        expect(toHex(encodeFrames(framing, [payload]))).toBe(toHex(stream));
        expect(decodeChunks(framing, [stream])).toEqual({ frames: [payload], fault: null });
      }
    },
  );

  test("takes a frame at the limit and refuses each length above it at the length's first byte", () => {
    const framing = lengthPrefixed({ bytes: width });
    expect(
      read(framing, Uint8Array.from([...field(5n, width, "big"), 1, 2, 3, 4, 5]), {
        maxFrameBytes: 5,
      }),
    ).toEqual(["\x01\x02\x03\x04\x05"]);
    const top = 1n << BigInt(8 * width);
    const lengths = [
      6n,
      127n,
      128n,
      255n,
      2n ** 31n - 1n,
      2n ** 31n,
      2n ** 31n + 1n,
      2n ** 32n - 1n,
      2n ** 53n - 1n,
      2n ** 53n,
      2n ** 53n + 1n,
      2n ** 63n,
      2n ** 64n - 1n,
    ];
    for (const length of lengths.filter((one) => one < top)) {
      const { entries } = transcript(
        framing,
        Uint8Array.from(
          [0, 0, 0, 0, 0, 0, 0, 0].slice(0, width).concat(field(length, width, "big"), [1, 2, 3]),
        ),
        { maxFrameBytes: 5 },
      );
      expect(entries[0], String(length)).toEqual(new Uint8Array(0));
      expect(entries[1], String(length)).toMatchObject({
        code: "FRAME_TOO_LARGE",
        offset: width,
        limit: 5,
        fatal: true,
      });
      // Near 2^53 and above, the size is rounded.
      expect((entries[1] as { size: number }).size / Number(length), String(length)).toBeCloseTo(
        1,
        12,
      );
      expect(entries.length).toBe(2);
    }
  });
});

test.each([
  ["the plain one", {}, "61 62", "00 00 00 02 61 62"],
  [
    "Netty's LengthFieldBasedFrameDecoder: whole frame, length counts all",
    { bytes: 2, includesHeader: true },
    "61 62 63",
    "00 05 61 62 63",
  ],
  [
    "Netty's: two bytes of header 1 before the length",
    { bytes: 3, offset: 2 },
    "61 62",
    "00 00 00 00 02 61 62",
  ],
  [
    "Netty's: HDR1 | length | HDR2 of one byte, which the length leaves out",
    { bytes: 2, offset: 1, adjustment: 1 },
    "fe 61 62",
    "00 00 02 fe 61 62",
  ],
  [
    "Netty's: the same, and the length counts the whole frame",
    { bytes: 2, offset: 1, adjustment: 0, includesHeader: true },
    "fe 61 62",
    "00 00 06 fe 61 62",
  ],
  ["Erlang's {packet, 2}", { bytes: 2 }, "68 69", "00 02 68 69"],
  ["gRPC's: compressed flag, u32", { bytes: 4, offset: 1 }, "08 01", "00 00 00 00 02 08 01"],
  ["Kafka's: i32", { bytes: 4 }, "00 12", "00 00 00 02 00 12"],
  [
    "TPKT (RFC 1006): version, reserved, u16 of the whole",
    { bytes: 2, offset: 2, includesHeader: true },
    "e0",
    "00 00 00 05 e0",
  ],
] as const)("lengthPrefixed() writes %s", (_, options, payload, bytes) => {
  const framing = lengthPrefixed(options);
  expect(toHex(encodeFrames(framing, [hex(payload)]))).toBe(bytes);
  expect(read(framing, hex(bytes + bytes)).map((frame) => toHex(latin(frame)))).toEqual([
    payload,
    payload,
  ]);
});

test.each([
  ["all of it", 0, "07 00 03 61", ["07 00 03 61"]],
  ["the flag and the length", 3, "07 00 03 61 62 63", ["61 62 63"]],
  ["the flag", 1, "07 00 01 61", ["00 01 61"]],
  ["half of the length", 2, "07 00 01 61", ["01 61"]],
])("lengthPrefixed() delivers what skip leaves: %s", (_, skip, stream, expected) => {
  const framing = lengthPrefixed({ bytes: 2, offset: 1, skip, adjustment: skip === 0 ? -2 : 0 });
  expect(read(framing, hex(stream)).map((frame) => toHex(latin(frame)))).toEqual(expected);
});

test("lengthPrefixed() counts what it delivers against the limit, not what the field says", () => {
  const framing = lengthPrefixed({ bytes: 1, skip: 0 });
  expect(read(framing, hex("02 61 62"), { maxFrameBytes: 3 })).toEqual(["\x02ab"]);
  expect(transcript(framing, hex("03 61 62 63"), { maxFrameBytes: 3 }).entries).toMatchObject([
    { code: "FRAME_TOO_LARGE", offset: 0, size: 4 },
  ]);
  expect(
    transcript(lengthPrefixed({ bytes: 1, adjustment: 10 }), hex("00"), { maxFrameBytes: 9 })
      .entries,
  ).toMatchObject([{ code: "FRAME_TOO_LARGE", size: 10 }]);
});

test.each([
  [{ bytes: 2, includesHeader: true }, "00 01 61", 0],
  [{ bytes: 2, includesHeader: true }, "00 00", 0],
  [{ bytes: 1, offset: 2, adjustment: -3 }, "aa bb 02 61", 2],
] as const)(
  "lengthPrefixed(%j) refuses a length below its own header at the length's first byte",
  (options, stream, offset) => {
    expect(read(lengthPrefixed(options), hex(stream))).toEqual([
      `FRAME_MALFORMED@${String(offset)}`,
    ]);
  },
);

test(
  "lengthPrefixed() skips an oversized frame by its length, however far the cuts are, with one " +
    "fault",
  () => {
    const limits = { maxFrameBytes: 2, onOversize: "skip" } as const;
    const framing = lengthPrefixed({ bytes: 1 });
    expect(read(framing, "\x05abcde\x02ok\x03abc\x01z", limits)).toEqual([
      "~FRAME_TOO_LARGE@0",
      "ok",
      "~FRAME_TOO_LARGE@9",
      "z",
    ]);
    expect(read(framing, "\x05abc", limits)).toEqual(["~FRAME_TOO_LARGE@0"]);
    expect(read(framing, "\x05", limits)).toEqual(["~FRAME_TOO_LARGE@0"]);
    expect(
      read(lengthPrefixed({ bytes: 4, skip: 0 }), hex("00 00 00 00 00 00 00 00"), limits),
    ).toEqual(["~FRAME_TOO_LARGE@0", "~FRAME_TOO_LARGE@4"]);
  },
);

test.each([
  ["00", 1, "the rest of its header is missing"],
  ["00 00 00", 3, "the rest of its header is missing"],
  ["00 00 00 03", 4, "3 bytes is missing"],
  ["00 00 00 03 61 62", 6, "1 bytes is missing"],
])("lengthPrefixed() tells what a frame that was cut off lacks: %s", (stream, size, missing) => {
  const [fault] = transcript(lengthPrefixed(), hex(stream)).entries;
  expect(fault).toMatchObject({
    code: "FRAME_TRUNCATED",
    offset: size,
    size,
    detail: expect.stringContaining(missing) as string,
  });
});

test("lengthPrefixed() delivers the empty frame as soon as its header is there", () => {
  const frames: number[] = [];
  const decoder = lengthPrefixed({ bytes: 2 }).decoder({ maxFrameBytes: 2 });
  const sink = {
    frame: (_: Uint8Array, start: number, end: number) => void frames.push(end - start),
    fault: () => undefined,
  };
  decoder.push(hex("00"), sink);
  expect([frames, decoder.partial]).toEqual([[], true]);
  decoder.push(hex("00"), sink);
  expect([frames, decoder.partial]).toEqual([[0], false]);
});

test.each([
  ["a payload that the field can't say", { bytes: 1 }, 256],
  ["a payload that the field can't say with its header", { bytes: 1, includesHeader: true }, 255],
  ["a payload shorter than the adjustment", { bytes: 1, adjustment: 5 }, 4],
  ["a payload shorter than the header in it", { bytes: 4, skip: 0 }, 3],
] as const)("lengthPrefixed() refuses to send %s", (_, options, length) => {
  expect(() => encodeFrames(lengthPrefixed(options), [new Uint8Array(length)])).toThrow(
    expect.objectContaining({ code: "PAYLOAD_FORBIDDEN" }),
  );
});

test.each([
  [{ bytes: 1 }, 255],
  [{ bytes: 1, includesHeader: true }, 254],
  [{ bytes: 1, adjustment: 5 }, 5],
  [{ bytes: 2 }, 65_535],
] as const)(
  "lengthPrefixed(%j) sends the edge of what its field says: %d bytes",
  (options, length) => {
    const framing = lengthPrefixed(options);
    expect(
      decodeChunks(framing, [encodeFrames(framing, [new Uint8Array(length)])]).frames.map(
        (frame) => frame.length,
      ),
    ).toEqual([length]);
  },
);

test.each([
  ["the whole field", { bytes: 2, skip: 0 }, "00 05 61", "PAYLOAD_FORBIDDEN"],
  ["the whole field, rightly", { bytes: 2, skip: 0 }, "00 01 61", null],
  ["the field's tail", { bytes: 2, skip: 1 }, "05 61", "PAYLOAD_FORBIDDEN"],
  ["the field's tail, rightly", { bytes: 2, skip: 1 }, "01 61", null],
] as const)(
  "lengthPrefixed() verifies a length in the payload: %s",
  (_, options, payload, code) => {
    for (const storage of [new Uint8Array(64), Buffer.alloc(64)]) {
      const encoder = lengthPrefixed(options).encoder({ maxFrameBytes: 100 });
      const output = new ByteWriter(storage);
      output.append(new Uint8Array(encoder.headerBytes));
      output.append(hex(payload));
      const seal = (): void => {
        encoder.seal(output, 0);
      };
      if (code === null) expect(seal).not.toThrow();
      else expect(seal).toThrow(expect.objectContaining({ code }));
    }
  },
);

test.each([
  ["bytes", 0],
  ["bytes", 9],
  ["bytes", 1.5],
  ["offset", -1],
  ["offset", 65],
  ["adjustment", 2 ** 31],
  ["adjustment", NaN],
  ["skip", -1],
  ["skip", 257],
])("lengthPrefixed({ %s: %d }) is refused with its range", (name, value) => {
  expect(() => lengthPrefixed({ [name]: value })).toThrow(RangeError);
  expect(() => lengthPrefixed({ [name]: value })).toThrow(
    `lengthPrefixed({ ${name}: ${String(value)} })`,
  );
});

test("lengthPrefixed() refuses options of the wrong type, and is named by its field", () => {
  expect(() => lengthPrefixed({ endian: "middle" as "big" })).toThrow(TypeError);
  expect(() => lengthPrefixed({ includesHeader: 1 as unknown as true })).toThrow(TypeError);
  expect(() => lengthPrefixed({ bytes: "4" as unknown as 4 })).toThrow(RangeError);
  expect(lengthPrefixed({ bytes: 3, endian: "little" }).name).toBe("lengthPrefixed(24 little)");
});

test.each([
  [{}, "hello\n"],
  [{ endian: "little" }, "GET / HTTP/1.1\r\n"],
  [{ bytes: 2 }, "ok\r\n"],
  [{ bytes: 8, offset: 2 }, "{}\t\r\nabc de"],
] as const)(
  "lengthPrefixed(%j) says that a length that is too large is text, and not which",
  (options, said) => {
    const { fault } = decodeChunks(lengthPrefixed(options), [new TextEncoder().encode(said)], {
      maxFrameBytes: 100,
    });
    expect(fault?.code).toBe("FRAME_TOO_LARGE");
    expect(fault?.detail).toMatch(
      /see whether the peer uses this framing: the length's bytes are ASCII text$/,
    );
  },
);

test("lengthPrefixed() takes no binary length for text", () => {
  for (const bytes of [hex("00 10 00 01"), hex("7f 41 41 41"), hex("ff ff ff ff")]) {
    expect(decodeChunks(lengthPrefixed(), [bytes]).fault?.detail).toMatch(/uses this framing$/);
  }
  expect(
    decodeChunks(lengthPrefixed({ bytes: 1 }), [hex("41")], { maxFrameBytes: 3 }).fault?.detail,
  ).toMatch(/uses this framing$/);
});
