/**
 * Byte pipes and what runs on them: addresses, TCP, TLS and IPC sockets, a pair in memory, timeouts, and the loop that
 * joins a wire and a connection.
 *
 * @module
 */
export { formatAddress, formatHost, parseAddress } from "./address.ts";
export { laterTurn, processTicker, systemClock, Ticker } from "./clock.ts";
export { affordableConnections } from "./descriptors.ts";
export { fromSystem } from "./errno.ts";
export { connectionOptionNames, resolveConnectionLimits, timeLimitTable, writeBufferTable } from "./limits.ts";
export { memoryPair } from "./memory.ts";
export { SharedOutput } from "./output.ts";
export { isThenable, programFailed, runProgram, tellProgram, whenSettled, withinTime } from "./program.ts";
export { Reporter } from "./reporter.ts";
export { mayBeSeen, RecentEvents, resolveDeduplicate, unlessSeen } from "./event-memory.ts";
export { callOptions, emitEvent, EventCall, eventsFlushed, messageToOpen, openRequest, rejected, RequestCall } from "./session-caller.ts";
export { SessionLink } from "./session-link.ts";
export { CallContext, failEvent, Responder, settleEvent } from "./session-responder.ts";
export { openStream, SessionStream } from "./session-stream.ts";
export { dial, listen } from "./socket.ts";
export { StuckHandlers } from "./stuck-handlers.ts";
export { unsent } from "./unsent.ts";
export { WireSocket } from "./wire-socket.ts";
export type { Address, AddressInput } from "./address.ts";
export type { Clock, Ticking } from "./clock.ts";
export type { Connection, ConnectionSink, Listener, ListenerSink } from "./connection.ts";
export type { Phase } from "./errno.ts";
export type { ConnectionLimitOptions, ConnectionLimits, WriteBufferOptions } from "./limits.ts";
export type { MemoryPairOptions } from "./memory.ts";
export type { Deduplication, EventMemory } from "./event-memory.ts";
export type { Arguments, EventOptions, OpenOptions } from "./session-caller.ts";
export type { Backlog, SessionLinkEvents, SessionLinkOptions, Speaker } from "./session-link.ts";
export type { AnyHandler, AnyMiddleware, Awaitable, StreamResult } from "./session-responder.ts";
export type { DialOptions, ListenOptions } from "./socket.ts";
export type { CertificateName, PeerCertificate } from "./peer-certificate.ts";
export type { Pem, TlsOptions } from "./tls-credentials.ts";
export type { Closed, WireSocketEvents, WireSocketOptions } from "./wire-socket.ts";
