/**
 * Outbox: messages that can't go straight into the output, because they are large, have no credit,
 * or stand behind one of these. Owns the order within a lane, the pieces of large messages, and the
 * turns that lanes take (PROTOCOL.md §1, §5). Must not know what a message means.
 *
 * @module
 */
import type { ByteWriter } from "../bytes/writer.ts";
import { Fifo } from "./fifo.ts";
import { EVENT, ITEM, MAX_PAYLOAD, MORE, openFrame, sealFrame } from "./frames/frames.ts";

/** A message that waits. */
export interface Waiting {
  readonly kind: number;
  readonly payload: Uint8Array;
  /** What follows the payload, and is read where the program has it. */
  readonly rest?: Uint8Array;
  /** What it takes of the lane's credit. */
  readonly cost: number;
  /** Bytes that it adds to `queuedBytes`: none where somebody else counts them. */
  readonly counted: number;
  /**
   * Of an event that is sent again, and waits in the common lane: its own lane, whose credit it
   * takes too.
   */
  readonly account?: Lane;
  /** For the lane's owner. */
  readonly tag: unknown;
}

/** The owner of a lane, which is told of it. */
export interface LaneOwner {
  /** The last byte of a message is in the output. */
  written(message: Waiting): void;
  /**
   * There is credit for the items of all streams again, which the lane waited for with nothing to
   * send.
   */
  widened(): void;
  /** An event is about to begin: false drops it in place of that. */
  begins?(message: Waiting): boolean;
}

/** The messages of one id and direction: what is put in comes out in this order. */
export class Lane {
  /**
   * The conversation's, or the number of a lane of events; 0 for the common one, and while a call
   * waits to be opened.
   */
  id: number;
  readonly owner: LaneOwner;
  /** True if it carries events, and no conversation. */
  readonly isEvents: boolean;
  /** What the peer lets this side send; may be below zero. */
  credit: number;
  readonly queue: Fifo<Waiting> = new Fifo<Waiting>();
  /** Bytes of the first message that are out. */
  out = 0;
  /**
   * The lane's place: among those that take turns, or those that wait for the credit of all
   * streams, or of all events.
   */
  listed: "no" | "starved" | "turns" = "no";
  /** True if nothing may move: the conversation is not open yet. */
  held = false;

  constructor(id: number, owner: LaneOwner, credit: number, isEvents = false) {
    this.id = id;
    this.owner = owner;
    this.credit = credit;
    this.isEvents = isEvents;
  }

  /** True if a message that costs something may go straight into the output. */
  get open(): boolean {
    return this.queue.length === 0 && this.credit > 0;
  }

  /** True if the first message may go on, as far as the lane is concerned. */
  get movable(): boolean {
    const { first } = this.queue;
    if (first === undefined || this.held) return false;
    if (this.out > 0 || (first.kind !== ITEM && first.kind !== EVENT)) return true;
    return this.credit > 0 && (first.account === undefined || first.account.credit > 0);
  }
}

/** All lanes of one connection that have something waiting. */
export class Outbox {
  /** Messages that the peer lets be begun and unfinished. */
  maxPartials = 1;
  /** Bytes that wait. */
  queuedBytes = 0;
  /** What the peer lets this side send of items, of all streams together; may be below zero. */
  window = 0;
  /**
   * The common lane of events, whose credit is the account of all events; null: there is no
   * connection.
   */
  events: Lane | null = null;
  /** Lanes whose next item waits for the first, and lanes whose next event waits for the second. */
  readonly #starved = new Set<Lane>();
  readonly #starvedEvents = new Set<Lane>();
  /** Lanes that may move, the next one first. */
  readonly #turns: Lane[] = [];
  /** Number of messages that are begun and unfinished. */
  #begun = 0;
  /** Changes with each connection. */
  #connection = 0;

  /** Put a message last in its lane. */
  push(lane: Lane, message: Waiting): void {
    lane.queue.push(message);
    this.queuedBytes += message.counted;
    this.#list(lane);
  }

  /** A held lane may move. */
  release(lane: Lane): void {
    lane.held = false;
    this.#list(lane);
  }

  /** The peer gives credit. */
  credit(lane: Lane, bytes: number): void {
    lane.credit += bytes;
    this.#list(lane);
  }

  /** Take out what has not begun; returns it. What has begun stays, and is finished. */
  purge(lane: Lane): Waiting[] {
    const dropped = lane.queue.cut(lane.out > 0 ? 1 : 0);
    for (const { counted } of dropped) this.queuedBytes -= counted;
    return dropped;
  }

  /** Take out the message at this place, which has not begun. */
  remove(lane: Lane, place: number): void {
    const behind = lane.queue.cut(place);
    this.queuedBytes -= behind.shift()?.counted ?? 0;
    for (const message of behind) lane.queue.push(message);
  }

  /** Forget the lane's messages, also one that has begun: the peer is told with CANCEL. */
  drop(lane: Lane): void {
    this.purge(lane);
    const begun = lane.queue.shift();
    if (begun === undefined) return;
    this.queuedBytes -= begun.counted;
    this.#begun--;
    lane.out = 0;
    if (begun.kind === ITEM) this.window += begun.cost; // an item that is cut off costs nothing
  }

  /** Counts an item that went straight into the output. */
  spend(lane: Lane, cost: number): void {
    lane.credit -= cost;
    this.window -= cost;
  }

  /** True if an item of the lane may go straight into the output. */
  isOpen(lane: Lane): boolean {
    return lane.open && this.window > 0;
  }

