// Child processes: started, listened to, and killed at the end of the test.

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { runtime } from "./capabilities.ts";

/** A program that does not say what a test waits for fails the test, and does not hang the run. */
const SAID_WITHIN_MS = 60_000;

/** A running program and what it has said so far. */
export class Program {
  stdout = "";
  stderr = "";
  /** Resolves with the exit code, or the signal's name, when everything it said is here. */
  readonly exited: Promise<number | string>;
  readonly #child: ChildProcess;
  readonly #listeners = new Set<() => void>();
  #hasExited = false;

  constructor(
    command: string,
    args: readonly string[],
    options: { cwd?: string; env?: Record<string, string> } = {},
  ) {
    this.#child = spawn(command, args, {
      stdio: "pipe",
      cwd: options.cwd,
      env: plainEnvironment(options.env),
    });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      this.#tell();
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      this.#tell();
    });
    // the program may be gone before it has read everything
    this.#child.stdin?.on("error", () => undefined);
    this.exited = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (code, signal) => {
        this.#hasExited = true;
        resolve(code ?? signal ?? "unknown");
        this.#tell();
      });
    });
  }

  /** Write to its standard input. */
  say(text: string | Uint8Array): void {
    this.#child.stdin?.write(text);
  }

  /** End its standard input. */
  endInput(): void {
    this.#child.stdin?.end();
  }

  /**
   * Resolves with the match when what it printed matches; rejects when it exits, or `withinMs`
   * passes, without it.
   */
  said(
    pattern: RegExp,
    stream: "stderr" | "stdout" = "stdout",
    withinMs: number = SAID_WITHIN_MS,
  ): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        look();
      }, withinMs);
      const look = (): void => {
        const match = pattern.exec(this[stream]);
        if (match === null && !this.#hasExited && !isLate) return;
        clearTimeout(timer);
        this.#listeners.delete(look);
        const how = isLate ? "was given up" : "exited";
        if (match === null)
          reject(
            new Error(
              `The program ${how} before it said ${String(pattern)}; it said ` +
                `${JSON.stringify(this.stdout)} and ${JSON.stringify(this.stderr)}`,
            ),
          );
        else resolve(match);
      };
      this.#listeners.add(look);
      look();
    });
  }

  kill(signal: NodeJS.Signals = "SIGKILL"): void {
    const { pid } = this.#child;
    if (pid === undefined || this.#hasExited) return;
    try {
      // the child's own kill() does nothing the second time on Deno, also after SIGSTOP
      process.kill(pid, signal);
    } catch {
      // It exits at this moment.
    }
  }

  /** For the fixture: kill it, and wait until it is gone. */
  async close(): Promise<void> {
    this.kill();
    await this.exited.catch(() => undefined);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/**
 * The environment of a program whose output a test reads: the same on a terminal and through a
 * pipe. On a terminal the test runners set FORCE_COLOR, which beside NO_COLOR makes Node write a
 * warning.
 */
export function plainEnvironment(
  more: Record<string, string> = {},
): Record<string, string | undefined> {
  return {
    ...process.env,
    FORCE_COLOR: undefined,
    NO_COLOR: "1",
    DENO_NO_UPDATE_CHECK: "1",
    ...more,
  };
}

/** What the runtime that runs this takes before the file that it is to run. */
export const runArguments: readonly string[] =
  runtime === "deno" ? ["run", "-A", "--no-check"] : [];

/** Run a file of TypeScript on the runtime that runs this. */
export function runFile(
  path: string,
  args: readonly string[] = [],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Program {
  return new Program(process.execPath, [...runArguments, path, ...args], options);
}
