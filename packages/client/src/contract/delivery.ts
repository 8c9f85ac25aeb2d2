/**
 * Delivery: the contract's events that a server emits, to whoever listens. Owns the
 * acknowledgement, and events that come before anybody could listen. Must not know sessions or
 * connections.
 *
 * @module
 */
import { HawserError, type Protocol } from "@hawser/protocol";
import { type InboundEvent, unknownName } from "@hawser/protocol/engine";
import { type EventMemory, failEvent, type Responder, settleEvent } from "@hawser/session";
import { type AnyListener, Listeners } from "./listeners.ts";

/** An event that waits for its first listener. */
interface EarlyEvent {
  readonly event: InboundEvent;
  readonly context: unknown;
}

/**
 * The listeners of one client, and what comes for them: of each lane one event at a time, as the
 * session gives them.
 */
export class Delivery {
  readonly #contract: Protocol;
  readonly #memory: EventMemory;
  readonly #report: (error: HawserError) => void;
  readonly #listeners = new Listeners();
  /** True if events wait for their first listener: while nobody could have begun to listen. */
  #isEarly = true;
  /** At most one of each lane. */
  #early: EarlyEvent[] = [];

  /**
   * `handlers` are the listeners that were there from the start. `report` is told what a listener
   * throws, and how `memory` fails.
   */
  constructor(
    contract: Protocol,
    handlers: Responder,
    memory: EventMemory,
    report: (error: HawserError) => void,
  ) {
    this.#contract = contract;
    this.#memory = memory;
    this.#report = report;
    for (const entry of contract.messages) {
      const listener = entry.type === "event" ? handlers.handlerOf(entry) : undefined;
      if (listener !== undefined) this.#listeners.on(entry.name, listener);
    }
  }

  /**
   * @throws {TypeError} when the contract has no such event from the server, or the listener is no
   *   function
   */
  on(name: string, listener: AnyListener): void {
    this.#check(name);
    this.#listeners.on(name, listener);
    this.#deliverEarly(name);
  }

  /** @throws {TypeError} as `on` */
  once(name: string, listener: AnyListener): void {
    this.#check(name);
    this.#listeners.once(name, listener);
    this.#deliverEarly(name);
  }

  /** @throws {TypeError} as `on` */
  off(name: string, listener: AnyListener): void {
    this.#check(name);
    this.#listeners.off(name, listener);
  }

  /** Programs that listen from the start do so now: nothing waits any more. */
  settle(): void {
    this.#isEarly = false;
    const early = this.#early;
    this.#early = [];
    for (const { event, context } of early) this.event(event, context);
  }

  /** An event has come. */
  event(event: InboundEvent, context: unknown): void {
    const { entry } = event;
    if (this.#listeners.has(entry.name)) {
      this.#deliver(event, context);
    } else if (this.#isEarly) {
      this.#early.push({ event, context });
    } else {
      // One that is sent once may go unheard, as in any emitter; of one that is to arrive, its
      // sender is told.
      event.handled(
        entry.delivery === "at-least-once"
          ? new HawserError("MESSAGE_UNKNOWN", `Nobody listens to the event ${entry.name}`, {
              origin: "local",
            })
          : null,
      );
    }
  }

  #deliver(event: InboundEvent, context: unknown): void {
    let result: unknown;
    try {
      result = this.#listeners.call(event.entry.name, event.payload, context);
    } catch (cause) {
      failEvent(event, cause, this.#report);
      return;
    }
    settleEvent(event, result, this.#memory, this.#report);
  }

  /** In a turn of its own: whoever calls `on()` does not expect to be called back from within. */
  #deliverEarly(name: string): void {
    const early = this.#early.filter(({ event }) => event.entry.name === name);
    if (early.length === 0) return;
    this.#early = this.#early.filter(({ event }) => event.entry.name !== name);
    queueMicrotask(() => {
      for (const { event, context } of early) this.event(event, context);
    });
  }

  #check(name: string): void {
    const { name: contract } = this.#contract;
    const entry = this.#contract.find(name);
    if (entry?.type !== "event") {
      const events = this.#contract.messages
        .filter((each) => each.type === "event" && each.from !== "client")
        .map((each) => each.name);
      throw unknownName(`The contract ${contract}`, "event from its server", name, events);
    }
    if (entry.from === "client")
      throw new TypeError(
        `Cannot listen to ${JSON.stringify(name)}: in the contract ${contract} it is the ` +
          "client's own to emit",
      );
  }
}
