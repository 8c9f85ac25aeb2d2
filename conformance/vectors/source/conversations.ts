// Vectors of PROTOCOL.md §2 (heads), §4 and §6: requests, and how calls fail.

import {
  alive,
  close,
  echo,
  expect,
  fail,
  failing,
  frame,
  greet,
  inAnyOrder,
  log,
  request,
  result,
  send,
  stream,
  TAG,
  told,
  Vectors,
  violation,
} from "./build.ts";
import type { Json, Step } from "../../runner/vector.ts";
import { messageList } from "../../runner/contract.ts";

export const conversations = new Vectors();
const any: Vectors["any"] = (name, rules, ...steps) => {
  conversations.any(name, rules, ...steps);
};

/** Have the target call the runner's `echo`, under the id theirs1; the outcome answers mine1. */
const called: readonly Step[] = [
  send(request("mine1", "call", { name: "echo", input: 1 })),
  expect({ kind: "REQUEST", id: "theirs1", name: "echo", json: 1 }),
];

// Results.
for (const [what, value] of [
  ["a text", "hi"],
  ["an empty text", ""],
  ["a number", 1.5],
  ["a list", [1, [2, []]]],
  ["an object", { a: { b: null } }],
  ["null", null],
  ["false", false],
  ["text outside ASCII", "äß∂ 🜁 \u0000"],
] as const) {
  any(
    `A REQUEST with ${what} is answered by one RESULT`,
    "request-answer",
    greet(),
    send(request("mine1", "echo", value)),
    expect(result("mine1", value)),
    alive,
  );
}
any(
  "The empty body stands for nothing",
  "empty-body",
  greet(),
  send(frame("REQUEST", { id: "mine1", name: "echo" })),
  expect({ kind: "RESULT", id: "mine1", size: 0 }),
  alive,
);
any(
  "The empty body of the codec bytes is no bytes",
  "empty-body",
  greet(),
  send(frame("REQUEST", { id: "mine1", name: "blob" })),
  expect({ kind: "RESULT", id: "mine1", size: 0 }),
  alive,
);
any(
  "A request that answers nothing has a RESULT with the empty body",
  "empty-body request-answer",
  greet(),
  send(request("mine1", "release", { tag: TAG })),
  expect({ kind: "RESULT", id: "mine1", size: 0 }),
  alive,
);
any(
  "White space in a body of JSON is taken",
  "codec-json",
  greet(),
  send(frame("REQUEST", { id: "mine1", name: "echo", text: " \t\r\n[ 1 , 2 ] " })),
  expect(result("mine1", [1, 2])),
  alive,
);
any(
  "An id may be any odd or even number of its side",
  "id-parity",
  greet(),
  send(request("mine500", "echo", 2)),
  expect(result("mine500", 2)),
  alive,
);
any(
  "The largest id of a side may be used",
  "id-parity",
  greet(),
  send(request("mine2147483647", "echo", 2)),
  expect(result("mine2147483647", 2)),
  alive,
);
any(
  "Ids need not rise",
  "id-free",
  greet(),
  send(request("mine9", "echo", 1)),
  expect(result("mine9", 1)),
  send(request("mine3", "echo", 2)),
  expect(result("mine3", 2)),
  alive,
);
any(
  "An id may be used again when its answer has come",
  "id-free",
  greet(),
  send(request("mine1", "echo", 1)),
  expect(result("mine1", 1)),
  send(request("mine1", "echo", 2)),
  expect(result("mine1", 2)),
  send(stream("mine1", "count", { to: 1 })),
  expect({ kind: "ITEM", id: "mine1" }, { kind: "END", id: "mine1" }),
  send(request("mine1", "echo", 3)),
  expect(result("mine1", 3)),
  alive,
);
for (const [kind, opening] of [
  ["REQUEST", request("theirs1", "echo", 1)],
  ["STREAM", stream("theirs1", "count", { to: 1 })],
] as const) {
  any(
    `A ${kind} with an id of the receiver's parity is a violation`,
    "id-parity",
    greet(),
    ...called,
    send({ ...opening, id: "theirs1" }),
    violation,
  );
}
any(
  "A REQUEST that overtakes another is answered first",
  "concurrent",
  greet(),
  send(request("mine1", "wait", { tag: TAG }), request("mine2", "echo", 2)),
  expect(result("mine2", 2)),
  send(request("mine3", "release", { tag: TAG })),
  inAnyOrder(result("mine1", "released"), { kind: "RESULT", id: "mine3" }),
  alive,
);

