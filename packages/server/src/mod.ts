/**
 * createServer: admit, dispatch, broadcast, drain.
 *
 * @module
 */
export { createServer } from "./server.ts";
export { serverLimitTable } from "./options.ts";
export type { CloseOptions, CloseResult, ListenCallOptions, Server } from "./server.ts";
export type { ServerOptions } from "./options.ts";
export type { ServerSocket, WireHandlers } from "./handlers.ts";
