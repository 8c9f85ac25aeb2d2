// nc, socat, openssl and Python's asyncio against the echo programs.

import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { Fixture } from "../transports.ts";
import { certificates, echo, echoServer, findNc, run, without } from "./echo-programs.ts";

const { skip: noNc, halfClose } = findNc();
const noSocat = without("socat", "socat");
const noOpenssl = without("openssl", "openssl");
const noPython = without("python3", "python3");

/** Who wants a certificate, and who has one. */
const file = (name: string): string => join(certificates, name);
const serverTls = [
  "--address",
  "tls://localhost:0",
  "--cert",
  file("server.crt"),
  "--key",
  file("server.key"),
];

describe("nc", () => {
  const fixture = new Fixture();

  for (const [input, output] of [
    ["one\ntwo\nexit\n", "one\ntwo\nexit\n"],
    ["one\ntwo\n", "one\ntwo\nexit\n"],
  ] as const) {
    it(
      `says ${JSON.stringify(input)} to the echo server over TCP and hears ` +
        JSON.stringify(output),
      { skip: noNc },
      async () => {
        const { server, port } = await echoServer(fixture, "--port", "0");
        const nc = run(fixture, "nc", [...halfClose, "127.0.0.1", port], input);
        assert.equal(await nc.exited, 0);
        assert.equal(nc.stdout, output);
        const [, peer = ""] = await server.said(/^new client connected: (127\.0\.0\.1:\d+)$/m);
        await server.said(
          new RegExp(`^${peer} says: one\n${peer} says: two\nconnection from ${peer} closed$`, "m"),
        );
      },
    );
  }

  it(
    "says lines to the echo server over a Unix socket and hears them",
    { skip: noNc },
    async () => {
      const path = join(fixture.directory(), "echo.sock");
      const { server } = await echoServer(fixture, "--path", path);
      const nc = run(fixture, "nc", [...halfClose, "-U", path], "one\ntwo\nexit\n");
      assert.equal(await nc.exited, 0);
      assert.equal(nc.stdout, "one\ntwo\nexit\n");
      await server.said(/says: two/);
    },
  );

  it(
    "speaks the classic wire with the echo server: what it says comes back with ' exit'",
    { skip: noNc },
    async () => {
      const { port } = await echoServer(fixture, "--port", "0", "--wire", "classic");
      const nc = run(fixture, "nc", [...halfClose, "127.0.0.1", port], "Hello World!");
      assert.equal(await nc.exited, 0);
      assert.equal(nc.stdout, "Hello World! exit");
    },
  );
});

describe("socat", () => {
  const fixture = new Fixture();

  it("says lines to the echo server over TCP and hears them", { skip: noSocat }, async () => {
    const { port } = await echoServer(fixture, "--port", "0");
    const socat = run(fixture, "socat", ["-", `TCP:127.0.0.1:${port}`], "one\ntwo\nexit\n");
    assert.equal(await socat.exited, 0);
    assert.equal(socat.stdout, "one\ntwo\nexit\n");
  });

  it(
    "says lines to the echo server over a Unix socket and hears them",
    { skip: noSocat },
    async () => {
      const path = join(fixture.directory(), "echo.sock");
      await echoServer(fixture, "--address", `unix:${path}`);
      const socat = run(fixture, "socat", ["-", `UNIX-CONNECT:${path}`], "one\ntwo\nexit\n");
      assert.equal(await socat.exited, 0);
      assert.equal(socat.stdout, "one\ntwo\nexit\n");
    },
  );

  it(
    "says lines to the echo server under an abstract name and hears them",
    { skip: noSocat },
    async () => {
      const name = `hawser-interop-${process.pid}`;
      await echoServer(fixture, "--address", `unix:@${name}`);
      const socat = run(fixture, "socat", ["-", `ABSTRACT-CONNECT:${name}`], "one\nexit\n");
      assert.equal(await socat.exited, 0);
      assert.equal(socat.stdout, "one\nexit\n");
    },
  );

  it(
    "as an echo server of its own, with cat, is heard by the echo client",
    { skip: noSocat },
    async () => {
      const path = join(fixture.directory(), "cat.sock");
      const socat = run(fixture, "socat", ["-d", "-d", `UNIX-LISTEN:${path}`, "EXEC:cat"]);
      await socat.said(/listening on/, "stderr");
      const client = echo(fixture, "client", ["--path", path, "--message", "one"]);
      assert.equal(await client.exited, 0);
      assert.equal(client.stdout, `connected to unix:${path}\nreceived: one\nclosed: sentinel\n`);
    },
  );

  it(
    "as a server that only listens (it ends its direction at once) still gets what the echo " +
      "client says",
    { skip: noSocat },
    async () => {
      const path = join(fixture.directory(), "listens.sock");
      const socat = run(fixture, "socat", ["-d", "-d", "-u", `UNIX-LISTEN:${path}`, "-"]);
      await socat.said(/listening on/, "stderr");
      await echo(fixture, "client", ["--path", path, "--message", "one"]).exited;
      assert.equal(await socat.exited, 0);
      assert.equal(socat.stdout, "one\nexit\n");
    },
  );
});

