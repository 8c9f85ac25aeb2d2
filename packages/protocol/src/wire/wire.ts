/**
 * A wire: framing, codec and sentinel composed into a stream of messages, without I/O. Owns the
 * order in which a stream is taken apart (frame, sentinel, codec) and put together, and the end of
 * a conversation. Must not know sockets, time, or who listens.
 *
 * @module
 */
import { checkOptions } from "../arguments.ts";
import { type Body, BodyEncoder } from "../codec/body.ts";
import { type ReadBudget, unlimitedBudget } from "./budget.ts";
import type { ByteWriter } from "../bytes/writer.ts";
import { type Codec, flawOfCodec, type PieceDecoder } from "../codec/codec.ts";
import { HawserError, readHawserError } from "../errors.ts";
import {
  checkFraming,
  describeFault,
  encodeFrames,
  type FrameDecoder,
  type FrameEncoder,
  type FrameSink,
  type Framing,
  type FramingFault,
  openFrame,
  sealFrame,
} from "../framing/framing.ts";
import { Inbox } from "./inbox.ts";
import { type FrameLimits, resolveFrameLimits } from "../limits.ts";
import {
  escapedBytes,
  type FrameSentinel,
  guardPayload,
  isSentinel,
  prepareSentinel,
  type Sentinel,
  type SentinelOption,
  SuffixDecoder,
  SuffixGuard,
} from "./sentinel.ts";
import { peerError } from "../stack.ts";
import { utf8Decode, utf8WriteWellFormed } from "../bytes/utf8.ts";

/** Options of `wire()`. */
export interface WireOptions<In, Out = In> {
  readonly framing: Framing;
  readonly codec: Codec<In, Out>;
  /** The sentinel that ends the conversation. Absent: only the end of the stream does. */
  readonly sentinel?: SentinelOption;
  /**
   * Put before a message that equals the sentinel, so that it can be sent as data; both ends must
   * agree. Absent: it is refused.
   */
  readonly escape?: string | Uint8Array;
}

/**
 * Messages over a byte stream: `In` arrives, `Out` may be sent. A value without state, shared by
 * every connection.
 */
export interface Wire<In, Out = In> {
  readonly framing: Framing;
  readonly codec: Codec<In, Out>;
  readonly sentinel: Sentinel | null;
}

/**
 * Compose a wire.
 *
 * @throws {TypeError} when a part is missing, or not one, or not known; and when the parts do not
 *   fit: a frame sentinel on `raw()`, a sentinel that the framing can't carry, a codec that needs
 *   whole messages on `raw()`
 * @throws {RangeError} when the sentinel or the escape is empty
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { lines, text, wire } from "@hawser/protocol";
 *
 * const echo = wire({ framing: lines(), codec: text(), sentinel: "exit" });
 * assert.equal(echo.framing.name, "lines(any)");
 * ```
 */
export function wire<In, Out = In>(options: WireOptions<In, Out>): Wire<In, Out> {
  checkParts(options);
  const { framing, codec } = options;
  const unframed = framing.unframed === true;
  if (unframed && codec.pieces === undefined) {
    throw new TypeError(
      `Cannot use ${codec.name}() with ${framing.name}(): it needs whole messages; choose a ` +
        "framing that cuts them",
    );
  }
  if (options.sentinel === undefined) {
    if (options.escape !== undefined)
      throw new TypeError("Cannot use an escape without a sentinel");
    return Object.freeze({ framing, codec, sentinel: null });
  }
  const sentinel = prepareSentinel(options.sentinel, options.escape, unframed);
  if (sentinel.form === "frame") checkCarried(framing, sentinel.bytes);
  return Object.freeze({ framing, codec, sentinel });
}

function checkParts(options: { readonly framing: unknown; readonly codec: unknown }): void {
  if (isFraming(options))
    throw new TypeError("wire() takes one object, got a framing: write wire({ framing, codec })");
  checkOptions("wire()", options, ["framing", "codec", "sentinel", "escape"]);
  checkFraming("wire()", options.framing);
  const flaw = flawOfCodec(options.codec);
  if (flaw !== null) throw new TypeError(`wire() takes a codec, but this one ${flaw}`);
}

function isFraming(value: unknown): boolean {
  return typeof value === "object" && value !== null && "decoder" in value && "encoder" in value;
}

function checkCarried(framing: Framing, sentinel: Uint8Array): void {
  try {
    encodeFrames(framing, [sentinel]);
  } catch (cause) {
    throw new TypeError(
      `Cannot use this sentinel with ${framing.name}: the framing can't carry it as a frame; ` +
        "choose another",
      { cause },
    );
  }
}

