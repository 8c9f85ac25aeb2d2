/**
 * Rooms: who is where. A room begins to be with its first member, and is gone with its last.
 * Must not know what a member is, nor what is said in a room.
 *
 * @module
 */

/** Members by room. A member knows its rooms itself, and leaves them when it ends. */
export class Rooms<Member> {
  readonly #rooms = new Map<string, Set<Member>>();

  /** The rooms that have members. */
  names(): ReadonlySet<string> {
    return new Set(this.#rooms.keys());
  }

  /** A room's members: a live view while the room is. */
  members(name: string): ReadonlySet<Member> {
    return this.#rooms.get(name) ?? NOBODY;
  }

  join(name: string, member: Member): void {
    const members = this.#rooms.get(name);
    if (members === undefined) this.#rooms.set(name, new Set([member]));
    else members.add(member);
  }

  leave(name: string, member: Member): void {
    const members = this.#rooms.get(name);
    if (members?.delete(member) === true && members.size === 0) this.#rooms.delete(name);
  }
}

const NOBODY: ReadonlySet<never> = new Set<never>();
