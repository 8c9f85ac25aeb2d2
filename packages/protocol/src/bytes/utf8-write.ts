/**
 * Writing UTF-8 into storage: the only file that uses the runtime's text encoder.
 *
 * @module
 */

// The package compiles without the types of Node or a browser; this is on every runtime that has
// typed arrays.
declare class TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, target: Uint8Array): { read: number; written: number };
}

const encoder = new TextEncoder();

/**
 * Node's Buffer writes UTF-8 at an offset, without a view for each text; the other runtimes'
 * Buffers do so too.
 */
interface Utf8Buffer extends Uint8Array {
  utf8Write(text: string, offset: number): number;
}

/** The UTF-8 bytes of a text, as the encoder makes them: a lone surrogate becomes U+FFFD. */
export function utf8Encode(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/**
 * Write a text without lone surrogates at `bytes[at]`, where there is room for three bytes a
 * character; returns how many bytes it took.
 */
export function writeWellFormed(text: string, bytes: Uint8Array, at: number): number {
  return "utf8Write" in bytes
    ? (bytes as Utf8Buffer).utf8Write(text, at)
    : encoder.encodeInto(text, bytes.subarray(at)).written;
}

/** Characters of the longest text whose bytes are counted. */
export const COUNTED_CHARACTERS = 4_096;

/** Where texts are written to be counted; nobody reads it. */
const scratch = new Uint8Array(COUNTED_CHARACTERS * 3);

/** Bytes that a text of up to {@link COUNTED_CHARACTERS} takes in UTF-8. */
export function countBytes(text: string): number {
  return encoder.encodeInto(text, scratch).written;
}
