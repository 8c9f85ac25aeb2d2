import { expect, test } from "vitest";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { bytes, type Codec, json, text } from "../../src/codec/codec.ts";
import { HawserError } from "../../src/errors.ts";
import { hex, latin, toHex } from "../notation.ts";

function encode<Out>(codec: Codec<unknown, Out>, message: Out): Uint8Array {
  const output = new ByteWriter();
  output.byte(0x7e);
  codec.encode(message, output);
  return output.copy(1);
}

function decode<In>(codec: Codec<In>, source: Uint8Array): In {
  const within = Uint8Array.from([0xff, ...source, 0xff]);
  return codec.decode(within, 1, 1 + source.length);
}

const forbidden: unknown = expect.objectContaining({ code: "PAYLOAD_FORBIDDEN", origin: "local" });

test("codecs are told apart by name", () => {
  expect([text().name, bytes().name, json().name]).toEqual(["text", "bytes", "json"]);
});

/**
 * Decodes `messages` as they lie in one chunk, with `between` around each, as a framing would hand
 * them over.
 */
function decodeInChunk<In>(
  codec: Codec<In>,
  messages: readonly Uint8Array[],
  between: Uint8Array,
): { readonly decoded: In[]; readonly chunk: Uint8Array } {
  const chunk = Buffer.concat([between, ...messages.flatMap((message) => [message, between])]);
  codec.chunk?.(chunk);
  const decoded: In[] = [];
  let at = between.length;
  for (const message of messages) {
    decoded.push(codec.decode(chunk, at, at + message.length));
    at += message.length + between.length;
  }
  codec.chunk?.(null);
  return { decoded, chunk };
}

test.each([
  ["ASCII", Array.from({ length: 2_000 }, (_, i) => `message ${i}`)],
  [
    "text beyond ASCII",
    Array.from(
      { length: 2_000 },
      (_, i) => `Nachricht ${i}: ${"äöü€🚢".slice(0, (i * 3) % 7).toWellFormed()}`,
    ),
  ],
  [
    "ASCII with one wide character",
    [
      ...Array.from({ length: 900 }, () => "x".repeat(60)),
      "é",
      ...Array.from({ length: 900 }, () => "y".repeat(60)),
    ],
  ],
  ["messages of every length", Array.from({ length: 200 }, (_, i) => "z".repeat(i * 31))],
])("text() decodes %s in one chunk as it does each alone, whatever lies between", (_, messages) => {
  const encoded = messages.map((message) => Buffer.from(message));
  for (const between of ["\n", "\r\n", "\0\0\0\x40", "\xff\xfe", "\x80"]) {
    expect(decodeInChunk(text(), encoded, Buffer.from(between, "latin1")).decoded).toEqual(
      messages,
    );
  }
});

test("text() finds the one message of a chunk that is not UTF-8, and reads those around it", () => {
  const codec = text();
  const chunk = Buffer.concat([
    Buffer.from("a".repeat(50)),
    Buffer.from([0xc3, 0x28]),
    Buffer.from("b".repeat(50)),
  ]);
  codec.chunk?.(chunk);
  expect(codec.decode(chunk, 0, 50)).toBe("a".repeat(50));
  expect(() => codec.decode(chunk, 50, 52)).toThrow();
  expect(codec.decode(chunk, 52, 102)).toBe("b".repeat(50));
});

test("text() and bytes() remember nothing of a chunk whose storage is used again", () => {
  for (const codec of [text(), bytes()] as Codec<unknown>[]) {
    const storage = Buffer.from("first first first second second");
    codec.chunk?.(storage);
    const kept = codec.decode(storage, 0, 5);
    const before = structuredClone(kept);
    codec.chunk?.(null);
    storage.fill("x");
    expect(kept).toEqual(before);
    codec.chunk?.(storage);
    expect(Buffer.from(codec.decode(storage, 0, 5) as string).toString()).toBe("xxxxx");
    codec.chunk?.(null);
  }
});

