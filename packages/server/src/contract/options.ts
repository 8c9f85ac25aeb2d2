/**
 * Options of a server of a contract: the limits of its sessions, who is let in, and who is told.
 *
 * @module
 */
import type { HawserError, Protocol } from "@hawser/protocol";
import {
  checkOptions,
  describeValue,
  type Limit,
  type LimitOptions,
  resolveLimits,
  resolveSessionLimits,
  Retention,
  type SessionLimit,
  type SessionLimits,
  sessionLimitTable,
} from "@hawser/protocol/engine";
import {
  type Awaitable,
  type Closed,
  type Deduplication,
  type EventMemory,
  resolveDeduplicate,
} from "@hawser/session";
import {
  type ConnectionLimits,
  type ListenOptions,
  processTicker,
  resolveConnectionLimits,
  type Ticker,
  timeLimitTable,
} from "@hawser/transport";
import {
  resolveMaxConnections,
  resolveMode,
  type ServerOptions,
  serverLimitTable,
} from "../options.ts";
import type { Authenticate, Middleware, SessionSocket } from "./handlers.ts";

/** Options of a server of a contract; every limit has a finite default. */
export interface SessionServerOptions<P extends Protocol, C = unknown>
  extends
    LimitOptions<SessionLimit>,
    LimitOptions<"maxRetainedTotalBytes">,
    Pick<
      ServerOptions,
      | "backlog"
      | "idleTimeoutMs"
      | "lingerTimeoutMs"
      | "maxConnections"
      | "mode"
      | "ticker"
      | "tls"
      | "writeBuffer"
    > {
  /**
   * Judge a client, within `handshakeTimeoutMs`. What it returns is the handlers' `context`; when
   * it throws, the client is refused with AUTH_REFUSED, and told the text only of a HawserError
   * with that code. A HawserError with the code OVERLOADED is passed on as such, so that the client
   * tries again: for a database that is away for a moment. Annotate `hello` with `Hello`, so that
   * the compiler finds the context's type before it looks at the handlers.
   *
   * A client that resumes its session is judged again: `peer.resumes` has the context so far, and
   * what is returned replaces it. A client whose `principal` is another gets a new session.
   */
  readonly authenticate?: Authenticate<C> | undefined;
  /**
   * Says who a context stands for, so that nobody resumes another's session: `({ userId }) =>
   * userId`. Default: the whole context, compared as plain data. Undefined and NaN stand for
   * nobody: such a session is not resumed.
   */
  readonly principal?: ((context: NoInfer<C>) => unknown) | undefined;
  /**
   * A context that `authenticate` returned is not used any more: its session is over, another took
   * its place, or the client had left meanwhile.
   */
  readonly release?: ((context: NoInfer<C>) => Awaitable<void>) | undefined;
  /**
   * True if clients that were let in may ask for the contract as data: `describe()`, for command
   * lines and other languages. It tells the names and shapes of all messages. Default: false.
   */
  readonly offerContract?: boolean | undefined;
  /**
   * Where the identities of events are kept that were handled (at least once), so that one which a
   * client sends again in another session is not handled twice. Default: the newest of this
   * process, as 65 536 ranges of numbers; a server that is started anew forgets them. With a store,
   * `remember` is waited for before each such event is acknowledged.
   */
  readonly deduplicate?: Deduplication | undefined;
  /** Middleware before every handler: the first is the outermost. */
  readonly use?: readonly Middleware<P, C>[] | undefined;
  /**
   * A session has begun: the place to join rooms. Its requests, streams and events wait until the
   * promise settles, for at most `handshakeTimeoutMs`. When it throws or rejects, the session is
   * closed. Not called when one resumes.
   */
  readonly open?: ((socket: SessionSocket<P, C>) => Awaitable<void>) | undefined;
  /**
   * A session has lost its connection; it may resume for `resumeWindowMs`, and otherwise `close`
   * follows.
   */
  readonly disconnected?:
    ((socket: SessionSocket<P, C>, error: HawserError | null) => Awaitable<void>) | undefined;
  /** A session goes on over another connection. */
  readonly resumed?: ((socket: SessionSocket<P, C>) => Awaitable<void>) | undefined;
  /** A session is over for good. */
  readonly close?: ((socket: SessionSocket<P, C>, closed: Closed) => Awaitable<void>) | undefined;
  /**
   * Is told what went wrong: in a session (then its socket is given), or before there was one;
   * `error.peer` says whose. Without it, the first failure of each code is a process warning, but
   * for what the network does; so is what this throws or rejects with.
   */
  readonly error?:
    ((error: HawserError, socket?: SessionSocket<P, C>) => Awaitable<void>) | undefined;
  /**
   * So many bytes that nobody can guess, for the identities of sessions and the spread of their
   * ends. Default the platform's.
   */
  readonly random?: ((bytes: number) => Uint8Array) | undefined;
}

