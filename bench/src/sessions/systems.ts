/**
 * The systems that `bench:sessions` compares. One table; a system is added by a row and, where it
 * is a new library, a file beside this one.
 */

export interface SessionSystem {
  readonly name: string;
  readonly title: string;
  /** A file of this directory that exports what `Peer` in peer.ts says. */
  readonly file: string;
  readonly variant: string;
}

export const sessionSystems: readonly SessionSystem[] = [
  {
    name: "hawser",
    title: "Hawser: zod schemas on everything, at both ends",
    file: "hawser.ts",
    variant: "zod",
  },
  {
    name: "hawser-type",
    title: "Hawser: type<T>(), nothing is checked",
    file: "hawser.ts",
    variant: "type",
  },
  {
    name: "hawser-jsonrpc",
    title: "Hawser: JSON-RPC 2.0 over lines, zod schemas",
    file: "hawser.ts",
    variant: "json-rpc",
  },
  {
    name: "net-json",
    title: "node:net, a line of JSON with an id, one write for each message",
    file: "net-json.ts",
    variant: "",
  },
  { name: "ws", title: "ws, JSON with an id", file: "ws.ts", variant: "" },
  {
    name: "socket.io",
    title: "socket.io over WebSocket, acknowledgements",
    file: "socketio.ts",
    variant: "",
  },
  {
    name: "vscode-jsonrpc",
    title: "vscode-jsonrpc over node:net",
    file: "vscode-jsonrpc.ts",
    variant: "",
  },
  {
    name: "grpc-js",
    title: "@grpc/grpc-js, JSON instead of protobuf",
    file: "grpc.ts",
    variant: "",
  },
];
