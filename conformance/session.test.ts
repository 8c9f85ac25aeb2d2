// Calls of a contract over every transport: answers, named errors, cancellation, deadlines, streams
// both ways.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SessionClient } from "@hawser/client";
import { defineProtocol, HawserError, type } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { Ticker } from "@hawser/transport";
import { ManualClock } from "@hawser/transport/testing";
import { turns, until } from "./conversation.ts";
import { desk, handlers, object } from "./session-contracts.ts";
import { failure, SessionFixture, taken } from "./sessions.ts";
import { transports } from "./transports.ts";

describe("the contract of the design's §2", () => {
  const fixture = new SessionFixture("unix");

  it("is typed from end to end: what is not in the contract does not compile", async () => {
    const tickets = new Map([[7, { id: 7, title: "The printer is on fire" }]]);
    const saved: { id: number; text: string }[] = [];
    const example = defineProtocol({
      name: "desk",
      version: 1,
      requests: {
        "ticket.get": {
          input: object({ id: "number" }),
          output: object({ id: "number", title: "string" }),
          errors: { notFound: object({ id: "number" }) },
        },
      },
      streams: {
        "ticket.tail": { input: object({ group: "string" }), item: object({ id: "number" }) },
      },
      events: {
        "note.created": {
          payload: object({ id: "number", text: "string" }),
          delivery: "at-least-once",
        },
        typing: { payload: object({ who: "string" }) },
      },
    });
    const { server, connect } = await fixture.serveContract(example, {
      "ticket.get": ({ id }, { fail }) => tickets.get(id) ?? fail("notFound", { id }),
      async *"ticket.tail"({ group }, { signal }) {
        for (let id = group.length; !signal.aborted; id++) yield await Promise.resolve({ id });
      },
      typing: (payload, { server }) => server.to("agents").emit("typing", payload),
    });
    const desk1 = await connect();
    const ticket = await desk1.request(
      "ticket.get",
      { id: 7 },
      { signal: new AbortController().signal, timeoutMs: 2_000 },
    );
    const title: string = ticket.title;
    assert.equal(title, "The printer is on fire");
    const ids: number[] = [];
    for await (const event of desk1.stream("ticket.tail", { group: "vip" }))
      if (ids.push(event.id) === 3) break;
    assert.deepEqual(ids, [3, 4, 5]);
    desk1.on("note.created", async (note) => {
      await turns();
      saved.push(note);
    });
    const [socket] = server.sockets;
    assert.equal(await socket?.emit("note.created", { id: 1, text: "hello" }), "delivered");
    assert.deepEqual(saved, [{ id: 1, text: "hello" }]);
    const wrongly = (one: SessionClient<typeof example>): void => {
      // @ts-expect-error: there is no such request
      void one.request("ticket.got", { id: 7 });
      // @ts-expect-error: the input is another
      void one.request("ticket.get", { id: "7" });
      // @ts-expect-error: the payload is another
      void one.emit("typing", { whom: "me" });
      // @ts-expect-error: it is an event
      void one.request("typing", { who: "me" });
      // @ts-expect-error: the output is another
      void one.request("ticket.get", { id: 7 }).then((value: { name: string }) => value);
    };
    assert.equal(typeof wrongly, "function");
  });

  it(
    "a handler that is missing, of another name, or no function is an error of the compiler and " +
      "a TypeError",
    () => {
      const small = defineProtocol({
        name: "small",
        version: 1,
        requests: { ping: {} },
        streams: { ticks: { item: type<number>() } },
      });
      // @ts-expect-error: ping has no handler
      assert.throws(() => createServer(small, { ticks: () => [] }), {
        name: "TypeError",
        message: /the request "ping".*no handler/,
      });
      // @ts-expect-error: ticks has no handler
      assert.throws(() => createServer(small, { ping: () => undefined }), {
        name: "TypeError",
        message: /the stream "ticks".*no handler/,
      });
      // @ts-expect-error: it is no function
      assert.throws(() => createServer(small, { ping: "pong", ticks: () => [] }), {
        name: "TypeError",
        message: /of type string/,
      });
      assert.throws(
        () =>
          // @ts-expect-error: there is no such message
          createServer(small, { ping: () => undefined, ticks: () => [], pong: () => undefined }),
        { name: "TypeError", message: /"pong".*no such message/ },
      );
      assert.throws(
        () =>
          createServer(small, { ping: () => undefined, ticks: () => [] }, { maxConversations: 0 }),
        RangeError,
      );
      assert.throws(
        () =>
          createServer(
            small,
            { ping: () => undefined, ticks: () => [] },
            { authenticate: "no" as never },
          ),
        TypeError,
      );
    },
  );
});

