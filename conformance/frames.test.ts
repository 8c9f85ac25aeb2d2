// Frames of every size, in every number: large ones, ones at their limit, many in one chunk.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  bytes,
  type Framing,
  type HawserError,
  lengthPrefixed,
  lines,
  wire,
} from "@hawser/protocol";
import { chat, collect, echo, next, rawBytes } from "./conversation.ts";
import { Fixture, transports } from "./transports.ts";

const MiB = 1_048_576;

/** Bytes that show a shift or a swap anywhere, and hold no LF. */
function pattern(length: number): Uint8Array {
  const made = new Uint8Array(length);
  for (let i = 0; i < length; i++) made[i] = 11 + ((i * 31 + (i >>> 8)) % 241);
  return made;
}

function equal(one: Uint8Array | undefined, other: Uint8Array): boolean {
  return one !== undefined && Buffer.compare(one, other) === 0;
}

// bytes, CR among them
const framings: readonly Framing[] = [lines({ ending: "lf" }), lengthPrefixed()];

for (const transport of transports) {
  describe(`frames over ${transport}`, () => {
    const fixture = new Fixture(transport);

    for (const framing of framings) {
      const binary = wire({ framing, codec: bytes() });

      it(`${framing.name}: 1 MiB goes there and back under the default limit`, async () => {
        const { socket } = await fixture.pair(binary, { message: echo });
        const large = pattern(MiB);
        socket.send(large);
        socket.send(pattern(3));
        assert(equal(await next(socket), large));
        assert(equal(await next(socket), pattern(3)));
      });

      it(
        `${framing.name}: a message larger than every buffer is written in parts and arrives ` +
          "whole",
        async () => {
          const limits = { maxFrameBytes: 24 * MiB };
          const { socket } = await fixture.pair(binary, { message: echo }, limits, limits);
          const huge = pattern(24 * MiB);
          assert.equal(socket.send(huge), false);
          assert(equal(await next(socket), huge));
        },
      );

      it(
        `${framing.name}: messages of every size that are kept stay as they came, whatever comes ` +
          "after them and on other connections",
        async () => {
          const kept: { message: Uint8Array; fill: number }[] = [];
          const { connect } = await fixture.serve(binary, {
            message(message, socket) {
              kept.push({ message, fill: message[0] ?? 0 });
              socket.send(message);
            },
          });
          const sizes = [70_000, 12, 65_536, 300_000, 40_000, 16_384, 64, 131_072];
          const sockets = await Promise.all(
            [11, 12, 13].map(async (fill) => ({ fill, socket: await connect(binary) })),
          );
          const total = 5 * sizes.length;
          const answers = sockets.map(async ({ fill, socket }) => {
            const got: Uint8Array[] = [];
            for (let round = 0; round < 5; round++)
              for (const size of sizes)
                if (!socket.send(new Uint8Array(size).fill(fill))) await socket.writable();
            for await (const message of socket) if (got.push(message) === total) break;
            return got.every((message, at) =>
              equal(message, new Uint8Array(sizes[at % sizes.length] ?? 0).fill(fill)),
            );
          });
          assert.deepEqual(await Promise.all(answers), [true, true, true]);
          assert.equal(kept.length, 3 * total);
          for (const { message, fill } of kept)
            assert(equal(message, new Uint8Array(message.length).fill(fill)));
        },
      );

      it(
        `${framing.name}: exactly maxFrameBytes passes, one byte more is PAYLOAD_TOO_LARGE for ` +
          "its sender and the connection goes on",
        async () => {
          const limits = { maxFrameBytes: 1_000 };
          const { socket } = await fixture.pair(binary, { message: echo }, limits, limits);
          assert.throws(() => socket.send(pattern(1_001)), {
            code: "PAYLOAD_TOO_LARGE",
            message: /1000/,
          });
          socket.send(pattern(1_000));
          assert(equal(await next(socket), pattern(1_000)));
        },
      );

      it(
        `${framing.name}: a server gets what came before a frame above its limit, then ` +
          "FRAME_TOO_LARGE, and others go on",
        async () => {
          const got: number[] = [];
          const failed = Promise.withResolvers<HawserError>();
          const { socket, connect } = await fixture.pair(
            binary,
            {
              message(message, from) {
                got.push(message.length);
                from.send(message);
              },
              error(error) {
                failed.resolve(error);
              },
            },
            { maxFrameBytes: 1_000 },
          );
          const other = await connect(binary);
          socket.send(pattern(1_000));
          socket.send(pattern(1_001));
          assert((await failed.promise).code === "FRAME_TOO_LARGE");
          assert.match((await failed.promise).message, /1000|1001/);
          assert.deepEqual(
            (await collect(socket)).map(({ length }) => length),
            [1_000],
          );
          assert.deepEqual(got, [1_000]);
          other.send(pattern(7));
          assert(equal(await next(other), pattern(7)));
        },
      );

      it(
        `${framing.name}: a client gets what came before a frame above its limit, then ` +
          "FRAME_TOO_LARGE",
        async () => {
          const sizes = { open: [999, 1_000, 1_001] };
          const { socket } = await fixture.pair(
            binary,
            {
              open(opened) {
                for (const size of sizes.open) opened.send(pattern(size));
              },
            },
            {},
            { maxFrameBytes: 1_000 },
          );
          const got: number[] = [];
          await assert.rejects(
            async () => {
              for await (const message of socket) got.push(message.length);
            },
            { code: "FRAME_TOO_LARGE", origin: "remote" },
          );
          assert.deepEqual(got, [999, 1_000]);
          const { reason, error } = await socket.closed;
          assert.deepEqual([reason, error?.code], ["error", "FRAME_TOO_LARGE"]);
        },
      );
    }

    it("onOversize skip passes over the frame, says so, and delivers the next", async () => {
      const errors: string[] = [];
      const { socket } = await fixture.pair(
        chat,
        {
          message: echo,
          error(error) {
            errors.push(error.code);
          },
        },
        { maxFrameBytes: 10, onOversize: "skip" },
      );
      socket.send("before");
      socket.send("much longer than ten bytes");
      socket.send("after");
      socket.end();
      assert.deepEqual(await collect(socket), ["before", "after"]);
      assert.deepEqual(errors, ["FRAME_TOO_LARGE"]);
    });

    it("10 000 lines in one write are 10 000 messages, in order", async () => {
      let count = 0;
      const { connect } = await fixture.serve(chat, {
        message(message, from) {
          if (message !== `line ${count++}`) from.abort();
        },
        close: () => undefined,
      });
      const writer = await connect(rawBytes);
      writer.send(
        new TextEncoder().encode(
          `${Array.from({ length: 10_000 }, (_, i) => `line ${i}`).join("\n")}\nexit\n`,
        ),
      );
      const answer = Buffer.concat(await collect(writer));
      assert.equal(answer.toString(), "exit\n");
      assert.equal(count, 10_000);
    });

    it("frames of zero bytes are messages", async () => {
      const { socket } = await fixture.pair(chat, { message: echo });
      for (const message of ["", "", "a", ""]) socket.send(message);
      socket.end();
      assert.deepEqual(await collect(socket), ["", "", "a", ""]);
    });
  });
}
