/**
 * What one connection is sent: texts become frames in the output, or wait here while the output is
 * full. Owns the order of what is sent, what may wait, and what is known to have left. Must not
 * know what the texts mean.
 *
 * @module
 */
import { ByteWriter } from "../bytes/writer.ts";
import { HawserError, readHawserError } from "../errors.ts";
import { type FrameEncoder, openFrame } from "../framing/framing.ts";
import { Fifo } from "../session/fifo.ts";
import type { Settled } from "../session/types.ts";
import { utf8Write } from "../bytes/utf8.ts";
import type { Context } from "./context.ts";

/** Bytes of output above which the next frame waits. */
const HIGH_BYTES = 65_536;
/** Bytes of output above which the driver is told at once, and not at the end of its call. */
const FULL_BYTES = 49_152;
/**
 * What answers that must be given may go over `maxQueuedBytes`: they are small, but a peer that
 * never reads must not have many.
 */
const SLACK_BYTES = 65_536;

/** A frame that is not in the output, or not all of it. */
export interface Waiting {
  /** Empty when it was taken back. */
  bytes: Uint8Array;
  /** Number of them that are in the output. */
  at: number;
  /** Told when the frame has left this queue; null: nobody is. */
  settled: Settled | null;
}

export class Outbox {
  readonly #output: ByteWriter;
  readonly #encoder: FrameEncoder;
  readonly #context: Context;
  readonly #waiting = new Fifo<Waiting>();
  /** Bytes of frames that wait here. */
  #waitingBytes = 0;
  /** Bytes of answers that wait for the rest of their batch. */
  batchedBytes = 0;
  /** Bytes of requests that wait for their turn. */
  queuedCallBytes = 0;

  constructor(output: ByteWriter, context: Context) {
    const { dialect, limits } = context;
    this.#output = output;
    this.#encoder = dialect.framing.encoder({ maxFrameBytes: limits.maxMessageBytes });
    this.#context = context;
  }

  /** Bytes that wait, and are not in the output. */
  get queuedBytes(): number {
    return this.#waitingBytes + this.batchedBytes + this.queuedCallBytes;
  }

  /** True if something waits for room in the output. */
  get waits(): boolean {
    return this.#waiting.length > 0;
  }

  /**
   * Send a message: null when it is in the output, else the frame that waits. Nothing is sent when
   * this throws.
   *
   * @throws {HawserError} PAYLOAD_TOO_LARGE, PAYLOAD_FORBIDDEN, WRITE_BUFFER_FULL
   */
  put(message: Uint8Array | string, settled: Settled | null = null): Waiting | null {
    const { maxMessageBytes, maxQueuedBytes } = this.#context.limits;
    this.checkRoom(0, maxQueuedBytes);
    return this.#put(message, settled, maxMessageBytes, maxQueuedBytes);
  }

  /**
   * Send an answer that the peer must have, whatever its size.
   *
   * @throws {HawserError} PAYLOAD_FORBIDDEN when the framing can't carry it; WRITE_BUFFER_FULL when
   *   too much waits already
   */
  putAnswer(message: Uint8Array | string): void {
    this.checkRoom(0);
    this.#put(message, null, Infinity, Infinity);
  }

