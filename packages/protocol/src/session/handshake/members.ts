/**
 * Members of what a peer says in JSON: each read as what it must be, or named as what it is not.
 * Owns the words for a member that has another form. Must not know which members a frame has.
 *
 * @module
 */
import { type ErrorCode, HawserError } from "../../errors.ts";
import { parseJson, peerError } from "../../stack.ts";
import { utf8Decode } from "../../bytes/utf8.ts";

/** A fault in a text of the peer; never leaves `reading`. */
export class Fault extends Error {}

/** The members of an object of JSON. */
export type Members = Readonly<Record<string, unknown>>;

/** The result of `read` for the peer's `what`; an error of this code where it finds a fault. */
export function reading<T>(what: string, code: ErrorCode, read: () => T): HawserError | T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return peerError(code, `The peer's ${what} can't be read: ${error.message}`);
  }
}

/** Some bytes as JSON. */
export function parse(bytes: Uint8Array, start: number, end: number): unknown {
  try {
    return parseJson(utf8Decode(bytes, start, end));
  } catch {
    throw new Fault("it is not JSON in UTF-8"); // the runtime's own text quotes what came
  }
}

/** An object. `where`: the member's name, or `"it"`. */
export function object(value: unknown, where: string): Members {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Fault(`${named(where)} is not an object`);
  return value as Members; // an object of JSON has nothing but members
}

/** A list. */
export function list(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Fault(`${named(where)} is not a list`);
  return value;
}

/** A text. */
export function string(value: unknown, where: string): string {
  if (typeof value !== "string") throw new Fault(`${named(where)} is not a text`);
  return value;
}

/** 32 hexadecimal digits. */
export function identity(value: unknown, where: string): string {
  if (typeof value !== "string" || !/^[0-9a-f]{32}$/.test(value))
    throw new Fault(`${named(where)} is not 32 hexadecimal digits`);
  return value;
}

/** 16 hexadecimal digits, or the empty text where nothing is known. */
export function digest(value: unknown, where: string): string {
  if (typeof value !== "string" || !/^(?:[0-9a-f]{16})?$/.test(value))
    throw new Fault(`${named(where)} is not 16 hexadecimal digits`);
  return value;
}

/** A whole number. */
export function whole(
  value: unknown,
  where: string,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
    throw new Fault(
      `${named(where)} is not a whole number ` +
        (most === Number.MAX_SAFE_INTEGER
          ? `from ${String(least)}`
          : `from ${String(least)} to ${String(most)}`),
    );
  }
  return value;
}

/** Two whole numbers from 1, of which the first is not above the last. */
export function range(value: unknown, where: string): readonly [number, number] {
  const [lowest, highest] = list(value, where);
  const pair = [whole(lowest, `${where}[0]`, 1), whole(highest, `${where}[1]`, 1)] as const;
  if (pair[0] > pair[1]) throw new Fault(`${named(where)} is not [lowest, highest]`);
  return pair;
}

function named(where: string): string {
  return where === "it" ? where : `\`${where}\``;
}
