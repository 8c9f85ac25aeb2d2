// The program's code that runs while a message is encoded (getters, toJSON, codecs, schemas) sends
// on the same connection, ends it, or throws. The inner message leaves whole and first; the outer
// one is as if it had been sent after it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect, type SessionClient } from "@hawser/client";
import {
  type ByteWriter,
  type Codec,
  contentLength,
  defineProtocol,
  delimited,
  type Framing,
  HawserError,
  json,
  jsonRpc,
  jsonSequence,
  lengthPrefixed,
  libraryCodec,
  lines,
  netstring,
  type Schema,
  slip,
  type,
  varintPrefixed,
  wire,
} from "@hawser/protocol";
import { createServer, type SessionServer, type SessionSocket } from "@hawser/server";
import { memoryPair } from "@hawser/transport";
import { turns, until } from "./conversation.ts";
import { taken } from "./sessions.ts";

const decodeJson = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes));
const encodeJson = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/**
 * A codec as a program writes one: it has written a part of the message when the program's code
 * runs.
 */
const own: Codec<unknown> = {
  name: "own",
  decode: (bytes, start, end) => decodeJson(bytes.subarray(start + 1, end)),
  encode(value, output: ByteWriter) {
    output.byte(0x20);
    output.append(encodeJson(value));
  },
};

const codecs: Readonly<Record<string, Codec<unknown>>> = {
  json: json(),
  library: libraryCodec("mine", { encode: encodeJson, decode: decodeJson }),
  own,
};

/** What runs while a value is looked at by a schema. */
let look: (value: unknown) => void = () => undefined;

const watched: Schema = {
  "~standard": {
    version: 1,
    vendor: "conformance",
    validate(value) {
      look(value);
      return { value };
    },
  },
};

function contractOf(codec: Codec<unknown>, schema: Schema) {
  return defineProtocol({
    name: "cart",
    version: 1,
    requests: {
      ask: { input: schema, output: schema, errors: { bad: schema }, from: "both", codec },
      ok: { output: type<string>() },
    },
    events: {
      kept: { payload: schema, delivery: "at-least-once", codec },
      once: { payload: schema, codec },
      audit: { payload: type<string>(), delivery: "at-least-once" },
    },
    streams: { items: { input: schema, send: schema, item: schema, codec } },
  });
}

type Cart = ReturnType<typeof contractOf>;

interface World {
  readonly server: SessionServer<Cart>;
  readonly client: SessionClient<Cart>;
  readonly socket: SessionSocket<Cart>;
  /** What a handler answers with, yields, or fails with. */
  answer: () => unknown;
  /** Events that have come, in order, of both sides. */
  readonly got: string[];
  readonly errors: string[];
}

interface Place {
  /** Whose code runs. */
  readonly side: "client" | "server";
  /** Of a stream: JSON-RPC has none. */
  readonly stream?: boolean;
  readonly run: (world: World, value: unknown) => Promise<unknown>;
}

const reply = async (
  world: World,
  value: unknown,
  caller: SessionClient<Cart> | SessionSocket<Cart>,
): Promise<unknown> => {
  world.answer = () => value;
  return (caller as SessionClient<Cart>).request("ask", "reply");
};

/** Every place where a value of the program's is encoded. */
const places: Readonly<Record<string, Place>> = {
  "a client's request": {
    side: "client",
    run: ({ client }, value) => client.request("ask", value),
  },
  "a server's request": {
    side: "server",
    run: ({ socket }, value) => socket.request("ask", value),
  },
  "a server's answer": { side: "server", run: (world, value) => reply(world, value, world.client) },
  "a client's answer": { side: "client", run: (world, value) => reply(world, value, world.socket) },
  "a named failure": {
    side: "server",
    run: async (world, value) => {
      world.answer = () => {
        throw new HawserError("NAMED_ERROR", "bad", {
          failure: { name: "bad", payload: value },
          origin: "local",
        });
      };
      try {
        return await world.client.request("ask", "fail");
      } catch (error) {
        return (error as HawserError).failure?.payload ?? (error as HawserError).code;
      }
    },
  },
  "a client's event, at most once": {
    side: "client",
    run: async ({ client }, value) => client.emit("once", value),
  },
  "a client's event, at least once": {
    side: "client",
    run: async ({ client }, value) => client.emit("kept", value),
  },
  "a server's event, at most once": {
    side: "server",
    run: async ({ socket }, value) => socket.emit("once", value),
  },
  "a server's event, at least once": {
    side: "server",
    run: async ({ socket }, value) => socket.emit("kept", value),
  },
  "a broadcast, at most once": {
    side: "server",
    run: async ({ server }, value) => Promise.resolve(server.broadcast("once", value)),
  },
  "a broadcast, at least once": {
    side: "server",
    run: async ({ server }, value) => Promise.resolve(server.broadcast("kept", value)),
  },
  "a stream's input": {
    side: "client",
    stream: true,
    run: async ({ client }, value) => taken(client.stream("items", value), 1),
  },
  "an item of the opener": {
    side: "client",
    stream: true,
    run: async ({ client }, value) => {
      const stream = client.stream("items", "");
      stream.send(value);
      stream.end();
      return taken(stream);
    },
  },
  "an item of the responder": {
    side: "server",
    stream: true,
    run: async (world, value) => {
      world.answer = () => value;
      return taken(world.client.stream("items", "yield"), 1);
    },
  },
};

