import { describe, expect, test } from "vitest";
import { chooseNext, isOwn, readStatically, stopReading } from "../../src/node/static-read.ts";

/**
 * A socket with the named symbols as Node's has them, or with others of those names; `given` is
 * what its handle was given.
 */
function socketWith(...names: string[]): {
  socket: object;
  symbols: symbol[];
  given: Uint8Array[];
} {
  const given: Uint8Array[] = [];
  const symbols = names.map((name) => Symbol(name));
  const _handle = { useUserBuffer: (buffer: Uint8Array) => void given.push(buffer) };
  return {
    socket: Object.fromEntries([
      ["_handle", _handle],
      ...symbols.map((symbol) => [symbol, null]),
    ]) as object,
    symbols,
    given,
  };
}

const onRead = (): boolean => true;

describe("readStatically()", () => {
  test("gives one buffer to all sockets, each under its own symbols", () => {
    const sockets = [
      socketWith("kBuffer", "kBufferCb", "kBufferGen"),
      socketWith("kBuffer", "kBufferCb", "kBufferGen"),
    ];
    for (const { socket } of sockets) expect(readStatically(socket, onRead)).toBe(true);
    const buffers = sockets.flatMap(({ given }) => given);
    expect(buffers).toEqual([buffers[0], buffers[0]]);
    for (const { socket, symbols } of sockets)
      expect(symbols.map((symbol) => Reflect.get(socket, symbol) as unknown)).toEqual([
        buffers[0],
        onRead,
        null,
      ]);
  });

  test.each([[[]], [["kBuffer"]], [["kBufferCb"]]])(
    "leaves a socket with only the symbols %j as it is, also after one that has them all",
    (names: string[]) => {
      expect(readStatically(socketWith("kBuffer", "kBufferCb", "kBufferGen").socket, onRead)).toBe(
        true,
      );
      const { socket, symbols, given } = socketWith(...names);
      expect(readStatically(socket, onRead)).toBe(false);
      expect(given).toEqual([]);
      for (const symbol of symbols) expect(Reflect.get(socket, symbol)).toBe(null);
    },
  );
});

describe("a socket's own storage", () => {
  const KiB = 1_024;

  const kBuffer = Symbol("kBuffer");
  const kBufferGen = Symbol("kBufferGen");

  /**
   * A socket that reads as Node's does: after each read it asks its generator for the next buffer.
   */
  class Reading {
    readonly socket: object = {
      _handle: { useUserBuffer: () => undefined },
      [kBuffer]: null,
      [Symbol("kBufferCb")]: null,
      [kBufferGen]: null,
    };

    constructor() {
      expect(readStatically(this.socket, onRead)).toBe(true);
    }

    get buffer(): Uint8Array {
      return Reflect.get(this.socket, kBuffer) as Uint8Array;
    }

    /** One read of `count` bytes; returns what they were read into. */
    read(count: number, keeps: boolean): Uint8Array {
      const { buffer } = this;
      if (keeps || isOwn(buffer)) chooseNext(this.socket, count, buffer, keeps);
      const generator = Reflect.get(this.socket, kBufferGen) as
        (() => Uint8Array | undefined) | null;
      const next = generator?.();
      if (next !== undefined) Reflect.set(this.socket, kBuffer, next);
      return buffer.subarray(0, count);
    }

    [Symbol.dispose](): void {
      stopReading(this.socket);
    }
  }

  test(
    "is read into once, piece after piece, while messages are kept; then the socket reads into " +
      "the shared buffer again",
    () => {
      using reading = new Reading();
      const shared = reading.buffer;
      reading.read(100, false);
      expect([isOwn(reading.buffer), reading.buffer === shared]).toEqual([false, true]);
      reading.read(200 * KiB, true);
      const storage = reading.buffer.buffer;
      const reads = [256 * KiB, 1, 512 * KiB].map((count) => reading.read(count, true));
      expect(reads.map(({ buffer, byteOffset }) => [buffer === storage, byteOffset])).toEqual([
        [true, 0],
        [true, 256 * KiB],
        [true, 256 * KiB + 1],
      ]);
      expect([
        isOwn(reading.buffer),
        reading.buffer.buffer === storage,
        reading.buffer.byteOffset,
      ]).toEqual([true, false, 0]); // less than 256 KiB were left
      reading.read(100, false);
      expect(reading.buffer).toBe(shared);
      reading.read(100, false);
      expect(reading.buffer).toBe(shared);
    },
  );

  test("is nobody else's", () => {
    using one = new Reading();
    using other = new Reading();
    for (const each of [one, other]) each.read(64 * KiB, true);
    expect(one.buffer.buffer).not.toBe(other.buffer.buffer);
  });

  test("is had by 32 sockets at most; one that is closed, or needs it no more, makes room", () => {
    using stack = new DisposableStack();
    const readings = Array.from({ length: 33 }, () => stack.use(new Reading()));
    for (const reading of readings) reading.read(64 * KiB, true);
    const having = (): number => readings.filter(({ buffer }) => isOwn(buffer)).length;
    const last = readings[32] as Reading;
    expect([having(), isOwn(last.buffer)]).toEqual([32, false]);
    stopReading((readings[0] as Reading).socket);
    stopReading((readings[0] as Reading).socket); // counted once
    stopReading({ [kBuffer]: null }); // not read statically: never counted
    last.read(64 * KiB, true);
    expect([having(), isOwn(last.buffer)]).toEqual([32, true]);
    (readings[1] as Reading).read(10, false);
    (readings[0] as Reading).read(64 * KiB, true);
    (readings[1] as Reading).read(64 * KiB, true);
    expect([having(), isOwn((readings[1] as Reading).buffer)]).toEqual([32, false]);
  });
});
