/**
 * Sentinels: the bytes that end a conversation, as a frame of their own or as the suffix of an
 * unframed stream. Owns how one is declared, found in what arrives, and kept out of what is sent.
 * Must not know messages.
 *
 * @module
 */
import { bytesOf, checkOptions } from "../arguments.ts";
import type { ByteWriter } from "../bytes/writer.ts";
import { HawserError } from "../errors.ts";
import type { FrameSink } from "../framing/framing.ts";
import { Needle, NeedleSearch } from "../bytes/search.ts";

/** The end of a conversation: a whole frame's payload, or the end of an unframed stream. */
export type SentinelOption = string | Uint8Array | { readonly suffix: string | Uint8Array };

/**
 * A sentinel that is a frame: `bytes`, and the byte sequence that `escape` puts before a payload
 * that reads like it.
 */
export interface FrameSentinel {
  readonly form: "frame";
  readonly bytes: Uint8Array;
  readonly escape: Uint8Array | null;
}

/** A sentinel that ends an unframed stream. */
export interface SuffixSentinel {
  readonly form: "suffix";
  readonly needle: Needle;
}

/** A sentinel, prepared. */
export type Sentinel = FrameSentinel | SuffixSentinel;

/**
 * Prepare a sentinel.
 *
 * @throws {TypeError} when it is neither text nor bytes nor a suffix of these, or its form does not
 *   fit the framing
 * @throws {RangeError} when it, or the escape, is empty
 */
export function prepareSentinel(
  option: SentinelOption,
  escape: string | Uint8Array | undefined,
  unframed: boolean,
): Sentinel {
  const isSuffix = isSuffixOption(option);
  if (isSuffix !== unframed) {
    throw new TypeError(
      unframed
        ? "Cannot use a sentinel frame with raw(), which has no frames: write { suffix } around " +
            "it, or choose a framing"
        : "Cannot use a sentinel suffix with a framing: give the sentinel itself, it is compared " +
            "with whole frames",
    );
  }
  if (isSuffix) {
    if (escape !== undefined)
      throw new TypeError(
        "Cannot escape a suffix: a stream without frames has no place for an escape",
      );
    return Object.freeze({
      form: "suffix",
      needle: new Needle(bytesOf("The suffix of a sentinel", option.suffix)),
    });
  }
  const escapeBytes = escape === undefined ? null : bytesOf("An escape", escape);
  if (escapeBytes?.length === 0) throw new RangeError("Cannot use an empty escape");
  const sentinel = bytesOf("A sentinel", option);
  if (sentinel.length === 0)
    throw new RangeError(
      "Cannot use an empty sentinel: every empty message would end the conversation",
    );
  if (escapeBytes !== null && stripped(sentinel, escapeBytes, 0, sentinel.length) > 0) {
    throw new RangeError("Cannot use an escape that the sentinel begins with");
  }
  return Object.freeze({ form: "frame", bytes: sentinel, escape: escapeBytes });
}

function isSuffixOption(
  option: SentinelOption,
): option is { readonly suffix: string | Uint8Array } {
  if (typeof option !== "object" || option instanceof Uint8Array) {
    bytesOf("A sentinel", option);
    return false;
  }
  checkOptions("A sentinel", option, ["suffix"]);
  return true;
}

/** True if `bytes[start, end)` is the sentinel. */
export function isSentinel(
  sentinel: FrameSentinel,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  return equals(sentinel.bytes, bytes, start, end);
}

/** Bytes of `bytes[start, end)` that are escapes before a sentinel; 0 for any other payload. */
export function escapedBytes(
  sentinel: FrameSentinel,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  if (sentinel.escape === null) return 0;
  const begin = stripped(bytes, sentinel.escape, start, end);
  return begin > start && isSentinel(sentinel, bytes, begin, end) ? sentinel.escape.length : 0;
}

