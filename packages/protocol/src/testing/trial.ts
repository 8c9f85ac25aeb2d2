/**
 * A trial: one framing with the streams that its checks run on. Made once, read by every check.
 *
 * @module
 */
import { isHawserError } from "../errors.ts";
import { encodeFrames, type FrameDecoder, type Framing } from "../framing/framing.ts";
import type { FrameLimits } from "../limits.ts";
import { breach } from "./breach.ts";
import { type Cut, EXHAUSTIVE_BYTES } from "./cuts.ts";
import type { Random } from "./random.ts";
import { type Transcript, transcribe } from "./transcript.ts";

/** What every check is given. */
export interface Trial {
  readonly framing: Framing;
  /** Payloads that the framing must carry. */
  readonly samples: readonly Uint8Array[];
  /** Whole streams, valid or not, that the checks cut. The first ones are short. */
  readonly streams: readonly Uint8Array[];
  /**
   * The limits that the streams are decoded under, each in turn: wide, and so tight that some
   * frames are too large.
   */
  readonly limits: readonly FrameLimits[];
  /** Random cuts of each long stream. */
  readonly cuts: number;
  readonly random: Random;
}

/** Limits under which every sample passes. */
export function wideLimits(samples: readonly Uint8Array[]): FrameLimits {
  return { maxFrameBytes: Math.max(256, ...samples.map((sample) => sample.length)) };
}

/**
 * The stream of some payloads; null when the framing refuses to carry one of them, with
 * PAYLOAD_FORBIDDEN.
 */
export function encodeOrNull(
  trial: Pick<Trial, "framing">,
  payloads: readonly Uint8Array[],
  check: string,
): Uint8Array | null {
  try {
    return encodeFrames(trial.framing, payloads, { maxFrameBytes: 2 ** 26 });
  } catch (cause) {
    if (isHawserError(cause) && cause.code === "PAYLOAD_FORBIDDEN") return null;
    throw breach(trial.framing, {
      check,
      what: "its encoder throws something else than PAYLOAD_FORBIDDEN",
      cause,
    });
  }
}

/** Decode, and turn whatever is thrown into a breach. */
export function decode(
  trial: Trial,
  check: string,
  stream: Uint8Array,
  cut: Cut,
  limits: FrameLimits,
  during?: (decoder: FrameDecoder) => void,
): Transcript {
  try {
    return transcribe(trial.framing, stream, cut, limits, during);
  } catch (cause) {
    throw breach(trial.framing, {
      check,
      what: "its decoder throws, or touches what is not its own",
      stream,
      cut,
      cause,
    });
  }
}

/** The limits in words, for a report. */
export function formatLimits({ maxFrameBytes, onOversize = "close" }: FrameLimits): string {
  return `maxFrameBytes ${String(maxFrameBytes)}, onOversize "${onOversize}"`;
}

/** Streams of the samples: alone, in runs, cut off, and long. */
export function sampleStreams(
  framing: Framing,
  samples: readonly Uint8Array[],
  longBytes: number,
): Uint8Array[] {
  const encoded = samples.map((sample) =>
    encodeFrames(framing, [sample], { maxFrameBytes: 2 ** 26 }),
  );
  const short = encoded.filter((one) => one.length <= 8).slice(0, 4);
  const run = join(encoded);
  const streams = [...short, ...distinctHeads(run, encoded)];
  streams.push(run);
  if (longBytes > run.length && run.length > 0)
    streams.push(
      join(Array.from({ length: Math.ceil(longBytes / run.length) }, () => run)).subarray(
        0,
        longBytes,
      ),
    );
  return streams;
}

/**
 * Beginnings of runs that are as long as can be cut in every way: they hold several frames, and the
 * last one is cut off.
 */
function distinctHeads(run: Uint8Array, encoded: readonly Uint8Array[]): Uint8Array[] {
  const byLength = [...encoded].sort((one, other) => one.length - other.length);
  const heads = [join(byLength).subarray(0, EXHAUSTIVE_BYTES)];
  if (run.length > EXHAUSTIVE_BYTES) heads.push(run.subarray(0, 12));
  return heads;
}

/** Some byte sequences as one. */
export function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
