import { describe, expect, test } from "vitest";
import {
  type FrameEncoder,
  type FrameSink,
  type Framing,
  malformed,
  tooLarge,
  truncated,
} from "../../src/framing/framing.ts";
import type { FrameLimits } from "../../src/limits.ts";
import { raw } from "../../src/framing/raw.ts";
import { decodeChunks, encodeFrames, verifyFraming } from "../../src/testing/mod.ts";
import { HawserError } from "../../src/errors.ts";
import { latin } from "../notation.ts";
import { END, HonestDecoder, honestEncoder, planted } from "./planted.ts";

// Together 11 bytes when they are encoded: every cut of them is quick.
const samples = ["", "a", "bc", "defg"].map(latin);
const quick = { longBytes: 128, cuts: 8 };

test("verifyFraming() finds nothing in a framing that keeps its contract", () => {
  verifyFraming(planted("honest"), samples);
});

test("verifyFraming() gives the same report for the same seed", () => {
  const report = (seed: number): string => {
    try {
      verifyFraming(planted("seeded", ForgetsAtRandomCuts), samples, { seed });
    } catch (error) {
      return (error as Error).message;
    }
    return "";
  };
  expect(report(7)).toBe(report(7));
});

class ForgetsAtRandomCuts extends HonestDecoder {
  override push(chunk: Uint8Array, sink: FrameSink): void {
    super.push(chunk, sink);
    if (chunk.length === 3) this.length = 0;
  }
}

test("verifyFraming() refuses to verify nothing, or raw()", () => {
  expect(() => {
    verifyFraming(planted("honest"), []);
  }).toThrow(TypeError);
  expect(() => {
    verifyFraming(raw(), samples);
  }).toThrow(TypeError);
});

