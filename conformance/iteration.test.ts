// How messages reach a client: loops, loops that are left, listeners, and that it is one or the
// other.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Closed } from "@hawser/session";
import { chat, collect, echo, next, turns, until } from "./conversation.ts";
import { Fixture, transports } from "./transports.ts";

const count = 10;
const all = Array.from({ length: count }, (_, i) => String(i));

for (const transport of transports) {
  describe(`messages over ${transport}`, () => {
    const fixture = new Fixture(transport);
    const speaker = {
      open(opened: { send(message: string): unknown; end(): void }): void {
        for (const message of all) opened.send(message);
        opened.end();
      },
    };

    it("a loop that is left early loses nothing: the next loop goes on with the next message", async () => {
      const { socket } = await fixture.pair(chat, speaker);
      const got: string[] = [];
      for await (const message of socket) {
        got.push(message);
        if (got.length === 3) break;
      }
      await turns(5);
      assert.deepEqual(got, all.slice(0, 3));
      for await (const message of socket) {
        got.push(message);
        if (got.length === 7) break;
      }
      got.push(...(await collect(socket)));
      assert.deepEqual(got, all);
      assert.equal((await socket.closed).reason, "sentinel");
    });

    it("a loop that throws leaves the socket as it is", async () => {
      const { socket } = await fixture.pair(chat, speaker);
      await assert.rejects(
        async () => {
          for await (const message of socket) if (message === "4") throw new Error("enough");
        },
        { message: "enough" },
      );
      assert.deepEqual(await collect(socket), all.slice(5));
    });

    it("a loop after the end is empty", async () => {
      const { socket } = await fixture.pair(chat, speaker);
      assert.deepEqual(await collect(socket), all);
      assert.deepEqual(await collect(socket), []);
      await socket.closed;
      assert.deepEqual(await collect(socket), []);
    });

    it("two next() at once get two messages, in order", async () => {
      const { socket } = await fixture.pair(chat, speaker);
      const iterator = socket[Symbol.asyncIterator]();
      const results = await Promise.all([iterator.next(), iterator.next(), iterator.next()]);
      assert.deepEqual(
        results.map(({ value }) => value),
        ["0", "1", "2"],
      );
    });

    it("on('message') gets every message in order, and close comes last with the reason", async () => {
      const { socket } = await fixture.pair(chat, speaker);
      const events: string[] = [];
      const closed = Promise.withResolvers<Closed>();
      socket.on("message", (message) => events.push(message));
      socket.once("close", (how) => {
        events.push("close");
        closed.resolve(how);
      });
      assert.equal(await closed.promise, await socket.closed);
      assert.deepEqual(events, [...all, "close"]);
    });

    it("once('message') gets one, and the rest waits for whoever comes next", async () => {
      const { socket } = await fixture.pair(chat, speaker);
      const first = await new Promise<string>((resolve) => socket.once("message", resolve));
      assert.equal(first, "0");
      await turns(5);
      assert.deepEqual(await collect(socket), all.slice(1));
    });

    it("off('message') stops the flow at once, and on() or a loop goes on with the next", async () => {
      const { socket } = await fixture.pair(chat, speaker);
      const got: string[] = [];
      const listener = (message: string): void => {
        got.push(message);
        if (got.length === 4) socket.off("message", listener);
      };
      socket.on("message", listener);
      await until(() => got.length === 4);
      await turns(5);
      assert.deepEqual(got, all.slice(0, 4));
      assert.deepEqual(await collect(socket), all.slice(4));
    });

    it("a listener and a loop at once are refused: it is one of the two", async () => {
      const { socket } = await fixture.pair(chat, { message: echo });
      const listener = (): void => undefined;
      socket.on("message", listener);
      await assert.rejects(next(socket), TypeError);
      socket.off("message", listener);
      const waiting = next(socket);
      assert.throws(() => socket.on("message", listener), TypeError);
      socket.send("for the loop");
      assert.equal(await waiting, "for the loop");
    });

    it(
      "[Symbol.asyncDispose]() says the sentinel, drops what comes, and waits until the " +
        "connection is gone",
      async () => {
        const heard: string[] = [];
        const { server, socket } = await fixture.pair(chat, {
          message(message, from) {
            heard.push(message);
            for (let i = 0; i < 1_000; i++) from.send(message);
          },
        });
        socket.send("one");
        await socket[Symbol.asyncDispose]();
        assert.equal(socket.state, "closed");
        await until(() => server.sockets.size === 0);
        assert.deepEqual(heard, ["one"]);
      },
    );
  });
}
