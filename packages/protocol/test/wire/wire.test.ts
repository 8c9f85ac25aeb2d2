import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { bytes, type Codec, json, text } from "../../src/codec/codec.ts";
import { delimited } from "../../src/framing/delimited.ts";
import { HawserError } from "../../src/errors.ts";
import { encodeFrames, type Framing } from "../../src/framing/framing.ts";
import { lengthPrefixed } from "../../src/framing/length-prefixed.ts";
import type { FrameLimits } from "../../src/limits.ts";
import { lines } from "../../src/framing/lines.ts";
import { raw } from "../../src/framing/raw.ts";
import { slip } from "../../src/framing/slip.ts";
import { allCuts, chunksOf } from "../../src/testing/cuts.ts";
import { type Wire, wire, WireDecoder, WireEncoder, type WireSink } from "../../src/wire/wire.ts";
import { hex, latin } from "../notation.ts";

/** A sink that writes down what it is told, and a decoder on it. */
function listen<In>(
  on: Wire<In, never>,
  limits: Partial<FrameLimits> = {},
  during: (decoder: WireDecoder<In>, message: In) => void = () => undefined,
) {
  const heard: unknown[] = [];
  const sink: WireSink<In> = {
    message(message) {
      heard.push(message);
      during(decoder, message);
    },
    finished: (how) => void heard.push(`<${how}>`),
    fault: (error) => void heard.push(`!${error.code}`),
  };
  const decoder = new WireDecoder(on, limits, sink);
  return {
    heard,
    decoder,
    push: (chunk: string | Uint8Array) => {
      decoder.push(typeof chunk === "string" ? latin(chunk) : chunk);
    },
  };
}

/**
 * All that is heard of a stream and its end, at every cut: pieces of an unframed stream are put
 * together first.
 */
function hear<In>(
  on: Wire<In, never>,
  stream: string,
  limits: Partial<FrameLimits> = {},
): unknown[] {
  let first: unknown[] | null = null;
  for (const cut of allCuts(stream.length)) {
    const { heard, decoder } = listen(on, limits);
    for (const chunk of chunksOf(latin(stream), cut)) decoder.push(chunk);
    decoder.end();
    const joined = on.framing.unframed === true ? joinTexts(heard) : heard;
    first ??= joined;
    expect(joined, `cut at ${cut.join(" ")}`).toEqual(first);
  }
  return first ?? [];
}

function joinTexts(heard: readonly unknown[]): unknown[] {
  const end = heard.findIndex((one) => typeof one === "string" && /^[<!]/.test(one));
  return [
    heard.slice(0, end === -1 ? undefined : end).join(""),
    ...(end === -1 ? [] : heard.slice(end)),
  ];
}

function send<Out>(
  on: Wire<unknown, Out>,
  messages: readonly Out[],
  limits: Partial<FrameLimits> = {},
  sentinel = true,
): Uint8Array {
  const encoder = new WireEncoder(on, limits);
  const output = new ByteWriter();
  for (const message of messages) encoder.encode(message, output);
  if (sentinel) encoder.encodeSentinel(output);
  return output.copy();
}

const plain = wire({ framing: lines(), codec: text() });
const exiting = wire({ framing: lines(), codec: text(), sentinel: "exit" });
const escaping = wire({ framing: lines(), codec: text(), sentinel: "exit", escape: "\\" });
const classic = wire({ framing: raw(), codec: text(), sentinel: { suffix: " exit" } });
const streaming = wire({ framing: raw(), codec: text() });

describe("wire()", () => {
  test("is a frozen value of its parts", () => {
    expect(Object.isFrozen(exiting)).toBe(true);
    expect(plain).toMatchObject({
      framing: { name: "lines(any)" },
      codec: { name: "text" },
      sentinel: null,
    });
    expect(classic.sentinel?.form).toBe("suffix");
  });

  test.each([
    ["a codec of whole messages on raw()", { framing: raw(), codec: json() }, TypeError],
    ["a sentinel frame on raw()", { framing: raw(), codec: text(), sentinel: "exit" }, TypeError],
    [
      "a sentinel suffix on a framing",
      { framing: lines(), codec: text(), sentinel: { suffix: "exit" } },
      TypeError,
    ],
    ["an escape without a sentinel", { framing: lines(), codec: text(), escape: "\\" }, TypeError],
    [
      "an escape of a suffix",
      { framing: raw(), codec: text(), sentinel: { suffix: "x" }, escape: "\\" },
      TypeError,
    ],
    ["an empty sentinel", { framing: lines(), codec: text(), sentinel: "" }, RangeError],
    ["an empty suffix", { framing: raw(), codec: text(), sentinel: { suffix: "" } }, RangeError],
    [
      "an empty escape",
      { framing: lines(), codec: text(), sentinel: "exit", escape: "" },
      RangeError,
    ],
  ])("refuses %s", (_, options, kind) => {
    expect(() => wire(options as Parameters<typeof wire>[0])).toThrow(kind);
  });

  test("refuses a sentinel that the framing can't carry", () => {
    expect(() => wire({ framing: lines(), codec: text(), sentinel: "a\nb" })).toThrow(TypeError);
    expect(() => wire({ framing: delimited("||"), codec: text(), sentinel: "|" })).toThrow(
      /can't carry it/,
    );
  });

  test("checks the limits where they are given: at the decoder and the encoder", () => {
    const silent = { message: () => undefined, finished: () => undefined, fault: () => undefined };
    expect(() => new WireDecoder(plain, { maxFrameBytes: 0 }, silent)).toThrow(RangeError);
    expect(() => new WireEncoder(plain, { maxFrameBytes: 0 })).toThrow(RangeError);
  });
});

