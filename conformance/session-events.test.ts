// Events of a contract over every transport: once or at least once, across lost connections; and
// the sessions that resume.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect as connectTo, type SessionClient } from "@hawser/client";
import { createServer, type SessionServer, type SessionSocket } from "@hawser/server";
import { Ticker } from "@hawser/transport";
import { faultProxy, ManualClock } from "@hawser/transport/testing";
import { turns, until } from "./conversation.ts";
import { desk, handlers } from "./session-contracts.ts";
import { failure, SessionFixture } from "./sessions.ts";
import { transports } from "./transports.ts";

type Server = SessionServer<typeof desk>;
type Client = SessionClient<typeof desk>;

/** Comes back at once. */
const hasty = { reconnect: { initialMs: 1, maxMs: 5 } };

function first(server: Server): SessionSocket<typeof desk> {
  const [socket] = server.sockets;
  assert(socket !== undefined);
  return socket;
}

/** What happens to a client, in order. */
function logged(client: Client): string[] {
  const log: string[] = [];
  for (const name of ["ready", "resumed", "disconnected", "draining", "close"] as const)
    client.lifecycle.on(name, () => void log.push(name));
  return log;
}

for (const transport of transports) {
  describe(`events over ${transport}`, () => {
    const fixture = new SessionFixture(transport);

    it(
      "an event at least once resolves as delivered when the handler has it, and the next comes " +
        "after it",
      async () => {
        const log: string[] = [];
        const { connect } = await fixture.serveContract(desk, {
          ...handlers,
          async "note.created"({ text }) {
            log.push(`begin ${text}`);
            await turns(2);
            log.push(`end ${text}`);
          },
        });
        const client = await connect();
        const outcomes = ["a", "b"].map((text, id) => client.emit("note.created", { id, text }));
        assert.deepEqual(await Promise.all(outcomes), ["delivered", "delivered"]);
        assert.deepEqual(log, ["begin a", "end a", "begin b", "end b"]);
      },
    );

    it(
      "eventsFlushed() resolves when the events have left: the handler of a request that follows " +
        "has seen them all, on both sides",
      async () => {
        const payload = { id: 1, text: "x".repeat(1_000) };
        let seen = 0;
        let seenByPing = 0;
        const count = (): void => {
          seen++;
        };
        const ping = (): void => {
          seenByPing = seen;
        };
        const { server, connect } = await fixture.serveContract(desk, {
          ...handlers,
          "note.created": count,
          typing: count,
          ping,
        });
        const client = await connect({
          handlers: {
            question: () => String(seen),
            watch: () => [],
            "note.created": count,
            typing: count,
          },
        });
        for (let i = 0; i < 1_000; i++) {
          void client.emit("note.created", payload);
          void client.emit("typing", { who: payload.text });
        }
        await client.eventsFlushed();
        await client.request("ping");
        assert.equal(seenByPing, 2_000);
        seen = 0;
        const socket = first(server);
        for (let i = 0; i < 1_000; i++) {
          void socket.emit("note.created", payload);
          void socket.emit("typing", { who: payload.text });
        }
        await socket.eventsFlushed();
        assert.equal(await socket.request("question", ""), "2000");
      },
    );

    it(
      "an event that is given up is not sent, or its outcome is unknown: by timeoutMs and by a " +
        "signal, on both sides",
      async () => {
        const clock = new ManualClock();
        const { server, connect } = await fixture.serveContract(
          desk,
          { ...handlers, "note.created": () => new Promise(() => undefined) },
          { ticker: new Ticker(clock) },
        );
        const client = await connect({
          ticker: new Ticker(clock),
          handlers: {
            question: () => "",
            watch: () => [],
            "note.created": () => new Promise(() => undefined),
          },
        });
        for (const side of [client, first(server) as unknown as Pick<Client, "emit">]) {
          // of these two events both have the same
          const note = { id: 1, text: "x".repeat(200_000) };
          const outcomes: Promise<string>[] = [];
          for (let i = 0; i < 4; i++)
            outcomes.push(side.emit("note.created", note, { timeoutMs: 1_000 }));
          const controller = new AbortController();
          const aborted = side.emit("typing", { who: "me" }, { signal: controller.signal });
          await turns(20);
          controller.abort();
          assert.equal(await aborted, "not-sent");
          clock.advance(1_000);
          assert.deepEqual(await Promise.all(outcomes), [
            "unknown",
            "unknown",
            "not-sent",
            "not-sent",
          ]);
          assert.equal(
            await side.emit("typing", { who: "me" }, { signal: AbortSignal.abort() }),
            "not-sent",
          );
        }
      },
    );

    it("two handlers that wait for each other's events go on when one's timeoutMs is over", async () => {
      const clock = new ManualClock();
      const log: string[] = [];
      const { connect } = await fixture.serveContract(
        desk,
        {
          ...handlers,
          async "note.created"({ text }, { socket }) {
            if (text === "go")
              log.push(
                "server " +
                  (await socket.emit(
                    "note.created",
                    { id: 1, text: "asks" },
                    { timeoutMs: 1_000 },
                  )),
              );
            else log.push(`server got ${text}`);
          },
        },
        { ticker: new Ticker(clock) },
      );
      const client = await connect({
        handlers: {
          question: () => "",
          watch: () => [],
          async "note.created"({ text }, { socket }) {
            log.push(`client got ${text}`);
            await socket.emit("note.created", { id: 2, text: "asks back" });
            log.push("client went on");
          },
        },
      });
      const went = client.emit("note.created", { id: 0, text: "go" });
      await until(() => log.length === 1);
      clock.advance(1_000);
      assert.equal(await went, "delivered");
      await until(() => log.length === 4);
      assert.deepEqual(log, [
        "client got asks",
        "server unknown",
        "server got asks back",
        "client went on",
      ]);
    });

    it("a second listener of an event changes nothing of the order that the first one sees", async () => {
      const { connect } = await fixture.serveContract(desk, {
        ...handlers,
        async ping(_, { socket }) {
          for (let id = 0; id < 100; id++) void socket.emit("typing", { who: String(id) });
          await socket.eventsFlushed();
        },
      });
      for (const more of [0, 1, 2]) {
        const client = await connect();
        let heard = 0;
        for (let i = 0; i <= more; i++) {
          client.on("typing", () => {
            heard++;
          });
        }
        await client.request("ping");
        assert.equal(heard, 100 * (more + 1));
      }
    });

    it("an event at most once resolves as unknown when it has left", async () => {
      const heard: string[] = [];
      const { connect } = await fixture.serveContract(desk, {
        ...handlers,
        typing: ({ who }) => void heard.push(who),
      });
      const client = await connect();
      assert.equal(await client.emit("typing", { who: "me" }), "unknown");
      await until(() => heard.length === 1);
      assert.deepEqual(heard, ["me"]);
    });

    it("a handler that fails is told to the sender of an event at least once, and holds nothing up", async () => {
      const heard: number[] = [];
      const { connect, errors } = await fixture.serveContract(desk, {
        ...handlers,
        "note.created"({ id }) {
          heard.push(id);
          if (id === 1) throw new Error("secret");
        },
      });
      const client = await connect();
      const [one, two] = [
        client.emit("note.created", { id: 1, text: "" }),
        client.emit("note.created", { id: 2, text: "" }),
      ];
      const error = await failure(one);
      assert.equal(error.code, "REMOTE_HANDLER_FAILED");
      assert.doesNotMatch(error.message, /secret/);
      assert.equal(await two, "delivered");
      assert.deepEqual(heard, [1, 2]);
      assert.equal(errors[0]?.code, "HANDLER_FAILED");
    });

    it("a rejection that nobody looks at does not end the process", async () => {
      const { connect } = await fixture.serveContract(desk, {
        ...handlers,
        "note.created"() {
          throw new Error("no");
        },
      });
      const client = await connect();
      void client.emit("note.created", { id: 1, text: "" });
      await failure(client.emit("note.created", { id: 2, text: "" }));
      await turns(5);
    });

    it("an event that nobody handles: at least once its sender is told, at most once it is dropped", async () => {
      const { server, connect } = await fixture.serveContract(desk, handlers);
      const client = await connect();
      assert.equal(
        (await failure(client.emit("note.created", { id: 1, text: "" }))).code,
        "MESSAGE_UNKNOWN",
      );
      assert.equal(await client.emit("typing", { who: "me" }), "unknown");
      await turns(5);
      assert.equal((await failure(first(server).emit("greeted", "hello"))).code, "MESSAGE_UNKNOWN");
    });

    it("on, once and off: a listener's promise delays the acknowledgement and the next event", async () => {
      const { server, connect } = await fixture.serveContract(desk, handlers);
      const client = await connect();
      const log: string[] = [];
      let open: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => (open = resolve));
      const slow = async (text: string): Promise<void> => {
        log.push(`slow ${text}`);
        await gate;
      };
      client.on("greeted", slow);
      client.once("greeted", (text) => log.push(`once ${text}`));
      const outcome = first(server).emit("greeted", "a");
      const next = first(server).emit("greeted", "b");
      await until(() => log.length === 2);
      await turns(10);
      assert.deepEqual(log, ["slow a", "once a"]);
      open();
      assert.deepEqual([await outcome, await next], ["delivered", "delivered"]);
      assert.deepEqual(log, ["slow a", "once a", "slow b"]);
      client.off("greeted", slow);
      assert.equal((await failure(first(server).emit("greeted", "c"))).code, "MESSAGE_UNKNOWN");
      assert.throws(() => client.on("join" as never, () => undefined), TypeError);
      assert.throws(() => client.on("ping" as never, () => undefined), TypeError);
    });

    it("events that come together with the welcome wait for the listeners of connect()'s turn", async () => {
      const { connect } = await fixture.serveContract(desk, handlers, {
        open(socket) {
          void socket.emit("greeted", "welcome");
          void socket.emit("greeted", "again");
        },
      });
      const heard: string[] = [];
      const client = await connect();
      client.on("greeted", (text) => heard.push(text));
      await until(() => heard.length === 2);
      const early: string[] = [];
      await connect({
        handlers: { question: () => "", watch: () => [], greeted: (text) => early.push(text) },
      });
      await until(() => early.length === 2);
      assert.deepEqual(
        [heard, early],
        [
          ["welcome", "again"],
          ["welcome", "again"],
        ],
      );
    });

    it(
      "more events than the window wait for their handlers; nothing is lost, and the sender is " +
        "held",
      async () => {
        let heard = 0;
        const { connect } = await fixture.serveContract(
          desk,
          {
            ...handlers,
            async typing() {
              await turns();
              heard++;
            },
          },
          { eventWindowBytes: 1_000 },
        );
        const client = await connect();
        let settled = 0;
        const outcomes = Array.from({ length: 300 }, () =>
          client.emit("typing", { who: "x" }).then(() => settled++),
        );
        await turns(1);
        assert(settled < 100, `${settled} were out at once`);
        await Promise.all(outcomes);
        await until(() => heard === 300);
      },
    );

    it(
      "every event at least once is handled exactly once and in order, however often the " +
        "connection is lost",
      async () => {
        const heard: number[] = [];
        const answered: number[] = [];
        const { server, connect } = await fixture.serveContract(desk, {
          ...handlers,
          async "note.created"({ id }, { socket }) {
            heard.push(id);
            void socket.emit("greeted", String(id));
            if (id % 7 === 0) await turns();
          },
        });
        const client = await connect(hasty);
        const log = logged(client);
        client.on("greeted", (text) => answered.push(Number(text)));
        const ids = Array.from({ length: 200 }, (_, id) => id);
        const outcomes: Promise<string>[] = [];
        for (const id of ids) {
          outcomes.push(client.emit("note.created", { id, text: "x".repeat(id) }));
          if (id % 20 === 10) first(server).abort();
          if (id % 5 === 0) await turns(2);
          // Not client.ready: it may not know yet that its connection is gone.
          if (id % 50 === 0)
            await until(() => log.filter((event) => event === "resumed").length >= id / 50);
        }
        assert.deepEqual(new Set(await Promise.all(outcomes)), new Set(["delivered"]));
        await until(() => answered.length >= 200);
        assert.deepEqual([heard, answered], [ids, ids]);
        assert(log.filter((event) => event === "resumed").length >= 2, log.join());
        assert.equal(server.sockets.size, 1);
        assert(!log.includes("ready"), "no session was begun anew");
      },
    );

    it(
      "a session that resumes keeps its rooms and its context, under another identity; calls " +
        "that were open have failed",
      async () => {
        let opened = 0;
        const { server, connect } = await fixture.serveContract(
          desk,
          {
            ...handlers,
            join: (room, { socket }) => {
              socket.join(room);
            },
          },
          {
            authenticate: () => undefined,
            open: () => {
              opened++;
            },
          },
        );
        const client = await connect(hasty);
        const log = logged(client);
        await client.emit("join", "agents");
        await until(() => server.room("agents").size === 1);
        const { id } = client;
        const open = failure(client.request("ticket.wait", { id: 1 }));
        const socket = first(server);
        await turns(5);
        socket.abort();
        assert.equal(socket.state, "lost");
        assert.equal(server.room("agents").size, 1);
        assert.equal((await open).code, "SESSION_LOST");
        await until(() => log.includes("resumed"));
        assert.deepEqual(log, ["disconnected", "resumed"]);
        assert.equal(first(server), socket);
        assert.deepEqual(
          [client.id === id, socket.id === client.id, socket.state, client.state],
          [false, true, "ready", "ready"],
        );
        assert.equal(opened, 1);
        assert.equal(await client.request("echo", 1), 1);
      },
    );

    it(
      "a session that is not resumed in time is over: its events are of unknown outcome, its " +
        "rooms are empty",
      async () => {
        const clock = new ManualClock();
        const closed: string[] = [];
        const { server, connect } = await fixture.serveContract(
          desk,
          {
            ...handlers,
            join: (room, { socket }) => {
              socket.join(room);
            },
          },
          {
            ticker: new Ticker(clock),
            resumeWindowMs: 1_000,
            close: (_, { reason, error }) => void closed.push(`${reason} ${String(error?.code)}`),
          },
        );
        const client = await connect({ reconnect: false });
        client.on("greeted", () => new Promise(() => undefined));
        await client.emit("join", "agents");
        await until(() => server.room("agents").size === 1);
        const socket = first(server);
        const outcome = socket.emit("greeted", "hello");
        await turns(5);
        client.abort();
        await until(() => socket.state === "lost");
        const kept = socket.emit("greeted", "anybody?");
        assert.equal(await socket.emit("typing", { who: "server" }), "not-sent");
        clock.advance(900);
        assert.equal(socket.state, "lost");
        clock.advance(500);
        assert.equal(socket.state, "closed");
        assert.deepEqual([await outcome, await kept], ["unknown", "not-sent"]);
        assert.equal((await socket.closed).reason, "error");
        assert.deepEqual([server.sockets.size, server.rooms.size, closed.length], [0, 0, 1]);
      },
    );

    it(
      "a server that has forgotten the session begins a new one, and the client's events are " +
        "sent again",
      async () => {
        const heard: number[] = [];
        const { server, connect } = await fixture.serveContract(
          desk,
          { ...handlers, "note.created": ({ id }) => void heard.push(id) },
          { resumeWindowMs: 0 },
        );
        const client = await connect(hasty);
        const log = logged(client);
        const { id } = client;
        assert.equal(await client.emit("note.created", { id: 1, text: "" }), "delivered");
        first(server).abort();
        await until(() => client.state === "disconnected");
        assert.equal(await client.emit("note.created", { id: 2, text: "" }), "delivered");
        assert.deepEqual(log, ["disconnected", "ready"]);
        assert.notEqual(client.id, id);
        assert.deepEqual(heard, [1, 2]);
      },
    );

    it("a client that comes back before the server has noticed takes its session over", async () => {
      const { server, connect } = await fixture.serveContract(desk, handlers);
      const client = await connect(hasty);
      const log = logged(client);
      const socket = first(server);
      client.lifecycle.on("resumed", () => undefined);
      // The server's session resumes while its old connection stands: seen from the server, the
      // client is suddenly there twice.
      for (let i = 0; i < 3; i++) {
        socket.abort();
        const count = i + 1;
        await until(() => log.filter((event) => event === "resumed").length === count);
      }
      assert.equal(server.sockets.size, 1);
      assert.equal(await client.request("echo", "x"), "x");
    });
  });
}

