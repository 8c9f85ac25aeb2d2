/**
 * Frames of the session protocol as bytes, made and read by PROTOCOL.md alone and with nothing of
 * the engine: for tests that speak to a session by hand.
 *
 * @module
 */
import { utf8Decode } from "../bytes/utf8.ts";
import { utf8Encode } from "../bytes/utf8-write.ts";

/** The kinds of frames, by name. */
export const KIND: Readonly<
  Record<
    | "ACK"
    | "CANCEL"
    | "CLOSE"
    | "CREDIT"
    | "DRAIN"
    | "END"
    | "EVENT"
    | "FAIL"
    | "HELLO"
    | "ITEM"
    | "PING"
    | "PONG"
    | "LANE"
    | "MESSAGES"
    | "REFUSE"
    | "REJECT"
    | "REQUEST"
    | "RESULT"
    | "STOP"
    | "STREAM"
    | "WANT"
    | "WELCOME"
    | "WINDOW",
    number
  >
> = Object.freeze({
  HELLO: 0x01,
  WELCOME: 0x02,
  REFUSE: 0x03,
  PING: 0x04,
  PONG: 0x05,
  DRAIN: 0x06,
  CLOSE: 0x07,
  ACK: 0x08,
  REJECT: 0x09,
  CREDIT: 0x0a,
  WINDOW: 0x0b,
  WANT: 0x0c,
  MESSAGES: 0x0d,
  LANE: 0x0e,
  REQUEST: 0x10,
  RESULT: 0x11,
  FAIL: 0x12,
  CANCEL: 0x13,
  STREAM: 0x14,
  ITEM: 0x15,
  END: 0x16,
  EVENT: 0x17,
  STOP: 0x18,
});

/** The first eight bytes of each direction. */
export const SIGNATURE: Uint8Array = Uint8Array.of(0x89, 0x48, 0x57, 0x53, 0x0d, 0x0a, 0x1a, 0x0a);

/** One frame; a text payload is UTF-8, several are joined. */
export function frame(
  kind: number,
  id: number,
  ...payload: readonly (Uint8Array | string)[]
): Uint8Array {
  const parts = payload.map((part) => (typeof part === "string" ? utf8Encode(part) : part));
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  const header = new Uint8Array(9);
  const view = new DataView(header.buffer);
  view.setUint32(0, 5 + size);
  view.setUint8(4, kind);
  view.setUint32(5, id);
  return joined(header, ...parts);
}

/** Bytes behind each other. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** `count` bytes of x. */
export function filler(count: number): Uint8Array {
  return new Uint8Array(count).fill(0x78);
}

/** A head without fields. */
export function head(name: number, flags = 0): Uint8Array {
  return Uint8Array.of(name >> 8, name & 0xff, flags);
}

/** Eight bytes. */
export function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

/** Four bytes. */
export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** A frame that was read. */
export interface ReadFrame {
  /** A name of {@link KIND}, or "?". */
  readonly kind: string;
  readonly id: number;
  readonly payload: Uint8Array;
  /** The payload as text; empty where it is none. */
  readonly text: string;
  /** True if more pieces of the message follow. */
  readonly more: boolean;
}

/** The whole frames of some bytes. */
export function framesOf(bytes: Uint8Array): ReadFrame[] {
  const found: ReadFrame[] = [];
  const names = new Map(Object.entries(KIND).map(([name, kind]) => [kind, name]));
  for (let at = 0; at < bytes.length;) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at);
    const length = view.getUint32(0);
    const kind = view.getUint8(4);
    const payload = bytes.subarray(at + 9, at + 4 + length);
    found.push({
      kind: names.get(kind & 0x7f) ?? "?",
      id: view.getUint32(5),
      payload,
      text: lenient(payload),
      more: kind > 0x7f,
    });
    at += 4 + length;
  }
  return found;
}

function lenient(bytes: Uint8Array): string {
  try {
    return utf8Decode(bytes, 0, bytes.length);
  } catch {
    return "";
  }
}
