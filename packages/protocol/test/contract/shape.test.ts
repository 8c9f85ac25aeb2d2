import { type as ark } from "arktype";
import * as v from "valibot";
import { expect, test } from "vitest";
import * as z from "zod";
import type { Schema, SchemaShapes } from "../../src/contract/schema.ts";
import { shapeOf } from "../../src/contract/shape.ts";

/** A schema that tells the shape it is given. */
function telling(input: () => unknown): Schema {
  // what a library may do against the types is what is tested
  const jsonSchema = { input } as SchemaShapes;
  return {
    "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }), jsonSchema },
  };
}

const shape = (schema: unknown): string => shapeOf(telling(() => schema));

test("shapeOf() is one text for one shape, in whatever order it was written", () => {
  const one = z.object({
    id: z.int(),
    kind: z.enum(["a", "b"]),
    label: z.string().optional(),
    at: z.union([z.string(), z.null()]),
  });
  const other = z.object({
    at: z.union([z.null(), z.string()]),
    label: z.string().optional(),
    kind: z.enum(["b", "a"]),
    id: z.int(),
  });
  expect(shapeOf(one)).toBe(shapeOf(other));
  expect(JSON.parse(shapeOf(one))).toMatchObject({
    type: "object",
    required: ["at", "id", "kind"],
  });
});

test(
  "shapeOf() leaves out what no value can break: titles, descriptions, defaults, examples, a " +
    "library's own keywords",
  () => {
    const plain = z.object({ id: z.number() });
    const told = z
      .object({
        id: z
          .number()
          .describe("the id")
          .meta({ title: "Id", examples: [1], owner: "team" }),
      })
      .describe("a thing");
    expect(shapeOf(told)).toBe(shapeOf(plain));
  },
);

test("shapeOf() keeps members that are named as a keyword is", () => {
  const schema = z.object({
    title: z.string(),
    description: z.number(),
    properties: z.object({ default: z.null() }),
  });
  expect(JSON.parse(shapeOf(schema))).toMatchObject({
    properties: {
      title: { type: "string" },
      description: { type: "number" },
      properties: { properties: { default: { type: "null" } } },
    },
  });
  expect(shape({ const: { title: 1, b: [2, { description: 3 }] } })).toBe(
    '{"const":{"b":[2,{"description":3}],"title":1}}',
  );
});

test.each([
  ["another type", z.object({ id: z.string() })],
  ["a member more", z.object({ id: z.number(), name: z.string() })],
  ["an optional member", z.object({ id: z.number().optional() })],
  ["a limit", z.object({ id: z.number().max(7) })],
  ["another order of a tuple", z.tuple([z.number(), z.string()])],
])("shapeOf() differs with %s", (_, schema) => {
  expect(shapeOf(schema)).not.toBe(shapeOf(z.object({ id: z.number() })));
  expect(shapeOf(schema)).not.toBe(shapeOf(z.tuple([z.string(), z.number()])));
});

test("shapeOf() says what crosses the wire, not what the receiver makes of it", () => {
  expect(shapeOf(z.string().transform((text) => text.length))).toBe('{"type":"string"}');
});

test("zod and arktype tell the same shape alike; valibot tells none by itself", () => {
  expect(shapeOf(ark({ id: "number", "tags?": "string[]" }))).toBe(
    shapeOf(z.object({ id: z.number(), tags: z.array(z.string()).optional() })),
  );
  expect(shapeOf(v.object({ id: v.number() }))).toBe("");
});

test(
  "shapeOf() names definitions by the order of references: arktype's names depend on what else " +
    "was defined",
  () => {
    const list = (): Schema =>
      ark.scope({ list: { value: "number", "next?": "list" } }).export().list;
    const first = list();
    for (let i = 0; i < 10; i++) ark({ [`x${i}`]: "string" });
    expect(shapeOf(list())).toBe(shapeOf(first));
    expect(shapeOf(first)).toContain('{"$defs":{"0":{');
    const node = (name: string): string =>
      shape({
        $ref: `#/$defs/${name}`,
        $defs: { unused: {}, [name]: { type: "array", items: { $ref: `#/$defs/${name}` } } },
      });
    expect(node("a")).toBe(
      '{"$defs":{"0":{"items":{"$ref":"#/$defs/0"},"type":"array"}},"$ref":"#/$defs/0"}',
    );
    expect(node("a")).toBe(node("b"));
    expect(
      shape({
        $ref: "#/definitions/a",
        definitions: { a: { $ref: "#/definitions/b" }, b: { type: "null" } },
      }),
    ).toBe('{"$defs":{"0":{"$ref":"#/$defs/1"},"1":{"type":"null"}},"$ref":"#/$defs/0"}');
    expect(shape({ $ref: "#/$defs/none" })).toBe('{"$ref":"#/$defs/none"}');
    expect(shape({ $ref: 7 })).toBe('{"$ref":7}');
  },
);

test.each([
  [
    "a shape that throws",
    () => {
      throw new Error("no");
    },
  ],
  ["undefined", () => undefined],
  ["null", () => null],
  ["a text", () => "string"],
  ["true", () => true],
  ["an array", () => []],
  ["a promise", () => ({ toJSON: () => null })],
  ["a bigint in it", () => ({ const: 1n })],
  [
    "a circle",
    () => {
      const circle: Record<string, unknown> = {};
      circle["not"] = circle;
      return circle;
    },
  ],
  [
    "a depth of a million",
    () => {
      let deep = {};
      for (let i = 0; i < 1_000_000; i++) deep = { not: deep };
      return deep;
    },
  ],
])("shapeOf() is empty for %s", (_, input) => {
  expect(shapeOf(telling(input))).toBe("");
});

test("shapeOf() is empty where the library can't tell, or has a jsonSchema that is none", () => {
  expect(shapeOf(z.object({ at: z.date() }))).toBe("");
  expect(
    shapeOf({
      "~standard": { ...telling(() => ({}))["~standard"], jsonSchema: {} as SchemaShapes },
    }),
  ).toBe("");
  expect(
    shapeOf({ "~standard": { ...telling(() => ({}))["~standard"], jsonSchema: undefined } }),
  ).toBe("");
});

test("shapeOf() keeps a member __proto__ and changes no prototype", () => {
  const properties: unknown = JSON.parse(
    '{"__proto__":{"type":"string"},"constructor":{"type":"null"}}',
  );
  expect(shape({ type: "object", properties })).toBe(
    '{"properties":{"__proto__":{"type":"string"},"constructor":{"type":"null"}},"type":"object"}',
  );
  expect(shape({ constructor: 1, toString: 2, __proto__: { type: "null" } })).toBe("{}");
});