/** Runs `use` with a world, and ends it; Node 22 has no `await using`. */
async function inWorld<W extends AsyncDisposable>(
  world: W,
  use: (world: W) => Promise<void>,
): Promise<void> {
  try {
    await use(world);
  } finally {
    await world[Symbol.asyncDispose]();
  }
}

/** A client and a server of a contract, over a connection in memory. */
async function makeWorld(
  codec: Codec<unknown>,
  schema: Schema,
  rpc: boolean,
): Promise<World & AsyncDisposable> {
  const contract = contractOf(codec, schema);
  // its places of streams are not run
  const plain = defineProtocol({ ...contract.definition, streams: {} }) as unknown as Cart;
  const kind = rpc
    ? (jsonRpc(plain, { framing: lines(), downgrade: true }) as unknown as Cart)
    : contract; // both ends take either
  const got: string[] = [];
  const errors: string[] = [];
  const heard = (name: string) => (payload: unknown) =>
    void got.push(`${name} ${JSON.stringify(payload)}`);
  const answer = (input: unknown): unknown =>
    input === "reply" || input === "fail" || input === "yield" ? world.answer() : input;
  const server = createServer(
    kind,
    {
      ask: answer,
      ok: () => "ok",
      ...(rpc
        ? {}
        : {
            async *items(input: unknown, { items }: { readonly items: AsyncIterable<unknown> }) {
              if (input === "") yield* items;
              else yield answer(input);
            },
          }),
      kept: heard("kept"),
      once: heard("once"),
      audit: heard("audit"),
    } as never,
    { resumeWindowMs: 0, error: (error) => void errors.push(`server ${error.code}`) },
  );
  const [near, far] = memoryPair();
  server.accept(near);
  const client = await connect(kind, far, {
    handlers: { ask: answer, kept: heard("kept"), once: heard("once"), audit: heard("audit") },
  });
  client.lifecycle.on("error", (error) => void errors.push(`client ${error.code}`));
  const [socket] = server.sockets;
  assert(socket !== undefined);
  const world = {
    server,
    client,
    socket,
    answer: () => undefined as unknown,
    got,
    errors,
    async [Symbol.asyncDispose]() {
      look = () => undefined;
      client.abort();
      await server.close({ deadlineMs: 0 });
    },
  };
  return world;
}

/** A value whose encoding runs `act`, once. */
function acting(act: () => void, pad = ""): unknown {
  let done = false;
  return {
    toJSON() {
      if (!done) {
        done = true;
        act();
      }
      return { id: 7, ...(pad === "" ? {} : { pad }) };
    },
  };
}

const settled = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    (value) => JSON.stringify(value),
    (error: unknown) => (error instanceof HawserError ? error.code : String(error)),
  );

/** Emit on the same session, from the side whose code runs. */
function emitInner({ client, server }: World, side: "client" | "server"): void {
  if (side === "client") void client.emit("audit", "inner");
  else server.broadcast("audit", "inner");
}

const isSent = (outcome: string): boolean =>
  outcome.includes('"id":7') || ['"unknown"', '"delivered"', "1"].includes(outcome);