// Heads.
for (const index of [27, 28, 255, 256, 65_534]) {
  any(
    `A REQUEST whose name is the index ${index}, outside the sender's list, is a violation`,
    "name-index",
    greet(),
    send(frame("REQUEST", { id: "mine1", name: index, json: 1 })),
    violation,
  );
}
any(
  "A STREAM whose name is outside the sender's list is a violation",
  "name-index",
  greet(),
  send(frame("STREAM", { id: "mine1", name: 27, json: 1 })),
  violation,
);
any(
  "An EVENT whose name is outside the sender's list is a violation",
  "name-index",
  greet(),
  send(frame("EVENT", { name: 27, json: 1 })),
  violation,
);
any(
  "The name 65 535 is a violation where the feature contract was not agreed",
  "name-index feature-contract",
  greet(),
  send(frame("REQUEST", { id: "mine1", name: 65_535 })),
  violation,
);
for (const [kind, name, bits] of [
  ["REQUEST", "echo", [0x04, 0x08, 0x10, 0x20, 0x40, 0x80]],
  ["STREAM", "count", [0x04, 0x10, 0x20, 0x40, 0x80]],
  ["EVENT", "hint", [0x01, 0x08, 0x20, 0x40, 0x80]],
] as const) {
  for (const flags of bits) {
    const id = kind === "EVENT" ? 0 : "mine1";
    any(
      `${kind} with the flag ${flags.toString(16).padStart(2, "0")} is a violation`,
      "flags",
      greet(),
      send(frame(kind, { id, name, flags, hex: "00".repeat(60) })),
      violation,
    );
  }
}
for (const kind of ["REQUEST", "STREAM"] as const) {
  const name = kind === "REQUEST" ? "echo" : "count";
  any(
    `${kind} with the deadline 0 is a violation`,
    "deadline",
    greet(),
    send(frame(kind, { id: "mine1", name, deadline: 0, json: { to: 1 } })),
    violation,
  );
  for (const [what, flags, bytes] of [
    ["deadline", 1, 3],
    ["trace", 2, 24],
    ["deadline or its trace", 3, 28],
  ] as const) {
    any(
      `${kind} that ends within its ${what} is a violation`,
      "head-whole",
      greet(),
      send(frame(kind, { id: "mine1", name, flags, hex: "01".repeat(bytes) })),
      violation,
    );
  }
}
for (const [what, flags, bytes] of [
  ["trace", 2, 24],
  ["number", 4, 7],
  ["trace or its number", 6, 32],
] as const) {
  any(
    `EVENT that ends within its ${what} is a violation`,
    "head-whole",
    greet(),
    send(frame("EVENT", { name: "hint", flags, hex: "00".repeat(bytes) })),
    violation,
  );
}
const trace = "0AF7651916CD43DD8448EB211C80319C" + "B7AD6B7169203331" + "01";
any(
  "A REQUEST with a trace is answered",
  "trace",
  greet(),
  send(request("mine1", "echo", 1, { trace })),
  expect(result("mine1", 1)),
  alive,
);
any(
  "A REQUEST with a deadline and a trace is answered",
  "head-order",
  greet(),
  send(request("mine1", "echo", 1, { deadline: 60_000, trace })),
  expect(result("mine1", 1)),
  alive,
);
any(
  "A STREAM with a deadline and a trace is answered",
  "head-order",
  greet(),
  send(stream("mine1", "count", { to: 1 }, { deadline: 60_000, trace })),
  expect({ kind: "ITEM" }, { kind: "END" }),
  alive,
);
any(
  "A trace-id of zeros is as no trace",
  "trace",
  greet(),
  send(request("mine1", "echo", 1, { trace: "00".repeat(16) + "B7AD6B7169203331" + "01" })),
  expect(result("mine1", 1)),
  alive,
);
any(
  "A parent-id of zeros is as no trace",
  "trace",
  greet(),
  send(
    request("mine1", "echo", 1, {
      trace: "0AF7651916CD43DD8448EB211C80319C" + "00".repeat(8) + "01",
    }),
  ),
  expect(result("mine1", 1)),
  alive,
);
any(
  "A trace with other trace-flags is taken",
  "trace",
  greet(),
  send(
    request("mine1", "echo", 1, { trace: "0AF7651916CD43DD8448EB211C80319CB7AD6B7169203331FF" }),
  ),
  expect(result("mine1", 1)),
  alive,
);
any(
  "A numbered EVENT with a trace is acknowledged",
  "head-order events-ack",
  greet(),
  send(frame("EVENT", { name: "note", trace, number: 1, json: told(1) })),
  { tally: { settled: [1] } },
  alive,
);
any(
  "A REQUEST whose deadline is the longest is answered",
  "deadline",
  greet(),
  send(request("mine1", "echo", 1, { deadline: 0xffff_ffff })),
  expect(result("mine1", 1)),
  alive,
);
any(
  "A REQUEST whose deadline passes is answered by FAIL DEADLINE_EXCEEDED",
  "deadline-fail",
  greet(),
  send(request("mine1", "wait", { tag: TAG }, { deadline: 1 })),
  expect(fail("mine1", "DEADLINE_EXCEEDED")),
  alive,
);
any(
  "A STREAM whose deadline passes is answered by FAIL DEADLINE_EXCEEDED",
  "deadline-fail",
  greet(),
  send(stream("mine1", "hang", { tag: TAG }, { deadline: 1, items: true })),
  expect(fail("mine1", "DEADLINE_EXCEEDED")),
  alive,
);
any(
  "A deadline counts from the whole message: one that is cut into pieces is not answered " +
    "before its last",
  "deadline",
  greet(),
  send(frame("REQUEST", { id: "mine1", name: "echo", deadline: 60_000, text: "1", more: true })),
  alive,
  send(frame("REQUEST", { id: "mine1" })),
  expect(result("mine1", 1)),
  alive,
);
any(
  "What the target calls with a timeout has a deadline",
  "deadline",
  greet(),
  send(request("mine1", "call", { name: "echo", input: 1, timeoutMs: 60_000 })),
  expect({ kind: "REQUEST", id: "theirs1", deadline: { $type: "number" } }),
  send(result("theirs1", 2)),
  expect(result("mine1", { result: 2 })),
  alive,
);
any(
  "A target whose own deadline passes sends CANCEL",
  "deadline-cancel",
  greet(),
  send(request("mine1", "call", { name: "echo", input: 1, timeoutMs: 1 })),
  expect({ kind: "REQUEST", id: "theirs1" }),
  inAnyOrder({ kind: "CANCEL", id: "theirs1" }, result("mine1", { code: "DEADLINE_EXCEEDED" })),
  send(failing("theirs1", "DEADLINE_EXCEEDED")),
  alive,
);

