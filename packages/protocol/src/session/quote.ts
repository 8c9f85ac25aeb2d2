/**
 * Texts and bytes of the peer in errors of this side: short, on one line, without control characters.
 *
 * @module
 */

/** At most `length` characters of a text that the peer chose, with what could disturb a terminal or a log replaced. */
export function plain(text: string, length = 120): string {
  const line = text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " ").trim();
  return (line.length > length ? `${line.slice(0, length - 1)}…` : line).toWellFormed();
}

/** Bytes in hexadecimal, two digits each. */
export function hexadecimal(bytes: ArrayLike<number>, separator = ""): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(separator);
}