describe("WireDecoder", () => {
  test.each([
    ["a\nb\n", ["a", "b", "<ended>"]],
    ["", ["<ended>"]],
    ["a\nb", ["a", "!FRAME_TRUNCATED"]],
    ["\xc3\xa9\n\xff\nb\n", ["é", "!MESSAGE_INVALID"]],
    ["abcde\nb\n", ["!FRAME_TOO_LARGE"]],
  ])("reads %j of a framing at every cut, and its end", (stream, expected) => {
    expect(hear(plain, stream, { maxFrameBytes: 4 })).toEqual(expected);
  });

  test.each([
    ["a\nexit\n", ["a", "<sentinel>"]],
    ["exit\n", ["<sentinel>"]],
    ["exits\n exit\n", ["exits", " exit", "<ended>"]],
    ["exit", ["!FRAME_TRUNCATED"]],
    ["exit\na\n", ["<sentinel>", "!BYTES_AFTER_SENTINEL"]],
    ["exit\na", ["<sentinel>", "!BYTES_AFTER_SENTINEL"]],
    ["exit\n\n", ["<sentinel>", "!BYTES_AFTER_SENTINEL"]],
    ["exit\nexit\n", ["<sentinel>", "!BYTES_AFTER_SENTINEL"]],
    ["exit\n\xff\nzz\n", ["<sentinel>", "!BYTES_AFTER_SENTINEL"]],
    ["exit\nabcdefghi", ["<sentinel>", "!BYTES_AFTER_SENTINEL"]],
    ["\xff\nexit\n", ["!MESSAGE_INVALID"]],
  ])(
    "ends at the sentinel frame of %j at every cut: what comes after it is an error, never data",
    (stream, expected) => {
      expect(hear(exiting, stream, { maxFrameBytes: 5 })).toEqual(expected);
    },
  );

  test("reports a malformed frame behind the sentinel as bytes after it", () => {
    expect(
      hear(
        wire({ framing: lines({ ending: "crlf" }), codec: text(), sentinel: "exit" }),
        "exit\r\na\nb",
      ),
    ).toEqual(["<sentinel>", "!BYTES_AFTER_SENTINEL"]);
    const length1 = wire({
      framing: lengthPrefixed({ bytes: 1, includesHeader: true }),
      codec: text(),
      sentinel: "x",
    });
    expect(hear(length1, "\x02x\x00")).toEqual(["<sentinel>", "!BYTES_AFTER_SENTINEL"]);
    expect(hear(length1, "\x02x\x05")).toEqual(["<sentinel>", "!BYTES_AFTER_SENTINEL"]);
  });

  test(
    "reports an oversized frame behind the sentinel as bytes after it, also where it would be " +
      "skipped",
    () => {
      expect(hear(exiting, "exit\nabcdefg\n", { maxFrameBytes: 5, onOversize: "skip" })).toEqual([
        "<sentinel>",
        "!BYTES_AFTER_SENTINEL",
      ]);
    },
  );

  test("takes the escape from a message that reads like the sentinel, and from no other", () => {
    expect(hear(escaping, "\\exit\n\\\\exit\n")).toEqual(["exit", "\\exit", "<ended>"]);
    expect(hear(escaping, "\\a\n\\\nexit\n")).toEqual(["\\a", "\\", "<sentinel>"]);
  });

  test.each([
    ["hi exit", ["hi", "<sentinel>"]],
    [" exit", ["", "<sentinel>"]],
    ["hi exit!", ["hi", "<sentinel>", "!BYTES_AFTER_SENTINEL"]],
    [" exit exit", ["", "<sentinel>", "!BYTES_AFTER_SENTINEL"]],
    ["hi exi", ["hi exi", "<ended>"]],
    ["a  exit", ["a ", "<sentinel>"]],
    ["\xc3\xa9 exit", ["é", "<sentinel>"]],
    ["a\xc3 exit", ["a", "!MESSAGE_INVALID"]],
    ["a\xc3 exi", ["a", "!MESSAGE_INVALID"]],
    ["a\xc3", ["a", "!MESSAGE_INVALID"]],
    ["\xf0\x9f\x9a\xa2 ex", ["🚢 ex", "<ended>"]],
  ])("reads the unframed stream %j up to its suffix at every cut", (stream, expected) => {
    expect(hear(classic, stream)).toEqual(expected);
  });

  test("reads an unframed stream with a small maxFrameBytes the same", () => {
    for (const maxFrameBytes of [1, 2, 3]) {
      expect(hear(classic, "h\xc3\xa9 ex exit", { maxFrameBytes })).toEqual([
        "hé ex",
        "<sentinel>",
      ]);
      expect(hear(classic, "hi exit!", { maxFrameBytes })).toEqual([
        "hi",
        "<sentinel>",
        "!BYTES_AFTER_SENTINEL",
      ]);
    }
  });

  test("reads text and bytes of an unframed stream, cut anywhere", () => {
    expect(hear(streaming, "\xc3\xa9\xe2\x82\xac")).toEqual(["é€", "<ended>"]);
    const { heard, push } = listen(wire({ framing: raw(), codec: bytes() }));
    push(hex("ff c3"));
    expect(heard).toEqual([hex("ff c3")]);
  });

  test("delivers what can't be the suffix at once, and holds back less than its length", () => {
    const { heard, push } = listen(classic);
    for (const chunk of ["hello e", "x", " ex", "i", "!"]) push(chunk);
    expect(heard).toEqual(["hello", " ex", " exi", "!"]);
  });

  test("gives a codec's messages as they are, also null", () => {
    expect(hear(wire({ framing: lines(), codec: json() }), "null\n[1]\n")).toEqual([
      null,
      [1],
      "<ended>",
    ]);
  });

  test("names the codec and what it reads in MESSAGE_INVALID, with the cause, and no payload", () => {
    const own: Codec<string> = {
      name: "own",
      decode: () => {
        throw new Error("below");
      },
      encode: () => undefined,
    };
    const errors: HawserError[] = [];
    for (const codec of [text(), json(), own] as Codec<unknown>[]) {
      const sink: WireSink<unknown> = {
        message: () => undefined,
        finished: () => undefined,
        fault: (error) => void errors.push(error),
      };
      new WireDecoder(wire({ framing: lines(), codec }), {}, sink).push(latin("secret\xff\n"));
    }
    expect(errors.map(({ code }) => code)).toEqual([
      "MESSAGE_INVALID",
      "MESSAGE_INVALID",
      "MESSAGE_INVALID",
    ]);
    expect(errors.map(({ message }) => /not (.*):/.exec(message)?.[1])).toEqual([
      "UTF-8",
      "JSON in UTF-8",
      "what own() reads",
    ]);
    expect(errors[2]?.cause).toEqual(new Error("below"));
    for (const { message, cause } of errors)
      expect(message + String(cause)).not.toContain("secret");
  });

  test("passes a HawserError of a codec on as it is", () => {
    const refusal = new HawserError("MESSAGE_INVALID", "own words");
    const codec: Codec<string> = {
      name: "own",
      decode: () => {
        throw refusal;
      },
      encode: () => undefined,
    };
    let got: unknown;
    new WireDecoder(
      wire({ framing: lines(), codec }),
      {},
      { message: () => undefined, finished: () => undefined, fault: (error) => (got = error) },
    ).push(latin("a\n"));
    expect(got).toBe(refusal);
  });

  test("says the fault's sentence and offset", () => {
    let message = "";
    const sink = {
      message: () => undefined,
      finished: () => undefined,
      fault: (error: HawserError) => void (message = error.message),
    };
    new WireDecoder(plain, { maxFrameBytes: 2 }, sink).push(latin("abc"));
    expect(message).toBe(
      "The peer's frame has more than 2 bytes, maxFrameBytes is 2: raise the limit, or see " +
        "whether the peer uses this framing (at byte 2 of the stream)",
    );
  });

  test(
    "takes CR LF for one ending by default, as telnet sends it, also at the sentinel and across " +
      "a cut",
    () => {
      for (const size of [1, 2, 3, 100]) {
        const stream = latin("hello\r\nworld\n\r\nexit\r\n");
        const heard: string[] = [];
        const sink = {
          message: (message: string) => void heard.push(message),
          finished: (how: string) => void heard.push(`<${how}>`),
          fault: (error: HawserError) => void heard.push(error.code),
        };
        const decoder = new WireDecoder(exiting, {}, sink);
        for (let at = 0; at < stream.length; at += size)
          decoder.push(stream.subarray(at, at + size));
        expect(heard).toEqual(["hello", "world", "", "<sentinel>"]);
      }
    },
  );

  test("reports a skipped frame between the messages around it", () => {
    expect(hear(plain, "ab\nabcdef\ncd\n", { maxFrameBytes: 3, onOversize: "skip" })).toEqual([
      "ab",
      "!FRAME_TOO_LARGE",
      "cd",
      "<ended>",
    ]);
  });

  test(
    "reports a damaged frame that is passed over as an error of the conversation, between the " +
      "messages around it",
    () => {
      const errors: HawserError[] = [];
      const heard: string[] = [];
      const sink = {
        message: (message: string) => void heard.push(message),
        finished: (how: string) => void heard.push(how),
        fault: (error: HawserError) => void errors.push(error),
      };
      const decoder = new WireDecoder(
        wire({ framing: slip({ onMalformed: "skip" }), codec: text() }),
        {},
        sink,
      );
      decoder.push(latin("a\xc0b\xdbc\xc0d\xc0"));
      decoder.end();
      expect(heard).toEqual(["a", "d", "ended"]);
      expect(errors.map(({ code, scope, origin }) => [code, scope, origin])).toEqual([
        ["FRAME_MALFORMED", "conversation", "remote"],
      ]);
    },
  );

  test(
    "delivers a last message without terminator where the framing does, also the sentinel and " +
      "behind messages that wait",
    () => {
      const patient = wire({
        framing: lines({ unterminated: "deliver" }),
        codec: text(),
        sentinel: "exit",
      });
      expect(hear(patient, "a\nlast")).toEqual(["a", "last", "<ended>"]);
      expect(hear(patient, "a\nexit")).toEqual(["a", "<sentinel>"]);
      const { heard, decoder, push } = listen(patient);
      decoder.hold();
      push("a\nlast");
      decoder.end();
      expect(heard).toEqual([]);
      decoder.release();
      expect(heard).toEqual(["a", "last", "<ended>"]);
    },
  );

  test("is partial while a frame has begun, and never after the end", () => {
    const { decoder, push } = listen(exiting);
    const partials = ["a", "\n", "ex", "it\n"].map((chunk) => {
      push(chunk);
      return decoder.partial;
    });
    expect(partials).toEqual([true, false, true, false]);
    push("x");
    expect(decoder.partial).toBe(false);
    const silent = wire({
      framing: { ...lines(), decoder: () => ({ push: () => undefined, end: () => undefined }) },
      codec: text(),
    });
    expect(listen(silent).decoder.partial).toBe(false);
  });

  test("ignores what comes after the end of the stream, after a fatal fault, and a second end", () => {
    for (const stream of ["a\n", "abcdefg\n", "\xff\n", "exit\n", "exit\nx"]) {
      const { heard, decoder, push } = listen(exiting, { maxFrameBytes: 5 });
      push(stream);
      decoder.end();
      const before = [...heard];
      if (stream !== "exit\n") push("more\n");
      decoder.end();
      expect(heard).toEqual(before);
    }
  });

  test("takes an empty chunk after the sentinel for nothing", () => {
    const { heard, push } = listen(exiting);
    push("exit\n");
    push("");
    expect(heard).toEqual(["<sentinel>"]);
  });

  test("keeps no chunk: one that is overwritten changes nothing", () => {
    for (const cut of allCuts(8)) {
      const { heard, decoder } = listen(plain);
      for (const chunk of chunksOf(latin("abc\ndef\n"), cut)) {
        const own = new Uint8Array(chunk);
        decoder.push(own);
        own.fill(0x0a);
      }
      expect(heard).toEqual(["abc", "def"]);
    }
  });
});

