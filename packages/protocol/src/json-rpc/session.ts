/**
 * The JSON-RPC 2.0 engine: a contract's conversations as requests, responses and notifications,
 * over one connection after another. Owns the state of a session and what the driver may do in it.
 * Must not know sockets or time. What comes is link.ts; requests are responder.ts and caller.ts;
 * how values look on the wire is text.ts, params.ts and codes.ts.
 *
 *     attach, welcome   new, lost -> ready                       at once: JSON-RPC has no handshake
 *     drain             ready -> draining -> closed              when nothing is open
 *     lost              ready, draining -> lost, at a server closed
 *     close, a fault    any -> closed
 *
 * Source: JSON-RPC 2.0.
 *
 * @module
 */
import { type ReadBudget, unlimitedBudget } from "../wire/budget.ts";
import type { ByteWriter } from "../bytes/writer.ts";
import { HawserError } from "../errors.ts";
import type { MessageEntry, Side } from "../contract/message.ts";
import { invalid } from "../session/frames/failure.ts";
import { resolveSessionLimits } from "../session/limits.ts";
import { plain } from "../session/quote.ts";
import type {
  CallOptions,
  CallSink,
  CloseCode,
  EmitOptions,
  Hello,
  OutboundCall,
  PreparedCall,
  PreparedEvent,
  Session,
  SessionOptions,
  SessionSink,
  SessionState,
  Settled,
} from "../session/types.ts";
import { peerError } from "../stack.ts";
import { utf8Decode } from "../bytes/utf8.ts";
import { failureObject } from "./codes.ts";
import type { Context, Rest } from "./context.ts";
import type { Dialect } from "./dialect.ts";
import { EventQueue } from "./events.ts";
import { Link } from "./link.ts";
import type { Outbox } from "./outbox.ts";
import { writeParams } from "./params.ts";
import { errorText, notificationText } from "./text.ts";
import { Turn } from "./turn.ts";

export class JsonRpcSession implements Session {
  readonly side: Side;
  readonly id = "";
  readonly formerId = "";
  readonly origin = "";
  readonly roundTripMs = null;
  readonly peerVersion = 0;
  readonly features: readonly string[] = [];
  readonly #context: Context;
  readonly #events: EventQueue;
  #state: SessionState = "new";
  #link: Link | null = null;
  /** The last instant that the session was told. */
  #nowMs = 0;
  /** When the text that is not complete began, and how many had come then; null: there is none. */
  #partialMs: number | null = null;
  #texts = 0;
  /** True if somebody waits for `sink.writable`. */
  #isFull = false;

