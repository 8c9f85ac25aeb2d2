/**
 * Handlers: what a user's functions are called with, when, and what becomes of their failures. Owns
 * the order of the calls for one connection, and how many run at once. Must not know listeners or
 * other connections.
 *
 * @module
 */
import type { HawserError } from "@hawser/protocol";
import { readHawserError, unknownName, withPeer } from "@hawser/protocol/engine";
import {
  type Closed,
  isThenable,
  programFailed,
  type Reporter,
  runProgram,
  whenSettled,
  type WireSocket,
  type WireSocketEvents,
} from "@hawser/session";

/** One client's socket, as the handlers see it. */
export type ServerSocket<In, Out = In> = Pick<
  WireSocket<In, Out>,
  | "abort"
  | "closed"
  | "end"
  | "flushed"
  | "pendingBytes"
  | "remote"
  | "send"
  | "state"
  | "transport"
  | "waiting"
  | "writable"
>;

/**
 * A server's handlers for its connections. For one connection: `open`, then `message` for each in
 * order, then `close`.
 *
 * A handler may return a promise: `open` holds the messages back until it settles; `maxInFlight`
 * messages run at once (default one), and above that the connection is not read. A handler that
 * throws or rejects ends its own connection: `error` is told, `closed` has the reason `"error"`.
 *
 * An error that ends a connection is told while last words can still be sent: in `error`, and until
 * the promise that it returns has settled (at most `lingerTimeoutMs`), `socket.send()` and
 * `socket.end()` work. An error that the peer causes is told when the messages before it are
 * handled. Not so after SLOW_CONSUMER, whose peer does not read, and when the connection itself is
 * lost.
 */
export interface WireHandlers<In, Out = In> {
  open?(socket: ServerSocket<In, Out>): Promise<void> | void;
  message?(message: In, socket: ServerSocket<In, Out>): Promise<void> | void;
  /** The connection is gone and its messages are handled. */
  close?(socket: ServerSocket<In, Out>, closed: Closed): Promise<void> | void;
  /**
   * Is told what went wrong: on a connection (then its socket is given), or before there was one;
   * `error.peer` says whose. Without it, the first failure of each code is a process warning, but
   * for what the network does; so is what this throws or rejects with.
   */
  error?(error: HawserError, socket?: ServerSocket<In, Out>): Promise<void> | void;
}

/** What the dispatchers of one server share. */
export interface Dispatch<In, Out> {
  readonly handlers: WireHandlers<In, Out>;
  readonly maxInFlight: number;
  readonly reporter: Reporter;
  /** Whose message handler is being called, in its first turn: what `close()` does not wait for. */
  handling: WireSocket<In, Out> | null;
  /** The socket is gone; messages of it may still be handled. */
  readonly onClosed: (socket: WireSocket<In, Out>) => void;
}