// Failures from the target.
any(
  "A handler that fails by name is answered by FAIL NAMED",
  "fail-named",
  greet(),
  send(request("mine1", "fail", { why: [1] })),
  expect(fail("mine1", "NAMED", { name: "rude", payload: { why: [1] } })),
  alive,
);
any(
  "A handler that throws is answered by FAIL HANDLER_FAILED",
  "fail-handler",
  greet(),
  send(request("mine1", "throw", 1)),
  expect(fail("mine1", "HANDLER_FAILED")),
  alive,
);
any(
  "The words of what a handler threw stay with it",
  "fail-handler",
  greet(),
  send(request("mine1", "throw", 1)),
  expect({
    kind: "FAIL",
    id: "mine1",
    json: { code: "HANDLER_FAILED", message: { $not: { $matches: "The request says so" } } },
  }),
  alive,
);
for (const [what, bytes] of [
  ["no JSON", { text: "{" }],
  ["two JSON texts", { text: "1 2" }],
  ["JSON that is not UTF-8", { hex: "22FF22" }],
  ["a byte order mark", { hex: "EFBBBF31" }],
] as const) {
  any(
    `A REQUEST whose body is ${what} is answered by FAIL INPUT_INVALID`,
    "input-invalid",
    greet(),
    send(frame("REQUEST", { id: "mine1", name: "echo", ...bytes })),
    expect(fail("mine1", "INPUT_INVALID")),
    ...echo("mine1"),
    alive,
  );
}
any(
  "A REQUEST whose body its schema does not take is answered by FAIL INPUT_INVALID with a path",
  "input-invalid",
  greet(),
  send(request("mine1", "strict", { a: "x" })),
  expect(fail("mine1", "INPUT_INVALID", { path: ["a"] })),
  alive,
);
any(
  "A REQUEST whose body is of another type is answered by FAIL INPUT_INVALID with an empty path",
  "input-invalid",
  greet(),
  send(request("mine1", "strict", 5)),
  expect(fail("mine1", "INPUT_INVALID", { path: [] })),
  alive,
);
any(
  "A STREAM whose body is no JSON is answered by FAIL INPUT_INVALID",
  "input-invalid",
  greet(),
  send(frame("STREAM", { id: "mine1", name: "count", text: "{" })),
  expect(fail("mine1", "INPUT_INVALID")),
  alive,
);
any(
  "An answer that is larger than the opener takes is FAIL HANDLER_FAILED",
  "output-failed",
  greet({ limits: { maxMessageBytes: 1_024 } }),
  send(frame("REQUEST", { id: "mine1", name: "make", text: "1025" })),
  expect(fail("mine1", "HANDLER_FAILED")),
  alive,
);
any(
  "An answer of as many bytes as the opener takes is sent",
  "output-failed max-message",
  greet({ limits: { maxMessageBytes: 1_024 } }),
  send(frame("REQUEST", { id: "mine1", name: "make", text: "1024" })),
  expect({ kind: "RESULT", id: "mine1", size: 1_024 }),
  alive,
);

