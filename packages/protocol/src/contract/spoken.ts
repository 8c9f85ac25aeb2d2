/**
 * The first argument of createServer() and connect(), which both ends of a connection speak:
 * checked by shape. Owns the text of that TypeError. Must not know servers or clients.
 *
 * @module
 */
import { describeValue } from "../arguments.ts";

/**
 * Check that a caller's value is a wire, a contract or a kind of sessions. `what` is the function
 * that takes it.
 *
 * @throws {TypeError} when it is none of these; the text says what it looks like
 */
export function checkSpoken(what: string, value: unknown): void {
  if (
    has(value, "framing", "codec") ||
    has(value, "definition", "messages", "find") ||
    has(value, "contract", "greeter", "session")
  )
    return;
  throw new TypeError(`${what} takes a wire, a contract or jsonRpc(), got ${looksLike(value)}`);
}

function looksLike(value: unknown): string {
  const hint = "write wire({ framing, codec })";
  if (typeof value === "function")
    return "a function: call it, as in wire({ framing: lines(), codec: text() })";
  if (has(value, "decoder", "encoder")) return `a framing: ${hint}`;
  if (has(value, "decode", "encode")) return `a codec: ${hint}`;
  if (has(value, "requests") || has(value, "events") || has(value, "streams"))
    return "a definition: write defineProtocol(definition)";
  return `${describeValue(value)}: make one with wire(), defineProtocol() or jsonRpc()`;
}

function has(value: unknown, ...members: readonly string[]): boolean {
  return typeof value === "object" && value !== null && members.every((member) => member in value);
}
