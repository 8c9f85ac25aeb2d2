/**
 * A client of a contract as its program sees it, and what its handlers and listeners are called
 * with. Types alone, all of them found by the message's name.
 *
 * @module
 */
import type {
  ContractSchema,
  EventNames,
  EventPayload,
  Fail,
  HawserError,
  Outcome,
  Protocol,
  RequestInput,
  RequestNames,
  RequestOutput,
  StreamInput,
  StreamItem,
  StreamNames,
  StreamSend,
} from "@hawser/protocol";
import type { ReadyInfo } from "@hawser/protocol/engine";
import type {
  Arguments,
  Awaitable,
  Closed,
  EventOptions,
  OpenOptions,
  SessionStream,
  StreamResult,
} from "@hawser/session";
import type { Connection } from "@hawser/transport";

/** The context that every handler and listener gets. */
export interface SharedContext<P extends Protocol> {
  readonly socket: SessionClient<P>;
  /** W3C `traceparent` of the sender, or null. */
  readonly trace: string | null;
  /**
   * Aborted when the server begins to close, or the client is over: what goes on without end should
   * end now.
   */
  readonly draining: AbortSignal;
}

/** The context of an event's listener. */
export interface EventContext<P extends Protocol> extends SharedContext<P> {
  /**
   * Which event it is, of one that is delivered at least once: a text that stays the same however
   * often the event is sent, for a listener that keeps it with what it does. Null: the event is
   * sent at most once.
   */
  readonly eventId: string | null;
}

/**
 * Listens to an event of the contract. A promise delays the next event of its lane, and the
 * acknowledgement where the event is delivered at least once; one that rejects, or a listener that
 * throws, is told to the sender in place of it, and to `lifecycle`'s `error` here.
 */
export type EventListener<P extends Protocol, N extends EventNames<P, "server">> = (
  payload: EventPayload<P, N>,
  context: EventContext<P>,
) => unknown;

/**
 * The context of a request's or stream's handler. All of it may be taken out by
 * destructuring.
 */
export interface HandlerContext<
  P extends Protocol,
  N extends RequestNames<P> | StreamNames<P>,
> extends SharedContext<P> {
  /**
   * Aborted when nobody waits for the answer any more: the server cancelled, its deadline passed,
   * or the connection is gone.
   */
  readonly signal: AbortSignal;
  /** Fail with an error of the contract: throws, for the session to send. */
  readonly fail: Fail<P, N>;
  /** When the server gives up, on the clock of `performance.now()`; Infinity: never. */
  readonly deadlineMs: number;
}

/** The context of a stream's handler. */
export interface StreamContext<P extends Protocol, N extends StreamNames<P>> extends HandlerContext<
  P,
  N
> {
  /**
   * The server's items: taken one at a time, and sent only as fast as they are taken. Throws when
   * the call is cancelled.
   */
  readonly items: AsyncIterable<StreamSend<P, N, "received">>;
}

/**
 * A client's handlers for what its server opens: one for each request and stream, and
 * listeners for events from the first on.
 */
export type ClientHandlers<P extends Protocol> = {
  readonly [N in RequestNames<P, "server">]: N extends RequestNames<P, "server">
    ? RequestHandler<P, N>
    : unknown;
} & {
  readonly [N in StreamNames<P, "server">]: N extends StreamNames<P, "server">
    ? StreamHandler<P, N>
    : unknown;
} & {
  readonly [N in EventNames<P, "server">]?: N extends EventNames<P, "server">
    ? EventListener<P, N>
    : unknown;
};
// The conditions say nothing new of N; they keep the compiler from taking a name for one of another
// section before it knows P.

type RequestHandler<P extends Protocol, N extends RequestNames<P>> = (
  input: RequestInput<P, N, "received">,
  context: HandlerContext<P, N>,
) => Awaitable<RequestOutput<P, N, "sent">>;

type StreamHandler<P extends Protocol, N extends StreamNames<P>> = (
  input: StreamInput<P, N, "received">,
  context: StreamContext<P, N>,
) => Awaitable<StreamResult<StreamItem<P, N, "sent">>>;

/**
 * Where a client stands. `"draining"`: the server opens nothing new; `"disconnected"`: on the way
 * to another connection.
 */
export type ClientState = "closed" | "connecting" | "disconnected" | "draining" | "ready";

/** Events of a client's life, with the arguments of their listeners. */
export interface LifecycleEvents {
  /** A new session has begun: the first, or one after a session that the server had forgotten. */
  ready: [info: ReadyInfo];
  /**
   * The session goes on over another connection: no event that is delivered at least once was lost.
   */
  resumed: [info: ReadyInfo];
  /** The connection is gone, and another is sought. Calls that were open have failed. */
  disconnected: [error: HawserError | null];
  /** The server opens nothing new, and will close when nothing is open. */
  draining: [];
  /**
   * Errors that nobody else is told: an attempt to connect that failed, a listener that threw, an
   * event that could not be read.
   */
  error: [error: HawserError];
  /** It is over; nothing follows. */
  close: [closed: Closed];
}

/**
 * Listeners of what happens to a client. What one throws, or rejects with, is told to those of
 * `error`. Without a listener of `error`, the first failure of each code is a process warning, but
 * for what the network does.
 */
