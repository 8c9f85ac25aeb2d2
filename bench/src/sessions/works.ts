/**
 * The works of `bench:sessions`: what a client does on its one connection, and which systems do it
 * unless others are named.
 */
import type { Client, Source } from "./peer.ts";

export interface SessionWork {
  readonly name: string;
  readonly title: string;
  /** What of a client it uses. */
  readonly uses: keyof Client;
  /** Where a stream's items come from: a generator, or an async one. */
  readonly source: Source;
  /** Requests, or events that are not settled, at once. */
  readonly depth: number;
  /** What is counted. */
  readonly counts: string;
  /** What systems are compared by: how many a second, or how long one takes. */
  readonly by: "p50" | "rate";
  readonly systems: readonly string[];
}

const all = [
  "hawser",
  "hawser-type",
  "hawser-jsonrpc",
  "net-json",
  "ws",
  "socket.io",
  "vscode-jsonrpc",
  "grpc-js",
];
const streaming = ["hawser", "hawser-type", "net-json", "ws", "socket.io", "grpc-js"];
const acknowledged = ["hawser", "hawser-type", "net-json", "socket.io"];

export const sessionWorks: readonly SessionWork[] = [
  requests(1, "p50"),
  requests(64, "rate"),
  requests(256, "rate"),
  {
    name: "stream",
    title: "a stream of items of 64 B to the client, from a generator",
    uses: "stream",
    source: "plain",
    depth: 1,
    counts: "items",
    by: "rate",
    systems: streaming,
  },
  {
    name: "stream-async",
    title: "a stream of items of 64 B to the client, from an async generator",
    uses: "stream",
    source: "async",
    depth: 1,
    counts: "items",
    by: "rate",
    systems: ["hawser", "hawser-type", "net-json"],
  },
  {
    name: "events",
    title: "events of 64 B to the server, at least once, 1 000 not yet delivered",
    uses: "emit",
    source: "plain",
    depth: 1_000,
    counts: "events",
    by: "rate",
    systems: acknowledged,
  },
];

function requests(depth: number, by: "p50" | "rate"): SessionWork {
  return {
    name: `request-d${depth}`,
    title: `request and answer of 64 B, ${depth} at once on one connection`,
    uses: "request",
    source: "plain",
    depth,
    counts: "calls",
    by,
    systems: all,
  };
}
