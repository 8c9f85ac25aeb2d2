/**
 * Socket: a client's end of a conversation, read with `for await` or with `on("message")`.
 * Owns how messages reach the one who reads. Must not know how the connection was made, nor what is on the wire.
 *
 * @module
 */
import type { HawserError, Wire } from "@hawser/protocol";
import { type Closed, type Connection, laterTurn, WireSocket, type WireSocketOptions } from "@hawser/transport";

/** The events of a socket, with what a listener is called with. */
export interface SocketEvents<In> {
  /** A message came. While there is a listener, messages flow to it and can't be iterated. */
  message: [message: In];
  /**
   * A frame was passed over (`onOversize: "skip"`), or the connection fails; `closed` tells the latter too. Where the peer's bytes or a
   * timeout are why, `send()` and `end()` still work, in the listener and until this turn of the event loop ends.
   */
  error: [error: HawserError];
  /** `send()` would say true again. */
  writable: [];
  /** The connection is gone. */
  close: [closed: Closed];
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    laterTurn(resolve);
  });
}

type Listener<In, Name extends keyof SocketEvents<In>> = (...values: SocketEvents<In>[Name]) => void;

interface Puller<In> {
  resolve(result: IteratorResult<In, undefined>): void;
  reject(error: unknown): void;
}

/**
 * A client's end of a conversation.
 *
 * Messages wait until they are taken: by a `for await` loop, which pulls one at a time, or by a `"message"` listener, to
 * which they flow. Nobody taking means that reading stops, and the peer's writing with it.
 */
