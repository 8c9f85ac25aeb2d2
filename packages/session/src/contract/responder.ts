/**
 * Calls and events that the peer opens: which handler runs, with what, and what becomes of what it
 * returns or throws. Owns the order of middleware and handler, the pull of a stream's items, and
 * the signal that a handler may look at. Must not know sockets or rooms: an end adds them to the
 * context.
 *
 * @module
 */
import { HawserError, type Protocol } from "@hawser/protocol";
import {
  type InboundCall,
  type InboundEvent,
  type InboundSink,
  type MessageEntry,
  type MessageType,
  nearestName,
  type Pulled,
  readHawserError,
  type Side,
} from "@hawser/protocol/engine";
import { acknowledge, type EventMemory } from "./event-memory.ts";
import { captureContext, type InContext } from "./async-context.ts";
import { type Ignored, MiddlewareStep } from "./middleware-step.ts";
import { isThenable, programFailed, whenSettled } from "../program.ts";
import { PulledItems } from "./pulled-items.ts";
import { Items, type ItemSource } from "./items.ts";
import type { Backlog } from "./link.ts";
import type { Stuck, StuckHandlers } from "./stuck-handlers.ts";

/** A value, or a promise of it. */
export type Awaitable<T> = PromiseLike<T> | T;

/**
 * The result of a stream's handler: items from a generator or any iterable, or nothing where the
 * contract has none.
 */
export type StreamResult<Item> = [Item] extends [never]
  ? Nothing
  : AsyncIterable<Item> | Iterable<Item>;

/** What a function returns that returns nothing. */
type Nothing = ReturnType<() => void>;

/**
 * A handler as it is called: its types are the contract's, and have been checked by the compiler.
 */
export type AnyHandler = (input: unknown, context: unknown) => unknown;

/**
 * What stands before a handler: sees the context, calls `next`, and may look at what it returns,
 * replace it, or throw.
 */
export type AnyMiddleware = (context: unknown, next: () => unknown) => unknown;

/** A contract's handlers for what the peer opens, found by the message's index. */
export class Responder {
  readonly #handlers: readonly (AnyHandler | undefined)[];
  readonly #use: readonly AnyMiddleware[];

  /**
   * `given` has handlers by name; a handler's `this` is `given`, which may be of a class, with
   * members of its own. Null: there are none, and calls are answered with MESSAGE_UNKNOWN.
   *
   * @throws {TypeError} when a request or stream that the peer may open has no handler, or a
   *   handler has no message
   */
  constructor(
    contract: Protocol,
    side: Side,
    given: object | null,
    use: readonly AnyMiddleware[] = [],
  ) {
    this.#handlers =
      given === null
        ? []
        : contract.messages.map((entry) => handlerOf(contract, entry, side, given));
    if (given !== null && Object.getPrototypeOf(given) === Object.prototype)
      for (const name of Object.keys(given)) checkName(contract, name, side);
    if (!Array.isArray(use) || !use.every((each) => typeof each === "function"))
      throw new TypeError(
        "Cannot use a middleware that is not a function: use is a list of functions",
      );
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
      result = this.#run(
        call.entry,
        call.input,
        context,
        this.#use.length === 0
          ? null
          : (cause) => {
              context.ignored(cause);
            },
      );
    } catch (cause) {
      context.failed(cause);
      return;
    }
    context.returned(result);
  }

  /**
   * The peer has emitted an event. `report` is told what its handler throws, and how `memory`
   * fails.
   */
  event(
    event: InboundEvent,
    context: unknown,
    memory: EventMemory,
    report: (error: HawserError) => void,
  ): void {
    let result: unknown;
    try {
      result = this.#run(event.entry, event.payload, context, null);
    } catch (cause) {
      failEvent(event, cause, report);
      return;
    }
    settleEvent(event, result, memory, report);
  }

  /**
   * `ignored` is told what a handler rejects with whose result a middleware did not wait for; null:
   * the run waits for it.
   */
  #run(entry: MessageEntry, input: unknown, context: unknown, ignored: Ignored): unknown {
    const handler = this.#handlers[entry.index];
    if (handler === undefined)
      throw new HawserError(
        "MESSAGE_UNKNOWN",
        `There is no handler for the ${entry.type} ${entry.name}`,
        { origin: "local" },
      );
    if (this.#use.length === 0) return handler(input, context);
    const last = (): unknown => {
      if (context instanceof CallContext) context.enter();
      return handler(input, context);
    };
    return this.#next(0, last, entry.name, context, ignored);
  }

  #next(
    index: number,
    last: () => unknown,
    name: string,
    context: unknown,
    ignored: Ignored,
  ): unknown {
    const middleware = this.#use[index];
    if (middleware === undefined) return last();
    const step = new MiddlewareStep(
      name,
      () => this.#next(index + 1, last, name, context, ignored),
      ignored,
    );
    return step.run((next) => middleware(context, next));
  }
}

/**
 * What a handler of a request or stream gets besides its input. An end extends it by its socket.
 *
 * The methods of {@link InboundSink}, and the last three, are not for handlers.
 */
