/**
 * connect: a typed socket to a server, or to any program that speaks the same wire.
 *
 * @module
 */
export { connect } from "./connect.ts";
export { fetchContract } from "./fetch-contract.ts";
export { connectLimitTable } from "./connect-options.ts";
export { queueLimitTable, reconnectLimitTable } from "./session-options.ts";
export { Socket } from "./socket.ts";
export type { ConnectOptions } from "./connect-options.ts";
export type { ClientHandlers, ClientState, EventContext, EventListener, HandlerContext, Lifecycle, LifecycleEvents, SessionClient, SharedContext, StreamContext } from "./session-handlers.ts";
export type { QueueOptions, ReconnectOptions, SessionConnectOptions } from "./session-options.ts";
export type { Connector, Target } from "./session-targets.ts";
export type { SocketEvents } from "./socket.ts";
// What the signatures above mention: a program that exports what it makes needs no other package to name it.
export type {
  Address,
  AddressInput,
  Arguments,
  Awaitable,
  Clock,
  Closed,
  Connection,
  ConnectionLimitOptions,
  EventOptions,
  OpenOptions,
  SessionStream,
  StreamResult,
  Ticker,
  TlsOptions,
  WriteBufferOptions,
} from "@hawser/transport";
