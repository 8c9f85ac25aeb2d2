/**
 * Flushes: who waits until the events that were emitted so far have left, whatever order their
 * lanes let them leave in. Owns the waiters, and how many events each waits for. Must not know
 * events.
 *
 *     generation   events that wait between two calls of `wait`; done when they, and those of all
 *                  older generations, have left
 *
 * @module
 */
import type { HawserError } from "../../errors.ts";
import { Fifo } from "../fifo.ts";

/** Told when the events have left, or never will; with an error when the session is over before. */
export type Flushed = (error: HawserError | null) => void;

/** The events that began to wait between two calls of `wait`. */
export interface Generation {
  /** Number of them that have not left. */
  pending: number;
  /** Callbacks that wait for these, and for all before them. Empty: more events may join. */
  readonly waiters: Flushed[];
}

/** One session's waiters. */
export class Flushes {
  readonly #generations = new Fifo<Generation>();
  #newest: Generation | null = null;

  /** An event begins to wait. Returns what `left` takes. */
  enter(): Generation {
    let newest = this.#newest;
    if (newest === null || newest.waiters.length > 0) {
      newest = { pending: 0, waiters: [] };
      this.#newest = newest;
      this.#generations.push(newest);
    }
    newest.pending++;
    return newest;
  }

  /** The event has left, or never will. */
  left(generation: Generation): void {
    generation.pending--;
    for (let { first } = this.#generations; first?.pending === 0; { first } = this.#generations) {
      this.#generations.shift();
      if (first === this.#newest) this.#newest = null;
      for (const done of first.waiters) done(null);
    }
  }

  /** Calls `done` when all events that wait now have left: at once where there are none. */
  wait(done: Flushed): void {
    if (this.#newest === null) done(null);
    else this.#newest.waiters.push(done);
  }

  /** The session is over: nobody waits any more. */
  close(error: HawserError): void {
    this.#newest = null;
    for (const { waiters } of this.#generations.cut(0)) for (const done of waiters) done(error);
  }
}