export class Socket<In, Out = In> implements AsyncIterable<In, undefined>, AsyncDisposable {
  readonly #socket: WireSocket<In, Out>;
  readonly #listeners: { [Name in keyof SocketEvents<In>]: Set<Listener<In, Name>> } = {
    message: new Set(),
    error: new Set(),
    writable: new Set(),
    close: new Set(),
  };
  /** Calls of `next()` that wait for a message. */
  readonly #pullers: Puller<In>[] = [];
  /** How the messages ended, once the last is taken: an error is thrown once. */
  #end: { readonly error: HawserError | null } | null = null;
  #closed: Closed | null = null;

  constructor(wire: Wire<In, Out>, connection: Connection, options: WireSocketOptions) {
    this.#socket = new WireSocket(wire, connection, options, {
      message: (message) => {
        this.#message(message);
      },
      finished: () => {
        this.#finish(null);
        this.#socket.finish();
      },
      failed: (error) => {
        if (error.scope === "connection") this.#finish(error);
        this.#emit("error", error);
        // The loop that reads gets the error in this turn, and may send last words as a listener may.
        return error.scope === "connection" ? nextTurn() : undefined;
      },
      writable: () => {
        this.#emit("writable");
      },
      closed: (closed) => {
        options.ticker.delete(this.#socket);
        this.#closed = closed;
        if (closed.error?.origin === "transport") this.#emit("error", closed.error);
        this.#finishIfGone();
        this.#emit("close", closed);
      },
    });
    options.ticker.add(this.#socket);
    this.#socket.hold();
    this.#socket.open();
  }

  /** Resolves when the connection is gone, always, with how it ended. While messages wait that nobody takes, the peer's end is not seen. */
  get closed(): Promise<Closed> {
    return this.#socket.closed;
  }

  /** The peer, for people: `127.0.0.1:1234`, `unix:/run/desk.sock`. */
  get remote(): string {
    return this.#socket.remote;
  }

  get transport(): Connection["transport"] {
    return this.#socket.transport;
  }

  /**
   * `"open"`: both ways; `"ending"`: this end has ended; `"failing"`: an error ends it, and last words can be sent in this turn of the event
   * loop; `"lingering"`: the conversation is over, the peer has not closed yet.
   */
  get state(): WireSocket<In, Out>["state"] {
    return this.#socket.state;
  }

  /** Bytes that are not yet the operating system's. */
  get pendingBytes(): number {
    return this.#socket.pendingBytes;
  }

  /**
   * Send a message: it leaves with everything else that this turn sends, in one write.
   *
   * Returns whether there is room for more: false above `writeBuffer.highBytes`; the message is taken all the same,
   * `await writable()` before the next. The message's bytes are copied: it may be changed at once.
   *
   * @throws {HawserError} PAYLOAD_FORBIDDEN, PAYLOAD_IS_SENTINEL or PAYLOAD_TOO_LARGE: the message is not sent, the connection goes on
   * @throws {HawserError} WRITE_BUFFER_FULL when `writeBuffer.maxBytes` wait already
   * @throws {HawserError} CONNECTION_CLOSED after `end()`, or when the connection is gone
   */
  send(message: Out): boolean {
    return this.#socket.send(message);
  }

  /** Say that nothing more is sent: the sentinel, if the wire has one, and then the end of this direction. Reading goes on. */
  end(): void {
    this.#socket.end();
  }

  /** Give up at once, in both directions; what has not left, and what was not taken, is lost. */
  abort(error: HawserError | null = null): void {
    this.#socket.abort(error);
  }

  /**
   * Resolves when `send()` would say true.
   *
   * @throws {HawserError} CONNECTION_CLOSED when the connection is gone
   */
  writable(): Promise<void> {
    return this.#socket.writable();
  }

  /**
   * Resolves when everything sent so far is the operating system's.
   *
   * @throws {HawserError} CONNECTION_CLOSED when the connection is gone
   */
  flushed(): Promise<void> {
    return this.#socket.flushed();
  }

  /**
   * Call `listener` at each event. What it throws goes to whoever caused the event, as in any emitter.
   *
   * @throws {TypeError} for `"message"` while the messages are being iterated
   */
  on<Name extends keyof SocketEvents<In>>(event: Name, listener: Listener<In, Name>): this {
    if (event === "message" && this.#pullers.length > 0) throw new TypeError("Cannot listen to messages while they are iterated: choose one of the two");
    this.#listeners[event].add(listener);
    if (event === "message") this.#socket.release();
    return this;
  }

  /** Call `listener` at the next such event. */
  once<Name extends keyof SocketEvents<In>>(event: Name, listener: Listener<In, Name>): this {
    const wrapped: Listener<In, Name> = (...values) => {
      this.off(event, wrapped);
      listener(...values);
    };
    return this.on(event, wrapped);
  }

  /** Call `listener` no more. Without a `"message"` listener, messages wait again. */
  off<Name extends keyof SocketEvents<In>>(event: Name, listener: Listener<In, Name>): this {
    this.#listeners[event].delete(listener);
    if (event === "message" && this.#listeners.message.size === 0) this.#socket.hold();
    return this;
  }

  /**
   * The messages, one at a time: a loop that does not pull stops the reading. The loop ends at the peer's sentinel or end,
   * and after `abort()`; it throws the error when the conversation ends in one, after the messages before it.
   * Leaving the loop early does not close the socket: another loop goes on with the next message.
   *
   * @throws {TypeError} while there is a `"message"` listener
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<In, undefined> {
    const iterator: AsyncIterableIterator<In, undefined> = {
      next: () => this.#next(),
      return: () => Promise.resolve({ done: true, value: undefined }),
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** End this direction, drop what comes, and wait until the connection is gone: at most `lingerTimeoutMs` after the peer has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.end();
    this.#socket.leave();
    await this.closed;
  }

  #next(): Promise<IteratorResult<In, undefined>> {
    if (this.#listeners.message.size > 0) return Promise.reject(new TypeError("Cannot iterate the messages while a listener takes them: choose one of the two"));
    if (this.#end === null) {
      const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<In, undefined>>();
      this.#pullers.push({ resolve, reject });
      if (this.#pullers.length === 1) this.#pull();
      return promise;
    }
    const { error } = this.#end;
    this.#end = { error: null };
    return error === null ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
  }

  /** Let one message through, if one waits; otherwise the next that comes. */
  #pull(): void {
    this.#socket.release();
    this.#finishIfGone();
  }

  #message(message: In): void {
    if (this.#listeners.message.size > 0) {
      this.#emit("message", message);
      return;
    }
    this.#pullers.shift()?.resolve({ done: false, value: message });
    if (this.#pullers.length === 0) this.#socket.hold();
  }

  /** The connection is gone and every message is taken. */
  #finishIfGone(): void {
    if (this.#closed !== null && this.#socket.waiting === 0) this.#finish(this.#closed.error);
  }

  #finish(error: HawserError | null): void {
    if (this.#end !== null) return;
    const [first, ...rest] = this.#pullers.splice(0);
    this.#end = { error: first === undefined ? error : null };
    if (error === null) first?.resolve({ done: true, value: undefined });
    else first?.reject(error);
    for (const puller of rest) puller.resolve({ done: true, value: undefined });
  }

  #emit<Name extends keyof SocketEvents<In>>(event: Name, ...values: SocketEvents<In>[Name]): void {
    for (const listener of this.#listeners[event]) listener(...values);
  }
}
