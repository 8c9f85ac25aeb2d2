// A client that nobody here wrote in TypeScript: the Python reference client against this server,
// over TCP and a Unix socket.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { createServer } from "@hawser/server";
import { formatAddress } from "@hawser/transport";
import { plainEnvironment } from "./programs.ts";
import { Program, runFile } from "./programs.ts";
import { conformance, conformanceHandlers } from "./session-contracts.ts";
import { Fixture } from "./transports.ts";

const script = fileURLToPath(new URL("reference-client/script.py", import.meta.url));
const python = ["python3", "python"].find(
  (name) =>
    spawnSync(name, ["-c", "import asyncio, sys; sys.exit(sys.version_info < (3, 9))"]).status ===
    0,
);
const skip =
  python === undefined
    ? "there is no Python 3.9 or later here"
    : process.platform === "win32"
      ? "the reference client's Unix sockets are not on Windows"
      : false;

/** What the script printed, and how it ended. */
async function run(...where: readonly string[]): Promise<{ output: string; code: unknown }> {
  const child = spawn(python ?? "", [script, ...where], {
    stdio: ["ignore", "pipe", "pipe"],
    env: plainEnvironment(),
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const [code] = (await once(child, "close")) as [unknown];
  return { output, code };
}

const trial = fileURLToPath(new URL("reference-client/trial.py", import.meta.url));
const trialClient = fileURLToPath(new URL("reference-client/trial-client.ts", import.meta.url));
/** HAWSER_TRIAL_COUNT makes the random conversations more, and HAWSER_TRIAL_SEED repeats them. */
const count = process.env["HAWSER_TRIAL_COUNT"] ?? "300";
const seed = process.env["HAWSER_TRIAL_SEED"] ?? "1";

describe("random conversations over connections that are killed and frozen", { skip }, () => {
  const fixture = new Fixture("unix");
  const timeout = 90_000 + Number(count) * 30;

  it("end with exact accounts: the Python client against this server", { timeout }, async () => {
    const server = createServer(conformance, conformanceHandlers, { error: () => undefined });
    fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
    const bound = await server.listen("tcp://127.0.0.1:0");
    const client = new Program(python ?? "", [
      trial,
      "client",
      "127.0.0.1",
      "port" in bound ? String(bound.port) : "",
      count,
      seed,
    ]);
    fixture.own(client);
    assert.equal(await client.exited, 0, `seed ${seed}: ${client.stdout}${client.stderr}`);
  });

  it("end with exact accounts: this client against the Python server", { timeout }, async () => {
    const server = new Program(python ?? "", [trial, "server", seed]);
    fixture.own(server);
    const [, port = ""] = await server.said(/listening on (\d+)/);
    const client = runFile(trialClient, [port, count, seed]);
    fixture.own(client);
    client.said(/^calls ended$/m, "stdout", timeout).then(
      () => {
        server.say("calm\n");
      },
      () => undefined,
    ); // the exit code is judged
    assert.equal(await client.exited, 0, `seed ${seed}: ${client.stdout}${client.stderr}`);
    assert.match(client.stdout, /^exact /m);
  });
});

describe("the Python reference client", { skip }, () => {
  const fixture = new Fixture("unix");

  for (const address of ["tcp://127.0.0.1:0", "unix"]) {
    it(
      `passes every step over ${address === "unix" ? "a Unix socket" : "TCP"}`,
      { timeout: 90_000 },
      async () => {
        const server = createServer(conformance, conformanceHandlers);
        fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
        const bound = await server.listen(address === "unix" ? fixture.address() : address);
        const where = "port" in bound ? [bound.host, String(bound.port)] : [formatAddress(bound)];
        const { output, code } = await run(...where);
        assert.equal(code, 0, output);
        assert.match(output, /^ok 1 - /m);
      },
    );
  }
});
