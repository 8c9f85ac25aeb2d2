/**
 * contentLength(): frames after a block of headers, as language servers and debug adapters speak.
 *
 *     "Content-Length: " length CR LF  *( name ": " value CR LF )  CR LF  payload
 *
 *     header  = name ": " value CR LF
 *     name    = 1*tchar                       RFC 9110 §5.6.2; upper and lower case are the same
 *     value   = *( HTAB / %x20-7E / %x80-FF )
 *
 * Content-Length stands in each block exactly once; its value is a canonical decimal of at most 9
 * digits. A Content-Type may stand there, and where it names a charset that is utf-8 or utf8. Other
 * headers are read over.
 *
 * Limits: payload <= maxFrameBytes, checked at the block's end, before anything is allocated; a
 * block has at most 4096 bytes, with the empty line, and 32 headers. Faults: FRAME_TOO_LARGE at the
 * length's first digit; FRAME_TRUNCATED; FRAME_MALFORMED at the first byte that is wrong. A header
 * is judged when its LF has come, first its grammar (a bare LF last), then what it says: a second
 * Content-Length and a 33rd header are wrong at their first byte, a number at its first wrong byte
 * or the CR it lacks a digit before, a charset at its first byte, a missing Content-Length at the
 * empty line, a block that is too long at its 4097th byte. Source: Language Server Protocol 3.17,
 * "Base Protocol".
 *
 * @module
 */
import { checkNone } from "../arguments.ts";
import { FrameBuffer } from "../bytes/writer.ts";
import { CountedDecoder, type HeaderReader } from "./counted.ts";
import { Decimal, decimalEncoder, LENGTH_DIGITS } from "./decimal.ts";
import type { Framing } from "./framing.ts";
import { utf8Encode } from "../bytes/utf8-write.ts";

const MAX_BLOCK_BYTES = 4096;
const MAX_HEADERS = 32;

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const DELETE = 0x7f;

const CONTENT_LENGTH = utf8Encode("content-length");
const CONTENT_TYPE = utf8Encode("content-type");
/** 1 for each byte that may stand in a name: RFC 9110's `tchar`. */
const NAME_BYTE = new Uint8Array(256);
for (const byte of utf8Encode(
  "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
))
  NAME_BYTE[byte] = 1;

/**
 * Any bytes, each frame after its `Content-Length`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { contentLength, encodeFrames } from "@hawser/protocol";
 *
 * const bytes = encodeFrames(contentLength(), [new TextEncoder().encode("{}")]);
 * assert.equal(new TextDecoder().decode(bytes), "Content-Length: 2\r\n\r\n{}");
 * ```
 */
export function contentLength(...none: readonly []): Framing {
  checkNone("contentLength()", none);
  return framing;
}

/** Reads a block of headers line by line; what is not a whole line yet is kept. */
class HeaderBlock implements HeaderReader {
  size = 0;
  length = -1;
  lengthAt = 0;
  wrong: HeaderReader["wrong"] = null;
  /** The begun line. */
  readonly #line = new FrameBuffer();
  #headers = 0;
  /** What Content-Length says; -1 before it has come. */
  #stated = -1;

