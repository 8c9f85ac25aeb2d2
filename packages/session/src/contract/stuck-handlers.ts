/**
 * StuckHandlers: handlers of one session whose calls were cancelled and which go on all the same,
 * each reported once when it is late. Must not know what a handler does, nor why its call was
 * cancelled.
 *
 * @module
 */
import type { Clock } from "@hawser/transport";

/** A handler that goes on. */
export interface Stuck {
  /** It has gone on for the whole time. Called once. */
  isLate(): void;
}

/** The cancelled handlers of one session. */
export class StuckHandlers {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** Each with when it is late, in that order. */
  readonly #due = new Map<Stuck, number>();
  #stop: (() => void) | null = null;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  add(stuck: Stuck): void {
    if (this.#timeoutMs === Infinity) return;
    this.#due.set(stuck, this.#clock.now() + this.#timeoutMs);
    // A repeating timer does not keep the process alive; one that fires once does.
    this.#stop ??= this.#clock.every(this.#timeoutMs, () => {
      this.#look();
    });
  }

  delete(stuck: Stuck): void {
    this.#due.delete(stuck);
    if (this.#due.size > 0) return;
    this.#stop?.();
    this.#stop = null;
  }

  #look(): void {
    const nowMs = this.#clock.now();
    for (const [stuck, dueMs] of this.#due) {
      if (dueMs > nowMs) return;
      this.delete(stuck);
      stuck.isLate();
    }
  }
}
