// A program of its own, so that its memory and its time are its own: one end of the trials of large things. Says what it measured as JSON.
//   trial-ends.ts server                       listens, says where, and its figures at the end of its input
//   trial-ends.ts stream ADDRESS BYTES         takes a stream of so many bytes, 1 ms for each item, and makes requests meanwhile
//   trial-ends.ts message ADDRESS BYTES up|down  makes one request of so many bytes, or with such an answer; small requests and PINGs meanwhile

import assert from "node:assert/strict";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type SessionClient } from "@hawser/client";
import { bytes, defineProtocol, type } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { formatAddress } from "@hawser/transport";

const ITEM_BYTES = 65_536;
const LARGE_BYTES = 128 * 1_048_576;

const contract = defineProtocol({
  name: "large",
  version: 1,
  requests: {
    ping: { input: type<number>(), output: type<number>() },
    swallow: { input: type<Uint8Array>(), output: type<Uint8Array>(), codec: bytes() },
  },
  streams: { pour: { input: type<Uint8Array>(), item: type<Uint8Array>(), codec: bytes() } },
});

/** Limits that let one large message through. */
const large = { maxMessageBytes: LARGE_BYTES, maxQueuedBytes: LARGE_BYTES };

/** How far the resident memory rises above what it is at the beginning, in bytes. */
class Growth {
  readonly #idle = process.memoryUsage.rss();
  #peak = this.#idle;

  constructor() {
    setInterval(() => {
      this.look();
    }, 10).unref();
  }

  look(): number {
    this.#peak = Math.max(this.#peak, process.memoryUsage.rss());
    return this.#peak - this.#idle;
  }
}

/** A number of bytes as a message, as all that the stream is opened with and the request answered with. */
function count(number: number): Uint8Array {
  return new TextEncoder().encode(String(number));
}

function counted(message: Uint8Array): number {
  return Number(new TextDecoder().decode(message));
}

async function serve(): Promise<void> {
  let growth: Growth | null = null;
  const item = new Uint8Array(ITEM_BYTES);
  const server = createServer(
    contract,
    {
      ping: (value) => {
        growth ??= new Growth(); // idle, with a client
        return value;
      },
      swallow: (message) => (message.length > 16 ? count(message.length) : new Uint8Array(counted(message)).fill(1)),
      *pour(total) {
        for (let left = counted(total); left > 0; left -= ITEM_BYTES) yield item;
      },
    },
    large,
  );
  console.log(`listening on ${formatAddress(await server.listen("tcp://127.0.0.1:0"))}`);
  process.stdin.resume().once("end", () => {
    console.log(JSON.stringify({ growthMB: (growth?.look() ?? NaN) / 1e6 }));
    process.exit();
  });
}

/** The time of each request, one after the other, until it is told to stop. */
async function ask(client: SessionClient<typeof contract>, everyMs: number, isOver: () => boolean): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; !isOver(); i++) {
    const begun = performance.now();
    assert.equal(await client.request("ping", i), i);
    times.push(performance.now() - begun);
    await sleep(everyMs);
  }
  return times.sort((one, other) => one - other);
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

async function takeStream(address: string, total: number): Promise<void> {
  const client = await connect(contract, address);
  await client.request("ping", 0);
  const growth = new Growth();
  const begun = performance.now();
  let taken = 0;
  const asked = ask(client, 5, () => taken >= total);
  for await (const item of client.stream("pour", count(total))) {
    assert.equal(item.length, ITEM_BYTES);
    taken += item.length;
    await sleep(1);
  }
  assert.equal(taken, total);
  const times = await asked;
  const seconds = (performance.now() - begun) / 1_000;
  await client.close();
  console.log(JSON.stringify({ taken, seconds, growthMB: growth.look() / 1e6, requests: times.length, p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99), worstMs: times.at(-1) }));
}

async function sendMessage(address: string, total: number, direction: string): Promise<void> {
  // Two heartbeats at most are between two looks at the round trip.
  const client = await connect(contract, address, { ...large, heartbeatMs: 4, heartbeatTimeoutMs: 30_000 });
  const message = direction === "up" ? new Uint8Array(total).fill(1) : count(total);
  const figures: Record<string, number> = {};
  for (const meanwhile of ["requests", "heartbeats"]) {
    // Before, for comparison; then while the message is under way.
    for (const when of ["idle", "busy"]) {
      let isOver = false;
      let worst = 0;
      const watching = meanwhile === "requests" ? ask(client, 2, () => isOver) : watch(client, () => isOver);
      await sleep(20);
      const begun = performance.now();
      if (when === "idle") await sleep(300);
      else assert.equal(await swallowed(client, message, direction), total);
      figures[`${meanwhile}${when}Ms`] = performance.now() - begun;
      isOver = true;
      const times = await watching;
      worst = times.at(-1) ?? NaN;
      figures[`${meanwhile}${when}WorstMs`] = worst;
      figures[`${meanwhile}${when}Count`] = times.length;
    }
  }
  await client.close();
  console.log(JSON.stringify(figures));
}

/** Each round trip that a heartbeat has measured. */
async function watch(client: SessionClient<typeof contract>, isOver: () => boolean): Promise<number[]> {
  const times: number[] = [];
  let last = client.roundTripMs;
  while (!isOver()) {
    await sleep(1);
    const { roundTripMs } = client;
    if (roundTripMs !== last && roundTripMs !== null) times.push(roundTripMs);
    last = roundTripMs;
  }
  return times.sort((one, other) => one - other);
}

async function swallowed(client: SessionClient<typeof contract>, message: Uint8Array, direction: string): Promise<number> {
  const answer = await client.request("swallow", message);
  return direction === "up" ? counted(answer) : answer.length;
}

const [, , role, address = "", total = "", direction = ""] = process.argv;
if (role === "server") await serve();
else if (role === "stream") await takeStream(address, Number(total));
else await sendMessage(address, Number(total), direction);
