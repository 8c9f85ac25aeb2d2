/**
 * The head of a REQUEST, STREAM or EVENT: which message, and what goes with it (PROTOCOL.md §2).
 *
 *     name u16 | flags u8 | [deadline u32] | [trace 25 bytes] | [number u64 | [first]]
 *     first: origin 16 bytes | number there u64
 *
 * Owns its layout and flags. Must not know what a name stands for.
 *
 * @module
 */
import type { ByteWriter } from "../../bytes/writer.ts";
import { EVENT, readU32, readU64, REQUEST, STREAM, writeU32, writeU64 } from "./frames.ts";
import { hexadecimal } from "../quote.ts";
import { isTrace, readTrace, TRACE_BYTES, writeTrace } from "./trace.ts";

const DEADLINE = 0x01;
const TRACE = 0x02;
const NUMBER = 0x04;
const ITEMS = 0x08;
const ORIGIN = 0x10;
const ORIGIN_BYTES = 16;

/**
 * Under which number of which session an event was first begun: its identity, which stays in every
 * later session.
 */
export interface FirstSent {
  /** 32 hexadecimal digits. */
  readonly origin: string;
  readonly number: number;
}

/**
 * Append a head. A `deadlineMs` or `number` of 0 is left out, and so is a trace that is none.
 * `first`: with a number alone.
 */
export function writeHead(
  output: ByteWriter,
  name: number,
  deadlineMs: number,
  trace: string | null,
  number: number,
  items: boolean,
  first: FirstSent | null = null,
): void {
  const traced = trace !== null && isTrace(trace);
  output.reserve(15);
  const { bytes } = output;
  let at = output.length;
  bytes[at++] = name >>> 8;
  bytes[at++] = name;
  bytes[at++] =
    (deadlineMs > 0 ? DEADLINE : 0) |
    (traced ? TRACE : 0) |
    (number > 0 ? NUMBER : 0) |
    (items ? ITEMS : 0) |
    (first === null ? 0 : ORIGIN);
  if (deadlineMs > 0) {
    writeU32(bytes, at, deadlineMs);
    at += 4;
  }
  output.length = at;
  if (traced) writeTrace(trace, output);
  if (number > 0) {
    const last = output.skip(8);
    writeU64(output.bytes, last, number);
  }
  if (first !== null) writeFirst(output, first);
}

function writeFirst(output: ByteWriter, { origin, number }: FirstSent): void {
  const at = output.skip(ORIGIN_BYTES + 8);
  for (let byte = 0; byte < ORIGIN_BYTES; byte++)
    output.bytes[at + byte] = parseInt(origin.slice(2 * byte, 2 * byte + 2), 16);
  writeU64(output.bytes, at + ORIGIN_BYTES, number);
}

/** Sets the number of a head that has one, and ends with it, or with what `first` says. */
export function writeNumber(bytes: Uint8Array, number: number, first: FirstSent | null): void {
  writeU64(bytes, bytes.length - 8 - (first === null ? 0 : ORIGIN_BYTES + 8), number);
}

/** Say another deadline in a head that has one. */
export function writeDeadline(bytes: Uint8Array, deadlineMs: number): void {
  writeU32(bytes, 3, deadlineMs);
}

/** A head that was read; one object is used again and again. */
export class Head {
  name = 0;
  /** Milliseconds from the arrival; 0: none. */
  deadlineMs = 0;
  trace: string | null = null;
  /** 0: the event has none. */
  number = 0;
  /** The event's identity, where it was begun in an older session; null: it was not. */
  first: FirstSent | null = null;
  /** True if the opener sends items. */
  items = false;
  /** Where the body begins. */
  body = 0;

  /** Read what `bytes[start, end)` begins with; null, or which rule it breaks. */
  read(kind: number, bytes: Uint8Array, start: number, end: number): string | null {
    if (end - start < 3) return "a head is cut short";
    // there are three, as was just seen
    this.name = ((bytes[start] as number) << 8) | (bytes[start + 1] as number);
    const flags = bytes[start + 2] as number;
    this.body = start + 3;
    this.deadlineMs = 0;
    this.trace = null;
    this.number = 0;
    this.first = null;
    this.items = false;
    return flags === 0 ? null : this.#readFields(kind, flags, bytes, end);
  }

  #readFields(kind: number, flags: number, bytes: Uint8Array, end: number): string | null {
    if ((flags & ~allowed(kind)) !== 0 || (flags & (ORIGIN | NUMBER)) === ORIGIN)
      return `flags 0x${flags.toString(16).padStart(2, "0")}, which it can't have`;
    const size =
      ((flags & DEADLINE) === 0 ? 0 : 4) +
      ((flags & TRACE) === 0 ? 0 : TRACE_BYTES) +
      ((flags & NUMBER) === 0 ? 0 : 8) +
      ((flags & ORIGIN) === 0 ? 0 : ORIGIN_BYTES + 8);
    let at = this.body;
    this.body = at + size;
    if (this.body > end) return "a head is cut short";
    if ((flags & DEADLINE) !== 0) {
      this.deadlineMs = readU32(bytes, at);
      if (this.deadlineMs === 0) return "a deadline of 0 ms";
      at += 4;
    }
    if ((flags & TRACE) !== 0) {
      this.trace = readTrace(bytes, at);
      at += TRACE_BYTES;
    }
    if ((flags & NUMBER) !== 0) {
      this.number = readU64(bytes, at);
      if (this.number === 0) return "the number 0";
      at += 8;
    }
    if ((flags & ORIGIN) !== 0) {
      this.first = {
        origin: hexadecimal(bytes.subarray(at, at + ORIGIN_BYTES)),
        number: readU64(bytes, at + ORIGIN_BYTES),
      };
      if (this.first.number === 0) return "the number 0 in its origin";
    }
    this.items = (flags & ITEMS) !== 0;
    return null;
  }
}

function allowed(kind: number): number {
  switch (kind) {
    case REQUEST:
      return DEADLINE | TRACE;
    case STREAM:
      return DEADLINE | TRACE | ITEMS;
    case EVENT:
      return TRACE | NUMBER | ORIGIN;
    default:
      return 0;
  }
}
