import { readFileSync } from "node:fs";
import { type as ark } from "arktype";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { Issue, readInbound } from "../../src/contract/check.ts";
import { bytes, text } from "../../src/codec/codec.ts";
import {
  defineProtocol,
  fingerprintOf,
  type ProtocolDefinition,
} from "../../src/contract/contract.ts";
import { fnv1a64 } from "../../src/contract/fnv.ts";
import { laneNumber } from "../../src/contract/lane.ts";
import { type Schema, type } from "../../src/contract/schema.ts";

/** Defines what the types would refuse. */
function define(definition: unknown): unknown {
  return defineProtocol(definition as ProtocolDefinition);
}

const lamp = { name: "lamp", version: 1 };

const desk = defineProtocol({
  name: "desk",
  version: 3,
  accepts: [2, 3],
  requests: {
    "ticket.get": {
      input: z.object({ id: z.int() }),
      output: z.object({ id: z.int() }),
      errors: { notFound: z.object({ id: z.int() }), gone: type<undefined>() },
    },
    "agent.ask": { input: z.string(), output: z.boolean(), from: "server", codec: text() },
    ping: {},
  },
  streams: {
    "ticket.tail": {
      input: z.object({ group: z.string() }),
      item: z.object({ id: z.int() }),
      from: "both",
    },
    upload: { send: type<Uint8Array>(), codec: bytes() },
  },
  events: {
    typing: { payload: z.string() },
    "note.created": { payload: z.string(), delivery: "at-least-once", from: "server" },
    bell: {},
  },
});

describe("defineProtocol()", () => {
  test("sorts messages by type, then name, and numbers them", () => {
    expect(desk.messages.map(({ index, type: kind, name }) => [index, kind, name])).toEqual([
      [0, "event", "bell"],
      [1, "event", "note.created"],
      [2, "event", "typing"],
      [3, "request", "agent.ask"],
      [4, "request", "ping"],
      [5, "request", "ticket.get"],
      [6, "stream", "ticket.tail"],
      [7, "stream", "upload"],
    ]);
  });

  test("sorts by UTF-16 code unit, which does not depend on a locale", () => {
    const names = ["é", "z", "Z", "a", "_", "10", "9", "\u{1f6a2}", "\uffee"];
    const protocol = defineProtocol({
      ...lamp,
      events: Object.fromEntries(names.map((name) => [name, {}])),
    });
    expect(protocol.messages.map(({ name }) => name)).toEqual([...names].sort());
  });

  test("completes what is absent", () => {
    expect(desk.find("ping")).toMatchObject({
      from: "client",
      delivery: "at-most-once",
      codec: { name: "json" },
      hasItems: false,
      send: null,
    });
    expect(desk.find("bell")).toMatchObject({
      from: "both",
      delivery: "at-most-once",
      codec: { name: "json" },
      hasItems: false,
      send: null,
    });
    expect(desk.find("upload")).toMatchObject({
      from: "client",
      codec: { name: "bytes" },
      hasItems: false,
      send: { kind: "unchecked" },
      item: { kind: "nothing" },
    });
    expect(desk.find("ticket.tail")).toMatchObject({
      from: "both",
      hasItems: true,
      send: null,
      item: { kind: "checked" },
      output: { kind: "nothing" },
    });
    expect(desk.find("note.created")).toMatchObject({
      from: "server",
      delivery: "at-least-once",
      input: { kind: "checked" },
    });
    expect(desk.find("agent.ask")).toMatchObject({ from: "server", codec: { name: "text" } });
    expect(defineProtocol(lamp).accepts).toEqual([1, 1]);
    expect(desk.accepts).toEqual([2, 3]);
  });

  test("has one default codec per contract, so that a chunk is announced to it once", () => {
    expect(new Set(desk.messages.map(({ codec }) => codec)).size).toBe(3);
    expect(desk.find("ping")?.codec).toBe(desk.find("bell")?.codec);
  });

  test("finds by name alone, also names that every object has", () => {
    expect(desk.find("ticket.get")?.name).toBe("ticket.get");
    for (const name of ["", "toString", "__proto__", "constructor", "ticket", "TICKET.GET"])
      expect(desk.find(name)).toBeUndefined();
  });

  test("checks each part with its own schema", () => {
    const get = desk.find("ticket.get");
    expect(get?.input.outbound({ id: 7 })).toBeNull();
    expect(get && readInbound(get.input, { id: "7" })).toBeInstanceOf(Issue);
    expect([...(get?.errors.keys() ?? [])]).toEqual(["gone", "notFound"]);
    const notFound = get?.errors.get("notFound");
    expect(notFound && readInbound(notFound, {})).toBeInstanceOf(Issue);
    expect(get?.errors.get("gone")?.kind).toBe("unchecked");
    expect(get?.errors.get("toString")).toBeUndefined();
  });

  test("gives a frozen value that remembers its definition", () => {
    for (const part of [desk, desk.messages, desk.accepts, desk.messages[0]])
      expect(Object.isFrozen(part)).toBe(true);
    const definition = { ...lamp };
    expect(defineProtocol(definition).definition).toBe(definition);
  });

  test("takes an empty contract, empty sections, and objects without a prototype", () => {
    expect(defineProtocol(lamp).messages).toEqual([]);
    expect(defineProtocol({ ...lamp, requests: {}, streams: {}, events: {} }).messages).toEqual([]);
    const bare = (members: object): unknown => Object.setPrototypeOf(members, null);
    expect(define(bare({ ...lamp, events: bare({ bell: bare({}) }) }))).toMatchObject({
      messages: [{ name: "bell" }],
    });
    const absent = {
      accepts: undefined,
      requests: {
        ping: {
          input: undefined,
          output: undefined,
          errors: undefined,
          from: undefined,
          codec: undefined,
        },
      },
    };
    expect(
      define({
        ...lamp,
        ...absent,
        streams: undefined,
        events: { bell: { payload: undefined, delivery: undefined } },
      }),
    ).toMatchObject({ accepts: [1, 1], messages: { length: 2 } });
  });
});

