// The program's own code, as the ends call it: what it throws, returns too late or never, and where
// its failures are told.

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import process from "node:process";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { connect, type SessionConnectOptions } from "@hawser/client";
import { defineProtocol, HawserError, jsonRpc, lines, text, type, wire } from "@hawser/protocol";
import type { Hello } from "@hawser/protocol";
import { hostileValues } from "@hawser/protocol/testing";
import {
  createServer,
  type ServerSocket,
  type SessionPeer,
  type SessionServerOptions,
} from "@hawser/server";
import { type Connection, memoryPair, Ticker } from "@hawser/transport";
import { ManualClock } from "@hawser/transport/testing";

const timeout = 10_000;
const turns = async (count = 12): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

async function until(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 3_000 && !isTrue(); i++) await turns(1);
  assert.ok(isTrue(), "it never came true");
}

const desk = defineProtocol({
  name: "desk",
  version: 1,
  requests: {
    get: { input: type<string>(), output: type<unknown>() },
    who: { output: type<unknown>() },
  },
  events: {
    told: { payload: type<string>(), from: "client", delivery: "at-least-once" },
    tick: { payload: type<number>(), from: "server" },
    note: { payload: type<number>(), from: "server", delivery: "at-least-once" },
  },
});
const feed = defineProtocol({
  name: "feed",
  version: 1,
  streams: { items: { input: type<number>(), item: type<unknown>() } },
  requests: { hang: {}, ping: { output: type<string>() } },
});
const chat = wire({ framing: lines(), codec: text() });

type DeskOptions = SessionServerOptions<typeof desk, { user: string }>;

/** A server, and clients that lose their connection when `cut` is called. */
function deskServer(options: DeskOptions = {}, handlers: object = {}) {
  const errors: HawserError[] = [];
  const server = createServer<typeof desk, { user: string }>(
    desk,
    {
      get: (value: unknown) => value,
      who: (_: unknown, { context }: { context: unknown }) => context,
      told: () => undefined,
      ...handlers,
    } as never, // some replace these
    { error: (error) => void errors.push(error), ...options },
  );
  const connections: Connection[] = [];
  const connector = (): Connection => {
    const [mine, theirs] = memoryPair();
    server.accept(theirs);
    connections.push(mine);
    return mine;
  };
  const dial = (more: SessionConnectOptions<typeof desk> = {}) =>
    connect(desk, connector, { reconnect: { initialMs: 1, maxMs: 2 }, ...more });
  const cut = (): void => {
    connections.at(-1)?.abort();
  };
  return { server, dial, errors, connector, cut };
}

/** Process warnings while something runs. */
async function warnings(run: () => Promise<void>): Promise<string[]> {
  const codes: string[] = [];
  const listener = (warning: Error & { code?: string }): void =>
    void codes.push(String(warning.code));
  process.on("warning", listener);
  await run();
  await turns(30);
  process.off("warning", listener);
  return codes.filter((code) => code.startsWith("HAWSER_"));
}

describe("what a handler throws, rejects with or returns", () => {
  for (const [kind, spoken] of [
    ["native", desk],
    ["JSON-RPC", jsonRpc(desk, { framing: lines(), downgrade: true })],
  ] as const) {
    it(
      `settles the ${kind} call and is told to error, for every hostile value`,
      { timeout },
      async () => {
        const errors: HawserError[] = [];
        const bad = (how: string): unknown => {
          const [way, name] = how.split(" ") as [string, string];
          const value = hostileValues[name]?.();
          if (way === "throw") throw value;
          if (way === "return") return value;
          return turns(1).then(() => {
            throw value;
          });
        };
        const server = createServer(
          spoken,
          { get: bad, who: () => "", told: bad },
          { error: (error) => void errors.push(error) },
        );
        const [mine, theirs] = memoryPair();
        server.accept(theirs);
        const client = await connect(spoken, mine);
        for (const name of Object.keys(hostileValues)) {
          for (const way of ["throw", "reject"]) {
            const before = errors.length;
            await assert.rejects(
              client.request("get", `${way} ${name}`),
              (error) => error instanceof HawserError,
              `${way} ${name}`,
            );
            assert.equal(errors.length, before + 1, `${way} ${name} is told once`);
            if (kind === "native")
              await client.emit("told", `${way} ${name}`).catch(() => undefined);
          }
          await client.request("get", `return ${name}`).catch(() => undefined);
        }
        assert.equal(client.state, "ready");
        await client.close();
        await server.close();
      },
    );
  }
});

