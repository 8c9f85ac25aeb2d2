// Giving up, at each step and from either side: nothing hangs, nothing leaks, the reason is told.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect as connectTo } from "@hawser/client";
import { HawserError } from "@hawser/protocol";
import type { Closed } from "@hawser/session";
import { chat, collect, echo, next, rawBytes, until } from "./conversation.ts";
import { clientTls, Fixture, transports } from "./transports.ts";

/** What the peer of an abort sees: the connection broke, or ended without the sentinel. */
function assertBroken({ reason, error }: Closed): void {
  assert.notEqual(reason, "sentinel");
  if (reason !== "ended") assert.deepEqual([reason, error?.code], ["error", "CONNECTION_RESET"]);
}

for (const transport of transports) {
  describe(`abort over ${transport}`, () => {
    const fixture = new Fixture(transport);

    it("a signal that is aborted already lets nothing be connected, and its reason is thrown", async () => {
      const { server, connect } = await fixture.serve(chat, {});
      const reason = new Error("changed my mind");
      await assert.rejects(connect(chat, { signal: AbortSignal.abort(reason) }), reason);
      // the pair was made before connect was called
      assert.equal(server.sockets.size, transport === "memory" ? 1 : 0);
    });

    it(
      "a signal aborted while it connects ends the connecting with the signal's reason, or the " +
        "new connection with ABORTED",
      async () => {
        const { server, connect } = await fixture.serve(chat, {});
        const controller = new AbortController();
        const reason = new Error("changed my mind");
        const connecting = connect(chat, { signal: controller.signal });
        controller.abort(reason);
        const outcome = await connecting.then(
          ({ closed }) => closed,
          (error: unknown) => error,
        );
        if (outcome !== reason) {
          // it is no error: then it is what closed tells
          assert.equal((outcome as Closed).error?.code, "ABORTED");
          assert.equal((outcome as Closed).error?.cause, reason);
        }
        await until(() => server.sockets.size === 0);
      },
    );

    it(
      "right after connecting: closed says aborted, the loop is empty, the server's socket goes " +
        "too",
      async () => {
        const closed = Promise.withResolvers<Closed>();
        const { server, socket } = await fixture.pair(chat, {
          close(_, how) {
            closed.resolve(how);
          },
        });
        // over TLS 1.3 the client is ready before the server
        await until(() => server.sockets.size === 1);
        socket.abort();
        assert.throws(() => socket.send("late"), { code: "CONNECTION_CLOSED" });
        assert.deepEqual(await socket.closed, { reason: "aborted", error: null });
        assert.deepEqual(await collect(socket), []);
        assertBroken(await closed.promise);
        assert.equal(server.sockets.size, 0);
      },
    );

    it(
      "by its signal, with what it has to say: closed has the error, whose cause is the signal's " +
        "reason",
      async () => {
        const controller = new AbortController();
        const { socket } = await fixture.pair(chat, {}, {}, { signal: controller.signal });
        const reason = new Error("enough");
        controller.abort(reason);
        const { reason: how, error } = await socket.closed;
        assert.deepEqual([how, error?.code, error?.cause], ["aborted", "ABORTED", reason]);
        await assert.rejects(collect(socket), { code: "ABORTED" });
      },
    );

    it("while much is being sent: what waits is dropped, who waits for it is told", async () => {
      const { server, socket } = await fixture.pair(chat, {
        message: () => new Promise(() => undefined),
      });
      while (socket.pendingBytes < 1_000_000) socket.send("x".repeat(10_000));
      const flushed = socket.flushed();
      const writable = socket.writable();
      socket.abort();
      await assert.rejects(flushed, { code: "CONNECTION_CLOSED" });
      await assert.rejects(writable, { code: "CONNECTION_CLOSED" });
      assert.equal((await socket.closed).reason, "aborted");
      assert.equal(socket.pendingBytes, 0);
      for (const each of server.sockets) each.abort(); // it does not read, so it can't see the end
      await until(() => server.sockets.size === 0);
    });

    it("inside the loop: it ends after the message at hand, without an error", async () => {
      const { socket } = await fixture.pair(chat, {
        open(opened) {
          for (let i = 0; i < 100; i++) opened.send(String(i));
        },
      });
      const got: string[] = [];
      for await (const message of socket) {
        got.push(message);
        if (got.length === 3) socket.abort();
      }
      assert.deepEqual(got, ["0", "1", "2"]);
      assert.deepEqual(await socket.closed, { reason: "aborted", error: null });
    });

    it("while the loop waits for a message: it ends", async () => {
      const { socket } = await fixture.pair(chat, {});
      const waiting = next(socket);
      socket.abort();
      assert.equal(await waiting, undefined);
    });

    it("by the server in its open handler: the client sees no sentinel", async () => {
      const { socket } = await fixture.pair(chat, {
        open(opened) {
          opened.abort();
        },
      });
      assertBroken(await socket.closed);
    });

    it(
      "by the server while it handles a message, with an error of its own: its close handler has " +
        "that, others go on",
      async () => {
        const closed = Promise.withResolvers<Closed>();
        const why = new HawserError("ABORTED", "I do not like this one");
        const { connect, socket } = await fixture.pair(chat, {
          message(message, from) {
            if (message === "kill me") from.abort(why);
            else echo(message, from);
          },
          close(_, how) {
            closed.resolve(how);
          },
        });
        const other = await connect(chat);
        socket.send("kill me");
        assert.deepEqual(await closed.promise, { reason: "aborted", error: why });
        assertBroken(await socket.closed);
        other.send("still there?");
        assert.equal(await next(other), "still there?");
      },
    );

    it("twice, or after the end, changes nothing", async () => {
      const { socket } = await fixture.pair(chat, { message: echo });
      socket.end();
      assert.deepEqual(await collect(socket), []);
      const closed = await socket.closed;
      socket.abort();
      socket.abort(new HawserError("ABORTED", "too late"));
      socket.end();
      assert.deepEqual(closed, { reason: "sentinel", error: null });
      assert.equal(await socket.closed, closed);
    });
  });
}

describe("abort of what is not connected yet", () => {
  const fixture = new Fixture("tls");

  it("a TLS handshake that never answers ends with the signal's reason", async () => {
    const silent = fixture.server(rawBytes, {});
    const controller = new AbortController();
    const address = await silent.listen("tcp://localhost:0");
    assert("port" in address);
    const connecting = connectTo(chat, `tls://localhost:${address.port}`, {
      tls: clientTls,
      signal: controller.signal,
    });
    await until(() => silent.sockets.size === 1);
    controller.abort(new Error("enough"));
    await assert.rejects(connecting, { message: "enough" });
    await until(() => silent.sockets.size === 0);
  });
});
