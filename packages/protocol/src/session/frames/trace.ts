/**
 * Trace contexts: W3C `traceparent`, version 00, as text and as the 25 bytes that cross the wire
 * (PROTOCOL.md §2). Owns the two forms. Must not know who traces.
 *
 *     "00-" trace-id (32 digits) "-" parent-id (16) "-" trace-flags (2)
 *     trace-id 16 bytes | parent-id 8 | trace-flags 1
 *
 * Source: https://www.w3.org/TR/trace-context/#traceparent-header
 *
 * @module
 */
import type { ByteWriter } from "../../bytes/writer.ts";

/** Bytes of a trace context on the wire. */
export const TRACE_BYTES = 25;

const FORM = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const PARTS: readonly (readonly [from: number, to: number])[] = [
  [3, 35],
  [36, 52],
  [53, 55],
];

/** True if a text is a trace context that can be sent. */
export function isTrace(text: string): boolean {
  return FORM.test(text);
}

/** Append a text for which `isTrace` is true. */
export function writeTrace(text: string, output: ByteWriter): void {
  for (const [from, to] of PARTS) {
    for (let at = from; at < to; at += 2) output.byte(Number.parseInt(text.slice(at, at + 2), 16));
  }
}

/**
 * The text of 25 bytes, which are there; null when they are not a trace context, which is then as
 * if there were none.
 */
export function readTrace(bytes: Uint8Array, at: number): string | null {
  let digits = "";
  for (let index = 0; index < TRACE_BYTES; index++)
    digits += (bytes[at + index] as number).toString(16).padStart(2, "0");
  const text = `00-${digits.slice(0, 32)}-${digits.slice(32, 48)}-${digits.slice(48)}`;
  return isTrace(text) ? text : null;
}
