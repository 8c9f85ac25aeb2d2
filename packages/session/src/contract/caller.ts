/**
 * What this side opens: a request as a promise, an event as its outcome; and what every call has in
 * common, its AbortSignal. Must not know when a call is opened: at once, or when there is a
 * connection.
 *
 * @module
 */
import { HawserError, type Outcome, type Protocol } from "@hawser/protocol";
import {
  asError,
  type CallOptions,
  type CallSink,
  type EmitOptions,
  type MessageEntry,
  type MessageType,
  type OutboundCall,
  type Session,
  type Settled,
  type Side,
} from "@hawser/protocol/engine";
import type { Clock } from "@hawser/transport";

/** Options of a request or a stream. */
export interface OpenOptions {
  /** Aborting it cancels the call, here and at the peer. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds until the call fails with DEADLINE_EXCEEDED, here and at the peer. Default: never.
   */
  readonly timeoutMs?: number | undefined;
  /** W3C `traceparent`, for the peer's handler. */
  readonly trace?: string | undefined;
}

/**
 * The arguments behind a name: the input, which may be left out where the contract has none, and
 * options.
 */
export type Arguments<T, Options> = undefined extends T
  ? [input?: T, options?: Options]
  : [input: T, options?: Options];

/**
 * The message of a contract that this side opens by a name.
 *
 * @throws {TypeError} when there is none, or none of this type, or it is not this side's to open
 */
export function messageToOpen(
  contract: Protocol,
  type: MessageType,
  name: string,
  side: Side,
): MessageEntry {
  const entry = contract.find(name);
  if (entry?.type === type && (entry.from === "both" || entry.from === side)) return entry;
  const what = `${type} ${JSON.stringify(name)}`;
  if (entry === undefined)
    throw new TypeError(`Cannot open the ${what}: the contract ${contract.name} has no such name`);
  if (entry.type !== type)
    throw new TypeError(
      `Cannot open the ${what}: the contract ${contract.name} has ` +
        `${entry.type === "event" ? "an event" : `a ${entry.type}`} of that name`,
    );
  throw new TypeError(
    `Cannot open the ${what}: in the contract ${contract.name} it is the ${entry.from}'s to open`,
  );
}

/** What the session is told of a call. `nowMs` is the instant at which the caller called. */
export function callOptions(options: OpenOptions, nowMs: number): CallOptions {
  const { timeoutMs, trace, signal } = options;
  if (timeoutMs === undefined && trace === undefined && signal === undefined) return NO_OPTIONS;
  checkTimeout(timeoutMs);
  return { timeoutMs: timeoutMs === Infinity ? undefined : timeoutMs, nowMs, trace };
}

function checkTimeout(timeoutMs: number | undefined): void {
  if (timeoutMs === undefined || (typeof timeoutMs === "number" && timeoutMs > 0)) return;
  throw new RangeError(
    `Cannot use timeoutMs ${String(timeoutMs)}: it is a number of milliseconds above 0`,
  );
}

const NO_OPTIONS = Object.freeze({});

/** Make a request. Of what goes wrong nothing is thrown: all of it rejects. */
export function openRequest(
  session: Session,
  entry: MessageEntry,
  input: unknown,
  options: OpenOptions,
  nowMs: number,
): Promise<unknown> {
  try {
    const call = new RequestCall(entry, options.signal);
    call.opened(session.open(entry, input, callOptions(options, nowMs), call));
    return call.promise;
  } catch (error) {
    return rejected(error);
  }
}

/** A promise that rejects with what was thrown. */
export function rejected(error: unknown): Promise<never> {
  return Promise.reject(asError(error));
}

/** Options of an event. */
export interface EventOptions extends EmitOptions {
  /** Aborting it gives the event up: see `timeoutMs`. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds until the event is given up. Then its outcome is `"not-sent"` where it has not
   * left, and it never will; else `"unknown"`: it may arrive, and what is delivered at least once
   * still does if it can. Default: it is waited for as long as the session lives.
   */
  readonly timeoutMs?: number | undefined;
}

/**
 * Emit an event, and tell how it went. Rejects only when the peer's handler failed; then nobody
 * needs to look.
 *
 * @throws {RangeError} when `timeoutMs` is not above zero
 * @throws {HawserError} what `emit` of the session throws: it was not taken
 */
export function emitEvent(
  session: Session,
  entry: MessageEntry,
  payload: unknown,
  clock: Clock,
  options: EventOptions = NO_OPTIONS,
): Promise<Outcome> {
  if (options.timeoutMs === undefined && options.signal === undefined)
    return outcomeOf(session, entry, payload, options);
  const call = new EventCall(options);
  if (call.isOver) return call.promise;
  session.emit(entry, payload, options, call.settled);
  call.opened(session);
  call.follow(clock);
  return call.promise;
}

/** As {@link emitEvent}, for as long as it takes. */
function outcomeOf(
  session: Session,
  entry: MessageEntry,
  payload: unknown,
  options: EmitOptions,
): Promise<Outcome> {
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  session.emit(entry, payload, options, (outcome, error) => {
    if (outcome !== "delivered" || error === null) {
      resolve(outcome);
      return;
    }
    promise.catch(() => undefined); // what the peer's program does must not end this one
    reject(error);
  });
  return promise;
}

