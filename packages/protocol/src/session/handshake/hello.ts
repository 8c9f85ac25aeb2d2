/**
 * The greetings: HELLO and WELCOME as JSON, made and read (PROTOCOL.md §3). Owns their members and
 * what each may be. Must not know whether two contracts fit (compare.ts), or which frames carry
 * them.
 *
 * @module
 */
import type { Protocol } from "../../contract/contract.ts";
import { HawserError } from "../../errors.ts";
import { utf8Encode } from "../../bytes/utf8-write.ts";
import { MAX_EARLY_PAYLOAD } from "../frames/frames.ts";
import type { SessionLimits } from "../limits.ts";
import {
  digest,
  Fault,
  identity,
  list,
  type Members,
  object,
  parse,
  range,
  reading,
  string,
  whole,
} from "./members.ts";
import { messageList } from "./message-list.ts";
import type { Introduction, PeerLimits } from "./peer.ts";

/** The version of PROTOCOL.md that this is. */
const WIRE_VERSION = 1;
const MAX_U32 = 0xffff_ffff;
const MAX_CREDIT = 0x7fff_ffff;

/** Credit that a connection begins with, at most the limits of the same names. */
export interface Opening {
  readonly eventWindowBytes: number;
  readonly connectionWindowBytes: number;
}

/**
 * What both greetings say of this side, but for its list of messages; `features` are those that it
 * can use, or in a WELCOME those that both will.
 */
export function introduce(
  contract: Protocol,
  limits: SessionLimits,
  { eventWindowBytes, connectionWindowBytes }: Opening,
  features: readonly string[],
): object {
  const { name, version, accepts, fingerprint } = contract;
  const { maxMessageBytes, maxPartials, maxConversations, windowBytes, laneWindowBytes } = limits;
  const maxInputBytes = Math.min(limits.maxInputBytes, MAX_U32);
  return {
    protocol: name,
    version,
    accepts,
    features,
    fingerprint,
    limits: {
      maxMessageBytes,
      maxPartials,
      maxConversations,
      windowBytes,
      eventWindowBytes,
      connectionWindowBytes,
      laneWindowBytes,
      maxInputBytes,
    },
  };
}

/**
 * The text of a HELLO.
 *
 * @throws {HawserError} PAYLOAD_FORBIDDEN when `auth` has no JSON, PAYLOAD_TOO_LARGE when it does
 *   not fit
 */
export function formatHello(introduction: object, auth: unknown, resume: Resume | null): string {
  let known: string | undefined;
  let cause: unknown;
  try {
    // undefined for what JSON leaves out, whatever its type says
    known = JSON.stringify(auth ?? null);
  } catch (error) {
    cause = error;
  }
  if (known === undefined)
    throw new HawserError(
      "PAYLOAD_FORBIDDEN",
      "Cannot greet the server: JSON has no text for `auth`",
      { cause },
    );
  const text = JSON.stringify({
    hawser: [WIRE_VERSION, WIRE_VERSION],
    ...introduction,
    auth,
    ...(resume === null ? {} : { resume }),
  });
  const { length } = utf8Encode(text);
  if (length <= MAX_EARLY_PAYLOAD) return text;
  throw new HawserError(
    "PAYLOAD_TOO_LARGE",
    `Cannot greet the server with ${String(length)} bytes: the limit is ` +
      `${String(MAX_EARLY_PAYLOAD)}, of which \`auth\` may have about 15 000`,
  );
}

/** The members of a WELCOME besides the introduction. */
export interface Welcoming {
  readonly session: string;
  readonly origin: string;
  readonly resumed: boolean;
  readonly received: number;
  readonly resumeWindowMs: number;
}

/**
 * The text of a WELCOME. `messages`: this side's list, which the client does not know; null: it
 * does. It is left out where it has no room, and goes before (`isListed` tells which).
 */
