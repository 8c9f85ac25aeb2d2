/**
 * Keys and their values, any bytes both. What is set is copied into pages of the store's own, so
 * that no value keeps the chunk alive in which it came; and no key costs an object, so that a
 * million of them cost the garbage collector nothing. Must not know commands, nor what the bytes
 * mean.
 */
import { hashOf } from "./hash.ts";
import { Pages } from "./pages.ts";

/** Bytes where they stand. */
export interface Range {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/**
 * What a slot's five numbers are: a hash; page and first byte of the run that holds key and value,
 * page 0 where the slot is empty; the bytes of each.
 */
const [HASH, PAGE, FIRST, KEY, VALUE, SLOT] = [0, 1, 2, 3, 4, 5] as const;
const FIRST_SLOTS = 1_024;
const FULL = 0.75;

/**
 * An open table: a key stands in the first slot that was free from the one on that its hash names.
 * Slots go by the index of their first number.
 */
export class Store {
  readonly #pages = new Pages();
  #slots = new Int32Array(FIRST_SLOTS * SLOT);
  /** The number of slots, which is a power of two, less one. */
  #mask = FIRST_SLOTS - 1;
  #keys = 0;
  /** What `find` returns, always the same: none is made for each. */
  readonly #found = { bytes: this.#pages.of(0), start: 0, end: 0 };

  /** How many keys there are. */
  get size(): number {
    return this.#keys;
  }

  /** Forget all. */
  clear(): void {
    for (let slot = 0; slot < this.#slots.length; slot += SLOT)
      if (this.#slots[slot + PAGE] !== 0) this.#give(slot);
    this.#slots = new Int32Array(FIRST_SLOTS * SLOT);
    this.#mask = FIRST_SLOTS - 1;
    this.#keys = 0;
  }

  /** The key's value, or null. It is good until the next call. */
  find(key: Range): Range | null {
    const slots = this.#slots;
    const slot = this.#find(key, hashOf(key.bytes, key.start, key.end));
    const page = slots[slot + PAGE] as number; // in range, as whatever is read of a slot
    if (page === 0) return null;
    const found = this.#found;
    found.bytes = this.#pages.of(page);
    found.start = (slots[slot + FIRST] as number) + (slots[slot + KEY] as number);
    found.end = found.start + (slots[slot + VALUE] as number);
    return found;
  }

  set(key: Range, value: Range): void {
    const hash = hashOf(key.bytes, key.start, key.end);
    const keyBytes = key.end - key.start;
    const valueBytes = value.end - value.start;
    let slot = this.#find(key, hash);
    if (this.#slots[slot + PAGE] === 0 && ++this.#keys > this.#mask * FULL) {
      this.#grow();
      slot = this.#find(key, hash);
    }
    const slots = this.#slots;
    const isNew = slots[slot + PAGE] === 0;
    if (isNew || !this.#pages.fits(this.#sizeOf(slot), keyBytes + valueBytes)) {
      if (!isNew) this.#give(slot);
      const page = this.#pages.take(keyBytes + valueBytes);
      slots.set([hash, page, this.#pages.first, keyBytes, valueBytes], slot);
      key.bytes.copy(this.#pages.of(page), this.#pages.first, key.start, key.end);
    }
    slots[slot + VALUE] = valueBytes;
    value.bytes.copy(
      this.#pages.of(slots[slot + PAGE] as number),
      (slots[slot + FIRST] as number) + keyBytes,
      value.start,
      value.end,
    );
  }

  /** Says whether there was such a key. */
  delete(key: Range): boolean {
    const slots = this.#slots;
    let hole = this.#find(key, hashOf(key.bytes, key.start, key.end));
    if (slots[hole + PAGE] === 0) return false;
    this.#give(hole);
    this.#keys--;
    // Whatever follows without a gap moves into the hole, unless it would then stand before the
    // slot that its hash names.
    for (let slot = this.#after(hole); slots[slot + PAGE] !== 0; slot = this.#after(slot)) {
      const wayToHole = (hole / SLOT - (slots[slot + HASH] as number)) & this.#mask;
      const way = (slot / SLOT - (slots[slot + HASH] as number)) & this.#mask;
      if (wayToHole > way) continue;
      slots.copyWithin(hole, slot, slot + SLOT);
      hole = slot;
    }
    slots.fill(0, hole, hole + SLOT);
    return true;
  }

  /** The slot that has the key, or the empty one where it belongs. */
  #find({ bytes, start, end }: Range, hash: number): number {
    const slots = this.#slots;
    let slot = (hash & this.#mask) * SLOT;
    while (
      slots[slot + PAGE] !== 0 &&
      !(
        slots[slot + HASH] === hash &&
        slots[slot + KEY] === end - start &&
        this.#isKey(slot, bytes, start, end)
      )
    )
      slot = this.#after(slot);
    return slot;
  }

  #isKey(slot: number, bytes: Buffer, start: number, end: number): boolean {
    const own = this.#pages.of(this.#slots[slot + PAGE] as number);
    const shift = (this.#slots[slot + FIRST] as number) - start;
    let at = start;
    while (at < end && own[at + shift] === bytes[at]) at++;
    return at === end;
  }

  #after(slot: number): number {
    return slot === this.#mask * SLOT ? 0 : slot + SLOT;
  }

  #sizeOf(slot: number): number {
    return (this.#slots[slot + KEY] as number) + (this.#slots[slot + VALUE] as number);
  }

  #give(slot: number): void {
    this.#pages.give(
      this.#slots[slot + PAGE] as number,
      this.#slots[slot + FIRST] as number,
      this.#sizeOf(slot),
    );
  }

  #grow(): void {
    const old = this.#slots;
    this.#mask = this.#mask * 2 + 1;
    const slots = (this.#slots = new Int32Array((this.#mask + 1) * SLOT));
    for (let from = 0; from < old.length; from += SLOT) {
      if (old[from + PAGE] === 0) continue;
      let slot = ((old[from + HASH] as number) & this.#mask) * SLOT;
      while (slots[slot + PAGE] !== 0) slot = this.#after(slot);
      slots.set(old.subarray(from, from + SLOT), slot);
    }
  }
}
