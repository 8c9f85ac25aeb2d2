// A peer written by hand, from PROTOCOL.md and with nothing of src/session: frames as bytes, and a session that is spoken to with them.
import { ByteWriter } from "../../src/bytes.ts";
import type { SessionLimits } from "../../src/session/limits.ts";
import { hex } from "../notation.ts";
import { End, type EndOptions, greet } from "./ends.ts";

export const KIND = {
  HELLO: 0x01, WELCOME: 0x02, REFUSE: 0x03, PING: 0x04, PONG: 0x05, DRAIN: 0x06, CLOSE: 0x07, ACK: 0x08, REJECT: 0x09, CREDIT: 0x0a,
  REQUEST: 0x10, RESULT: 0x11, FAIL: 0x12, CANCEL: 0x13, STREAM: 0x14, ITEM: 0x15, END: 0x16, EVENT: 0x17,
} as const;

/** The first eight bytes. */
export const SIGNATURE: Uint8Array = hex("89 48 57 53 0D 0A 1A 0A");

/** One frame; a text payload is UTF-8, a list is joined. */
export function frame(kind: number, id: number, ...payload: (Uint8Array | string)[]): Uint8Array {
  const parts = payload.map((part) => (typeof part === "string" ? new TextEncoder().encode(part) : part));
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  const bytes = new Uint8Array(9 + size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 5 + size);
  view.setUint8(4, kind);
  view.setUint32(5, id);
  let at = 9;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
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

/** Names of the contract `echo` (ends.ts), as both sides number them. */
export const NAME = { note: 0, tick: 1, ask: 2, say: 3, count: 4, talk: 5 } as const;

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

const messages = [["note", "event", "json", ""], ["tick", "event", "json", ""], ["ask", "request", "json", ""], ["say", "request", "json", ""], ["count", "stream", "json", ""], ["talk", "stream", "json", ""]];
const limits = { maxMessageBytes: 100_000, maxPartials: 2, maxConversations: 4, windowBytes: 100, eventWindowBytes: 100 };

/** A good HELLO, or one with other members; undefined takes one out. */
export function hello(members: object = {}): string {
  return JSON.stringify({ hawser: [1, 1], protocol: "echo", version: 1, accepts: [1, 1], messages, limits, ...members });
}

export const SESSION = "00112233445566778899aabbccddeeff";

/** A good WELCOME, or one with other members. */
export function welcome(members: object = {}): string {
  return JSON.stringify({ hawser: 1, protocol: "echo", version: 1, accepts: [1, 1], messages, limits, session: SESSION, resumed: false, received: 0, resumeWindowMs: 30_000, ...members });
}

/** What the sessions that are spoken to take. */
export const small: Partial<SessionLimits> = { ...limits, maxQueuedBytes: 1_000_000 };

/** A server that has welcomed a client by hand. */
export function readyServer(options: EndOptions = { limits: small }): End {
  const end = new End("server", options);
  const { hello: read } = greet(end.kind, joined(SIGNATURE, frame(KIND.HELLO, 0, hello())));
  end.session.welcome(end.output, read, false, 0);
  end.take();
  end.told();
  return end;
}

/** A client that has attached and waits for a WELCOME by hand. */
export function waitingClient(options: EndOptions = { limits: small }): End {
  const end = new End("client", options);
  end.output = new ByteWriter();
  end.session.attach(end.output, 0);
  end.take();
  return end;
}

/** A client that a server by hand has welcomed. */
export function readyClient(options: EndOptions = { limits: small }): End {
  const end = waitingClient(options);
  end.session.receive(joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome())), 0);
  end.told();
  return end;
}

/** The frames of a chunk, each as its kind's name, id and payload. */
export function framesOf(bytes: Uint8Array): { kind: string; id: number; payload: Uint8Array; text: string; more: boolean }[] {
  const found = [];
  const names = new Map(Object.entries(KIND).map(([name, kind]) => [kind as number, name]));
  for (let at = 0; at < bytes.length; ) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at);
    const length = view.getUint32(0);
    const kind = view.getUint8(4);
    const payload = bytes.subarray(at + 9, at + 4 + length);
    found.push({ kind: names.get(kind & 0x7f) ?? "?", id: view.getUint32(5), payload, text: new TextDecoder().decode(payload), more: kind > 0x7f });
    at += 4 + length;
  }
  return found;
}

/** The same, in one line: `RESULT 1 "hi"`. */
export function linesOf(bytes: Uint8Array): string[] {
  return framesOf(bytes).map(({ kind, id, payload, text, more }) => {
    const shown = payload.length === 0 ? "" : ["RESULT", "FAIL", "CLOSE", "ITEM", "REFUSE"].includes(kind) && payload.length < 300 ? ` ${text}` : ` ${payload.length > 40 ? `${String(payload.length)} bytes` : Array.from(payload, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
    return `${kind}${more ? "+" : ""} ${String(id)}${shown}`;
  });
}
