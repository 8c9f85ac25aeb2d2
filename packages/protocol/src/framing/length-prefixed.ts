/**
 * lengthPrefixed(): frames that begin with their length.
 *
 *     offset bytes | length | body
 *     '----- header --------'
 *
 * With the defaults of `{ bytes: 4 }`:   length u32be | payload
 *
 * The length field counts the body, plus the header with `includesHeader`, minus `adjustment`. The
 * first `skip` bytes of the wire frame are not delivered; by default these are the whole header.
 *
 * Limits: the delivered bytes <= maxFrameBytes, checked when the length is read, before anything is
 * allocated. Faults: FRAME_TOO_LARGE and FRAME_MALFORMED at the length's first byte,
 * FRAME_TRUNCATED.
 *
 * @module
 */
import { checkOptions, describeValue } from "../arguments.ts";
import { type ByteWriter, FrameBuffer } from "../bytes/writer.ts";
import { HawserError } from "../errors.ts";
import {
  type FrameDecoder,
  type FrameEncoder,
  type FrameSink,
  type Framing,
  type FramingFault,
  malformed,
  tooLarge,
  truncated,
} from "./framing.ts";
import type { FrameLimits } from "../limits.ts";

/** Where the length stands and what it counts. All numbers are bytes. */
export interface LengthPrefixedOptions {
  /** Width of the length field. Default 4. */
  readonly bytes?: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;
  /** Byte order of the length field. Default `"big"`, the network's. */
  readonly endian?: "big" | "little";
  /** Bytes before the length field, at most 64. Default 0. */
  readonly offset?: number;
  /** Added to the field's value to get the body's length; may be negative. Default 0. */
  readonly adjustment?: number;
  /**
   * Bytes at the frame's start that are not delivered; more than the header where the body begins
   * with what is not wanted. At most 256. Default the whole header.
   */
  readonly skip?: number;
  /** True if the field's value counts the header too. Default false. */
  readonly includesHeader?: boolean;
}

/**
 * Frames that begin with their length.
 *
 * With a `skip` below the header's length, what is left of the header is part of each payload: then
 * a payload to be sent must begin with it, and hold its own length. What is skipped and is not the
 * length is sent as zeros.
 *
 * @throws {TypeError} when the options are not an object, or one has the wrong type or is not known
 * @throws {RangeError} when an option is out of its range
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { encodeFrames, lengthPrefixed } from "@hawser/protocol";
 *
 * const bytes = encodeFrames(lengthPrefixed({ bytes: 2 }), [Uint8Array.of(7, 8, 9)]);
 * assert.deepEqual([...bytes], [0, 3, 7, 8, 9]);
 * ```
 */
export function lengthPrefixed(options: LengthPrefixedOptions = {}): Framing {
  const layout = resolveLayout(options);
  const encoder = layout.plain ? new PlainEncoder(layout) : new LengthEncoder(layout);
  return Object.freeze({
    name: `lengthPrefixed(${String(layout.bytes * 8)} ${layout.endian})`,
    decoder: (limits: FrameLimits) => new LengthDecoder(layout, limits),
    encoder: () => encoder,
  });
}

interface Layout {
  readonly bytes: number;
  readonly endian: "big" | "little";
  readonly offset: number;
  /** Length of what stands before the body. */
  readonly header: number;
  /** The wire frame's length minus the field's value. */
  readonly extra: number;
  readonly skip: number;
  /**
   * A header of four bytes big-endian that counts the body and is skipped: the common one, which
   * has a path of its own.
   */
  readonly plain: boolean;
}

function resolveLayout(options: LengthPrefixedOptions): Layout {
  checkOptions("lengthPrefixed()", options, [
    "bytes",
    "endian",
    "offset",
    "adjustment",
    "skip",
    "includesHeader",
  ]);
  const { bytes = 4, endian = "big", offset = 0, adjustment = 0, includesHeader = false } = options;
  if (!["big", "little"].includes(endian))
    throw new TypeError(`Cannot use endian ${describeValue(endian)}: it is "big" or "little"`);
  if (typeof includesHeader !== "boolean")
    throw new TypeError("Cannot use includesHeader: it is true or false");
  checkRange("bytes", bytes, 1, 8);
  checkRange("offset", offset, 0, 64);
  const header = offset + bytes;
  checkRange("adjustment", adjustment, -0x7fff_ffff, 0x7fff_ffff);
  const skip = options.skip ?? header;
  checkRange("skip", skip, 0, MAX_SKIP);
  const extra = adjustment + (includesHeader ? 0 : header);
  const plain = bytes === 4 && endian === "big" && offset === 0 && extra === 4 && skip === 4;
  return { bytes, endian, offset, header, extra, skip, plain };
}

const MAX_SKIP = 256;

function checkRange(
  name: string,
  value: unknown,
  min: number,
  max: number,
): asserts value is number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(
      `Cannot use lengthPrefixed({ ${name}: ${describeValue(value)} }): it is a whole number ` +
        `from ${String(min)} to ${String(max)}`,
    );
  }
}

