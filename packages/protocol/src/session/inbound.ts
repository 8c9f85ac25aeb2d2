/**
 * Inbound: each frame held against what is true of its kind, and handed to whom it concerns
 * (PROTOCOL.md §1, §2). Owns the checks that come before a frame's meaning: kind, state, id, size,
 * pieces, head. Must not know what a frame does.
 *
 * @module
 */
import type { Calls } from "./calls/calls.ts";
import type { Emitter } from "./events/emitter.ts";
import {
  ACK,
  CANCEL,
  COUNTED_BYTES,
  CREDIT,
  END,
  EVENT,
  FAIL,
  frameRules,
  HELLO,
  IGNORABLE,
  ITEM,
  kindName,
  LANE,
  MAX_PAYLOAD,
  MESSAGES,
  MORE,
  readU32,
  REJECT,
  REQUEST,
  RESULT,
  STOP,
  STREAM,
  WINDOW,
} from "./frames/frames.ts";
import { Head } from "./frames/head.ts";
import type { Link } from "./link.ts";
import { pieceKey, Pieces, type PiecesHost } from "./frames/pieces.ts";
import type { FrameTarget } from "./frames/reader.ts";
import type { Receiver } from "./events/receiver.ts";
import { Stall } from "./stall.ts";
import { frameRows, type State } from "./transitions.ts";

/** Takes the frames that concern the session itself. */
export interface Control {
  readonly current: State;
  control(kind: number, bytes: Uint8Array, start: number, end: number): void;
}

/** One session's way in. */
export class Inbound implements FrameTarget, PiecesHost {
  readonly #link: Link;
  readonly #control: Control;
  readonly #calls: Calls;
  readonly #emitter: Emitter;
  readonly #receiver: Receiver;
  readonly #pieces: Pieces;
  readonly #head = new Head();
  /** The frame that has come in part, and how many had come whole when it was last seen. */
  #partial: Stall | null = null;
  #partialFrames = 0;
  #frames = 0;

  constructor(link: Link, control: Control, calls: Calls, emitter: Emitter, receiver: Receiver) {
    this.#link = link;
    this.#control = control;
    this.#calls = calls;
    this.#emitter = emitter;
    this.#receiver = receiver;
    this.#pieces = new Pieces(link);
  }

  /** The connection is another, or gone: what was begun is forgotten. */
  clear(): void {
    this.#pieces.clear();
    this.#receiver.cut();
    this.#partial = null;
  }

