/**
 * All conversations of one session, of both sides, by their ids (PROTOCOL.md §4). Owns ids and
 * their reuse, the number that may be open, and the rules of which frame may come for which id.
 * Must not know how one conversation goes (outgoing.ts, incoming.ts), or events.
 *
 * @module
 */
import type { Body } from "../../codec/body.ts";
import { nothing } from "../../contract/check.ts";
import { bytes as bytesCodec } from "../../codec/codec.ts";
import type { MessageEntry } from "../../contract/contract.ts";
import { HawserError } from "../../errors.ts";
import { peerError } from "../../stack.ts";
import { utf8Encode } from "../../bytes/utf8-write.ts";
import {
  CONTRACT_FEATURE,
  CONTRACT_NAME,
  contractRequest,
  type OfferedContract,
} from "../handshake/contract-request.ts";
import {
  type Conversation,
  type LossReason,
  readBody,
  type Finished,
  type Registry,
} from "./conversation.ts";
import { formatFailure, invalid, readCancellation } from "../frames/failure.ts";
import { Fifo } from "../fifo.ts";
import {
  CANCEL,
  CREDIT,
  END,
  FAIL,
  ITEM,
  kindName,
  readU32,
  REQUEST,
  RESULT,
  STOP,
  STREAM,
  writeFrame,
} from "../frames/frames.ts";
import type { Head } from "../frames/head.ts";
import { Incoming } from "./incoming.ts";
import { type Link, MAX_CREDIT } from "../link.ts";
import { Outgoing } from "./outgoing.ts";
import { plain } from "../quote.ts";
import { Slots } from "./slots.ts";
import type { CallOptions, CallSink, OutboundCall } from "../types.ts";

/** Calls that were given up, before they are taken out of those that wait. */
const SLACK = 1_024;

/** What stands for a stream that no handler sees, until its opener has ended. */
const UNKNOWN: MessageEntry = Object.freeze({
  index: -1,
  name: "",
  type: "stream",
  from: "both",
  codec: bytesCodec(), // nothing is encoded or decoded with it
  delivery: "at-most-once",
  lane: null,
  input: nothing,
  output: nothing,
  item: nothing,
  send: null,
  hasItems: false,
  errors: new Map(),
  digest: "",
});

/** A conversation of the peer whose opening has not come whole. */
interface Begun {
  readonly kind: number;
  /**
   * The credit that the peer has given for its items meanwhile, and whether it wants none any more.
   */
  credit: number;
  isStopped: boolean;
}

/** One session's conversations. */
export class Calls implements Registry {
  readonly #link: Link;
  readonly #offered: OfferedContract | null;
  readonly #outgoing = new Slots<Outgoing>();
  readonly #incoming = new Slots<Incoming>();
  /**
   * Ours that the peer has no room for, in order; among them some that were given up. And how many
   * do wait.
   */
  readonly #waiting = new Fifo<Outgoing>();
  #waitingCalls = 0;
  /** Bytes that ours were opened with. */
  #openBytes = 0;
  /** The peer's, whose REQUEST or STREAM has begun to come: open, but nobody has seen them. */
  readonly #begun = new Map<number, Begun>();
  /**
   * Bytes that the peer's were opened with whose handlers have not finished, also of lost
   * connections; and how many these are.
   */
  #inputBytes = 0;
  #handlers = 0;
  /** Ids that were used and are free, the last one first; and the highest that was ever used. */
  readonly #free: number[] = [];
  #highest: number;
  /** No deadline is before this. */
  #dueMs = Infinity;

  /** `offered`: what the peer may ask of the contract itself, or null. */
  constructor(link: Link, offered: OfferedContract | null) {
    this.#link = link;
    this.#offered = offered;
    this.#highest = link.side === "client" ? -1 : 0;
  }

  /** Number of those that are open. */
  get open(): number {
    return this.#outgoing.size + this.#incoming.size + this.#begun.size + this.#waitingCalls;
  }

