/**
 * The peer's events, handed over one at a time.
 * Owns their turn, and how many bytes of them may wait. Must not know how they came.
 *
 * @module
 */
import type { MessageEntry } from "../contract/message.ts";
import { Fifo } from "../session/fifo.ts";
import type { Context } from "./context.ts";

interface Arrived {
  readonly entry: MessageEntry;
  readonly payload: unknown;
  readonly cost: number;
}

export class EventQueue {
  readonly #context: Context;
  readonly #waiting = new Fifo<Arrived>();
  #bytes = 0;
  /**
   * "idle"; "handing": inside `sink.event`; "handed": still inside, but its handler is through;
   * "handling": not inside, and it is not.
   */
  #state: "handed" | "handing" | "handling" | "idle" = "idle";

  constructor(context: Context) {
    this.#context = context;
  }

  get isIdle(): boolean {
    return this.#state === "idle";
  }

  /** Hand an event over, now or in its turn; false: too many wait, and it is dropped. */
  push(entry: MessageEntry, payload: unknown, cost: number): boolean {
    if (this.#bytes > 0 && this.#bytes + cost > this.#context.limits.eventWindowBytes) return false;
    this.#waiting.push({ entry, payload, cost });
    this.#bytes += cost;
    if (this.#state === "idle") this.#hand();
    return true;
  }

  /** Drop what waits. */
  clear(): void {
    this.#waiting.clear();
    this.#bytes = 0;
  }

  #hand(): void {
    const { sink, turn } = this.#context;
    for (
      let arrived = this.#waiting.shift();
      arrived !== undefined;
      arrived = this.#waiting.shift()
    ) {
      const { cost, entry, payload } = arrived;
      this.#bytes -= cost;
      this.#state = "handing";
      const handled = this.#handler();
      turn.run(() => {
        let isThrown = true;
        try {
          sink.event({ entry, payload, trace: null, identity: null, handled });
          isThrown = false;
        } finally {
          if (isThrown) handled();
        }
      });
      if (this.#stateIs("handing")) {
        this.#state = "handling";
        return;
      }
    }
    this.#state = "idle";
    this.#context.settled();
  }

  /** What ends the turn of the event that is handed over; it does so once. */
  #handler(): () => void {
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      if (this.#state === "handing") {
        this.#state = "handed";
        return;
      }
      const { turn } = this.#context;
      turn.enter();
      this.#hand();
      turn.leave();
    };
  }

  // A method, because the compiler takes a field to keep its value across the call that changes it.
  #stateIs(state: "handed" | "handing"): boolean {
    return this.#state === state;
  }
}
