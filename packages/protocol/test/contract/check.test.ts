import { type as ark } from "arktype";
import * as v from "valibot";
import { afterEach, describe, expect, test, vi } from "vitest";
import * as z from "zod";
import { compile, describeIssue, Issue, nothing, readInbound } from "../../src/contract/check.ts";
import { type Schema, type SchemaStandard, type } from "../../src/contract/schema.ts";

/** A schema with whatever answers a test wants, also those that the types forbid. */
function own(validate: (value: unknown) => unknown): Schema {
  return {
    "~standard": { version: 1, vendor: "test", validate: validate as SchemaStandard["validate"] },
  };
}

function issue(value: unknown): Issue {
  expect(value).toBeInstanceOf(Issue);
  return value as Issue; // checked above
}

const DEEP: unknown = JSON.parse("[".repeat(1_000_000) + "]".repeat(1_000_000));

const zodNest: z.ZodType = z.lazy(() => z.array(zodNest));
const valibotNest: v.GenericSchema = v.lazy(() => v.array(valibotNest));

const libraries: readonly {
  readonly name: string;
  readonly point: Schema;
  readonly trimmed: Schema;
  readonly nest: Schema;
  readonly anything: Schema;
}[] = [
  {
    name: "zod",
    point: z.object({ points: z.array(z.object({ x: z.number(), label: z.string().optional() })) }),
    trimmed: z.object({ name: z.string().transform((text) => text.trim()) }),
    nest: zodNest,
    anything: z.record(z.string(), z.unknown()),
  },
  {
    name: "valibot",
    point: v.object({
      points: v.array(v.object({ x: v.number(), label: v.optional(v.string()) })),
    }),
    trimmed: v.object({ name: v.pipe(v.string(), v.trim()) }),
    nest: valibotNest,
    anything: v.record(v.string(), v.unknown()),
  },
  {
    name: "arktype",
    point: ark({ points: ark({ x: "number", "label?": "string" }).array() }),
    trimmed: ark({ name: "string.trim" }),
    nest: ark.scope({ nest: "nest[]" }).export().nest,
    anything: ark("Record<string, unknown>"),
  },
];

