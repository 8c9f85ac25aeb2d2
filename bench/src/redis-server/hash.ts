/**
 * HalfSipHash-1-3, keyed anew in each process: nobody outside can choose names that all have the
 * same hash. Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF"; its variant for 32
 * bits, hsiphash in Linux.
 */
import { randomInt } from "node:crypto";

const FINAL_ROUNDS = 3;
const KEY = randomInt(2 ** 32) | 0;
const OTHER_KEY = randomInt(2 ** 32) | 0;

/** The hash of `bytes[start, end)`, 32 bits. */
export function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let a = KEY;
  let b = OTHER_KEY;
  let c = KEY ^ 0x6c796765;
  let d = OTHER_KEY ^ 0x74656462;
  const tail = start + ((end - start) & ~3);
  for (let at = start; at <= tail + 4 * FINAL_ROUNDS; at += 4) {
    let word = 0;
    if (at < tail)
      word =
        (bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24); // in range
    else if (at === tail) word = tailOf(bytes, tail, end) | ((end - start) << 24);
    else if (at === tail + 4) c ^= 0xff;
    d ^= word;
    a = (a + b) | 0;
    b = ((b << 5) | (b >>> 27)) ^ a;
    a = (a << 16) | (a >>> 16);
    c = (c + d) | 0;
    d = ((d << 8) | (d >>> 24)) ^ c;
    a = (a + d) | 0;
    d = ((d << 7) | (d >>> 25)) ^ a;
    c = (c + b) | 0;
    b = ((b << 13) | (b >>> 19)) ^ c;
    c = (c << 16) | (c >>> 16);
    a ^= word;
  }
  return b ^ d;
}

/** The up to three bytes behind the last whole word. */
function tailOf(bytes: Uint8Array, start: number, end: number): number {
  let word = 0;
  // in range
  for (let at = start; at < end; at++) word |= (bytes[at] as number) << (8 * (at - start));
  return word;
}
