/**
 * Emitter: the events that this side sends (PROTOCOL.md §5, §8).
 * Owns their numbers, what is kept until it is acknowledged, and each event's outcome. Must not know what the peer's events do here.
 *
 *     emit ----> [lane] ----> output                               at most once: "unknown" when it is in the output
 *       '-----> [retained] <- ACK: "delivered"                     at least once: sent again from here
 *
 * @module
 */
import type { Body } from "../body.ts";
import { ByteWriter } from "../bytes.ts";
import type { MessageEntry } from "../contract.ts";
import { HawserError } from "../errors.ts";
import { utf8Encode } from "../utf8-write.ts";
import { readFailure } from "./failure.ts";
import { Fifo } from "./fifo.ts";
import { EVENT, ITEM_COST, openFrame, readU64, writeU64 } from "./frames.ts";
import { writeHead } from "./head.ts";
import type { Link } from "./link.ts";
import { Lane, type LaneOwner, type Waiting } from "./outbox.ts";
import { plain } from "./quote.ts";
import type { Retention, SharedBody } from "./retention.ts";
import { TRACE_BYTES } from "./trace.ts";
import type { Outcome, Settled } from "./types.ts";

/** An event that is kept until it is acknowledged. */
interface Retained {
  readonly entry: MessageEntry;
  number: number;
  readonly trace: string | null;
  /** The body; or its text, which is there already where the codec has one. */
  body: Uint8Array | string;
  /** Whose body that is; null: the event's own. */
  readonly shared: SharedBody | null;
  /** Bytes of head and body, and of the body. */
  readonly bytes: number;
  readonly bodyBytes: number;
  /** The head while the event waits in the lane, whose number is its last eight bytes. */
  head: Uint8Array | null;
  /** Null where nobody waits. */
  settled: Settled | null;
  /** What the peer's REJECT said. */
  error: HawserError | null;
  /** Whether it was in an output whole, under any number. */
  sent: boolean;
}

/** An event that is sent at most once, while it waits. */
class Passing {
  settled: Settled | null;
  constructor(settled: Settled | null) {
    this.settled = settled;
  }
}

/** One session's outbound events. */
export class Emitter implements LaneOwner {
  readonly #link: Link;
  /** Counts what is kept while there is no connection. */
  readonly #retention: Retention | null;
  readonly #retained = new Fifo<Retained>();
  #retainedBytes = 0;
  /** Whether what is kept is counted. */
  #isCounted = false;
  /** The highest number that was given out, that is in the output, that is acknowledged. */
  #last = 0;
  #sent = 0;
  #acked = 0;
  #lane: Lane;
  /** Whether `emit` said false. */
  #full = false;
  /** How many events were taken, and how many of them are in the output, or never will be. */
  #taken = 0;
  #left = 0;
  /** Who waits until so many have left, in order; and how many the first of them waits for. */
  #waiters: { readonly until: number; readonly done: (error: HawserError | null) => void }[] = [];
  #awaited = Infinity;
  /** Events that were reported on this connection, because the peer does not know them. */
  #reported: Set<MessageEntry> | null = null;

  constructor(link: Link, retention: Retention | null) {
    this.#link = link;
    this.#retention = retention;
    this.#lane = new Lane(0, this, 0);
  }

  /** How many events are not acknowledged, or not sent. */
  get unsettled(): number {
    return this.#retained.length + this.#lane.queue.length;
  }

  /** Whether the peer can have received events up to this number, and none that it has acknowledged is missing. */
  canHave(received: number): boolean {
    return received >= this.#acked && received <= this.#sent;
  }

  /**
   * Emit an event; `shared`: the payload is encoded and checked already. The session has seen to its state. Returns whether more may be emitted.
   *
   * @throws {HawserError} it was not taken
   */
  emit(entry: MessageEntry, payload: unknown, shared: SharedBody | null, trace: string | null, settled: Settled | null): boolean {
    const link = this.#link;
    if (!link.peer.knows(entry)) {
      this.#unknown(entry, settled);
      return true;
    }
    const isKept = entry.delivery === "at-least-once";
    const made = shared?.body ?? link.prepare(isKept ? "retain" : "emit", entry, payload, "EVENT_INVALID");
    if (isKept) this.#retain(entry, made, shared, trace, settled);
    else this.#pass(entry, made, trace, settled);
    this.#full = link.attached && !this.#lane.open;
    return !this.#full;
  }

