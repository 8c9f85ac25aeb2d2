/**
 * Redis' commands on keys and values: how each is called, how many arguments it takes, and what it
 * does with the store. Must not know connections, nor how a request is read. What clients ask when
 * they connect is in greetings.ts.
 */
import { array, error, greetings, integer, NIL, OK } from "./greetings.ts";
import { bulkText, lettersOf, range, type Request, textOf } from "./requests.ts";
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

const PONG = range("+PONG\r\n");
const NOT_INTEGER = error("value is not an integer or out of range");
/** Integers have 64 bits. */
const [LEAST, MOST] = [-(2n ** 63n), 2n ** 63n - 1n] as const;

const database = new Store();
const commands: readonly Command[] = [
  command("ping", 0, 1, ({ count, key }) => (count === 0 ? PONG : key)),
  command("echo", 1, 1, ({ key }) => key),
  command("get", 1, 1, ({ key }) => database.find(key) ?? NIL),
  command("set", 2, Infinity, ({ count, key, value }) => {
    if (count > 2) return error("syntax error"); // NX, EX and the others
    database.set(key, value);
    return OK;
  }),
  command("setnx", 2, 2, ({ key, value }) => {
    if (database.find(key) !== null) return integer(0);
    database.set(key, value);
    return integer(1);
  }),
  command("mset", 2, Infinity, setMany),
  command("strlen", 1, 1, ({ key }) =>
    integer(textOf(database.find(key) ?? range(bulkText(""))).length),
  ),
  command("del", 1, Infinity, (request) =>
    integer(argumentsOf(request).filter((key) => database.delete(key)).length),
  ),
  command("exists", 1, Infinity, (request) =>
    integer(argumentsOf(request).filter((key) => database.find(key) !== null).length),
  ),
  command("incr", 1, 1, ({ key }) => increment(key, 1n)),
  command("decr", 1, 1, ({ key }) => increment(key, -1n)),
  command("incrby", 2, 2, ({ key, value }) => {
    const by = parseInteger(textOf(value));
    return by === null ? NOT_INTEGER : increment(key, by);
  }),
  command("decrby", 2, 2, ({ key, value }) => {
    const by = parseInteger(textOf(value));
    if (by === null) return NOT_INTEGER;
    return by === LEAST ? error("decrement would overflow") : increment(key, -by);
  }),
  command("dbsize", 0, 0, () => integer(database.size)),
  ...["flushall", "flushdb"].map((name) =>
    command(name, 0, 1, () => {
      database.clear();
      return OK;
    }),
  ),
  ...greetings.map(({ name, least, most, run }) =>
    command(name, least, most, (request) => run(argumentsOf(request).map(textOf))),
  ),
  command("command", 0, Infinity, ({ count, key }) => {
    if (count === 0) return range(array(commands.map(describe)));
    // DOCS, INFO: nothing is known
    return textOf(key).toLowerCase() === "count" ? integer(commands.length) : range(array([]));
  }),
];

/** The reply to a request; it is to be sent before the next request is read. */
export function answer(request: Request<Command>): Range {
  const { command, count } = request;
  return count < command.least || count > command.most
    ? wrongNumber(command.name)
    : command.run(request);
}

/**
 * Names of up to four letters are found by their letters as one number: no string is made for each
 * request.
 */
const short = commands
  .filter(({ name }) => name.length <= 4)
  .map((command) => ({
    letters: lettersOf(Buffer.from(command.name), 0, command.name.length),
    command,
  }));

/**
 * The command of that name, in small letters or not; one that answers with an error where there is
 * none.
 */
export function findCommand(bytes: Buffer, start: number, end: number): Command {
  if (end - start <= 4) {
    const wanted = lettersOf(bytes, start, end);
    for (const { letters, command } of short) if (letters === wanted) return command;
  }
  const name = bytes.toString("latin1", start, end).toLowerCase();
  return (
    commands.find((each) => each.name === name) ??
    command(name, 0, Infinity, () => error(`unknown command ${JSON.stringify(name.slice(0, 64))}`))
  );
}

function command(name: string, least: number, most: number, run: Command["run"]): Command {
  return { name, least, most, run };
}

function wrongNumber(name: string): Range {
  return error(`wrong number of arguments for '${name}' command`);
}

function argumentsOf({ count, key, value, more }: Request<Command>): readonly Range[] {
  return [key, value, ...more].slice(0, count);
}

function setMany(request: Request<Command>): Range {
  if (request.count % 2 !== 0) return wrongNumber("mset");
  const pairs = argumentsOf(request);
  for (let at = 0; at < pairs.length; at += 2)
    database.set(pairs[at] as Range, pairs[at + 1] as Range); // in range, as the count is even
  return OK;
}

function increment(key: Range, by: bigint): Range {
  const found = database.find(key);
  const value = found === null ? 0n : parseInteger(textOf(found));
  if (value === null) return NOT_INTEGER;
  const sum = value + by;
  if (sum < LEAST || sum > MOST) return error("increment or decrement would overflow");
  database.set(key, range(bulkText(String(sum))));
  return integer(sum);
}

/**
 * The integer that a text is, in the one form that Redis reads: no sign but "-", no space, no zero
 * in front, nothing but decimal digits; or null.
 */
function parseInteger(text: string): bigint | null {
  if (!/^(?:0|-?[1-9][0-9]{0,18})$/.test(text)) return null;
  const value = BigInt(text);
  return value < LEAST || value > MOST ? null : value;
}

/** What COMMAND says of each: its arity, and nothing of flags and of where its keys stand. */
function describe({ name, least, most }: Command): string {
  const arity = least === most ? least + 1 : -least - 1;
  return array([bulkText(name), `:${arity}\r\n`, array([]), ":0\r\n", ":0\r\n", ":0\r\n"]);
}
