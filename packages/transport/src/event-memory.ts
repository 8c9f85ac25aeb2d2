/**
 * EventMemory: which events were handled, so that one which is sent again in another session is handled once (PROTOCOL.md §8).
 * Owns the memory of this process, and the way to a store of the application. Must not know sessions or handlers.
 *
 * @module
 */
import { describeValue, type EventIdentity, type Handled, type HawserError, NumberSet } from "@hawser/protocol";
import { programFailed, runProgram } from "./program.ts";

/**
 * A store of the events that were handled: for those that must not be handled twice though this process is started anew meanwhile. An identity
 * is a text of at most 49 characters, and stays the same in whatever session its event is sent again.
 */
export interface Deduplication {
  /** True if an event was handled; asked only of one that is sent again in another session. When it fails, the event is handled. */
  seen(id: string): PromiseLike<boolean> | boolean;
  /** Keep the identity of an event that was handled well. It is acknowledged afterwards, also when this fails. */
  remember(id: string): unknown;
}

/** The memory as a session asks it. */
export interface EventMemory {
  seen(identity: EventIdentity): PromiseLike<boolean> | boolean;
  remember(identity: EventIdentity): unknown;
}

/** Ranges of numbers that the default memory keeps. */
const MAX_RANGES = 65_536;

/** The default: the newest events of this process, as ranges of numbers of each session; of a session in order that is one, however many events it had. */
export class RecentEvents implements EventMemory {
  readonly #maxRanges: number;
  /** By origin, the one that was used last behind the others. */
  readonly #numbers = new Map<string, NumberSet>();
  #newest = "";
  #ranges = 0;

  constructor(maxRanges: number = MAX_RANGES) {
    this.#maxRanges = maxRanges;
  }

  seen({ origin, number }: EventIdentity): boolean {
    return this.#numbers.get(origin)?.has(number) === true;
  }

  remember({ origin, number }: EventIdentity): void {
    const numbers = this.#use(origin);
    const before = numbers.ranges.length;
    numbers.add(number);
    this.#ranges += numbers.ranges.length - before;
    while (this.#ranges > this.#maxRanges) this.#forgetOldest();
  }

  #use(origin: string): NumberSet {
    let numbers = this.#numbers.get(origin);
    if (numbers !== undefined && origin === this.#newest) return numbers;
    if (numbers === undefined) {
      numbers = new NumberSet();
      this.#ranges++; // for the numbers from 1 on
    } else {
      this.#numbers.delete(origin);
    }
    this.#numbers.set(origin, numbers);
    this.#newest = origin;
    return numbers;
  }

  #forgetOldest(): void {
    for (const [origin, { ranges }] of this.#numbers) {
      this.#numbers.delete(origin);
      this.#ranges -= ranges.length + 1;
      return;
    }
  }
}

/** A store of the application. */
class StoredEvents implements EventMemory {
  readonly #store: Deduplication;

  constructor(store: Deduplication) {
    this.#store = store;
  }

  seen({ id }: EventIdentity): PromiseLike<boolean> | boolean {
    return this.#store.seen(id);
  }

  remember({ id }: EventIdentity): unknown {
    return this.#store.remember(id);
  }
}

/**
 * The memory that the option `deduplicate` stands for.
 *
 * @throws {TypeError} when it is none
 */
export function resolveDeduplicate(given: Deduplication | undefined): EventMemory {
  if (given === undefined) return new RecentEvents();
  const { seen, remember } = (typeof given === "object" && (given as unknown) !== null ? given : {}) as Partial<Deduplication>; // looked at before it is believed
  if (typeof seen === "function" && typeof remember === "function") return new StoredEvents(given);
  throw new TypeError(`Cannot use deduplicate ${describeValue(given)}: it is an object with the functions seen and remember`);
}

/**
 * Have an event handled by `handle`, unless it was handled before; it is remembered when it was handled well, and `handled` is told after that.
 * `report` is told how the memory fails.
 */
export function handleOnce(memory: EventMemory, identity: EventIdentity | null, handle: (handled: Handled) => void, handled: Handled, report: (error: HawserError) => void): void {
  if (identity === null) {
    handle(handled);
    return;
  }
  const remembering: Handled = (error) => {
    if (error === undefined || error === null) remember(memory, identity, handled, report);
    else handled(error);
  };
  if (!identity.isRepeated) {
    handle(remembering);
    return;
  }
  runProgram(
    () => memory.seen(identity),
    (isSeen) => {
      if (isSeen === true) handled();
      else handle(remembering);
    },
    (cause) => {
      report(programFailed("The function seen of the option deduplicate", cause));
      handle(remembering);
    },
  );
}

function remember(memory: EventMemory, identity: EventIdentity, handled: Handled, report: (error: HawserError) => void): void {
  if (memory instanceof RecentEvents) {
    memory.remember(identity);
    handled();
    return;
  }
  runProgram(
    () => memory.remember(identity),
    () => {
      handled();
    },
    (cause) => {
      report(programFailed("The function remember of the option deduplicate", cause));
      handled();
    },
  );
}
