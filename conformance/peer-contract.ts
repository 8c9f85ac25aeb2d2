// The contract of the conformance program, for peer.ts: vectors/README.md says what each message
// does.

import { bytes, defineProtocol, type } from "@hawser/protocol";
import { number, object } from "./session-contracts.ts";

/** What an event tells its handler, or its receiver. */
export interface Told {
  readonly tag: string;
  readonly n: number;
  /** What the handler does: nothing, `"fail"`, or `"wait"` for `release`. */
  readonly then?: "fail" | "wait";
  readonly key?: string;
  readonly fill?: string;
}

const any = type<unknown>();
const told = type<Told>();
const both = { from: "both" } as const;

/** The contract. Version 3 accepts version 2, so that vectors can be of another version. */
export const peerContract = defineProtocol({
  name: "hawser-conformance",
  version: 3,
  accepts: [2, 3],
  requests: {
    echo: { input: any, output: any, ...both },
    blob: { input: type<Uint8Array>(), output: type<Uint8Array>(), codec: bytes(), ...both },
    make: { input: type<Uint8Array>(), output: type<Uint8Array>(), codec: bytes(), ...both },
    fail: { input: any, errors: { rude: any }, ...both },
    throw: { input: any, ...both },
    wait: { input: type<{ tag: string }>(), output: any, ...both },
    stubborn: { input: type<{ tag: string }>(), output: any, ...both },
    release: { input: type<{ tag: string }>(), ...both },
    strict: { input: object({ a: "number" }), output: number(), ...both },
    log: { input: type<{ tag: string; least?: number }>(), output: type<string[]>(), ...both },
    emit: { input: type<{ name: string; payloads: Told[] }>(), ...both },
    call: {
      input: type<{ name: string; input?: unknown; tag?: string; timeoutMs?: number }>(),
      output: any,
      ...both,
    },
    cancel: { input: type<{ tag: string }>(), ...both },
    pull: { input: type<Pull>(), output: any, ...both },
    drain: { ...both },
  },
  streams: {
    count: { input: type<{ to: number }>(), item: type<number>(), ...both },
    chunks: { input: type<Uint8Array>(), item: type<Uint8Array>(), codec: bytes(), ...both },
    mirror: { input: any, send: any, item: any, ...both },
    collect: { input: any, send: number(), item: type<number>(), ...both },
    take: { input: type<{ n: number; tag?: string }>(), send: any, item: any, ...both },
    hang: { input: type<{ tag: string }>(), send: any, item: any, ...both },
    broken: {
      input: type<{ after: number; how: string }>(),
      item: type<number>(),
      errors: { rude: any },
      ...both,
    },
  },
  events: {
    note: { payload: told, delivery: "at-least-once" },
    hint: { payload: told },
    blot: { payload: type<Uint8Array>(), delivery: "at-least-once", codec: bytes() },
    keyed: { payload: told, delivery: "at-least-once", lane: ({ key = "" }: Told) => key },
    audit: { payload: told, lane: "audit" },
  },
});

/** How `pull` opens a stream of the runner. */
export interface Pull {
  readonly name: string;
  readonly input?: unknown;
  readonly tag?: string;
  /** How many items it takes before it cancels; absent: all. */
  readonly take?: number;
  readonly send?: unknown[];
  /** Whether it says that it sends no more. */
  readonly end?: boolean;
  readonly timeoutMs?: number;
}
