// Each framing against its model: random streams near the grammar, and every byte of valid streams
// replaced by every other.
import { describe, expect, test } from "vitest";
import { singleBytes } from "../src/testing/cuts.ts";
import { Random } from "../src/testing/random.ts";
import { compare, disagreement, randomPayload } from "./models/agree.ts";
import { modelsByFraming } from "./models/all.ts";

/**
 * Random streams per framing. One million was run when the framing was written:
 * HAWSER_MODEL_RUNS=1000000.
 */
const runs = Number(process.env["HAWSER_MODEL_RUNS"] ?? 2000);
const seed = Number(process.env["HAWSER_MODEL_SEED"] ?? 1);

for (const [name, models] of Object.entries(modelsByFraming)) {
  describe(`${name}()`, () => {
    test(
      `agrees with its model on ${runs} random streams and payloads`,
      { timeout: 5000 + runs },
      () => {
        for (const model of models)
          expect(compare(model, Math.ceil(runs / models.length), seed)).toBeNull();
      },
    );

    test(
      "agrees with its model on valid streams with each byte replaced by each other",
      { timeout: 20_000 },
      () => {
        const random = new Random(seed);
        for (const model of models) {
          for (const stream of shortStreams(model.write.bind(model), () =>
            randomPayload(model, random),
          )) {
            const limits = {
              maxFrameBytes: random.pick([3, 64]),
              onOversize: random.pick(["close", "skip"] as const),
            };
            for (let at = 0; at < stream.length; at++) {
              for (let byte = 0; byte < 256; byte++) {
                const mutant =
                  stream.slice(0, at) + String.fromCharCode(byte) + stream.slice(at + 1);
                const wrong = disagreement(model, mutant, limits, [
                  [],
                  byte % 16 === 0 ? singleBytes(mutant.length) : [at],
                ]);
                if (wrong !== null) expect.fail(wrong);
              }
            }
          }
        }
      },
    );
  });
}

/** A few streams of two or three frames each, at most 24 bytes. */
function shortStreams(write: (payload: string) => string | null, payload: () => string): string[] {
  const streams: string[] = [];
  for (let tries = 0; streams.length < 4 && tries < 500; tries++) {
    const stream = Array.from({ length: 2 + (tries % 2) }, () => write(payload()) ?? "").join("");
    if (stream.length >= 4 && stream.length <= (tries < 250 ? 24 : 64)) streams.push(stream);
  }
  return streams;
}
