/**
 * Assembly: puts a frame of unknown length together from runs of bytes, across chunks, within the
 * limit. Owns what every framing without announced lengths shares: the kept bytes, the stream's
 * offset, oversized and malformed frames. Must not know which bytes end a frame: its owner finds
 * the runs, in the same way while a frame is passed over.
 *
 * @module
 */
import { FrameBuffer } from "../bytes/writer.ts";
import { type FrameSink, malformed, tooLarge, truncated } from "./framing.ts";
import type { FrameLimits, MalformedPolicy } from "../limits.ts";

const NOTHING = new Uint8Array(0);

/**
 * One stream's frames, one after another. All indexes count from the chunk's first byte, and may be
 * negative.
 */
export class Assembly {
  readonly #limits: FrameLimits;
  readonly #onMalformed: MalformedPolicy;
  readonly #kept = new FrameBuffer();
  #state: "open" | "skip" | "dead" = "open";
  /** Stream offset of the chunk. */
  #offset = 0;

  constructor(limits: FrameLimits, onMalformed: MalformedPolicy = "close") {
    this.#limits = limits;
    this.#onMalformed = onMalformed;
  }

  /**
   * True if a damaged frame is passed over: its owner then calls `resume()` where the next frame
   * begins.
   */
  get skipsMalformed(): boolean {
    return this.#onMalformed === "skip";
  }

  /** True if decoding has ended. */
  get dead(): boolean {
    return this.#state === "dead";
  }

  /** True if payload of the begun frame was added, or is passed over. */
  get begun(): boolean {
    return this.#kept.length > 0 || this.#state === "skip";
  }

  /**
   * The payload goes on with `bytes[from, to)`, which stand at index `at` of the chunk; they are
   * copied.
   */
  add(bytes: Uint8Array, from: number, to: number, sink: FrameSink, at: number = from): void {
    if (this.#state !== "open" || from === to) return;
    if (this.#fits(from, to, sink, at))
      this.#kept.append(bytes, from, to, this.#limits.maxFrameBytes);
  }

  /**
   * The payload ends with `bytes[from, to)`: deliver it, or end the passing over. A frame in one
   * run is not copied.
   */
  complete(sink: FrameSink, bytes: Uint8Array = NOTHING, from = 0, to: number = from): void {
    if (this.#state === "open" && this.#fits(from, to, sink, from)) {
      const kept = this.#kept;
      if (kept.length === 0) {
        sink.frame(bytes, from, to);
      } else {
        kept.append(bytes, from, to, kept.length + to - from);
        const { length } = kept;
        const whole = kept.lend();
        sink.frame(whole, 0, length);
        kept.takeBack(whole);
      }
    } else {
      this.resume();
    }
  }

  /** The frame that is passed over, if one is, ends here. */
  resume(): void {
    if (this.#state === "skip") this.#state = "open";
  }

  /**
   * The byte at index `at` is wrong: the frame is passed over, or decoding ends. A frame that is
   * passed over has had its fault already.
   */
  refuse(at: number, detail: string, sink: FrameSink): void {
    if (this.#state !== "open") return;
    this.#die();
    if (this.skipsMalformed) this.#state = "skip";
    sink.fault({ ...malformed(this.#offset + at, detail), fatal: !this.skipsMalformed });
  }

  /** A chunk of `count` bytes is done. */
  advance(count: number): void {
    if (this.#kept.length === 0) this.#kept.clear();
    this.#offset += count;
  }

  /** The stream is over; `partial` says whether inside a frame, and `wanted` what it lacks. */
  end(partial: boolean, wanted: string, sink: FrameSink): void {
    const have = this.#kept.length;
    const cut = partial && this.#state === "open";
    this.#die();
    if (cut) sink.fault(truncated(this.#offset, have, wanted));
  }

  /**
   * True if the payload may go on with the bytes `[from, to)` that stand at index `at`; where not,
   * the fault is reported.
   */
  #fits(from: number, to: number, sink: FrameSink, at: number): boolean {
    const max = this.#limits.maxFrameBytes;
    const have = this.#kept.length;
    if (have + to - from <= max) return true;
    const fault = tooLarge(this.#offset + at + max - have, max + 1, this.#limits, false);
    this.#kept.clear();
    this.#state = fault.fatal ? "dead" : "skip";
    sink.fault(fault);
    return false;
  }

  #die(): void {
    this.#state = "dead";
    this.#kept.clear();
  }
}

/** Bytes looked at one by one before `indexOf`, whose call costs as much as that many steps. */
const NEAR_BYTES = 64;

/**
 * Index of the first `one` or `other` in `bytes[from, …)`, or the length where there is none.
 *
 * Far ones are searched in windows that double, so that the work stays in proportion to the
 * distance of what is found.
 */
export function findEither(bytes: Uint8Array, one: number, other: number, from: number): number {
  const near = Math.min(from + NEAR_BYTES, bytes.length);
  for (let at = from; at < near; at++) if (bytes[at] === one || bytes[at] === other) return at;
  for (let start = near, size = NEAR_BYTES; start < bytes.length; start += size, size *= 2) {
    const window = bytes.subarray(start, start + size);
    const first = window.indexOf(one);
    const second = (first === -1 ? window : window.subarray(0, first)).indexOf(other);
    if (first !== -1 || second !== -1) return start + (second === -1 ? first : second);
  }
  return bytes.length;
}
