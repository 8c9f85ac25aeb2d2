// The contracts of the session tests, and a schema library of twenty lines: Standard Schema v1, so
// that nothing here depends on one.

import { setTimeout as sleep } from "node:timers/promises";
import { bytes, defineProtocol, type Schema, type } from "@hawser/protocol";
import type { SessionHandlers } from "@hawser/server";

type Types = Readonly<Record<string, "boolean" | "number" | "string">>;
type Typed<T extends Types> = {
  [N in keyof T]: T[N] extends "number" ? number : T[N] extends "string" ? string : boolean;
};

/** Objects with these members, each of its type; others are dropped, as most libraries do. */
export function object<const T extends Types>(members: T): Schema<Typed<T>> {
  return {
    "~standard": {
      version: 1,
      vendor: "conformance",
      validate(value) {
        if (typeof value !== "object" || value === null)
          return { issues: [{ message: "expected an object" }] };
        const wrong = Object.keys(members).find(
          (name) => typeof Reflect.get(value, name) !== members[name],
        );
        if (wrong !== undefined)
          return { issues: [{ message: `expected ${String(members[wrong])}`, path: [wrong] }] };
        return {
          value: Object.fromEntries(
            Object.keys(members).map((name) => [name, Reflect.get(value, name)]),
          ) as Typed<T>,
        };
      },
      jsonSchema: {
        input: () => ({
          type: "object",
          properties: Object.fromEntries(
            Object.entries(members).map(([name, of]) => [name, { type: of }]),
          ),
          required: Object.keys(members),
        }),
      },
    },
  };
}

/** Numbers. */
export function number(): Schema<number> {
  return {
    "~standard": {
      version: 1,
      vendor: "conformance",
      validate: (value) =>
        typeof value === "number" ? { value } : { issues: [{ message: "expected number" }] },
      jsonSchema: { input: () => ({ type: "number" }) },
    },
  };
}

export interface Ticket {
  readonly id: number;
  readonly title: string;
}

/** A help desk: most of what a contract can hold. */
export const desk = defineProtocol({
  name: "desk",
  version: 1,
  requests: {
    "ticket.get": {
      input: object({ id: "number" }),
      output: type<Ticket>(),
      errors: { notFound: object({ id: "number" }), closed: type<undefined>() },
    },
    "ticket.wait": { input: object({ id: "number" }), output: type<string>() },
    echo: { input: type<unknown>(), output: type<unknown>() },
    broken: { output: object({ id: "number" }) },
    ping: {},
    blob: { input: type<Uint8Array>(), output: type<Uint8Array>(), codec: bytes() },
    whoami: { output: type<string>() },
    ask: { input: type<string>(), output: type<string>() },
    question: { input: type<string>(), output: type<string>(), from: "server" },
  },
  streams: {
    count: {
      input: object({ to: "number" }),
      item: type<number>(),
      errors: { tooFar: object({ most: "number" }) },
    },
    forever: { item: type<number>() },
    sum: { send: type<number>(), item: type<number>() },
    drop: { send: object({ id: "number" }) },
    watch: { input: type<number>(), item: type<number>(), from: "server" },
  },
  events: {
    "note.created": {
      payload: object({ id: "number", text: "string" }),
      delivery: "at-least-once",
    },
    typing: { payload: object({ who: "string" }) },
    join: { payload: type<string>(), from: "client" },
    greeted: { payload: type<string>(), delivery: "at-least-once", from: "server" },
  },
});

/** What is common to most servers here; a test replaces what it looks at. */
export const handlers: SessionHandlers<typeof desk> = {
  "ticket.get": ({ id }, { fail }) =>
    id === 7 ? { id, title: "The printer is on fire" } : fail("notFound", { id }),
  "ticket.wait": () => new Promise<string>(() => undefined),
  echo: (value) => value,
  broken: () => ({ id: "seven" }) as never, // what a server with a bug returns
  ping: () => undefined,
  blob: (value) => value,
  whoami: () => "nobody",
  ask: (question, { socket }) => socket.request("question", question),
  *count({ to }, { fail }) {
    if (to > 1_000_000) fail("tooFar", { most: 1_000_000 });
    for (let i = 1; i <= to; i++) yield i;
  },
  async *forever() {
    for (let i = 0; ; i++) yield await Promise.resolve(i);
  },
  async *sum(_, { items }) {
    let sum = 0;
    for await (const item of items) sum += item;
    yield sum;
  },
  async drop(_, { items }) {
    for await (const item of items) if (item.id < 0) throw new Error("a negative id");
  },
};

