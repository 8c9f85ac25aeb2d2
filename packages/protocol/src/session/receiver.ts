/**
 * Receiver: the events that the peer sends (PROTOCOL.md §5, §8).
 * Owns their order, duplicates, and what the peer is told of them: ACK, REJECT, CREDIT. Must not know what this side emits.
 *
 *     EVENT ----> [waiting, encoded] ----> sink.event ... handled ----> REJECT, ACK, CREDIT       one at a time
 *
 * @module
 */
import { ByteWriter } from "../bytes.ts";
import type { MessageEntry } from "../contract.ts";
import { isHawserError, type HawserError, type NamedFailure } from "../errors.ts";
import { peerError } from "../stack.ts";
import { Backlog } from "./backlog.ts";
import { readBody } from "./conversation.ts";
import { formatFailure, invalid } from "./failure.ts";
import { ACK, CREDIT, EVENT, ITEM_COST, REJECT, writeNumbered } from "./frames.ts";
import { Head, writeHead } from "./head.ts";
import type { Link } from "./link.ts";
import { plain } from "./quote.ts";
import { Window } from "./window.ts";

/** The event that the program has. */
interface Current {
  /** 0: it is not numbered, or not with this session's numbers. */
  number: number;
  readonly cost: number;
}

interface Rejection {
  readonly number: number;
  readonly text: string;
}

/** In a waiting event's head: the program has no message of its name. */
const NO_ENTRY = 0xffff;

/**
 * Rejections that the peer is not known to have are kept, for the case that the connection is lost with them. From the first number on,
 * the peer is asked for a sign (a PING, whose PONG proves that they have arrived); at the second, no event is begun until it comes.
 */
const PROVE_REJECTIONS = 64;
const MAX_REJECTIONS = 256;

/** One session's inbound events. */
export class Receiver {
  readonly #link: Link;
  readonly #window: Window;
  /** Events that wait, each with a head whose name is this side's index; null: none does. */
  #waiting: Backlog | null = null;
  /** Writes the heads of those. */
  #heads: ByteWriter | null = null;
  readonly #head = new Head();
  /** How many of those that wait came in a session before this one: their numbers mean nothing now. */
  #stale = 0;
  #current: Current | null = null;
  /** The highest number that has come, that is handled, that ACK has told. */
  #received = 0;
  #handled = 0;
  #acked = 0;
  /** Whether waiting events are being given out, further up. */
  #pumping: "no" | "yes" = "no";
  /** Rejections of this session that the peer is not known to have. */
  #rejections: Rejection[] = [];

  constructor(link: Link) {
    this.#link = link;
    this.#window = new Window(link, CREDIT, link.limits.eventWindowBytes);
  }

  /** The highest number that has come. */
  get received(): number {
    return this.#received;
  }

