/**
 * Contracts: the named conversations that two programs share, as both ends and the handshake see
 * them. Owns the list of messages and its order (PROTOCOL.md §2 `name`, §3 `messages`). Must not
 * know sessions, sockets or handlers; what a side sees of a contract's types is in views.ts.
 *
 * @module
 */
import { describeValue } from "../arguments.ts";
import { json } from "../codec/codec.ts";
import { fnv1a64 } from "./fnv.ts";
import type { Jsonable } from "../codec/json-text.ts";
import {
  checkMembers,
  checkName,
  type EventDefinition,
  makeEntry,
  type MessageEntry,
  type MessageType,
  quote,
  type RequestDefinition,
  type StreamDefinition,
  wrong,
} from "./message.ts";

export type { MessageEntry, Side } from "./message.ts";

/**
 * The definition for {@link defineProtocol}. A name stands for one message, whichever section it is
 * in.
 */
export interface ProtocolDefinition {
  readonly name: string;
  /** A whole number from 1; raise it with each change of the messages. */
  readonly version: number;
  /**
   * The versions of the other end that this one can talk with; where the two differ, the end with
   * the higher one decides. Default: its own alone.
   */
  readonly accepts?: readonly [lowest: number, highest: number];
  readonly requests?: Readonly<Record<string, RequestDefinition>>;
  readonly streams?: Readonly<Record<string, StreamDefinition>>;
  readonly events?: Readonly<Record<string, EventDefinition>>;
}

/** A contract: a frozen value without state, shared by every session. */
export interface Protocol<D extends ProtocolDefinition = ProtocolDefinition> {
  /** The definition that it was made of; the compiler finds names and types here. */
  readonly definition: D;
  readonly name: string;
  readonly version: number;
  readonly accepts: readonly [lowest: number, highest: number];
  /** Sorted by type, then name. */
  readonly messages: readonly MessageEntry[];
  /**
   * 16 hexadecimal digits over the list of messages: equal on both ends where these are, as far as
   * the schemas can tell (PROTOCOL.md §3).
   */
  readonly fingerprint: string;
  /** The message of a name, or undefined; safe for names that a peer chose. */
  find(name: string): MessageEntry | undefined;
}

/**
 * Agree on a contract: the value that `createServer()` and `connect()` take, and that both ends'
 * types come from.
 *
 * The definition must not change afterwards.
 *
 * Limits: 65 535 messages; names of 1 to 128 bytes
 * Source: PROTOCOL.md §3
 *
 * @throws {TypeError} when the definition is not one: a member that is not known, a name that is
 *   used twice or can't be used, no schema where one belongs
 * @throws {RangeError} when a version is not a whole number from 1, `accepts` is without `version`,
 *   a name is empty or too long, there are too many messages
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { defineProtocol, type } from "@hawser/protocol";
 *
 * const desk = defineProtocol({
 *   name: "desk",
 *   version: 1,
 *   requests: {
 *     "ticket.get": {
 *       input: type<{ id: number }>(),
 *       output: type<{ id: number; title: string }>(),
 *     },
 *   },
 *   events: { typing: { payload: type<{ who: string }>() } },
 * });
 * assert.deepEqual(
 *   desk.messages.map(({ type, name }) => `${type} ${name}`),
 *   ["event typing", "request ticket.get"],
 * );
 * assert.equal(desk.find("toString"), undefined);
 * ```
 */
export function defineProtocol<const D extends ProtocolDefinition>(
  definition: D & OnlyJson<D> & OnlyMembers<D>,
): Protocol<D> {
  checkMembers("the protocol", definition, [
    "name",
    "version",
    "accepts",
    "requests",
    "streams",
    "events",
  ]);
  return makeProtocol(definition, null);
}

/**
 * Make a contract of a definition whose members are known ones; of these messages, where their list
 * is given.
 *
 * @throws {TypeError} as `defineProtocol()`
 * @throws {RangeError} as `defineProtocol()`
 */
export function makeProtocol<const D extends ProtocolDefinition>(
  definition: D,
  given: readonly MessageEntry[] | null,
): Protocol<D> {
  const { name, version } = definition;
  const what = `protocol ${quote(name)}`;
  checkName(what, name);
  checkVersion(what, "version", version);
  const accepts = checkAccepts(what, version, definition.accepts);
  const messages = given === null ? makeEntries(what, definition) : checkEntries(what, given);
  const byName = new Map(messages.map((entry) => [entry.name, entry]));
  const fingerprint = fingerprintOf(listMessages(messages));
  return Object.freeze({
    definition,
    name,
    version,
    accepts,
    messages,
    fingerprint,
    find: (sought: string) => byName.get(sought),
  });
}

/** A message as a list on the wire has it (PROTOCOL.md §3). */
export type ListedMessage = readonly [name: string, type: string, codec: string, digest: string];

/** The list of messages as it is told on the wire. */
export function listMessages(messages: readonly MessageEntry[]): readonly ListedMessage[] {
  return messages.map(({ name, type, codec, digest }) => [name, type, codec.name, digest]);
}

/** The fingerprint of a list of messages (PROTOCOL.md §3). */
export function fingerprintOf(list: readonly ListedMessage[]): string {
  return fnv1a64(list.map((message) => `${message.join("\0")}\n`).join(""));
}

/**
 * Check that a caller's value is a contract. `what` is the function that takes it.
 *
 * @throws {TypeError} when it is not
 */
