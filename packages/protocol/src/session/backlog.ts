/**
 * Backlog: messages that wait encoded, packed behind each other, until the program asks for them.
 * Owns their storage: no object per message, and at most some twice the bytes that wait. Must not
 * know what a message means.
 *
 *     [ length u32 | bytes ]*
 *
 * @module
 */
import { FrameBuffer } from "../bytes/writer.ts";
import { readU32, writeU32 } from "./frames/frames.ts";

const LENGTH_BYTES = 4;
/** A length on its way into the storage of some backlog. */
const length = new Uint8Array(LENGTH_BYTES);
/** Read bytes from which it is worth moving the rest to the front. */
const COMPACT_BYTES = 1_024;

/** First in, first out. */
export class Backlog {
  readonly #packed = new FrameBuffer();
  /** Where the oldest message begins, with its length. */
  #at = 0;
  /** Number of messages that wait. */
  count = 0;
  /**
   * Where the message is that `peek` found, or `shift` took out; the storage is `bytes` until the
   * next call.
   */
  start = 0;
  end = 0;

  get bytes(): Uint8Array {
    return this.#packed.bytes;
  }

  /** Bytes of the messages that wait. */
  get size(): number {
    return this.#packed.length - this.#at - this.count * LENGTH_BYTES;
  }

  /** Puts a copy of `source[start, end)` last. */
  push(source: Uint8Array, start: number, end: number): void {
    if (this.#at >= COMPACT_BYTES && this.#at * 2 >= this.#packed.length) this.#compact();
    writeU32(length, 0, end - start);
    this.#packed.append(length, 0, LENGTH_BYTES);
    this.#packed.append(source, start, end);
    this.count++;
  }

  /** Finds the oldest message: `bytes[start, end)`. There is one. */
  peek(): void {
    if (this.#at >= COMPACT_BYTES && this.#at * 2 >= this.#packed.length) this.#compact();
    this.start = this.#at + LENGTH_BYTES;
    this.end = this.start + readU32(this.#packed.bytes, this.#at);
  }

  /** Takes the oldest message out, which is where `peek` finds it. */
  shift(): void {
    this.peek();
    this.#at = this.end;
    this.count--;
  }

  /** Forgets everything, and gives the storage up. */
  clear(): void {
    this.#packed.clear();
    this.#at = 0;
    this.count = 0;
  }

  /** Moves what waits into storage of its own size. */
  #compact(): void {
    const { bytes, length } = this.#packed;
    const from = this.#at;
    this.#packed.clear();
    this.#at = 0;
    if (from < length) this.#packed.append(bytes, from, length, length - from);
  }
}
