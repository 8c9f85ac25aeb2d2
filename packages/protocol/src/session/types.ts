/**
 * The seam of sessions: what an engine of conversations (the native one, `jsonRpc()`) offers to the
 * ends, and what it tells them. Owns the interfaces alone. Must not know how a conversation looks
 * on the wire, or what carries its bytes.
 *
 * An engine has no clock, no timers and no I/O: instants are passed in, bytes come by `receive` and
 * leave through a `ByteWriter`. Every call but `receive` and `goOn` is allowed from within every
 * callback. What the peer sends never throws; what a callback throws comes out of the driver's call
 * that led to it (`receive`, `tick`, `lost`, …), when everything else is told and the state is
 * whole.
 *
 * @module
 */
import type { ReadBudget } from "../wire/budget.ts";
import type { ByteWriter } from "../bytes/writer.ts";
import type { MessageEntry, Protocol, Side } from "../contract/contract.ts";
import type { HawserError, NamedFailure } from "../errors.ts";
import type { SessionLimits } from "./limits.ts";
import type { Retention } from "./events/retention.ts";

/**
 * What createServer() and connect() speak for a contract. `nativeSessions(protocol)` makes the
 * native one.
 */
export interface SessionKind {
  /** For people: `"hawser"`. */
  readonly name: string;
  readonly contract: Protocol;
  /** Server side: what reads a connection's first bytes. */
  greeter(options: SessionOptions): Greeter;
  /** A session in state `"new"`. Client: `attach` it. Server: `welcome` a peer with it. */
  session(side: Side, options: SessionOptions, sink: SessionSink): Session;
  /**
   * Server side: the bytes that tell a client whose Hello was not read why it is not served. May be
   * empty.
   */
  refusal(error: HawserError): Uint8Array;
  /**
   * An event checked and encoded once, for `emitPrepared` on many sessions of this kind.
   *
   * @throws {HawserError} EVENT_INVALID, PAYLOAD_FORBIDDEN
   */
  prepare(entry: MessageEntry, payload: unknown): PreparedEvent;
  /**
   * The input of a request or stream, checked and encoded as it is now, for `openPrepared` later.
   *
   * @throws {HawserError} INPUT_INVALID, PAYLOAD_FORBIDDEN
   */
  prepareCall(entry: MessageEntry, input: unknown): PreparedCall;
}

/** What a session, or a greeter, is made with. */
export interface SessionOptions {
  /** Absent ones take their defaults: see `sessionLimitTable`. */
  readonly limits?: Partial<SessionLimits> | undefined;
  /** So many bytes that nobody can guess. */
  readonly random: (bytes: number) => Uint8Array;
  /**
   * Counts what the session keeps of events while it has no connection; shared by all sessions of a
   * server.
   */
  readonly retention?: Retention | undefined;
  /**
   * Server: whether clients may ask for the contract as data. Default: false. Absent from kinds
   * that have no such request.
   */
  readonly offerContract?: boolean | undefined;
}

/** An event that waits to be emitted on many sessions. Opaque. */
export interface PreparedEvent {
  readonly entry: MessageEntry;
  readonly body: Uint8Array;
  /** The number of its lane; 0: the common one. */
  readonly lane: number;
  /** Number of sessions without a connection that keep it. */
  holders: number;
}

/** A call that waits to be opened. Opaque, but for its size. */
export interface PreparedCall {
  readonly entry: MessageEntry;
  readonly body: Uint8Array;
}

/**
 * Server side: reads a connection until it knows who calls. The driver sees to
 * `handshakeTimeoutMs`.
 */
export interface Greeter {
  /**
   * Take the next bytes; the chunk is not kept. Null: nothing new is known.
   *
   * Until `welcome` is called, bytes that come after a good greeting are given to the greeter as
   * well: a client must wait for its WELCOME, and an answer that is not `ok` says so where it does
   * not.
   */
  receive(chunk: Uint8Array): Greeting | null;
  /**
   * The client of the good greeting is let in. `ok: true`: welcome it. `ok: null`: send `ask`, and
   * go on with `receive`, whose next answer says whether to welcome it. Call it once.
   */
  admitted(): Admission;
  /** The bytes that tell the client why it is not served. May be empty. */
  refusal(error: HawserError): Uint8Array;
  /**
   * The stream has ended, or time is up, before there was a greeting: what can be said of what
   * came.
   */
  end(): HawserError;
}