export abstract class CallContext implements InboundSink, ItemSource, Stuck {
  readonly #call: InboundCall;
  readonly #backlog: Backlog;
  readonly #items: Items<unknown> | null;
  /** Made when a handler looks at the signal. */
  #controller: AbortController | null = null;
  /** What a stream's items are pulled from, to be left when nobody wants them any more. */
  #pulled: PulledItems | null = null;
  #hasRoom = true;
  /** True if the opener takes no more items. */
  #isRefused = false;
  #roomed: (() => void) | null = null;
  /**
   * `"held"`: the handler is not called yet; `"cancelled"`: nobody waits for the answer, but the
   * handler goes on.
   */
  #state: "cancelled" | "held" | "open" | "over" = "open";
  /** Where the middleware called the handler: a stream's items are pulled there. */
  #inContext: InContext | null = null;

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

  /**
   * Aborted when nobody waits for the answer any more: the opener cancelled, its deadline passed,
   * or the connection is gone.
   */
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

  /**
   * What the opener of a stream sends. A loop that is left early refuses the rest: the opener is
   * told to send no more, and the handler goes on and answers.
   */
  get items(): AsyncIterableIterator<unknown, undefined> {
    if (this.#items === null)
      throw new TypeError(`Cannot read the items of ${this.name}: its opener sends none`);
    return this.#items;
  }

  item(value: unknown, cost: number): void {
    if (this.#items === null)
      this.#call.consume(cost); // the opener's contract has items where this one has none
    else this.#items.push(value, cost);
  }

  end(): void {
    this.#items?.finish(null);
  }

  /** Do not call the handler yet. */
  hold(): void {
    this.#state = "held";
    this.#call.sink = this;
  }

  /** True if the handler is to be called now: not where nobody waits for it any more. */
  resume(): boolean {
    if (this.#state !== "held") return false;
    this.#state = "open";
    return true;
  }

  cancelled(error: HawserError): void {
    if (this.#state === "held") {
      this.#items?.drop();
      this.failed(error);
      return;
    }
    if (this.#state === "open") this.#state = "cancelled";
    this.#controller?.abort(error);
    this.#items?.drop();
    this.#items?.finish(error);
    this.writable();
    this.#leavePulled();
    if (this.#isCancelled()) this.stuckHandlers.add(this);
  }

  refused(): void {
    this.#isRefused = true;
    this.writable();
    this.#leavePulled();
  }

  writable(): void {
    this.#hasRoom = true;
    this.#roomed?.();
  }

  consume(cost: number): void {
    this.#call.consume(cost);
  }

  pull(): Error | Pulled {
    return this.#call.pull();
  }

  drop(): void {
    this.#call.drop();
  }

  abandon(): void {
    this.#call.refuse();
  }

  /** What went wrong here, and what the peer is not told. */
  abstract report(error: HawserError): void;

  /** The handlers of this session that go on after their calls were cancelled. */
  abstract get stuckHandlers(): StuckHandlers;

  /** @see Stuck */
  isLate(): void {
    const { name, type } = this.#call.entry;
    this.report(
      new HawserError(
        "HANDLER_STUCK",
        `The handler of the ${type} ${name} goes on long after its call was cancelled: let it ` +
          "end when its signal is aborted",
      ),
    );
  }

  /** For the responder: the handler is called from here. */
  enter(): void {
    if (this.#call.entry.type === "stream") this.#inContext = captureContext();
  }

  /**
   * For the responder: a middleware has answered, and did not wait for the handler, which failed.
   */
  ignored(cause: unknown): void {
    const { name, type } = this.#call.entry;
    if (this.#call.cancellation === null)
      this.report(programFailed(`The handler of the ${type} ${name}`, cause));
  }

  /** The handler has returned. */
  returned(result: unknown): void {
    if (this.#call.entry.type === "stream") void this.#stream(result);
    else if (isThenable(result)) void this.#replyLater(result);
    else this.#reply(result);
  }

  /** The handler has thrown. */
  failed(cause: unknown): void {
    const call = this.#call;
    if (!this.#ends()) return;
    if (call.cancellation !== null) {
      call.fail(call.cancellation); // nobody waits, and what a handler throws then is how it stops
      return;
    }
    const own = readHawserError(cause);
    if (own !== null && own.origin === "local" && own.failure !== null) {
      const problem = call.fail(own.failure);
      if (problem !== null) this.report(problem);
      return;
    }
    const error =
      own?.code === "OVERLOADED"
        ? new HawserError("OVERLOADED", own.message, { cause, origin: own.origin })
        : handlerFailed(call.entry, cause);
    call.fail(error);
    this.report(error);
  }

  #reply(output: unknown): void {
    if (!this.#ends()) return;
    const problem = this.#call.reply(output);
    if (problem !== null) this.report(problem);
  }

  async #replyLater(result: PromiseLike<unknown>): Promise<void> {
    let output: unknown;
    try {
      output = await result;
    } catch (cause) {
      this.failed(cause);
      return;
    }
    this.#reply(output);
  }

  async #stream(result: unknown): Promise<void> {
    try {
      const source = isThenable(result) ? await result : result;
      if (
        source !== undefined &&
        source !== null &&
        !(await this.#pull(source)) &&
        this.#call.cancellation === null
      )
        return; // #leavePulled ends the call
      if (this.#ends()) this.#call.end();
    } catch (cause) {
      this.failed(cause);
    }
  }

  /**
   * Send item by item: the next is taken from its source when there is room for it. Returns whether
   * the source has ended by itself.
   */
  async #pull(source: unknown): Promise<boolean> {
    const call = this.#call;
    const inContext = this.#inContext;
    const items =
      inContext === null
        ? new PulledItems(this.name, source)
        : inContext(() => new PulledItems(this.name, source));
    this.#pulled = items;
    if (!this.#isWanted()) this.#leavePulled(); // while the handler made it
    try {
      while (this.#isWanted()) {
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
        const step = inContext === null ? items.next() : inContext(() => items.next());
        const result = items.check(isThenable(step) ? await step : step);
        if (result.done === true) {
          items.ended();
          return true;
        }
        const { value } = result;
        this.#hasRoom = call.send(isThenable(value) ? await value : value);
      }
      return false;
    } finally {
      this.#pulled = null;
      items.leave();
    }
  }

  /**
   * Stop the source: nobody wants its items any more. The call is over when the source is, whatever
   * it was asked for before.
   */
  #leavePulled(): void {
    const end = (): void => {
      if (this.#ends()) this.#call.end();
    };
    this.#pulled?.leave(end, (cause) => {
      if (this.#call.cancellation === null) this.failed(cause);
      else end(); // there is nobody to tell
    });
  }

  /** True if the opener takes the items that this side sends. */
  #isWanted(): boolean {
    return this.#call.cancellation === null && !this.#isRefused;
  }

  /** True if the call is to be finished now: it has not been. */
  #ends(): boolean {
    if (this.#state === "over") return false;
    if (this.#state === "cancelled") this.stuckHandlers.delete(this);
    this.#state = "over";
    return true;
  }

  // A method, because the compiler takes the field to keep its value across a callback.
  #isCancelled(): boolean {
    return this.#state === "cancelled";
  }
}

/**
 * Ends an event when what its handler has returned settles. `report` is told what the handler
 * rejects with, and how `memory` fails.
 */
export function settleEvent(
  event: InboundEvent,
  result: unknown,
  memory: EventMemory,
  report: (error: HawserError) => void,
): void {
  if (!isThenable(result)) {
    acknowledge(event, memory, report);
    return;
  }
  whenSettled(
    result,
    () => {
      acknowledge(event, memory, report);
    },
    (cause) => {
      failEvent(event, cause, report);
    },
  );
}

/** Ends an event whose handler has thrown. */
export function failEvent(
  event: InboundEvent,
  cause: unknown,
  report: (error: HawserError) => void,
): void {
  const error = handlerFailed(event.entry, cause);
  event.handled(error);
  report(error);
}

/** What went wrong in a handler, for this side: the peer is told the code alone. */
function handlerFailed(entry: MessageEntry, cause: unknown): HawserError {
  const own = readHawserError(cause);
  if (own?.code === "MESSAGE_UNKNOWN" && own.origin === "local") return own;
  return programFailed(`The handler of the ${entry.type} ${entry.name}`, cause);
}

/**
 * A failure of the contract, for whoever runs the handler. A function without `this`, so that it
 * may be taken out of the context.
 */
function failNamed(name: string, payload?: unknown): never {
  throw new HawserError("NAMED_ERROR", `The handler failed with ${JSON.stringify(name)}`, {
    failure: { name, payload },
    origin: "local",
  });
}

/** The handler of a message, or undefined where it needs none. */
function handlerOf(
  contract: Protocol,
  entry: MessageEntry,
  side: Side,
  given: object,
): AnyHandler | undefined {
  const what = `${entry.type} ${JSON.stringify(entry.name)} of the contract ${contract.name}`;
  const handler: unknown = Reflect.get(given, entry.name);
  if (handler === undefined) {
    if (entry.type === "event" || entry.from === side) return undefined;
    throw new TypeError(`Cannot serve the ${what}: there is no handler for it`);
  }
  if (typeof handler !== "function")
    throw new TypeError(
      `Cannot serve the ${what}: its handler is of type ${typeof handler}, not a function`,
    );
  return (handler as AnyHandler).bind(given); // any function may be called so
}

function checkName(contract: Protocol, name: string, side: Side): void {
  const entry = contract.find(name);
  if (entry === undefined) {
    const known = contract.messages.filter((each) => each.from !== side).map((each) => each.name);
    const near = nearestName(name, known);
    const meant = near === null ? "" : `; did you mean ${JSON.stringify(near)}?`;
    throw new TypeError(
      `Cannot use the handler ${JSON.stringify(name)}: the contract ${contract.name} has no ` +
        `such message${meant}`,
    );
  }
  if (entry.from === side)
    throw new TypeError(
      `Cannot use the handler ${JSON.stringify(name)}: in the contract ${contract.name} it is ` +
        `the ${side}'s own to open`,
    );
}
