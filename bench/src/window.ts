/**
 * The window in which a load generator measures, for those in TypeScript: what load.c has of its
 * own. Owns the counting of messages, latencies and CPU, and the line of JSON that is printed at
 * the end.
 */
import { readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import process from "node:process";

/** 32 buckets to the octave, so 3 %. */
const BUCKETS_PER_OCTAVE = 32;
const STALL_MS = 8_000;

/** What a load generator says of a measurement. Times are nanoseconds. */
export interface LoadReport {
  readonly messages: number;
  readonly ns: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly serverCpuNs: number;
  readonly loadCpuNs: number;
  /** What others used of the two cores. */
  readonly othersCpuNs: number;
  readonly rss: number;
  readonly peakRss: number;
}

export class Window {
  /** "warming" compares replies; "measuring" counts; "done" is over. */
  phase: "done" | "measuring" | "warming" = "warming";
  readonly #pid: number;
  readonly #warmupMs: number;
  readonly #durationMs: number;
  readonly #buckets = new Float64Array(64 * BUCKETS_PER_OCTAVE);
  readonly #began = performance.now();
  #started = 0;
  #ended = 0;
  #messages = 0;
  #max = 0;
  #serverCpu = 0;
  #ownCpu = 0;
  #coresBusy = 0;
  #progress = performance.now();

  constructor(pid: number, warmupMs: number, durationMs: number) {
    this.#pid = pid;
    this.#warmupMs = warmupMs;
    this.#durationMs = durationMs;
  }

  /** `count` replies came, `ms` after their requests. */
  record(ms: number, count: number): void {
    this.#messages += count;
    this.#progress = performance.now();
    const ns = ms * 1e6;
    if (ns > this.#max) this.#max = ns;
    const index = Math.floor(Math.log2(Math.max(ns, 1)) * BUCKETS_PER_OCTAVE);
    this.#buckets[index] = (this.#buckets[index] ?? 0) + count;
  }

  /**
   * Call it now and then; says whether it goes on. Throws when nothing has come for some seconds.
   */
  goesOn(): boolean {
    const now = performance.now();
    if (this.phase === "warming" && now - this.#began >= this.#warmupMs) {
      this.phase = "measuring";
      this.#messages = 0;
      this.#max = 0;
      this.#buckets.fill(0);
      this.#serverCpu = cpuNsOf(this.#pid);
      this.#ownCpu = ownCpuNs();
      this.#coresBusy = coresBusyNs();
      this.#started = performance.now();
    } else if (this.phase === "measuring" && now - this.#started >= this.#durationMs) {
      this.phase = "done";
      this.#ended = now;
    }
    if (now - this.#progress > STALL_MS) throw new Error(`no reply for ${STALL_MS / 1_000} s`);
    return this.phase !== "done";
  }

  report(): string {
    const serverCpuNs = cpuNsOf(this.#pid) - this.#serverCpu;
    const loadCpuNs = ownCpuNs() - this.#ownCpu;
    const report: LoadReport = {
      messages: this.#messages,
      ns: (this.#ended - this.#started) * 1e6,
      p50: this.#percentile(0.5),
      p99: this.#percentile(0.99),
      p999: this.#percentile(0.999),
      max: this.#max,
      serverCpuNs,
      loadCpuNs,
      othersCpuNs: Math.max(0, coresBusyNs() - this.#coresBusy - serverCpuNs - loadCpuNs),
      rss: statusBytes(this.#pid, "VmRSS"),
      peakRss: statusBytes(this.#pid, "VmHWM"),
    };
    return JSON.stringify(report);
  }

  #percentile(share: number): number {
    const wanted = this.#buckets.reduce((sum, each) => sum + each, 0) * share;
    let seen = 0;
    const index = this.#buckets.findIndex((each) => (seen += each) > wanted);
    return index < 0 ? this.#max : 2 ** ((index + 0.5) / BUCKETS_PER_OCTAVE);
  }
}

/** Print the report and end when the window is over; or end with what is wrong. */
export function reportWhenOver(window: Window): void {
  setInterval(() => {
    try {
      if (window.goesOn()) return;
    } catch (error) {
      failLoad(error);
    }
    console.log(window.report());
    process.exit();
  }, 5);
}

/** `key=value` arguments of a load generator, as load.c reads them. */
export function loadOptions(): (key: string, otherwise: string) => string {
  return (key, otherwise) =>
    process.argv.find((argument) => argument.startsWith(`${key}=`))?.slice(key.length + 1) ??
    otherwise;
}

/** End with what load.c would print. */
export function failLoad(error: unknown): never {
  console.log(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
  process.exit(1);
}

function ownCpuNs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1_000;
}

/** What cores 0 and 1 did, for whomever: the rest of it is other people's. */
export function coresBusyNs(): number {
  const busy = cpus()
    .slice(0, 2)
    .map(({ times }) => times.user + times.nice + times.sys + times.irq);
  return busy.reduce((sum, ms) => sum + ms, 0) * 1e6;
}

/** CPU of all threads of a process, by the scheduler's account; 0 where there is no /proc. */
export function cpuNsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).reduce(
      (sum, task) =>
        sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]),
      0,
    );
  } catch {
    return 0;
  }
}

export function statusBytes(pid: number, field: string): number {
  try {
    return (
      Number(
        new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(
          readFileSync(`/proc/${pid}/status`, "utf8"),
        )?.[1],
      ) * 1_024
    );
  } catch {
    return 0;
  }
}
