/**
 * Calls and events that the peer opens: which handler runs, with what, and what becomes of what it returns or throws.
 * Owns the order of middleware and handler, the pull of a stream's items, and the signal that a handler may look at.
 * Must not know sockets or rooms: an end adds them to the context.
 *
 * @module
 */
import { type Handled, HawserError, type InboundCall, type InboundSink, isHawserError, type MessageEntry, type MessageType, type Protocol, type Side } from "@hawser/protocol";
import { isThenable, Items, type ItemSource, PulledItems } from "./session-items.ts";
import type { Backlog } from "./session-link.ts";

/** A value, or a promise of it. */
export type Awaitable<T> = PromiseLike<T> | T;

/** What a stream's handler may return: items from a generator or any iterable, or nothing where the contract has none. */
export type StreamResult<Item> = [Item] extends [never] ? Nothing : AsyncIterable<Item> | Iterable<Item>;

/** What a function returns that returns nothing. */
type Nothing = ReturnType<() => void>;

/** A handler as it is called: its types are the contract's, and have been checked by the compiler. */
export type AnyHandler = (input: unknown, context: unknown) => unknown;

/** What stands before a handler: sees the context, calls `next`, and may look at what it returns, replace it, or throw. */
export type AnyMiddleware = (context: unknown, next: () => unknown) => unknown;

/** A contract's handlers for what the peer opens, found by the message's index. */
export class Responder {
  readonly #handlers: readonly (AnyHandler | undefined)[];
  readonly #use: readonly AnyMiddleware[];

  /**
   * `given` has handlers by name; a handler's `this` is `given`, which may be of a class, with members of its own. Null: there are none, and calls are answered with MESSAGE_UNKNOWN.
   *
   * @throws {TypeError} when a request or stream that the peer may open has no handler, or a handler has no message
   */
  constructor(contract: Protocol, side: Side, given: object | null, use: readonly AnyMiddleware[] = []) {
    this.#handlers = given === null ? [] : contract.messages.map((entry) => handlerOf(contract, entry, side, given));
    if (given !== null && Object.getPrototypeOf(given) === Object.prototype) for (const name of Object.keys(given)) checkName(contract, name, side);
    if (!Array.isArray(use) || !use.every((each) => typeof each === "function")) throw new TypeError("Cannot use a middleware that is not a function: use is a list of functions");
    this.#use = use;
  }

  /** The handler of a message, if there is one. */
  handlerOf(entry: MessageEntry): AnyHandler | undefined {
    return this.#handlers[entry.index];
  }

  /** The peer has opened a request or stream. */
  call(call: InboundCall, context: CallContext): void {
    call.sink = context;
    let result: unknown;
    try {
      result = this.#run(call.entry, call.input, context);
    } catch (cause) {
      context.failed(cause);
      return;
    }
    context.returned(result);
  }

  /** The peer has emitted an event. `report` is told what its handler throws. */
  event(entry: MessageEntry, payload: unknown, context: unknown, handled: Handled, report: (error: HawserError) => void): void {
    handleEvent(entry, () => this.#run(entry, payload, context), handled, report);
  }

  #run(entry: MessageEntry, input: unknown, context: unknown): unknown {
    const handler = this.#handlers[entry.index];
    if (handler === undefined) throw new HawserError("MESSAGE_UNKNOWN", `There is no handler for the ${entry.type} ${entry.name}`, { origin: "local" });
    return this.#use.length === 0 ? handler(input, context) : this.#next(0, handler, input, context);
  }

  #next(index: number, handler: AnyHandler, input: unknown, context: unknown): unknown {
    const middleware = this.#use[index];
    if (middleware === undefined) return handler(input, context);
    return middleware(context, () => this.#next(index + 1, handler, input, context));
  }
}

/**
 * What a handler of a request or stream gets besides its input. An end extends it by its socket.
 *
 * The methods of {@link InboundSink}, and the last three, are not for handlers.
 */
export abstract class CallContext implements InboundSink, ItemSource {
  readonly #call: InboundCall;
  readonly #backlog: Backlog;
  readonly #items: Items<unknown> | null;
  /** Made when a handler looks at the signal. */
  #controller: AbortController | null = null;
  /** What a stream's items are pulled from, to be left when nobody wants them any more. */
  #pulled: PulledItems | null = null;
  #hasRoom = true;
  #roomed: (() => void) | null = null;

  /** `backlog` is that of the connection on which the call came. */
  constructor(call: InboundCall, backlog: Backlog) {
    this.#call = call;
    this.#backlog = backlog;
    this.#items = call.entry.send === null ? null : new Items(this);
  }

  get name(): string {
    return this.#call.entry.name;
  }

  get type(): MessageType {
    return this.#call.entry.type;
  }

  get input(): unknown {
    return this.#call.input;
  }

  /** An instant of the process's monotonic clock; Infinity: the opener waits for ever. */
  get deadlineMs(): number {
    return this.#call.deadlineMs;
  }

  get trace(): string | null {
    return this.#call.trace;
  }

  /** Aborted when nobody waits for the answer any more: the opener cancelled, its deadline passed, or the connection is gone. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#call.cancellation !== null) this.#controller.abort(this.#call.cancellation);
    }
    return this.#controller.signal;
  }

  /** Fail with an error of the contract. */
  get fail(): (name: string, payload?: unknown) => never {
    return failNamed;
  }