export interface Lifecycle {
  on<Name extends keyof LifecycleEvents>(
    event: Name,
    listener: (...values: LifecycleEvents[Name]) => unknown,
  ): this;
  once<Name extends keyof LifecycleEvents>(
    event: Name,
    listener: (...values: LifecycleEvents[Name]) => unknown,
  ): this;
  off<Name extends keyof LifecycleEvents>(
    event: Name,
    listener: (...values: LifecycleEvents[Name]) => unknown,
  ): this;
}

/**
 * A client of a contract: one session after another, if need be, over one connection after another.
 */
export interface SessionClient<P extends Protocol> extends AsyncDisposable {
  /**
   * The session's identity; it must not be shown to others: who has it can take the session over.
   */
  readonly id: string;
  /** The server, for people; of the newest connection. */
  readonly remote: string;
  readonly transport: Connection["transport"] | null;
  readonly state: ClientState;
  /** The contract's version that the server speaks; 0 before it is known. */
  readonly peerVersion: number;
  /** The newest measured time to the server and back, or null. */
  readonly roundTripMs: number | null;
  /**
   * Resolves when calls can be made, at once while they can; rejects when that will never be again.
   */
  readonly ready: Promise<void>;
  /** Resolves when it is over and the connection is gone, always, with how. */
  readonly closed: Promise<Closed>;
  readonly lifecycle: Lifecycle;
  /**
   * Ask the server. Without a connection, the `queue` option says what happens; a call that was
   * open when the connection was lost is never made again by itself.
   *
   * @throws {HawserError} rejects with why there is no answer: NAMED_ERROR (see `failure`),
   *   REMOTE_HANDLER_FAILED, INPUT_INVALID, DEADLINE_EXCEEDED, CALL_CANCELLED, NOT_READY, NOT_SENT,
   *   SESSION_LOST, …
   * @throws {TypeError} rejects when the contract has no such request from the client
   */
  request<N extends RequestNames<P, "client">>(
    name: N,
    ...input: Arguments<RequestInput<P, N>, OpenOptions>
  ): Promise<RequestOutput<P, N>>;
  /**
   * Open a stream. It returns no promise, and throws at once:
   *
   * @throws {HawserError} it was not opened: INPUT_INVALID, NOT_READY, DRAINING, OVERLOADED, …
   * @throws {TypeError} when the contract has no such stream from the client
   */
  stream<N extends StreamNames<P, "client">>(
    name: N,
    ...input: Arguments<StreamInput<P, N>, OpenOptions>
  ): SessionStream<StreamItem<P, N>, StreamSend<P, N>>;
  /**
   * Emit an event. Resolves with what became of it: `"delivered"` when the server's handler has it
   * (at least once), `"unknown"` when it has left and nobody will tell, `"not-sent"` when it will
   * not arrive. Waiting for it is back-pressure. Never throws: it rejects. A handler that waits for
   * an event that its own event's sender waits for goes on when `timeoutMs` is over.
   *
   * Without a connection, what is delivered at least once is kept and sent later; for the rest the
   * `queue` option says what happens: `"not-sent"` where nothing is held.
   *
   * @throws {HawserError} rejects when it was not taken: EVENT_INVALID, SESSION_CLOSED,
   *   RETENTION_FULL, WRITE_BUFFER_FULL, PAYLOAD_…; or the server's handler failed
   * @throws {TypeError} rejects when the contract has no such event from the client, or its lane
   *   function returns no key; with what that function throws
   */
  emit<N extends EventNames<P, "client">>(
    name: N,
    ...payload: Arguments<EventPayload<P, N, "sent">, EventOptions>
  ): Promise<Outcome>;
  /**
   * Resolves when the events that were emitted so far have left, in order: the server had room for
   * them. What is sent from then on arrives after them, and its handler is called after theirs
   * where those return no promise. (Without this, a request may overtake events.)
   *
   * @throws {HawserError} rejects with SESSION_CLOSED when the session is over before
   */
  eventsFlushed(): Promise<void>;
  /**
   * Listen to an event. Add listeners in the turn in which `connect()` has resolved, or give them
   * to it as `handlers`: of an event that nobody listens to, the sender is told where it is
   * delivered at least once; else it is dropped.
   *
   * @throws {TypeError} when the contract has no such event from the server
   */
  on<N extends EventNames<P, "server">>(name: N, listener: EventListener<P, N>): this;
  /** Listen to the next such event alone. */
  once<N extends EventNames<P, "server">>(name: N, listener: EventListener<P, N>): this;
  /** Listen no more. */
  off<N extends EventNames<P, "server">>(name: N, listener: EventListener<P, N>): this;
  /**
   * Ask the server for its contract as data. Resolves with null where the server does not offer it
   * (`offerContract`), or speaks JSON-RPC. Not held while there is no connection.
   *
   * @throws {HawserError} rejects as `request()` does: NOT_READY, DEADLINE_EXCEEDED,
   *   PAYLOAD_TOO_LARGE, …
   */
  describe(options?: OpenOptions): Promise<ContractSchema | null>;
  /**
   * End the session for good: what was sent before still leaves, calls that are open fail. Resolves
   * as `closed`.
   */
  close(): Promise<Closed>;
  /** Give up at once; what has not left is lost. `error` is what `closed` tells. */
  abort(error?: HawserError | null): void;
}
