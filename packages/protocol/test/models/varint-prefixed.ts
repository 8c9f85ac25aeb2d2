// varintPrefixed(): LEB128 in exact integers.
import { varintPrefixed } from "../../src/mod.ts";
import { malformedAt, type Model, readAll, readCounted, truncatedAt } from "./model.ts";

function varint(value: number): string {
  const low = String.fromCharCode(value % 128);
  return value < 128
    ? low
    : String.fromCharCode(128 + (value % 128)) + varint(Math.floor(value / 128));
}

const model = (minimal: boolean): Model => ({
  framing: varintPrefixed({ minimal }),
  tokens: [
    "\0",
    "\x01",
    "\x03",
    "\x05",
    "\x80",
    "\x81",
    "\xff",
    "\x7f",
    "\x80\x80\x80\x80",
    "\x0f",
    "a",
    "bcd",
    "\x85\x01",
    "\x83\0",
  ],
  write: (payload) => varint(payload.length) + payload,
  read(stream, limits) {
    const found: string[] = [];
    return readAll(stream, found, (at) => {
      const more = /^[\x80-\xff]*/.exec(stream.slice(at, at + 5))?.[0].length ?? 0;
      const last = at + Math.min(more, 4);
      if (last >= stream.length) {
        found.push(truncatedAt(stream.length));
        return null;
      }
      if (more === 5 || (minimal && more > 0 && stream[last] === "\0")) {
        found.push(malformedAt(last));
        return null;
      }
      const value = Array.from(stream.slice(at, last + 1)).reduceRight(
        (sum, digit) => sum * 128n + BigInt(digit.charCodeAt(0) % 128),
        0n,
      );
      return readCounted(stream, limits, found, {
        lengthAt: at,
        at: last + 1,
        size: Number(value),
      });
    });
  },
});

export const models: Model[] = [model(true), model(false)];