test("bytes() gives each message of a chunk its own bytes, in blocks that are small", () => {
  const messages = Array.from({ length: 1_000 }, (_, i) =>
    new Uint8Array(i % 97 === 0 ? 3_000 : i % 64).fill(i),
  );
  const { decoded, chunk } = decodeInChunk(bytes(), messages, Buffer.from("\n"));
  chunk.fill(0);
  expect(decoded).toEqual(messages);
  for (const message of decoded)
    expect(message.buffer.byteLength).toBeLessThanOrEqual(Math.max(16_384, message.length));
  decoded[5]?.fill(0xee);
  expect(decoded[4]).toEqual(messages[4]);
  expect(decoded[6]).toEqual(messages[6]);
});

test.each(["", "a", "é", "€", "🚢", "\ufeffbom", "\0", "a\r\nb", "\ufffd"])(
  "text() carries %j in both directions",
  (message) => {
    expect(toHex(encode(text(), message))).toBe(toHex(Buffer.from(message, "utf8")));
    expect(decode(text(), encode(text(), message))).toBe(message);
  },
);

test(
  "text() never makes a CR or LF of another character: the bytes are UTF-8, not the low halves " +
    "of the code units",
  () => {
    expect(toHex(encode(text(), "\u760d\u760a"))).toBe("e7 98 8d e7 98 8a");
  },
);

test.each(["\ud800", "a\udfff", "\udc00\ud800"])(
  "text() refuses to send %j, which has no UTF-8",
  (message) => {
    expect(() => encode(text(), message)).toThrow(forbidden);
  },
);

test.each([
  [7, "a value of type number"],
  [null, "null"],
  [["a"], "an array"],
  [undefined, "a value of type undefined"],
  [new Uint8Array(1), "a value of type object"],
])("text() refuses %j with a TypeError that names its type", (message, name) => {
  expect(() => encode(text(), message as unknown as string)).toThrow(
    new TypeError(`Cannot send ${name} as text: it takes a string`),
  );
});

test("text() throws for bytes that are not UTF-8", () => {
  expect(() => decode(text(), hex("c3"))).toThrow(TypeError);
});

test("text().pieces() gives null while a character is not complete, and throws when it never is", () => {
  const pieces = text().pieces?.();
  expect(pieces?.decode(hex("ff e2 82"), 1, 3)).toBeNull();
  expect(pieces?.decode(hex("ac 61"), 0, 2)).toBe("€a");
  pieces?.end();
  expect(pieces?.decode(hex("e2"), 0, 1)).toBeNull();
  expect(() => pieces?.end()).toThrow(TypeError);
});

test("bytes() gives the receiver its own copy, also of a Buffer", () => {
  for (const chunk of [hex("01 02 03"), Buffer.from([1, 2, 3])]) {
    const message = bytes().decode(chunk, 1, 3);
    const piece = bytes().pieces?.().decode(chunk, 1, 3);
    chunk.fill(9);
    for (const one of [message, piece]) {
      expect(one).toEqual(hex("02 03"));
      expect(one?.buffer).not.toBe(chunk.buffer);
    }
  }
  expect(bytes().pieces?.().end()).toBeUndefined();
});

test("bytes() copies what it sends, and takes a Buffer", () => {
  const message = hex("01 02");
  const output = new ByteWriter();
  bytes().encode(message, output);
  message.fill(9);
  expect(toHex(output.copy())).toBe("01 02");
  expect(toHex(encode(bytes(), Buffer.from("ab")))).toBe("61 62");
});

test("bytes() keeps the storage that it may have, also that of a Buffer", () => {
  for (const chunk of [hex("ff 01 02 03").subarray(1), Buffer.from([1, 2, 3])]) {
    const message = bytes().adopt?.(chunk, 0, 3);
    expect(message).toEqual(hex("01 02 03"));
    expect(message?.buffer).toBe(chunk.buffer);
    expect(message?.constructor).toBe(Uint8Array);
  }
});