export function checkProtocol(what: string, value: unknown): asserts value is Protocol {
  const { definition, messages, find } = (
    typeof value === "object" && value !== null ? value : {}
  ) as Partial<Protocol>; // looked at before it is believed
  if (definition !== undefined && Array.isArray(messages) && typeof find === "function") return;
  throw new TypeError(
    `${what} takes a contract, got ${describeValue(value)}: make one with defineProtocol()`,
  );
}

/**
 * Makes a misspelled member of a definition an error where it stands: nothing fits the text that is
 * its type.
 */
export type OnlyMembers<D extends ProtocolDefinition> = NoOthers<D, keyof ProtocolDefinition> & {
  readonly requests?: {
    readonly [N in keyof D["requests"]]: NoOthers<D["requests"][N], keyof RequestDefinition>;
  };
  readonly streams?: {
    readonly [N in keyof D["streams"]]: NoOthers<D["streams"][N], keyof StreamDefinition>;
  };
  readonly events?: {
    readonly [N in keyof D["events"]]: NoOthers<D["events"][N], keyof EventDefinition>;
  };
};

type NoOthers<T, Known> = {
  readonly [K in keyof T as K extends Known ? never : K]: `${K & string} is no member`;
};

/**
 * Makes a `type<T>()` that JSON does not carry as it is an error where it stands, in messages whose
 * codec is json(): the receiver would get something else than its type says. A schema of a library
 * is not looked at: it refuses what arrives.
 */
export interface OnlyJson<D extends ProtocolDefinition> {
  readonly requests?: { readonly [N in keyof D["requests"]]: JsonMembers<D["requests"][N]> };
  readonly streams?: { readonly [N in keyof D["streams"]]: JsonMembers<D["streams"][N]> };
  readonly events?: { readonly [N in keyof D["events"]]: JsonMembers<D["events"][N]> };
}

type JsonMembers<M> = M extends { readonly codec: infer C }
  ? IsJson<C> extends true
    ? JsonSchemas<M>
    : unknown
  : JsonSchemas<M>;

type IsJson<C> = [C] extends [never]
  ? false
  : [C] extends [{ readonly name: "json" }]
    ? true
    : false;

type JsonSchemas<M> = {
  readonly [K in keyof M]?: K extends "errors"
    ? { readonly [E in keyof M[K]]: JsonSchema<M[K][E]> }
    : JsonSchema<M[K]>;
};

type JsonSchema<S> = S extends {
  readonly "~standard": {
    readonly vendor: "hawser";
    readonly types?: { readonly input: infer T } | undefined;
  };
}
  ? [T] extends [Jsonable<T>]
    ? unknown
    : "JSON does not carry this type as it is: use another codec, or the type that arrives"
  : unknown;

const MAX_MESSAGES = 65_535;

function makeEntries(what: string, definition: ProtocolDefinition): readonly MessageEntry[] {
  const { events, requests, streams } = definition;
  const found = [
    ...list(what, "event", events),
    ...list(what, "request", requests),
    ...list(what, "stream", streams),
  ];
  checkNames(what, found);
  const common = json();
  return Object.freeze(
    found.map(([type, name, message], index) => makeEntry(index, type, name, message, common)),
  );
}

function checkEntries(what: string, entries: readonly MessageEntry[]): readonly MessageEntry[] {
  checkNames(
    what,
    entries.map(({ type, name }) => [type, name]),
  );
  return Object.freeze(entries);
}

function checkNames(
  what: string,
  found: readonly (readonly [MessageType, string, ...unknown[]])[],
): void {
  if (found.length > MAX_MESSAGES)
    throw new RangeError(
      `Cannot define ${what}: it has ${found.length} messages; use at most ${MAX_MESSAGES}`,
    );
  const types = new Map<string, MessageType>();
  for (const [type, name] of found) {
    const other = types.get(name);
    if (other === type)
      throw wrong(what, `${quote(name)} is there twice; a name stands for one message`);
    if (other !== undefined)
      throw wrong(
        what,
        `${quote(name)} is both ${article(other)} and ${article(type)}; a name stands for one ` +
          "message",
      );
    types.set(name, type);
  }
}

/** A section's messages, sorted by the UTF-16 of their names. */
function list<M>(
  what: string,
  type: MessageType,
  section: Readonly<Record<string, M>> | undefined,
): [MessageType, string, M][] {
  if (section === undefined) return [];
  checkMembers(`the ${type}s of ${what}`, section, null);
  return Object.entries(section)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, message]) => [type, name, message]);
}

function checkVersion(what: string, member: string, value: unknown): void {
  if (typeof value !== "number")
    throw wrong(what, `its ${member} is ${quote(value)}; use a whole number from 1`);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new RangeError(
      `Cannot define ${what}: its ${member} is ${value}; use a whole number from 1`,
    );
}

function checkAccepts(what: string, version: number, accepts: unknown): readonly [number, number] {
  if (accepts === undefined) return Object.freeze([version, version] as const);
  if (!Array.isArray(accepts) || accepts.length !== 2)
    throw wrong(what, "its accepts is not a pair; use [lowest, highest] version");
  const [lowest, highest] = accepts as [number, number]; // checked below
  checkVersion(what, "lowest accepted version", lowest);
  checkVersion(what, "highest accepted version", highest);
  if (version < lowest || version > highest) {
    throw new RangeError(
      `Cannot define ${what}: it accepts versions ${lowest} to ${highest}, but its own is ` +
        `${version}, which must lie within`,
    );
  }
  return Object.freeze([lowest, highest] as const);
}

function article(type: MessageType): string {
  return type === "event" ? "an event" : `a ${type}`;
}