describe("failures that nobody else is told", () => {
  it("are process warnings without an error handler, once for each code", { timeout }, async () => {
    const codes = await warnings(async () => {
      const server = createServer(feed, {
        items: () => [],
        hang: () => Promise.reject(new Error("disk full")),
        ping: () => "pong",
      });
      const [mine, theirs] = memoryPair();
      server.accept(theirs);
      const client = await connect(feed, mine);
      for (let i = 0; i < 3; i++) await assert.rejects(client.request("hang"));
      await client.close();
      await server.close();
    });
    assert.deepEqual(codes, ["HAWSER_HANDLER_FAILED"]);
  });

  it(
    "an error handler that rejects or throws is a warning, and never an unhandled rejection",
    { timeout },
    async () => {
      const codes = await warnings(async () => {
        const { server, dial } = deskServer(
          { error: () => Promise.reject(new Error("log server is away")) },
          { get: () => Promise.reject(new Error("x")) },
        );
        const client = await dial();
        for (let i = 0; i < 3; i++) await assert.rejects(client.request("get", ""));
        const echo = createServer(chat, {
          message: () => Promise.reject(new Error("x")),
          error: () => Promise.reject(new Error("y")),
        });
        const [mine, theirs] = memoryPair();
        echo.accept(theirs);
        const socket = await connect(chat, mine);
        socket.send("hello");
        await socket.closed;
        await Promise.all([client.close(), server.close(), echo.close()]);
      });
      assert.deepEqual(codes, ["HAWSER_ERROR_HANDLER_FAILED", "HAWSER_ERROR_HANDLER_FAILED"]);
    },
  );

  it("say whose connection it was, also before there is a session", { timeout }, async () => {
    const { server, dial, errors } = deskServer({
      authenticate: () => Promise.reject(new Error("no")),
      maxConnections: 1,
    });
    await assert.rejects(dial({ reconnect: false }), { code: "AUTH_REFUSED" });
    const small = createServer(
      chat,
      { error: (error) => void errors.push(error) },
      { maxConnections: 1 },
    );
    for (const [, theirs] of [memoryPair(), memoryPair()]) small.accept(theirs);
    assert.deepEqual(
      errors.map(({ code, peer }) => [code, typeof peer?.remote, peer?.transport]),
      [
        ["AUTH_REFUSED", "string", "memory"],
        ["TOO_MANY_CONNECTIONS", "string", "memory"],
      ],
    );
    await Promise.all([server.close({ deadlineMs: 1 }), small.close({ deadlineMs: 1 })]);
  });
});

