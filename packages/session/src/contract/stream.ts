/**
 * Streams that this side opens: what is iterated, and sent to. Owns what the opener holds: items
 * that wait, room to send, the end. Must not know the session's credit.
 *
 * @module
 */
import type { HawserError } from "@hawser/protocol";
import type { MessageEntry, Pulled, Session } from "@hawser/protocol/engine";
import { callOptions, type OpenOptions, SignalledCall } from "./caller.ts";
import { Items, type ItemSource } from "./items.ts";
import type { Backlog } from "./link.ts";

/**
 * Open a stream.
 *
 * @throws {RangeError} when `timeoutMs` is not above zero
 * @throws {HawserError} CALL_CANCELLED when the signal is aborted already, and what `open` of the
 *   session throws
 */
export function openStream(
  session: Session,
  backlog: Backlog | null,
  entry: MessageEntry,
  input: unknown,
  options: OpenOptions,
  nowMs: number,
): SessionStream<never> {
  const call = new StreamCall(entry, options.signal, backlog);
  call.opened(session.open(entry, input, callOptions(options, nowMs), call));
  return new SessionStream(call);
}

/** What the session tells of a stream, for the one that holds it. */
class StreamCall extends SignalledCall implements ItemSource {
  readonly items: Items<unknown> = new Items<unknown>(this);
  readonly #backlog: Backlog | null;
  #hasRoom = true;
  /** True if the responder takes no more items. */
  isRefused = false;
  /** Callbacks that wait for room, or for the end. */
  #waiting: PromiseWithResolvers<undefined>[] = [];
  #finished: PromiseWithResolvers<undefined> | null = null;
  /** Its end: null where it ended in order. */
  #outcome: { readonly error: HawserError | null } | null = null;

  constructor(entry: MessageEntry, signal: AbortSignal | undefined, backlog: Backlog | null) {
    super(entry, signal);
    this.#backlog = backlog;
  }

  send(item: unknown): boolean {
    this.#hasRoom = this.call?.send(item) ?? true;
    return this.#hasRoom && (this.isOver || this.#backlog?.isHigh !== true);
  }

  endSending(): void {
    this.call?.end();
  }

  /**
   * Resolves when there is room by both: the stream's credit, and what the connection has not sent.
   */
  async room(): Promise<void> {
    while (!this.isOver) {
      if (!this.#hasRoom) {
        const waiter = Promise.withResolvers<undefined>();
        this.#waiting.push(waiter);
        await waiter.promise;
      } else if (this.#backlog?.isHigh === true) {
        await this.#backlog.room();
      } else {
        return;
      }
    }
  }

  finished(): Promise<void> {
    if (this.#finished === null) {
      this.#finished = Promise.withResolvers<undefined>();
      // a loop may throw the same error first, and whoever asked is never reached
      this.#finished.promise.catch(() => undefined);
      this.#settleFinished();
    }
    return this.#finished.promise;
  }

  result(): void {
    this.end();
  }

  item(value: unknown, cost: number): void {
    this.items.push(value, cost);
  }

  end(): void {
    this.#ended(null);
  }

  fail(error: HawserError): void {
    this.#ended(error);
  }

  writable(): void {
    this.#hasRoom = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) waiter.resolve(undefined);
  }

  refused(): void {
    this.isRefused = true;
    this.writable();
  }

  /** Take no more items, and go on. */
  refuse(): void {
    if (!this.isOver) this.call?.refuse();
    this.items.drop();
    this.items.finish(null);
  }

  /** @see ItemSource */
  consume(cost: number): void {
    this.call?.consume(cost);
  }

  /** @see ItemSource */
  pull(): Error | Pulled {
    return this.call?.pull() ?? false;
  }

  /** @see ItemSource */
  abandon(): void {
    this.cancel();
  }

  /** @see ItemSource */
  drop(): void {
    this.call?.drop();
  }

  #ended(error: HawserError | null): void {
    this.over();
    this.#outcome = { error };
    this.items.finish(error);
    this.writable();
    this.#settleFinished();
  }

  #settleFinished(): void {
    if (this.#outcome === null || this.#finished === null) return;
    if (this.#outcome.error === null) this.#finished.resolve(undefined);
    else this.#finished.reject(this.#outcome.error);
  }
}

/**
 * A stream that this side has opened: iterate what the responder sends, and send to it.
 *
 * Items wait until they are taken, one by each `next()`; the peer sends only as much as is taken,
 * so that a slow loop slows its source. A loop that is left early cancels the stream, at both ends.
 * A loop throws the error that ended the stream, after the items before it.
 */
export class SessionStream<Item, Send = never>
  implements AsyncIterableIterator<Item, undefined>, AsyncDisposable
{
  readonly #call: StreamCall;

  constructor(call: StreamCall) {
    this.#call = call;
  }

  /** The next item, or the end. */
  next(): Promise<IteratorResult<Item, undefined>> {
    // the session has checked each item
    return this.#call.items.next() as Promise<IteratorResult<Item, undefined>>;
  }

  /** Cancel the stream, unless it is over: what has come and was not taken is dropped. */
  return(): Promise<IteratorReturnResult<undefined>> {
    return this.#call.items.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * Send an item. Returns whether there is room for more: false, and the item is taken all the
   * same; `await writable()` before the next. An item that is sent after the stream is over is
   * dropped, and `finished()` tells why; so is one that the responder does not want any more: see
   * `isRefused`.
   *
   * @throws {HawserError} ITEM_INVALID, PAYLOAD_FORBIDDEN, PAYLOAD_TOO_LARGE, WRITE_BUFFER_FULL:
   *   the item is not sent, the stream goes on
   * @throws {TypeError} when the contract has no items from this side, or after `end()`
   */
  send(item: Send): boolean {
    return this.#call.send(item);
  }

  /** Resolves when `send()` would say true, or when the stream is over. */
  writable(): Promise<void> {
    return this.#call.room();
  }

  /**
   * True if the responder has said that it takes no more of this side's items: those that it had
   * not taken are lost, and those that are sent from now on are dropped. What the responder sends
   * goes on, and `finished()` tells how it ends.
   */
  get isRefused(): boolean {
    return this.#call.isRefused;
  }

  /**
   * Take no more items, and let the stream go on: the responder is told to send no others, those
   * that have come and were not taken are dropped, and a loop over them ends. What this side sends
   * is still taken; `finished()` tells how the stream ended.
   */
  refuse(): void {
    this.#call.refuse();
  }

  /** Say that no more is sent. What the responder sends goes on. */
  end(): void {
    this.#call.endSending();
  }

  /**
   * Resolves when the responder has ended the stream; items may still wait to be taken.
   *
   * @throws {HawserError} why it failed: an error of the contract, CALL_CANCELLED,
   *   DEADLINE_EXCEEDED, SESSION_LOST, …
   */
  finished(): Promise<void> {
    return this.#call.finished();
  }

  /** As `return()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
