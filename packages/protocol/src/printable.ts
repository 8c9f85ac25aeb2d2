/**
 * Makes foreign text safe to print: for terminals, logs and errors. Owns which characters are not
 * shown as they are.
 *
 * @module
 */

/**
 * Control characters (C0, DEL, C1), line and paragraph separators, format characters (what changes
 * the direction of text, most of what has no width, the BOM, tags), lone surrogates, and letters
 * that are blank.
 */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Cf}\p{Cs}\u115f\u1160\u3164\uffa0]/u;
const everyUnprintable = new RegExp(unprintable.source, "gu");

/**
 * Text from elsewhere, with each character spelled out as `\u{…}` that could steer a terminal,
 * break a line of a log in two, or make text look like other text. JSON.stringify leaves most of
 * these as they are.
 *
 * The text of a HawserError has gone through it.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { printable } from "@hawser/protocol";
 *
 * assert.equal(printable("a\u001b[2Jb"), "a\\u{1b}[2Jb");
 * ```
 */
export function printable(text: string): string {
  if (!unprintable.test(text)) return text;
  return text.replace(
    everyUnprintable,
    (each) => `\\u{${(each.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
