/**
 * Emitter: the events that this side sends (PROTOCOL.md §5, §8). Owns which numbers were given out
 * and are settled, and each event's outcome. Must not know what the peer's events do here.
 *
 *     emit ----> [lane] ----> output               at most once: "unknown" when it is in the output
 *       '-----> [retained] <- ACK: "delivered"     at least once: sent again from here
 *
 * An event has a number from when it begins. Those that had begun on an older connection are sent
 * again in the order of their numbers, through the common lane, while the other lanes are held.
 *
 * @module
 */
import type { Body } from "../../codec/body.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import type { MessageEntry } from "../../contract/contract.ts";
import { HawserError } from "../../errors.ts";
import { EventLanes } from "./lanes.ts";
import { readFailure } from "../frames/failure.ts";
import { type Flushed, Flushes, type Generation } from "./flushes.ts";
import { EVENT, ITEM_COST, openFrame, RANGE_BYTES, readU64 } from "../frames/frames.ts";
import { writeHead } from "../frames/head.ts";
import { type Link, MAX_CREDIT } from "../link.ts";
import { NumberSet, type NumberRange } from "./number-set.ts";
import type { Lane, LaneOwner, Waiting } from "../outbox.ts";
import { plain } from "../quote.ts";
import { NumberedEvents, Retained } from "./retained.ts";
import type { Retention } from "./retention.ts";
import type { Outcome, PreparedEvent, Settled } from "../types.ts";

/** An event that is sent at most once, while it waits. */
class Passing {
  readonly lane: Lane;
  readonly generation: Generation;
  settled: Settled | null;

  constructor(lane: Lane, generation: Generation, settled: Settled | null) {
    this.lane = lane;
    this.generation = generation;
    this.settled = settled;
  }
}

/** One session's outbound events. */
export class Emitter implements LaneOwner {
  readonly #link: Link;
  /** Counts what is kept while there is no connection. */
  readonly #retention: Retention | null;
  /**
   * Of what is kept: those that have begun in this session, and those that have not, in the order
   * of `emit`.
   */
  readonly #numbered = new NumberedEvents();
  readonly #unbegun = new Set<Retained>();
  #retainedCount = 0;
  #retainedBytes = 0;
  /** True if what is kept is counted. */
  #isCounted = false;
  /** The highest number that was given out. */
  #last = 0;
  /** Numbers that the peer has settled. */
  readonly #settledNumbers = new NumberSet();
  /** Number of begun events that the peer can't have whole. */
  #incomplete = 0;
  #lanes: EventLanes;
  /** Number of events that wait to be sent again. */
  #replaying = 0;
  /** Number of events that wait and are sent at most once. */
  #passing = 0;
  /** The lanes for which `emit` said false. */
  readonly #full = new Set<Lane>();
  readonly #flushes = new Flushes();
  /** The session's. */
  #origin = "";
  /** Events that were reported on this connection, because the peer does not know them. */
  #reported: Set<MessageEntry> | null = null;

  constructor(link: Link, retention: Retention | null) {
    this.#link = link;
    this.#retention = retention;
    this.#lanes = new EventLanes(this, link.outbox, 0, 0);
  }

  /** Number of events that are not acknowledged, or not sent. */
  get unsettled(): number {
    return this.#retainedCount + this.#passing;
  }

  /**
   * True if the peer can have received all events up to this number, and none that it has
   * acknowledged is missing.
   */
  canHave(received: number): boolean {
    const { upTo } = this.#settledNumbers;
    return received >= upTo && received <= this.#last && this.#areWhole([[upTo + 1, received]]);
  }

