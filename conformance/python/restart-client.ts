// A client of a server that is killed and started anew: node restart-client.ts PORT COUNT. Emits so
// many events in lanes; prints "delivered" and exits 0 when all are.

import process from "node:process";
import { connect } from "@hawser/client";
import { narrow, trial } from "./trial-contract.ts";

const [port = "0", count = "0"] = process.argv.slice(2);
const client = await connect(trial, `tcp://127.0.0.1:${port}`, {
  ...narrow,
  reconnect: { initialMs: 5, maxMs: 20, fromStart: true },
});
client.on("heard", () => undefined);
const events = Array.from({ length: Number(count) }, (_, n) =>
  client.emit("keyed", { key: "abc".charAt(n % 3), n }),
);
for (const outcome of await Promise.all(events)) {
  if (outcome !== "delivered") throw new Error(`an event is ${outcome}`);
}
console.log("delivered");
await client.close();
