import { describe, expect, it } from "vitest";
import { encodeFrames, fixedLength } from "../../src/mod.ts";
import { verifyFraming } from "../../src/testing/mod.ts";
import { encoded, framesUntilEndInside, latin1, outcome, partials } from "../every-cut.ts";

describe("fixedLength()", () => {
  it("keeps the contract of a framing", { timeout: 60_000 }, () => {
    verifyFraming(fixedLength(3), ["abc", "\0\0\0", "\r\n."].map(latin1));
    verifyFraming(fixedLength(1), ["a", "\n"].map(latin1));
  });

  it("writes payloads and nothing else", () => {
    expect(encoded(fixedLength(2), "ab", "cd")).toBe("61 62 63 64");
  });

  it("reads frames under every cut", () => {
    expect(outcome(fixedLength(3), "abcdefghi")).toEqual({
      frames: ["abc", "def", "ghi"],
      faults: [],
    });
    expect(outcome(fixedLength(1), "abc")).toEqual({ frames: ["a", "b", "c"], faults: [] });
  });

  it("reports a stream that ends inside a frame", () => {
    expect(outcome(fixedLength(3), "abcde")).toEqual({
      frames: ["abc"],
      faults: ["FRAME_TRUNCATED at 5"],
    });
  });

  it("rejects each frame at its first byte where its length is above maxFrameBytes", () => {
    expect(outcome(fixedLength(3), "abcdef", { maxFrameBytes: 3 }).faults).toEqual([]);
    expect(outcome(fixedLength(3), "abcdef", { maxFrameBytes: 2 })).toEqual({
      frames: [],
      faults: ["FRAME_TOO_LARGE at 0"],
    });
    expect(
      outcome(fixedLength(3), "abcdef", { maxFrameBytes: 2, onOversize: "skip" }).faults,
    ).toEqual(["FRAME_TOO_LARGE at 0, passed over", "FRAME_TOO_LARGE at 3, passed over"]);
  });

  it("refuses to send a message of another length", () => {
    for (const payload of ["", "a", "abc"]) {
      expect(() => encodeFrames(fixedLength(2), [latin1(payload)])).toThrow(
        expect.objectContaining({ code: "PAYLOAD_FORBIDDEN" }) as Error,
      );
    }
  });

  it.each([0, -1, 1.5, NaN, Infinity, 2 ** 31])("throws a RangeError for %d bytes", (bytes) => {
    expect(() => fixedLength(bytes)).toThrow(RangeError);
  });

  it("is partial inside a frame", () => {
    expect(partials(fixedLength(3), "abcdef")).toBe("pp-pp-");
  });

  it("delivers nothing after its sink has ended the stream", () => {
    expect(framesUntilEndInside(fixedLength(1), "abc")).toBe(1);
  });
});
