/**
 * The systems that are compared: which program, on which runtime, spoken to in which dialect, for
 * which kinds of work. One table; a system is added by a row and, where it is a new program, a file
 * in servers/.
 */
import type { DialectName } from "./dialects.ts";

/** "native" is C that is compiled here, "installed" a program of the system. */
export type Runtime = "bun" | "deno" | "installed" | "native" | "node";
export type Kind = "broadcast" | "churn" | "echo" | "idle" | "redis" | "slow";

export interface System {
  readonly name: string;
  readonly title: string;
  readonly runtime: Runtime;
  /** A file of servers/, of native/ for C, or a command that is installed. */
  readonly program: string;
  readonly options: readonly string[];
  readonly dialect: DialectName;
  readonly kinds: readonly Kind[];
}

const everything: readonly Kind[] = ["echo", "slow", "churn", "broadcast", "idle"];
const talk: readonly Kind[] = ["echo"];

const onNode: readonly System[] = [
  system("hawser-bytes", "Hawser: bytes over lengthPrefixed", "hawser.ts", "u32be", everything, [
    "codec=bytes",
    "framing=u32be",
  ]),
  system("hawser-text", "Hawser: text over lines", "hawser.ts", "lines", everything, [
    "codec=text",
    "framing=lines",
  ]),
  system("hawser-json", "Hawser: json over lines", "hawser.ts", "lines-json", everything, [
    "codec=json",
    "framing=lines",
  ]),
  system("net-raw", "node:net, no framing", "net-raw.ts", "u32be", [
    "echo",
    "slow",
    "churn",
    "idle",
  ]),
  system("net-one-write", "node:net, one write per message", "net-one-write.ts", "u32be", [
    "echo",
    "slow",
    "churn",
    "broadcast",
    "idle",
  ]),
];

export const systems: readonly System[] = [
  ...onNode,
  system("net-split2", "node:net with split2", "net-split2.ts", "lines", ["echo", "idle"]),
  system("ws", "ws", "ws.ts", "ws", everything),
  system("ws-json", "ws, JSON.parse and JSON.stringify", "ws.ts", "ws-json", talk, ["codec=json"]),
  system("socket.io", "socket.io over WebSocket", "socketio.ts", "socketio", [
    "echo",
    "broadcast",
    "idle",
  ]),
  system("vscode-jsonrpc", "vscode-jsonrpc, request and response", "jsonrpc.ts", "jsonrpc", talk),
  system("grpc-js", "@grpc/grpc-js, unary call", "grpc.ts", "grpc", talk),
  {
    ...system("c", "C epoll, length-prefixed", "server.c", "u32be", everything, ["framing=u32be"]),
    runtime: "native",
  },
  {
    ...system("c-lines", "C epoll, lines", "server.c", "lines", everything, ["framing=lines"]),
    runtime: "native",
  },
  system(
    "hawser-resp",
    "Hawser: bench/src/redis-server, a small Redis",
    "../redis-server/main.ts",
    "resp",
    ["redis"],
    ["--address", "tcp://127.0.0.1:0"],
  ),
  {
    ...system(
      "redis",
      "Redis itself, nothing saved to disk",
      "redis-server",
      "resp",
      ["redis"],
      ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
    ),
    runtime: "installed",
  },
  ...(["deno", "bun"] as const).flatMap((runtime) =>
    onNode.map((each) => ({
      ...each,
      name: `${each.name}@${runtime}`,
      title: `${each.title}, on ${runtime}`,
      runtime,
    })),
  ),
];

function system(
  name: string,
  title: string,
  program: string,
  dialect: DialectName,
  kinds: readonly Kind[],
  options: readonly string[] = [],
): System {
  return { name, title, runtime: "node", program, options, dialect, kinds };
}
