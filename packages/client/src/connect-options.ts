/**
 * Options of a client's connection.
 *
 * @module
 */
import type { Limit } from "@hawser/protocol/engine";
import {
  type ConnectionLimitOptions,
  connectionOptionNames,
  type Ticker,
  type TlsOptions,
} from "@hawser/transport";

/**
 * Options of a client's connection. Idle and stall timeouts are off by default: a client waits for
 * its server.
 */
export interface ConnectOptions extends ConnectionLimitOptions {
  /** Milliseconds to connect, TLS handshake included. */
  readonly connectTimeoutMs?: number | undefined;
  /** Aborts the connecting, and then the connection. */
  readonly signal?: AbortSignal | undefined;
  readonly tls?: TlsOptions | undefined;
  /** Time, injected by tests. Default the process's. */
  readonly ticker?: Ticker | undefined;
}

/** The limits of connecting. */
export const connectLimitTable: Readonly<Record<"connectTimeoutMs", Limit>> = Object.freeze({
  connectTimeoutMs: {
    default: 10_000,
    unit: "milliseconds",
    min: 1,
    unlimited: true,
    reason:
      "A host that drops packets answers nothing; the kernel gives up after some two minutes " +
      "(CONNECT_TIMEOUT).",
  },
});

/** Every option of a wire's `connect()`. */
export const connectOptionNames: readonly string[] = Object.freeze([
  ...connectionOptionNames,
  ...Object.keys(connectLimitTable),
  "signal",
  "ticker",
  "tls",
]);
