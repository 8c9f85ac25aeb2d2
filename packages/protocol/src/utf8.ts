/**
 * UTF-8, strict in both directions: the only file here that uses the runtime's text encoder.
 *
 * @module
 */
import type { ByteWriter } from "./bytes.ts";

// The package compiles without the types of Node or a browser; these two are on every runtime that has typed arrays.
declare class TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, target: Uint8Array): { read: number; written: number };
}
declare class TextDecoder {
  constructor(label: "utf-8", options: { fatal: boolean; ignoreBOM: boolean });
  decode(bytes?: Uint8Array, options?: { stream: boolean }): string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The UTF-8 bytes of a text, as the encoder makes them: a lone surrogate becomes U+FFFD. */
export function utf8Encode(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Append a text as UTF-8; returns false, having written nothing, when it holds a lone surrogate, which has no UTF-8. */
export function utf8Write(text: string, output: ByteWriter): boolean {
  if (!text.isWellFormed()) return false;
  const { length } = output;
  output.reserve(text.length * 3);
  output.length = length + encoder.encodeInto(text, output.bytes.subarray(length)).written;
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

/** A decoder for text that is cut anywhere: it keeps at most the three bytes of a character that has begun. */
export function utf8Pieces(): { decode(bytes: Uint8Array, start: number, end: number): string; end(): void } {
  const pieces = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  return {
    decode: (bytes, start, end) => pieces.decode(bytes.subarray(start, end), { stream: true }),
    end: () => void pieces.decode(),
  };
}
