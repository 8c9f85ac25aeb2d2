/**
 * The seam to the outside: one byte pipe, whatever it is made of. Interfaces only. TCP, TLS and IPC
 * implement it in node/socket.ts, what Bun accepts in bun/socket.ts, the in-memory pair in
 * memory.ts; whoever has another pipe implements it too.
 *
 * @module
 */
import type { HawserError } from "@hawser/protocol";
import type { Address } from "./address.ts";
import type { Output } from "./output.ts";
import type { PeerCertificate } from "./tls/peer-certificate.ts";

/** Callbacks of a connection for its one reader. */
export interface ConnectionSink {
  /**
   * Bytes as they came; valid until this returns, unless nobody writes into their storage any more
   * (`stays`): then views of them may be kept. Returns true when something was kept, or would have
   * been: the next chunks had better stay.
   */
  chunk(bytes: Uint8Array, stays: boolean): boolean | undefined;
  /** The peer will send nothing more; the other direction is still open. */
  ended(): void;
  /** Bytes have left for the operating system: `pendingBytes` is lower than it was. */
  written(): void;
  /** The pipe is gone in both directions; called once, last. Null when both ends had closed it. */
  gone(error: HawserError | null): void;
}

/** One byte pipe, both ways, with back-pressure in both. */
export interface Connection {
  readonly transport: "ipc" | "memory" | "tcp" | "tls";
  /** The peer, for people: `127.0.0.1:52122`, `unix:/run/desk.sock#3`. */
  readonly remote: string;
  /**
   * The peer's certificate, while the connection is there; null: it has shown none that is trusted.
   * Absent: as null.
   */
  certificate?(): PeerCertificate | null;
  /**
   * This turn's output: append to it, then call its `schedule()`. The same object for the
   * connection's whole life.
   */
  readonly output: Output;
  /** Bytes that are not yet the operating system's, in bytes. */
  readonly pendingBytes: number;
  /**
   * A number that is another one when the operating system has taken bytes, also of a write that it
   * has not taken whole. Looked at now and then.
   */
  readonly progress: number;
  /**
   * Begin to read; called once, in the turn in which the connection was made, so that no early byte
   * is missed.
   */
  open(sink: ConnectionSink): void;
  /** Send `output` at the end of this turn: everything that a turn appends leaves in one write. */
  schedule(): void;
  /** Stop reading; a chunk that is under way may still come. */
  pause(): void;
  resume(): void;
  /** Run a task in a later turn of the event loop, when other connections have been read. */
  later(task: () => void): void;
  /** Send what waits, then tell the peer that nothing more comes. */
  end(): void;
  /** Close both directions at once; what waits is lost. the sink's `gone` follows. */
  abort(): void;
}

/** A place where connections arrive. */
export interface Listener {
  /** Where it listens really: with the port that the system chose for 0. */
  readonly address: Address;
  /**
   * Stop accepting; connections that are open stay so. Removes the socket file if it is still this
   * listener's own.
   */
  close(): Promise<void>;
}

/** Where a listener puts what arrives. */
export interface ListenerSink {
  /** A connection is made (for TLS: after the handshake). Open it in this turn. */
  accepted(connection: Connection): void;
  /**
   * A TLS handshake begins. Returns whether it may: false closes the connection at once. Absent: it
   * may.
   */
  handshake?(remote: string): boolean;
  /** One that might begin is over: `accepted` follows, or `failed` has told why not. */
  handshakeOver?(): void;
  /** A handshake or an accept failed; the listener goes on. */
  failed(error: HawserError, remote: string): void;
}

/** The address of a listening socket: a host and a port, a path, or a file descriptor. */
export interface Binding {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  readonly fd?: number;
  readonly backlog?: number;
}

/** A listening socket of some runtime, whose connections go to the sink that it was made with. */
export interface Acceptor {
  /**
   * Listen. Resolves with the address that the system gave, or null where that has no port; rejects
   * with what the system says.
   */
  bind(binding: Binding): Promise<{ readonly host: string; readonly port: number } | null>;
  /** Stop accepting; also when it never listened. */
  close(): void;
}
