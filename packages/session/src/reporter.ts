/**
 * Reporter: where failures go that no call and no promise tells of: to the program's `error`
 * handler, or, where there is none or it fails itself, to the process's warnings, once for each
 * code. Must not know what failed. The one file that warns.
 *
 * @module
 */
import type { HawserError } from "@hawser/protocol";
import { describeCaught, stackOf } from "@hawser/protocol/engine";
import { isThenable } from "./program.ts";

/** The failures of one server or client. */
export class Reporter {
  readonly #who: string;
  /** Codes that were warned of. */
  readonly #warned = new Set<string>();

  /** `who` stands in the warnings: `"the server of desk"`. */
  constructor(who: string) {
    this.#who = who;
  }

  /**
   * Reports an error by calling the program's handler, or null where there is none. Never throws;
   * what the handler throws, or rejects with, becomes a warning. Returns the handler's promise, if
   * it made one; it never rejects.
   */
  report(error: HawserError, handler: (() => unknown) | null): Promise<undefined> | undefined {
    if (handler !== null) return this.#call(handler);
    // What the network does, promises and `closed` tell as well.
    if (error.origin !== "transport")
      this.#warn(
        error.code,
        `${error.message} (${this.#who} has no error handler; each code is shown once)`,
        error.cause,
      );
    return undefined;
  }

  #call(handler: () => unknown): Promise<undefined> | undefined {
    let result: unknown;
    try {
      result = handler();
    } catch (cause) {
      this.#failed(cause);
      return undefined;
    }
    return isThenable(result) ? this.#wait(result) : undefined;
  }

  async #wait(result: PromiseLike<unknown>): Promise<undefined> {
    try {
      await result;
    } catch (cause) {
      this.#failed(cause);
    }
    return undefined;
  }

  #failed(cause: unknown): void {
    this.#warn(
      "ERROR_HANDLER_FAILED",
      `The error handler of ${this.#who} failed: ${describeCaught(cause)}`,
      cause,
    );
  }

  #warn(code: string, message: string, cause: unknown): void {
    if (this.#warned.has(code)) return;
    this.#warned.add(code);
    const detail = stackOf(cause);
    try {
      globalThis.process.emitWarning(message, {
        type: "HawserWarning",
        code: `HAWSER_${code}`,
        ...(detail === "" ? {} : { detail }),
      });
    } catch {
      // A runtime without warnings, or a program that replaced them: there is nobody left to tell.
    }
  }
}
