/**
 * connect: from an address to an open socket, or to one clear error.
 *
 * @module
 */
import { HawserError, type Protocol, type Wire } from "@hawser/protocol";
import {
  checkOptions,
  checkSpoken,
  nativeSessions,
  resolveLimits,
  type SessionKind,
} from "@hawser/protocol/engine";
import { rejected } from "@hawser/session";
import {
  type AddressInput,
  type Connection,
  dial,
  parseAddress,
  processTicker,
  resolveConnectionLimits,
} from "@hawser/transport";
import { captureCaller, withCaller } from "./contract/caller-stack.ts";
import { connectLimitTable, connectOptionNames, type ConnectOptions } from "./connect-options.ts";
import type { SessionClient } from "./contract/handlers.ts";
import type { SessionConnectOptions } from "./contract/options.ts";
import { ClientSession } from "./contract/client.ts";
import { isConnection, type Target } from "./contract/targets.ts";
import { Socket } from "./wire/socket.ts";

/**
 * Connect to an address, or take a connection that was made elsewhere (one end of a
 * `memoryPair()`).
 *
 * @throws {TypeError} when the address can't be read, or an option is not known or has the wrong
 *   type
 * @throws {RangeError} when a limit is out of its range
 * @throws {HawserError} CONNECT_REFUSED, CONNECT_TIMEOUT, HOST_NOT_FOUND, PATH_NOT_FOUND, TLS_…:
 *   see the error table
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
export function connect<In, Out = In>(
  wire: Wire<In, Out>,
  address: AddressInput | Connection,
  options?: ConnectOptions,
): Promise<Socket<In, Out>>;
/**
 * Connect to a server of a contract, spoken natively or as a session kind such as
 * `jsonRpc(contract)`. Resolves when calls can be made.
 *
 * `target` may be several addresses: each is tried in turn, now and whenever the connection is
 * lost; or a connection that was made elsewhere, or a function that makes one.
 *
 * @throws {TypeError} when an address can't be read, an option is not known or has the wrong type,
 *   or a handler is missing
 * @throws {RangeError} when a limit is out of its range
 * @throws {HawserError} why the last address does not serve: CONNECT_REFUSED, AUTH_REFUSED,
 *   PROTOCOL_MISMATCH, VERSION_UNSUPPORTED, CONTRACT_DIFFERS, NOT_HAWSER, …
 * @throws the signal's reason, when it is aborted while connecting
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { connect } from "@hawser/client";
 * import { defineProtocol, type } from "@hawser/protocol";
 * import { createServer } from "@hawser/server";
 *
 * const math = defineProtocol({
 *   name: "math",
 *   version: 1,
 *   requests: { add: { input: type<[number, number]>(), output: type<number>() } },
 * });
 * const server = createServer(math, { add: ([one, other]) => one + other });
 * const socket = await connect(math, await server.listen("tcp://localhost:0"));
 * assert.equal(await socket.request("add", [1, 2]), 3);
 * await socket.close();
 * await server.close();
 * ```
 */
export function connect<P extends Protocol>(
  contract: P | (SessionKind & { readonly contract: P }),
  target: Target,
  options?: SessionConnectOptions<P>,
): Promise<SessionClient<P>>;
export function connect(
  what: Protocol | SessionKind | Wire<unknown>,
  target: Target,
  options: ConnectOptions | SessionConnectOptions<Protocol> = {},
): Promise<SessionClient<Protocol> | Socket<unknown>> {
  try {
    checkSpoken("connect()", what);
    const caller = captureCaller();
    if ("framing" in what)
      return withCaller(connectWire(what, target as AddressInput | Connection, options), caller);
    return withCaller(
      connectSession("contract" in what ? what : nativeSessions(what), target, options),
      caller,
    );
  } catch (error) {
    return rejected(error);
  }
}

async function connectWire<In, Out>(
  wire: Wire<In, Out>,
  address: AddressInput | Connection,
  options: ConnectOptions,
): Promise<Socket<In, Out>> {
  checkOptions("connect() of a wire", options, connectOptionNames);
  const limits = resolveConnectionLimits(options, "client");
  const { connectTimeoutMs } = resolveLimits(connectLimitTable, options);
  const { signal, ticker = processTicker } = options;
  signal?.throwIfAborted();
  const connection = isConnection(address)
    ? address
    : await dial(parseAddress(address), {
        clock: ticker.clock,
        connectTimeoutMs,
        signal,
        tls: options.tls,
      });
  const socket = new Socket<In, Out>(wire, connection, { limits, ticker, onFull: "throw" });
  if (signal !== undefined) abortWith(socket, signal);
  return socket;
}

async function connectSession<P extends Protocol>(
  kind: SessionKind,
  target: Target,
  options: SessionConnectOptions<P>,
): Promise<SessionClient<P>> {
  const { signal } = options;
  const client = new ClientSession(kind, target, options);
  signal?.throwIfAborted();
  if (signal !== undefined) abortWith(client, signal);
  try {
    await client.start();
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
  return client;
}

function abortWith(
  socket: Pick<Socket<unknown>, "abort" | "closed" | "remote">,
  signal: AbortSignal,
): void {
  const onAbort = (): void => {
    socket.abort(
      new HawserError("ABORTED", `The connection to ${socket.remote} was aborted by its signal`, {
        cause: signal.reason,
      }),
    );
  };
  signal.addEventListener("abort", onAbort, { once: true });
  void socket.closed.then(() => {
    signal.removeEventListener("abort", onAbort);
  });
}
