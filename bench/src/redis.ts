/**
 * redis-benchmark as the load generator, for Redis itself and for redis-server/, which speaks its
 * protocol. Owns what redis-benchmark is told and what it prints, and the check of replies, which
 * it does not make. Must not know rounds or tables.
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { linesOf, start, stop } from "./children.ts";
import { payloadOf } from "./dialects.ts";
import { coresBusyNs, cpuNsOf, type LoadReport, statusBytes } from "./window.ts";
import type { Work } from "./works.ts";

/** Requests of the first run, times the depth: enough for a rate to go on with. */
const FIRST_REQUESTS_PER_DEPTH = 4_000;
const CPU_SAMPLE_MS = 20;

/** One run of redis-benchmark. */
interface Run {
  /** Requests per second, by its own clock. */
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Its CPU time over wall-clock time. */
  readonly cpuShare: number;
}

/** Why the works of kind "redis" can't be measured here; null when they can. */
export function missingRedis(): string | null {
  const absent = ["redis-server", "redis-benchmark"].filter(
    (program) => spawnSync(program, ["--version"]).status !== 0,
  );
  return absent.length === 0
    ? null
    : `not installed: ${absent.join(", ")} (Debian, Ubuntu: apt-get install redis-server ` +
        "redis-tools)";
}

/**
 * Drive the server on `port`, whose process is `pid`, with the work's command.
 *
 * redis-benchmark counts requests, not time: it is run until the server is warm, and then with so
 * many requests as should take `durationMs` at the last rate. The server's CPU is that of the whole
 * last run, with its 51 connects.
 */
export async function redisLoad(
  port: number,
  pid: number,
  work: Work,
  warmupMs: number,
  durationMs: number,
): Promise<LoadReport> {
  await fillAndCheck(port, work.bytes, work.redis?.keys ?? 1);
  const [began, idleCpu] = [performance.now(), cpuNsOf(pid)];
  // On a busy machine a server does little in that time: it is warm when it has worked for half of
  // it, or hardly gets to work at all.
  const isWarm = (): boolean =>
    performance.now() - began >=
    (cpuNsOf(pid) - idleCpu >= warmupMs * 5e5 ? warmupMs : 4 * warmupMs);
  let { rate } = await run(port, work, FIRST_REQUESTS_PER_DEPTH * work.depth);
  while (!isWarm()) ({ rate } = await run(port, work, (rate * warmupMs) / 2e3));
  const messages = Math.ceil((rate * durationMs) / 1e3);
  const [serverCpu, coresBusy] = [cpuNsOf(pid), coresBusyNs()];
  const last = await run(port, work, messages);
  const serverCpuNs = cpuNsOf(pid) - serverCpu;
  const ns = (messages / last.rate) * 1e9;
  const loadCpuNs = last.cpuShare * ns;
  return {
    messages,
    ns,
    p50: last.p50Ms * 1e6,
    p99: last.p99Ms * 1e6,
    p999: NaN, // it does not say
    max: last.maxMs * 1e6,
    serverCpuNs,
    loadCpuNs,
    othersCpuNs: Math.max(0, coresBusyNs() - coresBusy - serverCpuNs - loadCpuNs),
    rss: statusBytes(pid, "VmRSS"),
    peakRss: statusBytes(pid, "VmHWM"),
  };
}

async function run(
  port: number,
  { connections, depth, bytes, redis }: Work,
  requests: number,
): Promise<Run> {
  const where = ["-h", "127.0.0.1", "-p", String(port), "--csv"];
  const size = [
    "-c",
    String(connections),
    "-P",
    String(depth),
    "-n",
    String(Math.ceil(requests)),
    "-d",
    String(bytes),
  ];
  const keys = redis === undefined || redis.keys === 1 ? [] : ["-r", String(redis.keys)];
  const child = start(1, "redis-benchmark", [
    ...where,
    ...size,
    ...keys,
    ...(redis?.command ?? []),
  ]);
  // What a process has used can't be asked when it is gone: its share is that of the time between
  // the first look and the last.
  const looks: { readonly at: number; readonly cpuNs: number }[] = [];
  const looking = setInterval(() => {
    const cpuNs = cpuNsOf(child.pid ?? 0);
    if (cpuNs > 0) looks.push({ at: performance.now(), cpuNs });
  }, CPU_SAMPLE_MS);
  try {
    const nextLine = linesOf(child);
    const heads = cellsOf(await nextLine());
    if (!heads.includes("rps"))
      throw new Error(
        "redis-benchmark is older than Redis 6.2: it does not say what its figures are",
      );
    const cells = cellsOf(await nextLine());
    const cell = (head: string): number => Number(cells[heads.indexOf(head)]);
    const [first, final] = [looks[0], looks.at(-1)];
    const cpuShare =
      first === undefined || final === undefined
        ? NaN
        : (final.cpuNs - first.cpuNs) / ((final.at - first.at) * 1e6);
    const rate = cell("rps");
    if (!(rate > 0 && rate < Infinity))
      throw new Error(`redis-benchmark said ${JSON.stringify(cells.join())}`);
    return {
      rate,
      p50Ms: cell("p50_latency_ms"),
      p99Ms: cell("p99_latency_ms"),
      maxMs: cell("max_latency_ms"),
      cpuShare,
    };
  } finally {
    clearInterval(looking);
    await stop(child);
  }
}

/** `"SET","123.45"`; it puts no quotes inside of cells. */
function cellsOf(line: string): string[] {
  return line.split(",").map((cell) => cell.replaceAll('"', ""));
}

/**
 * Set every key that redis-benchmark will ask for, and compare each byte of the replies to all
 * commands that are measured.
 */
async function fillAndCheck(port: number, bytes: number, keys: number): Promise<void> {
  const value = payloadOf(bytes).toString("latin1");
  const names = Array.from(
    { length: keys },
    (_, index) => `key:${String(index).padStart(12, "0")}`,
  ); // what -r makes of key:__rand_int__
  const exchange: [request: string, reply: string][] = [
    [command("PING"), "+PONG\r\n"],
    [command("ECHO", value), bulk(value)],
    ...names.map((name): [string, string] => [command("SET", name, value), "+OK\r\n"]),
    ...names.map((name): [string, string] => [command("GET", name), bulk(value)]),
  ];
  const expected = Buffer.from(exchange.map(([, reply]) => reply).join(""), "latin1");
  const socket = net.connect({ port, host: "127.0.0.1" });
  try {
    await once(socket, "connect");
    let at = 0;
    const checked = new Promise<void>((resolve, reject) => {
      socket.on("data", (chunk: Buffer) => {
        if (!chunk.equals(expected.subarray(at, at + chunk.length)))
          reject(new Error("a reply is not what Redis says"));
        at += chunk.length;
        if (at === expected.length) resolve();
      });
      socket.on("error", reject).on("close", () => {
        reject(new Error("the server closed the connection"));
      });
    });
    socket.write(Buffer.from(exchange.map(([request]) => request).join(""), "latin1"));
    await checked;
  } finally {
    socket.destroy();
  }
}

function command(...args: readonly string[]): string {
  return `*${args.length}\r\n${args.map(bulk).join("")}`;
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}
