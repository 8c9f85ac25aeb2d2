/**
 * A conversation that this side opened: PROTOCOL.md §4 as its opener sees it. Owns the states of
 * the two parts and what the caller is told, exactly once. Must not know ids (calls.ts) or how
 * frames arrive.
 *
 * @module
 */
import type { Body } from "../../codec/body.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import type { Issue } from "../../contract/check.ts";
import type { MessageEntry } from "../../contract/contract.ts";
import { HawserError } from "../../errors.ts";
import { Conversation, type LossReason, readBody, type Registry } from "./conversation.ts";
import { formatCancellation, invalid, readFailure } from "../frames/failure.ts";
import {
  CANCEL,
  END,
  openFrame,
  REQUEST,
  STREAM,
  writeEmpty,
  writeText,
} from "../frames/frames.ts";
import { writeDeadline, writeHead } from "../frames/head.ts";
import type { Link } from "../link.ts";
import type { Waiting } from "../outbox.ts";
import { plain } from "../quote.ts";
import type { CallOptions, CallSink, OutboundCall, Pulled } from "../types.ts";

const EMPTY = new Uint8Array(0);
const MAX_U32 = 0xffff_ffff;

/** A time as a head says it: whole milliseconds from 1 on. */
function wireTime(ms: number): number {
  return Math.min(Math.max(1, Math.ceil(ms)), MAX_U32);
}

/** The opener's end. */
export class Outgoing extends Conversation implements OutboundCall {
  /** Bytes of the input. */
  inputBytes = 0;
  /** Null once it was told how the call ended. */
  #sink: CallSink | null;
  /** Where items go that the program asks for, also after the end. */
  readonly #items: CallSink;
  /**
   * The opener's part: `"opening"` until REQUEST or STREAM is out whole, `"open"` while items may
   * follow, `"ending"` until END is out; `"sealed"` is opening with END to follow.
   */
  #local: "ending" | "open" | "opening" | "over" | "sealed" = "opening";
  #remote: "open" | "over" = "open";
  /** True if the program has said end(): also when the call is over meanwhile. */
  #saidEnd = false;
  /** As the caller gave it, for the error. */
  #timeoutMs = Infinity;

  constructor(entry: MessageEntry, id: number, link: Link, registry: Registry, sink: CallSink) {
    super(entry, id, link, registry);
    this.#sink = sink;
    this.#items = sink;
  }

  /**
   * Send REQUEST or STREAM, with the body of the input.
   *
   * @throws {HawserError} nothing was sent
   */
  begin(body: Body, options: CallOptions): void {
    const { entry, link } = this;
    const { output } = link;
    const wireMs = this.#setDeadline(options);
    const start = openFrame(output, this.#opener, this.id);
    writeHead(output, entry.index, wireMs, options.trace ?? null, 0, entry.send !== null);
    this.inputBytes = link.write(start, entry, body);
    if (link.seal(start)) this.#begun();
    else link.queue(start, this.#opener, this.ensureLane(), 0);
  }

  /**
   * Wait with REQUEST or STREAM, and what is sent behind it, until `start`.
   *
   * @throws {HawserError} it can't be sent, or too much waits
   */
  wait(body: Body, options: CallOptions): void {
    const { entry, link } = this;
    const output = new ByteWriter();
    writeHead(
      output,
      entry.index,
      this.#setDeadline(options),
      options.trace ?? null,
      0,
      entry.send !== null,
    );
    this.inputBytes = link.body(0, entry, body, output);
    link.checkRoom(output.length);
    const lane = this.ensureLane();
    lane.held = true;
    link.outbox.push(lane, {
      kind: this.#opener,
      payload: output.copy(),
      cost: 0,
      counted: output.length,
      tag: null,
    });
  }

  /** True if it waits for `start`. */
  get waits(): boolean {
    return this.#sink !== null && this.lane?.held === true;
  }

  /** Send what waits, under this id, with the time that is left. */
  start(id: number): void {
    const { lane, link } = this;
    const first = lane?.queue.first;
    if (lane === null || first === undefined) return; // it waits, so there is one
    this.id = lane.id = id;
    if (this.dueMs < Infinity) writeDeadline(first.payload, wireTime(this.dueMs - link.nowMs));
    link.outbox.release(lane);
    link.pump();
  }

  get #opener(): number {
    return this.entry.type === "request" ? REQUEST : STREAM;
  }

  /** Returns what the head says: 0 where there is no deadline. */
  #setDeadline({ timeoutMs, nowMs }: CallOptions): number {
    if (timeoutMs === undefined || timeoutMs === Infinity) return 0;
    this.#timeoutMs = timeoutMs;
    this.dueMs = (nowMs ?? this.link.nowMs) + timeoutMs;
    return wireTime(timeoutMs);
  }

