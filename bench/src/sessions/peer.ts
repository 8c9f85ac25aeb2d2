/**
 * What each system of `bench:sessions` provides: a server, and a client as its library's
 * documentation shows one. Owns the message that all of them carry. Must not know any system.
 */
import { payloadOf } from "../dialects.ts";

/** What is asked with, answered, streamed and emitted: 64 bytes as JSON. */
export interface Ticket {
  readonly id: number;
  readonly name: string;
  readonly tags: readonly string[];
  readonly ok: boolean;
}

// payloadOf has written it
const { name, tags, ok } = JSON.parse(payloadOf(64, true).toString("latin1")) as Ticket;

/** The ticket of a number: a new object each time, always of the same length. */
export function ticketOf(number: number): Ticket {
  return { id: 1_000 + (number % 9_000), name, tags: [...tags], ok };
}

/** Whether it is the ticket of that number. */
export function isTicketOf(ticket: Ticket, number: number): boolean {
  return (
    ticket.id === 1_000 + (number % 9_000) &&
    ticket.name === name &&
    ticket.tags.length === tags.length &&
    ticket.ok === ok
  );
}

/** How a server makes its stream's items. */
export type Source = "async" | "plain";

/** Items without end. */
export function* tickets(): Generator<Ticket, never> {
  for (let number = 0; ; number++) yield ticketOf(number);
}

/** The same, as from a source that must be waited for. */
// eslint-disable-next-line @typescript-eslint/require-await -- a cursor that has its rows
export async function* laterTickets(): AsyncGenerator<Ticket, never> {
  for (let number = 0; ; number++) yield ticketOf(number);
}

/** A client on one connection. A system leaves out what it does not do. */
export interface Client {
  /** The server answers with the ticket. */
  request?: (ticket: Ticket) => Promise<Ticket>;
  /**
   * Take items without end; each is given to `take`. The server is held back when they are not
   * taken as fast.
   */
  stream?: (source: Source, take: (ticket: Ticket) => void) => Promise<void>;
  /** Resolves with "delivered" when the server's handler has had the ticket. */
  emit?: (ticket: Ticket) => Promise<string>;
}

/** What a file of this directory that is a system exports. `variant` is its row's. */
export interface Peer {
  /** Serve on loopback; resolves with the port. */
  serve: (variant: string) => Promise<number>;
  connect: (port: number, variant: string) => Promise<Client>;
}
