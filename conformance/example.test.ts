// DESIGN's first example, word for word, as a program of its own.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { capabilities } from "./capabilities.ts";
import { runFile } from "./programs.ts";
import { Fixture } from "./transports.ts";

describe("the first example", () => {
  const fixture = new Fixture();

  it("says Hello World! and nothing else, on each runtime that parses it", async () => {
    // It takes port 1234, so the suites of several runtimes run one after another; its server
    // listens until it is killed.
    const example = fixture.own(runFile(fileURLToPath(new URL("example.ts", import.meta.url))));
    if (!capabilities.parsesAwaitUsing) {
      assert.equal(await example.exited, 1);
      assert.match(example.stderr, /SyntaxError/);
      return;
    }
    await example.said(/\n/);
    example.kill();
    assert.equal(await example.exited, "SIGKILL");
    assert.deepEqual([example.stdout, example.stderr], ["Hello World!\n", ""]);
  });
});
