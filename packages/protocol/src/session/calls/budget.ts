/**
 * Budget: memory of decoded values that a session may hold at once, by estimates of the codecs
 * (footprint.ts). Owns one account. Must not know whose values they are.
 *
 * @module
 */
import type { Codec } from "../../codec/codec.ts";
import { JSON_EXPANSION, valueFootprint } from "../../codec/footprint.ts";

/** What a value takes besides its bytes: its object, and what refers to it. */
const VALUE_BYTES = 256;
/**
 * Below this part of the limit the most that a codec may make of its bytes is good enough, and
 * bodies are not looked through.
 */
const PLENTY = 4;

/** The account. */
export class Budget {
  readonly #limit: number;
  #used = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Estimates what the value in `bytes[start, end)` takes. */
  weigh(codec: Codec<unknown>, bytes: Uint8Array, start: number, end: number): number {
    const most = VALUE_BYTES + (end - start) * (codec.expansion ?? JSON_EXPANSION);
    if (codec.footprint === undefined || (this.#used + most) * PLENTY <= this.#limit) return most;
    return Math.min(most, VALUE_BYTES + codec.footprint(bytes, start, end));
  }

  /**
   * Estimates what a value takes that was parsed from a text of so many bytes of JSON; null: from
   * some of a text.
   */
  weighValue(value: unknown, bytes: number | null): number {
    const most = bytes === null ? Infinity : VALUE_BYTES + bytes * JSON_EXPANSION;
    if ((this.#used + most) * PLENTY <= this.#limit) return most;
    return Math.min(most, VALUE_BYTES + valueFootprint(value));
  }

  /** True if so much more may be held; always, when nothing is. */
  fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.#limit;
  }

  hold(bytes: number): void {
    this.#used += bytes;
  }

  release(bytes: number): void {
    this.#used -= bytes;
  }
}