describe("listeners of a wire's client", () => {
  it(
    "that throw lose no message, stop nothing and cut no line, and are told to error",
    { timeout },
    async () => {
      const [mine, theirs] = memoryPair();
      const server = createServer(chat, {
        open: (socket) => {
          for (const message of ["a", "b", "c", "d", "e"]) socket.send(message);
        },
      });
      const heard: string[] = [];
      const told: string[] = [];
      const socket = await connect(chat, mine);
      server.accept(theirs);
      socket.on("error", (error) => {
        told.push(error.code);
        throw new Error("from error");
      });
      await turns();
      const codes = await warnings(async () => {
        socket.on("message", (message) => {
          heard.push(message);
          if (message === "b") throw new Error("boom");
          return message === "d" ? Promise.reject(new Error("later")) : undefined;
        });
        await until(() => heard.length === 5);
      });
      assert.deepEqual(
        [heard, told, codes],
        [
          ["a", "b", "c", "d", "e"],
          ["HANDLER_FAILED", "HANDLER_FAILED"],
          ["HAWSER_HANDLER_FAILED"],
        ],
      );
      socket.abort();
      await server.close();
    },
  );

  it(
    "a pending next() is settled by return(), takes no message, and next() after it is done",
    { timeout },
    async () => {
      const [mine, theirs] = memoryPair();
      let peer: ServerSocket<string> | undefined;
      const server = createServer(chat, { open: (socket) => void (peer = socket) });
      const socket = await connect(chat, mine);
      server.accept(theirs);
      const first = socket[Symbol.asyncIterator]();
      const pending = first.next();
      assert.deepEqual(await first.return?.(), { done: true, value: undefined });
      assert.deepEqual(await pending, { done: true, value: undefined });
      peer?.send("for the second loop");
      assert.deepEqual(await first.next(), { done: true, value: undefined });
      assert.deepEqual(await socket[Symbol.asyncIterator]().next(), {
        done: false,
        value: "for the second loop",
      });
      socket.abort();
      await server.close();
    },
  );

  it(
    "on, once and off are an EventEmitter's: one is removed, also of once; names and listeners " +
      "are checked",
    { timeout },
    async () => {
      const [mine, theirs] = memoryPair();
      let peer: ServerSocket<string> | undefined;
      const server = createServer(chat, { open: (socket) => void (peer = socket) });
      const socket = await connect(chat, mine);
      server.accept(theirs);
      const heard: string[] = [];
      const twice = (message: string): void => void heard.push(`twice ${message}`);
      const never = (): void => void heard.push("never");
      socket.once("message", never).off("message", never);
      socket.on("message", (message) => {
        heard.push(message);
        if (message === "1") socket.on("message", (late) => void heard.push(`late ${late}`));
      });
      socket.on("message", twice).on("message", twice).off("message", twice);
      peer?.send("1");
      await until(() => heard.length === 2);
      peer?.send("2");
      await until(() => heard.length === 5);
      assert.deepEqual(heard, ["1", "twice 1", "2", "twice 2", "late 2"]);
      assert.throws(() => socket.on("mesage" as never, twice), {
        name: "TypeError",
        message: /did you mean "message"/,
      });
      assert.throws(() => socket.off("closed" as never, twice), TypeError);
      assert.throws(() => socket.on("close", undefined as never), TypeError);
      assert.throws(() => socket.once("close", "x" as never), TypeError);
      socket.abort();
      await server.close();
    },
  );
});

describe("a peer's end on a wire", () => {
  it(
    "is no fault of whoever sends to it next: send() says false, and the speaker stays",
    { timeout },
    async () => {
      const peers = new Set<ServerSocket<string>>();
      const server = createServer(chat, {
        open: (socket) => void peers.add(socket), // and never forgets it
        message: (message) => {
          for (const peer of peers) peer.send(message);
        },
      });
      const dial = async () => {
        const [mine, theirs] = memoryPair();
        server.accept(theirs);
        return connect(chat, mine);
      };
      const [speaker, gone] = [await dial(), await dial()];
      const heard: string[] = [];
      speaker.on("message", (message) => void heard.push(message));
      gone.abort();
      await until(() => server.sockets.size === 1);
      for (const message of ["one", "two"]) speaker.send(message);
      await until(() => heard.length === 2);
      assert.deepEqual([heard, speaker.state], [["one", "two"], "open"]);
      speaker.abort();
      await server.close();
    },
  );
});

describe("emit()", () => {
  it(
    "rejects and never throws; at most once and without a connection it is not-sent",
    { timeout },
    async () => {
      const { server, dial, cut } = deskServer();
      const client = await dial();
      const [socket] = server.sockets;
      cut();
      await until(() => socket?.state === "lost");
      assert.equal(await socket?.emit("tick", 1), "not-sent");
      for (const end of [client, socket]) {
        await assert.rejects(
          (end as typeof client).emit("no such event" as never, undefined as never),
          TypeError,
        );
        await assert.rejects(
          (end as typeof client).emit("get" as never, undefined as never),
          TypeError,
        );
      }
      await client.close();
      const late = client.emit("told", "x"); // nobody looks at it for a while, and nothing ends
      await turns();
      await assert.rejects(late, { code: "SESSION_CLOSED" });
      await assert.rejects(connect(undefined as never, "tcp://localhost:1"), TypeError);
      await assert.rejects(server.close({ deadline: 1 } as never), TypeError);
      await server.close();
    },
  );
});

