/**
 * Items of a stream: what the peer has sent, until the program takes it, which is what gives credit
 * back; and what the program's own source gives, one by one. Owns the waiting, of items for a taker
 * and of a taker for items. Must not know which side opened the stream.
 *
 * @module
 */
import type { Pulled } from "@hawser/protocol/engine";

/** Whose items they are. */
export interface ItemSource {
  /** Items of this cost are taken. */
  consume(cost: number): void;
  /**
   * Asks for an item where none is here; as `pull` of a session's call: true if `push` was called
   * from within.
   */
  pull(): Error | Pulled;
  /** Nobody takes items any more, before the stream has ended. */
  abandon(): void;
  /** Nobody takes the items that have come. */
  drop(): void;
}

interface Taker<T> {
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: unknown): void;
}

/**
 * The items of one direction of one stream, taken one at a time.
 *
 * Invariant: there are items waiting, or takers waiting, never both.
 */
export class Items<T> implements AsyncIterableIterator<T, undefined> {
  readonly #source: ItemSource;
  /** Waiting items, each with its cost; those before `#next` are taken. */
  #waiting: { readonly value: T; readonly cost: number }[] = [];
  #next = 0;
  #takers: Taker<T>[] = [];
  /** True if the source is being asked for an item. */
  #asking: "no" | "yes" = "no";
  /** Their end, behind those that wait; an error is thrown once. */
  #end: { readonly error: Error | null } | null = null;

  constructor(source: ItemSource) {
    this.#source = source;
  }

  /** An item has come; after the end, only one that was asked for. */
  push(value: T, cost: number): void {
    if (this.#end !== null && this.#asking === "no" && this.#takers.length === 0) return;
    const taker = this.#takers.shift();
    if (taker === undefined) {
      this.#waiting.push({ value, cost });
      return;
    }
    this.#source.consume(cost);
    taker.resolve({ done: false, value });
  }

  /** No more will come: in order, or because of an error. */
  finish(error: Error | null): void {
    if (this.#end !== null && this.#takers.length === 0) return;
    const [first, ...rest] = this.#takers;
    this.#takers = [];
    this.#end = { error: first === undefined ? error : null };
    if (error === null) first?.resolve({ done: true, value: undefined });
    else first?.reject(error);
    for (const taker of rest) taker.resolve({ done: true, value: undefined });
  }

  /** The next item; the peer may then send as much as it cost. */
  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#next === this.#waiting.length && this.#takers.length === 0) {
      this.#asking = "yes";
      const pulled = this.#source.pull();
      this.#asking = "no";
      if (pulled === "later") return this.#wait();
      if (typeof pulled !== "boolean" && this.#end?.error === null) return this.#failed(pulled);
    }
    const item = this.#waiting[this.#next];
    if (item !== undefined) {
      if (++this.#next === this.#waiting.length) {
        this.#waiting = [];
        this.#next = 0;
      } else if (this.#next >= COMPACT && this.#next * 2 > this.#waiting.length) {
        this.#waiting.splice(0, this.#next);
        this.#next = 0;
      }
      this.#source.consume(item.cost);
      return Promise.resolve({ done: false, value: item.value });
    }
    if (this.#end === null) return this.#wait();
    const { error } = this.#end;
    this.#end = { error: null };
    return error === null
      ? Promise.resolve({ done: true, value: undefined })
      : Promise.reject(error);
  }

  /**
   * Take no more: what waits is dropped. Safe to call at any time; what the loop does that is left
   * early.
   */
  return(): Promise<IteratorReturnResult<undefined>> {
    const isOver = this.#end !== null;
    this.drop();
    this.finish(null);
    this.#end = { error: null };
    if (!isOver) this.#source.abandon();
    this.#source.drop();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Drops what waits. */
  drop(): void {
    this.#waiting = [];
    this.#next = 0;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #wait(): Promise<IteratorResult<T, undefined>> {
    return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }));
  }

  /** The next item is invalid, and the source had ended before. */
  #failed(error: Error): Promise<never> {
    this.#end = { error: null };
    return Promise.reject(error);
  }
}

/** Taken items from which it is worth moving those that wait to the front. */
const COMPACT = 1_024;
