// Socket files: whose they are, who may use them, and that nobody's is taken away.

import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { connect } from "@hawser/client";
import type { HawserError } from "@hawser/protocol";
import { type AddressInput, formatAddress } from "@hawser/transport";
import { chat, echo, next } from "./conversation.ts";
import { runFile } from "./programs.ts";
import { leaveStale } from "./stale.ts";
import { Fixture } from "./transports.ts";

describe("a socket file", () => {
  const fixture = new Fixture("unix");

  async function assertServes(address: AddressInput): Promise<void> {
    const socket = fixture.own(await connect(chat, address));
    socket.send("hello");
    assert.equal(await next(socket), "hello");
  }

  it("belongs to this user alone: its mode is 0600, or what is asked for", async () => {
    const directory = fixture.directory();
    const server = fixture.server(chat, {});
    for (const [name, options, mode] of [
      ["own", {}, 0o600],
      ["group", { mode: 0o660 }, 0o660],
    ] as const) {
      await server.listen({ path: join(directory, name) }, options);
      assert.equal(lstatSync(join(directory, name)).mode & 0o777, mode);
    }
    const server2 = fixture.server(chat, {}, { mode: 0o666 });
    await server2.listen({ path: join(directory, "all") });
    assert.equal(lstatSync(join(directory, "all")).mode & 0o777, 0o666);
  });

  it("is alone in its directory, and gone when the server is closed", async () => {
    const directory = fixture.directory();
    const server = fixture.server(chat, { message: echo });
    await server.listen({ path: join(directory, "only.sock") });
    assert.deepEqual(readdirSync(directory), ["only.sock"]);
    await assertServes({ path: join(directory, "only.sock") });
    await server.close();
    assert.deepEqual(readdirSync(directory), []);
  });

  it("that a killed program left is replaced", async () => {
    const path = join(fixture.directory(), "crash.sock");
    const program = fixture.own(
      runFile(fileURLToPath(new URL("listening.ts", import.meta.url)), [`unix:${path}`]),
    );
    await program.said(/listening on unix:/);
    await assertServes({ path });
    program.kill();
    await program.exited;
    assert(existsSync(path), "the killed program left its file");
    await assert.rejects(connect(chat, { path }), { code: "CONNECT_REFUSED" });
    const server = fixture.server(chat, { message: echo });
    await server.listen({ path });
    await assertServes({ path });
  });

  it("that is stale is taken by exactly one of many who want it", async () => {
    const path = join(fixture.directory(), "race.sock");
    await leaveStale(path);
    const servers = Array.from({ length: 5 }, () => fixture.server(chat, { message: echo }));
    const outcomes = await Promise.allSettled(servers.map((server) => server.listen({ path })));
    const refused = outcomes
      .filter((outcome) => outcome.status === "rejected")
      .map(({ reason }) => (reason as HawserError).code); // of listen()
    assert.deepEqual(
      refused,
      Array.from({ length: 4 }, () => "ADDRESS_IN_USE"),
    );
    await assertServes({ path });
  });

  it("of a live server is never stolen", async () => {
    const path = join(fixture.directory(), "live.sock");
    const first = fixture.server(chat, { message: echo });
    await first.listen({ path });
    const { ino } = lstatSync(path);
    const second = fixture.server(chat, {});
    await assert.rejects(second.listen({ path }), {
      code: "ADDRESS_IN_USE",
      message: /live\.sock: another program listens there; stop it, or choose another path/,
    });
    assert.equal(lstatSync(path).ino, ino);
    await assertServes({ path });
    await second.close();
    await assertServes({ path });
  });

  it("that is another's by now is not removed when the server is closed", async () => {
    const path = join(fixture.directory(), "taken.sock");
    const first = fixture.server(chat, {});
    await first.listen({ path });
    rmSync(path);
    const second = fixture.server(chat, { message: echo });
    await second.listen({ path });
    await first.close();
    await assertServes({ path });
  });

  it("is not made where a file is that is not a socket", async () => {
    const path = join(fixture.directory(), "notes.txt");
    writeFileSync(path, "dear diary");
    const server = fixture.server(chat, {});
    await assert.rejects(server.listen({ path }), {
      code: "ADDRESS_IN_USE",
      message: /notes\.txt: the path is a file that is not a socket/,
    });
    await server.close();
    assert.equal(readFileSync(path, "utf8"), "dear diary");
  });

  it("may have a path of exactly 107 bytes", async () => {
    const directory = fixture.directory();
    const path = join(directory, "x".repeat(107 - Buffer.byteLength(directory) - 1));
    assert.equal(Buffer.byteLength(path), 107);
    const server = fixture.server(chat, { message: echo });
    await server.listen({ path });
    await assertServes({ path });
    await server.close();
    assert.deepEqual(readdirSync(directory), []);
  });

  it("behind pipe:name is in a directory of this user alone, and is found by the name", async () => {
    const runtimeDirectory = fixture.directory();
    const before = process.env["XDG_RUNTIME_DIR"];
    process.env["XDG_RUNTIME_DIR"] = runtimeDirectory;
    try {
      const server = fixture.server(chat, { message: echo });
      const address = await server.listen("pipe:hawser-test");
      assert.equal(formatAddress(address), "pipe:hawser-test");
      assert.equal(lstatSync(join(runtimeDirectory, "hawser")).mode & 0o777, 0o700);
      await assertServes("pipe:hawser-test");
      await server.close();
      await assert.rejects(connect(chat, "pipe:hawser-test"), { code: "PATH_NOT_FOUND" });
    } finally {
      if (before === undefined) delete process.env["XDG_RUNTIME_DIR"];
      else process.env["XDG_RUNTIME_DIR"] = before;
    }
  });

  it("behind pipe:name is not used where others could have put it: PERMISSION_DENIED on both ends", async () => {
    const runtimeDirectory = fixture.directory();
    mkdirSync(join(runtimeDirectory, "hawser"), { mode: 0o755 });
    const before = process.env["XDG_RUNTIME_DIR"];
    process.env["XDG_RUNTIME_DIR"] = runtimeDirectory;
    try {
      const server = fixture.server(chat, {});
      const says = {
        code: "PERMISSION_DENIED",
        message: /hawser is not a directory of this user alone; .*mode to 0700/,
      };
      await assert.rejects(server.listen("pipe:hawser-test"), says);
      await assert.rejects(connect(chat, "pipe:hawser-test"), says);
    } finally {
      if (before === undefined) delete process.env["XDG_RUNTIME_DIR"];
      else process.env["XDG_RUNTIME_DIR"] = before;
    }
  });

  it(
    "behind pipe:name is not made where a file or a link is in the directory's place: " +
      "PERMISSION_DENIED on both ends, with what to do",
    async () => {
      const runtimeDirectory = fixture.directory();
      const before = process.env["XDG_RUNTIME_DIR"];
      process.env["XDG_RUNTIME_DIR"] = runtimeDirectory;
      try {
        const server = fixture.server(chat, {});
        const says = {
          code: "PERMISSION_DENIED",
          message: /hawser is not a directory of this user alone; remove it/,
        };
        for (const make of [
          () => {
            writeFileSync(join(runtimeDirectory, "hawser"), "");
          },
          () => {
            symlinkSync(fixture.directory(), join(runtimeDirectory, "hawser"));
          },
        ]) {
          make();
          await assert.rejects(server.listen("pipe:hawser-test"), says);
          await assert.rejects(connect(chat, "pipe:hawser-test"), says);
          rmSync(join(runtimeDirectory, "hawser"));
        }
      } finally {
        if (before === undefined) delete process.env["XDG_RUNTIME_DIR"];
        else process.env["XDG_RUNTIME_DIR"] = before;
      }
    },
  );

  it("is not needed for an abstract name, which ends with its server", async () => {
    const address = `unix:@hawser-test-${process.pid}`;
    const server = fixture.server(chat, { message: echo });
    assert.equal(formatAddress(await server.listen(address)), address);
    await assertServes(address);
    const second = fixture.server(chat, {});
    await assert.rejects(second.listen(address), { code: "ADDRESS_IN_USE" });
    await server.close();
    await assert.rejects(connect(chat, address), { code: "CONNECT_REFUSED" });
  });
});
