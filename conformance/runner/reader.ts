// Frames and messages from the bytes of a target: an independent reader. What it can't read is a
// fault of the target, and thrown.

import { cuttable, headed, kindName, signature } from "./kinds.ts";
import { join } from "./writer.ts";
import type { Json } from "./vector.ts";

/** What the target did wrong. */
export class Fault extends Error {}

/** One frame as it came. */
export interface Frame {
  readonly kind: string;
  readonly more: boolean;
  readonly id: number;
  readonly payload: Uint8Array;
}

/** A message: a frame, or the pieces of one, joined and taken apart. */
export interface Message {
  readonly kind: string;
  readonly id: number;
  readonly pieces: number;
  readonly payload: Uint8Array;
  /** What is behind the head, the number, or the ranges. */
  readonly body: Uint8Array;
  readonly index?: number;
  readonly flags?: number;
  readonly deadline?: number;
  readonly trace?: string;
  readonly number?: number;
  readonly origin?: readonly [string, number];
  readonly ranges?: readonly (readonly [number, number])[];
  readonly bytes?: number;
}

/** Cuts the bytes of one direction into the signature and frames. */
export class FrameReader {
  #rest: Uint8Array = new Uint8Array(0);
  #isSigned = false;

  get hasSignature(): boolean {
    return this.#isSigned;
  }

  /** Bytes that are not a whole frame. */
  get rest(): Uint8Array {
    return this.#rest;
  }

