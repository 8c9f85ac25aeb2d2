/**
 * delimited(): frames that end with a byte sequence of one's own.
 *
 *     payload delimiter
 *
 * The delimiter is the first occurrence after the last one: with delimiter "||", `a|||` is the
 * frame `a` and then `|`.
 *
 * Limits: payload <= maxFrameBytes; the delimiter does not count, and neither does a beginning of
 * it. Faults: FRAME_TOO_LARGE at the first excess byte, FRAME_TRUNCATED for a last frame without
 * delimiter, whose `size` says how much of it there was. With `unterminated: "deliver"` that frame
 * is delivered, a beginning of the delimiter at its end too, unless it has more than maxFrameBytes
 * with that.
 *
 * @module
 */
import { bytesOf, checkOptions } from "../arguments.ts";
import { type ByteWriter, FrameBuffer } from "../bytes/writer.ts";
import { HawserError } from "../errors.ts";
import {
  type FrameDecoder,
  type FrameEncoder,
  type FrameSink,
  type Framing,
  tooLarge,
  truncated,
} from "./framing.ts";
import { type FrameLimits, resolveUnterminatedPolicy, type UnterminatedPolicy } from "../limits.ts";
import { Needle, NeedleSearch } from "../bytes/search.ts";

/** Other forms that are read. */
export interface DelimitedOptions {
  /**
   * The effect of the stream's end on a last frame without delimiter: `"fault"` (default) is
   * FRAME_TRUNCATED, `"deliver"` takes it for a frame.
   */
  readonly unterminated?: UnterminatedPolicy;
}

/**
 * Frames that end with `delimiter`: text (its UTF-8) or bytes, one or more of them.
 *
 * @throws {TypeError} when the delimiter is neither text nor bytes, or an option is none of its
 *   values, or is not known
 * @throws {RangeError} when it is empty
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { decodeChunks, delimited } from "@hawser/protocol";
 *
 * const { frames } = decodeChunks(delimited("\f"), [
 *   new TextEncoder().encode('{"a":1}\f{"b":2}\f'),
 * ]);
 * assert.equal(frames.length, 2);
 * ```
 */
export function delimited(delimiter: string | Uint8Array, options: DelimitedOptions = {}): Framing {
  const needle = new Needle(bytesOf("A delimiter", delimiter));
  checkOptions("delimited()", options, ["unterminated"]);
  const unterminated = resolveUnterminatedPolicy(options.unterminated);
  const encoder = delimitedEncoder(needle);
  return Object.freeze({
    name: "delimited",
    ...(unterminated === "deliver" ? { unterminated } : {}),
    decoder: (limits: FrameLimits) => new DelimitedDecoder(needle, limits, unterminated),
    encoder: () => encoder,
  });
}

class DelimitedDecoder implements FrameDecoder {
  readonly #needle: Needle;
  readonly #search: NeedleSearch;
  readonly #limits: FrameLimits;
  readonly #unterminated: UnterminatedPolicy;
  /** The begun frame, with the beginning of a delimiter that it may end in. */
  readonly #frame = new FrameBuffer();
  #state: "frame" | "skip" | "dead" = "frame";
  #offset = 0;

  constructor(needle: Needle, limits: FrameLimits, unterminated: UnterminatedPolicy) {
    this.#unterminated = unterminated;
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
    const isCut = this.#state === "frame" && this.#frame.length > 0;
    this.#state = "dead";
    const { bytes, length } = this.#frame;
    this.#frame.clear();
    if (!isCut) return;
    if (this.#unterminated === "fault" || length > this.#limits.maxFrameBytes)
      sink.fault(truncated(this.#offset, length, "the delimiter"));
    else sink.frame(bytes, 0, length);
  }

  #keep(chunk: Uint8Array, start: number, sink: FrameSink): void {
    if (this.#state === "skip") return;
    const began = this.#offset + start - this.#frame.length;
    const size = this.#frame.length + chunk.length - start - this.#search.matched;
    if (size > this.#limits.maxFrameBytes) {
      this.#oversize(began, sink);
    } else {
      this.#frame.append(
        chunk,
        start,
        chunk.length,
        this.#limits.maxFrameBytes + this.#needle.length,
      );
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
      // Searched with its delimiter: a payload that ends with the delimiter's beginning may
      // complete one too early.
      if (
        new NeedleSearch(needle).next(output.bytes, start, output.length) !==
        end + needle.length
      ) {
        throw new HawserError(
          "PAYLOAD_FORBIDDEN",
          "Cannot send a message that holds its own delimiter: choose another delimiter, or " +
            "use lengthPrefixed() on both ends",
        );
      }
    },
  };
}
