// What JSON can't carry, or carries as something else: which member it is, and what does not
// compile.
import { describe, expect, test } from "vitest";
import * as z from "zod";
import {
  bytes,
  defineProtocol,
  HawserError,
  type Jsonable,
  json,
  jsonRpc,
  libraryCodec,
  type Schema,
  type,
} from "../../src/mod.ts";
import { nativeSessions } from "../../src/engine.ts";

function refusal(call: () => unknown): HawserError {
  try {
    call();
  } catch (error) {
    if (error instanceof HawserError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

const cycle: Record<string, unknown> = { name: "a" };
cycle["self"] = { back: [cycle] };

describe("json()", () => {
  test.each<[string, unknown, readonly (number | string)[] | null, RegExp]>([
    ["a bigint in an object", { a: 1n }, ["a"], /a value of type object as JSON: a is a bigint/],
    [
      "a bigint in an array in an object",
      { lines: [{ total: 1 }, { total: 2n }] },
      ["lines", 1, "total"],
      /lines\[1\]\.total is a bigint/,
    ],
    ["a cycle", cycle, ["self", "back", 0], /self\.back\[0\] is a cycle/],
    ["a bigint", 1n, null, /a value of type bigint as JSON: JSON has no text for it/],
    ["nothing", undefined, null, /a value of type undefined/],
    ["a function", () => 0, null, /a value of type function/],
    [
      "a getter that throws",
      {
        a: {
          get b(): never {
            throw new Error("no");
          },
        },
      },
      null,
      /JSON has no text for it/,
    ],
  ])("refuses %s, and says which member", (_, value, path, message) => {
    const error = refusal(() => json().text?.(value));
    expect([error.code, error.path]).toEqual(["PAYLOAD_FORBIDDEN", path]);
    expect(error.message).toMatch(message);
    expect(error.message.length).toBeLessThan(256);
  });

  test("refuses what is nested too deeply, and long names, within bounds", () => {
    let deep: unknown = 1n;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(refusal(() => json().text?.(deep)).code).toBe("PAYLOAD_FORBIDDEN");
    expect(
      refusal(() => json().text?.({ ["x".repeat(10_000)]: { "\u001b[2J": 1n } })).message.length,
    ).toBeLessThan(300);
  });

  test("runs a getter once, also where it refuses the value", () => {
    let runs = 0;
    refusal(() =>
      json().text?.({
        get a() {
          return ++runs;
        },
        b: 1n,
      }),
    );
    expect(runs).toBe(1);
  });

  test.each<[string, unknown, readonly (number | string)[]]>([
    ["a Date", { at: new Date() }, ["at"]],
    ["a Map", [new Map()], [0]],
    ["a Set", { a: { b: new Set() } }, ["a", "b"]],
    ["bytes", Uint8Array.of(1), []],
    ["NaN", { a: NaN }, ["a"]],
    ["Infinity", [1, -Infinity], [1]],
    ["undefined in an array", [undefined], [0]],
    ["a function", { a: () => 0 }, ["a"]],
    ["a symbol", { a: Symbol("s") }, ["a"]],
    ["an error", { a: new Error("no") }, ["a"]],
    ["a bigint", { a: 1n }, ["a"]],
  ])("with strict refuses %s, which would arrive as something else", (_, value, path) => {
    const error = refusal(() => json({ strict: true }).text?.(value));
    expect([error.code, error.path]).toEqual(["PAYLOAD_FORBIDDEN", path]);
  });

  test("with strict sends what arrives as it is, and what has a toJSON of its own", () => {
    class Point {
      x = 1;
    }
    const shared = { a: 1 };
    const values: unknown[] = [
      null,
      1,
      "a",
      true,
      [],
      {},
      { a: [1, { b: null }], c: undefined },
      [shared, shared],
      new Point(),
      { toJSON: () => 7, at: new Date() },
    ];
    for (const value of values)
      expect(json({ strict: true }).text?.(value)).toBe(JSON.stringify(value));
    expect(() => json({ strict: 1 as never })).toThrow(TypeError);
  });
});

test("json({ strict: true }) is kept to by sessions of both kinds, and an error has the path", () => {
  const strict = json({ strict: true });
  const contract = defineProtocol({
    name: "x",
    version: 1,
    requests: { a: { input: type<unknown>(), codec: strict } },
    events: { b: { payload: type<unknown>(), codec: strict } },
  });
  for (const kind of [nativeSessions(contract), jsonRpc(contract)]) {
    const [event, request] = contract.messages;
    if (event === undefined || request === undefined) throw new Error("no messages");
    expect(refusal(() => kind.prepare(event, { at: new Date() })).path).toEqual(["at"]);
    expect(refusal(() => kind.prepareCall(request, [new Map()])).path).toEqual([0]);
    expect(kind.prepareCall(request, { a: 1 }).body.length).toBeGreaterThan(0);
  }
});

test("type<T>() of what JSON does not carry as it is does not compile with json()", () => {
  interface Node {
    readonly name: string;
    readonly children: readonly Node[];
    readonly parent?: Node;
  }
  const same: Jsonable<Node> = { name: "a", children: [] };
  expect(same.name).toBe("a");
  const theirs: Schema<Date> = type<Date>(); // somebody says that it is checked
  // What does compile.
  defineProtocol({
    name: "x",
    version: 1,
    requests: {
      tree: {
        input: type<Node>(),
        output: type<Record<string, unknown>>(),
        errors: { no: type<{ a?: string | undefined }>() },
      },
      any: { input: type<unknown>(), output: type<[number, string | null, boolean?]>() },
      none: { input: type<undefined>() },
      branded: {
        input: type<string & { readonly brand: "id" }>(),
        output: type<1 | "a" | { readonly kind: "b"; readonly of: readonly number[] }>(),
      },
      raw: { input: type<Uint8Array>(), output: type<Uint8Array>(), codec: bytes() },
      packed: {
        input: type<Map<string, Date>>(),
        codec: libraryCodec("msgpack", { encode: () => new Uint8Array(), decode: () => 0 }),
      },
      checked: { input: z.date(), output: z.object({ at: z.coerce.date() }) },
      theirs: { input: theirs },
    },
  });
  const name = "x";
  const version = 1;
  // @ts-expect-error a Date arrives as a text
  defineProtocol({ name, version, requests: { a: { input: type<Date>() } } });
  // @ts-expect-error so it does inside an object
  defineProtocol({ name, version, requests: { a: { output: type<{ readonly at?: Date }>() } } });
  // @ts-expect-error and with json() of the message's own
  defineProtocol({ name, version, requests: { a: { output: type<Date[]>(), codec: json() } } });
  // @ts-expect-error a Map arrives as {}
  defineProtocol({ name, version, streams: { a: { item: type<Map<string, number>>() } } });
  // @ts-expect-error so does a Set
  defineProtocol({ name, version, streams: { a: { send: type<[Set<string>]>() } } });
  // @ts-expect-error bytes arrive as an object
  defineProtocol({ name, version, events: { a: { payload: type<{ data: Uint8Array }>() } } });
  // @ts-expect-error a bigint is refused
  defineProtocol({ name, version, events: { a: { payload: type<bigint>() } } });
  const errors = { no: type<{ then: () => void }>() };
  // @ts-expect-error a function is left out
  defineProtocol({ name, version, requests: { a: { errors } } });
});
