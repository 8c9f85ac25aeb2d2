/**
 * EventMemory: which events were handled, so that one which is sent again in another session is
 * handled once (PROTOCOL.md §8). Owns the memory of this process, and the way to a store of the
 * application. Must not know sessions or handlers.
 *
 * @module
 */
import type { HawserError } from "@hawser/protocol";
import {
  describeValue,
  type EventIdentity,
  type InboundEvent,
  NumberSet,
} from "@hawser/protocol/engine";
import { isThenable, programFailed, runProgram, whenSettled } from "../program.ts";

/**
 * A store of the events that were handled: for those that must not be handled twice though this
 * process is started anew meanwhile. An identity is a text of at most 49 characters, and stays the
 * same in whatever session its event is sent again.
 */
export interface Deduplication {
  /**
   * True if an event was handled; asked only of one that is sent again in another session. When it
   * fails, the event is handled.
   */
  seen(id: string): PromiseLike<boolean> | boolean;
  /**
   * Keep the identity of an event that was handled well. It is acknowledged afterwards, also when
   * this fails.
   */
  remember(id: string): unknown;
}

/** The memory as a session asks it. */
export interface EventMemory {
  seen(identity: EventIdentity): PromiseLike<boolean> | boolean;
  remember(identity: EventIdentity): unknown;
}

/** Ranges of numbers that the default memory keeps. */
const MAX_RANGES = 65_536;

/**
 * The default: the newest events of this process, as ranges of numbers of each session; of a
 * session in order that is one, however many events it had.
 */
export class RecentEvents implements EventMemory {
  readonly #maxRanges: number;
  /** By origin, the one that was used last behind the others. */
  readonly #numbers = new Map<string, NumberSet>();
  #newest: { readonly origin: string; readonly numbers: NumberSet } | null = null;
  #ranges = 0;

  constructor(maxRanges: number = MAX_RANGES) {
    this.#maxRanges = maxRanges;
  }

  seen({ origin, number }: EventIdentity): boolean {
    return this.#numbers.get(origin)?.has(number) === true;
  }

  remember({ origin, number }: EventIdentity): void {
    const numbers = this.#newest?.origin === origin ? this.#newest.numbers : this.#use(origin);
    if (numbers.append(number)) return;
    const before = numbers.ranges.length;
    numbers.add(number);
    this.#ranges += numbers.ranges.length - before;
    while (this.#ranges > this.#maxRanges) this.#forgetOldest();
  }

  /** The numbers of an origin, put behind those of the others. */
  #use(origin: string): NumberSet {
    let numbers = this.#numbers.get(origin);
    if (numbers === undefined) {
      numbers = new NumberSet();
      this.#ranges++; // for the numbers from 1 on
    } else {
      this.#numbers.delete(origin);
    }
    this.#numbers.set(origin, numbers);
    this.#newest = { origin, numbers };
    return numbers;
  }

  #forgetOldest(): void {
    for (const [origin, { ranges }] of this.#numbers) {
      this.#numbers.delete(origin);
      this.#ranges -= ranges.length + 1;
      if (this.#newest?.origin === origin) this.#newest = null;
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
  const { seen, remember } = (
    typeof given === "object" && (given as unknown) !== null ? given : {}
  ) as Partial<Deduplication>; // looked at before it is believed
  if (typeof seen === "function" && typeof remember === "function") return new StoredEvents(given);
  throw new TypeError(
    `Cannot use deduplicate ${describeValue(given)}: it is an object with the functions seen ` +
      "and remember",
  );
}

/**
 * Ends an event that was handled well: its identity is remembered, and then the peer is told. A
 * memory that fails is reported.
 */
export function acknowledge(
  event: InboundEvent,
  memory: EventMemory,
  report: (error: HawserError) => void,
): void {
  const { identity } = event;
  if (identity === null) {
    event.handled();
    return;
  }
  let result: unknown;
  try {
    result = memory.remember(identity);
  } catch (cause) {
    notRemembered(event, cause, report);
    return;
  }
  if (!isThenable(result)) {
    event.handled();
    return;
  }
  whenSettled(
    result,
    () => {
      event.handled();
    },
    (cause) => {
      notRemembered(event, cause, report);
    },
  );
}

function notRemembered(
  event: InboundEvent,
  cause: unknown,
  report: (error: HawserError) => void,
): void {
  report(programFailed("The function remember of the option deduplicate", cause));
  event.handled();
}

/** True if the memory is to be asked whether this event was handled before. */
export function mayBeSeen({ identity }: InboundEvent): boolean {
  return identity?.isRepeated === true;
}

/**
 * Calls `handle`, unless the memory has seen the event, which then ends. A memory that fails is
 * reported, and `handle` called.
 */
export function unlessSeen(
  event: InboundEvent,
  memory: EventMemory,
  handle: () => void,
  report: (error: HawserError) => void,
): void {
  const { identity } = event;
  runProgram(
    () => identity !== null && memory.seen(identity),
    (isSeen) => {
      if (isSeen === true) event.handled();
      else handle();
    },
    (cause) => {
      report(programFailed("The function seen of the option deduplicate", cause));
      handle();
    },
  );
}
