/**
 * Contracts as data: one JSON document for each contract, for other languages, command lines and
 * registries. Owns the document's form. Must not know how a contract is read back
 * (protocol-from-schema.ts), or what else is made of one (async-api.ts).
 *
 * @module
 */
import { checkProtocol, type Protocol, type ProtocolDefinition } from "./contract.ts";
import type { Delivery, ErrorSchemas, MessageEntry, MessageType, Opener } from "./message.ts";
import type { Schema } from "./schema.ts";
import { annotatedShapeOf } from "./shape.ts";

/** The value of `format` in each document of this form. */
export const CONTRACT_FORMAT = "hawser-contract/1";

/**
 * A JSON Schema 2020-12, a document of its own: `#` in its references is its own root, and its
 * definitions are under `$defs`.
 *
 * `false`: no value belongs here. `true`: any value, or the shape is not known.
 */
export type JsonSchemaDocument = Readonly<Record<string, unknown>> | boolean;

/**
 * Where an event is ordered: null, with all others; or in a lane by name, or in one for each key of
 * the payload.
 */
export type LaneSchema = { readonly keyed: true } | { readonly name: string } | null;

/** Members of each message of a {@link ContractSchema}. */
interface AnyMessageSchema {
  readonly name: string;
  readonly type: MessageType;
  /** The side that may open or emit it. */
  readonly from: Opener;
  /** The codec's name, as in `"json"`. */
  readonly codec: string;
  /** As in the handshake: 16 hexadecimal digits, or `""` where a shape is not known. */
  readonly digest: string;
}

/** An event of a {@link ContractSchema}. */
export interface EventSchema extends AnyMessageSchema {
  readonly type: "event";
  readonly delivery: Delivery;
  readonly lane: LaneSchema;
  readonly payload: JsonSchemaDocument;
}

/** A request of a {@link ContractSchema}. */
export interface RequestSchema extends AnyMessageSchema {
  readonly type: "request";
  readonly input: JsonSchemaDocument;
  readonly output: JsonSchemaDocument;
  /** The payloads of named errors. */
  readonly errors: Readonly<Record<string, JsonSchemaDocument>>;
}

/** A stream of a {@link ContractSchema}. */
export interface StreamSchema extends AnyMessageSchema {
  readonly type: "stream";
  readonly input: JsonSchemaDocument;
  /** Items of the responder; `false`: none. */
  readonly item: JsonSchemaDocument;
  /** Items of the opener; `false`: none. */
  readonly send: JsonSchemaDocument;
  /** The payloads of named errors. */
  readonly errors: Readonly<Record<string, JsonSchemaDocument>>;
}

/** One message of a {@link ContractSchema}. */
export type MessageSchema = EventSchema | RequestSchema | StreamSchema;

/** A contract as plain data, as {@link contractSchema} makes it. */
export interface ContractSchema {
  readonly format: typeof CONTRACT_FORMAT;
  readonly name: string;
  readonly version: number;
  readonly accepts: readonly [lowest: number, highest: number];
  /** As in the handshake: 16 hexadecimal digits over name, version and messages. */
  readonly fingerprint: string;
  /** In the order of the contract: a message's place here is its number on the wire. */
  readonly messages: readonly MessageSchema[];
}

/**
 * Describe a contract as data: all that another language, or a program without its source, needs to
 * talk with it.
 *
 * The document is plain JSON and equal for equal contracts, member by member and in their order:
 * keep it in a file, and compare it in a test. It tells what crosses the wire (the `input` view of
 * a schema), through Standard JSON Schema where the schema's library has it, with titles,
 * descriptions, defaults and examples.
 *
 * Never throws for what a schema does: a shape that can't be told is `true`.
 *
 * @throws {TypeError} when it is not a contract
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { contractSchema, defineProtocol, type } from "@hawser/protocol";
 *
 * const lamp = defineProtocol({
 *   name: "lamp",
 *   version: 1,
 *   requests: { dim: { input: type<number>() } },
 *   events: { toggled: { from: "server", delivery: "at-least-once" } },
 * });
 * assert.deepEqual(contractSchema(lamp), {
 *   format: "hawser-contract/1",
 *   name: "lamp",
 *   version: 1,
 *   accepts: [1, 1],
 *   fingerprint: lamp.fingerprint,
 *   messages: [
 *     {
 *       name: "toggled",
 *       type: "event",
 *       from: "server",
 *       codec: "json",
 *       digest: lamp.find("toggled")?.digest,
 *       delivery: "at-least-once",
 *       lane: null,
 *       payload: false,
 *     },
 *     {
 *       name: "dim",
 *       type: "request",
 *       from: "client",
 *       codec: "json",
 *       digest: "",
 *       input: true,
 *       output: false,
 *       errors: {},
 *     },
 *   ],
 * });
 * ```
 */
export function contractSchema(contract: Protocol): ContractSchema {
  checkProtocol("contractSchema()", contract);
  const { name, version, accepts, fingerprint, messages, definition } = contract;
  return {
    format: CONTRACT_FORMAT,
    name,
    version,
    accepts: [accepts[0], accepts[1]],
    fingerprint,
    messages: messages.map((entry) => messageSchema(entry, definition)),
  };
}

function messageSchema(entry: MessageEntry, definition: ProtocolDefinition): MessageSchema {
  const { name, from, codec, digest } = entry;
  if (entry.type === "event") {
    const { payload } = definition.events?.[name] ?? {};
    return {
      name,
      type: "event",
      from,
      codec: codec.name,
      digest,
      delivery: entry.delivery,
      lane: laneSchema(entry),
      payload: jsonSchema(payload),
    };
  }
  if (entry.type === "request") {
    const { input, output, errors } = definition.requests?.[name] ?? {};
    return {
      name,
      type: "request",
      from,
      codec: codec.name,
      digest,
      input: jsonSchema(input),
      output: jsonSchema(output),
      errors: errorSchemas(errors),
    };
  }
  const { input, item, send, errors } = definition.streams?.[name] ?? {};
  return {
    name,
    type: "stream",
    from,
    codec: codec.name,
    digest,
    input: jsonSchema(input),
    item: jsonSchema(item),
    send: jsonSchema(send),
    errors: errorSchemas(errors),
  };
}

function laneSchema({ lane }: MessageEntry): LaneSchema {
  if (lane === null) return null;
  return lane.name === null ? { keyed: true } : { name: lane.name };
}

function errorSchemas(
  errors: ErrorSchemas | undefined,
): Readonly<Record<string, JsonSchemaDocument>> {
  const sorted = Object.entries(errors ?? {}).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, schema]) => [name, jsonSchema(schema)]));
}

function jsonSchema(schema: Schema | undefined): JsonSchemaDocument {
  if (schema === undefined) return false;
  const shape = annotatedShapeOf(schema);
  // a shape is the text of an object
  return shape === "" ? true : (JSON.parse(shape) as JsonSchemaDocument);
}
