/**
 * The answer of `emit()` where an event was not taken. Must not know sessions.
 *
 * @module
 */
import type { Outcome } from "@hawser/protocol";
import { asError, type MessageEntry, readHawserError } from "@hawser/protocol/engine";

/**
 * What `emit()` returns for what its session threw: `"not-sent"` for an event that is sent at most
 * once, where there is no connection; else a rejection. One that tells of the connection or the
 * peer ends no process if nobody looks at it; a mistake of the caller's does.
 */
export function unsent(entry: MessageEntry | null, error: unknown): Promise<Outcome> {
  const own = readHawserError(error);
  if (own !== null && entry?.delivery === "at-most-once" && GONE.includes(own.code))
    return Promise.resolve("not-sent");
  const rejection = Promise.reject<Outcome>(asError(error));
  if (own !== null && PASSING.includes(own.code)) rejection.catch(() => undefined);
  return rejection;
}

const GONE: readonly string[] = ["DRAINING", "NOT_READY", "NOT_SENT"];
const PASSING: readonly string[] = [
  ...GONE,
  "RETENTION_FULL",
  "SESSION_CLOSED",
  "WRITE_BUFFER_FULL",
];
