// Last words: whatever ends a wire by an error is told while the program can still send, and what
// it sends arrives.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type FrameLimits, type HawserError, json, lines, text, wire } from "@hawser/protocol";
import { Ticker } from "@hawser/transport";
import { ManualClock } from "@hawser/transport/testing";
import { collect, next, rawBytes, rawText, turns, until } from "./conversation.ts";
import { Fixture, transports } from "./transports.ts";

const crlf = wire({ framing: lines({ ending: "crlf" }), codec: text() });
const jsonLines = wire({ framing: lines(), codec: json() });

/** What a peer does wrong: its bytes, or its silence in milliseconds. */
const wrongs: readonly (readonly [code: string, bytes: string, silenceMs: number])[] = [
  ["FRAME_MALFORMED", "bare\nx\r\n", 0],
  ["FRAME_TOO_LARGE", `${"x".repeat(100_000)}\r\n`, 0],
  ["MESSAGE_INVALID", "\ud800\r\n", 0],
  ["FRAME_TIMEOUT", "half", 1_500],
  ["IDLE_TIMEOUT", "", 3_500],
];
const limits = { maxFrameBytes: 1_000, frameTimeoutMs: 1_000, idleTimeoutMs: 3_000 };
const bytesOf = (characters: string): Uint8Array =>
  characters.startsWith("\ud800")
    ? Uint8Array.of(0xff, 0x0d, 0x0a)
    : new TextEncoder().encode(characters);

for (const transport of transports) {
  describe(`last words over ${transport}`, () => {
    const fixture = new Fixture(transport);

    for (const [code, bad, silenceMs] of wrongs) {
      it(
        `a server's reach the peer after ${code}, behind the answers to what came before, though ` +
          "the peer goes on writing",
        async () => {
          const clock = new ManualClock();
          const errors: HawserError[] = [];
          const { server, connect } = await fixture.serve(
            crlf,
            {
              message: (message, socket) => turns(2).then(() => void socket.send(`got ${message}`)),
              async error(error, socket) {
                errors.push(error);
                socket?.send("521");
                await turns(2);
                socket?.send(error.code);
              },
            },
            { ...limits, ticker: new Ticker(clock) },
          );
          const peer = await connect(rawBytes);
          peer.send(Uint8Array.of(...new TextEncoder().encode("one\r\ntwo\r\n"), ...bytesOf(bad)));
          if (silenceMs === 0) peer.send(new TextEncoder().encode("and this is dropped\r\n"));
          const heard: string[] = [];
          peer.on("message", (message) => void heard.push(new TextDecoder().decode(message)));
          await until(() => heard.join("").includes("got two"));
          clock.advance(silenceMs);
          await until(() => heard.join("").includes(code));
          assert.equal(heard.join(""), `got one\r\ngot two\r\n521\r\n${code}\r\n`);
          assert.deepEqual(
            errors.map((error) => error.code),
            [code],
          );
          peer.end();
          await until(() => server.sockets.size === 0);
        },
      );

      it(`a client's reach the server after ${code}: from a listener, and from the loop that reads`, async () => {
        for (const way of ["listener", "loop"] as const) {
          const clock = new ManualClock();
          const received: string[] = [];
          const { connect, server } = await fixture.serve(rawBytes, {
            open(socket) {
              socket.send(Uint8Array.of(...new TextEncoder().encode("hello\r\n"), ...bytesOf(bad)));
            },
            message: (message) => void received.push(new TextDecoder().decode(message)),
          });
          const socket = await connect(crlf, { ...limits, ticker: new Ticker(clock) });
          let heard = 0;
          const last = (error: unknown): void => {
            socket.send(`521 ${(error as HawserError).code}`);
            socket.end();
          };
          if (way === "listener") {
            socket.on("error", last);
            socket.on("message", () => heard++);
          } else {
            const read = async (): Promise<void> => {
              for await (const message of socket) heard += message.length;
            };
            void read().catch(last);
          }
          await until(() => heard > 0);
          clock.advance(silenceMs);
          await until(() => received.join("") !== "");
          assert.equal(received.join(""), `521 ${code}\r\n`);
          const closing = socket.closed;
          await until(() => server.sockets.size === 0);
          assert.equal((await closing).error?.code, code);
        }
      });
    }

    it("a handler that fails has them, too", async () => {
      const { connect } = await fixture.serve(jsonLines, {
        message() {
          throw new Error("boom");
        },
        error(error, socket) {
          socket?.send({ error: error.code });
        },
      });
      const peer = await connect(rawText);
      peer.send("{}\n");
      assert.equal(await next(peer), '{"error":"HANDLER_FAILED"}\n');
      assert.equal(await next(peer), undefined);
    });

    it("error goes on with the conversation where only a frame is passed over", async () => {
      const skip: Partial<FrameLimits> = { maxFrameBytes: 10, onOversize: "skip" };
      const { connect } = await fixture.serve(
        crlf,
        {
          message: (message, socket) => void socket.send(message),
          error: (error, socket) => void socket?.send(`500 ${error.code.slice(0, 5)}`),
        },
        skip,
      );
      const peer = await connect(crlf);
      for (const message of ["one", "x".repeat(20), "two"]) peer.send(message);
      peer.end();
      assert.deepEqual(await collect(peer), ["one", "500 FRAME", "two"]);
    });
  });
}
