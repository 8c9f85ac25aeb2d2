/**
 * A message's input as JSON-RPC's `params`, which must be an object or an array, and back.
 *
 *     input                                params        read as
 *     nothing (undefined)                  no member     nothing; so is null, and [] where the
 *                                                        schema does not want an array
 *     { … }, [], [a, b, …]                 as it is      as it is
 *     a, that is no object and no array    [a]           a, or [a] where the schema does not want a
 *     [a]                                  [a], or       as above
 *                                          [[a]]         where the schema wants a as well
 *
 * Owns this table: whatever is sent is read as what it was. Must not know messages.
 * Source: JSON-RPC 2.0 §4.2.
 *
 * @module
 */
import { type Check, Issue, readInbound } from "../contract/check.ts";
import { jsonText } from "../codec/json-text.ts";
import type { Codec } from "../codec/codec.ts";

/**
 * The JSON text of an input that the check has let pass, by its message's codec; "" for none.
 *
 * @throws {HawserError} PAYLOAD_FORBIDDEN when JSON has no text for it
 */
export function writeParams(check: Check, input: unknown, codec?: Codec<unknown>): string {
  if (input === undefined) return "";
  const text = valueText(codec, input);
  if (text.startsWith("{")) return text;
  if (!text.startsWith("[")) return `[${text}]`;
  if (Array.isArray(input) && input.length !== 1) return text;
  const [only, ...others] = JSON.parse(text) as unknown[]; // as its first letter says
  return others.length > 0 || text === "[]" || Issue.is(readInbound(check, only))
    ? text
    : `[${text}]`;
}

/**
 * The JSON text of a message's value, by its codec, which is a json().
 *
 * @throws {HawserError} PAYLOAD_FORBIDDEN when JSON has no text for it
 */
export function valueText(codec: Codec<unknown> | undefined, value: unknown): string {
  return codec?.text?.(value) ?? jsonText(value);
}

/** What the program gets for the `params` that came, or the Issue. */
export function readParams(check: Check, params: unknown): unknown {
  if (params === undefined || params === null) return readInbound(check, undefined);
  if (!Array.isArray(params) || params.length > 1) return readInbound(check, params);
  const [only] = params as readonly unknown[];
  const whole = (): unknown => readInbound(check, params);
  const bare = (): unknown => readInbound(check, only);
  return params.length === 0 ? readEither(whole, bare) : readEither(bare, whole);
}

/** What the program gets for a value that came where JSON has null for nothing, or the Issue. */
export function readNullable(check: Check, value: unknown): unknown {
  if (value !== null) return readInbound(check, value);
  return check.kind === "nothing"
    ? undefined
    : readEither(
        () => readInbound(check, null),
        () => readInbound(check, undefined),
      );
}

function readEither(first: () => unknown, second: () => unknown): unknown {
  const one = first();
  if (!Issue.is(one)) return one;
  const other = second();
  // the schema that came further knows better
  return Issue.is(other) && other.path.length <= one.path.length ? one : other;
}
