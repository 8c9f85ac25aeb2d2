/**
 * A Redis server on Hawser, made to be compared with Redis itself, for redis-cli, redis-benchmark,
 * node-redis and ioredis: `node bench/src/redis-server/main.ts --address tcp://127.0.0.1:6379`.
 * To learn from, read examples/resp, which is small.
 *
 * framing.ts cuts the stream into commands, requests.ts and inline.ts read them, commands.ts and
 * greetings.ts answer them, store.ts keeps the values. A peer that breaks the protocol is told why
 * before the connection is closed, as Redis does it.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { type HawserError, wire } from "@hawser/protocol";
import { createServer, type ServerSocket } from "@hawser/server";
import { formatAddress } from "@hawser/transport";
import { answer, findCommand } from "./commands.ts";
import { resp } from "./framing.ts";
import { error, HELLO_2, HELLO_3, NIL, NULL } from "./greetings.ts";
import { requests } from "./requests.ts";
import type { Range } from "./store.ts";

const { values: options } = parseArgs({
  options: { address: { type: "string", default: "tcp://127.0.0.1:6379" } },
});

/** The connections that speak RESP3. */
const modern = new WeakSet<object>();

const server = createServer(
  wire({ framing: resp, codec: requests(findCommand) }),
  {
    // A request is good until the next one: it is answered before anything is waited for. After
    // QUIT nothing is.
    message(request, socket) {
      if (request === null || socket.state !== "open") return undefined;
      if (isHttp(request.command.name)) {
        socket.abort();
        return undefined;
      }
      const reply = answer(request);
      if (reply === HELLO_3) modern.add(socket);
      else if (reply === HELLO_2) modern.delete(socket);
      const hasRoom = socket.send(reply === NIL && modern.has(socket) ? NULL : reply);
      if (request.command.name === "quit") socket.end();
      return hasRoom ? undefined : socket.writable();
    },
    error(failure, socket) {
      if (
        failure.code === "FRAME_MALFORMED" ||
        failure.code === "FRAME_TOO_LARGE" ||
        failure.code === "MESSAGE_INVALID"
      )
        sayWhy(failure, socket);
      else console.error(failure.message);
    },
  },
  { maxFrameBytes: 33_554_432 },
);

/**
 * A line of HTTP: a web page that makes a browser speak to this port must not set keys by the lines
 * that follow.
 */
function isHttp(name: string): boolean {
  return name === "post" || name === "host:";
}

/** The framing's faults, and the errors of inline commands, have Redis' own texts. */
function sayWhy({ cause, message }: HawserError, socket?: ServerSocket<unknown, Range>): void {
  const detail =
    typeof cause === "object" && cause !== null && "detail" in cause
      ? cause.detail
      : cause instanceof Error
        ? cause.message
        : message;
  socket?.send(error(`Protocol error: ${String(detail)}`));
}

console.log(`listening on ${formatAddress(await server.listen(options.address))}`);
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void server.close({ deadlineMs: 1_000 }));
