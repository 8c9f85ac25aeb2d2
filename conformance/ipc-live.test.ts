// A live socket file is never taken away, whoever holds it, and nobody gets in before its mode is
// set.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { connect } from "@hawser/client";
import { defineProtocol, isHawserError, type } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { capabilities } from "./capabilities.ts";
import { chat, echo, next, turns } from "./conversation.ts";
import { Program, runFile } from "./programs.ts";
import { leaveStale } from "./stale.ts";
import { Fixture } from "./transports.ts";

const python = spawnSync("python3", ["--version"]).status === 0;
const linux = process.platform === "linux";
/** Ends a test that hangs. */
const timeout = 90_000;
const noPython = python ? false : "python3 is not installed";
const calls = defineProtocol({
  name: "calls",
  version: 1,
  requests: { double: { input: type<number>(), output: type<number>() } },
});
const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

describe("a live socket file", () => {
  const fixture = new Fixture("unix");

  async function assertServes(path: string): Promise<void> {
    const socket = fixture.own(await connect(chat, { path }));
    socket.send("hello");
    assert.equal(await next(socket), "hello");
    socket.abort();
  }

  for (const [kind, who] of Object.entries({
    full: "whose accept queue is full",
    "full-relative": "whose accept queue is full, and that was bound by a relative path",
    "full-renamed": "whose accept queue is full, and that was bound by another name",
    datagram: "of a datagram socket",
    seqpacket: "of a seqpacket socket",
    bound: "that is bound, and not listened on yet",
  })) {
    const skip =
      noPython !== false
        ? noPython
        : linux
          ? false
          : "the system says ECONNREFUSED for it, and does not list what is bound";
    it(`${who} is not taken away`, { skip, timeout }, async () => {
      const directory = fixture.directory();
      const path = join(directory, "held.sock");
      const holder = fixture.own(new Program("python3", [file("holder.py"), kind, directory]));
      await holder.said(/^held$/m);
      const { ino } = lstatSync(path);
      await assert.rejects(fixture.server(chat, {}).listen({ path }), { code: "ADDRESS_IN_USE" });
      assert.equal(lstatSync(path).ino, ino);
      assert.deepEqual(readdirSync(directory), ["held.sock"]);
      holder.endInput();
      await holder.exited;
      await fixture.server(chat, { message: echo }).listen({ path });
      await assertServes(path);
    });
  }

  it(
    "whose accept queue is full is tried again by a session that reconnects",
    { skip: noPython, timeout },
    async () => {
      const directory = fixture.directory();
      const path = join(directory, "held.sock");
      const serve = async (): Promise<{
        close(options: { deadlineMs: number }): Promise<unknown>;
      }> => {
        const server = createServer(calls, { double: (n) => 2 * n });
        fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
        await server.listen({ path });
        return server;
      };
      const first = await serve();
      const client = fixture.own(
        await connect(calls, { path }, { reconnect: { initialMs: 20, maxMs: 20 } }),
      );
      await first.close({ deadlineMs: 0 });
      const holder = fixture.own(new Program("python3", [file("holder.py"), "full", directory]));
      await holder.said(/^held$/m);
      await assert.rejects(connect(chat, { path }), (error: unknown) => {
        assert(isHawserError(error) && error.retryable, String(error));
        assert.equal(
          error.code,
          capabilities.namesConnectFailures ? "OVERLOADED" : "CONNECT_REFUSED",
        );
        return true;
      });
      for (let attempts = 0; attempts < 3; attempts++)
        await new Promise((resolve) => client.lifecycle.once("error", resolve));
      assert.notEqual(client.state, "closed");
      const ready = new Promise((resolve) => client.lifecycle.once("ready", resolve));
      holder.endInput();
      await holder.exited;
      await serve();
      await ready;
      assert.equal(await client.request("double", 4), 8);
      await client.close();
    },
  );

  it(
    "is the file that was bound: the kernel lists its absolute path",
    { skip: linux ? false : "only Linux lists what is bound" },
    async () => {
      const path = join(fixture.directory(), "listed.sock");
      await fixture.server(chat, {}).listen({ path: join(path, "..", "listed.sock") });
      assert(
        readFileSync("/proc/net/unix", "utf8")
          .split("\n")
          .some((row) => row.endsWith(` ${path}`)),
      );
    },
  );

  const noTmpfiles =
    spawnSync("systemd-tmpfiles", ["--version"]).status === 0
      ? false
      : "systemd-tmpfiles is not installed";
  it("is spared by systemd-tmpfiles", { skip: noTmpfiles, timeout }, async () => {
    const directory = fixture.directory();
    const path = join(directory, "spared.sock");
    await leaveStale(join(directory, "stale.sock"));
    await fixture.server(chat, { message: echo }).listen({ path });
    const config = join(fixture.directory(), "hawser.conf");
    // Of the times of a file, that of its inode's change can't be set, so that of its modification
    // decides.
    writeFileSync(config, `d ${directory} 0700 - - m:1h\n`);
    const old = spawnSync("touch", [
      "-h",
      "-d",
      "3 hours ago",
      path,
      join(directory, "stale.sock"),
    ]);
    assert.equal(old.status, 0);
    const cleaned = spawnSync("systemd-tmpfiles", ["--clean", `--prefix=${directory}`, config], {
      encoding: "utf8",
    });
    assert.equal(cleaned.status, 0, cleaned.stderr);
    assert.deepEqual(readdirSync(directory), ["spared.sock"]);
    await assertServes(path);
  });

  it(
    "may have a name of one letter, each time, beside files of the same length",
    { timeout },
    async () => {
      const directory = fixture.directory();
      for (const letter of "abcdefghijklmnopqrstuvwxyz0123456789")
        writeFileSync(join(directory, letter), letter);
      for (let i = 0; i < 50; i++) {
        const server = fixture.server(chat, {});
        await server.listen({ path: join(directory, "Z") });
        await server.close();
      }
      for (const letter of "abcdefghijklmnopqrstuvwxyz0123456789")
        assert.equal(readFileSync(join(directory, letter), "utf8"), letter);
    },
  );

  it(
    "is replaced when it is stale, though a start was killed that was about to do so",
    { timeout },
    async () => {
      const directory = fixture.directory();
      const path = join(directory, "left.sock");
      await leaveStale(path);
      const lock = join(directory, ".left.sock.hawser-lock");
      writeFileSync(lock, "");
      utimesSync(lock, 1, 1);
      await fixture.server(chat, { message: echo }).listen({ path });
      await assertServes(path);
      assert.deepEqual(readdirSync(directory), ["left.sock"]);
    },
  );

  it(
    "is shared by four workers of node:cluster, and replaces a stale one",
    { timeout },
    async () => {
      const path = join(fixture.directory(), "cluster.sock");
      await leaveStale(path);
      const program = fixture.own(runFile(file("clustered.ts"), [path]));
      await program.said(/^(listening;\s*){4}$/);
      assert.equal(lstatSync(path).mode & 0o777, 0o600);
      for (let i = 0; i < 8; i++) await assertServes(path);
      for (let worker = 0; worker < 3; worker++) {
        program.say(`close ${String(worker)}\n`);
        await program.said(new RegExp(`(closed;\\s*){${String(worker + 1)}}$`));
        await assertServes(path);
      }
      program.say("close 3\n");
      await program.said(/(closed;\s*){4}$/);
      while (existsSync(path)) await turns(); // the primary process removes it
      program.endInput();
      await program.exited;
    },
  );
});

describe("a socket file that is being made", () => {
  const fixture = new Fixture("unix");
  const COUNT = 100;
  const skip =
    noPython !== false
      ? noPython
      : process.getuid?.() === 0
        ? false
        : "only root can try as another user";

  it("lets no other user in, whatever the umask", { skip, timeout }, async () => {
    const directory = fixture.directory();
    chmodSync(directory, 0o777);
    const knocker = fixture.own(new Program("python3", [file("knocker.py"), directory]));
    await knocker.said(/^knocking$/m);
    const before = process.umask(0);
    try {
      for (let i = 0; i < COUNT; i++) {
        const server = fixture.server(chat, { message: echo });
        await server.listen({ path: join(directory, `${String(i)}.sock`) });
        await turns(20);
        await server.close();
      }
      assert.equal(process.umask(0), 0, "the umask is as it was");
    } finally {
      process.umask(before);
    }
    writeFileSync(join(directory, "done"), "");
    assert.equal((await knocker.said(/^entered \[(.*)\]$/m))[1], "");
  });
});
