/**
 * Inbox: what arrived while the receiver was not taking any, in order: payloads as copies in one
 * buffer, and faults between them. Bounded by its filler, which stops reading while anything waits
 * here: at most what one chunk held.
 *
 * @module
 */
import { ByteWriter } from "../bytes/writer.ts";

/** A queue of byte ranges over one buffer, and of notes between them. */
export class Inbox<Note extends object> {
  #bytes = new ByteWriter();
  /** A payload is two numbers: where it begins in the buffer, and where it ends. */
  readonly #items: (number | Note)[] = [];
  readonly #use: (bytes: Uint8Array, start: number, end: number) => void;
  readonly #useNote: (note: Note) => void;
  #head = 0;
  #count = 0;
  /**
   * The chunk whose rest is in the buffer, and how far its bytes are from where they were in it.
   */
  #chunk: Uint8Array | null = null;
  #offset = 0;

  /**
   * `use` is called with a payload's range, which is valid until that returns; `useNote` with a
   * note.
   */
  constructor(
    use: (bytes: Uint8Array, start: number, end: number) => void,
    useNote: (note: Note) => void,
  ) {
    this.#use = use;
    this.#useNote = useNote;
  }

  /** Number of payloads and notes that wait. */
  get length(): number {
    return this.#count;
  }

  /** Put a copy of `bytes[start, end)` last. */
  put(bytes: Uint8Array, start: number, end: number): void {
    const at = this.#bytes.length;
    this.#bytes.append(bytes, start, end);
    this.#items.push(at, this.#bytes.length);
    this.#count++;
  }

  /**
   * Put a copy of `chunk[start, end)` last, as `put` does. All of a chunk's bytes from the first
   * payload on are copied at once: of tiny payloads there may be a million. Until `endChunk()` the
   * chunk must not change, and no payload may begin before the first.
   */
  putOfChunk(chunk: Uint8Array, start: number, end: number): void {
    if (this.#chunk !== chunk) {
      this.#chunk = chunk;
      this.#offset = this.#bytes.length - start;
      this.#bytes.append(chunk, start);
    }
    this.#items.push(start + this.#offset, end + this.#offset);
    this.#count++;
  }

  /** The chunk is its owner's again. */
  endChunk(): void {
    this.#chunk = null;
  }

  /** Put a note last. */
  putNote(note: Note): void {
    this.#items.push(note);
    this.#count++;
  }

  /** Take what is first. The inbox must not be empty. */
  take(): void {
    const { bytes } = this.#bytes;
    const item = this.#items[this.#head++] as number | Note; // not empty, as the contract says
    // the second of the two
    const end = typeof item === "number" ? (this.#items[this.#head++] as number) : 0;
    if (--this.#count === 0) this.clear();
    if (typeof item === "number") this.#use(bytes, item, end);
    else this.#useNote(item);
  }

  /** Forget everything, and the storage. */
  clear(): void {
    this.#bytes = new ByteWriter();
    this.#items.length = 0;
    this.#head = 0;
    this.#count = 0;
    this.#chunk = null;
  }
}
