/**
 * What happens to a client, told to whoever listens. Must not know why it happens.
 *
 * @module
 */
import type { Lifecycle, LifecycleEvents } from "./session-handlers.ts";
import { type AnyListener, Listeners } from "./session-listeners.ts";

/** Listeners of what happens to a client. */
export class ClientLifecycle implements Lifecycle {
  readonly #listeners = new Listeners();

  on(event: keyof LifecycleEvents, listener: AnyListener): this {
    this.#listeners.on(event, listener);
    return this;
  }

  once(event: keyof LifecycleEvents, listener: AnyListener): this {
    this.#listeners.once(event, listener);
    return this;
  }

  off(event: keyof LifecycleEvents, listener: AnyListener): this {
    this.#listeners.off(event, listener);
    return this;
  }

  /** Call the listeners; what one throws is the program's own fault, and nobody's here. */
  tell<Name extends keyof LifecycleEvents>(event: Name, ...values: LifecycleEvents[Name]): void {
    try {
      this.#listeners.call(event, ...values);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
