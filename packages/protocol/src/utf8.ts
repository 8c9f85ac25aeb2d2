/**
 * UTF-8, strict in both directions.
 *
 * @module
 */
import type { ByteWriter } from "./bytes.ts";
import { writeWellFormed } from "./utf8-write.ts";

// The package compiles without the types of Node or a browser; this is on every runtime that has typed arrays.
declare class TextDecoder {
  constructor(label: "utf-8", options: { fatal: boolean; ignoreBOM: boolean });
  decode(bytes?: Uint8Array, options?: { stream: boolean }): string;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Characters that are written one by one, while they are ASCII: less than what a call of the encoder costs. */
const SHORT = 24;

/** Append a text as UTF-8; returns false, having written nothing, when it holds a lone surrogate, which has no UTF-8. */
export function utf8Write(text: string, output: ByteWriter): boolean {
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
  if (!text.isWellFormed()) return false;
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

/** Bytes that are decoded at once, when several messages of a chunk lie in them. Measured: bench/HISTORY.md. */
const BLOCK_BYTES = 4_096;

/**
 * Decodes ranges of one chunk: those that lie in a run of ASCII are slices of one string, decoded at once.
 *
 * Decoding a range of its own costs ten times a slice. Where the bytes are not all ASCII, each range is decoded by itself.
 */
export class ChunkText {
  #chunk: Uint8Array | null = null;
  /** The text of `#chunk[#from, #to)`, one character a byte; empty where that range is not ASCII. */
  #text = "";
  #from = 0;
  #to = 0;

  /** The chunk whose ranges come next; its bytes do not change until the next call. */
  chunk(bytes: Uint8Array | null): void {
    this.#chunk = bytes;
    this.#to = 0;
  }

  /**
   * As {@link utf8Decode}.
   *
   * @throws {TypeError} when the bytes are not UTF-8
   */
  decode(bytes: Uint8Array, start: number, end: number): string {
    if (bytes !== this.#chunk) return utf8Decode(bytes, start, end);
    if (end > this.#to) this.#fill(bytes, start, end);
    if (this.#text === "" || start < this.#from || end > this.#to) return utf8Decode(bytes, start, end);
    return this.#text.slice(start - this.#from, end - this.#from);
  }

  #fill(bytes: Uint8Array, start: number, end: number): void {
    let to = Math.min(start + BLOCK_BYTES, bytes.length);
    if (to - end < end - start) return; // this range is most of it
    while (to > end && ((bytes[to] ?? 0) & 0xc0) === 0x80) to--; // not inside a character
    this.#from = start;
    this.#to = to;
    try {
      const block = utf8Decode(bytes, start, to);
      this.#text = block.length === to - start ? block : "";
    } catch {
      // Bytes between the ranges, or a wrong one: each is judged by itself, to the end of the chunk.
      this.#text = "";
      this.#to = bytes.length;
    }
  }
}

/** A decoder for text that is cut anywhere: it keeps at most the three bytes of a character that has begun. */
export function utf8Pieces(): { decode(bytes: Uint8Array, start: number, end: number): string; end(): void } {
  const pieces = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  return {
    decode: (bytes, start, end) => pieces.decode(bytes.subarray(start, end), { stream: true }),
    end: () => void pieces.decode(),
  };
}
