/**
 * UTF-8, strict in both directions.
 *
 * @module
 */
import type { ByteWriter } from "./writer.ts";
import type { ChunkSearch } from "../framing/framing.ts";
import { COUNTED_CHARACTERS, countBytes, writeWellFormed } from "./utf8-write.ts";

// The package compiles without the types of Node or a browser; this is on every runtime that has
// typed arrays.
declare class TextDecoder {
  constructor(label: "latin1" | "utf-8", options?: { fatal: boolean; ignoreBOM: boolean });
  decode(bytes?: Uint8Array, options?: { stream: boolean }): string;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Characters that are written one by one, while they are ASCII: less than what a call of the
 * encoder costs.
 */
const SHORT = 24;

/**
 * Append a text as UTF-8; returns false, having written nothing, when it holds a lone surrogate,
 * which has no UTF-8.
 */
export function utf8Write(text: string, output: ByteWriter): boolean {
  return write(text, output, false);
}

/** Append a text without lone surrogates as UTF-8. */
export function utf8WriteWellFormed(text: string, output: ByteWriter): void {
  write(text, output, true);
}

function write(text: string, output: ByteWriter, isWellFormed: boolean): boolean {
  const { length: count } = text;
  const at = output.length;
  output.reserve(count * 3);
  const { bytes } = output;
  if (count <= SHORT) {
    let i = 0;
    for (; i < count; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) break;
      bytes[at + i] = unit;
    }
    if (i === count) {
      output.length = at + count;
      return true;
    }
  }
  if (!isWellFormed && !text.isWellFormed()) return false;
  output.length = at + writeWellFormed(text, bytes, at);
  return true;
}

/**
 * The text of `bytes[start, end)`.
 *
 * @throws {TypeError} when the bytes are not UTF-8
 */
export function utf8Decode(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start, end));
}

/**
 * Bytes that are decoded at once, when several messages of a chunk lie in them. Measured:
 * bench/HISTORY.md.
 */
const BLOCK_BYTES = COUNTED_CHARACTERS;

/**
 * Decodes ranges of one chunk: those that are ASCII are slices of one string, decoded at once.
 *
 * Decoding a range of its own costs ten times a slice. Between the ranges may be anything, as in
 * the headers of frames: where not all is ASCII, each range is looked at before it is sliced, and
 * one that is not ASCII is decoded by itself. Measured: bench/HISTORY.md.
 */
export class ChunkText implements ChunkSearch {
  #chunk: Uint8Array | null = null;
  /** The chunk's storage, for looking at ranges; null until one is looked at. */
  #view: DataView | null = null;
  /** `#chunk[#from, #to)`, one character a byte. */
  #text = "";
  #from = 0;
  #to = 0;
  /** True if all blocks of the chunk have been ASCII so far. */
  #isAscii = true;

  /** The chunk whose ranges come next; its bytes do not change until the next call. */
  chunk(bytes: Uint8Array | null): void {
    this.#chunk = bytes;
    this.#view = null;
    this.#to = 0;
    this.#isAscii = true;
  }

  /**
   * As {@link utf8Decode}.
   *
   * @throws {TypeError} when the bytes are not UTF-8
   */
  decode(bytes: Uint8Array, start: number, end: number): string {
    if (bytes !== this.#chunk) return utf8Decode(bytes, start, end);
    if (end > this.#to) this.#fill(bytes, start, end);
    if (
      start < this.#from ||
      end > this.#to ||
      !(this.#isAscii || this.#isRangeAscii(bytes, start, end))
    )
      return utf8Decode(bytes, start, end);
    return this.#text.slice(start - this.#from, end - this.#from);
  }

  /** @see ChunkSearch */
  indexOf(chunk: Uint8Array, character: string, start: number): number {
    if (chunk !== this.#chunk) return -1;
    if (start < this.#from || start >= this.#to) this.#fill(chunk, start, start);
    const at = this.#text.indexOf(character, start - this.#from);
    if (at !== -1) return this.#from + at;
    if (this.#from === start || this.#to === chunk.length) return -1;
    this.#fill(chunk, start, start); // the block ends in the middle of what is looked for
    return this.indexOf(chunk, character, start);
  }

  #fill(bytes: Uint8Array, start: number, end: number): void {
    const to = Math.min(start + BLOCK_BYTES, bytes.length);
    if (to - end < end - start) return; // this range is most of it
    this.#from = start;
    this.#to = to;
    this.#text = readSingleBytes(bytes, start, to);
    // A text of one character a byte has as many bytes in UTF-8 only if it is ASCII.
    this.#isAscii &&= countBytes(this.#text) === to - start;
  }

  #isRangeAscii(bytes: Uint8Array, start: number, end: number): boolean {
    const view = (this.#view ??= new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
    let bits = 0;
    let at = start;
    for (; at + 16 <= end; at += 16)
      bits |=
        view.getInt32(at, true) |
        view.getInt32(at + 4, true) |
        view.getInt32(at + 8, true) |
        view.getInt32(at + 12, true);
    for (; at < end; at++) bits |= view.getUint8(at);
    return (bits & 0x8080_8080) === 0;
  }
}

/**
 * Node's Buffer reads one character a byte, whatever the byte; the other runtimes' Buffers do so
 * too.
 */
interface Latin1Buffer extends Uint8Array {
  latin1Slice(start: number, end: number): string;
}

const singleBytes = new TextDecoder("latin1");

/**
 * `bytes[start, end)` as text of one character a byte; only those that are ASCII are the same
 * everywhere.
 */
function readSingleBytes(bytes: Uint8Array, start: number, end: number): string {
  return "latin1Slice" in bytes
    ? (bytes as Latin1Buffer).latin1Slice(start, end)
    : singleBytes.decode(bytes.subarray(start, end));
}

/**
 * A decoder for text that is cut anywhere: it keeps at most the three bytes of a character that has
 * begun.
 */
export function utf8Pieces(): {
  decode(bytes: Uint8Array, start: number, end: number): string;
  end(): void;
} {
  const pieces = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  return {
    decode: (bytes, start, end) => pieces.decode(bytes.subarray(start, end), { stream: true }),
    end: () => void pieces.decode(),
  };
}
