// What one connection, one session and one server can make a process keep at most, from the limits'
// defaults, for docs/limits.md: a test holds servers to what the page says
// (conformance/memory.test.ts).

import { BINARY_EXPANSION, JSON_EXPANSION } from "../packages/protocol/src/codec/footprint.ts";
import { frameLimitTable, sessionLimitTable } from "../packages/protocol/src/engine.ts";
import { RECORD_BYTES } from "../packages/protocol/src/session/events/retention.ts";
import { serverLimitTable, sessionServerLimitTable } from "../packages/server/src/mod.ts";
import { writeBufferTable } from "../packages/transport/src/mod.ts";

/** A part of a bound, in bytes. */
export interface Part {
  readonly what: string;
  readonly formula: string;
  readonly bytes: number;
}

const session = Object.fromEntries(
  Object.entries(sessionLimitTable).map(([name, row]) => [name, row.default]),
) as Record<keyof typeof sessionLimitTable, number>;
const maxFrameBytes = frameLimitTable.maxFrameBytes.default;
const { maxBytes } = writeBufferTable;
/** Bytes that are read from a connection at once, and may wait with it. */
const CHUNK_BYTES = 1_048_576;
const SMALL_ITEM_BYTES = 512;
/** Memory of a lane of which one small event waits. */
const LANE_BYTES = 512;
const {
  connectionWindowBytes,
  eventWindowBytes,
  maxConversations,
  maxDecodedBytes,
  maxInputBytes,
  maxMessageBytes,
  maxPartials,
  maxQueuedBytes,
  maxRetainedBytes,
  maxRetainedEvents,
} = session;
const alone = maxMessageBytes * JSON_EXPANSION;

/** One session of a contract, with its connection. */
export const sessionParts: readonly Part[] = [
  { what: "a chunk that is read in turns", formula: "1 MiB", bytes: CHUNK_BYTES },
  {
    what: "messages begun and unfinished",
    formula: "maxPartials × maxMessageBytes",
    bytes: maxPartials * maxMessageBytes,
  },
  {
    what: "items that wait encoded, packed",
    formula: "2 × (connectionWindowBytes + maxPartials × maxMessageBytes)",
    bytes: 2 * (connectionWindowBytes + maxPartials * maxMessageBytes),
  },
  {
    what: "items that were given to programs, decoded",
    formula: "maxDecodedBytes, or one of maxMessageBytes × 40",
    bytes: Math.max(maxDecodedBytes, alone),
  },
  {
    what: "small ones among these, which are not counted",
    formula: "maxConversations × 512 × 40",
    bytes: maxConversations * SMALL_ITEM_BYTES * JSON_EXPANSION,
  },
  {
    what: "inputs of requests and streams, encoded while they are read",
    formula: "maxMessageBytes",
    bytes: maxMessageBytes,
  },
  {
    what: "the same, decoded, until their handlers end",
    formula: "maxDecodedBytes, or one of maxMessageBytes × 40",
    bytes: Math.max(maxDecodedBytes, alone),
  },
  {
    what: "events that wait encoded, packed",
    formula: "2 × (eventWindowBytes + maxMessageBytes)",
    bytes: 2 * (eventWindowBytes + maxMessageBytes),
  },
  {
    what: "lanes of such events, one for each",
    formula: `eventWindowBytes / 16 × ${String(LANE_BYTES)}`,
    bytes: (eventWindowBytes / 16) * LANE_BYTES,
  },
  {
    what: "the events that are handled, of as many lanes, and the result that is read, decoded",
    formula: "(eventWindowBytes + 2 × maxMessageBytes) × 40",
    bytes: eventWindowBytes * JSON_EXPANSION + 2 * alone,
  },
  { what: "messages that wait to be sent", formula: "maxQueuedBytes", bytes: maxQueuedBytes },
  {
    what: "events that the peer has not acknowledged",
    formula: `maxRetainedBytes + maxRetainedEvents × ${String(RECORD_BYTES)}`,
    bytes: maxRetainedBytes + maxRetainedEvents * RECORD_BYTES,
  },
];

