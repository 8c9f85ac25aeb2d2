import { describe, expect, it } from "vitest";
import { dotStuffed, encodeFrames } from "../../src/mod.ts";
import { verifyFraming } from "../../src/testing/mod.ts";
import {
  encoded,
  framesUntilEndInside,
  latin1,
  onlyFault,
  outcome,
  partials,
  toHex,
} from "../every-cut.ts";

const framing = dotStuffed();

describe("dotStuffed()", () => {
  it("keeps the contract of a framing", { timeout: 60_000 }, () => {
    const samples = [
      "",
      "\r\n",
      ".\r\n",
      "a\r\n",
      "..\r\nb\r\n",
      "a\r\n.\r\n..b\r\n",
      "a.b\r\n",
      `${"x".repeat(298)}\r\n`,
    ];
    const streams = [".\r.\r\n", ".a\r\n.\r\n", "a\r\n.\n", "a\n.\n.\r\n"];
    verifyFraming(framing, samples.map(latin1), { streams: streams.map(latin1) });
  });

  it.each([
    ["", ".\r\n"],
    ["a\r\n", "a\r\n.\r\n"],
    ["\r\n", "\r\n.\r\n"],
    [".\r\n", "..\r\n.\r\n"],
    [".a\r\nb.\r\n..\r\n", "..a\r\nb.\r\n...\r\n.\r\n"],
  ])("writes %j as %j", (payload, wire) => {
    expect(encoded(framing, payload)).toBe(toHex(latin1(wire)));
    expect(outcome(framing, wire)).toEqual({ frames: [payload], faults: [] });
  });

  it("reads messages under every cut, and keeps the last line's CRLF", () => {
    expect(outcome(framing, ".\r\na\r\n.\r\n.\r\n")).toEqual({
      frames: ["", "a\r\n", ""],
      faults: [],
    });
    expect(outcome(framing, "..\r\n..a\r\n.\r\nb\r\n.\r\n")).toEqual({
      frames: [".\r\n.a\r\n", "b\r\n"],
      faults: [],
    });
  });

  it("drops the first dot of a line that holds more, as RFC 5321 §4.5.2 has it", () => {
    expect(outcome(framing, ".a\r\n.\r\n")).toEqual({ frames: ["a\r\n"], faults: [] });
  });

  it.each([
    ["a\n.\n", 1],
    ["a\r.\r", 1],
    ["a\r\n.\n", 4],
    ["a\r\n.\rb", 4],
    ["a\n.\r\n", 1],
    ["a\r\r\n.\r\n", 1],
    [".\r.\r\n", 1],
    [".\n", 1],
    ["\n", 0],
    ["\r.", 0],
    ["..\n", 2],
  ])("rejects a bare CR or LF in %j at byte %i", (stream, offset) => {
    expect(outcome(framing, stream)).toEqual({
      frames: [],
      faults: [`FRAME_MALFORMED at ${String(offset)}`],
    });
  });

  it(
    "ends a message at CRLF.CRLF alone: every string of CR, LF and dot up to 7 bytes against a " +
      "simple model",
    { timeout: 60_000 },
    () => {
      for (let length = 0; length <= 7; length++) {
        for (let number = 0; number < 3 ** length; number++) {
          let rest = number;
          let stream = "";
          for (let at = 0; at < length; at++, rest = Math.floor(rest / 3))
            stream += "\r\n."[rest % 3] as string; // 0 to 2
          const lone = /\r(?=[^\n])|(?<!\r)\n/.exec(stream)?.index ?? Infinity;
          const frames = framesOf(stream.slice(0, Math.min(lone, stream.length)));
          if (lone !== Infinity)
            expect(onlyFault(framing, stream)).toMatchObject({
              code: "FRAME_MALFORMED",
              offset: lone,
            });
          if (length <= 6) expect(outcome(framing, stream).frames).toEqual(frames);
        }
      }
    },
  );

  it("rejects a message above maxFrameBytes at its first excess byte", () => {
    const limits = { maxFrameBytes: 3 };
    expect(outcome(framing, "a\r\n.\r\nab\r\n.\r\n", limits)).toEqual({
      frames: ["a\r\n"],
      faults: ["FRAME_TOO_LARGE at 9"],
    });
    expect(outcome(framing, "abc\r\n.\r\n", limits)).toEqual({
      frames: [],
      faults: ["FRAME_TOO_LARGE at 3"],
    });
    expect(outcome(framing, "abc\rd", limits)).toEqual({
      frames: [],
      faults: ["FRAME_MALFORMED at 3"],
    });
    expect(outcome(framing, "..\r\n.\r\n", limits)).toEqual({ frames: [".\r\n"], faults: [] });
    expect(outcome(framing, "a\r\n..\r\n", limits)).toEqual({
      frames: [],
      faults: ["FRAME_TOO_LARGE at 4"],
    });
  });

  it("passes over an oversized message up to its line of one dot, whatever is in it", () => {
    const limits = { maxFrameBytes: 3, onOversize: "skip" } as const;
    expect(outcome(framing, "abcd\r\n.\r\ne\r\n.\r\n", limits)).toEqual({
      frames: ["e\r\n"],
      faults: ["FRAME_TOO_LARGE at 3, passed over"],
    });
    expect(outcome(framing, "abcd\n.\n\r.\r.\r\n..\r\n.\r\r\n.\r\ne\r\n.\r\n", limits)).toEqual({
      frames: ["e\r\n"],
      faults: ["FRAME_TOO_LARGE at 3, passed over"],
    });
    expect(outcome(framing, "abcd\r\n", limits)).toEqual({
      frames: [],
      faults: ["FRAME_TOO_LARGE at 3, passed over"],
    });
  });

  it.each(["a", "a\r", "a\r\n", "a\r\n.", "a\r\n.\r", ".", ".\r"])(
    "reports a stream that ends inside a message: %j",
    (stream) => {
      expect(outcome(framing, stream)).toEqual({
        frames: [],
        faults: [`FRAME_TRUNCATED at ${String(stream.length)}`],
      });
    },
  );

  it.each(["a", "a\r", "a\n", "a\r\nb", "\n", "\r", "a\r\r\n", "a\n\r\n", "\r\n.", "a\rb\r\n"])(
    "refuses to send %j, which is not whole lines",
    (payload) => {
      expect(() => encodeFrames(framing, [latin1(payload)])).toThrow(
        expect.objectContaining({ code: "PAYLOAD_FORBIDDEN" }) as Error,
      );
    },
  );

  it("is partial from a message's first byte to its last", () => {
    expect(partials(framing, ".\r\na\r\n.\r\n")).toBe("pp-ppppp-");
  });

  it("delivers nothing after its sink has ended the stream", () => {
    expect(framesUntilEndInside(framing, ".\r\n.\r\n")).toBe(1);
  });
});

/** The messages of a stream without bare CR and LF, the simple way. */
function framesOf(stream: string): string[] {
  const frames: string[] = [];
  let message = "";
  for (const line of stream.split("\r\n").slice(0, -1)) {
    if (line === ".") {
      frames.push(message);
      message = "";
    } else {
      message += `${line.replace(/^\./, "")}\r\n`;
    }
  }
  return frames;
}
