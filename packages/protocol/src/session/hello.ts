/**
 * The greetings: HELLO and WELCOME as JSON, made and read (PROTOCOL.md §3).
 * Owns their members and what each may be. Must not know whether two contracts fit (compare.ts), or which frames carry them.
 *
 * @module
 */
import type { Protocol } from "../contract.ts";
import { type ErrorCode, HawserError } from "../errors.ts";
import { parseJson, peerError } from "../stack.ts";
import { utf8Decode } from "../utf8.ts";
import { utf8Encode } from "../utf8-write.ts";
import { MAX_EARLY_PAYLOAD } from "./frames.ts";
import type { SessionLimits } from "./limits.ts";
import type { Introduction, PeerLimits, PeerMessage } from "./peer.ts";

/** The version of PROTOCOL.md that this is. */
const WIRE_VERSION = 1;
const MAX_U32 = 0xffff_ffff;
const MAX_CREDIT = 0x7fff_ffff;

/** Credit that a connection begins with, at most the limits of the same names. */
export interface Opening {
  readonly eventWindowBytes: number;
  readonly connectionWindowBytes: number;
}

/** What both greetings say of this side; `features` are those that it can use, or in a WELCOME those that both will. */
export function introduce(contract: Protocol, limits: SessionLimits, { eventWindowBytes, connectionWindowBytes }: Opening, features: readonly string[]): object {
  const { name, version, accepts, messages } = contract;
  const { maxMessageBytes, maxPartials, maxConversations, windowBytes } = limits;
  const maxInputBytes = Math.min(limits.maxInputBytes, MAX_U32);
  return {
    protocol: name,
    version,
    accepts,
    features,
    messages: messages.map((entry) => [entry.name, entry.type, entry.codec.name, entry.digest]),
    limits: { maxMessageBytes, maxPartials, maxConversations, windowBytes, eventWindowBytes, connectionWindowBytes, maxInputBytes },
  };
}

/**
 * The text of a HELLO.
 *
 * @throws {HawserError} PAYLOAD_FORBIDDEN when `auth` has no JSON, PAYLOAD_TOO_LARGE when it does not fit
 */
export function formatHello(introduction: object, auth: unknown, resume: Resume | null): string {
  let known: string | undefined;
  let cause: unknown;
  try {
    known = JSON.stringify(auth ?? null); // undefined for what JSON leaves out, whatever its type says
  } catch (error) {
    cause = error;
  }
  if (known === undefined) throw new HawserError("PAYLOAD_FORBIDDEN", "Cannot greet the server: JSON has no text for `auth`", { cause });
  const text = JSON.stringify({ hawser: [WIRE_VERSION, WIRE_VERSION], ...introduction, auth, ...(resume === null ? {} : { resume }) });
  checkGreeting(text, "`auth` may have what the contract's list of messages leaves of it");
  return text;
}

/** The text of a WELCOME. */
export function formatWelcome(introduction: object, session: string, resumed: boolean, received: number, resumeWindowMs: number): string {
  return JSON.stringify({ hawser: WIRE_VERSION, ...introduction, session, resumed, received, resumeWindowMs });
}

/** Throws where a greeting is longer than a frame may be before the session is ready. */
export function checkGreeting(text: string, advice: string): void {
  const { length } = utf8Encode(text);
  if (length <= MAX_EARLY_PAYLOAD) return;
  throw new HawserError("PAYLOAD_TOO_LARGE", `Cannot greet the peer with ${String(length)} bytes: the limit is ${String(MAX_EARLY_PAYLOAD)}; ${advice}`);
}

/** What a client wants to go on with. */
export interface Resume {
  readonly session: string;
  readonly received: number;
}

/** A HELLO, read. */
export interface HelloText extends Introduction {
  readonly auth: unknown;
  readonly resume: Resume | null;
}

/** A WELCOME, read. */
export interface WelcomeText extends Introduction, Resume {
  readonly resumed: boolean;
  readonly resumeWindowMs: number;
}

/** Read a HELLO; an error with a code of PROTOCOL.md §3 when it is none. */
export function readHello(bytes: Uint8Array, start: number, end: number): HawserError | HelloText {
  return reading("HELLO", "HELLO_INVALID", () => {
    const members = parse(bytes, start, end);
    const [lowest, highest] = range(members["hawser"], "hawser");
    if (lowest > WIRE_VERSION || highest < WIRE_VERSION) {
      return new HawserError(
        "VERSION_UNSUPPORTED",
        `The client speaks version ${String(lowest)} to ${String(highest)} of Hawser's session protocol, this server version ${String(WIRE_VERSION)}: update the older one`,
      );
    }
    const resume = members["resume"] === undefined ? null : object(members["resume"], "resume");
    return {
      ...introduction(members),
      auth: members["auth"],
      resume: resume === null ? null : { session: identity(resume["session"], "resume.session"), received: whole(resume["received"], "resume.received", 0) },
    };
  });
}