test("verifyFraming() says framing, check, stream in hex, cut, expected and got", () => {
  let message = "";
  try {
    verifyFraming(planted("cut short", ForgetsAtRandomCuts), samples);
  } catch (error) {
    ({ message } = error as Error);
  }
  expect(message.split("\n")).toEqual([
    expect.stringMatching(
      /^cut short breaks the contract of framings: the same bytes, cut differently, give something else \(maxFrameBytes \d+, onOversize "close"\)$/,
    ),
    "  check:    law of cuts",
    expect.stringMatching(/^ {2}stream: {3}\[([0-9a-f]{2} ?)+\]$/),
    expect.stringMatching(/^ {2}cut at: {3}[\d ]+$/),
    expect.stringMatching(/^ {2}expected: frame \[/),
    expect.stringMatching(/^ {2}got: {6}/),
  ]);
});

test("the tools of other runners are here: decodeChunks() and encodeFrames()", () => {
  const framing = planted("honest");
  expect(decodeChunks(framing, [encodeFrames(framing, samples)]).frames).toEqual(samples);
});

/** A decoder with one planted fault: its name, the check that must find it, and what it does. */
const faults: [name: string, check: RegExp, Decoder: new (limits: FrameLimits) => HonestDecoder][] =
  [
    [
      "loses a frame",
      /round trip/,
      class extends HonestDecoder {
        override finish(sink: FrameSink): void {
          if (this.length === 4) this.length = 0;
          else super.finish(sink);
        }
      },
    ],
    [
      "reads the bytes before its chunk",
      /law of cuts|end of stream/,
      class extends HonestDecoder {
        override push(chunk: Uint8Array, sink: FrameSink): void {
          if (
            chunk.byteOffset > 0 &&
            new Uint8Array(chunk.buffer)[chunk.byteOffset - 1] === 0x0a &&
            chunk.length === 2
          )
            this.length = 0;
          super.push(chunk, sink);
        }
      },
    ],
    [
      "keeps a view of its chunk",
      /law of cuts|end of stream/,
      class extends HonestDecoder {
        override push(chunk: Uint8Array, sink: FrameSink): void {
          super.push(chunk, sink);
          if (this.length > 0 && this.length <= chunk.length)
            this.kept = chunk.subarray(chunk.length - this.length);
        }
      },
    ],
    [
      "writes into its chunk",
      /writes into the chunk/,
      class extends HonestDecoder {
        override push(chunk: Uint8Array, sink: FrameSink): void {
          super.push(chunk, sink);
          chunk.fill(0);
        }
      },
    ],
    [
      "writes behind its chunk",
      /writes outside the chunk/,
      class extends HonestDecoder {
        override push(chunk: Uint8Array, sink: FrameSink): void {
          super.push(chunk, sink);
          new Uint8Array(chunk.buffer)[chunk.byteOffset + chunk.length] = 0x7e;
        }
      },
    ],
    [
      "counts offsets from the chunk",
      /law of cuts/,
      class extends HonestDecoder {
        override keep(byte: number, sink: FrameSink, offset: number): void {
          super.keep(byte, sink, offset - this.offset);
        }
      },
    ],
    [
      "compares the limit with the chunk",
      /limit/,
      class extends HonestDecoder {
        override push(chunk: Uint8Array, sink: FrameSink): void {
          if (chunk.length > 2 * this.limits.maxFrameBytes + 2)
            this.oversize(sink, this.offset + this.limits.maxFrameBytes);
          else super.push(chunk, sink);
        }
      },
    ],
    [
      "refuses a frame at the limit",
      /limit/,
      class extends HonestDecoder {
        override keep(byte: number, sink: FrameSink, offset: number): void {
          if (this.length === this.limits.maxFrameBytes - 1) this.oversize(sink, offset);
          else super.keep(byte, sink, offset);
        }
      },
    ],
    [
      "knows no limit",
      /limit/,
      class extends HonestDecoder {
        constructor(limits: FrameLimits) {
          super({ ...limits, maxFrameBytes: 2 ** 20 });
        }
      },
    ],
    [
      "reports an oversized frame twice",
      /limit/,
      class extends HonestDecoder {
        override oversize(sink: FrameSink, offset: number): void {
          super.oversize(sink, offset);
          sink.fault(tooLarge(offset, this.limits.maxFrameBytes + 1, this.limits, false));
        }
      },
    ],
    [
      "says no limit and size",
      /FRAME_TOO_LARGE does not say/,
      class extends HonestDecoder {
        override oversize(sink: FrameSink, offset: number): void {
          super.oversize(
            {
              frame: () => undefined,
              fault: ({ code, fatal, detail }) => {
                sink.fault({ code, fatal, detail, offset });
              },
            },
            offset,
          );
        }
      },
    ],
    [
      "skips although it was told to close",
      /is passed over without onOversize/,
      class extends HonestDecoder {
        override oversize(sink: FrameSink, offset: number): void {
          sink.fault(
            tooLarge(
              offset,
              this.limits.maxFrameBytes + 1,
              { ...this.limits, onOversize: "skip" },
              false,
            ),
          );
          this.length = 0;
          this.state = "skip";
        }
      },
    ],
    [
      "leaves frames behind a skipped one stuck until more comes",
      /law of cuts/,
      class extends HonestDecoder {
        #stuck = new Uint8Array(0);
        override push(chunk: Uint8Array, sink: FrameSink): void {
          const all = Uint8Array.from([...this.#stuck, ...chunk]);
          this.#stuck = new Uint8Array(0);
          for (let at = 0; at < all.length; at++) {
            const before = this.state;
            super.push(all.subarray(at, at + 1), sink);
            if (before === "skip" && this.state === "frame") {
              this.#stuck = all.slice(at + 1);
              return;
            }
          }
        }
      },
    ],
    [
      "delivers a frame without its end",
      /at the end of the stream, without its end|what the whole stream does not begin with/,
      class extends HonestDecoder {
        override end(sink: FrameSink): void {
          if (this.state === "frame" && this.length > 0) sink.frame(this.kept, 0, this.length);
          this.length = 0;
          this.state = "dead";
        }
      },
    ],
    [
      "says nothing of a truncated frame",
      /`partial` is true, and the end of the stream shows the contrary/,
      class extends HonestDecoder {
        override end(): void {
          this.length = 0;
          this.state = "dead";
        }
      },
    ],
    [
      "is never partial",
      /`partial` is false/,
      class extends HonestDecoder {
        override get partial(): boolean {
          return false;
        }
      },
    ],
    [
      "is partial after a fatal fault",
      /`partial` is true after a fatal fault|`partial` is true after the end/,
      class extends HonestDecoder {
        #faulty = false;
        override get partial(): boolean {
          return super.partial || this.#faulty;
        }
        override oversize(sink: FrameSink, offset: number): void {
          super.oversize(sink, offset);
          this.#faulty = true;
        }
        override end(sink: FrameSink): void {
          super.end(sink);
          this.#faulty = false;
        }
      },
    ],
    [
      "is partial after the end",
      /`partial` is true after the end of the stream/,
      class extends HonestDecoder {
        override get partial(): boolean {
          return super.partial || this.state === "dead";
        }
      },
    ],
    [
      "goes on after the end",
      /after the end of the stream/,
      class extends HonestDecoder {
        override end(sink: FrameSink): void {
          super.end(sink);
          this.state = "frame";
        }
      },
    ],
    [
      "goes on after a fatal fault",
      /limit|after a fatal fault/,
      class extends HonestDecoder {
        override oversize(sink: FrameSink, offset: number): void {
          super.oversize(sink, offset);
          this.state = "frame";
        }
      },
    ],
    [
      "places the truncation elsewhere",
      /FRAME_TRUNCATED stands elsewhere/,
      class extends HonestDecoder {
        override end(sink: FrameSink): void {
          if (this.state === "frame" && this.length > 0)
            sink.fault(truncated(this.offset - 1, this.length, "the end"));
          super.end({ frame: () => undefined, fault: () => undefined });
        }
      },
    ],
    [
      "reports another fault at the end",
      /another fault than FRAME_TRUNCATED/,
      class extends HonestDecoder {
        override end(sink: FrameSink): void {
          if (this.state === "frame" && this.length > 0)
            sink.fault(malformed(this.offset, "the end"));
          super.end({ frame: () => undefined, fault: () => undefined });
        }
      },
    ],
    [
      "has a fault outside the stream",
      /offset is not within the stream/,
      class extends HonestDecoder {
        override oversize(sink: FrameSink, offset: number): void {
          super.oversize(sink, offset + 2000);
        }
      },
    ],
    [
      "talks too much",
      /longer than 160 characters/,
      class extends HonestDecoder {
        override oversize(sink: FrameSink, offset: number): void {
          super.oversize(
            {
              frame: () => undefined,
              fault: (fault) => {
                sink.fault({ ...fault, detail: "x".repeat(161) });
              },
            },
            offset,
          );
        }
      },
    ],
    [
      "throws for a byte",
      /its decoder throws/,
      class extends HonestDecoder {
        override keep(byte: number, sink: FrameSink, offset: number): void {
          if (byte === 0xfe) throw new RangeError("fe");
          super.keep(byte, sink, offset);
        }
      },
    ],
    [
      "gives a range that is not there",
      /range \[0, 99\) is not within/,
      class extends HonestDecoder {
        override finish(sink: FrameSink): void {
          this.length = 0;
          sink.frame(this.kept, 0, 99);
        }
      },
    ],
    [
      "looks for a byte's meaning only in the same chunk",
      /law of cuts|broken streams/,
      class extends HonestDecoder {
        override push(chunk: Uint8Array, sink: FrameSink): void {
          super.push(chunk, sink);
          if (chunk.at(-1) === 0x64) this.state = "dead";
        }
      },
    ],
    [
      "copies all it has for each byte",
      /one per chunk, cost \d\.\d times the work\n {2}check: {4}linear work/,
      class extends HonestDecoder {
        override grow(): void {
          const next = new Uint8Array(this.kept.length + 1);
          next.set(this.kept);
          this.kept = next;
        }
      },
    ],
    [
      "reads all it has for each chunk",
      /linear work/,
      class extends HonestDecoder {
        override push(chunk: Uint8Array, sink: FrameSink): void {
          super.push(chunk, sink);
          for (let at = 0; at < this.length; at++)
            if (this.kept[at] === END) throw new Error("never");
        }
      },
    ],
    [
      "searches all it has for each chunk",
      /linear work/,
      class extends HonestDecoder {
        override push(chunk: Uint8Array, sink: FrameSink): void {
          super.push(chunk, sink);
          if (this.kept.subarray(0, this.length).includes(END)) throw new Error("never");
        }
      },
    ],
    [
      "moves the rest of the chunk for each frame",
      /in one chunk, cost [^]*linear work/,
      class extends HonestDecoder {
        override push(chunk: Uint8Array, sink: FrameSink): void {
          let rest = chunk;
          while (rest.length > 0) {
            const end = rest.indexOf(END) + 1 || rest.length;
            super.push(rest.subarray(0, end), sink);
            rest = rest.slice(end);
          }
        }
      },
    ],
    [
      "takes the whole limit for one byte",
      /memory/,
      class extends HonestDecoder {
        override grow(): void {
          const next = new Uint8Array(this.limits.maxFrameBytes);
          next.set(this.kept);
          this.kept = next;
        }
      },
    ],
    [
      "collects an oversized frame to its end before it complains",
      /memory/,
      class extends HonestDecoder {
        #tooLong = 0;
        override keep(byte: number, sink: FrameSink, offset: number): void {
          if (this.length >= this.limits.maxFrameBytes && this.#tooLong === 0)
            this.#tooLong = offset;
          if (this.length === this.kept.length) {
            const next = new Uint8Array(2 * this.kept.length + 1);
            next.set(this.kept);
            this.kept = next;
          }
          this.kept[this.length++] = byte;
        }
        override finish(sink: FrameSink): void {
          if (this.length <= this.limits.maxFrameBytes) {
            super.finish(sink);
            return;
          }
          const offset = this.#tooLong;
          this.#tooLong = 0;
          this.oversize(sink, offset);
          if (this.state === "skip") this.state = "frame";
        }
        override end(sink: FrameSink): void {
          if (this.length > this.limits.maxFrameBytes) this.length = 0;
          super.end(sink);
        }
        override get partial(): boolean {
          return super.partial && this.length <= this.limits.maxFrameBytes;
        }
      },
    ],
  ];

describe("verifyFraming() finds a decoder that", () => {
  test.each(faults)("%s", (name, report, Decoder) => {
    expect(() => {
      verifyFraming(planted(name, Decoder), samples, { ...quick, streams: [latin("a!b;cd;")] });
    }).toThrow(report);
  });

  test("shares its buffer with another of the same framing", () => {
    const shared = new Uint8Array(4096);
    const framing = planted(
      "shared",
      class extends HonestDecoder {
        override kept = shared;
        override grow(): void {
          throw new Error("never: the buffer is longer than the tests");
        }
      },
    );
    expect(() => {
      verifyFraming(framing, samples, { work: false });
    }).toThrow(/re-entrant calls/);
  });

  test("passes over what is malformed", () => {
    const framing = planted(
      "lenient",
      class extends HonestDecoder {
        override keep(byte: number, sink: FrameSink, offset: number): void {
          if (byte === 0x21) sink.fault({ ...malformed(offset, "!"), fatal: false });
          else super.keep(byte, sink, offset);
        }
      },
      {
        headerBytes: 0,
        seal(output, start) {
          if (output.bytes.subarray(start, output.length).includes(0x21))
            throw new HawserError("PAYLOAD_FORBIDDEN", "no");
          honestEncoder.seal(output, start);
        },
      },
    );
    expect(() => {
      verifyFraming(framing, samples, { ...quick, streams: [latin("a!b;")] });
    }).toThrow(/only a frame that is too large can be passed over/);
  });

  test("can't be metered, with a pointer to the option", () => {
    const framing = planted(
      "native",
      class extends HonestDecoder {
        override push(chunk: Uint8Array, sink: FrameSink): void {
          if (chunk.length > 0) Atomics.load(chunk, 0); // refuses all but a true typed array
          super.push(chunk, sink);
        }
      },
    );
    expect(() => {
      verifyFraming(framing, samples);
    }).toThrow(/can't be metered, see `work`/);
    verifyFraming(framing, samples, { work: false });
  });
});

describe("verifyFraming() finds an encoder that", () => {
  const encoders: [name: string, report: RegExp, encoder: FrameEncoder][] = [
    [
      "lets its own delimiter through",
      /round trip/,
      {
        headerBytes: 0,
        seal: (output) => {
          output.byte(END);
        },
      },
    ],
    [
      "throws something else",
      /something else than PAYLOAD_FORBIDDEN/,
      {
        headerBytes: 0,
        seal(output, start) {
          if (output.bytes.subarray(start, output.length).includes(END)) throw new RangeError("no");
          output.byte(END);
        },
      },
    ],
    [
      "refuses a sample",
      /refuses a sample/,
      {
        headerBytes: 0,
        seal(output, start) {
          if (output.length - start === 4) throw new HawserError("PAYLOAD_FORBIDDEN", "no");
          honestEncoder.seal(output, start);
        },
      },
    ],
    [
      "writes before its frame",
      /encoder's place/,
      {
        headerBytes: 0,
        seal(output, start) {
          honestEncoder.seal(output, start);
          // as only the check of the place has it
          if (output.bytes[1] === 0xff && output.bytes[2] === 0) output.bytes[0] = 1;
        },
      },
    ],
    [
      "looks at what stands before its frame",
      /round trip/,
      {
        headerBytes: 0,
        seal(output, start) {
          honestEncoder.seal(output, start);
          if (start > 0) output.byte(END);
        },
      },
    ],
  ];
  test.each(encoders)("%s", (name, report, encoder) => {
    expect(() => {
      verifyFraming(planted(name, HonestDecoder, encoder), samples);
    }).toThrow(report);
  });

  test.each([
    ["refuses a payload at the limit", 1],
    ["refuses what is far below the limit", 3],
  ])("%s", (name, less) => {
    const framing: Framing = {
      ...planted(name),
      encoder: ({ maxFrameBytes }) => ({
        headerBytes: 0,
        seal(output, start) {
          if (output.length - start > maxFrameBytes - less)
            throw new HawserError("PAYLOAD_TOO_LARGE", "no");
          honestEncoder.seal(output, start);
        },
      }),
    };
    expect(() => {
      verifyFraming(framing, samples);
    }).toThrow(/encoder's limit/);
  });
});
