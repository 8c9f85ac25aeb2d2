/**
 * Receiver: the events that the peer sends (PROTOCOL.md §5, §8). Owns their lanes, numbers,
 * duplicates, and what the peer is told of them: ACK, REJECT, CREDIT, LANE. Must not know what this
 * side emits.
 *
 *     EVENT --> [lane: waiting, encoded] --> sink.event ... handled --> REJECT, ACK, CREDIT, LANE
 *
 * Of each lane one event at a time is given to the sink.
 *
 * @module
 */
import type { MessageEntry } from "../../contract/contract.ts";
import { isHawserError, type HawserError, type NamedFailure } from "../../errors.ts";
import { peerError } from "../../stack.ts";
import { BegunEvents } from "./begun.ts";
import { readBody } from "../calls/conversation.ts";
import { formatFailure, invalid } from "../frames/failure.ts";
import { Fifo } from "../fifo.ts";
import {
  CREDIT,
  ITEM_COST,
  LANE,
  MAX_RANGES,
  REJECT,
  writeAck,
  writeGrant,
  writeNumbered,
} from "../frames/frames.ts";
import { Head } from "../frames/head.ts";
import { type EventFinisher, InboundLane, RunningEvent } from "./inbound-lane.ts";
import type { Link } from "../link.ts";
import { NumberSet, type NumberRange } from "./number-set.ts";
import { plain } from "../quote.ts";
import { Window } from "../window.ts";

interface Rejection {
  /** Which of the session's rejections it is, from 1. */
  readonly place: number;
  readonly number: number;
  readonly text: string;
}

/**
 * Rejections that the peer is not known to have are kept, for the case that the connection is lost
 * with them. From the first number on, the peer is asked for a sign (a PING, whose PONG proves that
 * they have arrived); at the second, no event is begun until it comes.
 */
const PROVE_REJECTIONS = 64;
const MAX_REJECTIONS = 256;

/** One session's inbound events. */
export class Receiver implements EventFinisher {
  readonly #link: Link;
  readonly #window: Window;
  readonly #common = new InboundLane(0);
  /** The other lanes: while something of them waits or is handled. */
  readonly #lanes = new Map<number, InboundLane>();
  /** Lanes whose next event may begin, the next one first. */
  readonly #ready = new Fifo<InboundLane>();
  readonly #begun = new BegunEvents();
  readonly #head = new Head();
  /** Numbers of events that wait, and that are handled; and the cost of the latter. */
  #waiting = 0;
  #running = 0;
  #runningCost = 0;
  /** Numbers that have come whole, and that are handled. */
  readonly #came = new NumberSet();
  readonly #handled = new NumberSet();
  /**
   * The highest number that ACK has told, and what is handled above the first gap and was not told.
   */
  #acked = 0;
  readonly #untold = new NumberSet();
  /** True if waiting events are being given out, further up. */
  #pumping: "no" | "yes" = "no";
  /** Rejections of this session that the peer is not known to have. */
  #rejections: Rejection[] = [];
  #rejected = 0;
  /** The session's. */
  #origin = "";

  constructor(link: Link) {
    this.#link = link;
    this.#window = new Window(link, CREDIT, link.limits.eventWindowBytes);
  }

  /** The highest number up to which all have come. */
  get received(): number {
    return this.#came.upTo;
  }

  /** Number of events that are not handled. */
  get unhandled(): number {
    return this.#waiting + this.#running;
  }

  /**
   * Which of the session's rejections was the last, if the peer is not known to have it; else 0.
   */
  get rejected(): number {
    return this.#rejections.at(-1)?.place ?? 0;
  }

  /** True if so many rejections are kept that the peer should be asked whether it has them. */
  get wantsProof(): boolean {
    return this.#rejections.length >= PROVE_REJECTIONS;
  }

