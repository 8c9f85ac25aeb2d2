// A program of its own, so that its memory and its time are its own: one end of the trials of large
// things. Says what it measured as JSON. trial-ends.ts server BYTES listens and says where; its
// figures at the end of its input trial-ends.ts stream ADDRESS BYTES free|keep takes a stream of so
// many bytes, 1 ms for each item, and makes requests meanwhile trial-ends.ts message ADDRESS BYTES
// up|down makes one request of so many bytes, or with such an answer; small requests and PINGs
// meanwhile

import assert from "node:assert/strict";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type SessionClient } from "@hawser/client";
import { bytes, defineProtocol, type } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { formatAddress } from "@hawser/transport";

const ITEM_BYTES = 65_536;
const LARGE_BYTES = 128 * 1_048_576;

// Not copied when it is sent: that alone would take some 50 ms for the large message.
const contract = defineProtocol({
  name: "large",
  version: 1,
  requests: {
    ping: { input: type<number>(), output: type<number>() },
    swallow: {
      input: type<Uint8Array>(),
      output: type<Uint8Array>(),
      codec: bytes({ copy: false }),
    },
  },
  streams: {
    pour: { input: type<Uint8Array>(), item: type<Uint8Array>(), codec: bytes({ copy: false }) },
  },
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

/**
 * A number of bytes, as a message: what a stream is opened with, and what a long request is
 * answered with.
 */
function formatCount(count: number): Uint8Array {
  return new TextEncoder().encode(String(count));
}

function parseCount(message: Uint8Array): number {
  return Number(new TextDecoder().decode(message));
}

async function serve(answerBytes: number): Promise<void> {
  let growth: Growth | null = null;
  const item = new Uint8Array(ITEM_BYTES);
  const answer = new Uint8Array(answerBytes).fill(1);
  const server = createServer(
    contract,
    {
      ping: (value) => {
        growth ??= new Growth(); // idle, with a client
        return value;
      },
      swallow: (message) => (message.length > 0 ? formatCount(message.length) : answer),
      *pour(total) {
        for (let left = parseCount(total); left > 0; left -= ITEM_BYTES) yield item;
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
async function ask(
  client: SessionClient<typeof contract>,
  everyMs: number,
  isOver: () => boolean,
): Promise<number[]> {
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

async function takeStream(address: string, total: number, keep: boolean): Promise<void> {
  const client = await connect(contract, address);
  await client.request("ping", 0);
  const growth = new Growth();
  const begun = performance.now();
  let taken = 0;
  const asked = ask(client, 5, () => taken >= total);
  for await (const item of client.stream("pour", formatCount(total))) {
    assert.equal(item.length, ITEM_BYTES);
    taken += ITEM_BYTES;
    await sleep(1);
    // gives its storage back: nobody shares one of this size
    if (!keep) (item.buffer as ArrayBuffer).transfer(0);
  }
  assert.equal(taken, total);
  const times = await asked;
  const seconds = (performance.now() - begun) / 1_000;
  await client.close();
  console.log(
    JSON.stringify({
      seconds,
      growthMB: growth.look() / 1e6,
      requests: times.length,
      p50Ms: quantile(times, 0.5),
      p99Ms: quantile(times, 0.99),
      worstMs: times.at(-1),
    }),
  );
}

async function sendMessage(address: string, total: number, direction: string): Promise<void> {
  const client = await connect(contract, address, {
    ...large,
    heartbeatMs: 4,
    heartbeatTimeoutMs: 30_000,
  });
  const message = new Uint8Array(direction === "up" ? total : 0).fill(1);
  const send = async (): Promise<void> => {
    const answer = await client.request("swallow", message);
    assert.equal(direction === "up" ? parseCount(answer) : answer.length, total);
  };
  // While nothing else is under way, for comparison, and while the message is.
  const figures = {
    requestIdleMs: await worst(
      (isOver) => ask(client, 2, isOver),
      () => sleep(300),
    ),
    requestMs: await worst((isOver) => ask(client, 2, isOver), send),
    heartbeatIdleMs: await worst(
      (isOver) => watch(client, isOver),
      () => sleep(300),
    ),
    heartbeatMs: await worst((isOver) => watch(client, isOver), send),
  };
  await client.close();
  console.log(JSON.stringify(figures));
}

/** The longest of the times that are measured while something is done. */
async function worst(
  measure: (isOver: () => boolean) => Promise<number[]>,
  doing: () => Promise<unknown>,
): Promise<number> {
  let isOver = false;
  const measured = measure(() => isOver);
  await sleep(20);
  await doing();
  isOver = true;
  return (await measured).at(-1) ?? NaN;
}

/** Each round trip that a heartbeat has measured. */
async function watch(
  client: SessionClient<typeof contract>,
  isOver: () => boolean,
): Promise<number[]> {
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

const [, , role, ...rest] = process.argv;
const [address = "", total = "", how = ""] = rest;
if (role === "server") await serve(Number(address));
else if (role === "stream") await takeStream(address, Number(total), how === "keep");
else await sendMessage(address, Number(total), how);
