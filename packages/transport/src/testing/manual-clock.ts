/**
 * A clock that a test sets: time passes when `advance` says so, and at no other moment.
 *
 * @module
 */
import type { Clock } from "../clock.ts";

/** A {@link Clock} whose time is moved by hand. */
export class ManualClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{
    at: number;
    readonly everyMs: number | null;
    readonly run: () => void;
  }>();

  now(): number {
    return this.#now;
  }

  every(intervalMs: number, run: () => void): () => void {
    return this.#add(intervalMs, intervalMs, run);
  }

  after(delayMs: number, run: () => void): () => void {
    return this.#add(delayMs, null, run);
  }

  /** Number of timers that are set: 0 when everything that waited was settled. */
  get pending(): number {
    return this.#timers.size;
  }

  /**
   * Let `ms` milliseconds pass in which nothing runs: what is due runs late, at the end, and
   * repeats once.
   */
  standStill(ms: number): void {
    this.#now += ms;
    this.advance(0);
  }

  /** Let `ms` milliseconds pass: what is due runs in order of its time, each at its own time. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let due = this.#next(end); due !== undefined; due = this.#next(end)) {
      this.#now = Math.max(this.#now, due.at);
      if (due.everyMs === null) this.#timers.delete(due);
      else due.at = this.#now + due.everyMs;
      due.run();
    }
    this.#now = end;
  }

  #add(delayMs: number, everyMs: number | null, run: () => void): () => void {
    if (delayMs === Infinity) return () => undefined;
    const timer = { at: this.#now + delayMs, everyMs, run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  #next(
    end: number,
  ): { at: number; readonly everyMs: number | null; readonly run: () => void } | undefined {
    return [...this.#timers]
      .filter((timer) => timer.at <= end)
      .sort((one, other) => one.at - other.at)[0];
  }
}
