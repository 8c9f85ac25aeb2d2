// examples/daemon, driven by its command line, as a user does: start, status, stop, and a daemon
// that was killed.

import assert from "node:assert/strict";
import { lstatSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it, type TestContext } from "node:test";
import { type Outcome, run } from "./examples.ts";

/** The command line with a runtime directory of its own. */
function commandLine(t: TestContext): {
  readonly path: string;
  readonly daemon: (command: string) => Promise<Outcome>;
} {
  const directory = mkdtempSync(join(tmpdir(), "hawser-daemon-"));
  const daemon = (command: string): Promise<Outcome> =>
    run("env", [
      `XDG_RUNTIME_DIR=${directory}`,
      process.execPath,
      "examples/daemon/main.ts",
      command,
      "--address",
      "pipe:test",
    ]);
  t.after(async () => {
    await daemon("stop");
    rmSync(directory, { recursive: true, force: true });
  });
  return { path: join(directory, "hawser", "test.sock"), daemon };
}

const pidOf = ({ stdout }: Outcome): number => Number(/pid (\d+)/.exec(stdout)?.[1]);

describe("examples/daemon", () => {
  it("starts, tells its status, refuses to start twice, and stops", async (t) => {
    const { path, daemon } = commandLine(t);
    assert.deepEqual(await daemon("status"), { code: 3, stdout: "not running\n", stderr: "" });
    const started = await daemon("start");
    assert.match(started.stdout, /^started \(pid \d+\) on pipe:test\n$/, started.stderr);
    assert.equal(lstatSync(path).mode & 0o777, 0o600);
    assert.match((await daemon("status")).stdout, /^running \(pid \d+, \d+ ms, \d+ requests\)\n$/);
    assert.equal((await daemon("start")).stdout, `runs already (pid ${pidOf(started)})\n`);
    const second = await daemon("run");
    assert.equal(second.code, 1);
    assert.match(second.stderr, /another program listens there/);
    assert.equal((await daemon("stop")).stdout, `stopped (pid ${pidOf(started)})\n`);
    assert.equal((await daemon("status")).stdout, "not running\n");
    assert.equal(lstatSync(path, { throwIfNoEntry: false }), undefined);
  });

  it("starts again over the socket file of a daemon that was killed", async (t) => {
    const { path, daemon } = commandLine(t);
    const first = pidOf(await daemon("start"));
    process.kill(first, "SIGKILL");
    assert.equal((await daemon("status")).stdout, "not running\n");
    assert.equal(lstatSync(path).isSocket(), true);
    const second = pidOf(await daemon("start"));
    assert.notEqual(second, first);
    assert.equal(pidOf(await daemon("status")), second);
  });

  it("stops in order at SIGTERM, and takes its socket file with it", async (t) => {
    const { path, daemon } = commandLine(t);
    process.kill(pidOf(await daemon("start")), "SIGTERM");
    while (lstatSync(path, { throwIfNoEntry: false }) !== undefined)
      await new Promise((resolve) => setImmediate(resolve));
    assert.equal((await daemon("status")).code, 3);
  });
});
