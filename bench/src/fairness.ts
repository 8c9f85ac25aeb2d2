/**
 * `pnpm bench:fairness`: how much longer one peer waits for its echo while another sends a burst at
 * once, on each runtime.
 *
 *     node bench/src/fairness.ts [--runtimes node,deno,bun] [--only TEXT] [--megabytes 1,4,8]
 *
 * Prints the round trips of a peer that sends a line every few milliseconds: alone, and beside each
 * kind of burst.
 */
import net from "node:net";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { linesOf, runtimes, start, stop } from "./children.ts";
import { bursts } from "./fairness/burst.ts";

const { values: flags } = parseArgs({
  options: {
    runtimes: { type: "string", default: "node,deno,bun" },
    only: { type: "string", default: "" },
    megabytes: { type: "string", default: "1,4,8" },
  },
});

const PACE_MS = 4;
const program = join(import.meta.dirname, "fairness", "server.ts");

/** What one peer waited for its echoes, in milliseconds. */
class Pinger {
  readonly #socket: net.Socket;
  #waits: number[] = [];
  #sentMs: number | null = null;
  readonly #timer: NodeJS.Timeout;

  constructor(port: number) {
    this.#socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("error", () => undefined);
    this.#socket.on("data", () => {
      if (this.#sentMs !== null) this.#waits.push(performance.now() - this.#sentMs);
      this.#sentMs = null;
    });
    this.#timer = setInterval(() => {
      if (this.#sentMs !== null) return;
      this.#sentMs = performance.now();
      this.#socket.write("ping\n");
    }, PACE_MS);
  }

  /** The waits since the last time, sorted; one that is not over counts as it is. */
  take(): number[] {
    const waits = this.#waits;
    this.#waits = [];
    return waits.sort((one, other) => one - other);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#socket.destroy();
  }
}

const shown = (waits: readonly number[]): string => {
  const at = (part: number): string =>
    (waits[Math.min(waits.length - 1, Math.floor(waits.length * part))] ?? NaN)
      .toFixed(1)
      .padStart(8);
  return `${at(0.5)}${at(0.99)}${at(1)}`;
};

for (const runtime of flags.runtimes.split(",") as (keyof typeof runtimes)[]) {
  const args = runtime === "deno" ? ["run", "-A", "--no-check", program] : [program];
  const child = start(0, runtimes[runtime], args);
  try {
    const said = await linesOf(child)();
    const [text = 0, values = 0, native = 0, rpc = 0] = said.split(" ").slice(1).map(Number);
    const pinger = new Pinger(text);
    await pause(1_500);
    pinger.take();
    await pause(1_000);
    console.log(`\n${runtime.padEnd(44)}  median     p99     max`);
    console.log(`${"  alone".padEnd(44)}${shown(pinger.take())}`);
    for (const name of Object.keys(bursts).filter((each) => each.includes(flags.only))) {
      for (const megabytes of flags.megabytes.split(",").map(Number)) {
        const task = { name, bytes: megabytes * 1_048_576, ports: { text, values, native, rpc } };
        const worker = new Worker(new URL("fairness/burst.ts", import.meta.url), {
          workerData: task,
        });
        let begunMs = NaN;
        await new Promise<void>((resolve, reject) => {
          const timer = setTimeout(resolve, 20_000);
          worker.on("message", (what) => {
            if (what === "begun") {
              begunMs = performance.now();
              pinger.take();
            } else {
              clearTimeout(timer);
              resolve();
            }
          });
          worker.on("error", reject);
        });
        await pause(PACE_MS * 2);
        const took = performance.now() - begunMs;
        console.log(
          `${`  ${name}, ${String(megabytes)} MiB`.padEnd(44)}${shown(pinger.take())}   in ` +
            `${(took / 1_000).toFixed(1)} s`,
        );
        await worker.terminate();
        await pause(200);
      }
    }
    pinger.close();
  } finally {
    await stop(child, "SIGTERM");
  }
}
process.exit();
