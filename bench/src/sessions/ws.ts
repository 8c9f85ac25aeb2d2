/**
 * `ws` as its README shows: JSON with an id in each message. Without `bufferutil`, which ws can use
 * where it is installed.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import { WebSocket, WebSocketServer } from "ws";
import { listenOn } from "../servers/serving.ts";
import { type Client, laterTickets, type Source, type Ticket, tickets } from "./peer.ts";

interface Message {
  readonly id: number;
  readonly ticket?: Ticket;
  readonly source?: Source;
}

/** What a stream lets wait in a socket. */
const HIGH_BYTES = 65_536;

export async function serve(): Promise<number> {
  const http = createServer();
  new WebSocketServer({ server: http, perMessageDeflate: false }).on("connection", (socket) => {
    socket.on("error", () => {
      socket.terminate();
    });
    socket.on("message", (data: Buffer) => {
      // the other end is this file too
      const { id, ticket, source } = JSON.parse(data.toString()) as Message;
      if (source !== undefined) void push(socket, id, source);
      else if (ticket !== undefined) socket.send(JSON.stringify({ id, ticket } satisfies Message));
    });
  });
  return listenOn(http);
}

export async function connect(port: number): Promise<Client> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  await once(socket, "open");
  const waiting = new Map<number, (ticket: Ticket) => void>();
  let last = 0;
  let onItem: ((ticket: Ticket) => void) | null = null;
  socket.on("message", (data: Buffer) => {
    const { id, ticket } = JSON.parse(data.toString()) as Message; // the other end is this file too
    if (ticket === undefined) return;
    if (onItem !== null) {
      onItem(ticket);
      return;
    }
    waiting.get(id)?.(ticket);
    waiting.delete(id);
  });
  return {
    request: (ticket) =>
      new Promise((resolve) => {
        const id = ++last;
        waiting.set(id, resolve);
        socket.send(JSON.stringify({ id, ticket } satisfies Message));
      }),
    stream: async (source, take) => {
      onItem = take;
      socket.send(JSON.stringify({ id: ++last, source } satisfies Message));
      await once(socket, "close");
    },
  };
}

/** As fast as the socket sends: a callback says that what was given to it has left. */
async function push(socket: WebSocket, id: number, source: Source): Promise<void> {
  for await (const ticket of source === "plain" ? tickets() : laterTickets()) {
    const text = JSON.stringify({ id, ticket } satisfies Message);
    if (socket.bufferedAmount < HIGH_BYTES) socket.send(text);
    else
      await new Promise((sent) => {
        socket.send(text, sent);
      });
    if (socket.readyState !== WebSocket.OPEN) return;
  }
}
