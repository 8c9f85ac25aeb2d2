import { type as ark } from "arktype";
import * as v from "valibot";
import { expect, test } from "vitest";
import * as z from "zod";
import { text } from "../../src/codec/codec.ts";
import { defineProtocol } from "../../src/contract/contract.ts";
import { describeProtocol } from "../../src/contract/describe.ts";
import { type Schema, type SchemaShapes, type } from "../../src/contract/schema.ts";

test("describeProtocol() lists each message with what it carries", () => {
  const desk = defineProtocol({
    name: "desk",
    version: 3,
    accepts: [2, 3],
    requests: {
      "ticket.get": {
        input: z.object({ id: z.int() }),
        output: z.object({
          id: z.int(),
          title: z.string().max(80),
          tags: z.array(z.enum(["vip", "bug"])).optional(),
          "reply to": z.union([z.email(), z.null()]),
          at: z.iso.datetime(),
        }),
        errors: { notFound: z.object({ id: z.int() }), gone: type<undefined>() },
      },
      ping: {},
    },
    streams: {
      "ticket.tail": {
        input: v.object({ group: v.string() }),
        item: z.string(),
        send: z.array(z.tuple([z.string(), z.number()])),
      },
    },
    events: {
      typing: { payload: z.string(), codec: text(), delivery: "at-least-once", from: "server" },
    },
  });
  expect(describeProtocol(desk))
    .toBe(`desk version 3, accepts 2 to 3, fingerprint ${desk.fingerprint}

event typing, from server, at-least-once, text, digest ${desk.find("typing")?.digest ?? ""}
  payload: string

request ping, from client, json, digest ${desk.find("ping")?.digest ?? ""}
  input: nothing
  output: nothing

request ticket.get, from client, json, digest unknown
  input: { id: integer }
  output: {
    at: string (format "date-time"),
    id: integer,
    "reply to": string (format "email") | null,
    tags?: ("bug" | "vip")[],
    title: string (maxLength 80),
  }
  error gone: anything, by type()
  error notFound: { id: integer }

stream ticket.tail, from client, json, digest unknown
  input: what its schema takes, of unknown shape
  item: string
  send: ([string, number] (maxItems 2, minItems 2))[]
`);
});

test("describeProtocol() of an empty contract is its head", () => {
  const empty = defineProtocol({ name: "empty", version: 1 });
  expect(describeProtocol(empty)).toBe(`empty version 1, fingerprint ${empty.fingerprint}\n`);
});

test("describeProtocol() is equal for equal contracts", () => {
  const one = defineProtocol({
    name: "a",
    version: 1,
    events: { x: { payload: z.object({ a: z.string(), b: z.null() }) }, y: {} },
  });
  const other = defineProtocol({
    name: "a",
    version: 1,
    events: { y: {}, x: { payload: z.object({ b: z.null(), a: z.string() }) } },
  });
  expect(describeProtocol(one)).toBe(describeProtocol(other));
});

/** How a JSON Schema reads. */
function read(schema: object): string {
  const jsonSchema: SchemaShapes = { input: () => schema as Record<string, unknown> };
  return readSchema({
    "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }), jsonSchema },
  });
}

function readSchema(payload: Schema): string {
  return (
    describeProtocol(defineProtocol({ name: "a", version: 1, events: { e: { payload } } }))
      .split("  payload: ")[1]
      ?.trimEnd() ?? ""
  );
}

const string = { type: "string" };

test.each<[object, string]>([
  [{}, "anything"],
  [{ type: "string" }, "string"],
  [{ type: ["string", "null"] }, "null | string"],
  [{ const: "a" }, '"a"'],
  [{ const: null }, "null"],
  [{ enum: [1, "b"], type: ["string", "integer"] }, '"b" | 1'],
  [{ anyOf: [string, { type: "null" }] }, "null | string"],
  [{ oneOf: [string, { type: "null" }], minLength: 1 }, "null | string (minLength 1)"],
  [{ allOf: [{ minLength: 1 }, string] }, "anything (minLength 1) & string"],
  [{ not: {} }, "anything (not {})"],
  [{ type: "array" }, "array"],
  [{ type: "array", items: string, minItems: 1 }, "string[] (minItems 1)"],
  [{ type: "array", items: { type: "array", items: string } }, "string[][]"],
  [{ type: "array", items: { anyOf: [string, { type: "null" }] } }, "(null | string)[]"],
  [{ type: "array", items: false }, "nothing[]"],
  [{ type: "array", prefixItems: [string, {}] }, "[string, anything]"],
  [{ type: "array", prefixItems: [string], items: false }, "[string]"],
  [{ type: "array", prefixItems: [string], items: string }, "[string, ...string]"],
  [{ type: "object" }, "object"],
  [{ type: "object", additionalProperties: false }, "{}"],
  [{ type: "object", additionalProperties: true }, "{ [name]: anything }"],
  [{ type: "object", additionalProperties: string }, "{ [name]: string }"],
  [
    { type: "object", properties: { a: string, "b c": {} }, required: ["a"] },
    '{ a: string, "b c"?: anything }',
  ],
  [{ properties: { a: string } }, "{ a?: string }"],
  [{ type: "object", properties: 7, required: 7 }, "object"],
  [
    { type: "integer", minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER },
    "integer",
  ],
  [
    { type: "integer", minimum: 0, maximum: Number.MIN_SAFE_INTEGER },
    `integer (maximum ${Number.MIN_SAFE_INTEGER}, minimum 0)`,
  ],
  [{ type: "string", format: "uuid", pattern: "^x$" }, 'string (format "uuid")'],
  [{ type: "string", pattern: "^x$" }, 'string (pattern "^x$")'],
  [{ $ref: "#" }, "itself"],
  [{ type: "object", properties: { __proto__x: string } }, "{ __proto__x?: string }"],
])("%j reads as %s", (schema, text) => {
  expect(read(schema)).toBe(text);
});

test("a recursive shape reads with its definitions below", () => {
  const node = { type: "object", properties: { next: { $ref: "#/$defs/node" } } };
  expect(read({ $ref: "#/$defs/node", $defs: { node } })).toBe("#0\n    #0: { next?: #0 }");
  expect(read({ type: "array", items: { $ref: "#/$defs/node" }, $defs: { node } })).toBe(
    "#0[]\n    #0: { next?: #0 }",
  );
  expect(readSchema(ark.scope({ list: { "next?": "list" } }).export().list)).toBe(
    "#0\n    #0: { next?: #0 }",
  );
});

test("a wide shape is broken over lines, one inside the other", () => {
  const wide = z.object({
    first: z.object({ ["a".repeat(50)]: z.string(), ["b".repeat(50)]: z.string() }),
    second: z.array(z.object({ ["c".repeat(90)]: z.null() })),
  });
  expect(readSchema(wide)).toBe(`{
    first: {
      ${"a".repeat(50)}: string,
      ${"b".repeat(50)}: string,
    },
    second: ({
      ${"c".repeat(90)}: null,
    })[],
  }`);
});
