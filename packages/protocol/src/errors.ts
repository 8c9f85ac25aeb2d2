/**
 * The errors of Hawser: one class and the one table that its codes come from.
 * Owns what a code means: who is at fault, what it ends, whether trying again makes sense.
 * Must not know where an error is raised or what the operating system called it.
 *
 * @module
 */
import { printable } from "./printable.ts";

/** The party at fault: this program, the peer's bytes, or what lies between. */
export type ErrorOrigin = "local" | "remote" | "transport";

/**
 * The scope that the error ends: one message or exchange, the protocol state of both peers, or the
 * byte pipe.
 */
export type ErrorScope = "conversation" | "session" | "connection";

/** A row of the error table: what is true of each error with its code. */
export interface ErrorKind {
  readonly origin: ErrorOrigin;
  readonly scope: ErrorScope;
  /** True if the same call may succeed later with nothing changed here. */
  readonly retryable: boolean;
  /** The event, in one sentence for the documentation. */
  readonly summary: string;
}

/** The stable codes of {@link HawserError}; match on these, never on the text. */
export type ErrorCode =
  | "ABORTED"
  | "ADDRESS_IN_USE"
  | "ADDRESS_UNAVAILABLE"
  | "AUTH_FAILED"
  | "AUTH_REFUSED"
  | "BYTES_AFTER_SENTINEL"
  | "CALL_CANCELLED"
  | "CONNECTION_CLOSED"
  | "CONNECTION_RESET"
  | "CONNECTOR_FAILED"
  | "CONNECT_REFUSED"
  | "CONNECT_TIMEOUT"
  | "CONTRACT_DIFFERS"
  | "DEADLINE_EXCEEDED"
  | "DRAINING"
  | "END_TIMEOUT"
  | "EVENT_INVALID"
  | "FLOW_VIOLATION"
  | "FRAME_MALFORMED"
  | "FRAME_TIMEOUT"
  | "FRAME_TOO_LARGE"
  | "FRAME_TRUNCATED"
  | "HANDLER_FAILED"
  | "HANDLER_STUCK"
  | "HANDSHAKE_TIMEOUT"
  | "HEARTBEAT_LOST"
  | "HELLO_INVALID"
  | "HOST_NOT_FOUND"
  | "HOST_UNREACHABLE"
  | "IDLE_TIMEOUT"
  | "INPUT_INVALID"
  | "ITEM_INVALID"
  | "MESSAGE_INVALID"
  | "MESSAGE_TOO_LARGE"
  | "MESSAGE_UNKNOWN"
  | "NAMED_ERROR"
  | "NOT_HAWSER"
  | "NOT_READY"
  | "NOT_SENT"
  | "OUTPUT_INVALID"
  | "OVERLOADED"
  | "PATH_NOT_FOUND"
  | "PATH_TOO_LONG"
  | "PAYLOAD_FORBIDDEN"
  | "PAYLOAD_IS_SENTINEL"
  | "PAYLOAD_TOO_LARGE"
  | "PERMISSION_DENIED"
  | "PROTOCOL_MISMATCH"
  | "PROTOCOL_VIOLATION"
  | "REMOTE_HANDLER_FAILED"
  | "RETENTION_FULL"
  | "SESSION_CLOSED"
  | "SESSION_LOST"
  | "SESSION_REPLACED"
  | "SLOW_CONSUMER"
  | "SYSTEM_FAILED"
  | "TLS_CERTIFICATE_REJECTED"
  | "TLS_FAILED"
  | "TLS_NOT_SPOKEN"
  | "TOO_MANY_CONNECTIONS"
  | "TOO_MANY_FILES"
  | "VERSION_UNSUPPORTED"
  | "WRITE_BUFFER_FULL";

const local = "local";
const remote = "remote";
const transport = "transport";

