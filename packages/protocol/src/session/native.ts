/**
 * nativeSessions(): Hawser's own sessions for a contract, PROTOCOL.md version 1.
 * Owns what all sessions of a contract share. Must not know connections.
 *
 * @module
 */
import { BodyEncoder } from "../codec/body.ts";
import {
  checkProtocol,
  type MessageEntry,
  type Protocol,
  type Side,
} from "../contract/contract.ts";
import { HawserError } from "../errors.ts";
import { utf8Encode } from "../bytes/utf8-write.ts";
import { CONTRACT_FEATURE, OfferedContract } from "./handshake/contract-request.ts";
import { invalid } from "./frames/failure.ts";
import { formatRefusalReply, NativeGreeter } from "./handshake/greeter.ts";
import { resolveSessionLimits } from "./limits.ts";
import { encodeValue } from "./link.ts";
import { MAX_LIST_BYTES, OwnList } from "./handshake/message-list.ts";
import { plain } from "./quote.ts";
import { type ChunkReader, NativeSession } from "./session.ts";
import type {
  Greeter,
  PreparedCall,
  PreparedEvent,
  Session,
  SessionKind,
  SessionOptions,
  SessionSink,
} from "./types.ts";

/**
 * Sessions as PROTOCOL.md describes them, for a contract.
 *
 * @throws {TypeError} when it is not a contract
 * @throws {RangeError} when the list of the contract's messages has more than 1 MiB
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { defineProtocol } from "@hawser/protocol";
import { nativeSessions } from "@hawser/protocol/engine";
 *
 * const kind = nativeSessions(defineProtocol({ name: "echo", version: 1, requests: { say: {} } }));
 * const greeting = kind
 *   .greeter({ random: (bytes) => new Uint8Array(bytes) })
 *   .receive(new TextEncoder().encode("GET / HTTP/1.1\r\n"));
 * assert(greeting?.ok === false && greeting.error.code === "NOT_HAWSER");
 * ```
 */
export function nativeSessions(contract: Protocol): SessionKind {
  checkProtocol("nativeSessions()", contract);
  return new NativeSessions(contract);
}

/** What a client can use, and a server that offers its contract. */
const FEATURES: readonly string[] = Object.freeze([CONTRACT_FEATURE]);
const NO_FEATURES: readonly string[] = Object.freeze([]);

class NativeSessions implements SessionKind {
  readonly name = "hawser";
  readonly contract: Protocol;
  readonly #chunked: readonly ChunkReader[];
  readonly #offered: OfferedContract;
  readonly #own: OwnList;

  constructor(contract: Protocol) {
    this.contract = contract;
    this.#offered = new OfferedContract(contract);
    this.#own = new OwnList(contract);
    checkSize(contract, this.#own);
    const chunked = new Set<ChunkReader>();
    for (const { codec } of contract.messages)
      // it has one, as was just seen
      if (codec.chunk !== undefined) chunked.add(codec as ChunkReader);
    this.#chunked = [...chunked];
  }

  greeter({ offerContract = false }: SessionOptions): Greeter {
    return new NativeGreeter(this.contract, this.#own, offerContract ? FEATURES : NO_FEATURES);
  }

  session(
    side: Side,
    { limits, random, retention, offerContract = false }: SessionOptions,
    sink: SessionSink,
  ): Session {
    const isOffered = side === "server" && offerContract;
    const parts = {
      contract: this.contract,
      own: this.#own,
      chunked: this.#chunked,
      limits: resolveSessionLimits(limits),
      random,
      retention: retention ?? null,
      features: side === "client" || isOffered ? FEATURES : NO_FEATURES,
      offered: isOffered ? this.#offered : null,
    };
    return new NativeSession(side, parts, sink);
  }

  refusal(error: HawserError): Uint8Array {
    return formatRefusalReply(error);
  }

  prepare(entry: MessageEntry, payload: unknown): PreparedEvent {
    const issue = entry.input.outbound(payload);
    if (issue !== null)
      throw invalid(
        "EVENT_INVALID",
        `Cannot emit "${plain(entry.name, 60)}" with this`,
        "local",
        issue,
      );
    const lane = entry.lane?.numberOf(payload) ?? 0;
    return { entry, body: keptBody(entry, payload), lane, holders: 0 };
  }

  prepareCall(entry: MessageEntry, input: unknown): PreparedCall {
    const issue = entry.input.outbound(input);
    if (issue !== null)
      throw invalid(
        "INPUT_INVALID",
        `Cannot call "${plain(entry.name, 60)}" with this`,
        "local",
        issue,
      );
    return { entry, body: keptBody(entry, input) };
  }
}

/** A value's body, which stays as it is. */
function keptBody(entry: MessageEntry, value: unknown): Uint8Array {
  const body = encodeValue(new BodyEncoder(), entry, value);
  return typeof body === "string" ? utf8Encode(body) : new Uint8Array(body);
}

/** Throws where a contract's list can't be told. */
function checkSize(contract: Protocol, own: OwnList): void {
  const { length } = own.text;
  if (length <= MAX_LIST_BYTES) return;
  throw new RangeError(
    `Cannot use the contract "${plain(contract.name, 60)}" for sessions: the list of its ` +
      `${String(contract.messages.length)} messages has ${String(length)} bytes, and at most ` +
      `${String(MAX_LIST_BYTES)} can be told; split it, or shorten their names`,
  );
}
