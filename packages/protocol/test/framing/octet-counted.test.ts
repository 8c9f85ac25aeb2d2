import { describe, expect, it } from "vitest";
import { encodeFrames, octetCounted } from "../../src/mod.ts";
import { verifyFraming } from "../../src/testing/mod.ts";
import { encoded, latin1, outcome, partials } from "../every-cut.ts";

const framing = octetCounted();

describe("octetCounted()", () => {
  it("keeps the contract of a framing", { timeout: 60_000 }, () => {
    verifyFraming(framing, ["a", " ", "1 a", "<34>1 hello!", "x".repeat(300)].map(latin1));
  });

  it("writes MSG-LEN SP SYSLOG-MSG", () => {
    expect(encoded(framing, "<34>1 - -!")).toBe("31 30 20 3c 33 34 3e 31 20 2d 20 2d 21");
  });

  it("reads frames under every cut, with LF as payload", () => {
    expect(outcome(framing, "3 abc2 a\n1 1")).toEqual({ frames: ["abc", "a\n", "1"], faults: [] });
  });

  it.each([
    [0, "0 "],
    [0, "01 a"],
    [0, " 1 a"],
    [0, "+1 a"],
    [0, "-1 a"],
    [0, "<34>hello\n"],
    [0, "\n"],
    [1, "1\ta"],
    [1, "1:a"],
    [1, "1x1 a"],
    [2, "10.0 a"],
    [9, "1000000000 a"],
  ])("rejects a bad length at byte %i: %j", (offset, stream) => {
    expect(outcome(framing, stream)).toEqual({
      frames: [],
      faults: [`FRAME_MALFORMED at ${String(offset)}`],
    });
  });

  it("rejects a line ending between two frames", () => {
    expect(outcome(framing, "1 a\n1 b")).toEqual({
      frames: ["a"],
      faults: ["FRAME_MALFORMED at 3"],
    });
  });

  it("refuses to send an empty message", () => {
    expect(() => encodeFrames(framing, [latin1("")])).toThrow(
      expect.objectContaining({ code: "PAYLOAD_FORBIDDEN" }) as Error,
    );
  });

  it("rejects a frame above maxFrameBytes at its length, or passes over it", () => {
    expect(outcome(framing, "2 ab3 abc1 c", { maxFrameBytes: 2 })).toEqual({
      frames: ["ab"],
      faults: ["FRAME_TOO_LARGE at 4"],
    });
    expect(outcome(framing, "2 ab3 abc1 c", { maxFrameBytes: 2, onOversize: "skip" })).toEqual({
      frames: ["ab", "c"],
      faults: ["FRAME_TOO_LARGE at 4, passed over"],
    });
  });

  it.each(["1", "12", "2 ", "2 a"])("reports a stream that ends inside a frame: %j", (stream) => {
    expect(outcome(framing, stream)).toEqual({
      frames: [],
      faults: [`FRAME_TRUNCATED at ${String(stream.length)}`],
    });
  });

  it("is partial from a frame's first byte to its last", () => {
    expect(partials(framing, "2 ab1 a")).toBe("ppp-pp-");
  });
});
