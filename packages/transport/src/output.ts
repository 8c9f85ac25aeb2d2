/**
 * Output: what a connection appends in one turn, in storage of a pool that goes back when the
 * operating system has the bytes. Owns the buffers and the counting of what is not yet written.
 * Must not know what a socket is.
 *
 * @module
 */
import { ByteWriter } from "@hawser/protocol";
import type { StorageSource } from "@hawser/protocol/engine";
import { laterTurn } from "./clock.ts";

/**
 * Bytes of the storage that a turn's output begins in: most turns of most connections send no more.
 */
const SMALL_BYTES = 4_096;
/** Bytes of a slab, which is also the largest write that a turn makes of small messages. */
const SLAB_BYTES = 65_536;
/** Bytes from which a slab is full: sent before the next message makes it grow. */
const FULL_BYTES = SLAB_BYTES - 4 * SMALL_BYTES;
/** Larger storage, of large messages, is kept up to this size. */
const LARGE_BYTES = 4_194_304;
/**
 * Pieces of storage that are kept of each kind: some megabytes. What is above it is left to the
 * garbage collector.
 */
const KEPT = Object.freeze({ small: 1_024, slabs: 64 });
/** And of large storage, in bytes. */
const KEPT_LARGE_BYTES = 8_388_608;

/**
 * Storage that no connection is using: a page fault for each page of fresh storage costs more than
 * filling it. Measured: bench/HISTORY.md.
 */
class StoragePool implements StorageSource {
  readonly #small: Uint8Array[] = [];
  readonly #slabs: Uint8Array[] = [];
  readonly #large: Uint8Array[] = [];
  #largeBytes = 0;

  take(bytes: number): Uint8Array {
    if (bytes <= SMALL_BYTES) return this.#small.pop() ?? Buffer.allocUnsafeSlow(SMALL_BYTES);
    if (bytes <= SLAB_BYTES) return this.#slabs.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
    const kept = this.#large.findLastIndex((storage) => storage.length >= bytes);
    const [storage = Buffer.allocUnsafeSlow(bytes)] = this.#large.splice(kept, kept === -1 ? 0 : 1);
    if (kept !== -1) this.#largeBytes -= storage.length;
    return storage;
  }

