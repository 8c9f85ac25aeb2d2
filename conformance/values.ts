// The fuzzer of the program's own code: handlers, listeners, hooks, auth, authenticate, middleware,
// schemas, codecs and iterators that throw, reject, return and yield hostile values, between real
// ends in memory: native sessions, JSON-RPC and wires. A run is one call. Invariant: it settles,
// its failure is told to `error` where nobody else is told, nothing is unhandled, and an honest
// call is answered afterwards.

import { connect, type SessionClient, type Socket } from "@hawser/client";
import {
  defineProtocol,
  jsonRpc,
  libraryCodec,
  lengthPrefixed,
  lines,
  type Schema,
  text,
  type,
  wire,
} from "@hawser/protocol";
import type { SchemaResult } from "@hawser/protocol/engine";
import { hostileValues, Random } from "@hawser/protocol/testing";
import { createServer, type SessionServer } from "@hawser/server";
import { memoryPair } from "@hawser/transport";
import { capabilities } from "./capabilities.ts";

/** How a function of the program ends. */
const ends = [
  "throw",
  "reject",
  "rejectLater",
  "return",
  "resolve",
  "resolveLater",
  "thenThrows",
  "thenTwice",
  "thenRejects",
  "thenNested",
] as const;
/** What a stream's handler returns. */
const sources = [
  "array",
  "generator",
  "asyncGenerator",
  "next",
  "nextThrows",
  "nextGetter",
  "nextRejects",
  "doneGetter",
  "noNext",
  "returnThrows",
  "web",
  "never",
] as const;

const names = Object.keys(hostileValues);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** One behaviour: a value, and what is done with it. */
interface Act {
  readonly how: string;
  readonly name: string;
  readonly value: unknown;
}

function perform({ how, value }: Act): unknown {
  switch (how) {
    case "throw":
      throw value;
    case "reject":
      return rejected(value);
    case "rejectLater":
      return turn().then(() => {
        throw value;
      });
    case "resolve":
      return Promise.resolve(value);
    case "resolveLater":
      return turn().then(() => value);
    case "thenThrows":
      return thenable(() => {
        throw value;
      });
    case "thenTwice":
      return thenable((resolve, reject) => {
        resolve(value);
        reject(value);
        resolve(1);
      });
    case "thenRejects":
      return thenable((_, reject) => {
        reject(value);
      });
    case "thenNested":
      return thenable((resolve) => {
        resolve(
          thenable((_, reject) => {
            reject(value);
          }),
        );
      });
    default:
      return value;
  }
}

async function rejected(value: unknown): Promise<never> {
  await turn();
  throw value;
}

function thenable(
  then: (resolve: (value: unknown) => void, reject: (cause: unknown) => void) => void,
): unknown {
  return { then };
}

function source({ how, value }: Act): unknown {
  const iterator = (members: object): unknown => ({ [Symbol.asyncIterator]: () => members });
  switch (how) {
    case "array":
      return [value, value];
    case "generator":
      return (function* () {
        yield value;
        throw value;
      })();
    case "asyncGenerator":
      return (async function* () {
        yield value;
        await turn();
        throw value;
      })();
    case "next":
      return iterator({ next: () => value });
    case "nextThrows":
      return iterator({
        next: () => {
          throw value;
        },
      });
    case "nextGetter":
      return iterator(
        Object.defineProperty({}, "next", {
          get: () => {
            throw value;
          },
        }),
      );
    case "nextRejects":
      return iterator({ next: () => rejected(value) });
    case "doneGetter":
      return iterator({
        next: () =>
          Object.defineProperty({}, "done", {
            get: () => {
              throw value;
            },
          }),
      });
    case "noNext":
      return iterator({ next: value });
    case "returnThrows": {
      let left = 3;
      return iterator({
        next: () => ({ done: --left < 0, value: left }),
        return: () => {
          throw value;
        },
      });
    }
    case "web":
      return new ReadableStream({
        start(controller) {
          controller.enqueue(value);
          controller.error(capabilities.streamsFailWithAnything ? value : new Error("x"));
        },
        cancel() {
          throw value;
        },
      });
    case "never":
      return iterator({
        next: () => new Promise(() => undefined),
        return: () => perform({ how: "reject", name: "", value }),
      });
    default:
      return value;
  }
}

