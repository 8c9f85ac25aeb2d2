// Redis' own tests against bench/src/redis-server, run by Redis' own test program in its mode for
// servers that are somewhere else. scripts/redis-tests.sh fetches them; where they, or tclsh, are missing,
// this is skipped and says so.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { missing, run, startProgram } from "./examples.ts";

const source = fileURLToPath(
  new URL("../../node_modules/.cache/redis-tests/redis/", import.meta.url),
);

/**
 * Tests of commands, options and types that bench/src/redis-server does not claim to have. All others of
 * these files are run.
 */
const unclaimed: Readonly<Record<string, readonly string[]>> = {
  "unit/protocol": ["raw protocol response", "argument rewriting", "blocking ops"],
  "unit/type/incr": ["INCRBYFLOAT", "holding a list", "null terminator", "negative zero"],
  "unit/type/string": [
    "volatile key",
    "GETEX",
    "GETDEL",
    "GETSET",
    "MGET",
    "MSET",
    "BIT",
    "RANGE",
    "LCS",
    "trim on SET",
    "Extended SET (?!can detect)",
  ],
};

describe("Redis' own tests of bench/src/redis-server", () => {
  for (const [unit, others] of Object.entries(unclaimed)) {
    it(`${unit}: all pass that need only the commands it has`, { skip: reason() }, async (t) => {
      const { port } = await startProgram(
        t,
        "bench/src/redis-server/main.ts",
        "--address",
        "tcp://127.0.0.1:0",
      );
      const skipped = others.flatMap((pattern) => ["--skiptest", `/${pattern}`]);
      const external = [
        "--host",
        "127.0.0.1",
        "--port",
        String(port),
        "--singledb",
        "--ignore-encoding",
      ];
      const args = [
        "tests/test_helper.tcl",
        ...external,
        "--clients",
        "1",
        "--tags",
        "-needs:debug -needs:repl",
        "--single",
        unit,
        ...skipped,
      ];
      const { code, stdout } = await run("tclsh", args, "", source);
      // eslint-disable-next-line no-control-regex -- it colours what it prints
      const lines = stdout.replace(/\x1b\[[\d;]*m/g, "").split("\n");
      const passed = lines.filter((line) => line.startsWith("[ok]"));
      const failed = lines.filter(
        (line) => line.startsWith("[err]") || line.startsWith("[exception]"),
      );
      assert.deepEqual(failed, []);
      assert.equal(code, 0, lines.slice(-20).join("\n"));
      assert.equal(passed.length >= 10, true, lines.join("\n"));
      t.diagnostic(`${String(passed.length)} tests of ${unit} pass`);
    });
  }
});

function reason(): string | false {
  const absent = missing("tclsh");
  if (absent !== false || existsSync(join(source, "tests/test_helper.tcl"))) return absent;
  const why =
    "Redis' tests are not here: run scripts/redis-tests.sh node_modules/.cache/redis-tests";
  console.log(`skipped: ${why}`);
  return why;
}
