import { describe, expect, it } from "vitest";
import { encodeFrames, slip } from "../../src/mod.ts";
import { verifyFraming } from "../../src/testing/mod.ts";
import { encoded, framesUntilEndInside, hex, latin1, outcome, partials } from "../every-cut.ts";

const framing = slip();

describe("slip()", () => {
  it.each([false, true])(
    "keeps the contract of a framing, leadingEnd %s",
    { timeout: 60_000 },
    (leadingEnd) => {
      verifyFraming(
        slip({ leadingEnd }),
        ["a", "hello", "\xc0", "\xdb", "\xdc\xdd", "\xc0\xdb\xc0", "a\xdbb", "x".repeat(300)].map(
          latin1,
        ),
      );
    },
  );

  it("writes the bytes of RFC 1055", () => {
    expect(encoded(framing, "\x01\xc0\x02", "\xdb", "\xdc\xdd")).toBe(
      "01 db dc 02 c0 db dd c0 dc dd c0",
    );
    expect(encoded(slip({ leadingEnd: true }), "\x01\xc0", "\x02")).toBe("c0 01 db dc c0 c0 02 c0");
  });

  it("reads frames under every cut", () => {
    expect(outcome(framing, hex("01 db dc 02 c0 db dd c0 61 c0"))).toEqual({
      frames: ["\x01\xc0\x02", "\xdb", "a"],
      faults: [],
    });
  });

  it("ignores an END where no frame has begun, and refuses to send an empty message", () => {
    expect(outcome(framing, hex("c0 c0 61 c0 c0 c0 62 c0 c0"))).toEqual({
      frames: ["a", "b"],
      faults: [],
    });
    for (const leadingEnd of [false, true]) {
      expect(() => encodeFrames(slip({ leadingEnd }), [latin1("")])).toThrow(
        expect.objectContaining({ code: "PAYLOAD_FORBIDDEN" }) as Error,
      );
    }
  });

  it(
    "rejects every byte after ESC but ESC_END and ESC_ESC, at that byte",
    { timeout: 60_000 },
    () => {
      for (let byte = 0; byte < 256; byte++) {
        const { faults } = outcome(framing, Uint8Array.of(0x61, 0xdb, byte, 0xc0));
        expect(faults).toEqual(byte === 0xdc || byte === 0xdd ? [] : ["FRAME_MALFORMED at 2"]);
      }
    },
  );

  it("rejects a frame above maxFrameBytes at its first excess byte, which may be an ESC", () => {
    const limits = { maxFrameBytes: 2 };
    expect(outcome(framing, hex("61 db dc c0 61 62 63 c0"), limits)).toEqual({
      frames: ["a\xc0"],
      faults: ["FRAME_TOO_LARGE at 6"],
    });
    expect(outcome(framing, hex("61 62 db dc c0"), limits)).toEqual({
      frames: [],
      faults: ["FRAME_TOO_LARGE at 2"],
    });
    expect(outcome(framing, hex("db dc db dd db dc c0"), limits)).toEqual({
      frames: [],
      faults: ["FRAME_TOO_LARGE at 4"],
    });
    expect(outcome(framing, hex("61 62 db 63 c0"), limits)).toEqual({
      frames: [],
      faults: ["FRAME_MALFORMED at 3"],
    });
  });

  it("passes over an oversized frame up to its END, whatever is in it", () => {
    const limits = { maxFrameBytes: 1, onOversize: "skip" } as const;
    expect(outcome(framing, hex("61 62 63 c0 64 c0"), limits)).toEqual({
      frames: ["d"],
      faults: ["FRAME_TOO_LARGE at 1, passed over"],
    });
    expect(outcome(framing, hex("61 62 db 00 db c0 64 c0"), limits)).toEqual({
      frames: ["d"],
      faults: ["FRAME_TOO_LARGE at 1, passed over"],
    });
    expect(outcome(framing, hex("61 62 c0 63 64 c0 65 c0"), limits)).toEqual({
      frames: ["e"],
      faults: ["FRAME_TOO_LARGE at 1, passed over", "FRAME_TOO_LARGE at 4, passed over"],
    });
    expect(outcome(framing, hex("61 62 63"), limits)).toEqual({
      frames: [],
      faults: ["FRAME_TOO_LARGE at 1, passed over"],
    });
  });

  it.each(["61", "db", "61 db", "61 db dc"])(
    "reports a stream that ends inside a frame: %s",
    (stream) => {
      expect(outcome(framing, hex(stream))).toEqual({
        frames: [],
        faults: [`FRAME_TRUNCATED at ${String(hex(stream).length)}`],
      });
    },
  );

  it("is partial from a frame's first byte to its END", () => {
    expect(partials(framing, "\xc0a\xc0\xc0\xdb\xdc\xc0")).toBe("-p--pp-");
  });

  it(
    'passes over a damaged frame up to its END with onMalformed "skip": one fault each',
    { timeout: 60_000 },
    () => {
      const patient = slip({ onMalformed: "skip" });
      expect(outcome(patient, hex("41 db 42 c0 43 c0"))).toEqual({
        frames: ["C"],
        faults: ["FRAME_MALFORMED at 2, passed over"],
      });
      expect(outcome(patient, hex("41 db c0 43 c0"))).toEqual({
        frames: ["C"],
        faults: ["FRAME_MALFORMED at 2, passed over"],
      });
      expect(outcome(patient, hex("db db db 00 db c0 c0 43 c0 db 00 c0 44 c0"))).toEqual({
        frames: ["C", "D"],
        faults: ["FRAME_MALFORMED at 1, passed over", "FRAME_MALFORMED at 10, passed over"],
      });
      expect(outcome(patient, hex("43 c0 db 00 61"))).toEqual({
        frames: ["C"],
        faults: ["FRAME_MALFORMED at 3, passed over"],
      });
      verifyFraming(patient, ["a", "hello", "\xc0", "\xdb\xdd", "a\xdbb"].map(latin1), {
        streams: [hex("db 00 61 c0 62 c0"), hex("61 db c0 c0 62 db")],
      });
    },
  );

  it("uses the bytes that it is given", { timeout: 60_000 }, () => {
    // an escape that is doubled
    const stuffed = slip({ end: 0x7e, escape: 0x10, escapedEnd: 0x11, escapedEscape: 0x10 });
    expect(encoded(stuffed, "a\x7e\x10b\xc0")).toBe("61 10 11 10 10 62 c0 7e");
    expect(outcome(stuffed, hex("61 10 11 10 10 62 c0 7e 7e 10 12 7e"))).toEqual({
      frames: ["a\x7e\x10b\xc0"],
      faults: ["FRAME_MALFORMED at 10"],
    });
    verifyFraming(stuffed, ["a", "\x7e", "\x10", "\x11\x10\x7e", "\xc0\xdb"].map(latin1));
  });

  it("delivers nothing after its sink has ended the stream", () => {
    expect(framesUntilEndInside(framing, "a\xc0b\xc0")).toBe(1);
  });

  it("throws a TypeError for a leadingEnd that is not a boolean", () => {
    expect(() => slip({ leadingEnd: 1 as unknown as boolean })).toThrow(TypeError);
    expect(() => slip({ onMalformed: "go on" as "skip" })).toThrow(
      new TypeError('Cannot use onMalformed "go on": it is "close" or "skip"'),
    );
    expect(() => slip({ end: "\n" as unknown as number })).toThrow(TypeError);
    for (const options of [
      { end: 256 },
      { escape: -1 },
      { escapedEnd: 1.5 },
      { end: 0xdb },
      { escapedEnd: 0xc0 },
      { escapedEscape: 0xc0 },
      { escapedEnd: 0xdd },
    ]) {
      expect(() => slip(options)).toThrow(RangeError);
    }
  });
});
