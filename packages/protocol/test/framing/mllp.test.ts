import { describe, expect, it } from "vitest";
import { encodeFrames, mllp } from "../../src/mod.ts";
import { verifyFraming } from "../../src/testing/mod.ts";
import { encoded, hex, latin1, outcome, partials } from "../every-cut.ts";

const framing = mllp();
const tolerant = mllp({ skipBetween: "crlf" });

describe("mllp()", () => {
  it.each([framing, tolerant])(
    "keeps the contract of a framing (%#)",
    { timeout: 60_000 },
    (one) => {
      verifyFraming(
        one,
        ["", "a", "MSH|^~\\&|\rPID|1\r", "\r", "\n\t\0", "x".repeat(300)].map(latin1),
      );
    },
  );

  it("writes 0b payload 1c 0d", () => {
    expect(encoded(framing, "MSH\r", "")).toBe("0b 4d 53 48 0d 1c 0d 0b 1c 0d");
  });

  it("reads blocks under every cut", () => {
    expect(outcome(framing, "\x0ba\r\x1c\r\x0b\x1c\r\x0b\n\x1c\r")).toEqual({
      frames: ["a\r", "", "\n"],
      faults: [],
    });
  });

  it("rejects a byte between blocks that is not 0b, at that byte", { timeout: 60_000 }, () => {
    for (let byte = 0; byte < 256; byte++) {
      const { faults } = outcome(framing, Uint8Array.of(0x0b, 0x1c, 0x0d, byte, 0x1c, 0x0d));
      expect(faults).toEqual(byte === 0x0b ? [] : ["FRAME_MALFORMED at 3"]);
    }
  });

  it("reads over CR and LF between blocks where told so, and over nothing else", () => {
    expect(outcome(tolerant, "\r\n\x0ba\x1c\r\r\n\n\x0bb\x1c\r\n")).toEqual({
      frames: ["a", "b"],
      faults: [],
    });
    expect(outcome(tolerant, "\x0ba\x1c\r \x0bb\x1c\r")).toEqual({
      frames: ["a"],
      faults: ["FRAME_MALFORMED at 4"],
    });
  });

  it(
    "rejects every byte after 1c but 0d, at that byte: 1c never stands alone",
    { timeout: 60_000 },
    () => {
      for (let byte = 0; byte < 256; byte++) {
        const { faults } = outcome(framing, Uint8Array.of(0x0b, 0x61, 0x1c, byte));
        expect(faults).toEqual(byte === 0x0d ? [] : ["FRAME_MALFORMED at 3"]);
      }
    },
  );

  it("rejects a 0b inside a block, at that byte", () => {
    expect(outcome(framing, "\x0bab\x0bcd\x1c\r")).toEqual({
      frames: [],
      faults: ["FRAME_MALFORMED at 3"],
    });
  });

  it("rejects a block above maxFrameBytes at its first excess byte, and takes one of maxFrameBytes", () => {
    expect(outcome(framing, "\x0bab\x1c\r\x0babc\x1c\r", { maxFrameBytes: 2 })).toEqual({
      frames: ["ab"],
      faults: ["FRAME_TOO_LARGE at 8"],
    });
    expect(outcome(framing, "\x0bab\x1cX", { maxFrameBytes: 2 })).toEqual({
      frames: [],
      faults: ["FRAME_MALFORMED at 4"],
    });
  });

  it("passes over an oversized block up to its 1c 0d, whatever is in it", () => {
    const limits = { maxFrameBytes: 1, onOversize: "skip" } as const;
    expect(outcome(framing, "\x0babc\x1c\r\x0bd\x1c\r", limits)).toEqual({
      frames: ["d"],
      faults: ["FRAME_TOO_LARGE at 2, passed over"],
    });
    expect(outcome(framing, "\x0bab\x0b\x1c\x1c\r\x0bd\x1c\r", limits)).toEqual({
      frames: ["d"],
      faults: ["FRAME_TOO_LARGE at 2, passed over"],
    });
    expect(outcome(framing, "\x0babc\x1c", limits)).toEqual({
      frames: [],
      faults: ["FRAME_TOO_LARGE at 2, passed over"],
    });
  });

  it.each(["\x0b", "\x0ba", "\x0ba\x1c"])(
    "reports a stream that ends inside a block: %j",
    (stream) => {
      expect(outcome(framing, stream)).toEqual({
        frames: [],
        faults: [`FRAME_TRUNCATED at ${String(stream.length)}`],
      });
    },
  );

  it.each(["0b", "1c", "61 1c", "1c 0d", "0b 61 1c 0d"])(
    "refuses to send a payload that holds structure: %s",
    (payload) => {
      expect(() => encodeFrames(framing, [hex(payload)])).toThrow(
        expect.objectContaining({ code: "PAYLOAD_FORBIDDEN" }) as Error,
      );
    },
  );

  it("is partial inside a block, not between two", () => {
    expect(partials(tolerant, "\r\x0ba\x1c\r\n\x0b\x1c\r")).toBe("-ppp--pp-");
  });

  it(
    'passes over what is damaged with onMalformed "skip": one fault, and the next 0b begins ' +
      "the next block",
    { timeout: 60_000 },
    () => {
      const patient = mllp({ onMalformed: "skip" });
      expect(outcome(patient, "\x0bMSH|cut\x0bMSH|good\x1c\r")).toEqual({
        frames: ["MSH|good"],
        faults: ["FRAME_MALFORMED at 8, passed over"],
      });
      expect(outcome(patient, "noise\x0ba\x1c\r\r\n\x0bb\x1c\r")).toEqual({
        frames: ["a", "b"],
        faults: ["FRAME_MALFORMED at 0, passed over", "FRAME_MALFORMED at 9, passed over"],
      });
      expect(outcome(patient, "\x0ba\x1cb\x1c\r\x0bc\x1c\r")).toEqual({
        frames: ["c"],
        faults: ["FRAME_MALFORMED at 3, passed over"],
      });
      expect(outcome(patient, "\x0ba\x1c\x0bc\x1c\r")).toEqual({
        frames: ["c"],
        faults: ["FRAME_MALFORMED at 3, passed over"],
      });
      expect(
        outcome(
          mllp({ onMalformed: "skip", skipBetween: "crlf" }),
          "\r\n\x0ba\x1c\r\nx\n\x0bb\x1c\r",
        ),
      ).toEqual({ frames: ["a", "b"], faults: ["FRAME_MALFORMED at 7, passed over"] });
      expect(outcome(patient, "\x0ba\x1c\rnoise")).toEqual({
        frames: ["a"],
        faults: ["FRAME_MALFORMED at 4, passed over"],
      });
      const both = { maxFrameBytes: 2, onOversize: "skip" } as const;
      expect(outcome(patient, "\x0babc\x0bd\x1c\r", both)).toEqual({
        frames: ["d"],
        faults: ["FRAME_TOO_LARGE at 3, passed over"],
      });
      verifyFraming(patient, ["", "a", "MSH|a\r", "x".repeat(40)].map(latin1), {
        streams: ["\x0ba\x0bb\x1c\r", "x\x0ba\x1cb\x1c\r\x0b\x1c\r"].map(latin1),
      });
    },
  );

  it("throws a TypeError for another skipBetween", () => {
    expect(() => mllp({ skipBetween: "all" as "none" })).toThrow(TypeError);
  });
});
