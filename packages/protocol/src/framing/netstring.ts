/**
 * netstring(): frames that begin with their length in decimal and end with a comma.
 *
 *     length ":" payload ","        31 32 3a  68 65 6c 6c 6f 20 77 6f 72 6c 64 21  2c
 *
 * The length is a canonical decimal: `0`, or no leading zero; at most 9 digits.
 *
 * Limits: payload <= maxFrameBytes, checked when the colon has come, before anything is allocated.
 * Faults: FRAME_MALFORMED at the byte that no canonical length goes on with, and at what stands in
 * the comma's place (also after a frame that was passed over); FRAME_TOO_LARGE at the length's
 * first digit; FRAME_TRUNCATED. Source: D. J. Bernstein, "Netstrings", 1997
 * (https://cr.yp.to/proto/netstrings.txt).
 *
 * @module
 */
import { checkNone } from "../arguments.ts";
import { CountedDecoder } from "./counted.ts";
import { decimalEncoder, DecimalHeader } from "./decimal.ts";
import type { Framing } from "./framing.ts";

const COLON = 0x3a;
const COMMA = 0x2c;

/**
 * Netstrings: any bytes, of any length.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { decodeChunks, netstring } from "@hawser/protocol";
 *
 * const { frames } = decodeChunks(netstring(), [new TextEncoder().encode("3:one,0:,")]);
 * assert.deepEqual(frames.map((frame) => frame.length), [3, 0]);
 * ```
 */
export function netstring(...none: readonly []): Framing {
  checkNone("netstring()", none);
  return framing;
}

const encoder = decimalEncoder({
  before: Uint8Array.of(),
  after: Uint8Array.of(COLON),
  closing: Uint8Array.of(COMMA),
  least: 0,
});

const framing: Framing = Object.freeze({
  name: "netstring",
  decoder: (limits) => new CountedDecoder(new DecimalHeader(COLON, 0), limits, COMMA),
  encoder: () => encoder,
} satisfies Framing);
