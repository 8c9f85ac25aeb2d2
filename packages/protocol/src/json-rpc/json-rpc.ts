/**
 * jsonRpc(): a contract spoken as JSON-RPC 2.0, so that peers who have never heard of Hawser take
 * part. Owns what createServer() and connect() are given. Must not know the state of a
 * conversation: that is session.ts.
 *
 * Source: JSON-RPC 2.0 (https://www.jsonrpc.org/specification); docs/json-rpc.md says what maps to
 * what.
 *
 * @module
 */
import type { Protocol, ProtocolDefinition } from "../contract/contract.ts";
import { HawserError } from "../errors.ts";
import { encodeFrames } from "../framing/framing.ts";
import type { Greeter, Greeting, SessionKind } from "../session/types.ts";
import { utf8Encode } from "../bytes/utf8-write.ts";
import { failureObject } from "./codes.ts";
import { type JsonRpcOptions, resolveDialect } from "./dialect.ts";
import { eventText, inputText, JsonRpcSession } from "./session.ts";
import { errorText } from "./text.ts";

/**
 * Speak a contract as JSON-RPC 2.0: requests are requests, events are notifications.
 *
 * There is no handshake, no heartbeat, no resumption and no delivery at least once; cancelling is
 * LSP's `$/cancelRequest`, and deadlines are kept here alone.
 *
 * Limits: `maxMessageBytes` is the framing's `maxFrameBytes`; `maxConversations` bounds the peer's
 * requests.
 *
 * @throws {TypeError} when JSON-RPC can't carry the contract: it has streams, codecs other than
 *   json(), names that begin with "rpc.", or events at least once without `downgrade`
 * @throws {RangeError} when a number is out of its range
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { defineProtocol, jsonRpc, lines, type } from "@hawser/protocol";
 *
 * const desk = defineProtocol({
 *   name: "desk",
 *   version: 1,
 *   requests: { add: { input: type<[number, number]>(), output: type<number>() } },
 * });
 * assert.equal(jsonRpc(desk, { framing: lines() }).name, "json-rpc over lines(any)");
 * ```
 */
export function jsonRpc<D extends ProtocolDefinition>(
  protocol: Protocol<D>,
  options: NoInfer<JsonRpcOptions<Protocol<D>>> = {},
): JsonRpcSessions<D> {
  const dialect = resolveDialect(protocol, options);
  const refusal = ({ code, message }: HawserError): Uint8Array =>
    encodeFrames(dialect.framing, [
      utf8Encode(errorText(null, failureObject(code, null, message))),
    ]);
  const door: Greeter = Object.freeze({ ...openDoor, refusal });
  return Object.freeze({
    name: `json-rpc over ${dialect.framing.name}`,
    contract: protocol,
    greeter: () => door,
    session: (side, sessionOptions, sink) =>
      new JsonRpcSession(dialect, side, sessionOptions, sink),
    refusal,
    prepare(entry, payload) {
      const method = dialect.methods.get(entry);
      if (method === undefined)
        throw new TypeError(`Cannot use ${JSON.stringify(entry.name)}: it is of another contract`);
      return { entry, body: utf8Encode(eventText(entry, method, payload)), lane: 0, holders: 0 };
    },
    prepareCall: (entry, input) => ({ entry, body: utf8Encode(inputText(entry, input)) }),
  } satisfies JsonRpcSessions<D>);
}

/** The result of {@link jsonRpc}. */
export interface JsonRpcSessions<
  D extends ProtocolDefinition = ProtocolDefinition,
> extends SessionKind {
  readonly contract: Protocol<D>;
}

/**
 * Lets everybody in at once, with whatever has come, be it nothing: JSON-RPC begins with the first
 * message, of either side.
 */
const openDoor: Omit<Greeter, "refusal"> = Object.freeze({
  receive: (chunk: Uint8Array): Greeting => ({
    ok: true,
    hello: { auth: undefined, resume: null, peerVersion: 0 },
    rest: new Uint8Array(chunk),
  }),
  admitted: () => ({ ok: true }) as const,
  end: () =>
    new HawserError("CONNECTION_RESET", "The client left before it was heard", {
      scope: "session",
    }),
});