/**
 * The end of the peer's side of a conversation: by the sentinel, or by the end of the
 * stream alone.
 */
export type Finish = "ended" | "sentinel";

/** Where a {@link WireDecoder} puts what arrived, in stream order. */
export interface WireSink<In> {
  message(message: In): void;
  /** The peer will send nothing more. Called at most once. */
  finished(how: Finish): void;
  /**
   * A frame or message is wrong. After an error of scope `"connection"` nothing more is delivered.
   */
  fault(error: HawserError): void;
}

/**
 * One connection's inbound half: chunks in, messages out.
 *
 * `hold()` stops the delivery at once, in the middle of a chunk if need be; what is decoded after
 * it waits, copied, until `release()`. Who holds must also stop the chunks, or the waiting grows. A
 * budget that is spent stops it in the same way, until `goOn()` in another turn. Never throws for
 * what the peer sent; what the sink throws comes out of `push`, `end`, `release` or `goOn`.
 */
export class WireDecoder<In> implements FrameSink {
  readonly #sink: WireSink<In>;
  readonly #codec: Codec<In, never>;
  readonly #frames: FrameDecoder;
  readonly #sentinel: FrameSentinel | null;
  readonly #suffix: SuffixInput | null;
  readonly #pieces: PieceDecoder<In> | null;
  readonly #budget: ReadBudget;
  /** What came while the delivery was stopped; null until that happens. */
  #inbox: Inbox<HawserError> | null = null;
  /** "open" decodes; "finished" saw the sentinel; "dead" ignores. */
  #input: "dead" | "finished" | "open" = "open";
  #held = false;
  /** True if the budget is spent. */
  #yielded = false;
  /**
   * True if nothing stands between a frame of this chunk and its message: no sentinel is looked
   * for, nobody holds, nothing waits.
   */
  #direct = false;
  /** The chunk that is being taken apart, and whether views of it may be kept. */
  #chunk: Uint8Array | null = null;
  #stays = false;
  #wouldKeep = false;
  /** What is reported once the inbox is empty: the end, and what came after it. */
  #endings: (Finish | HawserError)[] | null = null;
  /** Number of payloads that have arrived. */
  payloads = 0;