  read(chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length && this.length === -1 && this.wrong === null) {
      const room = MAX_BLOCK_BYTES - this.size;
      if (room === 0) {
        this.wrong = {
          at: this.size,
          detail: `The headers have more than ${String(MAX_BLOCK_BYTES)} bytes`,
        };
        break;
      }
      const lf = chunk.indexOf(LF, at);
      const ends = lf !== -1 && lf < at + room;
      const end = ends ? lf + 1 : Math.min(at + room, chunk.length);
      this.size += end - at;
      if (ends && this.#line.length === 0) {
        this.#judge(chunk, at, lf);
      } else {
        this.#line.append(chunk, at, end, MAX_BLOCK_BYTES);
        if (ends) this.#judgeKept();
      }
      at = end;
    }
    return at;
  }

  reset(): void {
    this.size = 0;
    this.length = -1;
    this.lengthAt = 0;
    this.wrong = null;
    this.#line.clear();
    this.#headers = 0;
    this.#stated = -1;
  }

  #judgeKept(): void {
    const { bytes, length } = this.#line;
    this.#line.clear();
    this.#judge(bytes, 0, length - 1);
  }

  /** The line `bytes[start, lf]`, its LF the last byte read so far. */
  #judge(bytes: Uint8Array, start: number, lf: number): void {
    const base = this.size - 1 - lf;
    const end = lf > start && bytes[lf - 1] === CR ? lf - 1 : lf;
    const refuse = (at: number, detail: string): void => {
      this.wrong = { at: base + at, detail };
    };
    if (start === end) {
      if (end === lf) refuse(lf, "An LF stands alone: headers end with CR LF");
      else if (this.#stated === -1)
        refuse(start, "The headers have no Content-Length: see whether the peer uses this framing");
      else this.length = this.#stated;
      return;
    }
    if (this.#headers++ === MAX_HEADERS) {
      refuse(start, `There are more than ${String(MAX_HEADERS)} headers`);
      return;
    }
    let colon = start;
    while (colon < end && NAME_BYTE[bytes[colon] as number] === 1) colon++; // in range
    const value = colon + 2;
    if (colon === start || bytes[colon] !== COLON)
      refuse(
        colon,
        "A header does not begin with a name and a colon: see whether the peer uses this framing",
      );
    else if (bytes[colon + 1] !== SPACE)
      refuse(colon + 1, "No space follows the colon of a header");
    else if (findControl(bytes, value, end) !== -1)
      refuse(findControl(bytes, value, end), "A control byte stands in a header");
    else if (end === lf) refuse(lf, "An LF stands alone: headers end with CR LF");
    else if (nameIs(CONTENT_LENGTH, bytes, start, colon))
      this.#readLength(bytes, start, value, end, base);
    else if (nameIs(CONTENT_TYPE, bytes, start, colon)) {
      const charset = findForeignCharset(bytes, value, end);
      if (charset !== -1) refuse(charset, "The Content-Type names a charset that is not utf-8");
    }
  }

  #readLength(bytes: Uint8Array, start: number, value: number, end: number, base: number): void {
    if (this.#stated !== -1) {
      this.wrong = { at: base + start, detail: "Content-Length stands in the headers twice" };
      return;
    }
    const decimal = new Decimal();
    let at = value;
    while (at < end && decimal.take(bytes[at] as number)) at++; // in range
    if (at < end || decimal.digits === 0) {
      this.wrong = {
        at: base + at,
        detail:
          "Content-Length is not a decimal without leading zeros, of at most " +
          `${String(LENGTH_DIGITS)} digits`,
      };
      return;
    }
    this.#stated = decimal.value;
    this.lengthAt = base + value;
  }
}

/** True if `bytes[start, end)`, which are name bytes, are `name` in any case. */
function nameIs(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i++)
    // in range; 0x20 makes A to a
    if (((bytes[start + i] as number) | 0x20) !== name[i]) return false;
  return true;
}

function findControl(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number; // in range
    if ((byte < SPACE && byte !== TAB) || byte === DELETE) return at;
  }
  return -1;
}

/**
 * Index of a charset in a Content-Type's value that is not UTF-8, or -1. "utf8" is what old clients
 * write.
 */
function findForeignCharset(bytes: Uint8Array, start: number, end: number): number {
  const value = String.fromCharCode(...bytes.subarray(start, end));
  for (const match of value.matchAll(/;[ \t]*charset="?([^" \t;]*)/gi)) {
    const charset = match[1] as string; // the pattern has one group, which always takes part
    if (!/^utf-?8$/i.test(charset)) return start + match.index + match[0].length - charset.length;
  }
  return -1;
}

const encoder = decimalEncoder({
  before: utf8Encode("Content-Length: "),
  after: utf8Encode("\r\n\r\n"),
  closing: Uint8Array.of(),
  least: 0,
});

const framing: Framing = Object.freeze({
  name: "contentLength",
  decoder: (limits) => new CountedDecoder(new HeaderBlock(), limits),
  encoder: () => encoder,
} satisfies Framing);
