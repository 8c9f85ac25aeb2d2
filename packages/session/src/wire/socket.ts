/**
 * WireSocket: a wire on a connection. What both a server's and a client's sockets are made of.
 * Owns the loop between the two: decode what comes, write what is sent, end, linger, time out.
 * Must not know who its events are for, nor what the pipe is made of.
 *
 *     state      input                          output
 *     open       delivered                      messages
 *     ending     delivered                      ended
 *     failing    read and dropped: an error     last words: `failed` settles, or lingerTimeoutMs
 *     lingering  read and dropped: over         ended; the peer's end, or lingerTimeoutMs, closes
 *     closed     -                              -
 *
 * @module
 */
import { HawserError, type Wire } from "@hawser/protocol";
import { type Finish, WireDecoder, WireEncoder, type WireSink } from "@hawser/protocol/engine";
import {
  type Connection,
  type ConnectionLimits,
  type ConnectionSink,
  type Output,
  type SharedOutput,
  shifted,
  type Ticker,
  type Ticking,
  writeBufferTable,
} from "@hawser/transport";
import { programFailed } from "../program.ts";

/**
 * The end of a conversation: by the sentinel of either end, by the peer's end without one, by this
 * end's `close()` (sessions alone) or `abort()`, or by an error.
 */
export interface Closed {
  readonly reason: "aborted" | "closed" | "ended" | "error" | "sentinel";
  /**
   * The error of reason `"error"`, and what `abort()` was given for `"aborted"`; otherwise null.
   */
  readonly error: HawserError | null;
}

/** Callbacks of a socket for its one owner, in this order: messages, finished, closed. */
export interface WireSocketEvents<In> {
  message(message: In): void;
  /** Everything that the peer sent is delivered, and it will send no more. */
  finished(how: Finish): void;
  /**
   * The peer's bytes are wrong, or it broke a limit, or the owner called `fail`. Of scope
   * `"connection"`: no message comes any more, and the socket can still send; it closes when this
   * returns or, if it returns a promise, when that settles, at most `lingerTimeoutMs` later. After
   * SLOW_CONSUMER nothing can be sent.
   */
  failed(error: HawserError): Promise<unknown> | undefined;
  /** Output fell to `lowBytes` after `send()` had said false. */
  writable(): void;
  closed(closed: Closed): void;
}

/** Options of a socket. */
export interface WireSocketOptions<Out = never> {
  readonly limits: ConnectionLimits;
  readonly ticker: Ticker;
  /**
   * What happens to a message above `writeBuffer.maxBytes`: the sender is told, or the connection
   * closed.
   */
  readonly onFull: "close" | "throw";
  /**
   * An encoder that sockets share: for a wire without a suffix, whose encoder would remember what
   * each has sent.
   */
  readonly encoder?: WireEncoder<Out> | undefined;
}

/**
 * A conversation over one connection.
 *
 * Its owner opens it, calls `tick` with the time, and is told what happens by its events. The
 * methods of the three interfaces that it implements are for the connection, the decoder and the
 * ticker alone; it has them itself, rather than objects for each, so that ten thousand idle
 * connections are small.
 */
