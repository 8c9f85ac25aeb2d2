// Plain node:net programs of the classic habit: no framing, ' exit' at the end. As the tutorials
// write them.

import assert from "node:assert/strict";
import net from "node:net";
import { describe, it } from "node:test";
import { Fixture } from "../transports.ts";
import { assertSentence, echo, echoServer } from "./echo-programs.ts";

describe("a plain node:net client", () => {
  const fixture = new Fixture();

  /** Says a message, collects until the answer ends in the sentinel, and closes. */
  function converse(options: net.NetConnectOpts, message: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let answer = "";
      const socket = net.connect(options, () => socket.write(message));
      socket.setEncoding("utf8").on("data", (chunk: string) => {
        answer += chunk;
        if (answer.endsWith(" exit")) socket.end();
      });
      socket.on("close", () => {
        resolve(answer);
      });
      socket.on("error", reject);
    });
  }

  it("hears its message and ' exit' from the classic echo server, over TCP and a Unix socket", async () => {
    const { server, port } = await echoServer(fixture, "--port", "0", "--wire", "classic");
    assert.equal(
      await converse({ host: "127.0.0.1", port: Number(port) }, "Hello World!"),
      "Hello World! exit",
    );
    await server.said(
      /^127\.0\.0\.1:\d+ says: Hello World!\nconnection from 127\.0\.0\.1:\d+ closed$/m,
    );
    const path = `${fixture.directory()}/classic.sock`;
    await echoServer(fixture, "--path", path, "--wire", "classic");
    assert.equal(await converse({ path }, "Hello World!"), "Hello World! exit");
  });

  it("that says more in the same connection gets each chunk answered", async () => {
    const { port } = await echoServer(fixture, "--port", "0", "--wire", "classic");
    const answers: string[] = [];
    await new Promise<void>((resolve) => {
      const socket = net.connect({ host: "127.0.0.1", port: Number(port) }, () =>
        socket.write("one"),
      );
      socket.setEncoding("utf8").on("data", (chunk: string) => {
        answers.push(chunk);
        if (answers.length === 1) socket.write("two");
        else socket.end();
      });
      socket.on("close", () => {
        resolve();
      });
    });
    assert.deepEqual(answers, ["one exit", "two exit"]);
  });
});

describe("a plain node:net server", () => {
  const fixture = new Fixture();

  it("is heard by the classic echo client wherever the answer is cut", async () => {
    const answer = "ab exit";
    let connections = 0;
    const heard: string[] = [];
    const server = net.createServer((socket) => {
      const cut = (connections++ % (answer.length - 1)) + 1;
      socket.setNoDelay(true);
      socket.setEncoding("utf8").on("data", (chunk: string) => {
        heard.push(chunk);
        socket.write(answer.slice(0, cut), () => {
          setImmediate(() => socket.write(answer.slice(cut)));
        });
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    fixture.own({
      close: () =>
        new Promise<void>((resolve) => {
          server.close(() => {
            resolve();
          });
        }),
    });
    const { port } = server.address() as net.AddressInfo; // it listens on TCP
    const clients = Array.from({ length: answer.length - 1 }, () =>
      echo(fixture, "client", ["--port", String(port), "--wire", "classic", "--message", "ab"]),
    );
    for (const client of clients) {
      assert.equal(await client.exited, 0, client.stderr);
      assert.equal(
        client.stdout,
        `connected to tcp://127.0.0.1:${port}\nreceived: ab\nclosed: sentinel\n`,
      );
    }
    assert.deepEqual(
      heard,
      clients.map(() => "ab"),
    );
  });

  it(
    "that closes without the sentinel is told apart: the client says what came, the reason, and " +
      "exits with 1",
    async () => {
      const server = net.createServer((socket) => {
        socket.once("data", () => socket.end("half an answ"));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      fixture.own({ close: () => void server.close() });
      const { port } = server.address() as net.AddressInfo; // it listens on TCP
      const client = echo(fixture, "client", ["--port", String(port), "--wire", "classic"]);
      assert.equal(await client.exited, 1);
      assert.equal(
        client.stdout,
        `connected to tcp://127.0.0.1:${port}\nreceived: half an answ\nclosed: ended\n`,
      );
      assert.match(client.stderr, /^[^\n]*without the sentinel[^\n]*\n$/);
    },
  );
});

describe("the two echo programs", () => {
  const fixture = new Fixture();

  for (const wire of ["lines", "length32", "classic"]) {
    it(`hold the conversation of the README over ${wire}`, async () => {
      const { server, address } = await echoServer(fixture, "--port", "0", "--wire", wire);
      const client = echo(fixture, "client", ["--address", address, "--wire", wire]);
      assert.equal(await client.exited, 0, client.stderr);
      assert.equal(
        client.stdout,
        `connected to ${address}\nreceived: Hello World!\nclosed: sentinel\n`,
      );
      await server.said(
        /^new client connected: (127\.0\.0\.1:\d+)\n\1 says: Hello World!\nconnection from \1 closed$/m,
      );
      server.kill("SIGTERM");
      assert.equal(await server.exited, 0);
      assert.equal(server.stderr, "");
    });
  }

  it("hold it as a typed session, and say what the other speaks when it is not one", async () => {
    const { server, address } = await echoServer(fixture, "--port", "0", "--wire", "session");
    const client = echo(fixture, "client", ["--address", address, "--wire", "session"]);
    assert.equal(await client.exited, 0, client.stderr);
    assert.equal(
      client.stdout,
      `connected to ${address.replace("tcp://", "")}\nreceived: Hello World!\nclosed: closed\n`,
    );
    await server.said(
      /^new client connected: (127\.0\.0\.1:\d+)\n\1 says: Hello World!\nconnection from \1 closed$/m,
    );
    const stranger = echo(fixture, "client", ["--address", address]);
    assert.equal(await stranger.exited, 1);
    server.kill("SIGTERM");
    assert.equal(await server.exited, 0);
    assertSentence(server.stderr, /does not speak Hawser's session protocol/);
  });

  it("hold it over a Unix socket and a pipe, too", async () => {
    const directory = fixture.directory();
    const env = { XDG_RUNTIME_DIR: directory };
    for (const address of [`unix:${directory}/echo.sock`, "pipe:echo"]) {
      const server = echo(fixture, "server", ["--address", address], env);
      assert.equal((await server.said(/listening on (.*)/))[1], address);
      const client = echo(fixture, "client", ["--address", address], env);
      assert.equal(await client.exited, 0, client.stderr);
      assert.equal(
        client.stdout,
        `connected to ${address}\nreceived: Hello World!\nclosed: sentinel\n`,
      );
    }
  });
});
