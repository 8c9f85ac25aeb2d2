/**
 * connect: from an address to an open socket, or to one clear error.
 *
 * @module
 */
import { HawserError, type Limit, resolveLimits, type Wire } from "@hawser/protocol";
import { type AddressInput, type Connection, type ConnectionLimitOptions, dial, parseAddress, processTicker, resolveConnectionLimits, type Ticker, type TlsOptions } from "@hawser/transport";
import { Socket } from "./socket.ts";

/** Options of a client's connection. Idle and stall timeouts are off by default: a client waits for its server. */
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
  connectTimeoutMs: { default: 10_000, unit: "milliseconds", min: 1, unlimited: true, reason: "A host that drops packets answers nothing; the kernel gives up after some two minutes (CONNECT_TIMEOUT)." },
});

/**
 * Connect to an address, or take a connection that was made elsewhere (one end of a `memoryPair()`).
 *
 * @throws {TypeError} when the address can't be read, or an option has the wrong type
 * @throws {RangeError} when a limit is out of its range
 * @throws {HawserError} CONNECT_REFUSED, CONNECT_TIMEOUT, HOST_NOT_FOUND, PATH_NOT_FOUND, TLS_…: see the error table
 * @throws the signal's reason, when it is aborted while connecting
 * @example
 * ```ts
 * import { lines, text, wire } from "@hawser/protocol";
 * import { connect } from "@hawser/client";
 * import { createServer } from "@hawser/server";
 *
 * const echo = wire({ framing: lines(), codec: text(), sentinel: "exit" });
 * const server = createServer(echo, { message: (message, socket) => void socket.send(message) });
 * const socket = await connect(echo, await server.listen("tcp://localhost:0"));
 * socket.send("hello");
 * for await (const message of socket) {
 *   if (message === "hello") socket.end();
 * }
 * await server.close();
 * ```
 */
export async function connect<In, Out = In>(
  wire: Wire<In, Out>,
  address: AddressInput | Connection,
  options: ConnectOptions = {},
): Promise<Socket<In, Out>> {
  const limits = resolveConnectionLimits(options, "client");
  const { connectTimeoutMs } = resolveLimits(connectLimitTable, options);
  const { signal, ticker = processTicker } = options;
  signal?.throwIfAborted();
  const connection = isConnection(address) ? address : await dial(parseAddress(address), { clock: ticker.clock, connectTimeoutMs, signal, tls: options.tls });
  const socket = new Socket<In, Out>(wire, connection, { limits, ticker, onFull: "throw" });
  if (signal !== undefined) abortWith(socket, signal);
  return socket;
}

function isConnection(value: AddressInput | Connection): value is Connection {
  return typeof value === "object" && "schedule" in value;
}

function abortWith<In, Out>(socket: Socket<In, Out>, signal: AbortSignal): void {
  const onAbort = (): void => {
    socket.abort(new HawserError("ABORTED", `The connection to ${socket.remote} was aborted by its signal`, { cause: signal.reason }));
  };
  signal.addEventListener("abort", onAbort, { once: true });
  void socket.closed.then(() => {
    signal.removeEventListener("abort", onAbort);
  });
}