  written(message: Waiting): void {
    if (message.kind === END) this.#local = "over";
    else if (this.#local === "sealed") this.#local = "ending";
    else if (this.#local === "opening") this.#begun();
    this.checkWritable();
    this.#free();
  }

  cancel(reason?: HawserError): void {
    const sink = this.#take();
    if (sink === null) return;
    this.#abandon(reason);
    this.#tell(
      sink,
      reason ?? new HawserError("CALL_CANCELLED", `"${plain(this.entry.name, 60)}" was cancelled`),
    );
  }

  /** The deadline has passed. */
  expire(): void {
    this.cancel(
      new HawserError(
        "DEADLINE_EXCEEDED",
        `"${plain(this.entry.name, 60)}" was not answered within timeoutMs ` +
          String(this.#timeoutMs),
      ),
    );
  }

  send(item: unknown): boolean {
    const { send } = this.entry;
    if (send === null)
      throw new TypeError(
        `Cannot send an item with "${plain(this.entry.name, 60)}": its opener sends none`,
      );
    if (!this.#maySend()) return true;
    const body = this.encodeItem(send, item);
    // the program's code may have ended it meanwhile
    return this.#maySend() ? this.sendItem(body) : true;
  }

  /** False where an item is dropped: the call is over. */
  #maySend(): boolean {
    if (this.#saidEnd)
      throw new TypeError(`Cannot send an item with "${plain(this.entry.name, 60)}" after end()`);
    return this.#sink !== null && this.#local !== "over" && !this.isRefused && this.connected;
  }

  refuse(): void {
    if (this.refuses || this.entry.type !== "stream" || this.#sink === null || !this.connected)
      return;
    if (this.hasBegun) this.refuseItems();
    else this.refuses = true; // the peer is told when it knows of the stream
  }

  stopped(): void {
    if (!this.hasBegun || this.#local === "over" || this.isRefused) return;
    this.isRefused = true;
    const { lane, link } = this;
    if (lane !== null) link.outbox.purge(lane); // what has begun is finished
    if (this.#local === "sealed") this.#local = "opening";
    else if (this.#local === "ending") this.#local = "open";
    this.#endItems();
    this.tellRefused(this.#sink);
  }

  end(): void {
    this.#saidEnd = true;
    if (this.#sink === null || !this.connected || this.entry.send === null || this.isRefused)
      return;
    if (this.#local === "open" || this.#local === "opening") this.#endItems();
  }

  #endItems(): void {
    const { lane, link } = this;
    if (lane === null || lane.queue.length === 0) {
      this.#local = "over";
      writeEmpty(link.output, END, this.id);
      link.wrote();
    } else {
      this.#local = this.#local === "opening" ? "sealed" : "ending";
      link.outbox.push(lane, { kind: END, payload: EMPTY, cost: 0, counted: 0, tag: null });
    }
  }

  /** True if the responder may send anything now. */
  get answerable(): boolean {
    return this.#remote === "open" && this.hasBegun;
  }

  /** RESULT has come. */
  result(bytes: Uint8Array, start: number, end: number): void {
    const sink = this.#close();
    if (sink === null) return;
    const { entry } = this;
    const value = readBody(this.link, entry, entry.output, bytes, start, end);
    const { issue } = this.link;
    if (issue !== null) {
      this.#tell(
        sink,
        invalid(
          "OUTPUT_INVALID",
          `The peer's answer to "${plain(entry.name, 60)}" is invalid`,
          "remote",
          issue,
        ),
      );
      return;
    }
    try {
      sink.result(value);
    } catch (error) {
      this.link.caught(error);
    }
  }

  /** FAIL has come. */
  failed(bytes: Uint8Array, start: number, end: number): void {
    const error = readFailure(this.entry, bytes, start, end);
    if (error === null) {
      this.link.violate("PROTOCOL_VIOLATION", "sent a FAIL that is not {code, message}");
      return;
    }
    const sink = this.#close();
    if (sink !== null) this.#tell(sink, error);
  }

  /** An ITEM has come, and had credit. */
  item(bytes: Uint8Array, start: number, end: number): void {
    const cost = this.count(end - start);
    const sink = this.#sink;
    if (sink === null || this.refuses) {
      this.discard(cost);
      return;
    }
    const { entry } = this;
    if (!entry.hasItems) {
      this.consume(cost); // dropped, and so taken: this side's contract has no place for it
      return;
    }
    const issue = this.take(entry.item, sink, bytes, start, end, cost);
    if (issue !== null) this.cancel(this.#itemInvalid(issue));
  }

  pull(): HawserError | Pulled {
    const { entry } = this;
    const given = this.giveNext(entry.item, this.#items);
    if (typeof given !== "object") return given;
    const error = this.#itemInvalid(given);
    this.drop();
    this.cancel(error);
    return error;
  }

  protected feedNext(): void {
    const isOver = this.#sink === null;
    const pulled = this.pull();
    // the program waits behind the end
    if (isOver && typeof pulled === "object") this.#tell(this.#items, pulled);
  }

  #itemInvalid(issue: Issue): HawserError {
    return invalid(
      "ITEM_INVALID",
      `The peer's item of "${plain(this.entry.name, 60)}" is invalid`,
      "remote",
      issue,
    );
  }

  /** END has come. */
  ended(): void {
    const sink = this.#close();
    if (sink === null) return;
    try {
      sink.end();
    } catch (error) {
      this.link.caught(error);
    }
  }

  /**
   * The session has no connection any more, or is over; `reason` makes the error, by whether the
   * call was sent.
   */
  lose(reason: LossReason): void {
    const sink = this.#take();
    const sent = this.#isOut;
    this.#local = "over";
    this.#remote = "over";
    this.letGo();
    if (sink !== null) this.#tell(sink, reason(this.entry, sent));
  }

  protected get receives(): boolean {
    return this.#remote === "open" && this.#sink !== null && !this.refuses;
  }

  protected tellWritable(): void {
    if (!this.isRefused) this.#sink?.writable();
  }

  /** True if REQUEST or STREAM is out whole. */
  get #isOut(): boolean {
    return this.#local !== "opening" && this.#local !== "sealed";
  }

  /** True if its first piece is: the conversation is open. */
  get hasBegun(): boolean {
    return this.#isOut || (this.lane !== null && this.lane.out > 0);
  }

  #begun(): void {
    this.#local = this.entry.send === null ? "over" : "open";
    if (this.refuses) this.refuseItems();
  }

  /** The responder's part is over, and with it the opener's. */
  #close(): CallSink | null {
    this.#remote = "over";
    if (this.#local === "over") this.#free();
    else this.#abandon();
    return this.#take();
  }

  /** Send nothing more but CANCEL; what has not begun is forgotten. */
  #abandon(reason?: HawserError): void {
    const { lane, link } = this;
    const hasBegun = this.hasBegun;
    if (lane !== null) link.outbox.drop(lane);
    this.#local = "over";
    if (hasBegun) {
      writeText(
        link.output,
        CANCEL,
        this.id,
        reason === undefined ? "" : formatCancellation(reason),
      );
      link.wrote();
    } else {
      this.#remote = "over"; // the peer never saw it open
    }
    this.#free();
  }

  #free(): void {
    if (this.#local !== "over" || this.#remote !== "over") return;
    this.letGo();
    this.registry.release(this);
  }

  #take(): CallSink | null {
    const sink = this.#sink;
    this.#sink = null;
    return sink;
  }

  #tell(sink: CallSink, error: HawserError): void {
    try {
      sink.fail(error);
    } catch (thrown) {
      this.link.caught(thrown);
    }
  }
}
