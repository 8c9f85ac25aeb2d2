/**
 * connect: a typed socket to a server, or to any program that speaks the same wire.
 *
 * @module
 */
export { connect } from "./connect.ts";
export { connectLimitTable } from "./connect.ts";
export { Socket } from "./socket.ts";
export type { ConnectOptions } from "./connect.ts";
export type { SocketEvents } from "./socket.ts";
