/**
 * The requests of this side on one connection.
 * Owns their ids and deadlines, and that each settles once. Must not know what the peer asks for.
 *
 * @module
 */
import { issueIn } from "../contract/check.ts";
import { HawserError } from "../errors.ts";
import type { MessageEntry } from "../contract/message.ts";
import { invalid } from "../session/frames/failure.ts";
import { plain } from "../session/quote.ts";
import { Fifo } from "../session/fifo.ts";
import type { CallSink, OutboundCall } from "../session/types.ts";
import { peerError } from "../stack.ts";
import { readFailure } from "./codes.ts";
import type { Context } from "./context.ts";
import { checkSize, type Outbox, type Waiting } from "./outbox.ts";
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
  /**
   * Those above `maxConversations`, in order; among them some that were given up. And how many do
   * wait.
   */
  readonly #queue = new Fifo<Outbound>();
  #queued = 0;
  /** Bytes of the requests that are open, about. */
  #openBytes = 0;
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

  /** Number of calls that are open, or wait to be. */
  get size(): number {
    return this.#calls.size + this.#queued;
  }

  /** When `tick` has something to do, at the earliest. */
  get dueMs(): number {
    return this.size === 0 ? Infinity : this.#dueMs;
  }

  /**
   * Send a request, or let it wait for its turn: JSON-RPC's peers can't say how many they take at
   * once, so it is as many, and as much, as this side does. `method` and `params` are JSON texts.
   *
   * @throws {HawserError} PAYLOAD_TOO_LARGE, PAYLOAD_FORBIDDEN, WRITE_BUFFER_FULL, OVERLOADED
   */
  open(
    entry: MessageEntry,
    method: string,
    params: string,
    nowMs: number,
    timeoutMs: number,
    sink: CallSink,
  ): OutboundCall {
    const call = new Outbound(entry, nowMs, timeoutMs, sink, this);
    call.bytes = method.length + params.length;
    if (this.#queued > 0 || !this.#hasRoom(call)) this.#wait(call, method, params);
    else this.#send(call, method, params);
    this.#dueMs = Math.min(this.#dueMs, call.deadlineMs);
    return call;
  }

  #hasRoom({ bytes }: Outbound): boolean {
    const { maxConversations, maxInputBytes } = this.#context.limits;
    return (
      this.#calls.size < maxConversations &&
      (this.#openBytes === 0 || this.#openBytes + bytes <= maxInputBytes)
    );
  }

  #send(call: Outbound, method: string, params: string): void {
    const id = this.#lastId + 1;
    call.waiting = this.#outbox.put(requestText(id, method, params));
    call.id = this.#lastId = id;
    this.#calls.set(id, call);
    this.#openBytes += call.bytes;
  }

  #delete(call: Outbound): void {
    this.#calls.delete(call.id);
    this.#openBytes -= call.bytes;
  }

  #wait(call: Outbound, method: string, params: string): void {
    const { maxMessageBytes, maxQueuedBytes, maxQueuedCalls } = this.#context.limits;
    const { bytes } = call;
    checkSize(bytes, maxMessageBytes);
    this.#outbox.checkRoom(bytes, maxQueuedBytes);
    if (this.#queued >= maxQueuedCalls) {
      throw new HawserError(
        "OVERLOADED",
        `Cannot open "${plain(call.entry.name, 60)}": maxQueuedCalls ${String(maxQueuedCalls)} ` +
          "wait for answers to others; await answers before the next",
        { origin: "local" },
      );
    }
    call.unsent = { method, params };
    this.#outbox.queuedCallBytes += bytes;
    this.#queue.push(call);
    this.#queued++;
  }

  /** Take a call out of those that wait. */
  #unqueue(call: Outbound): void {
    call.unsent = null;
    this.#queued--;
    this.#outbox.queuedCallBytes -= call.bytes;
    if (this.#queue.length <= 2 * this.#queued + SLACK) return;
    for (const each of this.#queue.cut(0)) if (each.unsent !== null) this.#queue.push(each);
  }

  /** A call has settled: send what waits, as far as there is room. */
  #settled(): void {
    for (let call = this.#queue.first; call !== undefined; call = this.#queue.first) {
      const { unsent } = call;
      if (unsent !== null && !this.#hasRoom(call)) break;
      this.#queue.shift();
      if (unsent === null) continue; // it was given up
      this.#unqueue(call);
      try {
        this.#send(call, unsent.method, unsent.params);
      } catch (error) {
        this.#context.turn.run(() => {
          call.sink.fail(error as HawserError); // the outbox throws nothing else
        });
      }
    }
    this.#context.settled();
  }

  /** True if a request had this id: an answer to it may come. */
  hasUsed(id: unknown): boolean {
    return typeof id === "number" && Number.isInteger(id) && id > 0 && id <= this.#lastId;
  }

  /** A response has come; false: to no request. */
  response(message: Response): boolean {
    const { id } = message;
    const call = typeof id === "number" ? this.#calls.get(id) : undefined;
    if (call === undefined) return typeof id === "number" && this.#givenUp.delete(id);
    this.#delete(call);
    const answer = this.#read(call.entry, message);
    this.#context.turn.run(() => {
      if (answer instanceof HawserError) call.sink.fail(answer);
      else call.sink.result(answer.value);
    });
    this.#settled();
    return true;
  }

  /** Give a call up: nothing of it is heard any more. */
  giveUp(call: Outbound, reason: HawserError): void {
    if (call.unsent !== null) {
      this.#unqueue(call);
      this.#context.turn.run(() => {
        call.sink.fail(reason);
      });
      this.#context.settled();
      return;
    }
    if (this.#calls.get(call.id) !== call) return;
    this.#delete(call);
    if (call.waiting === null || !this.#outbox.takeBack(call.waiting)) {
      const [oldest] = this.#givenUp;
      if (oldest !== undefined && this.#givenUp.size >= this.#context.limits.maxConversations)
        this.#givenUp.delete(oldest);
      this.#givenUp.add(call.id);
      this.#responder.answer(cancelText(this.#context.dialect.cancel, call.id), null);
    }
    this.#context.turn.run(() => {
      call.sink.fail(reason);
    });
    this.#settled();
  }

  /** Give up the calls whose deadline has passed. */
  tick(nowMs: number): void {
    if (nowMs < this.#dueMs) return;
    this.#dueMs = Infinity;
    const due: Outbound[] = [];
    for (const call of [...this.#calls.values(), ...this.#waiting()]) {
      if (call.deadlineMs <= nowMs) due.push(call);
      else this.#dueMs = Math.min(this.#dueMs, call.deadlineMs);
    }
    for (const call of due)
      this.giveUp(
        call,
        new HawserError(
          "DEADLINE_EXCEEDED",
          `"${plain(call.entry.name, 60)}" was not answered within timeoutMs ` +
            String(call.timeoutMs),
          { origin: "local" },
        ),
      );
  }

  /** The connection is gone. */
  lose(reason: HawserError): void {
    const calls = [...this.#calls.values(), ...this.#waiting()];
    this.#calls.clear();
    this.#openBytes = 0;
    this.#queue.clear();
    this.#queued = 0;
    for (const call of calls) call.unsent = null; // what is cancelled from now on is over
    for (const { entry, isSent, sink } of calls) {
      const error = isSent
        ? reason
        : new HawserError(
            "NOT_SENT",
            `The connection was lost while "${plain(entry.name, 60)}" was open, before it had ` +
              "been sent",
          );
      this.#context.turn.run(() => {
        sink.fail(error);
      });
    }
  }

  #waiting(): Outbound[] {
    return this.#queue.toArray().filter(({ unsent }) => unsent !== null);
  }

  #read(
    entry: MessageEntry,
    { error, jsonrpc, result }: Response,
  ): HawserError | { readonly value: unknown } {
    // Peers that send both members say null in one of them. JavaScript's servers send neither where
    // the result is undefined.
    const isError = error !== undefined && error !== null;
    if (
      jsonrpc !== "2.0" ||
      (error === null && result === undefined) ||
      (isError && result !== undefined && result !== null)
    ) {
      return peerError(
        "MESSAGE_INVALID",
        `The answer to "${plain(entry.name, 60)}" is no response of JSON-RPC 2.0`,
        { scope: "conversation" },
      );
    }
    if (isError) return readFailure(this.#context.dialect.codes, entry, error);
    const value = readNullable(entry.output, result);
    const issue = issueIn(entry.output, value);
    return issue === null
      ? { value }
      : invalid(
          "OUTPUT_INVALID",
          `The answer to "${plain(entry.name, 60)}" is invalid`,
          issue.cause === undefined ? "remote" : "local",
          issue,
        );
  }
}