for (const transport of transports) {
  describe(`calls over ${transport}`, () => {
    const fixture = new SessionFixture(transport);

    it("requests are answered, each with its own answer, whatever the order", async () => {
      const { connect } = await fixture.serveContract(desk, {
        ...handlers,
        async echo(value) {
          await turns((Number(value) * 7) % 5);
          return value;
        },
      });
      const client = await connect();
      assert.deepEqual(await client.request("ticket.get", { id: 7 }), {
        id: 7,
        title: "The printer is on fire",
      });
      await client.request("ping");
      const numbers = Array.from({ length: 500 }, (_, i) => i);
      assert.deepEqual(await Promise.all(numbers.map((n) => client.request("echo", n))), numbers);
      for (const value of [null, "", 0, [], {}, "ü€😀", { deep: [{ er: true }] }])
        assert.deepEqual(await client.request("echo", value), value);
    });

    it("an error of the contract arrives by name, with its payload", async () => {
      const { connect, errors } = await fixture.serveContract(desk, handlers);
      const error = await failure((await connect()).request("ticket.get", { id: 8 }));
      assert.equal(error.code, "NAMED_ERROR");
      assert.deepEqual(error.failure, { name: "notFound", payload: { id: 8 } });
      assert.deepEqual([error.origin, error.scope], ["remote", "conversation"]);
      assert.deepEqual(errors, []);
    });

    it(
      "an error that the contract does not name, or with another payload, is the server's own " +
        "failure",
      async () => {
        const { connect, errors } = await fixture.serveContract(desk, {
          ...handlers,
          "ticket.get": ({ id }, { fail }) =>
            id === 1
              ? (fail as (name: string) => never)("nameless")
              : fail("notFound", { id: "x" as never }),
        });
        const client = await connect();
        for (const id of [1, 2]) {
          const { code, failure: named } = await failure(client.request("ticket.get", { id }));
          assert.deepEqual([code, named], ["REMOTE_HANDLER_FAILED", null]);
        }
        assert.deepEqual(
          errors.map(({ code }) => code),
          ["OUTPUT_INVALID", "OUTPUT_INVALID"],
        );
      },
    );

    it(
      "a handler that throws or rejects fails its call alone: the cause stays here, and the " +
        "session goes on",
      async () => {
        const { connect, errors } = await fixture.serveContract(desk, {
          ...handlers,
          ping: () => {
            throw new Error("secret of the server");
          },
          whoami: () => Promise.reject(new Error("another secret")),
        });
        const client = await connect();
        for (const name of ["ping", "whoami"] as const) {
          const error = await failure(client.request(name));
          assert.equal(error.code, "REMOTE_HANDLER_FAILED");
          assert.doesNotMatch(error.message, /secret/);
        }
        assert.deepEqual(
          errors.map(({ code, cause }) => [code, (cause as Error).message]),
          [
            ["HANDLER_FAILED", "secret of the server"],
            ["HANDLER_FAILED", "another secret"],
          ],
        );
        assert.equal(await client.request("echo", "still here"), "still here");
      },
    );

    it(
      "an output that is not what the contract says is not sent: the caller is told, and the " +
        "server too, with the path",
      async () => {
        const { connect, errors } = await fixture.serveContract(desk, handlers);
        const client = await connect();
        assert.equal((await failure(client.request("broken"))).origin, "remote");
        assert.deepEqual(
          errors.map(({ code, path }) => [code, path]),
          [["OUTPUT_INVALID", ["id"]]],
        );
      },
    );

    it("an input that is not what the contract says is refused before a byte leaves, with the path", async () => {
      let called = 0;
      const { connect } = await fixture.serveContract(desk, {
        ...handlers,
        "ticket.get": () => {
          called++;
          return { id: 1, title: "" };
        },
      });
      const client = await connect();
      const error = await failure(client.request("ticket.get", { id: "7" as never }));
      assert.deepEqual([error.code, error.origin, error.path], ["INPUT_INVALID", "local", ["id"]]);
      await assert.rejects(client.emit("note.created", { id: 1 } as never), {
        code: "EVENT_INVALID",
        path: ["text"],
      });
      const stream = client.stream("drop");
      assert.throws(() => stream.send({ id: "x" } as never), {
        code: "ITEM_INVALID",
        path: ["id"],
      });
      await stream.return();
      await assert.rejects(client.request("constructor" as never, undefined as never), TypeError);
      assert.equal(called, 0);
    });

    it("the receiver checks again: a peer whose contract checks nothing is told the path", async () => {
      const { connectAs, errors } = await fixture.serveContract(desk, handlers);
      const { requests, streams, events } = desk.definition;
      const client = await connectAs(
        defineProtocol({
          name: "desk",
          version: 1,
          requests: {
            ...requests,
            "ticket.get": {
              input: type<unknown>(),
              output: type<unknown>(),
              errors: { notFound: type<unknown>(), closed: type<undefined>() },
            },
          },
          streams: { ...streams, drop: { send: type<unknown>() } },
          events: {
            ...events,
            "note.created": { payload: type<unknown>(), delivery: "at-least-once" },
          },
        }),
      );
      const error = await failure(
        client.request("ticket.get", { id: ["hostile"], __proto__: null }),
      );
      // whose fault it is, whoever says so
      assert.deepEqual([error.code, error.origin, error.path], ["INPUT_INVALID", "local", ["id"]]);
      const stream = client.stream("drop");
      stream.send({ id: 1 });
      stream.send({ id: null });
      const invalid = await failure(stream.finished());
      assert.deepEqual([invalid.code, invalid.path], ["ITEM_INVALID", ["id"]]);
      await assert.rejects(client.emit("note.created", "no note"), HawserError);
      assert.equal(
        errors.some(({ code }) => code === "EVENT_INVALID"),
        true,
      );
      assert.deepEqual(await client.request("echo", "still here"), "still here");
    });

    it("aborting a request reaches its handler's signal; the caller has its error at once", async () => {
      let seen: AbortSignal | null = null;
      const { connect } = await fixture.serveContract(desk, {
        ...handlers,
        "ticket.wait": (_, { signal }) => {
          seen = signal;
          return new Promise((_, reject) => {
            signal.addEventListener("abort", () => {
              reject(new Error("stopped"));
            });
          });
        },
      });
      const client = await connect();
      const controller = new AbortController();
      const answer = client.request("ticket.wait", { id: 1 }, { signal: controller.signal });
      await until(() => seen !== null);
      controller.abort(new Error("the user left"));
      const error = await failure(answer);
      assert.deepEqual(
        [error.code, error.origin, (error.cause as Error).message],
        ["CALL_CANCELLED", "local", "the user left"],
      );
      await until(() => seen?.aborted === true);
      assert.equal(
        (await failure(client.request("ping", undefined, { signal: AbortSignal.abort() }))).code,
        "CALL_CANCELLED",
      );
      assert.throws(() => client.stream("forever", undefined, { signal: AbortSignal.abort() }), {
        code: "CALL_CANCELLED",
      });
      assert.equal(await client.request("echo", 1), 1);
    });

    it("a deadline ends the call at both ends", async () => {
      const clock = new ManualClock();
      let signal: AbortSignal | null = null;
      let deadlineMs = 0;
      const { connect } = await fixture.serveContract(
        desk,
        {
          ...handlers,
          "ticket.wait": (_, context) => {
            ({ signal, deadlineMs } = context);
            return new Promise(() => undefined);
          },
        },
        { ticker: new Ticker(clock) },
      );
      const client = await connect({ ticker: new Ticker(clock) });
      clock.advance(1_010);
      const answer = failure(client.request("ticket.wait", { id: 1 }, { timeoutMs: 40 }));
      await until(() => signal !== null);
      assert.equal(deadlineMs, 1_050);
      clock.advance(39);
      await turns(3);
      assert.equal((signal as unknown as AbortSignal).aborted, false);
      clock.advance(1);
      assert.equal((await answer).code, "DEADLINE_EXCEEDED");
      assert.equal((signal as unknown as AbortSignal).aborted, true);
      await assert.rejects(client.request("ping", undefined, { timeoutMs: 0 }), RangeError);
      assert.equal(await client.request("echo", 1, { timeoutMs: Infinity }), 1);
    });

    it("large messages cross whole, and small ones do not wait for them", async () => {
      const { connect } = await fixture.serveContract(desk, handlers, {
        maxMessageBytes: 4_000_000,
      });
      const client = await connect({ maxMessageBytes: 4_000_000 });
      const large = new Uint8Array(3_000_000).map((_, i) => i % 251);
      const order: string[] = [];
      const blobbed = client.request("blob", large);
      const [blob] = await Promise.all([
        blobbed,
        blobbed.then(() => order.push("large")),
        client.request("echo", "small").then(() => order.push("small")),
      ]);
      assert.deepEqual(order, ["small", "large"]);
      assert.equal(Buffer.compare(blob, large), 0);
      assert.equal(
        (await failure(client.request("blob", new Uint8Array(4_000_001)))).code,
        "PAYLOAD_TOO_LARGE",
      );
    });

    it("more than may wait is refused with WRITE_BUFFER_FULL, and breaks nothing", async () => {
      const { connect } = await fixture.serveContract(desk, handlers);
      const client = await connect({ maxQueuedBytes: 2_000_000 });
      const answers = await Promise.allSettled(
        Array.from({ length: 100 }, () => client.request("blob", new Uint8Array(100_000))),
      );
      const failed = answers
        .filter((answer) => answer.status === "rejected")
        .map(({ reason }) => (reason as HawserError).code);
      assert(failed.length > 0 && failed.length < 100, `${failed.length} failed`);
      assert.deepEqual(new Set(failed), new Set(["WRITE_BUFFER_FULL"]));
      assert.equal(await client.request("echo", "still here"), "still here");
    });

    it("the server asks the client where the contract says so", async () => {
      const { server, connect } = await fixture.serveContract(desk, handlers);
      const client = await connect({
        handlers: {
          question: async (question, { socket }) => `${question} ${await socket.request("whoami")}`,
          async *watch(from) {
            for (let i = from; i < from + 3; i++) yield await Promise.resolve(i);
          },
        },
      });
      assert.equal(await client.request("ask", "who is it?"), "who is it? nobody");
      const [socket] = server.sockets;
      assert(socket !== undefined);
      assert.deepEqual(await taken(socket.stream("watch", 5)), [5, 6, 7]);
      await assert.rejects(socket.request("ping" as never, undefined as never), TypeError);
      const mute = await connect();
      const error = await failure(mute.request("ask", "anybody?"));
      assert.equal(error.code, "REMOTE_HANDLER_FAILED");
    });

    it("a stream's items arrive in order, and then its end", async () => {
      const { connect } = await fixture.serveContract(desk, handlers);
      const client = await connect();
      const items = await taken(client.stream("count", { to: 50_000 }));
      assert.equal(items.length, 50_000);
      assert(items.every((item, i) => item === i + 1));
      assert.deepEqual(await taken(client.stream("count", { to: 0 })), []);
    });

    it("a stream that fails throws after the items before it; a named error keeps its payload", async () => {
      const { connect } = await fixture.serveContract(desk, {
        ...handlers,
        *count({ to }, { fail }) {
          yield 1;
          yield 2;
          fail("tooFar", { most: to });
        },
      });
      const client = await connect();
      const got: number[] = [];
      const error = await failure(
        (async () => {
          for await (const item of client.stream("count", { to: 9 })) got.push(item);
        })(),
      );
      assert.deepEqual(got, [1, 2]);
      assert.deepEqual(error.failure, { name: "tooFar", payload: { most: 9 } });
    });

    it("pulling is credit: a generator runs no further ahead than the window", async () => {
      let made = 0;
      const { connect } = await fixture.serveContract(desk, {
        ...handlers,
        async *forever() {
          for (;;) yield await Promise.resolve(++made);
        },
      });
      // an item costs its body and 16: some 55 of them
      const client = await connect({ windowBytes: 1_000 });
      const stream = client.stream("forever");
      assert.equal((await stream.next()).value, 1);
      await turns(50);
      const before = made;
      assert(before <= 60, `${before} items were made`);
      await turns(50);
      assert.equal(made, before);
      for (let i = 2; i <= 500; i++) assert.equal((await stream.next()).value, i);
      await turns(50);
      assert(made <= 560, `${made} items were made`);
      await stream.return();
    });

    it("a slow stream does not hold up another, nor requests", async () => {
      const { connect } = await fixture.serveContract(desk, handlers);
      const client = await connect({ windowBytes: 100 });
      const slow = client.stream("forever");
      await slow.next();
      assert.equal((await taken(client.stream("count", { to: 1_000 }))).length, 1_000);
      assert.equal(await client.request("echo", "yes"), "yes");
      await slow.return();
    });

    it("leaving a loop cancels the stream: the generator's finally runs", async () => {
      let state = "never begun";
      const { connect } = await fixture.serveContract(desk, {
        ...handlers,
        async *forever() {
          state = "running";
          try {
            for (let i = 0; ; i++) yield await Promise.resolve(i);
          } finally {
            state = "cleaned up";
          }
        },
      });
      const client = await connect();
      for await (const item of client.stream("forever")) if (item === 10) break;
      await until(() => state === "cleaned up");
      assert.equal(await client.request("echo", 1), 1);
    });

    it("a generator that waits for something is told by its signal", async () => {
      let stopped = false;
      const { connect } = await fixture.serveContract(desk, {
        ...handlers,
        async *forever(_, { signal }) {
          yield 1;
          await new Promise((resolve) => {
            signal.addEventListener("abort", resolve);
          });
          stopped = true;
        },
      });
      const client = await connect();
      const controller = new AbortController();
      const stream = client.stream("forever", undefined, { signal: controller.signal });
      assert.equal((await stream.next()).value, 1);
      controller.abort();
      assert.equal((await failure(stream.next())).code, "CALL_CANCELLED");
      await until(() => stopped);
    });

    it("items go up as fast as they are taken, and no faster", async () => {
      let open: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => (open = resolve));
      let sum = 0;
      const { connect } = await fixture.serveContract(
        desk,
        {
          ...handlers,
          async *sum(_, { items }) {
            await gate;
            for await (const item of items) sum += item;
            yield sum;
          },
        },
        { windowBytes: 1_000 },
      );
      const client = await connect();
      const stream = client.stream("sum");
      let sent = 0;
      while (stream.send(1)) sent++;
      assert(sent < 100, `${sent} items were sent at once`);
      let writable = false;
      const room = stream.writable().then(() => (writable = true));
      await turns(20);
      assert.equal(writable, false);
      open();
      await room;
      for (sent++; sent < 10_000; sent++) if (!stream.send(1)) await stream.writable();
      stream.end();
      assert.deepEqual(await taken(stream), [10_000]);
      await stream.finished();
      assert.throws(() => client.stream("count", { to: 1 }).send(1 as never), TypeError);
    });

    it("a handler that only takes items may return nothing, or fail", async () => {
      const { connect } = await fixture.serveContract(desk, handlers);
      const client = await connect();
      const good = client.stream("drop");
      for (let id = 0; id < 10; id++) good.send({ id });
      good.end();
      await good.finished();
      const bad = client.stream("drop");
      bad.send({ id: -1 });
      assert.equal((await failure(bad.finished())).code, "REMOTE_HANDLER_FAILED");
      assert.equal(bad.send({ id: 1 }), true); // dropped: the stream is over
    });

    it("what a handler throws when its call is cancelled is nobody's business", async () => {
      const { connect, errors } = await fixture.serveContract(desk, {
        ...handlers,
        "ticket.wait": (_, { signal }) =>
          new Promise((_, reject) => {
            signal.addEventListener("abort", () => {
              reject(new Error("stopped"));
            });
          }),
      });
      const client = await connect();
      const controller = new AbortController();
      const answer = failure(
        client.request("ticket.wait", { id: 1 }, { signal: controller.signal }),
      );
      await turns(5);
      controller.abort();
      await answer;
      await client.request("ping");
      assert.deepEqual(errors, []);
    });

    it("when the connection is lost, calls settle with what is known, and handlers are told", async () => {
      let signal: AbortSignal | null = null;
      const { server, connect } = await fixture.serveContract(desk, {
        ...handlers,
        "ticket.wait": (_, context) => {
          ({ signal } = context);
          return new Promise(() => undefined);
        },
      });
      const client = await connect({ reconnect: false });
      const answer = failure(client.request("ticket.wait", { id: 1 }));
      const stream = client.stream("forever");
      await stream.next();
      await until(() => signal !== null);
      for (const socket of server.sockets) socket.abort();
      assert.equal((await answer).code, "SESSION_LOST");
      await assert.rejects(taken(stream), { code: "SESSION_LOST" });
      assert.equal((signal as unknown as AbortSignal).aborted, true);
      assert.equal((await client.closed).reason, "error");
      assert.equal((await failure(client.request("ping"))).code, "SESSION_CLOSED");
    });
  });
}
