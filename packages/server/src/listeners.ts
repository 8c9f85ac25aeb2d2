/**
 * Listeners: every address that one server listens on. Must not know what is served there.
 *
 * @module
 */
import { HawserError } from "@hawser/protocol";
import {
  type Address,
  type AddressInput,
  type Connection,
  formatAddress,
  listen,
  type Listener,
  type ListenerSink,
  type ListenOptions,
  parseAddress,
  type Ticker,
  type TlsOptions,
} from "@hawser/transport";

/** What one `listen()` has of its own. */
export interface ListenCallOptions {
  readonly tls?: TlsOptions | undefined;
  readonly mode?: number | undefined;
}

/** What all `listen()`s of a server share. */
export interface ListenersOptions extends Omit<ListenOptions, "clock"> {
  readonly ticker: Ticker;
}

/** The listeners of one server, from the first `listen()` to the one `close()`. */
export class Listeners {
  readonly #options: ListenersOptions;
  readonly #sink: ListenerSink;
  readonly #listeners: Listener[] = [];
  #state: "closed" | "open" = "open";

  constructor(options: ListenersOptions, sink: ListenerSink) {
    this.#options = options;
    this.#sink = sink;
  }

  /**
   * @throws {HawserError} CONNECTION_CLOSED after `close()`, and what `listen()` of the transport
   *   throws
   */
  async listen(input: AddressInput, own: ListenCallOptions): Promise<Address> {
    const address = parseAddress(input);
    if (this.#isClosed())
      throw new HawserError(
        "CONNECTION_CLOSED",
        `Cannot listen on ${formatAddress(address)}: the server is closed`,
      );
    const { handshakeTimeoutMs, backlog, mode, ticker, tls } = this.#options;
    const listener = await listen(
      address,
      {
        clock: ticker.clock,
        handshakeTimeoutMs,
        backlog,
        mode: own.mode ?? mode,
        tls: own.tls ?? tls,
      },
      this.#sink,
    );
    this.#listeners.push(listener);
    if (this.#isClosed()) await listener.close();
    return listener.address;
  }

  addresses(): readonly Address[] {
    return this.#listeners.map((listener) => listener.address);
  }

  async close(): Promise<void> {
    this.#state = "closed";
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }

  // A method, because the compiler takes the field to keep its value across an await.
  #isClosed(): boolean {
    return this.#state === "closed";
  }
}

/** Close a connection that nobody will read. */
export function refuse(connection: Connection): void {
  connection.open({
    chunk: () => undefined,
    ended: () => undefined,
    written: () => undefined,
    gone: () => undefined,
  });
  connection.abort();
}
