// A program of its own, so that its handles and its processor time are its own: one end of the
// trials of connections that end in every way. trial-handles.ts server listens on TCP and TLS and
// says where; answers each line of its input with its figures as JSON; closes at the
//                                     end of its input, and must then end by itself
// trial-handles.ts client ADDRESS connects, and has a request, streams and events under way, until
// the connection is gone; must then end by itself

import process from "node:process";
import { createInterface } from "node:readline";
import { connect } from "@hawser/client";
import { isHawserError } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { formatAddress } from "@hawser/transport";
import { turns } from "../conversation.ts";
import { serverTls } from "../transports.ts";
import { ends } from "./trial-handles-contract.ts";

/** Lets nothing of a connection outlive it for long. */
const hasty = {
  handshakeTimeoutMs: 2_000,
  lingerTimeoutMs: 200,
  heartbeatMs: 1_000,
  heartbeatTimeoutMs: 1_000,
  writeBuffer: { stallMs: 2_000 },
};

async function serve(): Promise<void> {
  const server = createServer(
    ends,
    {
      say: (value) => value,
      wait: (_, { signal }) =>
        new Promise<undefined>((resolve) => {
          signal.addEventListener("abort", () => {
            resolve(undefined);
          });
        }),
      *pour() {
        for (;;) yield "x".repeat(1_000);
      },
      async hoard(_, { signal }) {
        await new Promise((resolve) => {
          signal.addEventListener("abort", resolve);
        });
      },
      mirror: (_, { items }) => items,
      note: (payload) => (payload === "slow" ? turns(50) : undefined),
    },
    {
      ...hasty,
      resumeWindowMs: 200,
      authenticate: ({ auth }) =>
        auth === "never" ? new Promise<undefined>(() => undefined) : undefined,
    },
  );
  const addresses = [
    await server.listen("tcp://127.0.0.1:0"),
    await server.listen("tls://127.0.0.1:0", { tls: serverTls }),
  ];
  console.log(`listening on ${addresses.map((address) => formatAddress(address)).join(" ")}`);
  const input = createInterface({ input: process.stdin });
  input.on("line", (line) => {
    if (line === "drain") for (const socket of server.sockets) void socket.close();
    const { user, system } = process.cpuUsage();
    const sockets = process
      .getActiveResourcesInfo()
      .filter((resource) => resource === "TCPSocketWrap").length;
    console.log(
      JSON.stringify({ sessions: server.sockets.size, sockets, cpuMs: (user + system) / 1_000 }),
    );
  });
  input.on("close", () => {
    void server.close();
  });
}

async function live(address: string): Promise<void> {
  const client = await connect(ends, address, { ...hasty, reconnect: false }).catch(
    (error: unknown) => {
      console.log(isHawserError(error) ? error.code : String(error));
      return null;
    },
  );
  if (client === null) return;
  client.request("wait").catch(() => undefined);
  const stream = client.stream("mirror");
  stream.send(1);
  void client.emit("note", "slow");
  const pouring = client.stream("pour");
  await Promise.allSettled([pouring.next(), stream.next(), stream.finished()]);
  const { reason, error } = await client.closed;
  console.log(`${reason} ${error?.code ?? ""}`);
}

const [, , role, address = ""] = process.argv;
await (role === "server" ? serve() : live(address));
