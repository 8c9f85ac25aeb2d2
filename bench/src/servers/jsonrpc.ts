/** `vscode-jsonrpc` over `node:net`: one request with one string, answered with it. */
import net from "node:net";
import {
  createMessageConnection,
  SocketMessageReader,
  SocketMessageWriter,
} from "vscode-jsonrpc/node";
import { announce, listenOn } from "./serving.ts";

const server = net.createServer({ noDelay: true }, (socket) => {
  socket.on("error", () => socket.destroy());
  const connection = createMessageConnection(
    new SocketMessageReader(socket),
    new SocketMessageWriter(socket),
  );
  connection.onRequest("echo", (message: string) => message);
  connection.listen();
});
announce(await listenOn(server));