  /** The frames that are whole with this chunk. */
  *read(chunk: Uint8Array): Generator<Frame> {
    this.#rest = join([this.#rest, chunk]);
    if (!this.#isSigned) {
      const length = Math.min(this.#rest.length, signature.length);
      for (let at = 0; at < length; at++) {
        if (this.#rest[at] !== signature[at])
          throw new Fault(`the signature is wrong: ${hex(this.#rest.subarray(0, 16))}`);
      }
      if (length < signature.length) return;
      this.#isSigned = true;
      this.#rest = this.#rest.subarray(signature.length);
    }
    while (this.#rest.length >= 4) {
      const view = new DataView(this.#rest.buffer, this.#rest.byteOffset, this.#rest.length);
      const length = view.getUint32(0);
      if (length < 5 || length > 65_541)
        throw new Fault(`a frame says that its length is ${length}`);
      if (this.#rest.length < 4 + length) return;
      const kind = view.getUint8(4);
      const frame = {
        kind: kindName(kind & 0x7f),
        more: (kind & 0x80) !== 0,
        id: view.getUint32(5),
        payload: this.#rest.slice(9, 4 + length),
      };
      this.#rest = this.#rest.subarray(4 + length);
      yield frame;
    }
  }
}

/** Joins pieces into messages. */
export class MessageReader {
  readonly #begun = new Map<string, Frame[]>();

  /** How many messages are begun and unfinished. */
  get unfinished(): number {
    return this.#begun.size;
  }

  /** The message that is whole with this frame, or null. */
  read(frame: Frame): Message | null {
    const key = frame.kind === "EVENT" ? `lane ${frame.id}` : String(frame.id);
    const begun = cuttable.has(frame.kind) ? this.#begun.get(key) : undefined;
    if (begun !== undefined && begun[0]?.kind !== frame.kind) {
      throw new Fault(
        `${frame.kind} of ${frame.id} came between the pieces of ${begun[0]?.kind ?? ""}`,
      );
    }
    if (frame.more && !cuttable.has(frame.kind)) throw new Fault(`${frame.kind} came in pieces`);
    if (frame.more) {
      if (frame.payload.length === 0)
        throw new Fault(`a piece of ${frame.kind} before the last is empty`);
      if (begun === undefined) this.#begun.set(key, [frame]);
      else begun.push(frame);
      return null;
    }
    if (frame.kind === "CANCEL") this.#begun.delete(key);
    const pieces = [...(begun ?? []), frame];
    if (begun !== undefined) this.#begun.delete(key);
    return takeApart(
      frame.kind,
      frame.id,
      pieces.length,
      join(pieces.map(({ payload }) => payload)),
    );
  }
}

/** Sizes of the payloads that are not a message's. */
const sizes: Readonly<Record<string, number>> = {
  PING: 8,
  PONG: 8,
  DRAIN: 0,
  CREDIT: 4,
  WINDOW: 4,
  LANE: 4,
  END: 0,
  STOP: 0,
  WANT: 0,
};

function takeApart(kind: string, id: number, pieces: number, payload: Uint8Array): Message {
  const size = sizes[kind];
  if (size !== undefined && payload.length !== size)
    throw new Fault(`${kind} has ${payload.length} bytes of payload`);
  const message = { kind, id, pieces, payload };
  if (headed.has(kind)) return { ...message, ...readHead(kind, payload) };
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  if (kind === "CREDIT" || kind === "WINDOW" || kind === "LANE")
    return { ...message, body: payload, bytes: view.getUint32(0) };
  if (kind === "REJECT")
    return { ...message, number: u64(view, 0, kind), body: payload.subarray(8) };
  if (kind === "ACK") {
    if (payload.length % 16 !== 8) throw new Fault(`ACK has ${payload.length} bytes of payload`);
    const ranges: [number, number][] = [];
    for (let at = 8; at < payload.length; at += 16)
      ranges.push([u64(view, at, kind), u64(view, at + 8, kind)]);
    return {
      ...message,
      number: u64(view, 0, kind),
      ranges,
      body: payload.subarray(payload.length),
    };
  }
  return { ...message, body: payload };
}

function readHead(
  kind: string,
  payload: Uint8Array,
): Omit<Message, "id" | "kind" | "payload" | "pieces"> {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const need = (end: number): void => {
    if (end > payload.length) throw new Fault(`the head of ${kind} is not whole`);
  };
  need(3);
  const flags = view.getUint8(2);
  const known = kind === "EVENT" ? 0x16 : kind === "STREAM" ? 0x0b : 0x03;
  if ((flags & ~known) !== 0) throw new Fault(`${kind} has the flags ${flags.toString(16)}`);
  if ((flags & 0x14) === 0x10) throw new Fault("EVENT has flag 10 without flag 04");
  let at = 3;
  const take = (length: number): number => {
    need(at + length);
    at += length;
    return at - length;
  };
  const deadline = (flags & 1) === 0 ? {} : { deadline: view.getUint32(take(4)) };
  const trace = (flags & 2) === 0 ? {} : { trace: hex(payload.subarray(take(25), at)) };
  const number = (flags & 4) === 0 ? {} : { number: u64(view, take(8), kind) };
  const origin =
    (flags & 16) === 0
      ? {}
      : { origin: [hex(payload.subarray(take(16), at)), u64(view, take(8), kind)] as const };
  if (deadline.deadline === 0) throw new Fault(`${kind} has the deadline 0`);
  return {
    index: view.getUint16(0),
    flags,
    ...deadline,
    ...trace,
    ...number,
    ...origin,
    body: payload.subarray(at),
  };
}

function u64(view: DataView, at: number, kind: string): number {
  if (at + 8 > view.byteLength) throw new Fault(`${kind} is too short for its number`);
  const value = view.getBigUint64(at);
  if (value >= 2n ** 53n) throw new Fault(`${kind} has the number ${value}`);
  return Number(value);
}

/** The JSON of a body. */
export function readJson(bytes: Uint8Array): Json {
  try {
    return JSON.parse(
      new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes),
    ) as Json;
  } catch {
    throw new Fault(`this is no JSON in UTF-8: ${hex(bytes.subarray(0, 32))}`);
  }
}

/** For people: a message with what matters of it. */
export function describe({
  kind,
  id,
  pieces,
  body,
  number,
  index,
  bytes,
  ranges,
  origin,
}: Message): string {
  const parts = [kind];
  if (id !== 0) parts.push(`id ${id}`);
  if (index !== undefined) parts.push(`name ${index}`);
  if (number !== undefined) parts.push(`number ${number}`);
  if (ranges !== undefined && ranges.length > 0) parts.push(`ranges ${JSON.stringify(ranges)}`);
  if (origin !== undefined) parts.push(`origin ${origin.join(":")}`);
  if (bytes !== undefined) parts.push(`${bytes} bytes`);
  else if (body.length > 0) parts.push(printable(body));
  if (pieces > 1) parts.push(`in ${pieces} pieces`);
  return parts.join(" ");
}

function printable(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes.subarray(0, 120));
  const shown = /^[\x20-\x7e]*$/.test(text) ? text : hex(bytes.subarray(0, 40));
  return bytes.length > 120 ? `${shown}… (${bytes.length} bytes)` : shown;
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
