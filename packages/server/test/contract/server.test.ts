import { connect, type SessionConnectOptions } from "@hawser/client";
import { defineProtocol, HawserError, jsonRpc, lines, type } from "@hawser/protocol";
import type { Hello } from "@hawser/protocol";
import { memoryPair, Ticker } from "@hawser/transport";
import { ManualClock } from "@hawser/transport/testing";
import { describe, expect, expectTypeOf, it } from "vitest";
import {
  createServer,
  type SessionHandlers,
  type SessionServer,
  type SessionServerOptions,
} from "../../src/mod.ts";
import { Rooms } from "../../src/contract/rooms.ts";

const chat = defineProtocol({
  name: "chat",
  version: 1,
  requests: {
    echo: { input: type<string>(), output: type<string>() },
    wait: { output: type<string>() },
  },
  events: { said: { payload: type<string>(), delivery: "at-least-once" } },
});

const handlers: SessionHandlers<typeof chat> = {
  echo: (text) => text,
  wait: () => new Promise(() => undefined),
};

function serve<C = undefined>(options: SessionServerOptions<typeof chat, C> = {}) {
  const errors: HawserError[] = [];
  const server = createServer<typeof chat, C>(chat, handlers, {
    error: (error) => void errors.push(error),
    ...options,
  });
  const dial = (clientOptions: SessionConnectOptions<typeof chat> = {}) => {
    const [mine, theirs] = memoryPair();
    server.accept(theirs);
    return connect(chat, mine, clientOptions);
  };
  return { server, dial, errors };
}

const turns = async (count = 10): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
};

describe("createServer() of a contract: types", () => {
  it("a handler's input, context and result are the contract's", () => {
    createServer(
      chat,
      {
        echo(input, { context, socket, server, signal, fail }) {
          expectTypeOf(input).toEqualTypeOf<string>();
          expectTypeOf(context).toEqualTypeOf<{ user: string }>();
          expectTypeOf(socket.context).toEqualTypeOf<{ user: string }>();
          expectTypeOf(server).toEqualTypeOf<SessionServer<typeof chat, { user: string }>>();
          expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
          expectTypeOf(fail).parameter(0).toEqualTypeOf<never>();
          return input;
        },
        wait: () => "",
        said(payload, { socket }) {
          expectTypeOf(payload).toEqualTypeOf<string>();
          void socket.emit("said", payload);
        },
      },
      { authenticate: (hello: Hello) => ({ user: String(hello.auth) }) },
    );
    // @ts-expect-error: the output is another
    createServer(chat, { echo: () => 1, wait: () => "" });
    // @ts-expect-error: wait is missing
    expect(() => createServer(chat, { echo: () => "" })).toThrow(TypeError);
    createServer(jsonRpc(chat, { framing: lines(), downgrade: true }), {
      echo: (input) => input.toUpperCase(),
      wait: () => "",
    });
  });
});

describe("createServer() of a contract: options", () => {
  it("are checked once, from their tables", () => {
    expect(() => serve({ maxConnections: 0 })).toThrow(RangeError);
    expect(() => serve({ mode: 0o1000 })).toThrow(RangeError);
    expect(() => serve({ windowBytes: "1" as never })).toThrow(TypeError);
    expect(() => serve({ writeBuffer: { lowBytes: 10, highBytes: 5 } })).toThrow(RangeError);
    expect(() => serve({ open: 1 as never })).toThrow(TypeError);
    expect(() => serve({ use: [1 as never] })).toThrow(TypeError);
  });
});

describe("Rooms", () => {
  it("begin with the first member and are gone with the last", () => {
    const rooms = new Rooms<string>();
    rooms.join("a", "one");
    rooms.join("a", "two");
    rooms.join("a", "one");
    rooms.join("b", "one");
    expect([[...rooms.names()], [...rooms.members("a")]]).toEqual([
      ["a", "b"],
      ["one", "two"],
    ]);
    rooms.leave("a", "one");
    rooms.leave("a", "one");
    rooms.leave("c", "one");
    rooms.leave("a", "two");
    expect([[...rooms.names()], rooms.members("a").size]).toEqual([["b"], 0]);
  });
});