/** A schema that does what the act at hand says, where the value is for it. */
function schema(world: World): Schema {
  return {
    "~standard": {
      version: 1,
      vendor: "fuzz",
      validate: (value) => {
        const act = world.checking;
        return act === null ? { value } : (perform(act) as SchemaResult<unknown>); // a hostile one
      },
    },
  };
}

/** What the runs of one round share. */
class World {
  readonly random: Random;
  readonly failures: string[] = [];
  /** Errors that were told since the last look. */
  told = 0;
  runs = 0;
  /** By the number that a call carries. */
  readonly acts: Act[] = [];
  /** What schemas and codecs do, null: the right thing. */
  checking: Act | null = null;
  coding: Act | null = null;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  act(among: readonly string[]): Act {
    const name = names[this.random.below(names.length)] ?? "error";
    return {
      how: among[this.random.below(among.length)] ?? "throw",
      name,
      value: hostileValues[name]?.(),
    };
  }

  /** The number of a new act. */
  plan(among: readonly string[] = ends): number {
    return this.acts.push(this.act(among)) - 1;
  }

  perform(index: number): unknown {
    return perform(this.acts[index] ?? { how: "return", name: "", value: undefined });
  }

  /** What `error` does: it hears, and is hostile every third time. */
  readonly tell = (): unknown => {
    this.told++;
    return this.told % 3 === 0 ? perform(this.act(ends)) : undefined;
  };

  /** Wait for promises of which each must settle; `whats` says which each is. */
  async settle(
    pending: readonly (Promise<unknown> | undefined)[],
    whats: readonly string[],
  ): Promise<void> {
    const open = new Set(pending.keys());
    pending.forEach((promise, index) => {
      const done = (): void => void open.delete(index);
      if (promise === undefined) done();
      else promise.then(done, done);
    });
    for (let turns = 0; open.size > 0 && turns < 2_000; turns++) await turn();
    for (const index of open) this.failures.push(`never settled: ${whats[index] ?? ""}`);
    this.runs += pending.length;
  }

  check(isRight: boolean, what: string): void {
    if (!isRight) this.failures.push(what);
  }
}

const contractOf = (world: World) =>
  defineProtocol({
    name: "values",
    version: 1,
    requests: {
      act: { input: type<number>(), output: type<unknown>(), errors: { n: type<unknown>() } },
      echo: { input: type<number>(), output: type<number>() },
      loose: { input: type<unknown>(), output: type<unknown>() },
      checked: { input: schema(world), output: schema(world) },
      ask: { input: type<number>(), output: type<unknown>(), from: "server" },
    },
    events: {
      done: { payload: type<number>(), from: "client" },
      said: { payload: type<number>(), from: "server" },
      checkedEvent: { payload: schema(world), from: "client" },
    },
  });

const fullContractOf = (world: World) => {
  const { definition } = contractOf(world);
  const codec = libraryCodec("fuzz", {
    encode: (value) =>
      world.coding === null
        ? new TextEncoder().encode(JSON.stringify(value))
        : (perform(world.coding) as Uint8Array), // a hostile one
    decode: (bytes) =>
      world.coding === null
        ? (JSON.parse(new TextDecoder().decode(bytes)) as unknown)
        : perform(world.coding),
  });
  return defineProtocol({
    ...definition,
    requests: {
      ...definition.requests,
      coded: { input: type<unknown>(), output: type<unknown>(), codec },
    },
    streams: {
      pull: { input: type<number>(), item: type<unknown>() },
      push: { input: type<number>(), send: type<unknown>() },
    },
    events: {
      done: { payload: type<number>(), from: "client", delivery: "at-least-once" },
      said: { payload: type<number>(), from: "server", delivery: "at-least-once" },
      checkedEvent: { payload: schema(world), from: "client", delivery: "at-least-once" },
    },
  });
};

