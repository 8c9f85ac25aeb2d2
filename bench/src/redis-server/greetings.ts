/**
 * What clients ask when they connect: which protocol and version, who they are, which database. And
 * the replies that are always the same. Must not know the store. Of RESP3, which clients ask for
 * with HELLO 3, the greeting is a map and "nothing" is a null; all else is RESP2.
 */
import process from "node:process";
import { bulkText, range } from "./requests.ts";
import type { Range } from "./store.ts";

/** A command whose arguments are text. */
export interface Greeting {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  readonly run: (words: readonly string[]) => Range;
}

export const OK = range("+OK\r\n");
/** Nothing, in RESP2 and in RESP3. */
export const NIL = range("$-1\r\n");
export const NULL = range("_\r\n");

const VERSION = "7.0.0"; // of Redis: what is answered here is as it answers
const facts = (protocol: 2 | 3): readonly string[] =>
  [
    ["server", "redis"],
    ["version", VERSION],
    ["proto", protocol],
    ["id", 1],
    ["mode", "standalone"],
    ["role", "master"],
  ]
    .map(
      ([name, value]) =>
        bulkText(String(name)) +
        (typeof value === "number" ? `:${value}\r\n` : bulkText(String(value))),
    )
    .concat(`${bulkText("modules")}*0\r\n`);

/** The two replies to HELLO: behind the second one the connection speaks RESP3. */
export const HELLO_2 = range(`*14\r\n${facts(2).join("")}`);
export const HELLO_3 = range(`%7\r\n${facts(3).join("")}`);

export const greetings: readonly Greeting[] = [
  { name: "hello", least: 0, most: Infinity, run: hello },
  { name: "client", least: 1, most: Infinity, run: client },
  {
    name: "select",
    least: 1,
    most: 1,
    run: ([index]) => (index === "0" ? OK : error("DB index is out of range")),
  },
  { name: "info", least: 0, most: Infinity, run: () => range(bulkText(info())) },
  { name: "config", least: 1, most: Infinity, run: config },
  {
    name: "function",
    least: 1,
    most: 2,
    run: ([what = ""]) => (what.toLowerCase() === "flush" ? OK : unknown("function", what)),
  },
  { name: "quit", least: 0, most: Infinity, run: () => OK },
];

function hello([version = "2", option, ...rest]: readonly string[]): Range {
  if (version !== "2" && version !== "3") return range("-NOPROTO unsupported protocol version\r\n");
  if (option !== undefined && (option.toLowerCase() !== "setname" || rest.length !== 1))
    return error(`syntax error in HELLO option ${JSON.stringify(option.slice(0, 64))}`);
  return version === "3" ? HELLO_3 : HELLO_2;
}

/** CLIENT: what it is told of the client is taken, and forgotten. */
function client([what = ""]: readonly string[]): Range {
  switch (what.toLowerCase()) {
    case "setinfo":
    case "setname":
      return OK;
    case "getname":
      return NIL;
    case "id":
      return integer(1);
    default:
      return unknown("client", what);
  }
}

function config([what = "", name = ""]: readonly string[]): Range {
  return what.toLowerCase() === "get"
    ? range(array([bulkText(name), bulkText("")]))
    : unknown("config", what);
}

function info(): string {
  return (
    "# " +
    `Server\r\nredis_version:${VERSION}\r\nredis_mode:standalone\r\nprocess_id:${process.pid}\r\n# ` +
    `Persistence\r\nloading:0\r\n`
  );
}

function unknown(command: string, what: string): Range {
  return error(`unknown subcommand ${JSON.stringify(what.slice(0, 64))} of ${command}`);
}

export function array(items: readonly string[]): string {
  return `*${items.length}\r\n${items.join("")}`;
}

export function integer(value: bigint | number): Range {
  return range(`:${value}\r\n`);
}

export function error(reason: string): Range {
  return range(`-ERR ${reason}\r\n`);
}
