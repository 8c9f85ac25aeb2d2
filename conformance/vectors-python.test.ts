// The vectors of PROTOCOL.md, played by the runner against the Python package, in both roles.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Program } from "./programs.ts";
import { formatReport, makeReport } from "./runner/report.ts";
import { readVectors, runSuite, vectorFiles } from "./runner/suite.ts";
import { ClientTarget, serverAt, type Target } from "./runner/target.ts";

const script = fileURLToPath(new URL("../clients/python/conformance_peer.py", import.meta.url));
const python = ["python3", "python"].find(
  (name) => spawnSync(name, ["-c", "import sys; sys.exit(sys.version_info < (3, 9))"]).status === 0,
);
const skip = python === undefined ? "there is no Python 3.9 or later here" : false;
const options = { waitMs: 20_000, cut: 0, parallel: 4, bail: false } as const;

async function play(target: Target, file: string): Promise<void> {
  const vectors = readVectors([new URL(`./vectors/${file}.json`, import.meta.url)]);
  const report = makeReport(target.role, await runSuite(vectors, target, options), []);
  assert.equal(report.failed, 0, formatReport(report));
}

describe("the vectors against the Python package", { skip }, () => {
  for (const file of vectorFiles) {
    it(`of ${file}.json hold for its server`, { timeout: 240_000 }, async () => {
      const server = new Program(python ?? "", ["-W", "error", script, "server"]);
      try {
        const [, port = ""] = await server.said(/listening on (\d+)/);
        await play(serverAt("127.0.0.1", Number(port)), file);
      } finally {
        await server.close();
      }
    });

    it(`of ${file}.json hold for its client`, { timeout: 240_000 }, async () => {
      const target = await ClientTarget.listen("127.0.0.1", 0, options.waitMs);
      const client = new Program(python ?? "", [
        "-W",
        "error",
        script,
        "client",
        String(target.port),
      ]);
      try {
        await play(target, file);
      } finally {
        await client.close();
        await target.close();
      }
    });
  }
});

describe("the Python package", { skip }, () => {
  it("passes its own tests, the examples of its README among them", { timeout: 120_000 }, () => {
    const tests = fileURLToPath(new URL("../clients/python/tests", import.meta.url));
    const run = spawnSync(
      python ?? "",
      ["-W", "error", "-m", "unittest", "discover", "-s", tests],
      {
        encoding: "utf8",
        timeout: 110_000,
      },
    );
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stderr, /^Ran [1-9]\d* tests/m);
  });
});