// Messages that the receiver does not know: version 2, which has others.
const newer: readonly Json[] = [
  ...messageList,
  ["newer", "request", "json", ""],
  ["flow", "stream", "json", ""],
  ["news", "event", "json", ""],
];
const older = greet({ members: { version: 2, accepts: [2, 3], messages: newer } });
const turned = messageList.map((entry) =>
  (entry as readonly Json[])[0] === "echo"
    ? ["echo", "stream", "json", ""]
    : (entry as readonly Json[])[0] === "strict"
      ? ["strict", "request", "text", ""]
      : entry,
);
any(
  "A REQUEST of a message that the receiver does not have is answered by FAIL UNKNOWN_MESSAGE",
  "unknown-message",
  older,
  send(frame("REQUEST", { id: "mine1", name: 27, json: 1 })),
  expect(fail("mine1", "UNKNOWN_MESSAGE")),
  alive,
);
any(
  "A STREAM of a message that the receiver does not have is answered by FAIL UNKNOWN_MESSAGE",
  "unknown-message",
  older,
  send(frame("STREAM", { id: "mine1", name: 28, json: 1, items: true })),
  expect(fail("mine1", "UNKNOWN_MESSAGE")),
  send(frame("END", { id: "mine1" })),
  alive,
);
any(
  "An EVENT of a message that the receiver does not have is dropped",
  "unknown-message",
  older,
  send(frame("EVENT", { name: 29, json: 1 })),
  alive,
  ...echo("mine1"),
);
any(
  "A numbered EVENT of a message that the receiver does not have is rejected, then acknowledged",
  "unknown-message reject",
  older,
  send(frame("EVENT", { name: 29, number: 1, json: 1 })),
  expect(
    { kind: "REJECT", number: 1, json: { code: "UNKNOWN_MESSAGE", message: { $type: "text" } } },
    { kind: "ACK", number: 1 },
  ),
  alive,
);
any(
  "A message that has another type on the other side is one that it does not know",
  "unknown-message",
  greet({ members: { version: 2, accepts: [2, 3], messages: turned } }),
  send(frame("STREAM", { id: "mine1", name: 1, json: 1 })),
  expect(fail("mine1", "UNKNOWN_MESSAGE")),
  alive,
);
any(
  "A message that has another codec on the other side is one that it does not know",
  "unknown-message",
  greet({ members: { version: 2, accepts: [2, 3], messages: turned } }),
  send(frame("REQUEST", { id: "mine1", name: "strict", text: "1" })),
  expect(fail("mine1", "UNKNOWN_MESSAGE")),
  alive,
);
for (const [kind, name] of [
  ["REQUEST", "count"],
  ["REQUEST", "hint"],
  ["STREAM", "echo"],
  ["STREAM", "hint"],
] as const) {
  any(
    `A ${kind} whose name is that of another type, ${name}, is answered by FAIL UNKNOWN_MESSAGE`,
    "unknown-message",
    greet(),
    send(frame(kind, { id: "mine1", name, json: 1 })),
    expect(fail("mine1", "UNKNOWN_MESSAGE")),
    alive,
  );
}
any(
  "An EVENT whose name is that of a request is dropped",
  "unknown-message",
  greet(),
  send(frame("EVENT", { name: "echo", json: 1 })),
  alive,
);
any(
  "A numbered EVENT whose name is that of a request is rejected",
  "unknown-message reject",
  greet(),
  send(frame("EVENT", { name: "echo", number: 1, json: 1 })),
  expect(
    { kind: "REJECT", number: 1, json: { code: "UNKNOWN_MESSAGE" } },
    { kind: "ACK", number: 1 },
  ),
  alive,
);

