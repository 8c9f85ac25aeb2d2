/**
 * The load generator where there is no C compiler: the same modes, options and output as
 * native/load.c, over node:net. It is slower than the servers that it drives at small messages: see
 * the load's CPU share, and compare by the server's CPU.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { failLoad, loadOptions, reportWhenOver, Window } from "./window.ts";

const WRITE_BYTES = 256 * 1024;
const SLOW_READ_MS = 50;
const SOCKETS_AT_ONCE = 64;

const value = loadOptions();
const mode = process.argv[2] ?? "";
const number = (key: string, otherwise: number): number => Number(value(key, String(otherwise)));
const port = number("port", 0);
const connections = number("connections", 1);
const depth = number("depth", 1);
const burst = number("burst", 1);
const handshake = value("handshake", "none");
const request = readFileSync(value("request", ""));
const reply = readFileSync(value("reply", ""));
const requests = repeated(request);
const expected = repeated(reply);
const window = new Window(number("pid", 0), number("warmup", 500), number("duration", 1_000));

process.on("unhandledRejection", failLoad);
process.on("uncaughtException", failLoad);

switch (mode) {
  case "echo":
    await echo(0);
    break;
  case "slow":
    await echo(number("slow", 1));
    break;
  case "churn":
    for (let i = 0; i < connections; i++) void churn();
    reportWhenOver(window);
    break;
  case "broadcast":
    await broadcast();
    break;
  case "idle":
    await idle();
    break;
  default:
    failLoad(`no mode ${mode}`);
}

async function echo(slow: number): Promise<void> {
  const sockets = await openAll(connections);
  for (const socket of await openAll(slow)) flood(socket);
  for (const socket of sockets) {
    // Requests under way, oldest first: when they were sent, and how many at once.
    const batches: { at: number; count: number }[] = [];
    const send = (count: number): void => {
      batches.push({ at: performance.now(), count });
      const total = count * request.length;
      for (let sent = 0; sent < total; sent += WRITE_BYTES) {
        const from = sent % request.length;
        socket.write(requests.subarray(from, from + Math.min(WRITE_BYTES, total - sent)));
      }
    };
    counting(socket, (count) => {
      const now = performance.now();
      for (let left = count; left > 0;) {
        const [oldest] = batches;
        if (oldest === undefined) throw new Error("more replies than requests");
        const taken = Math.min(oldest.count, left);
        window.record(now - oldest.at, taken);
        oldest.count -= taken;
        left -= taken;
        if (oldest.count === 0) batches.shift();
      }
      if (window.phase !== "done") send(count);
    });
    send(depth);
  }
  reportWhenOver(window);
}

/** Send all that goes, read hardly anything. */
function flood(socket: net.Socket): void {
  const send = (): void => {
    while (socket.write(requests));
  };
  socket.on("drain", send);
  socket.pause();
  setInterval(() => void socket.read(4_096), SLOW_READ_MS);
  send();
}

async function broadcast(): Promise<void> {
  const sockets = await openAll(connections);
  await pause(200);
  const total = connections * burst;
  let left = total;
  let triggered = performance.now();
  const trigger = (): void => {
    left = total;
    triggered = performance.now();
    sockets[0]?.write(request);
  };
  for (const socket of sockets) {
    counting(socket, (count) => {
      window.record(performance.now() - triggered, count);
      left -= count;
      if (left === 0 && window.phase !== "done") trigger();
    });
  }
  trigger();
  reportWhenOver(window);
}

async function churn(): Promise<void> {
  while (window.phase !== "done") {
    const began = performance.now();
    const socket = await open();
    await exchange(socket);
    window.record(performance.now() - began, 1);
    socket.end();
  }
}

async function idle(): Promise<void> {
  await openAll(connections, (socket) => exchange(socket));
  console.log("ready");
  await once(process.stdin.resume(), "end");
  process.exit();
}

/** Call back with how many replies each chunk completes; while it warms up, compare them. */
function counting(socket: net.Socket, onReplies: (count: number) => void): void {
  let at = 0;
  socket.on("data", (chunk: Buffer) => {
    if (window.phase === "warming") {
      for (let from = 0; from < chunk.length; from += WRITE_BYTES) {
        const to = Math.min(from + WRITE_BYTES, chunk.length);
        const begin = (at + from) % reply.length;
        if (expected.compare(chunk, from, to, begin, begin + to - from) !== 0)
          throw new Error("the reply is not what is expected");
      }
    }
    at += chunk.length;
    const count = Math.floor(at / reply.length);
    at %= reply.length;
    if (count > 0) onReplies(count);
  });
}

async function exchange(socket: net.Socket): Promise<void> {
  socket.write(request);
  for (let left = reply.length; left > 0;) left -= (await nextChunk(socket)).length;
}

async function openAll(
  count: number,
  then: (socket: net.Socket) => Promise<void> = () => Promise.resolve(),
): Promise<net.Socket[]> {
  const sockets: net.Socket[] = [];
  while (sockets.length < count) {
    const some = Array.from(
      { length: Math.min(SOCKETS_AT_ONCE, count - sockets.length) },
      async () => {
        const socket = await open();
        await then(socket);
        return socket;
      },
    );
    sockets.push(...(await Promise.all(some)));
  }
  return sockets;
}

async function open(): Promise<net.Socket> {
  const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", failLoad);
  await once(socket, "connect");
  if (handshake === "none") return socket;
  const path = handshake === "ws" ? "/" : "/socket.io/?EIO=4&transport=websocket";
  const head = [
    "Host: localhost",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
  ];
  socket.write(`GET ${path} HTTP/1.1\r\n${head.join("\r\n")}\r\n\r\n`);
  let answer = "";
  const until = async (mark: string): Promise<void> => {
    while (!answer.includes(mark)) answer += (await nextChunk(socket)).toString("latin1");
  };
  await until("\r\n\r\n");
  if (!answer.startsWith("HTTP/1.1 101")) throw new Error("the server refused the upgrade");
  if (handshake === "socketio") {
    await until('0{"sid"');
    socket.write(Buffer.from([0x81, 0x82, 1, 2, 3, 4, 0x34 ^ 1, 0x30 ^ 2])); // "40", masked
    await until('40{"sid"');
  }
  return socket;
}

async function nextChunk(socket: net.Socket): Promise<Buffer> {
  const [chunk] = (await once(socket, "data")) as [Buffer]; // no encoding is set
  return chunk;
}

/** So often that a write of WRITE_BYTES can begin anywhere in the first one. */
function repeated(message: Buffer): Buffer {
  return Buffer.concat(
    Array.from({ length: 1 + Math.ceil(WRITE_BYTES / message.length) }, () => message),
  );
}
