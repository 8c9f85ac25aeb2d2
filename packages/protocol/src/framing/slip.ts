/**
 * slip(): frames that end with a byte which is escaped inside them, as on serial lines.
 *
 *     payload END                  01 c0 02  ->  01 db dc 02 c0
 *
 *     END c0     in the payload:  ESC ESC_END   db dc
 *     ESC db     in the payload:  ESC ESC_ESC   db dd
 *
 * The four bytes can be others, as some devices have them.
 *
 * An END where no frame has begun is ignored, as the RFC wants it; so an empty message has no form,
 * and is not sent.
 *
 * Limits: payload <= maxFrameBytes, without escapes. Faults: FRAME_MALFORMED at the byte after an
 * ESC that is neither ESC_END nor ESC_ESC; FRAME_TOO_LARGE at the first excess byte, which for an
 * escaped one is its ESC, once what follows it has been verified; FRAME_TRUNCATED. With
 * `onMalformed: "skip"` a damaged frame is passed over up to its END. Deviates: RFC 1055 lets a
 * receiver keep the byte after a wrong ESC; here the frame is refused, since it is not what was
 * sent. Source: RFC 1055.
 *
 * @module
 */
import { checkOptions, describeValue } from "../arguments.ts";
import { Assembly, findEither } from "./assembly.ts";
import type { ByteWriter } from "../bytes/writer.ts";
import { HawserError } from "../errors.ts";
import type { FrameDecoder, FrameEncoder, FrameSink, Framing } from "./framing.ts";
import { type FrameLimits, type MalformedPolicy, resolveMalformedPolicy } from "../limits.ts";

/** Options of frames that are sent. */
export interface SlipOptions {
  /**
   * Send an END before each frame too, so that noise on the line does not become a part of it.
   * Default false.
   */
  readonly leadingEnd?: boolean;
  /**
   * The effect of a wrong byte after an ESC: `"close"` (default) ends the stream; `"skip"` passes
   * over its frame, as a noisy line needs it.
   */
  readonly onMalformed?: MalformedPolicy;
  /** The byte that ends a frame. Default 0xc0. */
  readonly end?: number;
  /** The byte that begins an escape. Default 0xdb. */
  readonly escape?: number;
  /** The byte behind `escape` for an `end` in the payload. Default 0xdc. */
  readonly escapedEnd?: number;
  /** The byte behind `escape` for an `escape` in the payload. Default 0xdd. */
  readonly escapedEscape?: number;
}

/**
 * Any bytes, at least one. Frames with and without a leading END are read alike.
 *
 * @throws {TypeError} when an option has the wrong type, or is not known
 * @throws {RangeError} when one of the four bytes is none, or they can't be told apart
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { encodeFrames, slip } from "@hawser/protocol";
 *
 * assert.deepEqual(
 *   [...encodeFrames(slip(), [Uint8Array.of(0x01, 0xc0)])],
 *   [0x01, 0xdb, 0xdc, 0xc0],
 * );
 * ```
 */
export function slip(options: SlipOptions = {}): Framing {
  checkOptions("slip()", options, ["leadingEnd", "onMalformed", ...byteNames]);
  const { leadingEnd = false } = options;
  if (typeof leadingEnd !== "boolean")
    throw new TypeError("Cannot use leadingEnd: it is true or false");
  const onMalformed = resolveMalformedPolicy(options.onMalformed);
  const bytes = resolveBytes(options);
  const encoder = slipEncoder(bytes, leadingEnd);
  return Object.freeze({
    name: "slip",
    ...(onMalformed === "skip" ? { onMalformed } : {}),
    decoder: (limits: FrameLimits) => new SlipDecoder(bytes, limits, onMalformed),
    encoder: () => encoder,
  });
}

const byteNames = ["end", "escape", "escapedEnd", "escapedEscape"] as const;

/** The four bytes, and the two that are escaped as runs to be added. */
interface Bytes extends Readonly<Record<(typeof byteNames)[number], number>> {
  readonly endRun: Uint8Array;
  readonly escapeRun: Uint8Array;
}

