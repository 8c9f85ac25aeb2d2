/**
 * The frames of the wire: kinds, what is true of each kind, and writing one into an output
 * (PROTOCOL.md §1, §2). Owns numbers and layout. Must not know which frame may come when
 * (transitions.ts), or what one means.
 *
 *     length u32 | kind u8 | id u32 | payload
 *
 * @module
 */
import type { ByteWriter } from "../../bytes/writer.ts";
import { utf8Encode } from "../../bytes/utf8-write.ts";
import type { NumberRange } from "../events/number-set.ts";

/** The first bytes of each side. */
export const SIGNATURE: Readonly<Uint8Array> = Uint8Array.of(
  0x89,
  0x48,
  0x57,
  0x53,
  0x0d,
  0x0a,
  0x1a,
  0x0a,
);

/** Bytes of a frame before its payload. */
export const HEADER_BYTES = 9;
/** Bytes that `length` counts besides the payload. */
export const COUNTED_BYTES = 5;
/** Longest payload of a frame. */
export const MAX_PAYLOAD = 65_536;
/** Longest payload before the session is ready. */
export const MAX_EARLY_PAYLOAD = 16_384;
/** Longest payload of a CANCEL. */
export const MAX_REASON = 1_024;
/** Bytes that a message's head may take besides its body. */
export const MAX_HEAD = 64;
/** The cost of an ITEM or EVENT besides its body. */
export const ITEM_COST = 16;
/** Ranges that an ACK has at most, and the bytes of each. */
export const MAX_RANGES = 255;
export const RANGE_BYTES = 16;
/** The bit of `kind` that says: more pieces of this message follow. */
export const MORE = 0x80;
/**
 * The bit of `kind` that says: a receiver that does not know the kind ignores the frame. No kind of
 * this version has it.
 */
export const IGNORABLE = 0x40;

export const HELLO = 0x01;
export const WELCOME = 0x02;
export const REFUSE = 0x03;
export const PING = 0x04;
export const PONG = 0x05;
export const DRAIN = 0x06;
export const CLOSE = 0x07;
export const ACK = 0x08;
export const REJECT = 0x09;
export const CREDIT = 0x0a;
export const WINDOW = 0x0b;
export const WANT = 0x0c;
export const MESSAGES = 0x0d;
export const LANE = 0x0e;
export const REQUEST = 0x10;
export const RESULT = 0x11;
export const FAIL = 0x12;
export const CANCEL = 0x13;
export const STREAM = 0x14;
export const ITEM = 0x15;
export const END = 0x16;
export const EVENT = 0x17;
export const STOP = 0x18;

/** What is true of each frame of a kind, whatever the session's state. */
export interface FrameRule {
  readonly name: string;
  /** The frame's id: 0, a conversation's (or of LANE a lane's), or either. */
  readonly id: "conversation" | "either" | "zero";
  readonly min: number;
  readonly max: number;
  /** True if it may be cut into pieces. */
  readonly cut: boolean;
}

const rule = (
  name: string,
  id: FrameRule["id"],
  min: number,
  max: number,
  cut = false,
): FrameRule => Object.freeze({ name, id, min, max, cut });

/**
 * The rule of each kind, by its number; a hole where there is none. Lengths of pieces are checked
 * when they are joined.
 */
export const frameRules: readonly (FrameRule | undefined)[] = Object.freeze(
  Object.assign(new Array<FrameRule | undefined>(0x19).fill(undefined), {
    [HELLO]: rule("HELLO", "zero", 2, MAX_EARLY_PAYLOAD),
    [WELCOME]: rule("WELCOME", "zero", 2, MAX_EARLY_PAYLOAD),
    [REFUSE]: rule("REFUSE", "zero", 2, MAX_EARLY_PAYLOAD),
    [PING]: rule("PING", "zero", 8, 8),
    [PONG]: rule("PONG", "zero", 8, 8),
    [DRAIN]: rule("DRAIN", "zero", 0, 0),
    [CLOSE]: rule("CLOSE", "zero", 0, MAX_PAYLOAD),
    [ACK]: rule("ACK", "zero", 8, 8 + MAX_RANGES * RANGE_BYTES),
    [REJECT]: rule("REJECT", "zero", 10, MAX_PAYLOAD),
    [CREDIT]: rule("CREDIT", "either", 4, 4),
    [WINDOW]: rule("WINDOW", "zero", 4, 4),
    [WANT]: rule("WANT", "zero", 0, 0),
    [MESSAGES]: rule("MESSAGES", "zero", 0, MAX_EARLY_PAYLOAD, true),
    [LANE]: rule("LANE", "conversation", 4, 4),
    [REQUEST]: rule("REQUEST", "conversation", 3, Infinity, true),
    [RESULT]: rule("RESULT", "conversation", 0, Infinity, true),
    [FAIL]: rule("FAIL", "conversation", 2, Infinity, true),
    [CANCEL]: rule("CANCEL", "conversation", 0, MAX_REASON),
    [STREAM]: rule("STREAM", "conversation", 3, Infinity, true),
    [ITEM]: rule("ITEM", "conversation", 0, Infinity, true),
    [END]: rule("END", "conversation", 0, 0),
    [EVENT]: rule("EVENT", "either", 3, Infinity, true),
    [STOP]: rule("STOP", "conversation", 0, 0),
  }),
);

