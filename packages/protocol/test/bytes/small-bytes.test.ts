import { expect, test } from "vitest";
import { OwnBytes, SlabBytes, SMALL_BYTES, smallBytes } from "../../src/bytes/small-bytes.ts";

const ways = [
  ["SlabBytes", () => new SlabBytes()],
  ["OwnBytes", () => new OwnBytes()],
] as const;

const lengths = [0, 1, 31, 32, 64, 511, 512, 513, 1_000, 1_001, SMALL_BYTES];

test.each(ways)(
  "%s gives each message of a chunk its own bytes, from a Buffer, a Uint8Array and a view of one",
  (_, make) => {
    const plain = Uint8Array.from({ length: 20_000 }, (_unused, i) => i % 251);
    for (const chunk of [
      plain.slice(),
      Buffer.from(plain),
      new Uint8Array([9, ...plain]).subarray(1),
    ]) {
      const small = make();
      small.chunk(chunk);
      let at = 3;
      const messages = lengths.map((length) => {
        const message = small.copy(chunk, at, at + length);
        const expected = plain.slice(at, at + length);
        at += length + 4;
        return { message, expected };
      });
      small.chunk(null);
      chunk.fill(0);
      for (const { message, expected } of messages) {
        expect(message.constructor).toBe(Uint8Array);
        expect(message).toEqual(expected);
      }
      messages.at(4)?.message.fill(7);
      expect(messages.at(3)?.message).toEqual(messages.at(3)?.expected);
      expect(messages.at(5)?.message).toEqual(messages.at(5)?.expected);
    }
  },
);

test.each(ways)(
  "%s copies other bytes while it is at a chunk, and goes on with that",
  (_, make) => {
    const [chunk, other] = [Buffer.from("first second third"), Buffer.from("between")];
    const small = make();
    small.chunk(chunk);
    const messages = [
      small.copy(chunk, 0, 5),
      small.copy(other, 0, 7),
      small.copy(chunk, 6, 12),
      small.copy(chunk, 0, 5),
      small.copy(chunk, 13, 18),
    ];
    expect(messages.map((message) => Buffer.from(message).toString())).toEqual([
      "first",
      "between",
      "second",
      "first",
      "third",
    ]);
  },
);

test("OwnBytes has an array for each message of up to 512 bytes, and slabs above", () => {
  const small = new OwnBytes();
  const chunk = new Uint8Array(4_096);
  const storage = [64, 512, 513, 1_000].map(
    (length) => small.copy(chunk, 0, length).buffer.byteLength,
  );
  expect(storage).toEqual([64, 512, 16_384, 16_384]);
});

test("smallBytes() is SlabBytes where the runtime is not Bun", () => {
  expect(smallBytes().constructor).toBe("Bun" in globalThis ? OwnBytes : SlabBytes);
});
