/**
 * cobs(): frames without a zero byte in them, each ended by one: consistent overhead byte stuffing.
 *
 *     block ... block 00                11 22 00 33  ->  03 11 22 02 33 00
 *     block: code | nonzero bytes
 *
 *     code 01 to fe:  code - 1 bytes follow, then a zero, which the frame's last block leaves out
 *     code ff:        254 bytes follow, and no zero
 *
 * A frame is at least one block: the empty message is `01 00`, and a 00 alone is malformed. A last
 * block `01` after a block `ff` says nothing: it is read, because the paper's encoder writes it,
 * and not written.
 *
 * Limits: payload <= maxFrameBytes, without codes. Faults: FRAME_MALFORMED at a 00 inside a block
 * or in place of the first code; FRAME_TOO_LARGE at the first excess byte, which for a zero is the
 * code in its place; FRAME_TRUNCATED. With `onMalformed: "skip"` a damaged frame ends at its 00,
 * and a 00 in place of the first code, as idle lines and leading delimiters have it, is no frame
 * and no fault. Source: S. Cheshire, M. Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM
 * Transactions on Networking 7(2), 1999.
 *
 * @module
 */
import { checkOptions } from "../arguments.ts";
import { Assembly } from "./assembly.ts";
import type { ByteWriter } from "../bytes/writer.ts";
import type { FrameDecoder, FrameEncoder, FrameSink, Framing } from "./framing.ts";
import { type FrameLimits, type MalformedPolicy, resolveMalformedPolicy } from "../limits.ts";

const DELIMITER = 0x00;
/** The code of a block that stands for no zero. */
const FULL = 0xff;
const FULL_BYTES = FULL - 1;
const ZERO = Uint8Array.of(0);

/** The effect of a damaged frame. */
export interface CobsOptions {
  /**
   * `"close"` (default) ends the stream; `"skip"` passes over the frame, as a noisy line needs it.
   */
  readonly onMalformed?: MalformedPolicy;
}

/**
 * Any bytes; one byte more for each 254, and two.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { cobs, encodeFrames } from "@hawser/protocol";
 *
 * assert.deepEqual(
 *   [...encodeFrames(cobs(), [Uint8Array.of(0x11, 0, 0x22)])],
 *   [2, 0x11, 2, 0x22, 0],
 * );
 * ```
 */
export function cobs(options: CobsOptions = {}): Framing {
  checkOptions("cobs()", options, ["onMalformed"]);
  const onMalformed = resolveMalformedPolicy(options.onMalformed);
  return Object.freeze({
    name: "cobs",
    ...(onMalformed === "skip" ? { onMalformed } : {}),
    decoder: (limits: FrameLimits) => new CobsDecoder(limits, onMalformed),
    encoder: () => encoder,
  });
}

class CobsDecoder implements FrameDecoder {
  readonly #frame: Assembly;
  /** The begun block's code; -1 before a frame's first. */
  #code = -1;
  /** Bytes of the block that are still to come. */
  #left = 0;

  constructor(limits: FrameLimits, onMalformed: MalformedPolicy) {
    this.#frame = new Assembly(limits, onMalformed);
  }

  get partial(): boolean {
    return !this.#frame.dead && this.#code !== -1;
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    let at = 0;
    while (at < chunk.length && !this.#frame.dead) {
      at = this.#left === 0 ? this.#begin(chunk, at, sink) : this.#collect(chunk, at, sink);
    }
    this.#frame.advance(chunk.length);
  }

  end(sink: FrameSink): void {
    this.#frame.end(this.partial, "the zero byte", sink);
  }

  /** The next block's code, or the frame's end. */
  #begin(chunk: Uint8Array, at: number, sink: FrameSink): number {
    const code = chunk[at] as number; // at < length
    const before = this.#code;
    if (code === DELIMITER) {
      if (before === -1 && this.#frame.skipsMalformed) return at + 1;
      if (before === -1)
        this.#frame.refuse(
          at,
          "A zero byte stands where a frame begins: the empty frame is 01 00",
          sink,
        );
      this.#code = -1;
      this.#frame.complete(sink);
      return at + 1;
    }
    if (before !== -1 && before !== FULL) this.#frame.add(ZERO, 0, 1, sink, at);
    this.#code = code;
    this.#left = code - 1;
    return at + 1;
  }

  #collect(chunk: Uint8Array, from: number, sink: FrameSink): number {
    const most = Math.min(from + this.#left, chunk.length);
    let at = from;
    while (at < most && chunk[at] !== DELIMITER) at++;
    this.#left -= at - from;
    if (chunk[at] !== DELIMITER) {
      this.#frame.add(chunk, from, at, sink);
      return at;
    }
    if (this.#left > 0) {
      this.#frame.add(chunk, from, at, sink);
      this.#frame.refuse(
        at,
        "A zero byte stands inside a block: bytes are lost, or the peer does not use COBS",
        sink,
      );
      from = at;
    }
    this.#left = 0;
    this.#code = -1;
    this.#frame.complete(sink, chunk, from, at);
    return at + 1;
  }
}

const encoder: FrameEncoder = {
  headerBytes: 1,
  seal(output: ByteWriter, start: number): void {
    // In place: the payload is moved to the end of the most room it may need, and written again
    // from its start.
    const extra = Math.floor((output.length - start - 1) / FULL_BYTES);
    if (extra > 0) output.insert(start + 1, extra);
    const { bytes, length } = output;
    let codeAt = start;
    let into = start + 1;
    for (let at = start + 1 + extra; at < length; at++) {
      if (into - codeAt === FULL) {
        bytes[codeAt] = FULL;
        codeAt = into++;
      }
      const byte = bytes[at] as number; // at < length
      if (byte === DELIMITER) {
        bytes[codeAt] = into - codeAt;
        codeAt = into++;
      } else {
        bytes[into++] = byte;
      }
    }
    bytes[codeAt] = into - codeAt;
    output.truncate(into);
    output.byte(DELIMITER);
  },
};
