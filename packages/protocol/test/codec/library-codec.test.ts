import * as msgpack from "@msgpack/msgpack";
import * as cborg from "cborg";
import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../src/bytes/writer.ts";
import type { Codec } from "../../src/codec/codec.ts";
import { HawserError } from "../../src/errors.ts";
import { type CodecLibrary, libraryCodec } from "../../src/codec/library-codec.ts";
import { lengthPrefixed } from "../../src/framing/length-prefixed.ts";
import { wire, WireDecoder } from "../../src/wire/wire.ts";
import { hex, toHex } from "../notation.ts";

function encode(codec: Codec<unknown>, message: unknown): Uint8Array {
  const output = new ByteWriter();
  output.byte(0x7e);
  codec.encode(message, output);
  return output.copy(1);
}

function decode(codec: Codec<unknown>, source: Uint8Array): unknown {
  const within = Uint8Array.from([0xff, ...source, 0xff]);
  return codec.decode(within, 1, 1 + source.length);
}

/** Golden bytes from the formats' own pages: https://msgpack.org and RFC 8949, appendix A. */
describe.each([
  {
    name: "msgpack",
    library: msgpack,
    golden: { a: 1, b: [2, 3] },
    bytes: "82 a1 61 01 a1 62 92 02 03",
  },
  {
    name: "cbor",
    library: cborg,
    golden: { a: 1, b: [2, 3] },
    bytes: "a2 61 61 01 61 62 82 02 03",
  },
])("$name", ({ name, library, golden, bytes }) => {
  const codec = libraryCodec(name, library);

  test("has its name, and the bytes that the format's page shows", () => {
    expect(codec.name).toBe(name);
    expect(toHex(encode(codec, golden))).toBe(bytes);
    expect(decode(codec, hex(bytes))).toEqual(golden);
  });

  test.each([
    null,
    true,
    0,
    -1,
    2 ** 53 - 1,
    1.5,
    "",
    "é🚢",
    [],
    {},
    Array.from({ length: 1_000 }, (_, i) => ({ i, text: "x".repeat(i) })),
    new Uint8Array(70_000).fill(7),
  ])("carries a value in both directions (%#)", (value) => {
    expect(decode(codec, encode(codec, value))).toEqual(value);
  });

  test("what it decodes is no view of the source, which is overwritten", () => {
    const source = encode(codec, { blob: new Uint8Array([1, 2, 3]), text: "kept" });
    for (const storage of [source, Buffer.from(source)]) {
      const decoded = codec.decode(storage, 0, storage.length);
      storage.fill(0);
      expect(decoded).toEqual({ blob: new Uint8Array([1, 2, 3]), text: "kept" });
    }
  });

  test("throws for bytes that end early, go on, or are none, which a wire reports as MESSAGE_INVALID", () => {
    const whole = encode(codec, golden);
    for (const wrong of [
      whole.subarray(0, -1),
      Uint8Array.from([...whole, 0]),
      new Uint8Array(0),
      hex("c1"),
    ]) {
      expect(() => decode(codec, wrong)).toThrow();
      const faults: string[] = [];
      const framing = lengthPrefixed({ bytes: 1 });
      const decoder = new WireDecoder(
        wire({ framing, codec }),
        {},
        {
          message: () => undefined,
          finished: () => undefined,
          fault: ({ code }) => faults.push(code),
        },
      );
      decoder.push(Uint8Array.from([wrong.length, ...wrong]));
      expect(faults).toEqual(["MESSAGE_INVALID"]);
    }
  });

  test(
    "refuses what the format can't carry, with the library's error as the cause, and output as " +
      "it was",
    () => {
      const circle: Record<string, unknown> = {};
      circle["self"] = circle;
      for (const value of [circle, Symbol("s"), (): number => 1]) {
        const output = new ByteWriter();
        let thrown: unknown;
        try {
          codec.encode(value, output);
        } catch (error) {
          thrown = error;
        }
        expect(thrown).toBeInstanceOf(HawserError);
        expect(thrown).toMatchObject({
          code: "PAYLOAD_FORBIDDEN",
          origin: "local",
          message: `Cannot send a value as ${name}: the codec's library refuses it`,
        });
        expect((thrown as HawserError).cause).toBeInstanceOf(Error);
        expect(output.length).toBe(0);
      }
    },
  );

  test("survives a member __proto__ and a deep nest without harm to others", () => {
    const hostile = encode(codec, JSON.parse('{"__proto__":{"polluted":true}}'));
    try {
      decode(codec, hostile);
    } catch {
      // refusing it is as good
    }
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    const deep = new Uint8Array(1_000_001).fill(name === "msgpack" ? 0x91 : 0x81);
    deep[1_000_000] = 0x01;
    try {
      decode(codec, deep);
    } catch (error) {
      // a RangeError of the library's recursion is an error like others
      expect(error).toBeInstanceOf(Error);
    }
  });
});

