// The contract of the conformance program (vectors/README.md), as the runner lists it: in an order
// of its own, so that a target that takes an index for one of its own list is found out.

import type { Json, Members } from "./vector.ts";

/** Each message: name, type, codec. */
const messages: readonly (readonly [string, "event" | "request" | "stream", "bytes" | "json"])[] = [
  ["take", "stream", "json"],
  ["echo", "request", "json"],
  ["note", "event", "json"],
  ["blob", "request", "bytes"],
  ["make", "request", "bytes"],
  ["fail", "request", "json"],
  ["throw", "request", "json"],
  ["wait", "request", "json"],
  ["release", "request", "json"],
  ["stubborn", "request", "json"],
  ["strict", "request", "json"],
  ["log", "request", "json"],
  ["emit", "request", "json"],
  ["call", "request", "json"],
  ["cancel", "request", "json"],
  ["pull", "request", "json"],
  ["drain", "request", "json"],
  ["count", "stream", "json"],
  ["chunks", "stream", "bytes"],
  ["mirror", "stream", "json"],
  ["collect", "stream", "json"],
  ["hang", "stream", "json"],
  ["broken", "stream", "json"],
  ["hint", "event", "json"],
  ["blot", "event", "bytes"],
  ["keyed", "event", "json"],
  ["audit", "event", "json"],
];

/** The list of a greeting; `more` behind it are messages that the target does not know. */
export const messageList: readonly Json[] = messages.map(([name, type, codec]) => [
  name,
  type,
  codec,
  "",
]);

export const contractName = "hawser-conformance";
export const contractVersion = 3;

/** What the runner can take. */
export const runnerLimits: Members = {
  maxMessageBytes: 100_000,
  maxPartials: 4,
  maxConversations: 8,
  windowBytes: 1_000,
  eventWindowBytes: 2_000,
  connectionWindowBytes: 3_000,
  laneWindowBytes: 500,
  maxInputBytes: 1_000_000,
};
