import { describe, expect, it } from "vitest";
import { ByteWriter, netstring } from "../../src/mod.ts";
import { verifyFraming } from "../../src/testing/mod.ts";
import {
  encoded,
  framesUntilEndInside,
  latin1,
  onlyFault,
  outcome,
  partials,
} from "../every-cut.ts";

const framing = netstring();

describe("netstring()", () => {
  it("keeps the contract of a framing", { timeout: 60_000 }, () => {
    verifyFraming(framing, ["", "a", "hello", ",", "3:abc,", "x".repeat(300)].map(latin1));
  });

  it("writes the bytes of the specification", () => {
    expect(encoded(framing, "hello world!", "")).toBe(
      "31 32 3a 68 65 6c 6c 6f 20 77 6f 72 6c 64 21 2c 30 3a 2c",
    );
  });

  it("reads frames under every cut", () => {
    expect(outcome(framing, "3:abc,0:,1:,,")).toEqual({ frames: ["abc", "", ","], faults: [] });
  });

  it.each([
    ["", 0, ":,"],
    ["a leading zero", 1, "01:a,"],
    ["two zeros", 1, "00:,"],
    ["a plus", 0, "+1:a,"],
    ["a minus", 0, "-1:a,"],
    ["a space before", 0, " 1:a,"],
    ["a space behind", 1, "1 :a,"],
    ["hex", 1, "0x1:a,"],
    ["a letter", 1, "1a:a,"],
    ["an exponent", 1, "1e1:a,"],
    ["a fraction", 1, "1.0:a,"],
    ["a separator", 1, "1_0:a,"],
    ["another terminator", 1, "1;a,"],
    ["a NUL", 0, "\x001:a,"],
    ["a wide digit", 0, "\xb2:ab,"],
    ["ten digits", 9, "1000000000:"],
    ["twenty digits", 9, "18446744073709551616:"],
  ])("refuses a length with %s", (_what, offset, stream) => {
    expect(outcome(framing, stream)).toEqual({
      frames: [],
      faults: [`FRAME_MALFORMED at ${String(offset)}`],
    });
  });

  it("refuses another byte in the comma's place, at that byte", () => {
    expect(outcome(framing, "0:,2:ab;1:c,")).toEqual({
      frames: [""],
      faults: ["FRAME_MALFORMED at 7"],
    });
    expect(outcome(framing, "0:x")).toEqual({ frames: [], faults: ["FRAME_MALFORMED at 2"] });
  });

  it("rejects a frame above maxFrameBytes at its length, and takes one of maxFrameBytes", () => {
    expect(outcome(framing, "3:abc,4:abcd,", { maxFrameBytes: 3 })).toEqual({
      frames: ["abc"],
      faults: ["FRAME_TOO_LARGE at 6"],
    });
    expect(onlyFault(framing, "999999999:")).toMatchObject({
      code: "FRAME_TOO_LARGE",
      offset: 0,
      size: 999_999_999,
      limit: 1_048_576,
    });
  });

  it("passes over an oversized frame and verifies its comma", () => {
    const limits = { maxFrameBytes: 1, onOversize: "skip" } as const;
    expect(outcome(framing, "2:ab,1:c,", limits)).toEqual({
      frames: ["c"],
      faults: ["FRAME_TOO_LARGE at 0, passed over"],
    });
    expect(outcome(framing, "2:abX1:c,", limits)).toEqual({
      frames: [],
      faults: ["FRAME_TOO_LARGE at 0, passed over", "FRAME_MALFORMED at 4"],
    });
    expect(outcome(framing, "9:ab", limits)).toEqual({
      frames: [],
      faults: ["FRAME_TOO_LARGE at 0, passed over"],
    });
  });

  it.each(["1", "12", "2:", "2:a", "2:ab"])(
    "reports a stream that ends inside a frame: %s",
    (stream) => {
      expect(outcome(framing, `0:,${stream}`)).toEqual({
        frames: [""],
        faults: [`FRAME_TRUNCATED at ${String(3 + stream.length)}`],
      });
    },
  );

  it("refuses to send a message whose length needs more than 9 digits", () => {
    const output = new ByteWriter();
    output.length = 2 + 1_000_000_000;
    expect(() => {
      framing.encoder({ maxFrameBytes: 2 ** 40 }).seal(output, 0);
    }).toThrow(expect.objectContaining({ code: "PAYLOAD_FORBIDDEN" }) as Error);
  });

  it("is partial from a frame's first byte to its comma", () => {
    expect(partials(framing, "2:ab,0:,")).toBe("pppp-pp-");
  });

  it("delivers nothing after its sink has ended the stream", () => {
    expect(framesUntilEndInside(framing, "1:a,1:b,")).toBe(1);
  });
});
