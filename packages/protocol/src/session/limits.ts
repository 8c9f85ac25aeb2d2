/**
 * The limits of a session: options, defaults and reasons, in one table.
 * Owns the numbers alone; the codes of what breaks them are in PROTOCOL.md §3, §5 and §6.
 *
 * @module
 */
import { type Limit, type LimitOptions, resolveLimits } from "../limits.ts";

/** The names in {@link sessionLimitTable}. */
export type SessionLimit =
  | "cancelTimeoutMs"
  | "connectionWindowBytes"
  | "eventWindowBytes"
  | "frameTimeoutMs"
  | "handshakeTimeoutMs"
  | "heartbeatMs"
  | "heartbeatTimeoutMs"
  | "laneWindowBytes"
  | "maxConversations"
  | "maxDecodedBytes"
  | "maxEventHandlers"
  | "maxInputBytes"
  | "maxMessageBytes"
  | "maxPartials"
  | "maxQueuedBytes"
  | "maxQueuedCalls"
  | "maxRetainedBytes"
  | "maxRetainedEvents"
  | "resumeWindowMs"
  | "windowBytes";

/** A session's limits, complete. */
export type SessionLimits = Readonly<Record<SessionLimit, number>>;

/** The session limits, their defaults and reasons. */
export const sessionLimitTable: Readonly<Record<SessionLimit, Limit>> = Object.freeze({
  maxMessageBytes: {
    default: 1_048_576,
    unit: "bytes",
    min: 1_024,
    unlimited: false,
    reason:
      "What the body of one message may cost in memory; as maxFrameBytes of a wire. The peer " +
      "learns it and does not send more; at least 1024, so that an error has room " +
      "(MESSAGE_TOO_LARGE).",
  },
  maxPartials: {
    default: 8,
    unit: "messages",
    min: 1,
    unlimited: false,
    reason:
      "How many large messages may arrive interleaved: the memory of unfinished ones is this " +
      "times maxMessageBytes, and twice that where it is set above 1 MiB (PROTOCOL_VIOLATION).",
  },
  maxConversations: {
    default: 1_024,
    unit: "conversations",
    min: 1,
    unlimited: false,
    reason:
      "How many requests and streams the peer may have open at once: each may run a handler. " +
      "The peer learns it and opens no more: its calls wait there (PROTOCOL_VIOLATION).",
  },
  maxInputBytes: {
    default: 16_777_216,
    unit: "bytes",
    min: 1,
    unlimited: true,
    reason:
      "What the peer's requests and streams may have been opened with, all that are open " +
      "together: what slow handlers keep. One more is not handled, unless it is alone " +
      "(OVERLOADED at its caller). Where it is not given, at least twice maxMessageBytes, so " +
      "that a large call does not hold up small ones.",
  },
  maxDecodedBytes: {
    default: 67_108_864,
    unit: "bytes",
    min: 1,
    unlimited: true,
    reason:
      "What those inputs may take in memory when they are decoded, by an estimate: JSON takes " +
      "up to 40 times its bytes, as in [{},{},…] (OVERLOADED at its caller). The same again " +
      "for the items that programs of slow streams have in hand; there the next waits. Where " +
      "it is not given, at least four times maxMessageBytes.",
  },
  windowBytes: {
    default: 262_144,
    unit: "bytes",
    min: 1,
    unlimited: false,
    reason:
      "What one stream's peer may send before the program takes items: at 20 ms of round trip, " +
      "13 MB/s; bounds what a slow consumer keeps (FLOW_VIOLATION).",
  },
  connectionWindowBytes: {
    default: 4_194_304,
    unit: "bytes",
    min: 1,
    unlimited: false,
    reason:
      "The same for the items of all its streams together: sixteen streams at the full " +
      "windowBytes, whatever their number (FLOW_VIOLATION).",
  },
  eventWindowBytes: {
    default: 262_144,
    unit: "bytes",
    min: 1,
    unlimited: false,
    reason: "The same for the peer's events, while their handlers are slow (FLOW_VIOLATION).",
  },
  laneWindowBytes: {
    default: 65_536,
    unit: "bytes",
    min: 1,
    unlimited: false,
    reason:
      "The same for the events of each lane but the common one: a quarter of eventWindowBytes, " +
      "so that a lane whose handler is slow does not take the credit of the others " +
      "(FLOW_VIOLATION).",
  },
  maxEventHandlers: {
    default: 256,
    unit: "events",
    min: 1,
    unlimited: true,
    reason:
      "How many events of the peer may be handled at once, of as many lanes: the others wait, " +
      "encoded, within eventWindowBytes.",
  },
  maxQueuedBytes: {
    default: 8_388_608,
    unit: "bytes",
    min: 1,
    unlimited: false,
    reason:
      "What may wait here to be sent, for credit or for its turn, while the peer is slow; a " +
      "message above it is not taken (WRITE_BUFFER_FULL).",
  },
  maxQueuedCalls: {
    default: 65_536,
    unit: "conversations",
    min: 1,
    unlimited: false,
    reason:
      "How many requests and streams of this side may wait here until the peer takes one more " +
      "(its maxConversations, maxInputBytes): their bodies count for maxQueuedBytes " +
      "(OVERLOADED).",
  },
  maxRetainedEvents: {
    default: 65_536,
    unit: "events",
    min: 1,
    unlimited: false,
    reason:
      "How many events delivered at least once may be unacknowledged, also while there is no " +
      "connection (RETENTION_FULL).",
  },
  maxRetainedBytes: {
    default: 16_777_216,
    unit: "bytes",
    min: 1,
    unlimited: false,
    reason: "The same in bytes of their bodies (RETENTION_FULL).",
  },
  cancelTimeoutMs: {
    default: 30_000,
    unit: "milliseconds",
    min: 1,
    unlimited: true,
    reason:
      "How long a handler may go on after its call was cancelled before that is reported, " +
      "once: it counts for maxConversations until it ends (HANDLER_STUCK).",
  },
  frameTimeoutMs: {
    default: 10_000,
    unit: "milliseconds",
    min: 1,
    unlimited: true,
    reason:
      "How long a frame, or a message in pieces, may be begun and not grow, while the peer " +
      "lives and sends fewer than 4096 bytes: unfinished ones hold memory (FRAME_TIMEOUT). A " +
      "peer that is silent is the heartbeat's.",
  },
  handshakeTimeoutMs: {
    default: 5_000,
    unit: "milliseconds",
    min: 1,
    unlimited: true,
    reason:
      "From the connection to the end of the handshake: a peer that says nothing is not one " +
      "(HANDSHAKE_TIMEOUT).",
  },
  heartbeatMs: {
    default: 15_000,
    unit: "milliseconds",
    min: 1,
    unlimited: true,
    reason:
      "Silence after which the peer is asked whether it lives; below the 30 s after which the " +
      "hastiest of middleboxes forget a connection.",
  },
  heartbeatTimeoutMs: {
    default: 10_000,
    unit: "milliseconds",
    min: 1,
    unlimited: true,
    reason:
      "Silence after that question until the connection is taken for lost: long enough for " +
      "three retransmissions of a lost packet (HEARTBEAT_LOST).",
  },
  resumeWindowMs: {
    default: 30_000,
    unit: "milliseconds",
    min: 0,
    unlimited: false,
    reason:
      "How long a server keeps a session whose connection is lost, with its unacknowledged " +
      "events; as long as a client's longest pause between attempts.",
  },
});

