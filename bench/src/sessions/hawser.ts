/**
 * Hawser's typed sessions, through their public API alone. All limits and timeouts are on.
 *
 *     zod        schemas on everything, checked at both ends
 *     type       type<T>() in their place: nothing is checked
 *     json-rpc   as zod, but spoken as JSON-RPC 2.0 over lines
 */
import { connect as connectSession } from "@hawser/client";
import { defineProtocol, jsonRpc, lines, type, type Schema } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { z } from "zod";
import { BACKLOG } from "../servers/serving.ts";
import { type Client, laterTickets, type Source, type Ticket, tickets } from "./peer.ts";

const zodTicket: Schema<Ticket> = z.object({
  id: z.number(),
  name: z.string(),
  tags: z.array(z.string()),
  ok: z.boolean(),
});

function contractOf(ticket: Schema<Ticket>) {
  return defineProtocol({
    name: "bench",
    version: 1,
    requests: { echo: { input: ticket, output: ticket } },
    streams: { tickets: { input: type<Source>(), item: ticket } },
    events: { seen: { payload: ticket, delivery: "at-least-once" } },
  });
}

const contracts = { zod: contractOf(zodTicket), type: contractOf(type<Ticket>()) };
const overLines = jsonRpc(
  defineProtocol({
    name: "bench",
    version: 1,
    requests: { echo: { input: zodTicket, output: zodTicket } },
  }),
  { framing: lines() },
);

const echo = (ticket: Ticket): Ticket => ticket;

export async function serve(variant: string): Promise<number> {
  const options = { backlog: BACKLOG };
  const handlers = {
    echo,
    tickets: (source: Source) => (source === "plain" ? tickets() : laterTickets()),
    seen: () => undefined,
  };
  const server =
    variant === "json-rpc"
      ? createServer(overLines, { echo }, options)
      : createServer(contracts[variant === "zod" ? "zod" : "type"], handlers, options);
  const address = await server.listen("tcp://127.0.0.1:0");
  return "port" in address ? address.port : 0;
}

export async function connect(port: number, variant: string): Promise<Client> {
  const address = `tcp://127.0.0.1:${port}`;
  if (variant === "json-rpc") {
    const socket = await connectSession(overLines, address);
    return { request: (ticket) => socket.request("echo", ticket) };
  }
  const socket = await connectSession(contracts[variant === "zod" ? "zod" : "type"], address);
  return {
    request: (ticket) => socket.request("echo", ticket),
    stream: async (source, take) => {
      for await (const ticket of socket.stream("tickets", source)) take(ticket);
    },
    emit: (ticket) => socket.emit("seen", ticket),
  };
}
