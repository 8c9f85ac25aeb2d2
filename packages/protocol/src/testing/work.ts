/**
 * Checks of what a stream may cost: work in proportion to its length, memory in proportion to what
 * arrived and to the limit.
 *
 * @module
 */
import type { FrameSink } from "../framing/framing.ts";
import type { FrameLimits } from "../limits.ts";
import { breach } from "./breach.ts";
import { meter, type Work } from "./meter.ts";
import { encodeOrNull, join, type Trial } from "./trial.ts";

/** Length of the shorter of two streams whose work is compared. */
const SHORT_BYTES = 512;
/**
 * Twice the bytes may cost this much more: twice, and what an amortized buffer's growth adds at its
 * worst moment.
 */
const MOST_RATIO = 2.6;
/** What a decoder may cost at once, whatever the stream's length. */
const FIXED_STEPS = 512;
/**
 * What a decoder may keep besides a frame: its header, or the few bytes that may be a delimiter.
 */
const HEADER_BYTES = 128;

const SILENT: FrameSink = { frame: () => undefined, fault: () => undefined };

/** The same kind of stream, once and twice as long, byte by byte and in one chunk. */
export function checkLinearWork(trial: Trial): void {
  const check = "linear work";
  for (const make of growingStreams(trial, check)) {
    const short = make(SHORT_BYTES);
    const long = make(2 * SHORT_BYTES);
    if (short === null || long === null) continue;
    for (const chunkBytes of [1, Infinity]) {
      for (const limits of [
        { maxFrameBytes: 2 ** 20 },
        { maxFrameBytes: 16, onOversize: "skip" },
      ] as const) {
        const once = workOf(trial, check, short, chunkBytes, limits).steps;
        const twice = workOf(trial, check, long, chunkBytes, limits).steps;
        if (twice <= MOST_RATIO * once + FIXED_STEPS) continue;
        throw breach(trial.framing, {
          check,
          what:
            `twice the bytes, ${chunkBytes === 1 ? "one per chunk" : "in one chunk"}, cost ` +
            `${(twice / once).toFixed(1)} times the work`,
          stream: long,
          expected: `at most ${String(MOST_RATIO)} times`,
          got:
            `${String(once)} steps for ${String(short.length)} bytes, ${String(twice)} for ` +
            String(long.length),
        });
      }
    }
  }
}

/**
 * Nothing is allocated for bytes that are only promised, and no array is larger than the limit and
 * a header.
 */
export function checkMemory(trial: Trial): void {
  const check = "memory";
  const maxFrameBytes = 4096;
  for (const length of [maxFrameBytes, 4 * maxFrameBytes]) {
    const stream = encodeOrNull(trial, [new Uint8Array(length).fill(0x61)], check);
    if (stream === null) continue;
    for (const onOversize of ["close", "skip"] as const) {
      const work = workOf(trial, check, stream, 64, { maxFrameBytes, onOversize });
      const most = maxFrameBytes + 64 + HEADER_BYTES;
      if (work.largestBytes > most) throw tooMuch(trial, check, stream, most, work);
    }
    const head = stream.subarray(0, 64);
    const most = 2 * head.length + HEADER_BYTES;
    const work = workOf(trial, check, head, 1, { maxFrameBytes: 2 ** 26 });
    if (work.largestBytes > most) throw tooMuch(trial, check, head, most, work);
  }
}

function tooMuch(trial: Trial, check: string, stream: Uint8Array, most: number, work: Work): Error {
  return breach(trial.framing, {
    check,
    what: "it allocates more than arrived, or more than the limit",
    stream,
    expected: `at most ${String(most)} bytes at once`,
    got: `${String(work.largestBytes)} bytes`,
  });
}

function workOf(
  trial: Trial,
  check: string,
  stream: Uint8Array,
  chunkBytes: number,
  limits: FrameLimits,
): Work {
  try {
    return meter((counted) => {
      const decoder = trial.framing.decoder(limits);
      for (let at = 0; at < stream.length; at += chunkBytes)
        decoder.push(counted(stream.slice(at, Math.min(at + chunkBytes, stream.length))), SILENT);
      decoder.end(SILENT);
    });
  } catch (cause) {
    throw breach(trial.framing, {
      check,
      what: "its decoder can't be metered, see `work` in VerifyOptions",
      stream,
      cause,
    });
  }
}

/**
 * Streams by length: one frame, many frames, one byte for ever, a sample's beginning for ever. Null
 * where there is none.
 */
function growingStreams(trial: Trial, check: string): ((length: number) => Uint8Array | null)[] {
  const { samples, streams } = trial;
  const frames = samples
    .map((sample) => encodeOrNull(trial, [sample], check))
    .filter((one) => one !== null);
  const bytes = [...new Set(join([...frames, ...streams.slice(0, 8)]))].slice(0, 24);
  return [
    ...[0x61, 0x0d, 0x00].map(
      (byte) => (length: number) => encodeOrNull(trial, [new Uint8Array(length).fill(byte)], check),
    ),
    ...bytes.map((byte) => (length: number) => new Uint8Array(length).fill(byte)),
    ...[...frames, join(frames)]
      .filter((one) => one.length > 0)
      .slice(0, 8)
      .map((one) => (length: number) => repeat(one, length)),
  ];
}

function repeat(pattern: Uint8Array, length: number): Uint8Array {
  // in range by the remainder
  return Uint8Array.from({ length }, (_, at) => pattern[at % pattern.length] as number);
}
