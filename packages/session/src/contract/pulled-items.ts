/**
 * PulledItems: the items of what a stream's handler has returned, taken one by one, and left at
 * most once. Owns how each kind of source is pulled, and stopped at once when its caller has left:
 * a pending pull can't hold it. Must not know calls.
 *
 *     source                      pulled by              left by
 *     ReadableStream              reader.read()          reader.cancel()
 *     Readable of Node            its async iterator     destroy()
 *     generators, iterators       next()                 return(), though a next() is pending
 *
 * @module
 */
import { isThenable, whenSettled } from "../program.ts";

/** One step of a source. */
type Step = IteratorResult<unknown, unknown>;

interface AnyIterator {
  next(): unknown;
  return?(): unknown;
}

/** A source, whatever it is. */
interface Pull {
  readonly iterator: AnyIterator;
  /** Stops the source. May throw, or return a promise; nobody waits for it. */
  leave(): unknown;
}

/** The items of one source. */
export class PulledItems {
  readonly #name: string;
  readonly #iterator: AnyIterator;
  readonly #pull: Pull;
  #state: "left" | "open" = "open";

  /** @throws what the source throws; {TypeError} when it can't be iterated */
  constructor(name: string, source: unknown) {
    this.#name = name;
    this.#pull = pullOf(name, source);
    this.#iterator = this.#pull.iterator;
  }

  /**
   * The next step, or a promise of it; give it to `check()` once it is awaited.
   *
   * @throws what the source throws
   */
  next(): unknown {
    return this.#iterator.next();
  }

  /**
   * Checks what `next()` gave.
   *
   * @throws {TypeError} when it is no `{ done, value }`
   */
  check(step: unknown): Step {
    if ((typeof step === "object" || typeof step === "function") && step !== null)
      return step as Step; // its members are read with care
    throw new TypeError(
      `Cannot stream from the source of ${this.#name}: its next() gave a value of type ` +
        `${step === null ? "null" : typeof step}, where { done, value } is wanted`,
    );
  }

  /** Records that the source has said it has no more. */
  ended(): void {
    this.#state = "left";
  }

  /**
   * Stops the source, unless it has ended by itself, or was stopped before. `stopped` is called
   * when it has, if ever, and `failed` where it throws instead; neither when the source can't tell.
   */
  leave(stopped: () => void = ignore, failed: (cause: unknown) => void = ignore): void {
    if (this.#state === "left") return;
    this.#state = "left";
    let left: unknown;
    try {
      left = this.#pull.leave();
    } catch (cause) {
      failed(cause);
      return;
    }
    if (isThenable(left)) whenSettled(left, stopped, failed);
    else stopped();
  }
}

function pullOf(name: string, source: unknown): Pull {
  if ((typeof source !== "object" && typeof source !== "function") || source === null)
    throw notIterable(name, source);
  if ("getReader" in source && typeof source.getReader === "function")
    return readerPull(source as ReadableStream<unknown>);
  if (Symbol.asyncIterator in source) {
    const iterator = iteratorOf(name, (source as AsyncIterable<unknown>)[Symbol.asyncIterator]());
    const isReadable =
      "destroy" in source && "pipe" in source && typeof source.destroy === "function";
    return isReadable
      ? { iterator, leave: () => void (source as Destroyable).destroy() }
      : { iterator, leave: () => iterator.return?.() };
  }
  if (!(Symbol.iterator in source)) throw notIterable(name, source);
  const iterator = iteratorOf(name, (source as Iterable<unknown>)[Symbol.iterator]());
  return { iterator, leave: () => iterator.return?.() };
}

/** A Node stream: its iterator waits for a pending read before it lets go, destroy() does not. */
interface Destroyable {
  destroy(): unknown;
}

/** A stream of the web: its reader can be cancelled while it reads. */
function readerPull(source: ReadableStream<unknown>): Pull {
  const reader = source.getReader();
  return {
    iterator: { next: () => reader.read() },
    leave: () => {
      whenSettled(reader.cancel(), ignore, ignore); // what the stream does with it holds nobody up
      return undefined;
    },
  };
}

function ignore(): void {
  // The call is over.
}

function iteratorOf(name: string, iterator: unknown): AnyIterator {
  if (
    (typeof iterator === "object" || typeof iterator === "function") &&
    iterator !== null &&
    "next" in iterator &&
    typeof iterator.next === "function"
  )
    return iterator as AnyIterator;
  throw new TypeError(
    `Cannot stream what the handler of ${name} returned: its iterator has no function next()`,
  );
}

function notIterable(name: string, source: unknown): TypeError {
  return new TypeError(
    `Cannot stream what the handler of ${name} returned, a value of type ` +
      `${source === null ? "null" : typeof source}: it returns an async iterable, an iterable, ` +
      "or nothing",
  );
}
