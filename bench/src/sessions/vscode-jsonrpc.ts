/**
 * `vscode-jsonrpc` over `node:net`: one request. It has nothing that would hold a stream of
 * notifications back.
 */
import { once } from "node:events";
import net from "node:net";
import {
  createMessageConnection,
  type MessageConnection,
  RequestType1,
  SocketMessageReader,
  SocketMessageWriter,
} from "vscode-jsonrpc/node";
import { listenOn } from "../servers/serving.ts";
import type { Client, Ticket } from "./peer.ts";

const echo = new RequestType1<Ticket, Ticket, void>("echo");

export async function serve(): Promise<number> {
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    const connection = connectionOf(socket);
    connection.onRequest(echo, (ticket) => ticket);
    connection.listen();
  });
  return listenOn(server);
}

export async function connect(port: number): Promise<Client> {
  const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  const connection = connectionOf(socket);
  connection.listen();
  return { request: (ticket) => connection.sendRequest(echo, ticket) };
}

function connectionOf(socket: net.Socket): MessageConnection {
  return createMessageConnection(new SocketMessageReader(socket), new SocketMessageWriter(socket));
}
