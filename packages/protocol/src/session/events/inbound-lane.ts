/**
 * InboundLane: the peer's events of one lane, of which one is handled at a time (PROTOCOL.md §5).
 * Owns those that wait, encoded, and what the lane has taken of its account. Must not know numbers,
 * or the other lanes.
 *
 * @module
 */
import { ByteWriter } from "../../bytes/writer.ts";
import type { MessageEntry } from "../../contract/contract.ts";
import type { HawserError, NamedFailure } from "../../errors.ts";
import { Backlog } from "../backlog.ts";
import { EVENT } from "../frames/frames.ts";
import { type FirstSent, Head, writeHead } from "../frames/head.ts";
import type { EventIdentity, InboundEvent } from "../types.ts";

/** In a waiting event's head: the program has no message of its name. */
const NO_ENTRY = 0xffff;
/** Storage that is kept for the next waiting event's head and body. */
const KEPT_BYTES = 4_096;
/**
 * Writes the heads of events that begin to wait, of all lanes: each is copied from here at once.
 */
let scratch = new ByteWriter();

/** Releases what an event held of its lane and its account. */
export interface EventFinisher {
  finish(event: RunningEvent, error: HawserError | NamedFailure | null): void;
}

/** An event that the program has. */
export class RunningEvent implements InboundEvent, EventIdentity {
  readonly #finisher: EventFinisher;
  readonly lane: InboundLane;
  readonly entry: MessageEntry;
  readonly payload: unknown;
  readonly trace: string | null;
  readonly cost: number;
  /** The number that is acknowledged; 0: it is not numbered, or not with this session's numbers. */
  acked: number;
  readonly origin: string;
  readonly number: number;
  readonly isRepeated: boolean;

  /** `number` and `origin`: under which it was first begun; the first is 0 where it has none. */
  constructor(
    finisher: EventFinisher,
    lane: InboundLane,
    entry: MessageEntry,
    payload: unknown,
    trace: string | null,
    cost: number,
    acked: number,
    origin: string,
    number: number,
    isRepeated: boolean,
  ) {
    this.#finisher = finisher;
    this.lane = lane;
    this.entry = entry;
    this.payload = payload;
    this.trace = trace;
    this.cost = cost;
    this.acked = acked;
    this.origin = origin;
    this.number = number;
    this.isRepeated = isRepeated;
  }

  get identity(): EventIdentity | null {
    return this.number === 0 ? null : this;
  }

  handled(error: HawserError | NamedFailure | null = null): void {
    this.#finisher.finish(this, error);
  }

  get id(): string {
    return `${this.origin}/${String(this.number)}`;
  }
}

/** One lane. */
export class InboundLane {
  readonly id: number;
  /** Events that wait, each with a head whose name is this side's index; null: none does. */
  #waiting: Backlog | null = null;
  /**
   * Number of those that wait and came in a session before this one: their numbers mean nothing
   * now.
   */
  #stale = 0;
  /** The event that the program has. */
  current: RunningEvent | null = null;
  /** Cost of this connection's events that the lane has not given back. */
  owed = 0;
  /** True if it stands in the queue of those whose next event may begin. */
  isReady = false;

  constructor(id: number) {
    this.id = id;
  }

  get count(): number {
    return this.#waiting?.count ?? 0;
  }

  /** True if nothing of it waits or is handled. */
  get isIdle(): boolean {
    return this.current === null && this.#waiting === null;
  }

  /** Puts an event last. */
  push(
    entry: MessageEntry | null,
    { trace, number, first }: Head,
    bytes: Uint8Array,
    body: number,
    end: number,
  ): void {
    const heads = scratch;
    heads.truncate(0);
    writeHead(heads, entry?.index ?? NO_ENTRY, 0, trace, number, false, first);
    heads.append(bytes, body, end);
    this.#waiting ??= new Backlog();
    this.#waiting.push(heads.bytes, 0, heads.length);
    if (heads.length > KEPT_BYTES) scratch = new ByteWriter();
  }

  /** Takes the oldest event out, which is there: its head is read into `head`. */
  shift(head: Head): {
    readonly bytes: Uint8Array;
    readonly end: number;
    readonly isKnown: boolean;
    readonly isStale: boolean;
  } {
    const waiting = this.#waiting as Backlog; // there is one
    waiting.shift();
    const { bytes, start, end, count } = waiting;
    if (count === 0) this.#waiting = null;
    head.read(EVENT, bytes, start, end); // it was written here
    const isStale = this.#stale > 0;
    if (isStale) this.#stale--;
    return { bytes, end, isKnown: head.name !== NO_ENTRY, isStale };
  }

  /**
   * A new session begins: what waits is not acknowledged in it, and keeps the identity that it has
   * by its number in the session of `origin`.
   */
  renew(origin: string): void {
    if (this.current !== null) this.current.acked = 0;
    const old = this.#waiting;
    if (old === null) return;
    const head = new Head();
    const heads = new ByteWriter();
    const renewed = new Backlog();
    while (old.count > 0) {
      old.shift();
      head.read(EVENT, old.bytes, old.start, old.end);
      const first: FirstSent | null =
        head.number === 0 ? null : (head.first ?? { origin, number: head.number });
      heads.truncate(0);
      writeHead(heads, head.name, 0, head.trace, head.number, false, first);
      heads.append(old.bytes, head.body, old.end);
      renewed.push(heads.bytes, 0, heads.length);
    }
    this.#waiting = renewed;
    this.#stale = renewed.count;
  }

  /** Forgets what waits. */
  close(): void {
    this.#waiting = null;
    this.#stale = 0;
  }
}
