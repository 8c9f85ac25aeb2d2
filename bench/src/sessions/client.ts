/**
 * The client program of `bench:sessions`: one system's, on one connection, which does one work and
 * measures it.
 *
 *     client.ts FILE VARIANT work=NAME port=N pid=N warmup=MS duration=MS        pid: the server's
 *
 * Prints one line of JSON, as the load generators do. Every answer is looked at; of many calls at
 * once, each 16th is timed.
 */
import process from "node:process";
import { failLoad, loadOptions, reportWhenOver, Window } from "../window.ts";
import { type Client, isTicketOf, type Peer, type Ticket, ticketOf } from "./peer.ts";
import { type SessionWork, sessionWorks } from "./works.ts";

/** Items that are recorded at once. */
const ITEMS = 64;

const [file = "", variant = ""] = process.argv.slice(2);
const value = loadOptions();
process.on("uncaughtException", failLoad);
process.on("unhandledRejection", failLoad);

const peer = (await import(`./${file}`)) as Peer; // systems.ts names files that are
const work = sessionWorks.find(({ name }) => name === value("work", ""));
if (work === undefined) failLoad(`no work ${value("work", "")}`);
const client = await peer.connect(Number(value("port", "0")), variant);
const window = new Window(
  Number(value("pid", "0")),
  Number(value("warmup", "500")),
  Number(value("duration", "1000")),
);
begin(work, client);
reportWhenOver(window);

function begin({ uses, depth, source }: SessionWork, { request, stream, emit }: Client): void {
  const each = depth === 1 ? 1 : 16;
  if (uses === "request" && request !== undefined) {
    for (let i = 0; i < depth; i++) void again(each, request, isTicketOf);
  } else if (uses === "emit" && emit !== undefined) {
    for (let i = 0; i < depth; i++) void again(each, emit, (outcome) => outcome === "delivered");
  } else if (uses === "stream" && stream !== undefined) {
    let count = 0;
    void stream(source, (ticket) => {
      if (!isTicketOf(ticket, count)) failLoad("an item is not what is expected");
      if (++count % ITEMS === 0) window.record(0, ITEMS);
    });
  } else {
    failLoad(`${file} does not do this work`);
  }
}

/** One after the other, for ever; every `each`th is timed, and stands for as many. */
async function again<T>(
  each: number,
  call: (ticket: Ticket) => Promise<T>,
  isRight: (answer: T, number: number) => boolean,
): Promise<void> {
  for (let number = 0; window.phase !== "done"; number++) {
    const began = number % each === 0 ? performance.now() : 0;
    const answer = await call(ticketOf(number));
    if (!isRight(answer, number)) failLoad("an answer is not what is expected");
    if (number % each === 0) window.record(performance.now() - began, each);
  }
}
