// What the tests of examples/ and of bench/src/redis-server share: such a program as a process of
// its own, and the real programs that drive it.

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { TestContext } from "node:test";
import { plainEnvironment } from "../programs.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const limitMs = 60_000;

/** A running example. */
export interface Example {
  /** Where it listens, as it printed it. */
  readonly address: string;
  /** The port of a `tcp://` address. */
  readonly port: number;
  /** What it has printed as errors. */
  readonly errors: () => string;
  /** The lines that it printed after that, as they come. */
  readonly lines: string[];
  /** Resolves with the first line that matches, also one that was printed before. */
  readonly line: (pattern: RegExp) => Promise<string>;
  /** SIGTERM; resolves with the exit code. */
  readonly stop: () => Promise<number | null>;
  /** Resolves with the exit code of an example that ends by itself. */
  readonly ended: Promise<number | null>;
}

/** As `startProgram`, with the name of an example. */
export function start(
  t: TestContext,
  name: string,
  ...options: readonly string[]
): Promise<Example> {
  return startProgram(t, join("examples", name, "main.ts"), ...options);
}

/**
 * Start the program in the file `name`, a path from the root of the repository, and wait until it
 * listens; it is stopped when the test ends, which fails when that takes more than SIGTERM.
 */
export async function startProgram(
  t: TestContext,
  name: string,
  ...options: readonly string[]
): Promise<Example> {
  const child = spawn(process.execPath, [name, ...options], {
    cwd: root,
    env: plainEnvironment(),
  });
  // as the event 'exit' says
  const ended = once(child, "exit").then(([code]) => code as number | null);
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    for (const look of waiting) look();
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  void ended.then(() => {
    for (const look of waiting) look();
  });
  const line = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = lines.find((each) => pattern.test(each));
        if (found !== undefined) resolve(found);
        else if (child.exitCode !== null || child.signalCode !== null)
          reject(
            new Error(
              `${name} ended without printing ${String(pattern)}: ${[...lines, errors].join("\n")}`,
            ),
          );
        else return;
        waiting.delete(look);
      };
      waiting.add(look);
      look();
    });
  const stop = (): Promise<number | null> => {
    child.kill("SIGTERM");
    return ended;
  };
  t.after(async () => {
    const code = child.exitCode ?? (await stop());
    if (code !== 0) throw new Error(`${name} ended with ${String(code)}: ${errors}`);
  });
  const listening = await line(/^(?:listening on|connected to) /);
  lines.splice(0, lines.indexOf(listening) + 1);
  const address = listening.replace(/^(?:listening on|connected to) /, "");
  return {
    address,
    port: Number(/:(\d+)$/.exec(address)?.[1] ?? 0),
    errors: () => errors,
    lines,
    line,
    stop,
    ended,
  };
}

/**
 * Why a test can't run: the program that it drives the example with is not installed. False when it
 * is.
 */
export function missing(...programs: readonly string[]): string | false {
  const absent = programs.filter(
    (program) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0,
  );
  if (absent.length === 0) return false;
  const reason = `not installed: ${absent.join(", ")}`;
  console.log(`skipped: ${reason}`);
  return reason;
}

/** What a program printed, and how it ended. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run a program to its end; `input` is its standard input. */
export async function run(
  program: string,
  args: readonly string[],
  input: string | Uint8Array = "",
  cwd: string = root,
): Promise<Outcome> {
  const child: ChildProcessWithoutNullStreams = spawn(program, args, {
    cwd,
    timeout: limitMs,
    env: plainEnvironment(),
  });
  const read = async (stream: NodeJS.ReadableStream): Promise<string> => {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer); // no encoding is set
    return Buffer.concat(chunks).toString("utf8");
  };
  const ended = once(child, "close");
  child.stdin.on("error", () => undefined); // a program that does not read its input
  child.stdin.end(input);
  const [stdout, stderr] = await Promise.all([read(child.stdout), read(child.stderr)]);
  const [code] = (await ended) as [number | null]; // as the event 'close' says
  return { code, stdout, stderr };
}
