/**
 * The bursts of `fairness.ts`: what one peer sends at once, of every kind of bad and good message,
 * in a thread of its own.
 */
import { once } from "node:events";
import net from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { frame, head, joined, KIND, SIGNATURE, u32, u64 } from "@hawser/protocol/testing";
import { contract, hello } from "./contract.ts";

/** Where a burst goes, and one message of it. */
interface Burst {
  readonly to: "native" | "rpc" | "text" | "values";
  readonly message: (index: number) => Uint8Array;
}

const utf8 = (written: string): Uint8Array => new TextEncoder().encode(written);
const always = (bytes: Uint8Array) => (): Uint8Array => bytes;
const line = (written: string) => always(utf8(`${written}\n`));
const indexOf = (name: string): number =>
  contract.messages.findIndex((message) => message.name === name);
const request =
  (name: number, body: string) =>
  (index: number): Uint8Array =>
    frame(KIND.REQUEST, 1 + 2 * (index % 500), head(name), body);
const rpcLine =
  (method: string, params: unknown) =>
  (index: number): Uint8Array =>
    utf8(`${JSON.stringify({ jsonrpc: "2.0", id: index, method, params })}\n`);

export const bursts: Readonly<Record<string, Burst>> = {
  "native: body {": { to: "native", message: request(indexOf("add"), "{") },
  "native: refused by zod": { to: "native", message: request(indexOf("add"), '{"a":"x","b":"y"}') },
  "native: valid": { to: "native", message: request(indexOf("add"), '{"a":1,"b":2}') },
  "native: handler throws": { to: "native", message: request(indexOf("broken"), "1") },
  "native: unknown request": { to: "native", message: request(99, "1") },
  "native: PING": { to: "native", message: (index) => frame(KIND.PING, 0, u64(index)) },
  "native: CANCEL": { to: "native", message: () => frame(KIND.CANCEL, 1) },
  "native: CREDIT": { to: "native", message: () => frame(KIND.CREDIT, 0, u32(0)) },
  "rpc: {": { to: "rpc", message: line("{") },
  "rpc: batches of 1 000 ones": {
    to: "rpc",
    message: line(JSON.stringify(Array.from({ length: 1_000 }, () => 1))),
  },
  "rpc: refused by zod": { to: "rpc", message: rpcLine("add", { a: "x", b: "y" }) },
  "rpc: valid": { to: "rpc", message: rpcLine("add", { a: 1, b: 2 }) },
  "rpc: handler throws": { to: "rpc", message: rpcLine("broken", 1) },
  "rpc: handler rejects": { to: "rpc", message: rpcLine("later", 1) },
  "rpc: events unknown": { to: "rpc", message: line('{"jsonrpc":"2.0","method":"nobody"}') },
  "wire: lines of 1 byte": { to: "text", message: line("x") },
  "wire: empty lines": { to: "text", message: line("") },
  "wire: JSON": { to: "values", message: line('{"a":[1,2,3],"b":"text"}') },
  "wire: 64 KiB lines": { to: "text", message: line("x".repeat(65_535)) },
};

interface Task {
  readonly name: string;
  readonly bytes: number;
  readonly ports: Readonly<Record<Burst["to"], number>>;
}

/** Send one burst; resolves when the server has answered all of it, or closed. */
async function send({ name, bytes, ports }: Task): Promise<void> {
  const burst = bursts[name];
  if (burst === undefined) throw new Error(`no burst ${name}`);
  const parts: Uint8Array[] = [];
  for (let index = 0, size = 0; size < bytes; index++) {
    const part = burst.message(index);
    parts.push(part);
    size += part.length;
  }
  const all = Buffer.concat(parts); // not joined(): so many arguments are more than a stack takes
  const socket = net.connect(ports[burst.to], "127.0.0.1");
  socket.on("error", () => undefined);
  const closed = once(socket, "close").catch(() => undefined);
  await once(socket, "connect");
  if (burst.to === "native") {
    socket.write(joined(SIGNATURE, frame(KIND.HELLO, 0, hello())));
    await once(socket, "data");
  }
  socket.resume();
  parentPort?.postMessage("begun");
  socket.end(all);
  await closed;
}

if (parentPort !== null) {
  const port = parentPort;
  send(workerData as Task).then(
    () => {
      port.postMessage("done");
      port.close();
    },
    (error: unknown) => {
      throw error;
    },
  );
}