  constructor(
    wire: Wire<In, never>,
    limits: Partial<FrameLimits>,
    sink: WireSink<In>,
    budget: ReadBudget = unlimitedBudget,
  ) {
    const { codec, framing, sentinel } = wire;
    this.#sink = sink;
    this.#budget = budget;
    this.#codec = codec;
    this.#frames = framing.decoder(resolveFrameLimits(limits));
    this.#pieces = framing.unframed === true ? (codec.pieces?.() ?? null) : null;
    this.#sentinel = sentinel?.form === "frame" ? sentinel : null;
    this.#suffix =
      sentinel?.form === "suffix"
        ? { decoder: new SuffixDecoder(sentinel.needle), payloads: this.#payloadSink() }
        : null;
  }

  /** True if a frame has begun and is not complete. */
  get partial(): boolean {
    return this.#input === "open" && this.#frames.partial === true;
  }

  /** Number of messages, and faults between them, that wait for `release()`. */
  get waiting(): number {
    return this.#inbox === null ? 0 : this.#inbox.length;
  }

  /** True if somebody holds. */
  get held(): boolean {
    return this.#held;
  }

  /** True if the budget is spent: nothing is delivered until `goOn()`. */
  get yielded(): boolean {
    return this.#yielded;
  }

  /**
   * The end of the peer's side, also while messages from before it wait; null while it may
   * go on.
   */
  get ending(): Finish | HawserError | null {
    return this.#endings?.at(-1) ?? null;
  }

  /**
   * Take the next bytes. The chunk is not kept, unless nobody writes into its storage any more
   * (`stays`): then large messages may be views of it. Returns whether there was a message that is
   * kept where it is read, or would be if the chunk stayed.
   */
  push(chunk: Uint8Array, stays = false): boolean {
    if (this.#input === "finished" && chunk.length > 0) this.#afterSentinel(chunk.length);
    if (this.#input !== "open") return false;
    this.#chunk = chunk;
    this.#stays = stays;
    this.#wouldKeep = false;
    this.#codec.chunk?.(chunk);
    this.#direct =
      this.#pieces === null &&
      this.#sentinel === null &&
      this.#suffix === null &&
      !this.#isStopped() &&
      this.waiting === 0;
    this.#frames.push(chunk, this, this.#codec.search);
    this.#direct = false;
    this.#codec.chunk?.(null);
    this.#chunk = null;
    this.#inbox?.endChunk();
    if (this.#inputIs("finished") && this.#frames.partial === true) this.#afterSentinel(1);
    return this.#wouldKeep;
  }

  /** The stream is over. */
  end(): void {
    if (this.#input !== "open") return;
    this.#frames.end(this);
    this.#suffix?.decoder.end(this.#suffix.payloads);
    if (!this.#inputIs("open")) return;
    this.#input = "dead";
    this.#finish("ended");
  }

  /** Stop the delivery. */
  hold(): void {
    this.#held = true;
    this.#direct = false;
  }

  /** Deliver what waits, until someone holds again or the budget is spent. */
  release(): void {
    this.#held = false;
    this.#deliverWaiting();
  }

  /**
   * A new turn has begun, with a new budget: deliver what waits, as `release` does, unless somebody
   * holds.
   */
  goOn(): void {
    this.#yielded = false;
    this.#deliverWaiting();
  }

  /** Forget what waits and ignore what comes. */
  discard(): void {
    this.#direct = false;
    this.#yielded = false;
    this.#input = "dead";
    this.#endings = null;
    this.#inbox?.clear();
  }

  /**
   * For the framing's decoder: a frame has come. What is rare is apart, so that the engine takes
   * this into the framing's loop.
   */
  frame(bytes: Uint8Array, start: number, end: number): void {
    if (this.#direct) {
      this.payloads++;
      this.#decode(bytes, start, end);
    } else {
      this.#examine(bytes, start, end);
    }
  }

  /** A frame that may be the sentinel, hold a part of it, or have to wait. */
  #examine(bytes: Uint8Array, start: number, end: number): void {
    const sentinel = this.#sentinel;
    if (sentinel !== null) {
      if (this.#input !== "open" || isSentinel(sentinel, bytes, start, end)) {
        this.#afterSentinel(this.#input === "open" ? 0 : 1);
        return;
      }
      this.#payload(bytes, start + escapedBytes(sentinel, bytes, start, end), end);
    } else if (this.#suffix === null) {
      this.#payload(bytes, start, end);
    } else {
      const { decoder, payloads } = this.#suffix;
      const after = this.#input === "open" ? decoder.push(bytes, start, end, payloads) : start;
      if (after !== -1) this.#afterSentinel(end - after);
    }
  }

  /** For the framing's decoder: the stream is wrong. */
  fault(fault: FramingFault): void {
    if (this.#input === "finished") this.#afterSentinel(1);
    if (this.#input !== "open") return;
    const error = peerError(fault.code, describeFault(fault), {
      cause: fault,
      ...(fault.fatal ? {} : { scope: "conversation" }),
    });
    if (fault.fatal) {
      this.#direct = false;
      this.#input = "dead";
      this.#finish(error);
    } else if (this.#isStopped() || this.waiting > 0) {
      (this.#inbox ??= this.#newInbox()).putNote(error);
    } else {
      this.#tellFault(error);
    }
  }

  #tellFault(error: HawserError): void {
    this.#sink.fault(error);
    this.#spend(0);
  }

  #deliverWaiting(): void {
    const inbox = this.#inbox;
    if (inbox !== null) while (!this.#isStopped() && inbox.length > 0) inbox.take();
    this.#settle();
  }

  // A method, because the compiler takes a field to keep its value across the call that changes it.
  #isStopped(): boolean {
    return this.#held || this.#yielded;
  }

  /** A message of so many bytes has been delivered. */
  #spend(bytes: number): void {
    if (!this.#budget.spend(bytes)) return;
    this.#yielded = true;
    this.#direct = false;
  }

  #payloadSink(): FrameSink {
    return {
      frame: (bytes, start, end) => {
        this.#payload(bytes, start, end);
      },
      fault: () => undefined,
    };
  }

  #newInbox(): Inbox<HawserError> {
    return new Inbox(
      (bytes, start, end) => {
        this.#deliver(bytes, start, end);
      },
      (error) => {
        this.#tellFault(error);
      },
    );
  }

  #payload(bytes: Uint8Array, start: number, end: number): void {
    if (this.#input !== "open") return;
    this.payloads++;
    if (!this.#isStopped() && this.waiting === 0) {
      this.#deliver(bytes, start, end);
      return;
    }
    const inbox = (this.#inbox ??= this.#newInbox());
    if (bytes === this.#chunk) inbox.putOfChunk(bytes, start, end);
    else inbox.put(bytes, start, end);
  }

  #deliver(bytes: Uint8Array, start: number, end: number): void {
    if (this.#pieces === null) this.#decode(bytes, start, end);
    else this.#decodePiece(this.#pieces, bytes, start, end);
  }

  #decode(bytes: Uint8Array, start: number, end: number): void {
    let message: In;
    try {
      message =
        end - start < KEPT_BYTES
          ? this.#codec.decode(bytes, start, end)
          : this.#decodeLarge(bytes, start, end);
    } catch (cause) {
      this.#refuse(cause);
      return;
    }
    this.#sink.message(message);
    this.#spend(end - start);
  }

  #decodePiece(pieces: PieceDecoder<In>, bytes: Uint8Array, start: number, end: number): void {
    let message: In | null;
    try {
      message = pieces.decode(bytes, start, end);
    } catch (cause) {
      this.#refuse(cause);
      return;
    }
    if (message !== null) this.#sink.message(message);
    this.#spend(end - start);
  }

  /** The codec could not read what came. */
  #refuse(cause: unknown): void {
    this.discard();
    this.#sink.fault(invalid(this.#codec.name, cause));
  }

  #decodeLarge(bytes: Uint8Array, start: number, end: number): In {
    const codec = this.#codec;
    if (codec.adopt === undefined || bytes !== this.#chunk || !isWorthKeeping(bytes, end - start))
      return codec.decode(bytes, start, end);
    this.#wouldKeep = true;
    return this.#stays ? codec.adopt(bytes, start, end) : codec.decode(bytes, start, end);
  }

  // A method, because the compiler takes a field to keep its value across the call that changes it.
  #inputIs(state: "dead" | "finished" | "open"): boolean {
    return this.#input === state;
  }

  /** The sentinel has come, with `excess` bytes (or frames) behind it so far. */
  #afterSentinel(excess: number): void {
    if (this.#input === "dead") return;
    if (this.#input === "open") {
      this.#input = "finished";
      this.#finish("sentinel");
    }
    if (excess > 0 && this.#inputIs("finished")) {
      this.#input = "dead";
      this.#finish(
        peerError(
          "BYTES_AFTER_SENTINEL",
          "The peer sent more after the sentinel, which ends the conversation: what came after " +
            "it was not read",
        ),
      );
    }
  }

  #finish(how: Finish | HawserError): void {
    (this.#endings ??= []).push(how);
    this.#settle();
  }

  #settle(): void {
    while (this.#endings !== null && this.waiting === 0) {
      const ending = this.#endings.shift();
      if (ending === undefined) return;
      if (typeof ending !== "string") this.#sink.fault(ending);
      else if (this.#endsWhole()) this.#sink.finished(ending);
    }
  }

  /**
   * True if the stream ended between two values; if not, that is its fault. Asked when all that
   * waited is decoded.
   */
  #endsWhole(): boolean {
    try {
      this.#pieces?.end();
      return true;
    } catch (cause) {
      this.discard();
      this.#sink.fault(invalid(this.#codec.name, cause));
      return false;
    }
  }
}

