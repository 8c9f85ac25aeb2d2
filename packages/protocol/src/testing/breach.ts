/**
 * A breach: what a framing did against its contract, as the one error that `verifyFraming` throws.
 *
 * @module
 */
import { isError } from "../caught.ts";
import type { Framing } from "../framing/framing.ts";
import type { Cut } from "./cuts.ts";
import { formatBytes } from "./transcript.ts";

/** What is known of a breach; each fact becomes a line of the report. */
export interface BreachFacts {
  /** The check that found it. */
  readonly check: string;
  /** What is wrong, in one sentence. */
  readonly what: string;
  readonly stream?: Uint8Array;
  readonly cut?: Cut;
  readonly expected?: string;
  readonly got?: string;
  readonly cause?: unknown;
}

/** The report as an error. */
export function breach(framing: Framing, facts: BreachFacts): Error {
  const { check, what, stream, cut, expected, got, cause } = facts;
  const report = [
    `${framing.name} breaks the contract of framings: ${what}`,
    `  check:    ${check}`,
  ];
  if (stream !== undefined) report.push(`  stream:   ${formatBytes(stream)}`);
  if (cut !== undefined)
    report.push(
      "  cut at:   " +
        (cut.length === 0 ? "nowhere" : cut.slice(0, 64).join(" ")) +
        (cut.length > 64 ? " ..." : ""),
    );
  if (expected !== undefined) report.push(`  expected: ${expected}`);
  if (got !== undefined) report.push(`  got:      ${got}`);
  if (isError(cause)) report.push(`  thrown:   ${cause.name}: ${cause.message}`);
  return new Error(report.join("\n"), { cause });
}
