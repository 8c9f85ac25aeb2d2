/**
 * The list of messages that a side tells of its contract: its text, its pieces, and what of it both
 * sides know (PROTOCOL.md §3). Owns the list's form on the wire. Must not know greetings
 * (hello.ts), nor judge whether two lists fit (compare.ts).
 *
 * @module
 */
import { ByteWriter } from "../../bytes/writer.ts";
import {
  type ListedMessage,
  listMessages,
  type MessageEntry,
  type Protocol,
} from "../../contract/contract.ts";
import { type ErrorCode, HawserError } from "../../errors.ts";
import { peerError } from "../../stack.ts";
import { utf8Encode } from "../../bytes/utf8-write.ts";
import { MAX_EARLY_PAYLOAD, MESSAGES, MORE, writeFrame } from "../frames/frames.ts";
import { digest, Fault, list, parse, reading, string } from "./members.ts";

/** Bytes of a list, however it is cut. */
export const MAX_LIST_BYTES = 1_048_576;

/** A message as a side's list has it. */
export interface PeerMessage {
  readonly name: string;
  readonly type: string;
  readonly codec: string;
  readonly digest: string;
}

/** The meaning of a peer's list to this side. */
export interface MessageView {
  /**
   * Our entry for each name in what the peer sends; null: we have none, or another of that name.
   */
  readonly entries: readonly (MessageEntry | null)[];
  knows(entry: MessageEntry): boolean;
}

/**
 * True if both sides' messages can be exchanged; shapes are compared elsewhere, where versions are
 * the same.
 */
export function isSame(entry: MessageEntry, message: PeerMessage): boolean {
  return entry.type === message.type && entry.codec.name === message.codec;
}

/** The meaning of a list that is not our own. */
export class ForeignView implements MessageView {
  readonly entries: readonly (MessageEntry | null)[];
  /** True if the peer has the entry, by our index. */
  readonly #knows: readonly boolean[];

  constructor(contract: Protocol, messages: readonly PeerMessage[]) {
    this.entries = messages.map((message) => {
      const entry = contract.find(message.name);
      return entry !== undefined && isSame(entry, message) ? entry : null;
    });
    const knows = contract.messages.map(() => false);
    for (const entry of this.entries) if (entry !== null) knows[entry.index] = true;
    this.#knows = knows;
  }

  knows(entry: MessageEntry): boolean {
    return this.#knows[entry.index] === true;
  }
}

/**
 * This side's own list: one object for all sessions of a contract. It is also what a list with the
 * same fingerprint means.
 */
export class OwnList implements MessageView {
  readonly fingerprint: string;
  readonly entries: readonly MessageEntry[];
  /** The list as a greeting may have it. */
  readonly members: readonly ListedMessage[];
  #text: Uint8Array | null = null;

  constructor({ messages, fingerprint }: Protocol) {
    this.fingerprint = fingerprint;
    this.entries = messages;
    this.members = listMessages(messages);
  }

  knows(entry: MessageEntry): boolean {
    return this.entries[entry.index] === entry;
  }

  /** Its JSON in UTF-8. */
  get text(): Uint8Array {
    return (this.#text ??= utf8Encode(JSON.stringify(this.members)));
  }

  /** MESSAGES, in as many pieces as it takes. */
  write(output: ByteWriter): void {
    const { text } = this;
    let from = 0;
    for (; text.length - from > MAX_EARLY_PAYLOAD; from += MAX_EARLY_PAYLOAD)
      writeFrame(output, MESSAGES | MORE, 0, text, from, from + MAX_EARLY_PAYLOAD);
    writeFrame(output, MESSAGES, 0, text, from);
  }
}

/** Reads the MESSAGES of one peer, which it sends at most once. */
export class ListReader {
  readonly #code: ErrorCode;
  #joined: ByteWriter | null = null;
  #messages: readonly PeerMessage[] | null = null;

  /** `code`: of the error for a list that is none. */
  constructor(code: ErrorCode) {
    this.#code = code;
  }

  /** The list, where it has come whole. */
  get messages(): readonly PeerMessage[] | null {
    return this.#messages;
  }

  /** True while a list has begun and is not whole. */
  get isPartial(): boolean {
    return this.#joined !== null;
  }

  /** Take a frame. Returns what is wrong with it, or null. */
  take(kind: number, bytes: Uint8Array, start: number, end: number): HawserError | null {
    const size = end - start;
    if (this.#messages !== null) return this.#fault("is there twice");
    if (size > MAX_EARLY_PAYLOAD)
      return this.#fault(
        `has a piece of ${String(size)} bytes: the most are ${String(MAX_EARLY_PAYLOAD)}`,
      );
    if ((kind & MORE) !== 0 && size === 0) return this.#fault("has a piece without a byte");
    const length = (this.#joined?.length ?? 0) + size;
    if (length > MAX_LIST_BYTES)
      return this.#fault(`has more than ${String(MAX_LIST_BYTES)} bytes`);
    if ((kind & MORE) !== 0) {
      this.#joined ??= new ByteWriter();
      this.#joined.append(bytes, start, end);
      return null;
    }
    const joined = this.#joined;
    this.#joined = null;
    joined?.append(bytes, start, end);
    const read = reading("MESSAGES", this.#code, () =>
      messageList(
        joined === null ? parse(bytes, start, end) : parse(joined.bytes, 0, joined.length),
      ),
    );
    if (read instanceof HawserError) return read;
    this.#messages = read;
    return null;
  }

  #fault(what: string): HawserError {
    return peerError(this.#code, `The peer's list of messages ${what}`);
  }
}

const TYPES: readonly unknown[] = ["request", "stream", "event"];

/** A list of messages in JSON. */
export function messageList(value: unknown): readonly PeerMessage[] {
  const names = new Set<string>();
  return list(value, "messages").map((one, index) => {
    const where = `messages[${String(index)}]`;
    const [name, type, codec, known] = list(one, where);
    const message = {
      name: string(name, `${where}[0]`),
      type: string(type, `${where}[1]`),
      codec: string(codec, `${where}[2]`),
      digest: digest(known, `${where}[3]`),
    };
    if (!TYPES.includes(message.type))
      throw new Fault(`\`${where}[1]\` is not "request", "stream" or "event"`);
    if (names.has(message.name)) throw new Fault(`\`${where}\` has the name of another`);
    names.add(message.name);
    return message;
  });
}
