/**
 * Byte buffers that grow with what arrived: ByteWriter for what goes out, FrameBuffer for a frame
 * that chunks have cut. Owns capacity and growth. Must not know frames, limits or messages.
 *
 * @module
 */

import { writeWellFormed } from "./utf8-write.ts";

const EMPTY = new Uint8Array(0);
const FIRST_BYTES = 256;
/** Bytes below which copying one by one is quicker than a view and `set`. */
const FEW = 32;
/**
 * Bytes whose copying is felt: what is before them is moved instead, or they are copied in pieces.
 */
const LONG = 1_048_576;
/** Characters that are joined at most: their UTF-8 takes up to three times as many bytes. */
const JOINED = 4_096;

/** Where a writer gets storage, and where the storage goes that it has outgrown. */
export interface StorageSource {
  /** Storage of at least so many bytes; what it holds does not matter. */
  take(bytes: number): Uint8Array;
  give(storage: Uint8Array): void;
}

/** Copy `source[start, end)` to `target` from `at` on; the bounds are the caller's to keep. */
function copy(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): void {
  const count = end - start;
  if (count < FEW) copyFew(source, start, end, target, at);
  else target.set(count === source.length ? source : source.subarray(start, end), at);
}

function copyFew(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): void {
  for (let i = start; i < end; i++) target[at + i - start] = source[i] as number; // in range
}

/**
 * Text that is joined: a new object each time, since V8 makes a record of each new string that an
 * old one is given.
 */
class Joined {
  text = "";
}

const NONE = new Joined();

const heap: StorageSource = Object.freeze({
  take: (bytes: number) => new Uint8Array(bytes),
  give: () => undefined,
});

/**
 * An append-only buffer: encoders write messages and frame headers into it, a connection hands it
 * to the operating system.
 *
 * `bytes[0..length)` is what was written. `bytes` is replaced when it grows, so read it anew after
 * each call; a view of it is valid until the owner takes the bytes or truncates below the view.
 */
export class ByteWriter {
  /** The storage; only `[0, length)` means something. */
  bytes: Uint8Array;
  /** Number of bytes that are written. */
  length = 0;
  #joined: Joined = NONE;
  /** True if `settle()` has something to do. */
  unsettled = false;
  readonly #source: StorageSource;

  constructor(storage: Uint8Array = EMPTY, source: StorageSource = heap) {
    this.bytes = storage;
    this.#source = source;
  }

  /** Make room for `count` more bytes, without writing them. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed > this.bytes.length) this.#grow(needed);
  }

  /**
   * Leave `count` bytes behind everything that is written so far, to be set by the caller; returns
   * where they begin.
   */
  skip(count: number): number {
    if (this.unsettled) this.settle();
    this.reserve(count);
    const at = this.length;
    this.length = at + count;
    return at;
  }

  /** Write one byte (0 to 255). */
  byte(value: number): void {
    if (this.length === this.bytes.length) this.#grow(this.length + 1);
    this.bytes[this.length++] = value;
  }

  /**
   * Write well-formed text behind everything that is written so far; it becomes bytes later, with
   * what joins it. Until then `bytes` and `length` are without it: whoever uses these calls
   * `settle()` first, as `skip` and `append` do.
   */
  join(text: string): void {
    const joined = this.#joined === NONE ? this.#beginJoining() : this.#joined;
    const whole = joined.text + text;
    joined.text = whole;
    if (whole.length >= JOINED) this.settle();
  }

  /**
   * Text that follows the bytes and is encoded by `settle()`: many messages in one call of the
   * encoder.
   */
  get text(): string {
    return this.#joined.text;
  }

  /** Take out the text that has been joined. */
  takeText(): string {
    const { text } = this.#joined;
    this.#joined = NONE;
    return text;
  }

  /** Encode the text that has been joined. */
  settle(): void {
    this.unsettled = false;
    const text = this.takeText();
    if (text === "") return;
    this.reserve(text.length * 3);
    this.length += writeWellFormed(text, this.bytes, this.length);
  }

  /** Write `source[start, end)`; the bytes are copied. */
  append(source: Uint8Array, start = 0, end: number = source.length): void {
    const at = this.skip(end - start);
    copy(source, start, end, this.bytes, at); // `bytes` is read when there is room
  }

