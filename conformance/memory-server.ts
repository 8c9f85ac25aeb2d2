// A server whose handlers never end, in a process of its own: `memory.test.ts` sends it what takes
// the most memory. It prints its address, and for each line that it reads, how much memory it has;
// for "!" it emits events first. Its argument says what it serves: json-rpc, wire, held-wire, feed,
// or nothing: the contract `greedy`.

import process from "node:process";
import { json, jsonRpc, lines, wire } from "@hawser/protocol";
import { createServer, type SessionHandlers } from "@hawser/server";
import { type Address, formatAddress } from "@hawser/transport";
import { collect, report } from "./memory-report.ts";
import { generous, greedy, greedyText } from "./session-contracts.ts";

const never = (): Promise<never> => new Promise(() => undefined);

/** What handlers have taken, and keep. */
const inHand: unknown[] = [];

function hang(value: unknown): Promise<never> {
  inHand.push(value);
  return never();
}

const handlers: SessionHandlers<typeof greedy> = {
  keep: hang,
  raw: hang,
  hold: never,
  holdRaw: never,
  async *take(_input, { items }) {
    for await (const item of items) {
      inHand.push(item);
      await never();
    }
    yield 0;
  },
  async *takeRaw(_input, { items }) {
    for await (const item of items) {
      inHand.push(item);
      await never();
    }
    yield new Uint8Array(0);
  },
  told: hang,
};

const options = { error: (): undefined => undefined };
const feed = createServer(generous, { ask: never, given: never }, options);

function served(): {
  listen(address: string): Promise<Address>;
  readonly sockets: { readonly size: number };
} {
  switch (process.argv[2]) {
    case "json-rpc":
      return createServer(
        jsonRpc(greedyText, { framing: lines() }),
        { keep: hang, told: hang },
        options,
      );
    case "wire":
      return createServer(wire({ framing: lines(), codec: json() }), {
        message: hang,
        error: () => undefined,
      });
    case "held-wire":
      return createServer(wire({ framing: lines(), codec: json() }), {
        open: never,
        error: () => undefined,
      });
    case "feed":
      return feed;
    default:
      return createServer(greedy, handlers, options);
  }
}

const server = served();
console.log(`listening on ${formatAddress(await server.listen("tcp://127.0.0.1:0"))}`);
process.stdin.setEncoding("utf8").on("data", (text: string) => {
  if (text.includes("!")) {
    // Events of 256 KiB to each session by itself, so that no two share a body; refused and given
    // up ones are counted by nobody.
    for (let count = 0; count < 60; count++) {
      for (const socket of feed.sockets)
        socket.emit("told", String(count % 10).repeat(262_144)).catch(() => undefined);
      collect();
    }
  }
  report(`sessions ${String(server.sockets.size)}`);
});
