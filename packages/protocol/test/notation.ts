// How the tests write bytes and read transcripts: hex and text for what goes in, one short string
// per frame or fault for what comes out.
import { expect } from "vitest";
import type { FrameLimits, Framing } from "../src/mod.ts";
import { resolveFrameLimits } from "../src/limits.ts";
import { allCuts, EXHAUSTIVE_BYTES, singleBytes, twoPieces } from "../src/testing/cuts.ts";
import {
  type Entry,
  sameTranscript,
  transcribe,
  type Transcript,
} from "../src/testing/transcript.ts";

/** The bytes of "0d 0a" or "0d0a". */
export function hex(digits: string): Uint8Array {
  const pairs = digits.replace(/\s/g, "").match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16));
}

/** "0d 0a" for the bytes. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** A character below U+0100 for each byte: "\xff" is the byte ff. */
export function latin(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/**
 * A frame as its latin text, a fault as its code and offset, a tilde before one that is passed
 * over.
 */
export function brief(entry: Entry): string {
  if (entry instanceof Uint8Array)
    return Array.from(entry, (byte) => String.fromCharCode(byte)).join("");
  return `${entry.fatal ? "" : "~"}${entry.code}@${String(entry.offset)}`;
}

/**
 * What the framing reads in the stream, however it is cut: the cuts that can be afforded are
 * compared.
 */
export function read(
  framing: Framing,
  stream: Uint8Array | string,
  limits: Partial<FrameLimits> = {},
): string[] {
  return transcript(framing, stream, limits).entries.map(brief);
}

/** The whole transcript, for what `read` leaves out. */
export function transcript(
  framing: Framing,
  given: Uint8Array | string,
  limits: Partial<FrameLimits> = {},
): Transcript {
  const stream = typeof given === "string" ? latin(given) : given;
  const resolved = resolveFrameLimits(limits);
  const whole = transcribe(framing, stream, [], resolved);
  for (const cut of cutsFor(stream.length)) {
    const other = transcribe(framing, stream, cut, resolved);
    if (!sameTranscript(whole, other)) expect(other, `cut at ${cut.join(" ")}`).toEqual(whole);
  }
  return whole;
}

function* cutsFor(length: number): Generator<readonly number[]> {
  // The whole 2^15 belongs to the verifier: here a few bytes less keep each test quick.
  if (length <= EXHAUSTIVE_BYTES - 6) {
    yield* allCuts(length);
    return;
  }
  yield singleBytes(length);
  if (length <= 512) yield* twoPieces(length);
}