/** Every code with who is at fault, what it ends, and whether it can pass by itself. */
export const errorTable: Readonly<Record<ErrorCode, ErrorKind>> = Object.freeze({
  ABORTED: {
    origin: local,
    scope: "connection",
    retryable: false,
    summary: "This program gave the connection up with abort() or an AbortSignal.",
  },
  ADDRESS_IN_USE: {
    origin: local,
    scope: "connection",
    retryable: true,
    summary: "Another program listens on the address.",
  },
  ADDRESS_UNAVAILABLE: {
    origin: local,
    scope: "connection",
    retryable: true,
    summary: "The host's address is not one of this machine's, or no local port is free.",
  },
  AUTH_FAILED: {
    origin: local,
    scope: "session",
    retryable: true,
    summary:
      "The client's auth option threw or rejected, or did not answer within connectTimeoutMs; " +
      "its error is the cause.",
  },
  AUTH_REFUSED: {
    origin: remote,
    scope: "session",
    retryable: false,
    summary: "The server does not let this client in.",
  },
  BYTES_AFTER_SENTINEL: {
    origin: remote,
    scope: "connection",
    retryable: false,
    summary: "The peer went on sending after the sentinel that ends the conversation.",
  },
  CALL_CANCELLED: {
    origin: local,
    scope: "conversation",
    retryable: false,
    summary: "The call was given up with cancel() or an AbortSignal, or its opener did so.",
  },
  CONNECTION_CLOSED: {
    origin: local,
    scope: "connection",
    retryable: false,
    summary: "The socket was used after it had ended.",
  },
  CONNECTION_RESET: {
    origin: transport,
    scope: "connection",
    retryable: true,
    summary: "The connection broke before both ends had closed it.",
  },
  CONNECTOR_FAILED: {
    origin: local,
    scope: "connection",
    retryable: true,
    summary:
      "A function given to connect() in place of an address threw or rejected; its error is " +
      "the cause.",
  },
  CONNECT_REFUSED: {
    origin: transport,
    scope: "connection",
    retryable: true,
    summary: "Nothing listens on the address.",
  },
  CONNECT_TIMEOUT: {
    origin: transport,
    scope: "connection",
    retryable: true,
    summary: "The connection, or its TLS handshake, was not made within the time given.",
  },
  CONTRACT_DIFFERS: {
    origin: remote,
    scope: "session",
    retryable: false,
    summary:
      "Both ends have the same version of the contract, but a message that is not the same on " +
      "both.",
  },
  DEADLINE_EXCEEDED: {
    origin: remote,
    scope: "conversation",
    retryable: false,
    summary: "The answer did not come within the time given; the call was cancelled.",
  },
  DRAINING: {
    origin: remote,
    scope: "conversation",
    retryable: true,
    summary:
      "The peer opens nothing new because it is about to close: the call was not handled; try " +
      "another connection.",
  },
  END_TIMEOUT: {
    origin: remote,
    scope: "connection",
    retryable: false,
    summary: "The peer did not end within endTimeoutMs after this end had.",
  },
  EVENT_INVALID: {
    origin: local,
    scope: "conversation",
    retryable: false,
    summary: "An event's payload is not what the contract's schema wants.",
  },
  FLOW_VIOLATION: {
    origin: remote,
    scope: "session",
    retryable: false,
    summary: "The peer sent more than it had credit for, or gave more credit than there is.",
  },
  FRAME_MALFORMED: {
    origin: remote,
    scope: "connection",
    retryable: false,
    summary: "A byte of a frame's structure is not what its framing demands.",
  },
  FRAME_TIMEOUT: {
    origin: remote,
    scope: "connection",
    retryable: false,
    summary: "A frame that had begun was not complete within frameTimeoutMs.",
  },
  FRAME_TOO_LARGE: {
    origin: remote,
    scope: "connection",
    retryable: false,
    summary: "A frame is longer than maxFrameBytes.",
  },
  FRAME_TRUNCATED: {
    origin: remote,
    scope: "connection",
    retryable: false,
    summary: "The stream ended inside a frame.",
  },
  HANDLER_FAILED: {
    origin: local,
    scope: "connection",
    retryable: false,
    summary: "A handler threw or rejected; its error is the cause.",
  },
  HANDLER_STUCK: {
    origin: local,
    scope: "conversation",
    retryable: false,
    summary:
      "A handler went on for cancelTimeoutMs after its call was cancelled: it still counts for " +
      "maxConversations. Let it look at signal.",
  },
  HANDSHAKE_TIMEOUT: {
    origin: remote,
    scope: "connection",
    retryable: true,
    summary: "The handshake was not complete within handshakeTimeoutMs.",
  },
  HEARTBEAT_LOST: {
    origin: transport,
    scope: "connection",
    retryable: true,
    summary:
      "Nothing came for heartbeatMs, nor within heartbeatTimeoutMs of a question: the " +
      "connection is taken for lost.",
  },
  HELLO_INVALID: {
    origin: remote,
    scope: "session",
    retryable: false,
    summary: "The peer's greeting can't be read.",
  },
  HOST_NOT_FOUND: {
    origin: transport,
    scope: "connection",
    retryable: true,
    summary: "The host's name has no address.",
  },
  HOST_UNREACHABLE: {
    origin: transport,
    scope: "connection",
    retryable: true,
    summary: "No route leads to the host.",
  },
  IDLE_TIMEOUT: {
    origin: remote,
    scope: "connection",
    retryable: false,
    summary: "The peer was silent for idleTimeoutMs.",
  },
  INPUT_INVALID: {
    origin: local,
    scope: "conversation",
    retryable: false,
    summary: "The input of a call is not what the contract's schema wants.",
  },
  ITEM_INVALID: {
    origin: local,
    scope: "conversation",
    retryable: false,
    summary: "A stream's item is not what the contract's schema wants.",
  },
  MESSAGE_INVALID: {
    origin: remote,
    scope: "connection",
    retryable: false,
    summary: "A frame's payload is not what the codec reads.",
  },
  MESSAGE_TOO_LARGE: {
    origin: remote,
    scope: "session",
    retryable: false,
    summary: "The peer sent a message whose body is longer than maxMessageBytes.",
  },
  MESSAGE_UNKNOWN: {
    origin: remote,
    scope: "conversation",
    retryable: false,
    summary: "The peer's contract has no such message, or not from this side.",
  },
  NAMED_ERROR: {
    origin: remote,
    scope: "conversation",
    retryable: false,
    summary: "The handler failed with an error of the contract: see `failure`.",
  },
  NOT_HAWSER: {
    origin: remote,
    scope: "connection",
    retryable: false,
    summary:
      "The peer does not speak Hawser's session protocol; the message says what it seems to speak.",
  },
  NOT_READY: {
    origin: local,
    scope: "conversation",
    retryable: true,
    summary: "The session has no connection, or its handshake is not complete.",
  },
  NOT_SENT: {
    origin: transport,
    scope: "conversation",
    retryable: true,
    summary:
      "The connection was lost before the message had been sent: the peer has not handled it.",
  },
  OUTPUT_INVALID: {
    origin: remote,
    scope: "conversation",
    retryable: false,
    summary: "The answer to a call is not what the contract's schema wants.",
  },
  OVERLOADED: {
    origin: remote,
    scope: "conversation",
    retryable: true,
    summary: "The peer takes no more at the moment: the call, or the connection, was not taken.",
  },
  PATH_NOT_FOUND: {
    origin: transport,
    scope: "connection",
    retryable: true,
    summary: "The socket's path, or the directory for it, does not exist.",
  },
  PATH_TOO_LONG: {
    origin: local,
    scope: "connection",
    retryable: false,
    summary: "The socket's path is longer than the operating system takes.",
  },
  PAYLOAD_FORBIDDEN: {
    origin: local,
    scope: "conversation",
    retryable: false,
    summary: "The framing or the codec can't carry the message to be sent.",
  },
  PAYLOAD_IS_SENTINEL: {
    origin: local,
    scope: "conversation",
    retryable: false,
    summary: "The message to be sent would read as the sentinel.",
  },
  PAYLOAD_TOO_LARGE: {
    origin: local,
    scope: "conversation",
    retryable: false,
    summary: "The message to be sent is longer than maxFrameBytes.",
  },
  PERMISSION_DENIED: {
    origin: local,
    scope: "connection",
    retryable: false,
    summary: "The operating system does not let this program use the address.",
  },
  PROTOCOL_MISMATCH: {
    origin: remote,
    scope: "session",
    retryable: false,
    summary: "The two ends have different contracts, or versions that do not accept each other.",
  },
  PROTOCOL_VIOLATION: {
    origin: remote,
    scope: "session",
    retryable: false,
    summary: "The peer broke a rule of PROTOCOL.md; the message says which.",
  },
  REMOTE_HANDLER_FAILED: {
    origin: remote,
    scope: "conversation",
    retryable: false,
    summary: "The peer's handler threw or rejected; the cause stays there.",
  },
  RETENTION_FULL: {
    origin: local,
    scope: "conversation",
    retryable: true,
    summary:
      "More events than maxRetainedEvents, or bytes than maxRetainedBytes, are unacknowledged; " +
      "the event was not taken.",
  },
  SESSION_CLOSED: {
    origin: local,
    scope: "session",
    retryable: false,
    summary: "The session is over.",
  },
  SESSION_LOST: {
    origin: transport,
    scope: "conversation",
    retryable: false,
    summary:
      "The connection was lost while the call was open: whether the peer has handled it is not " +
      "known.",
  },
  SESSION_REPLACED: {
    origin: remote,
    scope: "session",
    retryable: false,
    summary: "The same session was resumed on another connection.",
  },
  SLOW_CONSUMER: {
    origin: remote,
    scope: "connection",
    retryable: false,
    summary:
      "The peer read too slowly: its output passed writeBuffer.maxBytes, or stood still for " +
      "stallMs.",
  },
  SYSTEM_FAILED: {
    origin: transport,
    scope: "connection",
    retryable: true,
    summary:
      "The operating system failed in a way that has no code here, and that may pass; its " +
      "error is the cause.",
  },
  TLS_CERTIFICATE_REJECTED: {
    origin: transport,
    scope: "connection",
    retryable: false,
    summary: "One end does not trust the other's certificate, or misses it.",
  },
  TLS_FAILED: {
    origin: transport,
    scope: "connection",
    retryable: false,
    summary: "The TLS handshake failed.",
  },
  TLS_NOT_SPOKEN: {
    origin: transport,
    scope: "connection",
    retryable: false,
    summary: "The peer does not speak TLS on this port.",
  },
  TOO_MANY_CONNECTIONS: {
    origin: local,
    scope: "connection",
    retryable: true,
    summary: "The server holds maxConnections already.",
  },
  TOO_MANY_FILES: {
    origin: local,
    scope: "connection",
    retryable: true,
    summary: "This process, or the machine, has no file descriptor left.",
  },
  VERSION_UNSUPPORTED: {
    origin: remote,
    scope: "session",
    retryable: false,
    summary: "The two ends have no version of the session protocol in common.",
  },
  WRITE_BUFFER_FULL: {
    origin: local,
    scope: "conversation",
    retryable: true,
    summary: "More than writeBuffer.maxBytes wait to be sent; the message was not taken.",
  },
});

