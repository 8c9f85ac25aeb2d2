/**
 * verifyFraming(): holds a framing to the law of cuts and to the rest of the contract of `Framing`.
 *
 * @module
 */
import { checkOptions } from "../arguments.ts";
import { checkFraming, type Framing } from "../framing/framing.ts";
import { type FrameLimits, resolveFrameLimits } from "../limits.ts";
import { breach } from "./breach.ts";
import { checkCuts, checkEnds } from "./law-of-cuts.ts";
import { checkLimitEdges } from "./limit-edges.ts";
import { checkMutations } from "./mutations.ts";
import { Random } from "./random.ts";
import { checkReentry } from "./reentry.ts";
import { checkEncoderLimit, checkEncoderPlace, checkRoundTrips } from "./round-trip.ts";
import { sampleStreams, type Trial, wideLimits } from "./trial.ts";
import { checkLinearWork, checkMemory } from "./work.ts";

/** Options of `verifyFraming`. */
export interface VerifyOptions {
  /** What every random choice comes from; a failure repeats with the same seed. Default 1. */
  readonly seed?: number;
  /** Random cuts of each stream that is too long to be cut in every way. Default 32. */
  readonly cuts?: number;
  /** Length of the long stream that is made of the samples, in bytes. Default 1 024. */
  readonly longBytes?: number;
  /** More streams to cut, end early and break: what a peer may send that no encoder writes. */
  readonly streams?: Iterable<Uint8Array>;
  /**
   * True if work and memory are metered. Default true. The meter replaces the global `Uint8Array`
   * while a decoder runs, which a decoder that hands its arrays to Buffer or another native
   * function does not survive.
   */
  readonly work?: boolean;
}

/**
 * Verify that a framing keeps its contract; returns when it does, and throws an Error whose text is
 * the report when not.
 *
 * `samples` are payloads that the framing carries; at least one, better ten: empty, short and long,
 * with its structural bytes in them where it can carry those. Checked are round trips, also of
 * hostile payloads; all 2^(n - 1) cuts of streams up to 16 bytes, and of longer ones those into
 * two, into single bytes and random ones; the end of the stream at every offset; `partial`; the
 * limit and one byte more; chunks between guard bytes that are overwritten when `push` returns;
 * calls from inside the sink; every byte of a stream replaced by every other; work and memory,
 * counted.
 *
 * @throws {TypeError} when there is no sample, or the framing is `raw()`, whose frames are the
 *   network's
 * @example
 * ```ts
 * import { lines } from "@hawser/protocol";
 * import { verifyFraming } from "@hawser/protocol/testing";
 *
 * verifyFraming(lines(), ["", "a", "hello"].map((line) => new TextEncoder().encode(line)));
 * ```
 */
export function verifyFraming(
  framing: Framing,
  samples: Iterable<Uint8Array>,
  options: VerifyOptions = {},
): void {
  checkFraming("verifyFraming()", framing);
  checkOptions("verifyFraming()", options, ["seed", "cuts", "longBytes", "streams", "work"]);
  const payloads = [...samples];
  if (payloads.length === 0)
    throw new TypeError(
      `Cannot verify ${framing.name} without samples: give payloads that it carries`,
    );
  if (framing.unframed === true)
    throw new TypeError(
      `Cannot verify ${framing.name}: its frames are the network's, and differ with each cut`,
    );
  const { seed = 1, cuts = 32, longBytes = 1024, streams = [], work = true } = options;
  const trial: Trial = {
    framing,
    samples: payloads,
    streams: [...checkedStreams(framing, payloads, longBytes), ...streams],
    limits: [resolveFrameLimits(wideLimits(payloads)), ...tightLimits(payloads)],
    cuts,
    random: new Random(seed),
  };
  checkRoundTrips(trial);
  checkEncoderPlace(trial);
  checkEncoderLimit(trial);
  checkLimitEdges(trial);
  checkCuts(trial);
  checkEnds(trial);
  checkReentry(trial);
  checkMutations(trial);
  if (work) {
    checkLinearWork(trial);
    checkMemory(trial);
  }
}

/** The streams of the samples; that they can be encoded at all is the first thing to check. */
function checkedStreams(
  framing: Framing,
  samples: readonly Uint8Array[],
  longBytes: number,
): Uint8Array[] {
  try {
    return sampleStreams(framing, samples, longBytes);
  } catch (cause) {
    throw breach(framing, { check: "samples", what: "its encoder refuses a sample", cause });
  }
}

/** Limits that some of the samples are above: just below the longest short one. */
function tightLimits(samples: readonly Uint8Array[]): FrameLimits[] {
  const lengths = samples
    .map((sample) => sample.length)
    .filter((length) => length >= 2 && length <= 12);
  if (lengths.length === 0) return [];
  const maxFrameBytes = Math.max(...lengths) - 1;
  return [
    resolveFrameLimits({ maxFrameBytes, onOversize: "close" }),
    resolveFrameLimits({ maxFrameBytes, onOversize: "skip" }),
  ];
}