  constructor(dialect: Dialect, side: Side, options: SessionOptions, sink: SessionSink) {
    this.side = side;
    this.#context = {
      side,
      dialect,
      limits: resolveSessionLimits(options.limits),
      sink,
      turn: new Turn(sink),
      settled: () => {
        this.#closeWhenDrained();
      },
      broken: (error, rest) => {
        this.#end(
          error,
          new HawserError(
            "SESSION_LOST",
            "The session ended while the call was open: whether the peer has handled it is not " +
              "known",
            { cause: error },
          ),
          rest,
        );
      },
    };
    this.#events = new EventQueue(this.#context);
  }

  get state(): SessionState {
    return this.#state;
  }

  get queuedBytes(): number {
    return this.#link?.outbox.queuedBytes ?? 0;
  }

  get openCalls(): number {
    return this.#link === null ? 0 : this.#link.caller.size + this.#link.responder.size;
  }

  attach(output: ByteWriter, nowMs: number, auth?: unknown): void {
    if (this.side !== "client" || (this.#state !== "new" && this.#state !== "lost"))
      throw new TypeError(`Cannot attach the session of a ${this.side} that is ${this.#state}`);
    if (auth !== undefined)
      throw new HawserError(
        "PAYLOAD_FORBIDDEN",
        "Cannot send auth: JSON-RPC has no greeting that carries it; make it a request of the " +
          "contract",
      );
    this.#begin(output, nowMs);
  }

  canResume(): boolean {
    return false;
  }

  welcome(output: ByteWriter, _hello: Hello, resumed: boolean, nowMs: number): void {
    if (this.side !== "server" || this.#state !== "new" || resumed)
      throw new TypeError(
        `Cannot welcome with the session of a ${this.side} that is ` +
          `${this.#state}${resumed ? ": JSON-RPC resumes none" : ""}`,
      );
    this.#begin(output, nowMs);
  }

  receive(chunk: Uint8Array, nowMs: number, budget: ReadBudget = unlimitedBudget): boolean {
    const { turn } = this.#context;
    this.#nowMs = nowMs;
    turn.enter();
    try {
      this.#link?.receive(chunk, budget);
      this.#look();
    } finally {
      turn.leave();
    }
    return this.#link?.yielded === true;
  }

  goOn(nowMs: number, budget: ReadBudget): boolean {
    const { turn } = this.#context;
    this.#nowMs = nowMs;
    turn.enter();
    try {
      this.#link?.goOn(budget);
      // the rest of it could not come meanwhile
      if (this.#partialMs !== null) this.#partialMs = nowMs;
    } finally {
      turn.leave();
    }
    return this.#link?.yielded === true;
  }

  lost(nowMs: number, cause?: HawserError): void {
    this.#nowMs = nowMs;
    if (this.#link === null) return;
    const { turn } = this.#context;
    turn.enter();
    this.#state = this.side === "client" ? "lost" : "closed";
    this.#leave(
      this.#link,
      new HawserError(
        "SESSION_LOST",
        "The connection was lost while the call was open: whether the peer has handled it is " +
          "not known",
        { cause },
      ),
    );
    turn.leave();
  }

  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    const { turn } = this.#context;
    turn.enter();
    this.#link?.caller.tick(nowMs);
    this.#tickPartial(nowMs);
    turn.leave();
  }

  stoodStill(ms: number, nowMs: number): void {
    if (this.#partialMs !== null) this.#partialMs = Math.min(this.#partialMs + ms, nowMs);
  }

  deadline(): number {
    const frameDueMs =
      this.#partialMs === null ? Infinity : this.#partialMs + this.#context.limits.frameTimeoutMs;
    return Math.min(frameDueMs, this.#link?.caller.dueMs ?? Infinity);
  }

  /** A chunk has been read. */
  #look(): void {
    const link = this.#link;
    if (link?.partial !== true) this.#partialMs = null;
    else if (this.#partialMs === null || this.#texts !== link.texts) this.#partialMs = this.#nowMs;
    this.#texts = link?.texts ?? 0;
  }

  #tickPartial(nowMs: number): void {
    const { frameTimeoutMs } = this.#context.limits;
    if (
      this.#partialMs === null ||
      this.#link === null ||
      this.#link.yielded ||
      nowMs - this.#partialMs < frameTimeoutMs
    )
      return;
    this.#partialMs = null;
    this.#context.broken(
      peerError(
        "FRAME_TIMEOUT",
        "The peer began a message and did not complete it within frameTimeoutMs " +
          String(frameTimeoutMs),
      ),
      "flush",
    );
  }

  transmit(highBytes: number): boolean {
    const outbox = this.#link?.outbox;
    if (outbox === undefined) return false;
    const { sink, turn } = this.#context;
    turn.enter();
    this.#left(outbox, highBytes);
    if (this.#isFull && !outbox.waits) {
      this.#isFull = false;
      turn.run(() => {
        sink.writable();
      });
    }
    turn.leave();
    return outbox.waits;
  }

  open(entry: MessageEntry, input: unknown, options: CallOptions, sink: CallSink): OutboundCall {
    const method = this.#method(entry, "request");
    const link = this.#connected(entry);
    this.#checkDraining(entry);
    const params = inputText(entry, input);
    this.#checkSame(link, entry);
    this.#checkDraining(entry);
    return this.#open(link, entry, method, params, options, sink);
  }

  openPrepared({ body, entry }: PreparedCall, options: CallOptions, sink: CallSink): OutboundCall {
    const method = this.#method(entry, "request");
    const link = this.#connected(entry);
    this.#checkDraining(entry);
    return this.#open(link, entry, method, utf8Decode(body, 0, body.length), options, sink);
  }

  #open(
    link: Link,
    entry: MessageEntry,
    method: string,
    params: string,
    options: CallOptions,
    sink: CallSink,
  ): OutboundCall {
    const { nowMs = this.#nowMs, timeoutMs = Infinity } = options;
    const { turn } = this.#context;
    turn.enter();
    try {
      return link.caller.open(entry, method, params, nowMs, timeoutMs, sink);
    } finally {
      turn.leave();
    }
  }

  emit(
    entry: MessageEntry,
    payload: unknown,
    _options: EmitOptions,
    settled: Settled | null,
  ): boolean {
    const method = this.#method(entry, "event");
    const link = this.#connected(entry);
    const text = eventText(entry, method, payload);
    this.#checkSame(link, entry);
    return this.#notify(link.outbox, text, settled);
  }

  emitPrepared(
    { body, entry }: PreparedEvent,
    _options: EmitOptions,
    settled: Settled | null,
  ): boolean {
    this.#method(entry, "event");
    return this.#notify(this.#connected(entry).outbox, body, settled);
  }

  knows(): boolean {
    return true; // a peer of JSON-RPC does not tell
  }

  withdraw(settled: Settled): void {
    const { turn } = this.#context;
    const outcome = this.#link?.outbox.withdraw(settled) ?? null;
    if (outcome === null) return;
    turn.enter();
    turn.run(() => {
      settled(outcome, null);
    });
    turn.leave();
  }

  flushEvents(done: (error: HawserError | null) => void): void {
    // everything leaves in the order in which it is sent, so there is nothing to wait for
    const isOver = this.#state === "closed";
    done(
      isOver
        ? new HawserError("SESSION_CLOSED", "Cannot wait for events to leave: the session is over")
        : null,
    );
  }

  drain(): void {
    if (this.#state !== "ready") return;
    this.#state = "draining";
    this.#link?.responder.drain();
    this.#closeWhenDrained();
  }

  close(code: CloseCode = "NORMAL", message = ""): void {
    const { turn } = this.#context;
    turn.enter();
    if (code !== "NORMAL" && code !== "DRAINED")
      this.#link?.responder.answer(errorText(null, failureObject(code, null, message)), null);
    this.#end(
      null,
      new HawserError(
        "SESSION_CLOSED",
        "The session was closed while the call was open: whether the peer has handled it is " +
          "not known",
      ),
      "flush",
    );
    turn.leave();
  }

  #begin(output: ByteWriter, nowMs: number): void {
    const { sink, turn } = this.#context;
    this.#nowMs = nowMs;
    this.#link = new Link(this.#context, this.#events, output);
    this.#partialMs = null;
    this.#texts = 0;
    this.#state = "ready";
    turn.enter();
    turn.run(() => {
      sink.ready({ resumed: false, peerVersion: 0, repeatedEvents: 0, resumeWindowMs: 0 });
    });
    turn.leave();
  }

  /** The JSON text of a message's name. */
  #method(entry: MessageEntry, type: "event" | "request"): string {
    const method = this.#context.dialect.methods.get(entry);
    const { from } = entry;
    if (method !== undefined && entry.type === type && (from === "both" || from === this.side))
      return method;
    const cannot = `Cannot ${type === "event" ? "emit" : "open"} "${plain(entry.name, 60)}"`;
    if (method === undefined) throw new TypeError(`${cannot}: it is of another contract`);
    if (entry.type !== type)
      throw new TypeError(`${cannot}: it is ${entry.type === "event" ? "an event" : "a request"}`);
    throw new TypeError(`${cannot} from the ${this.side}: it is the ${from}'s`);
  }

  #connected(entry: MessageEntry): Link {
    if (this.#link !== null) return this.#link;
    const cannot = `Cannot send "${plain(entry.name, 60)}"`;
    if (this.#state === "closed")
      throw new HawserError("SESSION_CLOSED", `${cannot}: the session is over`);
    throw new HawserError("NOT_READY", `${cannot}: the session has no connection`);
  }

  /**
   * Throws where the program's code, which has run since `link` was looked up, has ended the
   * session or lost its connection.
   */
  #checkSame(link: Link, entry: MessageEntry): void {
    if (this.#connected(entry) !== link)
      throw new HawserError(
        "NOT_SENT",
        `Cannot send "${plain(entry.name, 60)}": the connection was lost while it was encoded`,
      );
  }

  #checkDraining(entry: MessageEntry): void {
    if (this.#state === "draining")
      throw new HawserError(
        "DRAINING",
        `Cannot open "${plain(entry.name, 60)}": this session drains`,
        { origin: "local" },
      );
  }

  #notify(outbox: Outbox, message: Uint8Array | string, settled: Settled | null): boolean {
    const { turn } = this.#context;
    turn.enter();
    try {
      const isOut = outbox.put(message, settled) === null;
      if (!isOut) this.#isFull = true;
      else if (settled !== null)
        turn.run(() => {
          settled("unknown", null);
        });
      return isOut;
    } finally {
      turn.leave();
    }
  }

  /** Fill the output, and tell whose events are in it. */
  #left(outbox: Outbox, highBytes: number): void {
    for (const { settled } of outbox.transmit(highBytes))
      this.#context.turn.run(() => settled?.("unknown", null));
  }

  #closeWhenDrained(): void {
    if (this.#state === "draining" && this.openCalls === 0 && this.#events.isIdle)
      this.close("DRAINED");
  }

  /** Over for good. */
  #end(error: HawserError | null, reason: HawserError, rest: Rest): void {
    if (this.#state === "closed") return;
    const { sink, turn } = this.#context;
    const link = this.#link;
    turn.enter();
    this.#state = "closed";
    this.#events.clear();
    if (link !== null) {
      if (rest === "flush") this.#left(link.outbox, Infinity);
      this.#leave(link, reason);
      turn.tell();
      turn.run(() => {
        sink.over(error, false);
      });
    }
    turn.leave();
  }

  /** The connection is gone, with all that was open on it. */
  #leave(link: Link, reason: HawserError): void {
    this.#link = null;
    this.#isFull = false;
    link.lose(reason);
  }
}

/**
 * The text of a request's `params`; "" for none.
 *
 * @throws {HawserError} INPUT_INVALID, PAYLOAD_FORBIDDEN
 */
export function inputText(entry: MessageEntry, input: unknown): string {
  const issue = entry.input.outbound(input);
  if (issue !== null)
    throw invalid(
      "INPUT_INVALID",
      `The input of "${plain(entry.name, 60)}" is invalid`,
      "local",
      issue,
    );
  return writeParams(entry.input, input, entry.codec);
}

/**
 * The text of an event.
 *
 * @throws {HawserError} EVENT_INVALID, PAYLOAD_FORBIDDEN
 */
export function eventText(entry: MessageEntry, method: string, payload: unknown): string {
  const issue = entry.input.outbound(payload);
  if (issue !== null)
    throw invalid(
      "EVENT_INVALID",
      `The payload of "${plain(entry.name, 60)}" is invalid`,
      "local",
      issue,
    );
  return notificationText(method, writeParams(entry.input, payload, entry.codec));
}