for (const [name, codec, rpc] of [
  ...Object.entries(codecs).map(([each, made]) => [each, made, false] as const),
  ["JSON-RPC", json(), true] as const,
]) {
  describe(`code that runs while a message is encoded with ${name}`, () => {
    for (const [where, { side, stream, run }] of Object.entries(places)) {
      if (rpc && stream === true) continue;

      it(`may emit from within ${where}: both arrive, the inner one first`, async () => {
        for (const pad of ["", "x".repeat(70_000)]) {
          await inWorld(await makeWorld(codec, type<unknown>(), rpc), async (world) => {
            const outcome = await settled(
              run(
                world,
                acting(() => {
                  emitInner(world, side);
                }, pad),
              ),
            );
            assert(isSent(outcome), outcome.slice(0, 100));
            assert.equal(await world.client.request("ok"), "ok");
            await until(() => world.got.includes('audit "inner"'));
            await turns(3);
            assert.equal(world.got[0], 'audit "inner"');
            assert.equal(
              world.got.length,
              where.includes("event") || where.includes("broadcast") ? 2 : 1,
            );
            assert.deepEqual(world.errors, []);
          });
        }
      });

      it(`may emit from within ${where} and then fail: the inner one arrives, the session goes on`, async () => {
        for (const tooLarge of [false, true]) {
          await inWorld(await makeWorld(codec, type<unknown>(), rpc), async (world) => {
            const outcome = await settled(
              run(
                world,
                acting(
                  () => {
                    emitInner(world, side);
                    if (!tooLarge) throw new Error("no");
                  },
                  "x".repeat(tooLarge ? 1_200_000 : 1),
                ),
              ),
            );
            assert(!outcome.includes('"id":7') && outcome !== '"delivered"', outcome.slice(0, 100));
            assert.equal(await world.client.request("ok"), "ok");
            await until(() => world.got.length > 0);
            await turns(3);
            assert.deepEqual(world.got, ['audit "inner"']);
          });
        }
      });

      for (const how of ["close", "abort"] as const) {
        it(
          `may ${how} the client from within ${where}: the call settles, and nothing of it is ` +
            "written any more",
          async () => {
            await inWorld(await makeWorld(codec, type<unknown>(), rpc), async (world) => {
              const { client } = world;
              const outcome = settled(
                run(
                  world,
                  acting(() => {
                    if (how === "close") void client.close();
                    else client.abort();
                  }),
                ),
              );
              assert.equal((await client.closed).reason, how === "close" ? "closed" : "aborted");
              await outcome;
              await turns(5);
              assert.deepEqual(world.got, []);
              assert.deepEqual(
                world.errors.filter((error) => /VIOLATION|INVALID|FRAME/.test(error)),
                [],
              );
            });
          },
        );
      }
    }

    it("may emit from within a schema, wherever one looks at a value", async () => {
      for (const [where, { side, stream, run }] of Object.entries(places)) {
        if (rpc && stream === true) continue;
        for (const at of [1, 2]) {
          for (const how of ["emit", "close"] as const) {
            await inWorld(await makeWorld(codec, watched, rpc), async (world) => {
              let looks = 0;
              look = (value) => {
                if (typeof value !== "object" || ++looks !== at) return;
                if (how === "close") void world.client.close();
                else emitInner(world, side);
              };
              const outcome = settled(run(world, { id: 7 }));
              if (how === "emit") {
                assert(isSent(await outcome), `${where}, look ${String(at)}: ${await outcome}`);
                assert.equal(await world.client.request("ok"), "ok");
                await turns(3);
              } else if (looks > 0 || world.client.state === "ready") {
                await Promise.race([outcome, world.client.closed]);
                await turns(5);
              }
              assert.deepEqual(
                world.errors.filter((error) => !error.endsWith("SESSION_LOST")),
                [],
                `${where}, look ${String(at)}, ${how}`,
              );
            });
          }
        }
      }
    });
  });
}

const framings: Readonly<Record<string, Framing>> = {
  contentLength: contentLength(),
  delimited: delimited("\f"),
  jsonSequence: jsonSequence(),
  lengthPrefixed: lengthPrefixed(),
  lines: lines(),
  netstring: netstring(),
  slip: slip(),
  varintPrefixed: varintPrefixed(),
};

describe("code that runs while a wire's message is encoded", () => {
  for (const [framed, framing] of Object.entries(framings)) {
    for (const [coded, codec] of Object.entries(codecs)) {
      for (const sentinel of [undefined, '"exit"']) {
        it(
          `may send from within send() and broadcast() over ${framed} with ` +
            `${coded}${sentinel === undefined ? "" : " and a sentinel"}`,
          async () => {
            const speech = wire({
              framing,
              codec,
              ...(sentinel === undefined ? {} : { sentinel }),
            });
            const got: unknown[] = [];
            const server = createServer(speech, { message: (message) => void got.push(message) });
            const [near, far] = memoryPair();
            server.accept(near);
            const socket = await connect(speech, far);
            try {
              const heard: unknown[] = [];
              socket.on("message", (message) => void heard.push(message));
              const inner = (): void => void socket.send("inner");
              socket.send("before");
              socket.send(acting(inner));
              socket.send(acting(inner, "x".repeat(70_000)));
              assert.throws(() =>
                socket.send(
                  acting(() => {
                    inner();
                    throw new Error("no");
                  }),
                ),
              );
              assert.throws(() => socket.send(acting(inner, "x".repeat(1_200_000))));
              socket.send("after");
              await until(() => got.includes("after"));
              assert.deepEqual(
                got.map((message) => (typeof message === "string" ? message : "outer")),
                ["before", "inner", "outer", "inner", "outer", "inner", "inner", "after"],
              );

              const broadcast = (): void => void server.broadcast("inner");
              server.broadcast(acting(broadcast));
              server.broadcast(acting(broadcast, "x".repeat(70_000)));
              assert.throws(() => server.broadcast(acting(broadcast, "x".repeat(1_200_000))));
              server.broadcast("after");
              await until(() => heard.includes("after"));
              assert.deepEqual(
                heard.map((message) => (typeof message === "string" ? message : "outer")),
                ["inner", "outer", "inner", "outer", "inner", "after"],
              );

              assert.throws(
                () =>
                  socket.send(
                    acting(() => {
                      socket.end();
                    }),
                  ),
                { code: "CONNECTION_CLOSED" },
              );
              assert.equal((await socket.closed).error, null);
              assert.equal(got.length, 8);
            } finally {
              socket.abort();
              await server.close({ deadlineMs: 0 });
            }
          },
        );
      }
    }
  }
});
