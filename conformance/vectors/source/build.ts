// Short words for the vectors' sources. Must not know which vectors there are.

import type {
  Bytes,
  FramePattern,
  FrameSpec,
  Greeting,
  Json,
  Step,
  Tally,
  Vector,
} from "../../runner/vector.ts";

/** A list of vectors, in the making. */
export class Vectors {
  readonly all: Vector[] = [];

  any(name: string, rules: string, ...steps: readonly Step[]): void {
    this.#add("any", name, rules, steps);
  }

  server(name: string, rules: string, ...steps: readonly Step[]): void {
    this.#add("server", name, rules, steps);
  }

  client(name: string, rules: string, ...steps: readonly Step[]): void {
    this.#add("client", name, rules, steps);
  }

  #add(target: Vector["target"], name: string, rules: string, steps: readonly Step[]): void {
    this.all.push({ name, rules: rules.split(" "), target, steps });
  }
}

export const alive: Step = { alive: true };
export const end: Step = { end: true };
export const lose: Step = { lose: true };
export const finish: Step = { finish: true };
export const open: Step = { open: "" };
export const signed: Bytes = { hex: "89 48 57 53 0D 0A 1A 0A" };

export function greet(greeting: Greeting = {}, as?: string): Step {
  return as === undefined ? { greet: greeting } : { greet: greeting, as };
}

export function send(...frames: readonly (Bytes | FrameSpec)[]): Step {
  return { send: frames };
}

export function expect(...patterns: readonly FramePattern[]): Step {
  return { expect: patterns };
}

export function inAnyOrder(...patterns: readonly FramePattern[]): Step {
  return { expect: patterns, anyOrder: true };
}

export function close(...codes: readonly string[]): Step {
  return { close: codes.length === 1 ? (codes[0] ?? "") : codes };
}

export function refuse(...codes: readonly string[]): Step {
  return { refuse: codes.length === 1 ? (codes[0] ?? "") : codes };
}

export function tally(what: Tally): Step {
  return { tally: what };
}

export const violation: Step = close("PROTOCOL_VIOLATION");
export const flow: Step = close("FLOW_VIOLATION");

/** A frame of a kind, with what it has besides. */
export function frame(kind: string, rest: Omit<FrameSpec, "kind"> = {}): FrameSpec {
  return { kind, ...rest };
}

export function request(
  id: number | string,
  name: string,
  json: Json,
  rest: Partial<FrameSpec> = {},
): FrameSpec {
  return { kind: "REQUEST", id, name, json, ...rest };
}

export function stream(
  id: number | string,
  name: string,
  json: Json,
  rest: Partial<FrameSpec> = {},
): FrameSpec {
  return { kind: "STREAM", id, name, json, ...rest };
}

export function result(id: string, json: Json): FramePattern & FrameSpec {
  return { kind: "RESULT", id, json };
}

export function item(id: string, json: Json): FramePattern & FrameSpec {
  return { kind: "ITEM", id, json };
}

export function fail(id: string, code: string, rest: Record<string, Json> = {}): FramePattern {
  return { kind: "FAIL", id, json: { code, message: { $type: "text" }, ...rest } };
}

/** A FAIL to send. */
export function failing(id: string, code: string, rest: Record<string, Json> = {}): FrameSpec {
  return { kind: "FAIL", id, json: { code, message: "", ...rest } };
}

export const TAG = "${tag}";

/** What an event of the conformance program tells. */
export function told(n: number, rest: Record<string, Json> = {}): Json {
  return { tag: TAG, n, ...rest };
}

/** Ask the target what its handlers noted, under an id that is free. */
export function log(id: string, ...entries: readonly Json[]): readonly Step[] {
  return [
    send(request(id, "log", { tag: TAG, least: entries.length })),
    expect(result(id, entries)),
  ];
}

/** Make a round trip as a request: everything before it has been handled by the target's engine. */
export function echo(id: string): readonly Step[] {
  return [send(request(id, "echo", "still here")), expect(result(id, "still here"))];
}