/** Bytes of a message from which it is worth a look whether it can stay where it was read. */
const KEPT_BYTES = 16_384;

/**
 * True if a message of `count` bytes may keep the storage of `bytes` alive: at most sixteen times
 * what it needs.
 */
function isWorthKeeping(bytes: Uint8Array, count: number): boolean {
  return count >= KEPT_BYTES && count * 16 >= bytes.buffer.byteLength;
}

/** The suffix that a stream is searched for, and where goes what is not the suffix. */
interface SuffixInput {
  readonly decoder: SuffixDecoder;
  readonly payloads: FrameSink;
}

/** One connection's outbound half: messages in, bytes out. */
export class WireEncoder<Out> {
  readonly #codec: Codec<unknown, Out>;
  readonly #bodies = new BodyEncoder();
  readonly #frames: FrameEncoder;
  readonly #sentinel: Sentinel | null;
  readonly #guard: SuffixGuard | null;
  readonly #maxFrameBytes: number;
  /** True if texts may be joined; a message that ends as this does is not. */
  readonly #joins: boolean;
  readonly #joinsNot: string;

  constructor(wire: Wire<unknown, Out>, limits: Partial<FrameLimits>) {
    const resolved = resolveFrameLimits(limits);
    this.#codec = wire.codec;
    this.#frames = wire.framing.encoder(resolved);
    this.#sentinel = wire.sentinel;
    this.#guard = wire.sentinel?.form === "suffix" ? new SuffixGuard(wire.sentinel.needle) : null;
    this.#maxFrameBytes = resolved.maxFrameBytes;
    const sentinel =
      wire.sentinel === null
        ? ""
        : wire.sentinel.form === "frame"
          ? textOf(wire.sentinel.bytes)
          : null;
    this.#joins =
      wire.codec.text !== undefined && this.#frames.frameText !== undefined && sentinel !== null;
    this.#joinsNot = sentinel ?? "";
  }

