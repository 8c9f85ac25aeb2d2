/**
 * MiddlewareStep: one middleware's part of one run: its `next()`, and what the run gives in the
 * end. Owns that `next()` runs the rest at most once, and that nothing is given before what it runs
 * has ended. Must not know calls or handlers.
 *
 *     the middleware returns         the run gives
 *     nothing                        what next() gave, or threw
 *     a value, next() has ended      the value
 *     a value, next() goes on        the value; an event waits for next(), too
 *     it throws                      what it throws
 *
 * @module
 */
import { isThenable, whenSettled } from "../program.ts";

/** Is told what a handler rejects with whose result nobody waits for; null: the run waits. */
export type Ignored = ((cause: unknown) => void) | null;

/** One middleware of one run. */
export class MiddlewareStep {
  readonly #name: string;
  readonly #rest: () => unknown;
  readonly #ignored: Ignored;
  /** `"called"`: next() was. `"over"`: the middleware has ended. */
  #state: "called" | "open" | "over" = "open";
  #inner: unknown;
  /** True if the promise that next() gave is not settled. */
  #waits: "no" | "yes" = "no";
  /** What next() threw, for a middleware that did not pass it on. */
  #thrown: { readonly cause: unknown } | null = null;

  /**
   * `ignored` is told what `rest` rejects with after the middleware has given another value; null:
   * the run waits for it.
   */
  constructor(name: string, rest: () => unknown, ignored: Ignored) {
    this.#name = name;
    this.#rest = rest;
    this.#ignored = ignored;
  }

  run(middleware: (next: () => unknown) => unknown): unknown {
    let result: unknown;
    try {
      result = middleware(this.#next);
    } catch (cause) {
      this.#state = "over";
      throw cause;
    }
    return isThenable(result) ? this.#later(result) : this.#result(result);
  }

  readonly #next = (): unknown => {
    if (this.#state !== "open") return this.#refuse();
    this.#state = "called";
    try {
      this.#inner = this.#rest();
    } catch (cause) {
      this.#thrown = { cause };
      throw cause;
    }
    if (!isThenable(this.#inner)) return this.#inner;
    // One promise for the middleware and for the run: a `then` of the program's is called once.
    this.#waits = "yes";
    const inner = this.#settle(this.#inner);
    inner.catch(() => undefined); // the run looks at it; the middleware need not
    this.#inner = inner;
    return inner;
  };

  async #settle(promise: PromiseLike<unknown>): Promise<unknown> {
    try {
      return await promise;
    } finally {
      this.#waits = "no";
    }
  }

  async #later(result: PromiseLike<unknown>): Promise<unknown> {
    let value: unknown;
    try {
      value = await result;
    } catch (cause) {
      this.#state = "over";
      throw cause;
    }
    return this.#result(value);
  }

  /** What the run gives, when the middleware gave `value`. */
  #result(value: unknown): unknown {
    const wasCalled = this.#state === "called";
    this.#state = "over";
    if (!wasCalled) return value;
    if (value === undefined) {
      if (this.#thrown !== null) throw this.#thrown.cause;
      return this.#inner;
    }
    if (this.#waits === "no") return value;
    const inner = this.#inner as Promise<unknown>; // made in next()
    if (this.#ignored === null) return inner.then(() => value);
    whenSettled(inner, () => undefined, this.#ignored);
    return value;
  }

  #refuse(): Promise<never> {
    const why =
      this.#state === "called"
        ? "it was called already"
        : "the middleware has ended: return what next() returns, or await it";
    const refused = Promise.reject(new TypeError(`Cannot call next() for ${this.#name}: ${why}`));
    refused.catch(() => undefined); // a middleware that ignores it has done no harm
    return refused;
  }
}
