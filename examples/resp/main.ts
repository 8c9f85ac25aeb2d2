/**
 * A small Redis, for redis-cli and redis-benchmark: `node examples/resp/main.ts --address
 * tcp://127.0.0.1:6379`. framing.ts cuts the stream into commands; here they are answered.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { type Codec, wire } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { formatAddress } from "@hawser/transport";
import { resp } from "./framing.ts";

/** Words in, a reply out. Latin-1 has one character for each byte, so that no value changes. */
const codec: Codec<readonly string[], string> = {
  name: "resp",
  decode(bytes, start, end) {
    const frame = Buffer.from(bytes.subarray(start, end)).toString("latin1");
    const words: string[] = [];
    for (let at = frame.indexOf("\n") + 1; at < frame.length;) {
      const first = frame.indexOf("\n", at) + 1;
      const behind = first + Number(frame.slice(at + 1, first - 2)); // verified by the framing
      words.push(frame.slice(first, behind));
      at = behind + 2;
    }
    return words;
  },
  encode(reply, output) {
    output.append(Buffer.from(reply, "latin1"));
  },
};

const integer = (value: number): string => `:${value}\r\n`;
const bulk = (value = ""): string => `$${value.length}\r\n${value}\r\n`;
const error = (reason: string): string => `-ERR ${reason}\r\n`;

const store = new Map<string, string>();
/** Each command: the least and the most arguments that it takes, and its reply to them. */
type Command = readonly [least: number, most: number, reply: (words: readonly string[]) => string];
const commands = new Map<string, Command>([
  ["PING", [0, 1, ([text]) => (text === undefined ? "+PONG\r\n" : bulk(text))]],
  ["ECHO", [1, 1, ([text]) => bulk(text)]],
  ["GET", [1, 1, ([key = ""]) => (store.has(key) ? bulk(store.get(key)) : "$-1\r\n")]],
  ["SET", [2, 2, ([key = "", value = ""]) => (store.set(key, value), "+OK\r\n")]],
  ["DEL", [1, Infinity, (keys) => integer(keys.filter((key) => store.delete(key)).length)]],
  ["EXISTS", [1, Infinity, (keys) => integer(keys.filter((key) => store.has(key)).length)]],
  ["INCR", [1, 1, ([key = ""]) => increment(key)]],
]);
const unknown: Command = [0, Infinity, () => error("unknown command")];

function increment(key: string): string {
  const text = store.get(key) ?? "0";
  const sum = Number(text) + 1;
  if (String(sum - 1) !== text || !Number.isSafeInteger(sum))
    return error("value is not an integer or out of range");
  store.set(key, String(sum));
  return integer(sum);
}

const server = createServer(wire({ framing: resp, codec }), {
  message([name = "", ...words], socket) {
    const [least, most, reply] = commands.get(name.toUpperCase()) ?? unknown;
    const fits = words.length >= least && words.length <= most;
    const hasRoom = socket.send(fits ? reply(words) : error("wrong number of arguments"));
    return hasRoom ? undefined : socket.writable();
  },
  error: (failure, socket) => void socket?.send(error(failure.message)),
});
const { values } = parseArgs({ options: { address: { type: "string" } } });
const address = await server.listen(values.address ?? "tcp://127.0.0.1:6379");
console.log(`listening on ${formatAddress(address)}`);
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void server.close({ deadlineMs: 1_000 }));
