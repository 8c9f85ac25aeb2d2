// The vectors of PROTOCOL.md, played by the runner against Hawser's server and client.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { pageRules } from "./page-rules.ts";
import { kept, pending, withPending } from "./pending-rules.ts";
import { startClient, startServer } from "./peer-program.ts";
import { formatReport, makeReport } from "./runner/report.ts";
import { readVectors, runSuite, vectorFiles } from "./runner/suite.ts";
import { ClientTarget, serverAt, type Target } from "./runner/target.ts";

const options = { waitMs: 20_000, cut: 0, parallel: 4, bail: false } as const;
const vectors = kept(readVectors());

async function play(target: Target, file: string): Promise<void> {
  const names = new Set(
    readVectors([new URL(`./vectors/${file}.json`, import.meta.url)]).map(({ name }) => name),
  );
  const fitting = vectors.filter((vector) => names.has(vector.name));
  const results = await runSuite(fitting, target, options);
  const report = makeReport(target.role, results, []);
  assert.equal(report.failed, 0, formatReport(report));
}

describe("the rules of PROTOCOL.md", () => {
  const rules = pageRules(readFileSync(new URL("../PROTOCOL.md", import.meta.url), "utf8"));

  it("are numbered from 1 in each section, and have names of their own", () => {
    const last = new Map<number, number>();
    for (const { section, number, name } of rules) {
      assert.equal(number, (last.get(section) ?? 0) + 1, `rule ${section}.${number}, ${name}`);
      last.set(section, number);
    }
    assert.deepEqual([...last.keys()], [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.equal(new Set(rules.map(({ name }) => name)).size, rules.length);
  });

  it("each have a vector that is judged, and vectors cite no other", () => {
    const cited = new Set(vectors.flatMap((vector) => vector.rules));
    assert.deepEqual(
      rules.map(({ name }) => name).filter((name) => !cited.has(name)),
      [],
    );
    const named = new Set(rules.map(({ name }) => name));
    const all = new Set(readVectors().flatMap((vector) => vector.rules));
    assert.deepEqual(
      [...all].filter((name) => !named.has(name) && !pending.has(name) && !withPending.has(name)),
      [],
    );
  });
});

describe("the vectors", () => {
  it("have names that are used once", () => {
    const names = readVectors().map(({ name, target }) => `${target} ${name}`);
    assert.deepEqual(
      names.filter((name, at) => names.indexOf(name) !== at),
      [],
    );
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
