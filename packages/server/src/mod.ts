/**
 * createServer: admit, dispatch, broadcast, drain.
 *
 * @module
 */
export { createServer } from "./server.ts";
export { closeLimitTable, serverLimitTable } from "./options.ts";
export { sessionServerLimitTable } from "./session-options.ts";
export type { ListenCallOptions } from "./listeners.ts";
export type { CloseOptions, CloseResult, ServerOptions } from "./options.ts";
export type { Server } from "./server.ts";
export type { ServerSocket, WireHandlers } from "./handlers.ts";
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
} from "./session-handlers.ts";
export type { SessionServerOptions } from "./session-options.ts";
// What the signatures above mention: a program that exports what it makes needs no other package to name it.
export type {
  Address,
  AddressInput,
  Arguments,
  Awaitable,
  CertificateName,
  Clock,
  Closed,
  Connection,
  ConnectionLimitOptions,
  EventOptions,
  ListenOptions,
  OpenOptions,
  PeerCertificate,
  SessionStream,
  StreamResult,
  Ticker,
  TlsOptions,
  WireSocket,
  WriteBufferOptions,
} from "@hawser/transport";
