/**
 * Pieces: messages that arrive in several frames, joined (PROTOCOL.md §1).
 * Owns what is begun and unfinished, and its limits. Must not know which messages may begin.
 *
 * @module
 */
import { FrameBuffer } from "../bytes.ts";
import type { ErrorCode } from "../errors.ts";
import { kindName, MAX_HEAD, MORE } from "./frames.ts";
import type { Link } from "./link.ts";

interface Partial {
  readonly kind: number;
  readonly joined: FrameBuffer;
}

/** One connection's unfinished messages, by their ids. */
export class Pieces {
  readonly #link: Link;
  readonly #partials = new Map<number, Partial>();

  constructor(link: Link) {
    this.#link = link;
  }

  /** Whether anything is unfinished. */
  get any(): boolean {
    return this.#partials.size > 0;
  }

  /** Whether a message of this id is unfinished. */
  has(id: number): boolean {
    return this.#partials.has(id);
  }

  /**
   * Take one piece: `bytes[start, end)`. Returns the joined payload with the last one, else null; the session may be ended for it.
   * `mayBegin` is asked for the first.
   */
  take(kind: number, id: number, bytes: Uint8Array, start: number, end: number, mayBegin: (kind: number, id: number) => boolean): FrameBuffer | null {
    const whole = kind & ~MORE;
    if (kind !== whole && start === end) {
      this.#refuse("PROTOCOL_VIOLATION", `sent an empty piece of ${kindName(whole)} that is not its last`);
      return null;
    }
    let partial = this.#partials.get(id);
    if (partial === undefined) {
      if (this.#partials.size >= this.#link.limits.maxPartials) {
        this.#refuse("PROTOCOL_VIOLATION", `began more than ${String(this.#link.limits.maxPartials)} messages without ending one (maxPartials)`);
        return null;
      }
      if (!mayBegin(whole, id)) return null;
      partial = { kind: whole, joined: new FrameBuffer() };
      this.#partials.set(id, partial);
    }
    const { joined } = partial;
    if (partial.kind !== whole) {
      this.#refuse("PROTOCOL_VIOLATION", `sent ${kindName(whole)} for ${String(id)} before its ${kindName(partial.kind)} was complete`);
      return null;
    }
    const most = this.#link.limits.maxMessageBytes + MAX_HEAD;
    if (joined.length + end - start > most) {
      this.#refuse("MESSAGE_TOO_LARGE", `sent a message of more than ${String(this.#link.limits.maxMessageBytes)} bytes (maxMessageBytes)`);
      return null;
    }
    joined.append(bytes, start, end, most);
    if (kind !== whole) return null;
    this.#partials.delete(id);
    return joined;
  }

  /** Forget what has come of an id's message. */
  drop(id: number): void {
    this.#partials.delete(id);
  }

  clear(): void {
    this.#partials.clear();
  }

  #refuse(code: ErrorCode, message: string): void {
    this.#link.violate(code, message);
  }
}
