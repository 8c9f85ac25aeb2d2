import * as msgpack from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { bytes, text } from "../../src/codec/codec.ts";
import { contractSchema } from "../../src/contract/contract-schema.ts";
import { defineProtocol } from "../../src/contract/contract.ts";
import { describeProtocol } from "../../src/contract/describe.ts";
import { libraryCodec } from "../../src/codec/library-codec.ts";
import { protocolFromSchema } from "../../src/contract/protocol-from-schema.ts";
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
    get: {
      input: z.object({ id: z.int() }),
      output: Tree,
      errors: { notFound: z.object({ id: z.int() }), gone: type<undefined>() },
    },
    ask: { from: "server", codec: text(), input: type<string>() },
    ping: {},
  },
  streams: {
    upload: { send: type<Uint8Array>(), codec: bytes() },
    tail: { input: Tree, item: Tree, from: "both" },
  },
  events: {
    typing: { payload: z.string() },
    created: { payload: Tree, delivery: "at-least-once", from: "server" },
    bell: {},
  },
});

/** A document as it comes from a file, with a change. */
function changed(
  change: (document: { [member: string]: unknown; messages: Record<string, unknown>[] }) => unknown,
): unknown {
  const document = JSON.parse(JSON.stringify(contractSchema(desk))) as {
    messages: Record<string, unknown>[];
  };
  return change(document) ?? document;
}

describe("protocolFromSchema()", () => {
  test("takes over the list of messages, the digests and the fingerprint", () => {
    const same = protocolFromSchema(changed(() => undefined));
    expect(same.fingerprint).toBe(desk.fingerprint);
    expect(same).toMatchObject({ name: "desk", version: 3, accepts: [2, 3] });
    const lines = (contract: typeof same): unknown =>
      contract.messages.map(
        ({ index, name, type: kind, from, codec, delivery, digest, hasItems, send, errors }) => [
          index,
          name,
          kind,
          from,
          codec.name,
          delivery,
          digest,
          hasItems,
          send === null,
          [...errors.keys()],
        ],
      );
    expect(lines(same)).toEqual(lines(desk));
  });

  test("can be told again: as a document, and for people", () => {
    const same = protocolFromSchema(changed(() => undefined));
    expect(contractSchema(same)).toEqual(contractSchema(desk));
    expect(describeProtocol(same)).toContain(
      `request get, from client, json, digest ${desk.find("get")?.digest ?? ""}`,
    );
  });

  test("checks no payload, but knows where none belongs", () => {
    const same = protocolFromSchema(changed(() => undefined));
    expect(same.find("get")?.input.outbound("anything")).toBeNull();
    expect(same.find("ping")?.input.outbound("anything")).not.toBeNull();
  });

  test("keeps the order of another's list, since a message's place is its number", () => {
    const other = changed(({ messages }) => void messages.reverse());
    expect(() => protocolFromSchema(other)).toThrow("its messages have the fingerprint");
    const small = (fingerprint: string): unknown => ({
      format: "hawser-contract/1",
      name: "a",
      version: 1,
      accepts: [1, 1],
      fingerprint,
      messages: ["z", "b"].map((name) => ({
        name,
        type: "request",
        from: "client",
        codec: "json",
        digest: "",
        input: true,
        output: true,
        errors: {},
      })),
    });
    const said =
      /fingerprint ([0-9a-f]{16})/.exec(String(thrown(() => protocolFromSchema(small("")))))?.[1] ??
      "";
    expect(protocolFromSchema(small(said)).messages.map(({ name }) => name)).toEqual(["z", "b"]);
  });

  test("takes the codecs of libraries as an option", () => {
    const packed = defineProtocol({
      name: "packed",
      version: 1,
      events: { note: { payload: type<string>(), codec: libraryCodec("msgpack", msgpack) } },
    });
    const document = contractSchema(packed);
    expect(() => protocolFromSchema(document)).toThrow(
      '"note" has the codec "msgpack"; give it with the option codecs',
    );
    expect(
      protocolFromSchema(document, { codecs: [libraryCodec("msgpack", msgpack)] }).fingerprint,
    ).toBe(packed.fingerprint);
    expect(() => protocolFromSchema(document, { codec: [] } as never)).toThrow(
      'did you mean "codecs"?',
    );
  });

  test.each<[string, unknown, string]>([
    ["text", "{}", "it is "],
    ["null", null, "it is null"],
    [
      "another format",
      changed(() => ({ format: "other/1" })),
      'takes a document of the format "hawser-contract/1"',
    ],
    [
      "no name",
      changed((one) => {
        delete one["name"];
      }),
      "its name is of type undefined",
    ],
    [
      "a bad version",
      changed((one) => {
        one["version"] = 0;
      }),
      "its version is 0",
    ],
    [
      "bad accepts",
      changed((one) => {
        one["accepts"] = [1];
      }),
      "accepts",
    ],
    ["no messages", changed((one) => ({ ...one, messages: {} })), "its messages are not a list"],
    [
      "a message that is none",
      changed((one) => ({ ...one, messages: [null] })),
      "message 0 of protocol",
    ],
    [
      "a message without a name",
      changed(({ messages: [one] }) => {
        delete one?.["name"];
      }),
      "its name is",
    ],
    [
      "a name that can't be used",
      changed(({ messages: [one] }) => {
        if (one) one["name"] = "toString";
      }),
      "every object has a member of that name",
    ],
    [
      "a name twice",
      changed(({ messages: [one] }) => {
        if (one) one["name"] = "typing";
      }),
      "is there twice",
    ],
    [
      "an unknown type",
      changed(({ messages: [one] }) => {
        if (one) one["type"] = "toString";
      }),
      "its type is",
    ],
    [
      "a codec that is none",
      changed(({ messages: [one] }) => {
        if (one) one["codec"] = 7;
      }),
      "its codec is",
    ],
    [
      "a digest that is none",
      changed(({ messages: [one] }) => {
        if (one) one["digest"] = "F".repeat(16);
      }),
      "its digest is",
    ],
    [
      "an unknown opener",
      changed(({ messages: [one] }) => {
        if (one) one["from"] = "nobody";
      }),
      "its from is",
    ],
    [
      "an unknown delivery",
      changed(({ messages: [one] }) => {
        if (one) one["delivery"] = "twice";
      }),
      "its delivery is",
    ],
    [
      "no schema",
      changed(({ messages: [one] }) => {
        delete one?.["payload"];
      }),
      "its payload is no JSON Schema",
    ],
    [
      "null for a schema",
      changed(({ messages: [one] }) => {
        if (one) one["payload"] = null;
      }),
      "its payload is no JSON Schema",
    ],
    [
      "errors that are none",
      changed(({ messages }) => {
        const last = messages.at(-1);
        if (last) last["errors"] = [];
      }),
      "the errors of message",
    ],
    [
      "an error's schema that is none",
      changed(({ messages }) => {
        const last = messages.at(-1);
        if (last) last["errors"] = { x: 1 };
      }),
      "its x is no JSON Schema",
    ],
    [
      "another digest",
      changed(({ messages: [one] }) => {
        if (one) one["digest"] = "0".repeat(16);
      }),
      "it was changed since it was made",
    ],
  ])("refuses %s, and says why", (_, document, why) => {
    expect(() => protocolFromSchema(document)).toThrow(why);
    expect(thrown(() => protocolFromSchema(document))).toSatisfy(
      (error) => error instanceof TypeError || error instanceof RangeError,
    );
  });
});

function thrown(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}
