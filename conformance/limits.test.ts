// Limits of a connection: slow readers, unfinished frames, silence, bytes that are no text. Time is
// a ManualClock's.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { HawserError } from "@hawser/protocol";
import { Ticker } from "@hawser/transport";
import { ManualClock } from "@hawser/transport/testing";
import { capabilities } from "./capabilities.ts";
import { chat, collect, echo, next, rawBytes, turns, until } from "./conversation.ts";
import { Fixture, transports } from "./transports.ts";

const encoder = new TextEncoder();

for (const transport of transports) {
  describe(`limits over ${transport}`, () => {
    const fixture = new Fixture(transport);
    const holdsBack = transport !== "tls" || capabilities.tlsHoldsBackWrites;

    it(
      "who reads too slowly is closed as SLOW_CONSUMER at writeBuffer.maxBytes, and the others " +
        "go on",
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
          { writeBuffer: { maxBytes: 1_048_576 } },
        );
        const slow = await connect(chat);
        const good = await connect(chat);
        await until(() => server.sockets.size === 2);
        let heard = 0;
        good.on("message", () => heard++);
        const news = "n".repeat(65_535);
        let sent = 0;
        // 64 MiB is more than the system's buffers hold; the good one keeps up, turn by turn.
        for (; sent < 1_024 && server.sockets.size === 2; sent++) {
          server.broadcast(news);
          await until(() => heard > sent);
        }
        assert.equal(sent < 1_024, holdsBack);
        if (holdsBack) {
          assert.deepEqual(
            errors.map(({ code }) => code),
            ["SLOW_CONSUMER"],
          );
          assert.match(errors[0]?.message ?? "", /maxBytes 1048576/);
          assert.equal(server.sockets.size, 1);
        }
        good.send("hello");
        await until(() => heard > sent);
        slow.abort();
      },
    );

    it("who takes nothing for stallMs is closed as SLOW_CONSUMER", async () => {
      const clock = new ManualClock();
      const errors: HawserError[] = [];
      const { server, connect } = await fixture.serve(
        chat,
        {
          async open(opened) {
            for (let i = 0; i < 1_024; i++)
              if (!opened.send("n".repeat(65_535))) await opened.writable();
          },
          error(error) {
            errors.push(error);
          },
        },
        { ticker: new Ticker(clock), idleTimeoutMs: Infinity, writeBuffer: { stallMs: 1_000 } },
      );
      const slow = await connect(chat);
      await until(() => server.sockets.size === 1);
      await turns(200);
      for (let i = 0; i < 10; i++) {
        clock.advance(250);
        await turns(5);
      }
      assert.deepEqual(
        errors.map(({ code }) => code),
        holdsBack ? ["SLOW_CONSUMER"] : [],
      );
      if (holdsBack) assert.match(errors[0]?.message ?? "", /stallMs 1000/);
      slow.abort();
    });

    it(
      "a frame that is not complete within frameTimeoutMs is FRAME_TIMEOUT; what came before it " +
        "is answered",
      async () => {
        const clock = new ManualClock();
        const errors: HawserError[] = [];
        const { connect } = await fixture.serve(
          chat,
          {
            message: echo,
            error(error) {
              errors.push(error);
            },
          },
          { ticker: new Ticker(clock), frameTimeoutMs: 1_000, idleTimeoutMs: Infinity },
        );
        const socket = await connect(rawBytes);
        socket.send(encoder.encode("whole\nhal"));
        assert.equal(Buffer.from((await next(socket)) ?? "").toString(), "whole\n");
        clock.advance(750);
        socket.send(encoder.encode("f a li")); // more of it does not help
        await turns(20);
        assert.equal(errors.length, 0);
        clock.advance(500);
        assert.deepEqual(
          errors.map(({ code }) => code),
          ["FRAME_TIMEOUT"],
        );
        assert.match(errors[0]?.message ?? "", /frameTimeoutMs 1000/);
        assert.deepEqual(await collect(socket), []);
      },
    );

    it(
      "silence for idleTimeoutMs is IDLE_TIMEOUT; each byte that comes counts, and what the peer " +
        "takes",
      async () => {
        const clock = new ManualClock();
        const errors: HawserError[] = [];
        const { server, connect } = await fixture.serve(
          chat,
          {
            message: echo,
            error(error) {
              errors.push(error);
            },
          },
          { ticker: new Ticker(clock), idleTimeoutMs: 1_000 },
        );
        const socket = await connect(chat);
        await until(() => server.sockets.size === 1);
        clock.advance(750);
        socket.send("alive");
        assert.equal(await next(socket), "alive");
        clock.advance(750);
        assert.equal(server.broadcast("are you there?"), 1);
        assert.equal(await next(socket), "are you there?");
        clock.advance(750);
        assert.equal(errors.length, 0);
        clock.advance(500);
        assert.deepEqual(
          errors.map(({ code }) => code),
          ["IDLE_TIMEOUT"],
        );
        assert.match(errors[0]?.message ?? "", /idleTimeoutMs 1000/);
        assert.deepEqual(await collect(socket), []);
        await socket.closed;
      },
    );

    it("a peer that does not close after the end is closed after lingerTimeoutMs", async () => {
      const clock = new ManualClock();
      const reasons: string[] = [];
      const { server, connect } = await fixture.serve(
        chat,
        {
          close(_, { reason }) {
            reasons.push(reason);
          },
        },
        { ticker: new Ticker(clock), lingerTimeoutMs: 1_000 },
      );
      // The raw client says the sentinel, and then neither takes the answer nor ends.
      const socket = await connect(rawBytes);
      socket.send(encoder.encode("exit\n"));
      await until(() =>
        [...server.sockets].some(
          ({ state, pendingBytes }) => state === "lingering" && pendingBytes === 0,
        ),
      );
      clock.advance(750);
      assert.equal(server.sockets.size, 1);
      clock.advance(500);
      await until(() => server.sockets.size === 0);
      assert.deepEqual(reasons, ["sentinel"]);
      socket.abort();
    });

    it(
      "bytes that are not UTF-8 are MESSAGE_INVALID for a server; what came before is answered, " +
        "and others go on",
      async () => {
        const errors: HawserError[] = [];
        const { connect } = await fixture.serve(chat, {
          message: echo,
          error(error) {
            errors.push(error);
          },
        });
        const other = await connect(chat);
        const socket = await connect(rawBytes);
        socket.send(
          Uint8Array.of(
            ...encoder.encode("fine\n"),
            0xc3,
            0x28,
            0x0a,
            ...encoder.encode("never\n"),
          ),
        );
        assert.equal(Buffer.concat(await collect(socket)).toString(), "fine\n");
        assert.deepEqual(
          errors.map(({ code, origin }) => [code, origin]),
          [["MESSAGE_INVALID", "remote"]],
        );
        assert.match(errors[0]?.message ?? "", /not UTF-8/);
        other.send("still there?");
        assert.equal(await next(other), "still there?");
      },
    );

    it("bytes that are not UTF-8 are MESSAGE_INVALID for a client; what came before is delivered", async () => {
      const { connect } = await fixture.serve(rawBytes, {
        open(opened) {
          opened.send(Uint8Array.of(...encoder.encode("fine\n"), 0xff, 0x0a));
        },
      });
      const socket = await connect(chat);
      const got: string[] = [];
      await assert.rejects(
        async () => {
          for await (const message of socket) got.push(message);
        },
        { code: "MESSAGE_INVALID" },
      );
      assert.deepEqual(got, ["fine"]);
      assert.equal((await socket.closed).error?.code, "MESSAGE_INVALID");
    });
  });
}