/** A server's options, complete and checked, but for the functions that the caller gave. */
export interface ResolvedSessionOptions extends ListenOptions {
  readonly maxConnections: number;
  readonly limits: SessionLimits;
  readonly connection: Pick<ConnectionLimits, "idleTimeoutMs" | "lingerTimeoutMs" | "writeBuffer">;
  readonly ticker: Ticker;
  readonly random: (bytes: number) => Uint8Array;
  readonly maxRetainedTotalBytes: number;
  readonly offerContract: boolean;
  readonly eventMemory: EventMemory;
  /** What the server's lost sessions keep. */
  readonly retention: Retention;
}

/** The limits that a server of a contract has besides those of its sessions and of any server. */
export const sessionServerLimitTable: Readonly<Record<"maxRetainedTotalBytes", Limit>> =
  Object.freeze({
    maxRetainedTotalBytes: {
      default: 67_108_864,
      unit: "bytes",
      min: 1,
      unlimited: true,
      reason:
        "What all sessions without a connection may keep of events, together; a broadcast's " +
        'body counts once. Above it the longest lost is given up, its events "not-sent" or ' +
        '"unknown".',
    },
  });

const { backlog } = serverLimitTable;

const hooks = [
  "authenticate",
  "close",
  "disconnected",
  "error",
  "open",
  "principal",
  "random",
  "release",
  "resumed",
] as const;
const others = [
  "backlog",
  "deduplicate",
  "idleTimeoutMs",
  "lingerTimeoutMs",
  "maxConnections",
  "mode",
  "offerContract",
  "ticker",
  "tls",
  "use",
  "writeBuffer",
];

/**
 * Complete a server's options.
 *
 * @throws {TypeError} when an option is not known, or a value has the wrong type
 * @throws {RangeError} when a value is out of its range
 */
export function resolveSessionServerOptions<P extends Protocol, C>(
  given: SessionServerOptions<P, C>,
): ResolvedSessionOptions {
  checkOptions("createServer() of a contract", given, [
    ...Object.keys(sessionLimitTable),
    ...Object.keys(sessionServerLimitTable),
    ...hooks,
    ...others,
  ]);
  const limits = resolveSessionLimits(given);
  for (const name of hooks) {
    const hook: unknown = given[name];
    if (hook !== undefined && typeof hook !== "function")
      throw new TypeError(`Cannot use ${name} of type ${typeof hook}: it is a function`);
  }
  return Object.freeze({
    ...resolveLimits<"backlog">({ backlog }, given),
    maxConnections: resolveMaxConnections(given.maxConnections),
    ...resolveLimits(sessionServerLimitTable, given),
    retention: new Retention(),
    eventMemory: resolveDeduplicate(given.deduplicate),
    offerContract: isOffered(given.offerContract),
    mode: resolveMode(given.mode),
    handshakeTimeoutMs: limits.handshakeTimeoutMs,
    tls: given.tls,
    limits,
    connection: resolveConnectionLimits(
      {
        idleTimeoutMs: given.idleTimeoutMs ?? idleAfter(limits),
        lingerTimeoutMs: given.lingerTimeoutMs,
        writeBuffer: given.writeBuffer,
      },
      "server",
    ),
    ticker: given.ticker ?? processTicker,
    random:
      given.random ??
      ((bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes))),
  });
}

function isOffered(given: unknown): boolean {
  if (given === undefined || typeof given === "boolean") return given ?? false;
  throw new TypeError(`Cannot use offerContract ${describeValue(given)}: it is true or false`);
}

/**
 * The default of `idleTimeoutMs`: a session whose heartbeat is slow, or off, is not idle before it
 * has beaten.
 */
function idleAfter({ heartbeatMs, heartbeatTimeoutMs }: SessionLimits): number {
  return Math.max(timeLimitTable.idleTimeoutMs.default, heartbeatMs + heartbeatTimeoutMs);
}
