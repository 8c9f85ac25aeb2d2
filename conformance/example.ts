import { lines, text, wire } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { connect } from "@hawser/client";

const echo = wire({ framing: lines(), codec: text(), sentinel: "exit" });

const server = createServer(echo, {
  message(message, socket) {
    socket.send(message);
    socket.end();
  }, // end() sends the sentinel, then closes
});
await server.listen("tcp://localhost:1234");

await using socket = await connect(echo, "tcp://localhost:1234");
socket.send("Hello World!");
for await (const message of socket) console.log(message); // the loop ends at the sentinel
