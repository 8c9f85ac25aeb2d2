/**
 * dotStuffed(): messages of lines that end with a line of one dot, as SMTP's DATA.
 *
 *     line CR LF ... "." CR LF           ".a" CR LF  ->  2e 2e 61 0d 0a 2e 0d 0a
 *
 *     a line that begins with a dot is sent with one more dot before it
 *
 * The payload is whole lines and keeps the CR LF of its last one, as in the RFC, where the CRLF
 * before the dot ends the line before; so the payload is what was sent, and the empty payload is
 * `"." CR LF` alone. Only CR LF ends a line. A line that begins with a dot and holds more loses the
 * dot, whatever follows it (§4.5.2).
 *
 * Limits: payload <= maxFrameBytes, with its line endings, without the dots added. Faults:
 * FRAME_MALFORMED at a CR or LF that stands alone; FRAME_TOO_LARGE at the first excess byte, a line
 * ending's once it is whole; FRAME_TRUNCATED. A message that is passed over ends at its line of one
 * dot. Source: RFC 5321 §4.5.2 (transparency), §2.3.8 (lines), §4.1.1.4 (the end of the data).
 *
 * @module
 */
import { checkNone } from "../arguments.ts";
import { Assembly, findEither } from "./assembly.ts";
import type { ByteWriter } from "../bytes/writer.ts";
import { HawserError } from "../errors.ts";
import type { FrameDecoder, FrameEncoder, FrameSink, Framing } from "./framing.ts";
import type { FrameLimits } from "../limits.ts";

const LF = 0x0a;
const CR = 0x0d;
const DOT = 0x2e;
const CRLF = Uint8Array.of(CR, LF);

const LONE_CR = "A CR stands alone: lines of this framing end with CR LF, and hold neither";
const LONE_LF = "An LF stands alone: lines of this framing end with CR LF, and hold neither";

/**
 * Messages of whole lines, each ended by CR LF.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { decodeChunks, dotStuffed } from "@hawser/protocol";
 *
 * const { frames } = decodeChunks(dotStuffed(), [new TextEncoder().encode("..hidden\r\n.\r\n")]);
 * assert.equal(new TextDecoder().decode(frames[0]), ".hidden\r\n");
 * ```
 */
export function dotStuffed(...none: readonly []): Framing {
  checkNone("dotStuffed()", none);
  return framing;
}

class DotDecoder implements FrameDecoder {
  readonly #message: Assembly;
  /**
   * "line" is where a line begins, "text" inside one, "cr" after a CR there; "dot" after the dot
   * that a line begins with, "dotCr" after a CR behind it. A CR is kept only with its LF.
   */
  #place: "line" | "text" | "cr" | "dot" | "dotCr" = "line";

  constructor(limits: FrameLimits) {
    this.#message = new Assembly(limits);
  }

  get partial(): boolean {
    return !this.#message.dead && (this.#place !== "line" || this.#message.begun);
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    const message = this.#message;
    let run = 0;
    let at = 0;
    while (at < chunk.length && !message.dead) {
      const byte = chunk[at];
      if (this.#place === "line" && byte !== DOT) this.#place = "text";
      if (this.#place === "text") {
        at = findEither(chunk, CR, LF, at);
        if (chunk[at] === CR && chunk[at + 1] === LF) {
          this.#place = "line";
          at += 2;
        } else {
          message.add(chunk, run, at, sink);
          if (chunk[at] === LF) message.refuse(at, LONE_LF, sink);
          else if (at < chunk.length) this.#place = "cr";
          run = ++at;
        }
      } else if (this.#place === "line") {
        if (chunk[at + 1] === CR && chunk[at + 2] === LF) {
          message.complete(sink, chunk, run, at);
          at += 3;
        } else {
          message.add(chunk, run, at, sink);
          this.#place = "dot";
          at++;
        }
        run = at;
      } else {
        at = this.#decide(byte, at, sink);
        run = at;
      }
    }
    if (run < chunk.length) message.add(chunk, run, chunk.length, sink);
    message.advance(chunk.length);
  }

  end(sink: FrameSink): void {
    this.#message.end(this.partial, "the line with a dot", sink);
  }

  /** The byte after a CR, or after a dot that began a line; returns where to go on. */
  #decide(byte: number | undefined, at: number, sink: FrameSink): number {
    const place = this.#place;
    if (place === "dot") {
      this.#place = byte === CR ? "dotCr" : "text";
      return byte === CR ? at + 1 : at;
    }
    if (byte !== LF) {
      this.#place = "text";
      this.#message.refuse(at - 1, LONE_CR, sink);
      return at;
    }
    this.#place = "line";
    if (place === "cr") this.#message.add(CRLF, 0, 2, sink, at - 1);
    else this.#message.complete(sink);
    return at + 1;
  }
}

const encoder: FrameEncoder = {
  headerBytes: 0,
  seal(output: ByteWriter, start: number): void {
    const dots = countDots(output, start);
    if (dots > 0) stuff(output, start, dots);
    output.byte(DOT);
    output.byte(CR);
    output.byte(LF);
  },
};

/**
 * Number of lines of the payload that begin with a dot.
 *
 * @throws {HawserError} PAYLOAD_FORBIDDEN when the payload is not whole lines that end with CR LF
 */
function countDots({ bytes, length }: ByteWriter, start: number): number {
  let dots = 0;
  let at = start;
  while (at < length) {
    if (bytes[at] === DOT) dots++;
    while (at < length && bytes[at] !== CR && bytes[at] !== LF) at++;
    if (at + 1 >= length || bytes[at] !== CR || bytes[at + 1] !== LF) {
      throw new HawserError(
        "PAYLOAD_FORBIDDEN",
        "Cannot send a message that is not whole lines: each ends with CR LF, also the last, " +
          "and holds no CR or LF alone",
      );
    }
    at += 2;
  }
  return dots;
}

/**
 * Double the dots in place: the payload is moved to the end of the room it will need, then
 * rewritten from its start.
 */
function stuff(output: ByteWriter, start: number, dots: number): void {
  output.insert(start, dots);
  const { bytes, length } = output;
  let into = start;
  let before = LF;
  for (let at = start + dots; at < length; at++) {
    const byte = bytes[at] as number; // at < length
    if (before === LF && byte === DOT) bytes[into++] = DOT;
    bytes[into++] = byte;
    before = byte;
  }
}

const framing: Framing = Object.freeze({
  name: "dotStuffed",
  decoder: (limits) => new DotDecoder(limits),
  encoder: () => encoder,
} satisfies Framing);
