// The server as a whole: broadcast, its limit of connections, and its orderly end.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type HawserError, isHawserError } from "@hawser/protocol";
import { Ticker } from "@hawser/transport";
import { ManualClock } from "@hawser/transport/testing";
import { chat, collect, echo, next, turns, until } from "./conversation.ts";
import { Fixture, transports } from "./transports.ts";

for (const transport of transports) {
  describe(`a server over ${transport}`, () => {
    const fixture = new Fixture(transport);

    it("broadcast reaches every open socket, in order with what else is sent", async () => {
      const { server, connect } = await fixture.serve(chat, {
        open(opened) {
          opened.send("welcome");
        },
      });
      const sockets = await Promise.all(Array.from({ length: 10 }, () => connect(chat)));
      for (const socket of sockets) assert.equal(await next(socket), "welcome");
      assert.equal(server.broadcast("to all"), 10);
      const [first] = server.sockets;
      first?.send("to one");
      assert.equal(server.broadcast("to all again"), 10);
      const got = await Promise.all(
        sockets.map(async (socket) => [await next(socket), await next(socket)]),
      );
      assert.deepEqual(got.filter(([, second]) => second === "to one").length, 1);
      for (const [one] of got) assert.equal(one, "to all");
      assert.throws(() => server.broadcast("exit"), { code: "PAYLOAD_IS_SENTINEL" });
      assert.throws(() => server.broadcast("two\nlines"), { code: "PAYLOAD_FORBIDDEN" });
    });

    it("broadcast leaves out who has ended, and those who are gone", async () => {
      const { server, connect } = await fixture.serve(chat, {});
      const [stays, goes, gone] = await Promise.all([connect(chat), connect(chat), connect(chat)]);
      await until(() => server.sockets.size === 3);
      gone.abort();
      await until(() => server.sockets.size === 2);
      const leaving = [...server.sockets][1];
      leaving?.end();
      assert.equal(server.broadcast("hello"), 1);
      const heard = await Promise.race([
        next(stays),
        next(goes).then((message) => message ?? next(stays)),
      ]);
      assert.equal(heard, "hello");
    });

    it(
      "a connection above maxConnections is closed and reported, and there is room again when " +
        "one goes",
      async () => {
        const errors: HawserError[] = [];
        const { server, connect } = await fixture.serve(
          chat,
          {
            message: echo,
            error(error) {
              errors.push(error);
            },
          },
          { maxConnections: 2 },
        );
        const first = await connect(chat);
        await connect(chat);
        await until(() => server.sockets.size === 2);
        // Over TLS it is closed before its handshake.
        const third = await connect(chat).then(
          async (socket) => (await socket.closed).reason,
          (error: unknown) => (isHawserError(error) ? error.code : String(error)),
        );
        assert(["CONNECTION_RESET", "ended", "error"].includes(third), third);
        await until(() => errors.length > 0);
        assert.equal(errors[0]?.code, "TOO_MANY_CONNECTIONS");
        assert.match(errors[0].message, /maxConnections 2/);
        first.end();
        await collect(first);
        await until(() => server.sockets.size === 1);
        const fourth = await connect(chat);
        fourth.send("room?");
        assert.equal(await next(fourth), "room?");
      },
    );

    it("close() ends each connection with the sentinel, after its messages: all are drained", async () => {
      const { server, connect } = await fixture.serve(chat, {
        async message(message, from) {
          await turns(3);
          from.send(message);
        },
      });
      const sockets = await Promise.all(Array.from({ length: 5 }, () => connect(chat)));
      await until(() => server.sockets.size === 5);
      const closing = server.close();
      assert.deepEqual(
        await Promise.all(sockets.map(collect)),
        sockets.map(() => []),
      );
      for (const socket of sockets) assert.equal((await socket.closed).reason, "sentinel");
      assert.deepEqual(await closing, { drained: 5, forced: 0 });
      assert.equal(await server.close(), await closing);
    });

    it("close({ graceMs }) lets conversations end by themselves, and then ends those that go on", async () => {
      const clock = new ManualClock();
      const { server, connect } = await fixture.serve(
        chat,
        { message: echo },
        { ticker: new Ticker(clock) },
      );
      const polite = await connect(chat);
      const obedient = await connect(chat);
      await until(() => server.sockets.size === 2);
      const closing = server.close({ graceMs: 1_000, deadlineMs: 5_000 });
      await turns(2);
      clock.advance(999);
      polite.send("one more");
      assert.equal(await next(polite), "one more");
      polite.end();
      assert.deepEqual(await collect(polite), []);
      await until(() => server.sockets.size === 1);
      assert.equal(obedient.state, "open");
      clock.advance(1);
      assert.deepEqual(await collect(obedient), []);
      assert.equal((await obedient.closed).reason, "sentinel");
      assert.deepEqual(await closing, { drained: 2, forced: 0 });
    });

    it("close() aborts at the deadline who does not close, and counts it as forced", async () => {
      const clock = new ManualClock();
      const { server, connect } = await fixture.serve(
        chat,
        { message: () => new Promise(() => undefined) },
        { ticker: new Ticker(clock), lingerTimeoutMs: 60_000 },
      );
      const busy = await connect(chat);
      const idle = await connect(chat);
      busy.send("never answered");
      await until(() => server.sockets.size === 2);
      await turns(10);
      // Whoever does not take its messages does not see the end, and does not answer it.
      for (let i = 0; i < 10; i++) for (const socket of server.sockets) socket.send("x");
      const closing = server.close({ deadlineMs: 5_000 });
      await turns(2);
      clock.advance(0);
      await turns(10);
      idle.abort();
      await until(() => server.sockets.size === 1);
      clock.advance(5_000);
      assert.deepEqual(await closing, { drained: 1, forced: 1 });
      busy.abort();
    });

    it("a closed server takes no new connections and can't listen again", async () => {
      const { server, connect } = await fixture.serve(chat, { message: echo });
      await server.close();
      if (transport === "memory") {
        const socket = await connect(chat);
        assert.notEqual((await socket.closed).reason, "sentinel");
      } else {
        await assert.rejects(connect(chat), {
          code: transport === "unix" ? "PATH_NOT_FOUND" : "CONNECT_REFUSED",
        });
      }
      await assert.rejects(server.listen("tcp://localhost:0"), { code: "CONNECTION_CLOSED" });
    });
  });
}