/** A contract with something of each kind, for tests that load a server. */
export const conformance = defineProtocol({
  name: "conformance",
  version: 1,
  requests: {
    echo: { input: type<unknown>(), output: type<unknown>() },
    add: { input: object({ a: "number", b: "number" }), output: type<number>() },
    refuse: { input: object({ why: "string" }), errors: { nope: object({ why: "string" }) } },
    crash: { input: type<unknown>() },
    slow: { input: object({ ms: "number" }) },
    upload: { input: type<Uint8Array>(), output: type<Uint8Array>(), codec: bytes() },
    ask: { input: object({ question: "string" }), output: type<unknown>() },
    question: { input: object({ question: "string" }), output: type<unknown>(), from: "server" },
  },
  streams: {
    count: { input: object({ to: "number" }), item: type<number>() },
    sum: { input: type<unknown>(), send: number(), item: number() },
    mirror: { input: type<unknown>(), send: type<unknown>(), item: type<unknown>() },
    flood: { input: object({ items: "number", bytes: "number" }), item: type<string>() },
  },
  events: {
    note: { payload: object({ text: "string" }), delivery: "at-least-once", from: "client" },
    bad: { payload: type<unknown>(), delivery: "at-least-once", from: "client" },
    typing: { payload: object({ who: "string" }) },
    said: { payload: object({ text: "string" }), delivery: "at-least-once", from: "server" },
  },
});

/** What it expects the server to do. */
export const conformanceHandlers: SessionHandlers<typeof conformance> = {
  echo: (value) => value,
  add: ({ a, b }) => a + b,
  refuse: ({ why }, { fail }) => fail("nope", { why }),
  crash() {
    throw new Error("crash");
  },
  slow: async ({ ms }, { signal }) => {
    await sleep(ms, undefined, { signal });
  },
  upload: (value) => value,
  ask: ({ question }, { socket }) => socket.request("question", { question }),
  *count({ to }) {
    for (let i = 1; i <= to; i++) yield i;
  },
  async *sum(_, { items }) {
    let sum = 0;
    for await (const item of items) sum += item;
    yield sum;
  },
  mirror: (_, { items }) => items,
  *flood({ items, bytes }) {
    for (let i = 0; i < items; i++) yield "f".repeat(bytes);
  },
  note({ text }, { socket }) {
    void socket.emit("said", { text });
  },
  bad() {
    throw new Error("bad");
  },
};

/** A contract whose peers can make a server keep much: for `memory.test.ts`. */
export const greedy = defineProtocol({
  name: "greedy",
  version: 1,
  requests: {
    keep: { input: type<unknown>(), output: type<unknown>(), from: "client" },
    raw: { codec: bytes(), input: type<Uint8Array>(), output: type<Uint8Array>(), from: "client" },
  },
  streams: {
    hold: { input: type<unknown>(), item: type<number>(), send: type<unknown>(), from: "client" },
    take: { input: type<unknown>(), item: type<number>(), send: type<unknown>(), from: "client" },
    holdRaw: {
      codec: bytes(),
      input: type<Uint8Array>(),
      item: type<Uint8Array>(),
      send: type<Uint8Array>(),
      from: "client",
    },
    takeRaw: {
      codec: bytes(),
      input: type<Uint8Array>(),
      item: type<Uint8Array>(),
      send: type<Uint8Array>(),
      from: "client",
    },
  },
  events: { told: { payload: type<unknown>(), delivery: "at-least-once", from: "client" } },
});

/** The other direction: what a server can make its clients keep. */
export const generous = defineProtocol({
  name: "generous",
  version: 1,
  requests: {
    ask: { input: type<unknown>(), output: type<unknown>(), from: "client" },
    asked: { input: type<unknown>(), output: type<unknown>(), from: "server" },
  },
  streams: { given: { input: type<unknown>(), item: type<unknown>(), from: "client" } },
  events: { told: { payload: type<unknown>(), delivery: "at-least-once", from: "server" } },
});

/** What of it JSON-RPC carries. */
export const greedyText = defineProtocol({
  name: "greedy",
  version: 1,
  requests: { keep: { input: type<unknown>(), output: type<unknown>(), from: "client" } },
  events: { told: { payload: type<unknown>(), from: "client" } },
});
