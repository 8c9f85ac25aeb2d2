// Bad input to the two programs: one clear sentence on stderr that names the value, the limit and
// what to do; exit code 1, or 2 for wrong usage; no stack trace; the server's other connections go
// on, and what came before is not lost.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Fixture } from "../transports.ts";
import { assertSentence, certificates, echo, echoServer } from "./echo-programs.ts";

const certificate = (name: string): string => join(certificates, name);
const longPath = `/tmp/${"x".repeat(150)}`;

describe("wrong usage of an echo program is one sentence and exit code 2", () => {
  const fixture = new Fixture();

  for (const [args, ...patterns] of [
    [["--frobnicate"], /--frobnicate/],
    [["surplus"], /surplus/],
    [["--address", "localhost:1234"], /"localhost:1234"/, /tcp:\/\/host:port/],
    [["--address", "tcp://localhost"], /port is missing/, /tcp:\/\/localhost:1234/],
    [["--port", "99999"], /99999/, /65535/],
    [["--port", "http"], /http/],
    [["--wire", "morse"], /morse/, /lines, length32, classic/],
    [["--path", "/tmp/x", "--port", "1"], /--path/, /--port/],
    [["--sentinel", ""], /empty sentinel/],
    [["--cert", certificate("client.crt")], /tls:\/\//],
  ] as const) {
    it(args.join(" "), async () => {
      const programs = (["server", "client"] as const).map((which) => echo(fixture, which, args));
      for (const program of programs) {
        assert.equal(await program.exited, 2);
        assertSentence(program.stderr, ...patterns, /--help/);
        assert.equal(program.stdout, "");
      }
    });
  }
});

describe("what an echo program can't do is one sentence and exit code 1", () => {
  const fixture = new Fixture();

  async function assertFails(
    which: "client" | "server",
    args: readonly string[],
    patterns: readonly RegExp[],
    env: Record<string, string> = {},
  ): Promise<void> {
    const program = echo(fixture, which, args, env);
    assert.equal(await program.exited, 1, `${which} ${args.join(" ")}: ${program.stderr}`);
    assertSentence(program.stderr, ...patterns);
  }

  it("a port in use, and the program that has it goes on", async () => {
    const { port } = await echoServer(fixture, "--port", "0");
    await assertFails(
      "server",
      ["--port", port],
      [new RegExp(`tcp://.*:${port}`), /stop it, or choose another port/],
    );
    const client = echo(fixture, "client", ["--port", port]);
    assert.equal(await client.exited, 0);
  });

  it("a refused connection", async () => {
    const { server, port } = await echoServer(fixture, "--port", "0");
    await server.close();
    await assertFails(
      "client",
      ["--port", port],
      [
        new RegExp(`tcp://localhost:${port}`),
        /nothing listens there/,
        /start the server, or check the address/,
      ],
    );
  });

  it("a path that is too long, that is missing, or that is a file", async () => {
    const directory = fixture.directory();
    for (const which of ["server", "client"] as const) {
      await assertFails(which, ["--path", longPath], [/155 bytes/, /at most 107/, /shorter/]);
      await assertFails(
        which,
        ["--path", `${directory}/missing/x.sock`],
        [/missing\/x\.sock/, /does not exist/],
      );
    }
    writeFileSync(`${directory}/file`, "");
    await assertFails(
      "server",
      ["--path", `${directory}/file`],
      [/file/, /not a socket/, /choose another path/],
    );
  });

  it("a path that is not permitted", async () => {
    await assertFails(
      "server",
      ["--path", "/sys/echo.sock"],
      [/\/sys\/echo\.sock/, /may not use it; choose /],
    );
    const directory = fixture.directory();
    mkdirSync(`${directory}/hawser`, { mode: 0o777 });
    for (const which of ["server", "client"] as const) {
      await assertFails(
        which,
        ["--address", "pipe:x"],
        [/hawser is not a directory of this user alone/, /0700/],
        { XDG_RUNTIME_DIR: directory },
      );
    }
  });

  it("a certificate that is missing, or is none", async () => {
    const key = ["--key", certificate("server.key")];
    await assertFails(
      "server",
      ["--address", "tls://localhost:0", "--cert", "/nowhere.crt", ...key],
      [/--cert "\/nowhere\.crt"/, /no such file/],
    );
    await assertFails(
      "server",
      ["--address", "tls://localhost:0", "--cert", certificate("make.sh"), ...key],
      [/make\.sh/, /not a PEM file/],
    );
    const program = echo(fixture, "server", ["--address", "tls://localhost:0", ...key]);
    assert.equal(await program.exited, 2);
    assertSentence(program.stderr, /certificate|--cert/);
  });

  it("a server whose certificate is not trusted, and one that speaks no TLS", async () => {
    const tls = await echoServer(
      fixture,
      "--address",
      "tls://localhost:0",
      "--cert",
      certificate("server.crt"),
      "--key",
      certificate("server.key"),
    );
    await assertFails(
      "client",
      ["--address", `tls://localhost:${tls.port}`],
      [/tls:\/\/localhost:\d+/, /not trusted/, /tls\.ca|--ca/],
    );
    const plain = await echoServer(fixture, "--port", "0");
    await assertFails(
      "client",
      ["--address", `tls://localhost:${plain.port}`, "--ca", certificate("ca.crt")],
      [/TLS on this port/],
    );
  });

  it("a message that holds its own delimiter, or is the sentinel", async () => {
    const { port } = await echoServer(fixture, "--port", "0");
    await assertFails(
      "client",
      ["--port", port, "--message", "two\nlines"],
      [/line ending/, /lengthPrefixed|several lines/],
    );
    await assertFails("client", ["--port", port, "--message", "exit"], [/equals the sentinel/]);
    const classic = await echoServer(fixture, "--port", "0", "--wire", "classic");
    await assertFails(
      "client",
      ["--port", classic.port, "--wire", "classic", "--message", "an exit here"],
      [/sentinel/],
    );
  });
});

describe("what a peer sends wrongly", () => {
  const fixture = new Fixture();

  /** Sends bytes to the port, ends, and resolves with what came back. */
  function exchange(port: string, bytes: Uint8Array | string): Promise<string> {
    return new Promise((resolve) => {
      let answer = "";
      const socket = net.connect(Number(port), "127.0.0.1", () => socket.end(bytes));
      socket.setEncoding("latin1").on("data", (chunk: string) => {
        answer += chunk;
      });
      socket
        .on("error", () => undefined)
        .on("close", () => {
          resolve(answer);
        });
    });
  }

  /** A plain server that sends these bytes to whoever connects. */
  async function sayTo(bytes: Uint8Array | string): Promise<string> {
    const server = net.createServer((socket) => {
      socket.on("error", () => undefined).end(bytes);
      socket.resume();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    fixture.own({ close: () => void server.close() });
    return String((server.address() as net.AddressInfo).port); // it listens on TCP
  }

  const tooLong = `one\n${"x".repeat(1_048_577)}\nthree\n`;
  const notUtf8 = Buffer.concat([
    Buffer.from("one\n"),
    Buffer.of(0xc3, 0x28, 0x0a),
    Buffer.from("three\n"),
  ]);

  for (const [what, bytes, ...patterns] of [
    ["a frame over the limit", tooLong, /1048576/],
    ["bytes that are not UTF-8", notUtf8, /UTF-8/],
    ["a line that is cut off", "one\ntw", /line ending/],
  ] as const) {
    it(
      `${what}: the server answers what came before, says it in one sentence, and other ` +
        "connections go on",
      async () => {
        const { server, port } = await echoServer(fixture, "--port", "0");
        const other = net.connect(Number(port), "127.0.0.1");
        fixture.own({ abort: () => void other.destroy() });
        assert.equal(await exchange(port, bytes), "one\n");
        await server.said(/\n/, "stderr");
        assertSentence(server.stderr, /^127\.0\.0\.1:\d+: /, ...patterns);
        other.write("still there?\n");
        const answer = await new Promise<Buffer>((resolve) => other.once("data", resolve));
        assert.equal(answer.toString(), "still there?\n");
      },
    );

    it(`${what}: the client prints what came before, says it in one sentence, and exits with 1`, async () => {
      const client = echo(fixture, "client", ["--port", await sayTo(bytes)]);
      assert.equal(await client.exited, 1);
      assert.match(client.stdout, /^connected to .*\nreceived: one\nclosed: error\n$/);
      assertSentence(client.stderr, ...patterns);
    });
  }

  it("control characters are spelled out, not sent to the terminal", async () => {
    const { server, port } = await echoServer(fixture, "--port", "0");
    await exchange(port, "\u001b[2Jhello\nexit\n");
    await server.said(/says: \\u\{1b\}\[2Jhello/);
    assert(!server.stdout.includes("\u001b"));
  });
});