describe("WireDecoder.hold() and release()", () => {
  test("stop the delivery in the middle of a chunk, and go on with copies", () => {
    const { heard, decoder } = listen(plain, {}, (own, message) => {
      if (message === "b") own.hold();
    });
    const chunk = latin("a\nb\nc\n\nd\ne");
    decoder.push(chunk);
    chunk.fill(0);
    expect([heard, decoder.waiting, decoder.held]).toEqual([["a", "b"], 3, true]);
    decoder.release();
    expect([heard, decoder.waiting, decoder.held]).toEqual([["a", "b", "c", "", "d"], 0, false]);
    decoder.push(latin("\n"));
    expect(heard.at(-1)).toBe("e");
  });

  test("hold again from inside a release: one message at a time", () => {
    const { heard, decoder, push } = listen(plain, {}, (own) => {
      own.hold();
    });
    push("a\nb\nc\n");
    expect(heard).toEqual(["a"]);
    decoder.release();
    expect(heard).toEqual(["a", "b"]);
    push("d\n");
    decoder.release();
    decoder.release();
    expect(heard).toEqual(["a", "b", "c", "d"]);
  });

  test("keep the order when more is pushed from inside a release", () => {
    const { heard, decoder, push } = listen(plain, {}, (own, message) => {
      if (message === "b") own.push(latin("x\n"));
    });
    decoder.hold();
    push("a\nb\nc\n");
    decoder.release();
    expect(heard).toEqual(["a", "b", "c", "x"]);
  });

  test("give the end after all that waits", () => {
    const { heard, decoder, push } = listen(exiting);
    decoder.hold();
    push("a\nexit\n");
    expect(heard).toEqual([]);
    decoder.release();
    expect(heard).toEqual(["a", "<sentinel>"]);
  });

  test("give the sentinel and the bytes after it, both, after all that waits", () => {
    const { heard, decoder, push } = listen(exiting);
    decoder.hold();
    push("a\nexit\nb\n");
    decoder.release();
    expect(heard).toEqual(["a", "<sentinel>", "!BYTES_AFTER_SENTINEL"]);
  });

  test("give a fatal fault after all that waits, and a skipped frame in its place", () => {
    const { heard, decoder, push } = listen(plain, { maxFrameBytes: 2, onOversize: "skip" });
    decoder.hold();
    push("a\nabcdef\nb\n");
    expect([heard, decoder.waiting]).toEqual([[], 3]);
    push("zz");
    decoder.end();
    decoder.release();
    expect(heard).toEqual(["a", "!FRAME_TOO_LARGE", "b", "!FRAME_TRUNCATED"]);
  });

  test("put a skipped frame behind what waits although nobody holds any more", () => {
    const { heard, decoder, push } = listen(
      plain,
      { maxFrameBytes: 2, onOversize: "skip" },
      (own, message) => {
        if (message === "a") own.push(latin("cdefgh\n"));
      },
    );
    decoder.hold();
    push("a\nb\n");
    decoder.release();
    expect(heard).toEqual(["a", "b", "!FRAME_TOO_LARGE"]);
  });

  test("deliver a message that waits before the fault of one behind it, and nothing after that", () => {
    const { heard, decoder, push } = listen(exiting);
    decoder.hold();
    push("a\n\xff\nb\nexit\n");
    decoder.release();
    expect(heard).toEqual(["a", "!MESSAGE_INVALID"]);
    decoder.release();
    expect(heard.length).toBe(2);
  });

  test("decode text that is cut inside a character the same, whether it waits or not", () => {
    for (const held of [false, true]) {
      const { heard, decoder, push } = listen(streaming);
      push("a\xc3");
      if (held) decoder.hold();
      push("\xa9b");
      decoder.end();
      decoder.release();
      expect(joinTexts(heard)).toEqual(["aéb", "<ended>"]);
    }
  });

  test("find text that ends inside a character, also when it waited", () => {
    const { heard, decoder, push } = listen(streaming);
    decoder.hold();
    push("a\xc3");
    decoder.end();
    decoder.release();
    expect(heard).toEqual(["a", "!MESSAGE_INVALID"]);
  });

  test("deliver what was held back for the suffix when the stream ends", () => {
    const { heard, decoder, push } = listen(classic);
    decoder.hold();
    push("hi exi");
    decoder.end();
    decoder.release();
    expect(heard).toEqual(["hi", " exi", "<ended>"]);
  });
});

