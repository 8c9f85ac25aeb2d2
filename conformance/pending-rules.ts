// Rules that Hawser's engine does not keep yet: their vectors are for other implementations, and
// are not judged here.

import type { Vector } from "./runner/vector.ts";

export const pending: ReadonlySet<string> = new Set();
/** Rules that only vectors of those have. */
export const withPending: ReadonlySet<string> = new Set();

/** The vectors of rules that the engine keeps. */
export function kept(vectors: readonly Vector[]): Vector[] {
  return vectors.filter(({ rules }) => !rules.some((rule) => pending.has(rule)));
}
