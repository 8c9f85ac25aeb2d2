/**
 * What waits while there is no connection: bounded in bytes and in time, and told truthfully when it does not get away.
 * Must not know what a held thing is, nor why there is no connection.
 *
 * @module
 */
import { HawserError, type Session } from "@hawser/protocol";
import type { Clock } from "@hawser/transport";
import type { Held } from "./session-held.ts";
import type { ResolvedQueue } from "./session-options.ts";

interface Waiting {
  readonly held: Held;
  readonly expiresMs: number;
}

/** The queue of one client. */
export class OfflineQueue {
  readonly #options: ResolvedQueue;
  readonly #clock: Clock;
  #held: Waiting[] = [];
  #bytes = 0;
  #cancelTimer: (() => void) | null = null;

  constructor(options: ResolvedQueue, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Whether anything is held at all. */
  get holds(): boolean {
    return this.#options.policy !== "fail";
  }

  get size(): number {
    return this.#held.length;
  }

  /** @throws {HawserError} WRITE_BUFFER_FULL when there is no room for it */
  push(held: Held): void {
    const { policy, maxBytes, ttlMs } = this.#options;
    this.#drop(({ held: each }) => each.isOver());
    const full = new HawserError("WRITE_BUFFER_FULL", `Cannot hold ${held.what} until there is a connection: queue.maxBytes ${String(maxBytes)} wait already`);
    if (held.bytes > maxBytes) throw full;
    while (this.#bytes + held.bytes > maxBytes) {
      const oldest = policy === "drop-oldest" ? this.#held[0] : undefined;
      if (oldest === undefined) throw full;
      this.#drop((each) => each === oldest);
      oldest.held.fail(new HawserError("NOT_SENT", `${capital(oldest.held.what)} made room for newer ones while there was no connection: queue.maxBytes ${String(maxBytes)}`));
    }
    this.#held.push({ held, expiresMs: Math.min(this.#clock.now() + ttlMs, held.deadlineMs) });
    this.#bytes += held.bytes;
    this.#arm();
  }

  /** There is a session with a connection: send everything, in order. */
  flush(session: Session): void {
    for (const { held } of this.#take()) if (!held.isOver()) held.send(session);
  }

  /** There will be no connection. */
  fail(error: (what: string) => HawserError): void {
    for (const { held } of this.#take()) held.fail(error(held.what));
  }

  #take(): readonly Waiting[] {
    const taken = this.#held;
    this.#held = [];
    this.#bytes = 0;
    this.#arm();
    return taken;
  }

  #expire(): void {
    const nowMs = this.#clock.now();
    for (const { held } of this.#drop(({ expiresMs }) => expiresMs <= nowMs)) {
      const late = held.deadlineMs <= nowMs;
      held.fail(
        late
          ? new HawserError("DEADLINE_EXCEEDED", `There was no connection for ${held.what} within its timeoutMs`, { origin: "local" })
          : new HawserError("NOT_SENT", `There was no connection for ${held.what} within queue.ttlMs ${String(this.#options.ttlMs)}`),
      );
    }
    this.#arm();
  }

  #drop(isOut: (each: Waiting) => boolean): readonly Waiting[] {
    const out = this.#held.filter(isOut);
    if (out.length === 0) return out;
    this.#held = this.#held.filter((each) => !out.includes(each));
    for (const { held } of out) this.#bytes -= held.bytes;
    return out;
  }

  /** One timer, for whichever expires first. */
  #arm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    const firstMs = this.#held.reduce((least, { expiresMs }) => Math.min(least, expiresMs), Infinity);
    if (firstMs === Infinity) return;
    this.#cancelTimer = this.#clock.after(Math.max(0, firstMs - this.#clock.now()), () => {
      this.#cancelTimer = null;
      this.#expire();
    });
  }
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
