/**
 * The server of `fairness.ts`: a wire of lines, a contract natively and by JSON-RPC, in one
 * process. Runs on each runtime.
 */
import { json, jsonRpc, lines, text, wire } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { contract } from "./contract.ts";

const handlers = {
  add: ({ a, b }: { a: number; b: number }) => a + b,
  broken: (): number => {
    throw new Error("broken");
  },
  later: async (value: number) => {
    await Promise.resolve();
    throw new Error(`broken ${String(value)}`);
  },
  note: () => undefined,
};
const quiet = { error: (): undefined => undefined };

const ping = createServer(wire({ framing: lines(), codec: text() }), {
  message: (message, socket) => void socket.send(message),
});
const values = createServer(wire({ framing: lines(), codec: json() }), {
  message: (message, socket) => void socket.send(message),
  ...quiet,
});
const native = createServer(contract, handlers as never, quiet as never);
const rpc = createServer(
  jsonRpc(contract, { framing: lines() }),
  handlers as never,
  quiet as never,
);

const ports: number[] = [];
for (const server of [ping, values, native, rpc]) {
  const address = await server.listen("tcp://127.0.0.1:0");
  ports.push("port" in address ? address.port : 0);
}
console.log(`listening ${ports.join(" ")}`);