describe("a digest", () => {
  const digest = (definition: Omit<ProtocolDefinition, "name" | "version">): string | undefined => {
    const [first] = defineProtocol({ ...lamp, ...definition }).messages;
    return first?.digest;
  };
  const request = (
    definition: NonNullable<ProtocolDefinition["requests"]>[string],
  ): string | undefined => digest({ requests: { a: definition } });

  test("is 16 hexadecimal digits, equal for equal shapes, whatever the name", () => {
    expect(request({ input: z.object({ a: z.string(), b: z.number() }) })).toMatch(
      /^[0-9a-f]{16}$/,
    );
    expect(request({ input: z.object({ a: z.string(), b: z.number() }) })).toBe(
      request({ input: z.object({ b: z.number(), a: z.string() }) }),
    );
    expect(digest({ requests: { a: {} } })).toBe(digest({ requests: { b: {} } }));
    expect(request({ input: ark({ a: "string" }) })).toBe(
      request({ input: z.object({ a: z.string() }) }),
    );
  });

  test("differs with each part of a message", () => {
    const digests = [
      request({}),
      request({ input: z.string() }),
      request({ input: z.number() }),
      request({ output: z.string() }),
      request({ from: "server" }),
      request({ from: "both" }),
      request({ codec: text() }),
      request({ errors: {}, input: z.null() }),
      request({ errors: { a: z.string() } }),
      request({ errors: { b: z.string() } }),
      request({ errors: { a: z.number() } }),
      digest({ streams: { a: {} } }),
      digest({ streams: { a: { item: z.string() } } }),
      digest({ streams: { a: { send: z.string() } } }),
      digest({ streams: { a: { input: z.string() } } }),
      digest({ events: { a: {} } }),
      digest({ events: { a: { delivery: "at-least-once" } } }),
      digest({ events: { a: { payload: z.string() } } }),
      digest({ events: { a: { from: "client" } } }),
    ];
    expect(new Set(digests).size).toBe(digests.length);
  });

  test("does not depend on what else the process has defined, nor on the order of errors", () => {
    const recursive = (): Schema => ark.scope({ list: { "next?": "list" } }).export().list;
    expect(request({ input: recursive() })).toBe(request({ input: recursive() }));
    expect(request({ errors: { a: z.string(), b: z.number() } })).toBe(
      request({ errors: { b: z.number(), a: z.string() } }),
    );
  });

  test.each([
    ["type()", { input: type<string>() }],
    ["type() as an error's payload", { input: z.string(), errors: { a: type<string>() } }],
    ["a schema of a library without JSON Schema", { input: v.string() }],
    ["a schema that JSON Schema has no words for", { output: z.date() }],
  ])("is empty with %s", (_, definition) => {
    expect(request(definition)).toBe("");
  });
});