describe("a server's sessions", () => {
  it("without a connection are bounded too: the one that is longest lost makes room", async () => {
    const closed: string[] = [];
    const { server, dial } = serve({
      maxConnections: 2,
      close: (socket) => void closed.push(socket.remote),
    });
    for (let i = 0; i < 4; i++) {
      const client = await dial();
      client.abort();
      await turns();
    }
    expect([server.sockets.size, closed.length]).toEqual([2, 2]);
    await server.close();
    expect(closed.length).toBe(4);
  });

  it("leave no timer behind when the last is over", async () => {
    const clock = new ManualClock();
    const { server, dial } = serve({ ticker: new Ticker(clock), resumeWindowMs: 1_000 });
    const client = await dial();
    await client.request("echo", "x", { timeoutMs: 100 });
    client.abort();
    await turns();
    expect(clock.pending).toBe(1);
    clock.advance(1_500);
    expect([server.sockets.size, clock.pending]).toEqual([0, 0]);
  });

  it("report what the peer broke, and close", async () => {
    const { server, errors } = serve();
    const [mine, theirs] = memoryPair();
    server.accept(theirs);
    let ended = false;
    mine.open({
      chunk: () => undefined,
      ended: () => void (ended = true),
      written: () => undefined,
      gone: () => undefined,
    });
    mine.output.append(new TextEncoder().encode("GET / HTTP/1.1\r\n"));
    mine.schedule();
    await turns();
    expect([errors.map(({ code }) => code), ended]).toEqual([["NOT_HAWSER"], true]);
    mine.abort();
  });

  it("a hook that throws is reported, and does no more harm than it says", async () => {
    const { server, dial, errors } = serve({
      close() {
        throw new Error("close");
      },
      error() {
        throw new Error("ignored");
      },
    });
    const client = await dial();
    await client.close();
    await turns();
    expect([server.sockets.size, errors]).toEqual([0, []]);
  });

  it("close() refuses who is being judged, with a reason that tells him to try elsewhere", async () => {
    let admit: () => void = () => undefined;
    const { server, dial } = serve({
      authenticate: () =>
        new Promise(
          (resolve) =>
            (admit = () => {
              resolve(undefined);
            }),
        ),
    });
    const client = dial().catch((error: unknown) => error);
    await turns();
    const closing = server.close();
    admit();
    expect(await client).toMatchObject({ code: "DRAINING", retryable: true });
    expect(await closing).toEqual({ drained: 0, forced: 0 });
  });
});

describe("a server that closes", () => {
  it("lets go who has not greeted, without a word and without a report", async () => {
    const { server, errors } = serve();
    const [mine, theirs] = memoryPair();
    let received = 0;
    mine.open({
      chunk: (chunk) => void (received += chunk.length),
      ended: () => {
        mine.end();
      },
      written: () => undefined,
      gone: () => undefined,
    });
    server.accept(theirs);
    await turns();
    expect(await server.close()).toEqual({ drained: 0, forced: 0 });
    expect([received, errors]).toEqual([0, []]);
  });
});

