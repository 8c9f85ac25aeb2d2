// A wire of lines and a contract by JSON-RPC in one process: what one's peers send must not make
// the other's wait.

import { defineProtocol, jsonRpc, lines, text, type, wire } from "@hawser/protocol";
import { createServer } from "@hawser/server";

const echo = createServer(wire({ framing: lines(), codec: text() }), {
  message: (message, socket) => void socket.send(message),
});
const desk = defineProtocol({
  name: "desk",
  version: 1,
  requests: { double: { input: type<number>(), output: type<number>() } },
});
const rpc = createServer(
  jsonRpc(desk, { framing: lines() }),
  { double: (value) => 2 * value },
  { error: () => undefined },
);
const ports: number[] = [];
for (const server of [echo, rpc]) {
  const address = await server.listen("tcp://127.0.0.1:0");
  ports.push("port" in address ? address.port : 0);
}
console.log(`listening ${ports.join(" ")}`);
