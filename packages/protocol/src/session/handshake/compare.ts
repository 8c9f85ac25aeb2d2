/**
 * Whether two contracts fit (PROTOCOL.md §3), and the words for it when they do not. Owns the rules
 * of refusal that both sides judge by. Must not know how a greeting is written, or who sent it
 * first.
 *
 * @module
 */
import type { MessageEntry, Protocol } from "../../contract/contract.ts";
import { HawserError } from "../../errors.ts";
import { isSame, type PeerMessage } from "./message-list.ts";
import type { Introduction } from "./peer.ts";
import { plain } from "../quote.ts";

/**
 * Why our contract and the peer's do not fit, by their names and versions, or null. `them` is how
 * the text calls the peer: "the client".
 */
export function compareContracts(
  ours: Protocol,
  theirs: Introduction,
  us: string,
  them: string,
): HawserError | null {
  if (theirs.protocol !== ours.name) {
    return new HawserError(
      "PROTOCOL_MISMATCH",
      `${capital(them)} speaks the contract ${name(theirs.protocol)}, ${us} ` +
        `${name(ours.name)}: see whether the address is right`,
    );
  }
  const [lower, higher] = theirs.version < ours.version ? [theirs, ours] : [ours, theirs];
  if (within(lower.version, higher.accepts)) return null;
  const [oursText, theirsText] = [
    versions(ours.version, ours.accepts),
    versions(theirs.version, theirs.accepts),
  ];
  return new HawserError(
    "PROTOCOL_MISMATCH",
    `${capital(them)} speaks ${name(ours.name)} ${theirsText}, ${us} ${oursText}: update the ` +
      "older one, or let the newer accept it",
  );
}

/** Why our list of messages and that of a peer with version `version` do not fit, or null. */
export function compareLists(
  ours: Protocol,
  version: number,
  messages: readonly PeerMessage[],
  us: string,
  them: string,
): HawserError | null {
  if (version !== ours.version) return null;
  const differences = differing(ours, messages, us, them);
  if (differences.length === 0) return null;
  const more = differences.length > SHOWN ? `, and ${String(differences.length - SHOWN)} more` : "";
  return new HawserError(
    "CONTRACT_DIFFERS",
    `Both sides speak ${name(ours.name)} ${String(ours.version)}, but not the same: ` +
      `${differences.slice(0, SHOWN).join("; ")}${more}. Raise the version with each change`,
  );
}

/** Number of differences that a text names. */
const SHOWN = 2;

function differing(
  ours: Protocol,
  messages: readonly PeerMessage[],
  us: string,
  them: string,
): string[] {
  const found: string[] = [];
  const seen = new Set<MessageEntry>();
  for (const message of messages) {
    const entry = ours.find(message.name);
    if (entry === undefined) {
      found.push(`${us} lacks ${name(message.name)}`);
    } else {
      seen.add(entry);
      const difference = differs(entry, message);
      if (difference !== null) found.push(`${name(entry.name)} has another ${difference}`);
    }
  }
  for (const entry of ours.messages)
    if (!seen.has(entry)) found.push(`${them} lacks ${name(entry.name)}`);
  return found;
}

function differs(entry: MessageEntry, message: PeerMessage): string | null {
  if (!isSame(entry, message)) return entry.type === message.type ? "codec" : "type";
  return entry.digest !== "" && message.digest !== "" && entry.digest !== message.digest
    ? "shape"
    : null;
}

function within(version: number, [lowest, highest]: readonly [number, number]): boolean {
  return version >= lowest && version <= highest;
}

function versions(version: number, [lowest, highest]: readonly [number, number]): string {
  const accepts = lowest === highest ? String(lowest) : `${String(lowest)} to ${String(highest)}`;
  return `version ${String(version)} (accepts ${accepts})`;
}

function name(text: string): string {
  return `"${plain(text, 40)}"`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
