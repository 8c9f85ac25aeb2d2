/**
 * A value's JSON text, or the member that has none. Owns which values JSON can't carry, or carries
 * as something else. Must not know codecs, contracts or frames.
 *
 * @module
 */
import { isError } from "../caught.ts";
import { HawserError } from "../errors.ts";

/**
 * What of a type JSON carries as it is: equal to `T` where it carries all of it. What becomes
 * something else, a Date, Map, Set, an array of bytes, or a class with methods, has members that
 * are functions; these, `bigint` and `symbol` are `never`. (That NaN becomes null no type can say.)
 */
export type Jsonable<T> = unknown extends T
  ? T
  : T extends boolean | number | string | null | undefined
    ? T
    : T extends bigint | symbol | ((...values: never) => unknown)
      ? never
      : { [K in keyof T]: Jsonable<T[K]> };

/**
 * A value's JSON text.
 *
 * @throws {HawserError} PAYLOAD_FORBIDDEN when it has none, with the `path` of the member that has
 *   none, where that can be told
 */
export function jsonText(value: unknown): string {
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(value); // undefined for what JSON leaves out, whatever its type says
  } catch (error) {
    cause = error;
  }
  if (text !== undefined) return text;
  const fault = new FaultFinder(false).find(value);
  if (fault !== null && fault.path.length > 0) throw forbidden(fault, value, cause);
  throw new HawserError(
    "PAYLOAD_FORBIDDEN",
    `Cannot send ${describeType(value)} as JSON: JSON has no text for it`,
    { cause },
  );
}

/**
 * Check that JSON carries a value as it is.
 *
 * @throws {HawserError} PAYLOAD_FORBIDDEN with the `path` of the member that would arrive as
 *   something else, or not at all
 */
export function checkJsonable(value: unknown): void {
  const fault = new FaultFinder(true).find(value);
  if (fault !== null) throw forbidden(fault, value, undefined);
}

/** What JSON does to a member. */
interface Fault {
  readonly path: readonly (number | string)[];
  readonly what: string;
}

function forbidden({ path, what }: Fault, value: unknown, cause: unknown): HawserError {
  const where = path.length === 0 ? "it" : formatPath(path);
  return new HawserError(
    "PAYLOAD_FORBIDDEN",
    `Cannot send ${describeType(value)} as JSON: ${where} ${what}`,
    { cause, path },
  );
}

function describeType(value: unknown): string {
  return value === null
    ? "null"
    : Array.isArray(value)
      ? "an array"
      : `a value of type ${typeof value}`;
}

function formatPath(path: readonly (number | string)[]): string {
  const text = path
    .map((step) => (typeof step === "number" ? `[${String(step)}]` : `.${step}`))
    .join("");
  return text.startsWith(".") ? text.slice(1, 121) : text.slice(0, 120);
}

/** Members that are looked at, and how deep: enough for what a person writes. */
const MOST_MEMBERS = 1_000_000;
const MOST_DEPTH = 1_000;

/**
 * Finds the first member that JSON has no text for; a strict one also the first that JSON changes.
 * Runs no getter and no toJSON.
 */
class FaultFinder {
  readonly #isStrict: boolean;
  readonly #path: (number | string)[] = [];
  readonly #above = new Set<object>();
  #members = 0;

  constructor(isStrict: boolean) {
    this.#isStrict = isStrict;
  }

  find(value: unknown): Fault | null {
    const what = this.#wrong(value);
    if (what !== null) return { path: [...this.#path], what };
    if (typeof value !== "object" || value === null || this.#above.size >= MOST_DEPTH) return null;
    this.#above.add(value);
    const fault = this.#findIn(value);
    this.#above.delete(value);
    return fault;
  }

  #findIn(value: object): Fault | null {
    if (hasToJson(value)) return null; // what it makes of itself is its own to say
    const isArray = Array.isArray(value);
    for (const key of Object.keys(value)) {
      if (++this.#members > MOST_MEMBERS) return null;
      const member = Object.getOwnPropertyDescriptor(value, key);
      if (member === undefined || !("value" in member)) continue; // a getter is not run again
      if (member.value === undefined && !isArray) continue; // JSON leaves it out
      this.#path.push(isArray ? Number(key) : key);
      const fault = this.find(member.value);
      if (fault !== null) return fault;
      this.#path.pop();
    }
    return null;
  }

  #wrong(value: unknown): string | null {
    switch (typeof value) {
      case "bigint":
        return "is a bigint, which JSON has no text for";
      case "object":
        return value === null
          ? null
          : this.#above.has(value)
            ? "is a cycle: it holds itself"
            : this.#isStrict
              ? changed(value)
              : null;
      case "string":
      case "boolean":
        return null;
      case "number":
        return this.#isStrict && !Number.isFinite(value)
          ? `is ${String(value)}, which JSON makes null`
          : null;
      default:
        return this.#isStrict || this.#path.length === 0
          ? `is a value of type ${typeof value}, which JSON has no text for`
          : null;
    }
  }
}

function hasToJson(value: object): boolean {
  return "toJSON" in value;
}

/** What JSON makes of an object that is not its members, or null. */
function changed(value: object): string | null {
  if (value instanceof Date) return "is a Date, which JSON makes a text";
  if (value instanceof Map || value instanceof WeakMap) return "is a Map, which JSON makes {}";
  if (value instanceof Set || value instanceof WeakSet) return "is a Set, which JSON makes {}";
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer)
    return "holds bytes, which JSON makes an object of numbers; use bytes(), or a text";
  if (isError(value) || value instanceof RegExp || value instanceof Promise)
    return "is an object that JSON makes {}";
  return null;
}
