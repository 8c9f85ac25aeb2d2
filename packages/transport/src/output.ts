/**
 * Output: what a connection appends in one turn, in a slab of a pool that goes back when the operating system has the bytes.
 * Owns the buffers and the counting of what is not yet written. Must not know what a socket is.
 *
 * @module
 */
import process from "node:process";
import { ByteWriter } from "@hawser/protocol";

/** Bytes of a slab, and of the largest write that a turn makes of small messages. Measured: bench/HISTORY.md. */
export const SLAB_BYTES = 65_536;
/** Free slabs that are kept; above it they are left to the garbage collector. */
const KEPT_SLABS = 16;

/** Slabs that no connection is using. */
export class SlabPool {
  readonly #free: Uint8Array[] = [];

  take(): Uint8Array {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
  }

  /** Take a slab back; storage that is not of a slab's size is dropped. */
  give(storage: Uint8Array): void {
    if (storage.length === SLAB_BYTES && this.#free.length < KEPT_SLABS) this.#free.push(storage);
  }
}

/**
 * The pool of this process.
 * Module-level on purpose: blank slabs have no state that two users could see, and one pool is what keeps memory low.
 */
const pool = new SlabPool();

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
  readonly #writer = new ByteWriter(NOTHING);
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
    if (writer.bytes === NOTHING) writer.bytes = pool.take();
    return writer;
  }

  get pendingBytes(): number {
    return this.#sentBytes + this.#writer.length;
  }

  /** Flush when this turn's callbacks, ticks and promises have run; at once when a slab is full. */
  schedule(): void {
    if (this.#writer.length >= SLAB_BYTES) {
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