/** One session of `jsonRpc()`. */
export const jsonRpcParts: readonly Part[] = [
  {
    what: "a chunk, and a text that has begun",
    formula: "1 MiB + 2 × maxMessageBytes",
    bytes: CHUNK_BYTES + 2 * maxMessageBytes,
  },
  {
    what: "the text that is read, and its value",
    formula: "maxMessageBytes × (2 + 40)",
    bytes: maxMessageBytes * 2 + alone,
  },
  {
    what: "inputs of requests, decoded, until they are answered",
    formula: "maxDecodedBytes, or one of maxMessageBytes × 40",
    bytes: Math.max(maxDecodedBytes, alone),
  },
  {
    what: "events that wait, decoded",
    formula: "eventWindowBytes × 40, or one of maxMessageBytes × 40",
    bytes: Math.max(eventWindowBytes * JSON_EXPANSION, alone),
  },
  { what: "the event that is handled", formula: "maxMessageBytes × 40", bytes: alone },
  { what: "messages that wait to be sent", formula: "maxQueuedBytes", bytes: maxQueuedBytes },
];

/** One connection of a wire. */
export const wireParts: readonly Part[] = [
  { what: "a chunk that waits while a handler is at work", formula: "1 MiB", bytes: CHUNK_BYTES },
  { what: "its messages, decoded", formula: "1 MiB × 40", bytes: CHUNK_BYTES * JSON_EXPANSION },
  { what: "a frame that has begun", formula: "2 × maxFrameBytes", bytes: 2 * maxFrameBytes },
  {
    what: "the message that is handled, decoded",
    formula: "maxFrameBytes × 40",
    bytes: maxFrameBytes * JSON_EXPANSION,
  },
  { what: "what waits to be sent", formula: "writeBuffer.maxBytes", bytes: maxBytes.default },
];

/** The sum of parts. */
export function total(parts: readonly Part[]): number {
  return parts.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** The section of docs/limits.md. */
export function memorySection(
  table: (head: readonly string[], rows: readonly (readonly string[])[]) => string,
): string {
  const mib = (bytes: number): string => `${String(Math.ceil(bytes / 1_048_576))} MiB`;
  const shown = (parts: readonly Part[]): string =>
    table(
      ["part", "bound", "with the defaults"],
      [
        ...parts.map(({ what, formula, bytes }) => [what, formula, mib(bytes)]),
        ["**together**", "", `**${mib(total(parts))}**`],
      ],
    );
  const connections = serverLimitTable.maxConnections.default;
  return `## What a peer can make a process keep

These are worst cases, computed from the defaults above; \`conformance/memory.test.ts\` holds
servers and clients to them. An honest peer is far below. Memory of decoded
values is an estimate that covers V8 and JavaScriptCore: a byte of JSON takes up to ${String(JSON_EXPANSION)} (\`[{},{},…]\` takes 22 to 34), a byte of
MessagePack, CBOR or another library's format up to ${String(BINARY_EXPANSION)}. A codec says its own factor (\`expansion\`) and, where it can, estimates each body (\`footprint\`).
A schema may hold a copy of its input beside it: count inputs twice then. What a program keeps of
what it was given is its own.

### One session of a contract, with its connection

${shown(sessionParts)}

Encoded inputs are bounded by \`maxInputBytes\` as well (${mib(maxInputBytes)}): text() and bytes() take once or twice that. The bound is the session's: what handlers and programs hold of a
lost connection counts until they are done, and a greeting announces what is left. A result is one
answer of at most \`maxMessageBytes\` to each call, given to its caller
at once; an unfinished one counts among the messages in pieces.

### One session of jsonRpc()

${shown(jsonRpcParts)}

### One connection of a wire

${shown(wireParts)}

### One server

\`maxConnections\` (${String(connections)}) times one of these, if all its peers are hostile at once: ${mib(connections * total(sessionParts))} for sessions. Choose \`maxConnections\`, \`maxDecodedBytes\`, \`maxMessageBytes\` and
\`connectionWindowBytes\` for the memory that there is. Sessions whose clients have vanished are at
most \`maxConnections\` more, of some kilobytes each, and keep
\`maxRetainedTotalBytes\` (${mib(sessionServerLimitTable.maxRetainedTotalBytes.default)}) of events together.
`;
}
