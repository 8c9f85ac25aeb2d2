import { connect } from "@hawser/client";
import { HawserError, lines, text, wire } from "@hawser/protocol";
import { memoryPair, Ticker } from "@hawser/transport";
import { ManualClock } from "@hawser/transport/testing";
import { describe, expect, it } from "vitest";
import { createServer, type WireHandlers, type ServerOptions } from "../src/mod.ts";

const echo = wire({ framing: lines(), codec: text(), sentinel: "exit" });

/** A server in memory, and a function that connects to it. */
function serve(handlers: WireHandlers<string>, options: ServerOptions = {}) {
  const server = createServer(echo, handlers, options);
  const dial = () => {
    const [mine, theirs] = memoryPair();
    server.accept(theirs);
    return connect(echo, mine);
  };
  return { server, dial };
}

async function collect(socket: AsyncIterable<string>): Promise<string[]> {
  const messages: string[] = [];
  for await (const message of socket) messages.push(message);
  return messages;
}

/** A promise, and what settles it. */
const gate = () => Promise.withResolvers<undefined>();

describe("createServer(): handlers", () => {
  it("are called in order: open, message, close, each with the socket", async () => {
    const calls: string[] = [];
    const { server, dial } = serve({
      open: (socket) => void calls.push(`open ${socket.remote}`),
      message: (message, socket) => {
        calls.push(`message ${message}`);
        socket.send(message);
      },
      close: (_, closed) => void calls.push(`close ${closed.reason}`),
    });
    const socket = await dial();
    socket.send("one");
    socket.end();
    expect(await collect(socket)).toEqual(["one"]);
    expect(await socket.closed).toEqual({ reason: "sentinel", error: null });
    await server.close();
    expect(calls).toEqual(["open memory:0", "message one", "close sentinel"]);
  });

  it("open holds the messages back until its promise settles", async () => {
    const calls: string[] = [];
    const opened = gate();
    const { server, dial } = serve({
      open: async () => {
        await opened.promise;
        calls.push("opened");
      },
      message: (message, socket) => {
        calls.push(message);
        socket.end();
      },
    });
    const socket = await dial();
    socket.send("early");
    await socket.flushed();
    expect(calls).toEqual([]);
    opened.resolve(undefined);
    await collect(socket);
    expect(calls).toEqual(["opened", "early"]);
    await server.close();
  });

  it(
    "run one at a time by default, in order; maxInFlight lets more run at once and no more than " +
      "that",
    async () => {
      for (const maxInFlight of [1, 3]) {
        let running = 0;
        let most = 0;
        const { server, dial } = serve(
          {
            message: async (message, socket) => {
              most = Math.max(most, ++running);
              await Promise.resolve();
              await Promise.resolve();
              running--;
              socket.send(message);
            },
          },
          { maxInFlight },
        );
        const socket = await dial();
        const sent = Array.from({ length: 100 }, (_, i) => String(i));
        for (const message of sent) socket.send(message);
        socket.end();
        expect(await collect(socket)).toEqual(sent);
        expect(most).toBe(maxInFlight);
        await server.close();
      }
    },
  );

  it.each(["throws", "rejects"] as const)(
    "one that %s ends its own connection, tells error, and leaves the others alone",
    async (how) => {
      const errors: HawserError[] = [];
      const failed = gate();
      const { server, dial } = serve({
        message: (message, socket) => {
          if (message !== "bad") {
            socket.send(message);
            return undefined;
          }
          if (how === "throws") throw new Error("boom");
          return Promise.reject(new Error("boom"));
        },
        error: (error) => void errors.push(error),
        close: (_, closed) => {
          if (closed.reason === "error") failed.resolve(undefined);
        },
      });
      const [bad, good] = await Promise.all([dial(), dial()]);
      bad.send("first");
      bad.send("bad");
      expect(await collect(bad)).toEqual(["first"]);
      await failed.promise;
      good.send("still here");
      good.end();
      expect(await collect(good)).toEqual(["still here"]);
      expect(errors.map((error) => [error.code, (error.cause as Error).message])).toEqual([
        ["HANDLER_FAILED", "boom"],
      ]);
      await server.close();
    },
  );

  describe("error can say last words", () => {
    const bad = "x".repeat(100);
    const limits = { maxFrameBytes: 10 };

    it("to a peer whose bytes are wrong, at once", async () => {
      const states: unknown[] = [];
      const { server, dial } = serve(
        {
          message: (message, socket) => void socket.send(`got ${message}`),
          error: (error, socket) => {
            states.push(error.code, socket?.state, socket?.send("refused"));
            socket?.end();
          },
        },
        limits,
      );
      const socket = await dial();
      for (const message of ["ok", bad, "never handled"]) socket.send(message);
      expect(await collect(socket)).toEqual(["got ok", "refused"]);
      expect(states).toEqual(["FRAME_TOO_LARGE", "failing", true]);
      await server.close();
    });

    it.each(["resolves", "rejects"] as const)("until its promise %s", async (how) => {
      const { server, dial } = serve(
        {
          error: async (_, socket) => {
            await Promise.resolve();
            socket?.send("last word");
            if (how === "rejects") throw new Error("boom");
          },
        },
        limits,
      );
      const socket = await dial();
      socket.send(bad);
      expect(await collect(socket)).toEqual(["last word"]);
      await server.close();
    });

    it("behind the answers to the messages before, whose handlers are still at work", async () => {
      const work = [gate(), gate()];
      const seen: string[] = [];
      const { server, dial } = serve(
        {
          message: async (message, socket) => {
            seen.push(message);
            await work[Number(message)]?.promise;
            socket.send(`got ${message}`);
          },
          error: (error, socket) => {
            seen.push(error.code);
            socket?.send("refused");
          },
        },
        limits,
      );
      const socket = await dial();
      for (const message of ["0", "1", bad]) socket.send(message);
      const heard = collect(socket);
      await socket.flushed();
      for (const each of work) {
        for (let i = 0; i < 5; i++) await Promise.resolve();
        expect(seen).not.toContain("FRAME_TOO_LARGE");
        each.resolve(undefined);
      }
      expect(await heard).toEqual(["got 0", "got 1", "refused"]);
      expect(seen).toEqual(["0", "1", "FRAME_TOO_LARGE"]);
      await server.close();
    });

    it("where a handler failed: to its peer, and error is told once", async () => {
      for (const fail of [
        () => {
          throw new Error("boom");
        },
        () => Promise.reject(new Error("boom")),
      ]) {
        const codes: string[] = [];
        const { server, dial } = serve({
          message: fail,
          error: (error, socket) => {
            codes.push(error.code);
            socket?.send("500");
          },
        });
        const socket = await dial();
        socket.send("x");
        expect(await collect(socket)).toEqual(["500"]);
        expect(codes).toEqual(["HANDLER_FAILED"]);
        await server.close();
      }
    });

    it("not when the connection was lost while a handler was at work; error is told before close", async () => {
      const clock = new ManualClock();
      const calls: string[] = [];
      const work = gate();
      const closed = gate();
      const { server, dial } = serve(
        {
          message: () => work.promise,
          error: (error, socket) => void calls.push(`${error.code} ${String(socket?.state)}`),
          close: () => {
            calls.push("close");
            closed.resolve(undefined);
          },
        },
        { ...limits, ticker: new Ticker(clock) },
      );
      const socket = await dial();
      socket.send("0");
      socket.send(bad);
      await socket.flushed();
      for (let i = 0; i < 5; i++) await Promise.resolve();
      expect(calls).toEqual([]);
      socket.abort();
      for (let turns = 0; calls.length === 0 && turns < 100; turns++)
        await new Promise((resolve) => setImmediate(resolve));
      expect(calls).toEqual(["FRAME_TOO_LARGE closed"]);
      work.resolve(undefined);
      await closed.promise;
      expect(calls).toEqual(["FRAME_TOO_LARGE closed", "close"]);
      await server.close();
    });
  });

  it("that fail in open, close or error never end the process", async () => {
    const codes: string[] = [];
    for (const name of ["open", "close"] as const) {
      for (const fail of [
        () => Promise.reject(new Error(name)),
        () => {
          throw new Error(name);
        },
      ]) {
        const { server, dial } = serve({
          [name]: fail,
          error: (error) => {
            codes.push(error.code);
            throw new Error("from error");
          },
        });
        const socket = await dial();
        socket.end();
        await collect(socket);
        await server.close();
      }
    }
    expect(codes).toEqual(["HANDLER_FAILED", "HANDLER_FAILED", "HANDLER_FAILED", "HANDLER_FAILED"]);
  });

  it("get every message that arrived before the client was lost, and only then close", async () => {
    const calls: string[] = [];
    const first = gate();
    const closed = gate();
    const { server, dial } = serve({
      message: async (message) => {
        await first.promise;
        calls.push(message);
      },
      close: (_, how) => {
        calls.push(how.reason);
        closed.resolve(undefined);
      },
    });
    const socket = await dial();
    for (const message of ["1", "2", "3"]) socket.send(message);
    await socket.flushed();
    await new Promise(setImmediate);
    socket.abort();
    await socket.closed;
    await new Promise(setImmediate);
    first.resolve(undefined);
    await closed.promise;
    expect(calls).toEqual(["1", "2", "3", "error"]);
    await server.close();
  });

  it("may send to a peer that is gone without it being their failure", async () => {
    const errors: string[] = [];
    const closed = gate();
    const gone = gate();
    const { server, dial } = serve({
      message: async (message, socket) => {
        await gone.promise;
        socket.send(message);
      },
      error: (error) => void errors.push(error.code),
      close: () => {
        closed.resolve(undefined);
      },
    });
    const socket = await dial();
    socket.send("1");
    await socket.flushed();
    await new Promise(setImmediate);
    socket.abort();
    await socket.closed;
    await new Promise(setImmediate);
    gone.resolve(undefined);
    await closed.promise;
    expect(errors).toEqual(["CONNECTION_RESET"]);
    await server.close();
  });
});