describe("the fingerprint", () => {
  const base = { ...lamp, events: { bell: { payload: z.string() } } } as const;
  const { fingerprint } = defineProtocol(base);

  test("is 16 hexadecimal digits that do not change from run to run", () => {
    expect(fingerprint).toBe(defineProtocol({ ...base }).fingerprint);
    expect(defineProtocol(lamp).fingerprint).toBe("cbf29ce484222325"); // FNV-1a of nothing
    const { fingerprint: known, messages } = defineProtocol({
      ...lamp,
      requests: { ping: { codec: bytes() } },
    });
    expect(known).toBe(fnv1a64(`ping\0request\0bytes\0${messages[0]?.digest ?? ""}\n`));
  });

  test(
    "and the ids of lanes are those of conformance/vectors/hashes.json, which another language " +
      "made",
    () => {
      const { fingerprints, lanes } = JSON.parse(
        readFileSync(
          new URL("../../../../conformance/vectors/hashes.json", import.meta.url),
          "utf8",
        ),
      ) as {
        fingerprints: { messages: [string, string, string, string][]; fingerprint: string }[];
        lanes: { key: string; lane: number }[];
      };
      expect(fingerprints.map(({ messages }) => fingerprintOf(messages))).toEqual(
        fingerprints.map(({ fingerprint: known }) => known),
      );
      expect(lanes.map(({ key }) => laneNumber(key))).toEqual(lanes.map(({ lane }) => lane));
    },
  );

  test("differs with each message, but not with name, version and accepts", () => {
    const others = [
      { ...base, events: {} },
      { ...base, events: { bells: base.events.bell } },
      { ...base, events: { bell: {} } },
      { ...base, requests: { ping: {} } },
    ];
    const all = [fingerprint, ...others.map((other) => defineProtocol(other).fingerprint)];
    expect(new Set(all).size).toBe(all.length);
    for (const other of [
      { ...base, accepts: [1, 9] as const },
      { ...base, name: "bulb" },
      { ...base, version: 2 },
    ])
      expect(defineProtocol(other).fingerprint).toBe(fingerprint);
  });
});