// Cancelling.
const waiting: readonly Step[] = [
  send(request("mine1", "wait", { tag: TAG })),
  ...log("mine2", "waiting"),
];
any(
  "CANCEL of a REQUEST is answered by FAIL CANCELLED, and the handler is told",
  "cancel",
  greet(),
  ...waiting,
  send(frame("CANCEL", { id: "mine1" })),
  expect(fail("mine1", "CANCELLED")),
  ...log("mine2", "waiting", "cancelled CANCELLED"),
  alive,
);
for (const [code, answer] of [
  ["CANCELLED", "CANCELLED"],
  ["DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED|CANCELLED"],
  ["ITEM_INVALID", "CANCELLED"],
  ["HANDLER_FAILED", "CANCELLED"],
  ["SOMETHING_NEW", "CANCELLED"],
  ["", "CANCELLED"],
] as const) {
  any(
    `CANCEL with the code ${JSON.stringify(code)} cancels`,
    "cancel-reason",
    greet(),
    ...waiting,
    send(frame("CANCEL", { id: "mine1", json: { code, message: "why" } })),
    expect({ kind: "FAIL", id: "mine1", json: { code: { $matches: `^(?:${answer})$` } } }),
    alive,
  );
}
any(
  "CANCEL with members that are not known cancels",
  "cancel-reason",
  greet(),
  ...waiting,
  send(frame("CANCEL", { id: "mine1", json: { code: "CANCELLED", message: "", more: [1] } })),
  expect({ kind: "FAIL", id: "mine1" }),
  alive,
);
for (const [what, body] of [
  ["that is no JSON", { text: "{" }],
  ["that is not UTF-8", { hex: "22FF22" }],
  ["that is a list", { json: [] }],
  ["that is a text", { json: "CANCELLED" }],
  ["without a code", { json: { message: "" } }],
  ["without a message", { json: { code: "CANCELLED" } }],
  ["whose code is a number", { json: { code: 1, message: "" } }],
  ["whose message is null", { json: { code: "CANCELLED", message: null } }],
  ["of 1 025 bytes", { text: `{"code":"CANCELLED","message":"${"a".repeat(1_025 - 33)}"}` }],
] as const) {
  any(
    `CANCEL with a payload ${what} is a violation`,
    "cancel-reason",
    greet(),
    ...waiting,
    send(frame("CANCEL", { id: "mine1", ...body })),
    violation,
  );
}
any(
  "CANCEL with a payload of 1 024 bytes cancels",
  "cancel-reason",
  greet(),
  ...waiting,
  send(
    frame("CANCEL", {
      id: "mine1",
      text: `{"code":"CANCELLED","message":"${"a".repeat(1_024 - 33)}"}`,
    }),
  ),
  expect({ kind: "FAIL", id: "mine1" }),
  alive,
);
any(
  "A target that cancels sends CANCEL, and takes the FAIL",
  "cancel",
  greet(),
  send(request("mine1", "call", { name: "echo", input: 1, tag: TAG })),
  expect({ kind: "REQUEST", id: "theirs1" }),
  send(request("mine2", "cancel", { tag: TAG })),
  inAnyOrder(
    { kind: "CANCEL", id: "theirs1" },
    { kind: "RESULT", id: "mine2" },
    result("mine1", { code: "CANCELLED" }),
  ),
  send(failing("theirs1", "CANCELLED")),
  alive,
);
any(
  "A RESULT that crosses the target's CANCEL is taken",
  "cancel",
  greet(),
  send(request("mine1", "call", { name: "echo", input: 1, tag: TAG })),
  expect({ kind: "REQUEST", id: "theirs1" }),
  send(request("mine2", "cancel", { tag: TAG }), result("theirs1", 1)),
  inAnyOrder(
    { kind: "RESULT", id: "mine2" },
    { kind: "RESULT", id: "mine1" },
    { kind: "CANCEL", id: "theirs1" },
  ),
  alive,
);
any(
  "A RESULT that had begun is finished behind the target's CANCEL",
  "cancel",
  greet(),
  send(request("mine1", "call", { name: "echo", input: 1, tag: TAG })),
  expect({ kind: "REQUEST", id: "theirs1" }),
  send(
    frame("RESULT", { id: "theirs1", text: "1", more: true }),
    request("mine2", "cancel", { tag: TAG }),
  ),
  inAnyOrder(
    { kind: "CANCEL", id: "theirs1" },
    { kind: "RESULT", id: "mine2" },
    { kind: "RESULT", id: "mine1" },
  ),
  send(frame("RESULT", { id: "theirs1" })),
  alive,
  ...echo("mine1"),
);