/** The name of a kind, for errors. */
export function kindName(kind: number): string {
  return frameRules[kind & ~MORE]?.name ?? `kind 0x${kind.toString(16).padStart(2, "0")}`;
}

/**
 * Begin a frame: everything but its length. Returns where it starts; write the payload, then
 * `sealFrame`.
 */
export function openFrame(output: ByteWriter, kind: number, id: number): number {
  const start = output.skip(HEADER_BYTES);
  const { bytes } = output;
  bytes[start + 4] = kind;
  bytes[start + 5] = id >>> 24;
  bytes[start + 6] = id >>> 16;
  bytes[start + 7] = id >>> 8;
  bytes[start + 8] = id;
  return start;
}

/** Complete the frame that starts at `start` and ends the output. */
export function sealFrame(output: ByteWriter, start: number): void {
  writeU32(output.bytes, start, output.length - start - 4);
}

/** A frame whose payload is `bytes[from, to)`. */
export function writeFrame(
  output: ByteWriter,
  kind: number,
  id: number,
  bytes: Uint8Array,
  from = 0,
  to: number = bytes.length,
): void {
  const start = openFrame(output, kind, id);
  output.append(bytes, from, to);
  sealFrame(output, start);
}

/** A frame without payload. */
export function writeEmpty(output: ByteWriter, kind: number, id: number): void {
  sealFrame(output, openFrame(output, kind, id));
}

/** CREDIT. */
export function writeCredit(output: ByteWriter, id: number, bytes: number): void {
  writeGrant(output, CREDIT, id, bytes);
}

/** CREDIT, WINDOW or LANE. */
export function writeGrant(output: ByteWriter, kind: number, id: number, bytes: number): void {
  const start = openFrame(output, kind, id);
  const at = output.skip(4);
  writeU32(output.bytes, at, bytes);
  sealFrame(output, start);
}

/** ACK: all up to a number, and at most {@link MAX_RANGES} ranges above it. */
export function writeAck(output: ByteWriter, upTo: number, ranges: readonly NumberRange[]): void {
  const start = openFrame(output, ACK, 0);
  let at = output.skip(8 + ranges.length * RANGE_BYTES);
  const { bytes } = output;
  writeU64(bytes, at, upTo);
  for (const [first, last] of ranges) {
    writeU64(bytes, (at += 8), first);
    writeU64(bytes, (at += 8), last);
  }
  sealFrame(output, start);
}

/** The beginning of REJECT, and PING: a number, then what follows it. */
export function writeNumbered(output: ByteWriter, kind: number, number: number, text = ""): void {
  const start = openFrame(output, kind, 0);
  const at = output.skip(8);
  writeU64(output.bytes, at, number);
  if (text !== "") output.append(utf8Encode(text));
  sealFrame(output, start);
}

/** HELLO, WELCOME, REFUSE, CLOSE, CANCEL: a JSON text. */
export function writeText(output: ByteWriter, kind: number, id: number, text: string): void {
  writeFrame(output, kind, id, utf8Encode(text));
}

/** Write a whole number below 2^32 at `at`; the room is there. */
export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Write a whole number below 2^53 as eight bytes at `at`; the room is there. */
export function writeU64(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, Math.floor(value / 0x1_0000_0000));
  writeU32(bytes, at + 4, value >>> 0);
}

/** The whole number in four bytes at `at`, which are there. */
export function readU32(bytes: Uint8Array, at: number): number {
  // in range, says the caller
  return (
    (bytes[at] as number) * 0x100_0000 +
    (((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number))
  );
}

/**
 * The whole number in eight bytes at `at`, which are there; above 2^53 it is rounded, and above
 * everything that it is compared with.
 */
export function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) * 0x1_0000_0000 + readU32(bytes, at + 4);
}
