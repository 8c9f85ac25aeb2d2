/**
 * AsyncAPI 3.0 documents of contracts, for catalogues, documentation and generators of other
 * makers. Owns what a request, stream or event is in AsyncAPI's words. Must not know contracts,
 * only the document that is made of them (contract-schema.ts), so that one that came from elsewhere
 * serves as well.
 *
 * Source: https://github.com/asyncapi/spec/blob/v3.0.0/spec/asyncapi.md; 3.1.0 differs in the
 * bindings of brokers alone
 *
 * @module
 */
import { checkOptions, describeValue } from "../arguments.ts";
import {
  CONTRACT_FORMAT,
  contractSchema,
  type ContractSchema,
  type JsonSchemaDocument,
  type MessageSchema,
} from "./contract-schema.ts";
import type { Protocol } from "./contract.ts";
import { draft07 } from "./draft-07.ts";
import type { Side } from "./message.ts";

/** Options of {@link asyncApi}. */
export interface AsyncApiOptions {
  /** Whose document it is: what this side receives is what the other sends. Default: `"server"`. */
  readonly side?: Side;
  /** Default: the contract's name. */
  readonly title?: string;
  /** Absent: none. */
  readonly description?: string;
  /**
   * Server Objects of AsyncAPI by name, as in `{ production: { host: "desk.example:7000", protocol:
   * "tls" } }`. Absent: none.
   */
  readonly servers?: Readonly<
    Record<
      string,
      { readonly host: string; readonly protocol: string; readonly [member: string]: unknown }
    >
  >;
}

