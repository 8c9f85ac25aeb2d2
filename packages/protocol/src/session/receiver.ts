/**
 * Receiver: the events that the peer sends (PROTOCOL.md §5, §8).
 * Owns their order, duplicates, and what the peer is told of them: ACK, REJECT, CREDIT. Must not know what this side emits.
 *
 *     EVENT ----> [waiting] ----> sink.event ... handled ----> REJECT, ACK, CREDIT       one at a time
 *
 * @module
 */
import { Issue } from "../check.ts";
import type { MessageEntry } from "../contract.ts";
import { isHawserError, type HawserError, type NamedFailure } from "../errors.ts";
import { peerError } from "../stack.ts";
import { readBody } from "./conversation.ts";
import { formatFailure, invalid } from "./failure.ts";
import { Fifo } from "./fifo.ts";
import { ACK, ITEM_COST, REJECT, writeCredit, writeNumbered } from "./frames.ts";
import type { Head } from "./head.ts";
import type { Link } from "./link.ts";
import { plain } from "./quote.ts";

/** An event that has come. */
interface Arrived {
  /** Null: this side has none of that name. */
  readonly entry: MessageEntry | null;
  readonly payload: unknown;
  readonly trace: string | null;
  /** Why it is not for the program; null: it is. */
  readonly error: HawserError | null;
  /** 0: it is not numbered, or not with this session's numbers. */
  number: number;
  readonly cost: number;
}

/** Rejections that are remembered for the case that the connection is lost with them. */
const REMEMBERED = 256;

/** One session's inbound events. */
export class Receiver {
  readonly #link: Link;
  readonly #waiting = new Fifo<Arrived>();
  /** The event that the program has; null: none. */
  #current: Arrived | null = null;
  /** The highest number that has come, that is handled, that ACK has told. */
  #received = 0;
  #handled = 0;
  #acked = 0;
  /** What the peer may still send, what came and is not handled, what was handled and is not yet given back. */
  #grant = 0;
  #held = 0;
  #taken = 0;
  /** Whether waiting events are being given out, further up. */
  #pumping: "no" | "yes" = "no";
  /** Rejections of this connection. */
  #rejections: { readonly number: number; readonly text: string }[] = [];

  constructor(link: Link) {
    this.#link = link;
  }

  /** The highest number that has come. */
  get received(): number {
    return this.#received;
  }

  /** How many events are not handled. */
  get unhandled(): number {
    return this.#waiting.length + (this.#current === null ? 0 : 1);
  }

  /** An event may begin; false: the session is ended for it. */
  mayBegin(): boolean {
    if (this.#grant > 0) return true;
    this.#link.violate("FLOW_VIOLATION", "sent an event without credit");
    return false;
  }

  /** EVENT has come whole. */
  event(head: Head, bytes: Uint8Array, end: number): void {
    const link = this.#link;
    const { number, trace, body } = head;
    const { entries } = link.peer;
    if (!this.mayBegin()) return;
    if (head.name >= entries.length) {
      link.violate("PROTOCOL_VIOLATION", `sent an event with the name ${String(head.name)}, which is not in its list`);
      return;
    }
    if (number > this.#received + 1) {
      link.violate("PROTOCOL_VIOLATION", `sent the event ${String(number)} after ${String(this.#received)}`);
      return;
    }
    const cost = end - body + ITEM_COST;
    this.#grant -= cost;
    this.#held += cost;
    if (number > 0 && number <= this.#received) {
      this.#take(cost); // a duplicate
      return;
    }
    if (number > 0) this.#received = number;
    const entry = entries[head.name] ?? null;
    let payload: unknown;
    let error: HawserError | null = null;
    if (entry?.type !== "event" || entry.from === link.side) {
      error = peerError("MESSAGE_UNKNOWN", "The peer sent an event that this side's contract does not have, or not from the peer");
    } else {
      payload = readBody(link, entry, entry.input, bytes, body, end);
      if (payload instanceof Issue) {
        error = invalid("EVENT_INVALID", `The peer's event "${plain(entry.name, 60)}" is invalid`, payload.cause === undefined ? "remote" : "local", payload);
      }
    }
    this.#waiting.push({ entry, payload, trace, error, number, cost });
    this.#pump();
  }

  /** Tell the peer what is handled, if it does not know: at the end of each chunk, and when a handler finishes later. */
  acknowledge(): void {
    if (this.#handled === this.#acked || !this.#link.attached) return;
    this.#acked = this.#handled;
    writeNumbered(this.#link.output, ACK, this.#handled);
    this.#link.wrote();
  }

  /**
   * A greeting is written: what the new connection's events begin with. Events of the old one that are not handled take their
   * part of the window; what is handled from now on is given back.
   */
  announce(): number {
    this.#grant = Math.max(1, this.#link.limits.eventWindowBytes - this.#held);
    this.#taken = 0;
    return this.#grant;
  }

  /** The session is ready on a new connection. */
  resume(isNew: boolean): void {
    if (isNew) this.#beginAnew();
    else this.#sayAgain();
    this.#giveBack();
  }

  /** What came under the numbers of the old session is not acknowledged in the new one. */
  #beginAnew(): void {
    this.#received = this.#handled = this.#acked = 0;
    this.#rejections = [];
    for (const arrived of this.#waiting.toArray()) arrived.number = 0;
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
    this.#waiting.clear();
    this.#held = this.#current?.cost ?? 0;
  }

  #pump(): void {
    if (this.#pumping === "yes") return;
    this.#pumping = "yes";
    while (this.#current === null) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#start(next);
    }
    this.#pumping = "no";
  }

  #start(arrived: Arrived): void {
    const { entry, error, payload, trace } = arrived;
    const { sink } = this.#link;
    this.#current = arrived;
    try {
      if (error === null && entry !== null) {
        sink.event(entry, payload, trace, (failure) => {
          this.#finish(arrived, failure ?? null);
        });
      } else {
        this.#finish(arrived, error);
        if (error !== null) sink.dropped(error);
      }
    } catch (thrown) {
      this.#link.caught(thrown);
    }
  }

  /** The program has handled its event; a second time is ignored. */
  #finish(arrived: Arrived, error: HawserError | NamedFailure | null): void {
    if (arrived !== this.#current) return;
    this.#current = null;
    if (arrived.number > 0) {
      this.#handled = arrived.number;
      if (error !== null) this.#reject(arrived.number, error);
    }
    this.#take(arrived.cost);
    this.#pump();
    if (this.#pumping === "no") this.acknowledge();
    this.onIdle?.();
  }

  /** Set while somebody waits for everything to be handled. */
  onIdle: (() => void) | null = null;

  #reject(number: number, error: HawserError | NamedFailure): void {
    const text = formatFailure(isHawserError(error) ? error : peerError("HANDLER_FAILED", "A handler failed"));
    this.#rejections.push({ number, text });
    if (this.#rejections.length > REMEMBERED) this.#rejections.shift();
    if (!this.#link.attached) return;
    writeNumbered(this.#link.output, REJECT, number, text);
    this.#link.wrote();
  }

  #take(cost: number): void {
    this.#held -= cost;
    this.#taken += cost;
    this.#giveBack();
  }

  /** Give credit back when it is worth a frame. */
  #giveBack(): void {
    const link = this.#link;
    if (this.#taken * 2 < link.limits.eventWindowBytes || !link.attached) return;
    writeCredit(link.output, 0, this.#taken);
    this.#grant += this.#taken;
    this.#taken = 0;
    link.wrote();
  }
}
