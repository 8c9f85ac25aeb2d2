/**
 * Time: the only file that reads a clock or sets a timer. Owns the coarse tick that all the
 * connections of a process share, so that no connection, message or timeout has a timer. Must not
 * know what the ticking is for.
 *
 * @module
 */

import { TurnBudget } from "./turn-budget.ts";

/** Monotonic time and what wakes on it; injected wherever something waits. */
export interface Clock {
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  /**
   * Call `run` every `intervalMs` until the returned function is called; does not keep the process
   * alive.
   */
  every(intervalMs: number, run: () => void): () => void;
  /**
   * Call `run` once after `delayMs`, of any length; Infinity: never. Not when the returned function
   * is called before.
   */
  after(delayMs: number, run: () => void): () => void;
  /** Run a task when what has arrived is read. Absent: at once. */
  afterReads?(task: () => void): void;
}

/** The longest time that a timer of the runtimes takes: one above it fires at once. */
const LONGEST_MS = 2 ** 31 - 1;

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
    if (delayMs === Infinity) return () => undefined;
    let timer = setLong(delayMs);
    return () => {
      clearTimeout(timer);
    };
    function setLong(leftMs: number): NodeJS.Timeout {
      if (leftMs <= LONGEST_MS) return setTimeout(run, leftMs);
      return setTimeout(() => {
        timer = setLong(leftMs - LONGEST_MS);
      }, LONGEST_MS);
    }
  },
  afterReads: (task: () => void) => {
    afterReads(task);
  },
});

/** Run a task in a later turn of the event loop, after what input and output there is. */
export function laterTurn(task: () => void): void {
  setImmediate(task);
}

/**
 * Run a task in a turn after the one in which every connection has been read. Immediates that
 * follow one another keep Deno from reading at all, so there it is a timer. Measured:
 * bench/src/fairness.ts.
 */
export const afterReads: (task: () => void) => void =
  "Deno" in globalThis ? (task) => void setTimeout(task, 0) : laterTurn;

/** Something that looks at the time at each tick. */
export interface Ticking {
  tick(nowMs: number): void;
  /**
   * The process stood still for so long (a blocked loop, a stop signal, a suspended machine): that
   * was nobody's silence.
   */
  stoodStill(ms: number): void;
}

/** Timeouts are late by at most this, in milliseconds: what seconds-long timeouts can bear. */
export const TICK_MS = 250;

/** A tick that is late by more than this means that the process stood still. */
const LATE_MS = TICK_MS / 2;

/**
 * An instant of before the process stood still for `ms`, as it counts afterwards: not in the
 * future.
 */
export function shifted(instantMs: number, ms: number, nowMs: number): number {
  return Math.min(instantMs + ms, nowMs);
}

/**
 * As `clock.after`, for what the peer is given time for: time in which this process stood still
 * does not count, and what has arrived is read before `run` is called.
 */
export function afterPatience(clock: Clock, delayMs: number, run: () => void): () => void {
  let leftMs = delayMs;
  let cancel = (): void => undefined;
  let isOver = false;
  const wait = (): void => {
    const stepMs = Math.min(leftMs, leftMs === Infinity ? Infinity : TICK_MS);
    const begunMs = clock.now();
    cancel = clock.after(stepMs, () => {
      const lateMs = clock.now() - begunMs - stepMs;
      leftMs -= stepMs;
      // At the end of a time in which it stood still, another step lets the runtime finish what the
      // peer had begun.
      if (leftMs <= 0 && lateMs > LATE_MS) leftMs = TICK_MS;
      if (leftMs > 0) wait();
      else if (clock.afterReads === undefined) run();
      else
        clock.afterReads(() => {
          if (!isOver) run();
        });
    });
  };
  wait();
  return () => {
    isOver = true;
    cancel();
  };
}

/**
 * One coarse tick for many timeouts. One that comes late is not a tick: its members are told how
 * long the process stood still, and what has arrived meanwhile is read before the next. Every tick
 * comes behind what had arrived.
 *
 * `now` is the time of the last tick while anything is added: what stamps an event without reading
 * the clock.
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
      this.#tick();
    });
  }

  /**
   * To be called when another timer fires: if the process has stood still, the members hear of it
   * first.
   */
  look(): void {
    if (this.#stop !== null && this.clock.now() - this.now > TICK_MS + LATE_MS) this.#tick();
  }

  #tick(): void {
    const lateMs = this.clock.now() - this.now - TICK_MS;
    if (lateMs < -LATE_MS) return; // look() was before it
    this.now = this.clock.now();
    if (lateMs > LATE_MS) {
      for (const each of this.#members) each.stoodStill(lateMs);
    } else if (this.clock.afterReads === undefined) {
      this.#tellAll();
    } else {
      this.clock.afterReads(() => {
        this.#tellAll();
      });
    }
  }

  #tellAll(): void {
    for (const each of this.#members) each.tick(this.now);
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
