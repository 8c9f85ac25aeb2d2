// A server or client that the test stops and lets go on: `program.ts server`, `program.ts client
// tcp://127.0.0.1:4000`.

import process from "node:process";
import { connect } from "@hawser/client";
import { lines, text, wire } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { conformance } from "../session-contracts.ts";

const [role, address = ""] = process.argv.slice(2);
if (role === "server") await serve();
else await call();

async function serve(): Promise<void> {
  const server = createServer(
    wire({ framing: lines(), codec: text() }),
    {
      message: (message, socket) =>
        void socket.send(message === "give" ? "x".repeat(1_000_000) : message),
      error: (error) => {
        console.log(`error ${error.code}`);
      },
    },
    { idleTimeoutMs: 1_000, frameTimeoutMs: 1_000, writeBuffer: { stallMs: 1_000 } },
  );
  const bound = await server.listen("tcp://127.0.0.1:0");
  console.log(`listening ${"port" in bound ? bound.port : 0}`);
}

async function call(): Promise<void> {
  const client = await connect(conformance, address, { heartbeatMs: 400, heartbeatTimeoutMs: 400 });
  client.lifecycle.on("disconnected", (error) => {
    console.log(`disconnected ${error?.code ?? ""}`);
  });
  console.log("ready");
  process.stdin.on("data", () => {
    console.log(`state ${client.state}`);
  });
}