/**
 * An error that a contract names: what a handler fails with, and what the opener of the call gets.
 */
export interface NamedFailure {
  readonly name: string;
  readonly payload: unknown;
}

/** Facts of one {@link HawserError} besides its code and text. */
export interface HawserErrorOptions {
  readonly cause?: unknown;
  /**
   * In place of the table's: the same thing may be either side's fault, and the peer may be who
   * says so.
   */
  readonly origin?: ErrorOrigin;
  /** Narrows the table's: a frame that is passed over ends less than one that is not. */
  readonly scope?: ErrorScope;
  readonly failure?: NamedFailure;
  readonly path?: readonly (number | string)[];
  /** Whose connection it was. */
  readonly peer?: ErrorPeer;
}

/** The other end of a connection, for people and logs. */
export interface ErrorPeer {
  /** `127.0.0.1:52122`, `unix:/run/desk.sock#3`. */
  readonly remote: string;
  readonly transport: string;
}

// eslint-disable-next-line @typescript-eslint/no-extraneous-class -- Stamp is for its constructor
class Given {
  constructor(value: object) {
    return value;
  }
}

/**
 * Marks what this copy of the package made: a proxy of it has no mark. A private field of the class
 * itself would make errors of two copies of the package two types for the compiler; a constructor
 * that returns another object puts the field there.
 */