describe("WireDecoder.discard()", () => {
  test("forgets what waits and ignores what comes", () => {
    const { heard, decoder, push } = listen(exiting);
    decoder.hold();
    push("a\nexit\n");
    decoder.discard();
    push("b\n");
    decoder.end();
    decoder.release();
    expect([heard, decoder.waiting]).toEqual([[], 0]);
  });

  test.each([
    ["a frame", exiting, "a\nb\nexit\nc\n", ["a"]],
    ["a piece before the suffix", classic, "a exit b", ["a"]],
  ] as const)("from inside the delivery of %s ends it there", (_, on, stream, expected) => {
    const { heard, decoder, push } = listen<string>(on, {}, (own) => {
      own.discard();
    });
    push(stream);
    decoder.end();
    expect(heard).toEqual(expected);
  });

  test("from inside finished() leaves the bytes after the sentinel unsaid", () => {
    const heard: string[] = [];
    const decoder = new WireDecoder(
      exiting,
      {},
      {
        message: () => undefined,
        finished: (how) => {
          heard.push(how);
          decoder.discard();
        },
        fault: ({ code }) => void heard.push(code),
      },
    );
    decoder.push(latin("exit\nx\n"));
    expect(heard).toEqual(["sentinel"]);
  });

  test("from inside a release ends it there", () => {
    const { heard, decoder, push } = listen(exiting, {}, (own) => {
      own.discard();
    });
    decoder.hold();
    push("a\nb\nexit\n");
    decoder.release();
    expect(heard).toEqual(["a"]);
  });
});