  /**
   * True if so many bytes more may wait. Answers that must be given have a little more room.
   *
   * @throws {HawserError} WRITE_BUFFER_FULL
   */
  checkRoom(bytes: number, most: number = this.#context.limits.maxQueuedBytes + SLACK_BYTES): void {
    if (this.queuedBytes + this.#output.length + bytes <= most) return;
    throw new HawserError(
      "WRITE_BUFFER_FULL",
      `More than maxQueuedBytes (${String(this.#context.limits.maxQueuedBytes)}) wait to be ` +
        "sent: the peer reads slower than this side sends",
    );
  }

  /** Take a frame back, unless some of it is in the output already: then false. */
  takeBack(waiting: Waiting): boolean {
    if (waiting.at > 0) return false;
    this.#waitingBytes -= waiting.bytes.length;
    waiting.bytes = new Uint8Array(0);
    return true;
  }

  /**
   * Nobody waits for this event any more: take its frame back, unless some of it has left. Null: it
   * does not wait.
   */
  withdraw(settled: Settled): "not-sent" | "unknown" | null {
    const waiting = this.#waiting.toArray().find((each) => each.settled === settled);
    if (waiting === undefined) return null;
    waiting.settled = null;
    return this.takeBack(waiting) ? "not-sent" : "unknown";
  }

  /** Fill the output up to `highBytes`. Returns the frames that have left with somebody to tell. */
  transmit(highBytes: number): Waiting[] {
    const output = this.#output;
    const before = output.length;
    const left: Waiting[] = [];
    for (let waiting = this.#waiting.first; waiting !== undefined; waiting = this.#waiting.first) {
      const end = Math.min(
        waiting.bytes.length,
        waiting.at + Math.max(0, highBytes - output.length),
      );
      output.append(waiting.bytes, waiting.at, end);
      this.#waitingBytes -= end - waiting.at;
      waiting.at = end;
      if (end < waiting.bytes.length) break;
      this.#waiting.shift();
      if (waiting.settled !== null) left.push(waiting);
    }
    if (output.length > before) this.#context.turn.wrote();
    return left;
  }

  /** Drop what waits. Returns the frames with somebody to tell: they have not been sent whole. */
  clear(): Waiting[] {
    const dropped = this.#waiting.toArray();
    this.#waiting.clear();
    this.#waitingBytes = 0;
    return dropped.filter(({ settled }) => settled !== null);
  }

  #put(
    message: Uint8Array | string,
    settled: Settled | null,
    maxMessageBytes: number,
    maxQueuedBytes: number,
  ): Waiting | null {
    const { turn } = this.#context;
    if (!this.waits && this.#output.length < HIGH_BYTES) {
      this.#encode(message, this.#output, maxMessageBytes);
      turn.wrote();
      if (this.#output.length >= FULL_BYTES) turn.tell();
      return null;
    }
    const frame = new ByteWriter();
    this.#encode(message, frame, maxMessageBytes);
    this.checkRoom(frame.length, maxQueuedBytes);
    const waiting: Waiting = { bytes: frame.copy(), at: 0, settled };
    this.#waitingBytes += waiting.bytes.length;
    this.#waiting.push(waiting);
    turn.wrote();
    return waiting;
  }

  /** Append the message's frame, or throw a HawserError with the output as it was. */
  #encode(message: Uint8Array | string, output: ByteWriter, maxMessageBytes: number): void {
    checkSize(message.length, maxMessageBytes); // a text has at least as many bytes as units
    const encoder = this.#encoder;
    const start = openFrame(encoder, output);
    try {
      if (typeof message === "string")
        utf8Write(message, output); // JSON.stringify leaves no lone surrogate
      else output.append(message);
      checkSize(output.length - start - encoder.headerBytes, maxMessageBytes);
      encoder.seal(output, start);
    } catch (cause) {
      output.truncate(start);
      const own = readHawserError(cause);
      if (own !== null) throw own;
      throw new HawserError(
        "PAYLOAD_FORBIDDEN",
        `Cannot send a message: ${this.#context.dialect.framing.name} can't carry it`,
        { cause },
      );
    }
  }
}

/** @throws {HawserError} PAYLOAD_TOO_LARGE */
export function checkSize(size: number, maxMessageBytes: number): void {
  if (size <= maxMessageBytes) return;
  throw new HawserError(
    "PAYLOAD_TOO_LARGE",
    `Cannot send a message of ${String(size)} bytes or more: maxMessageBytes is ` +
      `${String(maxMessageBytes)}; raise it on both ends, or send less`,
  );
}
