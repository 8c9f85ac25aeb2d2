import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { asyncApi } from "../../src/contract/async-api.ts";
import { bytes, text } from "../../src/codec/codec.ts";
import { contractSchema, type ContractSchema } from "../../src/contract/contract-schema.ts";
import { defineProtocol } from "../../src/contract/contract.ts";
import { type } from "../../src/contract/schema.ts";

const Tree = z.object({
  name: z.string(),
  get children() {
    return z.array(Tree);
  },
});
const desk = defineProtocol({
  name: "desk",
  version: 3,
  accepts: [2, 3],
  requests: {
    "ticket.get": {
      input: z.object({ id: z.int() }),
      output: z.tuple([z.string(), z.int()]).rest(Tree),
      errors: { notFound: z.object({ id: z.int() }), "not found": Tree, gone: type<undefined>() },
    },
    "agent.ask": { input: z.string(), output: z.boolean(), from: "server", codec: text() },
    ping: {},
    "a.send": {},
  },
  streams: {
    upload: { send: type<Uint8Array>(), codec: bytes() },
    tail: { input: Tree, item: Tree, from: "both" },
    a: { item: Tree, send: Tree },
  },
  events: {
    "späße/1": { payload: z.string() },
    sp__e_1: {},
    "note.created": { payload: Tree, delivery: "at-least-once", from: "server" },
    "a.error.x": { payload: Tree },
  },
});

/** The published JSON Schema of a version of AsyncAPI, as a check. */
function published(version: string): (document: unknown) => unknown {
  const schema = JSON.parse(
    readFileSync(
      new URL(
        `../../node_modules/@asyncapi/specs/schemas/${version}-without-$id.json`,
        import.meta.url,
      ),
      "utf8",
    ),
  ) as object;
  const validate = new Ajv({ strict: false, allErrors: true, validateFormats: false }).compile(
    schema,
  );
  return (document) => (validate(document) ? null : validate.errors);
}

/** All references of a document that lead nowhere. */
function dangling(document: unknown, value: unknown = document): string[] {
  if (typeof value !== "object" || value === null) return [];
  if ("$ref" in value && typeof value.$ref === "string") {
    let found: unknown = document;
    for (const step of value.$ref.slice(2).split("/"))
      found = (found as Record<string, unknown> | undefined)?.[step];
    return found === undefined ? [value.$ref] : [];
  }
  return Object.values(value).flatMap((member) => dangling(document, member));
}

describe("asyncApi()", () => {
  const valid = published("3.0.0");

  test.each(["server", "client"] as const)(
    "makes a document that the published schema of AsyncAPI 3.0 takes, for the %s",
    (side) => {
      const document = asyncApi(desk, {
        side,
        title: "Desk",
        description: "Tickets",
        servers: { production: { host: "desk.example:7000", protocol: "tls" } },
      });
      expect(valid(document)).toBeNull();
      expect(dangling(document)).toEqual([]);
      expect(JSON.parse(JSON.stringify(document))).toEqual(document);
      expect(document.info).toEqual({
        title: "Desk",
        version: "3",
        description: "Tickets",
        "x-hawser": { name: "desk", accepts: [2, 3], fingerprint: desk.fingerprint },
      });
    },
  );

  test("would also be valid as a document of AsyncAPI 3.1", () => {
    expect(published("3.1.0")({ ...asyncApi(desk), asyncapi: "3.1.0" })).toBeNull();
    expect(valid({ ...asyncApi(desk), asyncapi: "3.1.0" })).not.toBeNull();
  });

  test(
    "has an operation for each side that may open a message, and one for what the opener of a " +
      "stream sends",
    () => {
      const [server, client] = (["server", "client"] as const).map((side) =>
        Object.keys(asyncApi(desk, { side }).operations),
      );
      expect(server).toEqual([
        "receive.a.error.x",
        "send.a.error.x",
        "send.note.created",
        "receive.sp__e_1",
        "send.sp__e_1",
        "receive.sp__e_1_2",
        "send.sp__e_1_2",
        "receive.a.send",
        "send.agent.ask",
        "receive.ping",
        "receive.ticket.get",
        "receive.a",
        "receive.a.send_2",
        "receive.tail",
        "send.tail",
        "receive.upload",
        "receive.upload.send",
      ]);
      expect(client).toContain("send.upload.send");
      expect(client).toContain("receive.note.created");
    },
  );

  test("keeps the names of messages as addresses, and says what AsyncAPI has no word for", () => {
    const { channels } = asyncApi(desk);
    expect(channels["sp__e_1_2"]).toMatchObject({
      address: "späße/1",
      "x-hawser": {
        type: "event",
        from: "both",
        codec: "json",
        delivery: "at-most-once",
        lane: null,
      },
    });
    expect(channels["upload"]).toMatchObject({
      messages: { send: { contentType: "application/octet-stream" } },
    });
  });

  test("answers a request with its output, or with a FAIL that carries a named error", () => {
    const { channels, operations } = asyncApi(desk);
    const { reply } = operations["receive.ticket.get"] as {
      reply: { messages: { $ref: string }[] };
    };
    expect(reply.messages.map(({ $ref }) => $ref.split("/").at(-1))).toEqual([
      "output",
      "error.gone",
      "error.not_found",
      "error.notFound",
    ]);
    expect(channels["ticket.get"]).toMatchObject({
      messages: {
        "error.not_found": {
          contentType: "application/json",
          payload: {
            properties: {
              code: { const: "NAMED" },
              name: { const: "not found" },
              payload: { $ref: "#/components/schemas/ticket.get.error.not_found" },
            },
          },
        },
      },
    });
  });

  test("makes the same of a contract's document", () => {
    const document = JSON.parse(JSON.stringify(contractSchema(desk))) as ContractSchema;
    expect(asyncApi(document)).toEqual(asyncApi(desk));
  });

  test("takes names from elsewhere that no contract of this library may have", () => {
    const document = JSON.parse(
      JSON.stringify(contractSchema(desk))
        .replaceAll('"ping"', '"__proto__"')
        .replaceAll('"notFound"', '"constructor"'),
    ) as ContractSchema;
    expect(valid(asyncApi(document))).toBeNull();
    expect(Object.keys(asyncApi(document).channels)).toContain("__proto__");
  });

  test("refuses what is neither, and unknown options", () => {
    expect(() => asyncApi({ format: "other/1" } as never)).toThrow(
      'asyncApi() takes a contract, or a document of the format "hawser-contract/1", got the ' +
        'format "other/1"',
    );
    expect(() => asyncApi({} as never)).toThrow(TypeError);
    expect(() => asyncApi(desk, { titel: "x" } as never)).toThrow('did you mean "title"?');
  });
});
