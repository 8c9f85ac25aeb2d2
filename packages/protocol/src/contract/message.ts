/**
 * Messages: one named conversation of a contract, as it is defined and as the engine uses it. Owns
 * what the definition of a request, stream or event may hold, and its digest (PROTOCOL.md §3). Must
 * not know the other messages.
 *
 * @module
 */
import { nearestName } from "../arguments.ts";
import { type Check, compile, nothing } from "./check.ts";
import { type Codec, flawOfCodec } from "../codec/codec.ts";
import { fnv1a64 } from "./fnv.ts";
import { type LaneOption, type LaneRule, makeLane } from "./lane.ts";
import { isSchema, type Schema } from "./schema.ts";
import { utf8Encode } from "../bytes/utf8-write.ts";

/** One end of a session: the client made the connection. */
export type Side = "client" | "server";

/** The side that may open a conversation, or emit an event. */
export type Opener = Side | "both";

/**
 * Whether an event is numbered, acknowledged and replayed (`"at-least-once"`), or sent and
 * forgotten.
 */
export type Delivery = "at-least-once" | "at-most-once";

/** Schemas of payloads by the name of their error. */
export type ErrorSchemas = Readonly<Record<string, Schema>>;

/** A conversation of one question and one answer. */
export interface RequestDefinition {
  /** The input. Absent: none. */
  readonly input?: Schema;
  /** The answer. Absent: none. */
  readonly output?: Schema;
  /** Errors that the handler may fail with, by name. */
  readonly errors?: ErrorSchemas;
  /** Default `"client"`. */
  readonly from?: Opener;
  /** Default `json()`. */
  readonly codec?: Codec<unknown>;
}

/** A conversation of many items: from the responder, from the opener, or both. */
export interface StreamDefinition {
  /** The input. Absent: none. */
  readonly input?: Schema;
  /** Items of the responder. Absent: none, only its end. */
  readonly item?: Schema;
  /** Items that the opener sends after the input. Absent: none. */
  readonly send?: Schema;
  /** Errors that the handler may fail with, by name. */
  readonly errors?: ErrorSchemas;
  /** Default `"client"`. */
  readonly from?: Opener;
  /** Default `json()`. */
  readonly codec?: Codec<unknown>;
}

/** Something told, without an answer. */
export interface EventDefinition {
  /** The payload. Absent: none, only that it happened. */
  readonly payload?: Schema;
  /** Default `"at-most-once"`. */
  readonly delivery?: Delivery;
  /**
   * Events of one lane are handled one after the other, in the order in which they were emitted;
   * those of two lanes independently, so that a slow handler holds up its own lane alone. A name,
   * or a function that makes a key of the payload: `({ orderId }) => orderId`. Default: the common
   * lane, which all events without this share. The sender alone needs it: the two ends may differ
   * in it.
   */
  readonly lane?: LaneOption;
  /** Default `"both"`. */
  readonly from?: Opener;
  /** Default `json()`. */
  readonly codec?: Codec<unknown>;
}

/** The kind of a message. */
export type MessageType = "event" | "request" | "stream";

/** One message of a contract, ready for use: what the engine looks at for each frame. */
export interface MessageEntry {
  /** The place in the contract's `messages`: the name's number in what this side sends. */
  readonly index: number;
  readonly name: string;
  readonly type: MessageType;
  readonly from: Opener;
  readonly codec: Codec<unknown>;
  /** Of an event; `"at-most-once"` for the others. */
  readonly delivery: Delivery;
  /** Of an event that is not ordered with all others; else null. */
  readonly lane: LaneRule | null;
  /** Of the input of a request or stream, of the payload of an event. */
  readonly input: Check;
  /** Of a request's answer; of nothing for the others. */
  readonly output: Check;
  /** Of the items from the responder; of nothing for requests, events and streams without. */
  readonly item: Check;
  /** Of the items from the opener; null: it sends none. */
  readonly send: Check | null;
  /** True if the responder sends items: a stream with `item`. */
  readonly hasItems: boolean;
  /** Of the payloads of named errors. */
  readonly errors: ReadonlyMap<string, Check>;
  /**
   * 16 hexadecimal digits that stand for the message's shape; `""` when a schema can't tell its
   * own.
   */
  readonly digest: string;
}

