/**
 * The peer as its greeting describes it: its version, its limits, what both can use, and what its
 * list of messages means. Must not know how a greeting is written (hello.ts), or a list
 * (message-list.ts).
 *
 * @module
 */
import type { MessageEntry } from "../../contract/contract.ts";
import type { MessageView, PeerMessage } from "./message-list.ts";

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
  /** Infinity: its lanes have no account of their own. */
  readonly laneWindowBytes: number;
}

/** The part of a greeting that HELLO and WELCOME share. */
export interface Introduction {
  readonly protocol: string;
  readonly version: number;
  readonly accepts: readonly [lowest: number, highest: number];
  /** What the side can use, or in a WELCOME what both will. */
  readonly features: readonly string[];
  /** Of the side's own list of messages; `""`: not told. */
  readonly fingerprint: string;
  /** Null: not in this greeting. */
  readonly messages: readonly PeerMessage[] | null;
  readonly limits: PeerLimits;
}

/** What a session asks about its peer for each message. */
export interface Peer extends MessageView {
  readonly version: number;
  readonly limits: PeerLimits;
  /** What both sides agreed to use. */
  readonly features: readonly string[];
}

/** The peer before the first handshake: whatever is kept for it may be for it. */
export const NOBODY: Peer = Object.freeze({
  version: 0,
  limits: Object.freeze({
    maxMessageBytes: Infinity,
    maxPartials: 1,
    maxConversations: 0,
    windowBytes: 0,
    eventWindowBytes: 0,
    connectionWindowBytes: 0,
    maxInputBytes: 0,
    laneWindowBytes: 0,
  }),
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
  readonly #view: MessageView;

  /** `features`: those that this side can use. `view`: what the peer's list means. */
  constructor(introduction: Introduction, features: readonly string[], view: MessageView) {
    this.version = introduction.version;
    this.limits = introduction.limits;
    this.features = agreedFeatures(introduction.features, features);
    this.entries = view.entries;
    this.#view = view;
  }

  knows(entry: MessageEntry): boolean {
    return this.#view.knows(entry);
  }
}

/** Those of the peer's features that this side can use: the same list for all sessions, mostly. */
function agreedFeatures(theirs: readonly string[], ours: readonly string[]): readonly string[] {
  const agreed = theirs.filter((feature) => ours.includes(feature));
  return agreed.length === ours.length ? ours : agreed;
}
