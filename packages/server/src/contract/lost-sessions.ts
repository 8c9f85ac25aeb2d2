/**
 * Lost sessions: those without a connection, which wait for their clients, and which of them goes
 * first when there are too many. Owns that choice alone. Must not know what a session keeps, or for
 * how long.
 *
 * One peer that connects and leaves again and again must not push out the others: the address with
 * the most lost sessions loses one of its own, and of these the one whose connections had lasted
 * the shortest.
 *
 * @module
 */

/** What the choice needs of a session. */
export interface LostSession {
  /** Where its client was, without the port. */
  readonly place: string;
  /** Milliseconds during which it had connections. */
  readonly servedMs: number;
}

/** The lost sessions of a server. */
export class LostSessions<S extends LostSession> {
  /** All, the longest lost first. */
  readonly #all = new Set<S>();
  /**
   * By place, and there by the logarithm of the time that they were served, the longest lost first.
   */
  readonly #places = new Map<string, (Set<S> | undefined)[]>();
  readonly #counts = new Map<string, number>();

  get size(): number {
    return this.#all.size;
  }

  add(session: S): void {
    if (this.#all.has(session)) return;
    this.#all.add(session);
    const { place } = session;
    let ranks = this.#places.get(place);
    if (ranks === undefined) {
      ranks = [];
      this.#places.set(place, ranks);
    }
    (ranks[rankOf(session)] ??= new Set<S>()).add(session);
    this.#counts.set(place, (this.#counts.get(place) ?? 0) + 1);
  }

  delete(session: S): void {
    if (!this.#all.delete(session)) return;
    const { place } = session;
    for (const rank of this.#places.get(place) ?? []) rank?.delete(session);
    const count = (this.#counts.get(place) ?? 0) - 1;
    if (count > 0) {
      this.#counts.set(place, count);
    } else {
      this.#counts.delete(place);
      this.#places.delete(place);
    }
  }

  /** The one that has been lost for the longest time. */
  get longest(): S | undefined {
    const [longest] = this.#all;
    return longest;
  }

  /** The one that goes first when there are too many, of which `last` was added last. */
  first(last: S): S | undefined {
    const share = this.#all.size / this.#counts.size;
    let { place } = last;
    if ((this.#counts.get(place) ?? 0) <= share) {
      let most = 0;
      for (const [each, count] of this.#counts) {
        if (count <= most) continue;
        most = count;
        place = each;
      }
    }
    for (const rank of this.#places.get(place) ?? []) {
      if (rank === undefined) continue;
      const [first] = rank;
      if (first !== undefined) return first;
    }
    return this.longest;
  }

  [Symbol.iterator](): IterableIterator<S> {
    return this.#all.values();
  }
}

function rankOf({ servedMs }: LostSession): number {
  return Math.ceil(Math.log2(Math.max(1, servedMs)));
}

/**
 * The address of a peer without its port; of an IPv6 address its network of 64 bits, of which one
 * client has many addresses.
 */
export function placeOf(remote: string): string {
  const host = remote.replace(/[#:]\d+$/, "");
  if (!host.startsWith("[")) return host;
  const [head = "", tail] = host.slice(1, -1).split("::");
  const groups = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  while (groups.length + last.length < 8) groups.push("0");
  return [...groups, ...last]
    .slice(0, 4)
    .map((group) => group.padStart(4, "0"))
    .join(":");
}