describe("WireDecoder and its sink's own errors", () => {
  test("let them out of push, end and release", () => {
    const thrown = new Error("of the sink");
    const sink: WireSink<string> = {
      message: () => {
        throw thrown;
      },
      finished: () => {
        throw thrown;
      },
      fault: () => {
        throw thrown;
      },
    };
    expect(() => {
      new WireDecoder(plain, {}, sink).push(latin("a\n"));
    }).toThrow(thrown);
    expect(() => {
      new WireDecoder(plain, {}, sink).end();
    }).toThrow(thrown);
    expect(() => {
      new WireDecoder(plain, {}, sink).push(latin("\xff\n"));
    }).toThrow(thrown);
    const held = new WireDecoder(plain, {}, sink);
    held.hold();
    held.push(latin("a\n"));
    expect(() => {
      held.release();
    }).toThrow(thrown);
  });
});

describe("WireEncoder", () => {
  test("writes what the decoder of the same wire reads", () => {
    const messages = ["", "hello", "é€🚢", "x".repeat(300)];
    for (const on of [
      exiting,
      escaping,
      wire({ framing: lengthPrefixed(), codec: text(), sentinel: "exit" }),
    ]) {
      const { heard, decoder } = listen(on);
      decoder.push(send(on, messages));
      decoder.end();
      expect(heard).toEqual([...messages, "<sentinel>"]);
    }
  });

  test("writes golden bytes", () => {
    expect(send(exiting, ["hi"])).toEqual(latin("hi\nexit\n"));
    expect(
      send(wire({ framing: lengthPrefixed({ bytes: 2 }), codec: json(), sentinel: "bye" }), [
        { a: 1 },
      ]),
    ).toEqual(latin('\x00\x07{"a":1}\x00\x03bye'));
    expect(send(classic, ["hi", " ho"])).toEqual(latin("hi ho exit"));
    expect(send(plain, ["hi"])).toEqual(latin("hi\n"));
    expect(send(escaping, ["exit", "\\exit", "\\"])).toEqual(latin("\\exit\n\\\\exit\n\\\nexit\n"));
  });

  test.each([
    ["the sentinel", exiting, "exit", "PAYLOAD_IS_SENTINEL"],
    ["a line ending", exiting, "a\nb", "PAYLOAD_FORBIDDEN"],
    ["a lone surrogate", exiting, "\ud800", "PAYLOAD_FORBIDDEN"],
    ["one byte too many", exiting, "abcdef", "PAYLOAD_TOO_LARGE"],
    [
      "one byte too many with its escape",
      wire({ framing: lines(), codec: text(), sentinel: "sentl", escape: "\\" }),
      "sentl",
      "PAYLOAD_TOO_LARGE",
    ],
    ["the suffix", classic, " exit", "PAYLOAD_IS_SENTINEL"],
    ["one byte too many of a stream", classic, "abcdef", "PAYLOAD_TOO_LARGE"],
  ] as const)("refuses %s and leaves the output as it was", (_, on, message, code) => {
    const encoder = new WireEncoder<string>(on, { maxFrameBytes: 5 });
    const output = new ByteWriter();
    output.append(latin("before"));
    expect(() => {
      encoder.encode(message, output);
    }).toThrow(expect.objectContaining({ code }));
    expect(output.copy()).toEqual(latin("before"));
    encoder.encode("ok", output);
    expect(String.fromCharCode(...output.copy())).toMatch(/^beforeok/);
  });

  const escaping = wire({ framing: lines(), codec: text(), sentinel: "exit", escape: "\\" });

  test.each([
    ["text over lines", plain, ["a", "", "é€", "x".repeat(500), "y".repeat(3_000)], true],
    [
      "text over lines(crlf)",
      wire({ framing: lines({ ending: "crlf" }), codec: text() }),
      ["a", "", "é€"],
      true,
    ],
    [
      "text over lines(any)",
      wire({ framing: lines({ ending: "any" }), codec: text() }),
      ["a", "b\rc", ""],
      true,
    ],
    [
      "json over lines",
      wire({ framing: lines(), codec: json() }),
      [{ a: "\n\ud800" }, null, [1]],
      true,
    ],
    ["text over lines with a sentinel", exiting, ["a", "exit?"], true],
    [
      "text over lengthPrefixed",
      wire({ framing: lengthPrefixed(), codec: text() }),
      ["a", "b"],
      false,
    ],
    ["bytes over lines", wire({ framing: lines(), codec: bytes() }), [latin("a")], false],
  ] as [string, Wire<unknown, unknown>, unknown[], boolean][])(
    "%s: joined or not, a message's bytes are the same",
    (_, on, messages, joins) => {
      const encoder = new WireEncoder<unknown>(on, { maxFrameBytes: 10_000 });
      const joined = new ByteWriter();
      const framed = new ByteWriter();
      for (const message of messages) {
        encoder.encode(message, joined);
        expect(joined.text !== "").toBe(joins);
        framed.append(encodeFrames(on.framing, [payloadOf(on.codec, message)]));
      }
      expect(joined.copy()).toEqual(framed.copy());
    },
  );

  test(
    "judges by its bytes what may be the sentinel, what is near the limit, and what holds an " +
      "ending",
    () => {
      const encoder = new WireEncoder(escaping, { maxFrameBytes: 20 });
      const output = new ByteWriter();
      for (const message of ["a", "exit", "no exit", "123456789 1234567890", "\\exit", "b"])
        encoder.encode(message, output);
      expect(() => {
        encoder.encode("a\nb", output);
      }).toThrow(expect.objectContaining({ code: "PAYLOAD_FORBIDDEN" }));
      expect(() => {
        encoder.encode("€".repeat(7), output);
      }).toThrow(expect.objectContaining({ code: "PAYLOAD_TOO_LARGE" }));
      encoder.encodeSentinel(output);
      expect(new TextDecoder().decode(output.copy())).toBe(
        "a\n\\exit\nno exit\n123456789 1234567890\n\\\\exit\nb\nexit\n",
      );
    },
  );

  test.each([
    [undefined, lines(), null],
    ["exit", lines(), "frame"],
    [{ suffix: " exit" }, raw(), "suffix"],
  ] as const)("tells the form of the sentinel %j", (sentinel, framing, form) => {
    expect(
      new WireEncoder(
        wire({ framing, codec: text(), ...(sentinel === undefined ? {} : { sentinel }) }),
        {},
      ).sentinel,
    ).toBe(form);
  });

  test("joins nothing where the sentinel's bytes are no text", () => {
    const output = new ByteWriter();
    new WireEncoder(
      wire({ framing: lines(), codec: text(), sentinel: hex("a9"), escape: hex("c3") }),
      {},
    ).encode("a", output);
    expect([output.text, output.length]).toEqual(["", 2]);
  });

  test("leaves the output as it was when the codec throws after it has written", () => {
    const codec: Codec<string> = {
      name: "own",
      decode: () => "",
      encode: (_, output) => {
        output.byte(1);
        throw new TypeError("half way");
      },
    };
    const output = new ByteWriter();
    expect(() => {
      new WireEncoder(wire({ framing: lengthPrefixed(), codec }), {}).encode("x", output);
    }).toThrow(new TypeError("half way"));
    expect(output.length).toBe(0);
  });

  test("refuses what completes the suffix across messages, and remembers only what was sent", () => {
    const encoder = new WireEncoder(classic, { maxFrameBytes: 5 });
    const output = new ByteWriter();
    const sent = ["a ex", "it", "zzzzzzz", "it", "\ud800", "it", "is", "it"].map((message) => {
      try {
        encoder.encode(message, output);
        return true;
      } catch {
        return false;
      }
    });
    expect(sent).toEqual([true, false, false, false, false, false, true, true]);
    expect(String.fromCharCode(...output.copy())).toBe("a exisit");
  });

  test("sends a sentinel above maxFrameBytes, which limits messages", () => {
    expect(send(exiting, [], { maxFrameBytes: 1 })).toEqual(latin("exit\n"));
  });
});