/** The next step with a client that is let in. */
export type Admission =
  | { readonly ok: true }
  | { readonly ok: null; readonly ask: Uint8Array }
  | { readonly ok: false; readonly error: HawserError; readonly reply: Uint8Array };

/** What a greeter found. */
export type Greeting =
  | {
      readonly ok: true;
      readonly hello: Hello;
      /**
       * What came behind the greeting, copied: give it to `receive` after `welcome`. Empty where
       * the peer must wait.
       */
      readonly rest: Uint8Array;
    }
  | {
      readonly ok: false;
      readonly error: HawserError;
      /** Send it, then close. May be empty. */
      readonly reply: Uint8Array;
    };

/** A client that wants to be let in: what its greeting says, checked. */
export interface Hello {
  /** For the server to judge; undefined: none. */
  readonly auth: unknown;
  /** The session that the client wants to go on with. */
  readonly resume: { readonly session: string; readonly received: number } | null;
  /** The contract's version that the peer speaks; 0: it does not tell. */
  readonly peerVersion: number;
}

/**
 * Where a session stands. `"lost"`: without a connection, but it may go on with another.
 * `"closed"`: over for good.
 */
export type SessionState = "closed" | "draining" | "handshake" | "lost" | "new" | "ready";

/**
 * What is known about a message that was sent. `"not-sent"`: the peer's program has not seen it and
 * won't.
 */
export type Outcome = "delivered" | "not-sent" | "unknown";

/** Why a session is closed by its own side. */
export type CloseCode = "AUTH_REFUSED" | "DRAINED" | "NORMAL" | "OVERLOADED";

/** Protocol state between two peers, over one connection after another. */
export interface Session {
  readonly side: Side;
  readonly state: SessionState;
  /**
   * 32 hexadecimal digits, or `""` where the server has not said them or the kind has none. Another
   * with each connection.
   */
  readonly id: string;
  /**
   * Server side: the identity with which the client came to this connection, or `""`. `canResume`
   * takes it until the client is known to have `id`.
   */
  readonly formerId: string;
  /** 32 hexadecimal digits that stay for the session's life, or `""` as above. */
  readonly origin: string;
  /** From the newest PING to its PONG; null before the first. */
  readonly roundTripMs: number | null;
  /** The contract's version that the peer speaks; 0 before it is known. */
  readonly peerVersion: number;
  /**
   * What both sides agreed to use: see PROTOCOL.md §3. Empty before the handshake, and where the
   * kind has none.
   */
  readonly features: readonly string[];
  /**
   * Bytes that wait inside the session (for credit, for their turn): not in the output, but in
   * memory.
   */
  readonly queuedBytes: number;
  /** Conversations that are open, of both sides. */
  readonly openCalls: number;