/**
 * The length field at `at`. Above 2^53 the value is rounded: every such length is above every
 * limit.
 */
function readLength({ bytes, endian }: Layout, from: Uint8Array, at: number): number {
  let value = 0;
  for (let i = 0; i < bytes; i++) {
    // the caller has the whole header
    value = value * 256 + (from[at + (endian === "big" ? i : bytes - 1 - i)] as number);
  }
  return value;
}

function writeLength(
  { bytes, endian }: Layout,
  into: Uint8Array,
  at: number,
  length: number,
): void {
  let rest = length;
  for (let i = 0; i < bytes; i++) {
    into[at + (endian === "big" ? bytes - 1 - i : i)] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

/** What #measure returns for a header that ended the decoding. */
const REFUSED = -Infinity;

class LengthDecoder implements FrameDecoder {
  readonly #layout: Layout;
  readonly #limits: FrameLimits;
  /**
   * The begun frame from its first header byte on; null between frames, where an idle connection
   * is.
   */
  #frame: FrameBuffer | null = null;
  /** Length of the begun frame on the wire; 0 until its header is complete. */
  #frameBytes = 0;
  /** Bytes of an oversized frame that are still to be passed over. */
  #discard = 0;
  #state: "open" | "dead" = "open";
  #offset = 0;

  constructor(layout: Layout, limits: FrameLimits) {
    this.#layout = layout;
    this.#limits = limits;
  }

  get partial(): boolean {
    return this.#kept > 0 || this.#discard > 0;
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    const { header, skip, plain } = this.#layout;
    let at = this.#resume(chunk, sink);
    if (plain) at = this.#walk(chunk, at, sink);
    while (at < chunk.length && this.#state === "open") {
      const have = chunk.length - at;
      const frameBytes = have < header ? 0 : this.#measure(chunk, at, this.#offset + at, sink);
      if (frameBytes === REFUSED) break;
      if (frameBytes < 0) {
        at = this.#pass(-frameBytes, at, chunk.length);
      } else if (frameBytes === 0 || have < frameBytes) {
        this.#frameBytes = frameBytes;
        (this.#frame ??= new FrameBuffer()).append(
          chunk,
          at,
          chunk.length,
          frameBytes === 0 ? header : frameBytes,
        );
        break;
      } else {
        const next = at + frameBytes;
        sink.frame(chunk, at + skip, next);
        at = next;
      }
    }
    if (this.#frame !== null && this.#frame.length === 0) this.#frame = null;
    this.#offset += chunk.length;
  }

  end(sink: FrameSink): void {
    if (this.#state === "open" && this.#kept > 0) {
      const wanted =
        this.#frameBytes > 0
          ? `${String(this.#frameBytes - this.#kept)} bytes`
          : "the rest of its header";
      sink.fault(truncated(this.#offset, this.#kept, wanted));
    }
    this.#frame = null;
    this.#discard = 0;
    this.#state = "dead";
  }

  /** Bytes of the begun frame. */
  get #kept(): number {
    return this.#frame === null ? 0 : this.#frame.length;
  }

  /**
   * Deliver the frames that lie whole in the chunk and within the limit; returns where the first
   * other begins.
   */
  #walk(chunk: Uint8Array, from: number, sink: FrameSink): number {
    const { length } = chunk;
    const { maxFrameBytes } = this.#limits;
    let at = from;
    while (at + 4 <= length && this.#state === "open") {
      const size =
        (((chunk[at] as number) << 24) |
          ((chunk[at + 1] as number) << 16) |
          ((chunk[at + 2] as number) << 8) |
          (chunk[at + 3] as number)) >>>
        0; // in the chunk
      const next = at + 4 + size;
      if (size > maxFrameBytes || next > length) break;
      sink.frame(chunk, at + 4, next);
      at = next;
    }
    return at;
  }

  /** Go on with what an earlier chunk began; returns where the next frame starts in this chunk. */
  #resume(chunk: Uint8Array, sink: FrameSink): number {
    if (this.#state === "dead") return chunk.length;
    if (this.#discard > 0) return this.#pass(this.#discard, 0, chunk.length);
    const frame = this.#frame;
    if (frame === null || frame.length === 0) return 0;
    let at = 0;
    if (this.#frameBytes === 0) {
      const { header } = this.#layout;
      const began = this.#offset - frame.length;
      at = Math.min(header - frame.length, chunk.length);
      frame.append(chunk, 0, at, header);
      if (frame.length < header) return at;
      const frameBytes = this.#measure(frame.bytes, 0, began, sink);
      if (frameBytes < 0) {
        frame.clear();
        return frameBytes === REFUSED
          ? chunk.length
          : this.#pass(-frameBytes - header, at, chunk.length);
      }
      this.#frameBytes = frameBytes;
    }
    const end = Math.min(at + this.#frameBytes - frame.length, chunk.length);
    frame.append(chunk, at, end, this.#frameBytes);
    if (frame.length === this.#frameBytes) {
      const { length } = frame;
      const bytes = frame.lend();
      this.#frameBytes = 0;
      sink.frame(bytes, this.#layout.skip, length);
      frame.takeBack(bytes);
    }
    return end;
  }

  /**
   * The wire length of the frame whose header is at `at`; negative when it is to be passed over; or
   * REFUSED.
   */
  #measure(bytes: Uint8Array, at: number, began: number, sink: FrameSink): number {
    const { offset, header, extra, skip } = this.#layout;
    const value = readLength(this.#layout, bytes, at + offset);
    const frameBytes = value + extra;
    if (frameBytes < header || frameBytes < skip) {
      const what = frameBytes < header ? "its own header" : "what is skipped of each frame";
      this.#fault(
        malformed(
          began + offset,
          `The length field says ${String(value)}, which is too small to hold ${what}`,
        ),
        sink,
      );
      return REFUSED;
    }
    if (frameBytes - skip > this.#limits.maxFrameBytes) {
      const fault = this.#tooLarge(bytes, at + offset, began + offset, frameBytes - skip);
      this.#fault(fault, sink);
      return fault.fatal ? REFUSED : -frameBytes;
    }
    return frameBytes;
  }

  /**
   * A peer that speaks lines of text has its first letters in the length's place: the fault says
   * so, but not which letters, since they are its data.
   */
  #tooLarge(bytes: Uint8Array, at: number, offset: number, size: number): FramingFault {
    const fault = tooLarge(offset, size, this.#limits, true);
    const field = bytes.subarray(at, at + this.#layout.bytes);
    if (field.length < 2 || !field.every(isText)) return fault;
    return { ...fault, detail: `${fault.detail}: the length's bytes are ASCII text` };
  }

  #fault(fault: FramingFault, sink: FrameSink): void {
    if (fault.fatal) this.#state = "dead";
    sink.fault(fault);
  }

  /** Pass over `count` bytes from `at`; returns where the chunk goes on. */
  #pass(count: number, at: number, length: number): number {
    const end = Math.min(at + count, length);
    this.#discard = count - (end - at);
    return end;
  }
}

/** Letters, digits and signs of ASCII, and what ends a line. */
function isText(byte: number): boolean {
  return (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

const NOTHING = new Uint8Array(0);

/**
 * The encoder of a big-endian u32 that counts the payload, and of nothing else: the form that most
 * use.
 */
class PlainEncoder implements FrameEncoder {
  readonly headerBytes = 4;
  readonly #layout: Layout;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  seal(output: ByteWriter, start: number): void {
    const { bytes } = output;
    const size = output.length - start - 4;
    if (size > 0xffff_ffff) this.#refuse(output, start);
    bytes[start] = size >>> 24;
    bytes[start + 1] = size >>> 16;
    bytes[start + 2] = size >>> 8;
    bytes[start + 3] = size;
  }

  #refuse(output: ByteWriter, start: number): void {
    new LengthEncoder(this.#layout).seal(output, start); // throws
  }
}

class LengthEncoder implements FrameEncoder {
  /**
   * Free bytes before the payload: the part of the header that is skipped, and so not in the
   * payload.
   */
  readonly headerBytes: number;
  readonly #layout: Layout;

  constructor(layout: Layout) {
    this.#layout = layout;
    this.headerBytes = layout.skip;
  }

  seal(output: ByteWriter, start: number): void {
    const { bytes, offset, header, extra, skip } = this.#layout;
    const length = output.length - start;
    const value = length - extra;
    if (length < header)
      throw new HawserError(
        "PAYLOAD_FORBIDDEN",
        `Cannot send a message of ${String(length - skip)} bytes: with this skip it begins ` +
          `with ${String(header - skip)} bytes of header`,
      );
    if (value < 0 || value >= 256 ** bytes) {
      throw new HawserError(
        "PAYLOAD_FORBIDDEN",
        `Cannot send a message of ${String(length - skip)} bytes: a length field of ` +
          `${String(bytes)} bytes can't say ${String(value)}; use a wider one on both ends`,
      );
    }
    const stated = skip > offset ? value : readLength(this.#layout, output.bytes, start + offset);
    if (stated !== value)
      throw new HawserError(
        "PAYLOAD_FORBIDDEN",
        `Cannot send a message whose own length field says ${String(stated)} instead of ` +
          String(value),
      );
    output.bytes.fill(0, start, start + Math.min(skip, offset));
    if (skip > header) output.bytes.fill(0, start + header, start + skip);
    if (skip > offset) this.#write(output, start, value);
  }

  /** Where `skip` cuts the length field itself, its tail is payload and must be right already. */
  #write(output: ByteWriter, start: number, value: number): void {
    const { bytes, offset, skip } = this.#layout;
    const tail =
      skip < offset + bytes
        ? new Uint8Array(output.bytes.subarray(start + skip, start + offset + bytes))
        : NOTHING;
    writeLength(this.#layout, output.bytes, start + offset, value);
    for (let i = 0; i < tail.length; i++) {
      if (output.bytes[start + skip + i] !== tail[i])
        throw new HawserError(
          "PAYLOAD_FORBIDDEN",
          "Cannot send a message whose part of the length field is wrong",
        );
    }
  }
}
