/**
 * Decodes a stream under every cut and says the one outcome that all of them must have.
 *
 * @module
 */
import { expect } from "vitest";
import { encodeFrames, type FrameLimits, type Framing, type FramingFault } from "../src/mod.ts";
import { resolveFrameLimits } from "../src/engine.ts";

/**
 * What a decoder reported: payloads as Latin-1 text, faults as `CODE at offset`, with `, passed
 * over` where it went on.
 */
export interface Outcome {
  readonly frames: string[];
  readonly faults: string[];
}

/** Bytes of a text whose letters are bytes. */
export function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** Bytes written as hex, with or without spaces. */
export function hex(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/[0-9a-f]{2}/g) ?? [], (byte) => parseInt(byte, 16));
}

/** Bytes as hex. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Payloads, as Latin-1 text, encoded: hex. */
export function encoded(framing: Framing, ...payloads: string[]): string {
  return toHex(encodeFrames(framing, payloads.map(latin1)));
}

/**
 * All cuts of a stream up to 12 bytes; of a longer one those into two (at most about 256 of them),
 * into single bytes, and none.
 */
export function outcome(
  framing: Framing,
  stream: Uint8Array | string,
  limits: Partial<FrameLimits> = {},
): Outcome {
  const bytes = typeof stream === "string" ? latin1(stream) : stream;
  const whole = decodeCut(framing, bytes, [], limits);
  for (const cut of cutsOf(bytes.length)) {
    expect(
      decodeCut(framing, bytes, cut, limits),
      `${framing.name}: ${toHex(bytes)} cut at ${cut.join(" ")}`,
    ).toEqual(whole);
  }
  return { frames: whole.frames, faults: whole.faults.map(formatFault) };
}

/** The only fault of a stream, whole. */
export function onlyFault(
  framing: Framing,
  stream: Uint8Array | string,
  limits: Partial<FrameLimits> = {},
): FramingFault {
  const { faults } = decodeCut(
    framing,
    typeof stream === "string" ? latin1(stream) : stream,
    [],
    limits,
  );
  expect(faults).toHaveLength(1);
  return faults[0] as FramingFault; // as just expected
}

/** `partial` after each byte of the stream, "-" for a complete frame, "p" inside one. */
export function partials(framing: Framing, stream: string): string {
  const decoder = framing.decoder(resolveFrameLimits());
  const sink = { frame: () => undefined, fault: () => undefined };
  return Array.from(latin1(stream), (byte) => {
    decoder.push(Uint8Array.of(byte), sink);
    return decoder.partial === true ? "p" : "-";
  }).join("");
}

/** Frames that are delivered when the sink ends the stream at the first one. */
export function framesUntilEndInside(framing: Framing, stream: string): number {
  const decoder = framing.decoder(resolveFrameLimits());
  let frames = 0;
  const sink = {
    frame(): void {
      frames++;
      decoder.end(sink);
    },
    fault(): void {
      throw new Error("a fault after a whole frame");
    },
  };
  decoder.push(latin1(stream), sink);
  return frames;
}

function formatFault({ code, offset, fatal }: FramingFault): string {
  return `${code} at ${String(offset)}${fatal ? "" : ", passed over"}`;
}

function decodeCut(
  framing: Framing,
  stream: Uint8Array,
  cut: readonly number[],
  limits: Partial<FrameLimits>,
): { frames: string[]; faults: FramingFault[] } {
  const frames: string[] = [];
  const faults: FramingFault[] = [];
  const decoder = framing.decoder(resolveFrameLimits(limits));
  const sink = {
    frame(bytes: Uint8Array, start: number, end: number): void {
      expect(faults.some((fault) => fault.fatal)).toBe(false);
      frames.push(String.fromCharCode(...bytes.subarray(start, end)));
    },
    fault(fault: FramingFault): void {
      expect(faults.some((earlier) => earlier.fatal)).toBe(false);
      expect(fault.detail.length).toBeLessThanOrEqual(160);
      faults.push(fault);
    },
  };
  for (let index = 0; index <= cut.length; index++) {
    const chunk = stream.slice(cut[index - 1] ?? 0, cut[index] ?? stream.length);
    decoder.push(chunk, sink);
    chunk.fill(0xee);
  }
  decoder.end(sink);
  expect(decoder.partial).toBe(false);
  return { frames, faults };
}

function* cutsOf(length: number): Generator<number[]> {
  const places = Array.from({ length: Math.max(0, length - 1) }, (_, index) => index + 1);
  if (length <= 12) {
    for (let mask = 1; mask < 2 ** places.length; mask++)
      yield places.filter((_, index) => (mask & (1 << index)) !== 0);
  } else {
    const step = Math.ceil(length / 256);
    for (const place of places) if (place % step === 0 || place > length - 8) yield [place];
    yield places;
  }
}
