/**
 * Counted frames: a header that says how long the body is, the body, and perhaps one byte that
 * closes it. Owns the way from one frame to the next across chunks: collecting, passing over, the
 * limit. What a header looks like is its reader's: see varint-prefixed.ts, decimal.ts,
 * content-length.ts, fixed-length.ts.
 *
 * @module
 */
import { FrameBuffer } from "../bytes/writer.ts";
import {
  type FrameDecoder,
  type FrameSink,
  type FramingFault,
  malformed,
  tooLarge,
  truncated,
} from "./framing.ts";
import type { FrameLimits } from "../limits.ts";

/** Reads one header after another, each across any cut. */
export interface HeaderReader {
  /** Bytes of the begun header that were read; 0 between frames. */
  readonly size: number;
  /** The payload's length as the header says it; -1 until the header is complete. */
  readonly length: number;
  /** Where the length stands, counted from the header's first byte. */
  readonly lengthAt: number;
  /** The fault, counted from the header's first byte; null while there is none. */
  readonly wrong: { readonly at: number; readonly detail: string } | null;
  /**
   * Read on from `chunk[from]`; returns the index after the last byte read: the chunk's end, the
   * header's, or what is wrong.
   */
  read(chunk: Uint8Array, from: number): number;
  /** Begin the next header. */
  reset(): void;
}

/**
 * Decodes counted frames. `closing` is the byte that must follow each payload, if one must.
 *
 * An oversized frame that is passed over still has its closing byte verified: where that is wrong,
 * what follows is no frame.
 */
export class CountedDecoder implements FrameDecoder {
  readonly #header: HeaderReader;
  readonly #limits: FrameLimits;
  readonly #closing: number | null;
  /** The begun body, with its closing byte. */
  readonly #body = new FrameBuffer();
  /** Bytes of an oversized body that are still to be passed over. */
  #discard = 0;
  #state: "header" | "body" | "skip" | "dead" = "header";
  #offset = 0;

  constructor(header: HeaderReader, limits: FrameLimits, closing: number | null = null) {
    this.#header = header;
    this.#limits = limits;
    this.#closing = closing;
  }

  get partial(): boolean {
    return this.#state === "body" || this.#state === "skip" || this.#header.size > 0;
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    let at = 0;
    while (at < chunk.length && this.#state !== "dead") {
      if (this.#state === "header") at = this.#read(chunk, at, sink);
      else if (this.#state === "body") at = this.#collect(chunk, at, sink);
      else at = this.#pass(chunk, at, sink);
    }
    if (this.#body.length === 0) this.#body.clear();
    this.#offset += chunk.length;
  }

  end(sink: FrameSink): void {
    const cut = this.#state !== "skip" && this.partial;
    const have = this.#header.size + this.#body.length;
    const wanted =
      this.#state === "body"
        ? `${String(this.#bodyBytes() - this.#body.length)} bytes`
        : "the rest of its header";
    this.#die();
    if (cut) sink.fault(truncated(this.#offset, have, wanted));
  }

  /**
   * The header, and what the chunk holds of the body: an empty body is complete without another
   * byte.
   */
  #read(chunk: Uint8Array, from: number, sink: FrameSink): number {
    const header = this.#header;
    const began = this.#offset + from - header.size;
    const at = header.read(chunk, from);
    const { length, lengthAt, wrong } = header;
    if (wrong !== null) {
      this.#refuse(malformed(began + wrong.at, wrong.detail), sink);
      return at;
    }
    if (length === -1) return at;
    if (length > this.#limits.maxFrameBytes) {
      this.#refuse(tooLarge(began + lengthAt, length, this.#limits, true), sink);
      return at;
    }
    this.#state = "body";
    return this.#collect(chunk, at, sink);
  }

  #collect(chunk: Uint8Array, from: number, sink: FrameSink): number {
    const body = this.#body;
    const { length } = this.#header;
    const wanted = this.#bodyBytes();
    const end = Math.min(from + wanted - body.length, chunk.length);
    let bytes = chunk;
    let start = from;
    if (end - from < wanted) {
      body.append(chunk, from, end, wanted);
      if (body.length < wanted) return end;
      bytes = body.lend();
      start = 0;
    }
    if (this.#close(chunk, end, sink)) sink.frame(bytes, start, start + length);
    if (bytes !== chunk) body.takeBack(bytes);
    return end;
  }

  #pass(chunk: Uint8Array, from: number, sink: FrameSink): number {
    const end = Math.min(from + this.#discard, chunk.length);
    this.#discard -= end - from;
    if (this.#discard === 0) this.#close(chunk, end, sink);
    return end;
  }

  /** A body ends before `chunk[end]`: verify its closing byte and be ready for the next header. */
  #close(chunk: Uint8Array, end: number, sink: FrameSink): boolean {
    this.#header.reset();
    this.#state = "header";
    if (this.#closing === null || chunk[end - 1] === this.#closing) return true;
    this.#refuse(
      malformed(
        this.#offset + end - 1,
        `The byte after the payload is not "${String.fromCharCode(this.#closing)}": the length ` +
          "is wrong",
      ),
      sink,
    );
    return false;
  }

  #bodyBytes(): number {
    return this.#header.length + (this.#closing === null ? 0 : 1);
  }

  #refuse(fault: FramingFault, sink: FrameSink): void {
    if (fault.fatal) {
      this.#die();
    } else {
      this.#state = "skip";
      this.#discard = this.#bodyBytes();
    }
    sink.fault(fault);
  }

  #die(): void {
    this.#state = "dead";
    this.#header.reset();
    this.#body.clear();
  }
}