describe("createServer(): the server", () => {
  it("listens many times, tells its addresses, and no more after close()", async () => {
    const { server } = serve({});
    const one = await server.listen("tcp://localhost:0");
    const two = await server.listen({ port: 0, host: "127.0.0.1" });
    expect(server.address()).toEqual(one);
    expect(server.addresses()).toEqual([one, two]);
    expect(one).toMatchObject({ transport: "tcp", host: "127.0.0.1" });
    await server.close();
    await expect(server.listen("tcp://localhost:0")).rejects.toThrow(/server is closed/);
    await expect(connect(echo, one)).rejects.toMatchObject({ code: "CONNECT_REFUSED" });
  });

  it("broadcasts to every open socket, and refuses for all what the wire can't carry", async () => {
    const { server, dial } = serve({});
    const sockets = await Promise.all([dial(), dial(), dial()]);
    expect(server.sockets.size).toBe(3);
    expect(server.broadcast("news")).toBe(3);
    expect(() => server.broadcast("exit")).toThrow(/sentinel/);
    const heard = sockets.map((socket) => collect(socket));
    await server.close();
    expect(await Promise.all(heard)).toEqual([["news"], ["news"], ["news"]]);
    expect(server.sockets.size).toBe(0);
  });

  it(
    "closes a connection above maxConnections, tells error, and serves the next when there is " +
      "room",
    async () => {
      const errors: string[] = [];
      const { server, dial } = serve(
        { error: (error) => void errors.push(error.code) },
        { maxConnections: 1 },
      );
      const first = await dial();
      const second = await dial();
      expect((await second.closed).reason).toBe("error");
      expect(errors).toEqual(["TOO_MANY_CONNECTIONS"]);
      first.end();
      await collect(first);
      await first.closed;
      const third = await dial();
      third.end();
      await collect(third);
      expect((await third.closed).reason).toBe("sentinel");
      await server.close();
    },
  );

  it(
    "close() ends the conversations with the sentinel, and is one promise however often it is " +
      "called",
    async () => {
      const { server, dial } = serve({});
      const socket = await dial();
      const closing = server.close();
      expect(server.close()).toBe(closing);
      await collect(socket);
      expect((await socket.closed).reason).toBe("sentinel");
      expect(await closing).toEqual({ drained: 1, forced: 0 });
    },
  );

  it(
    "close({ graceMs, deadlineMs }) lets conversations end by themselves, then ends them, then " +
      "aborts them",
    async () => {
      const clock = new ManualClock();
      const { server, dial } = serve({}, { ticker: new Ticker(clock) });
      const [polite, patient] = await Promise.all([dial(), dial()]);
      const [mine, theirs] = memoryPair(); // a client that never closes
      server.accept(theirs);
      mine.open({
        chunk: () => undefined,
        ended: () => undefined,
        written: () => undefined,
        gone: () => undefined,
      });
      const closing = server.close({ graceMs: 1_000, deadlineMs: 3_000 });
      polite.end();
      await collect(polite);
      await polite.closed;
      expect(patient.state).toBe("open");
      clock.advance(1_000);
      expect(await collect(patient)).toEqual([]);
      await patient.closed;
      while (server.sockets.size > 1) await new Promise(setImmediate);
      clock.advance(2_000);
      expect(await closing).toEqual({ drained: 2, forced: 1 });
    },
  );

  it.each([
    [{ maxConnections: 0 }, RangeError],
    [{ maxInFlight: 1.5 }, RangeError],
    [{ handshakeTimeoutMs: "5" as never }, TypeError],
    [{ mode: 0o1000 }, RangeError],
    [{ maxFrameBytes: 0 }, RangeError],
  ])("refuses %j", (options, kind) => {
    expect(() => createServer(echo, {}, options)).toThrow(kind);
  });

  it("refuses tls:// without a certificate, and an address that can't be read", async () => {
    const { server } = serve({});
    await expect(server.listen("tls://localhost:0")).rejects.toThrow(/tls\.cert is missing/);
    await expect(server.listen("localhost:80")).rejects.toThrow(TypeError);
    await server.close();
  });
});