export class WireSocket<In, Out> implements ConnectionSink, WireSink<In>, Ticking {
  readonly #connection: Connection;
  readonly #events: WireSocketEvents<In>;
  readonly #decoder: WireDecoder<In>;
  readonly #encoder: WireEncoder<Out>;
  /**
   * Its owner's, which its sockets share: each field of its own costs an idle connection eight
   * bytes.
   */
  readonly #options: WireSocketOptions<Out>;
  #state: "closed" | "ending" | "failing" | "lingering" | "open" = "open";
  /** Its end, once that is known. */
  #outcome: Closed | null = null;
  #paused = false;
  /**
   * True if a later turn is waited for, to deliver what waits since the budget of one was spent.
   */
  #waitsTurn = false;
  /**
   * Set when the connection is gone while messages wait for their turn: it is told when they are
   * delivered.
   */
  #lost: { readonly error: HawserError | null } | null = null;
  /** True if this end gave up, and what had not left is lost. */
  #isBroken = false;
  /** Made when somebody asks for `closed`. */
  #closed: PromiseWithResolvers<Closed> | null = null;
  #waiters: Waiter[] | null = null;
  /** True if `send()` has said false since the output was last low. */
  #isHigh = false;
  /** Looked at for each message, and so not read from the options. */
  readonly #highBytes: number;
  /**
   * True if `maxBytes` may wait, and what waits is counted for each message: send() has said false,
   * or `maxBytes` is no more than `highBytes`.
   */
  #counts: boolean;
  // Times of the ticker, for tick(). Null where there is none: a field that begins with Infinity
  // keeps a number's own storage.
  #heardMs: number;
  #progressMs: number;
  /**
   * When bytes last left, and the connection's `progress` at the last tick: a peer that reads what
   * is sent to it is alive.
   */
  #sentMs: number;
  #progress = 0;
  #partialMs: number | null = null;
  #lingerMs: number | null = null;
  /** Since when the peer has had what it needs to end, too; null: this end has not ended. */
  #endedMs: number | null = null;

  constructor(
    wire: Wire<In, Out>,
    connection: Connection,
    options: WireSocketOptions<Out>,
    events: WireSocketEvents<In>,
  ) {
    this.#connection = connection;
    this.#events = events;
    this.#options = options;
    this.#decoder = new WireDecoder<In>(wire, options.limits.frame, this, options.ticker.budget);
    this.#encoder = options.encoder ?? new WireEncoder<Out>(wire, options.limits.frame);
    this.#heardMs = this.#progressMs = this.#sentMs = options.ticker.now;
    this.#highBytes = options.limits.writeBuffer.highBytes;
    this.#counts = this.#alwaysCounts();
  }

  /** Begin to read. Called once, by the owner, when it is ready for events. */
  open(): void {
    this.#connection.open(this);
  }

