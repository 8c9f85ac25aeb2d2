// A client of a contract on its own: where it connects, how it comes back, what waits meanwhile,
// and how it ends.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  connect as connectTo,
  type SessionClient,
  type SessionConnectOptions,
} from "@hawser/client";
import { HawserError } from "@hawser/protocol";
import { createServer, type SessionServer } from "@hawser/server";
import { type Connection, memoryPair, Ticker } from "@hawser/transport";
import { ManualClock } from "@hawser/transport/testing";
import { turns, until } from "./conversation.ts";
import { desk, handlers } from "./session-contracts.ts";
import { failure, SessionFixture } from "./sessions.ts";
import { serverTls, transports } from "./transports.ts";

type Client = SessionClient<typeof desk>;
type Server = SessionServer<typeof desk>;

/** A way to a server in memory that a test can take away. */
class Way {
  isOpen = true;
  tries = 0;
  server: Server;
  #near: Connection | null = null;

  constructor(server: Server) {
    this.server = server;
  }

  readonly connect = (): Connection => {
    this.tries++;
    if (!this.isOpen) throw new HawserError("CONNECT_REFUSED", "There is no way");
    const [near, far] = memoryPair();
    this.server.accept(near);
    this.#near = near;
    return far;
  };

  cut(): void {
    this.#near?.abort();
  }
}