  /**
   * Client side, in state `"new"` or `"lost"`: a connection is made. Writes the greeting.
   *
   * `auth` is any JSON for the server to judge.
   *
   * @throws {HawserError} PAYLOAD_FORBIDDEN, PAYLOAD_TOO_LARGE when `auth` does not fit into a
   *   greeting
   */
  attach(output: ByteWriter, nowMs: number, auth?: unknown): void;
  /**
   * Server side: whether the session can go on with this peer: `welcome(…, true, …)` is allowed.
   */
  canResume(hello: Hello): boolean;
  /**
   * Server side: serve the peer whose Hello was read. In state `"new"` with `resumed` false; with
   * `resumed` true when `canResume` says so. Writes the welcome and what is to be sent again.
   * `sink.ready` is called from within.
   *
   * A session that still has its old connection takes leave of it first: it writes SESSION_REPLACED
   * into the old output and settles as `lost` does. The caller flushes and closes the old
   * connection, and gives none of its bytes to `receive` any more.
   */
  welcome(output: ByteWriter, hello: Hello, resumed: boolean, nowMs: number): void;
  /**
   * Bytes have come; the chunk is not kept. Ignored without a connection.
   *
   * Returns true when the budget is spent and something is left, of which the session has a copy:
   * the driver stops reading, calls `goOn` in another turn, and gives no other chunk before that
   * has said false. Without a budget it is false.
   *
   * @throws {TypeError} when it is called from within itself, or while something is left
   */
  receive(chunk: Uint8Array, nowMs: number, budget?: ReadBudget): boolean;
  /** Go on with what is left of a chunk. Returns as `receive` does. */
  goOn(nowMs: number, budget: ReadBudget): boolean;
  /**
   * The connection is gone without the session's doing: calls settle, numbered events stay.
   * `sink.over` is not called. `cause`: why it is gone; it is the cause of what calls fail with.
   */
  lost(nowMs: number, cause?: HawserError): void;
  /** Time has passed: heartbeats, deadlines. */
  tick(nowMs: number): void;
  /**
   * The process stood still for `ms`, until now: that was not the peer's silence. Deadlines of
   * calls are the caller's own, and stay.
   */
  stoodStill(ms: number, nowMs: number): void;
  /**
   * When `tick` has something to do, at the earliest; Infinity: never. Changes with every other
   * call.
   */
  deadline(): number;
  /**
   * Move what waits for its turn (the pieces of large messages) into the output while that is
   * shorter than `highBytes`. Call it when the output has left. True: more waits, for room alone.
   */
  transmit(highBytes: number): boolean;

  /**
   * Open a request or stream. The sink is told how it ends, exactly once; never from within this
   * call.
   *
   * @throws {HawserError} nothing was sent: NOT_READY, SESSION_CLOSED, DRAINING, OVERLOADED,
   *   MESSAGE_UNKNOWN, INPUT_INVALID, PAYLOAD_FORBIDDEN, PAYLOAD_TOO_LARGE, WRITE_BUFFER_FULL
   * @throws {TypeError} when the entry is an event, or not this side's to open
   */
  open(entry: MessageEntry, input: unknown, options: CallOptions, sink: CallSink): OutboundCall;
  /** As `open`, for what `prepareCall` of the session's kind made. */
  openPrepared(call: PreparedCall, options: CallOptions, sink: CallSink): OutboundCall;
  /**
   * Emit an event. False: it is taken, but wait for `sink.writable` before the next.
   *
   * At most once: it needs a connection. At least once: it is taken in every state but `"closed"`,
   * and sent when there is a connection. `settled` is told the outcome, once: an event that is sent
   * at most once is `"unknown"` as soon as it is in the output. It may be called from within. With
   * `"delivered"` an error says that the peer's handler failed.
   *
   * @throws {HawserError} it was not taken: NOT_READY, SESSION_CLOSED, EVENT_INVALID,
   *   PAYLOAD_FORBIDDEN, PAYLOAD_TOO_LARGE, WRITE_BUFFER_FULL, RETENTION_FULL
   * @throws {TypeError} when the entry is not an event, or not this side's to emit
   */
  emit(
    entry: MessageEntry,
    payload: unknown,
    options: EmitOptions,
    settled: Settled | null,
  ): boolean;
  /** As `emit`, for what `prepare` of the session's kind made. */
  emitPrepared(event: PreparedEvent, options: EmitOptions, settled: Settled | null): boolean;
  /** True if the peer's contract has the message; true while the peer is not known. */
  knows(entry: MessageEntry): boolean;
  /**
   * Give up waiting for an event, by the `settled` that it was emitted with, which is told:
   * `"not-sent"` where nothing of it has left, and then nothing will; else `"unknown"`, and what is
   * delivered at least once is sent again where need be. Nothing happens where it is settled.
   */
  withdraw(settled: Settled): void;
  /**
   * Calls `done` when all events that were emitted so far have left this session in order, or never
   * will: what is sent from then on arrives after them. At once where none waits; with an error
   * when the session is over before.
   */
  flushEvents(done: (error: HawserError | null) => void): void;
  /**
   * Ask the peer to open no more, and open no more here. What is open goes on; the peer closes when
   * nothing is.
   */
  drain(): void;
  /**
   * End the session for good, in any state. `sink.over(null)` follows from within, unless it was
   * closed or had no connection. What is not settled settles: calls with SESSION_CLOSED, events as
   * `"not-sent"` or `"unknown"`.
   */
  close(code?: CloseCode, message?: string): void;
}