export function formatWelcome(
  introduction: object,
  welcoming: Welcoming,
  messages: unknown,
): { readonly text: string; readonly isListed: boolean } {
  const { session, origin, resumed, received, resumeWindowMs } = welcoming;
  const format = (more: object): string =>
    JSON.stringify({
      hawser: WIRE_VERSION,
      ...introduction,
      ...more,
      session,
      origin,
      resumed,
      received,
      resumeWindowMs,
    });
  if (messages !== null) {
    const text = format({ messages });
    if (utf8Encode(text).length <= MAX_EARLY_PAYLOAD) return { text, isListed: true };
  }
  return { text: format({}), isListed: false };
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
export interface WelcomeText extends Introduction, Welcoming {}

/** Read a HELLO; an error with a code of PROTOCOL.md §3 when it is none. */
export function readHello(bytes: Uint8Array, start: number, end: number): HawserError | HelloText {
  return reading("HELLO", "HELLO_INVALID", () => {
    const members = object(parse(bytes, start, end), "it");
    const [lowest, highest] = range(members["hawser"], "hawser");
    if (lowest > WIRE_VERSION || highest < WIRE_VERSION) {
      return new HawserError(
        "VERSION_UNSUPPORTED",
        `The client speaks version ${String(lowest)} to ${String(highest)} of Hawser's session ` +
          `protocol, this server version ${String(WIRE_VERSION)}: update the older one`,
      );
    }
    if (members["features"] === undefined) return draft("The client", "this server");
    const resume = members["resume"] === undefined ? null : object(members["resume"], "resume");
    return {
      ...introduction(members),
      auth: members["auth"],
      resume:
        resume === null
          ? null
          : {
              session: identity(resume["session"], "resume.session"),
              received: whole(resume["received"], "resume.received", 0),
            },
    };
  });
}

/** Read a WELCOME: as `readHello`, but PROTOCOL_VIOLATION where it is none. */
export function readWelcome(
  bytes: Uint8Array,
  start: number,
  end: number,
): HawserError | WelcomeText {
  return reading("WELCOME", "PROTOCOL_VIOLATION", () => {
    const members = object(parse(bytes, start, end), "it");
    const version = whole(members["hawser"], "hawser", 1);
    if (version !== WIRE_VERSION) {
      return new HawserError(
        "VERSION_UNSUPPORTED",
        `The server chose version ${String(version)} of Hawser's session protocol, this client ` +
          `speaks version ${String(WIRE_VERSION)}`,
      );
    }
    if (members["features"] === undefined) return draft("The server", "this client");
    const { resumed } = members;
    if (typeof resumed !== "boolean") throw new Fault("`resumed` is not true or false");
    return {
      ...introduction(members),
      session: identity(members["session"], "session"),
      origin: identity(members["origin"], "origin"),
      resumed,
      received: whole(members["received"], "received", 0),
      resumeWindowMs: whole(members["resumeWindowMs"], "resumeWindowMs", 0, 0xffff_ffff),
    };
  });
}

/**
 * The error for a greeting without `features`, which the first version of the page has, and the
 * drafts before it had not.
 */
function draft(them: string, us: string): HawserError {
  return new HawserError(
    "VERSION_UNSUPPORTED",
    `${them} speaks a draft of Hawser's session protocol, from before its version ` +
      `${String(WIRE_VERSION)}, which ${us} speaks: update the older one`,
  );
}

function introduction(members: Members): Introduction {
  const version = whole(members["version"], "version", 1);
  const accepts = range(members["accepts"], "accepts");
  if (version < accepts[0] || version > accepts[1])
    throw new Fault("`version` does not lie within `accepts`");
  return {
    protocol: string(members["protocol"], "protocol"),
    version,
    accepts,
    features: featureList(members["features"]),
    fingerprint:
      members["fingerprint"] === undefined ? "" : digest(members["fingerprint"], "fingerprint"),
    messages: members["messages"] === undefined ? null : messageList(members["messages"]),
    limits: peerLimits(object(members["limits"], "limits")),
  };
}

const MOST_FEATURES = 32;
const LONGEST_FEATURE = 64;

function featureList(value: unknown): readonly string[] {
  const features = list(value, "features").map((one, index) =>
    string(one, `features[${String(index)}]`),
  );
  if (features.length > MOST_FEATURES)
    throw new Fault(`\`features\` has more than ${String(MOST_FEATURES)} members`);
  for (const [index, feature] of features.entries()) {
    const { length } = utf8Encode(feature);
    if (length === 0 || length > LONGEST_FEATURE)
      throw new Fault(
        `\`features[${String(index)}]\` has not 1 to ${String(LONGEST_FEATURE)} bytes`,
      );
    if (features.indexOf(feature) < index)
      throw new Fault(`\`features[${String(index)}]\` is there twice`);
  }
  return features;
}

function peerLimits(members: Members): PeerLimits {
  const limit = (name: keyof PeerLimits, least: number, most: number): number =>
    whole(members[name], `limits.${name}`, least, most);
  const optional = (name: keyof PeerLimits, least: number, most: number): number =>
    members[name] === undefined ? Infinity : limit(name, least, most);
  return {
    maxMessageBytes: limit("maxMessageBytes", 1_024, MAX_U32),
    maxPartials: limit("maxPartials", 1, MAX_U32),
    maxConversations: limit("maxConversations", 1, MAX_U32),
    windowBytes: limit("windowBytes", 1, MAX_CREDIT),
    eventWindowBytes: limit("eventWindowBytes", 0, MAX_CREDIT),
    connectionWindowBytes: optional("connectionWindowBytes", 0, MAX_CREDIT),
    maxInputBytes: optional("maxInputBytes", 1, MAX_U32),
    laneWindowBytes: optional("laneWindowBytes", 1, MAX_CREDIT),
  };
}