  /** When `tick` has something to do, at the earliest. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** Open a conversation: see `open` of a session, which has seen to its state. */
  begin(entry: MessageEntry, input: unknown, options: CallOptions, sink: CallSink): OutboundCall {
    this.#checkKnown(entry);
    return this.#begin(
      entry,
      this.#link.prepare("open", entry, input, "INPUT_INVALID"),
      options,
      sink,
    );
  }

  /** As `begin`, with the input's body. */
  beginPrepared(
    entry: MessageEntry,
    body: Uint8Array,
    options: CallOptions,
    sink: CallSink,
  ): OutboundCall {
    this.#checkKnown(entry);
    return this.#begin(entry, body, options, sink);
  }

  #begin(entry: MessageEntry, body: Body, options: CallOptions, sink: CallSink): OutboundCall {
    const link = this.#link;
    link.checkRoom();
    if (!this.#mayStart(typeof body === "string" ? body.length * 3 : body.length))
      return this.#wait(entry, body, options, sink);
    const id = this.#free.pop() ?? (this.#highest += 2);
    const call = new Outgoing(entry, id, link, this, sink);
    this.#outgoing.set(id, call);
    try {
      call.begin(body, options);
    } catch (error) {
      call.inputBytes = 0; // they are not counted yet
      this.release(call);
      throw error;
    }
    this.#openBytes += call.inputBytes;
    if (call.dueMs < this.#dueMs) this.#dueMs = call.dueMs;
    return call;
  }

  /**
   * True if the peer takes a call with an input of so many bytes, at most, and none is before it.
   */
  #mayStart(bytes: number): boolean {
    return this.#waitingCalls === 0 && this.#hasRoom(bytes);
  }

  #hasRoom(bytes: number): boolean {
    const { maxConversations, maxInputBytes } = this.#link.peer.limits;
    return (
      this.#outgoing.size < maxConversations &&
      (this.#openBytes === 0 || this.#openBytes + bytes <= maxInputBytes)
    );
  }

  #checkKnown(entry: MessageEntry): void {
    const { peer } = this.#link;
    if (
      !peer.knows(entry) &&
      (entry !== contractRequest || !peer.features.includes(CONTRACT_FEATURE))
    )
      throw new HawserError(
        "MESSAGE_UNKNOWN",
        `Cannot call "${plain(entry.name, 60)}": the peer's contract (version ` +
          `${String(peer.version)}) does not have it`,
      );
  }

  /** The peer takes no more now: the call is opened when it does, in its turn. */
  #wait(entry: MessageEntry, body: Body, options: CallOptions, sink: CallSink): OutboundCall {
    const link = this.#link;
    const most = link.limits.maxQueuedCalls;
    if (this.#waitingCalls >= most) {
      throw new HawserError(
        "OVERLOADED",
        `Cannot call "${plain(entry.name, 60)}": maxQueuedCalls ${String(most)} wait until the ` +
          "peer takes more (its maxConversations, maxInputBytes); await answers before the next",
        { origin: "local" },
      );
    }
    const call = new Outgoing(entry, 0, link, this, sink);
    call.wait(body, options);
    this.#waiting.push(call);
    this.#waitingCalls++;
    if (call.dueMs < this.#dueMs) this.#dueMs = call.dueMs;
    // what was taken for too much may have room: only now its bytes are counted
    this.#startWaiting();
    return call;
  }

  /** Open what waits, as far as the peer takes it. */
  #startWaiting(): void {
    for (let call = this.#waiting.first; call !== undefined; call = this.#waiting.first) {
      if (call.waits && !this.#hasRoom(call.inputBytes)) return;
      this.#waiting.shift();
      if (!call.waits) continue; // it was cancelled
      this.#waitingCalls--;
      this.#openBytes += call.inputBytes;
      const id = this.#free.pop() ?? (this.#highest += 2);
      this.#outgoing.set(id, call);
      call.start(id);
    }
  }

  /** A call that waits was given up; those that were are taken out when they are many. */
  #forget(): void {
    this.#waitingCalls--;
    if (this.#waiting.length <= 2 * this.#waitingCalls + SLACK) return;
    for (const call of this.#waiting.cut(0)) if (call.waits) this.#waiting.push(call);
  }

  /**
   * Nothing new may be opened: what waits is not, nor what has an id and has not begun to leave.
   */
  refuseWaiting(error: HawserError): void {
    for (const call of this.#waiting.toArray()) if (call.waits) call.cancel(error);
    this.#waiting.clear();
    const unbegun: Outgoing[] = [];
    this.#outgoing.forEach((call) => {
      if (!call.hasBegun) unbegun.push(call);
    });
    for (const call of unbegun) call.cancel(error);
  }

  release(conversation: Conversation): void {
    const { id } = conversation;
    if (id === 0) {
      this.#forget();
    } else if (this.#isOurs(id)) {
      if (this.#outgoing.delete(id, conversation)) this.#freed(id, conversation);
      if (this.#waitingCalls > 0) this.#startWaiting();
    } else {
      this.#incoming.delete(id, conversation);
    }
    this.onIdle?.();
  }

  #freed(id: number, conversation: Conversation): void {
    this.#free.push(id);
    if (conversation instanceof Outgoing) this.#openBytes -= conversation.inputBytes;
  }

  finished(call: Finished): void {
    this.#inputBytes -= call.inputBytes;
    this.#link.inputs.release(call.decodedBytes);
    this.#handlers--;
  }

  /** Set while somebody waits for nothing to be open. */
  onIdle: (() => void) | null = null;

  /** True if the first piece of such a message may come; false: the session is ended for it. */
  admits(kind: number, id: number): boolean {
    if (kind === REQUEST || kind === STREAM) {
      if (!this.#mayOpen(kind, id)) return false;
      this.#begun.set(id, { kind, credit: 0, isStopped: false });
      return true;
    }
    if (kind === ITEM) return this.#itemOf(id, true) !== null;
    return this.#answered(kind, id) !== null;
  }

  /**
   * True if so many bytes of unfinished inputs, of which one has `length`, fit beside those that
   * handlers have; one alone always does.
   */
  hasRoom(inputBytes: number, length: number): boolean {
    return (
      this.#inputBytes + inputBytes <= this.#link.limits.maxInputBytes ||
      this.#inputBytes + inputBytes === length
    );
  }

  /** REQUEST or STREAM has come whole, and had no room. */
  overloaded(id: number, head: Head): void {
    if (this.#begun.delete(id))
      this.#refuse(id, head, peerError("OVERLOADED", "too much waits for its handlers"));
  }

  /** REQUEST or STREAM has come whole. */
  opened(kind: number, id: number, head: Head, bytes: Uint8Array, end: number): void {
    const begun = this.#begun.size === 0 ? undefined : this.#begun.get(id);
    if (begun === undefined) {
      if (!this.#mayOpen(kind, id)) return;
    } else {
      this.#begun.delete(id);
    }
    const link = this.#link;
    if (head.name >= link.peer.entries.length) {
      const offered =
        head.name === CONTRACT_NAME &&
        kind === REQUEST &&
        link.peer.features.includes(CONTRACT_FEATURE)
          ? this.#offered
          : null;
      if (offered !== null) this.#tellContract(id, head, offered);
      else
        link.violate(
          "PROTOCOL_VIOLATION",
          `opened with the name ${String(head.name)}, which is not in its list`,
        );
      return;
    }
    const entry = link.peer.entries[head.name] ?? null;
    if (
      entry === null ||
      entry.from === link.side ||
      entry.type !== (kind === REQUEST ? "request" : "stream")
    ) {
      this.#refuse(
        id,
        head,
        peerError("MESSAGE_UNKNOWN", "no such message, or not from this side"),
      );
      return;
    }
    const inputBytes = end - head.body;
    const { maxConversations, maxInputBytes } = link.limits;
    const decodedBytes =
      entry.input.kind === "nothing" ? 0 : link.inputs.weigh(entry.codec, bytes, head.body, end);
    const isFull = this.#inputBytes > 0 && this.#inputBytes + inputBytes > maxInputBytes;
    if (this.#handlers >= maxConversations || isFull || !link.inputs.fits(decodedBytes)) {
      this.#refuse(id, head, peerError("OVERLOADED", "too much waits for its handlers"));
      return;
    }
    const { epoch } = link;
    const input = readBody(link, entry, entry.input, bytes, head.body, end);
    if (epoch !== link.epoch) return; // the program's schema has ended the session
    const { issue } = link;
    if (issue !== null) {
      const error = invalid(
        "INPUT_INVALID",
        `The input of "${plain(entry.name, 60)}" is invalid`,
        issue.cause === undefined ? "remote" : "local",
        issue,
      );
      this.#refuse(id, head, error);
      if (issue.cause !== undefined) this.#dropped(error);
      return;
    }
    const call = new Incoming(entry, id, link, this, input, inputBytes, decodedBytes, head);
    const hasEnded = entry.send !== null && !head.items;
    if (begun !== undefined && begun.credit > 0) call.credited(begun.credit);
    this.#incoming.set(id, call);
    this.#handlers++;
    this.#inputBytes += inputBytes;
    link.inputs.hold(decodedBytes);
    if (call.dueMs < this.#dueMs) this.#dueMs = call.dueMs;
    try {
      link.sink.call(call);
    } catch (error) {
      link.caught(error);
    }
    if (hasEnded) call.ended();
    if (begun?.isStopped === true) call.stopped();
  }

  /** The peer asks for the contract: no program is asked. */
  #tellContract(id: number, head: Head, offered: OfferedContract): void {
    if (this.#handlers >= this.#link.limits.maxConversations) {
      this.#refuse(id, head, peerError("OVERLOADED", "too much waits for its handlers"));
      return;
    }
    const call = new Incoming(offered.entry, id, this.#link, this, undefined, 0, 0, head);
    this.#incoming.set(id, call);
    this.#handlers++;
    const error = call.reply(offered.text);
    if (error !== null) this.#dropped(error);
  }

  /** RESULT, FAIL, ITEM, END, CANCEL, STOP or CREDIT has come whole. */
  frame(kind: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (kind === ITEM) {
      this.#itemOf(id, this.#link.joined === null)?.item(bytes, start, end);
    } else if (kind === CREDIT) {
      this.#credited(id, readU32(bytes, start));
    } else if (kind === CANCEL) {
      this.#cancelled(id, bytes, start, end);
    } else if (kind === STOP) {
      this.#stopped(id);
    } else if (kind === END && !this.#isOurs(id)) {
      const call = this.#incoming.at(id);
      if (call?.listening === true) call.ended();
      else this.#notOpen(kind, id);
    } else {
      this.#answer(kind, this.#answered(kind, id), bytes, start, end);
    }
  }

  /** CREDIT of a conversation; of one that is not open it is ignored: it crossed its end. */
  #credited(id: number, credit: number): void {
    const link = this.#link;
    const call = this.#find(id);
    const begun = call === null ? this.#begun.get(id) : undefined;
    if (call?.entry.type === "request" || begun?.kind === REQUEST)
      link.violate("PROTOCOL_VIOLATION", "gave credit for a request");
    else if (call !== null) call.credited(credit);
    else if (
      begun !== undefined &&
      link.peer.limits.windowBytes + begun.credit + credit > MAX_CREDIT
    )
      link.violate("FLOW_VIOLATION", `gave more credit than ${String(MAX_CREDIT)} bytes`);
    else if (begun !== undefined) begun.credit += credit;
  }

  #cancelled(id: number, bytes: Uint8Array, start: number, end: number): void {
    const code = readCancellation(bytes, start, end);
    if (this.#isOurs(id))
      this.#link.violate("PROTOCOL_VIOLATION", "cancelled a conversation that it did not open");
    else if (code === null)
      this.#link.violate("PROTOCOL_VIOLATION", "sent a CANCEL that is not {code, message}");
    else if (this.#begun.delete(id))
      this.#fail(id, peerError("CALL_CANCELLED", "cancelled before it had come whole"));
    else this.#incoming.at(id)?.cancelled(code);
  }

  /** The peer takes no more items; of what is not open it is ignored: it crossed its end. */
  #stopped(id: number): void {
    const call = this.#find(id);
    const begun = call === null ? this.#begun.get(id) : undefined;
    if (call?.entry.type === "request" || begun?.kind === REQUEST)
      this.#link.violate("PROTOCOL_VIOLATION", "refused the items of a request");
    else if (call !== null) call.stopped();
    else if (begun !== undefined) begun.isStopped = true;
  }

  #answer(
    kind: number,
    call: Outgoing | null,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (call === null) return;
    if (kind === RESULT) call.result(bytes, start, end);
    else if (kind === FAIL) call.failed(bytes, start, end);
    else call.ended();
  }

  /** Time has passed: what is past its deadline is told so. */
  tick(nowMs: number): void {
    if (nowMs < this.#dueMs) return;
    const late: (Incoming | Outgoing)[] = [];
    let next = Infinity;
    const see = (call: Incoming | Outgoing): void => {
      if (call.dueMs <= nowMs) late.push(call);
      else if (call.dueMs < next) next = call.dueMs;
    };
    this.#outgoing.forEach(see);
    this.#incoming.forEach(see);
    for (const call of this.#waiting.toArray()) if (call.waits) see(call);
    this.#dueMs = next;
    for (const call of late) call.expire();
  }

  /**
   * The connection is gone, or the session over: settle everything. `reason` is for callers,
   * `cancellation` for handlers.
   */
  lose(reason: LossReason, cancellation: HawserError): void {
    const outgoing = [...this.#outgoing.clear(), ...this.#waiting.cut(0)];
    this.#waitingCalls = 0;
    this.#openBytes = 0;
    const incoming = this.#incoming.clear();
    this.#begun.clear();
    this.#free.length = 0;
    this.#highest = this.#link.side === "client" ? -1 : 0;
    this.#dueMs = Infinity;
    for (const call of incoming) call.lose(cancellation);
    for (const call of outgoing) call.lose(reason);
  }

  #isOurs(id: number): boolean {
    return (id & 1) === (this.#link.side === "client" ? 1 : 0);
  }

  #find(id: number): Conversation | null {
    return this.#isOurs(id) ? this.#outgoing.at(id) : this.#incoming.at(id);
  }

  #mayOpen(kind: number, id: number): boolean {
    const link = this.#link;
    const wrong = this.#isOurs(id)
      ? `opened with the id ${String(id)}, which is this side's to choose`
      : this.#incoming.at(id) !== null
        ? `opened with the id ${String(id)}, which is in use`
        : this.#incoming.size + this.#begun.size >= link.limits.maxConversations
          ? `opened more than ${String(link.limits.maxConversations)} conversations ` +
            "(maxConversations)"
          : null;
    if (wrong !== null) link.violate("PROTOCOL_VIOLATION", `${wrong} (${kindName(kind)})`);
    return wrong === null;
  }

  /**
   * The conversation for which an ITEM may come now, or `begins` now; null: the session is ended
   * for it.
   */
  #itemOf(id: number, begins: boolean): Incoming | Outgoing | null {
    const ours = this.#isOurs(id);
    const call = ours ? this.#outgoing.at(id) : this.#incoming.at(id);
    const isOpen = call instanceof Outgoing ? call.answerable : call?.listening;
    if (call === null || isOpen !== true || call.entry.type !== "stream") {
      this.#notOpen(ITEM, id);
      return null;
    }
    return !begins || call.mayBegin() ? call : null;
  }

  /** Our conversation for which such an answer may come now; null: the session is ended for it. */
  #answered(kind: number, id: number): Outgoing | null {
    const call = this.#isOurs(id) ? this.#outgoing.at(id) : null;
    const fits = kind === FAIL || (call?.entry.type === "request") === (kind === RESULT);
    if (call !== null && fits && call.answerable) return call;
    this.#notOpen(kind, id);
    return null;
  }

  #notOpen(kind: number, id: number): void {
    this.#link.violate(
      "PROTOCOL_VIOLATION",
      `sent ${kindName(kind)} for ${String(id)}, which is not open for it`,
    );
  }

  /**
   * Answer what no handler sees. An opener that would go on with items is told before they end: its
   * id is free when they do.
   */
  #refuse(id: number, head: Head, error: HawserError): void {
    const link = this.#link;
    if (head.items) {
      const call = new Incoming(UNKNOWN, id, link, this, undefined, 0, 0, head);
      this.#incoming.set(id, call);
      this.#handlers++;
      call.fail(error);
      return;
    }
    this.#fail(id, error);
  }

  #fail(id: number, error: HawserError): void {
    writeFrame(this.#link.output, FAIL, id, utf8Encode(formatFailure(error)));
    this.#link.wrote();
  }

  #dropped(error: HawserError): void {
    try {
      this.#link.sink.dropped(error);
    } catch (thrown) {
      this.#link.caught(thrown);
    }
  }
}
