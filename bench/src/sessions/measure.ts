/**
 * One measurement of `bench:sessions`: a fresh server, a fresh client, one sample. Must not know
 * tables or rounds.
 */
import { join } from "node:path";
import { type Child, linesOf, runtimes, start, stop } from "../children.ts";
import type { Pace } from "../measure.ts";
import { calmest, type Sample } from "../rounds.ts";
import type { LoadReport } from "../window.ts";
import type { SessionSystem } from "./systems.ts";
import type { SessionWork } from "./works.ts";

/**
 * Measure a system at a work, up to `pace.attempts` times while others use the cores; throws with
 * the reason when it can't be.
 */
export function measureSession(
  system: SessionSystem,
  work: SessionWork,
  pace: Pace,
): Promise<Sample> {
  return calmest(pace.attempts, () => measureOnce(system, work, pace));
}

async function measureOnce(
  system: SessionSystem,
  work: SessionWork,
  { warmupMs, durationMs, profileDir }: Pace,
): Promise<Sample> {
  const server = program(0, "server", [system.file, system.variant], profileDir);
  try {
    const line = await linesOf(server)();
    const port = Number(/^listening (\d+)$/.exec(line)?.[1]);
    if (!(port > 0) || server.pid === undefined)
      throw new Error(`the server said ${JSON.stringify(line)}`);
    const options = [
      `work=${work.name}`,
      `port=${port}`,
      `pid=${server.pid}`,
      `warmup=${warmupMs}`,
      `duration=${durationMs}`,
    ];
    const client = program(1, "client", [system.file, system.variant, ...options], profileDir);
    try {
      return sampleOf(
        JSON.parse(await linesOf(client)()) as LoadReport | { readonly error: string },
      ); // client.ts wrote it
    } finally {
      await stop(client);
    }
  } finally {
    await stop(server);
  }
}

function program(
  core: 0 | 1,
  name: "client" | "server",
  args: readonly string[],
  profileDir: string | null,
): Child {
  const profile =
    profileDir === null
      ? []
      : ["--cpu-prof", "--cpu-prof-interval=500", `--cpu-prof-dir=${join(profileDir, name)}`];
  return start(core, runtimes.node, [...profile, join(import.meta.dirname, `${name}.ts`), ...args]);
}

function sampleOf(report: LoadReport | { readonly error: string }): Sample {
  if ("error" in report) throw new Error(report.error);
  const { messages, ns, p50, p99, serverCpuNs, loadCpuNs, othersCpuNs, rss } = report;
  if (messages === 0) throw new Error("no answer came in the time that was measured");
  const [serverNs, clientNs] = [
    serverCpuNs > 0 ? serverCpuNs / messages : NaN,
    loadCpuNs / messages,
  ];
  return {
    rate: (messages / ns) * 1e9,
    clientNs,
    serverNs,
    slowerNs: Math.max(clientNs, serverNs),
    boundRate: 1e9 / Math.max(clientNs, serverNs),
    p50: p50 / 1e3,
    p99: p99 / 1e3,
    memoryMb: rss > 0 ? rss / 1e6 : NaN,
    serverShare: serverCpuNs > 0 ? serverCpuNs / ns : NaN,
    clientShare: loadCpuNs / ns,
    othersShare: othersCpuNs / ns,
  };
}
