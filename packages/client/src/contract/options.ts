/**
 * Options of a client of a contract: its session's limits, how it comes back, and what waits while
 * it is away.
 *
 * @module
 */
import type { Protocol } from "@hawser/protocol";
import {
  checkOptions,
  type Limit,
  type LimitOptions,
  resolveLimits,
  resolveSessionLimits,
  type SessionLimit,
  type SessionLimits,
  sessionLimitTable,
} from "@hawser/protocol/engine";
import { type Deduplication, type EventMemory, resolveDeduplicate } from "@hawser/session";
import {
  type ConnectionLimits,
  processTicker,
  resolveConnectionLimits,
  type Ticker,
  type TlsOptions,
} from "@hawser/transport";
import { type ConnectOptions, connectLimitTable } from "../connect-options.ts";
import type { ClientHandlers } from "./handlers.ts";

/**
 * Reconnection after a lost connection: pauses of a random length, up to a bound
 * that doubles from `initialMs` to `maxMs`.
 */
export interface ReconnectOptions {
  readonly initialMs?: number | undefined;
  readonly maxMs?: number | undefined;
  /** Rounds through the addresses before it gives up. Default Infinity. */
  readonly attempts?: number | undefined;
  /**
   * `"full"`: a pause is anything from zero to its bound, so that clients do not come back in step.
   * `"none"`: it is its bound.
   */
  readonly jitter?: "full" | "none" | undefined;
  /**
   * True if the first connection is sought as patiently. Default false: `connect()` tries each
   * address once.
   */
  readonly fromStart?: boolean | undefined;
}

/**
 * The fate of requests, and of events that are sent at most once, while there is no connection.
 * Streams fail with NOT_READY.
 */
export interface QueueOptions {
  /**
   * `"fail"`: they fail with NOT_READY. `"hold"`: they wait, and what is above `maxBytes` or
   * `maxMessages` fails. `"drop-oldest"`: the oldest of them fails instead. Default `"fail"`.
   */
  readonly policy?: "drop-oldest" | "fail" | "hold" | undefined;
  readonly maxBytes?: number | undefined;
  readonly maxMessages?: number | undefined;
  readonly ttlMs?: number | undefined;
}

/** Options of a client of a contract. */
export interface SessionConnectOptions<P extends Protocol>
  extends
    LimitOptions<Exclude<SessionLimit, "resumeWindowMs">>,
    Pick<
      ConnectOptions,
      "connectTimeoutMs" | "lingerTimeoutMs" | "signal" | "ticker" | "tls" | "writeBuffer"
    > {
  /**
   * Any JSON, for the server's `authenticate`; a function is called for each connection, and may
   * return a promise, which is waited for within `connectTimeoutMs`. When it fails, so does that
   * attempt to connect (AUTH_FAILED), and the next one asks it again.
   */
  readonly auth?: unknown;
  /** For what the server opens; without them, its requests fail with MESSAGE_UNKNOWN. */
  readonly handlers?: ClientHandlers<P> | undefined;
  /**
   * Where the identities of the server's events are kept that were handled (at least once), so that
   * one which is sent again in another session is not handled twice. Default: the newest of this
   * client, as 65 536 ranges of numbers. With a store, `remember` is waited for before each such
   * event is acknowledged.
   */
  readonly deduplicate?: Deduplication | undefined;
  /** False: the client is over when its connection is. */
  readonly reconnect?: ReconnectOptions | false | undefined;
  readonly queue?: QueueOptions | undefined;
  /**
   * True: the errors of requests hold the stack of who called; that takes some 2 us of CPU a
   * request. Default false: the stack of an error that comes with an answer names this library
   * alone.
   */
  readonly traceCalls?: boolean | undefined;
  /** So many bytes that nobody can guess. Default the platform's. */
  readonly random?: ((bytes: number) => Uint8Array) | undefined;
}

const ms = "milliseconds";

/** The limits of coming back. */
export const reconnectLimitTable: Readonly<Record<"attempts" | "initialMs" | "maxMs", Limit>> =
  Object.freeze({
    attempts: {
      default: Infinity,
      unit: "connections",
      min: 1,
      unlimited: true,
      reason:
        "Rounds through the addresses; a daemon waits for its server for as long as it takes.",
    },
    initialMs: {
      default: 250,
      unit: ms,
      min: 1,
      unlimited: false,
      reason: "The first pause is at most this: a server that restarts is back in about as much.",
    },
    maxMs: {
      default: 30_000,
      unit: ms,
      min: 1,
      unlimited: false,
      reason:
        "The longest pause; what somebody bears who waits for a server that is back, and as " +
        "long as a session can be resumed.",
    },
  });

