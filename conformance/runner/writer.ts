// Bytes of frames from their specifications: an independent writer, which also writes what no
// implementation may send.

import { headed, kindName, kindNumber } from "./kinds.ts";
import type { Bytes, FrameSpec, Json } from "./vector.ts";

const utf8 = new TextEncoder();

/** What a specification's names stand for. */
export interface Names {
  /** The number of an id. */
  id(name: number | string): number;
  /** The index of a message's name in the runner's own list. */
  index(name: number | string): number;
  /** A value with its variables filled in. */
  fill<T extends Json>(value: T): T;
}

/** The bytes of what a vector sends. */
export function write(spec: Bytes | FrameSpec, names: Names): Uint8Array {
  if (!("kind" in spec)) return content(spec, names);
  const one = frames(spec, names);
  return join(new Array<Uint8Array>(spec.times ?? 1).fill(one));
}

function frames(spec: FrameSpec, names: Names): Uint8Array {
  const kind = kindNumber(spec.kind);
  const id = names.id(spec.id ?? 0);
  const bytes = payload(spec, kind, names);
  if (spec.pieces === undefined)
    return frame(kind | (spec.more === true ? 0x80 : 0), id, bytes, spec.length);
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const length of spec.pieces) {
    parts.push(frame(kind | 0x80, id, bytes.subarray(at, at + length)));
    at += length;
  }
  parts.push(frame(kind | (spec.more === true ? 0x80 : 0), id, bytes.subarray(at)));
  return join(parts);
}

/** One frame. */
export function frame(
  kind: number,
  id: number,
  bytes: Uint8Array,
  length: number = bytes.length + 5,
): Uint8Array {
  const all = new Uint8Array(9 + bytes.length);
  const view = new DataView(all.buffer);
  view.setUint32(0, length);
  view.setUint8(4, kind);
  view.setUint32(5, id);
  all.set(bytes, 9);
  return all;
}

/** A frame whose payload is a JSON text. */
export function jsonFrame(kind: string, value: Json): Uint8Array {
  return frame(kindNumber(kind), 0, utf8.encode(JSON.stringify(value)));
}

function payload(spec: FrameSpec, kind: number, names: Names): Uint8Array {
  const name = kindName(kind & 0x7f);
  const body = content(spec, names);
  const id = typeof spec.number === "string" ? names.fill(spec.number) : spec.number;
  if (spec.name !== undefined || (headed.has(name) && spec.flags !== undefined))
    return join([head(spec, names), body]);
  if (spec.bytes !== undefined) return join([u32(spec.bytes), body]);
  if (id === undefined) return body;
  const ranges = (spec.ranges ?? []).flatMap(([first, last]) => [u64(first), u64(last)]);
  return join([u64(id), ...ranges, body]);
}

function head(spec: FrameSpec, names: Names): Uint8Array {
  const { deadline, trace, number, items, origin } = spec;
  const said =
    (deadline === undefined ? 0 : 0x01) |
    (trace === undefined ? 0 : 0x02) |
    (number === undefined ? 0 : 0x04) |
    (items === undefined ? 0 : 0x08) |
    (origin === undefined ? 0 : 0x10);
  const index = names.index(spec.name ?? 0);
  const parts: Uint8Array[] = [Uint8Array.of(index >>> 8, index, spec.flags ?? said)];
  if (deadline !== undefined) parts.push(u32(deadline));
  if (trace !== undefined) parts.push(fromHex(names.fill(trace)));
  if (number !== undefined) parts.push(u64(number));
  if (origin !== undefined) parts.push(fromHex(names.fill(origin[0])), u64(origin[1]));
  return join(parts);
}

/** The bytes that a specification's `hex`, `text`, `json` or `fill` stand for. */
export function content({ hex, text, json, fill }: Bytes, names: Pick<Names, "fill">): Uint8Array {
  const parts: Uint8Array[] = [];
  if (hex !== undefined) parts.push(fromHex(names.fill(hex)));
  if (text !== undefined) parts.push(utf8.encode(names.fill(text)));
  if (json !== undefined) parts.push(utf8.encode(JSON.stringify(names.fill(json))));
  if (fill !== undefined) parts.push(new Uint8Array(fill).fill(0x61));
  return join(parts);
}

/** Bytes of hexadecimal digits; white space does not count. */
export function fromHex(text: string): Uint8Array {
  const digits = text.replaceAll(/\s/g, "");
  if (!/^(?:[0-9A-Fa-f]{2})*$/.test(digits))
    throw new Error(`These are no bytes in hexadecimal: ${JSON.stringify(text)}`);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function u64(value: number | string): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

/** One behind the other. */
export function join(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