/**
 * What became of asking for an item. True: `sink.item` was called from within. False: none waits,
 * and the next one is told as it comes. `"later"`: one waits, and is told when other streams'
 * programs are done with what they have in hand (`maxDecodedBytes`).
 */
export type Pulled = boolean | "later";

/** The outcome of an event. */
export type Settled = (outcome: Outcome, error: HawserError | null) => void;

/** Options of `open`. */
export interface CallOptions {
  /**
   * Milliseconds that the answer is waited for; crosses the wire. Absent: for ever. At least 1, or
   * it has passed already.
   */
  readonly timeoutMs?: number | undefined;
  /** What `timeoutMs` counts from; absent: the last instant that the session was told. */
  readonly nowMs?: number | undefined;
  /** W3C `traceparent`, version 00; one that is malformed is not sent. */
  readonly trace?: string | null | undefined;
}

/** Options of `emit`. */
export interface EmitOptions {
  /** As in {@link CallOptions}. */
  readonly trace?: string | null | undefined;
}

/** Callbacks of a session for its driver. */
export interface SessionSink {
  /** Something is in the output, or waits for `transmit`: schedule the write. Called often. */
  wrote(): void;
  /** Calls and events may begin. */
  ready(info: ReadyInfo): void;
  /**
   * The peer has opened a request or stream, whose input is checked. Set `call.sink` here to hear
   * more of it.
   */
  call(call: InboundCall): void;
  /**
   * The peer has emitted an event, whose payload is checked. Of each lane one at a time: the next
   * comes after `event.handled()`.
   */
  event(event: InboundEvent): void;
  /** After an `emit` that said false: more may be emitted. */
  writable(): void;
  /** The peer drains: open nothing more. The session closes by itself when nothing is open. */
  draining(): void;
  /**
   * Something that came was dropped, or went wrong with nobody else to tell: an event that is
   * unknown or invalid. The session goes on.
   */
  dropped(error: HawserError): void;
  /**
   * The session is done with its connection: flush the output, then close it. Null: it ended in
   * order, by either side. `resumable`: the state is `"lost"`, and the session may go on with
   * another connection; else `"closed"`.
   */
  over(error: HawserError | null, resumable: boolean): void;
}

/** Facts of a session that is ready. */
export interface ReadyInfo {
  /** The session goes on; else it is a new one. */
  readonly resumed: boolean;
  readonly peerVersion: number;
  /**
   * Number of events that were sent under other numbers before, and may be handled twice: the
   * server had forgotten the session.
   */
  readonly repeatedEvents: number;
  /** Milliseconds that the server keeps the session after its connection is lost; 0: not at all. */
  readonly resumeWindowMs: number;
}

/** Which event it is: the same however often it is sent, in whatever session. */
export interface EventIdentity {
  /** The origin of the session in which it was first begun, and its number there. */
  readonly origin: string;
  readonly number: number;
  /** Both as one text. */
  readonly id: string;
  /** True if it is sent again in a session after that one: it may have been handled already. */
  readonly isRepeated: boolean;
}

/** An event of the peer that this side's program has. */
export interface InboundEvent {
  readonly entry: MessageEntry;
  readonly payload: unknown;
  readonly trace: string | null;
  /** Null where the event is delivered at most once, or the kind of session has none. */
  readonly identity: EventIdentity | null;
  /**
   * The handler has finished; null or nothing: well. May be called from within `SessionSink.event`;
   * a second call is ignored. An error tells the peer that the handler failed, if the event is
   * delivered at least once.
   */
  handled(error?: HawserError | NamedFailure | null): void;
}

/**
 * What is told to whoever opened a conversation: items, then exactly one of `result`, `end` and
 * `fail`.
 */