  /** How many events are not handled. */
  get unhandled(): number {
    return (this.#waiting?.count ?? 0) + (this.#current === null ? 0 : 1);
  }

  /** The highest number that was rejected, if the peer is not known to have that rejection; else 0. */
  get rejected(): number {
    return this.#rejections.at(-1)?.number ?? 0;
  }

  /** True if so many rejections are kept that the peer should be asked whether it has them. */
  get wantsProof(): boolean {
    return this.#rejections.length >= PROVE_REJECTIONS;
  }

  /** An event may begin; false: the session is ended for it. */
  mayBegin(): boolean {
    if (this.#window.open) return true;
    this.#link.violate("FLOW_VIOLATION", "sent an event without credit");
    return false;
  }

  /** EVENT has come whole. */
  event(head: Head, bytes: Uint8Array, end: number): void {
    const link = this.#link;
    const { number, trace, body, name } = head;
    const { entries } = link.peer;
    if (!this.mayBegin()) return;
    if (name >= entries.length) {
      link.violate("PROTOCOL_VIOLATION", `sent an event with the name ${String(name)}, which is not in its list`);
      return;
    }
    if (number > this.#received + 1) {
      link.violate("PROTOCOL_VIOLATION", `sent the event ${String(number)} after ${String(this.#received)}`);
      return;
    }
    const cost = end - body + ITEM_COST;
    this.#window.hold(cost);
    if (number > 0 && number <= this.#received) {
      this.#window.release(cost); // a duplicate
      return;
    }
    if (number > 0) this.#received = number;
    const entry = entries[name] ?? null;
    if (this.#waiting === null && this.#mayStart) {
      this.#pumping = "yes";
      this.#start(entry, trace, { number, cost }, bytes, body, end);
      this.#pumping = "no";
      this.#pump();
    } else {
      this.#wait(entry, trace, number, bytes, body, end);
    }
  }

  /** Tell the peer what is handled, if it does not know: at the end of each chunk, and when a handler finishes later. */
  acknowledge(): void {
    if (this.#handled === this.#acked || !this.#link.attached) return;
    this.#acked = this.#handled;
    writeNumbered(this.#link.output, ACK, this.#handled);
    this.#link.wrote();
  }

  /** A greeting is written: returns the credit that the new connection begins with. */
  announce(): number {
    return this.#window.announce();
  }

  /** The session is ready on a new connection. */
  resume(isNew: boolean): void {
    if (isNew) this.#beginAnew();
    else this.#sayAgain();
    this.#window.giveBack();
  }

  /** The session is ready, and the program told so: what waits may begin. */
  begin(): void {
    this.#pump();
    if (this.wantsProof) this.onProof?.();
  }

  /** The peer is known to have the rejections up to this number. */
  proved(number: number): void {
    const from = this.#rejections.findIndex((rejection) => rejection.number > number);
    this.#rejections = from === -1 ? [] : this.#rejections.slice(from);
    this.#pump();
    if (this.#pumping === "no") this.acknowledge();
  }

  /** What came under the numbers of the old session is not acknowledged in the new one. */
  #beginAnew(): void {
    this.#received = this.#handled = this.#acked = 0;
    this.#rejections = [];
    this.#stale = this.#waiting?.count ?? 0;
    if (this.#current !== null) this.#current.number = 0;
  }

  /** What may have been lost with the connection. */
  #sayAgain(): void {
    for (const { number, text } of this.#rejections) writeNumbered(this.#link.output, REJECT, number, text);
    this.#acked = 0;
    this.acknowledge();
  }

  /** The session is over: what waits is not handled any more. */
  close(): void {
    this.#waiting = null;
    this.#heads = null;
    this.#stale = 0;
    this.#window.release(this.#window.held - (this.#current?.cost ?? 0));
  }

  get #mayStart(): boolean {
    return this.#current === null && this.#pumping === "no" && this.#rejections.length < MAX_REJECTIONS;
  }

  #wait(entry: MessageEntry | null, trace: string | null, number: number, bytes: Uint8Array, body: number, end: number): void {
    const heads = (this.#heads ??= new ByteWriter());
    heads.truncate(0);
    writeHead(heads, entry?.index ?? NO_ENTRY, 0, trace, number, false);
    heads.append(bytes, body, end);
    this.#waiting ??= new Backlog();
    this.#waiting.push(heads.bytes, 0, heads.length);
    if (heads.length > KEPT_BYTES) this.#heads = null;
  }

  #pump(): void {
    while (this.#waiting !== null && this.#mayStart) {
      this.#pumping = "yes";
      this.#startNext(this.#waiting);
      this.#pumping = "no";
    }
  }

  #startNext(waiting: Backlog): void {
    waiting.shift();
    const { bytes, start, end, count } = waiting;
    if (count === 0) {
      this.#waiting = null;
      this.#heads = null;
    }
    const head = this.#head;
    head.read(EVENT, bytes, start, end); // it was written here
    const isStale = this.#stale > 0;
    if (isStale) this.#stale--;
    const entry = head.name === NO_ENTRY ? null : (this.#link.entries[head.name] ?? null);
    this.#start(entry, head.trace, { number: isStale ? 0 : head.number, cost: end - head.body + ITEM_COST }, bytes, head.body, end);
  }

  #start(entry: MessageEntry | null, trace: string | null, current: Current, bytes: Uint8Array, body: number, end: number): void {
    const link = this.#link;
    let payload: unknown;
    let error: HawserError | null = null;
    if (entry?.type !== "event" || entry.from === link.side) {
      error = peerError("MESSAGE_UNKNOWN", "The peer sent an event that this side's contract does not have, or not from the peer");
    } else {
      payload = readBody(link, entry, entry.input, bytes, body, end);
      const { issue } = link;
      if (issue !== null) {
        error = invalid("EVENT_INVALID", `The peer's event "${plain(entry.name, 60)}" is invalid`, issue.cause === undefined ? "remote" : "local", issue);
      }
    }
    this.#current = current;
    try {
      if (error === null && entry !== null) {
        link.sink.event(entry, payload, trace, (failure) => {
          this.#finish(current, failure ?? null);
        });
      } else {
        this.#finish(current, error);
        if (error !== null) link.sink.dropped(error);
      }
    } catch (thrown) {
      link.caught(thrown);
    }
  }

  /** The program has handled its event; a second time is ignored. */
  #finish(current: Current, error: HawserError | NamedFailure | null): void {
    if (current !== this.#current) return;
    this.#current = null;
    if (current.number > 0) {
      this.#handled = current.number;
      if (error !== null) this.#reject(current.number, error);
    }
    this.#window.release(current.cost);
    this.#pump();
    if (this.#pumping === "no") this.acknowledge();
    this.onIdle?.();
  }

  /** Set while somebody waits for everything to be handled. */
  onIdle: (() => void) | null = null;
  /** Asks the peer for a sign, if no question is open. */
  onProof: (() => void) | null = null;

  #reject(number: number, error: HawserError | NamedFailure): void {
    const text = formatFailure(isHawserError(error) ? error : peerError("HANDLER_FAILED", "A handler failed"));
    this.#rejections.push({ number, text });
    if (!this.#link.attached) return;
    writeNumbered(this.#link.output, REJECT, number, text);
    this.#link.wrote();
    if (this.wantsProof) this.onProof?.();
  }
}

/** Storage that is kept for the next waiting event's head and body. */
const KEPT_BYTES = 4_096;