/** Above these a limit can't be said, or credit can't be counted, on the wire (PROTOCOL.md §3). */
const MOST: Readonly<Partial<Record<SessionLimit, number>>> = Object.freeze({
  connectionWindowBytes: 0x7fff_ffff,
  eventWindowBytes: 0x7fff_ffff,
  laneWindowBytes: 0x7fff_ffff,
  maxConversations: 0x7fff_ffff,
  maxMessageBytes: 0xffff_ffff,
  maxPartials: 0xffff_ffff,
  resumeWindowMs: 0xffff_ffff,
  windowBytes: 0x7fff_ffff,
});

/**
 * Complete a caller's session limits.
 *
 * @throws {TypeError} when a value is not a number
 * @throws {RangeError} when a value is out of its row's range, or of the wire's
 */
export function resolveSessionLimits(given: LimitOptions<SessionLimit> = {}): SessionLimits {
  const resolved = { ...resolveLimits(sessionLimitTable, given) };
  const { maxMessageBytes } = resolved;
  resolved.maxInputBytes =
    given.maxInputBytes ?? Math.max(resolved.maxInputBytes, 2 * maxMessageBytes);
  resolved.maxDecodedBytes =
    given.maxDecodedBytes ?? Math.max(resolved.maxDecodedBytes, 4 * maxMessageBytes);
  for (const [name, most] of Object.entries(MOST) as [SessionLimit, number][]) {
    if (resolved[name] > most)
      throw new RangeError(
        `Cannot use ${name} ${String(resolved[name])}: it is at most ${String(most)}`,
      );
  }
  return Object.freeze(resolved);
}
