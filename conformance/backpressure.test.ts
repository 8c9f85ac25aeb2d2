// Back-pressure: who is not read from stops sending, in bounded memory, and loses nothing.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Socket } from "@hawser/client";
import type { ServerSocket } from "@hawser/server";
import { capabilities } from "./capabilities.ts";
import { chat, collect, echo, next, plainLines, turns, until } from "./conversation.ts";
import { Fixture, transports } from "./transports.ts";

const highBytes = 65_536;
const line = "x".repeat(1_018);
const total = 20_000; // 20 MiB: more than the kernel's buffers of both ends hold

interface Progress {
  sent: number;
  refusals: number;
  mostPending: number;
}

/** Sends numbered lines of 1 KiB, waiting whenever `send()` says false. */
async function pour(
  socket: Socket<string> | ServerSocket<string>,
  progress: Progress,
): Promise<void> {
  for (; progress.sent < total; progress.sent++) {
    const hasRoom = socket.send(`${String(progress.sent).padStart(5, "0")}${line}`);
    progress.mostPending = Math.max(progress.mostPending, socket.pendingBytes);
    if (hasRoom) continue;
    progress.refusals++;
    await socket.writable();
  }
  socket.end();
}

/** Turns until nothing more is sent for a while. */
async function stalled(progress: Progress): Promise<void> {
  for (let sent = -1; sent !== progress.sent;) {
    ({ sent } = progress);
    await turns(30);
  }
}

for (const transport of transports) {
  describe(`back-pressure over ${transport}`, () => {
    const fixture = new Fixture(transport);
    const holdsBack = transport !== "tls" || capabilities.tlsHoldsBackWrites;

    it(
      "a loop that stops pulling stops the server's sending, and gets everything in order when " +
        "it goes on",
      async () => {
        const progress = { sent: 0, refusals: 0, mostPending: 0 };
        const { socket } = await fixture.pair(chat, { message: (_, from) => pour(from, progress) });
        socket.send("go");
        assert.match((await next(socket)) ?? "", /^00000x/);
        await stalled(progress);
        assert.equal(progress.sent < total, holdsBack);
        const held = progress.sent;
        let count = 1;
        for await (const message of socket) {
          if (!message.startsWith(String(count).padStart(5, "0")))
            assert.fail(`${message.slice(0, 5)} came in place ${count}`);
          if (++count % 5_000 === 0) await turns(5);
        }
        assert.equal(count, total);
        assert.equal(progress.sent > held, holdsBack);
        assert(progress.mostPending <= highBytes + 1_024, `${progress.mostPending} bytes waited`);
        assert.equal((await socket.closed).reason, "sentinel");
      },
    );

    it(
      "a handler that has not finished stops the client's sending, and gets everything in order " +
        "when it goes on",
      async () => {
        const progress = { sent: 0, refusals: 0, mostPending: 0 };
        const { promise, resolve } = Promise.withResolvers<undefined>();
        let count = 0;
        const { socket } = await fixture.pair(plainLines, {
          message(message) {
            if (!message.startsWith(String(count).padStart(5, "0")))
              assert.fail(`${message.slice(0, 5)} came in place ${count}`);
            return count++ === 0 ? promise : undefined;
          },
        });
        const pouring = pour(socket, progress);
        await until(() => count > 0);
        await stalled(progress);
        assert.equal(count, 1);
        assert.equal(progress.sent < total, holdsBack);
        resolve(undefined);
        await pouring;
        await until(() => count === total);
        if (transport !== "tls" || capabilities.tlsHearsTheEndWhilePaused) {
          assert.equal((await socket.closed).reason, "ended");
        } else {
          await turns(50);
          assert.equal(socket.state, "ending");
        }
        assert(progress.mostPending <= highBytes + 1_024, `${progress.mostPending} bytes waited`);
      },
    );

    it(
      "writable() and flushed() resolve at once when nothing waits, and flushed() when all has " +
        "left",
      async () => {
        const { socket } = await fixture.pair(chat, {});
        await socket.writable();
        await socket.flushed();
        assert.equal(socket.send("one"), true);
        assert.equal(socket.pendingBytes, "one\n".length);
        await socket.flushed();
        assert.equal(socket.pendingBytes, 0);
      },
    );

    it(
      "send() above writeBuffer.maxBytes is WRITE_BUFFER_FULL for a client that does not wait; " +
        "what was taken arrives",
      async () => {
        const { socket } = await fixture.pair(
          chat,
          { message: echo },
          {},
          { writeBuffer: { lowBytes: 100, highBytes: 1_000, maxBytes: 2_000 } },
        );
        let taken = 0;
        assert.throws(
          () => {
            for (; taken < 100; taken++)
              socket.send(`${String(taken).padStart(3, "0")}${line.slice(0, 96)}`);
          },
          { code: "WRITE_BUFFER_FULL", message: /maxBytes 2000/ },
        );
        assert.equal(taken, 20);
        socket.end();
        assert.deepEqual(
          (await collect(socket)).map((message) => Number(message.slice(0, 3))),
          Array.from({ length: taken }, (_, i) => i),
        );
      },
    );

    it("the event writable follows send() saying false, once", async () => {
      const { socket } = await fixture.pair(
        chat,
        { message: () => undefined },
        {},
        { writeBuffer: { highBytes: 1_024, lowBytes: 512 } },
      );
      let events = 0;
      socket.on("writable", () => events++);
      assert.equal(socket.send("a".repeat(2_000)), false);
      assert.equal(socket.send("b".repeat(2_000)), false);
      await socket.writable();
      await until(() => events > 0);
      await socket.flushed();
      assert.equal(events, 1);
      assert.equal(socket.send("c"), true);
    });
  });
}
