/**
 * Begun events: EVENTs of the peer of which the first pieces have come, in the order in which they
 * began (PROTOCOL.md §1, §5, §8). Owns two judgements that wait for the rest of them: whether what
 * began behind one had credit, and which numbers have begun. Must not know what an event does.
 *
 * The sender spends an event's cost when it begins; the receiver learns the cost when the event is
 * whole. Of each begun event it therefore keeps the least credit with which one behind it began;
 * the event's cost must leave something of that.
 *
 * @module
 */
import { readU64 } from "../frames/frames.ts";
import type { NumberSet } from "./number-set.ts";

/** The number of an event whose head has not come. */
const UNKNOWN = -1;
/** Where a head has its number: behind name, flags and trace. */
const HEAD_BYTES = 3;

interface Begun {
  readonly lane: number;
  /** 0: it has none. */
  number: number;
  /**
   * The least credit with which an event began behind this one, and before the next begun one had
   * begun or with it.
   */
  least: number;
}

/** One connection's begun events. */
export class BegunEvents {
  #all: Begun[] = [];
  /** The highest number that has begun on this connection. */
  #highest = 0;

  /** True if anything is begun and not whole. */
  get any(): boolean {
    return this.#all.length > 0;
  }

  /** The first piece of an event has come, with this credit left in the account of all events. */
  begin(lane: number, credit: number): void {
    this.pass(credit);
    this.#all.push({ lane, number: UNKNOWN, least: Infinity });
  }

  /** An event began, with this credit left. */
  pass(credit: number): void {
    const last = this.#all.at(-1);
    if (last !== undefined) last.least = Math.min(last.least, credit);
  }

  /**
   * A lane's event, as far as it has come, has grown to `bytes[0, length)`. Returns whether its
   * number is known.
   */
  grew(lane: number, bytes: Uint8Array, length: number): boolean {
    const begun = this.#all.find((each) => each.lane === lane);
    if (begun === undefined) return true;
    begun.number = peekNumber(bytes, length);
    if (begun.number !== UNKNOWN) this.#highest = Math.max(this.#highest, begun.number);
    return begun.number !== UNKNOWN;
  }

  /** A lane's event is whole, and cost this. False: another began behind it without credit. */
  finish(lane: number, cost: number): boolean {
    const place = this.#all.findIndex((each) => each.lane === lane);
    const behind = this.#all.slice(place);
    for (const each of behind) each.least -= cost;
    const [begun] = this.#all.splice(place, 1);
    const before = this.#all[place - 1];
    if (before !== undefined && begun !== undefined)
      before.least = Math.min(before.least, begun.least);
    return behind.every(({ least }) => least > 0);
  }

  /** True if a lane's event is begun. */
  has(lane: number): boolean {
    return this.#all.some((each) => each.lane === lane);
  }

  /** A number has begun, in a message that is whole. */
  number(number: number): void {
    this.#highest = Math.max(this.#highest, number);
  }

  /**
   * True if a number has begun though one below it has not, nor came before: more than those whose
   * number is not known can be. `number`: of the event that has just become whole; 0: it has none.
   */
  leavesGap(came: NumberSet, number = 0): boolean {
    let missing = came.missingBelow(this.#highest);
    if (missing === 0) return false;
    const known = new Set([number]);
    for (const begun of this.#all) {
      if (begun.number === UNKNOWN) missing--;
      else known.add(begun.number);
    }
    for (const each of known) if (each > 0 && each < this.#highest && !came.has(each)) missing--;
    return missing > 0;
  }

  /** The connection is another, or gone. */
  clear(): void {
    this.#all = [];
    this.#highest = 0;
  }
}

/** The number in a head of which `bytes[0, length)` is here; 0: it has none. */
function peekNumber(bytes: Uint8Array, length: number): number {
  if (length < HEAD_BYTES) return UNKNOWN;
  const flags = bytes[2] as number; // it is there, as was just seen
  if ((flags & 0x04) === 0) return 0;
  const at = HEAD_BYTES + ((flags & 0x02) === 0 ? 0 : 25);
  return length < at + 8 ? UNKNOWN : readU64(bytes, at);
}
