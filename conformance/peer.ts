// The conformance program: what an implementation runs for the vectors, here on Hawser's server or
// client.
//
//   peer.ts server               listens, prints `listening on PORT`
//   peer.ts client PORT          connects, again and again
//
// It ends with its standard input. vectors/README.md says what its messages do.

import process from "node:process";
import { startClient, startServer } from "./peer-program.ts";

const [role, port] = process.argv.slice(2);
if (role === "server") {
  const server = await startServer();
  console.log(`listening on ${server.port}`);
} else if (role === "client") {
  startClient(Number(port));
} else {
  console.error("usage: peer.ts server | client PORT");
  process.exit(2);
}
process.stdin.resume();
process.stdin.once("end", () => {
  process.exit(0);
});
