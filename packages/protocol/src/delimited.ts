/**
 * delimited(): frames that end with a byte sequence of one's own.
 *
 *     payload delimiter
 *
 * The delimiter is the first occurrence after the last one: with delimiter "||", `a|||` is the frame `a` and then `|`.
 *
 * Limits: payload <= maxFrameBytes; the delimiter does not count, and neither does a beginning of it.
 * Faults: FRAME_TOO_LARGE at the first excess byte, FRAME_TRUNCATED for a last frame without delimiter.
 *
 * @module
 */
import { bytesOf } from "./arguments.ts";
import { type ByteWriter, FrameBuffer } from "./bytes.ts";
import { HawserError } from "./errors.ts";
import { type FrameDecoder, type FrameEncoder, type FrameSink, type Framing, tooLarge, truncated } from "./framing.ts";
import type { FrameLimits } from "./limits.ts";
import { Needle, NeedleSearch } from "./search.ts";

/**
 * Frames that end with `delimiter`: text (its UTF-8) or bytes, one or more of them.
 *
 * @throws {TypeError} when the delimiter is neither text nor bytes
 * @throws {RangeError} when it is empty
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { decodeChunks, delimited } from "@hawser/protocol";
 *
 * const { frames } = decodeChunks(delimited("\f"), [new TextEncoder().encode('{"a":1}\f{"b":2}\f')]);
 * assert.equal(frames.length, 2);
 * ```
 */
export function delimited(delimiter: string | Uint8Array): Framing {
  const needle = new Needle(bytesOf("A delimiter", delimiter));
  const encoder = delimitedEncoder(needle);
  return Object.freeze({
    name: "delimited",
    decoder: (limits: FrameLimits) => new DelimitedDecoder(needle, limits),
    encoder: () => encoder,
  });
}

class DelimitedDecoder implements FrameDecoder {
  readonly #needle: Needle;
  readonly #search: NeedleSearch;
  readonly #limits: FrameLimits;
  /** The begun frame, with the beginning of a delimiter that it may end in. */
  readonly #frame = new FrameBuffer();
  #state: "frame" | "skip" | "dead" = "frame";
  #offset = 0;

  constructor(needle: Needle, limits: FrameLimits) {
    this.#needle = needle;
    this.#search = new NeedleSearch(needle);
    this.#limits = limits;
  }

  get partial(): boolean {
    return this.#frame.length > 0 || this.#state === "skip";
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    let start = 0;
    while (start < chunk.length && this.#state !== "dead") {
      const after = this.#search.next(chunk, start, chunk.length);
      if (after === -1) {
        this.#keep(chunk, start, sink);
        break;
      }
      if (this.#state === "skip") this.#state = "frame";
      else this.#complete(chunk, start, after, sink);
      start = after;
    }
    if (this.#frame.length === 0) this.#frame.clear();
    this.#offset += chunk.length;
  }

  end(sink: FrameSink): void {
    if (this.#state === "frame" && this.#frame.length > 0) sink.fault(truncated(this.#offset, this.#frame.length, "the delimiter"));
    this.#frame.clear();
    this.#state = "dead";
  }

  #keep(chunk: Uint8Array, start: number, sink: FrameSink): void {
    if (this.#state === "skip") return;
    const began = this.#offset + start - this.#frame.length;
    const size = this.#frame.length + chunk.length - start - this.#search.matched;
    if (size > this.#limits.maxFrameBytes) {
      this.#oversize(began, sink);
    } else {
      this.#frame.append(chunk, start, chunk.length, this.#limits.maxFrameBytes + this.#needle.length);
    }
  }

  #complete(chunk: Uint8Array, start: number, after: number, sink: FrameSink): void {
    const kept = this.#frame.length;
    const size = kept + after - start - this.#needle.length;
    if (size > this.#limits.maxFrameBytes) {
      this.#oversize(this.#offset + start - kept, sink);
      if (this.#state === "skip") this.#state = "frame";
    } else if (kept === 0) {
      sink.frame(chunk, start, start + size);
    } else {
      if (size > kept) this.#frame.append(chunk, start, start + size - kept, size);
      const bytes = this.#frame.lend();
      sink.frame(bytes, 0, size);
      this.#frame.takeBack(bytes);
    }
  }

  #oversize(began: number, sink: FrameSink): void {
    const max = this.#limits.maxFrameBytes;
    const fault = tooLarge(began + max, max + 1, this.#limits, false);
    this.#frame.clear();
    this.#state = fault.fatal ? "dead" : "skip";
    sink.fault(fault);
  }
}

function delimitedEncoder(needle: Needle): FrameEncoder {
  return {
    headerBytes: 0,
    seal(output: ByteWriter, start: number): void {
      const end = output.length;
      output.append(needle.bytes);
      // Searched with its delimiter: a payload that ends with the delimiter's beginning may complete one too early.
      if (new NeedleSearch(needle).next(output.bytes, start, output.length) !== end + needle.length) {
        throw new HawserError(
          "PAYLOAD_FORBIDDEN",
          "Cannot send a message that holds its own delimiter: choose another delimiter, or use lengthPrefixed() on both ends",
        );
      }
    },
  };
}
