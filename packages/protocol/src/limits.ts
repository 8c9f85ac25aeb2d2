/**
 * Limits: how a number with a default, a unit and a range is declared, and the one function that
 * checks what callers give. Owns the limits of a frame. Must not know clocks or sockets: their
 * limits are a table of the same form in transport.
 *
 * @module
 */

import { checkOptions, describeValue } from "./arguments.ts";

/** A row of a limits table. */
export interface Limit {
  readonly default: number;
  readonly unit: "bytes" | "connections" | "conversations" | "events" | "messages" | "milliseconds";
  readonly min: number;
  /** True if `Infinity` switches the limit off. */
  readonly unlimited: boolean;
  /** Why the default is what it is, or what the limit protects. */
  readonly reason: string;
}

/** Numbers by option name, as a caller may give them: what is absent takes its default. */
export type LimitOptions<Name extends string> = Readonly<Partial<Record<Name, number | undefined>>>;

/**
 * The effect of a frame above `maxFrameBytes`: it ends the stream, or the decoder passes over the
 * frame and go on.
 */
export type OversizePolicy = "close" | "skip";

/**
 * What the decoder of a framing that finds the next frame by itself does with a damaged one: end
 * the stream, or pass over it and go on.
 */
export type MalformedPolicy = "close" | "skip";

/**
 * What the stream's end does to a last frame that has no terminator: it is a fault, or the frame is
 * delivered.
 */
export type UnterminatedPolicy = "deliver" | "fault";

/** The limits that a framing works under. */
export interface FrameLimits {
  /** Longest payload of one frame, in bytes. */
  readonly maxFrameBytes: number;
  /** Default `"close"`. `"skip"` needs a framing that can find the next frame. */
  readonly onOversize?: OversizePolicy | undefined;
}

/** The frame limits, their defaults and reasons. */
export const frameLimitTable: Readonly<Record<"maxFrameBytes", Limit>> = Object.freeze({
  maxFrameBytes: {
    default: 1_048_576,
    unit: "bytes",
    min: 1,
    unlimited: false,
    reason:
      "What one message may cost in memory on the receiving side; 1 MiB is the default of NATS " +
      "and of most brokers.",
  },
});

/**
 * Complete a caller's limits from their table.
 *
 * @throws {TypeError} when a value is not a number
 * @throws {RangeError} when a value is not a whole number of at least the row's minimum
 */
export function resolveLimits<Name extends string>(
  table: Readonly<Record<Name, Limit>>,
  given: LimitOptions<Name>,
): Readonly<Record<Name, number>> {
  const resolved = {} as Record<Name, number>; // filled for each name of the table below
  for (const name of Object.keys(table) as Name[]) {
    const row = table[name];
    const value = given[name];
    if (value !== undefined) checkLimit(name, row, value);
    resolved[name] = value ?? row.default;
  }
  return Object.freeze(resolved);
}

/**
 * Complete a caller's frame limits: see {@link resolveLimits}. What is complete and frozen comes
 * back as it is: many connections share it.
 *
 * @throws {TypeError} when a value has the wrong type, or there is another member
 * @throws {RangeError} when a value is out of its row's range
 */
export function resolveFrameLimits(given: Partial<FrameLimits> = {}): FrameLimits {
  if (!isComplete(given))
    checkOptions("The limits of a frame", given, ["maxFrameBytes", "onOversize"]);
  const onOversize = given.onOversize ?? "close";
  if (!oversizePolicies.includes(onOversize)) {
    throw new TypeError(
      `Cannot use onOversize ${describeValue(onOversize)}: it is "close" or "skip"`,
    );
  }
  if (isComplete(given)) {
    checkLimit("maxFrameBytes", frameLimitTable.maxFrameBytes, given.maxFrameBytes);
    return given;
  }
  return Object.freeze({ ...resolveLimits(frameLimitTable, given), onOversize });
}

const oversizePolicies: readonly unknown[] = ["close", "skip"];

/**
 * Complete the `unterminated` of a framing's options.
 *
 * @throws {TypeError} when it is neither `"deliver"` nor `"fault"`
 */
export function resolveUnterminatedPolicy(given: UnterminatedPolicy = "fault"): UnterminatedPolicy {
  if (!["deliver", "fault"].includes(given))
    throw new TypeError(
      `Cannot use unterminated ${describeValue(given)}: it is "deliver" or "fault"`,
    );
  return given;
}

/**
 * Complete the `onMalformed` of a framing's options.
 *
 * @throws {TypeError} when it is neither `"close"` nor `"skip"`
 */
export function resolveMalformedPolicy(given: MalformedPolicy = "close"): MalformedPolicy {
  if (!oversizePolicies.includes(given))
    throw new TypeError(`Cannot use onMalformed ${describeValue(given)}: it is "close" or "skip"`);
  return given;
}

function isComplete(given: Partial<FrameLimits> | null): given is FrameLimits {
  return (
    Object.isFrozen(given) && given?.maxFrameBytes !== undefined && given.onOversize !== undefined
  );
}

function checkLimit(name: string, row: Limit, value: unknown): void {
  if (typeof value !== "number") {
    throw new TypeError(
      `Cannot use ${name} of type ${typeof value}: it is a number of ${row.unit}`,
    );
  }
  if (row.unlimited && value === Infinity) return;
  if (!Number.isSafeInteger(value) || value < row.min) {
    const also = row.unlimited ? ", or Infinity" : "";
    throw new RangeError(
      `Cannot use ${name} ${String(value)}: it is a whole number of ${row.unit}, at least ` +
        `${String(row.min)}${also}`,
    );
  }
}
