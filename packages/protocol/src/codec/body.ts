/**
 * Bodies: what a codec makes of a message, before a frame is opened for it. Owns the one place
 * where sending runs the program's code (codecs, and with them getters and `toJSON`). That code may
 * send on the same connection: its frame is complete before the frame of the outer message begins.
 * Must not know frames or sessions.
 *
 * @module
 */
import { ByteWriter } from "../bytes/writer.ts";
import type { Codec } from "./codec.ts";

/**
 * A message as text, or as bytes that may be overwritten by the next message: the caller copies
 * them into the output before it runs anything of the program's.
 */
export type Body = Uint8Array | string;

/** Bytes of scratch storage that are kept for the next message. */
const KEPT_BYTES = 16_384;

/** Makes bodies, one after another or one within another. */
export class BodyEncoder {
  /** Where codecs write that have neither text nor bytes of their own; null while one writes. */
  #scratch: ByteWriter | null = null;

  /**
   * The body of a message.
   *
   * @throws {unknown} what the codec throws
   */
  encode<T>(codec: Codec<unknown, T>, message: T): Body {
    if (codec.text !== undefined) return codec.text(message);
    if (codec.bytes !== undefined) return codec.bytes(message);
    return this.#write(codec, message);
  }

  #write<T>(codec: Codec<unknown, T>, message: T): Uint8Array {
    const scratch = this.#scratch ?? new ByteWriter();
    this.#scratch = null; // what is encoded within gets a writer of its own
    scratch.truncate(0);
    codec.encode(message, scratch);
    if (scratch.unsettled) scratch.settle();
    if (scratch.bytes.length <= KEPT_BYTES) this.#scratch = scratch;
    return scratch.bytes.subarray(0, scratch.length);
  }
}
