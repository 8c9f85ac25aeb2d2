/**
 * Fifo: a queue that is as quick with a hundred thousand items as with one, which `Array.shift` is
 * not.
 *
 * @module
 */

/** Taken places before the array is made shorter. */
const SLACK = 1_024;
/** Places that an empty queue keeps: making them anew for each item costs more than the item. */
const KEPT = 32;

/** First in, first out. */
export class Fifo<T extends object> {
  /** Items are in `[#head, #tail)`; the other places are empty. */
  #items: (T | undefined)[] = [];
  #head = 0;
  #tail = 0;

  get length(): number {
    return this.#tail - this.#head;
  }

  /** The oldest, or undefined. */
  get first(): T | undefined {
    return this.#items[this.#head];
  }

  /** The item that so many are before, or undefined. */
  at(index: number): T | undefined {
    return this.#items[this.#head + index];
  }

  push(item: T): void {
    this.#items[this.#tail++] = item;
  }

  /** Take the oldest out. */
  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#tail) {
      this.#head = this.#tail = 0;
      if (this.#items.length > KEPT) this.#items = [];
    } else if (this.#head >= SLACK && this.#head * 2 >= this.#tail) {
      this.#take(this.toArray());
    }
    return item;
  }

  /** Take all but the oldest `kept` out, in order. */
  cut(kept: number): T[] {
    const items = this.toArray();
    const rest = items.splice(kept);
    this.#take(items);
    return rest;
  }

  clear(): void {
    this.#take([]);
  }

  /** A copy, the oldest first. */
  toArray(): T[] {
    return this.#items.slice(this.#head, this.#tail) as T[]; // all of these places are taken
  }

  #take(items: T[]): void {
    this.#items = items;
    this.#head = 0;
    this.#tail = items.length;
  }
}
