// Reads what passes on one connection of the model's world, and holds it against the rules of
// PROTOCOL.md that a receiver can't check, or forgives.
import type { Side } from "../../../src/contract/contract.ts";

const [HELLO, WELCOME, CREDIT, REQUEST, RESULT, FAIL, CANCEL, STREAM, ITEM, END, EVENT] = [
  0x01, 0x02, 0x0a, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
];

/** One id's conversation, as it was written. */
interface Written {
  /** What the opener may still send: anything, or only CREDIT and CANCEL. */
  opener: "open" | "over";
  responder: "open" | "over";
}

/** One direction. */
class Direction {
  bytes: Uint8Array = new Uint8Array(0);
  signed = false;
  /** Kinds of messages that are begun, by id. */
  readonly begun = new Map<number, number>();
  /** The number of the last numbered event; null: there was none. */
  last: number | null = null;
}

/** Both directions of one connection. */
export class Monitor {
  readonly wrong: string[] = [];
  readonly #directions: Readonly<Record<Side, Direction>> = {
    client: new Direction(),
    server: new Direction(),
  };
  readonly #written = new Map<number, Written>();
  readonly #maxPartials: number;

  constructor(maxPartials: number) {
    this.#maxPartials = maxPartials;
  }

  /** A side has written these bytes. */
  see(from: Side, bytes: Uint8Array): void {
    const direction = this.#directions[from];
    const all = new Uint8Array(direction.bytes.length + bytes.length);
    all.set(direction.bytes);
    all.set(bytes, direction.bytes.length);
    let at = 0;
    if (!direction.signed && all.length >= 8) {
      direction.signed = true;
      at = 8;
    }
    while (direction.signed && all.length - at >= 4) {
      const view = new DataView(all.buffer, at);
      const length = view.getUint32(0);
      if (all.length - at < 4 + length) break;
      this.#frame(
        from,
        direction,
        view.getUint8(4),
        view.getUint32(5),
        all.subarray(at + 9, at + 4 + length),
      );
      at += 4 + length;
    }
    direction.bytes = all.slice(at);
  }

  #frame(from: Side, direction: Direction, bits: number, id: number, payload: Uint8Array): void {
    const kind = bits & 0x7f;
    const isLast = bits < 0x80;
    const say = (what: string): void =>
      void this.wrong.push(`the ${from} wrote ${kind.toString(16)} for ${String(id)} ${what}`);
    const begun = direction.begun.get(id);
    const isPiece = [REQUEST, RESULT, FAIL, STREAM, ITEM, EVENT].includes(kind);
    if (begun !== undefined && kind === CANCEL) direction.begun.delete(id);
    else if (begun !== undefined && (isPiece || kind === END) && begun !== kind)
      say(`between the pieces of ${begun.toString(16)}`);
    if (isPiece && isLast) direction.begun.delete(id);
    if (isPiece && !isLast) direction.begun.set(id, kind);
    if (direction.begun.size > this.#maxPartials) say("while too many others were begun");
    if (kind === EVENT && begun === undefined) this.#event(direction, payload, say);
    if (id !== 0 && kind !== HELLO && kind !== WELCOME)
      this.#conversation(from, kind, id, isLast, begun ?? null, payload, say);
  }

  #event(direction: Direction, payload: Uint8Array, say: (what: string) => void): void {
    if (((payload[2] ?? 0) & 4) === 0) return;
    const number = Number(
      new DataView(
        payload.buffer,
        payload.byteOffset + 3 + (((payload[2] ?? 0) & 2) / 2) * 25,
      ).getBigUint64(0),
    );
    if (direction.last !== null && number !== direction.last + 1)
      say(`with the number ${String(number)} after ${String(direction.last)}`);
    direction.last = number;
  }

  #conversation(
    from: Side,
    kind: number,
    id: number,
    isLast: boolean,
    begun: number | null,
    payload: Uint8Array,
    say: (what: string) => void,
  ): void {
    const isOpener = (id % 2 === 1) === (from === "client");
    const known = this.#written.get(id);
    if (kind === REQUEST || kind === STREAM) {
      if (begun !== null) {
        return;
      }
      if (!isOpener) say("which it does not open");
      if (known !== undefined && (known.opener === "open" || known.responder === "open"))
        say("which is in use");
      const hasItems = kind === STREAM && ((payload[2] ?? 0) & 8) !== 0;
      this.#written.set(id, { opener: hasItems ? "open" : "over", responder: "open" });
      return;
    }
    if (known === undefined) {
      if (kind !== CREDIT && kind !== CANCEL) say("which was never open");
      return;
    }
    const part = isOpener ? known.opener : known.responder;
    if (part === "over" && !(isOpener && (kind === CREDIT || kind === CANCEL)))
      say("after its last frame");
    if (isLast && (kind === RESULT || kind === FAIL || kind === END || kind === CANCEL)) {
      if (isOpener) known.opener = "over";
      else known.responder = "over";
    }
  }
}
