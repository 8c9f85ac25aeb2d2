#!/usr/bin/env node
/**
 * The smallest complete Hawser client: it says a message and prints the answers until the sentinel;
 * on a terminal it goes on with what is typed. Owns the order of a conversation and what is
 * printed; options.ts reads the command line.
 */
import process from "node:process";
import { clearLine, createInterface, cursorTo, type Interface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type Socket } from "@hawser/client";
import { fail } from "@hawser/command-line";
import {
  HawserError,
  isHawserError,
  lengthPrefixed,
  lines,
  printable,
  raw,
  text,
  type Wire,
  wire,
} from "@hawser/protocol";
import { formatAddress } from "@hawser/transport";
import { readOptions } from "./options.ts";
import { type EchoSession, openSession } from "./session.ts";

const options = readOptions();
const { address, wire: spoken, sentinel, message, tls, wait } = options;

const wires = {
  lines: () => wire({ framing: lines(), codec: text(), sentinel }),
  length32: () => wire({ framing: lengthPrefixed(), codec: text(), sentinel }),
  classic: () => wire({ framing: raw(), codec: text(), sentinel: { suffix: ` ${sentinel}` } }),
};
const MAX_REPLY = 1_048_576;
const isClassic = spoken === "classic";
const terminal =
  process.stdin.isTTY && process.stdout.isTTY
    ? createInterface({ input: process.stdin, output: process.stdout })
    : null;
let socket: Socket<string> | null = null;
let session: EchoSession | null = null;
let isLeaving = false;

// who read it has gone
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, leave);
if (spoken === "session") await talkInSession();
else await talkOnWire(chooseWire(spoken));

function chooseWire(name: keyof typeof wires): Wire<string> {
  try {
    return wires[name]();
  } catch (error) {
    fail(error);
  }
}

async function talkInSession(): Promise<void> {
  session = await openSession(options, print).catch(fail);
  await ask(message);
  if (terminal !== null) await readTerminal(terminal, ask);
  await session.close();
  terminal?.close();
}

async function ask(line: string): Promise<void> {
  await session?.say(line).catch((error: unknown) => {
    complain(isHawserError(error) ? error.message : String(error));
  });
}

async function talkOnWire(chosen: Wire<string>): Promise<void> {
  const conversations = talk(chosen).catch(fail);
  if (terminal !== null) {
    if (isClassic) await conversations;
    // An answer ends a classic conversation: each line is one of its own.
    await readTerminal(terminal, (typed) =>
      isClassic ? converse(chosen, typed).catch(fail) : say(typed),
    );
    leave();
  }
  await conversations;
}

async function readTerminal(from: Interface, use: (typed: string) => unknown): Promise<void> {
  from.prompt();
  for await (const typed of from) {
    if (typed === sentinel) break;
    await use(typed);
    from.prompt();
  }
}

/** One conversation, or with --wait one after the other, until somebody leaves. */
async function talk(chosen: Wire<string>): Promise<void> {
  do await converse(chosen, message);
  while (wait && terminal !== null && !isClassic && !isLeaving);
  if (!isClassic) terminal?.close();
}

async function converse(chosen: Wire<string>, first: string): Promise<void> {
  const current = (socket = await open(chosen));
  print(
    `connected to ${current.transport === "ipc" ? "" : `${current.transport}://`}${current.remote}`,
  );
  let reply = "";
  let answers = 0;
  current.on("message", (part) => {
    answers++;
    if (!isClassic) print(`received: ${part}`);
    else if (reply.length < MAX_REPLY)
      reply += part; // the network cuts it anywhere
    else
      current.abort(
        new HawserError(
          "FRAME_TOO_LARGE",
          `The answer is longer than ${MAX_REPLY} characters and the sentinel has not come`,
        ),
      );
  });
  const isSaid = say(first);
  if (isClassic && !isSaid) current.abort();
  if (!isClassic && terminal === null) current.end(); // says the sentinel; the answers still come
  const { reason, error } = await current.closed;
  socket = null;
  if (reply !== "") print(`received: ${reply}`);
  print(`closed: ${reason}`);
  if (error !== null) complain(error.message);
  else if (reason === "ended") complain("The server ended the connection without the sentinel");
  else if (isSaid && answers === 0 && !isLeaving)
    complain(
      "The server closed without an answer: see whether it speaks this wire on this address",
    );
}

/** Connect; with --wait, as often as it takes. */
async function open(chosen: Wire<string>): Promise<Socket<string>> {
  for (let tries = 0; ; tries++) {
    try {
      return await connect(chosen, address, {
        tls,
        idleTimeoutMs: terminal === null ? 10_000 : Infinity,
      });
    } catch (error) {
      if (!wait || !isHawserError(error) || !error.retryable) throw error;
      if (tries % 20 === 0) print(`waiting for ${formatAddress(address)}`);
      await sleep(250);
    }
  }
}

/** Send a line; false when it can't be sent, and then the conversation goes on without it. */
function say(line: string): boolean {
  try {
    socket?.send(line);
    return socket !== null;
  } catch (error) {
    complain(isHawserError(error) ? error.message : String(error));
    return false;
  }
}

function leave(): void {
  isLeaving = true;
  if (session !== null) void session.close().then(() => process.exit());
  else if (socket === null) process.exit();
  else if (isClassic || socket.state !== "open") socket.abort();
  else socket.end();
}

function complain(sentence: string): void {
  process.exitCode = 1;
  print(sentence, console.error);
}

/** Print a line, on a terminal above what is being typed. */
function print(line: string, log = console.log): void {
  if (terminal !== null) {
    cursorTo(process.stdout, 0);
    clearLine(process.stdout, 0);
  }
  log(printable(line));
  if (terminal !== null && !isLeaving) terminal.prompt(true);
}
