import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { Needle } from "../../src/bytes/search.ts";
import {
  escapedBytes,
  type FrameSentinel,
  guardPayload,
  isSentinel,
  prepareSentinel,
  SuffixDecoder,
  SuffixGuard,
} from "../../src/wire/sentinel.ts";
import { allCuts, chunksOf } from "../../src/testing/cuts.ts";
import { Random } from "../../src/testing/random.ts";
import { latin } from "../notation.ts";

describe("prepareSentinel()", () => {
  test("takes text or bytes, and keeps its own copy of these, also of a Buffer", () => {
    for (const given of ["exit", latin("exit"), Buffer.from("exit")]) {
      const sentinel = prepareSentinel(given, undefined, false) as FrameSentinel;
      if (typeof given !== "string") given.fill(0);
      expect(sentinel).toEqual({ form: "frame", bytes: latin("exit"), escape: null });
    }
  });

  test("takes a suffix for an unframed stream", () => {
    const suffix = Buffer.from(" exit");
    const sentinel = prepareSentinel({ suffix }, undefined, true);
    suffix.fill(0);
    expect(sentinel).toMatchObject({ form: "suffix", needle: { bytes: latin(" exit") } });
  });

  test.each([
    ["a frame on an unframed stream", "exit", undefined, true, TypeError],
    ["a suffix on a framed one", { suffix: "exit" }, undefined, false, TypeError],
    ["an escape of a suffix", { suffix: "exit" }, "\\", true, TypeError],
    ["an empty sentinel", "", undefined, false, RangeError],
    ["no bytes", new Uint8Array(0), undefined, false, RangeError],
    ["an empty suffix", { suffix: "" }, undefined, true, RangeError],
    ["an empty escape", "exit", "", false, RangeError],
    ["an escape that the sentinel begins with", "\\exit", "\\", false, RangeError],
    ["an escape that is the sentinel", "exit", "exit", false, RangeError],
  ] as const)("refuses %s", (_, option, escape, unframed, kind) => {
    expect(() => prepareSentinel(option, escape, unframed)).toThrow(kind);
  });
});

describe("a sentinel frame", () => {
  const plain = prepareSentinel("exit", undefined, false) as FrameSentinel;
  const escaped = prepareSentinel("exit", "\\", false) as FrameSentinel;

  function guarded(sentinel: FrameSentinel, payload: string): string {
    const output = new ByteWriter();
    output.append(latin("before"));
    output.append(latin(payload));
    guardPayload(sentinel, output, 6);
    expect(String.fromCharCode(...output.copy().subarray(0, 6))).toBe("before");
    return String.fromCharCode(...output.copy(6));
  }

  test("isSentinel() compares the range, all of it and nothing else", () => {
    const bytes = latin("xexity");
    expect(isSentinel(plain, bytes, 1, 5)).toBe(true);
    for (const [start, end] of [
      [0, 5],
      [1, 6],
      [1, 4],
      [2, 5],
      [1, 1],
    ] as const)
      expect(isSentinel(plain, bytes, start, end)).toBe(false);
    expect(isSentinel(plain, latin("Exit"), 0, 4)).toBe(false);
  });

  test("guardPayload() refuses a payload that equals it, and lets others be", () => {
    expect(() => guarded(plain, "exit")).toThrow(
      expect.objectContaining({ code: "PAYLOAD_IS_SENTINEL" }),
    );
    for (const payload of ["", "exi", "exits", " exit", "EXIT", "\\exit"])
      expect(guarded(plain, payload)).toBe(payload);
  });

  test.each([
    ["exit", "\\exit"],
    ["\\exit", "\\\\exit"],
    ["\\\\exit", "\\\\\\exit"],
    ["", ""],
    ["\\", "\\"],
    ["\\exi", "\\exi"],
    ["\\exit ", "\\exit "],
    ["exit\\", "exit\\"],
    ["x\\exit", "x\\exit"],
  ])(
    "guardPayload() with an escape sends %j as %j, and escapedBytes() takes it back",
    (payload, sent) => {
      expect(guarded(escaped, payload)).toBe(sent);
      const bytes = latin(`<${sent}>`);
      const strip = escapedBytes(escaped, bytes, 1, bytes.length - 1);
      expect(String.fromCharCode(...bytes.subarray(1 + strip, -1))).toBe(payload);
      expect(isSentinel(escaped, bytes, 1, bytes.length - 1)).toBe(false);
    },
  );

  test("escapes of several bytes come back for 10 000 payloads of the sentinel's own letters", () => {
    const random = new Random(11);
    for (let run = 0; run < 10_000; run++) {
      const letters = latin("ab");
      const sentinelBytes = random.bytes(1 + random.below(4), letters);
      const escapeBytes = random.bytes(1 + random.below(3), letters);
      if (
        sentinelBytes.length >= escapeBytes.length &&
        escapeBytes.every((byte, at) => byte === sentinelBytes[at])
      )
        continue;
      const sentinel = prepareSentinel(sentinelBytes, escapeBytes, false) as FrameSentinel;
      const payload = random.bytes(random.below(8), letters);
      const output = new ByteWriter();
      output.append(payload);
      guardPayload(sentinel, output, 0);
      const sent = output.copy();
      expect(isSentinel(sentinel, sent, 0, sent.length)).toBe(false);
      expect(sent.subarray(escapedBytes(sentinel, sent, 0, sent.length))).toEqual(payload);
    }
  });
});

/**
 * What SuffixDecoder passes on, chunk by chunk, and where it says that the suffix ended in the
 * stream.
 */
