// A program of its own, so that its memory can be measured: COUNT one-line echoes through the
// client's public API on one connection, pipelined as far as send() says true. Prints what it cost
// as JSON.

import assert from "node:assert/strict";
import process from "node:process";
import { connect, type Socket } from "@hawser/client";
import { chat } from "../conversation.ts";

const [, , address = "", count = "200000"] = process.argv;
const total = Number(count);
const started = performance.now();
const socket = await connect(chat, address);

async function pour(to: Socket<string>): Promise<void> {
  for (let i = 0; i < total; i++) if (!to.send(`line ${i}`)) await to.writable();
  to.end();
}

const pouring = pour(socket);
let received = 0;
for await (const message of socket) assert.equal(message, `line ${received++}`);
await pouring;
const { reason } = await socket.closed;
const seconds = (performance.now() - started) / 1_000;
console.log(
  JSON.stringify({ received, reason, seconds, residentMB: process.resourceUsage().maxRSS / 1_000 }),
);
