/**
 * Byte pipes: addresses, TCP, TLS and IPC sockets, a pair in memory, the clock, and what the
 * system's errors mean.
 *
 * @module
 */
export { formatAddress, formatHost, parseAddress } from "./address.ts";
export { laterTurn, processTicker, shifted, systemClock, TICK_MS, Ticker } from "./clock.ts";
export { affordableConnections } from "./descriptors.ts";
export { fromSystem } from "./errno.ts";
export {
  connectionOptionNames,
  resolveConnectionLimits,
  timeLimitTable,
  writeBufferTable,
} from "./limits.ts";
export { memoryPair } from "./memory.ts";
export { dial, listen } from "./node/socket.ts";
export { Output, SharedOutput } from "./output.ts";
export type { Address, AddressInput } from "./address.ts";
export type { Clock, Ticking } from "./clock.ts";
export type { Connection, ConnectionSink, Listener, ListenerSink } from "./connection.ts";
export type { Phase } from "./errno.ts";
export type { ConnectionLimitOptions, ConnectionLimits, WriteBufferOptions } from "./limits.ts";
export type { MemoryPairOptions } from "./memory.ts";
export type { DialOptions, ListenOptions } from "./node/socket.ts";
export type { CertificateName, PeerCertificate } from "./tls/peer-certificate.ts";
export type { Pem, TlsOptions } from "./tls/credentials.ts";