/** All that a definition of any type may hold. */
type AnyDefinition = EventDefinition & RequestDefinition & StreamDefinition;

const members: Readonly<Record<MessageType, readonly (keyof AnyDefinition)[]>> = Object.freeze({
  event: ["payload", "delivery", "lane", "from", "codec"],
  request: ["input", "output", "errors", "from", "codec"],
  stream: ["input", "item", "send", "errors", "from", "codec"],
});

const openers: readonly unknown[] = ["client", "server", "both"];
const deliveries: readonly unknown[] = ["at-most-once", "at-least-once"];

/**
 * Make a definition ready for use.
 *
 * @throws {TypeError} when the definition is not one
 * @throws {RangeError} when a name is too short or too long
 */
export function makeEntry(
  index: number,
  type: MessageType,
  name: string,
  definition: AnyDefinition,
  common: Codec<unknown>,
): MessageEntry {
  const what = `${type} ${quote(name)}`;
  checkName(what, name, type);
  checkMembers(what, definition, members[type]);
  const {
    from = type === "event" ? "both" : "client",
    delivery = "at-most-once",
    codec = common,
  } = definition;
  if (!openers.includes(from))
    throw wrong(what, `its from is ${quote(from)}; use "client", "server" or "both"`);
  if (!deliveries.includes(delivery))
    throw wrong(what, `its delivery is ${quote(delivery)}; use "at-most-once" or "at-least-once"`);
  checkCodec(what, codec);
  const lane = laneOf(what, name, definition.lane);
  const checks = {
    input: check(what, type === "event" ? "payload" : "input", definition),
    output: check(what, "output", definition),
    item: check(what, "item", definition),
    send: definition.send === undefined ? null : check(what, "send", definition),
    errors: errorChecks(what, definition.errors),
  };
  return Object.freeze({
    index,
    name,
    type,
    from,
    codec,
    delivery,
    lane,
    ...checks,
    hasItems: definition.item !== undefined,
    digest: digestOf([type, codec.name, delivery, from], checks),
  });
}

/**
 * Check that both ends can use a name: 1 to 128 bytes of UTF-8, no control characters, and no
 * member of every object. It does not begin with `$`, except for events that begin with `$/`: the
 * Language Server Protocol has such notifications.
 *
 * @throws {TypeError} when they can't, and no other length would help
 * @throws {RangeError} when it is empty or too long
 */
export function checkName(what: string, name: unknown, type: MessageType | null = null): void {
  if (typeof name !== "string")
    throw wrong(what, `its name is of type ${typeof name}; use a string`);
  if (name === "")
    throw new RangeError(
      `Cannot define ${what}: its name is empty; use 1 to ${MAX_NAME_BYTES} bytes`,
    );
  const { length } = utf8Encode(name);
  if (length > MAX_NAME_BYTES)
    throw new RangeError(
      `Cannot define ${what}: its name has ${length} bytes; use at most ${MAX_NAME_BYTES}`,
    );
  if (/[\p{Cc}\p{Cs}]/u.test(name))
    throw wrong(what, "its name has a control character or half a character; take it out");
  if (name.startsWith("$") && !(type === "event" && name.startsWith("$/")))
    throw wrong(what, "names that begin with $ are kept for Hawser; choose another");
  if (name in Object.prototype)
    throw wrong(
      what,
      "every object has a member of that name, which handlers would be taken from; choose another",
    );
}

const MAX_NAME_BYTES = 128;

/**
 * True if a value is a plain object with no members but these.
 *
 * @throws {TypeError} when it is not
 */