test("bytes({ copy: false }) says where a message is, and refuses what is no Uint8Array", () => {
  const message = hex("01 02");
  const codec = bytes({ copy: false });
  expect(codec.uncopied).toBe(true);
  expect(codec.bytes?.(message)).toBe(message);
  expect(() => codec.bytes?.("ab" as never)).toThrow(TypeError);
  expect(() => encode(codec, "ab" as never)).toThrow(TypeError);
  expect(toHex(encode(codec, message))).toBe("01 02");
  expect([bytes().uncopied, bytes({ copy: true }).uncopied, codec.name]).toEqual([
    undefined,
    undefined,
    "bytes",
  ]);
  expect(() => bytes({ copy: "no" as never })).toThrow(TypeError);
});

test.each(["ab", [1, 2], new ArrayBuffer(2), null])(
  "bytes() refuses %o, which is no Uint8Array",
  (message) => {
    expect(() => encode(bytes(), message as unknown as Uint8Array)).toThrow(TypeError);
  },
);

test.each([null, true, 0, -1.5e300, "", "é\u2028\n", [], [1, [2]], {}, { a: { b: null } }])(
  "json() carries %j in both directions",
  (message) => {
    expect(toHex(encode(json(), message))).toBe(
      toHex(Buffer.from(JSON.stringify(message), "utf8")),
    );
    expect(decode(json(), encode(json(), message))).toEqual(message);
  },
);

test("json() never writes a line ending", () => {
  expect([...encode(json(), { "a\r\nb": "\r\n\u2028" })]).not.toContain(0x0a);
});

const cycle: unknown[] = [];
cycle.push(cycle);
const thrower = {
  toJSON(): never {
    throw new Error("no");
  },
};

test.each([
  ["undefined", undefined],
  ["a function", () => 1],
  ["a symbol", Symbol("x")],
  ["a bigint", 1n],
  ["a cycle", cycle],
  ["a toJSON that throws", thrower],
])("json() refuses to send %s", (_, message) => {
  expect(() => encode(json(), message)).toThrow(forbidden);
});

test("json() says why in the cause", () => {
  let caught: unknown;
  try {
    encode(json(), thrower);
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(HawserError);
  expect((caught as HawserError).cause).toEqual(new Error("no"));
});

test("json() sends a lone surrogate as its escape, which is text", () => {
  expect(encode(json(), "\ud800")).toEqual(latin('"\\ud800"'));
});

test.each(["", "{", "{}}", "nul", "'a'", "[1,]", "\ufeff{}", "NaN", "1 2", "0x1"])(
  "json() throws for %j, which is not JSON, and does not quote it",
  (source) => {
    expect(() => decode(json(), Buffer.from(source, "utf8"))).toThrow(
      /^The text is not JSON( at position \d+( \(line \d+ column \d+\))?)?$/,
    );
  },
);

test("json() throws for JSON that is not UTF-8", () => {
  expect(() => decode(json(), hex("22 ff 22"))).toThrow(TypeError);
});

test("bytes() reads messages of chunks of every length, each its own for good", () => {
  const codec = bytes();
  const kept: { message: Uint8Array; expected: string }[] = [];
  for (const length of [10, 8_191, 8_192, 16_384, 16_385, 40_000]) {
    const chunk = Uint8Array.from({ length }, (_, at) => (at * 7 + length) % 251);
    codec.chunk?.(chunk);
    for (let at = 0, size = 1; at + size <= length; at += size, size = (size * 3) % 4_097) {
      kept.push({
        message: codec.decode(chunk, at, at + size),
        expected: toHex(chunk.subarray(at, at + size)),
      });
    }
    codec.chunk?.(null);
    chunk.fill(0);
  }
  for (const { message, expected } of kept) expect(toHex(message)).toBe(expected);
});

test("bytes() sends what an array holds, whatever its own length says", () => {
  class Lying extends Uint8Array {
    override get length(): number {
      return 1_000;
    }
  }
  const claims = Object.defineProperty(Uint8Array.of(4, 5), "length", { value: 1 });
  for (const message of [Lying.from([4, 5]), claims]) {
    const output = new ByteWriter();
    bytes().encode(message, output);
    expect([...output.copy()]).toEqual([4, 5]);
  }
});
