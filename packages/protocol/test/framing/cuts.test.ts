// Long streams of each framing under random cuts, with frames that fit and with frames that are
// passed over.
import { expect, test } from "vitest";
import { randomCuts, singleBytes } from "../../src/testing/cuts.ts";
import { Random } from "../../src/testing/random.ts";
import { sameTranscript, transcribe } from "../../src/testing/transcript.ts";
import { latin, randomPayload } from "../models/agree.ts";
import { modelsByFraming } from "../models/all.ts";

const STREAM_BYTES = 65_536;
/**
 * Random cuts per framing. Ten thousand were run when the framings were written:
 * HAWSER_CUT_RUNS=10000.
 */
const runs = Number(process.env["HAWSER_CUT_RUNS"] ?? 40);
const wide = { maxFrameBytes: STREAM_BYTES, onOversize: "close" } as const;
const tight = { maxFrameBytes: 8, onOversize: "skip" } as const;

test.each(Object.entries(modelsByFraming))(
  `%s() reads 64 KiB the same under ${runs} random cuts and byte by byte`,
  { timeout: 60_000 + runs * 20 },
  (_, [model]) => {
    if (model === undefined) throw new Error("There is no model");
    const random = new Random(64);
    let text = "";
    while (text.length < STREAM_BYTES) text += model.write(randomPayload(model, random)) ?? "abc";
    const stream = latin(text.slice(0, STREAM_BYTES));
    for (const limits of [wide, tight]) {
      const whole = transcribe(model.framing, stream, [], limits);
      expect(whole.entries.length).toBeGreaterThan(0);
      expect(
        sameTranscript(
          whole,
          transcribe(model.framing, stream, singleBytes(stream.length), limits),
        ),
      ).toBe(true);
      for (const cut of randomCuts(stream.length, runs / 2, random)) {
        if (!sameTranscript(whole, transcribe(model.framing, stream, cut, limits)))
          expect.fail(
            `${model.framing.name}: another result under the cuts ${cut.join(",").slice(0, 2_000)}`,
          );
      }
    }
  },
);
