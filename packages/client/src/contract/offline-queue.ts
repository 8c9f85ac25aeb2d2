/**
 * OfflineQueue: what waits while there is no connection: bounded in number, in bytes and in time,
 * and told truthfully when it is not sent. Must not know what a held thing is, nor why there is no
 * connection.
 *
 * @module
 */
import { HawserError } from "@hawser/protocol";
import type { Session } from "@hawser/protocol/engine";
import type { Clock } from "@hawser/transport";
import type { Held } from "./held.ts";
import type { ResolvedQueue } from "./options.ts";

interface Waiting {
  readonly held: Held;
  readonly expiresMs: number;
  /** Its place. */
  at: number;
}

/** Empty places before they are taken out. */
const SLACK = 1_024;

/** The queue of one client. */
export class OfflineQueue {
  readonly #options: ResolvedQueue;
  readonly #clock: Clock;
  /** In order; those that nobody waits for any more are null, and so are those before `#first`. */
  #waiting: (Waiting | null)[] = [];
  #first = 0;
  #size = 0;
  #bytes = 0;
  /** When the timer fires: nothing expires earlier. */
  #dueMs = Infinity;
  #cancelTimer: (() => void) | null = null;

  constructor(options: ResolvedQueue, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** True if anything is held at all. */
  get holds(): boolean {
    return this.#options.policy !== "fail";
  }

  get size(): number {
    return this.#size;
  }

  /** Bytes of the one that is sent next; 0 where there is none. */
  get nextBytes(): number {
    return this.#oldest()?.held.bytes ?? 0;
  }

  /** @throws {HawserError} WRITE_BUFFER_FULL when there is no room for it */
  push(held: Held): void {
    const { policy, maxBytes, maxMessages, ttlMs } = this.#options;
    while (this.#size >= maxMessages || this.#bytes + held.bytes > maxBytes) {
      const limit =
        this.#size >= maxMessages
          ? `queue.maxMessages ${String(maxMessages)}`
          : `queue.maxBytes ${String(maxBytes)}`;
      const oldest = policy === "drop-oldest" && held.bytes <= maxBytes ? this.#shift() : null;
      if (oldest === null)
        throw new HawserError(
          "WRITE_BUFFER_FULL",
          `Cannot hold ${held.what} until there is a connection: ${limit} wait already`,
        );
      oldest.held.fail(
        new HawserError(
          "NOT_SENT",
          `${capital(oldest.held.what)} made room for newer ones while there was no ` +
            `connection: ${limit}`,
        ),
      );
    }
    const waiting: Waiting = {
      held,
      expiresMs: Math.min(this.#clock.now() + ttlMs, held.deadlineMs),
      at: this.#waiting.length,
    };
    this.#waiting.push(waiting);
    this.#size++;
    this.#bytes += held.bytes;
    held.taken(() => {
      this.#forget(waiting);
    });
    if (waiting.expiresMs < this.#dueMs) this.#arm(waiting.expiresMs);
  }

  /** Send the oldest; false where nothing waits. */
  sendNext(session: Session): boolean {
    const next = this.#shift();
    next?.held.send(session);
    return next !== null;
  }

  /** There will be no connection. */
  fail(error: (what: string) => HawserError): void {
    for (let next = this.#shift(); next !== null; next = this.#shift())
      next.held.fail(error(next.held.what));
  }

  #oldest(): Waiting | null {
    while (this.#first < this.#waiting.length) {
      const waiting = this.#waiting[this.#first] ?? null;
      if (waiting !== null) return waiting;
      this.#first++;
    }
    return null;
  }

  /** Take the oldest out. */
  #shift(): Waiting | null {
    const oldest = this.#oldest();
    if (oldest !== null) this.#remove(oldest);
    return oldest;
  }

  /** Nobody waits for it any more. Does nothing where it was taken out. */
  #forget(waiting: Waiting): void {
    if (this.#waiting[waiting.at] === waiting) this.#remove(waiting);
  }

  /** One is out: it counts no more. */
  #remove({ at, held }: Waiting): void {
    this.#waiting[at] = null;
    this.#size--;
    this.#bytes -= held.bytes;
    if (this.#waiting.length > 2 * this.#size + SLACK) this.#close();
    if (this.#size === 0) this.#arm(Infinity);
  }

  /** Take out the empty places. */
  #close(): void {
    const waiting = this.#waiting.filter((each) => each !== null);
    waiting.forEach((each, at) => {
      each.at = at;
    });
    this.#waiting = waiting;
    this.#first = 0;
  }

  #expire(): void {
    const nowMs = this.#clock.now();
    const late: Waiting[] = [];
    let nextMs = Infinity;
    for (const waiting of this.#waiting) {
      if (waiting === null) continue;
      if (waiting.expiresMs > nowMs) nextMs = Math.min(nextMs, waiting.expiresMs);
      else late.push(waiting);
    }
    for (const waiting of late) this.#remove(waiting);
    if (this.#size > 0) this.#arm(nextMs);
    for (const { held } of late) {
      held.fail(
        held.deadlineMs <= nowMs
          ? new HawserError(
              "DEADLINE_EXCEEDED",
              `There was no connection for ${held.what} within its timeoutMs`,
              { origin: "local" },
            )
          : new HawserError(
              "NOT_SENT",
              `There was no connection for ${held.what} within queue.ttlMs ` +
                String(this.#options.ttlMs),
            ),
      );
    }
  }

  /** One timer, for whichever expires first. */
  #arm(dueMs: number): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#dueMs = dueMs;
    if (dueMs === Infinity) return;
    this.#cancelTimer = this.#clock.after(Math.max(0, dueMs - this.#clock.now()), () => {
      this.#cancelTimer = null;
      this.#dueMs = Infinity;
      this.#expire();
    });
  }
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
