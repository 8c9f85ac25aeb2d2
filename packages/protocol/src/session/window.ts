/**
 * Window: what the peer may send at once of one kind, for the session as a whole (PROTOCOL.md §5):
 * its events, or the items of all its streams. Owns one account: credit that the peer has, and cost
 * of what is held here. Must not know what is held.
 *
 *     limit = credit of the peer + held here + due to the peer
 *
 * What is held may outlive its connection. A new connection therefore begins with what is left of
 * the limit, which may be nothing.
 *
 * @module
 */
import type { ByteWriter } from "../bytes/writer.ts";
import { writeGrant } from "./frames/frames.ts";

const MAX_U32 = 0xffff_ffff;

/** Where credit is written: the connection at hand. */
interface Outlet {
  readonly attached: boolean;
  readonly output: ByteWriter;
  wrote(): void;
}

/** The account of one kind of inbound messages. */
export class Window {
  readonly #outlet: Outlet;
  readonly #kind: number;
  readonly #limit: number;
  /** What the peer may still send; below zero after a message that was larger than the rest. */
  #credit = 0;
  /** Cost of what has come and is not released. */
  #held = 0;

  /** `kind`: the frame that gives credit back, with the id 0. */
  constructor(outlet: Outlet, kind: number, limit: number) {
    this.#outlet = outlet;
    this.#kind = kind;
    this.#limit = limit;
  }

  /** True if the peer may begin a message. */
  get open(): boolean {
    return this.#credit > 0;
  }

  /** Credit that the peer has left. */
  get credit(): number {
    return this.#credit;
  }

  /** Cost of what has come and is not released. */
  get held(): number {
    return this.#held;
  }

  /**
   * Returns the credit that a new connection begins with: what is held takes its part, also where
   * it came on an older one.
   */
  announce(): number {
    this.#credit = Math.max(0, this.#limit - this.#held);
    return this.#credit;
  }

  /** Counts a message that has come. */
  hold(cost: number): void {
    this.#credit -= cost;
    this.#held += cost;
  }

  /** Counts that a message is dropped, or that the program is done with it. */
  release(cost: number): void {
    this.#held -= cost;
    if ((this.#limit - this.#held - this.#credit) * 2 >= this.#limit) this.giveBack();
  }

  /** Gives credit back where at least half the limit is due. */
  giveBack(): void {
    const due = this.#limit - this.#held - this.#credit;
    // rare: so that this is small
    if (due * 2 >= this.#limit && this.#outlet.attached) this.#give(Math.min(due, MAX_U32));
  }

  #give(given: number): void {
    const outlet = this.#outlet;
    writeGrant(outlet.output, this.#kind, 0, given);
    this.#credit += given;
    outlet.wrote();
  }
}
