/** `socket.io` over its WebSocket transport alone, with an event of one string. */
import { createServer } from "node:http";
import { Server } from "socket.io";
import { announce, listenOn, servingOptions } from "./serving.ts";

const { mode, burst } = servingOptions();

const http = createServer();
// No ping falls into a measurement, and the largest message fits.
const server = new Server(http, {
  transports: ["websocket"],
  serveClient: false,
  pingInterval: 300_000,
  maxHttpBufferSize: 4 << 20,
});
server.on("connection", (socket) => {
  socket.on("m", (data: string) => {
    if (mode === "echo") socket.emit("m", data);
    else for (let i = 0; i < burst; i++) server.emit("m", data);
  });
});
announce(await listenOn(http));
