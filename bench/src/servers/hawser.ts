/**
 * Hawser, through its public API alone.
 *
 *     codec=bytes|text|json framing=u32be|lines
 */
import { bytes, json, lengthPrefixed, lines, text, wire } from "@hawser/protocol";
import type { Codec } from "@hawser/protocol";
import { createServer, type Server } from "@hawser/server";
import { announce, BACKLOG, servingOptions } from "./serving.ts";

const { mode, burst, value } = servingOptions();
const framing = value("framing", "u32be") === "lines" ? lines() : lengthPrefixed();

switch (value("codec", "bytes")) {
  case "text":
    await serve(text());
    break;
  case "json":
    await serve(json());
    break;
  default:
    await serve(bytes());
}

async function serve<T>(codec: Codec<T>): Promise<void> {
  const server: Server<T> = createServer<T>(
    wire({ framing, codec }),
    mode === "echo"
      ? { message: (message, socket) => (socket.send(message) ? undefined : socket.writable()) }
      : {
          message: (message) => {
            for (let i = 0; i < burst; i++) server.broadcast(message);
          },
        },
    { backlog: BACKLOG },
  );
  const address = await server.listen("tcp://127.0.0.1:0");
  announce("port" in address ? address.port : 0);
}
