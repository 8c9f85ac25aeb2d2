/**
 * Checks of what may happen inside a sink, and between two chunks: the same framing used for
 * another stream, nothing pushed.
 *
 * @module
 */
import { decodeChunks, encodeFrames } from "../framing/framing.ts";
import { breach } from "./breach.ts";
import { singleBytes } from "./cuts.ts";
import { formatTranscript, sameTranscript } from "./transcript.ts";
import { decode, join, type Trial } from "./trial.ts";

const NO_BYTES = new Uint8Array(0);
const SILENT = { frame: () => undefined, fault: () => undefined };

/**
 * A framing is a value without state: one stream does not show in another, not even from inside its
 * sink.
 */
export function checkReentry(trial: Trial): void {
  const check = "re-entrant calls";
  const { framing, samples } = trial;
  const stream = encodeFrames(framing, samples, { maxFrameBytes: 2 ** 26 });
  const half = stream.subarray(0, Math.ceil(stream.length / 2));
  for (const limits of trial.limits) {
    for (const input of [stream, join([stream, half])]) {
      for (const cut of [[], [1], [Math.ceil(input.length / 2)], singleBytes(input.length)]) {
        const expected = decode(trial, check, input, cut, limits);
        const got = decode(trial, check, input, cut, limits, (decoder) => {
          decodeChunks(framing, [half, stream], limits);
          const other = framing.decoder(limits);
          other.push(half, SILENT);
          encodeFrames(framing, samples, { maxFrameBytes: 2 ** 26 });
          decoder.push(NO_BYTES, SILENT);
        });
        if (sameTranscript(expected, got)) continue;
        throw breach(framing, {
          check,
          what:
            "another stream of the same framing, decoded inside the sink or between two chunks, " +
            "changes this one",
          stream: input,
          cut,
          expected: formatTranscript(expected),
          got: formatTranscript(got),
        });
      }
    }
  }
}