/** Calls that were given up, before they are taken out of those that wait. */
const SLACK = 1_024;

/** A request that waits for its turn, as JSON texts. */
interface Unsent {
  readonly method: string;
  readonly params: string;
}

/** The opener's end of a request. */
class Outbound implements OutboundCall {
  readonly entry: MessageEntry;
  /** 0 while it waits for its turn. */
  id = 0;
  /** Of its texts, about: what the peer counts of its input. */
  bytes = 0;
  /** What it waits with; null when its turn has come. */
  unsent: Unsent | null = null;
  /** The request's frame, if it could not go at once. */
  waiting: Waiting | null = null;
  /** As the caller gave it, for the error. */
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly sink: CallSink;
  readonly #caller: Caller;

  constructor(
    entry: MessageEntry,
    nowMs: number,
    timeoutMs: number,
    sink: CallSink,
    caller: Caller,
  ) {
    this.entry = entry;
    this.timeoutMs = timeoutMs;
    this.deadlineMs = nowMs + timeoutMs;
    this.sink = sink;
    this.#caller = caller;
  }

  /** True if the peer may have the whole request. */
  get isSent(): boolean {
    return this.id > 0 && (this.waiting === null || this.waiting.at === this.waiting.bytes.length);
  }

  cancel(reason?: HawserError): void {
    this.#caller.giveUp(
      this,
      reason ?? new HawserError("CALL_CANCELLED", `"${plain(this.entry.name, 60)}" was cancelled`),
    );
  }

  send(): boolean {
    throw new TypeError(
      `Cannot send an item with "${plain(this.entry.name, 60)}": its opener sends none`,
    );
  }

  end(): void {
    // A request's opener sends nothing after the input.
  }

  consume(): void {
    // A request's responder sends no items.
  }

  pull(): boolean {
    return false; // as above
  }

  drop(): void {
    // As above.
  }

  refuse(): void {
    // As above.
  }
}
