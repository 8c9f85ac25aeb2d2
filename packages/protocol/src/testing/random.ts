/**
 * Random: chance from a seed, so that what fails can be run again.
 *
 * Source: mulberry32, by Tommy Ettinger; 32 bits of state are plenty for tests and too few for
 * anything else.
 *
 * @module
 */

/** A sequence of numbers that its seed determines. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to `count - 1`. */
  below(count: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * count);
  }

  /** One of `choices`, which must not be empty. */
  pick<T>(choices: ArrayLike<T>): T {
    return choices[this.below(choices.length)] as T; // in range, because it is not empty
  }

  /** `length` bytes, each one of `alphabet`, or any. */
  bytes(length: number, alphabet?: ArrayLike<number>): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at++)
      bytes[at] = alphabet === undefined ? this.below(256) : this.pick(alphabet);
    return bytes;
  }
}
