// Where one can listen and connect, and what is said when one can't: the value, and what to do.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { connect } from "@hawser/client";
import { formatAddress, Ticker } from "@hawser/transport";
import { ManualClock } from "@hawser/transport/testing";
import { capabilities } from "./capabilities.ts";
import { chat, echo, next, rawBytes, turns, until } from "./conversation.ts";
import { Program, runArguments } from "./programs.ts";
import { Fixture } from "./transports.ts";

const tooLong = `/tmp/${"x".repeat(103)}`; // 108 bytes, one more than Linux takes

describe("an address", () => {
  const fixture = new Fixture();

  it("may be a URL, a URL object, or node:net's options, on both ends", async () => {
    for (const input of [
      "tcp://localhost:0",
      new URL("tcp://127.0.0.1:0"),
      { port: 0 },
      { port: 0, host: "127.0.0.1" },
    ]) {
      const server = fixture.server(chat, { message: echo });
      const address = await server.listen(input);
      assert("port" in address && address.port > 0);
      assert.deepEqual(server.address(), address);
      const { port } = address;
      for (const target of [
        address,
        { port },
        { port, host: "localhost" },
        formatAddress(address),
        new URL(`tcp://127.0.0.1:${port}`),
      ]) {
        const socket = fixture.own(await connect(chat, target));
        assert.match(socket.remote, new RegExp(`:${port}$`));
        socket.send("hello");
        assert.equal(await next(socket), "hello");
        socket.abort();
      }
    }
  });

  it("may be one of many of the same server", async () => {
    const server = fixture.server(chat, { message: echo });
    const path = join(fixture.directory(), "many.sock");
    const all = [
      await server.listen({ port: 0 }),
      await server.listen({ port: 0 }),
      await server.listen({ path }),
    ];
    assert.deepEqual(server.addresses(), all);
    for (const address of all) {
      const socket = fixture.own(await connect(chat, address));
      socket.send("hello");
      assert.equal(await next(socket), "hello");
    }
    assert.equal(server.sockets.size, 3);
  });

  it("of a server's socket is the client's, of a client's the one that it was given", async () => {
    const remotes: string[] = [];
    const server = fixture.server(chat, {
      open(opened) {
        remotes.push(opened.remote);
        opened.send("hello");
      },
    });
    const address = await server.listen("tcp://localhost:0");
    const socket = fixture.own(await connect(chat, address));
    assert.equal(await next(socket), "hello");
    assert.match(remotes[0] ?? "", /^127\.0\.0\.1:\d+$/);
    assert.equal(`tcp://${socket.remote}`, formatAddress(address));
  });

  it("of a socket stays the same when its connection is gone", async () => {
    const remotes: string[] = [];
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const server = fixture.server(chat, {
      open: ({ remote }) => void remotes.push(remote),
      close({ remote }) {
        remotes.push(remote);
        resolve(undefined);
      },
    });
    const address = await server.listen("tcp://localhost:0");
    const socket = fixture.own(await connect(chat, address));
    socket.abort();
    await Promise.all([socket.closed, promise]);
    assert.equal(remotes[1], remotes[0]);
    assert.equal(`tcp://${socket.remote}`, formatAddress(address));
  });

  for (const input of [
    "",
    "localhost:1234",
    "tcp://localhost",
    "tcp://localhost:70000",
    "tcp://localhost:12x4",
    "http://localhost:80",
    "unix:",
    "pipe:",
    "pipe:../x",
  ]) {
    it(`${JSON.stringify(input)} can't be read: a TypeError that shows it, on both ends`, async () => {
      const server = fixture.server(chat, {});
      const shows = { name: "TypeError", message: /^Cannot read (address|port) / };
      await assert.rejects(server.listen(input), shows);
      await assert.rejects(connect(chat, input), shows);
    });
  }

  it("where another program listens is ADDRESS_IN_USE, and that one goes on", async () => {
    const first = fixture.server(chat, { message: echo });
    const address = await first.listen("tcp://localhost:0");
    const second = fixture.server(chat, {});
    await assert.rejects(second.listen(address), (error: Error) => {
      assert.match(
        error.message,
        new RegExp(
          `^Cannot listen on ${formatAddress(address)}: .*stop it, or choose another port`,
        ),
      );
      assert.equal("code" in error && error.code, "ADDRESS_IN_USE");
      return true;
    });
    assert.equal(second.address(), null);
    const socket = fixture.own(await connect(chat, address));
    socket.send("hello");
    assert.equal(await next(socket), "hello");
  });

  const noPython =
    spawnSync("python3", ["--version"]).status === 0 ? false : "python3 is not installed";
  it(
    "of a file descriptor that was passed in is listened on, and is the address that it is " +
      "bound to",
    { skip: noPython, timeout: 60_000 },
    async () => {
      const pass = [
        "import os, socket, sys",
        "listening = socket.create_server(('127.0.0.1', 0))",
        "print('port', listening.getsockname()[1], flush=True)",
        "os.dup2(listening.fileno(), 3)",
        "os.set_inheritable(3, True)", // also where it was 3 already
        "os.execvp(sys.argv[1], sys.argv[1:])",
      ].join("\n");
      const listening = fileURLToPath(new URL("listening.ts", import.meta.url));
      const program = fixture.own(
        new Program("python3", ["-c", pass, process.execPath, ...runArguments, listening, "fd:3"]),
      );
      const [, port = ""] = await program.said(/port (\d+)/);
      await program.said(/listening on/);
      assert.match(program.stdout, new RegExp(`listening on tcp://127\\.0\\.0\\.1:${port}$`, "m"));
      const socket = fixture.own(await connect(chat, `tcp://127.0.0.1:${port}`));
      socket.send("hello");
      assert.equal(await next(socket), "hello");
    },
  );

  it("where nobody listens is CONNECT_REFUSED", async () => {
    const server = fixture.server(chat, {});
    const address = await server.listen("tcp://localhost:0");
    await server.close();
    await assert.rejects(connect(chat, address), (error: Error) => {
      assert.match(
        error.message,
        new RegExp(
          `^Cannot connect to ${formatAddress(address)}: .*start the server, or check the address`,
        ),
      );
      assert.equal("code" in error && error.code, "CONNECT_REFUSED");
      return true;
    });
  });

  it("of a host that is not this machine's is ADDRESS_UNAVAILABLE for a server", async () => {
    const server = fixture.server(chat, {});
    await assert.rejects(server.listen("tcp://192.0.2.1:0"), {
      code: "ADDRESS_UNAVAILABLE",
      message: /192\.0\.2\.1/,
    });
  });

  it("with a name that has no address is HOST_NOT_FOUND", async () => {
    await assert.rejects(connect(chat, "tcp://no-such-host.invalid:1"), {
      code: "HOST_NOT_FOUND",
      message: /no-such-host\.invalid/,
    });
  });

  it("with a path that is too long is PATH_TOO_LONG on both ends, with both numbers", async () => {
    const server = fixture.server(chat, {});
    const says = { code: "PATH_TOO_LONG", message: /108 bytes, the system takes at most 107/ };
    await assert.rejects(server.listen({ path: tooLong }), says);
    await assert.rejects(connect(chat, { path: tooLong }), says);
  });

  it("with a path in a directory that does not exist is PATH_NOT_FOUND on both ends", async () => {
    const path = join(fixture.directory(), "missing", "test.sock");
    const server = fixture.server(chat, {});
    await assert.rejects(server.listen({ path }), {
      code: "PATH_NOT_FOUND",
      message: /missing\/test\.sock: the directory .* does not exist; create it/,
    });
    await assert.rejects(connect(chat, { path }), {
      code: "PATH_NOT_FOUND",
      message: /missing\/test\.sock: .*start the server, or check the path/,
    });
  });

  it("with a path through a file is PATH_NOT_FOUND on both ends", async () => {
    const server = fixture.server(chat, {});
    const says = {
      code: "PATH_NOT_FOUND",
      message: /\/dev\/null\/test\.sock: .*choose another path/,
    };
    await assert.rejects(server.listen("unix:/dev/null/test.sock"), says);
    await assert.rejects(
      connect(chat, "unix:/dev/null/test.sock"),
      capabilities.namesConnectFailures ? says : { code: "CONNECT_REFUSED" },
    );
  });

  it("with a path that not even root may make is PERMISSION_DENIED", async () => {
    const server = fixture.server(chat, {});
    await assert.rejects(server.listen("unix:/sys/test.sock"), {
      code: "PERMISSION_DENIED",
      message: /\/sys\/test\.sock: this user may not use it; choose /,
    });
  });

  it("connectTimeoutMs ends a TLS handshake that never comes, as CONNECT_TIMEOUT with the limit", async () => {
    const silent = fixture.server(rawBytes, {});
    const address = await silent.listen("tcp://localhost:0");
    assert("port" in address);
    const clock = new ManualClock();
    const attempt = connect(chat, `tls://localhost:${address.port}`, {
      connectTimeoutMs: 50,
      ticker: new Ticker(clock),
    });
    const isOver = assert.rejects(attempt, {
      code: "CONNECT_TIMEOUT",
      message:
        /took the connection, but no TLS handshake was complete within connectTimeoutMs 50; see whether it speaks TLS/,
    });
    await until(() => silent.sockets.size === 1);
    await turns(20); // its end of the connection is made, too
    clock.advance(50);
    await isOver;
  });
});
