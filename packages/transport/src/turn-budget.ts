/**
 * TurnBudget: how much a connection may have done for it in one turn of the event loop before the
 * others get theirs. The one place for wires, native sessions and JSON-RPC; what is left waits in
 * the connection's decoder or session, and its socket is paused. Owns the counting. Must not know
 * what a message is, nor how a connection goes on.
 *
 * A read delivers up to a megabyte, and libuv repeats it up to 32 times in a turn: without a
 * budget, 8 MiB of messages that are refused one by one held a loop for 12 s. Measured:
 * bench/src/fairness.ts.
 *
 * @module
 */
import type { ReadBudget } from "@hawser/protocol/engine";

/** Milliseconds of one connection's work in a turn. */
const TURN_MS = 5;

/**
 * What a message counts besides its bytes: its share of what handlers do later in the turn, in
 * promises.
 */
const MESSAGE_UNITS = 2_048;

/** Units of one connection's work in a turn: 2 048 empty messages, or 4 MiB of large ones. */
const TURN_UNITS = 2_048 * MESSAGE_UNITS;

/** Units between two looks at the clock: 32 empty messages, or 64 KiB. */
const LOOK_UNITS = 32 * MESSAGE_UNITS;

/**
 * Bytes of a chunk from which its work is timed from its beginning: a single one may hold a message
 * that takes long.
 */
const LARGE_BYTES = 4_096;

/**
 * The budget of whichever connection is being read. One for all connections of a ticker, since they
 * are read one after another.
 */
export class TurnBudget implements ReadBudget {
  readonly #now: () => number;
  readonly #later: (task: () => void) => void;
  /** Whose work is counted; null when a new turn has begun. */
  #owner: object | null = null;
  #startMs: number | null = null;
  #units = 0;
  #untilLook = LOOK_UNITS;
  /** True if the end of this turn is waited for. */
  #isTimed = false;

  /**
   * `now`: milliseconds that never go back; `later` runs a task in a later turn of the event loop.
   */
  constructor(now: () => number, later: (task: () => void) => void) {
    this.#now = now;
    this.#later = later;
  }

  /**
   * `owner` is read now: a chunk of so many bytes. What it was read before in this turn counts, if
   * nobody was read in between.
   */
  begin(owner: object, bytes: number): void {
    if (this.#owner !== owner) this.#reset(owner);
    if (bytes >= LARGE_BYTES && this.#startMs === null) this.#start(this.#now());
  }

  /** `owner` goes on in a turn of its own. */
  beginTurn(owner: object): void {
    this.#reset(owner);
    this.#start(this.#now());
  }

  spend(bytes: number): boolean {
    this.#untilLook -= MESSAGE_UNITS + bytes;
    return this.#untilLook <= 0 && this.#look();
  }

  #look(): boolean {
    this.#units += LOOK_UNITS - this.#untilLook;
    this.#untilLook = LOOK_UNITS;
    const nowMs = this.#now();
    if (this.#startMs === null) this.#start(nowMs);
    return this.#units >= TURN_UNITS || nowMs - (this.#startMs ?? nowMs) >= TURN_MS;
  }

  #start(nowMs: number): void {
    this.#startMs = nowMs;
    if (this.#isTimed) return;
    this.#isTimed = true;
    this.#later(() => {
      this.#isTimed = false;
      this.#reset(null);
    });
  }

  #reset(owner: object | null): void {
    this.#owner = owner;
    this.#startMs = null;
    this.#units = 0;
    this.#untilLook = LOOK_UNITS;
  }
}
