/**
 * A Redis of ten commands, for redis-cli and redis-benchmark: `node examples/resp/main.ts --address tcp://127.0.0.1:6379`
 *
 * Keys and values hold any bytes: they are strings of one character per byte, and stay as they stand on the wire, length and all.
 * So a value that was set is the reply to GET, and nothing is taken apart or put together twice.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { type Codec, wire } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { formatAddress } from "@hawser/transport";
import { resp } from "./framing.ts";

const [CR, STAR] = [0x0d, 0x2a] as const;
const { values: options } = parseArgs({ options: { address: { type: "string", default: "tcp://127.0.0.1:6379" } } });

/** A bulk string, or any other value, as it stands on the wire: "$5\r\nhello\r\n". */
type Bulk = string;
const bulk = (text: string): Bulk => `$${text.length}\r\n${text}\r\n`;
const unbulk = (value: Bulk): string => value.slice(value.indexOf("\n") + 1, -2);
const array = (items: readonly Bulk[]): Bulk => `*${items.length}\r\n${items.join("")}`;
const integer = (value: number): Bulk => `:${value}\r\n`;
const error = (reason: string): Bulk => `-ERR ${reason}\r\n`;
const OK: Bulk = "+OK\r\n";

/** Its name in small letters, how many arguments it takes at least and at most, and what it does with them. */
type Command = readonly [name: string, least: number, most: number, run: (key: Bulk, value: Bulk, request: Request) => Bulk];
type Request = readonly [command: Command, ...args: Bulk[]];

const database = new Map<Bulk, Bulk>();
const commands: readonly Command[] = [
  ["ping", 0, 1, (text) => text || "+PONG\r\n"],
  ["echo", 1, 1, (text) => text],
  ["get", 1, 1, (key) => database.get(key) ?? "$-1\r\n"],
  ["set", 2, 2, (key, value) => (database.set(key, value), OK)],
  ["del", 1, Infinity, (_key, _value, [, ...keys]) => integer(keys.filter((key) => database.delete(key)).length)],
  ["exists", 1, Infinity, (_key, _value, [, ...keys]) => integer(keys.filter((key) => database.has(key)).length)],
  ["incr", 1, 1, increment],
  ["command", 0, Infinity, (sub) => array(sub === "" ? commands.map(describe) : [])],
  ["config", 2, 2, (_get, parameter) => array([parameter, bulk("")])],
  ["quit", 0, 0, () => OK],
];

function increment(key: Bulk): Bulk {
  const value = Number(unbulk(database.get(key) ?? bulk("0"))) + 1;
  if (!Number.isSafeInteger(value)) return error("value is not an integer or out of range");
  database.set(key, bulk(String(value)));
  return integer(value);
}

/** What COMMAND says of each: its arity, and nothing of flags and of where its keys stand. */
function describe([name, least, most]: Command): Bulk {
  return array([bulk(name), integer(least === most ? least + 1 : -least - 1), array([]), integer(0), integer(0), integer(0)]);
}

/** Names of up to four letters are found by their letters as one number: no string is made for each request. */
const byLetters = new Map(commands.map((command) => [lettersOf(Buffer.from(command[0]), 0, command[0].length), command]));

function lettersOf(bytes: Uint8Array, start: number, length: number): number {
  let letters = 0;
  if (length <= 4) for (let at = start; at < start + length; at++) letters = (letters << 8) | (bytes[at] as number) | 0x20; // in range; 0x20 makes A to a
  return letters;
}

function find(buffer: Buffer, start: number, length: number): Command {
  const found = length <= 4 ? byLetters.get(lettersOf(buffer, start, length)) : undefined;
  if (found !== undefined) return found;
  const name = buffer.toString("latin1", start, start + length).toLowerCase();
  return commands.find((each) => each[0] === name) ?? ["", 0, Infinity, () => error(`unknown command ${JSON.stringify(name.slice(0, 64))}`)];
}

const requests: Codec<Request | null, Bulk> = {
  name: "requests",
  decode(bytes, start, end) {
    const buffer = toBuffer(bytes);
    if (bytes[start] !== STAR) {
      const [name = "", ...words] = buffer.toString("latin1", start, end).trim().split(/ +/);
      return name === "" ? null : [find(Buffer.from(name, "latin1"), 0, name.length), ...words.map(bulk)];
    }
    // The framing has verified all of it: digits up to each CR, and what follows.
    let at = start + 1;
    let count = 0;
    for (; bytes[at] !== CR; at++) count = count * 10 + (bytes[at] as number) - 0x30; // in range, as below
    const request = new Array<Command | Bulk>(count);
    for (let i = 0; i < count; i++) {
      const header = (at += 2);
      let length = 0;
      for (at++; bytes[at] !== CR; at++) length = length * 10 + (bytes[at] as number) - 0x30;
      at += 2 + length;
      request[i] = i > 0 ? buffer.toString("latin1", header, at + 2) : find(buffer, at - length, length);
    }
    return count === 0 ? null : (request as unknown as Request); // filled in this order just now
  },
  encode(reply, output) {
    output.reserve(reply.length);
    const { bytes, length } = output;
    if (reply.length > 16) toBuffer(bytes).write(reply, length, reply.length, "latin1");
    else for (let i = 0; i < reply.length; i++) bytes[length + i] = reply.charCodeAt(i); // cheaper than a call that leaves JavaScript
    output.length = length + reply.length;
  },
};

function toBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? (bytes as Buffer) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

const server = createServer(wire({ framing: resp, codec: requests }), {
  message(request, socket) {
    if (request === null) return undefined; // an empty line, or an array of nothing
    const command = request[0];
    const hasRoom = socket.send(
      request.length <= command[1] || request.length > command[2] + 1
        ? error(`wrong number of arguments for '${command[0]}' command`)
        : command[3](request[1] ?? "", request[2] ?? "", request),
    );
    if (command[0] === "quit") socket.end();
    return hasRoom ? undefined : socket.writable();
  },
  error(failure) {
    console.error(failure.message);
  },
});
console.log(`listening on ${formatAddress(await server.listen(options.address))}`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void server.close({ deadlineMs: 1_000 }));
