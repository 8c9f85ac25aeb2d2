// The two echo programs as they are started from the repository, and the programs of others that
// talk to them.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Program } from "../programs.ts";
import type { Fixture } from "../transports.ts";

const apps = fileURLToPath(new URL("../../apps", import.meta.url));

export const certificates = fileURLToPath(new URL("../certificates", import.meta.url));

/** Run one of the echo programs. */
export function echo(
  fixture: Fixture,
  which: "client" | "server",
  args: readonly string[],
  env: Record<string, string> = {},
): Program {
  return fixture.own(
    new Program(process.execPath, [join(apps, `echo-${which}/src/main.ts`), ...args], { env }),
  );
}

/** Run the echo server, and wait until it listens. */
export async function echoServer(
  fixture: Fixture,
  ...args: readonly string[]
): Promise<{ server: Program; address: string; port: string }> {
  const server = echo(fixture, "server", args);
  const [, address = "", port = ""] = await server.said(/^server listening on (.*?(?::(\d+))?)$/m);
  return { server, address, port };
}

/** Run a program that nobody here wrote: what it is told on its input, and then the end of that. */
export function run(
  fixture: Fixture,
  command: string,
  args: readonly string[],
  input?: string | Uint8Array,
): Program {
  const program = fixture.own(new Program(command, args));
  if (input !== undefined) {
    program.say(input);
    program.endInput();
  }
  return program;
}

/** Why a test can't run here, or false when the program is installed. */
export function without(program: string, aptPackage: string): string | false {
  return spawnSync("which", [program]).status === 0
    ? false
    : `${program} is not installed: apt-get install ${aptPackage}`;
}

/** One sentence that holds what it must; no stack trace. */
export function assertSentence(text: string, ...patterns: readonly RegExp[]): void {
  assert.match(text, /^[^\n]+\n$/, `not one line: ${JSON.stringify(text)}`);
  assert.doesNotMatch(text, /\bat \S+ \(|\.ts:\d|node:internal/);
  for (const pattern of patterns) assert.match(text, pattern);
}

/**
 * The arguments with which the installed `nc` ends its direction when its input ends, or why it
 * can't be used. Debian's `nc` wants `-N` for that; Ncat, which Fedora and Red Hat call `nc`, does
 * it anyway and does not know `-N`.
 */
export function findNc(): { readonly skip: string | false; readonly halfClose: readonly string[] } {
  const { stdout, stderr, error } = spawnSync("nc", ["-h"], { encoding: "utf8" });
  if (error !== undefined)
    return { skip: "nc is not installed: apt-get install netcat-openbsd", halfClose: [] };
  const help = `${stdout}${stderr}`;
  if (/^Ncat /m.test(help)) return { skip: false, halfClose: [] };
  if (/^\s*-N\s+Shutdown/im.test(help)) return { skip: false, halfClose: ["-N"] };
  return {
    skip: "nc is neither OpenBSD's nor Ncat: apt-get install netcat-openbsd",
    halfClose: [],
  };
}
