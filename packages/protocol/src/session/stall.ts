/**
 * Stall: whether something that has begun to come grows, or does not (PROTOCOL.md §1). Owns the
 * judgement by time and bytes. Must not know what has begun: a frame, or a message in pieces.
 *
 * @module
 */

/**
 * Bytes that a connection brings within the time, at least, for what does not grow to be waiting
 * for its turn.
 */
const TRICKLE_BYTES = 4_096;

/** Something that has begun. */
export class Stall {
  /** When it last grew, and how much the connection had brought then. */
  #sinceMs: number;
  #bytes: number;

  constructor(nowMs: number, receivedBytes: number) {
    this.#sinceMs = nowMs;
    this.#bytes = receivedBytes;
  }

  get sinceMs(): number {
    return this.#sinceMs;
  }

  grew(nowMs: number, receivedBytes: number): void {
    this.#sinceMs = nowMs;
    this.#bytes = receivedBytes;
  }

  /** The process stood still for `ms`, until now. */
  stoodStill(ms: number, nowMs: number): void {
    this.#sinceMs = Math.min(this.#sinceMs + ms, nowMs);
  }

  /**
   * True if it has not grown for so long though the peer lives: something came, and next to
   * nothing. Silence is the heartbeat's to judge.
   */
  isOver(nowMs: number, receivedBytes: number, timeoutMs: number): boolean {
    if (nowMs - this.#sinceMs < timeoutMs) return false;
    const came = receivedBytes - this.#bytes;
    if (came > 0 && came < TRICKLE_BYTES) return true;
    this.grew(nowMs, receivedBytes);
    return false;
  }
}
