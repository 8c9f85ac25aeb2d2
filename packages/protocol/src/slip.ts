/**
 * slip(): frames that end with a byte which is escaped inside them, as on serial lines.
 *
 *     payload END                  01 c0 02  ->  01 db dc 02 c0
 *
 *     END c0     in the payload:  ESC ESC_END   db dc
 *     ESC db     in the payload:  ESC ESC_ESC   db dd
 *
 * An END where no frame has begun is ignored, as the RFC wants it; so an empty message has no form, and is not sent.
 *
 * Limits: payload <= maxFrameBytes, without escapes.
 * Faults: FRAME_MALFORMED at the byte after an ESC that is neither ESC_END nor ESC_ESC; FRAME_TOO_LARGE at the first excess
 * byte, which for an escaped one is its ESC, once what follows it has been verified; FRAME_TRUNCATED.
 * Source: RFC 1055.
 *
 * @module
 */
import { checkOptions } from "./arguments.ts";
import { Assembly, findEither } from "./assembly.ts";
import type { ByteWriter } from "./bytes.ts";
import { HawserError } from "./errors.ts";
import type { FrameDecoder, FrameEncoder, FrameSink, Framing } from "./framing.ts";
import type { FrameLimits } from "./limits.ts";

const END = 0xc0;
const ESC = 0xdb;
const ESC_END = 0xdc;
const ESC_ESC = 0xdd;

/** How frames are sent. */
export interface SlipOptions {
  /** Send an END before each frame too, so that noise on the line does not become a part of it. Default false. */
  readonly leadingEnd?: boolean;
}

/**
 * Any bytes, at least one. Frames with and without a leading END are read alike.
 *
 * @throws {TypeError} when `leadingEnd` is not a boolean, or there is another option
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { encodeFrames, slip } from "@hawser/protocol";
 *
 * assert.deepEqual([...encodeFrames(slip(), [Uint8Array.of(0x01, 0xc0)])], [0x01, 0xdb, 0xdc, 0xc0]);
 * ```
 */
export function slip(options: SlipOptions = {}): Framing {
  checkOptions("slip()", options, ["leadingEnd"]);
  const { leadingEnd = false } = options;
  if (typeof leadingEnd !== "boolean") throw new TypeError("Cannot use leadingEnd: it is true or false");
  const encoder = slipEncoder(leadingEnd);
  return Object.freeze({
    name: "slip",
    decoder: (limits: FrameLimits) => new SlipDecoder(limits),
    encoder: () => encoder,
  });
}

/** What an escaped byte stands for, as a run to be added. */
const UNESCAPED = new Map([
  [ESC_END, Uint8Array.of(END)],
  [ESC_ESC, Uint8Array.of(ESC)],
]);

class SlipDecoder implements FrameDecoder {
  readonly #frame: Assembly;
  /** Whether the last byte was an ESC. */
  #place: "plain" | "escape" = "plain";

  constructor(limits: FrameLimits) {
    this.#frame = new Assembly(limits);
  }

  get partial(): boolean {
    return !this.#frame.dead && (this.#frame.begun || this.#place === "escape");
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    const frame = this.#frame;
    let at = 0;
    while (at < chunk.length && !frame.dead) {
      if (this.#place === "escape") {
        at = this.#unescape(chunk, at, sink);
        continue;
      }
      const stop = findEither(chunk, END, ESC, at);
      if (chunk[stop] !== END) {
        frame.add(chunk, at, stop, sink);
        if (stop < chunk.length) this.#place = "escape";
      } else if (stop > at || frame.begun) {
        frame.complete(sink, chunk, at, stop);
      }
      at = stop + 1;
    }
    frame.advance(chunk.length);
  }

  end(sink: FrameSink): void {
    this.#frame.end(this.partial, "the END", sink);
  }

  /** The byte after an ESC. One that is wrong is looked at again, because it may end a frame that is passed over. */
  #unescape(chunk: Uint8Array, at: number, sink: FrameSink): number {
    this.#place = "plain";
    const byte = UNESCAPED.get(chunk[at] as number); // at < length
    if (byte === undefined) {
      this.#frame.refuse(at, "After ESC (db) comes dc or dd: see whether the peer uses SLIP", sink);
      return at;
    }
    this.#frame.add(byte, 0, 1, sink, at - 1);
    return at + 1;
  }
}

function slipEncoder(leadingEnd: boolean): FrameEncoder {
  const headerBytes = leadingEnd ? 1 : 0;
  return {
    headerBytes,
    seal(output: ByteWriter, start: number): void {
      const payload = start + headerBytes;
      if (output.length === payload) throw new HawserError("PAYLOAD_FORBIDDEN", "Cannot send an empty message: SLIP has no empty frames");
      if (leadingEnd) output.bytes[start] = END;
      escape(output, payload);
      output.byte(END);
    },
  };
}

/** Escape `output.bytes[start, output.length)` in place: moved to the end of the room it will need, then rewritten from its start. */
function escape(output: ByteWriter, start: number): void {
  let specials = 0;
  for (let at = start; at < output.length; at++) if (output.bytes[at] === END || output.bytes[at] === ESC) specials++;
  if (specials === 0) return;
  output.insert(start, specials);
  const { bytes, length } = output;
  let into = start;
  for (let at = start + specials; at < length; at++) {
    const byte = bytes[at] as number; // at < length
    if (byte === END || byte === ESC) {
      bytes[into++] = ESC;
      bytes[into++] = byte === END ? ESC_END : ESC_ESC;
    } else {
      bytes[into++] = byte;
    }
  }
}
