/**
 * fixedLength(): frames that all have the same length.
 *
 *     payload payload payload ...     each of `bytes` bytes
 *
 * Limits: `bytes` <= maxFrameBytes: above it each frame is too large. Faults: FRAME_TOO_LARGE at
 * the frame's first byte, FRAME_TRUNCATED. No byte is structure, so none is malformed.
 *
 * @module
 */
import { describeValue } from "../arguments.ts";
import type { ByteWriter } from "../bytes/writer.ts";
import { CountedDecoder, type HeaderReader } from "./counted.ts";
import { HawserError } from "../errors.ts";
import type { FrameEncoder, Framing } from "./framing.ts";

const MAX_BYTES = 0x7fff_ffff;

/**
 * Frames of `bytes` bytes each. A message of another length is refused, not padded.
 *
 * @throws {RangeError} when `bytes` is not a whole number from 1 to 2^31 - 1
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { decodeChunks, fixedLength } from "@hawser/protocol";
 *
 * const { frames } = decodeChunks(fixedLength(2), [Uint8Array.of(1), Uint8Array.of(2, 3, 4)]);
 * assert.deepEqual(frames.map((frame) => [...frame]), [[1, 2], [3, 4]]);
 * ```
 */
export function fixedLength(bytes: number): Framing {
  if (!Number.isInteger(bytes) || bytes < 1 || bytes > MAX_BYTES) {
    throw new RangeError(
      `Cannot use fixedLength(${describeValue(bytes)}): it is a whole number of bytes from 1 ` +
        `to ${String(MAX_BYTES)}`,
    );
  }
  /** A header of no bytes, which is always complete. */
  const header: HeaderReader = Object.freeze({
    size: 0,
    length: bytes,
    lengthAt: 0,
    wrong: null,
    read: (_chunk: Uint8Array, from: number) => from,
    reset: () => undefined,
  });
  const encoder = fixedEncoder(bytes);
  return Object.freeze({
    name: `fixedLength(${String(bytes)})`,
    decoder: (limits) => new CountedDecoder(header, limits),
    encoder: () => encoder,
  } satisfies Framing);
}

function fixedEncoder(bytes: number): FrameEncoder {
  return {
    headerBytes: 0,
    seal(output: ByteWriter, start: number): void {
      const length = output.length - start;
      if (length !== bytes) {
        throw new HawserError(
          "PAYLOAD_FORBIDDEN",
          `Cannot send a message of ${String(length)} bytes: each frame has ${String(bytes)}`,
        );
      }
    },
  };
}
