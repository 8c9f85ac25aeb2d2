import { describe, expect, it } from "vitest";
import { cobs, encodeFrames } from "../../src/mod.ts";
import { verifyFraming } from "../../src/testing/mod.ts";
import {
  encoded,
  framesUntilEndInside,
  hex,
  latin1,
  outcome,
  partials,
  toHex,
} from "../every-cut.ts";

const framing = cobs();
/** The bytes from `first` to `last`, each one more than the one before. */
const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

describe("cobs()", () => {
  it("keeps the contract of a framing", { timeout: 60_000 }, () => {
    const samples = [
      "",
      "a",
      "\0",
      "\0\0a",
      "a\0",
      "\xff\x01",
      "x".repeat(253),
      "x".repeat(254),
      "x".repeat(255),
      "\0".repeat(300),
    ];
    verifyFraming(framing, samples.map(latin1));
  });

  it.each([
    ["", "01 00"],
    ["00", "01 01 00"],
    ["00 00", "01 01 01 00"],
    ["00 11 00", "01 02 11 01 00"],
    ["11 22 00 33", "03 11 22 02 33 00"],
    ["11 22 33 44", "05 11 22 33 44 00"],
    ["11 00 00 00", "02 11 01 01 01 00"],
  ])("encodes %s as %s", (payload, golden) => {
    expect(toHex(encodeFrames(framing, [hex(payload)]))).toBe(golden);
  });

  it.each([
    [range(1, 0xfe), [0xff, ...range(1, 0xfe), 0]],
    [
      [0, ...range(1, 0xfe)],
      [1, 0xff, ...range(1, 0xfe), 0],
    ],
    [range(1, 0xff), [0xff, ...range(1, 0xfe), 2, 0xff, 0]],
    [
      [...range(2, 0xff), 0],
      [0xff, ...range(2, 0xff), 1, 1, 0],
    ],
    [
      [...range(3, 0xff), 0, 1],
      [0xfe, ...range(3, 0xff), 2, 1, 0],
    ],
    [
      [...range(1, 0xfe), ...range(1, 0xfe), 7],
      [0xff, ...range(1, 0xfe), 0xff, ...range(1, 0xfe), 2, 7, 0],
    ],
  ])("encodes runs of 254 bytes as the field does (%#)", (payload, golden) => {
    expect(Array.from(encodeFrames(framing, [Uint8Array.from(payload)]))).toEqual(golden);
    expect(outcome(framing, Uint8Array.from(golden))).toEqual({
      frames: [String.fromCharCode(...payload)],
      faults: [],
    });
  });

  it("reads the paper's last block 01 after a full one", () => {
    expect(outcome(framing, Uint8Array.of(0xff, ...range(1, 0xfe), 1, 0))).toEqual({
      frames: [String.fromCharCode(...range(1, 0xfe))],
      faults: [],
    });
  });

  it("reads frames under every cut", () => {
    expect(encoded(framing, "a\0b", "", "\0")).toBe("02 61 02 62 00 01 00 01 01 00");
    expect(outcome(framing, hex("02 61 02 62 00 01 00 01 01 00"))).toEqual({
      frames: ["a\0b", "", "\0"],
      faults: [],
    });
  });

  it("rejects a zero inside a block, and one where a frame begins, at that byte", () => {
    expect(outcome(framing, hex("03 61 00 02 62 00"))).toEqual({
      frames: [],
      faults: ["FRAME_MALFORMED at 2"],
    });
    expect(outcome(framing, hex("02 00"))).toEqual({
      frames: [],
      faults: ["FRAME_MALFORMED at 1"],
    });
    expect(outcome(framing, hex("02 61 02 00"))).toEqual({
      frames: [],
      faults: ["FRAME_MALFORMED at 3"],
    });
    expect(outcome(framing, hex("02 61 00 00"))).toEqual({
      frames: ["a"],
      faults: ["FRAME_MALFORMED at 3"],
    });
    expect(outcome(framing, hex("00"))).toEqual({ frames: [], faults: ["FRAME_MALFORMED at 0"] });
  });

  it(
    "rejects a frame above maxFrameBytes at its first excess byte, a zero at the code in its " +
      "place",
    () => {
      const limits = { maxFrameBytes: 2 };
      expect(outcome(framing, hex("03 61 62 00 04 61 62 63 00"), limits)).toEqual({
        frames: ["ab"],
        faults: ["FRAME_TOO_LARGE at 7"],
      });
      expect(outcome(framing, hex("03 61 62 01 00"), limits)).toEqual({
        frames: [],
        faults: ["FRAME_TOO_LARGE at 3"],
      });
      expect(outcome(framing, hex("01 01 01 00"), limits)).toEqual({
        frames: ["\0\0"],
        faults: [],
      });
      expect(outcome(framing, hex("01 01 01 01 00"), limits)).toEqual({
        frames: [],
        faults: ["FRAME_TOO_LARGE at 3"],
      });
    },
  );

  it("passes over an oversized frame up to its zero, whatever is in it", () => {
    const limits = { maxFrameBytes: 1, onOversize: "skip" } as const;
    expect(outcome(framing, hex("04 61 62 63 00 02 64 00"), limits)).toEqual({
      frames: ["d"],
      faults: ["FRAME_TOO_LARGE at 2, passed over"],
    });
    expect(outcome(framing, hex("09 61 62 63 00 02 64 00"), limits)).toEqual({
      frames: ["d"],
      faults: ["FRAME_TOO_LARGE at 2, passed over"],
    });
  });

  it.each(["01", "02", "02 61", "03 61"])(
    "reports a stream that ends inside a frame: %s",
    (stream) => {
      expect(outcome(framing, hex(stream))).toEqual({
        frames: [],
        faults: [`FRAME_TRUNCATED at ${String(hex(stream).length)}`],
      });
    },
  );

  it("is partial from a frame's first code to its zero", () => {
    expect(partials(framing, "\x02a\x00\x01\x00")).toBe("pp-p-");
  });

  it(
    'passes over a damaged frame up to its zero with onMalformed "skip", and over zeros ' +
      "between frames",
    { timeout: 60_000 },
    () => {
      const patient = cobs({ onMalformed: "skip" });
      expect(outcome(patient, hex("05 41 42 00 02 43 00"))).toEqual({
        frames: ["C"],
        faults: ["FRAME_MALFORMED at 3, passed over"],
      });
      expect(outcome(patient, hex("00 00 02 43 00 00 05 00 02 44 00"))).toEqual({
        frames: ["C", "D"],
        faults: ["FRAME_MALFORMED at 7, passed over"],
      });
      expect(outcome(patient, hex("02 43 00 05 41"))).toEqual({
        frames: ["C"],
        faults: ["FRAME_TRUNCATED at 5"],
      });
      verifyFraming(patient, ["", "a", "\0", "hello", "a\0b"].map(latin1), {
        streams: [hex("05 41 00 02 43 00"), hex("00 00 02 43 00")],
      });
    },
  );

  it("delivers nothing after its sink has ended the stream", () => {
    expect(framesUntilEndInside(framing, "\x02a\x00\x02b\x00")).toBe(1);
  });
});
