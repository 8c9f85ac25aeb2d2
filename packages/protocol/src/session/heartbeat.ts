/**
 * Heartbeat: whether the peer lives, and how far away it is (PROTOCOL.md §7).
 * Owns when to ask and when to give up. Must not know a clock, or what a lost connection means.
 *
 *     heard ---- heartbeatMs of silence ----> PING ---- heartbeatTimeoutMs of silence ----> lost
 *
 * @module
 */
import type { SessionLimits } from "./limits.ts";

/** What time asks for. */
export type Pulse = "lost" | "none" | "ping";

/** One connection's signs of life. */
export class Heartbeat {
  readonly #interval: number;
  readonly #timeout: number;
  /** When something last came. */
  #heardMs: number;
  /** When the present silence was long enough to ask; -Infinity: it was not yet. */
  #askedMs = -Infinity;
  /** When the PING without a PONG was sent; null: there is none. */
  #pingMs: number | null = null;
  /** Which PING that is; its eight bytes. */
  #count = 0;
  roundTripMs: number | null = null;

  constructor(limits: SessionLimits, nowMs: number) {
    this.#interval = limits.heartbeatMs;
    this.#timeout = limits.heartbeatTimeoutMs;
    this.#heardMs = nowMs;
  }

  /** Bytes have come. */
  heard(nowMs: number): void {
    this.#heardMs = nowMs;
    this.#askedMs = -Infinity;
  }

  /** The process stood still for `ms`, until now: nobody was silent meanwhile. */
  stoodStill(ms: number, nowMs: number): void {
    this.#heardMs = Math.min(this.#heardMs + ms, nowMs);
    this.#askedMs = Math.min(this.#askedMs + ms, nowMs);
  }

  /** When `tick` has something to do. */
  get deadlineMs(): number {
    return this.#askedMs === -Infinity
      ? this.#heardMs + this.#interval
      : this.#askedMs + this.#timeout;
  }

  /** What is due. After `"ping"`, PING is to be sent with the number `count`. */
  tick(nowMs: number): Pulse {
    if (nowMs < this.deadlineMs) return "none";
    if (this.#askedMs !== -Infinity) return "lost";
    this.#askedMs = nowMs;
    if (this.#pingMs !== null) return "none"; // the answer to that one will do
    this.#pingMs = nowMs;
    this.#count++;
    return "ping";
  }

  /**
   * Asks out of turn, unless a PING is unanswered. True: PING is to be sent with the number
   * `count`.
   */
  ask(nowMs: number): boolean {
    if (this.#pingMs !== null) return false;
    this.#pingMs = nowMs;
    this.#count++;
    return true;
  }

  get count(): number {
    return this.#count;
  }

  /** PONG has come with this number; false: nobody asked. */
  answered(count: number, nowMs: number): boolean {
    if (this.#pingMs === null || count !== this.#count) return false;
    this.roundTripMs = nowMs - this.#pingMs;
    this.#pingMs = null;
    return true;
  }
}
