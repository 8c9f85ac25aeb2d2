/**
 * Events of a client's life, for its listeners. Must not know why they happen.
 *
 * @module
 */
import type { HawserError } from "@hawser/protocol";
import { unknownName } from "@hawser/protocol/engine";
import { programFailed, Reporter } from "@hawser/session";
import type { Lifecycle, LifecycleEvents } from "./handlers.ts";
import { type AnyListener, Listeners } from "./listeners.ts";

const events: readonly (keyof LifecycleEvents)[] = [
  "ready",
  "resumed",
  "disconnected",
  "draining",
  "error",
  "close",
];

/**
 * Listeners of what happens to a client. What one throws, or rejects with, is told to those of
 * `error`.
 */
export class ClientLifecycle implements Lifecycle {
  readonly #listeners = new Listeners();
  readonly #reporter: Reporter;

  /** `who` stands in warnings: `"the client of desk"`. */
  constructor(who: string) {
    this.#reporter = new Reporter(who);
  }

  on(event: keyof LifecycleEvents, listener: AnyListener): this {
    check(event);
    this.#listeners.on(event, listener);
    return this;
  }

  once(event: keyof LifecycleEvents, listener: AnyListener): this {
    check(event);
    this.#listeners.once(event, listener);
    return this;
  }

  off(event: keyof LifecycleEvents, listener: AnyListener): this {
    check(event);
    this.#listeners.off(event, listener);
    return this;
  }

  /** Call the listeners of all events but `error`. Never throws. */
  tell<Name extends Exclude<keyof LifecycleEvents, "error">>(
    event: Name,
    ...values: LifecycleEvents[Name]
  ): void {
    this.#listeners.tell(event, values, (cause) => {
      this.report(programFailed(`A listener of "${event}"`, cause, "session"));
    });
  }

  /**
   * Tell the listeners of `error`; where there are none, or they fail, the process is warned. Never
   * throws.
   */
  report(error: HawserError): void {
    if (this.#listeners.has("error")) {
      this.#listeners.each("error", [error], (call) => {
        void this.#reporter.report(error, call);
      });
    } else {
      void this.#reporter.report(error, null);
    }
  }
}

function check(event: string): void {
  if (!(events as readonly string[]).includes(event))
    throw unknownName("The lifecycle of a client", "event", event, events);
}
