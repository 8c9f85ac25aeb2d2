/**
 * A framing: the rule that cuts a byte stream into frames, as a decoder and an encoder, and
 * the plain way to try one. Owns the contract (the law of cuts) and the text of its faults. Must
 * not know codecs, sentinels or sockets.
 *
 * @module
 */
import { describeValue } from "../arguments.ts";
import { ByteWriter } from "../bytes/writer.ts";
import { HawserError } from "../errors.ts";
import { type FrameLimits, resolveFrameLimits } from "../limits.ts";

/**
 * A rule that cuts bytes into frames; a value without state, shared by every connection that uses
 * it.
 *
 * The law of cuts: for every way of cutting the same bytes into chunks, the decoder reports the
 * same frames and the same faults at the same offsets, in linear time, keeping at most one frame of
 * `maxFrameBytes` and its header.
 */
export interface Framing {
  readonly name: string;
  /** Set where frames are what the network delivers, not what the peer sent: only `raw()`. */
  readonly unframed?: true;
  /** Set where the stream's end ends the last frame, too, instead of being a fault. */
  readonly unterminated?: "deliver";
  /**
   * Set where a damaged frame is a fault of its own, which is not fatal, and the next frame is
   * found.
   */
  readonly onMalformed?: "skip";
  /** A decoder for one connection's inbound bytes. */
  decoder(limits: FrameLimits): FrameDecoder;
  /** An encoder for one connection's outbound frames. */
  encoder(limits: FrameLimits): FrameEncoder;
}

/**
 * Check that a caller's value is a framing. `what` is the function that takes it.
 *
 * @throws {TypeError} when it is not
 */
export function checkFraming(what: string, value: unknown): asserts value is Framing {
  if (typeof value === "function")
    throw new TypeError(`${what} takes a framing, got a function: call it, as in lines()`);
  if (typeof value !== "object" || value === null) {
    throw new TypeError(
      `${what} takes a framing, got ${describeValue(value)}: use lines(), lengthPrefixed() or ` +
        "another, or one of defineFraming()",
    );
  }
  const { name, decoder, encoder } = value as Partial<Framing>; // looked at before it is believed
  if (typeof name !== "string" || typeof decoder !== "function" || typeof encoder !== "function") {
    throw new TypeError(
      `${what} takes a framing, got an object without name, decoder() and encoder(): use ` +
        "lines(), lengthPrefixed() or another",
    );
  }
}

/** Cuts one stream. After a fatal fault, and after `end`, it ignores what it is given. */
export interface FrameDecoder {
  /**
   * Take the next bytes; the chunk is not kept, its owner may overwrite it when this returns. Not
   * to be called from its own sink: the bytes would come before the rest of the chunk. `search` is
   * the codec's, if it has one.
   */
  push(chunk: Uint8Array, sink: FrameSink, search?: ChunkSearch): void;
  /**
   * The stream is over: a frame that has begun is truncated, or delivered where the framing says
   * `unterminated: "deliver"`.
   */
  end(sink: FrameSink): void;
  /**
   * True if a frame has begun and is not complete; where it is absent, `frameTimeoutMs` can't guard
   * the framing.
   */
  readonly partial?: boolean;
}

/**
 * A search in the text that a codec makes of a chunk anyway, which is quicker than one in its
 * bytes: for framings that look for a delimiter.
 */
export interface ChunkSearch {
  /**
   * Offset of the first `character`, which is ASCII, in `chunk` from `start` on; -1 when it is not
   * near, or the text is that of another chunk.
   */
  indexOf(chunk: Uint8Array, character: string, start: number): number;
}

/** Where a decoder puts what it found, in stream order. */
export interface FrameSink {
  /**
   * One frame's payload is `bytes[start, end)`, valid only until this returns: copy what is kept.
   */
  frame(bytes: Uint8Array, start: number, end: number): void;
  fault(fault: FramingFault): void;
}

/** Completes frames in place, so that a message is written once, straight into the output. */
export interface FrameEncoder {
  /** Bytes left free before the payload for a header of fixed size. */
  readonly headerBytes: number;
  /**
   * Make a frame of what was written: the payload is `output.bytes[start + headerBytes,
   * output.length)`.
   *
   * Fills the header, appends the trailer, or rewrites the payload, so that the frame begins at
   * `start` and ends the output. The payload is at most `maxFrameBytes` long. The caller truncates
   * the output to `start` when this throws.
   *
   * @throws {HawserError} PAYLOAD_FORBIDDEN when the framing can't carry these bytes
   */
  seal(output: ByteWriter, start: number): void;
  /**
   * The whole frame of a text payload, as text; null when only `seal` can tell, which then judges
   * its bytes. Absent where a frame of text is not text. What it saves: the texts of a turn are
   * encoded at once.
   */
  frameText?(text: string): string | null;
}

/**
 * A fault of a stream of frames, as plain data: the same for every cut of the same bytes.
 */
export interface FramingFault {
  readonly code: "FRAME_MALFORMED" | "FRAME_TOO_LARGE" | "FRAME_TRUNCATED";
  /**
   * Offset in the stream, in bytes, of the first byte that is wrong: the first excess byte of a
   * frame that is delimited, the first byte of a length that is too large, the stream's length when
   * it is truncated.
   */
  readonly offset: number;
  /** True if decoding ended here; false when the frame is passed over (`onOversize: "skip"`). */
  readonly fatal: boolean;
  /** `maxFrameBytes`, for FRAME_TOO_LARGE. */
  readonly limit?: number;
  /** Bytes of the frame that are announced or, where no length is announced, seen. */
  readonly size?: number;
  /** The bytes that the framing wants and has, in at most 160 characters and without payload. */
  readonly detail: string;
}

