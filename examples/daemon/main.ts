/**
 * A daemon with its command line: `node examples/daemon/main.ts start | status | stop | run
 * [--address pipe:hawser-example]`
 *
 * `start` runs it in the background, `run` in the foreground; `status` and `stop` ask it. The
 * address is a socket in this user's private directory. If the daemon is killed, the socket file
 * stays: nobody answers on it, so the next `start` replaces it; while somebody does, ADDRESS_IN_USE
 * says so.
 */
import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { connect } from "@hawser/client";
import { isHawserError, json, lines, wire } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { formatAddress } from "@hawser/transport";

const usage =
  "Usage: node examples/daemon/main.ts start | status | stop | run [--address pipe:hawser-example]";
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { address: { type: "string", default: "pipe:hawser-example" } },
});

const LISTENING = "listening";

interface Request {
  readonly command: "status" | "stop";
}

interface Status {
  readonly pid: number;
  readonly uptimeMs: number;
  readonly requests: number;
}

/**
 * A line of JSON each way. One wire for both ends: what arrives is a Request at the one, a Status
 * at the other.
 */
const control = wire({ framing: lines(), codec: json<Request | Status>() });

/** Be the daemon, until `stop` or a signal. */
async function run(): Promise<void> {
  let requests = 0;
  const server = createServer(control, {
    message(message, socket) {
      requests++;
      socket.send({ pid: process.pid, uptimeMs: Math.round(process.uptime() * 1_000), requests });
      // the answer still leaves
      if ("command" in message && message.command === "stop") void close();
    },
    error(error) {
      console.error(error.message);
    },
  });
  const close = (): Promise<unknown> => server.close({ deadlineMs: 1_000 });
  console.log(`listening on ${formatAddress(await server.listen(options.address))}`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void close());
  process.send?.(LISTENING); // to `start`, where that is who runs this
}

/**
 * Start a daemon that outlives this process; resolves when it listens, rejects with what keeps it
 * from that.
 */
function start(): Promise<void> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(import.meta.url), "run", "--address", options.address],
    { detached: true, stdio: ["ignore", "ignore", "ignore", "ipc"] },
  );
  return new Promise((resolve, reject) => {
    child.once("exit", (code) => {
      reject(new Error(`The daemon ended with ${String(code)}`));
    });
    child.once("message", (news) => {
      if (news !== LISTENING)
        reject(new Error(typeof news === "string" ? news : "The daemon failed"));
      child.disconnect();
      child.unref();
      resolve();
    });
  });
}

/** Ask the daemon; null when none runs. */
async function ask(command: Request["command"]): Promise<Status | null> {
  try {
    await using socket = await connect(control, options.address, { connectTimeoutMs: 2_000 });
    socket.send({ command });
    for await (const message of socket) if ("pid" in message) return message;
    return null;
  } catch (error) {
    if (
      isHawserError(error) &&
      (error.code === "CONNECT_REFUSED" || error.code === "PATH_NOT_FOUND")
    )
      return null;
    throw error;
  }
}

async function main(command: string | undefined): Promise<number> {
  switch (command) {
    case "run":
      await run();
      return 0;
    case "start": {
      const before = await ask("status");
      if (before !== null) {
        console.log(`runs already (pid ${before.pid})`);
        return 0;
      }
      await start();
      console.log(`started (pid ${(await ask("status"))?.pid ?? "unknown"}) on ${options.address}`);
      return 0;
    }
    case "status":
    case "stop": {
      const status = await ask(command);
      if (status === null) console.log("not running");
      else if (command === "stop") console.log(`stopped (pid ${status.pid})`);
      else
        console.log(
          `running (pid ${status.pid}, ${status.uptimeMs} ms, ${status.requests} requests)`,
        );
      return status === null ? 3 : 0;
    }
    default:
      console.error(usage);
      return 2;
  }
}

try {
  process.exitCode = await main(positionals[0]);
} catch (error) {
  const reason = error instanceof Error ? error.message : String(error);
  console.error(reason);
  process.send?.(reason);
  process.exitCode = 1;
}
