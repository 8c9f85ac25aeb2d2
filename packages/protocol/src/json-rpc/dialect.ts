/**
 * What one `jsonRpc()` speaks: its contract, framing and codes, checked once and shared by its
 * sessions. Owns which contracts and options fit JSON-RPC. Must not know sessions or bytes.
 *
 * @module
 */
import { checkOptions, describeValue } from "../arguments.ts";
import { contentLength } from "../framing/content-length.ts";
import { checkProtocol, type Protocol } from "../contract/contract.ts";
import { checkFraming, type Framing } from "../framing/framing.ts";
import { type Limit, resolveLimits } from "../limits.ts";
import type { MessageEntry } from "../contract/message.ts";
import type { ErrorNames, RequestNames } from "../contract/views.ts";
import { type NamedCodes, ownCodes } from "./codes.ts";
import type { CancelMethod } from "./text.ts";

/** Options of a contract that is spoken as JSON-RPC 2.0. */
export interface JsonRpcOptions<P extends Protocol = Protocol> {
  /**
   * The framing that cuts the stream into JSON texts: `contentLength()` (default) as LSP does,
   * `lines()`, or any other framing but `raw()`.
   */
  readonly framing?: Framing | undefined;
  /**
   * True if events of `delivery: "at-least-once"` may be sent at most once, which is all that
   * JSON-RPC has. Default: false.
   */
  readonly downgrade?: boolean | undefined;
  /**
   * Codes for errors of the contract, by the error's name: for peers that know them by code. Such
   * an error's payload is the `data` of the error object. Without a code it is 1, with `data: {
   * name, payload }`.
   */
  readonly errorCodes?: Readonly<Partial<Record<ErrorOf<P>, number>>> | undefined;
  /**
   * The notification that cancels a request. Default: `"$/cancelRequest"` with `params: { id }`, as
   * LSP has it; `"notifications/cancelled"` with `params: { requestId }` is the Model Context
   * Protocol's. An object names any other, and the member of its params that is the request's id.
   * It is no event of the contract.
   */
  readonly cancelMethod?: CancelMethod | "$/cancelRequest" | "notifications/cancelled" | undefined;
  /** Most members of a batch. Default: 1000. */
  readonly maxBatchMessages?: number | undefined;
}

/** The errors that the requests of a contract name. */
type ErrorOf<P extends Protocol> = { [N in RequestNames<P>]: ErrorNames<P, N> }[RequestNames<P>];

/** The checked options of one `jsonRpc()`. */
export interface Dialect {
  readonly contract: Protocol;
  readonly framing: Framing;
  readonly maxBatchMessages: number;
  readonly cancel: CancelMethod;
  /** The names as JSON texts. */
  readonly methods: ReadonlyMap<MessageEntry, string>;
  readonly codes: NamedCodes;
}

/** Those that have a name of their own, and the member that is the id. */
const cancelMethods: ReadonlyMap<unknown, string> = new Map([
  ["$/cancelRequest", "id"],
  ["notifications/cancelled", "requestId"],
]);

const limitTable: Readonly<Record<"maxBatchMessages", Limit>> = Object.freeze({
  maxBatchMessages: {
    default: 1_000,
    unit: "messages",
    min: 1,
    unlimited: false,
    reason:
      "Each member of a batch may cost an answer many times its size; 1000 is the default of " +
      "Ethereum's servers, who are asked most.",
  },
});

/**
 * Check what is given to `jsonRpc()`.
 *
 * @throws {TypeError} when JSON-RPC can't carry the contract, or an option is not what it must be
 * @throws {RangeError} when maxBatchMessages or a code is out of its range
 */