/** The limits of what waits while there is no connection. */
export const queueLimitTable: Readonly<Record<"maxBytes" | "maxMessages" | "ttlMs", Limit>> =
  Object.freeze({
    maxBytes: {
      default: 1_048_576,
      unit: "bytes",
      min: 1,
      unlimited: false,
      reason:
        "Of the inputs and payloads that wait, encoded (WRITE_BUFFER_FULL, or NOT_SENT for the " +
        "oldest).",
    },
    maxMessages: {
      default: 65_536,
      unit: "messages",
      min: 1,
      unlimited: false,
      reason:
        "How many of them: one without input has no bytes, but its promise has " +
        "(WRITE_BUFFER_FULL, or NOT_SENT for the oldest).",
    },
    ttlMs: {
      default: 30_000,
      unit: ms,
      min: 1,
      unlimited: true,
      reason: "Who asked has mostly gone by then (NOT_SENT).",
    },
  });

/** A client's options, complete and checked, but for what the caller's handlers are. */
export interface ResolvedConnectOptions {
  readonly limits: SessionLimits;
  readonly connection: Pick<ConnectionLimits, "idleTimeoutMs" | "lingerTimeoutMs" | "writeBuffer">;
  readonly connectTimeoutMs: number;
  readonly ticker: Ticker;
  readonly tls: TlsOptions | undefined;
  readonly traceCalls: boolean;
  readonly auth: unknown;
  readonly random: (bytes: number) => Uint8Array;
  readonly eventMemory: EventMemory;
  readonly reconnect: ResolvedReconnect | null;
  readonly queue: ResolvedQueue;
}

/** {@link ReconnectOptions}, complete. */
export interface ResolvedReconnect {
  readonly attempts: number;
  readonly initialMs: number;
  readonly maxMs: number;
  readonly jitter: "full" | "none";
  readonly fromStart: boolean;
}

/** {@link QueueOptions}, complete. */
export interface ResolvedQueue {
  readonly policy: "drop-oldest" | "fail" | "hold";
  readonly maxBytes: number;
  readonly maxMessages: number;
  readonly ttlMs: number;
}

/** Every option of a contract's `connect()`. */
export const sessionConnectOptionNames: readonly string[] = Object.freeze([
  ...Object.keys(sessionLimitTable).filter((name) => name !== "resumeWindowMs"),
  ...Object.keys(connectLimitTable),
  ...[
    "auth",
    "deduplicate",
    "handlers",
    "lingerTimeoutMs",
    "queue",
    "random",
    "reconnect",
    "signal",
    "ticker",
    "tls",
    "traceCalls",
    "writeBuffer",
  ],
]);

/**
 * Complete a client's options.
 *
 * @throws {TypeError} when an option is not known, or a value has the wrong type
 * @throws {RangeError} when a value is out of its range
 */
export function resolveSessionConnectOptions<P extends Protocol>(
  given: SessionConnectOptions<P>,
): ResolvedConnectOptions {
  checkOptions("connect() of a contract", given, sessionConnectOptionNames);
  const { ticker = processTicker, tls, auth, random, traceCalls = false } = given;
  if (typeof traceCalls !== "boolean")
    throw new TypeError("Cannot use traceCalls: it is true or false");
  if (random !== undefined && typeof random !== "function")
    throw new TypeError(`Cannot use random of type ${typeof random}: it is a function`);
  return Object.freeze({
    limits: resolveSessionLimits(given),
    connection: resolveConnectionLimits(
      { lingerTimeoutMs: given.lingerTimeoutMs, writeBuffer: given.writeBuffer },
      "client",
    ),
    ...resolveLimits(connectLimitTable, { connectTimeoutMs: given.connectTimeoutMs }),
    ticker,
    tls,
    traceCalls,
    auth,
    random:
      random ?? ((bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes))),
    eventMemory: resolveDeduplicate(given.deduplicate),
    reconnect: resolveReconnect(given.reconnect ?? {}),
    queue: resolveQueue(given.queue ?? {}),
  });
}

function resolveReconnect(given: ReconnectOptions | false): ResolvedReconnect | null {
  if (given === false) return null;
  checkOptions("reconnect", given, [...Object.keys(reconnectLimitTable), "jitter", "fromStart"]);
  const { jitter = "full", fromStart = false } = given;
  if (!["full", "none"].includes(jitter))
    throw new TypeError(
      `Cannot use reconnect.jitter ${JSON.stringify(jitter)}: it is "full" or "none"`,
    );
  return { ...resolveLimits(reconnectLimitTable, given), jitter, fromStart };
}

function resolveQueue(given: QueueOptions): ResolvedQueue {
  checkOptions("queue", given, [...Object.keys(queueLimitTable), "policy"]);
  const { policy = "fail" } = given;
  if (!["fail", "hold", "drop-oldest"].includes(policy))
    throw new TypeError(
      `Cannot use queue.policy ${JSON.stringify(policy)}: it is "fail", "hold" or "drop-oldest"`,
    );
  return { ...resolveLimits(queueLimitTable, given), policy };
}
