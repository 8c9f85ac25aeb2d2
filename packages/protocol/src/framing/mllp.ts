/**
 * mllp(): HL7 messages in blocks.
 *
 *     SB payload EB CR              0b  4d 53 48 7c ... 0d  1c 0d
 *
 * SB and EB never stand in a payload, EB also not alone: after an EB comes CR. Other control bytes,
 * which the specification does not allow there either but real systems send (LF, tab), are payload.
 * Nothing stands between two blocks, unless `skipBetween: "crlf"` says that CR and LF may.
 *
 * Limits: payload <= maxFrameBytes; SB, EB and CR do not count. Faults: FRAME_MALFORMED at a byte
 * between blocks that is not SB, at an SB inside a block, and at the byte after an EB that is not
 * CR; FRAME_TOO_LARGE at the first excess byte; FRAME_TRUNCATED. A block that is passed over ends
 * at its EB CR; with `onMalformed: "skip"` also at the next SB, to which whatever stands between
 * two blocks is passed over, too, with one fault. Source: HL7 "Transport Specification: MLLP,
 * Release 1", §2 (block format).
 *
 * @module
 */
import { checkOptions, describeValue } from "../arguments.ts";
import { Assembly, findEither } from "./assembly.ts";
import type { ByteWriter } from "../bytes/writer.ts";
import { HawserError } from "../errors.ts";
import type { FrameDecoder, FrameEncoder, FrameSink, Framing } from "./framing.ts";
import { type FrameLimits, type MalformedPolicy, resolveMalformedPolicy } from "../limits.ts";

const SB = 0x0b;
const EB = 0x1c;
const CR = 0x0d;
const LF = 0x0a;

const BETWEEN: readonly string[] = ["crlf", "none"];

/** Other forms that are read. */
export interface MllpOptions {
  /**
   * `"crlf"` reads over CR and LF between two blocks. Default `"none"`: such a byte is malformed.
   */
  readonly skipBetween?: "crlf" | "none";
  /**
   * The effect of a damaged block, or of bytes between two: `"close"` (default) ends the stream;
   * `"skip"` passes over it, up to the next SB.
   */
  readonly onMalformed?: MalformedPolicy;
}

/**
 * Any bytes but 0b and 1c, which is HL7 in every encoding that MLLP allows.
 *
 * @throws {TypeError} when an option is none of its values, or is not known
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { encodeFrames, mllp } from "@hawser/protocol";
 *
 * const bytes = encodeFrames(mllp(), [new TextEncoder().encode("MSH|^~\\&|\r")]);
 * assert.deepEqual([bytes[0], ...bytes.subarray(-2)], [0x0b, 0x1c, 0x0d]);
 * ```
 */
export function mllp(options: MllpOptions = {}): Framing {
  checkOptions("mllp()", options, ["skipBetween", "onMalformed"]);
  const { skipBetween = "none" } = options;
  if (!BETWEEN.includes(skipBetween)) {
    throw new TypeError(
      `Cannot use skipBetween ${describeValue(skipBetween)}: it is "crlf" or "none"`,
    );
  }
  const onMalformed = resolveMalformedPolicy(options.onMalformed);
  return Object.freeze({
    name: "mllp",
    ...(onMalformed === "skip" ? { onMalformed } : {}),
    decoder: (limits: FrameLimits) => new MllpDecoder(skipBetween, limits, onMalformed),
    encoder: () => encoder,
  });
}

class MllpDecoder implements FrameDecoder {
  readonly #skipBetween: "crlf" | "none";
  readonly #block: Assembly;
  /** "between" waits for SB; "end" is after an EB. */
  #place: "between" | "block" | "end" = "between";

  constructor(skipBetween: "crlf" | "none", limits: FrameLimits, onMalformed: MalformedPolicy) {
    this.#skipBetween = skipBetween;
    this.#block = new Assembly(limits, onMalformed);
  }

  get partial(): boolean {
    return !this.#block.dead && this.#place !== "between";
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    let at = 0;
    while (at < chunk.length && !this.#block.dead) {
      if (this.#place === "between") at = this.#begin(chunk, at, sink);
      else if (this.#place === "block") at = this.#collect(chunk, at, sink);
      else at = this.#close(chunk, at, sink);
    }
    this.#block.advance(chunk.length);
  }

  end(sink: FrameSink): void {
    this.#block.end(this.partial, "the end of the block", sink);
  }

  #begin(chunk: Uint8Array, at: number, sink: FrameSink): number {
    const byte = chunk[at];
    if (byte === SB) {
      this.#place = "block";
      this.#block.resume(); // what stood before it was passed over
    } else if (this.#skipBetween === "none" || (byte !== CR && byte !== LF))
      this.#block.refuse(at, "A block begins with 0b: see whether the peer uses MLLP", sink);
    return at + 1;
  }

  #collect(chunk: Uint8Array, at: number, sink: FrameSink): number {
    const stop = findEither(chunk, SB, EB, at);
    if (chunk[stop] === EB && chunk[stop + 1] === CR) {
      this.#place = "between";
      this.#block.complete(sink, chunk, at, stop);
      return stop + 2;
    }
    this.#block.add(chunk, at, stop, sink);
    if (chunk[stop] === EB) this.#place = "end";
    else if (chunk[stop] === SB) this.#restart(stop, sink);
    return stop + 1;
  }

  /** A block begins inside another. */
  #restart(at: number, sink: FrameSink): void {
    this.#block.refuse(at, "A block begins inside another: the one before has no end", sink);
    if (this.#block.skipsMalformed) this.#block.resume();
  }

  /**
   * The byte after an EB. One that is wrong is looked at again, because it may end a block that is
   * passed over.
   */
  #close(chunk: Uint8Array, at: number, sink: FrameSink): number {
    if (chunk[at] === CR) {
      this.#place = "between";
      this.#block.complete(sink);
      return at + 1;
    }
    this.#place = "block";
    this.#block.refuse(at, "After 1c, which ends a block, comes 0d", sink);
    return at;
  }
}

const encoder: FrameEncoder = {
  headerBytes: 1,
  seal(output: ByteWriter, start: number): void {
    for (let at = start + 1; at < output.length; at++) {
      if (output.bytes[at] === SB || output.bytes[at] === EB) {
        throw new HawserError(
          "PAYLOAD_FORBIDDEN",
          "Cannot send a message that holds a byte 0b or 1c: they begin and end the blocks of MLLP",
        );
      }
    }
    output.bytes[start] = SB;
    output.byte(EB);
    output.byte(CR);
  },
};
