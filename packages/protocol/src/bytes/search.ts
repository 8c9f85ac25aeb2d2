/**
 * Needle: finds a byte sequence in a stream, across any cut, in linear time (Knuth, Morris, Pratt:
 * "Fast pattern matching in strings", 1977), skipping with `indexOf` where nothing is matched yet.
 * Owns the matching alone; what a match means is its caller's: a delimiter ends a frame, a suffix
 * ends a conversation.
 *
 * @module
 */

/** A byte sequence prepared for searching; immutable, shared. */
export class Needle {
  readonly bytes: Uint8Array;
  /**
   * `#fallback[n]`: length of the longest proper prefix of the needle that also ends its first `n`
   * bytes.
   */
  readonly #fallback: Uint32Array;

  /** @throws {RangeError} when the needle is empty */
  constructor(bytes: Uint8Array) {
    if (bytes.length === 0) throw new RangeError("Cannot search for an empty byte sequence");
    // not slice(): a Buffer's slice is a view of the caller's bytes
    this.bytes = new Uint8Array(bytes);
    this.#fallback = new Uint32Array(bytes.length + 1);
    for (let at = 1, matched = 0; at < bytes.length; at++) {
      while (matched > 0 && bytes[at] !== bytes[matched])
        matched = this.#fallback[matched] as number; // matched <= length
      if (bytes[at] === bytes[matched]) matched++;
      this.#fallback[at + 1] = matched;
    }
  }

  get length(): number {
    return this.bytes.length;
  }

  /**
   * Bytes of the needle that match after `byte`, when `matched` of it did before; `length` is a
   * whole match.
   */
  step(matched: number, byte: number): number {
    let state = matched;
    // state <= length
    while (state > 0 && byte !== this.bytes[state]) state = this.#fallback[state] as number;
    return byte === this.bytes[state] ? state + 1 : 0;
  }
}

/**
 * One search through one stream. `matched` is the state between chunks: how many of the last bytes
 * begin the needle.
 */
export class NeedleSearch {
  readonly #needle: Needle;
  matched = 0;

  constructor(needle: Needle) {
    this.#needle = needle;
  }

  /**
   * Search `bytes[from, end)`; returns the index after the first match, or -1. After a match the
   * search begins anew.
   */
  next(bytes: Uint8Array, from: number, end: number): number {
    const needle = this.#needle;
    const first = needle.bytes[0] as number; // a needle is not empty
    let { matched } = this;
    for (let at = from; at < end; at++) {
      if (matched === 0) {
        at = indexOf(bytes, first, at, end);
        if (at === -1) break;
      }
      matched = needle.step(matched, bytes[at] as number); // at < end
      if (matched === needle.length) {
        this.matched = 0;
        return at + 1;
      }
    }
    this.matched = matched;
    return -1;
  }
}

/**
 * `indexOf` that never looks beyond `end`: what follows may be much longer than what is searched.
 */
function indexOf(bytes: Uint8Array, byte: number, from: number, end: number): number {
  if (end === bytes.length) return bytes.indexOf(byte, from);
  for (let at = from; at < end; at++) if (bytes[at] === byte) return at;
  return -1;
}
