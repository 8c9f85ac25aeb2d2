// The first bytes: sent before the other end has had time to listen for them.

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { connect } from "@hawser/client";
import { chat, collect, echo, next, plainLines, turns } from "./conversation.ts";
import { runFile } from "./programs.ts";
import { Fixture, transports } from "./transports.ts";

for (const transport of transports) {
  describe(`a connection opens over ${transport}`, () => {
    const fixture = new Fixture(transport);

    it("and what the server sends in its open handler is the first that the client gets", async () => {
      const { socket } = await fixture.pair(chat, {
        open(opened) {
          opened.send("welcome");
          opened.send("to the server");
        },
      });
      assert.equal(await next(socket), "welcome");
      assert.equal(await next(socket), "to the server");
    });

    it("and what the client sends in the turn in which it connects is answered", async () => {
      const { connect } = await fixture.serve(chat, { message: echo });
      const socket = await connect(chat);
      socket.send("early");
      socket.end();
      assert.deepEqual(await collect(socket), ["early"]);
      assert.equal((await socket.closed).reason, "sentinel");
    });

    it("and a server that says all it has in open, and ends, is heard in full", async () => {
      const { socket } = await fixture.pair(chat, {
        open(opened) {
          for (let i = 0; i < 1_000; i++) opened.send(`line ${i}`);
          opened.end();
        },
      });
      const lines = await collect(socket);
      assert.equal(lines.length, 1_000);
      assert.equal(lines.at(-1), "line 999");
      assert.deepEqual(await socket.closed, { reason: "sentinel", error: null });
    });

    it("and messages that come while an async open handler runs wait for it", async () => {
      const order: string[] = [];
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const { socket } = await fixture.pair(chat, {
        async open() {
          order.push("open begins");
          await promise;
          order.push("open is over");
        },
        message(message, from) {
          order.push(message);
          from.send(message);
        },
      });
      socket.send("one");
      socket.send("two");
      await socket.flushed();
      resolve(undefined);
      assert.equal(await next(socket), "one");
      assert.equal(await next(socket), "two");
      assert.deepEqual(order, ["open begins", "open is over", "one", "two"]);
    });

    it("and a client that ends while an async open handler runs is still answered with the end", async () => {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const { socket } = await fixture.pair(chat, { open: () => promise, message: echo });
      socket.end();
      await turns(10);
      resolve(undefined);
      assert.deepEqual(await collect(socket), []);
      assert.deepEqual(await socket.closed, { reason: "sentinel", error: null });
    });
  });
}

describe("a server in another process that speaks first, and ends at once", () => {
  const fixture = new Fixture("unix");

  it("is heard each time", { timeout: 60_000 }, async () => {
    const path = join(fixture.directory(), "first.sock");
    const program = fixture.own(
      runFile(fileURLToPath(new URL("racer.ts", import.meta.url)), ["welcome"]),
    );
    program.say(`listen ${path} 0\n`);
    await program.said(/outcome listening/);
    for (let i = 0; i < 100; i++) {
      const socket = fixture.own(await connect(plainLines, { path }));
      assert.deepEqual(await collect(socket), ["welcome"], `connection ${String(i)}`);
    }
  });
});
