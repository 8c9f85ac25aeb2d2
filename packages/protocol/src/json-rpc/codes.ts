/**
 * JSON-RPC's error codes, and what each stands for on either side of the wire. Owns the translation
 * of failures to error objects and back. What stays here: causes, and every text but those made for
 * the peer.
 *
 *     code      data                 this side's error, and the peer's
 *     -32700    -                    bytes that are no JSON in UTF-8
 *     -32600    -                    JSON that is no request, an id that is open, or a batch
 *                                    that is empty or too large
 *     -32601    -                    MESSAGE_UNKNOWN
 *     -32602    { path }             INPUT_INVALID
 *     -32603    { code } or none     OUTPUT_INVALID, MESSAGE_TOO_LARGE, REMOTE_HANDLER_FAILED
 *     -32000    { code }             OVERLOADED, DRAINING, DEADLINE_EXCEEDED, AUTH_REFUSED
 *     -32800    -                    CALL_CANCELLED
 *     1         { name, payload }    NAMED_ERROR; with a code of its own, `data` is the payload
 *
 * Source: JSON-RPC 2.0 §5.1; Language Server Protocol 3.17, ErrorCodes (-32800).
 *
 * @module
 */
import { describeIssue, Issue } from "../contract/check.ts";
import type { ErrorCode, HawserError, NamedFailure } from "../errors.ts";
import type { MessageEntry } from "../contract/message.ts";
import { invalid } from "../session/frames/failure.ts";
import { plain } from "../session/quote.ts";
import { peerError } from "../stack.ts";
import { readNullable, valueText } from "./params.ts";

export const PARSE_ERROR = -32_700;
export const INVALID_REQUEST = -32_600;
export const METHOD_NOT_FOUND = -32_601;
export const INVALID_PARAMS = -32_602;
export const INTERNAL_ERROR = -32_603;
/** Of "implementation-defined server-errors". */
const SERVER_ERROR = -32_000;
const REQUEST_CANCELLED = -32_800;
/** An error of the contract without a code of its own. */
const NAMED = 1;

/** The codes that have a meaning here, and are not to be given to errors of a contract. */
export const ownCodes: readonly number[] = Object.freeze([
  PARSE_ERROR,
  INVALID_REQUEST,
  METHOD_NOT_FOUND,
  INVALID_PARAMS,
  INTERNAL_ERROR,
  SERVER_ERROR,
  REQUEST_CANCELLED,
  NAMED,
]);

/** The errors of a contract that have a code of their own. */
export interface NamedCodes {
  readonly codeOf: ReadonlyMap<string, number>;
  readonly nameOf: ReadonlyMap<number, string>;
}

/**
 * What a peer is told of an error of this side; all others are INTERNAL_ERROR. `data.code` tells
 * those of one code apart.
 */
const told: Readonly<
  Partial<Record<ErrorCode, readonly [code: number, message: string, told?: ErrorCode]>>
> = Object.freeze({
  AUTH_REFUSED: [SERVER_ERROR, "Not allowed", "AUTH_REFUSED"],
  CALL_CANCELLED: [REQUEST_CANCELLED, "Request cancelled"],
  DEADLINE_EXCEEDED: [SERVER_ERROR, "Deadline exceeded", "DEADLINE_EXCEEDED"],
  DRAINING: [SERVER_ERROR, "About to close: nothing new is opened here", "DRAINING"],
  INPUT_INVALID: [INVALID_PARAMS, "Invalid params"],
  MESSAGE_UNKNOWN: [METHOD_NOT_FOUND, "Method not found"],
  OUTPUT_INVALID: [INTERNAL_ERROR, "Internal error: the result is invalid", "OUTPUT_INVALID"],
  OVERLOADED: [SERVER_ERROR, "Overloaded: not now", "OVERLOADED"],
  PAYLOAD_TOO_LARGE: [
    INTERNAL_ERROR,
    "Internal error: the result is too large",
    "MESSAGE_TOO_LARGE",
  ],
  WRITE_BUFFER_FULL: [SERVER_ERROR, "Overloaded: too much waits to be read", "OVERLOADED"],
});

/** The codes that `data.code` may name. */
const tellable: ReadonlySet<unknown> = new Set(
  Object.values(told).flatMap(([, , code]) => code ?? []),
);

/** The text of an error object; `data` is a JSON text, or "" for none. */
export function errorObject(code: number, message: string, data = ""): string {
  const rest = data === "" ? "" : `,"data":${data}`;
  return `{"code":${String(code)},"message":${JSON.stringify(message)}${rest}}`;
}