// Failures from the runner.
for (const [code, outcome] of [
  ["UNKNOWN_MESSAGE", "UNKNOWN_MESSAGE"],
  ["INPUT_INVALID", "INPUT_INVALID"],
  ["HANDLER_FAILED", "HANDLER_FAILED"],
  ["DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"],
  ["OVERLOADED", "OVERLOADED"],
  ["DRAINING", "DRAINING"],
  ["SOMETHING_NEW", "HANDLER_FAILED"],
  ["", "HANDLER_FAILED"],
  ["toString", "HANDLER_FAILED"],
] as const) {
  any(
    `FAIL with the code ${JSON.stringify(code)} ends the target's call`,
    "fail-codes",
    greet(),
    ...called,
    send(failing("theirs1", code)),
    expect(result("mine1", { code: outcome })),
    alive,
  );
}
any(
  "FAIL CANCELLED ends a call that the target did not cancel",
  "fail-codes",
  greet(),
  ...called,
  send(failing("theirs1", "CANCELLED")),
  expect({ kind: "RESULT", id: "mine1", json: { code: { $type: "text" } } }),
  alive,
);
any(
  "FAIL NAMED without a payload has nothing as its payload",
  "fail-named",
  greet(),
  send(request("mine1", "call", { name: "fail", input: 1 })),
  expect({ kind: "REQUEST", id: "theirs1", name: "fail" }),
  send(failing("theirs1", "NAMED", { name: "rude" })),
  expect(result("mine1", { code: "NAMED", name: "rude", payload: null })),
  alive,
);
any(
  "FAIL with a path gives it to the caller",
  "fail-path",
  greet(),
  ...called,
  send(failing("theirs1", "INPUT_INVALID", { path: ["a", 0, "b"] })),
  expect(result("mine1", { code: "INPUT_INVALID", path: ["a", 0, "b"] })),
  alive,
);
any(
  "FAIL with members that are not known is taken",
  "fail-codes",
  greet(),
  ...called,
  send(failing("theirs1", "OVERLOADED", { retryAfter: 5 })),
  expect(result("mine1", { code: "OVERLOADED" })),
  alive,
);
for (const [what, body] of [
  ["that is no JSON", { text: "{}x" }],
  ["that is not UTF-8", { hex: "22FF22" }],
  ["that is a list", { json: [] }],
  ["that is null", { json: null }],
  ["without a code", { json: { message: "" } }],
  ["without a message", { json: { code: "OVERLOADED" } }],
  ["whose code is a number", { json: { code: 1, message: "" } }],
  ["whose message is a number", { json: { code: "OVERLOADED", message: 1 } }],
  ["that is NAMED without a name", { json: { code: "NAMED", message: "" } }],
  ["that is NAMED with a number for a name", { json: { code: "NAMED", message: "", name: 1 } }],
] as const) {
  any(
    `FAIL with a payload ${what} is a violation`,
    "fail-form",
    greet(),
    ...called,
    send(frame("FAIL", { id: "theirs1", ...body })),
    violation,
  );
}
for (const [what, path] of [
  ["a text", "a"],
  ["an object", { 0: "a" }],
  ["a list with null", [null]],
  ["a list with -1", [-1]],
  ["a list with 1.5", [1.5]],
  ["a list with a list", [["a"]]],
  ["null", null],
] as const) {
  any(
    `FAIL whose path is ${what} is a violation`,
    "fail-path",
    greet(),
    ...called,
    send(failing("theirs1", "INPUT_INVALID", { path: path as Json })),
    violation,
  );
}