/** An AsyncAPI 3.0 document: plain JSON. */
export interface AsyncApiDocument {
  readonly asyncapi: "3.0.0";
  readonly info: Readonly<Record<string, unknown>>;
  readonly servers?: Readonly<Record<string, unknown>>;
  readonly defaultContentType: "application/json";
  readonly channels: Readonly<Record<string, unknown>>;
  readonly operations: Readonly<Record<string, unknown>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

/**
 * Describe a contract, or what `contractSchema()` made of one, as an AsyncAPI 3.0 document.
 *
 * Each message is a channel with its name as the address. A request is an operation with a reply:
 * its output, or one of its named errors as FAIL carries them (PROTOCOL.md). A stream likewise,
 * with its items as the reply; what its opener sends is an operation of its own. What AsyncAPI has
 * no word for (delivery, digests) is in `x-hawser`. Schemas are translated to JSON Schema draft 7,
 * AsyncAPI's own; the keywords that it does not have are left out.
 *
 * @throws {TypeError} when it is neither, or an option is not known
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { asyncApi, defineProtocol, type } from "@hawser/protocol";
 *
 * const lamp = defineProtocol({
 *   name: "lamp",
 *   version: 1,
 *   requests: { dim: { input: type<number>() } },
 * });
 * const { channels, operations } = asyncApi(lamp);
 * assert.deepEqual(Object.keys(channels), ["dim"]);
 * assert.deepEqual(Object.keys(operations), ["receive.dim"]);
 * ```
 */
export function asyncApi(
  contract: ContractSchema | Protocol,
  options: AsyncApiOptions = {},
): AsyncApiDocument {
  checkOptions("asyncApi()", options, ["side", "title", "description", "servers"]);
  const { side = "server", title, description, servers } = options;
  const { name, version, accepts, fingerprint, messages } =
    "format" in contract ? checkFormat(contract) : contractSchema(contract);
  const parts: Parts = { side, channels: new Map(), operations: new Map(), schemas: new Map() };
  for (const message of messages) addMessage(parts, message);
  return {
    asyncapi: "3.0.0",
    info: {
      title: title ?? name,
      version: String(version),
      ...(description === undefined ? {} : { description }),
      "x-hawser": { name, accepts, fingerprint },
    },
    ...(servers === undefined ? {} : { servers }),
    defaultContentType: "application/json",
    channels: Object.fromEntries(parts.channels),
    operations: Object.fromEntries(parts.operations),
    components: { schemas: Object.fromEntries(parts.schemas) },
  };
}

function checkFormat(document: ContractSchema): ContractSchema {
  const format: string = document.format; // it may come from elsewhere
  if (format === CONTRACT_FORMAT) return document;
  throw new TypeError(
    `asyncApi() takes a contract, or a document of the format "${CONTRACT_FORMAT}", got the ` +
      `format ${describeValue(format)}`,
  );
}

/** The document as it grows. */
interface Parts {
  readonly side: Side;
  readonly channels: Map<string, unknown>;
  readonly operations: Map<string, unknown>;
  readonly schemas: Map<string, unknown>;
}

function addMessage({ side, channels, operations, schemas }: Parts, message: MessageSchema): void {
  const { name, type, from, codec, digest } = message;
  const key = freeKey(channels, name);
  const channel = { $ref: `#/channels/${key}` };
  const messages = new Map<string, unknown>();
  const define = (part: string, schema: JsonSchemaDocument): object => ({
    $ref: addSchema(schemas, `${key}.${part}`, schema),
  });
  const add = (part: string, payload: object | null, contentType: string): object => {
    messages.set(part, {
      name: `${name}.${part}`,
      contentType,
      ...(payload === null ? {} : { payload }),
    });
    return { $ref: `${channel.$ref}/messages/${part}` };
  };
  const addValue = (part: string, schema: JsonSchemaDocument): object =>
    add(
      part,
      schema === false ? null : define(part, schema),
      contentTypes.get(codec) ?? "application/octet-stream",
    );

  const opening =
    message.type === "event"
      ? addValue("payload", message.payload)
      : addValue("input", message.input);
  const answers: object[] = [];
  if (message.type === "request") answers.push(addValue("output", message.output));
  if (message.type === "stream" && message.item !== false)
    answers.push(addValue("item", message.item));
  if (message.type !== "event") {
    for (const [error, schema] of Object.entries(message.errors)) {
      const part = freeKey(messages, `error.${error}`);
      answers.push(add(part, failure(error, define(part, schema)), "application/json"));
    }
  }
  const sent =
    message.type === "stream" && message.send !== false ? addValue("send", message.send) : null;

  const event = message.type === "event" ? { delivery: message.delivery, lane: message.lane } : {};
  channels.set(key, {
    address: name,
    messages: Object.fromEntries(messages),
    "x-hawser": { type, from, codec, digest, ...event },
  });
  for (const action of actions(side, from)) {
    const reply = answers.length === 0 ? {} : { reply: { channel, messages: answers } };
    operations.set(freeKey(operations, `${action}.${key}`), {
      action,
      channel,
      messages: [opening],
      ...reply,
    });
    if (sent !== null)
      operations.set(freeKey(operations, `${action}.${key}.send`), {
        action,
        channel,
        messages: [sent],
      });
  }
}

/** The action of a side at the opening of a message. */
function actions(side: Side, from: MessageSchema["from"]): readonly ("receive" | "send")[] {
  if (from === "both") return ["receive", "send"];
  return from === side ? ["send"] : ["receive"];
}

/** A key that is not taken, of the characters that AsyncAPI lets keys have. */
function freeKey(taken: ReadonlyMap<string, unknown>, name: string): string {
  const wanted = name.replace(/[^\w.-]/g, "_");
  let key = wanted;
  for (let count = 2; taken.has(key); count++) key = `${wanted}_${String(count)}`;
  return key;
}

/** Add a schema under a key that is like `wanted`. Returns the pointer to it. */
function addSchema(
  schemas: Map<string, unknown>,
  wanted: string,
  schema: JsonSchemaDocument,
): string {
  const key = freeKey(schemas, wanted);
  const pointer = `#/components/schemas/${key}`;
  schemas.set(key, draft07(schema, pointer));
  return pointer;
}

/** The codecs whose media type has a name. */
const contentTypes: ReadonlyMap<string, string> = new Map([
  ["json", "application/json"],
  ["text", "text/plain; charset=utf-8"],
  ["bytes", "application/octet-stream"],
  ["msgpack", "application/msgpack"],
  ["cbor", "application/cbor"],
]);

/** The JSON of a FAIL with an error of the contract (PROTOCOL.md, errors). */
function failure(name: string, payload: object): object {
  return {
    type: "object",
    properties: {
      code: { const: "NAMED" },
      message: { type: "string" },
      name: { const: name },
      payload,
    },
    required: ["code", "message", "name"],
  };
}