  written({ tag }: Waiting): void {
    if (tag instanceof Passing) {
      this.#settle(tag.settled, "unknown", null);
      this.#gone();
    } else {
      const retained = tag as Retained; // every other message of this lane
      const isNew = !retained.sent;
      retained.sent = true;
      retained.head = null;
      this.#sent = retained.number;
      if (isNew) this.#gone();
    }
    this.#checkWritable();
  }

  /** @see LaneOwner */
  widened(): void {
    // Events have a credit of their own.
  }

  /** Calls `done` when all events that were taken so far have left, or never will; with an error when the session is over before. */
  flush(done: (error: HawserError | null) => void): void {
    if (this.#left === this.#taken) {
      done(null);
      return;
    }
    this.#waiters.push({ until: this.#taken, done });
    this.#awaited = Math.min(this.#awaited, this.#taken);
  }

  /**
   * Nobody waits for this event any more. One of which nothing has left is taken back: `"not-sent"`; of another it is `"unknown"` whether
   * it arrives, and one that is kept is sent again where need be.
   */
  withdraw(settled: Settled): void {
    const { queue, out } = this.#lane;
    const waiting = queue.toArray();
    const place = waiting.findIndex(({ tag }) => (tag as Passing | Retained).settled === settled); // the lane holds nothing else
    const tag = waiting[place]?.tag as Passing | Retained | undefined;
    const found = tag ?? this.#retained.toArray().find((each) => each.settled === settled);
    if (found === undefined) return; // it is settled
    found.settled = null;
    if (("sent" in found && found.sent) || (place === 0 && out > 0)) {
      this.#settle(settled, "unknown", null);
      return;
    }
    if (place !== -1) this.#link.outbox.remove(this.#lane, place);
    if ("sent" in found) this.#drop(found as Retained); // a Passing has no `sent`
    this.#settle(settled, "not-sent", null);
    this.#gone();
    this.#checkWritable();
  }

