// One direction ends, the other goes on.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isHawserError } from "@hawser/protocol";
import { chat, collect, echo, next, plainLines, turns } from "./conversation.ts";
import { Fixture, transports } from "./transports.ts";

for (const transport of transports) {
  describe(`half-close over ${transport}`, () => {
    const fixture = new Fixture(transport);

    for (const { wire, how } of [
      { wire: chat, how: "sentinel" },
      { wire: plainLines, how: "ended" },
    ] as const) {
      it(`a client that has ended still gets every answer, and the reason "${how}"`, async () => {
        const { socket } = await fixture.pair(wire, {
          async message(message, from) {
            await turns();
            from.send(message);
          },
        });
        for (let i = 0; i < 100; i++) socket.send(String(i));
        socket.end();
        assert.equal(socket.state, "ending");
        assert.deepEqual(
          await collect(socket),
          Array.from({ length: 100 }, (_, i) => String(i)),
        );
        assert.deepEqual(await socket.closed, { reason: how, error: null });
      });

      it(
        "a server that has ended still gets everything that the client had sent, and the reason " +
          `"${how}"`,
        async () => {
          const got: string[] = [];
          const { promise, resolve } = Promise.withResolvers<string>();
          const { socket } = await fixture.pair(wire, {
            open(opened) {
              opened.end();
            },
            message(message) {
              got.push(message);
            },
            close(_, { reason }) {
              resolve(reason);
            },
          });
          for (let i = 0; i < 100; i++) socket.send(String(i));
          assert.deepEqual(await collect(socket), []);
          assert.equal(await promise, how);
          assert.equal(got.length, 100);
          assert.deepEqual(await socket.closed, { reason: how, error: null });
        },
      );
    }

    it("a client that has ended while the server could not send goes on reading, and loses nothing", async () => {
      const { socket } = await fixture.pair(chat, {
        async message(_, from) {
          for (let i = 0; i < 10_000; i++) {
            if (!from.send("x".repeat(1_000))) await from.writable();
          }
          from.end();
        },
      });
      socket.send("go");
      assert.equal((await next(socket))?.length, 1_000);
      await turns(50);
      socket.end();
      await turns(50);
      assert.equal((await collect(socket)).length, 9_999);
      assert.deepEqual(await socket.closed, { reason: "sentinel", error: null });
    });

    it("a handler that still works when the client has ended may go on sending until it is done", async () => {
      const { socket } = await fixture.pair(plainLines, {
        async message(_, from) {
          for (let i = 0; i < 10; i++) {
            await turns(2);
            from.send(String(i));
          }
        },
      });
      socket.send("subscribe");
      socket.end();
      assert.equal((await collect(socket)).length, 10);
    });

    it("send() after end() is refused with CONNECTION_CLOSED, and what was sent before arrives", async () => {
      const { socket } = await fixture.pair(chat, { message: echo });
      socket.send("last");
      socket.end();
      assert.throws(
        () => socket.send("too late"),
        (error) => isHawserError(error) && error.code === "CONNECTION_CLOSED",
      );
      socket.end();
      assert.deepEqual(await collect(socket), ["last"]);
      await socket.closed;
      assert.throws(() => socket.send("later"), { code: "CONNECTION_CLOSED" });
      await assert.rejects(socket.writable(), { code: "CONNECTION_CLOSED" });
      await assert.rejects(socket.flushed(), { code: "CONNECTION_CLOSED" });
    });

    it("both ends ending at once close in order", async () => {
      const { promise, resolve } = Promise.withResolvers<string>();
      const { socket, server } = await fixture.pair(chat, {
        close(_, { reason }) {
          resolve(reason);
        },
      });
      socket.end();
      for (const opened of server.sockets) opened.end();
      assert.deepEqual(await collect(socket), []);
      assert.equal((await socket.closed).reason, "sentinel");
      assert.equal(await promise, "sentinel");
      assert.equal(server.sockets.size, 0);
    });
  });
}
