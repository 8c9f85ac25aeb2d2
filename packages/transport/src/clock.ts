/**
 * Time: the only file that reads a clock or sets a timer.
 * Owns the coarse tick that all the connections of a process share, so that no connection, message or timeout has a timer.
 * Must not know what the ticking is for.
 *
 * @module
 */

import { TurnBudget } from "./turn-budget.ts";

/** Monotonic time and what wakes on it; injected wherever something waits. */
export interface Clock {
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  /** Call `run` every `intervalMs` until the returned function is called; does not keep the process alive. */
  every(intervalMs: number, run: () => void): () => void;
  /** Call `run` once after `delayMs`, unless the returned function is called before. */
  after(delayMs: number, run: () => void): () => void;
}

/** The machine's clock. */
export const systemClock: Clock = Object.freeze({
  now: () => performance.now(),
  every: (intervalMs: number, run: () => void) => {
    const timer = setInterval(run, intervalMs);
    timer.unref();
    return () => {
      clearInterval(timer);
    };
  },
  after: (delayMs: number, run: () => void) => {
    const timer = setTimeout(run, delayMs);
    return () => {
      clearTimeout(timer);
    };
  },
});

/** Run a task in a later turn of the event loop, after what input and output there is. */
export function laterTurn(task: () => void): void {
  setImmediate(task);
}

/**
 * Run a task in a turn after the one in which every connection has been read. Immediates that follow one another keep Deno from reading at
 * all, so there it is a timer. Measured: bench/src/fairness.ts.
 */
export const afterReads: (task: () => void) => void = "Deno" in globalThis ? (task) => void setTimeout(task, 0) : laterTurn;

/** Something that looks at the time at each tick. */
export interface Ticking {
  tick(nowMs: number): void;
}

/** Timeouts are late by at most this, in milliseconds: what seconds-long timeouts can bear. */
export const TICK_MS = 250;

/**
 * One coarse tick for many timeouts.
 *
 * `now` is the time of the last tick while anything is added: what stamps an event without reading the clock.
 */
export class Ticker {
  now: number;
  readonly clock: Clock;
  /** What each connection may have done for it in a turn. */
  readonly budget: TurnBudget;
  readonly #members = new Set<Ticking>();
  #stop: (() => void) | null = null;

  constructor(clock: Clock) {
    this.clock = clock;
    this.budget = new TurnBudget(() => clock.now(), laterTurn);
    this.now = clock.now();
  }

  add(member: Ticking): void {
    this.#members.add(member);
    if (this.#stop !== null) return;
    this.now = this.clock.now();
    this.#stop = this.clock.every(TICK_MS, () => {
      this.now = this.clock.now();
      for (const each of this.#members) each.tick(this.now);
    });
  }

  delete(member: Ticking): void {
    this.#members.delete(member);
    if (this.#members.size > 0) return;
    this.#stop?.();
    this.#stop = null;
  }
}

/**
 * The tick that every connection uses unless it is given another.
 * Module-level on purpose: one per process is what keeps ten thousand connections at one timer.
 */
export const processTicker: Ticker = new Ticker(systemClock);