const none: CodecLibrary = { encode: () => new Uint8Array(0), decode: () => null };

test("libraryCodec() copies what encode() returns before the library uses it again", () => {
  const shared = new Uint8Array([1, 2, 3]);
  const output = new ByteWriter();
  const codec = libraryCodec("shared", { ...none, encode: () => shared });
  codec.encode(1, output);
  shared.fill(9);
  codec.encode(2, output);
  expect(toHex(output.copy())).toBe("01 02 03 09 09 09");
});

test("libraryCodec() calls the library's functions on the library", () => {
  const library = {
    byte: 7,
    encode() {
      return new Uint8Array([this.byte]);
    },
    decode() {
      return this.byte;
    },
  };
  const codec = libraryCodec<number>("own", library);
  expect(toHex(encode(codec as Codec<unknown>, 1))).toBe("07");
  expect(codec.decode(new Uint8Array(1), 0, 1)).toBe(7);
});

test("libraryCodec() lets a HawserError of the library through", () => {
  const error = new HawserError("PAYLOAD_FORBIDDEN", "own");
  const codec = libraryCodec("own", {
    ...none,
    encode: () => {
      throw error;
    },
  });
  expect(() => encode(codec, 1)).toThrow(error);
});

test.each([
  ["undefined", undefined, "something else"],
  ["a text", "text", "something else"],
  ["an ArrayBuffer", new ArrayBuffer(1), "something else"],
  ["a promise", Promise.resolve(new Uint8Array(1)), "a promise"],
])("libraryCodec() says so when encode() returns %s", (_, result, what) => {
  const codec = libraryCodec("own", { ...none, encode: () => result as unknown as Uint8Array });
  expect(() => encode(codec, 1)).toThrow(
    new TypeError(
      `Cannot use the codec "own": its encode() returned ${what} where a Uint8Array is wanted`,
    ),
  );
});

test.each([
  ["", none, "without a name"],
  [7 as unknown as string, none, "without a name"],
  ["json", none, "Hawser's own"],
  ["text", none, "Hawser's own"],
  ["bytes", none, "Hawser's own"],
  [
    "x",
    { ...none, encode: undefined } as unknown as CodecLibrary,
    "encode(value) and decode(bytes)",
  ],
  [
    "x",
    { ...none, decode: undefined } as unknown as CodecLibrary,
    "encode(value) and decode(bytes)",
  ],
])("libraryCodec(%j) says what it needs (%#)", (name, library, text) => {
  expect(() => libraryCodec(name, library)).toThrow(TypeError);
  expect(() => libraryCodec(name, library)).toThrow(text);
});

test(
  "a library whose decode() answers with a promise is refused, and the promise's rejection harms " +
    "nobody",
  () => {
    const codec = libraryCodec("late", {
      encode: () => new Uint8Array(1),
      decode: () => Promise.reject(new Error("no")),
    });
    expect(() => codec.decode(new Uint8Array(1), 0, 1)).toThrow(
      "its decode() returned a promise; it must be synchronous",
    );
  },
);
