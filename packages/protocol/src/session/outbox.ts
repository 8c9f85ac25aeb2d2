/**
 * Outbox: messages that can't go straight into the output, because they are large, have no credit, or stand behind one of these.
 * Owns the order within a lane, the pieces of large messages, and the turns that lanes take (PROTOCOL.md §1, §5).
 * Must not know what a message means.
 *
 * @module
 */
import type { ByteWriter } from "../bytes.ts";
import { Fifo } from "./fifo.ts";
import { EVENT, ITEM, MAX_PAYLOAD, MORE, openFrame, sealFrame } from "./frames.ts";

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
  /** For the lane's owner. */
  readonly tag: unknown;
}

/** Who is told that a message of a lane is out. */
export interface LaneOwner {
  /** Its last byte is in the output. */
  written(message: Waiting): void;
}

/** The messages of one id and direction: what is put in comes out in this order. */
export class Lane {
  /** The conversation's; 0 for events, and while a call waits to be opened. */
  id: number;
  readonly owner: LaneOwner;
  /** What the peer lets this side send; may be below zero. */
  credit: number;
  readonly queue: Fifo<Waiting> = new Fifo<Waiting>();
  /** Bytes of the first message that are out. */
  out = 0;
  /** Whether the lane takes turns. */
  listed = false;
  /** Whether nothing may move: the conversation is not open yet. */
  held = false;

  constructor(id: number, owner: LaneOwner, credit: number) {
    this.id = id;
    this.owner = owner;
    this.credit = credit;
  }

  /** Whether a message that costs something may go straight into the output. */
  get open(): boolean {
    return this.queue.length === 0 && this.credit > 0;
  }

  /** Whether the first message may go on, as far as the lane is concerned. */
  get movable(): boolean {
    const { first } = this.queue;
    return first !== undefined && !this.held && (this.credit > 0 || this.out > 0 || (first.kind !== ITEM && first.kind !== EVENT));
  }
}

/** All lanes of one connection that have something waiting. */
export class Outbox {
  /** Messages that the peer lets be begun and unfinished. */
  maxPartials = 1;
  /** Bytes that wait. */
  queuedBytes = 0;
  /** Lanes that may move, the next one first. */
  readonly #turns: Lane[] = [];
  /** How many messages are begun and unfinished. */
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

  /** Forget the lane's messages, also one that has begun: the peer is told with CANCEL. */
  drop(lane: Lane): void {
    this.purge(lane);
    const begun = lane.queue.shift();
    if (begun === undefined) return;
    this.queuedBytes -= begun.counted;
    this.#begun--;
    lane.out = 0;
  }

  /** Move what waits into the output while that is shorter than `highBytes`; returns whether more could move if there were room. */
  pump(output: ByteWriter, highBytes: number): boolean {
    const turns = this.#turns;
    const connection = this.#connection;
    let passed = 0;
    while (passed < turns.length) {
      if (output.length >= highBytes) return true;
      const lane = turns.shift() as Lane; // there is one
      if (!this.#mayMove(lane)) {
        if (lane.movable) passed = this.#passOver(lane, passed);
        else lane.listed = false;
        continue;
      }
      passed = 0;
      const done = this.#move(lane, output);
      if (lane.movable) turns.push(lane);
      else lane.listed = false;
      if (done === null) continue;
      lane.owner.written(done);
      if (connection !== this.#connection) return false; // a callback has made an end of it
    }
    return false;
  }

  /** Forget everything: the connection is gone, and its lanes with it. */
  clear(): void {
    this.#turns.length = 0;
    this.#begun = 0;
    this.#connection++;
    this.queuedBytes = 0;
  }

  /** Write the lane's next frame; returns the message that it completes. */
  #move(lane: Lane, output: ByteWriter): Waiting | null {
    const message = lane.queue.first as Waiting; // movable, so there is one
    const { kind, cost } = message;
    const from = lane.out;
    const length = lengthOf(message);
    const to = Math.min(from + MAX_PAYLOAD, length);
    const isLast = to === length;
    if (from === 0) {
      lane.credit -= cost;
      if (!isLast) this.#begun++;
    } else if (isLast) {
      this.#begun--;
    }
    writePiece(output, isLast ? kind : kind | MORE, lane.id, message, from, to);
    if (!isLast) {
      lane.out = to;
      return null;
    }
    lane.out = 0;
    lane.queue.shift();
    this.queuedBytes -= message.counted;
    return message;
  }

  #mayMove(lane: Lane): boolean {
    if (!lane.movable) return false;
    return lane.out > 0 || lengthOf(lane.queue.first as Waiting) <= MAX_PAYLOAD || this.#begun < this.maxPartials;
  }

  #passOver(lane: Lane, passed: number): number {
    this.#turns.push(lane);
    return passed + 1;
  }

  #list(lane: Lane): void {
    if (lane.listed || !lane.movable) return;
    lane.listed = true;
    this.#turns.push(lane);
  }
}

function lengthOf({ payload, rest }: Waiting): number {
  return payload.length + (rest?.length ?? 0);
}

/** A frame with the bytes `[from, to)` of a message. */
function writePiece(output: ByteWriter, kind: number, id: number, { payload, rest }: Waiting, from: number, to: number): void {
  const { length } = payload;
  const start = openFrame(output, kind, id);
  if (from < length) output.append(payload, from, Math.min(to, length));
  if (rest !== undefined && to > length) output.append(rest, Math.max(0, from - length), to - length);
  sealFrame(output, start);
}