  /**
   * Emit an event; `shared`: the payload is encoded and checked already. The session has seen to
   * its state. Returns whether more may be emitted.
   *
   * @throws {HawserError} it was not taken
   * @throws {TypeError} the contract's lane function returned no key
   * @throws what the contract's lane function throws
   */
  emit(
    entry: MessageEntry,
    payload: unknown,
    shared: PreparedEvent | null,
    trace: string | null,
    settled: Settled | null,
  ): boolean {
    const link = this.#link;
    if (!link.peer.knows(entry)) {
      this.#unknown(entry, settled);
      return true;
    }
    const isKept = entry.delivery === "at-least-once";
    const rule = entry.lane;
    let lane = shared?.lane ?? 0;
    const named =
      rule === null
        ? null
        : (): void => {
            lane = rule.numberOf(payload);
          };
    const made =
      shared?.body ??
      link.prepare(isKept ? "retain" : "emit", entry, payload, "EVENT_INVALID", named);
    if (isKept) this.#retain(entry, lane, made, shared, trace, settled);
    else this.#pass(entry, lane, made, trace, settled);
    return !this.#isFull(lane);
  }

  /**
   * @see LaneOwner: gives an event its number, and passes over one that the peer has settled
   *   meanwhile.
   */
  begins({ tag, account }: Waiting): boolean {
    if (tag instanceof Passing) return true;
    const retained = tag as Retained; // every other message of these lanes
    if (retained.isReplayed) {
      if (!retained.isSettled) return true;
      this.#replayed(retained, account);
      return false;
    }
    this.#unbegun.delete(retained);
    retained.begin(++this.#last);
    this.#numbered.push(retained);
    this.#incomplete++;
    return true;
  }

  /** @see LaneOwner */
  written({ tag, account }: Waiting): void {
    if (tag instanceof Passing) {
      this.#passing--;
      this.#settle(tag.settled, "unknown", null);
      this.#flushes.left(tag.generation);
      this.#moved(tag.lane);
      return;
    }
    const retained = tag as Retained; // every other message of these lanes
    retained.head = null;
    this.#isSent(retained);
    if (retained.isReplayed) this.#replayed(retained, account);
    this.#moved(this.#lanes.find(retained.lane));
  }

  /** @see LaneOwner */
  widened(): void {
    // Events have a credit of their own.
  }

  /**
   * Calls `done` when all events that were taken so far have left, or never will; with an error
   * when the session is over before.
   */
  flush(done: Flushed): void {
    this.#flushes.wait(done);
  }

  /**
   * Nobody waits for this event any more. One of which nothing has left is taken back:
   * `"not-sent"`; of another it is `"unknown"` whether it arrives, and one that is kept is sent
   * again where need be.
   */
  withdraw(settled: Settled): void {
    const found = this.#find(settled);
    if (found === null) return; // it is settled
    const { event, lane, place } = found;
    event.settled = null;
    const isBegun = place === 0 && lane !== null && lane.out > 0;
    if (isBegun || (event instanceof Retained && (event.wasSent || event.number > 0))) {
      this.#settle(settled, "unknown", null);
      return;
    }
    if (lane !== null) this.#link.outbox.remove(lane, place);
    if (event instanceof Retained) {
      this.#unbegun.delete(event);
      this.#release(event);
    } else {
      this.#passing--;
    }
    this.#settle(settled, "not-sent", null);
    if (event.generation !== null) this.#flushes.left(event.generation);
    if (lane !== null) this.#moved(lane);
  }

  /** The peer gives credit for all events. */
  credited(bytes: number): void {
    const { common } = this.#lanes;
    if (common.credit + bytes > MAX_CREDIT) {
      this.#tooMuchCredit();
      return;
    }
    this.#link.outbox.credit(common, bytes);
    this.#link.pump();
    if (this.#full.size > 0) for (const lane of [...this.#full]) this.#checkWritable(lane);
  }

  /** The peer gives a lane credit. */
  laneCredited(id: number, bytes: number): void {
    const lane = this.#lanes.get(id);
    if (!this.#lanes.credit(id, bytes, MAX_CREDIT)) {
      this.#tooMuchCredit();
      return;
    }
    this.#link.pump();
    if (lane !== undefined) this.#checkWritable(lane);
  }

  /** ACK has come. */
  acknowledged(bytes: Uint8Array, start: number, end: number): void {
    if ((end - start - 8) % RANGE_BYTES !== 0) {
      this.#link.violate("PROTOCOL_VIOLATION", `sent ACK with ${String(end - start)} bytes`);
      return;
    }
    const number = readU64(bytes, start);
    if (
      end - start === 8 &&
      this.#incomplete === 0 &&
      number <= this.#last &&
      this.#settledNumbers.isWhole
    ) {
      this.#settleUpTo(number);
      return;
    }
    const ranges: NumberRange[] = end - start === 8 ? NO_RANGES : readRanges(bytes, start + 8, end);
    if (!areApart(number, ranges)) {
      this.#link.violate(
        "PROTOCOL_VIOLATION",
        "sent ACK with ranges that are not above its number, ascending and apart",
      );
      return;
    }
    const told: readonly NumberRange[] = [[this.#settledNumbers.upTo + 1, number], ...ranges];
    if ((ranges.at(-1)?.[1] ?? number) > this.#last || !this.#areWhole(told)) {
      this.#link.violate("PROTOCOL_VIOLATION", "acknowledged an event that was not sent");
      return;
    }
    for (const [first, last] of told) if (first <= last) this.#settleNumbers(first, last);
  }

  /** REJECT has come. */
  rejected(bytes: Uint8Array, start: number, end: number): void {
    const number = readU64(bytes, start);
    if (number > this.#last || number === 0 || !this.#areWhole([[number, number]])) {
      this.#link.violate("PROTOCOL_VIOLATION", "rejected an event that was not sent");
      return;
    }
    const retained = this.#numbered.find(number);
    if (retained === undefined) return; // it is settled
    const error = readFailure(retained.entry, bytes, start + 8, end);
    if (error === null)
      this.#link.violate("PROTOCOL_VIOLATION", "sent a REJECT that is not {code, message}");
    else retained.error = error;
  }

  /**
   * The session is ready: send what is kept. `received`: up to this number the peer has it. In a
   * new session the numbers begin again. Returns how many are sent that were sent before, under
   * other numbers.
   */
  resume(isNew: boolean, received: number): number {
    const link = this.#link;
    const { eventWindowBytes, laneWindowBytes } = link.peer.limits;
    this.#lanes = new EventLanes(this, link.outbox, eventWindowBytes, laneWindowBytes);
    this.#full.clear();
    this.#reported = null;
    this.#setCounted(false);
    const out: Retained[] = [];
    const repeated = isNew ? this.#renumber(out) : 0;
    this.#origin = link.origin;
    if (!isNew) this.#replay(received);
    for (const retained of this.#unbegun)
      link.outbox.push(this.#lanes.find(retained.lane), retained.waiting());
    link.pump();
    for (const retained of out) {
      const { entry, wasSent, settled, error } = retained;
      this.#hasLeft(retained);
      if (error !== null) this.#settle(settled, "delivered", error);
      else
        this.#settle(
          settled,
          wasSent ? "unknown" : "not-sent",
          new HawserError(
            "MESSAGE_UNKNOWN",
            `"${plain(entry.name, 60)}" was not sent: the peer's contract does not have it, or ` +
              "takes less",
          ),
        );
    }
    return repeated;
  }

  /** The connection is gone: what can't be sent again is settled. */
  lose(): void {
    const dropped = this.#lanes.all.flatMap(({ queue }) => queue.cut(0));
    this.#full.clear();
    this.#replaying = 0;
    this.#passing = 0;
    for (const { tag } of dropped) {
      if (tag instanceof Passing) continue;
      const retained = tag as Retained; // the lanes hold nothing else
      retained.head = null;
      retained.isReplayed = false;
    }
    for (const { tag } of dropped) {
      if (!(tag instanceof Passing)) continue;
      this.#settle(
        tag.settled,
        "not-sent",
        new HawserError("NOT_SENT", "The connection was lost before the event had been sent"),
      );
      this.#flushes.left(tag.generation);
    }
    this.#setCounted(true);
  }

  /** The session is over: what is not settled, is. */
  close(error: HawserError): void {
    this.#setCounted(false);
    const all = [...this.#numbered.clear(), ...this.#unbegun];
    this.#unbegun.clear();
    this.#retainedCount = this.#retainedBytes = 0;
    for (const { settled, wasSent, error: rejection } of all) {
      if (rejection !== null) this.#settle(settled, "delivered", rejection);
      else this.#settle(settled, wasSent ? "unknown" : "not-sent", error);
    }
    this.#flushes.close(error);
  }

  /** At most once: straight into the output, or into its lane. */
  #pass(
    entry: MessageEntry,
    id: number,
    body: Body,
    trace: string | null,
    settled: Settled | null,
  ): void {
    const link = this.#link;
    link.checkRoom();
    const { output } = link;
    const start = openFrame(output, EVENT, id);
    writeHead(output, entry.index, 0, trace, 0, false);
    const cost = link.body(start, entry, body, output) + ITEM_COST;
    const lane = this.#lanes.find(id);
    if (lane.open && link.seal(start)) {
      this.#lanes.spend(lane, cost);
      this.#settle(settled, "unknown", null);
      return;
    }
    const passing = new Passing(lane, this.#flushes.enter(), settled);
    this.#passing++; // before it is queued, which may write it at once
    try {
      link.queue(start, EVENT, lane, cost, passing);
    } catch (error) {
      this.#passing--;
      this.#flushes.left(passing.generation);
      this.#lanes.update(lane);
      throw error;
    }
  }

  /** At least once: kept, and sent if that can be now. */
  #retain(
    entry: MessageEntry,
    id: number,
    body: Body,
    shared: PreparedEvent | null,
    trace: string | null,
    settled: Settled | null,
  ): void {
    const link = this.#link;
    const { attached, output } = link;
    if (this.#retainedCount >= link.limits.maxRetainedEvents)
      throw retentionFull(entry, `maxRetainedEvents (${String(link.limits.maxRetainedEvents)})`);
    if (!attached) {
      const kept = shared?.body ?? this.#bytesOf(entry, body);
      const retained = new Retained(entry, id, trace, kept, shared, kept.length, settled);
      this.#checkRetention(entry, retained.bytes, 0);
      this.#keep(retained);
      this.#wait(retained);
      return;
    }
    const start = openFrame(output, EVENT, id);
    writeHead(output, entry.index, 0, trace, this.#last + 1, false);
    const at = output.length;
    const bodyBytes = link.body(start, entry, body, output);
    const retained = new Retained(
      entry,
      id,
      trace,
      shared?.body ?? (typeof body === "string" ? body : output.copy(at)),
      shared,
      bodyBytes,
      settled,
    );
    this.#checkRetention(entry, retained.bytes, start);
    this.#keep(retained);
    const lane = this.#lanes.find(id);
    if (lane.open && link.fits(start)) {
      retained.begin(++this.#last);
      retained.wasSent = retained.isWhole = true;
      this.#numbered.push(retained);
      this.#lanes.spend(lane, retained.cost);
      link.finish(start);
    } else {
      output.truncate(start);
      this.#wait(retained);
      link.outbox.push(lane, retained.waiting());
      link.pump();
    }
  }

  /** A body in storage of its own. */
  #bytesOf(entry: MessageEntry, body: Body): Uint8Array {
    const output = new ByteWriter();
    this.#link.body(0, entry, body, output);
    return output.copy();
  }

  /** Throws where an event has no room, with the output truncated to `start`. */
  #checkRetention(entry: MessageEntry, bytes: number, start: number): void {
    const link = this.#link;
    if (this.#retainedBytes + bytes <= link.limits.maxRetainedBytes) return;
    if (link.attached) link.output.truncate(start);
    throw retentionFull(entry, `maxRetainedBytes (${String(link.limits.maxRetainedBytes)})`);
  }

  /** An event is kept. */
  #keep(retained: Retained): void {
    this.#retainedCount++;
    this.#retainedBytes += retained.bytes;
    this.#count(retained);
  }

  /** An event is kept that has not begun. */
  #wait(retained: Retained): void {
    this.#unbegun.add(retained);
    retained.generation = this.#flushes.enter();
  }

  /** An event is kept no more. */
  #release(retained: Retained): void {
    this.#retainedCount--;
    this.#retainedBytes -= retained.bytes;
    this.#uncount(retained);
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
    const all = [...this.#numbered.toArray(), ...this.#unbegun];
    if (!isCounted) for (const retained of all) this.#uncount(retained);
    this.#isCounted = isCounted;
    if (isCounted) for (const retained of all) this.#count(retained);
  }

  /**
   * Nothing that is kept has begun in the new session; what the peer rejected, or does not know, is
   * put into `out`. Returns how many were sent before.
   */
  #renumber(out: Retained[]): number {
    const { peer } = this.#link;
    const all = [...this.#numbered.clear(), ...this.#unbegun];
    this.#unbegun.clear();
    this.#settledNumbers.clear();
    this.#last = this.#incomplete = 0;
    let repeated = 0;
    for (const retained of all) {
      if (
        retained.error !== null ||
        !peer.knows(retained.entry) ||
        retained.bodyBytes > peer.limits.maxMessageBytes
      ) {
        this.#release(retained);
        out.push(retained);
        continue;
      }
      if (retained.wasSent) repeated++;
      retained.renew(this.#origin);
      this.#unbegun.add(retained);
    }
    return repeated;
  }

  /**
   * Events that had begun, and that the peer has not, are sent again in the order of their numbers,
   * before anything else.
   */
  #replay(received: number): void {
    const lanes = this.#lanes;
    this.#incomplete = 0;
    for (const retained of this.#numbered.toArray()) {
      const { number, lane } = retained;
      // the peer lacks the next one
      if (number <= received + 1) retained.isWhole = number <= received;
      if (!retained.isWhole) this.#incomplete++;
      if (number <= received) continue;
      retained.isReplayed = true;
      this.#replaying++;
      this.#link.outbox.push(
        lanes.common,
        retained.waiting(lane === 0 ? undefined : lanes.replay(lane)),
      );
    }
    if (this.#replaying > 0) lanes.hold();
  }

  /** An event was sent again, or need not be. */
  #replayed(retained: Retained, account: Lane | undefined): void {
    retained.isReplayed = false;
    if (account !== undefined) this.#lanes.replayed(account);
    if (--this.#replaying === 0) this.#lanes.release();
  }

  /** An event is in the output whole. */
  #isSent(retained: Retained): void {
    if (!retained.isWhole) this.#incomplete--;
    retained.isWhole = retained.wasSent = true;
    this.#hasLeft(retained);
  }

  #hasLeft(retained: Retained): void {
    const { generation } = retained;
    retained.generation = null;
    if (generation !== null) this.#flushes.left(generation);
  }

  /** True if the peer can have every event of these numbers that it has not settled. */
  #areWhole(ranges: readonly NumberRange[]): boolean {
    if (this.#incomplete === 0) return true;
    return ranges.every(([from, to]) =>
      this.#settledNumbers.gaps(from, Math.min(to, this.#last)).every(([first, last]) => {
        for (let number = first; number <= last; number++)
          if (this.#numbered.find(number)?.isWhole === false) return false;
        return true;
      }),
    );
  }