function decodeSuffix(
  chunks: readonly Uint8Array[],
  suffix: string,
): { passed: string; end: number; mostHeld: number } {
  const decoder = new SuffixDecoder(new Needle(latin(suffix)));
  let passed = "";
  let end = -1;
  let offset = 0;
  let mostHeld = 0;
  const sink = {
    frame: (bytes: Uint8Array, from: number, to: number) =>
      void (passed += String.fromCharCode(...bytes.subarray(from, to))),
    fault: () => {
      throw new Error("a suffix has no faults");
    },
  };
  for (const chunk of chunks) {
    const after = decoder.push(chunk, 0, chunk.length, sink);
    if (after !== -1) {
      end = offset + after;
      return { passed, end, mostHeld };
    }
    offset += chunk.length;
    mostHeld = Math.max(mostHeld, offset - passed.length);
  }
  decoder.end(sink);
  return { passed, end, mostHeld };
}

describe("SuffixDecoder", () => {
  test.each([
    [" exit", "hi exit"],
    [" exit", " exit"],
    [" exit", "a  exit b"],
    [" exit", " ex exi exi"],
    ["aab", "aaaabaab"],
    ["abab", "aababb"],
    ["|", "||"],
  ])(
    "finds %j in %j at every cut, and passes on what is before it, all of it where it never comes",
    (suffix, stream) => {
      const found = stream.indexOf(suffix);
      const expected =
        found === -1
          ? { passed: stream, end: -1 }
          : { passed: stream.slice(0, found), end: found + suffix.length };
      for (const cut of allCuts(stream.length))
        expect(decodeSuffix(chunksOf(latin(stream), cut), suffix)).toMatchObject(expected);
    },
  );

  test(
    "holds nothing back longer than the suffix, less one byte, and agrees with indexOf on 10 000 " +
      "random streams",
    () => {
      const random = new Random(2);
      for (let run = 0; run < 10_000; run++) {
        const suffix = String.fromCharCode(...random.bytes(1 + random.below(5), latin("ab")));
        const stream = String.fromCharCode(...random.bytes(random.below(20), latin("aabc")));
        const at = random.below(stream.length + 1);
        const { passed, end, mostHeld } = decodeSuffix(
          [latin(stream.slice(0, at)), latin(stream.slice(at))],
          suffix,
        );
        const found = stream.indexOf(suffix);
        expect([passed, end]).toEqual(
          found === -1 ? [stream, -1] : [stream.slice(0, found), found + suffix.length],
        );
        expect(mostHeld).toBeLessThan(suffix.length);
      }
    },
  );

  test("passes on at once what can't be the suffix any more", () => {
    const passed: string[] = [];
    const decoder = new SuffixDecoder(new Needle(latin(" exit")));
    const sink = {
      frame: (bytes: Uint8Array, from: number, to: number) =>
        void passed.push(String.fromCharCode(...bytes.subarray(from, to))),
      fault: () => undefined,
    };
    for (const chunk of ["hi ex", "a", "b", " "]) decoder.push(latin(chunk), 0, chunk.length, sink);
    expect(passed).toEqual(["hi", " ex", "a", "b"]);
    decoder.end(sink);
    expect(passed.at(-1)).toBe(" ");
  });

  test("searches its range alone", () => {
    const decoder = new SuffixDecoder(new Needle(latin("b")));
    const passed: number[] = [];
    expect(
      decoder.push(latin("xab"), 1, 2, {
        frame: (_, from, to) => void passed.push(from, to),
        fault: () => undefined,
      }),
    ).toBe(-1);
    expect(passed).toEqual([1, 2]);
  });
});

describe("SuffixGuard", () => {
  function send(guard: SuffixGuard, message: string): boolean {
    const output = new ByteWriter();
    output.append(latin("??"));
    output.append(latin(message));
    try {
      guard.check(output, 2);
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: "PAYLOAD_IS_SENTINEL" });
      return false;
    }
  }

  test("refuses what holds the suffix, or completes it across messages, and is then as it was", () => {
    const guard = new SuffixGuard(new Needle(latin(" exit")));
    expect(
      ["hi exit", "a ex", "it", "iting", "i", " exit", "t"].map((message) => send(guard, message)),
    ).toEqual([false, true, false, false, true, false, false]);
    expect(send(guard, "x")).toBe(true);
  });

  test("refuses a message behind which the suffix would be found before its own end", () => {
    const guard = new SuffixGuard(new Needle(latin("\r\n.\r\n")));
    expect(["a\r\n", "b\r\n.", "b\r\n", ".", ".."].map((message) => send(guard, message))).toEqual([
      true,
      false,
      true,
      false,
      true,
    ]);
  });

  test(
    "lets through exactly what, with the suffix behind it, ends at that suffix, on 20 000 random " +
      "conversations",
    () => {
      const random = new Random(8);
      for (let run = 0; run < 20_000; run++) {
        const suffix = String.fromCharCode(...random.bytes(1 + random.below(5), latin("ab")));
        const guard = new SuffixGuard(new Needle(latin(suffix)));
        let sent = "";
        for (let message = 0; message < 4; message++) {
          const text = String.fromCharCode(...random.bytes(random.below(5), latin("abc")));
          const harmless = (sent + text + suffix).indexOf(suffix) === sent.length + text.length;
          expect(send(guard, text), JSON.stringify({ suffix, sent, text })).toBe(harmless);
          if (harmless) sent += text;
        }
      }
    },
  );
});
