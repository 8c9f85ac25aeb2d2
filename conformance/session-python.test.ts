// Hawser against the Python package: random conversations over connections that are killed and
// frozen at any byte, in both directions, and servers that are killed and started anew.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { contractSchema } from "@hawser/protocol";
import { Random } from "@hawser/protocol/testing";
import { until } from "./conversation.ts";
import { Program, runFile } from "./programs.ts";
import { trial as trialContract, trialServer } from "./python/trial-contract.ts";
import { Fixture } from "./transports.ts";

const python = ["python3", "python"].find(
  (name) => spawnSync(name, ["-c", "import sys; sys.exit(sys.version_info < (3, 9))"]).status === 0,
);
const skip = python === undefined ? "there is no Python 3.9 or later here" : false;

const trial = fileURLToPath(new URL("python/trial.py", import.meta.url));
const trialClient = fileURLToPath(new URL("python/trial-client.ts", import.meta.url));
const restart = fileURLToPath(new URL("python/restart.py", import.meta.url));
const restartServer = fileURLToPath(new URL("python/restart-server.ts", import.meta.url));
const restartClient = fileURLToPath(new URL("python/restart-client.ts", import.meta.url));
/** HAWSER_TRIAL_COUNT makes the random conversations more, and HAWSER_TRIAL_SEED repeats them. */
const count = process.env["HAWSER_TRIAL_COUNT"] ?? "300";
const seed = process.env["HAWSER_TRIAL_SEED"] ?? "1";

describe("random conversations over connections that are killed and frozen", { skip }, () => {
  const fixture = new Fixture("unix");
  const timeout = 90_000 + Number(count) * 30;
  let folder = "";
  let contract = "";

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "hawser-trial-"));
    contract = join(folder, "contract.json");
    writeFileSync(contract, JSON.stringify(contractSchema(trialContract)));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it("end with exact accounts: the Python client against this server", { timeout }, async () => {
    const server = trialServer(new Random(Number(seed)));
    fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
    const bound = await server.listen("tcp://127.0.0.1:0");
    const port = "port" in bound ? String(bound.port) : "";
    const client = new Program(python ?? "", [trial, "client", contract, port, count, seed]);
    fixture.own(client);
    assert.equal(await client.exited, 0, `seed ${seed}: ${client.stdout}${client.stderr}`);
    if (process.env["HAWSER_TRIAL_COUNT"] !== undefined) console.log(client.stdout);
  });

  it("end with exact accounts: this client against the Python server", { timeout }, async () => {
    const server = new Program(python ?? "", [trial, "server", contract, seed]);
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
    if (process.env["HAWSER_TRIAL_COUNT"] !== undefined) console.log(client.stdout);
  });
});

describe(
  "a server that is killed and started anew, with a store of what it has handled",
  { skip },
  () => {
    const fixture = new Fixture("unix");
    const events = 400;
    const kills = 4;

    /** Kills the server when so many events are handled, again and again, until all are delivered. */
    async function run(
      start: (port: string, folder: string) => Program,
      emit: (port: string, contract: string) => Program,
    ): Promise<readonly string[]> {
      const folder = mkdtempSync(join(tmpdir(), "hawser-restart-"));
      try {
        const contract = join(folder, "contract.json");
        writeFileSync(contract, JSON.stringify(contractSchema(trialContract)));
        const journal = (): string[] => {
          const path = join(folder, "journal");
          return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
        };
        let server = start("0", folder);
        const [, port = ""] = await server.said(/listening on (\d+)/);
        const client = emit(port, contract);
        fixture.own(client);
        for (let kill = 1; kill <= kills; kill++) {
          await until(() => journal().length >= (events * kill) / (kills + 1));
          await server.close();
          server = start(port, folder);
          await server.said(/listening on/);
        }
        assert.equal(await client.exited, 0, client.stdout + client.stderr);
        await server.close();
        return journal();
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }

    /** None is lost, and none is handled that the store knows; the lanes' order is kept within a process. */
    function judge(journal: readonly string[]): void {
      const handled = new Map<string, number>();
      for (const line of journal) {
        const [what, key, n, again] = line.split(" ");
        if (what !== "handled") continue;
        assert.equal(again, undefined, `${line}: the store knew it`);
        handled.set(`${key ?? ""} ${n ?? ""}`, (handled.get(`${key ?? ""} ${n ?? ""}`) ?? 0) + 1);
      }
      assert.equal(handled.size, events);
      const twice = [...handled.values()].filter((times) => times > 1).length;
      const duplicates = journal.filter((line) => line.startsWith("duplicate")).length;
      // Twice is what was handled, and not yet remembered, when its process was killed: at most one of each lane.
      assert.ok(twice <= kills * 3, `${String(twice)} were handled twice`);
      if (process.env["HAWSER_TRIAL_COUNT"] !== undefined)
        console.log(`${String(duplicates)} duplicates recognised, ${String(twice)} handled twice`);
    }

    it("this server, and the Python client", { timeout: 120_000 }, async () => {
      judge(
        await run(
          (port, folder) => fixture.own(runFile(restartServer, [port, folder])),
          (port, contract) =>
            new Program(python ?? "", [restart, "client", contract, port, String(events)]),
        ),
      );
    });

    it("the Python server, and this client", { timeout: 120_000 }, async () => {
      judge(
        await run(
          (port, folder) =>
            fixture.own(
              new Program(python ?? "", [
                restart,
                "server",
                join(folder, "contract.json"),
                port,
                folder,
              ]),
            ),
          (port) => runFile(restartClient, [port, String(events)]),
        ),
      );
    });
  },
);