function resolveBytes({
  end = 0xc0,
  escape = 0xdb,
  escapedEnd = 0xdc,
  escapedEscape = 0xdd,
}: SlipOptions): Bytes {
  const bytes = { end, escape, escapedEnd, escapedEscape };
  for (const name of byteNames) {
    const byte: unknown = bytes[name];
    if (typeof byte !== "number")
      throw new TypeError(
        `Cannot use ${name} ${describeValue(byte)}: it is a byte, a whole number from 0 to 255`,
      );
    if (!Number.isInteger(byte) || byte < 0 || byte > 255)
      throw new RangeError(`Cannot use ${name} ${String(byte)}: it is a byte, from 0 to 255`);
  }
  const told =
    end !== escape && escapedEnd !== end && escapedEscape !== end && escapedEnd !== escapedEscape;
  if (!told)
    throw new RangeError(
      "Cannot use these bytes: end, escape and what is escaped must differ, so that each is " +
        "read as what it is",
    );
  return { ...bytes, endRun: Uint8Array.of(end), escapeRun: Uint8Array.of(escape) };
}

class SlipDecoder implements FrameDecoder {
  readonly #bytes: Bytes;
  readonly #frame: Assembly;
  /** True if the last byte was an ESC. */
  #place: "plain" | "escape" = "plain";

  constructor(bytes: Bytes, limits: FrameLimits, onMalformed: MalformedPolicy) {
    this.#bytes = bytes;
    this.#frame = new Assembly(limits, onMalformed);
  }

  get partial(): boolean {
    return !this.#frame.dead && (this.#frame.begun || this.#place === "escape");
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    const frame = this.#frame;
    const { end, escape } = this.#bytes;
    let at = 0;
    while (at < chunk.length && !frame.dead) {
      if (this.#place === "escape") {
        at = this.#unescape(chunk, at, sink);
        continue;
      }
      const stop = findEither(chunk, end, escape, at);
      if (chunk[stop] !== end) {
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

  /**
   * The byte after an ESC. One that is wrong is looked at again, because it may end a frame that is
   * passed over.
   */
  #unescape(chunk: Uint8Array, at: number, sink: FrameSink): number {
    this.#place = "plain";
    const { escape, escapedEnd, escapedEscape, endRun, escapeRun } = this.#bytes;
    const byte = chunk[at];
    if (byte !== escapedEnd && byte !== escapedEscape) {
      this.#frame.refuse(
        at,
        `After ESC (${hex(escape)}) comes ${hex(escapedEnd)} or ${hex(escapedEscape)}: see ` +
          "whether the peer uses SLIP",
        sink,
      );
      return at;
    }
    this.#frame.add(byte === escapedEnd ? endRun : escapeRun, 0, 1, sink, at - 1);
    return at + 1;
  }
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

function slipEncoder(special: Bytes, leadingEnd: boolean): FrameEncoder {
  const headerBytes = leadingEnd ? 1 : 0;
  return {
    headerBytes,
    seal(output: ByteWriter, start: number): void {
      const payload = start + headerBytes;
      if (output.length === payload)
        throw new HawserError(
          "PAYLOAD_FORBIDDEN",
          "Cannot send an empty message: SLIP has no empty frames",
        );
      if (leadingEnd) output.bytes[start] = special.end;
      escapePayload(special, output, payload);
      output.byte(special.end);
    },
  };
}

/**
 * Escape `output.bytes[start, output.length)` in place: moved to the end of the room it will need,
 * then rewritten from its start.
 */
function escapePayload(
  { end, escape, escapedEnd, escapedEscape }: Bytes,
  output: ByteWriter,
  start: number,
): void {
  let specials = 0;
  for (let at = start; at < output.length; at++)
    if (output.bytes[at] === end || output.bytes[at] === escape) specials++;
  if (specials === 0) return;
  output.insert(start, specials);
  const { bytes, length } = output;
  let into = start;
  for (let at = start + specials; at < length; at++) {
    const byte = bytes[at] as number; // at < length
    if (byte === end || byte === escape) {
      bytes[into++] = escape;
      bytes[into++] = byte === end ? escapedEnd : escapedEscape;
    } else {
      bytes[into++] = byte;
    }
  }
}
