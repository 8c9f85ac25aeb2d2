/**
 * Link: the connection at hand as the parts of a session see it: where to write, what the peer takes, how to end it all.
 * Owns writing one message with a body, and what callbacks throw. Must not know conversations or events.
 *
 * @module
 */
import { ByteWriter } from "../bytes.ts";
import type { Codec } from "../codec.ts";
import type { MessageEntry, Side } from "../contract.ts";
import { type ErrorCode, HawserError, isHawserError } from "../errors.ts";
import { utf8Write } from "../utf8.ts";
import { HEADER_BYTES, MAX_PAYLOAD, sealFrame } from "./frames.ts";
import type { SessionLimits } from "./limits.ts";
import { type Lane, Outbox } from "./outbox.ts";
import { NOBODY, type Peer } from "./peer.ts";
import { plain } from "./quote.ts";
import type { SessionSink } from "./types.ts";

/**
 * Bytes of output above which the driver is told at once, and not at the end of a chunk: what is answered to the first half of a large
 * chunk may leave while the second is read.
 */
const FULL_BYTES = 8_192;

const EMPTY = new Uint8Array(0);

/** How a link ends for a broken rule. */
export type Violate = (code: ErrorCode, message: string) => void;

/** One session's connections, one after another. */
export class Link {
  readonly side: Side;
  readonly limits: SessionLimits;
  readonly sink: SessionSink;
  /** Ends the session with CLOSE: the peer broke a rule. */
  readonly violate: Violate;
  readonly outbox: Outbox = new Outbox();
  /** Where frames go; a writer that nobody reads while there is no connection. */
  output: ByteWriter = new ByteWriter();
  /** Whether the peer reads messages: the handshake is over, and the connection there. */
  attached = false;
  peer: Peer = NOBODY;
  /** The last instant that the session was told. */
  nowMs = 0;
  /** Changes with each connection, and when one ends. */
  epoch = 0;
  /** The storage of the message at hand, where it came in pieces: it may keep it. */
  joined: Uint8Array | null = null;
  /** The rest of the body at hand, which is sent from where it is. */
  #uncopied: Uint8Array = EMPTY;
  /** How many calls of the driver are under way, one within another. */
  #depth = 0;
  #wrote = false;
  #thrown: { readonly error: unknown } | null = null;

  constructor(side: Side, limits: SessionLimits, sink: SessionSink, violate: Violate) {
    this.side = side;
    this.limits = limits;
    this.sink = sink;
    this.violate = violate;
  }

  /** The connection is over: what is written from now on goes nowhere. */
  detach(): void {
    this.output = new ByteWriter();
    this.attached = false;
    this.epoch++;
    this.outbox.clear();
  }

  /** A call of the driver begins; pairs with `leave`. */
  enter(): void {
    this.#depth++;
  }

  /** It ends: tell of what was written meanwhile, and throw what a callback threw. */
  leave(): void {
    if (--this.#depth > 0) return;
    if (this.#wrote) {
      this.#wrote = false;
      this.#tell();
    }
    if (this.#thrown !== null) {
      const { error } = this.#thrown;
      this.#thrown = null;
      throw error;
    }
  }

  /** A callback threw: its error comes out of the driver's call. */
  caught(error: unknown): void {
    this.#thrown ??= { error };
  }

  /** Something is in the output. */
  wrote(): void {
    if (this.#depth > 0 && this.output.length < FULL_BYTES) this.#wrote = true;
    else this.#tell();
  }

  /** Move what may move into the output. */
  pump(): void {
    const before = this.output.length;
    this.outbox.pump(this.output, MAX_PAYLOAD);
    if (this.output.length > before) this.wrote();
  }

  /**
   * Append a body behind what was written since `start`; where this throws, the output is truncated to `start`.
   * Returns the body's text, or null where its codec has none.
   *
   * @throws {HawserError} PAYLOAD_FORBIDDEN, PAYLOAD_TOO_LARGE
   */
  body(start: number, entry: MessageEntry, value: unknown, output: ByteWriter = this.output): string | null {
    const from = output.length;
    let text: string | null;
    try {
      text = encode(entry.codec, value, output);
    } catch (cause) {
      output.truncate(start);
      throw isHawserError(cause) ? cause : new HawserError("PAYLOAD_FORBIDDEN", `Cannot send "${plain(entry.name, 60)}": ${entry.codec.name}() can't encode what it carries`, { cause });
    }
    this.checkBody(start, entry, output.length - from, output);
    return text;
  }

  /**
   * As `body`, for a message that `seal` or `queue` sends next: what is too long for one frame, and need not be copied, is left where it is.
   * Returns the body's bytes.
   *
   * @throws {HawserError} as `body` does
   */
  write(start: number, entry: MessageEntry, value: unknown): number {
    const { output } = this;
    const view = entry.codec.view?.(value) ?? null;
    if (view !== null && view.length > MAX_PAYLOAD) {
      this.checkBody(start, entry, view.length);
      this.#uncopied = view;
      return view.length;
    }
    const from = output.length;
    this.body(start, entry, value);
    return output.length - from;
  }

  /** As `body`, for a body of `length` bytes that is written already. */
  checkBody(start: number, entry: MessageEntry, length: number, output: ByteWriter = this.output): void {
    const most = this.peer.limits.maxMessageBytes;
    if (length <= most) return;
    output.truncate(start);
    throw new HawserError("PAYLOAD_TOO_LARGE", `Cannot send "${plain(entry.name, 60)}" with ${String(length)} bytes: the peer takes at most ${String(most)} (its maxMessageBytes)`);
  }

  /** Complete the frame at `start` if it may go as it is: true. False: it is too large for one frame. */
  seal(start: number): boolean {
    const { output } = this;
    if (output.length - start - HEADER_BYTES > MAX_PAYLOAD || this.#uncopied.length > 0) return false;
    sealFrame(output, start);
    this.wrote();
    return true;
  }

  /**
   * Take the frame at `start` out of the output and put it into a lane; what may move, moves.
   *
   * @throws {HawserError} WRITE_BUFFER_FULL; the output is truncated to `start`
   */
  queue(start: number, kind: number, lane: Lane, cost: number, tag: unknown = null): void {
    const { output, outbox, limits } = this;
    const rest = this.#uncopied;
    this.#uncopied = EMPTY;
    const counted = output.length - start - HEADER_BYTES + rest.length;
    if (outbox.queuedBytes + output.length + rest.length > limits.maxQueuedBytes) {
      output.truncate(start);
      throw this.full();
    }
    const payload = output.split(start + HEADER_BYTES);
    output.truncate(start);
    outbox.push(lane, { kind, payload, rest, cost, counted, tag });
    this.pump();
  }

  /** Throws where no more may wait. */
  checkRoom(): void {
    if (this.outbox.queuedBytes + this.output.length >= this.limits.maxQueuedBytes) throw this.full();
  }

  full(): HawserError {
    return new HawserError("WRITE_BUFFER_FULL", `More than maxQueuedBytes (${String(this.limits.maxQueuedBytes)}) wait to be sent: the peer reads slower than this side sends`);
  }

  #tell(): void {
    try {
      this.sink.wrote();
    } catch (error) {
      this.caught(error);
    }
  }
}

function encode(codec: Codec<unknown>, value: unknown, output: ByteWriter): string | null {
  if (value === undefined) return "";
  if (codec.text === undefined) {
    codec.encode(value, output);
    return null;
  }
  const text = codec.text(value);
  if (!utf8Write(text, output)) throw new TypeError("The codec's text has a lone surrogate, which has no UTF-8");
  return text;
}
