/**
 * Small messages of bytes(), made of the bytes of a chunk: views of slabs that they share,
 * or arrays of their own. Owns the storage that messages share. Must not know frames, nor what is
 * done with a message.
 *
 * @module
 */

/** Makes the messages of chunks; each message has its own bytes. */
export interface SmallBytes {
  /** As `Codec.chunk`. */
  chunk(bytes: Uint8Array | null): void;
  /** A copy of `source[start, end)`, of at most {@link SMALL_BYTES}. */
  copy(source: Uint8Array, start: number, end: number): Uint8Array;
}

/** Bytes of a slab. Measured: bench/HISTORY.md. */
const SLAB_BYTES = 16_384;

/** Bytes of a small message: a larger one has storage of its own everywhere. */
export const SMALL_BYTES: number = SLAB_BYTES / 4;

/**
 * What is cheaper here. A message of 64 B costs JavaScriptCore (Bun) 116 ns as a view and 41 as an
 * array, and V8 (Node) 55 and 600. Nothing but the runtime's name tells the engines apart.
 * Measured: bench/HISTORY.md.
 */
export function smallBytes(): SmallBytes {
  return "Bun" in globalThis ? new OwnBytes() : new SlabBytes();
}

const NOTHING = new Uint8Array(0);

/**
 * Messages are views of storage that they share, into which a part of a chunk is copied at once.
 */
export class SlabBytes implements SmallBytes {
  #chunk: Uint8Array | null = null;
  /**
   * Storage that messages of short chunks are cut from; a new one when it is full. Its owners are
   * the messages: it is never written twice.
   */
  #slab = NOTHING;
  #used = 0;
  /** The slab's storage, or that of a part of the chunk. */
  #storage = NOTHING.buffer;
  /**
   * The storage holds a copy of `#chunk[#from, #to)`, which begins `#shift` bytes later there than
   * in the chunk.
   */
  #from = 0;
  #to = 0;
  #shift = 0;

  chunk(bytes: Uint8Array | null): void {
    this.#chunk = bytes;
    this.#to = 0;
  }

  copy(source: Uint8Array, start: number, end: number): Uint8Array {
    if (source !== this.#chunk || end > this.#to || start < this.#from)
      this.#fill(source, start, end);
    return new Uint8Array(this.#storage, start + this.#shift, end - start);
  }

  /**
   * Copy this message and, where they come from the chunk, the bytes behind it, for the next
   * messages: many into storage of their own, few into the slab.
   */
  #fill(source: Uint8Array, start: number, end: number): void {
    if (source === this.#chunk && source.length - start >= SLAB_BYTES / 2) {
      const to = Math.min(start + SLAB_BYTES, source.length);
      this.#storage = new Uint8Array(source.subarray(start, to)).buffer;
      this.#from = start;
      this.#to = to;
      this.#shift = -start;
      return;
    }
    if (this.#slab.length - this.#used < end - start) {
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#used = 0;
    }
    this.#storage = this.#slab.buffer;
    const room = this.#slab.length - this.#used;
    const to = source === this.#chunk ? Math.min(start + room, source.length) : end;
    this.#slab.set(source.subarray(start, to), this.#used);
    this.#from = start;
    this.#to = source === this.#chunk ? to : 0;
    this.#shift = this.#used - start;
    this.#used += to - start;
  }
}

/**
 * Bytes up to which an array is clearly cheaper than a view; from 1000 on, JavaScriptCore gives an
 * array storage beside it, and it is dearer.
 */
const OWN_BYTES = 512;

/**
 * Copies as Node's Buffer does, without a view of the source; the other runtimes' Buffers have it
 * too.
 */
interface CopyingBytes extends Uint8Array {
  copy(target: Uint8Array, targetStart: number, start: number, end: number): number;
}

/** Messages of up to 512 bytes are arrays of their own, larger ones as in {@link SlabBytes}. */
export class OwnBytes extends SlabBytes {
  override copy(source: Uint8Array, start: number, end: number): Uint8Array {
    const count = end - start;
    if (count > OWN_BYTES) return super.copy(source, start, end);
    const own = new Uint8Array(count);
    if ("copy" in source) (source as CopyingBytes).copy(own, 0, start, end);
    else own.set(source.subarray(start, end));
    return own;
  }
}
