/**
 * connect: a typed socket to a server, or to any program that speaks the same wire.
 *
 * @module
 */
export { connect } from "./connect.ts";
export { fetchContract } from "./contract/fetch-contract.ts";
export { connectLimitTable } from "./connect-options.ts";
export { queueLimitTable, reconnectLimitTable } from "./contract/options.ts";
export { Socket } from "./wire/socket.ts";
export type { ConnectOptions } from "./connect-options.ts";
export type {
  ClientHandlers,
  ClientState,
  EventContext,
  EventListener,
  HandlerContext,
  Lifecycle,
  LifecycleEvents,
  SessionClient,
  SharedContext,
  StreamContext,
} from "./contract/handlers.ts";
export type { QueueOptions, ReconnectOptions, SessionConnectOptions } from "./contract/options.ts";
export type { Connector, Target } from "./contract/targets.ts";
export type { SocketEvents } from "./wire/socket.ts";
// What the signatures above mention: a program that exports what it makes needs no other package to
// name it.
export type {
  Arguments,
  Awaitable,
  Closed,
  EventOptions,
  OpenOptions,
  SessionStream,
  StreamResult,
} from "@hawser/session";
export type {
  Address,
  AddressInput,
  Clock,
  Connection,
  ConnectionLimitOptions,
  Ticker,
  TlsOptions,
  WriteBufferOptions,
} from "@hawser/transport";
