/**
 * Output: what a connection appends in one turn, in storage of a pool that goes back when the operating system has the bytes.
 * Owns the buffers and the counting of what is not yet written. Must not know what a socket is.
 *
 * @module
 */
import process from "node:process";
import { ByteWriter, type StorageSource } from "@hawser/protocol";

/** Bytes of the storage that a turn's output begins in: most turns of most connections send no more. */
const SMALL_BYTES = 4_096;
/** Bytes of a slab, which is also the largest write that a turn makes of small messages. */
const SLAB_BYTES = 65_536;
/** Bytes from which a slab is full: sent before the next message makes it grow. */
const FULL_BYTES = SLAB_BYTES - SMALL_BYTES;
/** Larger storage, of large messages, is kept up to this size. */
const LARGE_BYTES = 4_194_304;
/** How much storage is kept of each kind, in pieces: some megabytes. What is above it is left to the garbage collector. */
const KEPT = Object.freeze({ small: 1_024, slabs: 64, large: 4 });

/**
 * Storage that no connection is using: a page fault for each page of fresh storage costs more than filling it.
 * Measured: bench/HISTORY.md.
 */
class StoragePool implements StorageSource {
  readonly #small: Uint8Array[] = [];
  readonly #slabs: Uint8Array[] = [];
  readonly #large: Uint8Array[] = [];

  take(bytes: number): Uint8Array {
    if (bytes <= SMALL_BYTES) return this.#small.pop() ?? Buffer.allocUnsafeSlow(SMALL_BYTES);
    if (bytes <= SLAB_BYTES) return this.#slabs.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
    const kept = this.#large.findIndex((storage) => storage.length >= bytes);
    return this.#large.splice(kept, kept === -1 ? 0 : 1)[0] ?? Buffer.allocUnsafeSlow(bytes);
  }

  give(storage: Uint8Array): void {
    const { length } = storage;
    if (length === SMALL_BYTES) keep(this.#small, storage, KEPT.small);
    else if (length === SLAB_BYTES) keep(this.#slabs, storage, KEPT.slabs);
    else if (length > SLAB_BYTES && length <= LARGE_BYTES) keep(this.#large, storage, KEPT.large);
  }
}

function keep(pool: Uint8Array[], storage: Uint8Array, most: number): void {
  if (pool.length < most) pool.push(storage);
}

/**
 * The pool of this process.
 * Module-level on purpose: blank storage has no state that two users could see, and one pool is what keeps memory low.
 */
const pool: StorageSource = new StoragePool();

const NOTHING = new Uint8Array(0);

/** What an output writes to; it calls `written()` once for each `write`, when it has the bytes. */
export interface OutputTarget {
  write(bytes: Uint8Array): void;
}

interface SentSlab {
  readonly storage: Uint8Array;
  readonly length: number;
}

/**
 * One connection's output.
 *
 * Invariant: an idle output holds no storage.
 */
export class Output {
  readonly #target: OutputTarget;
  readonly #writer = new ByteWriter(NOTHING, pool);
  /** Storage that the target still reads from, oldest first, and the bytes used of each. Null until the first write. */
  #sent: SentSlab[] | null = null;
  #sentBytes = 0;
  #scheduled = false;

  constructor(target: OutputTarget) {
    this.#target = target;
  }

  /** Where to append; storage is taken at the first use of a turn. */
  get writer(): ByteWriter {
    const writer = this.#writer;
    if (writer.bytes === NOTHING) writer.bytes = pool.take(SMALL_BYTES);
    return writer;
  }

  get pendingBytes(): number {
    return this.#sentBytes + this.#writer.length;
  }

  /** Flush when this turn's callbacks, ticks and promises have run; at once when a slab is full. */
  schedule(): void {
    if (this.#writer.length >= FULL_BYTES) {
      this.flush();
    } else if (!this.#scheduled) {
      this.#scheduled = true; // until the flush
      process.nextTick(flushScheduled, this);
    }
  }

  /** Schedule nothing: whoever says so flushes at the end of its work. */
  gather(): void {
    this.#scheduled = true;
  }

  /** Hand over what is appended. */
  flush(): void {
    this.#scheduled = false;
    const { bytes: storage, length } = this.#writer;
    if (storage === NOTHING) return;
    this.#writer.bytes = NOTHING;
    this.#writer.length = 0;
    if (length === 0) {
      pool.give(storage);
      return;
    }
    (this.#sent ??= []).push({ storage, length });
    this.#sentBytes += length;
    this.#target.write(storage.subarray(0, length));
  }

  /** The target has the bytes of its oldest write. */
  written(): void {
    const oldest = this.#sent?.shift();
    if (oldest === undefined) return;
    this.#sentBytes -= oldest.length;
    pool.give(oldest.storage);
  }

  /** The pipe is gone: forget everything. What the target still reads from is not reused. */
  drop(): void {
    this.#sent = null;
    this.#sentBytes = 0;
    this.#writer.bytes = NOTHING;
    this.#writer.length = 0;
  }
}

function flushScheduled(output: Output): void {
  output.flush();
}