describe("a client of a contract", () => {
  const fixture = new SessionFixture("memory");

  async function on(
    options: SessionConnectOptions<typeof desk> = {},
  ): Promise<{ way: Way; client: Client; heard: string[]; log: string[] }> {
    const heard: string[] = [];
    const { server } = await fixture.serveContract(desk, {
      ...handlers,
      typing: ({ who }) => heard.push(who),
      "note.created": ({ text }) => heard.push(text),
    });
    const way = new Way(server);
    const client = await connectTo(desk, way.connect, {
      reconnect: { initialMs: 1, maxMs: 2 },
      ...options,
    });
    fixture.own({
      abort: () => {
        client.abort();
      },
    });
    const log: string[] = [];
    for (const name of ["ready", "resumed", "disconnected", "draining", "close"] as const)
      client.lifecycle.on(name, () => log.push(name));
    return { way, client, heard, log };
  }

  /** Take the way away, and wait until the client knows. */
  async function part(way: Way, client: Client): Promise<void> {
    way.isOpen = false;
    way.cut();
    await until(() => client.state === "disconnected");
  }

  it(
    "queue fail: without a connection, requests, streams and events at most once fail at once " +
      "with NOT_READY",
    async () => {
      const { way, client } = await on();
      await part(way, client);
      assert.equal((await failure(client.request("ping"))).code, "NOT_READY");
      assert.throws(() => client.stream("forever"), { code: "NOT_READY" });
      assert.equal(await client.emit("typing", { who: "me" }), "not-sent");
      way.isOpen = true;
      await client.ready;
      await client.request("ping");
    },
  );

  it("events at least once are taken without a connection, and arrive", async () => {
    const { way, client, heard } = await on();
    await part(way, client);
    const outcomes = ["a", "b"].map((text, id) => client.emit("note.created", { id, text }));
    way.isOpen = true;
    assert.deepEqual(await Promise.all(outcomes), ["delivered", "delivered"]);
    assert.deepEqual(heard, ["a", "b"]);
  });

  it("queue hold: what was asked meanwhile is asked then, in order; what is wrong is said at once", async () => {
    const { way, client, heard } = await on({ queue: { policy: "hold" } });
    await part(way, client);
    const answers = [client.request("echo", 1), client.request("echo", 2)];
    const outcomes = [client.emit("typing", { who: "a" }), client.emit("typing", { who: "b" })];
    const invalid = await failure(client.request("ticket.get", { id: "x" as never }));
    assert.deepEqual([invalid.code, invalid.path], ["INPUT_INVALID", ["id"]]);
    const controller = new AbortController();
    const aborted = failure(client.request("echo", 3, { signal: controller.signal }));
    controller.abort();
    assert.equal((await aborted).code, "CALL_CANCELLED");
    way.isOpen = true;
    assert.deepEqual(await Promise.all(answers), [1, 2]);
    assert.deepEqual(await Promise.all(outcomes), ["unknown", "unknown"]);
    await until(() => heard.length === 2);
    assert.deepEqual(heard, ["a", "b"]);
  });

  it("queue hold: what is above maxBytes is not taken, and the rest waits no longer than ttlMs", async () => {
    const clock = new ManualClock();
    const { way, client } = await on({
      queue: { policy: "hold", maxBytes: 100, ttlMs: 1_000 },
      ticker: new Ticker(clock),
      reconnect: { initialMs: 1_000_000, maxMs: 1_000_000 },
    });
    await part(way, client);
    const held = client.request("echo", "x".repeat(60));
    const outcome = client.emit("typing", { who: "x" });
    const quick = failure(client.request("echo", 1, { timeoutMs: 500 }));
    assert.equal((await failure(client.request("echo", "x".repeat(60)))).code, "WRITE_BUFFER_FULL");
    clock.advance(500);
    assert.equal((await quick).code, "DEADLINE_EXCEEDED");
    clock.advance(500);
    assert.equal((await failure(held)).code, "NOT_SENT");
    assert.equal(await outcome, "not-sent");
  });

  it("queue hold: what is held is sent as it was when it was given", async () => {
    const { way, client, heard } = await on({ queue: { policy: "hold" } });
    await part(way, client);
    const input = { id: 1 };
    const payload = { who: "before" };
    const blob = Uint8Array.of(1, 2, 3);
    const answers = [client.request("echo", input), client.request("blob", blob)];
    const outcome = client.emit("typing", payload);
    input.id = 9;
    payload.who = "after";
    blob.fill(9);
    way.isOpen = true;
    assert.deepEqual(await Promise.all(answers), [{ id: 1 }, Uint8Array.of(1, 2, 3)]);
    await outcome;
    await until(() => heard.length === 1);
    assert.deepEqual(heard, ["before"]);
  });

  it(
    "queue hold: of ten thousand held calls each is answered, in order, and what comes meanwhile " +
      "goes behind them",
    async () => {
      const served: unknown[] = [];
      const { server } = await fixture.serveContract(desk, {
        ...handlers,
        echo: (value) => served.push(value),
      });
      const way = new Way(server);
      const client = await connectTo(desk, way.connect, {
        queue: { policy: "hold" },
        reconnect: { initialMs: 1, maxMs: 2 },
        maxQueuedBytes: 20_000,
      });
      fixture.own({
        abort: () => {
          client.abort();
        },
      });
      await part(way, client);
      const answers = Array.from({ length: 10_000 }, (_, i) => client.request("echo", i));
      client.lifecycle.once("ready", () => void answers.push(client.request("echo", "login")));
      way.server = (
        await fixture.serveContract(desk, { ...handlers, echo: (value) => served.push(value) })
      ).server; // it has forgotten the session
      way.isOpen = true;
      await client.ready;
      answers.push(client.request("echo", "behind"));
      await Promise.all(answers);
      assert.deepEqual(served, ["login", ...Array.from({ length: 10_000 }, (_, i) => i), "behind"]);
    },
  );

  it("queue hold: a held call that is refused leaves no listener on its signal", async () => {
    const { way, client } = await on({ queue: { policy: "hold", maxMessages: 1 } });
    await part(way, client);
    const first = client.request("echo", 1);
    const controller = new AbortController();
    assert.equal(
      (await failure(client.request("echo", 2, { signal: controller.signal }))).code,
      "WRITE_BUFFER_FULL",
    );
    controller.abort(); // not an unhandled rejection
    await turns(2);
    way.isOpen = true;
    assert.equal(await first, 1);
  });

  it("queue hold: closing the client while a call is encoded to be held settles the call", async () => {
    const { way, client } = await on({ queue: { policy: "hold" } });
    await part(way, client);
    const closing = { toJSON: () => void client.close() };
    assert.equal(
      (await failure(client.request("echo", { closing, id: 1 }))).code,
      "SESSION_CLOSED",
    );
  });

  it("auth that closes the client while it is encoded ends the attempt", async () => {
    const { server } = await fixture.serveContract(desk, handlers, { resumeWindowMs: 0 });
    const way = new Way(server);
    let auth: unknown = "first";
    const client = await connectTo(desk, way.connect, {
      auth: () => auth,
      reconnect: { initialMs: 1, maxMs: 2 },
    });
    auth = { toJSON: () => void client.close() };
    way.cut();
    assert.deepEqual(await client.closed, { reason: "closed", error: null });
    await until(() => server.sockets.size === 0);
  });

  it("a call that was open when the connection was lost says why it was lost", async () => {
    const { way, client } = await on();
    const lost = failure(client.request("ticket.wait", { id: 1 }));
    const stream = client.stream("forever");
    await stream.next();
    await part(way, client);
    const { cause, code } = await lost;
    assert.deepEqual([code, (cause as HawserError).code], ["SESSION_LOST", "CONNECTION_RESET"]);
    const ended = await failure(stream.finished());
    assert.deepEqual(
      [ended.code, (ended.cause as HawserError).code],
      ["SESSION_LOST", "CONNECTION_RESET"],
    );
  });

  it("finished() that was asked for before a loop that throws is no unhandled rejection", async () => {
    const { way, client } = await on();
    const stream = client.stream("forever");
    const finished = stream.finished();
    await failure(
      (async () => {
        for await (const item of stream) if (item === 0) way.cut();
      })(),
    );
    await turns(3); // the runtimes end the process for an unhandled rejection
    assert.equal((await failure(finished)).code, "SESSION_LOST");
  });

  it("queue drop-oldest: the oldest makes room, and is told so", async () => {
    const { way, client } = await on({ queue: { policy: "drop-oldest", maxBytes: 100 } });
    await part(way, client);
    const [first, second] = [
      client.request("echo", "1".repeat(60)),
      client.request("echo", "2".repeat(60)),
    ];
    assert.equal((await failure(first)).code, "NOT_SENT");
    assert.equal(
      (await failure(client.request("echo", "x".repeat(101)))).code,
      "WRITE_BUFFER_FULL",
    );
    way.isOpen = true;
    assert.equal(await second, "2".repeat(60));
  });

  it(
    "pauses are at random up to a bound that doubles; jitter none takes the bound; attempts end " +
      "it",
    async () => {
      for (const [jitter, byte, pauses] of [
        ["none", 0, [100, 200, 400, 500]],
        ["full", 128, [50, 100, 200, 250]],
      ] as const) {
        const clock = new ManualClock();
        const { way, client } = await on({
          ticker: new Ticker(clock),
          random: (count) => new Uint8Array(count).fill(byte === 128 ? 0x80 : 0),
          reconnect: { initialMs: 100, maxMs: 500, jitter, attempts: 4 },
        });
        const errors: string[] = [];
        client.lifecycle.on("error", ({ code }) => errors.push(code));
        await part(way, client);
        const before = way.tries;
        for (const [i, pause] of pauses.entries()) {
          clock.advance(pause - 1);
          await turns(5);
          assert.equal(way.tries - before, i);
          clock.advance(2);
          await until(() => way.tries - before === i + 1);
          await turns(5);
        }
        const closed = await client.closed;
        assert.deepEqual([closed.reason, closed.error?.code], ["error", "CONNECT_REFUSED"]);
        assert.deepEqual(errors, [
          "CONNECT_REFUSED",
          "CONNECT_REFUSED",
          "CONNECT_REFUSED",
          "CONNECT_REFUSED",
        ]);
        await assert.rejects(client.ready, { code: "SESSION_CLOSED" });
      }
    },
  );

  it("several addresses: the next serves when one does not, and the one that served is tried first", async () => {
    const { server: one } = await fixture.serveContract(desk, { ...handlers, whoami: () => "one" });
    const { server: two } = await fixture.serveContract(desk, { ...handlers, whoami: () => "two" });
    const [first, second] = [new Way(one), new Way(two)];
    first.isOpen = false;
    const client = await connectTo(desk, [first.connect, second.connect], {
      reconnect: { initialMs: 1 },
    });
    fixture.own({
      abort: () => {
        client.abort();
      },
    });
    assert.equal(await client.request("whoami"), "two");
    assert.deepEqual([first.tries, second.tries], [1, 1]);
    second.cut();
    await until(() => client.state === "disconnected");
    await client.ready;
    assert.deepEqual([first.tries, second.tries], [1, 2]);
    first.isOpen = true;
    await two.close();
    await until(() => client.state === "ready" && first.tries > 1);
    assert.equal(await client.request("whoami"), "one");
  });

  it(
    "connect() tries each address once, and tells why the last does not serve; fromStart is as " +
      "patient as later",
    async () => {
      const { server } = await fixture.serveContract(desk, handlers);
      const way = new Way(server);
      way.isOpen = false;
      assert.equal(
        (await failure(connectTo(desk, [way.connect, way.connect]))).code,
        "CONNECT_REFUSED",
      );
      assert.equal(way.tries, 2);
      const patient = connectTo(desk, way.connect, {
        reconnect: { fromStart: true, initialMs: 1, maxMs: 2 },
      });
      await until(() => way.tries > 4);
      way.isOpen = true;
      const client = await patient;
      assert.equal(client.state, "ready");
      client.abort();
      await assert.rejects(connectTo(desk, []), RangeError);
      await assert.rejects(
        connectTo(desk, way.connect, { queue: { policy: "no" as never } }),
        TypeError,
      );
      await assert.rejects(connectTo(desk, "no address"), TypeError);
    },
  );

  it("a signal ends the connecting, the pauses, and the client", async () => {
    const { server } = await fixture.serveContract(desk, handlers);
    const way = new Way(server);
    way.isOpen = false;
    const early = new AbortController();
    const connecting = connectTo(desk, way.connect, {
      signal: early.signal,
      reconnect: { fromStart: true, initialMs: 100_000, maxMs: 100_000, jitter: "none" },
    });
    await until(() => way.tries > 0);
    early.abort(new Error("enough"));
    await assert.rejects(connecting, { message: "enough" });
    await assert.rejects(
      connectTo(desk, way.connect, { signal: AbortSignal.abort(new Error("never")) }),
      { message: "never" },
    );
    way.isOpen = true;
    const late = new AbortController();
    const client = await connectTo(desk, way.connect, { signal: late.signal });
    const open = failure(client.request("ticket.wait", { id: 1 }));
    late.abort();
    const closed = await client.closed;
    assert.deepEqual([closed.reason, closed.error?.code], ["aborted", "ABORTED"]);
    assert(["SESSION_LOST", "NOT_SENT"].includes((await open).code));
  });

  it("close() while it pauses ends at once, and what was held is told", async () => {
    const { way, client, log } = await on({
      queue: { policy: "hold" },
      reconnect: { initialMs: 100_000, maxMs: 100_000, jitter: "none" },
    });
    await part(way, client);
    const held = failure(client.request("echo", 1));
    const event = client.emit("note.created", { id: 1, text: "" });
    assert.deepEqual(await client.close(), { reason: "closed", error: null });
    assert.equal((await held).code, "NOT_SENT");
    assert.equal(await event, "not-sent");
    assert.deepEqual(log, ["disconnected", "close"]);
    await assert.rejects(client.emit("note.created", { id: 1, text: "" }), {
      code: "SESSION_CLOSED",
    });
    assert.deepEqual(await client.close(), { reason: "closed", error: null });
  });

  it(
    "a listener that throws is told to the sender, and to lifecycle's error; off and once do " +
      "what they say",
    async () => {
      const { way, client } = await on();
      const errors: string[] = [];
      const onError = ({ code }: HawserError): void => void errors.push(code);
      client.lifecycle.on("error", onError);
      client.on("greeted", () => {
        throw new Error("no");
      });
      const [socket] = way.server.sockets;
      assert.equal(
        (await failure(socket?.emit("greeted", "x") ?? Promise.resolve())).code,
        "REMOTE_HANDLER_FAILED",
      );
      assert.deepEqual(errors, ["HANDLER_FAILED"]);
      client.lifecycle.off("error", onError);
      let resumed = 0;
      client.lifecycle.once("resumed", () => resumed++);
      for (let i = 0; i < 2; i++) {
        way.cut();
        await until(() => client.state === "disconnected");
        await client.ready;
      }
      assert.equal(resumed, 1);
    },
  );

  it("heartbeats: a peer that is gone without a word is noticed, and the session goes on elsewhere", async () => {
    const clock = new ManualClock();
    const { server } = await fixture.serveContract(desk, handlers);
    let isDeaf = false;
    let links = 0;
    // A connection whose far end takes everything and says nothing any more, as a host that is cut
    // off.
    const connector = (): Connection => {
      links++;
      const [near, far] = memoryPair();
      const [outer, inner] = memoryPair();
      server.accept(near);
      const pipe = (from: Connection, to: Connection): void => {
        from.open({
          chunk: (bytes) => {
            if (isDeaf) return;
            to.output.append(bytes);
            to.schedule();
          },
          ended: () => undefined,
          written: () => undefined,
          gone: () => undefined,
        });
      };
      pipe(far, inner);
      pipe(inner, far);
      return outer;
    };
    const client = await connectTo(desk, connector, {
      ticker: new Ticker(clock),
      heartbeatMs: 1_000,
      heartbeatTimeoutMs: 500,
      reconnect: { initialMs: 1, jitter: "none" },
    });
    fixture.own({
      abort: () => {
        client.abort();
      },
    });
    const pass = async (ms: number): Promise<void> => {
      for (let i = 0; i < ms; i += 50) {
        clock.advance(50);
        await turns(4);
      }
    };
    await pass(5_000);
    assert.equal(client.state, "ready");
    assert.notEqual(client.roundTripMs, null);
    isDeaf = true;
    const log: string[] = [];
    client.lifecycle.on("disconnected", (error) => {
      log.push(String(error?.code));
      isDeaf = false;
    });
    await pass(2_000);
    assert.deepEqual(log, ["HEARTBEAT_LOST"]);
    await until(() => client.state === "ready");
    assert.equal(links, 2);
    assert.equal(await client.request("echo", 1), 1);
  });

  it(
    "many streams to a client that stops reading wait for it: no more is made than the " +
      "connection takes, and nothing breaks",
    async () => {
      let made = 0;
      const { server, errors } = await fixture.serveContract(
        desk,
        {
          ...handlers,
          async *forever() {
            for (;;) yield await Promise.resolve(++made);
          },
        },
        {
          writeBuffer: { highBytes: 10_000, lowBytes: 5_000, maxBytes: 50_000 },
          maxQueuedBytes: 50_000,
        },
      );
      const [near, far] = memoryPair({ windowBytes: 10_000 });
      server.accept(near);
      const client = await connectTo(desk, far);
      const streams = Array.from({ length: 50 }, () => client.stream("forever"));
      await Promise.all(streams.map((stream) => stream.next()));
      far.pause();
      // also where the client goes on in another turn
      Object.assign(far, { resume: () => undefined });
      await turns(100);
      const before = made;
      await turns(100);
      assert.equal(made, before);
      assert(near.pendingBytes <= 20_000, `${near.pendingBytes} bytes wait`);
      assert.deepEqual([client.state, errors], ["ready", []]);
      Reflect.deleteProperty(far, "resume");
      far.resume();
      for (const stream of streams)
        for (let i = 0; i < 100; i++) assert.equal((await stream.next()).done, false);
      assert.deepEqual(errors, []);
      await client.close();
    },
  );

  it("one connection that was made elsewhere is used once: when it is gone, the client is over", async () => {
    const { server } = await fixture.serveContract(desk, handlers);
    const [near, far] = memoryPair();
    server.accept(near);
    const client = await connectTo(desk, far);
    near.abort();
    assert.equal((await client.closed).error?.code, "CONNECTION_RESET");
  });
});

for (const transport of transports.filter((each) => each !== "memory")) {
  describe(`a client of a contract over ${transport}`, () => {
    const fixture = new SessionFixture(transport);

    it("comes back to a server that was started again, with a new session", async () => {
      const { server, connect } = await fixture.serveContract(desk, {
        ...handlers,
        whoami: () => "the first",
      });
      const [address] = server.addresses();
      assert(address !== undefined);
      const client = await connect({ reconnect: { initialMs: 5, maxMs: 20 } });
      const log: string[] = [];
      for (const name of ["ready", "resumed", "disconnected", "draining"] as const)
        client.lifecycle.on(name, () => log.push(name));
      assert.equal(await client.request("whoami"), "the first");
      await server.close();
      const again = createServer(desk, { ...handlers, whoami: () => "the second" });
      fixture.own({ close: () => again.close({ deadlineMs: 0 }) });
      await again.listen(address, transport === "tls" ? { tls: serverTls } : {});
      await until(() => log.includes("ready"));
      assert.deepEqual(log, ["draining", "disconnected", "ready"]);
      assert.equal(await client.request("whoami"), "the second");
      await client.close();
    });
  });
}
