// A server whose handlers never end, in a process of its own: `memory.test.ts` sends it what takes the most memory. It prints its address,
// and for each line that it reads, how much memory it has.

import process from "node:process";
import { jsonRpc, lines } from "@hawser/protocol";
import { createServer, type SessionHandlers } from "@hawser/server";
import { formatAddress } from "@hawser/transport";
import { greedy, greedyText } from "./session-contracts.ts";

const never = (): Promise<never> => new Promise(() => undefined);

/** What handlers have taken, and keep. */
const inHand: unknown[] = [];

const handlers: SessionHandlers<typeof greedy> = {
  keep: never,
  raw: never,
  hold: never,
  async *take(_input, { items }) {
    for await (const item of items) {
      inHand.push(item);
      await never();
    }
    yield 0;
  },
  told: never,
};

const options = { error: (): undefined => undefined };
const server = process.argv.includes("json-rpc")
  ? createServer(jsonRpc(greedyText, { framing: lines() }), { keep: never, told: never }, options)
  : createServer(greedy, handlers, options);
console.log(`listening on ${formatAddress(await server.listen("tcp://127.0.0.1:0"))}`);
process.stdin.on("data", () => {
  (globalThis as { gc?: () => void }).gc?.();
  console.log(`rss ${String(process.memoryUsage().rss)} sessions ${String(server.sockets.size)}`);
});
