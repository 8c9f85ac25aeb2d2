/**
 * Socket: a client's end of a conversation, read with `for await` or with `on("message")`. Owns how
 * messages reach the one who reads. Must not know how the connection was made, nor what is on the
 * wire.
 *
 * @module
 */
import { HawserError, type Wire } from "@hawser/protocol";
import { unknownName, withPeer } from "@hawser/protocol/engine";
import {
  type Closed,
  programFailed,
  Reporter,
  WireSocket,
  type WireSocketOptions,
} from "@hawser/session";
import { type Connection, laterTurn } from "@hawser/transport";
import { type Added, Listeners } from "../contract/listeners.ts";

/** The events of a socket, with what a listener is called with. */
export interface SocketEvents<In> {
  /** A message came. While there is a listener, messages flow to it and can't be iterated. */
  message: [message: In];
  /**
   * A frame was passed over (`onOversize: "skip"`), the connection fails, which `closed` tells too,
   * or a listener has thrown or rejected (HANDLER_FAILED; the socket goes on). Where the peer's
   * bytes or a timeout are why, `send()` and `end()` still work, in the listener and until this
   * turn of the event loop ends. Without a listener, the first failure of another listener is a
   * process warning.
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

type Listener<In, Name extends keyof SocketEvents<In>> = (
  ...values: SocketEvents<In>[Name]
) => unknown;

const events: readonly string[] = ["message", "error", "writable", "close"];

/** A call of `next()` that waits for a message. */
interface Puller<In> {
  /** The iterator that it is of. */
  readonly iterator: object;
  resolve(result: IteratorResult<In, undefined>): void;
  reject(error: unknown): void;
}

/**
 * A client's end of a conversation.
 *
 * Messages wait until they are taken: by a `for await` loop, which pulls one at a time, or by a
 * `"message"` listener, to which they flow. Nobody taking means that reading stops, and the peer's
 * writing with it.
 */
export class Socket<In, Out = In> implements AsyncIterable<In, undefined>, AsyncDisposable {
  readonly #socket: WireSocket<In, Out>;
  readonly #listeners = new Listeners();
  /** The listeners of "message", looked at for each; null: messages are iterated, or wait. */
  #takers: readonly Added[] | null = null;
  /** Made when a listener fails. */
  #reporter: Reporter | null = null;
  /** Calls of `next()` that wait for a message. */
  #pullers: Puller<In>[] = [];
  /** The end of the messages, once the last is taken: an error is thrown once. */
  #end: { readonly error: HawserError | null } | null = null;
  #closed: Closed | null = null;
  /** True if this program ended the conversation. */
  #endedHere: "no" | "yes" = "no";

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
        this.#emit("error", withPeer(error, connection));
        // The loop that reads gets the error in this turn, and may send last words as a listener
        // may.
        return error.scope === "connection" ? nextTurn() : undefined;
      },
      writable: () => {
        this.#emit("writable");
      },
      closed: (closed) => {
        options.ticker.delete(this.#socket);
        this.#closed = closed;
        if (closed.error?.origin === "transport")
          this.#emit("error", withPeer(closed.error, connection));
        this.#finishIfGone();
        this.#emit("close", closed);
      },
    });
    options.ticker.add(this.#socket);
    this.#socket.hold();
    this.#socket.open();
  }

  /**
   * Resolves when the connection is gone, always, with how it ended. While messages wait that
   * nobody takes, the peer's end is not seen.
   */
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
   * `"open"`: both ways; `"ending"`: this end has ended; `"failing"`: an error ends it, and last
   * words can be sent in this turn of the event loop; `"lingering"`: the conversation is over, the
   * peer has not closed yet.
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
   * Returns whether there is room for more: false above `writeBuffer.highBytes`; the message is
   * taken all the same, `await writable()` before the next. The message's bytes are copied: it may
   * be changed at once. When the conversation has ended by the peer or by an error, the message is
   * dropped, and the answer is false.
   *
   * @throws {HawserError} PAYLOAD_FORBIDDEN, PAYLOAD_IS_SENTINEL or PAYLOAD_TOO_LARGE: the message
   *   is not sent, the connection goes on
   * @throws {HawserError} WRITE_BUFFER_FULL when `writeBuffer.maxBytes` wait already
   * @throws {HawserError} CONNECTION_CLOSED after `end()` or `abort()`
   */
  send(message: Out): boolean {
    return this.#socket.send(message) || this.#refused();
  }

  /**
   * Say that nothing more is sent: the sentinel, if the wire has one, and then the end of this
   * direction. Reading goes on.
   */
  end(): void {
    this.#leave();
    this.#socket.end();
  }

  /** Give up at once, in both directions; what has not left, and what was not taken, is lost. */
  abort(error: HawserError | null = null): void {
    this.#leave();
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
   * Call `listener` at each event, in the order in which they were added. What it throws, or
   * rejects with, is told to the listeners of `"error"`; the socket goes on with the next message.
   *
   * @throws {TypeError} when there is no such event, or the listener is no function; for
   *   `"message"` while the messages are being iterated
   */
  on<Name extends keyof SocketEvents<In>>(event: Name, listener: Listener<In, Name>): this {
    this.#check(event);
    this.#listeners.on(event, listener);
    if (event === "message") this.#take();
    return this;
  }

  /**
   * Call `listener` at the next such event.
   *
   * @throws {TypeError} as `on`
   */
  once<Name extends keyof SocketEvents<In>>(event: Name, listener: Listener<In, Name>): this {
    this.#check(event);
    this.#listeners.once(event, listener);
    if (event === "message") this.#take();
    return this;
  }

  /**
   * Call `listener` no more, also one that was added with `once`; of several equal ones, the last.
   * Without a `"message"` listener, messages wait again.
   *
   * @throws {TypeError} when there is no such event, or the listener is no function
   */
  off<Name extends keyof SocketEvents<In>>(event: Name, listener: Listener<In, Name>): this {
    checkEvent(event);
    this.#listeners.off(event, listener);
    if (event === "message") this.#take();
    return this;
  }

  /**
   * The messages, one at a time: a loop that does not pull stops the reading. The loop ends at the
   * peer's sentinel or end, and after `abort()`; it throws the error when the conversation ends in
   * one, after the messages before it. Leaving the loop early does not close the socket: another
   * loop goes on with the next message. `return()` settles what this iterator waits for.
   *
   * @throws {TypeError} while there is a `"message"` listener
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<In, undefined> {
    let state: "left" | "open" = "open";
    const iterator: AsyncIterableIterator<In, undefined> = {
      next: () =>
        state === "open" ? this.#next(iterator) : Promise.resolve({ done: true, value: undefined }),
      return: () => {
        state = "left";
        this.#abandon(iterator);
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /**
   * End this direction, drop what comes, and wait until the connection is gone: at most
   * `lingerTimeoutMs` after the peer has ended.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
    this.#socket.leave();
    await this.closed;
  }

  /** This program ends it, and not the peer. */
  #leave(): void {
    if (this.#socket.state === "open") this.#endedHere = "yes";
  }

  /**
   * Why `send()` says no: there is no room for more, the conversation is over, or this program had
   * ended it.
   */
  #refused(): false {
    if (this.#endedHere === "no" || this.#socket.state === "open") return false;
    const { state, remote } = this.#socket;
    throw new HawserError(
      "CONNECTION_CLOSED",
      `Cannot send on the socket to ${remote}: ` +
        (state === "closed" ? "the connection is closed" : "this end has ended"),
    );
  }

  #check(event: keyof SocketEvents<In>): void {
    checkEvent(event);
    if (event === "message" && this.#pullers.length > 0)
      throw new TypeError(
        "Cannot listen to messages while they are iterated: choose one of the two",
      );
  }

  #next(iterator: object): Promise<IteratorResult<In, undefined>> {
    if (this.#takers !== null)
      return Promise.reject(
        new TypeError(
          "Cannot iterate the messages while a listener takes them: choose one of the two",
        ),
      );
    if (this.#end === null) {
      const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<In, undefined>>();
      this.#pullers.push({ iterator, resolve, reject });
      if (this.#pullers.length === 1) this.#pull();
      return promise;
    }
    const { error } = this.#end;
    this.#end = { error: null };
    return error === null
      ? Promise.resolve({ done: true, value: undefined })
      : Promise.reject(error);
  }

  /** An iterator is left: what it waits for is over, and takes no message from the next one. */
  #abandon(iterator: object): void {
    const left = this.#pullers.filter((puller) => puller.iterator === iterator);
    if (left.length === 0) return;
    this.#pullers = this.#pullers.filter((puller) => puller.iterator !== iterator);
    this.#holdUntaken();
    for (const puller of left) puller.resolve({ done: true, value: undefined });
  }

  /** The listeners of "message" have changed: messages flow to them, or wait. */
  #take(): void {
    this.#takers = this.#listeners.list("message");
    if (this.#takers !== null) this.#socket.release();
    else this.#holdUntaken();
  }

  /** Nobody takes messages: they wait. */
  #holdUntaken(): void {
    if (this.#pullers.length === 0 && this.#takers === null) this.#socket.hold();
  }

  /** Let one message through, if one waits; otherwise the next that comes. */
  #pull(): void {
    this.#socket.release();
    this.#finishIfGone();
  }

  #message(message: In): void {
    const takers = this.#takers;
    if (takers !== null) {
      for (const taker of takers) this.#give(taker, message);
      return;
    }
    this.#pullers.shift()?.resolve({ done: false, value: message });
    this.#holdUntaken();
  }

  #give(taker: Added, message: In): void {
    if (taker.once !== "no") {
      this.#listeners.tellOne("message", taker, [message], this.#failed);
      this.#takers = this.#listeners.list("message");
      this.#holdUntaken();
      return;
    }
    let result: unknown;
    try {
      result = taker.listener(message);
    } catch (cause) {
      this.#failed(cause, "message");
      return;
    }
    if (result !== undefined) this.#listeners.await("message", result, this.#failed);
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
    this.#listeners.tell(event, values, this.#failed);
  }

  /**
   * A listener has failed: those of `"error"` are told, and where there are none, the process is
   * warned.
   */
  readonly #failed = (cause: unknown, event: string): void => {
    this.#reporter ??= new Reporter("a client's socket");
    const error = withPeer(
      programFailed(`A listener of "${event}" of the socket to ${this.remote}`, cause),
      this,
    );
    if (event === "error" || !this.#listeners.has("error")) void this.#reporter.report(error, null);
    else this.#emit("error", error);
  };
}

function checkEvent(event: string): void {
  if (!events.includes(event)) throw unknownName("A socket", "event", event, events);
}
