// The smallest program that calls a server of sessions (PROTOCOL.md, annex B): a few kinds of
// frames, no events, no streams, no resumption.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect, type Socket } from "@hawser/client";
import { bytes, defineProtocol, raw, type, wire } from "@hawser/protocol";
import { framesOf } from "@hawser/protocol/testing";
import { SessionFixture } from "./sessions.ts";
import { frame, head, joined, KIND, SIGNATURE } from "./trial-peer.ts";

const desk = defineProtocol({
  name: "desk",
  version: 1,
  requests: {
    add: { input: type<number[]>(), output: type<number>() },
    ask: { from: "server", input: type<string>(), output: type<string>() },
  },
  events: { note: { payload: type<string>() } },
});
const plain = wire({ framing: raw(), codec: bytes() });

/** Reads frame by frame; answers PING, WANT and calls, and ends when it is asked to drain. */
class Minimal {
  readonly #socket: Socket<Uint8Array, Uint8Array>;
  readonly #items: AsyncIterator<Uint8Array>;
  #came: Uint8Array = new Uint8Array(0);
  #isSigned = false;
  readonly seen: string[] = [];

  constructor(socket: Socket<Uint8Array, Uint8Array>) {
    this.#socket = socket;
    this.#items = socket[Symbol.asyncIterator]();
    const limits = {
      maxMessageBytes: 65_536,
      maxPartials: 1,
      maxConversations: 1,
      windowBytes: 1,
      eventWindowBytes: 0,
      connectionWindowBytes: 0,
    };
    socket.send(
      joined(
        SIGNATURE,
        frame(
          KIND.HELLO,
          0,
          JSON.stringify({
            hawser: [1, 1],
            protocol: "desk",
            version: 1,
            accepts: [1, 1],
            features: [],
            limits,
          }),
        ),
      ),
    );
  }

  /** The payload of the next frame of this kind. */
  async next(wanted: string): Promise<string> {
    for (;;) {
      const at = this.#isSigned ? 0 : SIGNATURE.length;
      if (this.#came.length >= at + 4) {
        const end =
          at + 4 + new DataView(this.#came.buffer, this.#came.byteOffset + at).getUint32(0);
        if (this.#came.length >= end) {
          const [came] = framesOf(this.#came.subarray(at, end));
          this.#came = this.#came.slice(end);
          this.#isSigned = true;
          if (came === undefined) throw new Error("no frame");
          this.seen.push(came.kind);
          this.#answer(came.kind, came.id, came.payload);
          if (came.kind === wanted) return came.text;
          continue;
        }
      }
      const next = await this.#items.next();
      if (next.done === true) throw new Error(`the stream ended, and ${wanted} had not come`);
      this.#came = joined(this.#came, next.value);
    }
  }

  #answer(kind: string, id: number, payload: Uint8Array): void {
    const list = [
      ["ask", "request", "json", ""],
      ["add", "request", "json", ""],
      ["note", "event", "json", ""],
    ];
    if (kind === "PING") this.#socket.send(frame(KIND.PONG, 0, payload));
    if (kind === "WANT") this.#socket.send(frame(KIND.MESSAGES, 0, JSON.stringify(list)));
    if (kind === "REQUEST")
      this.#socket.send(frame(KIND.FAIL, id, '{"code":"UNKNOWN_MESSAGE","message":""}'));
    if (kind === "DRAIN")
      this.#socket.send(frame(KIND.CLOSE, 0, '{"code":"DRAINED","message":""}'));
  }

  async call(name: number, input: unknown): Promise<unknown> {
    this.#socket.send(frame(KIND.REQUEST, 1, head(name), JSON.stringify(input)));
    return JSON.parse(await this.next("RESULT"));
  }
}

describe("a minimal client", () => {
  const fixture = new SessionFixture("tcp");

  it(
    "is greeted, calls one after the other, refuses calls, gets no events, and closes when the " +
      "server drains",
    async () => {
      const { server } = await fixture.serveContract(desk, {
        add: (numbers) => numbers.reduce((sum, one) => sum + one, 0),
      });
      const bound = await server.listen("tcp://127.0.0.1:0");
      const client = new Minimal(fixture.own(await connect(plain, bound)));
      await client.next("WELCOME");
      for (let n = 0; n < 20; n++) assert.equal(await client.call(1, [n, 1]), n + 1);
      const [socket] = server.sockets;
      assert.ok(socket !== undefined);
      void socket.emit("note", "it has no credit for this");
      const asked = assert.rejects(socket.request("ask", "are you there?"), {
        code: "MESSAGE_UNKNOWN",
      });
      await client.next("REQUEST");
      await asked;
      assert.equal(await client.call(1, [2, 2]), 4);
      const closed = server.close({ deadlineMs: 5_000 });
      await client.next("DRAIN");
      await closed;
      assert.deepEqual(
        [...new Set(client.seen)],
        ["WANT", "WELCOME", "RESULT", "REQUEST", "DRAIN"],
      );
    },
  );
});