export function resolveDialect(contract: Protocol, options: JsonRpcOptions): Dialect {
  checkProtocol("jsonRpc()", contract);
  checkOptions("jsonRpc()", options, [
    "framing",
    "downgrade",
    "errorCodes",
    "cancelMethod",
    "maxBatchMessages",
  ]);
  const { downgrade = false, errorCodes = {}, framing = contentLength() } = options;
  checkFraming("jsonRpc()", framing);
  if (typeof downgrade !== "boolean")
    throw new TypeError(
      `jsonRpc() can't use downgrade ${describeValue(downgrade)}: it is true or false`,
    );
  if (typeof errorCodes !== "object" || (errorCodes as unknown) === null) {
    throw new TypeError(
      `jsonRpc() can't use errorCodes ${describeValue(errorCodes)}: it is an object with a ` +
        "code for each name",
    );
  }
  if (framing.unframed === true)
    throw new TypeError(
      `Cannot speak JSON-RPC over ${framing.name}: it does not tell where a message ends; use ` +
        "lines() or contentLength()",
    );
  const cancel = resolveCancel(options.cancelMethod);
  for (const entry of contract.messages) checkEntry(entry, downgrade, cancel);
  const codeOf = resolveCodes(contract, errorCodes);
  return Object.freeze({
    contract,
    framing,
    cancel,
    maxBatchMessages: resolveLimits(limitTable, { maxBatchMessages: options.maxBatchMessages })
      .maxBatchMessages,
    methods: new Map(contract.messages.map((entry) => [entry, JSON.stringify(entry.name)])),
    codes: { codeOf, nameOf: new Map(Array.from(codeOf, ([name, code]) => [code, name])) },
  });
}

function resolveCancel(given: JsonRpcOptions["cancelMethod"] = "$/cancelRequest"): CancelMethod {
  const known = cancelMethods.get(given);
  if (typeof given === "string" && known !== undefined)
    return Object.freeze({ method: given, id: known });
  if (typeof given !== "object" || (given as unknown) === null) {
    throw new TypeError(
      `jsonRpc() can't use cancelMethod ${describeValue(given)}: it is "$/cancelRequest", ` +
        `"notifications/cancelled", or { method, id }`,
    );
  }
  checkOptions("jsonRpc() cancelMethod", given, ["method", "id"]);
  const { method, id }: Partial<CancelMethod> = given; // looked at before it is believed
  if (typeof method !== "string" || method === "" || typeof id !== "string" || id === "") {
    throw new TypeError(
      "jsonRpc() can't use this cancelMethod: its method is the notification's name, and its " +
        "id the member of params that is the request's id",
    );
  }
  return Object.freeze({ method, id });
}

function checkEntry(
  { codec, delivery, name, type }: MessageEntry,
  downgrade: boolean,
  cancel: CancelMethod,
): void {
  const cannot = `Cannot speak ${JSON.stringify(name)} as JSON-RPC: `;
  if (type === "stream")
    throw new TypeError(
      `${cannot}it is a stream, and JSON-RPC has none; leave it out of this contract, or speak ` +
        "Hawser's own protocol",
    );
  if (codec.name !== "json")
    throw new TypeError(`${cannot}its codec is ${codec.name}(), and JSON-RPC carries only JSON`);
  if (name === cancel.method)
    throw new TypeError(
      `${cannot}it is the notification that cancels a request; leave it out of this contract, ` +
        "or set another cancelMethod",
    );
  if (name.startsWith("rpc."))
    throw new TypeError(`${cannot}names that begin with "rpc." belong to JSON-RPC itself`);
  if (delivery === "at-least-once" && !downgrade) {
    throw new TypeError(
      `${cannot}it is delivered at least once, and nobody acknowledges a notification; say { ` +
        "downgrade: true } if at most once will do",
    );
  }
}

function resolveCodes(
  contract: Protocol,
  given: Readonly<Record<string, number>>,
): Map<string, number> {
  const known = new Set(contract.messages.flatMap(({ errors }) => [...errors.keys()]));
  const codes = new Map<string, number>();
  const taken = new Set<number>(ownCodes);
  for (const [name, code] of Object.entries(given)) {
    if (!known.has(name))
      throw new TypeError(
        `Cannot give a code to the error ${JSON.stringify(name)}: the contract has none of ` +
          "that name",
      );
    if (!Number.isSafeInteger(code))
      throw new RangeError(
        `Cannot use the code ${String(code)} for the error ${JSON.stringify(name)}: it is a ` +
          "whole number",
      );
    if (taken.has(code))
      throw new RangeError(
        `Cannot use the code ${String(code)} for the error ${JSON.stringify(name)}: it means ` +
          "something else already",
      );
    taken.add(code);
    codes.set(name, code);
  }
  return codes;
}