  /** Remembers a lane, whose owner is to hear of the credit of all streams. */
  starve(lane: Lane): void {
    if (lane.listed === "turns") return; // it finds out in its turn
    lane.listed = "starved";
    (lane.isEvents ? this.#starvedEvents : this.#starved).add(lane);
  }

  /**
   * Move what waits into the output while that is shorter than `highBytes`; returns whether more
   * could move if there were room.
   */
  pump(output: ByteWriter, highBytes: number): boolean {
    const turns = this.#turns;
    const connection = this.#connection;
    if (this.#starved.size > 0 && this.window > 0) this.#feed();
    let passed = 0;
    for (;;) {
      if (passed >= turns.length) {
        if (!this.#feedEvents()) return false;
        passed = 0;
        continue;
      }
      if (output.length >= highBytes) return true;
      const lane = turns.shift() as Lane; // there is one
      lane.listed = "no";
      if (!lane.movable) continue;
      if (this.#isStarved(lane)) {
        this.starve(lane);
        continue;
      }
      if (!this.#mayMove(lane)) {
        passed = this.#passOver(lane, passed);
        continue;
      }
      passed = 0;
      if (!this.#begins(lane)) continue;
      const done = this.#move(lane, output);
      this.#list(lane);
      if (done === null) continue;
      lane.owner.written(done);
      if (connection !== this.#connection) return false; // a callback has made an end of it
    }
  }

  /** There is credit of all events: one lane that waited for it takes its turn. */
  #feedEvents(): boolean {
    if (this.#starvedEvents.size === 0 || this.events === null || this.events.credit <= 0)
      return false;
    for (const lane of this.#starvedEvents) {
      this.#starvedEvents.delete(lane);
      lane.listed = "no";
      this.#list(lane);
      return true;
    }
    return false;
  }

  /** False where the lane's next message is an event that is dropped in place of being begun. */
  #begins(lane: Lane): boolean {
    const message = lane.queue.first as Waiting; // movable, so there is one
    if (lane.out > 0 || message.kind !== EVENT || lane.owner.begins?.(message) !== false)
      return true;
    lane.queue.shift();
    this.queuedBytes -= message.counted;
    this.#list(lane);
    return false;
  }

  /**
   * There is credit of all streams again: lanes that waited for it take turns, or their owners may
   * send.
   */
  #feed(): void {
    const connection = this.#connection;
    const starved = [...this.#starved];
    this.#starved.clear();
    for (const lane of starved) {
      lane.listed = "no";
      this.#list(lane);
    }
    for (const lane of starved) {
      if (lane.queue.length === 0) lane.owner.widened();
      if (connection !== this.#connection) return; // a callback has made an end of it
    }
  }

  /** Forget everything: the connection is gone, and its lanes with it. */
  clear(): void {
    this.#turns.length = 0;
    this.#starved.clear();
    this.#starvedEvents.clear();
    this.events = null;
    this.window = 0;
    this.#begun = 0;
    this.#connection++;
    this.queuedBytes = 0;
  }

  /** Write the lane's next frame; returns the message that it completes. */
  #move(lane: Lane, output: ByteWriter): Waiting | null {
    const message = lane.queue.first as Waiting; // movable, so there is one
    const { kind, cost, account } = message;
    const from = lane.out;
    const length = lengthOf(message);
    const to = Math.min(from + MAX_PAYLOAD, length);
    const isLast = to === length;
    if (from === 0) {
      lane.credit -= cost;
      if (kind === ITEM) this.window -= cost;
      else if (account !== undefined) account.credit -= cost;
      else if (lane.isEvents && lane !== this.events && this.events !== null)
        this.events.credit -= cost;
      if (!isLast) this.#begun++;
    } else if (isLast) {
      this.#begun--;
    }
    writePiece(output, isLast ? kind : kind | MORE, account?.id ?? lane.id, message, from, to);
    if (!isLast) {
      lane.out = to;
      return null;
    }
    lane.out = 0;
    lane.queue.shift();
    this.queuedBytes -= message.counted;
    return message;
  }

  /**
   * True if the lane's next message is an item that the credit of all streams does not let begin,
   * or an event that that of all events does not.
   */
  #isStarved(lane: Lane): boolean {
    if (lane.isEvents)
      return (
        lane !== this.events && lane.out === 0 && this.events !== null && this.events.credit <= 0
      );
    return this.window <= 0 && lane.out === 0 && lane.queue.first?.kind === ITEM;
  }

  #mayMove(lane: Lane): boolean {
    return (
      lane.out > 0 ||
      lengthOf(lane.queue.first as Waiting) <= MAX_PAYLOAD ||
      this.#begun < this.maxPartials
    );
  }

  #passOver(lane: Lane, passed: number): number {
    lane.listed = "turns";
    this.#turns.push(lane);
    return passed + 1;
  }

  #list(lane: Lane): void {
    if (lane.listed === "turns" || !lane.movable) return;
    if (lane.listed === "starved") {
      if (this.#isStarved(lane)) return;
      (lane.isEvents ? this.#starvedEvents : this.#starved).delete(lane);
    }
    lane.listed = "turns";
    this.#turns.push(lane);
  }
}

function lengthOf({ payload, rest }: Waiting): number {
  return payload.length + (rest?.length ?? 0);
}

/** A frame with the bytes `[from, to)` of a message. */
function writePiece(
  output: ByteWriter,
  kind: number,
  id: number,
  { payload, rest }: Waiting,
  from: number,
  to: number,
): void {
  const { length } = payload;
  const start = openFrame(output, kind, id);
  if (from < length) output.append(payload, from, Math.min(to, length));
  if (rest !== undefined && to > length)
    output.append(rest, Math.max(0, from - length), to - length);
  sealFrame(output, start);
}
