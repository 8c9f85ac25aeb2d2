/**
 * Reader: chunks to frames (PROTOCOL.md §1), in one loop over each chunk, which stops between two
 * frames when the budget is spent. Owns the bytes of a frame that has not arrived whole, and
 * lengths. Must not know kinds or states.
 *
 *     length u32 | kind u8 | id u32 | payload
 *
 * @module
 */
import type { ReadBudget } from "../../wire/budget.ts";
import { FrameBuffer } from "../../bytes/writer.ts";
import { COUNTED_BYTES, HEADER_BYTES, MAX_EARLY_PAYLOAD, MAX_PAYLOAD, readU32 } from "./frames.ts";

/** Where frames go. */
export interface FrameTarget {
  /**
   * A frame has come; its payload is `bytes[start, end)`, valid until this returns. False: read no
   * further.
   */
  frame(kind: number, id: number, bytes: Uint8Array, start: number, end: number): boolean;
  /** The length of a frame is out of range: read no further. */
  badLength(length: number): void;
}

/** One connection's inbound frames. */
export class Reader {
  readonly #frame = new FrameBuffer();
  /** Where the chunk at hand goes on. */
  #at = 0;
  /** Longest payload that is taken now. */
  maxPayload: number = MAX_EARLY_PAYLOAD;

  /** The session is ready: frames may be longer. */
  open(): void {
    this.maxPayload = MAX_PAYLOAD;
  }

  /** True if a frame has begun and is not complete. */
  get partial(): boolean {
    return this.#frame.length > 0;
  }

  /**
   * Read the chunk from `from` on. Returns how far it was read: less than its length if the budget
   * is spent.
   */
  read(chunk: Uint8Array, from: number, target: FrameTarget, budget: ReadBudget): number {
    const { length } = chunk;
    this.#at = from;
    if (this.#frame.length > 0 && (!this.#resume(chunk, target) || budget.spend(this.#at - from)))
      return this.#at;
    let at = this.#at;
    while (length - at >= 4) {
      const counted = readU32(chunk, at);
      if (counted < COUNTED_BYTES || counted > this.maxPayload + COUNTED_BYTES) {
        this.#stop(chunk);
        target.badLength(counted);
        return length;
      }
      const next = at + 4 + counted;
      if (next > length) break;
      this.#at = next;
      if (
        !target.frame(
          chunk[at + 4] as number,
          readU32(chunk, at + 5),
          chunk,
          at + HEADER_BYTES,
          next,
        )
      ) {
        this.#stop(chunk);
        return length;
      }
      at = next;
      if (budget.spend(counted)) return at;
    }
    this.#at = length;
    if (at < length)
      this.#frame.append(chunk, at, length, length - at < 4 ? undefined : 4 + readU32(chunk, at));
    else if (this.#frame.length === 0) this.#frame.clear();
    return length;
  }

  /** Complete what an earlier chunk began; false: read no further now. */
  #resume(chunk: Uint8Array, target: FrameTarget): boolean {
    const frame = this.#frame;
    if (!this.#fill(chunk, 4)) return false;
    const counted = readU32(frame.bytes, 0);
    if (counted < COUNTED_BYTES || counted > this.maxPayload + COUNTED_BYTES) {
      this.#stop(chunk);
      target.badLength(counted);
      return false;
    }
    if (!this.#fill(chunk, 4 + counted)) return false;
    const bytes = frame.lend();
    const goesOn = target.frame(
      bytes[4] as number,
      readU32(bytes, 5),
      bytes,
      HEADER_BYTES,
      4 + counted,
    );
    frame.takeBack(bytes);
    if (!goesOn) this.#stop(chunk);
    return goesOn;
  }

  /**
   * Append from the chunk until the frame has `count` bytes; false: the chunk is at its end before.
   */
  #fill(chunk: Uint8Array, count: number): boolean {
    const frame = this.#frame;
    const to = Math.min(this.#at + Math.max(0, count - frame.length), chunk.length);
    if (to > this.#at) frame.append(chunk, this.#at, to, count);
    this.#at = to;
    return frame.length >= count;
  }

  #stop(chunk: Uint8Array): void {
    this.#at = chunk.length;
    this.#frame.clear();
  }
}
