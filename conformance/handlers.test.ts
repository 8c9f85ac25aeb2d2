// Handlers: their order, how many run at once, and that their failures end their own connection and
// nothing else.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { HawserError } from "@hawser/protocol";
import type { WireHandlers } from "@hawser/server";
import type { Closed } from "@hawser/session";
import { chat, collect, echo, next, turns, until } from "./conversation.ts";
import { Fixture, transports } from "./transports.ts";

const boom = new Error("boom");

/** Ways to fail when the message is "fail", or at once. */
const failures: readonly (readonly [name: string, handlers: WireHandlers<string>])[] = [
  ["throws in message", { message: throwIf }],
  [
    "rejects in message",
    {
      message: (message) =>
        turns(2).then(() => {
          throwIf(message);
        }),
    },
  ],
  [
    "throws a value that is no error in message",
    {
      message(message) {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- what users do
        if (message === "fail") throw "boom";
      },
    },
  ],
];

function throwIf(message: string): void {
  if (message === "fail") throw boom;
}

for (const transport of transports) {
  describe(`handlers over ${transport}`, () => {
    const fixture = new Fixture(transport);

    for (const [name, handlers] of failures) {
      it(
        `one that ${name} ends its own connection as HANDLER_FAILED; what it sent before ` +
          "arrives, and others go on",
        async () => {
          const errors: HawserError[] = [];
          const closed: Closed[] = [];
          const { connect, socket } = await fixture.pair(chat, {
            message(message, from) {
              from.send(`got ${message}`);
              return handlers.message?.(message, from);
            },
            close(_, how) {
              closed.push(how);
            },
            error(error) {
              errors.push(error);
            },
          });
          const other = await connect(chat);
          for (const message of ["fine", "fail", "never handled"]) socket.send(message);
          assert.deepEqual(await collect(socket), ["got fine", "got fail"]);
          await until(() => closed.length > 0);
          assert.deepEqual(
            errors.map(({ code }) => code),
            ["HANDLER_FAILED"],
          );
          assert.match(errors[0]?.message ?? "", /message handler failed: boom/);
          assert.equal(errors[0], closed[0]?.error);
          assert.equal(closed[0]?.reason, "error");
          other.send("still there?");
          assert.equal(await next(other), "got still there?");
        },
      );
    }

    for (const name of ["throws", "rejects"] as const) {
      it(`one that ${name} in open ends its own connection, and no message is handled`, async () => {
        let first = true;
        const handled: string[] = [];
        const errors: string[] = [];
        const { connect, socket } = await fixture.pair(chat, {
          open() {
            if (!first) return;
            first = false;
            if (name === "throws") throw boom;
            return turns(2).then(() => {
              throw boom;
            });
          },
          message(message, from) {
            handled.push(message);
            from.send(message);
          },
          error(error) {
            errors.push(error.code);
          },
        });
        socket.send("one");
        assert.deepEqual(await collect(socket), []);
        await socket.closed;
        const other = await connect(chat);
        other.send("two");
        assert.equal(await next(other), "two");
        assert.deepEqual([handled, errors], [["two"], ["HANDLER_FAILED"]]);
      });

      it(`one that ${name} in close is reported, and others go on`, async () => {
        const errors: HawserError[] = [];
        const { connect, socket } = await fixture.pair(chat, {
          message: echo,
          close() {
            if (name === "throws") throw boom;
            return Promise.reject(boom);
          },
          error(error) {
            errors.push(error);
          },
        });
        const other = await connect(chat);
        socket.end();
        await collect(socket);
        await until(() => errors.length > 0);
        assert.deepEqual(
          errors.map(({ code, cause }) => [code, cause]),
          [["HANDLER_FAILED", boom]],
        );
        other.send("still there?");
        assert.equal(await next(other), "still there?");
      });
    }

    it("one that throws in error harms nobody", async () => {
      const { connect, socket } = await fixture.pair(chat, {
        message(message, from) {
          throwIf(message);
          from.send(message);
        },
        error() {
          throw boom;
        },
      });
      const other = await connect(chat);
      socket.send("fail");
      assert.deepEqual(await collect(socket), []);
      other.send("still there?");
      assert.equal(await next(other), "still there?");
    });

    it("async ones run one at a time by default, in order", async () => {
      let running = 0;
      let most = 0;
      const { socket } = await fixture.pair(chat, {
        async message(message, from) {
          most = Math.max(most, ++running);
          await turns(1);
          from.send(message);
          running--;
        },
      });
      const messages = Array.from({ length: 50 }, (_, i) => String(i));
      for (const message of messages) socket.send(message);
      socket.end();
      assert.deepEqual(await collect(socket), messages);
      assert.equal(most, 1);
    });

    it(
      "async ones run up to maxInFlight at once, begun in order, and all are answered before the " +
        "end",
      async () => {
        let running = 0;
        let most = 0;
        const begun: string[] = [];
        const { socket } = await fixture.pair(
          chat,
          {
            async message(message, from) {
              begun.push(message);
              most = Math.max(most, ++running);
              await turns(Number(message) % 3);
              from.send(message);
              running--;
            },
          },
          { maxInFlight: 4 },
        );
        const messages = Array.from({ length: 50 }, (_, i) => String(i));
        for (const message of messages) socket.send(message);
        socket.end();
        assert.deepEqual(
          (await collect(socket)).sort((one, other) => Number(one) - Number(other)),
          messages,
        );
        assert.deepEqual(begun, messages);
        assert.equal(most, 4);
      },
    );

    it("close is called once, last, after every message is handled", async () => {
      const calls: string[] = [];
      const { socket } = await fixture.pair(chat, {
        open: () => void calls.push("open"),
        async message(message) {
          await turns(5);
          calls.push(message);
        },
        close: (_, { reason }) => void calls.push(`close ${reason}`),
      });
      for (const message of ["1", "2", "3"]) socket.send(message);
      socket.end();
      await collect(socket);
      await until(() => calls.length > 4);
      await turns(5);
      assert.deepEqual(calls, ["open", "1", "2", "3", "close sentinel"]);
    });
  });
}
