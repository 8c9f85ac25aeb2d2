/**
 * Inbox: what arrived while the receiver was not taking any, in order: payloads as copies in one buffer, and faults between them.
 * Bounded by its filler, which stops reading while anything waits here: at most what one chunk held.
 *
 * @module
 */
import { ByteWriter } from "./bytes.ts";

/** A queue of byte ranges over one buffer, and of notes between them. */
export class Inbox<Note extends object> {
  #bytes = new ByteWriter();
  /** A payload is where it ends in the buffer. */
  readonly #items: (number | Note)[] = [];
  readonly #use: (bytes: Uint8Array, start: number, end: number) => void;
  readonly #useNote: (note: Note) => void;
  #head = 0;
  #start = 0;

  /** `use` is called with a payload's range, which is valid until that returns; `useNote` with a note. */
  constructor(use: (bytes: Uint8Array, start: number, end: number) => void, useNote: (note: Note) => void) {
    this.#use = use;
    this.#useNote = useNote;
  }

  /** How many payloads and notes wait. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  /** Put a copy of `bytes[start, end)` last. */
  put(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes.append(bytes, start, end);
    this.#items.push(this.#bytes.length);
  }

  /** Put a note last. */
  putNote(note: Note): void {
    this.#items.push(note);
  }

  /** Take what is first. The inbox must not be empty. */
  take(): void {
    const { bytes } = this.#bytes;
    const start = this.#start;
    const item = this.#items[this.#head++] as number | Note; // not empty, as the contract says
    if (typeof item === "number") this.#start = item;
    if (this.#head === this.#items.length) this.clear();
    if (typeof item === "number") this.#use(bytes, start, item);
    else this.#useNote(item);
  }

  /** Forget everything, and the storage. */
  clear(): void {
    this.#bytes = new ByteWriter();
    this.#items.length = 0;
    this.#head = 0;
    this.#start = 0;
  }
}
