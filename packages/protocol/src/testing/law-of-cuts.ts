/**
 * The law of cuts: every way of cutting a stream gives the same transcript, at the stream's end and
 * at every end before it.
 *
 * @module
 */
import { describeFault, type FramingFault } from "../framing/framing.ts";
import type { FrameLimits } from "../limits.ts";
import { breach } from "./breach.ts";
import { affordableCuts, allCuts, type Cut, EXHAUSTIVE_BYTES, singleBytes } from "./cuts.ts";
import {
  formatEntry,
  formatTranscript,
  sameEntries,
  sameTranscript,
  type Transcript,
} from "./transcript.ts";
import { decode, formatLimits, type Trial } from "./trial.ts";

/** Longest beginning of a stream that is cut in every way when it ends too early. */
const PREFIX_BYTES = 10;
/** Above this length not every end is tried, but as many, spread at random. */
const ENDS = 64;

/** Each stream, under each of the limits, cut in every way that can be afforded. */
export function checkCuts(trial: Trial): void {
  const check = "law of cuts";
  for (const limits of trial.limits) {
    for (const stream of trial.streams) {
      const whole = decode(trial, check, stream, [], limits);
      checkFaults(trial, check, stream, whole, limits);
      sameForCuts(
        trial,
        check,
        stream,
        whole,
        limits,
        affordableCuts(stream.length, trial.cuts, trial.random, mostCut(trial, limits)),
      );
    }
  }
}

/**
 * Of the two tight limits, the one that closes shows nothing in a long stream: it ends at the first
 * frame that is too large.
 */
function mostCut(trial: Trial, limits: FrameLimits): number {
  return limits === trial.limits[0] || limits.onOversize === "skip"
    ? EXHAUSTIVE_BYTES
    : PREFIX_BYTES;
}

/**
 * Each stream, ended at every offset: nothing that was reported is taken back, `partial` says what
 * the end will show.
 */
export function checkEnds(trial: Trial): void {
  const check = "end of stream";
  for (const limits of trial.limits) {
    for (const stream of trial.streams) {
      const whole = decode(trial, check, stream, [], limits);
      for (const end of endsOf(trial, stream.length)) {
        const head = stream.subarray(0, end);
        const early = decode(trial, check, head, [], limits);
        const reported = early.entries.slice(0, early.beforeEnd);
        if (!sameEntries(reported, whole.entries.slice(0, early.beforeEnd))) {
          throw breach(trial.framing, {
            check,
            what:
              `its first ${String(end)} bytes give what the whole stream does not begin with ` +
              `(${formatLimits(limits)})`,
            stream,
            expected: formatTranscript(whole),
            got: formatTranscript(early),
          });
        }
        checkPartial(trial, check, head, early);
        checkFaults(trial, check, head, early, limits);
        sameForCuts(
          trial,
          check,
          head,
          early,
          limits,
          end <= PREFIX_BYTES ? allCuts(end) : fewCuts(end),
        );
      }
    }
  }
}

function* fewCuts(length: number): Generator<Cut> {
  yield singleBytes(length);
  yield [length - 1];
  yield [1];
}

function endsOf(trial: Trial, length: number): number[] {
  if (length <= EXHAUSTIVE_BYTES + ENDS) return Array.from({ length }, (_, end) => end);
  return Array.from({ length: ENDS }, () => trial.random.below(length));
}

/** Throw unless each of `cuts` gives what `whole`, the uncut stream, gave. */
export function sameForCuts(
  trial: Trial,
  check: string,
  stream: Uint8Array,
  whole: Transcript,
  limits: FrameLimits,
  cuts: Iterable<Cut>,
): void {
  for (const cut of cuts) {
    const got = decode(trial, check, stream, cut, limits);
    if (sameTranscript(whole, got)) continue;
    throw breach(trial.framing, {
      check,
      what: `the same bytes, cut differently, give something else (${formatLimits(limits)})`,
      stream,
      cut,
      expected: formatTranscript(whole),
      got: formatTranscript(got),
    });
  }
}

