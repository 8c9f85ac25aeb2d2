/**
 * varintPrefixed(): frames that begin with their length as a variable number of bytes, as Protocol
 * Buffers delimits messages.
 *
 *     length | payload              ac 02 | 300 bytes
 *     length: 7 bits in each byte, the low ones first; the high bit is set in each but the last
 *
 * A length has one form, without zero bytes at its end; others are read where `minimal` is false.
 * At most 5 bytes: lengths below 2^35.
 *
 * Limits: payload <= maxFrameBytes, checked when the length is complete, before anything is
 * allocated. Faults: FRAME_MALFORMED at a last byte that is zero after others, and at a fifth byte
 * that wants a sixth; FRAME_TOO_LARGE at the length's first byte; FRAME_TRUNCATED. Source: DWARF 5
 * §7.6 (LEB128); protobuf.dev, "Encoding": Base 128 Varints, and "Techniques": Streaming Multiple
 * Messages.
 *
 * @module
 */
import { checkOptions } from "../arguments.ts";
import type { ByteWriter } from "../bytes/writer.ts";
import { CountedDecoder, type HeaderReader } from "./counted.ts";
import { HawserError } from "../errors.ts";
import type { FrameEncoder, Framing } from "./framing.ts";
import type { FrameLimits } from "../limits.ts";

const MAX_LENGTH_BYTES = 5;
const MORE = 0x80;

/** Which lengths are read. */
export interface VarintPrefixedOptions {
  /**
   * False: also those with zero bytes at their end, as encoders of a fixed width write them.
   * Default true.
   */
  readonly minimal?: boolean;
}

/**
 * Any bytes, each frame after its length as a varint.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { encodeFrames, varintPrefixed } from "@hawser/protocol";
 *
 * assert.deepEqual(
 *   [...encodeFrames(varintPrefixed(), [new Uint8Array(300)]).subarray(0, 2)],
 *   [0xac, 0x02],
 * );
 * ```
 */
export function varintPrefixed(options: VarintPrefixedOptions = {}): Framing {
  checkOptions("varintPrefixed()", options, ["minimal"]);
  const { minimal = true } = options;
  if (typeof minimal !== "boolean") throw new TypeError("Cannot use minimal: it is true or false");
  return Object.freeze({
    name: "varintPrefixed",
    decoder: (limits: FrameLimits) => new CountedDecoder(new VarintHeader(minimal), limits),
    encoder: () => encoder,
  });
}

class VarintHeader implements HeaderReader {
  size = 0;
  length = -1;
  readonly lengthAt = 0;
  wrong: HeaderReader["wrong"] = null;
  #value = 0;
  readonly #minimal: boolean;
  /** What the next byte's lowest bit is worth; not a shift, which would end at 32 bits. */
  #weight = 1;

  constructor(minimal: boolean) {
    this.#minimal = minimal;
  }

  read(chunk: Uint8Array, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at] as number; // at < length
      this.size++;
      this.#value += (byte % MORE) * this.#weight;
      this.#weight *= MORE;
      if (byte >= MORE && this.size < MAX_LENGTH_BYTES) continue;
      if (byte >= MORE) this.#refuse("The length has more than 5 bytes");
      else if (byte === 0 && this.size > 1 && this.#minimal)
        this.#refuse("The length ends with a byte that adds nothing: it has a shorter form");
      else this.length = this.#value;
      return at + 1;
    }
    return chunk.length;
  }

  reset(): void {
    this.size = 0;
    this.length = -1;
    this.wrong = null;
    this.#value = 0;
    this.#weight = 1;
  }

  #refuse(detail: string): void {
    this.wrong = { at: this.size - 1, detail };
  }
}

const encoder: FrameEncoder = {
  headerBytes: 1,
  seal(output: ByteWriter, start: number): void {
    const length = output.length - start - 1;
    let lengthBytes = 1;
    for (let rest = length; rest >= MORE; rest = Math.floor(rest / MORE)) lengthBytes++;
    if (lengthBytes > MAX_LENGTH_BYTES) {
      throw new HawserError(
        "PAYLOAD_FORBIDDEN",
        `Cannot send a message of ${String(length)} bytes: a varint of 5 bytes can't say that`,
      );
    }
    if (lengthBytes > 1) output.insert(start + 1, lengthBytes - 1);
    let rest = length;
    for (let i = 0; i < lengthBytes; i++) {
      output.bytes[start + i] = (rest % MORE) + (i < lengthBytes - 1 ? MORE : 0);
      rest = Math.floor(rest / MORE);
    }
  },
};
