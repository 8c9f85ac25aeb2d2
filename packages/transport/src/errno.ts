/**
 * What the operating system and TLS call a failure -> HawserError. The only place that knows their codes, and where the
 * runtimes differ in them: Bun says ECONNREFUSED for a host or network that is unreachable, and names TLS alerts by 1.2.
 *
 * @module
 */
import { describeCaught, type ErrorCode, HawserError, isHawserError } from "@hawser/protocol";

/** What was being done when it failed. */
export type Phase = "connect" | "listen" | "open";

interface Row {
  readonly code: ErrorCode;
  /** What to do about it; where phases differ, by phase. */
  readonly advice: string | Readonly<Record<Phase, string>>;
}

const refused: Row = { code: "CONNECT_REFUSED", advice: "nothing listens there, or the host can't be reached; start the server, or check the address" };
const permission: Row = {
  code: "PERMISSION_DENIED",
  advice: {
    connect: "this user may not use it; check the owner and the mode of the socket and its directory",
    listen: "this user may not use it; choose a port from 1024 on, or a path in a directory that this user may write",
    open: "the system does not permit it",
  },
};
const reset: Row = { code: "CONNECTION_RESET", advice: "the peer broke the connection off; what was not acknowledged may be lost" };
const noFiles: Row = { code: "TOO_MANY_FILES", advice: "no file descriptor is left; close connections, or raise the limit with ulimit -n" };
const unreachable: Row = { code: "HOST_UNREACHABLE", advice: "no route leads to the host; check the network and the address" };
const noName: Row = { code: "HOST_NOT_FOUND", advice: "the host's name has no address; check the name and the resolver" };
const noTls: Row = { code: "TLS_NOT_SPOKEN", advice: "the peer does not speak TLS on this port; use tcp://, or the server's TLS port" };
const certificate: Row = {
  code: "TLS_CERTIFICATE_REJECTED",
  advice: "a certificate is missing or not trusted; give tls.ca for the peer's, tls.cert and tls.key for one's own",
};

const rows: Readonly<Record<string, Row>> = {
  ECONNREFUSED: refused,
  ENOENT: {
    code: "PATH_NOT_FOUND",
    advice: {
      connect: "the path does not exist; start the server, or check the path",
      listen: "its directory does not exist; create it, or choose another path",
      open: "the path does not exist",
    },
  },
  ENOTDIR: { code: "PATH_NOT_FOUND", advice: "a part of the path is a file where a directory should be; choose another path" },
  EACCES: permission,
  EPERM: permission,
  EADDRINUSE: { code: "ADDRESS_IN_USE", advice: "another program listens there; stop it, or choose another port (0 takes a free one)" },
  EADDRNOTAVAIL: { code: "ADDRESS_UNAVAILABLE", advice: "the address is not this machine's, or no local port is free" },
  ENOTFOUND: noName,
  EAI_AGAIN: noName,
  EAI_NONAME: noName,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ETIMEDOUT: { code: "CONNECTION_RESET", advice: "the peer did not answer any more" },
  ECONNRESET: reset,
  ECONNABORTED: reset,
  EPIPE: reset,
  EMFILE: noFiles,
  ENFILE: noFiles,
  ERR_TLS_HANDSHAKE_TIMEOUT: { code: "CONNECT_TIMEOUT", advice: "the TLS handshake took longer than handshakeTimeoutMs; see whether the peer speaks TLS" },
  ENAMETOOLONG: { code: "PATH_TOO_LONG", advice: "the path is longer than the system takes; choose a shorter one" },
  ERR_SSL_WRONG_VERSION_NUMBER: noTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: noTls,
  ERR_SSL_HTTP_REQUEST: noTls,
  ERR_SSL_UNKNOWN_PROTOCOL: noTls,
};

const certificateCode = /CERT|SELF_SIGNED|UNABLE_TO_|UNKNOWN_CA|ALTNAME|HOSTNAME_MISMATCH/;

/**
 * The HawserError for what a runtime reported while doing `action` ("connect to tcp://…"); the report is its `cause`.
 * A HawserError is returned as it is.
 */
export function fromSystem(error: unknown, phase: Phase, action: string): HawserError {
  if (isHawserError(error)) return error;
  const code = systemCode(error);
  const row = rowOf(code, phase);
  if (row === undefined) return new HawserError("SYSTEM_FAILED", `Cannot ${action}: the system says ${describe(error, code)}`, { cause: error });
  const advice = typeof row.advice === "string" ? row.advice : row.advice[phase];
  return new HawserError(row.code, `Cannot ${action}: ${advice}`, { cause: error });
}

/** The code of an error, or of the first error in an AggregateError (of the several addresses of a host). */
export function systemCode(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  if ("code" in error && typeof error.code === "string") return error.code;
  return error instanceof AggregateError && error.errors.length > 0 ? systemCode(error.errors[0]) : "";
}

function rowOf(code: string, phase: Phase): Row | undefined {
  if (code === "ETIMEDOUT" && phase === "connect") return { code: "CONNECT_TIMEOUT", advice: "nobody answered; check the address, and a firewall between" };
  const row = rows[code];
  if (row !== undefined) return row;
  if (certificateCode.test(code)) return certificate;
  if (/^ERR_(SSL|TLS|OSSL)|^EPROTO$/.test(code)) return { code: "TLS_FAILED", advice: `the TLS handshake failed with ${code}; check versions, ciphers and keys of both ends` };
  return undefined;
}

function describe(error: unknown, code: string): string {
  return `${code === "" ? "" : `${code}: `}${describeCaught(error)}`.slice(0, 160);
}