/** Calls the handlers for one connection. */
export class Dispatcher<In, Out> implements WireSocketEvents<In> {
  readonly #shared: Dispatch<In, Out>;
  #socket: WireSocket<In, Out> | null = null;
  #inFlight = 0;
  /** What is waited for: "open" its handler, "flow" nothing, "finish" the last messages. */
  #phase: "finish" | "flow" | "open" = "open";
  #closed: Closed | null = null;
  /**
   * What the peer caused while messages from before it are being handled, and how to say that it
   * was told.
   */
  #failure: {
    readonly error: HawserError;
    readonly told: (reported: PromiseLike<undefined> | undefined) => void;
  } | null = null;

  constructor(shared: Dispatch<In, Out>) {
    this.#shared = shared;
  }

  /** Begin with `socket`. */
  start(socket: WireSocket<In, Out>): void {
    this.#socket = socket;
    socket.hold();
    socket.open();
    this.#run(
      "open",
      () => this.#shared.handlers.open?.(socket),
      () => {
        if (this.#phase === "open") this.#phase = "flow";
        socket.release();
        this.#finishWhenHandled();
      },
    );
  }

  message(message: In): void {
    const socket = this.#socket as WireSocket<In, Out>; // set before the first event
    const shared = this.#shared;
    const before = shared.handling;
    shared.handling = socket;
    let result: unknown;
    try {
      result = shared.handlers.message?.(message, socket);
    } catch (cause) {
      this.#handlerFailed("message", cause);
      return;
    } finally {
      shared.handling = before;
    }
    if (result !== undefined) this.#wait(result, socket);
  }

  /** A message's handler is at work: wait for it, unless the options let others begin beside it. */
  #wait(result: unknown, socket: WireSocket<In, Out>): void {
    if (!isThenable(result)) return;
    if (++this.#inFlight >= this.#shared.maxInFlight) socket.hold();
    whenSettled(
      result,
      () => {
        this.#settled();
      },
      (cause) => {
        this.#handlerFailed("message", cause);
        this.#settled();
      },
    );
  }

  finished(): void {
    this.#phase = "finish";
    this.#finishWhenHandled();
  }

  failed(error: HawserError): Promise<undefined> | undefined {
    if (error.scope !== "connection" || error.origin === "local" || this.#inFlight === 0)
      return this.report(error);
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#failure = { error, told: resolve };
    return promise;
  }

  writable(): void {
    // A handler waits with socket.writable().
  }

  closed(closed: Closed): void {
    this.#closed = closed;
    this.#tellFailure();
    if (this.#socket !== null) this.#shared.onClosed(this.#socket);
    if (closed.error !== null && closed.error.origin === "transport")
      void this.report(closed.error);
    this.#closeWhenHandled();
  }

  /**
   * Tells the `error` handler, if there is one; returns its promise, if it made one, which never
   * rejects.
   */
  report(error: HawserError): Promise<undefined> | undefined {
    const { handlers, reporter } = this.#shared;
    const socket = this.#socket ?? undefined;
    if (socket !== undefined) withPeer(error, socket);
    return reporter.report(
      error,
      hasErrorHandler(handlers) ? () => handlers.error?.(error, socket) : null,
    );
  }

  #tellFailure(): void {
    const failure = this.#failure;
    if (failure === null || (this.#inFlight > 0 && this.#closed === null)) return;
    this.#failure = null;
    failure.told(this.report(failure.error));
  }

  #settled(): void {
    this.#inFlight--;
    const socket = this.#socket as WireSocket<In, Out>; // set before the first event
    if (this.#inFlight < this.#shared.maxInFlight) socket.release();
    this.#tellFailure();
    this.#finishWhenHandled();
    this.#closeWhenHandled();
  }

  #finishWhenHandled(): void {
    if (this.#phase === "finish" && this.#inFlight === 0) this.#socket?.finish();
  }

  #closeWhenHandled(): void {
    const closed = this.#closed;
    const socket = this.#socket;
    if (closed === null || socket === null || this.#inFlight > 0 || socket.waiting > 0) return;
    this.#closed = null;
    this.#run(
      "close",
      () => this.#shared.handlers.close?.(socket, closed),
      () => undefined,
    );
  }

  /** Call a handler that is not for messages; `then` runs when it has settled well. */
  #run(name: "close" | "open", handler: () => Promise<void> | void, then: () => void): void {
    this.#inFlight++;
    runProgram(
      handler,
      () => {
        this.#inFlight--;
        then();
        this.#tellFailure();
        this.#closeWhenHandled();
      },
      (cause) => {
        this.#inFlight--;
        this.#handlerFailed(name, cause);
        this.#closeWhenHandled();
      },
    );
  }

  #handlerFailed(name: string, cause: unknown): void {
    const socket = this.#socket as WireSocket<In, Out>; // set before the first handler runs
    // Sending to a peer that has gone meanwhile is not the handler's fault, and `closed` tells it.
    if (socket.state === "closed" && readHawserError(cause)?.code === "CONNECTION_CLOSED") return;
    const error = programFailed(
      `Cannot go on with ${socket.remote}: its ${name} handler`,
      cause,
      "connection",
    );
    if (!socket.fail(error)) void this.report(error);
  }
}

/**
 * True if there is an `error` handler; one that can't be read counts, and fails when it is called.
 */
export function hasErrorHandler(handlers: { readonly error?: unknown }): boolean {
  try {
    return handlers.error !== undefined;
  } catch {
    return true;
  }
}

const names: readonly string[] = ["open", "message", "close", "error"];

/**
 * Checks the handlers of a wire. Those of a class may have members of their own.
 *
 * @throws {TypeError} when they are no object, one is no function, or there is one that a wire does
 *   not call
 */
export function checkHandlers(handlers: unknown): void {
  if (typeof handlers !== "object" || handlers === null)
    throw new TypeError(
      "Cannot serve a wire with handlers of type " +
        `${handlers === null ? "null" : typeof handlers}: use an object, { message(message, ` +
        "socket) { … } }",
    );
  for (const name of names) {
    const handler: unknown = Reflect.get(handlers, name);
    if (handler !== undefined && typeof handler !== "function")
      throw new TypeError(
        `Cannot use the handler ${JSON.stringify(name)} of type ` +
          `${handler === null ? "null" : typeof handler}: it is a function`,
      );
  }
  if (Object.getPrototypeOf(handlers) !== Object.prototype) return;
  for (const name of Object.keys(handlers))
    if (!names.includes(name)) throw unknownName("The server of a wire", "handler", name, names);
}
