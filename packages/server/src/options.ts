/**
 * A server's options: the limits that are its own, beside those of each connection.
 *
 * @module
 */
import { checkOptions, type Limit, resolveLimits } from "@hawser/protocol/engine";
import {
  affordableConnections,
  type ConnectionLimitOptions,
  type ConnectionLimits,
  connectionOptionNames,
  processTicker,
  resolveConnectionLimits,
  type Ticker,
  type TlsOptions,
} from "@hawser/transport";

/** Options of a server; every limit has a finite default. */
export interface ServerOptions extends ConnectionLimitOptions {
  /** Connections at once; one more is closed as soon as it is made. */
  readonly maxConnections?: number | undefined;
  /**
   * Messages of one connection that are being handled at once; above it, that connection is not
   * read.
   */
  readonly maxInFlight?: number | undefined;
  /** Milliseconds for a TLS handshake. */
  readonly handshakeTimeoutMs?: number | undefined;
  /** Connections that the operating system keeps waiting to be accepted. */
  readonly backlog?: number | undefined;
  /**
   * Certificate and key for `tls://`; with `ca`, clients must have a certificate that it signed
   * (see `clientCertificate`).
   */
  readonly tls?: TlsOptions | undefined;
  /** Mode of a socket file. Default 0o600: this user alone. */
  readonly mode?: number | undefined;
  /** Time, injected by tests. Default the process's. */
  readonly ticker?: Ticker | undefined;
}

/** Options of a server's close(). */
export interface CloseOptions {
  /**
   * Milliseconds that the connections get to end by themselves before the server ends them;
   * Infinity: it waits for them. Default 0.
   */
  readonly graceMs?: number | undefined;
  /**
   * Milliseconds after which what is still open is aborted, counted from the call; Infinity: never.
   * Default 10 000.
   */
  readonly deadlineMs?: number | undefined;
}

/** The times of a server's close. */
export const closeLimitTable: Readonly<Record<"deadlineMs" | "graceMs", Limit>> = Object.freeze({
  deadlineMs: {
    default: 10_000,
    unit: "milliseconds",
    min: 0,
    unlimited: true,
    reason: "What a supervisor waits before it kills.",
  },
  graceMs: {
    default: 0,
    unit: "milliseconds",
    min: 0,
    unlimited: true,
    reason: "Whoever spreads the ends of many connections says over how long.",
  },
});

/**
 * Complete a server's close options.
 *
 * @throws {TypeError} when a value is not a number
 * @throws {RangeError} when a value is not a whole number of milliseconds, or Infinity
 */
export function resolveCloseOptions(
  given: CloseOptions = {},
): Readonly<Record<"deadlineMs" | "graceMs", number>> {
  checkOptions("close()", given, ["graceMs", "deadlineMs"]);
  return resolveLimits(closeLimitTable, given);
}

/** The ends of a server's connections when it closed. */
export interface CloseResult {
  /** Connections that closed in order. */
  readonly drained: number;
  /** Connections that were aborted at the deadline. */
  readonly forced: number;
}

type OwnLimit = "backlog" | "handshakeTimeoutMs" | "maxConnections" | "maxInFlight" | "mode";

/** The limits of a server as a whole. */
export const serverLimitTable: Readonly<Record<Exclude<OwnLimit, "mode">, Limit>> = Object.freeze({
  backlog: {
    default: 1_024,
    unit: "connections",
    min: 1,
    unlimited: false,
    reason:
      "What a burst of clients needs while the loop is busy; the kernel clips it to its own " +
      "maximum, and Bun has its own, 512.",
  },
  handshakeTimeoutMs: {
    default: 5_000,
    unit: "milliseconds",
    min: 1,
    unlimited: false,
    reason:
      "A client that begins TLS and says nothing more costs a descriptor (HANDSHAKE_TIMEOUT).",
  },
  maxConnections: {
    default: 10_000,
    unit: "connections",
    min: 1,
    unlimited: true,
    reason:
      "Each costs a descriptor and some 10 KB. The default is no more than the soft limit of " +
      "descriptors less 64, where Linux says it: above that limit the runtimes close what " +
      "comes without a word, and Deno accepts nobody any more (TOO_MANY_CONNECTIONS).",
  },
  maxInFlight: {
    default: 1,
    unit: "messages",
    min: 1,
    unlimited: true,
    reason:
      "One: the messages of a connection are handled in the order in which they came, as a " +
      "stream promises.",
  },
});

/** A server's options, complete and checked. */
export interface ResolvedServerOptions extends Readonly<Record<OwnLimit, number>> {
  readonly connection: ConnectionLimits;
  readonly tls: TlsOptions | undefined;
  readonly ticker: Ticker;
}

/**
 * Complete a server's options.
 *
 * @throws {TypeError} when an option is not known, or a value has the wrong type
 * @throws {RangeError} when a value is out of its range
 */
export function resolveServerOptions(given: ServerOptions): ResolvedServerOptions {
  checkOptions("createServer() of a wire", given, [
    ...connectionOptionNames,
    ...Object.keys(serverLimitTable),
    "mode",
    "ticker",
    "tls",
  ]);
  return Object.freeze({
    ...resolveLimits(serverLimitTable, given),
    maxConnections: resolveMaxConnections(given.maxConnections),
    mode: resolveMode(given.mode),
    connection: resolveConnectionLimits(given, "server"),
    tls: given.tls,
    ticker: given.ticker ?? processTicker,
  });
}

/** Complete `maxConnections`: its default is no more than there are descriptors for. */
export function resolveMaxConnections(given: number | undefined): number {
  const { maxConnections } = resolveLimits(
    { maxConnections: serverLimitTable.maxConnections },
    { maxConnections: given },
  );
  return given ?? Math.min(maxConnections, affordableConnections());
}

/**
 * Complete the mode of socket files.
 *
 * @throws {RangeError} when it is not one
 */
export function resolveMode(mode = 0o600): number {
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o777)
    throw new RangeError(`Cannot use mode ${String(mode)}: it is from 0 to 0o777`);
  return mode;
}
