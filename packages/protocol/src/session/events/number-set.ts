/**
 * NumberSet: which numbers of events have come, or are handled or settled: all up to one, and
 * ranges above it (PROTOCOL.md §8). Owns the ranges; their memory grows with the gaps, not with the
 * numbers. Must not know what a number stands for.
 *
 *     1 2 3 4 . 6 7 . . 10         upTo 4, ranges [6, 7] [10, 10]
 *
 * @module
 */

/** Numbers from the first to the last. */
export type NumberRange = readonly [first: number, last: number];

/** A set of whole numbers from 1. */
export class NumberSet {
  /** All numbers up to this one are in the set. */
  upTo = 0;
  /** Those above the first gap: ascending, and apart from each other. */
  #ranges: [first: number, last: number][] = [];
  /** Count of the numbers in the ranges. */
  #above = 0;

  /** The highest number, or 0. */
  get highest(): number {
    return this.#ranges.at(-1)?.[1] ?? this.upTo;
  }

  /** True if there is no gap. */
  get isWhole(): boolean {
    return this.#above === 0;
  }

  /** The ranges above the first gap, ascending. Not to be kept: the next `add` may change them. */
  get ranges(): readonly NumberRange[] {
    return this.#ranges;
  }

  has(number: number): boolean {
    if (number <= this.upTo) return true;
    const range = this.#ranges[this.#find(number)];
    return range !== undefined && range[0] <= number;
  }

  /**
   * Puts a number in that follows all others, with no gap before it: true. False: it is not such a
   * number, and nothing is changed.
   */
  append(number: number): boolean {
    if (number !== this.upTo + 1 || this.#above > 0) return false;
    this.upTo = number;
    return true;
  }

  /** Puts the numbers from `first` to `last` in. */
  add(first: number, last: number = first): void {
    if (first > this.upTo + 1) {
      this.#insert(first, last);
      return;
    }
    this.upTo = Math.max(this.upTo, last);
    if (this.#ranges.length > 0) this.#absorb();
  }

  /** Number of those below this one that are not in the set. */
  missingBelow(number: number): number {
    if (number <= this.upTo + 1) return 0;
    if (number > this.highest) return number - 1 - this.upTo - this.#above;
    let missing = number - 1 - this.upTo;
    for (const [first, last] of this.#ranges) {
      if (first >= number) break;
      missing -= Math.min(last, number - 1) - first + 1;
    }
    return missing;
  }

  /** The numbers from `first` to `last` that are not in the set. */
  gaps(first: number, last: number): NumberRange[] {
    const gaps: NumberRange[] = [];
    let from = Math.max(first, this.upTo + 1);
    for (let at = this.#find(from); from <= last; at++) {
      const [begin, end] = this.#ranges[at] ?? [Infinity, Infinity];
      if (from < begin) gaps.push([from, Math.min(last, begin - 1)]);
      from = end + 1;
    }
    return gaps;
  }

  clear(): void {
    this.upTo = 0;
    this.#ranges = [];
    this.#above = 0;
  }

  /** A range above the first gap, merged with those that it overlaps or touches. */
  #insert(first: number, last: number): void {
    const ranges = this.#ranges;
    const from = this.#find(first - 1);
    let to = from;
    let merged: [number, number] = [first, last];
    for (let next = ranges[to]; next !== undefined && next[0] <= last + 1; next = ranges[++to]) {
      merged = [Math.min(merged[0], next[0]), Math.max(merged[1], next[1])];
      this.#above -= next[1] - next[0] + 1;
    }
    this.#above += merged[1] - merged[0] + 1;
    ranges.splice(from, to - from, merged);
  }

  /** `upTo` has grown: takes in the ranges that it has reached. */
  #absorb(): void {
    const ranges = this.#ranges;
    let count = 0;
    for (
      let next = ranges[0];
      next !== undefined && next[0] <= this.upTo + 1;
      next = ranges[++count]
    ) {
      this.upTo = Math.max(this.upTo, next[1]);
      this.#above -= next[1] - next[0] + 1;
    }
    if (count > 0) ranges.splice(0, count);
  }

  /** The place of the first range that ends at the number or above it. */
  #find(number: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle]?.[1] ?? Infinity) < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