describe("close(): its times", () => {
  it.each([NaN, -1, 1.5])(
    "rejects with a RangeError for %s, and the server goes on",
    async (ms) => {
      const server = createServer(wire({ framing: lines(), codec: text() }), {
        message: () => undefined,
      });
      await expect(server.close({ graceMs: ms })).rejects.toThrow(RangeError);
      await expect(server.close({ deadlineMs: ms })).rejects.toThrow(/^Cannot use deadlineMs/);
      await expect(server.close({ deadlineMs: "500" as never })).rejects.toThrow(TypeError);
      expect(await server.close()).toEqual({ drained: 0, forced: 0 });
    },
  );

  it.each([Infinity, 2 ** 31, 2 ** 40])("waits for the connections for %s ms", async (ms) => {
    const clock = new ManualClock();
    const server = createServer(
      wire({ framing: lines(), codec: text() }),
      { message: () => undefined },
      { ticker: new Ticker(clock), idleTimeoutMs: Infinity },
    );
    const [near, far] = memoryPair();
    server.accept(near);
    const closing = server.close({ graceMs: ms });
    clock.advance(2 ** 30);
    expect(server.sockets.size).toBe(1);
    far.open({
      chunk: () => undefined,
      ended: () => undefined,
      written: () => undefined,
      gone: () => undefined,
    });
    far.end();
    expect(await closing).toEqual({ drained: 1, forced: 0 });
  });
});
