/**
 * Link: the connection at hand as the parts of a session see it: where to write, what the peer
 * takes, how to end it all. Owns writing one message with a body, and what callbacks throw. Must
 * not know conversations or events.
 *
 * @module
 */
import { type Body, BodyEncoder } from "../codec/body.ts";
import { ByteWriter } from "../bytes/writer.ts";
import type { Issue } from "../contract/check.ts";
import type { MessageEntry, Side } from "../contract/contract.ts";
import { type ErrorCode, HawserError, readHawserError } from "../errors.ts";
import { utf8Write } from "../bytes/utf8.ts";
import { invalid } from "./frames/failure.ts";
import { HEADER_BYTES, MAX_PAYLOAD, sealFrame, WINDOW } from "./frames/frames.ts";
import { Budget } from "./calls/budget.ts";
import type { SessionLimits } from "./limits.ts";
import { type Lane, Outbox } from "./outbox.ts";
import { NOBODY, type Peer } from "./handshake/peer.ts";
import { plain } from "./quote.ts";
import type { SessionSink } from "./types.ts";
import { Window } from "./window.ts";

/**
 * Bytes of output above which the driver is told at once, and not at the end of a chunk: what is
 * answered to the first half of a large chunk may leave while the second is read.
 */
const FULL_BYTES = 8_192;

const EMPTY = new Uint8Array(0);
/** Credit never exceeds this (PROTOCOL.md §5). */
export const MAX_CREDIT = 0x7fff_ffff;

/** A conversation whose program asks for an item that there is no memory for. */
interface Hungry {
  feed(): void;
}

/** Ends a link for a broken rule. */
export type Violate = (code: ErrorCode, message: string) => void;

/** Throws where the session's state does not let this side send such a message. */
export type Admit = (input: "emit" | "open" | "retain", entry: MessageEntry) => void;

/** One session's connections, one after another. */
export class Link {
  readonly side: Side;
  readonly limits: SessionLimits;
  readonly sink: SessionSink;
  /** The contract's messages, by their index. */
  readonly entries: readonly MessageEntry[];
  /** Ends the session with CLOSE: the peer broke a rule. */
  readonly violate: Violate;
  readonly #admit: Admit;
  readonly outbox: Outbox = new Outbox();
  /** Where frames go; a writer that nobody reads while there is no connection. */
  output: ByteWriter = new ByteWriter();
  /** True if the peer reads messages: the handshake is over, and the connection there. */
  attached = false;
  peer: Peer = NOBODY;
  /** The session's origin: 32 hexadecimal digits, or `""` before the first handshake. */
  origin = "";
  /** The items of all streams that the peer may send. */
  readonly items: Window;
  /** Memory of the inputs that handlers have, and of the items that were given to programs. */
  readonly inputs: Budget;
  readonly hands: Budget;
  /** Conversations whose next item waits for the second. */
  readonly #hungry = new Set<Hungry>();
  /** Cost of those items that wait encoded. */
  undecoded = 0;
  /** Bytes that the connections have brought. */
  receivedBytes = 0;
  /** The last instant that the session was told. */
  nowMs = 0;
  /** Changes with each connection, and when one ends. */
  epoch = 0;
  /** Changes with the session's state. */
  moves = 0;
  /** The storage of the message at hand, where it came in pieces: it may keep it. */
  joined: Uint8Array | null = null;
  /** What is wrong with the body that was read last; null: nothing. */
  issue: Issue | null = null;
  readonly #bodies = new BodyEncoder();
  /** The rest of the body at hand, which is sent from where it is. */
  #uncopied: Uint8Array = EMPTY;
  /** Number of calls of the driver that are under way, one within another. */
  #depth = 0;
  #wrote = false;
  #thrown: { readonly error: unknown } | null = null;

  constructor(
    side: Side,
    entries: readonly MessageEntry[],
    limits: SessionLimits,
    sink: SessionSink,
    violate: Violate,
    admit: Admit,
  ) {
    this.side = side;
    this.entries = entries;
    this.limits = limits;
    this.sink = sink;
    this.violate = violate;
    this.#admit = admit;
    this.inputs = new Budget(limits.maxDecodedBytes);
    this.hands = new Budget(limits.maxDecodedBytes);
    this.items = new Window(this, WINDOW, limits.connectionWindowBytes);
  }

  /** The connection is over: what is written from now on goes nowhere. */
  detach(): void {
    this.output = new ByteWriter();
    this.attached = false;
    this.epoch++;
    this.outbox.clear();
  }

  /**
   * What goes out for a value that this side opens a conversation with, or emits: checked, then
   * encoded. Both run the program's code; the state is looked at before and after.
   *
   * `checked` is called between the two.
   *
   * @throws {HawserError} `code` where the schema refuses the value; PAYLOAD_FORBIDDEN; what the
   *   state says; NOT_SENT where the connection has changed meanwhile, except for `"retain"`
   * @throws what `checked` throws
   */
  prepare(
    input: "emit" | "open" | "retain",
    entry: MessageEntry,
    value: unknown,
    code: "EVENT_INVALID" | "INPUT_INVALID",
    checked: (() => void) | null = null,
  ): Body {
    const { epoch, moves } = this;
    const issue = entry.input.outbound(value);
    if (issue !== null) throw invalid(code, `${cannot(input, entry)} with this`, "local", issue);
    checked?.();
    const body = this.encode(entry, value);
    if (moves !== this.moves) this.#moved(input, entry, epoch);
    return body;
  }

  /**
   * The program's code has changed the session's state: throws where nothing can be sent any more.
   */
  #moved(input: "emit" | "open" | "retain", entry: MessageEntry, epoch: number): void {
    this.#admit(input, entry);
    if (epoch !== this.epoch && input !== "retain")
      throw new HawserError(
        "NOT_SENT",
        `${cannot(input, entry)}: the connection was lost while it was encoded`,
      );
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