class Stamp extends Given {
  readonly #mark = true;

  static on(error: object): void {
    new Stamp(error);
  }

  static has(value: object): boolean {
    return #mark in value;
  }
}

/**
 * The one class of everything that goes wrong at run time; misuse by the caller throws `TypeError`
 * or `RangeError` instead.
 *
 * `code` is stable and closed; `origin`, `scope` and `retryable` follow from it. The message is at
 * most 256 bytes of text unless a caller's own value is longer, holds no payload, and can be
 * printed: see {@link printable}.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { HawserError, isHawserError } from "@hawser/protocol";
 *
 * const error = new HawserError(
 *   "CONNECT_REFUSED",
 *   "Cannot connect to tcp://localhost:9: nothing listens there",
 * );
 * assert(isHawserError(error) && error.origin === "transport" && error.retryable);
 * ```
 */
export class HawserError extends Error {
  override readonly name = "HawserError";
  readonly code: ErrorCode;
  readonly origin: ErrorOrigin;
  readonly scope: ErrorScope;
  readonly retryable: boolean;
  /** The contract's error, of a NAMED_ERROR; else null. */
  readonly failure: NamedFailure | null;
  /**
   * Where in the value the schema found fault: member names and indexes; null where no schema did.
   */
  readonly path: readonly (number | string)[] | null;
  /** Whose connection it was, where there was one; null for an error that concerns no peer. */
  readonly peer: ErrorPeer | null;
  /** What tells this class apart, also across copies of this package. */
  readonly brand = "hawser.error";

