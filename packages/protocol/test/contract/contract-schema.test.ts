import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { type as ark } from "arktype";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { bytes, text } from "../../src/codec/codec.ts";
import { contractSchema } from "../../src/contract/contract-schema.ts";
import { defineProtocol, type Protocol } from "../../src/contract/contract.ts";
import { type Schema, type } from "../../src/contract/schema.ts";

const Ticket = z.object({
  title: z.string().max(20).meta({ description: "One line" }),
  id: z.int(),
  at: z.iso.datetime().transform((at) => new Date(at)),
});
const desk = defineProtocol({
  name: "desk",
  version: 3,
  accepts: [2, 3],
  requests: {
    "ticket.get": {
      input: ark({ id: "number" }),
      output: Ticket,
      errors: { notFound: z.object({ id: z.int() }), gone: type<undefined>() },
    },
    ping: {},
  },
  streams: {
    upload: { send: type<Uint8Array>(), codec: bytes() },
    tail: { input: v.string(), item: Ticket, from: "both" },
  },
  events: {
    typing: { payload: z.string(), codec: text() },
    "note.created": { payload: z.date(), delivery: "at-least-once", from: "server" },
  },
});

describe("contractSchema()", () => {
  test("lists messages in the order of their numbers, with what the handshake says of them", () => {
    const { messages, ...head } = contractSchema(desk);
    expect(head).toEqual({
      format: "hawser-contract/1",
      name: "desk",
      version: 3,
      accepts: [2, 3],
      fingerprint: desk.fingerprint,
    });
    expect(
      messages.map(({ name, type: kind, codec, digest }) => [name, kind, codec, digest]),
    ).toEqual(
      desk.messages.map((entry) => [entry.name, entry.type, entry.codec.name, entry.digest]),
    );
    expect(messages.map(({ from }) => from)).toEqual(desk.messages.map(({ from }) => from));
  });

  test("tells what crosses the wire, and what is for readers", () => {
    const get = contractSchema(desk).messages.find(({ name }) => name === "ticket.get");
    expect(get).toMatchObject({
      input: { type: "object", properties: { id: { type: "number" } }, required: ["id"] },
      output: {
        type: "object",
        properties: {
          title: { type: "string", maxLength: 20, description: "One line" },
          at: { type: "string", format: "date-time" },
        },
      },
      errors: { gone: true, notFound: { type: "object" } },
    });
    expect(Object.keys((get as { errors: object }).errors)).toEqual(["gone", "notFound"]);
  });

  test("says false where no value belongs, and true where the shape is unknown", () => {
    const { messages } = contractSchema(desk);
    expect(messages.find(({ name }) => name === "ping")).toMatchObject({
      input: false,
      output: false,
      errors: {},
    });
    expect(messages.find(({ name }) => name === "upload")).toMatchObject({
      input: false,
      item: false,
      send: true,
    });
    expect(messages.find(({ name }) => name === "tail")).toMatchObject({
      input: true,
      item: { type: "object" },
      send: false,
    });
    expect(messages.find(({ name }) => name === "note.created")).toMatchObject({
      payload: true,
      delivery: "at-least-once",
      lane: null,
      from: "server",
    });
  });

  test("is the same text for the same contract, however it was written", () => {
    const one = defineProtocol({
      name: "lamp",
      version: 1,
      requests: { b: { input: z.object({ x: z.int(), y: z.int().optional() }) }, a: {} },
      events: {},
    });
    const other = defineProtocol({
      requests: { a: {}, b: { input: z.object({ y: z.int().optional(), x: z.int() }) } },
      version: 1,
      name: "lamp",
    });
    expect(JSON.stringify(contractSchema(one))).toBe(JSON.stringify(contractSchema(other)));
    expect(JSON.parse(JSON.stringify(contractSchema(desk)))).toEqual(contractSchema(desk));
  });

  test("keeps definitions that refer to themselves, under names that do not depend on the process", () => {
    const Tree = z.object({
      name: z.string(),
      get children() {
        return z.array(Tree);
      },
    });
    const forest = defineProtocol({
      name: "forest",
      version: 1,
      events: { tree: { payload: z.object({ one: Tree, other: Tree }) } },
    });
    const [tree] = contractSchema(forest).messages;
    expect(JSON.stringify(tree)).toContain('"$ref":"#/$defs/0"');
    expect(Object.keys((tree as unknown as { payload: { $defs: object } }).payload.$defs)).toEqual([
      "0",
    ]);
  });

  test("survives schemas that can't tell their shape", () => {
    const hostile = (input: () => never): Schema => ({
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) => ({ value }),
        jsonSchema: { input },
      },
    });
    const lamp = defineProtocol({
      name: "lamp",
      version: 1,
      events: {
        dimmed: {
          payload: hostile(() => {
            throw new Error("no");
          }),
        },
      },
    });
    expect(contractSchema(lamp).messages[0]).toMatchObject({ payload: true, digest: "" });
  });

  test(
    "makes what conformance/schemas/contract.json describes, and each schema of it is a JSON " +
      "Schema 2020-12",
    () => {
      const ajv = new Ajv2020({
        strict: true,
        allowUnionTypes: true,
        strictTypes: false,
        validateFormats: false,
      });
      const form = ajv.compile(
        JSON.parse(
          readFileSync(
            new URL("../../../../conformance/schemas/contract.json", import.meta.url),
            "utf8",
          ),
        ) as object,
      );
      const document = contractSchema(desk);
      expect([form(document), form.errors]).toEqual([true, null]);
      for (const message of document.messages) {
        const {
          input,
          output,
          item,
          send,
          payload,
          errors = {},
        } = message as unknown as Record<string, object | undefined> & {
          errors?: Record<string, object>;
        };
        for (const schema of [input, output, item, send, payload, ...Object.values(errors)])
          if (schema !== undefined) expect(() => ajv.compile(schema)).not.toThrow();
      }
      const [event] = document.messages;
      for (const wrong of [
        { ...document, format: "x" },
        { ...document, accepts: [1] },
        { ...document, messages: [{ ...event, payload: null }] },
        { ...document, messages: [{ ...event, lane: "x" }] },
        { ...document, messages: [{ ...event, type: "request" }] },
      ]) {
        expect(form(wrong)).toBe(false);
      }
    },
  );

  test("refuses what is no contract", () => {
    expect(() => contractSchema({} as Protocol)).toThrow("contractSchema() takes a contract");
  });
});