  /** The peer gives credit for the items of all streams. */
  windowed(bytes: number): void {
    const { outbox } = this;
    if (outbox.window === Infinity) return; // the peer does not count
    if (outbox.window + bytes > MAX_CREDIT) {
      this.violate("FLOW_VIOLATION", `gave more credit than ${String(MAX_CREDIT)} bytes`);
      return;
    }
    outbox.window += bytes;
    this.pump();
  }

  /** A conversation's next item is decoded when there is memory for it. */
  hunger(hungry: Hungry): void {
    this.#hungry.add(hungry);
  }

  /** Programs are done with items that took so much memory. */
  putDown(bytes: number): void {
    this.hands.release(bytes);
    if (this.#hungry.size === 0) return;
    const waiting = [...this.#hungry];
    this.#hungry.clear();
    // those that there is no memory for are hungry again
    for (const hungry of waiting) hungry.feed();
  }

  /** Move what may move into the output. */
  pump(): void {
    const before = this.output.length;
    this.outbox.pump(this.output, MAX_PAYLOAD);
    if (this.output.length > before) this.wrote();
  }

  /**
   * What the codec makes of a value. Called before a frame is opened: this runs the program's code,
   * which may send, end the session, or lose the connection, so the caller looks at its state again
   * before it writes. Write the body before the next one is encoded.
   *
   * @throws {HawserError} PAYLOAD_FORBIDDEN
   */
  encode(entry: MessageEntry, value: unknown): Body {
    if (value === undefined) return "";
    const { codec } = entry;
    try {
      return codec.text === undefined ? this.#bodies.encode(codec, value) : codec.text(value);
    } catch (cause) {
      throw readHawserError(cause) ?? forbidden(entry, cause);
    }
  }

  /**
   * Append a body behind what was written since `start`; where this throws, the output is truncated
   * to `start`. Returns the body's bytes.
   *
   * @throws {HawserError} PAYLOAD_FORBIDDEN, PAYLOAD_TOO_LARGE
   */
  body(start: number, entry: MessageEntry, body: Body, output: ByteWriter = this.output): number {
    const from = output.length;
    if (typeof body !== "string") {
      output.append(body);
    } else if (!utf8Write(body, output)) {
      output.truncate(start);
      throw forbidden(
        entry,
        new TypeError("The codec's text has a lone surrogate, which has no UTF-8"),
      );
    }
    const length = output.length - from;
    this.checkBody(start, entry, length, output);
    return length;
  }

  /**
   * As `body`, for a message that `seal` or `queue` sends next: what is too long for one frame, and
   * need not be copied, is left where it is.
   *
   * @throws {HawserError} as `body` does
   */
  write(start: number, entry: MessageEntry, body: Body): number {
    const { length } = body;
    if (typeof body === "string" || length <= MAX_PAYLOAD || entry.codec.uncopied !== true)
      return this.body(start, entry, body);
    this.checkBody(start, entry, length, this.output);
    this.#uncopied = body;
    return length;
  }

  checkBody(start: number, entry: MessageEntry, length: number, output: ByteWriter): void {
    const most = this.peer.limits.maxMessageBytes;
    if (length <= most) return;
    output.truncate(start);
    throw new HawserError(
      "PAYLOAD_TOO_LARGE",
      `Cannot send "${plain(entry.name, 60)}" with ${String(length)} bytes: the peer takes at ` +
        `most ${String(most)} (its maxMessageBytes)`,
    );
  }

  /** True if what was written since `start` is not too large for one frame. */
  fits(start: number): boolean {
    return this.output.length - start - HEADER_BYTES <= MAX_PAYLOAD && this.#uncopied.length === 0;
  }

  /**
   * Complete the frame at `start` if it may go as it is: true. False: it is too large for one
   * frame.
   */
  seal(start: number): boolean {
    if (!this.fits(start)) return false;
    this.finish(start);
    return true;
  }

  /** Complete the frame at `start`, which fits. */
  finish(start: number): void {
    sealFrame(this.output, start);
    this.wrote();
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

  /** Throws where no more may wait: nothing at all, or not `bytes` more. */
  checkRoom(bytes = 1): void {
    if (this.outbox.queuedBytes + this.output.length + bytes > this.limits.maxQueuedBytes)
      throw this.full();
  }

  full(): HawserError {
    return new HawserError(
      "WRITE_BUFFER_FULL",
      `More than maxQueuedBytes (${String(this.limits.maxQueuedBytes)}) wait to be sent: the ` +
        "peer reads slower than this side sends",
    );
  }

  #tell(): void {
    try {
      this.sink.wrote();
    } catch (error) {
      this.caught(error);
    }
  }
}

/**
 * The body of a message's value; undefined is the empty one.
 *
 * @throws {HawserError} PAYLOAD_FORBIDDEN
 */
export function encodeValue(bodies: BodyEncoder, entry: MessageEntry, value: unknown): Body {
  if (value === undefined) return "";
  try {
    return bodies.encode(entry.codec, value);
  } catch (cause) {
    throw readHawserError(cause) ?? forbidden(entry, cause);
  }
}

function cannot(input: "emit" | "open" | "retain", entry: MessageEntry): string {
  return `Cannot ${input === "open" ? "call" : "emit"} "${plain(entry.name, 60)}"`;
}

function forbidden(entry: MessageEntry, cause: unknown): HawserError {
  return new HawserError(
    "PAYLOAD_FORBIDDEN",
    `Cannot send "${plain(entry.name, 60)}": ${entry.codec.name}() can't encode what it carries`,
    { cause },
  );
}
