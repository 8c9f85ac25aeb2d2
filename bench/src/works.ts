/**
 * The works: what every system is made to do, and which systems do it unless others are named.
 */
import { payloadOf } from "./dialects.ts";
import type { Kind } from "./systems.ts";

export interface Work {
  readonly name: string;
  readonly title: string;
  readonly kind: Kind;
  readonly connections: number;
  /** Messages under way on each connection. */
  readonly depth: number;
  /** Bytes of a payload. */
  readonly bytes: number;
  /** Messages that a broadcast makes in one turn. */
  readonly burst: number;
  /**
   * For kind "redis": redis-benchmark's arguments for the command, and how many keys it takes at
   * random (1: always the same).
   */
  readonly redis?: { readonly command: readonly string[]; readonly keys: number };
  /** The systems of a full run. */
  readonly systems: readonly string[];
  /** Those of `--quick`; none leaves the work out. */
  readonly quick: readonly string[];
}

const hawsers = ["hawser-bytes", "hawser-text", "hawser-json"];
const small = [
  ...hawsers,
  "net-raw",
  "net-one-write",
  "net-split2",
  "ws",
  "ws-json",
  "socket.io",
  "vscode-jsonrpc",
  "grpc-js",
  "c",
  "c-lines",
];
/**
 * Without grpc-js: its client takes so long over 16 384 calls at once that a measurement sees
 * hardly one of them end.
 */
const deep = small.filter((name) => name !== "grpc-js");
const runtimes = ["hawser-bytes@deno", "net-raw@deno", "hawser-bytes@bun", "net-raw@bun"];
const large = ["hawser-bytes", "hawser-text", "net-raw", "net-one-write", "ws", "socket.io", "c"];
const spread = ["hawser-bytes", "hawser-text", "net-one-write", "ws", "socket.io", "c"];
const respSystems = ["hawser-resp", "redis"];

export const works: readonly Work[] = [
  echo("echo64-d1", 64, 64, 1, [...small, ...runtimes], ["hawser-bytes", "net-raw", "ws", "c"]),
  echo(
    "echo64-d16",
    64,
    64,
    16,
    [...small, ...runtimes],
    ["hawser-bytes", "hawser-text", "net-raw", "ws", "c"],
  ),
  echo(
    "echo64-d256",
    64,
    64,
    256,
    [...deep, ...runtimes],
    [...hawsers, "net-raw", "net-one-write", "ws", "ws-json", "socket.io", "c"],
  ),
  echo("single64-d1", 64, 1, 1, small),
  echo("single64-d16", 64, 1, 16, small),
  echo("single64-d256", 64, 1, 256, deep),
  echo("echo64k", 65_536, 16, 4, large, ["hawser-bytes", "net-raw", "ws", "c"]),
  echo("echo1m", 1_048_576, 8, 2, large, ["hawser-bytes", "net-raw", "ws", "c"]),
  broadcast("broadcast1000", 1_000, 1, ["hawser-bytes", "net-one-write", "ws", "c"]),
  broadcast("broadcast1000-burst", 1_000, 16, ["hawser-bytes", "net-one-write", "ws", "c"]),
  broadcast("broadcast5000", 5_000, 1),
  broadcast("broadcast5000-burst", 5_000, 16),
  {
    ...echo(
      "idle10k",
      64,
      10_000,
      1,
      ["hawser-bytes", "hawser-text", "net-raw", "net-split2", "ws", "socket.io", "c", ...runtimes],
      ["hawser-bytes", "net-raw", "ws"],
    ),
    title: "10 000 idle connections, after one message on each",
    kind: "idle",
  },
  {
    ...echo(
      "churn",
      64,
      32,
      1,
      ["hawser-bytes", "hawser-text", "net-raw", "ws", "c"],
      ["hawser-bytes", "net-raw", "ws", "c"],
    ),
    title: "connect, one echo of 64 B, close; 32 at once",
    kind: "churn",
  },
  {
    ...echo(
      "slow100",
      64,
      100,
      1,
      ["hawser-bytes", "hawser-text", "net-raw", "ws", "c"],
      ["hawser-bytes", "net-raw"],
    ),
    title:
      "echo of 64 B, 100 connections, depth 1, beside one that floods and reads 4 KiB every 50 ms",
    kind: "slow",
  },
  ...redis("ping", "PING", ["-t", "ping_mbulk"]),
  ...redis("echo", "ECHO of 64 B", ["ECHO", payloadOf(64).toString("latin1")]),
  ...redis("set", "SET of 64 B", ["-t", "set"]),
  ...redis("set-keys", "SET of 64 B, 100 000 random keys", ["-t", "set"], 100_000),
  ...redis("get-keys", "GET of 64 B, 100 000 random keys", ["-t", "get"], 100_000),
];

function echo(
  name: string,
  bytes: number,
  connections: number,
  depth: number,
  systems: readonly string[],
  quick: readonly string[] = [],
): Work {
  const size =
    bytes < 1_024
      ? `${bytes} B`
      : bytes < 1_048_576
        ? `${bytes / 1_024} KiB`
        : `${bytes / 1_048_576} MiB`;
  const title = `echo of ${size}, ${connections} connection${connections === 1 ? "" : "s"}, depth ${depth}`;
  return { name, title, kind: "echo", connections, depth, bytes, burst: 1, systems, quick };
}

function redis(name: string, what: string, command: readonly string[], keys = 1): Work[] {
  return [1, 16, 128].map((depth) => ({
    ...echo(`redis-${name}-p${depth}`, 64, 50, depth, respSystems, depth === 16 ? respSystems : []),
    title: `redis-benchmark -c 50 -P ${depth}: ${what}`,
    kind: "redis",
    redis: { command, keys },
  }));
}

function broadcast(
  name: string,
  connections: number,
  burst: number,
  quick: readonly string[] = [],
): Work {
  const how = burst === 1 ? "one at a time" : `${burst} in a turn`;
  return {
    name,
    title: `broadcast of 64 B to ${connections} connections, ${how}`,
    kind: "broadcast",
    connections,
    depth: 1,
    bytes: 64,
    burst,
    systems: spread,
    quick,
  };
}
