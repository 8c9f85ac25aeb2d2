/**
 * Route: how a client gets to a server: rounds through its addresses, and pauses between the
 * rounds. Owns whether it is worth trying again. Must not know what happens on a connection.
 *
 * @module
 */
import type { HawserError } from "@hawser/protocol";
import { readHawserError } from "@hawser/protocol/engine";
import type { Clock, Connection, DialOptions } from "@hawser/transport";
import type { ResolvedReconnect } from "./options.ts";
import { pauseMs, type Targets } from "./targets.ts";

/** The client, as its route sees it. */
export interface RouteOptions {
  readonly dial: DialOptions & { readonly signal: AbortSignal };
  readonly random: (bytes: number) => Uint8Array;
  /**
   * Try one address: `dial` connects to it. Resolves when it serves, and rejects with why it does
   * not.
   */
  attempt(dial: () => Promise<Connection>): Promise<void>;
  /** An address does not serve, and others are tried. */
  failed(error: HawserError): void;
}

/** The way to a server, gone again and again until the dial's signal is aborted. */
export class Route {
  readonly #targets: Targets;
  readonly #options: RouteOptions;
  readonly #clock: Clock;
  /** Number of pauses since the last `begin()`: each is longer than the one before. */
  #pauses = 0;

  constructor(targets: Targets, options: RouteOptions) {
    this.#targets = targets;
    this.#options = options;
    this.#clock = options.dial.clock;
  }

  /** The connection that was found has lasted: the next pauses are short again. */
  begin(): void {
    this.#pauses = 0;
  }

  /**
   * Go through the addresses until one serves. `patience`: how often, and how long between the
   * rounds; null: once.
   *
   * @throws why the last address does not serve; the signal's reason
   */
  async find(patience: ResolvedReconnect | null): Promise<void> {
    const { signal } = this.#options.dial;
    for (let round = 1; ; round++) {
      const failures = await this.#round(patience !== null);
      if (failures === null) return;
      signal.throwIfAborted();
      const mayPass = failures.some((error) => readHawserError(error)?.retryable === true);
      if (patience === null || !mayPass || round >= patience.attempts) throw failures.at(-1);
      await this.pause(patience);
    }
  }

  /** Wait before a round. Rejects with the signal's reason. */
  pause(patience: ResolvedReconnect): Promise<void> {
    const { signal } = this.#options.dial;
    const [a = 0, b = 0, c = 0] = this.#options.random(3);
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const leave = (): void => {
      cancel();
      reject(signal.reason as Error); // whoever aborts it gives an error
    };
    const cancel = this.#clock.after(
      pauseMs(patience, this.#pauses++, (a * 65_536 + b * 256 + c) / 16_777_216),
      () => {
        signal.removeEventListener("abort", leave);
        resolve(undefined);
      },
    );
    signal.addEventListener("abort", leave, { once: true });
    return promise;
  }

  /** One round: null when an address serves, or why each does not. */
  async #round(tells: boolean): Promise<readonly unknown[] | null> {
    const failures: unknown[] = [];
    for (let index = 0; index < this.#targets.size; index++) {
      try {
        await this.#options.attempt(() => this.#targets.connect(index, this.#options.dial));
        this.#targets.served(index);
        return null;
      } catch (error) {
        this.#options.dial.signal.throwIfAborted();
        failures.push(error);
        const own = readHawserError(error);
        if (tells && own !== null) this.#options.failed(own);
      }
    }
    return failures;
  }
}