  constructor(code: ErrorCode, message: string, options?: HawserErrorOptions) {
    super(printable(message), options);
    const kind = errorTable[code];
    this.code = code;
    this.origin = options?.origin ?? kind.origin;
    this.scope = options?.scope ?? kind.scope;
    this.retryable = kind.retryable;
    this.failure = options?.failure ?? null;
    this.path = options?.path ?? null;
    this.peer = options?.peer ?? null;
    Stamp.on(this);
  }
}

/**
 * True if a value is a {@link HawserError}, also of another copy of this package. Never throws,
 * whatever the value is.
 */
export function isHawserError(value: unknown): value is HawserError {
  try {
    return value instanceof Error && "brand" in value && value.brand === "hawser.error";
  } catch {
    return false;
  }
}

/**
 * Says whose connection an error was on, unless it says so already. For whoever reports it: before
 * anybody else has it in hand.
 */
export function withPeer(error: HawserError, { remote, transport: pipe }: ErrorPeer): HawserError {
  if (error.peer === null && Object.isExtensible(error))
    // read-only for everybody else
    (error as { peer: ErrorPeer }).peer = Object.freeze({ remote, transport: pipe });
  return error;
}

/**
 * A caught value as a HawserError that can be read without a surprise: the same object where its
 * members are plain data, a copy of them where they are not (a proxy, another copy of this
 * package), or null where it is none.
 */
export function readHawserError(value: unknown): HawserError | null {
  if (!isHawserError(value)) return null;
  try {
    if (isPlain(value)) return value;
    const { code, message, origin, scope, failure, path } = value;
    if (
      !Object.hasOwn(errorTable, code) ||
      typeof message !== "string" ||
      !origins.includes(origin) ||
      !scopes.includes(scope)
    )
      return null;
    return new HawserError(code, message, {
      cause: value,
      origin,
      scope,
      ...readFailure(failure),
      ...readPath(path),
    });
  } catch {
    return null;
  }
}

const origins: readonly unknown[] = ["local", "remote", "transport"];
const scopes: readonly unknown[] = ["connection", "conversation", "session"];
const read = ["code", "message", "origin", "scope", "retryable", "failure", "path"] as const;

/**
 * True if what is read of a HawserError is its own data, of the right types, and so the same each
 * time.
 */
function isPlain(error: HawserError): boolean {
  if (!Stamp.has(error)) return false;
  for (const name of read) {
    const member = Object.getOwnPropertyDescriptor(error, name);
    if (member === undefined || !("value" in member)) return false;
  }
  const { code, message, origin, scope, failure } = error;
  if (
    !Object.hasOwn(errorTable, code) ||
    typeof message !== "string" ||
    !origins.includes(origin) ||
    !scopes.includes(scope)
  )
    return false;
  return (
    failure === null ||
    (typeof failure === "object" &&
      isData(failure, "name") &&
      typeof failure.name === "string" &&
      isData(failure, "payload"))
  );
}

function isData(value: object, name: string): boolean {
  const member = Object.getOwnPropertyDescriptor(value, name);
  return member === undefined || "value" in member;
}

function readFailure(failure: NamedFailure | null): { readonly failure?: NamedFailure } {
  if (failure === null) return {};
  const { name, payload } = failure;
  return typeof name === "string" ? { failure: { name, payload } } : {};
}

function readPath(path: HawserError["path"]): { readonly path?: readonly (number | string)[] } {
  return Array.isArray(path)
    ? { path: path.filter((step) => typeof step === "string" || typeof step === "number") }
    : {};
}