  /**
   * Write `count` bytes at `at`, moving what follows; returns nothing, the gap's content is
   * undefined until it is set.
   */
  insert(at: number, count: number): void {
    this.reserve(count);
    this.bytes.copyWithin(at + count, at, this.length);
    this.length += count;
  }

  /** Forget what was written from `length` on. */
  truncate(length: number): void {
    this.length = length;
  }

  /** A copy of what was written. */
  copy(start = 0): Uint8Array {
    this.settle();
    // not slice(): a Buffer's slice is a view
    return new Uint8Array(this.bytes.subarray(start, this.length));
  }

  /**
   * Take out what was written from `at` on; it is the caller's. What is long is given out in the
   * storage that it was written in, since to copy 64 MiB holds a process up for some 60 ms.
   */
  split(at: number): Uint8Array {
    this.settle();
    const { bytes, length } = this;
    if (length - at < LONG) {
      const copy = this.copy(at);
      this.length = at;
      return copy;
    }
    this.bytes = this.#source.take(Math.max(at, FIRST_BYTES));
    this.bytes.set(bytes.subarray(0, at));
    this.length = at;
    return bytes.subarray(at, length);
  }

  #beginJoining(): Joined {
    this.unsettled = true;
    return (this.#joined = new Joined());
  }

  #grow(needed: number): void {
    const full = this.bytes;
    const next = this.#source.take(Math.max(needed, full.length * 2, FIRST_BYTES));
    if (this.length > 0)
      next.set(this.length === full.length ? full : full.subarray(0, this.length));
    this.bytes = next;
    this.#source.give(full);
  }
}

/**
 * The bytes of one frame that has not arrived whole.
 *
 * Copies what it is given, so the chunk's owner may overwrite it. Capacity is at most twice what
 * arrived, never what was promised. Storage is used again while one chunk after another ends inside
 * a frame; `clear()` keeps nothing.
 *
 * Long storage has a successor, twice as long, which is filled while its second half is: when it is
 * full nothing is left to be copied. To copy 32 MiB into fresh pages would hold the process up for
 * some 25 ms.
 */
export class FrameBuffer {
  bytes: Uint8Array = EMPTY;
  length = 0;
  /** What `bytes` is replaced with when it is full, and how many bytes of it are copied already. */
  #next = EMPTY;
  #copied = 0;

  /**
   * Append `chunk[start, end)`. `expected` is the whole frame's length where it is known, or the
   * most that it may be: capacity stops there.
   */
  append(chunk: Uint8Array, start: number, end: number, expected?: number): void {
    const needed = this.length + (end - start);
    const most = expected ?? Infinity;
    if (needed > this.bytes.length) this.#grow(needed, most);
    copy(chunk, start, end, this.bytes, this.length);
    this.length = needed;
    if (needed >= LONG && needed * 2 > this.bytes.length && most > this.bytes.length)
      this.#prepare((end - start) * 2, most);
  }

  #grow(needed: number, most: number): void {
    const prepared = this.#next.length >= needed;
    const next = prepared
      ? this.#next
      : new Uint8Array(Math.max(needed, Math.min(most, needed * 2)));
    const from = prepared ? this.#copied : 0;
    next.set(this.bytes.subarray(from, this.length), from);
    this.bytes = next;
    this.#next = EMPTY;
    this.#copied = 0;
  }

  /** Copy up to `count` bytes more to the successor. */
  #prepare(count: number, most: number): void {
    if (this.#next === EMPTY) this.#next = new Uint8Array(Math.min(most, this.bytes.length * 2));
    const to = Math.min(this.length, this.#copied + count);
    this.#next.set(this.bytes.subarray(this.#copied, to), this.#copied);
    this.#copied = to;
  }

  /** Give the frame out and be empty; the storage is the caller's until `takeBack`. */
  lend(): Uint8Array {
    const { bytes } = this;
    this.clear();
    return bytes;
  }

  /** Use lent storage for the next frame, unless that has begun in the meantime. */
  takeBack(storage: Uint8Array): void {
    if (this.bytes === EMPTY) this.bytes = storage;
  }

  /** Forget the bytes and their storage. */
  clear(): void {
    this.bytes = EMPTY;
    this.length = 0;
    this.#next = EMPTY;
    this.#copied = 0;
  }
}
