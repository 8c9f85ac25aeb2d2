/**
 * The peer as its HELLO or WELCOME describes it: its limits, and which of its messages are ours.
 * Owns the translation of names on the wire. Must not know how a greeting is written (hello.ts).
 *
 * @module
 */
import type { MessageEntry, Protocol } from "../contract.ts";

/** A message as the other side's list has it. */
export interface PeerMessage {
  readonly name: string;
  readonly type: string;
  readonly codec: string;
  readonly digest: string;
}

/** What the other side can take (PROTOCOL.md §3). */
export interface PeerLimits {
  readonly maxMessageBytes: number;
  readonly maxPartials: number;
  readonly maxConversations: number;
  readonly windowBytes: number;
  readonly eventWindowBytes: number;
  /** Infinity: the peer does not count, as with the next. */
  readonly connectionWindowBytes: number;
  readonly maxInputBytes: number;
}

/** The part of a greeting that HELLO and WELCOME share. */
export interface Introduction {
  readonly protocol: string;
  readonly version: number;
  readonly accepts: readonly [lowest: number, highest: number];
  /** What the side can use, or in a WELCOME what both will. */
  readonly features: readonly string[];
  readonly messages: readonly PeerMessage[];
  readonly limits: PeerLimits;
}

/** What a session asks about its peer for each message. */
export interface Peer {
  readonly version: number;
  readonly limits: PeerLimits;
  /** What both sides agreed to use. */
  readonly features: readonly string[];
  /** Our entry for each name in what the peer sends; null: we have none, or another of that name. */
  readonly entries: readonly (MessageEntry | null)[];
  knows(entry: MessageEntry): boolean;
}

/** The peer before the first handshake: whatever is kept for it may be for it. */
export const NOBODY: Peer = Object.freeze({
  version: 0,
  limits: Object.freeze({ maxMessageBytes: Infinity, maxPartials: 1, maxConversations: 0, windowBytes: 0, eventWindowBytes: 0, connectionWindowBytes: 0, maxInputBytes: 0 }),
  features: Object.freeze([]),
  entries: Object.freeze([]),
  knows: () => true,
});

/** The peer that a greeting describes. */
export class GreetedPeer implements Peer {
  readonly version: number;
  readonly limits: PeerLimits;
  readonly features: readonly string[];
  readonly entries: readonly (MessageEntry | null)[];
  /** Whether the peer has the entry, by our index. */
  readonly #knows: readonly boolean[];

  /** `features`: those that this side can use. */
  constructor(contract: Protocol, introduction: Introduction, features: readonly string[]) {
    this.version = introduction.version;
    this.limits = introduction.limits;
    const agreed = introduction.features.filter((feature) => features.includes(feature));
    this.features = agreed.length === features.length ? features : agreed; // the same list for all sessions, mostly
    this.entries = introduction.messages.map((message) => {
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

/** Whether both sides' messages can be exchanged; shapes are compared elsewhere, where versions are the same. */
export function isSame(entry: MessageEntry, message: PeerMessage): boolean {
  return entry.type === message.type && entry.codec.name === message.codec;
}
