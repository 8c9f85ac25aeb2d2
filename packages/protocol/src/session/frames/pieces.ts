/**
 * Pieces: messages that arrive in several frames, joined (PROTOCOL.md §1).
 * Owns what is begun and unfinished, and its limits. Must not know which messages may begin.
 *
 * @module
 */
import { FrameBuffer } from "../../bytes/writer.ts";
import type { ErrorCode } from "../../errors.ts";
import { EVENT, kindName, MAX_HEAD, MORE, REQUEST, STREAM } from "./frames.ts";
import type { Link } from "../link.ts";
import { Stall } from "../stall.ts";

interface Partial {
  readonly kind: number;
  readonly joined: FrameBuffer;
  readonly stall: Stall;
  /** Bytes that have come; of what is not taken, `joined` has only the first. */
  length: number;
  isTaken: boolean;
  /** Of an event: whether its number is known, or known to be none. */
  isNumbered: boolean;
}

/** A message that is whole. */
export interface Joined {
  readonly joined: FrameBuffer;
  /** Bytes that have come of it. */
  readonly length: number;
  /** False: there was no room for it, and `joined` has its head alone. */
  readonly isTaken: boolean;
}

/** Decides about what begins. */
export interface PiecesHost {
  /** True if a message may begin; false: the session is ended for it. */
  mayBegin(kind: number, id: number): boolean;
  /**
   * More has come of a lane's event: `bytes[0, length)`. Returns whether its head has come as far
   * as it is wanted before the rest.
   */
  headCame(id: number, bytes: Uint8Array, length: number): boolean;
  /** True if there is room for so many bytes of unfinished inputs, of which one has `length`. */
  hasRoom(inputBytes: number, length: number): boolean;
}

/** The key of an unfinished message: a lane of events and a conversation may have the same id. */
export function pieceKey(kind: number, id: number): number {
  return kind === EVENT ? -1 - id : id;
}

/** One connection's unfinished messages, by their keys. */
export class Pieces {
  readonly #link: Link;
  readonly #partials = new Map<number, Partial>();
  /** Bytes of unfinished REQUESTs and STREAMs. */
  #inputBytes = 0;

  constructor(link: Link) {
    this.#link = link;
  }

  /** True if anything is unfinished. */
  get any(): boolean {
    return this.#partials.size > 0;
  }

  /** True if a message of this key is unfinished; a conversation's is its id. */
  has(key: number): boolean {
    return this.#partials.has(key);
  }

  /**
   * Take one piece: `bytes[start, end)`. Returns the joined payload with the last one, else null;
   * the session may be ended for it. `host` is asked for the first, and for room.
   */
  take(
    kind: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    host: PiecesHost,
  ): Joined | null {
    const whole = kind & ~MORE;
    if (kind !== whole && start === end) {
      this.#refuse(
        "PROTOCOL_VIOLATION",
        `sent an empty piece of ${kindName(whole)} that is not its last`,
      );
      return null;
    }
    const key = pieceKey(whole, id);
    let partial = this.#partials.get(key);
    if (partial === undefined) {
      if (this.#partials.size >= this.#link.limits.maxPartials) {
        this.#refuse(
          "PROTOCOL_VIOLATION",
          `began more than ${String(this.#link.limits.maxPartials)} messages without ending ` +
            "one (maxPartials)",
        );
        return null;
      }
      if (!host.mayBegin(whole, id)) return null;
      partial = {
        kind: whole,
        joined: new FrameBuffer(),
        stall: new Stall(this.#link.nowMs, this.#link.receivedBytes),
        length: 0,
        isTaken: true,
        isNumbered: whole !== EVENT,
      };
      this.#partials.set(key, partial);
    }
    const { joined } = partial;
    if (partial.kind !== whole) {
      this.#refuse(
        "PROTOCOL_VIOLATION",
        `sent ${kindName(whole)} for ${String(id)} before its ${kindName(partial.kind)} was ` +
          "complete",
      );
      return null;
    }
    const most = this.#link.limits.maxMessageBytes + MAX_HEAD;
    partial.length += end - start;
    if (partial.length > most) {
      this.#refuse(
        "MESSAGE_TOO_LARGE",
        `sent a message of more than ${String(this.#link.limits.maxMessageBytes)} bytes ` +
          "(maxMessageBytes)",
      );
      return null;
    }
    partial.stall.grew(this.#link.nowMs, this.#link.receivedBytes);
    if (isInput(whole)) this.#takeInput(partial, end - start, host);
    if (partial.isTaken) joined.append(bytes, start, end, most);
    else if (joined.length < MAX_HEAD)
      joined.append(bytes, start, Math.min(end, start + MAX_HEAD - joined.length), MAX_HEAD);
    if (kind === whole) {
      this.drop(key);
      return partial;
    }
    if (!partial.isNumbered) partial.isNumbered = host.headCame(id, joined.bytes, joined.length);
    return null;
  }

  /** Forget what has come of a message. */
  drop(key: number): void {
    const partial = this.#partials.get(key);
    if (partial === undefined) return;
    this.#partials.delete(key);
    if (partial.isTaken && isInput(partial.kind)) this.#inputBytes -= partial.length;
  }

  clear(): void {
    this.#partials.clear();
    this.#inputBytes = 0;
  }

  /**
   * When the one that has not grown for the longest time last grew; Infinity: nothing is
   * unfinished.
   */
  get sinceMs(): number {
    let since = Infinity;
    for (const { stall } of this.#partials.values()) since = Math.min(since, stall.sinceMs);
    return since;
  }

  /** The first that has not grown for so long, by its kind and id, or null. */
  stoodStill(ms: number, nowMs: number): void {
    for (const { stall } of this.#partials.values()) stall.stoodStill(ms, nowMs);
  }

  stalled(nowMs: number, timeoutMs: number): string | null {
    for (const [key, { kind, stall }] of this.#partials) {
      if (stall.isOver(nowMs, this.#link.receivedBytes, timeoutMs))
        return `${kindName(kind)} ${String(kind === EVENT ? -1 - key : key)}`;
    }
    return null;
  }

  /**
   * Counts what has come of an input; one for which there is no room beside the others is dropped,
   * up to its head, and refused when it is whole.
   */
  #takeInput(partial: Partial, size: number, host: PiecesHost): void {
    if (!partial.isTaken) return;
    this.#inputBytes += size;
    if (host.hasRoom(this.#inputBytes, partial.length)) return;
    const { joined, length } = partial;
    this.#inputBytes -= length;
    partial.isTaken = false;
    const head = joined.bytes.slice(0, Math.min(joined.length, MAX_HEAD));
    joined.clear();
    joined.append(head, 0, head.length, MAX_HEAD);
  }

  #refuse(code: ErrorCode, message: string): void {
    this.#link.violate(code, message);
  }
}

function isInput(kind: number): boolean {
  return kind === REQUEST || kind === STREAM;
}