describe("options", () => {
  it(
    "that are not known are TypeErrors that name the nearest, on both ends and in what is within",
    { timeout },
    async () => {
      const named = (name: string) => ({
        name: "TypeError",
        message: new RegExp(`did you mean "${name}"`),
      });
      assert.throws(
        () => createServer(chat, {}, { maxConnection: 1 } as never),
        named("maxConnections"),
      );
      assert.throws(
        () => createServer(chat, { mesage: () => undefined } as never),
        named("message"),
      );
      assert.throws(
        () => createServer(desk, { get: () => 1, who: () => 1 }, { autenticate: () => 1 } as never),
        named("authenticate"),
      );
      assert.throws(
        () => createServer(desk, { get: () => 1, who: () => 1 }, { maxFrameBytes: 1 } as never),
        TypeError,
      );
      await assert.rejects(
        connect(chat, memoryPair()[0], { maxFrameByte: 1 } as never),
        named("maxFrameBytes"),
      );
      await assert.rejects(connect(chat, memoryPair()[0], { reconnect: {} } as never), TypeError);
      await assert.rejects(
        connect(desk, memoryPair()[0], { reconnect: { attemps: 1 } } as never),
        named("attempts"),
      );
      await assert.rejects(
        connect(desk, memoryPair()[0], { queue: { maxByte: 1 } } as never),
        named("maxBytes"),
      );
      await assert.rejects(
        connect(desk, memoryPair()[0], { writeBuffer: { highByte: 1 } } as never),
        named("highBytes"),
      );
    },
  );
});

