/**
 * Contracts out of data: what a program without a contract's source needs to call, and to be
 * called. Owns the check of a document that came from elsewhere. Must not know how it was made
 * (contract-schema.ts).
 *
 * @module
 */
import { checkOptions, describeValue } from "../arguments.ts";
import { bytes, type Codec, json, text } from "../codec/codec.ts";
import {
  CONTRACT_FORMAT,
  type JsonSchemaDocument,
  type LaneSchema,
  type MessageSchema,
} from "./contract-schema.ts";
import { makeProtocol, type Protocol } from "./contract.ts";
import type { LaneOption } from "./lane.ts";
import { type ErrorSchemas, makeEntry, quote, wrong } from "./message.ts";
import { type Schema, type } from "./schema.ts";

/** Options of {@link protocolFromSchema}. */
export interface ProtocolFromSchemaOptions {
  /**
   * Codecs of messages besides json(), text() and bytes(), as in `[libraryCodec("msgpack",
   * msgpack)]`.
   */
  readonly codecs?: readonly Codec<unknown>[];
}

/**
 * Make a contract of a document of `contractSchema()`, which may come from a file or from the peer
 * (`describe()`).
 *
 * Its list of messages, digests and fingerprint are those of the document, so that the handshake
 * finds the two equal. Payloads are not checked, as with `type()`: the other end checks what it
 * gets.
 *
 * @throws {TypeError} when the document is not one, has been changed since it was made, or needs a
 *   codec that is not given
 * @throws {RangeError} when a name is too long, or there are too many messages
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { contractSchema, defineProtocol, protocolFromSchema, type } from "@hawser/protocol";
 *
 * const lamp = defineProtocol({
 *   name: "lamp",
 *   version: 1,
 *   requests: { dim: { input: type<number>() } },
 * });
 * const document = JSON.stringify(contractSchema(lamp)); // a file, or another process
 * const same = protocolFromSchema(JSON.parse(document));
 * assert.equal(same.fingerprint, lamp.fingerprint);
 * assert.deepEqual(contractSchema(same), contractSchema(lamp));
 * ```
 */
export function protocolFromSchema(
  document: unknown,
  options: ProtocolFromSchemaOptions = {},
): Protocol {
  checkOptions("protocolFromSchema()", options, ["codecs"]);
  const { format, name, version, accepts, fingerprint, messages } = members(
    "the document",
    document,
  );
  if (format !== CONTRACT_FORMAT)
    throw new TypeError(
      `protocolFromSchema() takes a document of the format "${CONTRACT_FORMAT}", got the ` +
        `format ${describeValue(format)}`,
    );
  const what = `protocol ${quote(name)}`;
  if (!Array.isArray(messages)) throw wrong(what, "its messages are not a list");
  const codecs = new Map(
    [json(), text(), bytes(), ...(options.codecs ?? [])].map((codec) => [codec.name, codec]),
  );
  const sections = {
    event: new Map<string, object>(),
    request: new Map<string, object>(),
    stream: new Map<string, object>(),
  };
  const entries = messages.map((one: unknown, index) => {
    const message = checkMessage(`message ${String(index)} of ${what}`, one);
    const codec = codecs.get(message.codec);
    if (codec === undefined)
      throw wrong(
        what,
        `${quote(message.name)} has the codec ${quote(message.codec)}; give it with the option ` +
          "codecs, as in libraryCodec()",
      );
    const definition = { ...definitionOf(message), from: message.from, codec };
    sections[message.type].set(message.name, definition);
    return Object.freeze({
      ...makeEntry(index, message.type, message.name, definition, codec),
      digest: message.digest,
    });
  });
  const [events, requests, streams] = [sections.event, sections.request, sections.stream].map(
    (section) => Object.fromEntries(section),
  );
  const definition = {
    name,
    version,
    accepts,
    events,
    requests,
    streams,
  } as Protocol["definition"]; // checked as it is made a contract
  const made = makeProtocol(definition, entries);
  if (made.fingerprint === fingerprint) return made;
  throw wrong(
    what,
    `its messages have the fingerprint ${made.fingerprint}, the document says ` +
      `${quote(fingerprint)}: it was changed since it was made`,
  );
}

function definitionOf(message: MessageSchema): object {
  if (message.type === "event")
    return {
      payload: schemaOf(message.payload),
      delivery: message.delivery,
      lane: laneOf(message.lane),
    };
  const errors: ErrorSchemas = Object.fromEntries(
    Object.entries(message.errors).map(([name, schema]) => [name, documented(schema)]),
  );
  if (message.type === "request")
    return { input: schemaOf(message.input), output: schemaOf(message.output), errors };
  return {
    input: schemaOf(message.input),
    item: schemaOf(message.item),
    send: schemaOf(message.send),
    errors,
  };
}

/**
 * Which key of the payload names a lane the document can't tell: all such events share one then,
 * which keeps their order.
 */
function laneOf(lane: LaneSchema): LaneOption | undefined {
  if (lane === null) return undefined;
  return "name" in lane ? lane.name : () => "";
}

function isLane(value: unknown): value is LaneSchema {
  if (value === null) return true;
  const { name, keyed } = members("lane", value);
  return keyed === true || typeof name === "string";
}

function schemaOf(shape: JsonSchemaDocument): Schema | undefined {
  return shape === false ? undefined : documented(shape);
}

/** A schema that checks nothing, as type(), and can tell its shape. */
function documented(shape: JsonSchemaDocument): Schema {
  const unchecked = type();
  return typeof shape === "boolean"
    ? unchecked
    : { "~standard": { ...unchecked["~standard"], jsonSchema: { input: () => shape } } };
}

const parts = Object.freeze({
  event: ["payload"],
  request: ["input", "output"],
  stream: ["input", "item", "send"],
});

/** Check what `makeEntry` does not: the members that are no part of a definition. */
function checkMessage(what: string, value: unknown): MessageSchema {
  const message = members(what, value);
  const { name, type: kind, codec, digest, errors } = message;
  if (typeof name !== "string") throw wrong(what, `its name is ${quote(name)}; use a string`);
  if (kind !== "event" && kind !== "request" && kind !== "stream")
    throw wrong(what, `its type is ${quote(kind)}; use "event", "request" or "stream"`);
  if (typeof codec !== "string")
    throw wrong(what, `its codec is ${quote(codec)}; use the name of one`);
  if (typeof digest !== "string" || !/^(?:[0-9a-f]{16})?$/.test(digest))
    throw wrong(what, `its digest is ${quote(digest)}; use 16 hexadecimal digits, or ""`);
  if (kind === "event" && !isLane(message["lane"]))
    throw wrong(
      what,
      `its lane is ${quote(message["lane"])}; use null, { name: … } or { keyed: true }`,
    );
  const schemas = kind === "event" ? [] : Object.entries(members(`the errors of ${what}`, errors));
  for (const part of parts[kind]) schemas.push([part, message[part]]);
  for (const [part, schema] of schemas) {
    if (
      typeof schema !== "boolean" &&
      (typeof schema !== "object" || schema === null || Array.isArray(schema))
    )
      throw wrong(what, `its ${part} is no JSON Schema: use an object, true or false`);
  }
  return message as unknown as MessageSchema; // `from` and `delivery` are checked by makeEntry
}

function members(what: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  throw wrong(what, `it is ${describeValue(value)}; use an object, as contractSchema() makes it`);
}
