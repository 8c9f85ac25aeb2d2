import { describe, expect, it } from "vitest";
import { ByteWriter, encodeFrames, varintPrefixed } from "../../src/mod.ts";
import { verifyFraming } from "../../src/testing/mod.ts";
import { encoded, hex, latin1, onlyFault, outcome, partials, toHex } from "../every-cut.ts";

const framing = varintPrefixed();

describe("varintPrefixed()", () => {
  it("keeps the contract of a framing", { timeout: 60_000 }, () => {
    verifyFraming(
      framing,
      ["", "a", "hello", "\x80\x80", "x".repeat(127), "x".repeat(128), "x".repeat(300)].map(latin1),
    );
  });

  it.each([
    [0, "00"],
    [1, "01"],
    [127, "7f"],
    [128, "80 01"],
    [300, "ac 02"],
    [16_383, "ff 7f"],
    [16_384, "80 80 01"],
    [2_097_152, "80 80 80 01"],
  ])("writes the length %i minimally", (length, golden) => {
    const wire = encodeFrames(framing, [new Uint8Array(length).fill(0x61)], {
      maxFrameBytes: 2 ** 22,
    });
    const headerBytes = hex(golden).length;
    expect(toHex(wire.subarray(0, headerBytes))).toBe(golden);
    expect(wire.length).toBe(headerBytes + length);
    expect(wire.subarray(headerBytes).every((byte) => byte === 0x61)).toBe(true);
  });

  it("reads frames under every cut", () => {
    expect(encoded(framing, "abc", "", "d")).toBe("03 61 62 63 00 01 64");
    expect(outcome(framing, hex("03 61 62 63 00 01 64"))).toEqual({
      frames: ["abc", "", "d"],
      faults: [],
    });
  });

  it.each([
    ["80 00", 1],
    ["82 00 68 69", 1],
    ["82 80 80 80 00 68 69", 4],
    ["80 80 80 00", 3],
    ["ff ff ff ff ff 01", 4],
    ["80 80 80 80 80 00", 4],
    ["80 80 80 80 80 80 80 80 80 01", 4],
  ])("rejects the length %s at byte %i: not minimal, or of more than 5 bytes", (stream, offset) => {
    expect(outcome(framing, hex(stream))).toEqual({
      frames: [],
      faults: [`FRAME_MALFORMED at ${String(offset)}`],
    });
  });

  it.each([
    ["80 80 80 80 08", 2 ** 31],
    ["ff ff ff ff 07", 2 ** 31 - 1],
    ["ff ff ff ff 0f", 2 ** 32 - 1],
    ["80 80 80 80 10", 2 ** 32],
    ["ff ff ff ff 7f", 2 ** 35 - 1],
  ])("reads the length %s as %i", (stream, size) => {
    expect(onlyFault(framing, hex(stream))).toMatchObject({
      code: "FRAME_TOO_LARGE",
      offset: 0,
      size,
    });
  });

  it("rejects a frame above maxFrameBytes at its length, or passes over it", () => {
    const stream = hex("02 61 62 03 61 62 63 01 64");
    expect(outcome(framing, stream, { maxFrameBytes: 2 })).toEqual({
      frames: ["ab"],
      faults: ["FRAME_TOO_LARGE at 3"],
    });
    expect(outcome(framing, stream, { maxFrameBytes: 2, onOversize: "skip" })).toEqual({
      frames: ["ab", "d"],
      faults: ["FRAME_TOO_LARGE at 3, passed over"],
    });
  });

  it(
    "reads lengths that are longer than need be where minimal is false, of at most 5 bytes",
    { timeout: 60_000 },
    () => {
      const patient = varintPrefixed({ minimal: false });
      expect(outcome(patient, hex("82 80 80 80 00 68 69 80 00 81 00 61"))).toEqual({
        frames: ["hi", "", "a"],
        faults: [],
      });
      expect(outcome(patient, hex("82 80 80 80 80 00"))).toEqual({
        frames: [],
        faults: ["FRAME_MALFORMED at 4"],
      });
      expect(() => varintPrefixed({ minimal: 0 as unknown as false })).toThrow(TypeError);
      verifyFraming(patient, ["", "a", "hello", "x".repeat(300)].map(latin1), {
        streams: [hex("82 80 00 68 69")],
      });
    },
  );

  it.each(["80", "02", "02 61"])("reports a stream that ends inside a frame: %s", (stream) => {
    expect(outcome(framing, hex(stream))).toEqual({
      frames: [],
      faults: [`FRAME_TRUNCATED at ${String(hex(stream).length)}`],
    });
  });

  it("refuses to send a message whose length needs more than 5 bytes", () => {
    const output = new ByteWriter();
    output.length = 1 + 2 ** 35;
    expect(() => {
      framing.encoder({ maxFrameBytes: 2 ** 40 }).seal(output, 0);
    }).toThrow(expect.objectContaining({ code: "PAYLOAD_FORBIDDEN" }) as Error);
  });

  it("is partial from a frame's first byte to its last", () => {
    expect(partials(framing, "\x02ab\x00\x80")).toBe("pp--p");
  });
});