describe("defineProtocol() refuses", () => {
  class Own {
    name = "lamp";
    version = 1;
  }
  const inRequest = (definition: unknown, name = "get"): unknown => ({
    ...lamp,
    requests: { [name]: definition },
  });

  test.each<[string, unknown, ErrorConstructor, string]>([
    [
      "no definition",
      undefined,
      TypeError,
      "Cannot define the protocol: it is a value of type undefined; use an object",
    ],
    ["null", null, TypeError, "Cannot define the protocol: it is null; use an object"],
    ["an array", [], TypeError, "Cannot define the protocol: it is an array; use an object"],
    [
      "an instance",
      new Own(),
      TypeError,
      "Cannot define the protocol: it is not a plain object: it has a class, or a member " +
        "__proto__; use an object literal without",
    ],
    [
      "a member that it does not know",
      { ...lamp, reqests: {} },
      TypeError,
      'Cannot define the protocol: it has no member "reqests"; it takes name, version, ' +
        'accepts, requests, streams, events; did you mean "requests"?',
    ],
    [
      "a symbol as a member",
      { ...lamp, [Symbol("s")]: 1 },
      TypeError,
      "Cannot define the protocol: it has the member Symbol(s); use strings",
    ],
    [
      "no name",
      { version: 1 },
      TypeError,
      "Cannot define protocol of type undefined: its name is of type undefined; use a string",
    ],
    [
      "an empty name",
      { ...lamp, name: "" },
      RangeError,
      'Cannot define protocol "": its name is empty; use 1 to 128 bytes',
    ],
    [
      "no version",
      { name: "lamp" },
      TypeError,
      'Cannot define protocol "lamp": its version is of type undefined; use a whole number from 1',
    ],
    [
      "a version that is text",
      { ...lamp, version: "1.0" },
      TypeError,
      'Cannot define protocol "lamp": its version is "1.0"; use a whole number from 1',
    ],
    [
      "version 0",
      { ...lamp, version: 0 },
      RangeError,
      'Cannot define protocol "lamp": its version is 0; use a whole number from 1',
    ],
    [
      "version 1.5",
      { ...lamp, version: 1.5 },
      RangeError,
      'Cannot define protocol "lamp": its version is 1.5; use a whole number from 1',
    ],
    [
      "version NaN",
      { ...lamp, version: NaN },
      RangeError,
      'Cannot define protocol "lamp": its version is NaN; use a whole number from 1',
    ],
    [
      "a version that a double can't tell from its neighbour",
      { ...lamp, version: 2 ** 53 },
      RangeError,
      'Cannot define protocol "lamp": its version is 9007199254740992; use a whole number from 1',
    ],
    [
      "accepts that is a number",
      { ...lamp, accepts: 1 },
      TypeError,
      'Cannot define protocol "lamp": its accepts is not a pair; use [lowest, highest] version',
    ],
    [
      "accepts of one",
      { ...lamp, accepts: [1] },
      TypeError,
      'Cannot define protocol "lamp": its accepts is not a pair; use [lowest, highest] version',
    ],
    [
      "accepts from 0",
      { ...lamp, accepts: [0, 1] },
      RangeError,
      'Cannot define protocol "lamp": its lowest accepted version is 0; use a whole number from 1',
    ],
    [
      "accepts to text",
      { ...lamp, accepts: [1, "2"] },
      TypeError,
      'Cannot define protocol "lamp": its highest accepted version is "2"; use a whole number ' +
        "from 1",
    ],
    [
      "accepts above its version",
      { ...lamp, accepts: [2, 3] },
      RangeError,
      'Cannot define protocol "lamp": it accepts versions 2 to 3, but its own is 1, which must ' +
        "lie within",
    ],
    [
      "accepts below its version",
      { ...lamp, version: 4, accepts: [2, 3] },
      RangeError,
      'Cannot define protocol "lamp": it accepts versions 2 to 3, but its own is 4, which must ' +
        "lie within",
    ],
    [
      "accepts the wrong way round",
      { ...lamp, version: 2, accepts: [3, 1] },
      RangeError,
      'Cannot define protocol "lamp": it accepts versions 3 to 1, but its own is 2, which must ' +
        "lie within",
    ],
    [
      "a list of requests",
      { ...lamp, requests: [{}] },
      TypeError,
      'Cannot define the requests of protocol "lamp": it is an array; use an object',
    ],
    [
      "events that are a schema",
      { ...lamp, events: z.object({}) },
      TypeError,
      'Cannot define the events of protocol "lamp": it is a schema, where an object is wanted',
    ],
    [
      "a literal __proto__, which sets the prototype",
      { ...lamp, requests: { __proto__: { input: type() } } },
      TypeError,
      'Cannot define the requests of protocol "lamp": it is not a plain object: it has a ' +
        "class, or a member __proto__; use an object literal without",
    ],
    [
      "a name that two sections have",
      { ...lamp, requests: { a: {} }, events: { a: {} } },
      TypeError,
      'Cannot define protocol "lamp": "a" is both an event and a request; a name stands for ' +
        "one message",
    ],
    [
      "a name of a request and a stream",
      { ...lamp, requests: { a: {} }, streams: { a: {} } },
      TypeError,
      'Cannot define protocol "lamp": "a" is both a request and a stream; a name stands for ' +
        "one message",
    ],
    [
      "a message that is null",
      inRequest(null),
      TypeError,
      'Cannot define request "get": it is null; use an object',
    ],
    [
      "a message that is a schema",
      inRequest(z.string()),
      TypeError,
      'Cannot define request "get": it is a schema, where an object is wanted; write { input: … }',
    ],
    [
      "an event that is arktype's schema",
      { ...lamp, events: { bell: ark("string") } },
      TypeError,
      'Cannot define event "bell": it is a schema, where an object is wanted; write { payload: … }',
    ],
    [
      "a misspelled member",
      inRequest({ inptu: type() }),
      TypeError,
      'Cannot define request "get": it has no member "inptu"; it takes input, output, errors, ' +
        'from, codec; did you mean "input"?',
    ],
    [
      "an item in a request",
      inRequest({ item: type() }),
      TypeError,
      'Cannot define request "get": it has no member "item"; it takes input, output, errors, ' +
        "from, codec",
    ],
    [
      "a delivery in a request",
      inRequest({ delivery: "at-most-once" }),
      TypeError,
      'Cannot define request "get": it has no member "delivery"; it takes input, output, ' +
        "errors, from, codec",
    ],
    [
      "an input that is no schema",
      inRequest({ input: { id: Number } }),
      TypeError,
      'Cannot define request "get": its input is not a schema; use one of zod, valibot, ' +
        "arktype or another library of Standard Schema v1, or type<T>()",
    ],
    [
      "an input that is null",
      inRequest({ input: null }),
      TypeError,
      'Cannot define request "get": its input is not a schema; use one of zod, valibot, ' +
        "arktype or another library of Standard Schema v1, or type<T>()",
    ],
    [
      "type without its call",
      inRequest({ output: type }),
      TypeError,
      'Cannot define request "get": its output is not a schema; use one of zod, valibot, ' +
        "arktype or another library of Standard Schema v1, or type<T>()",
    ],
    [
      "an error that is no schema",
      inRequest({ errors: { gone: true } }),
      TypeError,
      'Cannot define request "get": its error "gone" is not a schema; use one of zod, valibot, ' +
        "arktype or another library of Standard Schema v1, or type<T>()",
    ],
    [
      "errors that are a list",
      inRequest({ errors: ["gone"] }),
      TypeError,
      'Cannot define the errors of request "get": it is an array; use an object',
    ],
    [
      "an error named as every object's member",
      inRequest({ errors: { constructor: type() } }),
      TypeError,
      'Cannot define the error "constructor" of request "get": every object has a member of ' +
        "that name, which handlers would be taken from; choose another",
    ],
    [
      "an unknown from",
      inRequest({ from: "sever" }),
      TypeError,
      'Cannot define request "get": its from is "sever"; use "client", "server" or "both"',
    ],
    [
      "a codec that is null",
      inRequest({ codec: null }),
      TypeError,
      'Cannot define request "get": its codec is null; use json(), text(), bytes() or a codec ' +
        "of your own",
    ],
    [
      "a from that is an object",
      inRequest({ from: {} }),
      TypeError,
      'Cannot define request "get": its from is of type object; use "client", "server" or "both"',
    ],
    [
      "an unknown delivery",
      { ...lamp, events: { bell: { delivery: "exactly-once" } } },
      TypeError,
      'Cannot define event "bell": its delivery is "exactly-once"; use "at-most-once" or ' +
        '"at-least-once"',
    ],
    [
      "a codec without its call",
      inRequest({ codec: text }),
      TypeError,
      'Cannot define request "get": its codec is a function; call it, as in codec: text()',
    ],
    [
      "a codec by name",
      inRequest({ codec: "text" }),
      TypeError,
      'Cannot define request "get": its codec is "text"; use json(), text(), bytes() or a ' +
        "codec of your own",
    ],
    [
      "a codec without a name",
      inRequest({ codec: { encode: () => 0, decode: () => 0 } }),
      TypeError,
      'Cannot define request "get": its codec is not one: it needs a name, encode() and decode()',
    ],
    [
      "a codec that can't decode",
      inRequest({ codec: { name: "x", encode: () => 0 } }),
      TypeError,
      'Cannot define request "get": its codec is not one: it needs a name, encode() and decode()',
    ],
    [
      "a name of 129 bytes",
      inRequest({}, "é".repeat(64) + "x"),
      RangeError,
      `Cannot define request "${"é".repeat(64)}x": its name has 129 bytes; use at most 128`,
    ],
    [
      "an empty message name",
      inRequest({}, ""),
      RangeError,
      'Cannot define request "": its name is empty; use 1 to 128 bytes',
    ],
    [
      "a name with $",
      inRequest({}, "$ping"),
      TypeError,
      'Cannot define request "$ping": names that begin with $ are kept for Hawser; choose another',
    ],
    [
      "a control character",
      inRequest({}, "a\nb"),
      TypeError,
      'Cannot define request "a\\nb": its name has a control character or half a character; ' +
        "take it out",
    ],
    [
      "half a character",
      inRequest({}, "a\ud800"),
      TypeError,
      'Cannot define request "a\\ud800": its name has a control character or half a character; ' +
        "take it out",
    ],
  ])("%s", (_, definition, kind, message) => {
    expect(() => define(definition)).toThrow(kind);
    expect(() => define(definition)).toThrow(new kind(message));
  });

  test.each(Object.getOwnPropertyNames(Object.prototype))(
    "the name %j, which every object has",
    (name) => {
      const text =
        "every object has a member of that name, which handlers would be taken from; choose " +
        "another";
      for (const section of ["requests", "streams", "events"]) {
        expect(() => define({ ...lamp, [section]: Object.fromEntries([[name, {}]]) })).toThrow(
          text,
        );
      }
      expect(() => define({ ...lamp, name })).toThrow(text);
    },
  );

  test("a name of a megabyte without repeating it", () => {
    const name = "x".repeat(1_000_000);
    expect(() => define(inRequest({}, name))).toThrow(
      `Cannot define request "${"x".repeat(160)}…": its name has 1000000 bytes; use at most 128`,
    );
  });

  test("more than 65 535 messages, and takes so many", () => {
    const events = (count: number): unknown => ({
      ...lamp,
      events: Object.fromEntries(Array.from({ length: count }, (_, i) => [`event.${i}`, {}])),
    });
    expect(define(events(65_535))).toMatchObject({ messages: { length: 65_535 } });
    expect(() => define(events(65_536))).toThrow(
      new RangeError('Cannot define protocol "lamp": it has 65536 messages; use at most 65535'),
    );
  });
});

test.each([
  "then",
  "name",
  "length",
  "prototype",
  "a b",
  "é",
  "🚢".repeat(32),
  "x".repeat(128),
  "ticket/get",
  "0",
])("the name %j is a name", (name) => {
  expect(defineProtocol({ ...lamp, events: { [name]: {} } }).find(name)?.name).toBe(name);
});
