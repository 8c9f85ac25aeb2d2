/**
 * Where a client connects: its addresses in the order in which they are tried, and the pauses
 * between the rounds through them. Must not know sessions.
 *
 * @module
 */
import { HawserError } from "@hawser/protocol";
import { describeCaught, readHawserError } from "@hawser/protocol/engine";
import { type Awaitable, withinTime } from "@hawser/session";
import {
  type Address,
  type AddressInput,
  type Connection,
  dial,
  type DialOptions,
  formatAddress,
  parseAddress,
} from "@hawser/transport";
import type { ResolvedReconnect } from "./options.ts";

/**
 * Makes a connection where there is no address: a `memoryPair()`, or a transport of one's own.
 * Called for each attempt.
 */
export type Connector = () => Awaitable<Connection>;

/** The server that `connect()` is to find. A connection that was made elsewhere is used once. */
export type Target = AddressInput | Connection | Connector | readonly (AddressInput | Connector)[];

/** The addresses of one client, beginning with the one that served it last. */
export class Targets {
  readonly #targets: readonly (Address | Connector | Once)[];
  #first = 0;

  /**
   * @throws {TypeError} when an address can't be read
   * @throws {RangeError} when there is none
   */
  constructor(target: Target) {
    const list = Array.isArray(target)
      ? (target as readonly (AddressInput | Connector)[])
      : [target as Exclude<Target, readonly unknown[]>]; // isArray() does not see readonly
    if (list.length === 0)
      throw new RangeError("Cannot connect to an empty list of addresses: give one or more");
    this.#targets = list.map((each) =>
      typeof each === "function" ? each : isConnection(each) ? new Once(each) : parseAddress(each),
    );
  }

  /** Number of them. */
  get size(): number {
    return this.#targets.length;
  }

  /** For people: the address that is tried `index`-th in a round. */
  name(index: number): string {
    const target = this.#at(index);
    return typeof target === "function"
      ? "its connector"
      : target instanceof Once
        ? target.remote
        : formatAddress(target);
  }

  /** Connect to the address that is tried `index`-th in a round. */
  async connect(index: number, options: DialOptions): Promise<Connection> {
    const target = this.#at(index);
    if (target instanceof Once) return target.take();
    return typeof target === "function" ? connectBy(target, options) : dial(target, options);
  }

  /** The `index`-th serves: begin with it next time. */
  served(index: number): void {
    this.#first = (this.#first + index) % this.#targets.length;
  }

  /** The first does not serve for much longer: begin with the one behind it. */
  next(): void {
    this.served(1);
  }

  #at(index: number): Address | Connector | Once {
    return this.#targets[(this.#first + index) % this.#targets.length] as
      Address | Connector | Once; // there is at least one
  }
}

/** Ask a connector, within the time for one attempt. A connection that comes too late is closed. */
async function connectBy(
  connector: Connector,
  { clock, connectTimeoutMs, signal }: DialOptions,
): Promise<Connection> {
  const late = (): HawserError =>
    new HawserError(
      "CONNECT_TIMEOUT",
      "The connector given to connect() made no connection within connectTimeoutMs " +
        String(connectTimeoutMs),
    );
  let connection: unknown;
  try {
    connection = await withinTime(connector, {
      clock,
      timeoutMs: connectTimeoutMs,
      signal,
      late,
      unwanted: abandon,
    });
  } catch (cause) {
    signal?.throwIfAborted();
    throw (
      readHawserError(cause) ??
      new HawserError(
        "CONNECTOR_FAILED",
        `The connector given to connect() failed: ${describeCaught(cause)}`,
        { cause },
      )
    );
  }
  if (isConnection(connection)) return connection;
  throw new TypeError(
    "Cannot connect by a connector that gave a value of type " +
      `${connection === null ? "null" : typeof connection}: it gives a Connection`,
  );
}

function abandon(connection: unknown): void {
  if (!isConnection(connection)) return;
  connection.open({
    chunk: () => undefined,
    ended: () => undefined,
    written: () => undefined,
    gone: () => undefined,
  });
  connection.abort();
}

/** The pause before a round, in milliseconds: `fraction` is at random from 0 to 1. */
export function pauseMs(
  { initialMs, maxMs, jitter }: ResolvedReconnect,
  round: number,
  fraction: number,
): number {
  const most = Math.min(maxMs, initialMs * 2 ** Math.min(round, 50));
  return jitter === "none" ? most : Math.floor(most * fraction);
}

/** True if a value is a connection, and not an address. */
export function isConnection(value: unknown): value is Connection {
  return typeof value === "object" && value !== null && "schedule" in value;
}

/** A connection that was made elsewhere: it can't be made again. */
class Once {
  readonly #connection: Connection;
  #state: "fresh" | "used" = "fresh";

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get remote(): string {
    return this.#connection.remote;
  }

  take(): Connection {
    if (this.#state === "used")
      throw new TypeError(
        `Cannot connect to ${this.remote} again: the connection was made elsewhere; give ` +
          "connect() an address, or a function that makes one",
      );
    this.#state = "used";
    return this.#connection;
  }
}
