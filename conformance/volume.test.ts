// Much at once: more than the system takes, to readers that are slow, have ended, or go away.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytes, lengthPrefixed, wire } from "@hawser/protocol";
import type { WireHandlers } from "@hawser/server";
import type { Closed } from "@hawser/session";
import { next, turns, until } from "./conversation.ts";
import { Fixture, transports } from "./transports.ts";

/**
 * With a sentinel, since a reader that pauses must hear the end on every runtime: see
 * `tlsHearsTheEndWhilePaused`.
 */
const blocks = wire({ framing: lengthPrefixed(), codec: bytes(), sentinel: "exit" });

/** A block whose every byte depends on its place and on the block's number. */
function block(number: number, length: number): Uint8Array {
  const content = new Uint8Array(length);
  for (let i = 0; i < length; i++) content[i] = (i * 31 + (i >> 8) * 7 + number * 131) & 0xff;
  return content;
}

function assertBlock(got: Uint8Array, number: number, length: number): void {
  if (Buffer.compare(got, block(number, length)) !== 0)
    assert.fail(`block ${number} is not what was sent`);
}

for (const transport of transports) {
  describe(`much over ${transport}`, () => {
    const fixture = new Fixture(transport);

    it("64 MiB to a slow reader arrive byte for byte, in blocks that no write takes whole", async () => {
      const [count, length] = [65, 1_048_573];
      const { socket } = await fixture.pair(blocks, {
        async message(_, from) {
          for (let i = 0; i < count; i++) if (!from.send(block(i, length))) await from.writable();
          from.end();
        },
      });
      socket.send(new Uint8Array(1));
      let got = 0;
      for await (const message of socket) {
        assertBlock(message, got++, length);
        await turns(2);
      }
      assert.equal(got, count);
      assert.deepEqual(await socket.closed, { reason: "sentinel", error: null });
    });

    it("what waits when the peer has ended leaves all the same, and this end's end behind it", async () => {
      const [count, length] = [400, 50_021];
      const { promise, resolve } = Promise.withResolvers<Closed>();
      let pending = 0;
      const handlers: WireHandlers<Uint8Array> = {
        message(_, from) {
          for (let i = 0; i < count; i++) from.send(block(i, length));
          pending = from.pendingBytes;
        },
        close(_, closed) {
          resolve(closed);
        },
      };
      const { socket } = await fixture.pair(blocks, handlers, {
        writeBuffer: { maxBytes: 2 * count * length },
      });
      socket.send(new Uint8Array(1));
      socket.end();
      const first = await next(socket);
      assert(first !== undefined);
      assertBlock(first, 0, length);
      assert(pending > length, `${pending} bytes waited`);
      await turns(50);
      let got = 1;
      for await (const message of socket) assertBlock(message, got++, length);
      assert.equal(got, count);
      assert.deepEqual(await socket.closed, { reason: "sentinel", error: null });
      assert.deepEqual(await promise, { reason: "sentinel", error: null });
    });

    it(
      "100 clients that abort while they are written to leave nothing behind, and the next is " +
        "served",
      async () => {
        let closed = 0;
        const { server, connect } = await fixture.serve(blocks, {
          async message(_, from) {
            for (let i = 0; i < 100; i++) if (!from.send(block(i, 65_536))) await from.writable();
          },
          close() {
            closed++;
          },
        });
        const sockets = await Promise.all(Array.from({ length: 100 }, () => connect(blocks)));
        for (const socket of sockets) socket.send(new Uint8Array(1));
        for (const socket of sockets)
          assertBlock((await next(socket)) ?? new Uint8Array(), 0, 65_536);
        for (const socket of sockets) socket.abort();
        for (const socket of sockets) assert.equal((await socket.closed).reason, "aborted");
        await until(() => closed === 100);
        assert.equal(server.sockets.size, 0);
        const last = await connect(blocks);
        last.send(new Uint8Array(1));
        for (let i = 0; i < 100; i++)
          assertBlock((await next(last)) ?? new Uint8Array(), i, 65_536);
      },
    );

    it(
      "what 100 clients say in the turn in which they connect, and the end behind it, is heard " +
        "by a server that does not begin at once",
      async () => {
        const { connect } = await fixture.serve(blocks, {
          open: () => turns(5),
          message(message, from) {
            from.send(message);
          },
        });
        const answers = Array.from({ length: 100 }, async (_, i) => {
          const socket = await connect(blocks);
          socket.send(block(i, 1_000));
          socket.end();
          let got = 0;
          for await (const message of socket) {
            assertBlock(message, i, 1_000);
            got++;
          }
          assert.deepEqual(await socket.closed, { reason: "sentinel", error: null });
          return got;
        });
        assert.deepEqual(
          await Promise.all(answers),
          Array.from({ length: 100 }, () => 1),
        );
      },
    );
  });
}
