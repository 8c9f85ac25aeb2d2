/**
 * The client's side of `--wire session`: each line is a request, and the answer is printed when it
 * comes; a server that was away is found again by the library. Must not know what a terminal is.
 *
 * @module
 */
import { connect } from "@hawser/client";
import { echoProtocol } from "@hawser/command-line";
import { formatAddress } from "@hawser/transport";
import type { Options } from "./options.ts";

/** One session, until its user or its server ends it. */
export interface EchoSession {
  /** Ask, and print the answer. Rejects when there is none. */
  say(line: string): Promise<void>;
  close(): Promise<void>;
}

/** Connect; with `--wait`, as soon as the server is there. */
export async function openSession(
  { address, tls, wait }: Options,
  print: (line: string) => void,
): Promise<EchoSession> {
  if (wait) print(`waiting for ${formatAddress(address)}`);
  const socket = await connect(echoProtocol, address, {
    tls,
    reconnect: wait ? { fromStart: true, maxMs: 2_000 } : false,
    queue: { policy: "hold" },
  });
  print(`connected to ${socket.remote}`);
  const again = (): void => {
    print(`connected to ${socket.remote} again`);
  };
  socket.lifecycle
    .on("disconnected", (error) => {
      print(`disconnected: ${error === null ? "the server has gone" : error.message}`);
    })
    .on("resumed", again)
    .on("ready", again);
  return {
    say: async (line) => {
      print(`received: ${await socket.request("say", line, { timeoutMs: 10_000 })}`);
    },
    close: async () => {
      const { reason } = await socket.close();
      print(`closed: ${reason}`);
    },
  };
}
