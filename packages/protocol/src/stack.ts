/**
 * Errors without a stack: for what a peer's bytes cause, where the stack names this library alone,
 * and capturing it is half of what a burst of invalid messages costs. Owns `Error.stackTraceLimit`,
 * which is 0 while one such error is made and as it was afterwards. Must not know what the errors
 * are about.
 *
 * @module
 */
import { type ErrorCode, HawserError, type HawserErrorOptions } from "./errors.ts";

/**
 * The limit is V8's and JavaScriptCore's, and in no standard library's types. Where it cannot be
 * set, errors have a stack.
 */
const limited = Error as ErrorConstructor & { stackTraceLimit?: number | undefined };

/** As `new HawserError`, for what the peer's bytes cause: without a stack. */
export function peerError(
  code: ErrorCode,
  message: string,
  options?: HawserErrorOptions,
): HawserError {
  return withoutStack(() => new HawserError(code, message, options));
}

/** Calls `run`, which calls no code of the program; an error that is made in it has no stack. */
export function withoutStack<T>(run: () => T): T {
  const before = limited.stackTraceLimit;
  if (!Reflect.set(limited, "stackTraceLimit", 0)) return run();
  try {
    return run();
  } finally {
    limited.stackTraceLimit = before;
  }
}

/**
 * JSON.parse for one text after another. The first error after a text that was JSON has a stack,
 * and those that follow it have none: to change the limit costs 4 % of what a small item of a
 * stream does, and a burst of invalid texts is what it is changed for.
 */
export class JsonParser {
  #last: "invalid" | "valid" = "valid";

  /** @throws {SyntaxError} when the text is not JSON */
  parse(text: string): unknown {
    try {
      const value: unknown = this.#last === "valid" ? JSON.parse(text) : parseJson(text);
      this.#last = "valid";
      return value;
    } catch (error) {
      this.#last = "invalid";
      throw error;
    }
  }
}

/**
 * JSON.parse, whose error has no stack. Not by `withoutStack`: a message is parsed here, and this
 * way it costs nothing (Reflect.set takes 100 ns).
 *
 * @throws {SyntaxError} when the text is not JSON
 */
export function parseJson(text: string): unknown {
  const before = limited.stackTraceLimit;
  try {
    limited.stackTraceLimit = 0;
    return JSON.parse(text);
  } catch (error) {
    // Error is frozen, so the limit stays; JSON.parse throws SyntaxErrors alone
    if (error instanceof TypeError) return JSON.parse(text);
    throw error;
  } finally {
    if (limited.stackTraceLimit !== before) limited.stackTraceLimit = before;
  }
}
