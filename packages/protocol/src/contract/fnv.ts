/**
 * FNV-1a: with 64 bits the digest by which two ends tell that their contracts differ (PROTOCOL.md
 * §3), with 32 the number of a lane (§5). Not for secrets, and no proof against somebody who wants
 * two texts with one digest.
 *
 * @module
 */
import { utf8Encode } from "../bytes/utf8-write.ts";

const TWO_32 = 2 ** 32;

/**
 * The digest of a text's UTF-8, as 16 hexadecimal digits.
 *
 * Source: RFC 9923; the prime is 2^40 + 0x1b3, so that each product of a 32-bit half stays a whole
 * number of a double.
 */
export function fnv1a64(text: string): string {
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  for (const byte of utf8Encode(text)) {
    low = (low ^ byte) >>> 0;
    const product = low * 0x1b3;
    high = (high * 0x1b3 + Math.floor(product / TWO_32) + low * 0x100) >>> 0;
    low = product >>> 0;
  }
  return hex(high) + hex(low);
}

function hex(half: number): string {
  return half.toString(16).padStart(8, "0");
}

/**
 * FNV-1a with 32 bits of a text's UTF-8: the number that a lane's key stands for. Source: RFC 9923.
 */
export function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of utf8Encode(text)) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return hash >>> 0;
}
