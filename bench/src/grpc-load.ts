/**
 * The load generator for grpc-js, whose wire no canned bytes can speak: its own client, on the
 * other core. The client is heavier than the server: see the load's CPU share, and compare by the
 * server's CPU.
 */
import { readFileSync } from "node:fs";
import { Client, credentials } from "@grpc/grpc-js";
import { failLoad, loadOptions, reportWhenOver, Window } from "./window.ts";

const value = loadOptions();
const payload = readFileSync(value("request", ""));
const depth = Number(value("depth", "1"));
const window = new Window(
  Number(value("pid", "0")),
  Number(value("warmup", "500")),
  Number(value("duration", "1000")),
);
const same = (bytes: Buffer): Buffer => bytes;

const clients = Array.from(
  { length: Number(value("connections", "1")) },
  () =>
    new Client(`127.0.0.1:${value("port", "0")}`, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
    }),
);
await Promise.all(
  clients.map(
    (client) =>
      new Promise<void>((resolve, reject) => {
        client.waitForReady(Date.now() + 20_000, (error) => {
          if (error === undefined) resolve();
          else reject(error);
        });
      }),
  ),
).catch(failLoad);
for (const client of clients) for (let i = 0; i < depth; i++) call(client);

reportWhenOver(window);

function call(client: Client): void {
  const began = performance.now();
  client.makeUnaryRequest("/Bench/Echo", same, same, payload, (error, answer) => {
    if (window.phase === "done") return;
    if (error !== null) failLoad(error);
    if (window.phase === "warming" && answer?.equals(payload) !== true)
      failLoad(new Error("the reply is not what is expected"));
    window.record(performance.now() - began, 1);
    call(client);
  });
}