  /**
   * Append a message's frame to `output`; when this throws, `output` is as it was.
   *
   * The codec may run the program's code, which may send to the same output, or close what it
   * belongs to: whoever has to look at that in between calls `prepare` and `write`.
   *
   * @throws {HawserError} PAYLOAD_FORBIDDEN, PAYLOAD_IS_SENTINEL, PAYLOAD_TOO_LARGE
   */
  encode(message: Out, output: ByteWriter): void {
    this.write(this.prepare(message), output);
  }

  /**
   * What the codec makes of a message; nothing is written yet. Give it to `write` before the next
   * message is prepared.
   */
  prepare(message: Out): Body {
    const codec = this.#codec;
    return codec.text === undefined ? this.#bodies.encode(codec, message) : codec.text(message);
  }

  /**
   * Append the frame of a message that was prepared. Runs no code of the program's; when this
   * throws, `output` is as it was.
   *
   * @throws {HawserError} PAYLOAD_FORBIDDEN, PAYLOAD_IS_SENTINEL, PAYLOAD_TOO_LARGE
   */
  write(body: Body, output: ByteWriter): void {
    const frame =
      typeof body === "string" && this.#joins && this.#mayJoin(body)
        ? (this.#frames.frameText?.(body) ?? null)
        : null;
    if (frame === null) this.#write(body, output);
    else output.join(frame);
  }

  #write(body: Body, output: ByteWriter): void {
    const frames = this.#frames;
    const start = openFrame(frames, output);
    try {
      writeBody(body, output);
      if (this.#sentinel === null) sealFrame(frames, output, start, this.#maxFrameBytes);
      else this.#sealGuarded(this.#sentinel, output, start);
    } catch (error) {
      output.truncate(start);
      throw error;
    }
  }

  /** Complete the frame of a message that may be mistaken for the sentinel. */
  #sealGuarded(sentinel: Sentinel, output: ByteWriter, start: number): void {
    const frames = this.#frames;
    if (sentinel.form === "frame") guardPayload(sentinel, output, start + frames.headerBytes);
    sealFrame(frames, output, start, this.#maxFrameBytes);
    this.#guard?.check(output, start); // last: it remembers what is sent
  }

  /** True if a text may be joined to those of this turn: its bytes need not be looked at. */
  #mayJoin(text: string): boolean {
    return (
      text.length * 3 <= this.#maxFrameBytes &&
      (this.#joinsNot === "" || !text.endsWith(this.#joinsNot))
    );
  }

  /** The form of the wire's sentinel; null when it has none. */
  get sentinel(): Sentinel["form"] | null {
    return this.#sentinel === null ? null : this.#sentinel.form;
  }

  /** Append the sentinel to `output`, if the wire has one. */
  encodeSentinel(output: ByteWriter): void {
    const sentinel = this.#sentinel;
    if (sentinel === null) return;
    const start = openFrame(this.#frames, output);
    output.append(sentinel.form === "frame" ? sentinel.bytes : sentinel.needle.bytes);
    sealFrame(this.#frames, output, start, Infinity);
  }
}

/** Append what a codec has made; its text is well-formed. */
function writeBody(body: Body, output: ByteWriter): void {
  if (typeof body === "string") utf8WriteWellFormed(body, output);
  else output.append(body);
}

/** The text of a sentinel's bytes; null when they are not UTF-8. */
function textOf(bytes: Uint8Array): string | null {
  try {
    return utf8Decode(bytes, 0, bytes.length);
  } catch {
    return null;
  }
}

function invalid(codec: string, cause: unknown): HawserError {
  const own = readHawserError(cause);
  // any other would leave a connection open on which nothing is read
  if (own?.scope === "connection") return own;
  const form =
    codec === "text" ? "UTF-8" : codec === "json" ? "JSON in UTF-8" : `what ${codec}() reads`;
  return peerError(
    "MESSAGE_INVALID",
    `The peer sent a message that is not ${form}: see whether both ends use the same codec`,
    { cause },
  );
}