describe("auth and authenticate", () => {
  it(
    "a failure of auth() while reconnecting is an attempt that failed; at the first connect it " +
      "rejects",
    { timeout },
    async () => {
      const { server, dial, cut } = deskServer();
      let asked = 0;
      const client = await dial({
        auth: () => (++asked === 2 ? Promise.reject(new TypeError("fetch failed")) : "token"),
      });
      const told: string[] = [];
      client.lifecycle.on("error", (error) => told.push(error.code));
      cut();
      await until(() => asked === 3);
      await client.ready;
      assert.deepEqual(told, ["AUTH_FAILED"]);
      await assert.rejects(
        dial({
          auth: async () => {
            await turns(1);
            throw hostileValues["bare"]?.();
          },
        }),
        { code: "AUTH_FAILED" },
      );
      await client.close();
      await server.close();
    },
  );

  it("a connector that fails while reconnecting is tried again", { timeout }, async () => {
    const { server, connector, cut } = deskServer();
    let count = 0;
    const client = await connect(
      desk,
      () => (++count === 2 ? (Promise.reject(new Error("ECONNREFUSED")) as never) : connector()),
      { reconnect: { initialMs: 1, maxMs: 2 } },
    );
    cut();
    await until(() => count === 3);
    await client.ready;
    await client.close();
    await server.close();
  });

  it(
    "connect() ends within connectTimeoutMs, and with its signal, where auth or a connector " +
      "never settles",
    { timeout },
    async () => {
      const { server, connector, dial } = deskServer();
      const never = (): Promise<never> => new Promise(() => undefined);
      const clock = new ManualClock();
      const late = dial({ auth: never, connectTimeoutMs: 300, ticker: new Ticker(clock) });
      const lateConnector = connect(desk, never, {
        connectTimeoutMs: 300,
        ticker: new Ticker(clock),
      });
      const both = Promise.all([
        assert.rejects(late, { code: "AUTH_FAILED" }),
        assert.rejects(lateConnector, { code: "CONNECT_TIMEOUT" }),
      ]);
      await turns();
      clock.advance(301);
      await both;
      for (const target of [connector, never]) {
        const controller = new AbortController();
        const aborted = assert.rejects(
          connect(desk, target, { auth: never, signal: controller.signal }),
          /enough/,
        );
        await turns();
        controller.abort(new Error("enough"));
        await aborted;
      }
      await server.close({ deadlineMs: 1 });
    },
  );

  it(
    "authenticate may say OVERLOADED: the client tries again; another failure ends it",
    { timeout },
    async () => {
      let asked = 0;
      const { server, dial, cut } = deskServer({
        authenticate: (): Promise<{ user: string }> =>
          ++asked === 2
            ? Promise.reject(new HawserError("OVERLOADED", "the database is away"))
            : Promise.resolve({ user: "alice" }),
      });
      const client = await dial();
      cut();
      await until(() => asked === 3);
      await client.ready;
      assert.equal(client.state, "ready");
      await client.close();
      await server.close();
    },
  );

  it(
    "authenticate that can't reach what it asks does not send the client away for good; one " +
      "that refuses does",
    { timeout },
    async () => {
      const failures: readonly (readonly [unknown, string])[] = [
        [
          Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:5432"), { code: "ECONNREFUSED" }),
          "OVERLOADED",
        ],
        [
          new TypeError("fetch failed", {
            cause: Object.assign(new Error("read"), { code: "ECONNRESET" }),
          }),
          "OVERLOADED",
        ],
        [new DOMException("too late", "TimeoutError"), "OVERLOADED"],
        [new HawserError("CONNECT_REFUSED", "the account service is away"), "OVERLOADED"],
        [new Error("a wrong password"), "AUTH_REFUSED"],
        [
          Object.assign(new Error("a wrong argument"), { code: "ERR_INVALID_ARG_TYPE" }),
          "AUTH_REFUSED",
        ],
        [new HawserError("INPUT_INVALID", "not what we take", { origin: "local" }), "AUTH_REFUSED"],
        [null, "AUTH_REFUSED"],
      ];
      for (const [failure, code] of failures) {
        let asked = 0;
        const { server, dial, cut } = deskServer({
          authenticate: (): Promise<{ user: string }> =>
            // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as above
            ++asked === 2 ? Promise.reject(failure) : Promise.resolve({ user: "alice" }),
        });
        const client = await dial();
        cut();
        if (code === "OVERLOADED") {
          await until(() => asked === 3);
          await client.ready;
          await client.close();
        } else {
          assert.equal((await client.closed).error?.code, code);
        }
        await server.close({ deadlineMs: 1 });
      }
    },
  );

  it(
    "authenticate's signal is aborted when the client has left, and a context that nobody uses " +
      "is released",
    { timeout },
    async () => {
      const asked = Promise.withResolvers<AbortSignal>();
      const answer = Promise.withResolvers<{ user: string }>();
      const released: unknown[] = [];
      const { server, connector } = deskServer({
        authenticate: (_: Hello, peer: SessionPeer<{ user: string }>) => {
          asked.resolve(peer.signal);
          return answer.promise;
        },
        release: (context) => void released.push(context),
      });
      const controller = new AbortController();
      const failed = assert.rejects(connect(desk, connector, { signal: controller.signal }));
      const signal = await asked.promise;
      controller.abort(new Error("enough"));
      await failed;
      await until(() => signal.aborted);
      const context = { user: "alice" };
      answer.resolve(context);
      await until(() => released.length === 1);
      assert.equal(released[0], context);
      await server.close({ deadlineMs: 1 });
    },
  );

  it(
    "a resumption is judged with the session's context, which it replaces; another principal " +
      "gets a new session",
    { timeout },
    async () => {
      const seen: unknown[] = [];
      const released: unknown[] = [];
      const hooks: string[] = [];
      let rights = "admin";
      const { server, dial, cut, errors } = deskServer({
        authenticate: ({ auth }: Hello, peer: SessionPeer<{ user: string }>) => {
          seen.push(peer.resumes?.context ?? null);
          return { user: String(auth), rights };
        },
        principal: ({ user }) => user,
        release: (context) => void released.push(context),
        open: (socket) => void hooks.push(`open ${socket.label}`),
        disconnected: (socket) => void hooks.push(`disconnected ${socket.label}`),
        resumed: (socket) => void hooks.push(`resumed ${socket.label}`),
      });
      let user = "alice";
      const client = await dial({ auth: () => user });
      const how: boolean[] = [];
      client.lifecycle
        .on("ready", ({ resumed }) => how.push(resumed))
        .on("resumed", ({ resumed }) => how.push(resumed));
      assert.deepEqual(await client.request("who"), { user: "alice", rights: "admin" });
      rights = "none";
      cut();
      await until(() => how.length === 1);
      assert.deepEqual(await client.request("who"), { user: "alice", rights: "none" });
      user = "bob";
      cut();
      await until(() => how.length === 2);
      assert.deepEqual(await client.request("who"), { user: "bob", rights: "none" });
      assert.deepEqual(how, [true, false]);
      assert.deepEqual(seen, [
        null,
        { user: "alice", rights: "admin" },
        { user: "alice", rights: "none" },
      ]);
      assert.deepEqual(released, [{ user: "alice", rights: "admin" }]);
      assert.deepEqual(hooks, [
        "open desk#1",
        "disconnected desk#1",
        "resumed desk#1",
        "disconnected desk#1",
        "open desk#2",
      ]);
      assert.deepEqual(
        errors.map(({ code }) => code),
        ["AUTH_REFUSED"],
      );
      await client.close();
      await server.close();
    },
  );

  it("without principal, contexts are compared as data", { timeout }, async () => {
    const { server, dial, cut } = deskServer({
      authenticate: ({ auth }: Hello) => ({ user: String(auth) }),
    });
    let user = "alice";
    const client = await dial({ auth: () => user });
    const how: boolean[] = [];
    client.lifecycle
      .on("ready", ({ resumed }) => how.push(resumed))
      .on("resumed", ({ resumed }) => how.push(resumed));
    cut();
    await until(() => how.length === 1);
    user = "mallory";
    cut();
    await until(() => how.length === 2);
    assert.deepEqual(how, [true, false]);
    await client.close();
    await server.close();
  });
});