/** The result of `decodeChunks`: the frames (copies), and the first fault or null. */
export interface DecodedChunks {
  readonly frames: Uint8Array[];
  readonly fault: FramingFault | null;
}

/**
 * Decode a whole stream: the chunks, then its end.
 *
 * @throws {TypeError} when the framing or a chunk is not one
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { decodeChunks, lines } from "@hawser/protocol";
 *
 * const bytes = new TextEncoder().encode("one\ntwo\n");
 * const { frames, fault } = decodeChunks(lines(), [bytes.subarray(0, 2), bytes.subarray(2)]);
 * assert.deepEqual(frames.map((frame) => new TextDecoder().decode(frame)), ["one", "two"]);
 * assert.equal(fault, null);
 * ```
 */
export function decodeChunks(
  framing: Framing,
  chunks: Iterable<Uint8Array>,
  limits?: Partial<FrameLimits>,
): DecodedChunks {
  checkFraming("decodeChunks()", framing);
  const frames: Uint8Array[] = [];
  let first: FramingFault | null = null;
  const sink: FrameSink = {
    frame: (bytes, start, end) => void frames.push(new Uint8Array(bytes.subarray(start, end))),
    fault: (fault) => void (first ??= fault),
  };
  const decoder = framing.decoder(resolveFrameLimits(limits));
  for (const chunk of chunks) {
    checkBytes("decodeChunks()", chunk);
    decoder.push(chunk, sink);
  }
  decoder.end(sink);
  return { frames, fault: first };
}

/**
 * Encode payloads as one run of frames: the plain way, and `decodeChunks` read backwards.
 *
 * @throws {HawserError} PAYLOAD_TOO_LARGE or PAYLOAD_FORBIDDEN
 * @throws {TypeError} when the framing or a payload is not one
 */
export function encodeFrames(
  framing: Framing,
  payloads: Iterable<Uint8Array>,
  limits?: Partial<FrameLimits>,
): Uint8Array {
  checkFraming("encodeFrames()", framing);
  const resolved = resolveFrameLimits(limits);
  const encoder = framing.encoder(resolved);
  const output = new ByteWriter();
  for (const payload of payloads) {
    checkBytes("encodeFrames()", payload);
    const start = openFrame(encoder, output);
    output.append(payload);
    sealFrame(encoder, output, start, resolved.maxFrameBytes);
  }
  return output.copy();
}

function checkBytes(what: string, value: unknown): void {
  if (!(value instanceof Uint8Array))
    throw new TypeError(`${what} takes a list of Uint8Arrays, got ${describeValue(value)} in it`);
}

/**
 * Leave room for a frame's header; returns where the frame starts. Pairs with {@link sealFrame}.
 */
export function openFrame(encoder: FrameEncoder, output: ByteWriter): number {
  return output.skip(encoder.headerBytes);
}

/**
 * Complete the frame that starts at `start`, or throw; the caller truncates the output to `start`
 * then.
 */
export function sealFrame(
  encoder: FrameEncoder,
  output: ByteWriter,
  start: number,
  maxFrameBytes: number,
): void {
  const size = output.length - start - encoder.headerBytes;
  if (size > maxFrameBytes) throw payloadTooLarge(size, maxFrameBytes);
  encoder.seal(output, start);
}

function payloadTooLarge(size: number, maxFrameBytes: number): HawserError {
  return new HawserError(
    "PAYLOAD_TOO_LARGE",
    `Cannot send a message of ${String(size)} bytes: maxFrameBytes is ` +
      `${String(maxFrameBytes)}; raise it on both ends, or send less`,
  );
}

/** The sentence for a fault, at most 256 bytes. */
export function describeFault(fault: FramingFault): string {
  return `${fault.detail} (at byte ${String(fault.offset)} of the stream)`;
}

/**
 * The fault of a frame whose payload is above `limit`; `size` is what is announced, or seen when
 * nothing is announced.
 */
export function tooLarge(
  offset: number,
  size: number,
  limits: FrameLimits,
  announced: boolean,
): FramingFault {
  const limit = limits.maxFrameBytes;
  const amount = announced ? `${String(size)} bytes` : `more than ${String(limit)} bytes`;
  return {
    code: "FRAME_TOO_LARGE",
    offset,
    fatal: limits.onOversize !== "skip",
    limit,
    size,
    detail:
      `The peer's frame has ${amount}, maxFrameBytes is ${String(limit)}: raise the limit, or ` +
      "see whether the peer uses this framing",
  };
}

/** The fault of a stream that ended inside a frame; `have` counts the bytes of it that arrived. */
export function truncated(offset: number, have: number, wanted: string): FramingFault {
  return {
    code: "FRAME_TRUNCATED",
    offset,
    fatal: true,
    size: have,
    detail:
      `The stream ended inside a frame: ${String(have)} bytes of it arrived, ` +
      `${wanted} is missing`,
  };
}

/** The fault of a byte that the framing's grammar does not allow. */
export function malformed(offset: number, detail: string): FramingFault {
  return { code: "FRAME_MALFORMED", offset, fatal: true, detail };
}