describe("a server of another session kind", () => {
  const kind = jsonRpc(chat, { framing: lines(), downgrade: true });

  async function talk(options: SessionServerOptions<typeof chat> = {}) {
    const clock = new ManualClock();
    const server = createServer(
      kind,
      { ...handlers, said: () => undefined },
      { ticker: new Ticker(clock), ...options },
    );
    const [mine, theirs] = memoryPair();
    let received = "";
    mine.open({
      chunk: (chunk) => void (received += new TextDecoder().decode(chunk)),
      ended: () => void (received += "<end>"),
      written: () => undefined,
      gone: () => undefined,
    });
    const say = async (message: string): Promise<void> => {
      mine.output.append(new TextEncoder().encode(`${message}\n`));
      mine.schedule();
      await turns();
    };
    server.accept(theirs);
    await turns();
    return { server, clock, say, mine, received: () => received };
  }

  it("lets in who says nothing yet, where the kind has no greeting", async () => {
    const { server, clock, say, mine, received } = await talk({ handshakeTimeoutMs: 1_000 });
    clock.advance(5_000);
    await turns();
    expect(server.sockets.size).toBe(1);
    await say('{"jsonrpc":"2.0","id":1,"method":"echo","params":["hello"]}');
    expect(received()).toMatch(/"result":/);
    mine.abort();
    await server.close();
  });

  it("keeps what comes while authenticate thinks, up to maxMessageBytes", async () => {
    let admit: () => void = () => undefined;
    const authenticate = (): Promise<undefined> =>
      new Promise(
        (resolve) =>
          (admit = () => {
            resolve(undefined);
          }),
      );
    const { server, say, mine, received } = await talk({ authenticate });
    await say('{"jsonrpc":"2.0","id":1,"method":"echo","params":["hello"]}');
    expect(received()).toBe("");
    admit();
    await turns();
    expect(received()).toMatch(/"id":1/);
    mine.abort();
    await server.close();
    const flooded = await talk({ authenticate, maxMessageBytes: 1_024 });
    await flooded.say("x".repeat(2_000));
    expect(flooded.received()).toMatch(/<end>$/);
    flooded.mine.abort();
    await flooded.server.close();
  });
});

describe("createServer() of jsonRpc(): time", () => {
  async function silent(options: SessionServerOptions<typeof chat> = {}) {
    const clock = new ManualClock();
    const errors: string[] = [];
    const server = createServer(jsonRpc(chat, { framing: lines(), downgrade: true }), handlers, {
      error: (error) => void errors.push(error.code),
      ticker: new Ticker(clock),
      ...options,
    });
    const [mine, theirs] = memoryPair();
    server.accept(theirs);
    const log: string[] = [];
    mine.open({
      chunk: () => undefined,
      ended: () => void log.push("ended"),
      written: () => undefined,
      gone: () => undefined,
    });
    const say = async (text: string): Promise<void> => {
      mine.output.append(new TextEncoder().encode(text));
      mine.schedule();
      await turns();
    };
    await turns();
    return { clock, errors, log, say, server };
  }

  it.each<[string, SessionServerOptions<typeof chat>, number]>([
    ["60 s by default", {}, 60_000],
    ["idleTimeoutMs", { idleTimeoutMs: 2_000 }, 2_000],
  ])("a client that is silent is closed after %s", async (_, options, ms) => {
    const { clock, errors, log, say } = await silent(options);
    clock.advance(ms - 500);
    await say('{"jsonrpc":"2.0","method":"echo","params":["x"],"id":1}\n');
    clock.advance(ms - 500);
    expect(errors).toEqual([]);
    clock.advance(1_000);
    await turns();
    expect([errors, log]).toEqual([["IDLE_TIMEOUT"], ["ended"]]);
  });

  it.each<[string, SessionServerOptions<typeof chat>, number]>([
    ["10 s by default", {}, 10_000],
    ["frameTimeoutMs", { frameTimeoutMs: 2_000 }, 2_000],
  ])(
    "a client whose line never ends is closed after %s, however it trickles",
    async (_, options, ms) => {
      const { clock, errors, log, say, server } = await silent(options);
      for (let i = 0; i < 4; i++) {
        await say(".");
        clock.advance(ms / 4 - 100);
      }
      expect(errors).toEqual([]);
      clock.advance(750);
      await turns();
      expect([errors, log, server.sockets.size]).toEqual([["FRAME_TIMEOUT"], ["ended"], 0]);
    },
  );

  it("whole lines start it anew, and time in which the process stood still does not count", async () => {
    const { clock, errors, say } = await silent({ frameTimeoutMs: 2_000 });
    for (let i = 0; i < 4; i++) {
      await say('\n{"jsonrpc":"2.0",');
      clock.advance(1_500);
    }
    clock.standStill(60_000);
    expect(errors.filter((code) => code === "FRAME_TIMEOUT")).toEqual([]);
  });
});
