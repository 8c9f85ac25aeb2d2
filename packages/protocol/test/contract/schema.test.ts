import { type as ark } from "arktype";
import * as v from "valibot";
import { expect, expectTypeOf, test } from "vitest";
import * as z from "zod";
import { isSchema, isUnchecked, type Schema, type } from "../../src/contract/schema.ts";

test("type() is a schema for whoever reads Standard Schema, and its value comes back as it is", () => {
  const schema = type<{ id: number }>();
  expectTypeOf(schema).toExtend<Schema<{ id: number }>>();
  const value = { id: "wrong" };
  expect(schema["~standard"]).toMatchObject({ version: 1, vendor: "hawser" });
  expect(schema["~standard"].validate(value)).toEqual({ value });
  expect(isSchema(schema)).toBe(true);
  expect(isUnchecked(schema)).toBe(true);
});

test("type() cannot be changed for others", () => {
  expect(Object.isFrozen(type())).toBe(true);
  expect(Object.isFrozen(type()["~standard"])).toBe(true);
});

test.each([
  ["zod", z.object({ id: z.int() })],
  ["valibot", v.object({ id: v.number() })],
  ["arktype, whose schemas are functions", ark({ id: "number" })],
])("isSchema() knows a schema of %s", (_, schema) => {
  expect(isSchema(schema)).toBe(true);
  expect(isUnchecked(schema)).toBe(false);
});

test.each([
  undefined,
  null,
  7,
  "string",
  String,
  {},
  { "~standard": null },
  { "~standard": "1" },
  { "~standard": {} },
  { "~standard": { version: 1 } },
  { "~standard": { version: 2, validate: () => ({ value: 1 }) } },
  { "~standard": { version: 1, validate: "no" } },
  z.object,
  z,
])("isSchema() takes no other value for one (%#)", (value) => {
  expect(isSchema(value)).toBe(false);
});
