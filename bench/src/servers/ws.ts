/**
 * `ws`, as its README shows: `codec=json` parses and stringifies each message.
 * Without `bufferutil`, which ws can use where it is installed.
 */
import { createServer } from "node:http";
import { WebSocket, WebSocketServer } from "ws";
import { announce, listenOn, servingOptions } from "./serving.ts";

const { mode, burst, value } = servingOptions();
const isJson = value("codec", "bytes") === "json";

const http = createServer();
const server = new WebSocketServer({ server: http, perMessageDeflate: false });
server.on("connection", (socket) => {
  socket.on("error", () => {
    socket.terminate();
  });
  socket.on("message", (data: Buffer, isBinary) => {
    if (mode === "broadcast") {
      for (let i = 0; i < burst; i++) {
        for (const client of server.clients)
          if (client.readyState === WebSocket.OPEN) client.send(data, { binary: isBinary });
      }
    } else if (isJson) {
      socket.send(JSON.stringify(JSON.parse(data.toString())));
    } else {
      socket.send(data, { binary: isBinary });
    }
  });
});
announce(await listenOn(http));