describe("events through a network that breaks", () => {
  const fixture = new SessionFixture("tcp");

  it("every event arrives once and in order, both ways, while a proxy cuts, slices and resets", async () => {
    const heard: number[] = [];
    const answered: number[] = [];
    const server = createServer(desk, {
      ...handlers,
      "note.created"({ id }, { socket }) {
        heard.push(id);
        void socket.emit("greeted", String(id));
      },
    });
    fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
    const proxy = fixture.own(
      await faultProxy(await server.listen("tcp://localhost:0"), {
        faults: { up: [{ kind: "slice", bytes: 7 }], down: [{ kind: "slice", bytes: 11 }] },
      }),
    );
    const client = await connectTo(desk, proxy.address, {
      ...hasty,
      handlers: {
        question: () => "",
        watch: () => [],
        greeted: (text) => answered.push(Number(text)),
      },
    });
    fixture.own({
      abort: () => {
        client.abort();
      },
    });
    let resumed = 0;
    client.lifecycle.on("resumed", () => resumed++);
    const outcomes: Promise<string>[] = [];
    for (let id = 0; id < 100; id++) {
      outcomes.push(client.emit("note.created", { id, text: "x".repeat((id * 37) % 400) }));
      await turns(3);
      if (id % 25 === 20) {
        await client.ready;
        proxy.cut();
        await until(() => client.state === "disconnected");
      }
      if (id === 50) proxy.setFaults({ up: [{ kind: "limit", bytes: 3_000 }] });
      if (id === 80) proxy.setFaults({});
    }
    proxy.setFaults({});
    assert.deepEqual(new Set(await Promise.all(outcomes)), new Set(["delivered"]));
    await until(() => answered.length === 100);
    const ids = Array.from({ length: 100 }, (_, id) => id);
    assert.deepEqual([heard, answered], [ids, ids]);
    assert(resumed >= 2, `resumed ${resumed} times`);
    assert.equal(server.sockets.size, 1);
  });
});
