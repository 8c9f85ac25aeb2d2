/**
 * Errors on the wire: `{code, message}` of FAIL, REJECT, REFUSE and CLOSE, and what becomes of them
 * (PROTOCOL.md §6). Owns the two lists of codes and their translation. What stays here: causes, and
 * every text but those made for the peer.
 *
 * @module
 */
import { describeIssue, Issue, readInbound } from "../../contract/check.ts";
import type { MessageEntry } from "../../contract/contract.ts";
import {
  type ErrorCode,
  HawserError,
  type HawserErrorOptions,
  type NamedFailure,
} from "../../errors.ts";
import { peerError } from "../../stack.ts";
import { jsonText } from "../../codec/json-text.ts";
import { type Members, object, parse } from "../handshake/members.ts";
import { plain } from "../quote.ts";

/**
 * The codes of a FAIL and a REJECT, and what the other side makes of them. NAMED has its own way.
 */
const failures: ReadonlyMap<string, readonly [code: ErrorCode, text: string]> = new Map([
  ["CANCELLED", ["CALL_CANCELLED", "was cancelled"]],
  ["DEADLINE_EXCEEDED", ["DEADLINE_EXCEEDED", "was not handled in time"]],
  ["DRAINING", ["DRAINING", "was not handled, because the peer is about to close"]],
  ["HANDLER_FAILED", ["REMOTE_HANDLER_FAILED", "failed in the peer's handler"]],
  ["INPUT_INVALID", ["INPUT_INVALID", "was refused by the peer for its input"]],
  ["ITEM_INVALID", ["ITEM_INVALID", "ended at an invalid item"]],
  ["OVERLOADED", ["OVERLOADED", "was not handled, because the peer has too much to do"]],
  ["UNKNOWN_MESSAGE", ["MESSAGE_UNKNOWN", "is not known to the peer"]],
]);

/** What a local error is called on the wire; all others are HANDLER_FAILED. */
const wireCodes: Readonly<Partial<Record<ErrorCode, string>>> = Object.freeze({
  CALL_CANCELLED: "CANCELLED",
  DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
  DRAINING: "DRAINING",
  EVENT_INVALID: "INPUT_INVALID",
  INPUT_INVALID: "INPUT_INVALID",
  ITEM_INVALID: "ITEM_INVALID",
  MESSAGE_UNKNOWN: "UNKNOWN_MESSAGE",
  OVERLOADED: "OVERLOADED",
  WRITE_BUFFER_FULL: "OVERLOADED",
});

/**
 * The codes of REFUSE and CLOSE that are the same on both sides of the wire. NORMAL has no error.
 */
const closings: ReadonlySet<string> = new Set<ErrorCode>([
  "AUTH_REFUSED",
  "CONTRACT_DIFFERS",
  "DRAINING",
  "FLOW_VIOLATION",
  "FRAME_TIMEOUT",
  "HEARTBEAT_LOST",
  "HELLO_INVALID",
  "MESSAGE_TOO_LARGE",
  "OVERLOADED",
  "PROTOCOL_MISMATCH",
  "PROTOCOL_VIOLATION",
  "SESSION_REPLACED",
  "VERSION_UNSUPPORTED",
]);

/** Those that blame who reads them. */
const blaming: ReadonlySet<string> = new Set<ErrorCode>([
  "FLOW_VIOLATION",
  "HELLO_INVALID",
  "MESSAGE_TOO_LARGE",
  "PROTOCOL_VIOLATION",
]);

/**
 * Longest payload of a FAIL that does not carry a value of the program: with it, each peer can be
 * told.
 */
const MAX_FAIL = 1_024;

/** The text of a FAIL or REJECT for an error that is not the contract's. */
export function formatFailure(error: HawserError): string {
  const code = wireCodes[error.code] ?? "HANDLER_FAILED";
  const known = reasons[error.code] ?? texts[code];
  if (known !== undefined) return JSON.stringify({ code, message: known });
  const message = error.path === null ? "" : plain(error.message, 200);
  const text = JSON.stringify({
    code,
    message,
    ...(error.path === null ? {} : { path: error.path }),
  });
  return text.length * 3 <= MAX_FAIL ? text : JSON.stringify({ code, message });
}

