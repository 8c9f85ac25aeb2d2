// Many starts over one stale socket file: exactly one listens and is reached, on disk and in
// memory. HAWSER_RACES says how many races each kind of directory sees; 25 is what a daily run can
// bear.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { connect } from "@hawser/client";
import { collect, plainLines } from "./conversation.ts";
import { type Program, runFile } from "./programs.ts";
import { leaveStale } from "./stale.ts";
import { Fixture } from "./transports.ts";

const RACES = Number(process.env["HAWSER_RACES"] ?? 25);
const STARTS = 4;
/** Ends a test that hangs. */
const timeout = 60_000 + RACES * 1_000;
const MEMORY = "/dev/shm";

describe("of four starts over one stale socket file exactly one listens and is reached", () => {
  const fixture = new Fixture("unix");

  it("on disk", { timeout }, async () => {
    await race(fixture.directory());
  });

  it("in a memory file system, where the system has one", { timeout }, async () => {
    if (!existsSync(MEMORY)) return;
    const directory = mkdtempSync(join(MEMORY, "hawser-"));
    fixture.own({
      close: () => {
        rmSync(directory, { recursive: true, force: true });
      },
    });
    await race(directory);
  });

  async function race(directory: string): Promise<void> {
    const racers = Array.from({ length: STARTS }, (_, i) =>
      fixture.own(runFile(fileURLToPath(new URL("racer.ts", import.meta.url)), [String(i)])),
    );
    await Promise.all(racers.map((racer) => racer.said(/^ready$/m)));
    for (let i = 0; i < RACES; i++) {
      const path = join(directory, `${String(i)}.sock`);
      await leaveStale(path);
      const outcomes = await answers(
        racers,
        `listen ${path} ${String(Date.now() + 4)}`,
        /outcome (\w+)\n/,
      );
      const lost = Array.from({ length: STARTS - 1 }, () => "ADDRESS_IN_USE");
      assert.deepEqual(outcomes.toSorted(), [...lost, "listening"], `race ${String(i)}`);
      const reached = await collect(await connect(plainLines, { path }));
      assert.deepEqual(reached, [String(outcomes.indexOf("listening"))], `race ${String(i)}`);
      await answers(racers, "close", /(closed)\n/);
      assert.deepEqual(readdirSync(directory), [], "nothing is left");
    }
  }
});

async function answers(
  racers: readonly Program[],
  command: string,
  pattern: RegExp,
): Promise<string[]> {
  for (const racer of racers) {
    racer.stdout = "";
    racer.say(`${command}\n`);
  }
  return Promise.all(racers.map(async (racer) => (await racer.said(pattern))[1] ?? ""));
}
