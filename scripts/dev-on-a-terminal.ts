// Runs `pnpm dev` as a person does, on a pseudo-terminal, and then through a pipe: the two programs
// hold a conversation, on the terminal something is typed into the client, and Ctrl-C ends both.
// What the terminal shows is read from an emulated screen: a program that redraws it sends only the
// cells that change. Skips the terminal, and says so, where there is no `script` of util-linux.
// Prints one line for each, and exits with 1 when one fails.

import { spawn, spawnSync } from "node:child_process";
import { createServer } from "node:net";
import { resolve } from "node:path";
import process from "node:process";
import { stripVTControlCharacters } from "node:util";
import headless from "@xterm/headless";

/** What is typed when the screen shows something. */
interface Step {
  readonly shown: RegExp;
  readonly typed: string | ((screen: string) => string);
}

/** Size of the terminal, in cells. */
const rows = 40;
const cols = 120;

const root = resolve(import.meta.dirname, "..");
const dev = "npx -y pnpm@12.21.0 dev";
const limitMs = 120_000;
const interact = "i";
const down = "\x1b[B";
const stopInteracting = "\x1a";
const interrupt = "\x03";
/** What both print in the end, whatever they run on. */
const expected = [/new client connected: \S+/, /says: Hello World!/, /received: Hello World!/];

if (spawnSync("script", ["-qec", "true", "/dev/null"], { stdio: "ignore" }).status === 0) {
  const steps: Step[] = [
    // The program that was started first is on top of the list, and shown: where that is the
    // server, the client is the next.
    {
      shown: /(?:received|says): Hello World!/,
      typed: (screen) => (screen.includes("received: Hello World!") ? "" : down),
    },
    { shown: /received: Hello World!/, typed: interact },
    { shown: /Ctrl-z - Stop/, typed: "typed by hand\r" },
    { shown: /received: typed by hand/, typed: stopInteracting },
    { shown: /i - Interact/, typed: interrupt },
  ];
  const command = ["script", "-qec", `stty rows ${rows} cols ${cols}; ${dev}`, "/dev/null"];
  await check("pnpm dev on a terminal", command, steps, [
    ...expected,
    /says: typed by hand/,
    /received: typed by hand/,
  ]);
} else {
  console.log("pnpm dev on a terminal: skipped (no script of util-linux)");
}
await check("pnpm dev through a pipe", dev.split(" "), [], expected);

async function check(
  title: string,
  command: readonly string[],
  steps: readonly Step[],
  lines: readonly RegExp[],
): Promise<void> {
  const { output, ended } = await run(command, steps, lines);
  const missing = lines.filter((line) => !line.test(output));
  const fault = missing.length > 0 ? `it did not print ${missing.join(", ")}` : ended;
  console.log(`${title}: ${fault ?? "ok"}`);
  if (fault === null) return;
  console.log(output);
  process.exitCode = 1;
}

/**
 * Resolves when it has ended: by the last step, or, when there are none, by SIGINT once it has
 * printed all lines.
 */
async function run(
  [program = "", ...args]: readonly string[],
  steps: readonly Step[],
  lines: readonly RegExp[],
): Promise<{ output: string; ended: string | null }> {
  // As on a person's terminal: where CI is set, turbo prints lines and takes no keys.
  const env = {
    ...process.env,
    CI: undefined,
    TERM: "xterm-256color",
    PORT: String(await freePort()),
    TURBO_TELEMETRY_DISABLED: "1",
  };
  // A group of its own, so that a signal reaches all of it, as Ctrl-C does.
  const child = spawn(program, args, {
    cwd: root,
    env,
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  const signal = (name: NodeJS.Signals): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, name);
  };
  let output = "";
  let next = 0;
  let ending = false;
  const terminal = new headless.Terminal({
    rows,
    cols,
    scrollback: 10_000,
    allowProposedApi: true,
  });
  const act = (): void => {
    const step = steps[next];
    const screen = textOf(terminal);
    if (step?.shown.test(screen) !== true) return;
    next++;
    const typed = typeof step.typed === "string" ? step.typed : step.typed(screen);
    if (typed === "") act();
    else child.stdin.write(typed);
  };
  const look = (text: string): void => {
    if (steps.length > 0) terminal.write(text, act);
    output = stripVTControlCharacters(output + text).replaceAll("\r", "");
    if (steps.length === 0 && !ending && lines.every((line) => line.test(output))) {
      ending = true;
      signal("SIGINT");
    }
  };
  child.stdout.setEncoding("utf8").on("data", look);
  child.stderr.setEncoding("utf8").on("data", look);
  child.stdin.on("error", () => undefined); // it has ended
  let late = false;
  const limit = setTimeout(() => {
    late = true;
    signal("SIGKILL");
  }, limitMs);
  return new Promise((settle) => {
    child.once("error", (error) => {
      settle({ output, ended: error.message });
    });
    child.once("close", () => {
      clearTimeout(limit);
      terminal.write("", () => {
        const printed = steps.length === 0 ? output : textOf(terminal);
        settle({
          output: printed,
          ended: late ? `it did not end within ${limitMs / 1_000} s, at step ${next}` : null,
        });
      });
    });
  });
}

/** What the terminal shows, and what has scrolled out of view. */
function textOf({ buffer }: headless.Terminal): string {
  const { active } = buffer;
  return Array.from(
    { length: active.length },
    (_, row) => active.getLine(row)?.translateToString(true) ?? "",
  ).join("\n");
}

function freePort(): Promise<number> {
  return new Promise((settle) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        settle(typeof address === "object" && address !== null ? address.port : 0);
      });
    });
  });
}
