import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  decodeChunks,
  defineFraming,
  encodeFrames,
  type FrameDecoder,
  type FrameEncoder,
  type FrameLimits,
  type FramingDefinition,
  lines,
  text,
  wire,
} from "../../src/mod.ts";
import { verifyFraming } from "../../src/testing/mod.ts";
import { encoded, hex, latin1, outcome } from "../every-cut.ts";
import { probe } from "./own-framing.ts";

const decoder = (limits: FrameLimits): FrameDecoder => lines().decoder(limits);
const encoder = (limits: FrameLimits): FrameEncoder => lines().encoder(limits);

describe("defineFraming()", () => {
  it("makes a framing that every part of Hawser takes", () => {
    const framing = defineFraming({ name: "own", decoder, encoder });
    expect(framing.name).toBe("own");
    expect(
      decodeChunks(framing, [encodeFrames(framing, [latin1("a"), latin1("b")])]).frames,
    ).toEqual([latin1("a"), latin1("b")]);
    expect(wire({ framing, codec: text() }).framing).toBe(framing);
  });

  it("keeps what it says of streams that end within a frame, and of malformed frames", () => {
    expect(
      defineFraming({
        name: "own",
        decoder,
        encoder,
        unterminated: "deliver",
        onMalformed: "skip",
      }),
    ).toMatchObject({ unterminated: "deliver", onMalformed: "skip" });
    expect(Object.keys(defineFraming({ name: "own", decoder, encoder }))).toEqual([
      "name",
      "decoder",
      "encoder",
    ]);
  });

  it("freezes it, and takes no notice of later changes to the definition", () => {
    const definition = { name: "own", decoder, encoder };
    const framing = defineFraming(definition);
    definition.name = "other";
    expect(Object.isFrozen(framing)).toBe(true);
    expect(framing.name).toBe("own");
  });

  it.each([
    [{ decoder, encoder }, "without a name"],
    [{ name: "", decoder, encoder }, "without a name"],
    [{ name: 7, decoder, encoder }, "without a name"],
    [{ name: "own", encoder }, "own: its decoder"],
    [{ name: "own", decoder: {}, encoder }, "own: its decoder"],
    [{ name: "own", decoder }, "own: its encoder"],
    [
      { name: "own", decoder, encoder, unterminated: "drop" },
      'own: its unterminated is "deliver" or absent',
    ],
    [
      { name: "own", decoder, encoder, onMalformed: true },
      'own: its onMalformed is "skip" or absent',
    ],
  ])("throws a TypeError that says what is missing (%#)", (definition, message) => {
    expect(() => defineFraming(definition as unknown as FramingDefinition)).toThrow(TypeError);
    expect(() => defineFraming(definition as unknown as FramingDefinition)).toThrow(message);
  });
});

describe("the framing of docs/guides/own-framing.md", () => {
  it("is the code that runs here", () => {
    const guide = readFileSync(
      new URL("../../../../docs/guides/own-framing.md", import.meta.url),
      "utf8",
    );
    expect(guide).toContain(readFileSync(new URL("own-framing.ts", import.meta.url), "utf8"));
  });

  it("keeps the contract of a framing", { timeout: 60_000 }, () => {
    verifyFraming(probe, ["", "a", "hello", "\x02\x02\x04", "x".repeat(255)].map(latin1));
  });

  it("writes the bytes that the guide shows", () => {
    expect(encoded(probe, "\x01\x02", "")).toBe("02 01 02 03 00 00");
  });

  it("reports the faults that the guide shows", () => {
    expect(outcome(probe, hex("00 00 01 07 08"))).toEqual({
      frames: [""],
      faults: ["FRAME_MALFORMED at 4"],
    });
    expect(outcome(probe, hex("02 01 02 04"))).toEqual({
      frames: [],
      faults: ["FRAME_MALFORMED at 3"],
    });
    expect(
      outcome(probe, hex("01 07 07 02 01 02 03"), { maxFrameBytes: 1, onOversize: "skip" }),
    ).toEqual({
      frames: ["\x07"],
      faults: ["FRAME_TOO_LARGE at 3"],
    });
  });
});
