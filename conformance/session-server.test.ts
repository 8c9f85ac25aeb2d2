// A server of a contract as a whole: rooms, broadcast, middleware, its limits, and its orderly end.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defineProtocol, HawserError, type } from "@hawser/protocol";
import type { Hello } from "@hawser/protocol";
import { Ticker } from "@hawser/transport";
import { ManualClock } from "@hawser/transport/testing";
import { turns, until } from "./conversation.ts";
import { desk, handlers } from "./session-contracts.ts";
import { failure, SessionFixture, taken } from "./sessions.ts";
import { transports } from "./transports.ts";

const joining = {
  ...handlers,
  join: (room: string, { socket }: { readonly socket: { join(room: string): void } }) => {
    socket.join(room);
  },
};

for (const transport of transports) {
  describe(`a server of a contract over ${transport}`, () => {
    const fixture = new SessionFixture(transport);

    it("rooms: who joined is reached, once, and nobody else; presence is known", async () => {
      const { server, connect } = await fixture.serveContract(desk, joining);
      const clients = await Promise.all(Array.from({ length: 5 }, () => connect()));
      const heard: string[][] = clients.map(() => []);
      clients.forEach((client, i) => client.on("typing", ({ who }) => heard[i]?.push(who)));
      await Promise.all([
        clients[0]?.emit("join", "a"),
        clients[1]?.emit("join", "a"),
        clients[1]?.emit("join", "b"),
        clients[2]?.emit("join", "b"),
      ]);
      await until(() => server.room("a").size === 2 && server.room("b").size === 2);
      assert.deepEqual([...server.rooms].sort(), ["a", "b"]);
      const [first] = server.room("a").sockets;
      assert.deepEqual([...(first?.rooms ?? [])], ["a"]);
      assert.equal(server.to("a").emit("typing", { who: "a" }), 2);
      assert.equal(server.to("a", "b").emit("typing", { who: "a or b" }), 3);
      assert(first !== undefined);
      assert.equal(server.to("a").except(first).emit("typing", { who: "a but one" }), 1);
      assert.equal(server.to("nobody").emit("typing", { who: "nobody" }), 0);
      assert.equal(server.broadcast("typing", { who: "all" }), 5);
      await until(() => heard.flat().length === 11);
      assert.equal(heard[3]?.join(), "all");
      assert.throws(() => server.broadcast("typing", { who: 1 as never }), {
        code: "EVENT_INVALID",
        path: ["who"],
      });
      assert.throws(() => server.broadcast("join" as never, "x" as never), TypeError);
      first.leave("a");
      first.leave("never there");
      assert.equal(server.room("a").size, 1);
      await clients[1]?.close();
      await until(() => server.rooms.size === 1);
      assert.deepEqual([server.room("a").size, server.room("b").size], [0, 1]);
    });

    it(
      "a broadcast counts no client whose contract does not have the event, and is reported once " +
        "for each connection",
      async () => {
        const newer = defineProtocol({
          name: "news",
          version: 2,
          accepts: [1, 2],
          events: {
            fresh: { from: "server" },
            kept: { from: "server", delivery: "at-least-once" },
          },
        });
        const older = defineProtocol({
          name: "news",
          version: 1,
          events: { old: { from: "client" } },
        });
        const { server, connect, connectAs, errors } = await fixture.serveContract(newer, {});
        const old = await connectAs(older);
        const told: string[] = [];
        old.lifecycle.on("error", ({ code }) => told.push(code));
        await connect();
        for (const name of ["fresh", "kept", "fresh", "kept"] as const)
          assert.equal(server.broadcast(name), 1);
        assert.deepEqual(
          errors.map(({ code }) => code),
          ["MESSAGE_UNKNOWN", "MESSAGE_UNKNOWN"],
        );
        for (let i = 0; i < 2; i++) assert.equal(await old.emit("old"), "not-sent");
        assert.deepEqual(told, ["MESSAGE_UNKNOWN"]);
      },
    );

    it("a broadcast at least once reaches those too who are about to come back", async () => {
      const { server, connect } = await fixture.serveContract(desk, joining);
      const heard: string[] = [];
      const client = await connect({ reconnect: { initialMs: 1 } });
      client.on("greeted", (text) => heard.push(text));
      const [socket] = server.sockets;
      socket?.abort();
      assert.equal(server.broadcast("greeted", "while you were away"), 1);
      assert.equal(server.broadcast("typing", { who: "gone" }), 0);
      await until(() => heard.length === 1);
      assert.deepEqual(heard, ["while you were away"]);
    });

    it("middleware stands before every handler, in order, and may answer, change, refuse, or wait", async () => {
      const log: string[] = [];
      const { connect, errors } = await fixture.serveContract(
        desk,
        {
          ...joining,
          echo: (value) => `${String(value)}!`,
          whoami: (_, { context }) => context.name,
        },
        {
          authenticate: (hello: Hello) => ({ name: String(hello.auth) }),
          use: [
            async ({ name, type: kind, context, input }, next) => {
              log.push(
                `> ${kind} ${name} by ` +
                  `${context.name}${kind === "event" ? ` ${JSON.stringify(input)}` : ""}`,
              );
              const result = await next();
              log.push(`< ${name}`);
              return result;
            },
            ({ name, signal }, next) => {
              assert.equal(signal.aborted, false);
              if (name === "ping")
                throw new HawserError("OVERLOADED", "Not now", { origin: "local" });
              return name === "ticket.wait" ? "answered before the handler" : next();
            },
          ],
        },
      );
      const client = await connect({ auth: "Ada" });
      assert.equal(await client.request("whoami"), "Ada");
      assert.equal(await client.request("echo", "hello"), "hello!");
      assert.equal(await client.request("ticket.wait", { id: 1 }), "answered before the handler");
      assert.equal((await failure(client.request("ping"))).code, "OVERLOADED");
      assert.deepEqual(await taken(client.stream("count", { to: 2 })), [1, 2]);
      await client.emit("join", "room");
      await until(() => log.at(-1) === "< join");
      assert.deepEqual(
        log.filter((line) => line.startsWith(">")),
        [
          "> request whoami by Ada",
          "> request echo by Ada",
          "> request ticket.wait by Ada",
          "> request ping by Ada",
          "> stream count by Ada",
          '> event join by Ada "room"',
        ],
      );
      assert.equal(log.filter((line) => line.startsWith("<")).length, 5);
      assert.equal(errors[0]?.code, "OVERLOADED");
    });

    it("open joins rooms before the first call; when it fails, the session is closed", async () => {
      let opened = 0;
      const { server, connect, errors } = await fixture.serveContract(desk, joining, {
        open(socket) {
          if (opened++ === 0) socket.join("everybody");
          else throw new Error("no");
        },
      });
      const client = await connect();
      assert.equal(server.room("everybody").size, 1);
      assert.equal(await client.request("echo", 1), 1);
      const other = await connect({ reconnect: false }).catch((error: unknown) => error);
      if (other instanceof Error) assert.match(String(other), /OVERLOADED|could not begin/);
      else assert.equal((await (other as typeof client).closed).error?.code, "OVERLOADED");
      await until(() => server.sockets.size === 1);
      assert.equal(errors[0]?.code, "HANDLER_FAILED");
    });

    it("a session that the server closes is over: its client does not come back", async () => {
      const closed: string[] = [];
      const { server, connect } = await fixture.serveContract(desk, joining, {
        close: (_, { reason }) => void closed.push(reason),
      });
      const client = await connect();
      const [socket] = server.sockets;
      assert.deepEqual(await socket?.close("good bye"), { reason: "closed", error: null });
      assert.deepEqual(await client.closed, { reason: "ended", error: null });
      assert.equal(client.state, "closed");
      assert.deepEqual([server.sockets.size, closed], [0, ["closed"]]);
      await assert.rejects(async () => socket?.emit("typing", { who: "x" }), {
        code: "SESSION_CLOSED",
      });
    });

    it("a session that its client closes is over, and the server is told", async () => {
      const { server, connect } = await fixture.serveContract(desk, joining);
      const client = await connect();
      assert.equal(await client.request("echo", 1), 1);
      assert.equal(server.sockets.size, 1);
      await client[Symbol.asyncDispose](); // what \`await using\` does, where there is its syntax
      await until(() => server.sockets.size === 0);
    });

    it("a connection above maxConnections is closed and reported", async () => {
      const { server, connect, errors } = await fixture.serveContract(desk, joining, {
        maxConnections: 1,
      });
      await connect();
      assert.equal((await failure(connect())).retryable, true);
      assert.equal(errors[0]?.code, "TOO_MANY_CONNECTIONS");
      assert.equal(server.sockets.size, 1);
    });

    it(
      "calls above maxConversations wait their turn; what is above maxQueuedCalls fails as " +
        "OVERLOADED, here",
      async () => {
        const { connect } = await fixture.serveContract(desk, joining, { maxConversations: 3 });
        const client = await connect({ maxQueuedCalls: 10_000 });
        const answers = Array.from({ length: 10_000 }, (_, i) => client.request("echo", i));
        assert.deepEqual(
          await Promise.all(answers),
          Array.from(answers, (_, i) => i),
        );
        const controller = new AbortController();
        const waiting = Array.from({ length: 3 + 10_000 }, () =>
          failure(client.request("ticket.wait", { id: 1 }, { signal: controller.signal })),
        );
        const { code, origin } = await failure(client.request("echo", 1));
        assert.deepEqual([code, origin], ["OVERLOADED", "local"]);
        controller.abort();
        assert((await Promise.all(waiting)).every((error) => error.code === "CALL_CANCELLED"));
        assert.equal(client.state, "ready");
      },
    );

    it("a client that does not read is closed as SLOW_CONSUMER, and costs no more than the limits", async () => {
      const { server, connect, errors } = await fixture.serveContract(desk, joining, {
        maxQueuedBytes: 300_000,
        writeBuffer: { maxBytes: 300_000, highBytes: 10_000, lowBytes: 5_000 },
      });
      const client = await connect({ reconnect: false });
      client.on("typing", () => new Promise(() => undefined)); // takes one, and no more
      const [socket] = server.sockets;
      let taken = 0;
      for (let i = 0; i < 1_000 && socket?.state === "ready"; i++) {
        taken += server.broadcast("typing", { who: "x".repeat(10_000) });
        if (i % 10 === 0) await turns();
      }
      assert(taken < 100, `${taken} events were taken`);
      await until(() => server.sockets.size === 0);
      assert.equal(errors[0]?.code, "SLOW_CONSUMER");
    });

    it("close() drains: what is open finishes, nothing new begins, the clients close", async () => {
      let finish: () => void = () => undefined;
      const { server, connect } = await fixture.serveContract(desk, {
        ...joining,
        "ticket.wait": () =>
          new Promise(
            (resolve) =>
              (finish = () => {
                resolve("at last");
              }),
          ),
      });
      const [busy, idle] = [
        await connect({ reconnect: false }),
        await connect({ reconnect: false }),
      ];
      const answer = busy.request("ticket.wait", { id: 1 });
      await busy.request("echo", 1);
      const closing = server.close();
      await idle.closed;
      await until(() => busy.state === "draining");
      assert.equal((await failure(busy.request("echo", 2))).code, "DRAINING");
      finish();
      assert.equal(await answer, "at last");
      assert.deepEqual(await closing, { drained: 2, forced: 0 });
      assert.deepEqual(
        [(await busy.closed).reason, (await idle.closed).reason],
        ["ended", "ended"],
      );
      assert.equal(await server.close(), await closing);
      await assert.rejects(server.listen("tcp://localhost:0"), { code: "CONNECTION_CLOSED" });
    });

    it("close() waits for events to be acknowledged", async () => {
      let acknowledge: () => void = () => undefined;
      const { server, connect } = await fixture.serveContract(desk, joining);
      const client = await connect({ reconnect: false });
      client.on("greeted", () => new Promise<void>((resolve) => (acknowledge = resolve)));
      const [socket] = server.sockets;
      const outcome = socket?.emit("greeted", "hello");
      await turns(10);
      const closing = server.close();
      await until(() => client.state === "draining");
      acknowledge();
      assert.equal(await outcome, "delivered");
      assert.deepEqual(await closing, { drained: 1, forced: 0 });
    });

    it(
      "close({ graceMs }) spreads the ends at random; at deadlineMs what is left is broken off, " +
        "and counted",
      async () => {
        const clock = new ManualClock();
        let seed = 0;
        const { server, connect } = await fixture.serveContract(desk, joining, {
          ticker: new Ticker(clock),
          random: (count) => new Uint8Array(count).fill((seed += 50) % 256),
        });
        const clients = [];
        for (let i = 0; i < 5; i++) clients.push(await connect({ reconnect: false }));
        const [stubborn] = clients;
        const lost = failure(stubborn?.request("ticket.wait", { id: 1 }) ?? Promise.resolve());
        await stubborn?.request("echo", 1);
        const closing = server.close({ graceMs: 4_000, deadlineMs: 10_000 });
        const sizes: number[] = [];
        for (let i = 0; i < 20; i++) {
          await turns(10);
          sizes.push(server.sockets.size);
          clock.advance(250);
        }
        assert.equal(sizes[0], 5);
        assert(new Set(sizes).size >= 3, sizes.join());
        await until(() => server.sockets.size === 1);
        clock.advance(4_999);
        assert.equal(server.sockets.size, 1);
        clock.advance(1);
        assert.deepEqual(await closing, { drained: 4, forced: 1 });
        assert(["SESSION_LOST", "SESSION_CLOSED"].includes((await lost).code));
      },
    );

    it("a client that was drained comes back, as a new session", async () => {
      const { server, connect } = await fixture.serveContract(desk, joining);
      const log: string[] = [];
      const client = await connect({ reconnect: { initialMs: 1, maxMs: 2, attempts: 3 } });
      for (const name of ["draining", "disconnected", "close"] as const)
        client.lifecycle.on(name, () => log.push(name));
      await server.close();
      const { reason, error } = await client.closed;
      assert.deepEqual([reason, error?.origin], ["error", "transport"]);
      assert.deepEqual(log, ["draining", "disconnected", "close"]);
    });

    it("sessions without a connection end when the server closes", async () => {
      const { server, connect } = await fixture.serveContract(desk, joining);
      const client = await connect({ reconnect: false });
      client.abort();
      await until(() => [...server.sockets][0]?.state === "lost");
      const outcome = [...server.sockets][0]?.emit("greeted", "hello");
      assert.deepEqual(await server.close(), { drained: 0, forced: 0 });
      assert.equal(await outcome, "not-sent");
    });

    it("a contract without requests of the client's needs no handlers", async () => {
      const quiet = defineProtocol({
        name: "quiet",
        version: 1,
        events: { tick: { payload: type<number>() } },
      });
      const { server, connect } = await fixture.serveContract(quiet, {});
      const client = await connect();
      const ticks: number[] = [];
      client.on("tick", (n) => ticks.push(n));
      server.broadcast("tick", 1);
      await until(() => ticks.length === 1);
    });
  });
}