/** The error object of params that are not what the schema wants. */
export function invalidParams(issue: Issue): string {
  return errorObject(
    INVALID_PARAMS,
    `Invalid params: ${describeIssue(issue)}`,
    JSON.stringify({ path: issue.path }),
  );
}

/**
 * The error object that tells a peer of a failure here: its code, where a peer has use for it, and
 * never its text, but for `message`.
 */
export function failureObject(
  code: ErrorCode,
  path: HawserError["path"] = null,
  message = "",
): string {
  const [number, text, name] = told[code] ?? [INTERNAL_ERROR, "Internal error"];
  const data =
    name !== undefined
      ? { code: name }
      : number === INVALID_PARAMS && path !== null
        ? { path }
        : null;
  return errorObject(
    number,
    message === "" ? text : message,
    data === null ? "" : JSON.stringify(data),
  );
}

/**
 * The error object of an error of the contract.
 *
 * @throws {HawserError} OUTPUT_INVALID, PAYLOAD_FORBIDDEN
 */
export function namedObject(
  codes: NamedCodes,
  entry: MessageEntry,
  { name, payload }: NamedFailure,
): string {
  const check = entry.errors.get(name);
  if (check === undefined)
    throw invalid(
      "OUTPUT_INVALID",
      `The handler of "${plain(entry.name, 60)}" failed with "${plain(name, 60)}", which the ` +
        "contract does not name",
      "local",
    );
  const issue = check.outbound(payload);
  if (issue !== null)
    throw invalid(
      "OUTPUT_INVALID",
      `The payload of the error "${plain(name, 60)}" of "${plain(entry.name, 60)}" is invalid`,
      "local",
      issue,
    );
  const text = payload === undefined ? "" : valueText(entry.codec, payload);
  const code = codes.codeOf.get(name);
  if (code !== undefined) return errorObject(code, name, text);
  return errorObject(
    NAMED,
    name,
    `{"name":${JSON.stringify(name)}${text === "" ? "" : `,"payload":${text}`}}`,
  );
}

/**
 * What an error object that came stands for. The object itself is the `cause` of what is not an
 * error of the contract.
 */
export function readFailure(codes: NamedCodes, entry: MessageEntry, cause: unknown): HawserError {
  const { code, data, message } = members(cause);
  const what = `"${plain(entry.name, 60)}" was answered with`;
  if (typeof code !== "number")
    return peerError("REMOTE_HANDLER_FAILED", `${what} an error that has no code`, { cause });
  const named = readNamed(codes, entry, code, data);
  if (named !== null) return named;
  const told = typeof message === "string" ? `: ${plain(message.slice(0, MOST_TEXT))}` : "";
  const text = `${what} error ${String(code)}${told}`;
  const origin = "remote";
  switch (code) {
    case METHOD_NOT_FOUND:
      return peerError("MESSAGE_UNKNOWN", text, { cause });
    case INVALID_PARAMS: {
      const path = readPath(members(data)["path"]);
      return peerError("INPUT_INVALID", text, { cause, ...(path === null ? {} : { path }) });
    }
    case REQUEST_CANCELLED:
      return peerError("CALL_CANCELLED", text, { cause, origin });
    default: {
      const name =
        code === SERVER_ERROR || code === INTERNAL_ERROR ? members(data)["code"] : undefined;
      // the set holds nothing else
      const known = tellable.has(name) ? (name as ErrorCode) : "REMOTE_HANDLER_FAILED";
      return peerError(known, text, { cause, origin, scope: "conversation" });
    }
  }
}

function readNamed(
  codes: NamedCodes,
  entry: MessageEntry,
  code: number,
  data: unknown,
): HawserError | null {
  const { name, payload } =
    code === NAMED ? members(data) : { name: codes.nameOf.get(code), payload: data };
  const check = typeof name === "string" ? entry.errors.get(name) : undefined;
  if (typeof name !== "string" || check === undefined) return null;
  const what = `"${plain(entry.name, 60)}" failed with "${plain(name, 60)}"`;
  const read = readNullable(check, payload);
  if (Issue.is(read))
    return invalid("OUTPUT_INVALID", `${what}, whose payload is invalid`, "remote", read);
  return peerError("NAMED_ERROR", what, { failure: { name, payload: read } });
}

/** A value's own members, whatever it is. */
function members(value: unknown): Readonly<Record<string, unknown>> {
  // each member is looked at as it is used
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** Letters of a peer's text that are looked at. */
const MOST_TEXT = 1_000;
const MOST_STEPS = 32;

function readPath(path: unknown): readonly (number | string)[] | null {
  if (!Array.isArray(path)) return null;
  return (path as readonly unknown[])
    .slice(0, MOST_STEPS)
    .filter((step) => typeof step === "string" || typeof step === "number");
}
