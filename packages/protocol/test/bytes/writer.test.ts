import { expect, test, vi } from "vitest";
import { ByteWriter, FrameBuffer } from "../../src/bytes/writer.ts";
import { hex, toHex } from "../notation.ts";

const counted = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => at % 251);

test("ByteWriter begins empty, without storage", () => {
  const writer = new ByteWriter();
  expect([writer.length, writer.bytes.length, writer.copy().length]).toEqual([0, 0, 0]);
});

test("ByteWriter.byte() and append() write in order", () => {
  const writer = new ByteWriter();
  writer.byte(1);
  writer.append(hex("02 03"));
  writer.append(hex("ff 04 05 ff"), 1, 3);
  writer.append(hex("aa bb 06"), 2);
  writer.append(hex(""));
  writer.byte(255);
  expect(toHex(writer.copy())).toBe("01 02 03 04 05 06 ff");
});

test.each([0, 1, 31, 32, 33, 255, 256, 257, 1000])(
  "ByteWriter.append() copies %d bytes, by loop or by set()",
  (length) => {
    const source = counted(length + 2);
    const writer = new ByteWriter();
    writer.byte(9);
    writer.append(source, 1, length + 1);
    writer.append(source.subarray(1, length + 1));
    const expected = [9, ...source.subarray(1, length + 1), ...source.subarray(1, length + 1)];
    source.fill(0);
    expect([...writer.copy()]).toEqual(expected);
  },
);

test("ByteWriter.append() takes its own bytes, also when they are moved", () => {
  const writer = new ByteWriter(new Uint8Array(4));
  writer.append(hex("01 02 03"));
  writer.append(writer.bytes, 0, 3);
  expect(toHex(writer.copy())).toBe("01 02 03 01 02 03");
});

test("ByteWriter.reserve() makes room without writing, and does nothing where there is room", () => {
  const writer = new ByteWriter();
  writer.reserve(1000);
  const { bytes } = writer;
  expect([writer.length, bytes.length >= 1000]).toEqual([0, true]);
  writer.reserve(1000);
  expect(writer.bytes).toBe(bytes);
});

test("ByteWriter grows by doubling: n bytes one by one are moved fewer than 2n times", () => {
  const writer = new ByteWriter();
  let moved = 0;
  for (let at = 0; at < 100_000; at++) {
    const before = writer.bytes;
    writer.byte(1);
    if (writer.bytes !== before) moved += at;
  }
  expect(moved).toBeLessThan(200_000);
});

test("ByteWriter.insert() moves what follows, at the start, inside and at the end", () => {
  for (const at of [0, 1, 3]) {
    const writer = new ByteWriter();
    writer.append(hex("01 02 03"));
    writer.insert(at, 2);
    writer.bytes.set(hex("aa bb"), at);
    const expected = [1, 2, 3];
    expected.splice(at, 0, 0xaa, 0xbb);
    expect([...writer.copy()]).toEqual(expected);
  }
});

test("ByteWriter.truncate() forgets, and copy() is not a view, also of a Buffer's storage", () => {
  for (const storage of [new Uint8Array(8), Buffer.alloc(8)]) {
    const writer = new ByteWriter(storage);
    writer.append(hex("01 02 03"));
    writer.truncate(2);
    const copy = writer.copy(1);
    writer.bytes.fill(9);
    expect(toHex(copy)).toBe("02");
    expect(copy.buffer).not.toBe(storage.buffer);
  }
});

test.each([0, 1, 1_048_575, 1_048_576, 3_000_000])(
  "ByteWriter.split() takes out %d bytes, which nothing that is written later changes",
  (length) => {
    for (const before of [0, 1, 300, 5_000]) {
      const writer = new ByteWriter();
      const [kept, taken] = [counted(before), counted(length + before).subarray(before)];
      writer.append(kept);
      writer.append(taken);
      const split = writer.split(before);
      writer.append(counted(2_000));
      expect(Buffer.compare(split, taken)).toBe(0);
      expect(Buffer.compare(writer.copy(), Buffer.concat([kept, counted(2_000)]))).toBe(0);
    }
  },
);

test("ByteWriter.split() copies what is short, and gives what is long out in its storage", () => {
  const writer = new ByteWriter();
  writer.append(counted(1_000));
  const { bytes: short } = writer;
  expect(writer.split(10).buffer).not.toBe(short.buffer);
  writer.append(counted(1_048_576));
  const { bytes: long } = writer;
  expect(writer.split(10).buffer).toBe(long.buffer);
  expect(writer.bytes.buffer).not.toBe(long.buffer);
});

