/**
 * Handlers of a contract: what a server's functions are called with, what they may return, and what
 * they have in their hands: the session and the server. Types alone, all of them found by the
 * message's name.
 *
 * @module
 */
import type {
  EventNames,
  EventPayload,
  Fail,
  Hello,
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
import type { EmitOptions, MessageType, SessionState } from "@hawser/protocol/engine";
import type {
  Arguments,
  Awaitable,
  Closed,
  EventOptions,
  OpenOptions,
  SessionStream,
  StreamResult,
} from "@hawser/session";
import type { Address, AddressInput, Connection, PeerCertificate } from "@hawser/transport";
import type { ListenCallOptions } from "../listeners.ts";
import type { CloseOptions, CloseResult } from "../options.ts";

/**
 * The part of the context that handlers and middleware share. `C` is the result of `authenticate`.
 */
export interface SharedContext<P extends Protocol, C> {
  /** Whose call or event it is. */
  readonly socket: SessionSocket<P, C>;
  readonly server: SessionServer<P, C>;
  /** The result of `authenticate` for this session. */
  readonly context: C;
  /** W3C `traceparent` of the sender, or null. */
  readonly trace: string | null;
  /**
   * Aborted when the server begins to close: what goes on without end should end now, before the
   * deadline of `close()`.
   */
  readonly draining: AbortSignal;
}

/** The context of an event's handler. */
export interface EventContext<P extends Protocol, C> extends SharedContext<P, C> {
  /**
   * Which event it is, of one that is delivered at least once: a text that stays the same however
   * often the event is sent, also in another session, for a handler that keeps it with what it
   * does. Null: the event is sent at most once.
   */
  readonly eventId: string | null;
}

/**
 * The context of a request's or stream's handler. All of it may be taken out by
 * destructuring.
 */
export interface HandlerContext<
  P extends Protocol,
  C,
  N extends RequestNames<P> | StreamNames<P>,
> extends SharedContext<P, C> {
  /**
   * Aborted when nobody waits for the answer any more: the opener cancelled, its deadline passed,
   * or its connection is gone.
   */
  readonly signal: AbortSignal;
  /** Fail with an error of the contract: throws, for the session to send. */
  readonly fail: Fail<P, N>;
  /** When the opener gives up, on the clock of `performance.now()`; Infinity: never. */
  readonly deadlineMs: number;
}

/** The context of a stream's handler. */
export interface StreamContext<
  P extends Protocol,
  C,
  N extends StreamNames<P>,
> extends HandlerContext<P, C, N> {
  /**
   * The opener's items: taken one at a time, and sent only as fast as they are taken. Throws when
   * the call is cancelled.
   */
  readonly items: AsyncIterable<StreamSend<P, N, "received">>;
}

/**
 * A server's handlers for what its clients open: one for each request and stream, and for
 * those events that it wants.
 *
 * A handler that throws, or whose promise rejects, fails its own call alone: the client is told
 * REMOTE_HANDLER_FAILED, never the cause; the server's `error` option is. An event's handler that
 * returns a promise delays the next event of its lane, and the acknowledgement where the event is
 * delivered at least once; what else it returns is dropped.
 */
export type SessionHandlers<P extends Protocol, C = unknown> = {
  readonly [N in RequestNames<P, "client">]: N extends RequestNames<P, "client">
    ? RequestHandler<P, C, N>
    : unknown;
} & {
  readonly [N in StreamNames<P, "client">]: N extends StreamNames<P, "client">
    ? StreamHandler<P, C, N>
    : unknown;
} & {
  readonly [N in EventNames<P, "client">]?: N extends EventNames<P, "client">
    ? EventHandler<P, C, N>
    : unknown;
};
// The conditions say nothing new of N; they keep the compiler from taking a name for one of another
// section before it knows P.

type RequestHandler<P extends Protocol, C, N extends RequestNames<P>> = (
  input: RequestInput<P, N, "received">,
  context: HandlerContext<P, C, N>,
) => Awaitable<RequestOutput<P, N, "sent">>;

type StreamHandler<P extends Protocol, C, N extends StreamNames<P>> = (
  input: StreamInput<P, N, "received">,
  context: StreamContext<P, C, N>,
) => Awaitable<StreamResult<StreamItem<P, N, "sent">>>;

type EventHandler<P extends Protocol, C, N extends EventNames<P>> = (
  payload: EventPayload<P, N>,
  context: EventContext<P, C>,
) => unknown;

/** A call or event as a middleware sees it, before its handler does. */
export interface MiddlewareCall<P extends Protocol, C> extends SharedContext<P, C> {
  readonly name: string;
  readonly type: MessageType;
  /** The input of a request or stream, the payload of an event. */
  readonly input: unknown;
  /** As {@link HandlerContext}; of an event, never aborted. */
  readonly signal: AbortSignal;
  /** As {@link HandlerContext}; of an event, Infinity. */
  readonly deadlineMs: number;
}

/**
 * A middleware, which stands before every handler, in the order of the list: it returns what
 * `next()` returns, or something else, or throws. `next()` runs the rest of the list and the
 * handler, once; it returns a promise where the handler does.
 *
 * A middleware that returns nothing gives what `next()` gave, or threw. What a handler rejects with
 * whose promise was not awaited, and whose result was replaced, is reported; an event is not
 * acknowledged before its handler has ended.
 */
export type Middleware<P extends Protocol, C = unknown> = (
  call: MiddlewareCall<P, C>,
  next: () => unknown,
) => unknown;

/** A client that asks to be let in. */
export interface SessionPeer<C = unknown> {
  /** For people: `127.0.0.1:52122`. */
  readonly remote: string;
  readonly transport: Connection["transport"];
  /**
   * The certificate that the client proved to hold in the TLS handshake, trusted by the listener's
   * `tls.ca`. Null: it has none, the listener asks for none, or the client has left. Read again at
   * each look.
   */
  readonly certificate: PeerCertificate | null;
  /**
   * Aborted when the answer is not wanted any more: the client has left, or `handshakeTimeoutMs` is
   * over.
   */
  readonly signal: AbortSignal;
  /** The session that the client goes on with if it is let in; null: a new one begins. */
  readonly resumes: { readonly context: C; readonly label: string } | null;
}

/**
 * Judges a client, when its greeting is read, also of one that resumes its session: returns what
 * its handlers get as `context`, or throws to refuse it. A HawserError with the code OVERLOADED
 * says "later": the client tries again.
 */
export type Authenticate<C> = (hello: Hello, peer: SessionPeer<NoInfer<C>>) => Awaitable<C>;

/**
 * One client's session, as the handlers see it. It goes on while its connection is replaced by
 * another.
 */
export interface SessionSocket<P extends Protocol, C = unknown> {
  /**
   * The session's identity, which stays when it resumes; it must not be shown to others: who has it
   * can take the session over.
   */
  readonly id: string;
  /**
   * Names the session in logs: `"desk#17"`. It stays when the session resumes, is no secret, and is
   * unique for this server.
   */
  readonly label: string;
  /** The peer's newest connection, for people. */
  readonly remote: string;
  readonly transport: Connection["transport"];
  /** `"lost"`: without a connection, but the client may come back. */
  readonly state: SessionState;
  /** The last result of `authenticate`. */
  readonly context: C;
  /** The contract's version that the client speaks; 0: it does not tell. */
  readonly peerVersion: number;
  /** The newest measured time to the peer and back, or null. */
  readonly roundTripMs: number | null;
  readonly rooms: ReadonlySet<string>;
  /** Be a member of a room, which begins to be with its first member. */
  join(room: string): void;
  /** Be a member no more; a room that is empty is gone. */
  leave(room: string): void;
  /**
   * Emit an event. Resolves with what became of it: `"delivered"` when the client's handler has it
   * (at least once), `"unknown"` when it has left and nobody will tell (at most once), `"not-sent"`
   * when it will not arrive: also at most once, and there is no connection. Waiting for it is
   * back-pressure. Never throws: it rejects. A handler that waits for an event that its own event's
   * sender waits for goes on when `timeoutMs` is over.
   *
   * @throws {HawserError} rejects when it was not taken: EVENT_INVALID, SESSION_CLOSED,
   *   RETENTION_FULL, WRITE_BUFFER_FULL, PAYLOAD_…
   * @throws {TypeError} rejects when the contract has no such event from the server, or its lane
   *   function returns no key; with what that function throws
   */
  emit<N extends EventNames<P, "server">>(
    name: N,
    ...payload: Arguments<EventPayload<P, N, "sent">, EventOptions>
  ): Promise<Outcome>;
  /**
   * Resolves when the events that were emitted to this client so far have left, in order: the
   * client had room for them. What is sent from then on arrives after them, and its handler is
   * called after theirs where those return no promise. (Without this, a request may overtake
   * events.)
   *
   * @throws {HawserError} rejects with SESSION_CLOSED when the session is over before
   */
  eventsFlushed(): Promise<void>;
  /**
   * Ask the client, where the contract lets the server ask.
   *
   * @throws {HawserError} rejects with why there is no answer: NAMED_ERROR, REMOTE_HANDLER_FAILED,
   *   INPUT_INVALID, DEADLINE_EXCEEDED, SESSION_LOST, …
   */
  request<N extends RequestNames<P, "server">>(
    name: N,
    ...input: Arguments<RequestInput<P, N>, OpenOptions>
  ): Promise<RequestOutput<P, N>>;
  /**
   * Open a stream to the client, where the contract lets the server open it.
   *
   * It returns no promise, and throws at once:
   *
   * @throws {HawserError} it was not opened: INPUT_INVALID, NOT_READY, DRAINING, OVERLOADED, …
   */
  stream<N extends StreamNames<P, "server">>(
    name: N,
    ...input: Arguments<StreamInput<P, N>, OpenOptions>
  ): SessionStream<StreamItem<P, N>, StreamSend<P, N>>;
  /**
   * End the session: what was sent before still leaves, calls that are open fail, and the client
   * does not come back. Resolves as `closed`.
   */
  close(message?: string): Promise<Closed>;
  /** Break the connection off; the client may resume the session. */
  abort(): void;
  /** Resolves when the session is over, always, with how. */
  readonly closed: Promise<Closed>;
}

/** Some of a server's sessions, to emit to. */
export interface Audience<P extends Protocol, C = unknown> {
  /** The same, but for these. */
  except(...sockets: readonly SessionSocket<P, C>[]): Audience<P, C>;
  /**
   * Emit an event to each, encoded once. Returns how many took it: a session without a connection
   * takes only what is delivered at least once. One whose buffers are full is closed, and reported
   * as SLOW_CONSUMER.
   *
   * @throws {HawserError} EVENT_INVALID, PAYLOAD_FORBIDDEN: then nobody gets it
   * @throws {TypeError} when the contract has no such event from the server, or its lane function
   *   returns no key; with what that function throws
   */
  emit<N extends EventNames<P, "server">>(
    name: N,
    ...payload: Arguments<EventPayload<P, N, "sent">, EmitOptions>
  ): number;
}

/** The sessions that are in a room now. */
export interface Room<P extends Protocol, C = unknown> {
  readonly name: string;
  readonly size: number;
  readonly sockets: ReadonlySet<SessionSocket<P, C>>;
}

/** A server of one contract, on any number of addresses. */
export interface SessionServer<P extends Protocol, C = unknown> extends AsyncDisposable {
  /**
   * Listen on an address; may be called many times. Resolves with where it listens really, the port
   * chosen for 0 filled in.
   *
   * @throws {TypeError} when the address can't be read, or `tls://` lacks a certificate
   * @throws {HawserError} ADDRESS_IN_USE, PERMISSION_DENIED, PATH_TOO_LONG, PATH_NOT_FOUND, …
   */
  listen(address: AddressInput, options?: ListenCallOptions): Promise<Address>;
  /**
   * Serve a connection that was made elsewhere: one end of a `memoryPair()`, or a transport of
   * one's own.
   */
  accept(connection: Connection): void;
  /** The first address that it listens on, or null. */
  address(): Address | null;
  /** Every address that it listens on. */
  addresses(): readonly Address[];
  /** The sessions, also those whose clients may come back. */
  readonly sockets: ReadonlySet<SessionSocket<P, C>>;
  /** The rooms that have members. */
  readonly rooms: ReadonlySet<string>;
  /** The sessions in a room; none, where there is no such room. */
  room(name: string): Room<P, C>;
  /** The members of a room, or of several, each once. */
  to(...rooms: readonly string[]): Audience<P, C>;
  /** Emit an event to every session: as {@link Audience.emit}. */
  broadcast<N extends EventNames<P, "server">>(
    name: N,
    ...payload: Arguments<EventPayload<P, N, "sent">, EmitOptions>
  ): number;
  /**
   * Stop listening and drain: within `graceMs`, each at an instant of its own, the clients are told
   * to open nothing new; each session closes when nothing of it is open. What is left at the
   * deadline is broken off. Sessions without a connection end at once.
   *
   * Called by a handler before its first `await`, it does not wait for that handler's own session,
   * which closes when the handler has answered; a handler that calls it later must not await it.
   */
  close(options?: CloseOptions): Promise<CloseResult>;
}
