/**
 * `node:net` as it is written by hand: a line of JSON with an id for each message, and one
 * `socket.write` for each.
 */
import { once } from "node:events";
import net from "node:net";
import { listenOn } from "../servers/serving.ts";
import { type Client, laterTickets, type Source, type Ticket, tickets } from "./peer.ts";

interface Message {
  readonly id: number;
  readonly ticket?: Ticket;
  readonly source?: Source;
  readonly event?: true;
}

export async function serve(): Promise<number> {
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("drain", () => socket.resume());
    onMessage(socket, ({ id, ticket, source, event }) => {
      if (source !== undefined) push(socket, id, source).catch(() => socket.destroy());
      else if (!send(socket, event === true || ticket === undefined ? { id } : { id, ticket }))
        socket.pause();
    });
  });
  return listenOn(server);
}

export async function connect(port: number): Promise<Client> {
  const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  const waiting = new Map<number, (message: Message) => void>();
  let last = 0;
  let onItem: ((ticket: Ticket) => void) | null = null;
  onMessage(socket, (message) => {
    if (onItem !== null && message.ticket !== undefined) {
      onItem(message.ticket);
      return;
    }
    waiting.get(message.id)?.(message);
    waiting.delete(message.id);
  });
  const ask = (message: Omit<Message, "id">, settle: (answer: Message) => void): void => {
    const id = ++last;
    waiting.set(id, settle);
    send(socket, { id, ...message });
  };
  return {
    request: (ticket) =>
      new Promise((resolve, reject) => {
        ask({ ticket }, (answer) => {
          if (answer.ticket === undefined) reject(new Error("there is no ticket in the answer"));
          else resolve(answer.ticket);
        });
      }),
    stream: (source, take) =>
      new Promise((resolve) => {
        onItem = take;
        ask({ source }, () => {
          resolve();
        });
      }),
    emit: (ticket) =>
      new Promise((resolve) => {
        ask({ ticket, event: true }, () => {
          resolve("delivered");
        });
      }),
  };
}

function send(socket: net.Socket, message: Message): boolean {
  return socket.write(`${JSON.stringify(message)}\n`);
}

async function push(socket: net.Socket, id: number, source: Source): Promise<void> {
  for await (const ticket of source === "plain" ? tickets() : laterTickets()) {
    if (!send(socket, { id, ticket })) await once(socket, "drain");
    if (socket.destroyed) return;
  }
}

function onMessage(socket: net.Socket, take: (message: Message) => void): void {
  let kept = "";
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    const pieces = (kept + text).split("\n");
    kept = pieces.pop() ?? "";
    // the other end is this file too
    for (const piece of pieces) take(JSON.parse(piece) as Message);
  });
}
