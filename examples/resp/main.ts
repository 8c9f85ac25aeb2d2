/**
 * A Redis of ten commands, for redis-cli and redis-benchmark: `node examples/resp/main.ts --address tcp://127.0.0.1:6379`
 *
 * framing.ts cuts the stream into commands, requests.ts reads them, commands.ts answers them, store.ts keeps the values.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { wire } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { formatAddress } from "@hawser/transport";
import { answer, findCommand } from "./commands.ts";
import { resp } from "./framing.ts";
import { requests } from "./requests.ts";

const { values: options } = parseArgs({ options: { address: { type: "string", default: "tcp://127.0.0.1:6379" } } });

const server = createServer(wire({ framing: resp, codec: requests(findCommand) }), {
  // A request is good until the next one: it is answered before anything is waited for. After QUIT nothing is.
  message(request, socket) {
    if (request === null || socket.state !== "open") return undefined;
    const hasRoom = socket.send(answer(request));
    if (request.command.name === "quit") socket.end();
    return hasRoom ? undefined : socket.writable();
  },
  error(failure) {
    console.error(failure.message);
  },
});
console.log(`listening on ${formatAddress(await server.listen(options.address))}`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void server.close({ deadlineMs: 1_000 }));
