/**
 * lines(): frames that end with a line ending.
 *
 *     payload [CR] LF     ending "any"   one CR before the LF belongs to the ending; the default
 *     payload LF          ending "lf"    CR is payload
 *     payload CR LF       ending "crlf"  a CR or an LF that stands alone is malformed
 *
 * Limits: payload <= maxFrameBytes; the ending does not count. Faults: FRAME_TOO_LARGE at the first
 * excess byte, FRAME_MALFORMED at the lone byte, FRAME_TRUNCATED for a last line without ending,
 * whose `size` says how much of it there was. With `unterminated: "deliver"` that line is
 * delivered: without a CR at its end where the ending is "any"; where it is "crlf", a line with a
 * CR in it is still truncated. Source: POSIX.1-2017 3.206 (line); RFC 5321 §2.3.8 (CRLF, and that
 * CR and LF never stand alone).
 *
 * @module
 */
import { checkOptions, describeValue } from "../arguments.ts";
import { type ByteWriter, FrameBuffer } from "../bytes/writer.ts";
import { HawserError } from "../errors.ts";
import {
  type ChunkSearch,
  type FrameDecoder,
  type FrameEncoder,
  type FrameSink,
  type Framing,
  malformed,
  tooLarge,
  truncated,
} from "./framing.ts";
import { type FrameLimits, resolveUnterminatedPolicy, type UnterminatedPolicy } from "../limits.ts";

/** Which bytes end a line. */
export type LineEnding = "any" | "crlf" | "lf";

const LF = 0x0a;
const CR = 0x0d;
/**
 * Lines up to this long are searched by 16 bytes at a time, longer ones by `indexOf`, whose call
 * costs as much. Measured: bench/HISTORY.md.
 */
const NEAR_BYTES = 160;
/**
 * Bytes of a chunk that the codec's text is searched in, and of a line after which it is no more:
 * its blocks hold several lines.
 */
const MANY_BYTES = 1_024;
/** Bytes of a chunk for which a DataView costs more than it saves. */
const FEW_BYTES = 128;

/** The end of a line. */
export interface LinesOptions {
  /**
   * Which ending is read: `"any"` (default: LF, with or without a CR before it), `"lf"` (a CR is
   * payload) or `"crlf"` (strict, as the internet's text protocols want it). What is sent must be
   * read back as it was: with `"any"` no line ends with a CR.
   */
  readonly ending?: LineEnding;
  /** Which ending is written. Default the one that is read, and LF where any is. */
  readonly write?: "crlf" | "lf";
  /**
   * The effect of the stream's end on a last line without ending: `"fault"` (default) is
   * FRAME_TRUNCATED, `"deliver"` takes it for a line.
   */
  readonly unterminated?: UnterminatedPolicy;
}

/**
 * Lines of any bytes but the ending.
 *
 * @throws {TypeError} when an option is none of its values, or is not known; and when what is
 *   written would not be read
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { decodeChunks, lines } from "@hawser/protocol";
 *
 * // Telnet, Windows and Unix programs send these, the last line with or without its ending.
 * // Answers end with CR LF.
 * const patient = lines({ write: "crlf", unterminated: "deliver" });
 * const { frames } = decodeChunks(patient, [new TextEncoder().encode("one\r\ntwo\nthree")]);
 * assert.deepEqual(
 *   frames.map((frame) => new TextDecoder().decode(frame)),
 *   ["one", "two", "three"],
 * );
 * ```
 */
export function lines(options: LinesOptions = {}): Framing {
  checkOptions("lines()", options, ["ending", "write", "unterminated"]);
  const { ending = "any", write = ending === "crlf" ? "crlf" : "lf" } = options;
  if (typeof ending !== "string" || !Object.hasOwn(encoders, ending)) {
    throw new TypeError(
      `Cannot use line ending ${describeValue(ending)}: it is "lf", "crlf" or "any"`,
    );
  }
  if (!["crlf", "lf"].includes(write) || (ending !== "any" && write !== ending)) {
    throw new TypeError(
      `Cannot use write ${describeValue(write)} with ending "${ending}": it is ` +
        (ending === "any" ? '"crlf" or "lf"' : `"${ending}"`),
    );
  }
  const unterminated = resolveUnterminatedPolicy(options.unterminated);
  const encoder = encoders[write === "crlf" ? "crlf" : ending];
  return Object.freeze({
    name: `lines(${ending})`,
    ...(unterminated === "deliver" ? { unterminated } : {}),
    decoder: (limits: FrameLimits) => new LineDecoder(ending, limits, unterminated),
    encoder: () => encoder,
  });
}