  /**
   * Resolves when the connection is gone, always, with how it ended. While messages wait that
   * nobody takes, the peer's end is not seen.
   */
  get closed(): Promise<Closed> {
    if (this.#closed === null) {
      this.#closed = Promise.withResolvers<Closed>();
      if (this.#state === "closed" && this.#outcome !== null) this.#closed.resolve(this.#outcome);
    }
    return this.#closed.promise;
  }

  /** The peer, for people: `127.0.0.1:52122`, `unix:/run/desk.sock#3`. */
  get remote(): string {
    return this.#connection.remote;
  }

  get transport(): Connection["transport"] {
    return this.#connection.transport;
  }

  /**
   * `"open"`: both ways; `"ending"`: this end has ended; `"failing"`: an error ends it, and last
   * words can be sent; `"lingering"`: the conversation is over, the peer has not closed yet.
   */
  get state(): "closed" | "ending" | "failing" | "lingering" | "open" {
    return this.#state;
  }

  /** Bytes that are not yet the operating system's. */
  get pendingBytes(): number {
    return this.#connection.pendingBytes;
  }

  /** Number of messages that have arrived and wait to be taken. */
  get waiting(): number {
    return this.#decoder.waiting;
  }

  /**
   * Send a message: it leaves with everything else that this turn sends, in one write.
   *
   * Returns whether there is room for more: false above `writeBuffer.highBytes`; the message is
   * taken all the same, `await writable()` before the next. The message's bytes are copied: it may
   * be changed at once. After `end()`, or when the connection is gone, the message is dropped, and
   * the answer is false.
   *
   * @throws {HawserError} PAYLOAD_FORBIDDEN, PAYLOAD_IS_SENTINEL or PAYLOAD_TOO_LARGE: the message
   *   is not sent, the connection goes on
   * @throws {HawserError} WRITE_BUFFER_FULL on a client, when `writeBuffer.maxBytes` wait already
   *   (a server closes with SLOW_CONSUMER)
   */
  send(message: Out): boolean {
    const { output } = this.#connection;
    if ((this.#counts || this.#state !== "open") && !this.#mayTake(output)) return false;
    const body = this.#encoder.prepare(message);
    if (!this.#isSending()) return false; // the codec ran the program's code, which has ended it
    this.#encoder.write(body, output);
    return output.commit(this.#highBytes) || this.#high();
  }

  /**
   * Send frames that are encoded already, `shared.bytes[from, to)`: how a broadcast encodes once.
   * Returns as `send` does; false when it is not open.
   */
  sendShared(shared: SharedOutput, from: number, to: number): boolean {
    if (this.#state !== "open") return false;
    const { output } = this.#connection;
    if (this.#counts && this.#isFull(output)) return this.#full();
    output.share(shared, from, to);
    return output.commit(this.#highBytes) || this.#high();
  }

  /**
   * Say that nothing more is sent: the sentinel, if the wire has one, and then the end of this
   * direction. Reading goes on.
   */
  end(): void {
    this.#end(this.#encoder.sentinel !== null);
  }

  /**
   * End this direction after the peer has finished: as `end()`, but a suffix is not answered with a
   * suffix, since to the peer it would be data.
   */
  finish(): void {
    if (this.#state === "open") this.#end(this.#encoder.sentinel === "frame");
  }

  /**
   * Give up at once, in both directions; what has not left is lost. `error` is what `closed` tells.
   */
  abort(error: HawserError | null = null): void {
    if (this.#state === "closed") return;
    this.#outcome ??= { reason: "aborted", error };
    this.#breakOff();
  }

  /**
   * End because of an error: what was sent before still leaves, what comes is dropped, `failed` may
   * send last words, `closed` tells the error. Returns whether it was told to `failed`: an earlier
   * error, or the end of the connection, stays how it ended.
   */
  fail(error: HawserError): boolean {
    if (this.#state === "closed" || this.#outcome?.reason === "error") return false;
    this.#outcome = { reason: "error", error };
    this.#decoder.discard();
    if (this.#state === "open") this.#state = "failing";
    this.#lingerMs = this.#options.ticker.now + this.#options.limits.lingerTimeoutMs;
    this.#resume();
    let lastWords: Promise<unknown> | undefined;
    try {
      lastWords = this.#events.failed(error);
    } finally {
      if (lastWords === undefined) this.#linger();
    }
    const linger = (): void => {
      this.#linger();
    };
    lastWords?.then(linger, linger);
    return true;
  }

  /**
   * Nobody takes messages any more: drop what comes, and wait for the peer's end, but not for ever.
   */
  leave(): void {
    if (this.#state === "closed") return;
    this.#decoder.discard();
    this.#outcome ??= { reason: "aborted", error: null };
    this.#linger();
  }

  /**
   * Resolves when `send()` would say true.
   *
   * @throws {HawserError} CONNECTION_CLOSED, or why the connection ended
   */
  writable(): Promise<void> {
    return this.#wait(this.#isHigh ? this.#options.limits.writeBuffer.lowBytes : Infinity);
  }

  /**
   * Resolves when everything sent so far is the operating system's.
   *
   * @throws {HawserError} CONNECTION_CLOSED, or why the connection ended
   */
  flushed(): Promise<void> {
    return this.#wait(0);
  }

  /** Deliver no message until `release()`; what has arrived waits, and reading stops. */
  hold(): void {
    this.#decoder.hold();
  }

  /** Deliver what waits, and go on reading. */
  release(): void {
    const decoder = this.#decoder;
    try {
      decoder.release();
    } catch (cause) {
      this.#misread(cause);
    }
    if (decoder.yielded) this.#yield();
    else if (decoder.waiting === 0) this.#resume();
  }

  /** @see ConnectionSink */
  chunk(bytes: Uint8Array, stays: boolean): boolean {
    this.#heardMs = this.#options.ticker.now;
    const decoder = this.#decoder;
    const { payloads } = decoder;
    this.#options.ticker.budget.begin(this, bytes.length);
    let keeps = false;
    try {
      keeps = decoder.push(bytes, stays);
    } catch (cause) {
      this.#misread(cause);
    }
    if (!decoder.partial) this.#partialMs = null;
    else if (this.#partialMs === null || decoder.payloads !== payloads)
      this.#partialMs = this.#options.ticker.now;
    if (decoder.yielded) this.#yield();
    else if (decoder.waiting > 0) this.#pause();
    return keeps;
  }

  /** @see ConnectionSink */
  ended(): void {
    this.#partialMs = null;
    try {
      this.#decoder.end();
    } catch (cause) {
      this.#misread(cause);
    }
  }

  /** @see ConnectionSink */
  written(): void {
    this.#progressMs = this.#sentMs = this.#options.ticker.now;
    if (this.#waiters === null && !this.#isHigh) return;
    const { pendingBytes } = this.#connection;
    this.#wake(pendingBytes);
    if (this.#isHigh && pendingBytes <= this.#options.limits.writeBuffer.lowBytes) {
      this.#isHigh = false;
      this.#counts = this.#alwaysCounts();
      this.#events.writable();
    }
  }

  /** @see ConnectionSink */
  gone(error: HawserError | null): void {
    if (this.#state === "closed") return;
    if (this.#decoder.yielded) {
      this.#lost = { error };
      return;
    }
    const closed = (this.#outcome ??= this.#outcomeOf(error));
    this.#state = "closed";
    this.#wake(Infinity);
    this.#closed?.resolve(closed);
    this.#events.closed(closed);
  }

  /** @see WireSink */
  message(message: In): void {
    this.#events.message(message);
  }

  /** @see WireSink */
  finished(how: Finish): void {
    // A suffix is not answered with a suffix: when this end has sent it, the peer's end is the
    // answer.
    const byUs = this.#state === "ending" && this.#encoder.sentinel === "suffix";
    this.#outcome ??= { reason: byUs ? "sentinel" : how, error: null };
    if (this.#state === "ending") this.#linger();
    this.#events.finished(how);
  }

  /** @see WireSink */
  fault(error: HawserError): void {
    if (error.scope === "connection") this.fail(error);
    else void this.#events.failed(error);
  }

  /** @see Ticking */
  tick(nowMs: number): void {
    this.#tickOutput(nowMs);
    if (this.#state === "open" || this.#state === "ending") {
      this.#tickInput(nowMs);
      this.#tickEnd(nowMs);
    } else if (this.#state === "failing") this.#tickFailing(nowMs);
    else if (this.#connection.pendingBytes > 0)
      this.#lingerMs = nowMs + this.#options.limits.lingerTimeoutMs;
    else if (this.#lingerMs !== null && nowMs >= this.#lingerMs) this.#connection.abort();
  }

  /** A framing or codec of the program's has thrown where it must not: the events never do. */
  #misread(cause: unknown): void {
    this.fault(
      programFailed(`Cannot go on with ${this.remote}: its framing or codec`, cause, "connection"),
    );
  }

  /** @see Ticking */
  stoodStill(ms: number): void {
    const nowMs = this.#options.ticker.now;
    this.#heardMs = shifted(this.#heardMs, ms, nowMs);
    this.#progressMs = shifted(this.#progressMs, ms, nowMs);
    this.#sentMs = shifted(this.#sentMs, ms, nowMs);
    if (this.#partialMs !== null) this.#partialMs = shifted(this.#partialMs, ms, nowMs);
    if (this.#lingerMs !== null) this.#lingerMs += ms;
    if (this.#endedMs !== null) this.#endedMs = shifted(this.#endedMs, ms, nowMs);
  }

  #tickOutput(nowMs: number): void {
    // Patience for a peer that reads slowly ends with the conversation.
    const stallMs = Math.min(
      this.#options.limits.writeBuffer.stallMs,
      this.#state === "lingering" ? writeBufferTable.stallMs.default : Infinity,
    );
    const { pendingBytes, progress } = this.#connection;
    if (pendingBytes === 0) {
      this.#progressMs = nowMs;
    } else if (progress !== this.#progress) {
      this.#progress = progress;
      this.#progressMs = this.#sentMs = nowMs;
    } else if (nowMs - this.#progressMs >= stallMs) {
      this.#slow(`has read nothing for stallMs ${String(stallMs)}`);
    }
  }

  #tickInput(nowMs: number): void {
    const { frameTimeoutMs, idleTimeoutMs } = this.#options.limits;
    // While we do not read, the peer's silence is ours.
    if (this.#paused || this.#decoder.held) {
      this.#heardMs = nowMs;
      if (this.#partialMs !== null) this.#partialMs = nowMs;
    } else if (this.#partialMs !== null && nowMs - this.#partialMs >= frameTimeoutMs) {
      this.fault(
        new HawserError(
          "FRAME_TIMEOUT",
          `A frame from ${this.remote} was not complete within frameTimeoutMs ` +
            String(frameTimeoutMs),
        ),
      );
    } else if (nowMs - Math.max(this.#heardMs, this.#sentMs) >= idleTimeoutMs) {
      this.fault(
        new HawserError(
          "IDLE_TIMEOUT",
          `${this.remote} was silent, and took nothing, for idleTimeoutMs ${String(idleTimeoutMs)}`,
        ),
      );
    }
  }

  /**
   * This end has ended: the peer has some time to end, too, once it has got everything, and while
   * it is read.
   */
  #tickEnd(nowMs: number): void {
    if (this.#state !== "ending") return;
    const { limits, onFull } = this.#options;
    if (this.#endedMs === null || this.#paused || this.#connection.pendingBytes > 0)
      this.#endedMs = nowMs;
    // a client may ask with its end, and get much
    const sinceMs = onFull === "throw" ? Math.max(this.#endedMs, this.#heardMs) : this.#endedMs;
    if (nowMs - sinceMs < limits.endTimeoutMs) return;
    const error = new HawserError(
      "END_TIMEOUT",
      `${this.remote} did not end within endTimeoutMs ${String(limits.endTimeoutMs)} after ` +
        "this end had",
    );
    this.#outcome = { reason: "error", error };
    this.#breakOff();
    void this.#events.failed(error);
  }

  /** Last words take too long. */
  #tickFailing(nowMs: number): void {
    if (this.#lingerMs !== null && nowMs >= this.#lingerMs) this.#linger();
  }

  #alwaysCounts(): boolean {
    const { highBytes, maxBytes } = this.#options.limits.writeBuffer;
    return highBytes === maxBytes;
  }

  #isSending(): boolean {
    return this.#state === "open" || this.#state === "failing";
  }

  /**
   * True if a message may be appended; throws, or breaks off, as send() says. That the peer has
   * gone is no fault of the sender's.
   */
  #mayTake(output: Output): boolean {
    if (!this.#isSending()) return false;
    return !this.#isFull(output) || this.#full();
  }

  /** True if `maxBytes` wait. */
  #isFull(output: Output): boolean {
    return output.exceeds(this.#options.limits.writeBuffer.maxBytes - 1);
  }

  /** More than `highBytes` wait. */
  #high(): false {
    this.#isHigh = this.#counts = true;
    return false;
  }

  #full(): false {
    const { limits, onFull } = this.#options;
    const { maxBytes } = limits.writeBuffer;
    if (onFull === "throw") {
      throw new HawserError(
        "WRITE_BUFFER_FULL",
        `Cannot send: writeBuffer.maxBytes ${String(maxBytes)} wait to be sent already; await ` +
          "writable() when send() says false",
      );
    }
    this.#slow(`let more than writeBuffer.maxBytes ${String(maxBytes)} pile up`);
    return false;
  }

  /** The peer does not read: nothing that is sent to it would arrive, so nothing is waited for. */
  #slow(what: string): void {
    const error = new HawserError(
      "SLOW_CONSUMER",
      `${this.remote} ${what}: it reads too slowly, the connection is closed`,
    );
    this.#outcome = { reason: "error", error };
    this.#breakOff();
    void this.#events.failed(error);
  }

  #breakOff(): void {
    this.#state = "lingering"; // until the connection says that it is gone
    this.#isBroken = true;
    this.#decoder.discard();
    this.#connection.abort();
  }

  #end(withSentinel: boolean): void {
    if (this.#state !== "open" && this.#state !== "failing") return;
    if (withSentinel) this.#encoder.encodeSentinel(this.#connection.output);
    this.#state = "ending";
    this.#connection.end();
    if (this.#outcome !== null) this.#linger();
  }

  /**
   * The conversation is over: close this direction, and give the peer some time to read the last of
   * it and to close.
   */
  #linger(): void {
    if (this.#state === "lingering" || this.#state === "closed") return;
    if (this.#state === "open" || this.#state === "failing") this.#connection.end();
    this.#state = "lingering";
    const { limits, ticker } = this.#options;
    this.#lingerMs = ticker.now + limits.lingerTimeoutMs;
    this.#resume();
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#connection.pause();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#connection.resume();
  }

  /**
   * The budget of this turn is spent: read no more, and go on with what waits when the others have
   * had their turn.
   */
  #yield(): void {
    this.#pause();
    if (this.#waitsTurn) return;
    this.#waitsTurn = true;
    this.#connection.later(() => {
      this.#waitsTurn = false;
      this.#goOn();
    });
  }

  #goOn(): void {
    const decoder = this.#decoder;
    const { ticker } = this.#options;
    this.#heardMs = ticker.now;
    ticker.budget.beginTurn(this);
    try {
      decoder.goOn();
    } catch (cause) {
      this.#misread(cause);
    }
    if (decoder.yielded) this.#yield();
    else if (this.#lost !== null) this.gone(this.#lost.error);
    else if (decoder.waiting === 0) this.#resume();
  }

  /** Its end, when nothing but the loss of the connection says so. */
  #outcomeOf(error: HawserError | null): Closed {
    // The peer's end may have come already, and wait behind messages that nobody has taken yet.
    const how = error ?? this.#decoder.ending;
    if (typeof how === "string") return { reason: how, error: null };
    return {
      reason: "error",
      error:
        how ??
        new HawserError(
          "CONNECTION_RESET",
          `Cannot go on with ${this.remote}: the connection broke before the peer had ended it`,
        ),
    };
  }

  #wait(bytes: number): Promise<void> {
    if (this.#state === "closed" || this.#isBroken) return Promise.reject(this.#notOpen());
    if (this.#connection.pendingBytes <= bytes) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    (this.#waiters ??= []).push({ bytes, resolve, reject });
    return promise;
  }

  /**
   * Settle who waits for the output to be as low as `pendingBytes`; reject them all when the
   * connection is gone.
   */
  #wake(pendingBytes: number): void {
    const waiters = this.#waiters;
    if (waiters === null) return;
    this.#waiters = null;
    for (const waiter of waiters) {
      if (this.#state === "closed") waiter.reject(this.#notOpen());
      else if (pendingBytes <= waiter.bytes) waiter.resolve(undefined);
      else (this.#waiters ??= []).push(waiter);
    }
  }

  #notOpen(): HawserError {
    const isOver = this.#state === "closed" || this.#isBroken;
    const why = isOver
      ? `the connection is closed (${this.#outcome?.reason ?? "ended"})`
      : "this end has ended";
    return new HawserError(
      "CONNECTION_CLOSED",
      `Cannot wait on the socket to ${this.remote}: ${why}`,
      { cause: this.#outcome?.error ?? undefined },
    );
  }
}

interface Waiter {
  readonly bytes: number;
  readonly resolve: (value: undefined) => void;
  readonly reject: (error: HawserError) => void;
}
