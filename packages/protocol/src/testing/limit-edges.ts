/**
 * Checks of maxFrameBytes: a frame at the limit passes, one byte more is one fault, and what comes
 * behind it is found again.
 *
 * @module
 */
import { breach } from "./breach.ts";
import { formatEntry, formatTranscript, sameBytes } from "./transcript.ts";
import { decode, encodeOrNull, formatLimits, type Trial } from "./trial.ts";

/** The limit's two edges, with both policies, for each sample. */
export function checkLimitEdges(trial: Trial): void {
  for (const sample of trial.samples) {
    if (sample.length < 2) continue;
    const stream = encodeOrNull(trial, [sample], "limit");
    if (stream === null) continue;
    atLimit(trial, stream, sample);
    aboveLimit(trial, stream, sample);
  }
  pipelined(trial);
}

function atLimit(trial: Trial, stream: Uint8Array, sample: Uint8Array): void {
  const check = "limit";
  const limits = { maxFrameBytes: sample.length };
  const transcript = decode(trial, check, stream, [], limits);
  const [first] = transcript.entries;
  if (transcript.entries.length === 1 && first instanceof Uint8Array && sameBytes(first, sample))
    return;
  throw breach(trial.framing, {
    check,
    what: `a frame at the limit is not delivered (${formatLimits(limits)})`,
    stream,
    got: formatTranscript(transcript),
  });
}

function aboveLimit(trial: Trial, stream: Uint8Array, sample: Uint8Array): void {
  const check = "limit";
  for (const onOversize of ["close", "skip"] as const) {
    const limits = { maxFrameBytes: sample.length - 1, onOversize };
    const transcript = decode(trial, check, stream, [], limits);
    const [first, ...rest] = transcript.entries;
    const tooLarge =
      first !== undefined && !(first instanceof Uint8Array) && first.code === "FRAME_TOO_LARGE";
    if (tooLarge && rest.length === 0) continue;
    throw breach(trial.framing, {
      check,
      what:
        "a frame one byte above the limit is not exactly one FRAME_TOO_LARGE " +
        `(${formatLimits(limits)})`,
      stream,
      got:
        first === undefined
          ? "nothing"
          : `${formatEntry(first)}, of ${formatTranscript(transcript)}`,
    });
  }
}

/**
 * The limit is one of frames, never of what a chunk holds: many small frames in one chunk, together
 * far above it.
 */
function pipelined(trial: Trial): void {
  const check = "limit of pipelined frames";
  const sample = trial.samples.find((one) => one.length > 0);
  if (sample === undefined) return;
  const count = 100;
  const stream = encodeOrNull(
    trial,
    Array.from({ length: count }, () => sample),
    check,
  );
  if (stream === null) return;
  const transcript = decode(trial, check, stream, [], { maxFrameBytes: sample.length });
  if (
    transcript.entries.length === count &&
    transcript.entries.every((entry) => entry instanceof Uint8Array)
  )
    return;
  throw breach(trial.framing, {
    check,
    what: `${String(count)} frames at the limit, in one chunk, are not all delivered`,
    stream,
    got: formatTranscript(transcript),
  });
}
