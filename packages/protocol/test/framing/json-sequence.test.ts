import { describe, expect, it } from "vitest";
import { encodeFrames, jsonSequence } from "../../src/mod.ts";
import { verifyFraming } from "../../src/testing/mod.ts";
import { encoded, framesUntilEndInside, latin1, outcome, partials } from "../every-cut.ts";

const framing = jsonSequence();

describe("jsonSequence()", () => {
  it("keeps the contract of a framing", { timeout: 60_000 }, () => {
    const samples = [
      "{}",
      "1",
      '"a\\"\\n["',
      "{\n}",
      "[[{}]\n]",
      "null",
      "\n1",
      '"\n"',
      `"${"x".repeat(300)}"`,
    ];
    verifyFraming(framing, samples.map(latin1), {
      streams: ["\x1e\x1e1\n \n\x1e2\n", "\x1e{\x1e{}\n"].map(latin1),
    });
  });

  it("writes RS, text, LF", () => {
    expect(encoded(framing, "{}", "1")).toBe("1e 7b 7d 0a 1e 31 0a");
  });

  it("reads texts under every cut", () => {
    expect(outcome(framing, "\x1e{}\n\x1e1\n\x1e[]\n")).toEqual({
      frames: ["{}", "1", "[]"],
      faults: [],
    });
  });

  it.each(["{\n}", '{"a":\n[1,\n2]}', '"\n"', '["\\"\n",\n"[\\\\"]', "\n\t {}", "{} \t\r"])(
    "reads %j as one text: its LFs are inside",
    (text) => {
      expect(outcome(framing, `\x1e${text}\n\x1e0\n`)).toEqual({ frames: [text, "0"], faults: [] });
      expect(encodeFrames(framing, [latin1(text)])).toEqual(latin1(`\x1e${text}\n`));
    },
  );

  it("reads over blanks between texts, and over a repeated RS", () => {
    expect(outcome(framing, "\x1e1\n\n \r\n\t\x1e2\n")).toEqual({ frames: ["1", "2"], faults: [] });
    expect(outcome(framing, "\x1e\x1e\x1e1\n\x1e")).toEqual({ frames: ["1"], faults: [] });
    expect(outcome(framing, "\x1e\x1e\x1e")).toEqual({ frames: [], faults: [] });
  });

  it("does not look at whether the payload is JSON", () => {
    expect(outcome(framing, "\x1e}{]\n\x1e]a\n")).toEqual({ frames: ["}{]", "]a"], faults: [] });
  });

  it("rejects a byte before an RS, at that byte", () => {
    expect(outcome(framing, "{}\n")).toEqual({ frames: [], faults: ["FRAME_MALFORMED at 0"] });
    expect(outcome(framing, "\n\x1e{}\n")).toEqual({
      frames: [],
      faults: ["FRAME_MALFORMED at 0"],
    });
    expect(outcome(framing, "\x1e1\n2\n")).toEqual({
      frames: ["1"],
      faults: ["FRAME_MALFORMED at 3"],
    });
    expect(outcome(framing, "\x1e1\n \0\n")).toEqual({
      frames: ["1"],
      faults: ["FRAME_MALFORMED at 4"],
    });
  });

  it.each(["12", "{", '"a', '"\\', "[\n", " ", "\n"])(
    "rejects an RS behind %j, which no LF ends, at the RS",
    (text) => {
      expect(outcome(framing, `\x1e${text}\x1e1\n`)).toEqual({
        frames: [],
        faults: [`FRAME_MALFORMED at ${String(1 + text.length)}`],
      });
    },
  );

  it("rejects a text above maxFrameBytes at its first excess byte, and takes one of maxFrameBytes", () => {
    expect(outcome(framing, "\x1e12\n\x1e123\n", { maxFrameBytes: 2 })).toEqual({
      frames: ["12"],
      faults: ["FRAME_TOO_LARGE at 7"],
    });
  });

  it("passes over an oversized text up to its LF, or to the next RS", () => {
    const limits = { maxFrameBytes: 2, onOversize: "skip" } as const;
    expect(outcome(framing, "\x1e1234\n\x1e5\n", limits)).toEqual({
      frames: ["5"],
      faults: ["FRAME_TOO_LARGE at 3, passed over"],
    });
    expect(outcome(framing, "\x1e[\n\n]\n\x1e5\n", limits)).toEqual({
      frames: ["5"],
      faults: ["FRAME_TOO_LARGE at 3, passed over"],
    });
    expect(outcome(framing, "\x1e[[[[\x1e5\n", limits)).toEqual({
      frames: ["5"],
      faults: ["FRAME_TOO_LARGE at 3, passed over"],
    });
    expect(outcome(framing, "\x1e123", limits)).toEqual({
      frames: [],
      faults: ["FRAME_TOO_LARGE at 3, passed over"],
    });
  });

  it.each(["\x1e1", "\x1e{\n", '\x1e"a\n', "\x1e\n"])(
    "reports a stream that ends inside a text: %j",
    (stream) => {
      expect(outcome(framing, stream)).toEqual({
        frames: [],
        faults: [`FRAME_TRUNCATED at ${String(stream.length)}`],
      });
    },
  );

  it.each(["", " ", "\n", "{", '"', '"\\"', "1\n2", "1\n", "[\x1e]", '"\x1e"', "\x1e"])(
    "refuses to send %j, which is not one text",
    (payload) => {
      expect(() => encodeFrames(framing, [latin1(payload)])).toThrow(
        expect.objectContaining({ code: "PAYLOAD_FORBIDDEN" }) as Error,
      );
    },
  );

  it("is partial from the text's first byte to its LF, not between texts", () => {
    expect(partials(framing, "\x1e{\n}\n\n\x1e1\n")).toBe("-ppp---p-");
  });

  it(
    'passes over what is damaged with onMalformed "skip": one fault, and the next RS begins ' +
      "the next text",
    { timeout: 60_000 },
    () => {
      const patient = jsonSequence({ onMalformed: "skip" });
      expect(outcome(patient, '\x1e{"a":\x1e{"b":2}\n')).toEqual({
        frames: ['{"b":2}'],
        faults: ["FRAME_MALFORMED at 6, passed over"],
      });
      expect(outcome(patient, '\x1e"cut\x1e[\x1e1\n')).toEqual({
        frames: ["1"],
        faults: ["FRAME_MALFORMED at 5, passed over", "FRAME_MALFORMED at 7, passed over"],
      });
      expect(outcome(patient, "noise\n\x1e1\n")).toEqual({
        frames: ["1"],
        faults: ["FRAME_MALFORMED at 0, passed over"],
      });
      expect(outcome(patient, "\x1e1\n \n2\n3\n\x1e4\n")).toEqual({
        frames: ["1", "4"],
        faults: ["FRAME_MALFORMED at 5, passed over"],
      });
      expect(outcome(patient, "\x1e1\nnoise")).toEqual({
        frames: ["1"],
        faults: ["FRAME_MALFORMED at 3, passed over"],
      });
      expect(outcome(patient, "\x1e1\n\x1e{")).toEqual({
        frames: ["1"],
        faults: ["FRAME_TRUNCATED at 5"],
      });
      verifyFraming(patient, ["{}", "1", "[[{}]\n]", "null"].map(latin1), {
        streams: ["\x1e\x1e1\n \n2\x1e2\n", "a\x1e{\x1e{}\n", "\x1e{\x1e[\x1e1\n"].map(latin1),
      });
    },
  );

  it("delivers nothing after its sink has ended the stream", () => {
    expect(framesUntilEndInside(framing, "\x1e1\n\x1e2\n")).toBe(1);
  });
});