class LineDecoder implements FrameDecoder {
  readonly #ending: LineEnding;
  readonly #limits: FrameLimits;
  readonly #unterminated: UnterminatedPolicy;
  /**
   * The begun line, without its ending as far as it is known; null between lines, where an idle
   * connection is.
   */
  #line: FrameBuffer | null = null;
  /** "line" collects; "skip" passes over the rest of an oversized line; "dead" ignores. */
  #state: "line" | "skip" | "dead" = "line";
  /** Stream offset of the next chunk. */
  #offset = 0;
  /** The byte before the next chunk. */
  #last = -1;

  constructor(ending: LineEnding, limits: FrameLimits, unterminated: UnterminatedPolicy) {
    this.#ending = ending;
    this.#unterminated = unterminated;
    this.#limits = limits;
  }

  get partial(): boolean {
    return this.#kept > 0 || this.#state === "skip";
  }

  push(chunk: Uint8Array, sink: FrameSink, search?: ChunkSearch): void {
    const { maxFrameBytes } = this.#limits;
    const isStrict = this.#ending === "crlf";
    const isAny = this.#ending === "any";
    // only the chunk's first line can have begun before it
    let line = this.#kept === 0 ? null : this.#line;
    let start = 0;
    let near = NEAR_BYTES;
    let text = search !== undefined && chunk.length >= MANY_BYTES ? search : null;
    const view =
      chunk.length < FEW_BYTES ? null : new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
    while (start < chunk.length && this.#state !== "dead") {
      let lf = text === null ? -1 : text.indexOf(chunk, "\n", start);
      if (lf === -1) lf = findLf(chunk, view, start, near);
      if (lf === -1) {
        this.#keep(chunk, start, sink);
        break;
      }
      const end = isAny && lf > start && chunk[lf - 1] === CR ? lf - 1 : lf;
      if (!isStrict && this.#state === "line" && line === null && end - start <= maxFrameBytes)
        sink.frame(chunk, start, end);
      else if (this.#state === "skip") this.#resume(lf > 0 ? chunk[lf - 1] : this.#last);
      else if (line === null) this.#complete(chunk, start, lf, this.#offset + start, sink);
      else this.#join(line, chunk, start, lf, sink);
      line = null;
      near = lf - start > NEAR_BYTES ? 0 : NEAR_BYTES; // the next line is likely as long as this
      if (lf - start > MANY_BYTES) text = null;
      start = lf + 1;
    }
    if (this.#kept === 0) this.#line = null;
    this.#offset += chunk.length;
    this.#last = chunk.length > 0 ? (chunk[chunk.length - 1] as number) : this.#last; // in range
  }

  end(sink: FrameSink): void {
    const line = this.#state === "line" ? this.#line : null;
    this.#line = null;
    this.#state = "dead";
    if (line !== null && line.length > 0) this.#endInside(line, sink);
  }

  /** The stream has ended inside a line. */
  #endInside({ bytes, length }: FrameBuffer, sink: FrameSink): void {
    const cr = bytes.subarray(0, length).indexOf(CR);
    if (this.#unterminated === "fault" || (this.#ending === "crlf" && cr !== -1)) {
      sink.fault(truncated(this.#offset, length, "the line ending"));
    } else {
      sink.frame(
        bytes,
        0,
        this.#ending === "any" && bytes[length - 1] === CR ? length - 1 : length,
      );
    }
  }

  /** Bytes of the begun line. */
  get #kept(): number {
    return this.#line === null ? 0 : this.#line.length;
  }

  /** The chunk ends inside a line: keep what may still be one. */
  #keep(chunk: Uint8Array, start: number, sink: FrameSink): void {
    if (this.#state === "skip") return;
    const kept = this.#kept;
    const size = kept + chunk.length - start;
    const max = this.#limits.maxFrameBytes;
    const mayEnd = this.#ending !== "lf" && chunk[chunk.length - 1] === CR ? 1 : 0;
    if (size - mayEnd > max) {
      this.#oversize(this.#offset + start - kept, sink);
    } else {
      (this.#line ??= new FrameBuffer()).append(chunk, start, chunk.length, max + 1);
    }
  }

  /** A line that began in an earlier chunk ends at `lf`. */
  #join(line: FrameBuffer, chunk: Uint8Array, start: number, lf: number, sink: FrameSink): void {
    const began = this.#offset + start - line.length;
    const size = line.length + lf - start;
    if (size > this.#limits.maxFrameBytes + 1) {
      this.#oversize(began, sink);
      this.#resume(lf > 0 ? chunk[lf - 1] : this.#last);
      return;
    }
    line.append(chunk, start, lf, size);
    const { length } = line;
    const bytes = line.lend();
    this.#complete(bytes, 0, length, began, sink);
    line.takeBack(bytes);
  }

  /** A whole line without its LF is `bytes[start, end)`; `began` is its stream offset. */
  #complete(bytes: Uint8Array, start: number, end: number, began: number, sink: FrameSink): void {
    let payloadEnd = end;
    if (this.#ending !== "lf" && end > start && bytes[end - 1] === CR) payloadEnd = end - 1;
    if (payloadEnd - start > this.#limits.maxFrameBytes) {
      this.#oversize(began, sink);
      this.#resume(bytes[end - 1]);
      return;
    }
    if (this.#ending === "crlf") {
      const cr = bytes.indexOf(CR, start);
      if (cr !== -1 && cr < payloadEnd) {
        this.#malformed(began + cr - start, "A CR stands alone", sink);
        return;
      }
      if (payloadEnd === end) {
        this.#malformed(began + end - start, "An LF stands alone", sink);
        return;
      }
    }
    sink.frame(bytes, start, payloadEnd);
  }

  #malformed(offset: number, what: string, sink: FrameSink): void {
    this.#state = "dead";
    sink.fault(
      malformed(offset, `${what}: lines of this framing end with CR LF, and hold neither`),
    );
  }

  #oversize(began: number, sink: FrameSink): void {
    const max = this.#limits.maxFrameBytes;
    const fault = tooLarge(began + max, max + 1, this.#limits, false);
    this.#line = null;
    this.#state = fault.fatal ? "dead" : "skip";
    sink.fault(fault);
  }

  /**
   * An oversized line is passed over up to its ending; `before` is the byte before the LF just
   * seen.
   */
  #resume(before: number | undefined): void {
    if (this.#state === "skip" && (this.#ending !== "crlf" || before === CR)) this.#state = "line";
  }
}

/**
 * `indexOf(LF)`, but by words for the first `near` bytes, which is quicker where the LF is near.
 */
function findLf(bytes: Uint8Array, view: DataView | null, from: number, near: number): number {
  const { length } = bytes;
  let at = from;
  if (view !== null) {
    const stop = Math.min(from + near, length - 16);
    for (; at <= stop; at += 16) {
      const a = lfBits(view.getInt32(at, true));
      const b = lfBits(view.getInt32(at + 4, true));
      const c = lfBits(view.getInt32(at + 8, true));
      const d = lfBits(view.getInt32(at + 12, true));
      if ((a | b | c | d) === 0) continue;
      if (a !== 0) return at + firstByte(a);
      if (b !== 0) return at + 4 + firstByte(b);
      return c !== 0 ? at + 8 + firstByte(c) : at + 12 + firstByte(d);
    }
    if (at + 16 <= length) return bytes.indexOf(LF, at);
  }
  for (; at < length; at++) if (bytes[at] === LF) return at;
  return -1;
}

/**
 * Bit 7 of the first byte that is LF, in a word of four; bits of bytes behind it may be set
 * wrongly. Zero without one.
 */
function lfBits(word: number): number {
  const rest = word ^ 0x0a0a0a0a;
  return (rest - 0x01010101) & ~rest & 0x80808080;
}

/** Which byte of a little-endian word the lowest bit lies in. */
function firstByte(bits: number): number {
  return (31 - Math.clz32(bits & -bits)) >> 3;
}

const encoders: Readonly<Record<LineEnding, FrameEncoder>> = Object.freeze({
  lf: lineEncoder("lf", (text) => (text.includes("\n") ? null : `${text}\n`)),
  crlf: lineEncoder("crlf", (text) =>
    text.includes("\n") || text.includes("\r") ? null : `${text}\r\n`,
  ),
  any: lineEncoder("any", (text) =>
    text.includes("\n") || text.endsWith("\r") ? null : `${text}\n`,
  ),
});

function lineEncoder(ending: LineEnding, frameText: (text: string) => string | null): FrameEncoder {
  return {
    headerBytes: 0,
    seal: (output, start) => {
      sealLine(output, start, ending);
    },
    frameText,
  };
}

function sealLine(output: ByteWriter, start: number, ending: LineEnding): void {
  const end = output.length;
  if (ending === "crlf") output.byte(CR);
  output.byte(LF);
  // The ending is written first, so that the search is bounded by it.
  const { bytes, length } = output;
  if (
    bytes.indexOf(LF, start) !== length - 1 ||
    (ending === "crlf" && bytes.indexOf(CR, start) !== end) ||
    (ending === "any" && end > start && bytes[end - 1] === CR)
  ) {
    throw new HawserError(
      "PAYLOAD_FORBIDDEN",
      "Cannot send a message that holds its own line ending: send it as several lines, or use " +
        "lengthPrefixed() on both ends",
    );
  }
}
