/** `socket.io` over its WebSocket transport alone: events with acknowledgements. */
import { createServer } from "node:http";
import { Server } from "socket.io";
import { io } from "socket.io-client";
import { listenOn } from "../servers/serving.ts";
import { type Client, laterTickets, type Source, type Ticket, tickets } from "./peer.ts";

interface FromClient {
  echo: (ticket: Ticket, answer: (ticket: Ticket) => void) => void;
  seen: (ticket: Ticket, answer: () => void) => void;
  tickets: (source: Source) => void;
}

interface FromServer {
  item: (ticket: Ticket) => void;
}

/** Items that are emitted before the socket is asked whether they have left. */
const BURST = 256;

export async function serve(): Promise<number> {
  const http = createServer();
  const server = new Server<FromClient, FromServer>(http, {
    transports: ["websocket"],
    serveClient: false,
  });
  server.on("connection", (socket) => {
    socket.on("echo", (ticket, answer) => {
      answer(ticket);
    });
    socket.on("seen", (_, answer) => {
      answer();
    });
    socket.on("tickets", (source) => void push(source));
    const push = async (source: Source): Promise<void> => {
      let count = 0;
      for await (const ticket of source === "plain" ? tickets() : laterTickets()) {
        socket.emit("item", ticket);
        if (++count % BURST === 0)
          await new Promise<void>((left) => {
            socket.conn.once("drain", left);
          });
        if (!socket.connected) return;
      }
    };
  });
  return listenOn(http);
}

export async function connect(port: number): Promise<Client> {
  const socket = io(`ws://127.0.0.1:${port}`, { transports: ["websocket"] });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve).once("connect_error", reject);
  });
  return {
    // the server's answer
    request: (ticket) => socket.emitWithAck("echo", ticket) as Promise<Ticket>,
    stream: async (source, take) => {
      socket.on("item", take);
      socket.emit("tickets", source);
      await new Promise<void>((resolve) => {
        socket.once("disconnect", () => {
          resolve();
        });
      });
    },
    emit: async (ticket) => {
      await socket.emitWithAck("seen", ticket);
      return "delivered";
    },
  };
}