describe("the open hook", () => {
  it(
    "holds requests and events back until it settles, and for no longer than handshakeTimeoutMs",
    { timeout },
    async () => {
      const opened = Promise.withResolvers<undefined>();
      const { server, dial } = deskServer({ open: () => opened.promise });
      const client = await dial();
      const log: string[] = [];
      const asked = client.request("get", "x").then(() => log.push("answered"));
      const told = client.emit("told", "x").then(() => log.push("told"));
      const cancelled = assert.rejects(
        client.request("get", "y", { signal: AbortSignal.abort() }),
        { code: "CALL_CANCELLED" },
      );
      await turns(30);
      assert.deepEqual(log, []);
      opened.resolve(undefined);
      await Promise.all([asked, told, cancelled]);
      await client.close();
      await server.close();

      const clock = new ManualClock();
      const slow = deskServer({
        open: () => new Promise(() => undefined),
        ticker: new Ticker(clock),
        handshakeTimeoutMs: 1_000,
      });
      const waiting = await slow.dial({ reconnect: false });
      const failed = assert.rejects(waiting.request("get", "x"));
      await turns();
      clock.advance(1_001);
      await failed;
      assert.deepEqual(slow.errors.map(({ code }) => code).slice(0, 1), ["HANDLER_FAILED"]);
      await slow.server.close({ deadlineMs: 1 });
    },
  );
});