describe.each(libraries)("$name", ({ point, trimmed, nest, anything }) => {
  test("a right value passes in both directions", () => {
    const check = compile(point);
    const value = { points: [{ x: 1, label: "a" }, { x: 1e308 }] };
    expect(check.kind).toBe("checked");
    expect(check.outbound(value)).toBeNull();
    expect(readInbound(check, value)).toEqual(value);
  });

  test("a wrong value is an issue with its path, in both directions", () => {
    const check = compile(point);
    const value = { points: [{ x: 1 }, { x: 1, label: 7 }] };
    for (const found of [issue(check.outbound(value)), issue(readInbound(check, value))]) {
      expect(found.path).toEqual(["points", 1, "label"]);
      expect(found.message).toMatch(/string/i);
      expect(found.cause).toBeUndefined();
      expect(describeIssue(found)).toMatch(/^(at )?points\[1\]\.label:? /);
    }
  });

  test.each([
    null,
    undefined,
    7,
    "text",
    [],
    () => 0,
    Symbol("s"),
    10n ** 400n,
    NaN,
    new Proxy(
      {},
      {
        get: () => {
          throw new Error("no");
        },
      },
    ),
  ])("a value of another kind is an issue (%#)", (value) => {
    const check = compile(point);
    issue(check.outbound(value));
    issue(readInbound(check, value));
  });

  test("the receiver gets what the schema makes of the value, the sender's value stays as it is", () => {
    const check = compile(trimmed);
    const value = { name: "  Ada " }; // not frozen: arktype's clone of a frozen value is frozen too
    expect(check.outbound(value)).toBeNull();
    expect(readInbound(check, value)).toEqual({ name: "Ada" });
    expect(value).toEqual({ name: "  Ada " });
  });

  test("a value nested a million times is an issue, and rejects nothing later", async () => {
    const check = compile(nest);
    expect(readInbound(check, [[], [[]]])).toEqual([[], [[]]]);
    expect(issue(readInbound(check, DEEP)).message).toContain("nested too deeply");
    expect(issue(check.outbound(DEEP)).message).toContain("nested too deeply");
    // an unhandled rejection would fail the run
    await new Promise((resolve) => setImmediate(resolve));
  });

  test("a member __proto__ is a member, and no prototype changes", () => {
    const value: unknown = JSON.parse(
      '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
    );
    const result = readInbound(compile(anything), value);
    expect(result).toEqual(expect.anything());
    expect((result as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    issue(readInbound(compile(point), value));
  });
});

test("zod: an asynchronous refinement is an issue whose cause is a TypeError that says so", () => {
  const check = compile(z.string().refine(async (text) => Promise.resolve(text.length > 1)));
  const found = issue(readInbound(check, "ab"));
  expect(found.message).toContain("its schema is asynchronous");
  expect(found.cause).toBeInstanceOf(TypeError);
  expect(String(found.cause)).toContain("a contract's schemas are synchronous");
});

test("arktype: a path is a plain array, and the text says once where", () => {
  const found = issue(readInbound(compile(ark({ a: "string" })), { a: 5 }));
  expect(Object.getPrototypeOf(found.path)).toBe(Array.prototype);
  expect(JSON.stringify(found.path)).toBe('["a"]');
  expect(describeIssue(found)).toBe("a must be a string (was a number)");
});

describe("a schema that breaks its contract", () => {
  const rejections: unknown[] = [];
  const listener = (reason: unknown): void => {
    rejections.push(reason);
  };
  afterEach(() => process.off("unhandledRejection", listener));

  test("that answers with a promise is an issue in both directions, and its rejection is nobody's", async () => {
    process.on("unhandledRejection", listener);
    const check = compile(own(() => Promise.reject(new Error("secret"))));
    expect(issue(check.outbound(1)).cause).toBeInstanceOf(TypeError);
    expect(issue(readInbound(check, 1)).message).not.toContain("secret");
    await new Promise((resolve) => setImmediate(resolve));
    expect(rejections).toEqual([]);
  });

  test("that answers with a thenable which throws is an issue", () => {
    issue(
      readInbound(
        compile(
          own(() => ({
            then: () => {
              throw new Error("no");
            },
          })),
        ),
        1,
      ),
    );
  });

  test.each([
    ["an Error", new Error("secret")],
    ["a string", "secret"],
    ["null", null],
  ])(
    "that throws %s is an issue that keeps what was thrown, and does not quote it",
    (_, thrown) => {
      const check = compile(
        own(() => {
          throw thrown; // eslint-disable-line @typescript-eslint/only-throw-error -- a schema may
        }),
      );
      for (const found of [issue(check.outbound(1)), issue(readInbound(check, 1))]) {
        expect(found).toEqual(new Issue([], "could not be checked: its schema failed", thrown));
      }
    },
  );

  test.each([
    undefined,
    null,
    7,
    "text",
    {},
    [],
    { issues: [] },
    { issues: {} },
    { issues: null },
    { value: 1, issues: [null] },
    {
      get issues() {
        throw new Error("no");
      },
    },
  ])("that answers with neither value nor issue is an issue (%#)", (answer) => {
    const check = compile(own(() => answer));
    issue(check.outbound(1));
    expect(issue(readInbound(check, 1)).message).toMatch(/^could not be checked/);
  });

  test("whose answer to undefined is undefined passes: the value may be nothing", () => {
    const check = compile(own((value) => ({ value })));
    expect(readInbound(check, undefined)).toBeUndefined();
    expect(check.outbound(undefined)).toBeNull();
  });
});

describe("Issue", () => {
  const found = (first: unknown): Issue =>
    issue(readInbound(compile(own(() => ({ issues: [first] }))), 1));

  test(
    "has symbols, objects and numbers that are none in its path as text, so that JSON can carry " +
      "it",
    () => {
      const path = [
        Symbol("s"),
        { key: "k" },
        { key: Symbol.iterator },
        { key: 3 },
        NaN,
        Infinity,
        -0,
        "__proto__",
        "\ud800",
      ];
      expect(found({ message: "m", path }).path).toEqual([
        "Symbol(s)",
        "k",
        "Symbol(Symbol.iterator)",
        3,
        "NaN",
        "Infinity",
        -0,
        "__proto__",
        "\ufffd",
      ]);
    },
  );

  test.each([[[{}]], [[null]], [[undefined]], [[{ key: {} }]], [7], ["text"], [{ length: 2 }]])(
    "has a text whatever the path is (%#)",
    (path) => {
      const { message, path: steps } = found({ message: "m", path });
      expect(typeof message).toBe("string");
      for (const step of steps) expect(typeof step).toBe("string");
    },
  );

  test("is bounded: 32 steps of 128 characters, 256 characters of message, in one line", () => {
    const { message, path } = found({
      message: "é\r\n\u001b[31m".repeat(1_000),
      path: Array.from({ length: 1_000 }, () => "k".repeat(1_000)),
    });
    expect(path).toHaveLength(32);
    expect(path[0]).toHaveLength(128);
    expect(message).toHaveLength(256);
    expect(message).not.toMatch(/\p{Cc}/u);
    expect(message.startsWith("é [31mé [31m")).toBe(true);
  });

  test.each([undefined, null, 7, "", {}])(
    "has a message where the schema has none (%#)",
    (message) => {
      expect(found({ message }).message).toBe("is not what its schema wants");
    },
  );

  test.each([
    [[], "m"],
    [["a"], "at a: m"],
    [["a", 0, "b_1$"], "at a[0].b_1$: m"],
    [[0], "at [0]: m"],
    [["a b", "c\n"], 'at ["a b"]["c\\n"]: m'],
    [["__proto__"], "at __proto__: m"],
  ])("at %j reads as %j", (path, text) => {
    expect(describeIssue(new Issue(path, "m"))).toBe(text);
  });
});

test("nothing takes undefined, refuses to send a value, and drops one that comes", () => {
  expect(compile(undefined)).toBe(nothing);
  expect(nothing.kind).toBe("nothing");
  expect(nothing.outbound(undefined)).toBeNull();
  expect(issue(nothing.outbound(null)).message).toBe(
    "there is a value, but the contract declares none",
  );
  expect(readInbound(nothing, { a: 1 })).toBeUndefined();
});

test("type() lets everything pass, untouched, and is told by its vendor", () => {
  for (const schema of [type<string>(), own((value) => ({ value }))]) {
    const hawser: Schema = { "~standard": { ...schema["~standard"], vendor: "hawser" } };
    const check = compile(hawser);
    expect(check.kind).toBe("unchecked");
    expect(check.shape).toBe("");
    for (const value of [undefined, null, DEEP, Symbol("s")]) {
      expect(check.outbound(value)).toBeNull();
      expect(readInbound(check, value)).toBe(value);
    }
  }
});

test("the standard of a schema is read once: a library may make it anew for each reader", () => {
  const standard = vi.fn(() => own((value) => ({ value }))["~standard"]);
  const schema: Schema = {
    get "~standard"() {
      return standard();
    },
  };
  const check = compile(schema);
  const before = standard.mock.calls.length;
  for (let i = 0; i < 10; i++) readInbound(check, i);
  expect(standard.mock.calls.length).toBe(before);
});

test("validate is called as a method of its standard", () => {
  const check = compile({
    "~standard": {
      version: 1,
      vendor: "test",
      validate(this: { vendor: string }) {
        return { value: this.vendor };
      },
    },
  });
  expect(readInbound(check, 1)).toBe("test");
});
