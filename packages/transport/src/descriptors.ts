/**
 * The number of file descriptors that this process may have, where the system says it: the soft
 * RLIMIT_NOFILE, from Linux's /proc. Must not know who uses them.
 *
 * @module
 */
import { readFileSync } from "node:fs";

/**
 * Descriptors that are left for everything but connections: files, listeners, the runtime's own.
 */
const SPARE = 64;

/**
 * Connections that a process has descriptors for; Infinity where that is not known. `limits` is the
 * text of /proc/self/limits.
 */
export function connectionsWithin(limits: string): number {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? Infinity : Math.max(1, Number(soft) - SPARE);
}

/** As {@link connectionsWithin}, of this process. */
export function affordableConnections(): number {
  try {
    return connectionsWithin(readFileSync("/proc/self/limits", "latin1"));
  } catch {
    return Infinity; // another system, or Deno without --allow-read
  }
}
