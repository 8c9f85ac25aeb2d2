/**
 * A conversation that the peer opened: PROTOCOL.md §4 as its responder sees it. Owns the states of
 * the two parts, and that each is answered exactly once. Must not know ids (calls.ts) or how frames
 * arrive.
 *
 * @module
 */
import type { Body } from "../../codec/body.ts";
import type { Issue } from "../../contract/check.ts";
import type { MessageEntry } from "../../contract/contract.ts";
import { HawserError, isHawserError, type NamedFailure } from "../../errors.ts";
import { peerError } from "../../stack.ts";
import { utf8Encode } from "../../bytes/utf8-write.ts";
import { Conversation, type Registry } from "./conversation.ts";
import { cancellationOf, formatFailure, formatNamed, invalid } from "../frames/failure.ts";
import { END, FAIL, openFrame, RESULT, writeEmpty, writeFrame } from "../frames/frames.ts";
import type { Head } from "../frames/head.ts";
import type { Link } from "../link.ts";
import type { Waiting } from "../outbox.ts";
import { plain } from "../quote.ts";
import type { InboundCall, InboundSink, Pulled } from "../types.ts";

const EMPTY = new Uint8Array(0);

/** The responder's end. */
export class Incoming extends Conversation implements InboundCall {
  readonly input: unknown;
  readonly trace: string | null;
  readonly deadlineMs: number;
  /** Bytes of the input. */
  readonly inputBytes: number;
  /** What the input takes in memory, by an estimate. */
  readonly decodedBytes: number;
  sink: InboundSink | null = null;
  #cancellation: HawserError | null = null;
  /** True if the opener cancelled it: then it is answered so, whatever the reason. */
  #isGivenUp = false;
  /**
   * The responder's part: `"finishing"` until its last frame is out; `"lost"` while its program
   * goes on without a connection.
   */
  #local: "finishing" | "lost" | "open" | "over" = "open";
  /** The opener's part. */
  #remote: "open" | "over";

  constructor(
    entry: MessageEntry,
    id: number,
    link: Link,
    registry: Registry,
    input: unknown,
    inputBytes: number,
    decodedBytes: number,
    head: Head,
  ) {
    super(entry, id, link, registry);
    this.input = input;
    this.inputBytes = inputBytes;
    this.decodedBytes = decodedBytes;
    this.trace = head.trace;
    this.deadlineMs = head.deadlineMs === 0 ? Infinity : link.nowMs + head.deadlineMs;
    this.dueMs = this.deadlineMs;
    this.#remote = head.items ? "open" : "over";
  }

  get cancellation(): HawserError | null {
    return this.#cancellation;
  }

