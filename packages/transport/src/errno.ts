/**
 * What the operating system and TLS call a failure -> HawserError. The only place that knows their
 * codes, with tls/faults.ts, and where the runtimes differ in them: Bun says ECONNREFUSED for a
 * host or network that is unreachable, for a full accept queue and for a socket of another type,
 * and names TLS alerts by 1.2.
 *
 * @module
 */
import { type ErrorCode, HawserError, isHawserError } from "@hawser/protocol";
import { describeCaught } from "@hawser/protocol/engine";
import { findTlsFault } from "./tls/faults.ts";

/** What was being done when it failed. */
export type Phase = "connect" | "listen" | "open";

interface Row {
  readonly code: ErrorCode;
  /** What to do about it. */
  readonly advice: string;
}

/** One row for all phases, or one for each phase in which the code means something. */
type Rows = Row | Readonly<Partial<Record<Phase, Row>>>;

const refused: Row = {
  code: "CONNECT_REFUSED",
  advice:
    "nothing listens there, or the host can't be reached; start the server, or check the address",
};
const permission: Rows = byPhase("PERMISSION_DENIED", {
  connect: "this user may not use it; check the owner and the mode of the socket and its directory",
  listen:
    "this user may not use it; choose a port from 1024 on, or a path in a directory that this " +
    "user may write",
  open: "the system does not permit it",
});
const reset: Rows = byPhase("CONNECTION_RESET", {
  connect:
    "the peer broke the connection off while it was made; see whether it is overloaded, or " +
    "refuses this end's TLS",
  listen: "the peer broke the connection off",
  open: "the peer broke the connection off; what was not acknowledged may be lost",
});
const noFiles: Row = {
  code: "TOO_MANY_FILES",
  advice: "no file descriptor is left; close connections, or raise the limit with ulimit -n",
};
const noMemory: Row = {
  code: "SYSTEM_FAILED",
  advice: "the system has no memory left for sockets; close connections, or try again later",
};
const unreachable: Row = {
  code: "HOST_UNREACHABLE",
  advice: "no route leads to the host; check the network and the address",
};
const noName: Row = {
  code: "HOST_NOT_FOUND",
  advice: "the host's name has no address; check the name and the resolver",
};
/** Of what listens there: on Linux a Unix socket's accept queue, on Windows a pipe's instances. */
const full: Rows = {
  connect: {
    code: "OVERLOADED",
    advice: "the server's queue of connections that wait to be accepted is full; try again later",
  },
};

const rows: Readonly<Record<string, Rows>> = {
  ECONNREFUSED: refused,
  ENOENT: byPhase("PATH_NOT_FOUND", {
    connect: "the path does not exist; start the server, or check the path",
    listen: "its directory does not exist; create it, or choose another path",
    open: "the path does not exist",
  }),
  ENOTDIR: {
    code: "PATH_NOT_FOUND",
    advice: "a part of the path is a file where a directory should be; choose another path",
  },
  EACCES: permission,
  EPERM: permission,
  EADDRINUSE: {
    code: "ADDRESS_IN_USE",
    advice: "another program listens there; stop it, or choose another port (0 takes a free one)",
  },
  EADDRNOTAVAIL: byPhase("ADDRESS_UNAVAILABLE", {
    connect:
      "no local port is free, or nothing can be connected to at the address; close " +
      "connections, or check the address",
    listen: "the address is not one of this machine's; check the host",
    open: "the address is not one of this machine's any more",
  }),
  // Deno says so for EADDRNOTAVAIL.
  EINVAL: {
    connect: {
      code: "ADDRESS_UNAVAILABLE",
      advice:
        "no local port is free, or the address lacks its zone, as in [fe80::1%eth0]; close " +
        "connections, or check the address",
    },
    listen: {
      code: "ADDRESS_UNAVAILABLE",
      advice:
        "the address is not one of this machine's, or lacks its zone, as in [fe80::1%eth0]; " +
        "check the host",
    },
  },
  EAFNOSUPPORT: {
    code: "ADDRESS_UNAVAILABLE",
    advice: "this machine has no addresses of that family; IPv6 may be switched off",
  },
  EPROTOTYPE: {
    connect: {
      code: "CONNECT_REFUSED",
      advice: "what is bound there is a socket of another type, no stream; check the path",
    },
  },
  EAGAIN: full,
  EWOULDBLOCK: full,
  EBUSY: full,
  ENOBUFS: noMemory,
  ENOMEM: noMemory,
  ENOTFOUND: noName,
  EAI_AGAIN: noName,
  EAI_NONAME: noName,
  EHOSTUNREACH: unreachable,
  EHOSTDOWN: unreachable,
  ENETUNREACH: unreachable,
  ENETDOWN: unreachable,
  ETIMEDOUT: {
    connect: {
      code: "CONNECT_TIMEOUT",
      advice: "nobody answered; check the address, and a firewall between",
    },
    listen: { code: "CONNECTION_RESET", advice: "the peer did not answer any more" },
    open: { code: "CONNECTION_RESET", advice: "the peer did not answer any more" },
  },
  ECONNRESET: reset,
  ECONNABORTED: reset,
  EPIPE: reset,
  EMFILE: noFiles,
  ENFILE: noFiles,
  ENAMETOOLONG: {
    code: "PATH_TOO_LONG",
    advice: "the path is longer than the system takes; choose a shorter one",
  },
};

/**
 * The HawserError for what a runtime reported while doing `action` ("connect to tcp://…"); the
 * report is its `cause`. A HawserError is returned as it is. What has no row here is SYSTEM_FAILED,
 * and may pass.
 */
export function fromSystem(error: unknown, phase: Phase, action: string): HawserError {
  if (isHawserError(error)) return error;
  const code = systemCode(error);
  const row = rowOf(code, phase) ?? findTlsFault(code, error);
  if (row === undefined)
    return new HawserError(
      "SYSTEM_FAILED",
      `Cannot ${action}: the system says ${describe(error, code)}`,
      { cause: error },
    );
  const options = { cause: error, scope: "connection" } as const;
  // OVERLOADED is a peer's answer to a call elsewhere; here nobody has answered.
  return new HawserError(
    row.code,
    `Cannot ${action}: ${row.advice}`,
    row.code === "OVERLOADED" ? { ...options, origin: "transport" } : options,
  );
}

/**
 * The code of an error, or of the first error in an AggregateError (of the several addresses of a
 * host).
 */
export function systemCode(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  if ("code" in error && typeof error.code === "string") return error.code;
  return error instanceof AggregateError && error.errors.length > 0
    ? systemCode(error.errors[0])
    : "";
}

function byPhase(code: ErrorCode, advice: Readonly<Record<Phase, string>>): Rows {
  return {
    connect: { code, advice: advice.connect },
    listen: { code, advice: advice.listen },
    open: { code, advice: advice.open },
  };
}

function rowOf(code: string, phase: Phase): Row | undefined {
  const row = Object.hasOwn(rows, code) ? rows[code] : undefined;
  return row === undefined || "advice" in row ? row : row[phase];
}

function describe(error: unknown, code: string): string {
  return `${code === "" ? "" : `${code}: `}${describeCaught(error)}`.slice(0, 160);
}