/**
 * Keep a payload from reading as the sentinel: escape it where the wire has an escape, refuse it
 * where not. The payload is `output.bytes[start, output.length)`.
 *
 * @throws {HawserError} PAYLOAD_IS_SENTINEL
 */
export function guardPayload(sentinel: FrameSentinel, output: ByteWriter, start: number): void {
  const { escape } = sentinel;
  if (isSentinel(sentinel, output.bytes, start, output.length)) {
    if (escape === null) {
      throw new HawserError(
        "PAYLOAD_IS_SENTINEL",
        "Cannot send a message that equals the sentinel: call end(), or give the wire an escape",
      );
    }
  } else if (escape === null || escapedBytes(sentinel, output.bytes, start, output.length) === 0) {
    return;
  }
  output.insert(start, escape.length);
  output.bytes.set(escape, start);
}

/**
 * Finds a suffix in an unframed stream: what comes before it goes on, and nothing is held back
 * longer than the suffix.
 */
export class SuffixDecoder {
  readonly #needle: Needle;
  readonly #search: NeedleSearch;

  constructor(needle: Needle) {
    this.#needle = needle;
    this.#search = new NeedleSearch(needle);
  }

  /**
   * Pass on what is not the suffix; returns the index after the suffix, or -1 while it has not
   * come.
   */
  push(chunk: Uint8Array, start: number, end: number, sink: FrameSink): number {
    const held = this.#search.matched;
    const after = this.#search.next(chunk, start, end);
    const keep = after === -1 ? this.#search.matched : this.#needle.length;
    // The stream so far, without what has been passed on: the held bytes, which begin the needle,
    // and this chunk.
    const pass = held + (after === -1 ? end : after) - start - keep;
    const fromHeld = Math.min(held, Math.max(pass, 0));
    if (fromHeld > 0) sink.frame(this.#needle.bytes, 0, fromHeld);
    if (pass > fromHeld) sink.frame(chunk, start, start + pass - fromHeld);
    return after;
  }

  /** The stream is over without the suffix: pass on what was held back. */
  end(sink: FrameSink): void {
    const held = this.#search.matched;
    this.#search.matched = 0;
    if (held > 0) sink.frame(this.#needle.bytes, 0, held);
  }
}

/** Refuses to send what the peer would take for the suffix, also across messages. */
export class SuffixGuard {
  readonly #needle: Needle;
  readonly #search: NeedleSearch;

  constructor(needle: Needle) {
    this.#needle = needle;
    this.#search = new NeedleSearch(needle);
  }

  /**
   * Check `output.bytes[start, output.length)`, which is then sent.
   *
   * @throws {HawserError} PAYLOAD_IS_SENTINEL when it completes the suffix, or would do so with the
   *   suffix behind it
   */
  check(output: ByteWriter, start: number): void {
    const before = this.#search.matched;
    if (this.#search.next(output.bytes, start, output.length) === -1 && this.#leavesRoom()) return;
    this.#search.matched = before;
    throw new HawserError(
      "PAYLOAD_IS_SENTINEL",
      "Cannot send a message that holds the sentinel, or completes it: call end() to send the " +
        "sentinel",
    );
  }

  /**
   * True if the suffix, sent now, is found at its own end: "ab" and then "abab" holds "abab" two
   * bytes too early.
   */
  #leavesRoom(): boolean {
    const { bytes, length } = this.#needle;
    let { matched } = this.#search;
    for (let at = 0; matched > 0 && at < length - 1; at++) {
      matched = this.#needle.step(matched, bytes[at] as number); // at < length
      if (matched === length) return false;
    }
    return true;
  }
}

/** Index after all the escapes that `bytes[start, end)` begins with. */
function stripped(bytes: Uint8Array, escape: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at + escape.length <= end && equals(escape, bytes, at, at + escape.length))
    at += escape.length;
  return at;
}

function equals(wanted: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== wanted.length) return false;
  for (let i = 0; i < wanted.length; i++) if (bytes[start + i] !== wanted[i]) return false;
  return true;
}