/** Any client and server: names and values are the fuzzer's. */
interface AnyClient {
  request(name: string, input?: unknown, options?: object): Promise<unknown>;
  stream(
    name: string,
    input?: unknown,
    options?: object,
  ): AsyncIterableIterator<unknown> & { send(item: unknown): boolean; end(): void };
  emit(name: string, payload?: unknown): Promise<unknown>;
  on(name: string, listener: (...values: never) => unknown): unknown;
  readonly lifecycle: { on(name: string, listener: (...values: never) => unknown): unknown };
  readonly state: string;
  close(): Promise<unknown>;
  abort(): void;
}

const handlersOf = (world: World, isFull: boolean): object => ({
  act: (index: number) => world.perform(index),
  echo: (value: number) => value,
  loose: (value: unknown) => value,
  checked: (value: unknown) => value,
  done: (index: number) => world.perform(index),
  checkedEvent: () => undefined,
  ...(isFull
    ? {
        coded: (value: unknown) => value,
        pull: (index: number) => source(world.acts[index] ?? { how: "array", name: "", value: 1 }),
        push: (index: number) => world.perform(index),
      }
    : {}),
});

/** Calls between two ends that stay: `count` at once. */
async function sessionRound(world: World, isFull: boolean, count: number): Promise<void> {
  const contract = isFull
    ? fullContractOf(world)
    : jsonRpc(contractOf(world), { framing: lines() });
  const handlers = handlersOf(world, isFull);
  const use = [
    (call: { name: string }, next: () => unknown) =>
      world.random.below(8) === 0 && call.name !== "echo" ? middleware(world, next) : next(),
  ];
  const server = createServer(
    contract as never,
    handlers as never,
    { use, error: world.tell } as never,
  ) as unknown as SessionServer<never>;
  const [mine, theirs] = memoryPair();
  server.accept(theirs);
  const client = (await connect(contract as never, mine, {
    handlers: { ask: (index: number) => world.perform(index) },
  })) as unknown as AnyClient;
  client.lifecycle.on("error", world.tell);
  client.on("said", (index: number) => world.perform(index));
  const [socket] = server.sockets as unknown as Set<AnyClient>;
  const pending: (Promise<unknown> | undefined)[] = [];
  const whats: string[] = [];
  const run = (what: string, index: number, make: () => Promise<unknown>): void => {
    const { how, name } = world.acts[index] ?? { how: "", name: "" };
    whats.push(`${isFull ? "native" : "json-rpc"} ${what} ${how} ${name}`);
    try {
      pending.push(make());
    } catch (cause) {
      pending.push(undefined);
      world.check(
        !["request", "emit"].includes(what),
        `${what} threw instead of rejecting: ${typeof cause}`,
      );
    }
  };
  for (let i = 0; i < count; i++) one(world, client, socket, isFull, run);
  await world.settle(pending, whats);
  world.checking = world.coding = null;
  world.check(world.told > 0, "a hundred hostile calls, and error is told nothing");
  world.check(
    client.state === "ready",
    `the client is ${client.state} after ${whats.at(-1) ?? ""}`,
  );
  const honest = client.request("echo", 7).then(
    (value) => {
      world.check(value === 7, "an honest call is answered with something else");
    },
    (cause: unknown) => {
      world.check(false, `an honest call fails: ${typeof cause}`);
    },
  );
  await world.settle([honest], ["an honest call"]);
  const closed = server.close({ deadlineMs: 1 });
  await client.close();
  await world.settle([closed], ["close() of the server"]);
}

/** A middleware that is wrong in one of several ways. */
function middleware(world: World, next: () => unknown): unknown {
  const wrong = world.random.below(6);
  if (wrong === 0) return void next();
  if (wrong === 1) return [next(), next()][1];
  if (wrong === 2) return perform(world.act(ends));
  if (wrong === 3) {
    next();
    return perform(world.act(ends));
  }
  if (wrong === 4) return turn().then(next);
  return thenable((resolve) => {
    resolve(next());
  });
}

