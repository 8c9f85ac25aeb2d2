import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { draft07 } from "../../src/contract/draft-07.ts";

const tree = {
  $defs: { node: { type: "array", items: { $ref: "#/$defs/node" } } },
  $ref: "#/$defs/node",
  maxItems: 2,
};

describe("draft07()", () => {
  test.each<[string, object, unknown[], unknown[]]>([
    [
      "tuples",
      { type: "array", prefixItems: [{ type: "string" }], items: false },
      [[], ["a"]],
      [[1], ["a", 1]],
    ],
    [
      "tuples with a rest",
      { prefixItems: [{ type: "string" }], items: { type: "integer" } },
      [["a", 1]],
      [["a", "b"]],
    ],
    ["open tuples", { prefixItems: [{ type: "string" }] }, [["a", {}]], [[{}]]],
    ["lists", { items: { type: "integer" } }, [[1]], [["a"]]],
    [
      "members that need others",
      { dependentRequired: { a: ["b"] }, dependentSchemas: { c: { required: ["d"] } } },
      [
        { a: 1, b: 1 },
        { c: 1, d: 1 },
      ],
      [{ a: 1 }, { c: 1 }],
    ],
    ["references with limits beside them", tree, [[], [[[], [], []]]], [1, [1], [[], [], []]]],
    [
      "references to the whole",
      { type: "object", properties: { inner: { $ref: "#" } }, additionalProperties: false },
      [{ inner: { inner: {} } }],
      [{ inner: { other: {} } }],
    ],
    [
      "references into tuples",
      { prefixItems: [{ type: "string" }, { $ref: "#/prefixItems/0" }] },
      [["a", "b"]],
      [["a", 1]],
    ],
    [
      "references beside alternatives",
      { ...tree, allOf: [{ minItems: 1 }] },
      [[[]]],
      [[], [[], [], []]],
    ],
    [
      "data that looks like keywords",
      { enum: [{ $ref: "#/$defs/x", prefixItems: [] }] },
      [{ $ref: "#/$defs/x", prefixItems: [] }],
      [{}],
    ],
    [
      "members that are called like keywords",
      {
        properties: {
          $ref: { type: "string" },
          $defs: { type: "string" },
          prefixItems: { type: "string" },
        },
      },
      [{ $ref: "", prefixItems: "" }],
      [{ $ref: 1 }, { $defs: 1 }, { prefixItems: [] }],
    ],
    [
      "anything and nothing",
      { properties: { any: true, none: false } },
      [{ any: 1 }],
      [{ none: 1 }],
    ],
  ])("takes the same of %s, at the place where it is put", (_, schema, right, wrong) => {
    const own = new Ajv2020({ strict: false }).compile(schema);
    const moved = new Ajv({ strict: false }).compile({
      components: { schemas: { here: draft07(schema, "#/components/schemas/here") } },
      $ref: "#/components/schemas/here",
    });
    for (const value of right)
      expect([own(value), moved(value)], JSON.stringify(value)).toEqual([true, true]);
    for (const value of wrong)
      expect([own(value), moved(value)], JSON.stringify(value)).toEqual([false, false]);
  });

  test("leaves out what draft 7 has no word for, and references that lead elsewhere", () => {
    expect(
      draft07(
        {
          $id: "x",
          $anchor: "y",
          deprecated: true,
          unevaluatedProperties: false,
          minContains: 2,
          title: "T",
        },
        "#/x",
      ),
    ).toEqual({ title: "T" });
    expect(draft07({ $ref: "https://example/other" }, "#/x")).toEqual({});
    expect(draft07(true, "#/x")).toEqual({});
    expect(draft07("no schema", "#/x")).toEqual({});
    expect(
      draft07({ allOf: 7, properties: [], dependentSchemas: 1, prefixItems: 2, $ref: 3 }, "#/x"),
    ).toEqual({ allOf: 7, properties: [], dependencies: {}, items: {} });
  });
});