  /** The first piece of a lane's event has come; false: the session is ended for it. */
  begins(id: number): boolean {
    if (!this.#mayBegin(id)) return false;
    this.#begun.begin(id, this.#window.credit);
    return true;
  }

  /**
   * More has come of a lane's event, which is not whole. Returns whether it is known by now which
   * number it has.
   */
  grew(id: number, bytes: Uint8Array, length: number): boolean {
    const isKnown = this.#begun.grew(id, bytes, length);
    if (isKnown && this.#begun.leavesGap(this.#came)) this.#violateGap();
    return isKnown;
  }

  /** The connection is another, or gone: what was begun is forgotten. */
  cut(): void {
    this.#begun.clear();
  }

  /** EVENT has come whole. */
  event(id: number, head: Head, bytes: Uint8Array, end: number): void {
    const link = this.#link;
    const { number, body, name } = head;
    const { entries } = link.peer;
    const cost = end - body + ITEM_COST;
    const wasAny = this.#begun.any;
    if (!this.#admits(id, cost)) return;
    if (name >= entries.length) {
      link.violate(
        "PROTOCOL_VIOLATION",
        `sent an event with the name ${String(name)}, which is not in its list`,
      );
      return;
    }
    const isInOrder = !wasAny && this.#came.append(number);
    if (!isInOrder && (number > 0 || wasAny) && !this.#isNext(number)) {
      this.#violateGap(number);
      return;
    }
    const lane = this.#laneOf(id);
    this.#window.hold(cost);
    if (id !== 0) lane.owed += cost;
    if (!isInOrder && number > 0) {
      if (this.#came.has(number)) {
        this.#window.release(cost); // a duplicate
        this.#giveBack(lane, cost);
        return;
      }
      this.#came.add(number);
    }
    const entry = entries[name] ?? null;
    if (lane.isIdle && this.#mayStart) {
      this.#pumping = "yes";
      this.#start(lane, cost, head, false, entry, bytes, end);
      this.#pumping = "no";
      if (this.#waiting > 0) this.#pump();
    } else {
      lane.push(entry, head, bytes, body, end);
      this.#waiting++;
      this.#makeReady(lane);
    }
  }

  /**
   * Tell the peer what is handled, if it does not know: at the end of each chunk, and when a
   * handler finishes later.
   */
  acknowledge(): void {
    const { upTo } = this.#handled;
    const ranges = this.#untold.ranges;
    if ((upTo === this.#acked && ranges.length === 0) || !this.#link.attached) return;
    this.#acked = upTo;
    const { output } = this.#link;
    if (ranges.length === 0) writeAck(output, upTo, NO_RANGES);
    else
      this.#acknowledgeRanges(
        upTo,
        ranges.filter(([first]) => first > upTo),
      );
    this.#link.wrote();
  }

  /** A greeting is written: returns the credit that the new connection begins with. */
  announce(): number {
    this.#common.owed = 0;
    // each lane begins with the whole of its window
    for (const lane of this.#lanes.values()) lane.owed = 0;
    return this.#window.announce();
  }

  /** The session is ready on a new connection. */
  resume(isNew: boolean): void {
    if (isNew) this.#beginAnew();
    else this.#sayAgain();
    this.#origin = this.#link.origin;
    this.#window.giveBack();
  }

  /** The session is ready, and the program told so: what waits may begin. */
  begin(): void {
    this.#pump();
    if (this.wantsProof) this.onProof?.();
  }

  /** The peer is known to have the rejections up to this one of the session. */
  proved(place: number): void {
    const from = this.#rejections.findIndex((rejection) => rejection.place > place);
    this.#rejections = from === -1 ? [] : this.#rejections.slice(from);
    this.#pump();
    if (this.#pumping === "no") this.acknowledge();
  }

  /** The session is over: what waits is not handled any more. */
  close(): void {
    for (const lane of [this.#common, ...this.#lanes.values()]) {
      lane.close();
      lane.isReady = false;
    }
    this.#ready.clear();
    this.#waiting = 0;
    this.#window.release(this.#window.held - this.#runningCost);
  }

  /** Set while somebody waits for everything to be handled. */
  onIdle: (() => void) | null = null;
  /** Asks the peer for a sign, if no question is open. */
  onProof: (() => void) | null = null;

  /** What came under the numbers of the old session is not acknowledged in the new one. */
  #beginAnew(): void {
    this.#came.clear();
    this.#handled.clear();
    this.#untold.clear();
    this.#acked = 0;
    this.#rejections = [];
    for (const lane of [this.#common, ...this.#lanes.values()]) lane.renew(this.#origin);
  }

  /** What may have been lost with the connection. */
  #sayAgain(): void {
    for (const { number, text } of this.#rejections)
      writeNumbered(this.#link.output, REJECT, number, text);
    this.#acked = 0;
    for (const [first, last] of this.#handled.ranges) this.#untold.add(first, last);
    this.acknowledge();
  }

  #acknowledgeRanges(upTo: number, ranges: readonly NumberRange[]): void {
    const { output } = this.#link;
    for (let at = 0; at === 0 || at < ranges.length; at += MAX_RANGES)
      writeAck(output, upTo, ranges.slice(at, at + MAX_RANGES));
    this.#untold.clear();
  }

  /** True if a lane's event has the credit to begin; false: the session is ended for it. */
  #mayBegin(id: number): boolean {
    const hasCredit = this.#window.open;
    if (
      hasCredit &&
      (id === 0 || (this.#lanes.get(id)?.owed ?? 0) < this.#link.limits.laneWindowBytes)
    )
      return true;
    this.#link.violate(
      "FLOW_VIOLATION",
      hasCredit
        ? `sent an event without credit in its lane ${String(id)}`
        : "sent an event without credit",
    );
    return false;
  }

  /**
   * True if an event that is whole had credit, and let those have it that began behind it; false:
   * the session is ended.
   */
  #admits(id: number, cost: number): boolean {
    const begun = this.#begun;
    if (!begun.any) return this.#mayBegin(id);
    if (!begun.has(id)) {
      begun.pass(this.#window.credit);
      return this.#mayBegin(id);
    }
    if (begun.finish(id, cost)) return true;
    this.#link.violate(
      "FLOW_VIOLATION",
      "sent an event without credit behind one that took it all",
    );
    return false;
  }

  /**
   * True if all numbers below those that have begun have begun too, or came before: with this one,
   * whose event is whole; 0: it has none.
   */
  #isNext(number: number): boolean {
    const { upTo, highest } = this.#came;
    if (!this.#begun.any && highest === upTo) return number <= upTo + 1;
    this.#begun.number(number);
    return !this.#begun.leavesGap(this.#came, number);
  }

  #violateGap(number: number | null = null): void {
    const which = number === null ? "an event" : `the event ${String(number)}`;
    this.#link.violate("PROTOCOL_VIOLATION", `sent ${which} after ${String(this.#came.upTo)}`);
  }

  get #mayStart(): boolean {
    return (
      this.#pumping === "no" &&
      this.#running < this.#link.limits.maxEventHandlers &&
      this.#rejections.length < MAX_REJECTIONS
    );
  }

  #laneOf(id: number): InboundLane {
    if (id === 0) return this.#common;
    let lane = this.#lanes.get(id);
    if (lane === undefined) {
      lane = new InboundLane(id);
      this.#lanes.set(id, lane);
    }
    return lane;
  }

  /**
   * Gives a lane its credit back: of a duplicate at once, else when nothing of it waits or is
   * handled.
   */
  #giveBack(lane: InboundLane, cost: number): void {
    const { id } = lane;
    if (id === 0) return;
    const due = Math.min(lane.isIdle ? lane.owed : cost, lane.owed);
    if (due > 0 && this.#link.attached) {
      writeGrant(this.#link.output, LANE, id, due);
      this.#link.wrote();
      lane.owed -= due;
    }
    if (lane.isIdle) this.#lanes.delete(id);
  }

  /** The lane's next event may begin, when others have had their turn. */
  #makeReady(lane: InboundLane): void {
    if (lane.isReady || lane.current !== null || lane.count === 0) return;
    lane.isReady = true;
    this.#ready.push(lane);
  }

  #pump(): void {
    while (this.#ready.length > 0 && this.#mayStart) {
      const lane = this.#ready.shift() as InboundLane; // there is one
      lane.isReady = false;
      this.#pumping = "yes";
      this.#startNext(lane);
      this.#pumping = "no";
    }
  }

  #startNext(lane: InboundLane): void {
    const head = this.#head;
    const { bytes, end, isKnown, isStale } = lane.shift(head);
    this.#waiting--;
    const entry = isKnown ? (this.#link.entries[head.name] ?? null) : null;
    this.#start(lane, end - head.body + ITEM_COST, head, isStale, entry, bytes, end);
  }

  /**
   * Decodes and checks an event, and gives it to the program. `isStale`: it came in a session
   * before this one.
   */
  #start(
    lane: InboundLane,
    cost: number,
    { number, first, trace, body }: Head,
    isStale: boolean,
    entry: MessageEntry | null,
    bytes: Uint8Array,
    end: number,
  ): void {
    const link = this.#link;
    const acked = isStale ? 0 : number;
    if (entry?.type !== "event" || entry.from === link.side) {
      this.#drop(
        lane,
        acked,
        cost,
        peerError(
          "MESSAGE_UNKNOWN",
          "The peer sent an event that this side's contract does not have, or not from the peer",
        ),
      );
      return;
    }
    const payload = readBody(link, entry, entry.input, bytes, body, end);
    const { issue } = link;
    if (issue !== null) {
      this.#drop(
        lane,
        acked,
        cost,
        invalid(
          "EVENT_INVALID",
          `The peer's event "${plain(entry.name, 60)}" is invalid`,
          issue.cause === undefined ? "remote" : "local",
          issue,
        ),
      );
      return;
    }
    const event =
      first === null
        ? new RunningEvent(
            this,
            lane,
            entry,
            payload,
            trace,
            cost,
            acked,
            this.#origin,
            number,
            false,
          )
        : new RunningEvent(
            this,
            lane,
            entry,
            payload,
            trace,
            cost,
            acked,
            first.origin,
            first.number,
            !isStale,
          );
    lane.current = event;
    this.#running++;
    this.#runningCost += cost;
    try {
      link.sink.event(event);
    } catch (thrown) {
      link.caught(thrown);
    }
  }

  /** @see EventFinisher: the program has handled an event; a second time is ignored. */
  finish(event: RunningEvent, error: HawserError | NamedFailure | null): void {
    const { lane, acked, cost } = event;
    if (event !== lane.current) return;
    lane.current = null;
    this.#running--;
    this.#runningCost -= cost;
    this.#settle(lane, acked, cost, error);
  }

  /** The program does not get this event. */
  #drop(lane: InboundLane, acked: number, cost: number, error: HawserError): void {
    const link = this.#link;
    try {
      this.#settle(lane, acked, cost, error);
      link.sink.dropped(error);
    } catch (thrown) {
      link.caught(thrown);
    }
  }

