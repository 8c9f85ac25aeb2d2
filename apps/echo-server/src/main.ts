#!/usr/bin/env node
/**
 * The smallest complete Hawser server: it answers each message with the message, until the client
 * says the sentinel. Owns what is answered and what is printed; options.ts reads the command line,
 * the library does the rest.
 */
import process from "node:process";
import { echoProtocol, fail } from "@hawser/command-line";
import {
  type HawserError,
  lengthPrefixed,
  lines,
  printable,
  raw,
  text,
  wire,
} from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { formatAddress } from "@hawser/transport";
import { readOptions } from "./options.ts";

try {
  const { address, wire: spoken, sentinel, tls } = readOptions();

  const wires = {
    lines: () => wire({ framing: lines(), codec: text(), sentinel }),
    length32: () => wire({ framing: lengthPrefixed(), codec: text(), sentinel }),
    // a message is what the network delivers at once
    classic: () => wire({ framing: raw(), codec: text() }),
  };

  const told = {
    open(socket: { remote: string }) {
      console.log(`new client connected: ${socket.remote}`);
    },
    close(socket: { remote: string }) {
      console.log(`connection from ${socket.remote} closed`);
    },
    error(error: HawserError, socket?: { remote: string }) {
      console.error(
        printable(socket === undefined ? error.message : `${socket.remote}: ${error.message}`),
      );
    },
  };
  const hear = (message: string, { remote }: { remote: string }): void => {
    console.log(`${remote} says: ${printable(message)}`);
  };

  const server =
    spoken === "session"
      ? createServer(
          echoProtocol,
          {
            say(message, { socket }) {
              hear(message, socket);
              return message;
            },
          },
          { tls, ...told },
        )
      : createServer(
          wires[spoken](),
          {
            ...told,
            message(message, socket) {
              hear(message, socket);
              const hasRoom = socket.send(
                spoken === "classic" ? `${message} ${sentinel}` : message,
              );
              // who does not read its answers is not read either
              return hasRoom ? undefined : socket.writable();
            },
          },
          { tls, idleTimeoutMs: 600_000 }, // people type slowly
        );
  console.log(`server listening on ${formatAddress(await server.listen(address))}`);

  // who read it has gone
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  const stop = async (): Promise<void> => {
    await server.close({ deadlineMs: 2_000 }); // each client gets the sentinel
    process.exit();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void stop());
} catch (error) {
  fail(error);
}
