/**
 * Descriptions: a contract as text for people, equal for equal contracts, so that a review or a
 * snapshot shows what a change changes. Owns the listing and how a shape reads. Must not know what
 * the wire does with it.
 *
 * @module
 */
import type { Check } from "./check.ts";
import { checkProtocol, type Protocol } from "./contract.ts";
import type { MessageEntry } from "./message.ts";

/**
 * List a contract: each message with who may open it, its codec, and what it carries.
 *
 * Shapes are shortened for reading; the digests and the fingerprint tell what the listing does not.
 * Not to be parsed.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { defineProtocol, describeProtocol } from "@hawser/protocol";
 *
 * const lamp = defineProtocol({ name: "lamp", version: 1, requests: { toggle: {} } });
 * assert.equal(describeProtocol(lamp), `lamp version 1, fingerprint ${lamp.fingerprint}
 *
 * request toggle, from client, json, digest ${lamp.find("toggle")?.digest}
 *   input: nothing
 *   output: nothing
 * `);
 * ```
 */
export function describeProtocol(protocol: Protocol): string {
  checkProtocol("describeProtocol()", protocol);
  const { name, version, accepts, fingerprint, messages } = protocol;
  const others = accepts[0] === accepts[1] ? "" : `, accepts ${accepts[0]} to ${accepts[1]}`;
  return [
    `${name} version ${version}${others}, fingerprint ${fingerprint}\n`,
    ...messages.map(describeMessage),
  ].join("\n");
}

function describeMessage(entry: MessageEntry): string {
  const { name, type, from, codec, delivery, lane, digest, input, output, item, send, errors } =
    entry;
  const head = [
    `${type} ${name}`,
    `from ${from}`,
    ...(type === "event" ? [delivery] : []),
    ...(lane === null
      ? []
      : [lane.name === null ? "lane by payload" : `lane ${JSON.stringify(lane.name)}`]),
    codec.name,
    `digest ${digest || "unknown"}`,
  ];
  const parts: [string, Check][] = [[type === "event" ? "payload" : "input", input]];
  if (type === "request") parts.push(["output", output]);
  if (type === "stream") parts.push(["item", item]);
  if (send !== null) parts.push(["send", send]);
  for (const [error, check] of errors) parts.push([`error ${error}`, check]);
  return [
    head.join(", "),
    ...parts.map(([part, check]) => `  ${part}: ${describeCheck(check)}`),
    "",
  ].join("\n");
}

function describeCheck({ kind, shape }: Check): string {
  if (kind === "nothing") return "nothing";
  if (kind === "unchecked") return "anything, by type()";
  if (shape === "") return "what its schema takes, of unknown shape";
  const schema: unknown = JSON.parse(shape); // canonical JSON of an object: shape.ts
  const definitions =
    isObject(schema) && isObject(schema["$defs"]) ? Object.entries(schema["$defs"]) : [];
  return [
    describeShape(schema, "  "),
    ...definitions.map(
      ([name, definition]) => `    #${name}: ${describeShape(definition, "    ")}`,
    ),
  ].join("\n");
}

const LINE = 96;

/** A shape in the manner of a TypeScript type, with the limits behind it in brackets. */
function describeShape(schema: unknown, indent: string): string {
  if (!isObject(schema)) return schema === false ? "nothing" : "anything";
  const { type, ...rest } = schema;
  const kind = describeKind(type, rest, indent);
  const limits = Object.entries(rest)
    .filter(([keyword, value]) => !kind.told.includes(keyword) && !isObvious(keyword, value, rest))
    .map(([keyword, value]) => `${keyword} ${JSON.stringify(value)}`);
  return limits.length === 0 ? kind.text : `${kind.text} (${limits.join(", ")})`;
}

/** What a shape is at its root, and the keywords that this tells. */
function describeKind(
  type: unknown,
  rest: Readonly<Record<string, unknown>>,
  indent: string,
): { readonly text: string; readonly told: readonly string[] } {
  const { $ref, anyOf, oneOf, allOf, properties, items, prefixItems } = rest;
  const several = (list: readonly unknown[], joint: string): string =>
    list.map((one) => describeShape(one, indent)).join(joint);
  if (typeof $ref === "string")
    return {
      text: $ref === "#" ? "itself" : `#${$ref.slice($ref.lastIndexOf("/") + 1)}`,
      told: ["$ref"],
    };
  if ("const" in rest) return { text: JSON.stringify(rest["const"]), told: ["const"] };
  if (Array.isArray(rest["enum"]))
    return { text: rest["enum"].map((value) => JSON.stringify(value)).join(" | "), told: ["enum"] };
  if (Array.isArray(anyOf)) return { text: several(anyOf, " | "), told: ["anyOf"] };
  if (Array.isArray(oneOf)) return { text: several(oneOf, " | "), told: ["oneOf"] };
  if (Array.isArray(allOf)) return { text: several(allOf, " & "), told: ["allOf"] };
  if (Array.isArray(prefixItems))
    return {
      text: `[${several(prefixItems, ", ")}${restOf(items, indent)}]`,
      told: ["prefixItems", "items"],
    };
  if (type === "array")
    return {
      text: items === undefined ? "array" : listOf(describeShape(items, indent)),
      told: ["items"],
    };
  if (type === "object" || isObject(properties))
    return {
      text: describeObject(rest, indent),
      told: ["properties", "required", "additionalProperties"],
    };
  return {
    text: Array.isArray(type) ? type.join(" | ") : typeof type === "string" ? type : "anything",
    told: [],
  };
}

function listOf(item: string): string {
  return /^#?[\w$]+(\[\])*$/.test(item) ? `${item}[]` : `(${item})[]`;
}

/** Items behind those that have a place of their own; none where a list ends with these. */
function restOf(items: unknown, indent: string): string {
  return items === undefined || items === false ? "" : `, ...${describeShape(items, indent)}`;
}

function describeObject(
  { properties, required, additionalProperties }: Readonly<Record<string, unknown>>,
  indent: string,
): string {
  const needed: readonly unknown[] = Array.isArray(required) ? required : [];
  const inside = `${indent}  `;
  const members = Object.entries(isObject(properties) ? properties : {}).map(([name, member]) => {
    const key = /^[\w$]+$/.test(name) ? name : JSON.stringify(name);
    return `${key}${needed.includes(name) ? "" : "?"}: ${describeShape(member, inside)}`;
  });
  if (isObject(additionalProperties) || additionalProperties === true)
    members.push(`[name]: ${describeShape(additionalProperties, inside)}`);
  if (members.length === 0) return additionalProperties === false ? "{}" : "object";
  const line = `{ ${members.join(", ")} }`;
  return line.length + indent.length <= LINE && !line.includes("\n")
    ? line
    : `{\n${members.map((member) => `${inside}${member},\n`).join("")}${indent}}`;
}

/**
 * True if a limit tells a reader nothing new: the range of whole numbers, the pattern of a named
 * format, definitions that stand below.
 */
function isObvious(
  keyword: string,
  value: unknown,
  rest: Readonly<Record<string, unknown>>,
): boolean {
  if (keyword === "pattern") return "format" in rest;
  if (keyword === "$defs") return true;
  return (
    (keyword === "minimum" && value === Number.MIN_SAFE_INTEGER) ||
    (keyword === "maximum" && value === Number.MAX_SAFE_INTEGER)
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