function one(
  world: World,
  client: AnyClient,
  socket: AnyClient | undefined,
  isFull: boolean,
  run: (what: string, index: number, make: () => Promise<unknown>) => void,
): void {
  const kind = world.random.below(isFull ? 11 : 7);
  const index = world.plan(kind === 7 ? sources : ends);
  const { value } = world.acts[index] ?? { value: 1 };
  switch (kind) {
    case 0:
      run("request", index, () => client.request("act", index));
      return;
    case 1:
      run("emit", index, () => client.emit("done", index));
      return;
    case 2:
      if (socket !== undefined) run("request", index, () => socket.request("ask", index));
      return;
    case 3:
      if (socket !== undefined) run("emit", index, () => socket.emit("said", index));
      return;
    case 4:
      run("request", index, () => client.request("loose", value));
      return;
    case 5:
      run("request", index, () =>
        within(world, "checking", index, () => client.request("checked", 1)),
      );
      return;
    case 6:
      run("emit", index, () =>
        within(world, "checking", index, () => client.emit("checkedEvent", 1)),
      );
      return;
    case 7:
      run("stream", index, () => drain(client, index));
      return;
    case 8:
      run("stream", index, () => drain(client, index, true));
      return;
    case 9: {
      const stream = client.stream("push", index);
      run("stream", index, () => {
        try {
          stream.send(value);
          stream.end();
        } catch {
          // It is not what JSON carries.
        }
        return stream.next();
      });
      return;
    }
    default:
      run("request", index, () => within(world, "coding", index, () => client.request("coded", 1)));
  }
}

/**
 * Schemas or codecs do what the act says, for what is called from within, and sometimes for what
 * comes back.
 */
function within(
  world: World,
  what: "checking" | "coding",
  index: number,
  call: () => Promise<unknown>,
): Promise<unknown> {
  const act = world.acts[index] ?? null;
  if (world.random.below(2) === 0) {
    world[what] = act;
    try {
      return call();
    } finally {
      world[what] = null;
    }
  }
  const promise = call();
  world[what] = act;
  const done = (): void => {
    world[what] = null;
  };
  promise.then(done, done);
  return promise;
}

async function drain(client: AnyClient, index: number, leaves = false): Promise<void> {
  const controller = new AbortController();
  const stream = client.stream("pull", index, { signal: controller.signal });
  let count = 0;
  const late = turn()
    .then(turn)
    .then(turn)
    .then(() => {
      controller.abort(hostileValues["objectMessage"]?.());
    });
  for (let step = await stream.next(); step.done !== true; step = await stream.next()) {
    if (++count < 4 && !leaves) continue;
    await stream.return?.();
    break;
  }
  await late;
}

/** Whole connections: hooks, authentication, what a client gives. One run is one connection. */
async function connectionRound(world: World, count: number): Promise<void> {
  const contract = defineProtocol({
    name: "hooks",
    version: 1,
    requests: { echo: { input: type<number>(), output: type<number>() } },
  });
  const pending: Promise<unknown>[] = [];
  const whats: string[] = [];
  for (let i = 0; i < count; i++) {
    const hooks: Record<string, unknown> = { error: world.tell };
    const hostile =
      ["authenticate", "open", "close", "release", "principal", "resumed", "disconnected"][
        world.random.below(7)
      ] ?? "open";
    hooks[hostile] = () => perform(world.act(ends));
    const server = createServer(contract, { echo: (value: number) => value }, hooks as never);
    const connector = (): never => {
      const [mine, theirs] = memoryPair();
      server.accept(theirs);
      return mine as never;
    };
    const bad = world.random.below(4);
    const target = bad === 0 ? () => perform(world.act(ends)) : connector;
    const auth =
      bad === 1
        ? () => perform(world.act(ends))
        : bad === 2
          ? world.act(["return"]).value
          : undefined;
    whats.push(`connection ${hostile} ${["connector", "auth()", "auth", ""][bad] ?? ""}`);
    pending.push(
      (async () => {
        let client: SessionClient<typeof contract> | null = null;
        try {
          client = await connect(contract, target as never, { auth, reconnect: false });
          for (const name of ["close", "error", "disconnected"] as const)
            client.lifecycle.on(name, () => perform(world.act(ends)));
          await client.request("echo", 1);
        } catch {
          // It may say no.
        }
        await client?.close();
        await server.close({ deadlineMs: 1 });
      })(),
    );
  }
  await world.settle(pending, whats);
}