describe("openssl s_client", () => {
  const fixture = new Fixture();
  const trusting = (port: string): string[] => [
    "s_client",
    "-quiet",
    "-connect",
    `127.0.0.1:${port}`,
    "-CAfile",
    file("ca.crt"),
    "-verify_return_error",
  ];

  it("says lines to the echo server over TLS and hears them", { skip: noOpenssl }, async () => {
    const { port } = await echoServer(fixture, ...serverTls);
    const openssl = run(fixture, "openssl", trusting(port), "one\ntwo\nexit\n");
    await openssl.exited;
    assert.equal(openssl.stdout, "one\ntwo\nexit\n");
  });

  it(
    "is let in with its certificate where the echo server wants one",
    { skip: noOpenssl },
    async () => {
      const { port } = await echoServer(fixture, ...serverTls, "--ca", file("ca.crt"));
      const openssl = run(
        fixture,
        "openssl",
        [...trusting(port), "-cert", file("client.crt"), "-key", file("client.key")],
        "one\nexit\n",
      );
      await openssl.exited;
      assert.equal(openssl.stdout, "one\nexit\n");
    },
  );

  for (const [what, args, why] of [
    ["without a certificate", [], "the client has no certificate, and tls.ca demands one"],
    [
      "with a certificate that nobody trusts",
      ["-cert", file("untrusted.crt"), "-key", file("untrusted.key")],
      "the peer's certificate is self-signed, and not trusted",
    ],
  ] as const) {
    it(
      `is refused ${what}; the server says so in a sentence, and goes on`,
      { skip: noOpenssl },
      async () => {
        const { server, port } = await echoServer(fixture, ...serverTls, "--ca", file("ca.crt"));
        const refused = run(fixture, "openssl", [...trusting(port), ...args], "one\nexit\n");
        await refused.exited;
        assert.equal(refused.stdout, "");
        await server.said(
          new RegExp(
            `^Cannot finish the TLS handshake with (127\\.0\\.0\\.1:\\d+|a client that is ` +
              `gone): ${why}; .*$`,
            "m",
          ),
          "stderr",
        );
        const welcome = run(
          fixture,
          "openssl",
          [...trusting(port), "-cert", file("client.crt"), "-key", file("client.key")],
          "one\nexit\n",
        );
        await welcome.exited;
        assert.equal(welcome.stdout, "one\nexit\n");
      },
    );
  }

  it(
    "as a server that answers each line backwards (s_server -rev) is heard by the echo client",
    { skip: noOpenssl },
    async () => {
      const port = await freePort();
      const openssl = run(fixture, "openssl", [
        "s_server",
        "-rev",
        "-accept",
        port,
        "-cert",
        file("server.crt"),
        "-key",
        file("server.key"),
      ]);
      await openssl.said(/ACCEPT/);
      const client = echo(fixture, "client", [
        "--address",
        `tls://localhost:${port}`,
        "--ca",
        file("ca.crt"),
        "--message",
        "abc",
        "--sentinel",
        "level",
      ]);
      assert.equal(await client.exited, 0, client.stderr);
      assert.equal(
        client.stdout,
        `connected to tls://127.0.0.1:${port}\nreceived: cba\nclosed: sentinel\n`,
      );
    },
  );

  /** s_server can't say which port it took for 0. */
  async function freePort(): Promise<string> {
    const { server, port } = await echoServer(fixture, "--port", "0");
    await server.close();
    return port;
  }
});

describe("Python's asyncio", () => {
  const fixture = new Fixture();
  const client = `
import asyncio, struct, sys
async def main():
    reader, writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    async def receive():
        (length,) = struct.unpack(">I", await reader.readexactly(4))
        return (await reader.readexactly(length)).decode()
    for message in ["one", "", "z\\u00e4hlen", "x" * 1048576, "exit"]:
        data = message.encode()
        writer.write(struct.pack(">I", len(data)) + data)
        answer = await receive()
        print(answer[:7], len(answer), answer == message)
    print(await reader.read() == b"")
asyncio.run(main())
`;

  it("speaks length32 with the echo server", { skip: noPython }, async () => {
    const { port } = await echoServer(fixture, "--port", "0", "--wire", "length32");
    const python = run(fixture, "python3", ["-c", client, port]);
    assert.equal(await python.exited, 0, python.stderr);
    assert.equal(
      python.stdout,
      "one 3 True\n 0 True\nzählen 6 True\nxxxxxxx 1048576 True\nexit 4 True\nTrue\n",
    );
  });
});