describe("a stream's source", () => {
  /** Serve `make`, and open and leave its stream so many times. */
  async function leave(make: (index: number) => unknown, count: number): Promise<string[]> {
    const server = createServer(
      feed,
      { items: make as never, hang: () => undefined, ping: () => "pong" },
      { maxConversations: 100 },
    );
    const [mine, theirs] = memoryPair();
    server.accept(theirs);
    const client = await connect(feed, mine);
    const failed: string[] = [];
    for (let i = 0; i < count; i++) {
      try {
        const stream = client.stream("items", i);
        await turns(3);
        await stream.return();
        await turns(2);
      } catch (error) {
        failed.push((error as HawserError).code);
      }
    }
    assert.equal(await client.request("ping"), "pong");
    await client.close();
    await server.close({ deadlineMs: 1 });
    return failed;
  }

  it(
    "that is quiet is destroyed or cancelled when the caller leaves, and its place is free",
    { timeout },
    async () => {
      const readables: PassThrough[] = [];
      assert.deepEqual(
        await leave(() => {
          const readable = new PassThrough({ objectMode: true });
          readables.push(readable);
          return readable;
        }, 150),
        [],
      );
      assert.equal(readables.filter(({ destroyed }) => destroyed).length, 150);
      let cancelled = 0;
      assert.deepEqual(
        await leave(
          () =>
            new ReadableStream({
              cancel: () => {
                cancelled++;
              },
            }),
          150,
        ),
        [],
      );
      assert.equal(cancelled, 150);
      let left = 0;
      const never = {
        next: () => new Promise(() => undefined),
        return: () => ({ done: ++left > 0 }),
      };
      assert.deepEqual(await leave(() => ({ [Symbol.asyncIterator]: () => never }), 150), []);
      assert.equal(left, 150);
      assert.deepEqual(
        await leave(
          async function* (index: number, ...[{ signal }]: [{ signal: AbortSignal }]) {
            yield index;
            await new Promise((resolve) => {
              signal.addEventListener("abort", resolve);
            });
          } as never,
          150,
        ),
        [],
      );
    },
  );

  it(
    "may yield promises from a plain iterable; next() that gives no step is an error",
    { timeout },
    async () => {
      const errors: HawserError[] = [];
      const sources: unknown[] = [
        [Promise.resolve(1), Promise.resolve(2)],
        { [Symbol.asyncIterator]: () => ({ next: () => 5 }) },
        { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve(undefined) }) },
      ];
      const server = createServer(
        feed,
        {
          items: ((index: number) => sources[index]) as never,
          hang: () => undefined,
          ping: () => "",
        },
        { error: (error) => void errors.push(error) },
      );
      const [mine, theirs] = memoryPair();
      server.accept(theirs);
      const client = await connect(feed, mine);
      const items: unknown[] = [];
      for await (const item of client.stream("items", 0)) items.push(item);
      assert.deepEqual(items, [1, 2]);
      for (const index of [1, 2])
        await assert.rejects(client.stream("items", index).next(), {
          code: "REMOTE_HANDLER_FAILED",
        });
      assert.deepEqual(
        errors.map(({ code }) => code),
        ["HANDLER_FAILED", "HANDLER_FAILED"],
      );
      await client.close();
      await server.close();
    },
  );

  it(
    "a handler that goes on long after its call was cancelled is reported once",
    { timeout },
    async () => {
      const clock = new ManualClock();
      const errors: HawserError[] = [];
      const server = createServer(
        feed,
        {
          items: () => [],
          hang: () => new Promise<undefined>(() => undefined) as Promise<never>,
          ping: () => "pong",
        },
        {
          error: (error) => void errors.push(error),
          ticker: new Ticker(clock),
          cancelTimeoutMs: 5_000,
        },
      );
      const [mine, theirs] = memoryPair();
      server.accept(theirs);
      const client = await connect(feed, mine);
      const controller = new AbortController();
      const hanging = assert.rejects(
        client.request("hang", undefined, { signal: controller.signal }),
      );
      await turns();
      controller.abort();
      await hanging;
      await turns();
      for (let i = 0; i < 6; i++) clock.advance(4_000);
      assert.deepEqual(
        errors.map(({ code, peer }) => [code, peer?.transport]),
        [["HANDLER_STUCK", "memory"]],
      );
      client.abort();
      await server.close({ deadlineMs: 1 });
    },
  );
});

