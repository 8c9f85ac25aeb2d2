// Who is let in, and who is told what when he is not: authenticate, versions, peers that speak
// something else.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect as connectTo } from "@hawser/client";
import { bytes, defineProtocol, HawserError, raw, type, wire } from "@hawser/protocol";
import type { Hello } from "@hawser/protocol";
import { type Connection, memoryPair, Ticker } from "@hawser/transport";
import { ManualClock } from "@hawser/transport/testing";
import { rawBytes, rawText, turns, until } from "./conversation.ts";
import { desk, handlers } from "./session-contracts.ts";
import { failure, SessionFixture } from "./sessions.ts";
import { clientTls, transports } from "./transports.ts";

const echo = defineProtocol({
  name: "echo",
  version: 2,
  accepts: [1, 2],
  requests: { say: { input: type<string>(), output: type<string>() } },
});

function version(
  number: number,
  accepts: readonly [number, number] = [number, number],
  name = "echo",
): typeof echo {
  return defineProtocol({
    name,
    version: number,
    accepts,
    requests: { say: { input: type<string>(), output: type<string>() } },
  }) as unknown as typeof echo; // of another version
}

for (const transport of transports) {
  describe(`the handshake over ${transport}`, () => {
    const fixture = new SessionFixture(transport);

    it("authenticate gives the handlers their context, typed, at once or later", async () => {
      const users = new Map([["key-1", { name: "Ada", admin: true }]]);
      for (const later of [false, true]) {
        const { server, connect } = await fixture.serveContract(
          desk,
          {
            ...handlers,
            whoami: (_, { context, socket }) => {
              const admin: boolean = context.admin;
              return `${context.name} ${String(admin)} ${String(socket.context === context)}`;
            },
          },
          {
            authenticate: (hello: Hello) => {
              const user = users.get(String(hello.auth));
              if (user === undefined) throw new HawserError("AUTH_REFUSED", "There is no such key");
              return later ? turns(5).then(() => user) : user;
            },
          },
        );
        const client = await connect({ auth: "key-1" });
        assert.equal(await client.request("whoami"), "Ada true true");
        const [socket] = server.sockets;
        assert.equal(socket?.context.name, "Ada");
        await client.close();
      }
    });

    it("who is refused is told so once: with the server's words only where they are meant for him", async () => {
      let connections = 0;
      const { server, connect, errors } = await fixture.serveContract(desk, handlers, {
        authenticate: ({ auth }) => {
          connections++;
          if (auth === "late")
            return Promise.reject(new Error("the database of users is at 10.0.0.7"));
          if (auth === undefined) throw new HawserError("AUTH_REFUSED", "Give a key");
          throw new Error("secret");
        },
      });
      const error = await failure(connect());
      assert.deepEqual(
        [error.code, error.origin, error.retryable],
        ["AUTH_REFUSED", "remote", false],
      );
      assert.match(error.message, /Give a key/);
      for (const auth of ["wrong", "late"]) {
        const other = await failure(
          connect({ auth, reconnect: { fromStart: true, initialMs: 1 } }),
        );
        assert.equal(other.code, "AUTH_REFUSED");
        assert.doesNotMatch(other.message, /secret|database/);
      }
      assert.equal(connections, 3, "nobody tries again what will not change");
      assert.deepEqual(
        errors.map(({ code }) => code),
        ["AUTH_REFUSED", "AUTH_REFUSED", "AUTH_REFUSED"],
      );
      assert.equal(server.sockets.size, 0);
    });

    it("auth may be a function, which is asked for each connection", async () => {
      const seen: unknown[] = [];
      const { server, connect } = await fixture.serveContract(desk, handlers, {
        authenticate: ({ auth }) => void seen.push(auth),
      });
      let token = 0;
      const client = await connect({
        auth: () => Promise.resolve({ token: ++token }),
        reconnect: { initialMs: 1 },
      });
      const [socket] = server.sockets;
      socket?.abort();
      await until(() => client.state === "disconnected");
      await client.ready;
      assert.deepEqual(seen, [{ token: 1 }, { token: 2 }]);
    });

    it("authenticate that does not answer in time refuses the client, who may try again", async () => {
      const clock = new ManualClock();
      const { connect, errors } = await fixture.serveContract(desk, handlers, {
        ticker: new Ticker(clock),
        handshakeTimeoutMs: 1_000,
        authenticate: () => new Promise<undefined>(() => undefined),
      });
      const error = await whileTimePasses(clock, failure(connect()));
      assert.deepEqual([error.code, error.retryable], ["OVERLOADED", true]);
      assert.equal(errors[0]?.code, "OVERLOADED");
    });

    it(
      "another contract, or versions that do not accept each other, are refused with both names " +
        "and versions",
      async () => {
        const { connectAs, errors } = await fixture.serveContract(echo, { say: (text) => text });
        const other = await failure(connectAs(version(2, [2, 2], "ecco")));
        assert.equal(other.code, "PROTOCOL_MISMATCH");
        assert.match(other.message, /echo/);
        assert.match(other.message, /ecco/);
        const newer = await failure(connectAs(version(3)));
        assert.equal(newer.code, "PROTOCOL_MISMATCH");
        assert.match(newer.message, /2/);
        assert.match(newer.message, /3/);
        assert.equal(errors.length, 2);
      },
    );

    it("versions that accept each other talk; each knows the other's", async () => {
      const { server, connectAs } = await fixture.serveContract(echo, { say: (text) => text });
      const client = await connectAs(version(1, [1, 2]));
      assert.equal(await client.request("say", "hello"), "hello");
      assert.equal(client.peerVersion, 2);
      const [socket] = server.sockets;
      assert.equal(socket?.peerVersion, 1);
    });

    it("one version with two meanings is refused, with the message that differs", async () => {
      const { connectAs } = await fixture.serveContract(echo, { say: (text) => text });
      const differs = defineProtocol({
        name: "echo",
        version: 2,
        accepts: [1, 2],
        requests: {
          say: { input: type<Uint8Array>(), output: type<Uint8Array>(), codec: bytes() },
        },
      });
      const error = await failure(connectAs(differs));
      assert.equal(error.code, "CONTRACT_DIFFERS");
      assert.match(error.message, /say/);
    });

    if (transport !== "memory") {
      it(
        "peers that speak something else are named within their first bytes, and closed without " +
          "a reply",
        async () => {
          const { server, errors } = await fixture.serveContract(desk, handlers);
          const [address] = server.addresses();
          assert(address !== undefined);
          const hellos: readonly (readonly [Uint8Array | string, RegExp])[] = [
            ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", /HTTP/],
            [
              Uint8Array.of(0x16, 0x03, 0x01, 0x00, 0xf4, 0x01, 0x00, 0x00, 0xf0, 0x03, 0x03),
              /TLS/,
            ],
            ["SSH-2.0-OpenSSH_9.9\r\n", /SSH/],
            ["\u0000\u0001\u0002 garbage", /./],
            [Uint8Array.of(0x89, 0x48, 0x57, 0x53, 0x0a, 0x1a, 0x0a, 0x00), /CR LF/],
          ];
          for (const [hello, names] of hellos) {
            errors.length = 0;
            const socket = await connectTo(
              wire({ framing: raw(), codec: bytes() }),
              address,
              transport === "tls" ? { tls: clientTls } : {},
            );
            const got: Uint8Array[] = [];
            socket.send(typeof hello === "string" ? new TextEncoder().encode(hello) : hello);
            for await (const chunk of socket) got.push(chunk);
            socket.abort();
            await until(() => errors.length > 0);
            assert.equal(got.length, 0);
            assert.equal(errors[0]?.code, "NOT_HAWSER");
            assert.match(errors[0].message, names);
          }
          assert.equal(server.sockets.size, 0);
        },
      );

      it("a client of something else is told what it is", async () => {
        const greetings: readonly (readonly [string, RegExp])[] = [
          ["HTTP/1.1 400 Bad Request\r\n\r\n", /HTTP/],
          ["SSH-2.0-OpenSSH_9.9\r\n", /SSH/],
          ["220 mail.example.org ESMTP\r\n", /./],
        ];
        for (const [greeting, names] of greetings) {
          const { server } = await fixture.serve(rawText, {
            open: (socket) => void socket.send(greeting),
          });
          const [address] = server.addresses();
          assert(address !== undefined);
          const error = await failure(
            connectTo(desk, address, transport === "tls" ? { tls: clientTls } : {}),
          );
          assert.equal(error.code, "NOT_HAWSER");
          assert.match(error.message, names);
        }
      });
    }

    it(
      "who says nothing, or not all of it, is let go at handshakeTimeoutMs; who only looks is " +
        "not reported",
      async () => {
        const clock = new ManualClock();
        const { server, errors, connectRaw } = await rawPeers(fixture, clock);
        const silent = await connectRaw();
        const halting = await connectRaw();
        halting.send(Uint8Array.of(0x89, 0x48, 0x57, 0x53, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0));
        const looking = await connectRaw();
        looking.end();
        for await (const chunk of looking) assert.fail(`${chunk.length} bytes came`);
        await turns(5);
        clock.advance(999);
        assert.deepEqual(errors, []);
        clock.advance(1);
        for (const socket of [silent, halting])
          for await (const chunk of socket) assert.fail(`${chunk.length} bytes came`);
        assert.deepEqual(
          errors.map(({ code }) => code),
          ["HANDSHAKE_TIMEOUT", "HANDSHAKE_TIMEOUT"],
        );
        assert.equal(server.sockets.size, 0);
      },
    );

    it("a server that says nothing is given up at handshakeTimeoutMs", async () => {
      const clock = new ManualClock();
      const { server } = await fixture.serve(rawBytes, {});
      const [address] = server.addresses();
      const target =
        address ??
        ((): Connection => {
          const [near, far] = memoryPair();
          server.accept(near);
          return far;
        });
      const options = {
        ticker: new Ticker(clock),
        handshakeTimeoutMs: 1_000,
        ...(transport === "tls" ? { tls: clientTls } : {}),
      };
      const { code, retryable } = await whileTimePasses(
        clock,
        failure(connectTo(desk, target, options)),
      );
      assert.deepEqual([code, retryable], ["HANDSHAKE_TIMEOUT", true]);
    });
  });
}

/** What a promise resolves with; meanwhile the clock goes on. */
async function whileTimePasses<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  const state = { isOver: false };
  const done = promise.finally(() => (state.isOver = true));
  while (!state.isOver) {
    await turns();
    clock.advance(5);
  }
  return done;
}

/** A server of the desk, and clients of it that write what they like. */
async function rawPeers(fixture: SessionFixture, clock: ManualClock) {
  const { server, errors } = await fixture.serveContract(desk, handlers, {
    ticker: new Ticker(clock),
    handshakeTimeoutMs: 1_000,
  });
  const [address] = server.addresses();
  const rawWire = wire({ framing: raw(), codec: bytes() });
  const connectRaw = async () => {
    const [near, far] = memoryPair();
    if (address === undefined) server.accept(near);
    const socket = await connectTo(
      rawWire,
      address ?? far,
      fixture.transport === "tls" ? { tls: clientTls } : {},
    );
    fixture.own({
      abort: () => {
        socket.abort();
      },
    });
    return socket;
  };
  return { server, errors, connectRaw };
}
