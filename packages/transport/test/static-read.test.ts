import { describe, expect, test } from "vitest";
import { readStatically } from "../src/static-read.ts";

/** A socket with the named symbols as Node's has them, or with others of those names; `given` is what its handle was given. */
function socketWith(...names: string[]): { socket: object; symbols: symbol[]; given: Uint8Array[] } {
  const given: Uint8Array[] = [];
  const symbols = names.map((name) => Symbol(name));
  const _handle = { useUserBuffer: (buffer: Uint8Array) => void given.push(buffer) };
  return { socket: Object.fromEntries([["_handle", _handle], ...symbols.map((symbol) => [symbol, null])]) as object, symbols, given };
}

const onRead = (): boolean => true;

describe("readStatically()", () => {
  test("gives one buffer to all sockets, each under its own symbols", () => {
    const sockets = [socketWith("kBuffer", "kBufferCb", "kBufferGen"), socketWith("kBuffer", "kBufferCb", "kBufferGen")];
    for (const { socket } of sockets) expect(readStatically(socket, onRead)).toBe(true);
    const buffers = sockets.flatMap(({ given }) => given);
    expect(buffers).toEqual([buffers[0], buffers[0]]);
    for (const { socket, symbols } of sockets) expect(symbols.map((symbol) => Reflect.get(socket, symbol) as unknown)).toEqual([buffers[0], onRead, null]);
  });

  test.each([[[]], [["kBuffer"]], [["kBufferCb"]]])("leaves a socket with only the symbols %j as it is, also after one that has them all", (names: string[]) => {
    expect(readStatically(socketWith("kBuffer", "kBufferCb", "kBufferGen").socket, onRead)).toBe(true);
    const { socket, symbols, given } = socketWith(...names);
    expect(readStatically(socket, onRead)).toBe(false);
    expect(given).toEqual([]);
    for (const symbol of symbols) expect(Reflect.get(socket, symbol)).toBe(null);
  });
});