describe("middleware", () => {
  async function through(
    use: (call: unknown, next: () => unknown) => unknown,
    handler: () => unknown,
  ) {
    const errors: string[] = [];
    let ran = 0;
    const server = createServer(
      desk,
      { get: () => (ran++, handler()), who: () => "", told: () => (ran++, handler() as never) },
      { use: [use as never], error: (error) => void errors.push(error.code) },
    );
    const [mine, theirs] = memoryPair();
    server.accept(theirs);
    const client = await connect(desk, mine);
    const answer = await client.request("get", "").then(
      (value) => value,
      (error: unknown) => (error as HawserError).code,
    );
    const outcome = await client.emit("told", "").then(
      (value) => value,
      (error: unknown) => (error as HawserError).code,
    );
    await client.close();
    await server.close();
    return { answer, outcome, ran, errors };
  }

  const late = (): Promise<string> => turns(5).then(() => "late");
  const fails = (): Promise<never> => turns(5).then(() => Promise.reject(new Error("disk full")));

  it(
    "that forgets to return next() is waited for, and gives what next() gave",
    { timeout },
    async () => {
      assert.deepEqual(
        await through((_, next) => {
          next();
        }, late),
        { answer: "late", outcome: "delivered", ran: 2, errors: [] },
      );
      assert.deepEqual(
        await through((_, next) => {
          next();
        }, fails),
        {
          answer: "REMOTE_HANDLER_FAILED",
          outcome: "REMOTE_HANDLER_FAILED",
          ran: 2,
          errors: ["HANDLER_FAILED", "HANDLER_FAILED"],
        },
      );
    },
  );

  it(
    "may replace the answer; what a handler rejects with that it did not await is told",
    { timeout },
    async () => {
      const replaced = await through((_, next) => (next(), "other"), fails);
      assert.deepEqual(
        [replaced.answer, replaced.outcome, replaced.errors.length],
        ["other", "REMOTE_HANDLER_FAILED", 2],
      );
    },
  );

  it(
    "calls next() once: a second time rejects, and the handler does not run again",
    { timeout },
    async () => {
      const twice = await through(async (_, next) => {
        await next();
        return next();
      }, late);
      assert.deepEqual([twice.answer, twice.ran], ["REMOTE_HANDLER_FAILED", 2]);
      const after = await through((_, next) => (setImmediate(next), "early"), late);
      assert.deepEqual([after.answer, after.ran], ["early", 0]);
    },
  );

  it("keeps its AsyncLocalStorage for every pull of a stream", { timeout }, async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const server = createServer(
      feed,
      {
        async *items() {
          for (let i = 0; i < 3; i++) {
            seen.push(storage.getStore());
            await turns(1);
            yield i;
          }
        },
        hang: () => undefined,
        ping: () => "",
      },
      { use: [(_, next) => storage.run("span", next)] },
    );
    const [mine, theirs] = memoryPair();
    server.accept(theirs);
    const client = await connect(feed, mine);
    for await (const item of client.stream("items", 0)) await turns(Number(item) % 2);
    assert.deepEqual(seen, ["span", "span", "span"]);
    await client.close();
    await server.close();
  });
});

describe("context.draining", () => {
  it(
    "is aborted when the server closes, so that an endless stream ends in order",
    { timeout },
    async () => {
      const server = createServer(feed, {
        async *items(_, { draining }) {
          for (let i = 0; !draining.aborted; i++) {
            yield i;
            await turns(1);
          }
        },
        hang: () => undefined,
        ping: () => "",
      });
      const [mine, theirs] = memoryPair();
      server.accept(theirs);
      const client = await connect(feed, mine);
      const ended = (async () => {
        for await (const item of client.stream("items", 0)) await turns(Number(item) % 2);
        return "in order";
      })();
      await turns(10);
      const closed = server.close();
      assert.equal(await ended, "in order");
      assert.deepEqual(await closed, { drained: 1, forced: 0 });
    },
  );
});

describe("JSON-RPC", () => {
  it("messages that wait for room leave when there is some", { timeout }, async () => {
    const spoken = jsonRpc(desk, { framing: lines(), downgrade: true });
    const server = createServer(spoken, { get: (value) => value, who: () => "" });
    const [mine, theirs] = memoryPair();
    server.accept(theirs);
    const client = await connect(spoken, mine);
    const long = "x".repeat(100_000);
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        client.request("get", index % 3 === 0 ? long : String(index)),
      ),
    );
    assert.deepEqual(
      answers.map((answer) => String(answer).length > 10),
      answers.map((_, index) => index % 3 === 0),
    );
    await client.close();
    await server.close();
  });
});

describe("server.close() in a handler", () => {
  it(
    "does not wait for that handler: it is answered, and then the server is closed",
    { timeout },
    async () => {
      const clock = new ManualClock(); // no deadline passes
      const { server, dial } = deskServer(
        { ticker: new Ticker(clock) },
        { get: async () => (await server.close(), "closed") },
      );
      const [client, other] = [await dial({ reconnect: false }), await dial({ reconnect: false })];
      assert.equal(await client.request("get", ""), "closed");
      await Promise.all([client.closed, other.closed, server.close()]);

      const echo = createServer(
        chat,
        {
          async message(_, socket) {
            await echo.close();
            socket.send("closed");
            socket.end();
          },
        },
        { ticker: new Ticker(clock) },
      );
      const [mine, theirs] = memoryPair();
      echo.accept(theirs);
      const socket = await connect(chat, mine);
      socket.send("close the server");
      const heard: string[] = [];
      for await (const message of socket) heard.push(message);
      socket.end();
      await echo.close();
      assert.deepEqual(heard, ["closed"]);
    },
  );
});