  /** Take out an event that was not sent; those behind it, which were not sent either, move up. */
  #drop(retained: Retained): void {
    const behind = this.#retained.cut(this.#retained.toArray().indexOf(retained));
    this.#retainedBytes -= retained.bytes;
    this.#uncount(retained);
    this.#last--;
    for (const each of behind) {
      if (each === retained) continue;
      setNumber(each, each.number - 1);
      this.#retained.push(each);
    }
  }

  /** One more has left, or never will. */
  #gone(): void {
    if (++this.#left >= this.#awaited) this.#tellFlushed();
  }

  #tellFlushed(): void {
    const left = this.#left;
    const done = this.#waiters.filter(({ until }) => until <= left);
    this.#waiters = this.#waiters.filter(({ until }) => until > left);
    this.#awaited = this.#waiters[0]?.until ?? Infinity;
    for (const waiter of done) waiter.done(null);
  }

  /** The peer does not know an event: say so once on each connection. */
  #unknown(entry: MessageEntry, settled: Settled | null): void {
    const link = this.#link;
    const error = new HawserError("MESSAGE_UNKNOWN", `"${plain(entry.name, 60)}" was not sent: the peer's contract (version ${String(link.peer.version)}) does not have it`);
    this.#settle(settled, "not-sent", error);
    this.#reported ??= new Set();
    if (this.#reported.has(entry)) return;
    this.#reported.add(entry);
    try {
      link.sink.dropped(error);
    } catch (thrown) {
      link.caught(thrown);
    }
  }

  /** The peer gives credit. */
  credited(bytes: number): void {
    if (this.#lane.credit + bytes > 0x7fff_ffff) {
      this.#link.violate("FLOW_VIOLATION", "gave more credit than 2147483647 bytes");
      return;
    }
    this.#link.outbox.credit(this.#lane, bytes);
    this.#link.pump();
    this.#checkWritable();
  }

  /** ACK has come. */
  acknowledged(bytes: Uint8Array, start: number): void {
    const number = readU64(bytes, start);
    if (number > this.#sent) {
      this.#link.violate("PROTOCOL_VIOLATION", "acknowledged an event that was not sent");
      return;
    }
    if (number <= this.#acked) return;
    this.#acked = number;
    for (let { first } = this.#retained; first !== undefined && first.number <= number; { first } = this.#retained) {
      this.#retained.shift();
      this.#retainedBytes -= first.bytes;
      this.#settle(first.settled, "delivered", first.error);
    }
  }

  /** REJECT has come. */
  rejected(bytes: Uint8Array, start: number, end: number): void {
    const number = readU64(bytes, start);
    if (number > this.#sent || number === 0) {
      this.#link.violate("PROTOCOL_VIOLATION", "rejected an event that was not sent");
      return;
    }
    const oldest = this.#retained.first;
    if (number <= this.#acked || oldest === undefined) return; // it is settled
    const retained = this.#retained.at(number - oldest.number);
    const error = retained === undefined ? null : readFailure(retained.entry, bytes, start + 8, end);
    if (retained === undefined) return;
    if (error === null) this.#link.violate("PROTOCOL_VIOLATION", "sent a REJECT that is not {code, message}");
    else retained.error = error;
  }

  /**
   * The session is ready: send what is kept. `received`: up to this number the peer has it. In a new session the numbers begin again.
   * Returns how many are sent that were sent before, under other numbers.
   */
  resume(isNew: boolean, received: number): number {
    const link = this.#link;
    this.#lane = new Lane(0, this, link.peer.limits.eventWindowBytes);
    this.#full = false;
    this.#reported = null;
    this.#setCounted(false);
    const out: Retained[] = [];
    let repeated = 0;
    if (isNew) repeated = this.#renumber(out);
    else this.#sent = received;
    for (const retained of this.#retained.toArray()) {
      if (retained.number <= received) continue;
      link.outbox.push(this.#lane, waitingFor(retained));
    }
    link.pump();
    for (const { entry, sent, settled, error } of out) {
      if (!sent) this.#gone();
      if (error !== null) this.#settle(settled, "delivered", error);
      else this.#settle(settled, sent ? "unknown" : "not-sent", new HawserError("MESSAGE_UNKNOWN", `"${plain(entry.name, 60)}" was not sent: the peer's contract does not have it, or takes less`));
    }
    return repeated;
  }

  /** The connection is gone: what can't be sent again is settled. */
  lose(): void {
    const dropped = this.#lane.queue.cut(0);
    for (const { tag } of dropped) {
      if (!(tag instanceof Passing)) {
        (tag as Retained).head = null; // the lane holds nothing else
        continue;
      }
      this.#settle(tag.settled, "not-sent", new HawserError("NOT_SENT", "The connection was lost before the event had been sent"));
      this.#gone();
    }
    this.#setCounted(true);
  }

  /** The session is over: what is not settled, is. */
  close(error: HawserError): void {
    this.#setCounted(false);
    for (const { settled, sent, error: rejection } of this.#retained.cut(0)) {
      if (rejection !== null) this.#settle(settled, "delivered", rejection);
      else this.#settle(settled, sent ? "unknown" : "not-sent", error);
    }
    this.#retainedBytes = 0;
    const waiters = this.#waiters;
    this.#waiters = [];
    this.#awaited = Infinity;
    for (const { done } of waiters) done(error);
  }

  /** At most once: straight into the output, or into the lane. */
  #pass(entry: MessageEntry, body: Body, trace: string | null, settled: Settled | null): void {
    const link = this.#link;
    link.checkRoom();
    const { output } = link;
    const start = openFrame(output, EVENT, 0);
    writeHead(output, entry.index, 0, trace, 0, false);
    const cost = link.body(start, entry, body, output) + ITEM_COST;
    if (this.#lane.open && link.seal(start)) {
      this.#lane.credit -= cost;
      this.#taken++;
      this.#settle(settled, "unknown", null);
      this.#gone();
    } else {
      this.#taken++; // before it is queued, which may write it at once
      try {
        link.queue(start, EVENT, this.#lane, cost, new Passing(settled));
      } catch (error) {
        this.#taken--;
        throw error;
      }
    }
  }

  /** At least once: kept, and sent if that can be now. */
  #retain(entry: MessageEntry, body: Body, shared: SharedBody | null, trace: string | null, settled: Settled | null): void {
    const link = this.#link;
    const { attached, output } = link;
    if (this.#retained.length >= link.limits.maxRetainedEvents) throw retentionFull(entry, `maxRetainedEvents (${String(link.limits.maxRetainedEvents)})`);
    if (!attached) {
      this.#keep(entry, shared?.body ?? this.#bytesOf(entry, body), shared, trace, settled, 0);
      return;
    }
    const start = openFrame(output, EVENT, 0);
    writeHead(output, entry.index, 0, trace, this.#last + 1, false);
    const at = output.length;
    link.body(start, entry, body, output);
    const kept = shared?.body ?? (typeof body === "string" ? body : output.copy(at));
    const retained = this.#keep(entry, kept, shared, trace, settled, start, output.length - at);
    if (this.#lane.open && link.seal(start)) {
      this.#lane.credit -= costOf(retained);
      retained.sent = true;
      this.#sent = retained.number;
      this.#gone();
    } else {
      output.truncate(start);
      link.outbox.push(this.#lane, waitingFor(retained));
      link.pump();
    }
  }

  /** A body in storage of its own. */
  #bytesOf(entry: MessageEntry, body: Body): Uint8Array {
    const output = new ByteWriter();
    this.#link.body(0, entry, body, output);
    return output.copy();
  }

  /** Keeps an event; throws where it has no room, with the output truncated to `start`. */
  #keep(entry: MessageEntry, body: Uint8Array | string, shared: SharedBody | null, trace: string | null, settled: Settled | null, start: number, bodyBytes: number = body.length): Retained {
    const link = this.#link;
    if (!link.attached) link.checkBody(link.output.length, entry, bodyBytes, link.output);
    const bytes = (trace === null ? HEAD_BYTES : HEAD_BYTES + TRACE_BYTES) + bodyBytes;
    if (this.#retainedBytes + bytes > link.limits.maxRetainedBytes) {
      if (link.attached) link.output.truncate(start);
      throw retentionFull(entry, `maxRetainedBytes (${String(link.limits.maxRetainedBytes)})`);
    }
    const retained: Retained = { entry, number: ++this.#last, trace, body, shared, bytes, bodyBytes, head: null, settled, error: null, sent: false };
    this.#retained.push(retained);
    this.#retainedBytes += bytes;
    this.#taken++;
    this.#count(retained);
    return retained;
  }

  /** Counts an event that is kept while there is no connection. */
  #count({ shared, bytes }: Retained): void {
    if (this.#isCounted) this.#retention?.hold(shared, bytes);
  }

  /** Counts it no more. */
  #uncount({ shared, bytes }: Retained): void {
    if (this.#isCounted) this.#retention?.release(shared, bytes);
  }

  /** There is no connection, or there is one again. */
  #setCounted(isCounted: boolean): void {
    if (this.#retention === null || this.#isCounted === isCounted) return;
    const all = this.#retained.toArray();
    if (!isCounted) for (const retained of all) this.#uncount(retained);
    this.#isCounted = isCounted;
    if (isCounted) for (const retained of all) this.#count(retained);
  }

  /** Numbers from 1 on for what is kept; what the peer rejected, or does not know, is put into `out`. Returns how many were sent before. */
  #renumber(out: Retained[]): number {
    const { peer } = this.#link;
    this.#last = this.#sent = this.#acked = 0;
    let repeated = 0;
    for (const retained of this.#retained.cut(0)) {
      const { entry, bytes, bodyBytes, error } = retained;
      if (error !== null || !peer.knows(entry) || bodyBytes > peer.limits.maxMessageBytes) {
        this.#retainedBytes -= bytes;
        out.push(retained);
        continue;
      }
      if (retained.sent) repeated++;
      setNumber(retained, ++this.#last);
      this.#retained.push(retained);
    }
    return repeated;
  }

  #checkWritable(): void {
    if (!this.#full || !this.#lane.open) return;
    this.#full = false;
    try {
      this.#link.sink.writable();
    } catch (error) {
      this.#link.caught(error);
    }
  }

  #settle(settled: Settled | null, outcome: Outcome, error: HawserError | null): void {
    if (settled === null) return;
    try {
      settled(outcome, error);
    } catch (thrown) {
      this.#link.caught(thrown);
    }
  }
}

/** Bytes of a numbered event's head without a trace. */
const HEAD_BYTES = 11;

function setNumber(retained: Retained, number: number): void {
  const { head } = retained;
  retained.number = number;
  if (head !== null) writeU64(head, head.length - 8, number);
}

/** A retained event for its lane: what waits is bytes, and they are kept in place of the text. The body is read where it is. */
function waitingFor(retained: Retained): Waiting {
  const { entry, number, trace, body } = retained;
  const output = new ByteWriter();
  writeHead(output, entry.index, 0, trace, number, false);
  const head = output.copy();
  const rest = typeof body === "string" ? utf8Encode(body) : body;
  retained.head = head;
  retained.body = rest;
  return { kind: EVENT, payload: head, rest, cost: costOf(retained), counted: 0, tag: retained };
}

function costOf({ bodyBytes }: Retained): number {
  return bodyBytes + ITEM_COST;
}

function retentionFull(entry: MessageEntry, limit: string): HawserError {
  return new HawserError("RETENTION_FULL", `Cannot emit "${plain(entry.name, 60)}": more than ${limit} are not acknowledged by the peer`);
}