export function checkMembers(
  what: string,
  value: unknown,
  allowed: readonly string[] | null,
): void {
  const [first] = allowed ?? [];
  if (isSchema(value))
    throw wrong(
      what,
      "it is a schema, where an object is " +
        `wanted${first === undefined ? "" : `; write { ${first}: … }`}`,
    );
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const noun =
      value === null
        ? "null"
        : Array.isArray(value)
          ? "an array"
          : `a value of type ${typeof value}`;
    throw wrong(what, `it is ${noun}; use an object`);
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw wrong(
      what,
      "it is not a plain object: it has a class, or a member __proto__; use an object literal " +
        "without",
    );
  }
  for (const member of Reflect.ownKeys(value)) {
    if (typeof member === "symbol")
      throw wrong(what, `it has the member ${String(member)}; use strings`);
    if (allowed !== null && !allowed.includes(member)) throw unknownMember(what, member, allowed);
  }
}

function unknownMember(what: string, member: string, allowed: readonly string[]): TypeError {
  const near = nearestName(member, allowed);
  return wrong(
    what,
    `it has no member ${quote(member)}; it takes ` +
      `${allowed.join(", ")}${near === null ? "" : `; did you mean ${quote(near)}?`}`,
  );
}

/** The error of a definition: says what can't be defined and why. */
export function wrong(what: string, why: string): TypeError {
  return new TypeError(`Cannot define ${what}: ${why}`);
}

/** A value as it stands in an error's text. */
export function quote(value: unknown): string {
  if (typeof value === "string")
    return JSON.stringify(value.length > 160 ? `${value.slice(0, 160)}…` : value);
  return value === null ? "null" : `of type ${typeof value}`;
}

function laneOf(what: string, name: string, option: unknown): LaneRule | null {
  if (option === undefined) return null;
  if (typeof option !== "string" && typeof option !== "function")
    throw wrong(
      what,
      `its lane is ${quote(option)}; use a name, or a function that makes a key of the payload`,
    );
  if (option === "")
    throw wrong(
      what,
      "its lane has an empty name; use another, or leave it out for the common lane",
    );
  return makeLane(name, option as LaneOption); // any function may be called so
}

function checkCodec(what: string, codec: unknown): void {
  const flaw = flawOfCodec(codec);
  if (flaw !== null) throw wrong(what, `its codec ${flaw}`);
}

function check(
  what: string,
  member: "input" | "item" | "output" | "payload" | "send",
  definition: AnyDefinition,
): Check {
  const schema = definition[member];
  return schema === undefined ? nothing : compileSchema(what, member, schema);
}

function compileSchema(what: string, member: string, schema: unknown): Check {
  if (isSchema(schema)) return compile(schema);
  throw wrong(
    what,
    `its ${member} is not a schema; use one of zod, valibot, arktype or another library of ` +
      "Standard Schema v1, or type<T>()",
  );
}

function errorChecks(what: string, errors: ErrorSchemas | undefined): ReadonlyMap<string, Check> {
  const checks = new Map<string, Check>();
  if (errors === undefined) return checks;
  checkMembers(`the errors of ${what}`, errors, null);
  for (const name of Object.keys(errors).sort()) {
    checkName(`the error ${quote(name)} of ${what}`, name);
    checks.set(name, compileSchema(what, `error ${quote(name)}`, errors[name]));
  }
  return checks;
}

function digestOf(
  head: readonly string[],
  {
    input,
    output,
    item,
    send,
    errors,
  }: Pick<MessageEntry, "errors" | "input" | "item" | "output" | "send">,
): string {
  const shapes = [input, output, item, ...(send === null ? [] : [send]), ...errors.values()].map(
    ({ shape }) => shape,
  );
  return shapes.includes("")
    ? ""
    : fnv1a64(JSON.stringify([head, send === null, [...errors.keys()], shapes]));
}
