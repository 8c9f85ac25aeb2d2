/**
 * Handlers: what a user's functions are called with, when, and what becomes of their failures.
 * Owns the order of the calls for one connection, and how many run at once. Must not know listeners or other connections.
 *
 * @module
 */
import { HawserError, isHawserError } from "@hawser/protocol";
import type { Closed, WireSocket, WireSocketEvents } from "@hawser/transport";

/** One client's socket, as the handlers see it. */
export type ServerSocket<In, Out = In> = Pick<
  WireSocket<In, Out>,
  "abort" | "closed" | "end" | "flushed" | "pendingBytes" | "remote" | "send" | "state" | "transport" | "waiting" | "writable"
>;

/**
 * What a server does with its connections. For one connection: `open`, then `message` for each in order, then `close`.
 *
 * A handler may return a promise: `open` holds the messages back until it settles; `maxInFlight` messages run at once
 * (default one), and above that the connection is not read. A handler that throws or rejects ends its own connection:
 * `error` is told, `closed` has the reason `"error"`.
 *
 * An error that ends a connection is told while last words can still be sent: in `error`, and until the promise that it returns has
 * settled (at most `lingerTimeoutMs`), `socket.send()` and `socket.end()` work. An error that the peer causes is told when the
 * messages before it are handled. Not so after SLOW_CONSUMER, whose peer does not read, and when the connection itself is lost.
 */
export interface WireHandlers<In, Out = In> {
  open?(socket: ServerSocket<In, Out>): Promise<void> | void;
  message?(message: In, socket: ServerSocket<In, Out>): Promise<void> | void;
  /** The connection is gone and its messages are handled. */
  close?(socket: ServerSocket<In, Out>, closed: Closed): Promise<void> | void;
  /** What went wrong: on a connection (then its socket is given), or before there was one. What this throws is ignored: there is nobody left to tell. */
  error?(error: HawserError, socket?: ServerSocket<In, Out>): Promise<void> | void;
}

/** What the dispatchers of one server share. */
export interface Dispatch<In, Out> {
  readonly handlers: WireHandlers<In, Out>;
  readonly maxInFlight: number;
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
  /** What the peer caused while messages from before it are being handled, and how to say that it was told. */
  #failure: { readonly error: HawserError; readonly told: (reported: PromiseLike<undefined> | undefined) => void } | null = null;

  constructor(shared: Dispatch<In, Out>) {
    this.#shared = shared;
  }

  /** Begin with `socket`. */
  start(socket: WireSocket<In, Out>): void {
    this.#socket = socket;
    socket.hold();
    socket.open();
    this.#run("open", () => this.#shared.handlers.open?.(socket), () => {
      if (this.#phase === "open") this.#phase = "flow";
      socket.release();
      this.#finishWhenHandled();
    });
  }

  message(message: In): void {
    const socket = this.#socket as WireSocket<In, Out>; // set before the first event
    let result: Promise<void> | undefined;
    try {
      result = this.#shared.handlers.message?.(message, socket) as Promise<void> | undefined; // void is undefined
    } catch (cause) {
      this.#handlerFailed("message", cause);
      return;
    }
    if (result !== undefined) this.#wait(result, socket);
  }

  /** A message's handler is at work: wait for it, unless the options let others begin beside it. */
  #wait(result: Promise<void>, socket: WireSocket<In, Out>): void {
    if (typeof result.then !== "function") return;
    if (++this.#inFlight >= this.#shared.maxInFlight) socket.hold();
    result.then(
      () => {
        this.#settled();
      },
      (cause: unknown) => {
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
    if (error.scope !== "connection" || error.origin === "local" || this.#inFlight === 0) return this.report(error);
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
    if (closed.error !== null && closed.error.origin === "transport") void this.report(closed.error);
    this.#closeWhenHandled();
  }

  /** Tell the `error` handler, whose own failure nobody could be told; returns its promise, if it made one, which never rejects. */
  report(error: HawserError): Promise<undefined> | undefined {
    try {
      const result = this.#shared.handlers.error?.(error, this.#socket ?? undefined) as Promise<void> | undefined; // void is undefined
      return typeof result?.then === "function" ? result.then(() => undefined, () => undefined) : undefined;
    } catch {
      return undefined; // Documented at WireHandlers.error.
    }
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
    this.#run("close", () => this.#shared.handlers.close?.(socket, closed), () => undefined);
  }

  /** Call a handler that is not for messages; `then` runs when it has settled well. */
  #run(name: "close" | "open", handler: () => Promise<void> | void, then: () => void): void {
    let result: Promise<void> | undefined;
    try {
      result = handler() as Promise<void> | undefined; // void is undefined
    } catch (cause) {
      this.#handlerFailed(name, cause);
      return;
    }
    if (result === undefined || typeof result.then !== "function") {
      then();
      return;
    }
    this.#inFlight++;
    result.then(
      () => {
        this.#inFlight--;
        then();
        this.#tellFailure();
        this.#closeWhenHandled();
      },
      (cause: unknown) => {
        this.#inFlight--;
        this.#handlerFailed(name, cause);
        this.#closeWhenHandled();
      },
    );
  }

  #handlerFailed(name: string, cause: unknown): void {
    const socket = this.#socket as WireSocket<In, Out>; // set before the first handler runs
    // Sending to a peer that has gone meanwhile is not the handler's fault, and `closed` tells it.
    if (socket.state === "closed" && isHawserError(cause) && cause.code === "CONNECTION_CLOSED") return;
    const text = cause instanceof Error ? cause.message : String(cause);
    const error = new HawserError("HANDLER_FAILED", `Cannot go on with ${socket.remote}: its ${name} handler failed: ${text.slice(0, 160)}`, { cause });
    if (!socket.fail(error)) void this.report(error);
  }
}
