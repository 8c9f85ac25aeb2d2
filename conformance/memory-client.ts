// A client whose listeners and streams take nothing, in a process of its own: the servers of
// `memory.test.ts` send it what takes the most memory. node memory-client.ts ADDRESS. For each line
// that it reads it does what the line says, and prints how much memory it has: "streams N" opens so
// many and takes nothing, "take N" takes one item of each, "ask N" makes so many requests and drops
// their answers, "fill BYTES" makes requests until one is refused, "?" does nothing.

import process from "node:process";
import { connect } from "@hawser/client";
import { report } from "./memory-report.ts";
import { generous } from "./session-contracts.ts";

/** Keeps what the program was given. */
const inHand: unknown[] = [];

function hang(value: unknown): Promise<never> {
  inHand.push(value);
  return new Promise(() => undefined);
}

const client = await connect(generous, process.argv[2] ?? "", {
  handlers: { told: hang, asked: hang },
  reconnect: { initialMs: 1, maxMs: 1 },
  queue: { policy: "hold", ttlMs: Infinity },
});
console.log("connected");

async function fill(bytes: number): Promise<number> {
  const input = bytes === 0 ? undefined : "x".repeat(bytes);
  const refused = Promise.withResolvers<boolean>();
  const held = Promise.resolve(false);
  let count = 0;
  do {
    for (let more = 0; more < 1_000; more++)
      client.request("ask", input).catch(() => {
        refused.resolve(true);
      });
    count += 1_000;
    await Promise.resolve(); // a refusal comes in a microtask
  } while (count < 1_000_000 && !(await Promise.race([refused.promise, held])));
  return count;
}

async function obey(order: string, argument: number): Promise<string> {
  switch (order) {
    case "streams":
      for (let count = 0; count < argument; count++) inHand.push(client.stream("given", null));
      return "";
    case "take":
      for (let count = 0; count < argument; count++) {
        const items = client.stream("given", null)[Symbol.asyncIterator]();
        inHand.push(items);
        void items.next().then(
          (item) => inHand.push(item),
          () => undefined,
        );
      }
      return "";
    case "ask":
      for (let count = 0; count < argument; count++)
        client.request("ask", null).catch(() => undefined);
      return "";
    case "fill":
      return `held ${String(await fill(argument))} `;
    default:
      return "";
  }
}

process.stdin.setEncoding("utf8").on("data", (text: string) => {
  void (async () => {
    for (const line of text.trim().split("\n")) {
      const [order = "", argument = "0"] = line.split(" ");
      const more = await obey(order, Number(argument));
      report(`${more}state ${client.state}`);
    }
  })();
});
