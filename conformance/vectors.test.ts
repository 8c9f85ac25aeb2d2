// The vectors of PROTOCOL.md, played by the runner against Hawser's server and client.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startClient, startServer } from "./peer-program.ts";
import { formatReport, makeReport } from "./runner/report.ts";
import { readVectors, runSuite, vectorFiles } from "./runner/suite.ts";
import { ClientTarget, serverAt, type Target } from "./runner/target.ts";

/** Rules that the engine does not keep yet: their vectors are played, and not judged. */
const pending: ReadonlySet<string> = new Set([
  "lanes", "ack-ranges", "again", "ack-ranges-form", "origin-flags",
]);

const options = { waitMs: 20_000, cut: 0, parallel: 4, bail: false } as const;
const vectors = readVectors().filter(({ rules }) => !rules.some((rule) => pending.has(rule)));

async function play(target: Target, file: string): Promise<void> {
  const names = new Set(readVectors([new URL(`./vectors/${file}.json`, import.meta.url)]).map(({ name }) => name));
  const fitting = vectors.filter((vector) => names.has(vector.name));
  const results = await runSuite(fitting, target, options);
  const report = makeReport(target.role, results, []);
  assert.equal(report.failed, 0, formatReport(report));
}

describe("the vectors", () => {
  it("have names that are used once", () => {
    const names = readVectors().map(({ name, target }) => `${target} ${name}`);
    assert.deepEqual(names.filter((name, at) => names.indexOf(name) !== at), []);
  });

  for (const file of vectorFiles) {
    it(`of ${file}.json hold for the server`, { timeout: 120_000 }, async () => {
      const server = await startServer();
      try {
        await play(serverAt("127.0.0.1", server.port), file);
      } finally {
        await server.close();
      }
    });

    it(`of ${file}.json hold for the client`, { timeout: 120_000 }, async () => {
      const target = await ClientTarget.listen("127.0.0.1", 0, options.waitMs);
      const client = startClient(target.port);
      try {
        await play(target, file);
      } finally {
        client.close();
        await target.close();
      }
    });
  }
});