/** What the peer reads where this side's own text may hold what is not for it. */
const texts: Readonly<Record<string, string>> = Object.freeze({
  CANCELLED: "cancelled by its opener",
  DEADLINE_EXCEEDED: "the deadline passed",
  DRAINING: "about to close",
  HANDLER_FAILED: "the handler failed",
  OVERLOADED: "too much to do",
  UNKNOWN_MESSAGE: "no such message, or not from this side",
});

/**
 * The same for what the responder can't send: the peer's contract, or its limit, may be what is
 * wrong.
 */
const reasons: Readonly<Partial<Record<ErrorCode, string>>> = Object.freeze({
  OUTPUT_INVALID: "the answer is not what the responder's contract says",
  PAYLOAD_TOO_LARGE: "the answer is larger than what the opener takes",
});

/**
 * The text of a FAIL for an error that the contract names, or why it can't be sent.
 */
export function formatNamed(
  entry: MessageEntry,
  { name, payload }: NamedFailure,
): HawserError | string {
  const check = entry.errors.get(name);
  if (check === undefined)
    return invalid(
      "OUTPUT_INVALID",
      `The handler of "${plain(entry.name, 60)}" failed with "${plain(name, 60)}", which the ` +
        "contract does not name",
      "local",
    );
  const issue = check.outbound(payload);
  if (issue !== null)
    return invalid(
      "OUTPUT_INVALID",
      `The payload of the error "${plain(name, 60)}" of "${plain(entry.name, 60)}" is invalid`,
      "local",
      issue,
    );
  try {
    return jsonText({ code: "NAMED", message: "", name, payload });
  } catch (error) {
    const { cause, path } = error as HawserError; // jsonText() throws nothing else
    return new HawserError(
      "PAYLOAD_FORBIDDEN",
      `Cannot send the payload of the error "${plain(name, 60)}": JSON has no text for it`,
      { cause, ...(path === null ? {} : { path: path.slice(1) }) },
    );
  }
}

/** What the opener gets for a FAIL that came; null when it can't be read. */
export function readFailure(
  entry: MessageEntry,
  bytes: Uint8Array,
  start: number,
  end: number,
): HawserError | null {
  const members = parseMembers(bytes, start, end);
  if (members === null) return null;
  const { code, message, name, path, payload } = members;
  if (typeof code !== "string" || typeof message !== "string") return null;
  const what = `"${plain(entry.name, 60)}"`;
  if (code === "NAMED") return typeof name === "string" ? namedError(entry, name, payload) : null;
  const [local, text] =
    failures.get(code) ??
    ([
      "REMOTE_HANDLER_FAILED",
      `failed with a code that this side does not know, ${plain(code, 40)}`,
    ] as const);
  if (path !== undefined && !isPath(path)) return null;
  const steps = path?.slice(0, 32) ?? null;
  const said = message === "" ? "" : `: ${plain(message)}`;
  return peerError(local, `${what} ${text}${said}`, {
    origin: local === "INPUT_INVALID" ? "local" : "remote",
    scope: "conversation",
    ...(steps === null ? {} : { path: steps }),
  });
}

/** True if a value is a list of member names and indexes. */
function isPath(value: unknown): value is readonly (number | string)[] {
  return (
    Array.isArray(value) &&
    value.every(
      (step) =>
        typeof step === "string" ||
        (typeof step === "number" && Number.isSafeInteger(step) && step >= 0),
    )
  );
}

function namedError(entry: MessageEntry, name: string, payload: unknown): HawserError {
  const what = `"${plain(entry.name, 60)}" failed with "${plain(name, 60)}"`;
  const check = entry.errors.get(name);
  if (check === undefined)
    return peerError("REMOTE_HANDLER_FAILED", `${what}, which this side's contract does not name`);
  const value = readInbound(check, payload);
  if (Issue.is(value))
    return invalid("OUTPUT_INVALID", `${what}, whose payload is invalid`, "remote", value);
  return peerError("NAMED_ERROR", what, { failure: { name, payload: value } });
}

