/**
 * One call of the driver, with all that it leads to: what was written is told once, what callbacks
 * throw comes out at the end. Owns the two. Must not know what the calls do.
 *
 * @module
 */
import type { SessionSink } from "../session/types.ts";

export class Turn {
  readonly #sink: SessionSink;
  /** Number of calls of the driver that are under way, one within another. */
  #depth = 0;
  #wrote = false;
  #thrown: { readonly error: unknown } | null = null;

  constructor(sink: SessionSink) {
    this.#sink = sink;
  }

  /** A call of the driver begins; pairs with `leave`. */
  enter(): void {
    this.#depth++;
  }

  /** It ends: tell of what was written meanwhile, and throw what a callback threw. */
  leave(): void {
    if (--this.#depth > 0) return;
    this.tell();
    if (this.#thrown === null) return;
    const { error } = this.#thrown;
    this.#thrown = null;
    throw error as Error; // whatever it is: it is the callback's own
  }

  /** Something is in the output, or waits for it. */
  wrote(): void {
    this.#wrote = true;
  }

  /** Tell of what was written, now. */
  tell(): void {
    if (!this.#wrote) return;
    this.#wrote = false;
    this.run(() => {
      this.#sink.wrote();
    });
  }

  /** Run a callback; what it throws is kept, the first of all. */
  run(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#thrown ??= { error };
    }
  }
}
