/**
 * The requests of this side on one connection.
 * Owns their ids and deadlines, and that each settles once. Must not know what the peer asks for.
 *
 * @module
 */
import { Issue } from "../check.ts";
import { HawserError } from "../errors.ts";
import type { MessageEntry } from "../message.ts";
import { invalid } from "../session/failure.ts";
import { plain } from "../session/quote.ts";
import { peerError } from "../stack.ts";
import type { CallSink, OutboundCall } from "../session/types.ts";
import { readFailure } from "./codes.ts";
import type { Context } from "./context.ts";
import type { Outbox, Waiting } from "./outbox.ts";
import { readNullable } from "./params.ts";
import type { Responder } from "./responder.ts";
import { cancelText, requestText } from "./text.ts";

/** The members of a response as they may be. */
export interface Response {
  readonly jsonrpc?: unknown;
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

export class Caller {
  readonly #context: Context;
  readonly #outbox: Outbox;
  /** Sends what must be sent. */
  readonly #responder: Responder;
  readonly #calls = new Map<number, Outbound>();
  /** Ids of requests that were given up: their answers may still come. The oldest are forgotten. */
  readonly #givenUp = new Set<number>();
  #lastId = 0;
  /** No call's deadline is earlier. */
  #dueMs = Infinity;

  constructor(context: Context, outbox: Outbox, responder: Responder) {
    this.#context = context;
    this.#outbox = outbox;
    this.#responder = responder;
  }

  /** How many calls are open. */
  get size(): number {
    return this.#calls.size;
  }

  /** When `tick` has something to do, at the earliest. */
  get dueMs(): number {
    return this.#calls.size === 0 ? Infinity : this.#dueMs;
  }

  /**
   * Send a request; `method` and `params` are JSON texts.
   *
   * @throws {HawserError} PAYLOAD_TOO_LARGE, PAYLOAD_FORBIDDEN, WRITE_BUFFER_FULL
   */
  open(entry: MessageEntry, method: string, params: string, deadlineMs: number, sink: CallSink): OutboundCall {
    const id = this.#lastId + 1;
    const waiting = this.#outbox.put(requestText(id, method, params));
    const call = new Outbound(entry, id, waiting, deadlineMs, sink, this);
    this.#lastId = id;
    this.#calls.set(id, call);
    this.#dueMs = Math.min(this.#dueMs, deadlineMs);
    return call;
  }

  /** A response has come; false: to no request. */
  response(message: Response): boolean {
    const { id } = message;
    const call = typeof id === "number" ? this.#calls.get(id) : undefined;
    if (call === undefined) return typeof id === "number" && this.#givenUp.delete(id);
    this.#calls.delete(call.id);
    const answer = this.#read(call.entry, message);
    this.#context.turn.run(() => {
      if (answer instanceof HawserError) call.sink.fail(answer);
      else call.sink.result(answer.value);
    });
    this.#context.settled();
    return true;
  }

  /** Give a call up: nothing of it is heard any more. */
  giveUp(call: Outbound, reason: HawserError): void {
    if (this.#calls.get(call.id) !== call) return;
    this.#calls.delete(call.id);
    if (call.waiting === null || !this.#outbox.takeBack(call.waiting)) {
      const [oldest] = this.#givenUp;
      if (oldest !== undefined && this.#givenUp.size >= this.#context.limits.maxConversations) this.#givenUp.delete(oldest);
      this.#givenUp.add(call.id);
      this.#responder.answer(cancelText(call.id), null);
    }
    this.#context.turn.run(() => {
      call.sink.fail(reason);
    });
    this.#context.settled();
  }

  /** Give up the calls whose deadline has passed. */
  tick(nowMs: number): void {
    if (nowMs < this.#dueMs) return;
    this.#dueMs = Infinity;
    const due: Outbound[] = [];
    for (const call of this.#calls.values()) {
      if (call.deadlineMs <= nowMs) due.push(call);
      else this.#dueMs = Math.min(this.#dueMs, call.deadlineMs);
    }
    for (const call of due) this.giveUp(call, new HawserError("DEADLINE_EXCEEDED", `"${plain(call.entry.name, 60)}" was not answered within the time given`, { origin: "local" }));
  }

  /** The connection is gone. */
  lose(reason: HawserError): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const { entry, isSent, sink } of calls) {
      const error = isSent ? reason : new HawserError("NOT_SENT", `The connection was lost while "${plain(entry.name, 60)}" was open, before it had been sent`);
      this.#context.turn.run(() => {
        sink.fail(error);
      });
    }
  }

  #read(entry: MessageEntry, { error, jsonrpc, result }: Response): HawserError | { readonly value: unknown } {
    // Peers that send both members say null in one of them.
    const isError = error !== undefined && error !== null;
    if (jsonrpc !== "2.0" || (result === undefined && !isError) || (isError && result !== undefined && result !== null)) {
      return peerError("MESSAGE_INVALID", `The answer to "${plain(entry.name, 60)}" is no response of JSON-RPC 2.0`, { scope: "conversation" });
    }
    if (isError) return readFailure(this.#context.dialect.codes, entry, error);
    const value = readNullable(entry.output, result);
    return value instanceof Issue ? invalid("OUTPUT_INVALID", `The answer to "${plain(entry.name, 60)}" is invalid`, value.cause === undefined ? "remote" : "local", value) : { value };
  }
}

/** The opener's end of a request. */
class Outbound implements OutboundCall {
  readonly entry: MessageEntry;
  readonly id: number;
  /** The request's frame, if it could not go at once. */
  readonly waiting: Waiting | null;
  readonly deadlineMs: number;
  readonly sink: CallSink;
  readonly #caller: Caller;

  constructor(entry: MessageEntry, id: number, waiting: Waiting | null, deadlineMs: number, sink: CallSink, caller: Caller) {
    this.entry = entry;
    this.id = id;
    this.waiting = waiting;
    this.deadlineMs = deadlineMs;
    this.sink = sink;
    this.#caller = caller;
  }

  /** Whether the peer may have the whole request. */
  get isSent(): boolean {
    return this.waiting === null || this.waiting.at === this.waiting.bytes.length;
  }

  cancel(reason?: HawserError): void {
    this.#caller.giveUp(this, reason ?? new HawserError("CALL_CANCELLED", `"${plain(this.entry.name, 60)}" was cancelled`));
  }

  send(): boolean {
    throw new TypeError(`Cannot send an item with "${plain(this.entry.name, 60)}": its opener sends none`);
  }

  end(): void {
    // A request's opener sends nothing after the input.
  }

  consume(): void {
    // A request's responder sends no items.
  }
}