export interface CallSink {
  /** The answer to a request. */
  result(value: unknown): void;
  /**
   * An item; call `consume(cost)` when it is taken. Where many wait, `pull()` asks for the next.
   */
  item(value: unknown, cost: number): void;
  /**
   * The responder's side of a stream has ended well; the opener's, if it sends items, ends with it.
   */
  end(): void;
  fail(error: HawserError): void;
  /**
   * The peer takes no more items: those that are sent are dropped, and this part is over. The
   * conversation goes on. Absent: nobody asks.
   */
  refused?(): void;
  /** After a `send` that said false: more may be sent. */
  writable(): void;
}

/**
 * A conversation that this side has opened. All calls on one that is over are ignored, and `send`
 * says true.
 */
export interface OutboundCall {
  readonly entry: MessageEntry;
  /** Give up: `sink.fail` follows from within, with the reason, or CALL_CANCELLED. */
  cancel(reason?: HawserError): void;
  /**
   * Send an item. False: it is taken, but wait for `writable` before the next.
   *
   * @throws {HawserError} it was not taken: ITEM_INVALID, PAYLOAD_FORBIDDEN, PAYLOAD_TOO_LARGE,
   *   WRITE_BUFFER_FULL
   * @throws {TypeError} when the opener sends no items, or has ended
   */
  send(item: unknown): boolean;
  /** No more items. */
  end(): void;
  /**
   * Take no more items, and let the conversation go on: those that come are dropped, and the peer
   * is told to send no others.
   */
  refuse(): void;
  /** The program has taken items of this cost: the peer may send as much. */
  consume(cost: number): void;
  /**
   * Ask for an item, being done with those that were told: many wait encoded until then. An error:
   * the next one is invalid, and the call is cancelled for it. Items are told also after the end,
   * which is told at once.
   */
  pull(): HawserError | Pulled;
  /**
   * Drop the items that have come: the program takes none of them, and is done with those that it
   * took.
   */
  drop(): void;
}

/**
 * What is told to the responder of a conversation after it was opened. Nothing follows `cancelled`.
 */
export interface InboundSink {
  /** As {@link CallSink.item}. */
  item(value: unknown, cost: number): void;
  /** The opener's items have ended. */
  end(): void;
  /**
   * The opener wants no answer any more: it cancelled, its deadline passed, an item was invalid, or
   * the connection is gone. The call is open until it is finished here, with `fail` or otherwise;
   * what is answered is not sent, but the peer's id is free only then.
   */
  cancelled(error: HawserError): void;
  /** As {@link CallSink.refused}, but that the call is still to be finished. */
  refused?(): void;
  writable(): void;
}

/**
 * A conversation that the peer has opened. Finish it exactly once: `reply`, `end` or `fail`; what
 * comes after that is ignored.
 */
export interface InboundCall {
  readonly entry: MessageEntry;
  readonly input: unknown;
  /** An instant; Infinity: the opener waits for ever. */
  readonly deadlineMs: number;
  /** W3C `traceparent`. */
  readonly trace: string | null;
  /** Why nobody waits for the answer any more; null while somebody does. */
  readonly cancellation: HawserError | null;
  /** Set it within `sink.call`; null: nothing is told, and items are dropped. */
  sink: InboundSink | null;
  /**
   * Answer a request. Returns null, or why the output can't be sent (OUTPUT_INVALID,
   * PAYLOAD_FORBIDDEN, PAYLOAD_TOO_LARGE, WRITE_BUFFER_FULL): the opener has been told that the
   * call failed.
   */
  reply(output: unknown): HawserError | null;
  /**
   * Fail. With a {@link NamedFailure}, the opener gets the contract's error; returns why its
   * payload can't be sent, or null. With a HawserError its code, where the opener has use for it,
   * and never its text: the cause stays here.
   */
  fail(error: HawserError | NamedFailure): HawserError | null;
  /** As {@link OutboundCall.send}. */
  send(item: unknown): boolean;
  /** A stream's items have ended. */
  end(): void;
  /** As {@link OutboundCall.refuse}. */
  refuse(): void;
  /** As {@link OutboundCall.consume}. */
  consume(cost: number): void;
  /** As {@link OutboundCall.pull}; nothing is told after `sink.cancelled`. */
  pull(): HawserError | Pulled;
  /** As {@link OutboundCall.drop}. */
  drop(): void;
}