  badLength(length: number): void {
    this.#violate(
      `sent a frame of length ${String(length)}: it is ${String(COUNTED_BYTES)} to ` +
        `${String(MAX_PAYLOAD + COUNTED_BYTES)}, and less before the session is ready`,
    );
  }

  frame(kind: number, id: number, bytes: Uint8Array, start: number, end: number): boolean {
    const link = this.#link;
    const { epoch } = link;
    this.#frames++;
    const whole = kind & ~MORE;
    const rule = frameRules[whole];
    const size = end - start;
    if (
      rule === undefined ||
      (frameRows[whole]?.[this.#control.current] === "!" && !this.#goesOn(whole, id)) ||
      (kind !== whole && !rule.cut)
    ) {
      if (rule === undefined && (kind & IGNORABLE) !== 0) return true;
      const isEchoed = whole === HELLO && link.side === "client";
      this.#violate(
        `sent ${kindName(kind)}${kind === whole ? "" : " in pieces"}, which may not come ` +
          `here${isEchoed ? ": it may be an echo server, which sends back what it gets" : ""}`,
      );
    } else if ((rule.id === "zero" && id !== 0) || (rule.id === "conversation" && id === 0)) {
      this.#violate(`sent ${rule.name} with the id ${String(id)}`);
    } else if (whole === MESSAGES) {
      this.#control.control(kind, bytes, start, end);
    } else if (
      rule.cut &&
      (kind !== whole || (this.#pieces.any && this.#pieces.has(pieceKey(whole, id))))
    ) {
      this.#piece(kind, whole, rule.min, id, bytes, start, end);
    } else if (size < rule.min || size > rule.max) {
      this.#violate(`sent ${rule.name} with ${String(size)} bytes`);
    } else if (this.#pieces.any && whole === END && this.#pieces.has(id)) {
      this.#violate(`sent END for ${String(id)} before its message was complete`);
    } else {
      if (this.#pieces.any && whole === CANCEL) this.#pieces.drop(id);
      this.#take(whole, id, bytes, start, end);
    }
    return epoch === link.epoch;
  }

  /** True if a frame goes on with an opening that began before the state forbade it. */
  #goesOn(kind: number, id: number): boolean {
    return (kind === REQUEST || kind === STREAM) && this.#pieces.any && this.#pieces.has(id);
  }

  /** A frame that is a piece; `min`: what the joined payload has at least. */
  #piece(
    kind: number,
    whole: number,
    min: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const link = this.#link;
    const { epoch } = link;
    const message = this.#pieces.take(kind, id, bytes, start, end, this);
    if (message === null || epoch !== link.epoch) return;
    const { joined, isTaken } = message;
    if (joined.length < min) {
      this.#violate(`sent ${kindName(whole)} with ${String(joined.length)} bytes`);
    } else if (!isTaken) {
      if (this.#readHead(whole, joined.bytes, 0, joined.length))
        this.#calls.overloaded(id, this.#head);
    } else {
      link.joined = joined.bytes;
      this.#take(whole, id, joined.bytes, 0, joined.length);
      link.joined = null;
    }
  }

  /**
   * @see PiecesHost: what can be said against a message is said at its first piece, before it takes
   *   memory.
   */
  mayBegin(kind: number, id: number): boolean {
    return kind === EVENT ? this.#receiver.begins(id) : this.#calls.admits(kind, id);
  }

  /** @see PiecesHost */
  headCame(id: number, bytes: Uint8Array, length: number): boolean {
    return this.#receiver.grew(id, bytes, length);
  }

  /** @see PiecesHost */
  hasRoom(inputBytes: number, length: number): boolean {
    return this.#calls.hasRoom(inputBytes, length);
  }

  /** A chunk has been read. `isPartial`: it ended within a frame. */
  read(isPartial: boolean): void {
    const link = this.#link;
    if (!isPartial) this.#partial = null;
    else if (this.#partial === null) this.#partial = new Stall(link.nowMs, link.receivedBytes);
    else if (this.#partialFrames !== this.#frames)
      this.#partial.grew(link.nowMs, link.receivedBytes);
    this.#partialFrames = this.#frames;
  }

  /**
   * When the frame or message that has not grown for the longest time last grew; Infinity: nothing
   * is unfinished.
   */
  get sinceMs(): number {
    return Math.min(
      this.#partial?.sinceMs ?? Infinity,
      this.#pieces.any ? this.#pieces.sinceMs : Infinity,
    );
  }

  /** The process stood still for `ms`, until now: nothing could grow. */
  stoodStill(ms: number, nowMs: number): void {
    this.#partial?.stoodStill(ms, nowMs);
    if (this.#pieces.any) this.#pieces.stoodStill(ms, nowMs);
  }

  /** Time has passed: the session is ended for what does not grow. */
  tick(nowMs: number): void {
    const link = this.#link;
    const { frameTimeoutMs } = link.limits;
    if (nowMs - this.sinceMs < frameTimeoutMs) return;
    const isCut = this.#partial?.isOver(nowMs, link.receivedBytes, frameTimeoutMs) === true;
    const what = isCut ? "a frame" : this.#pieces.stalled(nowMs, frameTimeoutMs);
    if (what !== null)
      link.violate(
        "FRAME_TIMEOUT",
        `began ${what} and sent no more of it for frameTimeoutMs ${String(frameTimeoutMs)}`,
      );
  }

  #take(kind: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    switch (kind) {
      case REQUEST:
      case STREAM:
        if (this.#readHead(kind, bytes, start, end))
          this.#calls.opened(kind, id, this.#head, bytes, end);
        return;
      case RESULT:
      case FAIL:
      case ITEM:
        if (this.#fits(kind, end - start)) this.#calls.frame(kind, id, bytes, start, end);
        return;
      case EVENT:
        if (this.#readHead(kind, bytes, start, end))
          this.#receiver.event(id, this.#head, bytes, end);
        return;
      case CANCEL:
      case END:
      case STOP:
        this.#calls.frame(kind, id, bytes, start, end);
        return;
      case CREDIT:
      case WINDOW:
      case LANE:
        this.#credit(kind, id, bytes, start, end);
        return;
      case ACK:
        this.#emitter.acknowledged(bytes, start, end);
        return;
      case REJECT:
        this.#emitter.rejected(bytes, start, end);
        return;
      default:
        this.#control.control(kind, bytes, start, end);
    }
  }

  #credit(kind: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    const credit = readU32(bytes, start);
    if (credit === 0) this.#violate(`sent ${kindName(kind)} of 0 bytes`);
    else if (kind === WINDOW) this.#link.windowed(credit);
    else if (kind === LANE) this.#emitter.laneCredited(id, credit);
    else if (id === 0) this.#emitter.credited(credit);
    else this.#calls.frame(kind, id, bytes, start, end);
  }

  #readHead(kind: number, bytes: Uint8Array, start: number, end: number): boolean {
    const fault = this.#head.read(kind, bytes, start, end);
    if (fault === null) return this.#fits(kind, end - this.#head.body);
    this.#violate(`sent ${kindName(kind)} with ${fault}`);
    return false;
  }

  #fits(kind: number, size: number): boolean {
    const most = this.#link.limits.maxMessageBytes;
    if (size <= most) return true;
    this.#link.violate(
      "MESSAGE_TOO_LARGE",
      `sent ${kindName(kind)} with a body of ${String(size)} bytes: maxMessageBytes is ` +
        String(most),
    );
    return false;
  }

  #violate(what: string): void {
    this.#link.violate("PROTOCOL_VIOLATION", what);
  }
}
