/**
 * Arguments: the checks of what callers give to this project's functions, by shape, before anything
 * uses it. Owns the texts of these TypeErrors, and the search for the name that a misspelt one
 * stands for. Must not know what an argument is for.
 *
 * @module
 */
import { utf8Encode } from "./bytes/utf8-write.ts";

/**
 * Check an object of options: it is an object, and has no member but the known ones.
 *
 * `what` names the function or object that takes the options, as in `lines()` or `createServer()
 * writeBuffer`. Only own enumerable members with a string as their name are looked at, so an object
 * of a class may be given. A member that is undefined must be known, too.
 *
 * @throws {TypeError} when `given` is not an object, or has an unknown member; the text names the
 *   nearest known one
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { checkOptions } from "@hawser/protocol/engine";
 *
 * assert.throws(() => checkOptions("lines()", { endign: "crlf" }, ["ending", "write"]), {
 *   name: "TypeError",
 *   message: 'lines() has no option "endign": did you mean "ending"? It takes ending, write',
 * });
 * ```
 */
export function checkOptions(what: string, given: unknown, known: readonly string[]): void {
  if (
    typeof given !== "object" ||
    given === null ||
    Array.isArray(given) ||
    ArrayBuffer.isView(given)
  ) {
    throw new TypeError(
      `${what} takes its options as one object, got ${describeValue(given)}: write { ` +
        `${known[0] ?? "name"}: … }`,
    );
  }
  for (const name of Object.keys(given))
    if (!known.includes(name)) throw unknownName(what, "option", name, known);
}

/**
 * The error of a name that is not one of the known ones: it says which was likely meant, and which
 * there are.
 */
export function unknownName(
  what: string,
  kind: string,
  name: string,
  known: readonly string[],
): TypeError {
  const near = nearestName(name, known);
  const hint = near === null ? "it" : `did you mean ${JSON.stringify(near)}? It`;
  return new TypeError(
    `${what} has no ${kind} ${describeValue(name)}: ${hint} takes ` +
      (known.length === 0 ? "none" : known.join(", ")),
  );
}

/**
 * The known name that differs least from `name`, or null when none is near: at most a third of it
 * is written otherwise.
 */
export function nearestName(name: string, known: readonly string[]): string | null {
  const wanted = name.slice(0, MOST_COMPARED).toLowerCase();
  let nearest: string | null = null;
  let least = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const each of known) {
    const distance = editDistance(wanted, each.toLowerCase());
    if (distance >= least) continue;
    least = distance;
    nearest = each;
  }
  return nearest;
}

const MOST_COMPARED = 64;

/**
 * Number of letters to be changed, added, left out or swapped with their neighbour (Damerau,
 * "optimal string alignment").
 */
function editDistance(one: string, other: string): number {
  let before: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row++) {
    const next = [row];
    for (let column = 1; column <= other.length; column++) {
      const same = one[row - 1] === other[column - 1];
      let cost = Math.min(
        (last[column] as number) + 1,
        (next[column - 1] as number) + 1,
        (last[column - 1] as number) + (same ? 0 : 1),
      ); // in range, as below
      const swapped =
        row > 1 &&
        column > 1 &&
        one[row - 1] === other[column - 2] &&
        one[row - 2] === other[column - 1];
      if (swapped) cost = Math.min(cost, (before[column - 2] as number) + 1);
      next.push(cost);
    }
    before = last;
    last = next;
  }
  return last[other.length] as number; // the row has a column more than `other` has letters
}

/**
 * Check that a function that takes no arguments got none.
 *
 * @throws {TypeError} when it got one
 */
export function checkNone(what: string, given: readonly unknown[]): void {
  if (given.length > 0 && given[0] !== undefined)
    throw new TypeError(`${what} takes no arguments, got ${describeValue(given[0])}`);
}

/**
 * The bytes that a caller gave, as text (its UTF-8) or as bytes; they are copied.
 *
 * @throws {TypeError} when it is neither, or text with a lone surrogate
 */
export function bytesOf(what: string, value: unknown): Uint8Array {
  if (typeof value === "string") {
    if (!value.isWellFormed())
      throw new TypeError(
        `${what} can't be text with a lone surrogate: it has no UTF-8; give its bytes as a ` +
          "Uint8Array",
      );
    return utf8Encode(value);
  }
  // not slice(): a Buffer's slice is a view
  if (value instanceof Uint8Array) return new Uint8Array(value);
  throw new TypeError(`${what} is text or a Uint8Array, got ${describeValue(value)}`);
}

/** A caller's value as it stands in an error's text: short, in one line. Never throws. */
export function describeValue(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > MOST_SHOWN ? `${value.slice(0, MOST_SHOWN)}…` : value);
    case "function":
      return "a function";
    case "symbol":
      return "a symbol";
    case "object":
      return value === null ? "null" : describeObject(value);
    default:
      return String(value).slice(0, MOST_SHOWN); // a number, bigint, boolean or undefined
  }
}

const MOST_SHOWN = 80;

function describeObject(value: object): string {
  try {
    if (Array.isArray(value)) return "an array";
    return value instanceof Uint8Array ? "a Uint8Array" : "an object";
  } catch {
    return "an object"; // a proxy that is revoked
  }
}
