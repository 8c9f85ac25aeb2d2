// A program of the tests: takes "listen PATH INSTANT" and "close" on its input, and says what came
// of it. Its clients are told its name.
import process from "node:process";
import { createInterface } from "node:readline";
import { isHawserError } from "@hawser/protocol";
import { createServer, type Server } from "@hawser/server";
import { plainLines } from "./conversation.ts";

const name = process.argv[2] ?? "";
let server = racer();

createInterface({ input: process.stdin })
  .on("line", (line) => {
    void run(line);
  })
  .on("close", () => {
    process.exit(0);
  });
console.log("ready");

async function run(line: string): Promise<void> {
  const [command, path = "", instant] = line.split(" ");
  if (command === "close") {
    await server.close({ graceMs: 0 });
    console.log("closed");
    server = racer();
    return;
  }
  while (Date.now() < Number(instant)); // so that all of them bind at once
  const outcome = await server.listen({ path }).then(
    () => "listening",
    (error: unknown) => (isHawserError(error) ? error.code : String(error)),
  );
  console.log(`outcome ${outcome}`);
}

function racer(): Server<string, string> {
  return createServer(plainLines, {
    open(socket) {
      socket.send(name);
      socket.end();
    },
  });
}