  /** What the opener of a stream sends. */
  get items(): AsyncIterableIterator<unknown, undefined> {
    if (this.#items === null) throw new TypeError(`Cannot read the items of ${this.name}: its opener sends none`);
    return this.#items;
  }

  item(value: unknown, cost: number): void {
    if (this.#items === null) this.#call.consume(cost); // the opener's contract has items where this one has none
    else this.#items.push(value, cost);
  }

  end(): void {
    this.#items?.finish(null);
  }

  cancelled(error: HawserError): void {
    this.#controller?.abort(error);
    this.#items?.drop();
    this.#items?.finish(error);
    this.writable();
    this.#pulled?.leave();
  }

  writable(): void {
    this.#hasRoom = true;
    this.#roomed?.();
  }

  consume(cost: number): void {
    this.#call.consume(cost);
  }

  pull(): Error | boolean {
    return this.#call.pull();
  }

  drop(): void {
    this.#call.drop();
  }

  abandon(): void {
    // The opener keeps what it has not sent until the handler has ended.
  }

  /** What went wrong here, and what the peer is not told. */
  abstract report(error: HawserError): void;

  /** The handler has returned. */
  returned(result: unknown): void {
    if (this.#call.entry.type === "stream") void this.#stream(result);
    else if (isThenable(result)) void this.#replyLater(result);
    else this.#reply(result);
  }

  /** The handler has thrown. */
  failed(cause: unknown): void {
    const call = this.#call;
    if (call.cancellation !== null) {
      call.fail(call.cancellation); // nobody waits, and what a handler throws then is how it stops
      return;
    }
    if (isHawserError(cause) && cause.origin === "local" && cause.failure !== null) {
      const problem = call.fail(cause.failure);
      if (problem !== null) this.report(problem);
      return;
    }
    const error = isHawserError(cause) && cause.code === "OVERLOADED" ? cause : handlerFailed(call.entry, cause);
    call.fail(error);
    this.report(error);
  }

  #reply(output: unknown): void {
    const problem = this.#call.reply(output);
    if (problem !== null) this.report(problem);
  }

  async #replyLater(result: PromiseLike<unknown>): Promise<void> {
    try {
      this.#reply(await result);
    } catch (cause) {
      this.failed(cause);
    }
  }

  async #stream(result: unknown): Promise<void> {
    try {
      const source = isThenable(result) ? await result : result;
      if (source !== undefined && source !== null) await this.#pull(new PulledItems(this.name, source));
      this.#call.end();
    } catch (cause) {
      this.failed(cause);
    }
  }

  /** Send item by item: the next is taken from its source when there is room for it. */
  async #pull(items: PulledItems): Promise<void> {
    const call = this.#call;
    this.#pulled = items;
    try {
      while (call.cancellation === null) {
        if (!this.#hasRoom) {
          await new Promise<void>((resolve) => {
            this.#roomed = resolve;
          });
          continue;
        }
        if (this.#backlog.isHigh) {
          await this.#backlog.room();
          continue;
        }
        const step = items.next();
        const result = isThenable(step) ? await step : step;
        if (result.done === true) {
          items.ended();
          return;
        }
        this.#hasRoom = call.send(result.value);
      }
    } finally {
      this.#pulled = null;
      items.leave();
    }
  }
}

/** Have an event handled by `run`, and say when it is; `report` is told what it throws. */
export function handleEvent(entry: MessageEntry, run: () => unknown, handled: Handled, report: (error: HawserError) => void): void {
  let result: unknown;
  try {
    result = run();
  } catch (cause) {
    failEvent(entry, cause, handled, report);
    return;
  }
  if (isThenable(result)) {
    result.then(
      () => {
        handled();
      },
      (cause: unknown) => {
        failEvent(entry, cause, handled, report);
      },
    );
  } else {
    handled();
  }
}

function failEvent(entry: MessageEntry, cause: unknown, handled: Handled, report: (error: HawserError) => void): void {
  const error = handlerFailed(entry, cause);
  handled(error);
  report(error);
}

/** What went wrong in a handler, for this side: the peer is told the code alone. */
function handlerFailed(entry: MessageEntry, cause: unknown): HawserError {
  if (isHawserError(cause) && cause.code === "MESSAGE_UNKNOWN" && cause.origin === "local") return cause;
  const text = cause instanceof Error ? cause.message : typeof cause === "string" ? cause : `it threw a value of type ${typeof cause}`;
  return new HawserError("HANDLER_FAILED", `The handler of the ${entry.type} ${entry.name} failed: ${text.slice(0, 160)}`, { cause, scope: "conversation" });
}

/** A failure of the contract, for whoever runs the handler. A function without `this`, so that it may be taken out of the context. */
function failNamed(name: string, payload?: unknown): never {
  throw new HawserError("NAMED_ERROR", `The handler failed with ${JSON.stringify(name)}`, { failure: { name, payload }, origin: "local" });
}

/** The handler of a message, or undefined where it needs none. */
function handlerOf(contract: Protocol, entry: MessageEntry, side: Side, given: object): AnyHandler | undefined {
  const what = `${entry.type} ${JSON.stringify(entry.name)} of the contract ${contract.name}`;
  const handler: unknown = Reflect.get(given, entry.name);
  if (handler === undefined) {
    if (entry.type === "event" || entry.from === side) return undefined;
    throw new TypeError(`Cannot serve the ${what}: there is no handler for it`);
  }
  if (typeof handler !== "function") throw new TypeError(`Cannot serve the ${what}: its handler is of type ${typeof handler}, not a function`);
  return (handler as AnyHandler).bind(given); // any function may be called so
}

function checkName(contract: Protocol, name: string, side: Side): void {
  const entry = contract.find(name);
  if (entry === undefined) throw new TypeError(`Cannot use the handler ${JSON.stringify(name)}: the contract ${contract.name} has no such message`);
  if (entry.from === side) throw new TypeError(`Cannot use the handler ${JSON.stringify(name)}: in the contract ${contract.name} it is the ${side}'s own to open`);
}
