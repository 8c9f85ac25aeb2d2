/**
 * Listeners by name: of a contract's events, and of what happens to a client.
 * Owns the sets and the order of the calls. Must not know what the names mean.
 *
 * @module
 */

/** A listener of anything: what it is called with is the name's to say. */
export type AnyListener = (...values: never) => unknown;

type Callable = ((...values: readonly unknown[]) => unknown) & { wraps?: AnyListener };

/** Sets of listeners, each called in the order in which it was added. */
export class Listeners {
  readonly #listeners = new Map<string, Callable[]>();

  /** Whether anybody listens. */
  has(name: string): boolean {
    return this.#listeners.has(name);
  }

  on(name: string, listener: AnyListener): void {
    this.#add(name, asCallable(name, listener));
  }

  once(name: string, listener: AnyListener): void {
    const called = asCallable(name, listener);
    const wrapped: Callable = (...values) => {
      this.off(name, wrapped);
      return called(...values);
    };
    wrapped.wraps = listener;
    this.#add(name, wrapped);
  }

  off(name: string, listener: AnyListener): void {
    const rest = (this.#listeners.get(name) ?? []).filter((each) => each !== listener && each.wraps !== listener);
    if (rest.length > 0) this.#listeners.set(name, rest);
    else this.#listeners.delete(name);
  }

  /** Call them all, and return what they return; what one throws, as a promise that rejects. */
  call(name: string, ...values: readonly unknown[]): unknown {
    const listeners = this.#listeners.get(name);
    if (listeners === undefined) return undefined;
    const [only] = listeners;
    if (listeners.length === 1 && only !== undefined) return only(...values);
    return Promise.all(listeners.map((listener) => new Promise((resolve) => { resolve(listener(...values)); })));
  }

  /** A new list for each change: whoever goes through one is not disturbed. */
  #add(name: string, listener: Callable): void {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
  }
}

function asCallable(name: string, listener: AnyListener): Callable {
  if (typeof listener !== "function") throw new TypeError(`Cannot listen to ${JSON.stringify(name)} with a value of type ${typeof listener}: use a function`);
  return listener as Callable; // whoever added it says what the name's values are
}
