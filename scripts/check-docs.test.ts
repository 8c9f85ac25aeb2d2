// The check of docstrings finds the export that has none, and passes over the others.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { describe, it, onTestFinished } from "vitest";

const script = resolve(import.meta.dirname, "check-docs.ts");

/** Runs the check on an entry with this source. */
function check(source: string): { readonly status: number | null; readonly printed: string } {
  const directory = mkdtempSync(join(tmpdir(), "hawser-docs-"));
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  const entry = join(directory, "mod.ts");
  writeFileSync(entry, source);
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, entry], {
    encoding: "utf8",
    timeout: 60_000,
  });
  return { status, printed: stdout + stderr };
}

describe("check-docs", () => {
  it("each name that a package's entry exports has a docstring", () => {
    const { status, stderr } = spawnSync(process.execPath, [script], {
      encoding: "utf8",
      timeout: 60_000,
    });
    assert.equal(stderr, "");
    assert.equal(status, 0);
  });

  for (const declaration of [
    "export const bare = 1;",
    "export function bare(): void {}",
    "export interface bare { readonly name: string }",
    "export type bare = string;",
    "export class bare {}",
    "const inner = 1; export { inner as bare };",
  ]) {
    it(`fails on ${declaration}`, () => {
      const { status, printed } = check(
        `/**\n * The file's own comment.\n *\n * @module\n */\n\n${declaration}\n`,
      );
      assert.equal(status, 1);
      assert.match(printed, /mod\.ts:7: bare is exported and has no docstring/);
    });
  }

  it("fails on a docstring of tags alone", () => {
    const { status } = check(
      "/** @throws {TypeError} always */\nexport function bare(): void {}\n",
    );
    assert.equal(status, 1);
  });

  it("passes what has a docstring, and members without one", () => {
    const { status, printed } = check(
      "/** A person. */\nexport interface Person {\n  readonly name: string;\n}\n",
    );
    assert.equal(status, 0);
    assert.match(printed, /1 exports, 0 without a docstring \(members: 1\)/);
  });

  it("fails on an entry that does not exist", () => {
    const { status } = spawnSync(process.execPath, [script, "nowhere.ts"], { timeout: 60_000 });
    assert.equal(status, 1);
  });
});