  reply(value: unknown): HawserError | null {
    const { entry, link } = this;
    if (entry.type !== "request")
      throw new TypeError(
        `Cannot reply to "${plain(entry.name, 60)}": it is a stream; use send() and end()`,
      );
    if (!this.#answering()) return null;
    const issue = entry.output.outbound(value);
    if (issue !== null)
      return this.#refuse(
        invalid(
          "OUTPUT_INVALID",
          `Cannot answer "${plain(entry.name, 60)}" with this`,
          "local",
          issue,
        ),
      );
    let body: Body;
    try {
      body = link.encode(entry, value);
    } catch (error) {
      return this.#refuse(error as HawserError); // encode() throws nothing else
    }
    // the program's code has answered it meanwhile, or ended the session
    if (!this.#answering()) return null;
    const { output } = link;
    const start = openFrame(output, RESULT, this.id);
    try {
      link.checkRoom();
      link.write(start, entry, body);
      if (link.seal(start)) {
        this.#over();
      } else {
        this.#local = "finishing";
        link.queue(start, RESULT, this.ensureLane(), 0);
      }
    } catch (error) {
      output.truncate(start);
      this.#local = "open";
      return this.#refuse(error as HawserError); // write() and queue() throw nothing else
    }
    return null;
  }

  fail(error: HawserError | NamedFailure): HawserError | null {
    if (!this.#answering()) return null;
    if (isHawserError(error)) {
      this.#finish(
        formatFailure(isOwn(error) ? peerError("HANDLER_FAILED", "A handler failed") : error),
      );
      return null;
    }
    const text = formatNamed(this.entry, error);
    if (typeof text !== "string") return this.#refuse(text);
    if (!this.#answering()) return null; // as in reply()
    const most = this.link.peer.limits.maxMessageBytes;
    const { length } = utf8Encode(text);
    if (length <= most) {
      this.#finish(text);
      return null;
    }
    return this.#refuse(
      new HawserError(
        "PAYLOAD_TOO_LARGE",
        `Cannot fail "${plain(this.entry.name, 60)}" with ${String(length)} bytes: the peer ` +
          `takes at most ${String(most)} (its maxMessageBytes)`,
      ),
    );
  }

  send(item: unknown): boolean {
    const { entry } = this;
    if (!entry.hasItems)
      throw new TypeError(
        `Cannot send an item with "${plain(entry.name, 60)}": its responder sends none`,
      );
    if (!this.#maySend()) return true;
    const body = this.encodeItem(entry.item, item);
    // the program's code may have ended it meanwhile
    return this.#maySend() ? this.sendItem(body) : true;
  }

  /** False where an item is dropped: the call is over. */
  #maySend(): boolean {
    return (
      this.#local === "open" && this.#cancellation === null && !this.isRefused && this.connected
    );
  }

  refuse(): void {
    if (this.receives && this.connected) this.refuseItems();
  }

  stopped(): void {
    if (this.isRefused || this.#cancellation !== null) return;
    this.isRefused = true;
    // an item that has begun is finished
    const waiting = this.lane === null ? [] : this.link.outbox.purge(this.lane);
    const last = waiting.at(-1);
    if (this.#local === "open") this.tellRefused(this.sink);
    else if (this.#local === "finishing" && last !== undefined) this.#last(last.kind, last.payload);
  }

  end(): void {
    if (this.entry.type !== "stream")
      throw new TypeError(
        `Cannot end "${plain(this.entry.name, 60)}": it is a request; use reply()`,
      );
    if (this.#answering()) this.#last(END, EMPTY);
  }

  written(message: Waiting): void {
    if (message.kind === RESULT || message.kind === FAIL || message.kind === END) this.#over();
    else this.checkWritable();
  }

  /** True if the opener may send items now. */
  get listening(): boolean {
    return this.#remote === "open";
  }

  /** An ITEM has come, and had credit. */
  item(bytes: Uint8Array, start: number, end: number): void {
    const cost = this.count(end - start);
    const { sink, entry } = this;
    if (this.#local !== "open" || this.#cancellation !== null || this.refuses) {
      this.discard(cost);
      return;
    }
    if (sink === null || entry.send === null) {
      this.consume(cost); // dropped, and so taken
      return;
    }
    const issue = this.take(entry.send, sink, bytes, start, end, cost);
    if (issue !== null) this.#cancel(this.#itemInvalid(issue));
  }

  pull(): HawserError | Pulled {
    const { sink, entry } = this;
    if (sink === null || entry.send === null || this.#cancellation !== null) return false;
    const given = this.giveNext(entry.send, sink);
    if (typeof given !== "object") return given;
    const error = this.#itemInvalid(given);
    this.#cancel(error);
    return error;
  }

  protected feedNext(): void {
    this.pull(); // an invalid item cancels the call, which its sink is told
  }

  #itemInvalid(issue: Issue): HawserError {
    return invalid(
      "ITEM_INVALID",
      `The item of "${plain(this.entry.name, 60)}" is invalid`,
      "remote",
      issue,
    );
  }

  /** The opener's items have ended: END has come, or there never were to be any. */
  ended(): void {
    this.#remote = "over";
    if (this.#local === "over") {
      this.registry.release(this);
      return;
    }
    if (this.#local !== "open" || this.#cancellation !== null) return;
    try {
      this.sink?.end();
    } catch (error) {
      this.link.caught(error);
    }
  }

  /** CANCEL has come, with this code. */
  cancelled(code: string): void {
    this.#remote = "over";
    const reason = cancellationOf(this.entry, code);
    this.#isGivenUp ||= this.#cancellation === null;
    if (this.#local === "over") this.registry.release(this);
    else if (this.#local === "open") this.#cancel(reason);
    else if (this.lane !== null && this.link.outbox.purge(this.lane).length > 0)
      this.#last(FAIL, utf8Encode(this.#givenUp(reason))); // nobody waits for what had not begun
  }

  /** The deadline has passed. */
  expire(): void {
    this.dueMs = Infinity;
    if (this.#local === "open")
      this.#cancel(
        peerError("DEADLINE_EXCEEDED", `The deadline of "${plain(this.entry.name, 60)}" passed`),
      );
  }

  /** The session has no connection any more, or is over. */
  lose(error: HawserError): void {
    const local = this.#local;
    this.#remote = "over";
    this.#local = local === "open" ? "lost" : "over";
    if (local === "open") this.#cancel(error);
    else if (local === "finishing") this.#finished();
  }

  protected get receives(): boolean {
    return (
      this.#remote === "open" &&
      this.#local === "open" &&
      this.#cancellation === null &&
      !this.refuses
    );
  }

  protected tellWritable(): void {
    if (this.#local === "open" && this.#cancellation === null && !this.isRefused)
      this.sink?.writable();
  }

  /** True if an answer is to be sent; where nobody wants it any more, FAIL is. */
  #answering(): boolean {
    if (this.#local === "lost") {
      this.#local = "over";
      this.#finished();
    }
    if (this.#local !== "open" || !this.connected) return false;
    if (this.#cancellation === null) return true;
    this.#finish(this.#givenUp(this.#cancellation));
    return false;
  }

  /** The answer of a call that nobody waits for. */
  #givenUp(reason: HawserError): string {
    return formatFailure(
      this.#isGivenUp && reason.code !== "DEADLINE_EXCEEDED"
        ? cancellationOf(this.entry, "CANCELLED")
        : reason,
    );
  }

  #cancel(reason: HawserError): void {
    if (this.#cancellation !== null) return;
    this.#cancellation = reason;
    this.dueMs = Infinity;
    this.dropWaiting();
    if (this.lane !== null && this.connected) this.link.outbox.purge(this.lane);
    try {
      this.sink?.cancelled(reason);
    } catch (error) {
      this.link.caught(error);
    }
  }

  #refuse(error: HawserError): HawserError {
    // what made the error has run the program's code
    if (this.#answering()) this.#finish(formatFailure(error));
    return error;
  }

  #finish(text: string): void {
    if (this.lane !== null) this.link.outbox.purge(this.lane);
    this.#last(FAIL, utf8Encode(text));
  }

  /** Send this part's last frame, behind what waits. */
  #last(kind: number, payload: Uint8Array): void {
    const { link, id } = this;
    const isFree = this.lane === null || this.lane.queue.length === 0;
    if (isFree && payload.length <= 1024) {
      if (payload.length === 0) writeEmpty(link.output, kind, id);
      else writeFrame(link.output, kind, id, payload);
      link.wrote();
      this.#over();
      return;
    }
    this.#local = "finishing";
    link.outbox.push(this.ensureLane(), {
      kind,
      payload,
      cost: 0,
      counted: payload.length,
      tag: null,
    });
    link.pump();
  }

  /** The program has done its part: what it was given is released. */
  #finished(): void {
    this.drop();
    this.registry.finished(this);
  }

  #over(): void {
    this.#local = "over";
    this.dueMs = Infinity;
    this.#finished();
    if (this.#remote === "over") this.registry.release(this);
  }
}

/**
 * True if this side's program made the wrong value: the opener is not to blame, whatever the code
 * says.
 */
function isOwn({ code, origin }: HawserError): boolean {
  return origin === "local" && (code === "INPUT_INVALID" || code === "ITEM_INVALID");
}
