/**
 * A server for clients of node-ipc, without node-ipc: `node examples/node-ipc/main.ts --address
 * unix:/tmp/app.hawser`
 *
 *     {"type":"message","data":"hello"} FF          a JSON object, then a form feed (0c), which JSON text never holds
 *
 * node-ipc's `ipc.connectTo("hawser", …)` looks for /tmp/app.hawser. Answers "message" with the
 * same, tells everybody else what comes as "shout", and answers "who" with how many are connected.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { delimited, json, printable, wire } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { formatAddress } from "@hawser/transport";

const { values: options } = parseArgs({
  options: { address: { type: "string", default: "unix:/tmp/app.hawser" } },
});

interface Event {
  readonly type: string;
  readonly data: unknown;
}

const events = wire({ framing: delimited("\f"), codec: json() });

/** node-ipc's messages are objects with a type; `data` is missing where it was undefined. */
function readEvent(message: unknown): Event {
  if (
    typeof message !== "object" ||
    message === null ||
    !("type" in message) ||
    typeof message.type !== "string"
  ) {
    // ends this connection alone
    throw new TypeError("A message of node-ipc is an object with a type");
  }
  return { type: message.type, data: "data" in message ? message.data : {} };
}

const server = createServer(
  events,
  {
    open(socket) {
      console.log(`${socket.remote} connected`);
    },
    message(message, socket) {
      const { type, data } = readEvent(message);
      console.log(`${socket.remote} says ${printable(JSON.stringify(type))}`);
      switch (type) {
        case "message":
          socket.send({ type, data } satisfies Event);
          break;
        case "shout":
          for (const other of server.sockets)
            if (other !== socket && other.state === "open")
              other.send({ type, data } satisfies Event);
          break;
        case "who":
          socket.send({ type, data: { connected: server.sockets.size } } satisfies Event);
          break;
        default:
          socket.send({
            type: "error",
            data: `there is no type ${JSON.stringify(type.slice(0, 100))}`,
          } satisfies Event);
      }
      return socket.writable();
    },
    close(socket, { reason }) {
      console.log(`${socket.remote} left (${reason})`);
    },
    error(error) {
      console.error(error.message);
    },
  },
  { idleTimeoutMs: Infinity }, // node-ipc has no heartbeat
);
console.log(`listening on ${formatAddress(await server.listen(options.address))}`);
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void server.close({ deadlineMs: 1_000 }));
