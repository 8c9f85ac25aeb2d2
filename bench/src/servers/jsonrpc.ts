/** `vscode-jsonrpc` over `node:net`: one request with one string, answered with it. */
import net from "node:net";
import { createMessageConnection, SocketMessageReader, SocketMessageWriter } from "vscode-jsonrpc/node";
import { announce, BACKLOG, portOf } from "./serving.ts";

const server = net.createServer({ noDelay: true }, (socket) => {
  socket.on("error", () => socket.destroy());
  const connection = createMessageConnection(new SocketMessageReader(socket), new SocketMessageWriter(socket));
  connection.onRequest("echo", (message: string) => message);
  connection.listen();
});
server.listen({ port: 0, host: "127.0.0.1", backlog: BACKLOG }, () => {
  announce(portOf(server));
});
