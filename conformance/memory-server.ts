// A server whose handlers never end, in a process of its own: `memory.test.ts` sends it what takes the most memory. It prints its address,
// and for each line that it reads, how much memory it has.

import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
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
const collect = collector();
process.stdin.on("data", () => {
  console.log(`rss ${String(kept())} sessions ${String(server.sockets.size)}`);
});

/**
 * Bytes that the process keeps: what is live after a collection, where a program may ask for one, else its resident memory. Node 22
 * and 24 do not give back what garbage has taken: 518 MB resident, of which 68 MB were live.
 */
function kept(): number {
  const { rss, heapUsed, external } = collect === null ? process.memoryUsage() : (collect(), process.memoryUsage());
  return collect === null ? rss : heapUsed + external;
}

/** Collects garbage; null where the runtime does not let a program ask. */
function collector(): (() => void) | null {
  try {
    setFlagsFromString("--expose-gc");
    return runInNewContext("gc") as () => void; // the flag's function, or nothing of that name: then it throws
  } catch {
    return null;
  }
}
