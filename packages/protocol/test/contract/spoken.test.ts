import { expect, test } from "vitest";
import { defineProtocol, jsonRpc, lines, text, wire } from "../../src/mod.ts";
import { nativeSessions } from "../../src/engine.ts";
import { checkSpoken } from "../../src/contract/spoken.ts";

const desk = defineProtocol({ name: "desk", version: 1 });

test.each<[string, unknown]>([
  ["a wire", wire({ framing: lines(), codec: text() })],
  ["a contract", desk],
  ["jsonRpc()", jsonRpc(desk)],
  ["nativeSessions()", nativeSessions(desk)],
])("checkSpoken() takes %s", (_, value) => {
  expect(() => {
    checkSpoken("connect()", value);
  }).not.toThrow();
});

test.each<[unknown, string]>([
  [undefined, "undefined: make one with wire(), defineProtocol() or jsonRpc()"],
  [null, "null: make one with wire(), defineProtocol() or jsonRpc()"],
  ["tcp://localhost:1", '"tcp://localhost:1": make one with wire(), defineProtocol() or jsonRpc()'],
  [[], "an array: make one with wire(), defineProtocol() or jsonRpc()"],
  [{}, "an object: make one with wire(), defineProtocol() or jsonRpc()"],
  [wire, "a function: call it, as in wire({ framing: lines(), codec: text() })"],
  [lines(), "a framing: write wire({ framing, codec })"],
  [text(), "a codec: write wire({ framing, codec })"],
  [{ name: "desk", version: 1, requests: {} }, "a definition: write defineProtocol(definition)"],
])("checkSpoken() refuses %o, and says what it looks like", (value, what) => {
  expect(() => {
    checkSpoken("connect()", value);
  }).toThrow(new TypeError(`connect() takes a wire, a contract or jsonRpc(), got ${what}`));
});
