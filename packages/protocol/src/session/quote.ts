/**
 * Texts and bytes of the peer in errors of this side: short, on one line, printable.
 *
 * @module
 */
import { printable } from "../printable.ts";

/** At most `length` characters of a text that the peer chose, on one line and printable. */
export function plain(text: string, length = 120): string {
  const line = printable(
    text
      .replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " ")
      .trim()
      .toWellFormed(),
  );
  return (line.length > length ? `${line.slice(0, length - 1)}…` : line).toWellFormed();
}

/** Bytes in hexadecimal, two digits each. */
export function hexadecimal(bytes: ArrayLike<number>, separator = ""): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(separator);
}
