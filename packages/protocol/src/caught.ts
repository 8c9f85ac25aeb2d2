/**
 * Caught values: how text is made of what a program's code threw or rejected with. Any value may be
 * thrown: a symbol, a revoked proxy, an error whose `message` is an object or a getter that throws.
 * Nothing here throws, whatever the value does. Owns the reading of caught values; elsewhere nobody
 * looks at `.message` or `String()` of one (a lint rule says so).
 *
 * @module
 */
import { plain } from "./session/quote.ts";

/** True if a value is an error of any realm. False for what can't be looked at: a revoked proxy. */
export function isError(value: unknown): value is Error {
  try {
    return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
  } catch {
    return false;
  }
}

/**
 * Describes a caught value on one line of at most `most` printable characters: an error by its
 * message, a string by itself, others by their type.
 */
export function describeCaught(cause: unknown, most = 160): string {
  return describe(cause, most, 0);
}

/**
 * A caught value as an error: itself if it is one, else a TypeError that describes it, with the
 * value as its `cause`.
 */
export function asError(cause: unknown): Error {
  return isError(cause) ? cause : new TypeError(describeCaught(cause), { cause });
}

/** The stack of a caught error, or `""` where it has none that is text. */
export function stackOf(cause: unknown): string {
  const stack = isError(cause) ? memberOf(cause, "stack") : undefined;
  return typeof stack === "string" ? stack.slice(0, MAX_STACK) : "";
}

/** Reads a member of a value; undefined where that throws. */
export function memberOf(value: object, name: PropertyKey): unknown {
  try {
    return Reflect.get(value, name);
  } catch {
    return undefined;
  }
}

/**
 * True if a value that should be at hand is a promise, of any kind. What it rejects with is
 * dropped: an unhandled rejection ends a process, and whoever asks has an error to tell anyway.
 */
export function dropPromise(value: unknown): boolean {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  try {
    if (!("then" in value) || typeof value.then !== "function") return false;
  } catch {
    return false; // it is not to be awaited, and whoever uses it will see
  }
  void drop(value as PromiseLike<unknown>);
  return true;
}

async function drop(promise: PromiseLike<unknown>): Promise<void> {
  try {
    await promise;
  } catch {
    // Nobody waits for it.
  }
}

const MAX_STACK = 8_192;
/** Errors inside an error that are looked into for a message. */
const MAX_DEPTH = 3;

function describe(cause: unknown, most: number, depth: number): string {
  if (typeof cause === "string")
    return cause === "" ? "it threw an empty string" : shorten(cause, most);
  if (!isError(cause)) return `it threw a value of type ${typeName(cause)}`;
  const message = memberOf(cause, "message");
  if (typeof message === "string" && message !== "") return shorten(message, most);
  if (message !== undefined && message !== "")
    return `it threw an error whose message is of type ${typeName(message)}`;
  return describeInner(cause, most, depth) ?? describeName(cause, most);
}

function typeName(value: unknown): string {
  return value === null ? "null" : typeof value;
}

/** The message of the first error in an AggregateError, which often has none of its own. */
function describeInner(cause: Error, most: number, depth: number): string | null {
  const errors = depth < MAX_DEPTH ? memberOf(cause, "errors") : undefined;
  if (typeof errors !== "object" || errors === null) return null;
  const first = memberOf(errors, 0);
  return first === undefined ? null : describe(first, most, depth + 1);
}

function describeName(cause: Error, most: number): string {
  const code = memberOf(cause, "code");
  const name = memberOf(cause, "name");
  const what =
    typeof code === "string" && code !== ""
      ? code
      : typeof name === "string" && name !== ""
        ? name
        : "Error";
  return `it threw ${shorten(what, most)} without a message`;
}

/** Cut before it is searched: a message may be of any length. */
function shorten(text: string, most: number): string {
  return plain(text.length > most * 4 ? text.slice(0, most * 4) : text, most);
}
