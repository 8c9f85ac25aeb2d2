/**
 * Lengths in text: the one form of decimal number that Hawser reads and writes before a payload.
 *
 *     0, or a digit 1 to 9 and up to eight more    no sign, no space, no leading zero, no hex
 *
 * Nine digits are what the reference decoder of netstrings reads, and exact in any number type.
 * Owns the number, the header that is nothing but the number and one byte, and the encoder. Must
 * not know who counts what.
 *
 * @module
 */
import type { ByteWriter } from "../bytes/writer.ts";
import type { HeaderReader } from "./counted.ts";
import { HawserError } from "../errors.ts";
import type { FrameEncoder } from "./framing.ts";

/** Most digits of a length. */
export const LENGTH_DIGITS = 9;

const ZERO = 0x30;
const NINE = 0x39;

/**
 * The number that a text of the wire says in decimal, or null where it is not one from `least` to
 * `most` in the canonical form: digits alone, no leading zero. What `Number()` reads besides is
 * refused: "", " 1", "0x10", "1e3", "1.0", "007", "+5", "-0".
 *
 * Limits: `most` <= 2^53 - 1
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseDecimal } from "@hawser/protocol";
 *
 * assert.equal(parseDecimal("191", 0, 191), 191);
 * assert.equal(parseDecimal("192", 0, 191), null);
 * assert.equal(parseDecimal("0x10"), null);
 * ```
 */
export function parseDecimal(
  text: string,
  least = 0,
  most: number = Number.MAX_SAFE_INTEGER,
): number | null {
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(text)) return null;
  const value = Number(text); // of the form above alone; exact up to `most`
  return value >= least && value <= most ? value : null;
}

/** A canonical decimal, read digit by digit. */
export class Decimal {
  value = 0;
  digits = 0;

  /**
   * Take one more digit; false, having taken nothing, when no canonical decimal goes on with this
   * byte.
   */
  take(byte: number): boolean {
    const leadingZero = this.value === 0 && this.digits > 0;
    if (byte < ZERO || byte > NINE || leadingZero || this.digits === LENGTH_DIGITS) return false;
    this.value = this.value * 10 + byte - ZERO;
    this.digits++;
    return true;
  }

  reset(): void {
    this.value = 0;
    this.digits = 0;
  }
}

/** A header that is a length and the byte after it; `least` is the smallest length allowed. */
export class DecimalHeader implements HeaderReader {
  size = 0;
  length = -1;
  readonly lengthAt = 0;
  wrong: HeaderReader["wrong"] = null;
  readonly #after: number;
  readonly #least: 0 | 1;
  readonly #decimal = new Decimal();

  constructor(after: number, least: 0 | 1) {
    this.#after = after;
    this.#least = least;
  }

  read(chunk: Uint8Array, from: number): number {
    const decimal = this.#decimal;
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at] as number; // at < length
      this.size++;
      if (decimal.digits > 0 && byte === this.#after) {
        this.length = decimal.value;
        return at + 1;
      }
      if (!decimal.take(byte) || decimal.value < this.#least) {
        const after = String.fromCharCode(this.#after);
        this.wrong = {
          at: this.size - 1,
          detail:
            `The length is not a decimal from ${String(this.#least)} on, without leading zeros, ` +
            `of at most ${String(LENGTH_DIGITS)} digits, and "${after}"`,
        };
        return at + 1;
      }
    }
    return chunk.length;
  }

  reset(): void {
    this.size = 0;
    this.length = -1;
    this.wrong = null;
    this.#decimal.reset();
  }
}

/** What stands around a length and its payload: `before | length | after | payload | closing`. */
export interface DecimalLayout {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
  readonly closing: Uint8Array;
  /** The smallest length that may be sent. */
  readonly least: 0 | 1;
}

/** An encoder of frames whose header says the payload's length in decimal. */
export function decimalEncoder({ before, after, closing, least }: DecimalLayout): FrameEncoder {
  /** The shortest header: a longer length moves the payload. */
  const headerBytes = before.length + 1 + after.length;
  return {
    headerBytes,
    seal(output: ByteWriter, start: number): void {
      const length = output.length - start - headerBytes;
      const digits = String(length);
      if (length < least || digits.length > LENGTH_DIGITS) {
        throw new HawserError(
          "PAYLOAD_FORBIDDEN",
          `Cannot send a message of ${digits} bytes: this framing says lengths from ` +
            `${String(least)} on in at most ${String(LENGTH_DIGITS)} digits`,
        );
      }
      if (digits.length > 1) output.insert(start + headerBytes, digits.length - 1);
      output.bytes.set(before, start);
      for (let i = 0; i < digits.length; i++)
        output.bytes[start + before.length + i] = digits.charCodeAt(i);
      output.bytes.set(after, start + before.length + digits.length);
      for (const byte of closing) output.byte(byte);
    },
  };
}