// How many.
any(
  "As many conversations may be open as maxConversations",
  "max-conversations",
  greet(),
  send(
    ...[1, 2, 3, 4, 5, 6, 7].map((n) => request(`mine${n}`, "wait", { tag: TAG })),
    request("mine8", "release", { tag: TAG }),
  ),
  inAnyOrder(...[1, 2, 3, 4, 5, 6, 7].map((n) => result(`mine${n}`, "released")), {
    kind: "RESULT",
    id: "mine8",
  }),
  alive,
);
any(
  "One conversation more than maxConversations is a violation",
  "max-conversations",
  greet(),
  send(...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => request(`mine${n}`, "wait", { tag: TAG }))),
  violation,
);
any(
  "Streams count for maxConversations",
  "max-conversations",
  greet(),
  send(
    ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) =>
      stream(`mine${n}`, "hang", { tag: TAG }, { items: true }),
    ),
  ),
  violation,
);
any(
  "The target opens no more conversations than the runner's maxConversations",
  "max-conversations",
  greet({ limits: { maxConversations: 1 } }),
  send(
    request("mine1", "call", { name: "echo", input: 1 }),
    request("mine2", "call", { name: "echo", input: 2 }),
  ),
  expect({ kind: "REQUEST", id: "theirs1", json: 1 }),
  alive,
  send(result("theirs1", "a")),
  inAnyOrder(result("mine1", { result: "a" }), { kind: "REQUEST", id: "theirs2", json: 2 }),
  send(result("theirs2", "b")),
  expect(result("mine2", { result: "b" })),
  alive,
);
any(
  "A REQUEST whose body would exceed maxInputBytes may be answered by FAIL OVERLOADED, and the " +
    "others go on",
  "max-input",
  greet(),
  send(
    ...[1, 2, 3].map((n) =>
      request(`mine${n}`, "wait", { tag: TAG, fill: "a".repeat(90_000) }, { pieces: [65_536] }),
    ),
  ),
  expect(fail("mine3", "OVERLOADED")),
  send(request("mine4", "release", { tag: TAG })),
  inAnyOrder(result("mine1", "released"), result("mine2", "released"), {
    kind: "RESULT",
    id: "mine4",
  }),
  alive,
);
any(
  "CLOSE MESSAGE_TOO_LARGE leaves the target ready for the next session",
  "max-message",
  greet(),
  send(frame("REQUEST", { id: "mine1", name: "blob", fill: 131_000, pieces: [65_536, 65_400] })),
  close("MESSAGE_TOO_LARGE"),
);