/** A local error for a value that its schema, or codec, does not take. */
export function invalid(
  code: "EVENT_INVALID" | "INPUT_INVALID" | "ITEM_INVALID" | "OUTPUT_INVALID",
  what: string,
  origin: "local" | "remote",
  issue?: Issue,
): HawserError {
  const text = issue === undefined ? what : `${what}: ${describeIssue(issue)}`;
  const make = origin === "remote" ? peerError : localError;
  return make(code, plain(text, 250), {
    origin,
    scope: "conversation",
    path: issue?.path ?? [],
    cause: issue?.cause,
  });
}

function localError(code: ErrorCode, message: string, options: HawserErrorOptions): HawserError {
  return new HawserError(code, message, options);
}

/** The codes of a CANCEL, and what its responder makes of them; all others are CANCELLED. */
const cancellations: ReadonlyMap<string, readonly [code: ErrorCode, text: string]> = new Map([
  ["CANCELLED", ["CALL_CANCELLED", "was cancelled by its opener"]],
  [
    "DEADLINE_EXCEEDED",
    ["DEADLINE_EXCEEDED", "was cancelled by its opener, whose deadline has passed"],
  ],
  [
    "HANDLER_FAILED",
    ["REMOTE_HANDLER_FAILED", "was cancelled by its opener, whose program failed"],
  ],
  ["ITEM_INVALID", ["ITEM_INVALID", "was cancelled by its opener, to which an item is invalid"]],
]);

/** The payload of a CANCEL for this reason: empty where it says no more than that. */
export function formatCancellation({ code }: HawserError): string {
  const known =
    code === "REMOTE_HANDLER_FAILED" || code === "HANDLER_FAILED" ? "HANDLER_FAILED" : code;
  return known === "CALL_CANCELLED" || !cancellations.has(known)
    ? ""
    : JSON.stringify({ code: known, message: "" });
}

/** The code in the payload of a CANCEL; null when it can't be read. */
export function readCancellation(bytes: Uint8Array, start: number, end: number): string | null {
  if (start === end) return "CANCELLED";
  const { code, message } = parseMembers(bytes, start, end) ?? {};
  return typeof code === "string" && typeof message === "string" ? code : null;
}

/** The error that a handler is told for a CANCEL with this code. */
export function cancellationOf({ name }: MessageEntry, code: string): HawserError {
  const [local, text] =
    cancellations.get(code) ?? (["CALL_CANCELLED", "was cancelled by its opener"] as const);
  return peerError(local, `"${plain(name, 60)}" ${text}`, {
    origin: "remote",
    scope: "conversation",
  });
}

/** The text of a REFUSE or CLOSE. */
export function formatClosing(code: string, message: string): string {
  return JSON.stringify({ code, message: plain(message, 500) });
}

/** The text of a REFUSE for an error of this side. */
export function formatRefusal(error: HawserError): string {
  return formatClosing(closings.has(error.code) ? error.code : "OVERLOADED", error.message);
}

/**
 * What a REFUSE or CLOSE says: null for NORMAL and DRAINED; a text that can't be read is
 * PROTOCOL_VIOLATION. `by` is how the text calls the peer.
 */
export function readClosing(
  bytes: Uint8Array,
  start: number,
  end: number,
  by: string,
): HawserError | "DRAINED" | "NORMAL" {
  const { code, message } = parseMembers(bytes, start, end) ?? {};
  if (code === "NORMAL" || code === "DRAINED") return code;
  const known =
    typeof code === "string" && closings.has(code) ? (code as ErrorCode) : "PROTOCOL_VIOLATION";
  const said = typeof message === "string" && message !== "" ? `: ${plain(message, 180)}` : "";
  return peerError(known, `${by} (${known})${said}`, {
    scope: "session",
    ...(blaming.has(known) ? { origin: "local" } : {}),
  });
}

function parseMembers(bytes: Uint8Array, start: number, end: number): Members | null {
  try {
    return object(parse(bytes, start, end), "it");
  } catch {
    return null;
  }
}
