// Compares a model with its framing: the same frames, faults and offsets for one stream, whole and
// cut; the same bytes for one payload.
import { isHawserError } from "../../src/errors.ts";
import { encodeFrames } from "../../src/framing/framing.ts";
import type { FrameLimits } from "../../src/limits.ts";
import { type Cut, singleBytes } from "../../src/testing/cuts.ts";
import { Random } from "../../src/testing/random.ts";
import { type Entry, transcribe } from "../../src/testing/transcript.ts";
import type { Model } from "./model.ts";

export const latin = (text: string): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
};

const fromLatin = (bytes: Uint8Array): string => {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
};

const inWords = (entry: Entry): string =>
  entry instanceof Uint8Array
    ? `=${fromLatin(entry)}`
    : `${entry.fatal ? "!" : "~"}${entry.code}@${String(entry.offset)}`;

/** What is wrong with this stream, or null. */
export function disagreement(
  model: Model,
  stream: string,
  limits: FrameLimits,
  cuts: readonly Cut[],
): string | null {
  const expected = model.read(stream, limits).join("\n");
  const bytes = latin(stream);
  for (const cut of cuts) {
    let got: string;
    try {
      got = transcribe(model.framing, bytes, cut, limits).entries.map(inWords).join("\n");
    } catch (error) {
      got = `thrown: ${String(error)}`;
    }
    if (got !== expected) {
      const at = cut.length === 0 ? "whole" : `cut at ${cut.join(" ")}`;
      return (
        `${model.framing.name} ${JSON.stringify(limits)} ${at}\n  stream:  ` +
        `${JSON.stringify(stream)}\n  model:   ${JSON.stringify(expected)}\n  decoder: ` +
        JSON.stringify(got)
      );
    }
  }
  return null;
}

/** What is wrong with this payload's frame, or null. */
export function encodingDisagreement(model: Model, payload: string): string | null {
  const expected = model.write(payload);
  let got: string | null;
  try {
    got = fromLatin(encodeFrames(model.framing, [latin(payload)]));
  } catch (error) {
    got =
      isHawserError(error) && error.code === "PAYLOAD_FORBIDDEN"
        ? null
        : `thrown: ${String(error)}`;
  }
  return got === expected
    ? null
    : `${model.framing.name}\n  payload: ${JSON.stringify(payload)}\n  model:   ` +
        `${JSON.stringify(expected)}\n  encoder: ${JSON.stringify(got)}`;
}

/**
 * A stream of frames, tokens and noise, as the grammar's neighbours have it; now and then with a
 * byte changed.
 */
export function randomStream(model: Model, random: Random): string {
  let stream = "";
  for (let parts = random.below(7); parts >= 0; parts--) {
    const kind = random.below(8);
    // What begins well is read further: a first byte that is wrong ends most framings.
    if (kind < (stream === "" ? 6 : 3)) stream += model.write(randomPayload(model, random)) ?? "";
    else if (kind < 7) stream += random.pick(model.tokens);
    else stream += String.fromCharCode(random.below(256));
  }
  if (random.below(3) === 0 && stream !== "") {
    const at = random.below(stream.length);
    const byte =
      random.below(2) === 0 ? String.fromCharCode(random.below(256)) : random.pick(model.tokens);
    stream = stream.slice(0, at) + byte + stream.slice(at + random.below(2));
  }
  return stream;
}

/** A payload of tokens and noise. */
export function randomPayload(model: Model, random: Random): string {
  let payload = "";
  for (let parts = random.below(5); parts > 0; parts--) {
    payload +=
      random.below(4) === 0 ? String.fromCharCode(random.below(256)) : random.pick(model.tokens);
  }
  return random.below(60) === 0 ? payload + "x".repeat(random.below(600)) : payload;
}

/** Limits that matter to streams of this length. */
export function randomLimits(random: Random): FrameLimits {
  return {
    maxFrameBytes: 1 + random.below(random.pick([4, 12, 300])),
    onOversize: random.pick(["close", "skip"] as const),
  };
}

/** The first disagreement on `runs` random streams and payloads, or null. */
export function compare(model: Model, runs: number, seed: number): string | null {
  const random = new Random(seed);
  for (let run = 0; run < runs; run++) {
    const stream = randomStream(model, random);
    const cut = run % 4 === 0 ? singleBytes(stream.length) : [random.below(stream.length + 1)];
    const wrong =
      disagreement(model, stream, randomLimits(random), [[], cut]) ??
      encodingDisagreement(model, randomPayload(model, random));
    if (wrong !== null) return `run ${String(run)} of seed ${String(seed)}: ${wrong}`;
  }
  return null;
}