test("FrameBuffer puts pieces together, as copies", () => {
  const buffer = new FrameBuffer();
  const chunk = hex("01 02 03");
  buffer.append(chunk, 0, 3);
  buffer.append(chunk, 1, 2);
  buffer.append(chunk, 2, 2);
  chunk.fill(9);
  expect(toHex(buffer.bytes.subarray(0, buffer.length))).toBe("01 02 03 02");
});

test("FrameBuffer has at most twice what arrived, whatever is expected", () => {
  const buffer = new FrameBuffer();
  for (let at = 1; at <= 5000; at++) {
    buffer.append(hex("07"), 0, 1, 2 ** 40);
    expect(buffer.bytes.length).toBeLessThanOrEqual(2 * at);
  }
});

test("FrameBuffer stops at what is expected", () => {
  const buffer = new FrameBuffer();
  for (let at = 0; at < 1000; at++) buffer.append(hex("07"), 0, 1, 1000);
  expect([buffer.length, buffer.bytes.length]).toEqual([1000, 1000]);
});

test(
  "FrameBuffer copies long storage to its successor while it fills, twice as much as comes, and " +
    "loses nothing",
  () => {
    const piece = counted(65_536);
    for (const [expected, pieces] of [
      [undefined, 100],
      [5_000_000, 76],
      [2_097_152, 32],
      [undefined, 16],
    ] as const) {
      const buffer = new FrameBuffer();
      const set = vi.spyOn(Uint8Array.prototype, "set");
      for (let at = 1; at <= pieces; at++) {
        set.mockClear();
        buffer.append(piece, 0, piece.length, expected);
        const copied = set.mock.calls.reduce((sum, [bytes]) => sum + bytes.length, 0);
        expect(copied).toBeLessThanOrEqual(at <= 16 ? 2 * 1_048_576 : 4 * piece.length);
        expect(buffer.bytes.length).toBeLessThanOrEqual(
          Math.min(expected ?? Infinity, at * 2 * 65_536),
        );
      }
      set.mockRestore();
      expect(buffer.length).toBe(pieces * 65_536);
      for (let at = 0; at < pieces; at++)
        expect(Buffer.compare(buffer.bytes.subarray(at * 65_536, (at + 1) * 65_536), piece)).toBe(
          0,
        );
    }
  },
);

test(
  "FrameBuffer's successor takes one append that is longer than its room, and is gone with " +
    "clear()",
  () => {
    const buffer = new FrameBuffer();
    buffer.append(counted(1_200_000), 0, 1_200_000);
    const { bytes } = buffer;
    expect(bytes.length).toBe(2_400_000);
    buffer.append(counted(100_000), 0, 100_000);
    buffer.append(counted(9_000_000), 0, 9_000_000);
    expect(buffer.length).toBe(10_300_000);
    for (const [from, length] of [
      [0, 1_200_000],
      [1_200_000, 100_000],
      [1_300_000, 9_000_000],
    ] as const) {
      expect(Buffer.compare(buffer.bytes.subarray(from, from + length), counted(length))).toBe(0);
    }
    buffer.append(counted(10), 0, 10);
    buffer.clear();
    buffer.append(hex("07"), 0, 1);
    expect([buffer.length, buffer.bytes.length]).toEqual([1, 2]);
  },
);

test("FrameBuffer.clear() lets its storage go", () => {
  const buffer = new FrameBuffer();
  buffer.append(counted(100), 0, 100);
  const { bytes } = buffer;
  buffer.clear();
  expect([buffer.length, buffer.bytes.length]).toEqual([0, 0]);
  buffer.append(hex("01"), 0, 1);
  expect(bytes[0]).toBe(0);
  expect(buffer.bytes[0]).toBe(1);
});

test("ByteWriter.join() writes text behind the bytes, when it is settled", () => {
  const writer = new ByteWriter();
  writer.byte(0x61);
  writer.join("b");
  writer.join("cé");
  expect([writer.length, writer.text]).toEqual([1, "bcé"]);
  writer.settle();
  expect([writer.text, toHex(writer.copy())]).toEqual(["", "61 62 63 c3 a9"]);
  writer.settle();
  expect(writer.length).toBe(5);
});

test("ByteWriter.append() and copy() come after the text that was joined before them", () => {
  const writer = new ByteWriter();
  writer.join("a");
  writer.append(hex("ff"));
  writer.join("b");
  expect(toHex(writer.copy())).toBe("61 ff 62");
});

test("ByteWriter joins a bounded amount of text, whatever its characters take", () => {
  const writer = new ByteWriter();
  let sent = "";
  for (let i = 0; i < 5_000; i++) {
    writer.join("a€");
    sent += "a€";
    expect(writer.text.length).toBeLessThan(4_096);
  }
  expect(new TextDecoder().decode(writer.copy())).toBe(sent);
});
