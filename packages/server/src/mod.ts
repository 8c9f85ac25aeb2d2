/**
 * createServer: admit, dispatch, broadcast, drain.
 *
 * @module
 */
export { createServer } from "./server.ts";
export { closeLimitTable, serverLimitTable } from "./options.ts";
export { sessionServerLimitTable } from "./contract/options.ts";
export type { ListenCallOptions } from "./listeners.ts";
export type { CloseOptions, CloseResult, ServerOptions } from "./options.ts";
export type { Server } from "./server.ts";
export type { ServerSocket, WireHandlers } from "./wire/dispatcher.ts";
export type {
  Audience,
  Authenticate,
  EventContext,
  HandlerContext,
  Middleware,
  MiddlewareCall,
  Room,
  SessionHandlers,
  SessionPeer,
  SessionServer,
  SessionSocket,
  SharedContext,
  StreamContext,
} from "./contract/handlers.ts";
export type { SessionServerOptions } from "./contract/options.ts";
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
  WireSocket,
} from "@hawser/session";
export type {
  Address,
  AddressInput,
  CertificateName,
  Clock,
  Connection,
  ConnectionLimitOptions,
  ListenOptions,
  PeerCertificate,
  Ticker,
  TlsOptions,
  WriteBufferOptions,
} from "@hawser/transport";
