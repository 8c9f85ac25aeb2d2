/**
 * Ten of Redis' commands: how each is called, how many arguments it takes, and what it does with the store.
 * Must not know connections, nor how a request is read.
 */
import { bulkText, range, type Request, textOf } from "./requests.ts";
import { type Range, Store } from "./store.ts";

/** A command, its name in small letters. */
export interface Command {
  readonly name: string;
  /** How many arguments it takes, at least and at most. */
  readonly least: number;
  readonly most: number;
  /** The reply; it is good as long as the request. */
  readonly run: (request: Request<Command>) => Range;
}

const OK = range("+OK\r\n");
const PONG = range("+PONG\r\n");
const NIL = range("$-1\r\n");

const database = new Store();
const commands: readonly Command[] = [
  command("ping", 0, 1, ({ count, key }) => (count === 0 ? PONG : key)),
  command("echo", 1, 1, ({ key }) => key),
  command("get", 1, 1, ({ key }) => database.find(key) ?? NIL),
  command("set", 2, 2, ({ key, value }) => {
    database.set(key, value);
    return OK;
  }),
  command("del", 1, Infinity, (request) => integer(keysOf(request).filter((key) => database.delete(key)).length)),
  command("exists", 1, Infinity, (request) => integer(keysOf(request).filter((key) => database.find(key) !== null).length)),
  command("incr", 1, 1, increment),
  command("command", 0, Infinity, ({ count }) => range(array(count === 0 ? commands.map(describe) : []))),
  command("config", 2, 2, ({ value }) => range(array([bulkText(textOf(value)), bulkText("")]))),
  command("quit", 0, 0, () => OK),
];

/** The reply to a request; it is to be sent before the next request is read. */
export function answer(request: Request<Command>): Range {
  const { command, count } = request;
  return count < command.least || count > command.most ? error(`wrong number of arguments for '${command.name}' command`) : command.run(request);
}

/** Names of up to four letters are found by their letters as one number: no string is made for each request. */
const short = commands.filter(({ name }) => name.length <= 4).map((command) => ({ letters: lettersOf(Buffer.from(command.name), 0, command.name.length), command }));

/** The command of that name, in small letters or not; one that answers with an error where there is none. */
export function findCommand(bytes: Buffer, start: number, end: number): Command {
  if (end - start <= 4) {
    const wanted = lettersOf(bytes, start, end);
    for (const { letters, command } of short) if (letters === wanted) return command;
  }
  return findByName(bytes.toString("latin1", start, end).toLowerCase());
}

function findByName(name: string): Command {
  return commands.find((each) => each.name === name) ?? command(name, 0, Infinity, () => error(`unknown command ${JSON.stringify(name.slice(0, 64))}`));
}

function lettersOf(bytes: Buffer, start: number, end: number): number {
  let letters = 0;
  for (let at = start; at < end; at++) letters = (letters << 8) | (bytes[at] as number) | 0x20; // in range; 0x20 makes A to a
  return letters;
}

function command(name: string, least: number, most: number, run: Command["run"]): Command {
  return { name, least, most, run };
}

function keysOf({ count, key, value, more }: Request<Command>): readonly Range[] {
  return count === 1 ? [key] : [key, value, ...more];
}

function increment({ key }: Request<Command>): Range {
  const found = database.find(key);
  const number = Number(found === null ? 0 : textOf(found)) + 1;
  if (!Number.isSafeInteger(number)) return error("value is not an integer or out of range");
  database.set(key, range(bulkText(String(number))));
  return integer(number);
}

/** What COMMAND says of each: its arity, and nothing of flags and of where its keys stand. */
function describe({ name, least, most }: Command): string {
  const arity = least === most ? least + 1 : -least - 1;
  return array([bulkText(name), `:${arity}\r\n`, array([]), ":0\r\n", ":0\r\n", ":0\r\n"]);
}

function array(items: readonly string[]): string {
  return `*${items.length}\r\n${items.join("")}`;
}

function integer(value: number): Range {
  return range(`:${value}\r\n`);
}

function error(reason: string): Range {
  return range(`-ERR ${reason}\r\n`);
}
