/**
 * One measurement: a fresh server, one load generator, one sample. Must not know tables or rounds.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { type Child, linesOf, runtimes, start, startServer, stop } from "./children.ts";
import { type DialectName, dialects, payloadOf } from "./dialects.ts";
import { compiled } from "./native.ts";
import { redisLoad } from "./redis.ts";
import { calmest, type Sample } from "./rounds.ts";
import type { System } from "./systems.ts";
import type { LoadReport } from "./window.ts";
import type { Work } from "./works.ts";

export interface Pace {
  readonly warmupMs: number;
  readonly durationMs: number;
  /** How often at most a measurement is made while others use the cores; the calmest counts. */
  readonly attempts: number;
  /** Where Node writes CPU profiles of the servers, or null. */
  readonly profileDir: string | null;
}

const scratch = mkdtempSync(join(tmpdir(), "hawser-bench-"));
process.once("exit", () => {
  rmSync(scratch, { recursive: true, force: true });
});

/**
 * Measure `system` at `work`, up to `pace.attempts` times while others use the cores; throws with
 * the reason when it can't be.
 */
export function measure(system: System, work: Work, pace: Pace): Promise<Sample> {
  return calmest(pace.attempts, () => measureOnce(system, work, pace));
}

async function measureOnce(system: System, work: Work, pace: Pace): Promise<Sample> {
  const mode = work.kind === "broadcast" ? ["mode=broadcast", `burst=${work.burst}`] : [];
  const server = await startServer(system, mode, pace.profileDir);
  try {
    const generate = (kind: string, extra: readonly string[] = []): Child => {
      const [command, ...args] = loadCommand(system.dialect);
      const shape = [
        `connections=${work.connections}`,
        `depth=${work.depth}`,
        `burst=${work.burst}`,
      ];
      const times = [`warmup=${pace.warmupMs}`, `duration=${pace.durationMs}`];
      return start(1, command, [
        ...args,
        kind,
        `port=${server.port}`,
        `pid=${server.pid}`,
        ...shape,
        ...messageFiles(system.dialect, work.bytes),
        ...times,
        ...extra,
      ]);
    };
    switch (work.kind) {
      case "idle":
        return await idle(server, work, () => generate("idle"));
      case "redis":
        return sampleOf(
          await redisLoad(server.port, server.pid, work, pace.warmupMs, pace.durationMs),
        );
      case "slow": {
        const without = await run(generate("echo"));
        const beside = await run(generate("slow", ["slow=1"]));
        return {
          ...sampleOf(beside),
          p99Without: without.p99 / 1e3,
          p99Ratio: beside.p99 / without.p99,
        };
      }
      default:
        return sampleOf(await run(generate(work.kind)));
    }
  } finally {
    await stop(server.child, work.kind === "redis" ? "SIGTERM" : undefined);
  }
}

async function run(child: Child): Promise<LoadReport> {
  try {
    // our own programs wrote it
    const report = JSON.parse(await linesOf(child)()) as LoadReport & { readonly error?: string };
    if (report.error !== undefined) throw new Error(report.error);
    if (report.messages === 0) throw new Error("no message came in the time that was measured");
    return report;
  } finally {
    await stop(child);
  }
}

function sampleOf({
  messages,
  ns,
  p50,
  p99,
  p999,
  max,
  serverCpuNs,
  loadCpuNs,
  othersCpuNs,
  rss,
  peakRss,
}: LoadReport): Sample {
  return {
    rate: (messages / ns) * 1e9,
    cpuNs: serverCpuNs > 0 ? serverCpuNs / messages : NaN,
    p50: p50 / 1e3,
    p99: p99 / 1e3,
    p999: p999 / 1e3,
    max: max / 1e3,
    memoryMb: rss > 0 ? rss / 1e6 : NaN,
    peakMb: peakRss > 0 ? peakRss / 1e6 : NaN,
    serverShare: serverCpuNs > 0 ? serverCpuNs / ns : NaN,
    loadShare: loadCpuNs / ns,
    othersShare: othersCpuNs / ns,
  };
}

/**
 * Resident memory of a server before and after its connections, each time when the garbage is
 * collected.
 */
async function idle(
  server: Awaited<ReturnType<typeof startServer>>,
  work: Work,
  generate: () => Child,
): Promise<Sample> {
  const collected = async (): Promise<number> => {
    server.child.stdin.write("gc\n");
    if ((await server.nextLine()) !== "gc")
      throw new Error("the server did not collect its garbage");
    await pause(300);
    return residentBytes(server.pid);
  };
  const before = await collected();
  const child = generate();
  try {
    const answer = await linesOf(child)();
    // our own programs wrote it
    if (answer !== "ready") throw new Error((JSON.parse(answer) as { error: string }).error);
    await pause(500);
    const asItStands = residentBytes(server.pid);
    const after = await collected();
    const perConnection = (bytes: number): number => (bytes - before) / work.connections / 1024;
    return {
      kbEach: perConnection(after),
      kbEachUncollected: perConnection(asItStands),
      baseMb: before / 1e6,
      memoryMb: after / 1e6,
    };
  } finally {
    await stop(child);
  }
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

/** Whether the C load generator is used. */
export const nativeLoad: string | null =
  process.env["HAWSER_BENCH_LOAD"] === "typescript" ? null : compiled("load");

function loadCommand(dialect: DialectName): [string, ...string[]] {
  if (dialect === "grpc") return [runtimes.node, join(import.meta.dirname, "grpc-load.ts")];
  return nativeLoad === null ? [runtimes.node, join(import.meta.dirname, "load.ts")] : [nativeLoad];
}

function messageFiles(dialect: DialectName, bytes: number): string[] {
  const { handshake, json, request, reply } = dialects[dialect];
  const payload = payloadOf(bytes, json);
  const files = Object.entries({ request: request(payload), reply: reply(payload) }).map(
    ([name, content]) => {
      const path = join(scratch, `${dialect}-${bytes}-${name}`);
      writeFileSync(path, content);
      return `${name}=${path}`;
    },
  );
  return [...files, `handshake=${handshake}`];
}