function payloadOf(codec: Codec<unknown>, message: unknown): Uint8Array {
  const output = new ByteWriter();
  codec.encode(message, output);
  return output.copy();
}

describe("messages that stay where they were read", () => {
  const binary = wire({ framing: lengthPrefixed(), codec: bytes() });
  const sizes = [16_383, 16_384, 100_000];
  const stream = send(
    binary,
    sizes.map((size, at) => new Uint8Array(size).fill(at + 1)),
  );

  test("are those from 16 KiB on in a chunk that stays; push() says that there were some", () => {
    const { heard, decoder } = listen(binary);
    const chunk = new Uint8Array(stream);
    expect(decoder.push(chunk, true)).toBe(true);
    expect((heard as Uint8Array[]).map((message) => message.buffer === chunk.buffer)).toEqual([
      false,
      true,
      true,
    ]);
    expect(
      (heard as Uint8Array[]).map((message) => [message.length, message[0], message.at(-1)]),
    ).toEqual(sizes.map((size, at) => [size, at + 1, at + 1]));
  });

  test("are none where the chunk does not stay; push() says whether there would have been some", () => {
    const { heard, decoder } = listen(binary);
    const chunk = new Uint8Array(stream);
    expect(decoder.push(chunk)).toBe(true);
    chunk.fill(9);
    expect(
      (heard as Uint8Array[]).map((message) => [
        message.buffer === chunk.buffer,
        message[0],
        message.at(-1),
      ]),
    ).toEqual([1, 2, 3].map((fill) => [false, fill, fill]));
    expect(decoder.push(chunk.subarray(0, 0))).toBe(false);
    expect(listen(binary).decoder.push(stream.subarray(0, 16_387), true)).toBe(false);
    expect(listen(plain).decoder.push(latin(`${"x".repeat(20_000)}\n`), true)).toBe(false);
  });

  test("are none that would keep more than sixteen times their own bytes alive", () => {
    for (const [storageBytes, isKept] of [
      [16_384 * 16, true],
      [16_384 * 16 + 1, false],
    ] as const) {
      const { heard, decoder } = listen(binary);
      const storage = new Uint8Array(storageBytes);
      storage.set(send(binary, [new Uint8Array(16_384)]));
      expect(decoder.push(storage.subarray(0, 16_388), true)).toBe(isKept);
      expect((heard as Uint8Array[]).map((message) => message.buffer === storage.buffer)).toEqual([
        isKept,
      ]);
    }
  });

  test("are none that chunks have cut: those are copied", () => {
    const { heard, decoder } = listen(binary);
    const all = new Uint8Array([...stream, ...stream]);
    const keeps: boolean[] = [];
    for (let at = 0; at < all.length; at += 10_000) {
      const chunk = all.slice(at, at + 10_000);
      keeps.push(decoder.push(chunk, true));
      chunk.fill(9);
    }
    expect(keeps).not.toContain(true);
    expect((heard as Uint8Array[]).map((message) => [message.length, ...new Set(message)])).toEqual(
      [...sizes, ...sizes].map((size, at) => [size, (at % 3) + 1]),
    );
  });

  test("are none while the delivery is held: what waits is copied", () => {
    const { heard, decoder } = listen(binary);
    decoder.hold();
    const chunk = new Uint8Array(stream);
    decoder.push(chunk, true);
    decoder.push(chunk.subarray(0, 50_000), true);
    decoder.push(chunk.subarray(50_000), true);
    chunk.fill(9);
    decoder.release();
    expect((heard as Uint8Array[]).map((message) => [message.length, ...new Set(message)])).toEqual(
      [...sizes, ...sizes].map((size, at) => [size, (at % 3) + 1]),
    );
  });

  test("are none of a framing that hands out storage of its own, which it writes into again", () => {
    const scratch = new Uint8Array(20_000);
    const framing: Framing = {
      name: "scratch",
      decoder: () => ({
        push(chunk, sink) {
          scratch.fill(chunk[0] as number);
          sink.frame(scratch, 0, scratch.length);
        },
        end: () => undefined,
      }),
      encoder: () => ({ headerBytes: 0, seal: () => undefined }),
    };
    const { heard, decoder } = listen(wire({ framing, codec: bytes() }));
    for (const fill of [1, 2]) expect(decoder.push(Uint8Array.of(fill), true)).toBe(false);
    expect((heard as Uint8Array[]).map((message) => [message.length, ...new Set(message)])).toEqual(
      [
        [20_000, 1],
        [20_000, 2],
      ],
    );
  });
});

test("a frame after a fatal fault is not delivered, whatever the framing does", () => {
  const framing: Framing = {
    name: "goes on",
    decoder: () => ({
      push(chunk, sink) {
        sink.frame(chunk, 0, 1);
        sink.fault({ code: "FRAME_MALFORMED", offset: 1, fatal: true, detail: "wrong" });
        sink.frame(chunk, 1, 2);
      },
      end: () => undefined,
    }),
    encoder: () => ({ headerBytes: 0, seal: () => undefined }),
  };
  const { heard, push } = listen(wire({ framing, codec: text() }));
  push("ab");
  push("cd");
  expect(heard).toEqual(["a", "!FRAME_MALFORMED"]);
});