/** An event whose outcome is waited for, as long as its options say. */
export class EventCall {
  readonly promise: Promise<Outcome>;
  readonly #options: EventOptions;
  readonly #resolve: (outcome: Outcome) => void;
  readonly #reject: (error: HawserError) => void;
  #session: Session | null = null;
  #isOver = false;
  #cancelTimer: (() => void) | null = null;

  /** @throws {RangeError} when `timeoutMs` is not above zero */
  constructor(options: EventOptions) {
    checkTimeout(options.timeoutMs);
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    this.promise = promise;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    if (options.signal?.aborted === true) this.settled("not-sent", null);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The session has taken it, or settled it at once. */
  opened(session: Session): void {
    this.#session = session;
  }

  /** Give it up when its time is over, or its signal aborted. Nothing is registered before. */
  follow(clock: Clock): void {
    const { signal, timeoutMs = Infinity } = this.#options;
    if (this.#isOver) return;
    if (timeoutMs < Infinity) {
      this.#cancelTimer = clock.after(timeoutMs, () => {
        this.handleEvent();
      });
    }
    if (signal?.aborted === true)
      this.handleEvent(); // while it was encoded
    else signal?.addEventListener("abort", this);
  }

  /** For the signal and the timer alone. */
  handleEvent(): void {
    if (this.#session === null) this.settled("not-sent", null);
    else this.#session.withdraw(this.settled);
  }

  /** @see Settled */
  readonly settled: Settled = (outcome, error) => {
    if (this.#isOver) return;
    this.over();
    if (outcome !== "delivered" || error === null) {
      this.#resolve(outcome);
      return;
    }
    this.promise.catch(() => undefined); // what the peer's program does must not end this one
    this.#reject(error);
  };

  /** Nothing follows. */
  protected over(): void {
    this.#isOver = true;
    this.#cancelTimer?.();
    this.#options.signal?.removeEventListener("abort", this);
  }
}

/** Resolves when the events that were emitted so far have left. */
export function eventsFlushed(session: Session): Promise<void> {
  return new Promise((resolve, reject) => {
    session.flushEvents((error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

/**
 * What requests and streams have in common: the call once it is opened, and the signal that cancels
 * it.
 */
export abstract class SignalledCall implements CallSink {
  readonly entry: MessageEntry;
  readonly #signal: AbortSignal | undefined;
  #call: OutboundCall | null = null;
  #isOver = false;

  /** @throws {HawserError} CALL_CANCELLED when the signal is aborted already */
  constructor(entry: MessageEntry, signal: AbortSignal | undefined) {
    this.entry = entry;
    this.#signal = signal;
    if (signal?.aborted === true) throw this.#aborted(signal);
  }

  /** True if it has ended: also before it was opened. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The session has taken the call. */
  opened(call: OutboundCall): void {
    this.#call = call;
    this.follow();
  }

  /**
   * Cancel the call when its signal is aborted: from when somebody has taken the call on, so that
   * one that is refused leaves no listener.
   */
  follow(): void {
    const signal = this.#signal;
    if (signal === undefined || this.#isOver) return;
    if (signal.aborted)
      this.handleEvent(); // while the call was encoded, or taken on
    else signal.addEventListener("abort", this);
  }

  /** For the signal alone. */
  handleEvent(): void {
    if (this.#signal !== undefined) this.cancel(this.#aborted(this.#signal));
  }

  /** Give up; `fail` is told why. */
  cancel(
    reason: HawserError = new HawserError(
      "CALL_CANCELLED",
      `The call of ${this.entry.name} was cancelled`,
    ),
  ): void {
    if (this.#isOver) return;
    if (this.#call === null) this.fail(reason);
    else this.#call.cancel(reason); // fail() follows from within
  }

  /** Told by the session, as all of {@link CallSink}. */
  abstract result(value: unknown): void;
  abstract item(value: unknown, cost: number): void;
  abstract end(): void;
  abstract fail(error: HawserError): void;
  abstract refused(): void;
  abstract writable(): void;

  protected get call(): OutboundCall | null {
    return this.#call;
  }

  /** The call has ended: nothing is told any more. */
  protected over(): void {
    this.#isOver = true;
    this.#signal?.removeEventListener("abort", this);
  }

  #aborted(signal: AbortSignal): HawserError {
    return new HawserError(
      "CALL_CANCELLED",
      `The call of ${this.entry.name} was cancelled by its signal`,
      { cause: signal.reason },
    );
  }
}

/** A request, and the promise of its answer. */
export class RequestCall extends SignalledCall {
  readonly promise: Promise<unknown>;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: HawserError) => void;

  constructor(entry: MessageEntry, signal: AbortSignal | undefined) {
    super(entry, signal);
    const { promise, resolve, reject } = Promise.withResolvers();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  result(value: unknown): void {
    this.over();
    this.#resolve(value);
  }

  fail(error: HawserError): void {
    this.over();
    this.#reject(error);
  }

  item(): void {
    // A request has no items: the session sees to it, as to the next two.
  }

  end(): void {
    this.result(undefined);
  }

  refused(): void {
    // It sends none.
  }

  writable(): void {
    // As above.
  }
}
