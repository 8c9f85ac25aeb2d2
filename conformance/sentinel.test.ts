// The sentinel, cut at every place, missing, and followed by more. The writer is raw(): what it
// writes is what is sent.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Socket } from "@hawser/client";
import { lengthPrefixed, text, wire } from "@hawser/protocol";
import type { ServerSocket } from "@hawser/server";
import { chat, classic, collect, rawBytes, turns } from "./conversation.ts";
import { Fixture, transports } from "./transports.ts";

const encoder = new TextEncoder();
const length32 = wire({ framing: lengthPrefixed(), codec: text(), sentinel: "exit" });

/** What a stream of "abc" and the sentinel looks like on each wire. */
const streams = [
  { name: "lines", wire: chat, bytes: encoder.encode("abc\nexit\n") },
  {
    name: "length32",
    wire: length32,
    bytes: Uint8Array.of(0, 0, 0, 3, 97, 98, 99, 0, 0, 0, 4, 101, 120, 105, 116),
  },
  { name: "classic", wire: classic, bytes: encoder.encode("abc exit") },
  {
    name: "classic with false beginnings",
    wire: classic,
    bytes: encoder.encode("abc ex  exi exit"),
  },
];

/** Writes bytes in pieces that leave in as many writes, as far as the network keeps them apart. */
async function write(
  socket: Socket<Uint8Array> | ServerSocket<Uint8Array>,
  ...pieces: readonly Uint8Array[]
): Promise<void> {
  for (const piece of pieces) {
    socket.send(piece);
    await socket.flushed();
    await turns(2);
  }
}

for (const transport of transports) {
  describe(`the sentinel over ${transport}`, () => {
    const fixture = new Fixture(transport);

    for (const { name, wire: tested, bytes } of streams) {
      const said = name.endsWith("beginnings") ? "abc ex  exi" : "abc";

      it(`${name}: is found by a client wherever the stream is cut`, async () => {
        let cut = 1;
        const { connect } = await fixture.serve(rawBytes, {
          open: (socket) => write(socket, bytes.subarray(0, cut), bytes.subarray(cut)),
        });
        for (; cut < bytes.length; cut++) {
          const socket = await connect(tested);
          assert.equal((await collect(socket)).join(""), said, `cut at ${cut}`);
          socket.end();
          assert.deepEqual(await socket.closed, { reason: "sentinel", error: null });
        }
      });

      it(`${name}: is found by a server wherever the stream is cut, and answered with its end`, async () => {
        let heard: string[] = [];
        const reasons: string[] = [];
        const { connect } = await fixture.serve(tested, {
          message(message) {
            heard.push(message);
          },
          close(_, { reason }) {
            reasons.push(reason);
          },
        });
        // A frame is answered with a frame; a suffix would be data to the peer, so it is answered
        // with the end alone.
        const answer =
          name === "classic" || said !== "abc"
            ? ""
            : Buffer.from(bytes.subarray(bytes.indexOf(99) + 1))
                .toString()
                .replace(/^\n/, "");
        for (let cut = 1; cut < bytes.length; cut++) {
          heard = [];
          const socket = await connect(rawBytes);
          await write(socket, bytes.subarray(0, cut), bytes.subarray(cut));
          assert.equal(Buffer.concat(await collect(socket)).toString(), answer, `cut at ${cut}`);
          socket.end();
          await socket.closed;
          assert.equal(heard.join(""), said, `cut at ${cut}`);
        }
        assert.deepEqual(new Set(reasons), new Set(["sentinel"]));
      });
    }

    for (const [tested, bytes, expected] of [
      [chat, "abc\n", ["abc"]],
      [classic, "abc ex", ["abc ex"]],
    ] as const) {
      it(
        `a stream that ends without it (${JSON.stringify(bytes)}) is told apart as "ended", and ` +
          "nothing is lost",
        async () => {
          const { connect } = await fixture.serve(rawBytes, {
            async open(socket) {
              await write(socket, encoder.encode(bytes));
              socket.end();
            },
          });
          const socket = await connect(tested);
          assert.equal((await collect(socket)).join(""), expected.join(""));
          assert.deepEqual(await socket.closed, { reason: "ended", error: null });
        },
      );
    }

    it("a stream that ends inside a line is FRAME_TRUNCATED, after the lines before", async () => {
      const { connect } = await fixture.serve(rawBytes, {
        open(socket) {
          socket.send(encoder.encode("one\ntw"));
          socket.end();
        },
      });
      const socket = await connect(chat);
      const got: string[] = [];
      await assert.rejects(
        async () => {
          for await (const message of socket) got.push(message);
        },
        { code: "FRAME_TRUNCATED" },
      );
      assert.deepEqual(got, ["one"]);
      assert.equal((await socket.closed).error?.code, "FRAME_TRUNCATED");
    });

    for (const [how, tested, pieces] of [
      ["in the same chunk", chat, ["abc\nexit\nmore\n"]],
      ["in the same chunk, as a partial frame", chat, ["abc\nexit\nmo"]],
      ["in a later chunk", chat, ["abc\nexit\n", "more\n"]],
      ["in the same chunk of a stream without frames", classic, ["abc exit more"]],
      ["in a later chunk of a stream without frames", classic, ["abc exit", "more"]],
    ] as const) {
      it(`bytes after it, ${how}, are BYTES_AFTER_SENTINEL and not data`, async () => {
        const { connect } = await fixture.serve(rawBytes, {
          open: (socket) => write(socket, ...pieces.map((piece) => encoder.encode(piece))),
        });
        const socket = await connect(tested);
        const got: string[] = [];
        // The loop ends at the sentinel: what is wrong comes after it.
        for await (const message of socket) got.push(message);
        assert.deepEqual(got, ["abc"]);
        const { reason, error } = await socket.closed;
        assert.deepEqual([reason, error?.code], ["error", "BYTES_AFTER_SENTINEL"]);
      });
    }

    it("can't be sent as data, whole or across messages, and the connection goes on", async () => {
      const heard: string[] = [];
      const { connect } = await fixture.serve(rawBytes, {
        message(message) {
          heard.push(Buffer.from(message).toString());
        },
      });
      const framed = await connect(chat);
      assert.throws(() => framed.send("exit"), { code: "PAYLOAD_IS_SENTINEL" });
      assert.throws(() => framed.send("two\nlines"), { code: "PAYLOAD_FORBIDDEN" });
      framed.send("fine");
      framed.end();
      await collect(framed);
      assert.equal(heard.join(""), "fine\nexit\n");
      const suffixed = await connect(classic);
      suffixed.send("an ex");
      assert.throws(() => suffixed.send("it"), { code: "PAYLOAD_IS_SENTINEL" });
      suffixed.send("ample");
      suffixed.end();
      await collect(suffixed);
      assert.equal(heard.join(""), "fine\nexit\nan example exit");
    });
  });
}
