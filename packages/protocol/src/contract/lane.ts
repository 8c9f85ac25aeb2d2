/**
 * Lanes: where an event is ordered (PROTOCOL.md §5). Events of one lane are handled one after the
 * other, of two lanes independently. Owns what a contract says of an event's lane, and the number
 * that a lane's key has on the wire. Must not know sessions.
 *
 * @module
 */
import { fnv1a32 } from "./fnv.ts";

/**
 * Where an event is ordered: in the lane of this name, or in the one that a function of the payload
 * names. Numbers are keys as their decimal digits are, so that `7` and `"7"` are one lane.
 */
export type LaneOption = string | ((payload: never) => number | string);

/** An event's lane, ready for use. */
export interface LaneRule {
  /** Null: a function of the payload names it. */
  readonly name: string | null;
  /**
   * The lane's number: from 1, below 2^32.
   *
   * @throws {TypeError} when the contract's function returns no key
   * @throws what the contract's function throws
   */
  numberOf(payload: unknown): number;
}

/**
 * The number of the lane that a key names. Two keys may have the same number, about once in four
 * thousand million pairs; then they share a lane.
 */
export function laneNumber(key: string): number {
  return fnv1a32(key) || 1; // 0 is the common lane
}

/** The lane of an event, of which the contract says this. */
export function makeLane(event: string, option: LaneOption): LaneRule {
  if (typeof option === "string") {
    const number = laneNumber(option);
    return Object.freeze({ name: option, numberOf: () => number });
  }
  // the contract's types see to the payload, and what it returns is checked
  const keyOf = option as (payload: unknown) => unknown;
  return Object.freeze({
    name: null,
    numberOf: (payload: unknown) => laneNumber(keyText(event, keyOf(payload))),
  });
}

function keyText(event: string, key: unknown): string {
  if (typeof key === "string") return key;
  if (typeof key === "number" && Number.isFinite(key))
    return Number.isInteger(key) ? BigInt(key).toString() : String(key);
  const got =
    typeof key === "number" ? String(key) : `a value of type ${key === null ? "null" : typeof key}`;
  throw new TypeError(
    `Cannot emit ${JSON.stringify(event)}: its lane function returned ${got}; return a string ` +
      "or a finite number",
  );
}