  /** An event is through: the peer is told, gets its credit back, and what waited for it begins. */
  #settle(
    lane: InboundLane,
    acked: number,
    cost: number,
    error: HawserError | NamedFailure | null,
  ): void {
    if (acked > 0) {
      if (error !== null) this.#reject(acked, error);
      if (!this.#handled.append(acked)) this.#handleOutOfOrder(acked);
    }
    this.#window.release(cost);
    if (lane.id !== 0) this.#giveBack(lane, 0);
    if (this.#waiting > 0) {
      this.#makeReady(lane);
      this.#pump();
    }
    if (this.#pumping === "no") this.acknowledge();
    this.onIdle?.();
  }

  /** An event is through before one that came before it, or behind one that was. */
  #handleOutOfOrder(number: number): void {
    this.#handled.add(number);
    if (number > this.#handled.upTo) this.#untold.add(number);
  }

  #reject(number: number, error: HawserError | NamedFailure): void {
    const text = formatFailure(
      isHawserError(error) ? error : peerError("HANDLER_FAILED", "A handler failed"),
    );
    this.#rejections.push({ place: ++this.#rejected, number, text });
    if (!this.#link.attached) return;
    writeNumbered(this.#link.output, REJECT, number, text);
    this.#link.wrote();
    if (this.wantsProof) this.onProof?.();
  }
}

const NO_RANGES: readonly NumberRange[] = [];