  give(storage: Uint8Array): void {
    const { length } = storage;
    if (length === SMALL_BYTES) keep(this.#small, storage, KEPT.small);
    else if (length === SLAB_BYTES) keep(this.#slabs, storage, KEPT.slabs);
    else if (
      length > SLAB_BYTES &&
      length <= LARGE_BYTES &&
      this.#largeBytes + length <= KEPT_LARGE_BYTES
    ) {
      this.#large.push(storage);
      this.#largeBytes += length;
    }
  }
}

function keep(pool: Uint8Array[], storage: Uint8Array, most: number): void {
  if (pool.length < most) pool.push(storage);
}

/**
 * The pool of this process. Module-level on purpose: blank storage has no state that two users
 * could see, and one pool is what keeps memory low.
 */
const pool: StorageSource = new StoragePool();

/** A Buffer, as all storage of the pool: the engine then has one kind of array to expect. */
const NOTHING = Buffer.allocUnsafeSlow(0);

/** What an output writes to. */
export interface OutputTarget {
  /**
   * Take the bytes. True when the operating system has them already; otherwise `written()` is
   * called later, in the order of the writes.
   */
  write(bytes: Uint8Array): boolean;
  /**
   * The write that said true is accounted for: whoever waits for `pendingBytes` to fall may be
   * told, and may append and flush again.
   */
  taken(): void;
  /**
   * Call `flushDue()` when this turn has read what there was to read: {@link flushAtEndOfTurn},
   * unless time is injected.
   */
  flushLater(output: Output): void;
}

/**
 * What many outputs send in a turn, written once: each holds a range of it, and no copy.
 * Whoever fills it appends while it is not `sealed`, and begins another then.
 */
export class SharedOutput extends ByteWriter {
  /** Set when an output has sent from it. */
  sealed = false;
  #view: Uint8Array = NOTHING;
  #from = -1;

  constructor() {
    super(NOTHING, pool);
  }

  /** `bytes[from, to)` as it will stay; the same view for all that send the same range. */
  seal(from: number, to: number): Uint8Array {
    this.sealed = true;
    if (this.#from !== from || this.#view.length !== to - from) {
      this.#view = this.bytes.subarray(from, to);
      this.#from = from;
    }
    return this.#view;
  }
}

interface SentSlab {
  readonly storage: Uint8Array;
  readonly length: number;
}

/**
 * One connection's output: what it appends leaves in one write, when this turn of the event loop
 * has read what there was to read.
 *
 * Waiting for the others' reads costs nothing and spares the peers' wake-ups: measured,
 * bench/HISTORY.md. Invariant: an idle output holds no storage.
 */
export class Output extends ByteWriter {
  readonly #target: OutputTarget;
  /**
   * Storage that the target still reads from, oldest first, and the bytes used of each. Null until
   * the first write.
   */
  #sent: SentSlab[] | null = null;
  #sentBytes = 0;
  #scheduled = false;
  /**
   * Before `bytes` and `text`, which are empty when it is set: a range of what others send, too.
   */
  #shared: SharedOutput | null = null;
  #from = 0;
  #to = 0;

  constructor(target: OutputTarget) {
    super(NOTHING, pool);
    this.#target = target;
  }

  /** Bytes that the target has not taken yet. */
  get pendingBytes(): number {
    if (this.text !== "") this.settle();
    return this.#sentBytes + this.#to - this.#from + this.length;
  }

  /**
   * True if `pendingBytes` is above `limit`; does not encode what is joined where the answer is
   * plain without.
   */
  exceeds(limit: number): boolean {
    const characters = this.text.length;
    const atLeast = this.#sentBytes + this.#to - this.#from + this.length + characters;
    if (atLeast > limit) return true;
    return atLeast + 2 * characters > limit && this.pendingBytes > limit;
  }

  /**
   * Append `shared.bytes[from, to)`, without a copy where nothing else is appended in this turn.
   */
  share(shared: SharedOutput, from: number, to: number): void {
    const isEmpty = this.length === 0 && this.text === "";
    if (isEmpty && this.#shared === null) {
      this.unsettled = true;
      this.#shared = shared;
      this.#from = from;
      this.#to = to;
    } else if (isEmpty && this.#shared === shared && this.#to === from) {
      this.#to = to;
    } else {
      this.append(shared.bytes, from, to);
    }
  }

  override settle(): void {
    if (this.#shared !== null) this.#unshare(this.#shared);
    super.settle();
  }

  /** Flush at the end of this turn; at once when a slab is full. */
  schedule(): void {
    if (this.length + this.#to - this.#from >= FULL_BYTES) {
      this.flush();
    } else if (!this.#scheduled) {
      this.#scheduled = true;
      this.#target.flushLater(this);
    }
  }

  /** Schedule what was appended, and tell whether no more than `highBytes` wait now. */
  commit(highBytes: number): boolean {
    const most = this.#sentBytes + this.#to - this.#from + this.length + this.text.length * 3;
    // for most messages of a turn there is nothing to do
    if (this.#scheduled && most <= highBytes && most < FULL_BYTES) return true;
    this.schedule();
    return !this.exceeds(highBytes);
  }

  /** Hand over what is appended. */
  flush(): void {
    if (this.#shared !== null && this.length === 0 && this.text === "") {
      this.#flushShared(this.#shared);
      return;
    }
    this.settle();
    const { bytes: storage, length } = this;
    if (storage === NOTHING) return;
    this.bytes = NOTHING;
    this.length = 0;
    if (length === 0) {
      pool.give(storage);
      return;
    }
    this.#hand(storage.subarray(0, length), storage);
  }

  /** Flush at the end of a turn: a schedule has come due. */
  flushDue(): void {
    this.#scheduled = false;
    this.flush();
  }

  /** The operating system has the bytes of the oldest write that it did not take at once. */
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
    this.#forgetShared();
    this.takeText();
    this.bytes = NOTHING;
    this.length = 0;
  }

  /** Copy the shared range, since something follows it. */
  #unshare(shared: SharedOutput): void {
    const text = this.takeText();
    const [from, to] = [this.#from, this.#to];
    this.#forgetShared();
    this.append(shared.bytes, from, to);
    if (text !== "") this.join(text);
  }

  #flushShared(shared: SharedOutput): void {
    const view = shared.seal(this.#from, this.#to);
    this.#forgetShared();
    this.#hand(view, NOTHING);
  }

  #forgetShared(): void {
    this.#shared = null;
    this.#from = this.#to = 0;
  }

  /** Give bytes to the target; `storage` is what goes back to the pool when the system has them. */
  #hand(bytes: Uint8Array, storage: Uint8Array): void {
    if (this.#target.write(bytes)) {
      pool.give(storage);
      this.#target.taken();
    } else {
      (this.#sent ??= []).push({ storage, length: bytes.length });
      this.#sentBytes += bytes.length;
    }
  }
}

/**
 * The outputs that have something to send in this turn. Module-level on purpose: a turn is the
 * process's.
 */
let due: Output[] = [];

/** Flush an output with all others of this turn, after what the turn reads. */
export function flushAtEndOfTurn(output: Output): void {
  if (due.push(output) === 1) laterTurn(flushAll);
}

/** Bytes that were read since the last flush. Module-level as `due` is. */
let readBytes = 0;

/**
 * Bytes of reading that output waits for: libuv reads up to 32 times from a socket in one turn,
 * which may take 30 ms of messages.
 */
const PATIENCE_BYTES = 524_288;

/**
 * A read of so many bytes is done: where a turn reads very much, its output does not wait for the
 * rest.
 */
export function countRead(bytes: number): void {
  readBytes += bytes;
  if (readBytes > PATIENCE_BYTES && due.length > 0) flushAll();
}

function flushAll(): void {
  const outputs = due;
  due = [];
  readBytes = 0;
  for (const output of outputs) output.flushDue();
}
