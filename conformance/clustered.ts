// A program of the tests: four workers of node:cluster listen on one path; "close N" on its input
// closes worker N's server.
import cluster, { type Worker } from "node:cluster";
import process from "node:process";
import { createInterface } from "node:readline";
import { isHawserError } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { chat, echo } from "./conversation.ts";

if (cluster.isPrimary) {
  const workers: Worker[] = Array.from({ length: 4 }, () => cluster.fork());
  createInterface({ input: process.stdin })
    .on("line", (line) => {
      workers[Number(line.split(" ")[1])]?.send("close");
    })
    .on("close", () => {
      for (const worker of workers) worker.process.kill();
      process.exit(0);
    });
} else {
  const server = createServer(chat, { message: echo });
  process.on("message", () => {
    void server.close().then(() => {
      console.log("closed;");
    });
  });
  await server.listen({ path: process.argv[2] ?? "" }).then(
    () => {
      console.log("listening;");
    },
    (error: unknown) => {
      console.log(`${isHawserError(error) ? error.message : String(error)};`);
    },
  );
}
