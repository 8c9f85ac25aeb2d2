/**
 * Retained events: what is kept of an event that is delivered at least once, until the peer has
 * settled it (PROTOCOL.md §8). Owns the record, and the begun events by their numbers. Must not
 * know lanes, credit or connections.
 *
 * @module
 */
import { ByteWriter } from "../../bytes/writer.ts";
import type { MessageEntry } from "../../contract/contract.ts";
import type { HawserError } from "../../errors.ts";
import { utf8Encode } from "../../bytes/utf8-write.ts";
import { Fifo } from "../fifo.ts";
import type { Generation } from "./flushes.ts";
import { EVENT, ITEM_COST } from "../frames/frames.ts";
import { type FirstSent, writeHead, writeNumber } from "../frames/head.ts";
import type { Lane, Waiting } from "../outbox.ts";
import type { SharedBody } from "./retention.ts";
import { TRACE_BYTES } from "../frames/trace.ts";
import type { Settled } from "../types.ts";

/** Bytes of a numbered event's head without a trace. */
const HEAD_BYTES = 11;
/** Settled events among others from which it is worth taking them out. */
const COMPACT_COUNT = 1_024;

/** An event that is kept until it is settled. */
export class Retained {
  readonly entry: MessageEntry;
  /** The number of its lane; 0: the common one. */
  readonly lane: number;
  readonly trace: string | null;
  /** Whose body it is; null: the event's own. */
  readonly shared: SharedBody | null;
  /** The body; or its text, which is there already where the codec has one. */
  body: Uint8Array | string;
  /** Bytes of the body, and of head and body. */
  readonly bodyBytes: number;
  readonly bytes: number;
  /** Of this session; 0: it has not begun. */
  number = 0;
  /** Where it was begun in an older session: its identity. */
  first: FirstSent | null = null;
  /** The head while the event waits in a lane. */
  head: Uint8Array | null = null;
  /** Null where nobody waits. */
  settled: Settled | null;
  /** The error that the peer's REJECT said. */
  error: HawserError | null = null;
  /** True if it was in an output whole, under any number. */
  wasSent = false;
  /** True if the peer may have it whole under this number. */
  isWhole = false;
  /** True while it waits to be sent again under its number. */
  isReplayed = false;
  isSettled = false;
  /** The waiters for it to leave for the first time; null: it has left. */
  generation: Generation | null = null;

  constructor(
    entry: MessageEntry,
    lane: number,
    trace: string | null,
    body: Uint8Array | string,
    shared: SharedBody | null,
    bodyBytes: number,
    settled: Settled | null,
  ) {
    this.entry = entry;
    this.lane = lane;
    this.trace = trace;
    this.body = body;
    this.shared = shared;
    this.bodyBytes = bodyBytes;
    this.bytes = sizeOf(trace, bodyBytes);
    this.settled = settled;
  }

  get cost(): number {
    return this.bodyBytes + ITEM_COST;
  }

  /** Gives the event its number, also in a head that waits. */
  begin(number: number): void {
    this.number = number;
    if (this.head !== null) writeNumber(this.head, number, this.first);
  }

  /**
   * The event for a lane's queue: what waits is bytes, and they are kept in place of the text. The
   * body is read where it is.
   */
  waiting(account?: Lane): Waiting {
    const output = new ByteWriter();
    // where it has no number, `begin` sets it
    writeHead(output, this.entry.index, 0, this.trace, this.number || 1, false, this.first);
    const head = output.copy();
    const rest = typeof this.body === "string" ? utf8Encode(this.body) : this.body;
    this.head = head;
    this.body = rest;
    return {
      kind: EVENT,
      payload: head,
      rest,
      cost: this.cost,
      counted: 0,
      tag: this,
      ...(account === undefined ? {} : { account }),
    };
  }

  /**
   * A new session begins: the event is to be given another number, and what was its first one
   * becomes its identity.
   */
  renew(origin: string): void {
    if (this.number > 0) this.first ??= { origin, number: this.number };
    this.number = 0;
    this.isWhole = false;
    this.isReplayed = false;
  }
}

/** Bytes that a retained event counts for. */
function sizeOf(trace: string | null, bodyBytes: number): number {
  return (trace === null ? HEAD_BYTES : HEAD_BYTES + TRACE_BYTES) + bodyBytes;
}

/** The events of a session that have begun and are not settled, by their numbers. */
export class NumberedEvents {
  /** Ascending; with gaps where settled ones were taken out from among others. */
  readonly #events = new Fifo<Retained>();
  /** Number of those in it that are settled, and stand behind one that is not. */
  #settled = 0;

  /** The oldest that is not settled. */
  get first(): Retained | undefined {
    return this.#events.first;
  }

  /** Puts in the event that has the highest number. */
  push(event: Retained): void {
    this.#events.push(event);
  }

  /** Takes out the oldest, which is settled. */
  shift(): void {
    const first = this.#events.shift();
    if (first !== undefined) first.isSettled = true;
  }

  /** The event of a number, unless it is settled. */
  find(number: number): Retained | undefined {
    const events = this.#events;
    const { first } = events;
    if (first === undefined || number < first.number) return undefined;
    let found = events.at(number - first.number);
    if (found?.number !== number) found = this.#search(number);
    return found?.isSettled === true ? undefined : found;
  }

  /** Takes an event out that is settled. */
  settle(event: Retained): void {
    event.isSettled = true;
    this.#settled++;
    for (let { first } = this.#events; first?.isSettled === true; { first } = this.#events) {
      this.#events.shift();
      this.#settled--;
    }
    if (this.#settled > COMPACT_COUNT && this.#settled * 2 > this.#events.length) this.#compact();
  }

  /** A copy, ascending. */
  toArray(): Retained[] {
    return this.#events.toArray().filter(({ isSettled }) => !isSettled);
  }

  /** Takes all of them out, ascending. */
  clear(): Retained[] {
    const all = this.toArray();
    this.#events.clear();
    this.#settled = 0;
    return all;
  }

  #compact(): void {
    for (const event of this.clear()) this.#events.push(event);
  }

  #search(number: number): Retained | undefined {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const event = this.#events.at(middle);
      if (event === undefined || event.number === number) return event;
      if (event.number < number) low = middle + 1;
      else high = middle;
    }
    return undefined;
  }
}
