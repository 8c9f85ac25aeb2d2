/**
 * Listeners by name: of a contract's events, and of what happens to a client.
 * Owns the sets and the order of the calls. Must not know what the names mean.
 *
 * @module
 */

import { isThenable, whenSettled } from "@hawser/session";

/** A listener of anything: what it is called with is the name's to say. */
export type AnyListener = (...values: never) => unknown;

/** A listener as it is called. */
export type Callable = (...values: readonly unknown[]) => unknown;

/** A listener, and how it was added. */
export interface Added {
  readonly listener: Callable;
  /** Of one that was added with `once`: whether it was called. */
  once: "called" | "no" | "yes";
}

/** Is told what a listener of a name has thrown, or rejected with. */
export type Failed = (cause: unknown, name: string) => void;

/**
 * Lists of listeners, each called in the order in which it was added. A change while they are
 * called takes effect afterwards.
 */
export class Listeners {
  readonly #listeners = new Map<string, readonly Added[]>();

  /**
   * The listeners of a name as they are now, or null: a list that is never changed, for whoever
   * goes through it often.
   */
  list(name: string): readonly Added[] | null {
    return this.#listeners.get(name) ?? null;
  }

  /** True if anybody listens. */
  has(name: string): boolean {
    return this.#listeners.has(name);
  }

  /** @throws {TypeError} when the listener is no function */
  on(name: string, listener: AnyListener): void {
    this.#add(name, listener, "no");
  }

  /** @throws {TypeError} as `on` */
  once(name: string, listener: AnyListener): void {
    this.#add(name, listener, "yes");
  }

  /**
   * Takes one listener away, the one of these that was added last, as EventEmitter does.
   *
   * @throws {TypeError} when the listener is no function
   */
  off(name: string, listener: AnyListener): void {
    asCallable(name, listener);
    const added = this.#listeners.get(name) ?? [];
    const index = added.findLastIndex((each) => each.listener === listener);
    if (index !== -1) this.#set(name, added.toSpliced(index, 1));
  }

  /**
   * Calls them all, and returns what they return; what one throws, as a promise that rejects. The
   * only listener may throw.
   */
  call(name: string, ...values: readonly unknown[]): unknown {
    const added = this.#listeners.get(name);
    if (added === undefined) return undefined;
    const [only] = added;
    if (added.length === 1 && only !== undefined) return this.#call(name, only, values);
    const results = added.map((each) => this.#caught(name, each, values));
    // Where none is a promise, the next event does not wait: a second listener changes nothing of
    // the order that the first one sees.
    return results.some(isThenable) ? Promise.all(results) : undefined;
  }

  #caught(name: string, added: Added, values: readonly unknown[]): unknown {
    try {
      return this.#call(name, added, values);
    } catch (cause) {
      const { promise, reject } = Promise.withResolvers();
      reject(cause);
      return promise;
    }
  }

  /**
   * Calls each, whatever the others do. Never throws: `failed` is told what one throws, or rejects
   * with.
   */
  tell(name: string, values: readonly unknown[], failed: Failed): void {
    for (const added of this.#listeners.get(name) ?? []) this.tellOne(name, added, values, failed);
  }

  /** Calls one of them, as `tell`. */
  tellOne(name: string, added: Added, values: readonly unknown[], failed: Failed): void {
    let result: unknown;
    try {
      result = this.#call(name, added, values);
    } catch (cause) {
      failed(cause, name);
      return;
    }
    this.await(name, result, failed);
  }

  /** Waits for a listener's result: a promise that rejects is a failure. */
  await(name: string, result: unknown, failed: Failed): void {
    if (!isThenable(result)) return;
    whenSettled(result, ignore, (cause) => {
      failed(cause, name);
    });
  }

  /** Calls each, whatever the others do: `run` makes the call. */
  each(name: string, values: readonly unknown[], run: (call: () => unknown) => void): void {
    for (const added of this.#listeners.get(name) ?? []) {
      run(() => this.#call(name, added, values));
    }
  }

  #call(name: string, added: Added, values: readonly unknown[]): unknown {
    if (added.once === "called") return undefined; // from within itself
    if (added.once === "yes") {
      added.once = "called";
      this.#set(
        name,
        (this.#listeners.get(name) ?? []).filter((each) => each !== added),
      );
    }
    return added.listener(...values);
  }

  #add(name: string, listener: AnyListener, once: Added["once"]): void {
    this.#set(name, [
      ...(this.#listeners.get(name) ?? []),
      { listener: asCallable(name, listener), once },
    ]);
  }

  /** A new list for each change: whoever goes through one is not disturbed. */
  #set(name: string, added: readonly Added[]): void {
    if (added.length > 0) this.#listeners.set(name, added);
    else this.#listeners.delete(name);
  }
}

function asCallable(name: string, listener: AnyListener): Callable {
  if (typeof listener !== "function")
    throw new TypeError(
      `Cannot listen to ${JSON.stringify(name)} with a value of type ${typeof listener}: use a ` +
        "function",
    );
  return listener as Callable; // whoever added it says what the name's values are
}

function ignore(): void {
  // Nobody waits for a listener.
}
