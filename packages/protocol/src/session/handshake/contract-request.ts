/**
 * `$contract`: the one request that no contract names. Its result is the server's contract as data,
 * where the server offers that (PROTOCOL.md §3, the feature `contract`). Owns its number, its two
 * ends' entries, and the text that is sent. Must not know conversations.
 *
 * @module
 */
import { compile, nothing } from "../../contract/check.ts";
import { bytes, json } from "../../codec/codec.ts";
import { CONTRACT_FORMAT, contractSchema } from "../../contract/contract-schema.ts";
import type { MessageEntry, Protocol } from "../../contract/contract.ts";
import { type Schema, type } from "../../contract/schema.ts";
import { utf8Encode } from "../../bytes/utf8-write.ts";

/** The feature's name in greetings. */
export const CONTRACT_FEATURE = "contract";

/**
 * The name's number on the wire: lists have at most 65 535 messages, so that none of them has it.
 */
export const CONTRACT_NAME = 0xffff;

const document: Schema = Object.freeze({
  "~standard": Object.freeze({
    version: 1,
    vendor: "hawser-contract",
    validate: (value: unknown) =>
      typeof value === "object" &&
      value !== null &&
      "format" in value &&
      value.format === CONTRACT_FORMAT
        ? { value }
        : { issues: [{ message: `expected a document of the format ${CONTRACT_FORMAT}` }] },
  } as const),
});

/** The request as a client opens it, with `open` of a session whose `features` have `contract`. */
export const contractRequest: MessageEntry = Object.freeze({
  index: CONTRACT_NAME,
  name: "$contract",
  type: "request",
  from: "client",
  codec: json(),
  delivery: "at-most-once",
  lane: null,
  input: nothing,
  output: compile(document),
  item: nothing,
  send: null,
  hasItems: false,
  errors: new Map(),
  digest: "",
});

/**
 * The request as a server answers it: the document is encoded once, since a client may ask again
 * and again.
 */
export class OfferedContract {
  readonly entry: MessageEntry = Object.freeze({
    ...contractRequest,
    codec: bytes(),
    output: compile(type()),
  });
  readonly #contract: Protocol;
  #text: Uint8Array | null = null;

  constructor(contract: Protocol) {
    this.#contract = contract;
  }

  /** The document's JSON in UTF-8. */
  get text(): Uint8Array {
    return (this.#text ??= utf8Encode(JSON.stringify(contractSchema(this.#contract))));
  }
}