  /**
   * The peer has handled all up to this number, and none above it: the way of a session that has no
   * lanes.
   */
  #settleUpTo(number: number): void {
    if (number <= this.#settledNumbers.upTo) return;
    this.#settledNumbers.add(this.#settledNumbers.upTo + 1, number);
    const numbered = this.#numbered;
    for (
      let { first } = numbered;
      first !== undefined && first.number <= number;
      { first } = numbered
    ) {
      numbered.shift();
      this.#release(first);
      this.#settle(first.settled, "delivered", first.error);
    }
  }

  /** The peer has handled these. */
  #settleNumbers(first: number, last: number): void {
    const settled: Retained[] = [];
    for (const [from, to] of this.#settledNumbers.gaps(first, last)) {
      for (let number = from; number <= to; number++) {
        const retained = this.#numbered.find(number);
        if (retained !== undefined) settled.push(retained);
      }
    }
    this.#settledNumbers.add(first, last);
    for (const retained of settled) {
      this.#numbered.settle(retained);
      this.#release(retained);
    }
    for (const { settled: tell, error } of settled) this.#settle(tell, "delivered", error);
  }

  /** An event by who waits for it, and its place in its lane's queue, if it is in one. */
  #find(settled: Settled): {
    readonly event: Passing | Retained;
    readonly lane: Lane | null;
    readonly place: number;
  } | null {
    for (const lane of this.#lanes.all) {
      const waiting = lane.queue.toArray();
      // the lanes hold nothing else
      const place = waiting.findIndex(({ tag }) => (tag as Passing | Retained).settled === settled);
      const message = waiting[place];
      if (message !== undefined) return { event: message.tag as Passing | Retained, lane, place };
    }
    const kept = [...this.#unbegun, ...this.#numbered.toArray()].find(
      (each) => each.settled === settled,
    );
    return kept === undefined ? null : { event: kept, lane: null, place: -1 };
  }

  /** The peer does not know an event: say so once on each connection. */
  #unknown(entry: MessageEntry, settled: Settled | null): void {
    const link = this.#link;
    const error = new HawserError(
      "MESSAGE_UNKNOWN",
      `"${plain(entry.name, 60)}" was not sent: the peer's contract (version ` +
        `${String(link.peer.version)}) does not have it`,
    );
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

  #tooMuchCredit(): void {
    this.#link.violate("FLOW_VIOLATION", `gave more credit than ${String(MAX_CREDIT)} bytes`);
  }

  /** True if the lane can take no more now; then `writable` is told when it can. */
  #isFull(id: number): boolean {
    if (!this.#link.attached) return false;
    const { common } = this.#lanes;
    const lane = this.#lanes.get(id) ?? common;
    if (id !== 0 && lane === common ? common.credit > 0 : lane.open) return false;
    this.#full.add(lane);
    return true;
  }

  /** Queue or credit of a lane has changed. */
  #moved(lane: Lane): void {
    this.#checkWritable(lane);
    this.#lanes.update(lane);
  }

  #checkWritable(lane: Lane): void {
    if (!this.#full.has(lane) || !lane.open) return;
    this.#full.delete(lane);
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

const NO_RANGES: NumberRange[] = [];

function readRanges(bytes: Uint8Array, start: number, end: number): NumberRange[] {
  const ranges: NumberRange[] = [];
  for (let at = start; at < end; at += RANGE_BYTES)
    ranges.push([readU64(bytes, at), readU64(bytes, at + 8)]);
  return ranges;
}

/** True if ranges stand above a number, ascending, with a gap before each. */
function areApart(number: number, ranges: readonly NumberRange[]): boolean {
  let below = number;
  return ranges.every(([first, last]) => {
    const isApart = first > below + 1 && last >= first;
    below = last;
    return isApart;
  });
}

function retentionFull(entry: MessageEntry, limit: string): HawserError {
  return new HawserError(
    "RETENTION_FULL",
    `Cannot emit "${plain(entry.name, 60)}": more than ${limit} are not acknowledged by the peer`,
  );
}