/**
 * `partial` is true exactly where a frame has begun: it is then missing at the end, unless it was
 * reported as too large already.
 */
function checkPartial(
  trial: Trial,
  check: string,
  stream: Uint8Array,
  transcript: Transcript,
): void {
  const { entries, beforeEnd, partial } = transcript;
  if (partial === undefined) return;
  const last = entries.at(-1);
  const truncated = entries.length > beforeEnd;
  const passing = last !== undefined && !(last instanceof Uint8Array) && !last.fatal;
  const dead = entries
    .slice(0, beforeEnd)
    .some((entry) => !(entry instanceof Uint8Array) && entry.fatal);
  if (dead ? !partial : partial ? truncated || passing : !truncated) return;
  throw breach(trial.framing, {
    check,
    what: dead
      ? "`partial` is true after a fatal fault"
      : `\`partial\` is ${String(partial)}, and the end of the stream shows the contrary`,
    stream,
    got: formatTranscript(transcript),
  });
}

/**
 * What is true of each fault: where it may stand, what it says, and that nothing follows a fatal
 * one.
 */
function checkFaults(
  trial: Trial,
  check: string,
  stream: Uint8Array,
  transcript: Transcript,
  limits: FrameLimits,
): void {
  const { entries, beforeEnd } = transcript;
  for (const [index, entry] of entries.entries()) {
    const wrong =
      entry instanceof Uint8Array
        ? frameFlaw(trial, entry, index, beforeEnd, limits)
        : faultFlaw(trial, entry, index, transcript, stream.length, limits);
    if (wrong === null) continue;
    throw breach(trial.framing, {
      check,
      what: `${wrong} (${formatLimits(limits)})`,
      stream,
      got: `${formatEntry(entry)}, of ${formatTranscript(transcript)}`,
    });
  }
}

function frameFlaw(
  { framing }: Trial,
  frame: Uint8Array,
  index: number,
  beforeEnd: number,
  limits: FrameLimits,
): string | null {
  if (index >= beforeEnd && framing.unterminated !== "deliver")
    return "a frame is delivered at the end of the stream, without its end";
  return frame.length > limits.maxFrameBytes ? "a frame above maxFrameBytes is delivered" : null;
}

function faultFlaw(
  { framing }: Trial,
  fault: FramingFault,
  index: number,
  { entries, beforeEnd }: Transcript,
  length: number,
  limits: FrameLimits,
): string | null {
  if (!Number.isSafeInteger(fault.offset) || fault.offset < 0 || fault.offset > length)
    return "a fault's offset is not within the stream";
  if (fault.fatal && index !== entries.length - 1)
    return "something is reported after a fatal fault";
  if (!fault.fatal && fault.code === "FRAME_MALFORMED" && framing.onMalformed !== "skip") {
    return (
      "only a frame that is too large can be passed over, unless the framing says onMalformed: " +
      '"skip"'
    );
  }
  if (!fault.fatal && fault.code === "FRAME_TRUNCATED")
    return "a frame that the end of the stream cuts can't be passed over";
  if (fault.code === "FRAME_TOO_LARGE") {
    if (
      fault.limit !== limits.maxFrameBytes ||
      fault.size === undefined ||
      fault.size <= fault.limit
    )
      return "FRAME_TOO_LARGE does not say the limit, and a size above it";
    if (limits.onOversize !== "skip" && !fault.fatal)
      return 'a frame that is too large is passed over without onOversize: "skip"';
  }
  if (fault.code === "FRAME_TRUNCATED" && fault.offset !== length)
    return "FRAME_TRUNCATED stands elsewhere than at the stream's end";
  if (index >= beforeEnd && fault.code !== "FRAME_TRUNCATED")
    return "the end of the stream gives another fault than FRAME_TRUNCATED";
  if (fault.detail.length > 160) return "a fault's detail is longer than 160 characters";
  return describeFault(fault).length > 256 ? "a fault's text is longer than 256 characters" : null;
}
