/**
 * fetchContract: the contract of a server whose source one does not have.
 *
 * @module
 */
import { type ContractSchema, defineProtocol, type Protocol } from "@hawser/protocol";
import { connect } from "../connect.ts";
import type { SessionConnectOptions } from "./options.ts";
import type { Target } from "./targets.ts";

/**
 * Connect to a server by its contract's name alone, and ask for the contract as data: for
 * `protocolFromSchema()`, with which one can call it.
 *
 * Resolves with null where the server does not offer it (`offerContract`). The server sees a client
 * that speaks every version and knows no message.
 *
 * @throws {HawserError} rejects with what `connect()` and `describe()` reject with:
 *   PROTOCOL_MISMATCH where the name is another, AUTH_REFUSED, PAYLOAD_TOO_LARGE where the document
 *   is larger than `maxMessageBytes`, …
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { connect, fetchContract } from "@hawser/client";
 * import { defineProtocol, protocolFromSchema, type } from "@hawser/protocol";
 * import { createServer } from "@hawser/server";
 *
 * const math = defineProtocol({
 *   name: "math",
 *   version: 3,
 *   requests: { double: { input: type<number>(), output: type<number>() } },
 * });
 * const server = createServer(math, { double: (value) => 2 * value }, { offerContract: true });
 * const address = await server.listen("tcp://localhost:0");
 *
 * const document = await fetchContract("math", address);
 * const client = await connect(protocolFromSchema(document), address);
 * assert.equal(await client.request("double", 21), 42);
 * await client.close();
 * await server.close();
 * ```
 */
export async function fetchContract(
  name: string,
  target: Target,
  options: SessionConnectOptions<Protocol> = {},
): Promise<ContractSchema | null> {
  // Where versions differ, the higher one decides, and lists are not compared.
  const any: Protocol = defineProtocol({
    name,
    version: Number.MAX_SAFE_INTEGER,
    accepts: [1, Number.MAX_SAFE_INTEGER],
  });
  const client = await connect(any, target, { reconnect: false, ...options });
  try {
    return await client.describe(options.signal === undefined ? {} : { signal: options.signal });
  } finally {
    await client.close();
  }
}
