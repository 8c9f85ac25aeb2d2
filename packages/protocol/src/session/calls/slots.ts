/**
 * Slots: what is kept by a conversation's id. Ids that peers choose from 1 on are places of an
 * array; a peer may choose others, which a map keeps.
 *
 * @module
 */

/** Ids below this are places of the array. */
const NEAR = 8_192;

/** Conversations by id, of one side: every second id, from 1 or 2 on. */
export class Slots<T extends object> {
  readonly #near: (T | null)[] = [];
  readonly #far = new Map<number, T>();
  /** Number of them. */
  size = 0;

  at(id: number): T | null {
    return id < NEAR ? (this.#near[(id - 1) >>> 1] ?? null) : (this.#far.get(id) ?? null);
  }

  /** Put one where none is. */
  set(id: number, item: T): void {
    this.size++;
    if (id >= NEAR) {
      this.#far.set(id, item);
      return;
    }
    const place = (id - 1) >>> 1;
    while (this.#near.length < place) this.#near.push(null); // no holes
    this.#near[place] = item;
  }

  /** Take this one out; false: it is not there. */
  delete(id: number, item: object): boolean {
    if (this.at(id) !== item) return false;
    this.size--;
    if (id < NEAR) this.#near[(id - 1) >>> 1] = null;
    else this.#far.delete(id);
    return true;
  }

  forEach(see: (item: T) => void): void {
    for (const item of this.#near) if (item !== null) see(item);
    for (const item of this.#far.values()) see(item);
  }

  /** Take all out. */
  clear(): T[] {
    const all: T[] = [];
    this.forEach((item) => void all.push(item));
    this.#near.length = 0;
    this.#far.clear();
    this.size = 0;
    return all;
  }
}
