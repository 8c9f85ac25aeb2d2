/**
 * jsonSequence(): JSON texts, each between a record separator and a line feed.
 *
 *     RS payload LF                 1e 7b 7d 0a
 *
 * A text may hold line feeds, as a pretty-printed one does: it ends at the first LF that stands
 * outside its strings and brackets, after its first byte that is not blank (space, tab, CR, LF). So
 * it is delivered when its LF has come, not when the next text begins. Nothing else is looked at:
 * whether the payload is JSON is the codec's question. Between a text and the next RS blanks are
 * read over, which the RFC counts to the text; so is an RS before another RS, or at the stream's
 * end, which has no text.
 *
 * Limits: payload <= maxFrameBytes. Faults: FRAME_MALFORMED at a byte before an RS that is not one
 * (or blank, after the first text), and at an RS that comes before the LF: the text before it was
 * cut off; FRAME_TOO_LARGE at the first excess byte; FRAME_TRUNCATED. A text that is passed over
 * ends where it would have ended, or at the next RS. Deviates: §2.1 says that a parser SHOULD go on
 * behind a damaged text; so it is with `onMalformed: "skip"`, where one fault is reported, and the
 * next RS begins the next text. By default the stream ends: over TCP bytes do not get lost, and a
 * peer that sends others speaks something else. Source: RFC 7464 §2.1, §2.2 (grammar), §2.4 (why
 * the LF must be there).
 *
 * @module
 */
import { checkOptions } from "../arguments.ts";
import { Assembly } from "./assembly.ts";
import type { ByteWriter } from "../bytes/writer.ts";
import { HawserError } from "../errors.ts";
import type { FrameDecoder, FrameEncoder, FrameSink, Framing } from "./framing.ts";
import { type FrameLimits, type MalformedPolicy, resolveMalformedPolicy } from "../limits.ts";

const RS = 0x1e;
const LF = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** `[` and `]` with this bit are `{` and `}`: no other bytes become these. */
const CURLY = 0x20;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** The effect of a damaged text. */
export interface JsonSequenceOptions {
  /**
   * `"close"` (default) ends the stream; `"skip"` passes over what is damaged, up to the next RS,
   * as RFC 7464 §2.1 recommends.
   */
  readonly onMalformed?: MalformedPolicy;
}

/**
 * JSON texts. A payload that has no end where its LF is put (empty, an open bracket, two texts on
 * two lines) or holds an RS is refused.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { decodeChunks, jsonSequence } from "@hawser/protocol";
 *
 * const { frames } = decodeChunks(jsonSequence(), [
 *   new TextEncoder().encode("\x1e{\n}\n\x1e[1]\n"),
 * ]);
 * assert.deepEqual(
 *   frames.map((frame) => new TextDecoder().decode(frame)),
 *   ["{\n}", "[1]"],
 * );
 * ```
 */
export function jsonSequence(options: JsonSequenceOptions = {}): Framing {
  checkOptions("jsonSequence()", options, ["onMalformed"]);
  const onMalformed = resolveMalformedPolicy(options.onMalformed);
  return Object.freeze({
    name: "jsonSequence",
    ...(onMalformed === "skip" ? { onMalformed } : {}),
    decoder: (limits: FrameLimits) => new SequenceDecoder(limits, onMalformed),
    encoder: () => encoder,
  });
}

class SequenceDecoder implements FrameDecoder {
  readonly #payload: Assembly;
  readonly #text = new TextScan();
  #place: "start" | "text" | "between" = "start";

  constructor(limits: FrameLimits, onMalformed: MalformedPolicy) {
    this.#payload = new Assembly(limits, onMalformed);
  }

  get partial(): boolean {
    return !this.#payload.dead && this.#place === "text" && this.#payload.begun;
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    let at = 0;
    while (at < chunk.length && !this.#payload.dead) {
      at = this.#place === "text" ? this.#collect(chunk, at, sink) : this.#begin(chunk, at, sink);
    }
    this.#payload.advance(chunk.length);
  }

  end(sink: FrameSink): void {
    this.#payload.end(this.partial, "the line feed", sink);
  }

  #begin(chunk: Uint8Array, at: number, sink: FrameSink): number {
    const byte = chunk[at] as number; // at < length
    if (byte === RS) {
      this.#place = "text";
      this.#payload.resume(); // what stood before it was passed over
    } else if (this.#place === "start" || !isBlank(byte))
      this.#payload.refuse(
        at,
        "A text begins with RS (1e): see whether the peer sends JSON text sequences",
        sink,
      );
    return at + 1;
  }

  #collect(chunk: Uint8Array, at: number, sink: FrameSink): number {
    const payload = this.#payload;
    const stop = this.#text.next(chunk, at, chunk.length);
    if (chunk[stop] === LF) {
      this.#place = "between";
      payload.complete(sink, chunk, at, stop);
    } else {
      payload.add(chunk, at, stop, sink);
      if (chunk[stop] === RS) {
        if (payload.begun)
          payload.refuse(
            stop,
            "A text begins before the LF of the one before it: that one was cut off",
            sink,
          );
        payload.resume();
      }
    }
    return stop + 1;
  }
}

/** Finds where a text ends, across any cut. */
class TextScan {
  /** "blank" before the text's first byte; "escape" after a backslash in a string. */
  #place: "blank" | "value" | "string" | "escape" = "blank";
  /** Open brackets; which kind closes which is not looked at. */
  #depth = 0;

  /**
   * Index of the LF that ends the text, or of an RS, in `bytes[from, end)`, or `end`. Where it
   * finds one, the next text begins.
   */
  next(bytes: Uint8Array, from: number, end: number): number {
    let place = this.#place;
    let depth = this.#depth;
    for (let at = from; at < end; at++) {
      const byte = bytes[at] as number; // at < end
      if (byte === RS || (byte === LF && place === "value" && depth === 0)) {
        this.#place = "blank";
        this.#depth = 0;
        return at;
      }
      if (place === "escape") {
        place = "string";
      } else if (place === "string") {
        if (byte === QUOTE) place = "value";
        else if (byte === BACKSLASH) place = "escape";
      } else if (byte === QUOTE) {
        place = "string";
      } else if (!isBlank(byte)) {
        place = "value";
        if ((byte | CURLY) === OPEN) depth++;
        else if ((byte | CURLY) === CLOSE && depth > 0) depth--;
      }
    }
    this.#place = place;
    this.#depth = depth;
    return end;
  }
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === LF || byte === 0x0d || byte === 0x09;
}

const encoder: FrameEncoder = {
  headerBytes: 1,
  seal(output: ByteWriter, start: number): void {
    output.bytes[start] = RS;
    output.byte(LF);
    if (new TextScan().next(output.bytes, start + 1, output.length) !== output.length - 1) {
      throw new HawserError(
        "PAYLOAD_FORBIDDEN",
        "Cannot send a message that is not one JSON text: it is empty, has an open string or " +
          "bracket, goes on after its line, or holds RS (1e)",
      );
    }
  },
};