/** Read a WELCOME: as `readHello`, but PROTOCOL_VIOLATION where it is none. */
export function readWelcome(bytes: Uint8Array, start: number, end: number): HawserError | WelcomeText {
  return reading("WELCOME", "PROTOCOL_VIOLATION", () => {
    const members = parse(bytes, start, end);
    const version = whole(members["hawser"], "hawser", 1);
    if (version !== WIRE_VERSION) {
      return new HawserError("VERSION_UNSUPPORTED", `The server chose version ${String(version)} of Hawser's session protocol, this client speaks version ${String(WIRE_VERSION)}`);
    }
    const { resumed } = members;
    if (typeof resumed !== "boolean") throw new Fault("`resumed` is not true or false");
    return {
      ...introduction(members),
      session: identity(members["session"], "session"),
      resumed,
      received: whole(members["received"], "received", 0),
      resumeWindowMs: whole(members["resumeWindowMs"], "resumeWindowMs", 0, 0xffff_ffff),
    };
  });
}

/** What a greeting lacks; never leaves this file. */
class Fault extends Error {}

function reading<T>(what: string, code: ErrorCode, read: () => T): HawserError | T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return peerError(code, `The peer's ${what} can't be read: ${error.message}`);
  }
}

type Members = Readonly<Record<string, unknown>>;

function parse(bytes: Uint8Array, start: number, end: number): Members {
  let value: unknown;
  try {
    value = parseJson(utf8Decode(bytes, start, end));
  } catch {
    throw new Fault("it is not JSON in UTF-8"); // the runtime's own text quotes what came
  }
  return object(value, "it");
}

function introduction(members: Members): Introduction {
  const version = whole(members["version"], "version", 1);
  const accepts = range(members["accepts"], "accepts");
  if (version < accepts[0] || version > accepts[1]) throw new Fault("`version` does not lie within `accepts`");
  return { protocol: string(members["protocol"], "protocol"), version, accepts, features: featureList(members["features"]), messages: messageList(members["messages"]), limits: peerLimits(object(members["limits"], "limits")) };
}

const MOST_FEATURES = 32;
const LONGEST_FEATURE = 64;

function featureList(value: unknown): readonly string[] {
  const features = list(value === undefined ? [] : value, "features").map((one, index) => string(one, `features[${String(index)}]`));
  if (features.length > MOST_FEATURES) throw new Fault(`\`features\` has more than ${String(MOST_FEATURES)} members`);
  for (const [index, feature] of features.entries()) {
    const { length } = utf8Encode(feature);
    if (length === 0 || length > LONGEST_FEATURE) throw new Fault(`\`features[${String(index)}]\` has not 1 to ${String(LONGEST_FEATURE)} bytes`);
    if (features.indexOf(feature) < index) throw new Fault(`\`features[${String(index)}]\` is there twice`);
  }
  return features;
}

const TYPES: readonly unknown[] = ["request", "stream", "event"];

function messageList(value: unknown): PeerMessage[] {
  const names = new Set<string>();
  return list(value, "messages").map((one, index) => {
    const where = `messages[${String(index)}]`;
    const [name, type, codec, digest] = list(one, where);
    const message = { name: string(name, `${where}[0]`), type: string(type, `${where}[1]`), codec: string(codec, `${where}[2]`), digest: string(digest, `${where}[3]`) };
    if (!TYPES.includes(message.type)) throw new Fault(`\`${where}[1]\` is not "request", "stream" or "event"`);
    if (!/^(?:[0-9a-f]{16})?$/.test(message.digest)) throw new Fault(`\`${where}[3]\` is not 16 hexadecimal digits`);
    if (names.has(message.name)) throw new Fault(`\`${where}\` has the name of another`);
    names.add(message.name);
    return message;
  });
}

function peerLimits(members: Members): PeerLimits {
  const limit = (name: keyof PeerLimits, least: number, most: number): number => whole(members[name], `limits.${name}`, least, most);
  const optional = (name: keyof PeerLimits, least: number, most: number): number => (members[name] === undefined ? Infinity : limit(name, least, most));
  return {
    maxMessageBytes: limit("maxMessageBytes", 1_024, MAX_U32),
    maxPartials: limit("maxPartials", 1, MAX_U32),
    maxConversations: limit("maxConversations", 1, MAX_U32),
    windowBytes: limit("windowBytes", 1, MAX_CREDIT),
    eventWindowBytes: limit("eventWindowBytes", 0, MAX_CREDIT),
    connectionWindowBytes: optional("connectionWindowBytes", 0, MAX_CREDIT),
    maxInputBytes: optional("maxInputBytes", 1, MAX_U32),
  };
}

function object(value: unknown, where: string): Members {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Fault(`${where === "it" ? "it" : `\`${where}\``} is not an object`);
  return value as Members; // an object of JSON has nothing but members
}

function list(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Fault(`\`${where}\` is not a list`);
  return value;
}

function string(value: unknown, where: string): string {
  if (typeof value !== "string") throw new Fault(`\`${where}\` is not a text`);
  return value;
}

function identity(value: unknown, where: string): string {
  if (typeof value !== "string" || !/^[0-9a-f]{32}$/.test(value)) throw new Fault(`\`${where}\` is not 32 hexadecimal digits`);
  return value;
}

function whole(value: unknown, where: string, least: number, most: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
    throw new Fault(`\`${where}\` is not a whole number ${most === Number.MAX_SAFE_INTEGER ? `from ${String(least)}` : `from ${String(least)} to ${String(most)}`}`);
  }
  return value;
}

function range(value: unknown, where: string): readonly [number, number] {
  const [lowest, highest] = list(value, where);
  const pair = [whole(lowest, `${where}[0]`, 1), whole(highest, `${where}[1]`, 1)] as const;
  if (pair[0] > pair[1]) throw new Fault(`\`${where}\` is not [lowest, highest]`);
  return pair;
}
