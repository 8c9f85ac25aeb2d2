/**
 * Child processes: servers and load generators, each pinned to its core where `taskset` exists.
 * Owns every pid that the bench starts: whatever happens, each is stopped by its pid.
 */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { compiled } from "./native.ts";
import type { Runtime, System } from "./systems.ts";

export type Child = ChildProcessByStdio<Writable, Readable, null>;

const root = resolve(import.meta.dirname, "..", "..");
const alive = new Set<Child>();

process.once("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.once(signal, () => process.exit(code));

/** Whether processes are pinned: there must be `taskset`, and two cores to tell apart. */
export const pinned: boolean =
  availableParallelism() >= 2 && spawnSync("taskset", ["-c", "0,1", "true"]).status === 0;

/** Start a program on a core. */
export function start(core: 0 | 1, command: string, args: readonly string[]): Child {
  const [file, all] = pinned
    ? ["taskset", ["-c", String(core), command, ...args]]
    : [command, [...args]];
  const env = { ...process.env, DENO_NO_UPDATE_CHECK: "1", NODE_NO_WARNINGS: "1" };
  const child = spawn(file, all, { cwd: root, env, stdio: ["pipe", "pipe", "inherit"] });
  alive.add(child);
  child.on("error", (error) => {
    console.error(error.message);
  });
  child.stdin.on("error", () => undefined); // it has ended
  child.once("exit", () => alive.delete(child));
  return child;
}

/**
 * Ask a child to end, by the end of its stdin, and by a signal where one is given; kill it when it
 * takes its time.
 */
export async function stop(child: Child, signal?: "SIGTERM"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise((settle) => child.once("exit", settle));
  child.stdin.end();
  if (signal !== undefined) child.kill(signal);
  const killer = setTimeout(() => child.kill("SIGKILL"), 2_000);
  await gone;
  clearTimeout(killer);
}

/** A server that listens. `profileDir` makes Node write a CPU profile there. */
export async function startServer(
  system: System,
  options: readonly string[],
  profileDir: string | null,
): Promise<{ child: Child; pid: number; port: number; nextLine: () => Promise<string> }> {
  const [command, ...args] = commandOf(system, profileDir);
  // it does not choose one, nor say which it has
  const chosen = system.runtime === "installed" ? await freePort() : null;
  const child = start(0, command, [
    ...args,
    ...system.options,
    ...options,
    ...(chosen === null ? [] : ["--port", String(chosen)]),
  ]);
  const nextLine = linesOf(child);
  try {
    let line = await nextLine();
    while (chosen !== null && !line.includes("Ready to accept connections"))
      line = await nextLine();
    const port = chosen ?? Number(/^listening (?:on tcp:\/\/127\.0\.0\.1:)?(\d+)$/.exec(line)?.[1]);
    if (!(port > 0) || child.pid === undefined)
      throw new Error(`${system.name} said ${JSON.stringify(line)}`);
    return { child, pid: child.pid, port, nextLine };
  } catch (error) {
    await stop(child);
    throw error;
  }
}

/**
 * The next line of a child's stdout, each time it is called; rejects when the child has ended, or
 * is silent for a minute.
 */
export function linesOf(child: Child): () => Promise<string> {
  const iterator = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async () => {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error("silent for 60 s"));
      }, 60_000);
    });
    const next = await Promise.race([iterator.next(), silence]).finally(() => {
      clearTimeout(timer);
    });
    if (next.done === true) throw new Error("ended without an answer");
    return next.value;
  };
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo; // it listens on a port
  server.close();
  await once(server, "close");
  return port;
}

function commandOf(system: System, profileDir: string | null): [string, ...string[]] {
  const program = join(import.meta.dirname, "servers", system.program);
  switch (system.runtime) {
    case "native": {
      const file = compiled(system.program.replace(/\.c$/, ""));
      if (file === null) throw new Error("there is no C compiler");
      return [file];
    }
    case "installed":
      return [system.program];
    case "node":
      return [
        runtimes.node,
        "--expose-gc",
        ...(profileDir === null ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileDir}`]),
        program,
      ];
    case "deno":
      return [runtimes.deno, "run", "-A", "--no-check", "--v8-flags=--expose-gc", program];
    case "bun":
      return [runtimes.bun, program];
  }
}

/** The programs themselves, not the shims in .bin: a shim's process is not the server's. */
export const runtimes: Readonly<Record<Exclude<Runtime, "installed" | "native">, string>> = {
  node: process.execPath,
  deno: join(root, "node_modules", "deno", "deno"),
  bun: join(root, "node_modules", "bun", "bin", "bun.exe"),
};