/**
 * Wires: a message is a run. A handler that fails ends its connection, a listener that fails does
 * not.
 */
async function wireRound(world: World, count: number): Promise<void> {
  const hostileCodec = libraryCodec("fuzz", {
    encode: (value) =>
      world.coding === null
        ? new TextEncoder().encode(String(value))
        : (perform(world.coding) as Uint8Array), // a hostile one
    decode: (bytes) =>
      world.coding === null ? new TextDecoder().decode(bytes) : perform(world.coding),
  });
  const isHostile = world.random.below(3) === 0;
  const spoken = isHostile
    ? wire({ framing: lengthPrefixed(), codec: hostileCodec })
    : wire<unknown>({ framing: lines(), codec: text(), sentinel: "exit" });
  const seen: number[] = [];
  const failing = world.random.below(2) === 0 ? world.plan() : -1;
  const server = createServer(spoken, {
    message(message, socket) {
      socket.send(message);
      if (failing !== -1 && Number(message) === count - 1) return world.perform(failing) as never;
      return undefined;
    },
    close: () => perform(world.act(ends)) as never,
    error: world.tell as never,
  });
  const [mine, theirs] = memoryPair();
  server.accept(theirs);
  const socket: Socket<unknown> = await connect(spoken, mine);
  let heard = 0;
  for (const name of ["error", "close", "writable"] as const)
    socket.on(name, () => perform(world.act(ends)));
  socket.on("message", (message) => {
    heard++;
    seen.push(Number(message));
    return perform(world.act(ends));
  });
  for (let i = 0; i < count; i++) {
    if (isHostile && world.random.below(count) === 0) world.coding = world.act(ends);
    try {
      socket.send(String(i));
    } catch {
      // The codec's own.
    }
    world.coding = null;
  }
  if (isHostile && world.random.below(2) === 0) {
    const act = world.act(ends);
    await turn();
    world.coding = act;
  }
  for (let turns = 0; turns < 300 && heard < count && socket.state === "open"; turns++)
    await turn();
  world.coding = null;
  if (!isHostile)
    world.check(
      heard === count && seen.every((value, index) => value === index),
      `a wire's listener heard ${String(heard)} of ${String(count)} messages, or out of order`,
    );
  socket.end();
  const closing = server.close({ deadlineMs: 1 });
  await world.settle([socket.closed, closing], ["closed of a wire", "close() of a wire's server"]);
  world.runs += count;
}

/** What a fuzzing run has found. */
export interface ValuesReport {
  readonly runs: number;
  readonly told: number;
  readonly failures: readonly string[];
}

/**
 * Fuzz for so many runs; the same seed does the same. Ends with the first round that fails.
 * `progress` is told how many runs are done.
 */
export async function fuzzValues(
  runs: number,
  seed: number,
  progress: (runs: number) => void = () => undefined,
): Promise<ValuesReport> {
  let done = 0;
  let told = 0;
  for (let round = 0; done < runs; round++) {
    const world = new World(seed * 100_003 + round);
    const kind = round % 5;
    if (kind < 2) await sessionRound(world, true, 100);
    else if (kind === 2) await sessionRound(world, false, 100);
    else if (kind === 3) await connectionRound(world, 20);
    else await wireRound(world, 50);
    done += world.runs;
    told += world.told;
    if (world.failures.length > 0)
      return {
        runs: done,
        told,
        failures: world.failures.map(
          (failure) => `${failure} (seed ${String(seed)}, round ${String(round)})`,
        ),
      };
    progress(done);
  }
  return { runs: done, told, failures: [] };
}
