// Vectors of PROTOCOL.md §5 and §8: events, their credit, numbers and lanes, on one connection.

import {
  alive,
  echo,
  expect,
  flow,
  frame,
  greet,
  inAnyOrder,
  log,
  request,
  result,
  send,
  tally,
  TAG,
  told,
  Vectors,
  violation,
} from "./build.ts";
import type { FrameSpec, Json, Step } from "../../runner/vector.ts";

export const events = new Vectors();
const any: Vectors["any"] = (name, rules, ...steps) => {
  events.any(name, rules, ...steps);
};

const note = (
  n: number,
  rest: Record<string, Json> = {},
  more: Partial<FrameSpec> = {},
): FrameSpec => ({ kind: "EVENT", name: "note", number: n, json: told(n, rest), ...more });
const hint = (
  n: number,
  rest: Record<string, Json> = {},
  more: Partial<FrameSpec> = {},
): FrameSpec => ({ kind: "EVENT", name: "hint", json: told(n, rest), ...more });
const release = (id: string): readonly Step[] => [
  send(request(id, "release", { tag: TAG })),
  expect({ kind: "RESULT", id }),
];
const emit = (id: string, name: string, ...payloads: readonly Json[]): Step =>
  send(request(id, "emit", { name, payloads }));
/** An EVENT of the target. */
const event = (name: string, rest: object = {}) => ({ kind: "EVENT", name, ...rest }) as const;
const emitted = (name: string, ...numbers: readonly number[]): readonly Step[] => [
  emit("mine1", name, ...numbers.map((n) => told(n))),
  inAnyOrder({ kind: "RESULT", id: "mine1" }, ...numbers.map((number) => event(name, { number }))),
];
const ack = (
  number: number | string,
  ...ranges: readonly (readonly [number | string, number | string])[]
): FrameSpec => ({ kind: "ACK", number, ranges });

// Handled, and acknowledged.
any(
  "An EVENT is handled, and not answered",
  "events-handled",
  greet(),
  send(hint(1)),
  ...log("mine1", "begin 1", "end 1"),
  tally({ settled: [] }),
  alive,
);
any(
  "A numbered EVENT is handled, then acknowledged",
  "events-ack",
  greet(),
  send(note(1)),
  tally({ settled: [1] }),
  ...log("mine1", "begin 1", "end 1"),
  alive,
);
any(
  "Numbered EVENTs are acknowledged up to the highest handled",
  "events-ack",
  greet(),
  send(note(1), note(2), note(3)),
  tally({ settled: [1, 2, 3] }),
  ...log("mine1", "begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"),
  alive,
);
any(
  "An EVENT whose handler goes on is not acknowledged before it is through",
  "events-ack",
  greet(),
  send(note(1, { then: "wait" })),
  ...log("mine1", "begin 1"),
  tally({ settled: [] }),
  ...release("mine1"),
  tally({ settled: [1] }),
  alive,
);
any(
  "EVENTs of the common lane are handled one after the other",
  "events-order",
  greet(),
  send(note(1, { then: "wait" }), note(2), hint(3)),
  ...log("mine1", "begin 1"),
  ...release("mine1"),
  tally({ settled: [1, 2] }),
  ...log("mine1", "begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"),
  alive,
);
any(
  "An EVENT that is numbered is acknowledged, whatever the contract says",
  "events-ack",
  greet(),
  send(hint(1, {}, { number: 1 })),
  tally({ settled: [1] }),
  alive,
);
any(
  "An EVENT that is not numbered is not acknowledged, whatever the contract says",
  "events-ack",
  greet(),
  send(frame("EVENT", { name: "note", json: told(1) })),
  ...log("mine1", "begin 1", "end 1"),
  tally({ settled: [] }),
  send(note(1)),
  tally({ settled: [1] }),
  alive,
);
any(
  "Numbered EVENTs of several names share the numbers",
  "events-numbers",
  greet(),
  send(
    note(1),
    hint(2, {}, { number: 2 }),
    frame("EVENT", { name: "keyed", number: 3, json: told(3) }),
  ),
  tally({ settled: [1, 2, 3] }),
  alive,
);

// Numbers.
for (const [what, number] of [
  ["0", 0],
  ["2 before 1", 2],
  ["9 007 199 254 740 992", "0x0020000000000000"],
  ["2^64 - 1", "0xFFFFFFFFFFFFFFFF"],
] as const) {
  any(
    `An EVENT with the number ${what} is a violation`,
    "events-numbers",
    greet(),
    send(note(1, {}, { number })),
    violation,
  );
}
any(
  "A number that leaves a gap is a violation",
  "events-numbers",
  greet(),
  send(note(1), note(3)),
  violation,
);
any(
  "A number that has come whole is a duplicate: dropped, and not handled again",
  "events-duplicate",
  greet(),
  send(note(1), note(1), note(2)),
  tally({ settled: [1, 2] }),
  ...log("mine1", "begin 1", "end 1", "begin 2", "end 2"),
  alive,
);
any(
  "A duplicate of an event that is being handled is dropped",
  "events-duplicate",
  greet(),
  send(note(1, { then: "wait" }), note(1, { then: "wait" })),
  ...log("mine1", "begin 1"),
  ...release("mine1"),
  tally({ settled: [1] }),
  ...log("mine1", "begin 1", "end 1"),
  alive,
);
any(
  "A duplicate costs credit, which is given back",
  "events-duplicate events-credit",
  greet(),
  send(...[1, 1, 1, 1, 1, 1, 1].map((n) => note(n, { fill: "a".repeat(200) }))),
  tally({ credit: { events: { atLeast: 751 } } }),
  alive,
);

// Rejected.
any(
  "An EVENT whose handler fails is rejected before it is acknowledged",
  "reject",
  greet(),
  send(note(1, { then: "fail" })),
  expect(
    { kind: "REJECT", number: 1, json: { code: "HANDLER_FAILED", message: { $type: "text" } } },
    { kind: "ACK", number: 1 },
  ),
  alive,
);
any(
  "The events behind one that failed are handled",
  "reject",
  greet(),
  send(note(1, { then: "fail" }), note(2)),
  expect({ kind: "REJECT", number: 1 }, { kind: "ACK" }),
  tally({ settled: [1, 2] }),
  ...log("mine1", "begin 1", "begin 2", "end 2"),
  alive,
);
any(
  "A numbered EVENT whose body is no JSON is rejected with INPUT_INVALID",
  "reject input-invalid",
  greet(),
  send(frame("EVENT", { name: "note", number: 1, text: "{" })),
  expect(
    { kind: "REJECT", number: 1, json: { code: "INPUT_INVALID" } },
    { kind: "ACK", number: 1 },
  ),
  alive,
);
any(
  "An EVENT whose body is no JSON is dropped",
  "events-handled input-invalid",
  greet(),
  send(frame("EVENT", { name: "hint", text: "{" })),
  alive,
  ...echo("mine1"),
);
any(
  "An EVENT whose handler fails is not rejected where it has no number",
  "reject",
  greet(),
  send(hint(1, { then: "fail" })),
  ...log("mine1", "begin 1"),
  alive,
);

// Credit for the runner's events: a window of 2 000.
const big = (n: number) => frame("EVENT", { name: "blot", number: n, fill: 484 });
any(
  "EVENTs within the window are taken",
  "events-flow",
  greet(),
  send(note(1, { then: "wait" }), big(2), big(3), big(4)),
  ...log("mine1", "begin 1"),
  alive,
  ...release("mine1"),
  tally({ settled: [1, 2, 3, 4] }),
);
any(
  "An EVENT that begins without credit is a FLOW_VIOLATION",
  "events-flow",
  greet(),
  send(note(1, { then: "wait" }), big(2), big(3), big(4), big(5), big(6)),
  flow,
);
any(
  "An EVENT may take the account below zero, and the next is a FLOW_VIOLATION",
  "events-flow",
  greet(),
  send(note(1, { then: "wait" }), frame("EVENT", { name: "blot", number: 2, fill: 5_000 })),
  alive,
  send(hint(3)),
  flow,
);
any(
  "The target gives the credit of events back when they are handled",
  "events-credit",
  greet(),
  send(note(1, { then: "wait" }), big(2), big(3), big(4)),
  ...log("mine1", "begin 1"),
  tally({ credit: { events: 0 } }),
  ...release("mine1"),
  tally({ credit: { events: { atLeast: 501, atMost: 1_700 } } }),
  alive,
);
any(
  "The credit of events that were rejected is given back",
  "events-credit",
  greet(),
  send(...[1, 2, 3].map((n) => frame("EVENT", { name: "note", number: n, fill: 584 }))),
  expect(
    { kind: "REJECT", number: 1 },
    { kind: "REJECT", number: 2 },
    { kind: "REJECT", number: 3 },
  ),
  tally({ credit: { events: { atLeast: 801, atMost: 1_800 } } }),
  alive,
);
any(
  "Hundred events of 100 bytes go through a window of 2 000",
  "events-credit",
  greet(),
  ...Array.from({ length: 20 }, (_, n) => [
    send(...[1, 2, 3].map((m) => frame("EVENT", { name: "blot", number: n * 3 + m, fill: 284 }))),
    tally({ settled: Array.from({ length: n * 3 + 3 }, (__, m) => m + 1) }),
    alive,
  ]).flat(),
);

// The target's events.
any(
  "The target's events are numbered from 1",
  "events-numbers",
  greet(),
  ...emitted("note", 1, 2, 3),
  send(ack(3)),
  ...log("mine2", "delivered 1", "delivered 2", "delivered 3"),
  alive,
);
any(
  "The target's events that are delivered at most once have no number",
  "events-numbers",
  greet(),
  emit("mine1", "hint", told(1)),
  inAnyOrder(
    { kind: "RESULT", id: "mine1" },
    event("hint", { number: { $absent: true }, json: told(1) }),
  ),
  alive,
);
any(
  "The target takes ACKs as they come",
  "acks",
  greet(),
  ...emitted("note", 1, 2),
  send(ack(1)),
  ...log("mine2", "delivered 1"),
  send(ack(2)),
  ...log("mine2", "delivered 1", "delivered 2"),
  alive,
);
any(
  "An ACK that says nothing new is ignored",
  "acks",
  greet(),
  ...emitted("note", 1, 2),
  send(ack(1), ack(1), ack(0)),
  ...log("mine2", "delivered 1"),
  alive,
);
any("ACK 0 is ignored", "acks", greet(), send(ack(0)), alive);
for (const number of [1, 2, "0x001FFFFFFFFFFFFF", "0x0020000000000000", "0xFFFFFFFFFFFFFFFF"])
  any(
    `ACK ${number} where nothing was sent is a violation`,
    "acks-unsent",
    greet(),
    send(ack(number)),
    violation,
  );
any(
  "An ACK above the highest number sent is a violation",
  "acks-unsent",
  greet(),
  ...emitted("note", 1, 2),
  send(ack(3)),
  violation,
);
any(
  "A REJECT settles the event with what it says",
  "rejects",
  greet(),
  ...emitted("note", 1, 2),
  send(frame("REJECT", { number: 2, json: { code: "HANDLER_FAILED", message: "" } }), ack(2)),
  ...log("mine2", "delivered 1", "HANDLER_FAILED 2"),
  alive,
);
any(
  "A REJECT with an unknown code is as HANDLER_FAILED",
  "rejects",
  greet(),
  ...emitted("note", 1),
  send(frame("REJECT", { number: 1, json: { code: "SOMETHING_NEW", message: "" } }), ack(1)),
  ...log("mine2", "HANDLER_FAILED 1"),
  alive,
);
any(
  "A REJECT of an event that is settled is ignored",
  "rejects",
  greet(),
  ...emitted("note", 1),
  send(ack(1), frame("REJECT", { number: 1, json: { code: "HANDLER_FAILED", message: "" } })),
  ...log("mine2", "delivered 1"),
  alive,
);
for (const [what, number] of [
  ["0", 0],
  ["1 where nothing was sent", 1],
  ["2^53", "0x0020000000000000"],
] as const)
  any(
    `A REJECT of the number ${what} is a violation`,
    "rejects-unsent",
    greet(),
    send(frame("REJECT", { number, json: { code: "HANDLER_FAILED", message: "" } })),
    violation,
  );
any(
  "A REJECT above the highest number sent is a violation",
  "rejects-unsent",
  greet(),
  ...emitted("note", 1),
  send(frame("REJECT", { number: 2, json: { code: "HANDLER_FAILED", message: "" } })),
  violation,
);
for (const [what, body] of [
  ["no JSON", { text: "{x" }],
  ["a list", { json: [] }],
  ["without a code", { json: { message: "" } }],
  ["without a message", { json: { code: "HANDLER_FAILED" } }],
  ["with a number for its code", { json: { code: 1, message: "" } }],
  ["with a text for its path", { json: { code: "INPUT_INVALID", message: "", path: "a" } }],
] as const) {
  any(
    `A REJECT that is ${what} is a violation`,
    what.includes("path") ? "fail-path" : "rejects-form",
    greet(),
    ...emitted("note", 1),
    send(frame("REJECT", { number: 1, ...body })),
    violation,
  );
}
any(
  "The target's events wait for credit",
  "events-credit-theirs",
  greet({ limits: { eventWindowBytes: 1 } }),
  emit("mine1", "note", told(1), told(2)),
  inAnyOrder({ kind: "RESULT", id: "mine1" }, event("note", { number: 1 })),
  alive,
  send(frame("CREDIT", { bytes: 1_000 })),
  expect(event("note", { number: 2 })),
  send(ack(2)),
  alive,
);
any(
  "An event window of 0 holds the target's events until CREDIT",
  "events-credit-theirs",
  greet({ limits: { eventWindowBytes: 0 } }),
  emit("mine1", "note", told(1)),
  expect({ kind: "RESULT", id: "mine1" }),
  alive,
  send(frame("CREDIT", { bytes: 1 })),
  expect(event("note", { number: 1 })),
  send(ack(1)),
  alive,
);
any(
  "Requests wait for no credit of events",
  "credit-none",
  greet({ limits: { eventWindowBytes: 0 } }),
  emit("mine1", "note", told(1)),
  expect({ kind: "RESULT", id: "mine1" }),
  send(request("mine1", "call", { name: "echo", input: 1 })),
  expect({ kind: "REQUEST", id: "theirs1" }),
  send(result("theirs1", 1)),
  expect({ kind: "RESULT", id: "mine1" }),
  alive,
);

// Ranges of ACK.
any(
  "An ACK with ranges settles what they cover",
  "ack-ranges",
  greet(),
  ...emitted("note", 1, 2, 3, 4, 5),
  send(ack(1, [3, 3], [5, 5])),
  ...log("mine2", "delivered 1", "delivered 3", "delivered 5"),
  send(ack(5)),
  ...log("mine2", "delivered 1", "delivered 3", "delivered 5", "delivered 2", "delivered 4"),
  alive,
);
any(
  "An ACK with the number 0 may have ranges",
  "ack-ranges",
  greet(),
  ...emitted("note", 1, 2, 3),
  send(ack(0, [2, 3])),
  ...log("mine2", "delivered 2", "delivered 3"),
  alive,
);
any(
  "Ranges that were told already are ignored",
  "ack-ranges",
  greet(),
  ...emitted("note", 1, 2, 3),
  send(ack(0, [2, 2]), ack(0, [2, 2]), ack(0)),
  ...log("mine2", "delivered 2"),
  alive,
);
for (const [what, ranges] of [
  ["whose first is above its last", [[4, 3]]],
  ["that touches the number", [[2, 3]]],
  ["below the number", [[1, 1]]],
  ["of the number", [[0, 0]]],
  [
    "that touch",
    [
      [3, 3],
      [4, 4],
    ],
  ],
  [
    "that overlap",
    [
      [3, 4],
      [4, 5],
    ],
  ],
  [
    "that descend",
    [
      [5, 5],
      [3, 3],
    ],
  ],
  ["above what was sent", [[3, 6]]],
  ["of 2^53", [["0x0020000000000000", "0x0020000000000000"]]],
] as readonly (readonly [string, readonly (readonly [number | string, number | string])[]])[]) {
  any(
    `An ACK with ranges ${what} is a violation`,
    "ack-ranges-form",
    greet(),
    ...emitted("note", 1, 2, 3, 4, 5),
    send(ack(1, ...ranges)),
    violation,
  );
}
any(
  "An ACK with 256 ranges is a violation",
  "ack-ranges-form",
  greet(),
  send(ack(0, ...Array.from({ length: 256 }, (_, n) => [2 * n + 2, 2 * n + 2] as const))),
  violation,
);

// Lanes.
const laned = (n: number, lane: number, rest: Record<string, Json> = {}): FrameSpec =>
  note(n, rest, { id: lane });
any(
  "An EVENT of a lane is handled and acknowledged",
  "lanes",
  greet(),
  send(laned(1, 7)),
  tally({ settled: [1] }),
  ...log("mine1", "begin 1", "end 1"),
  alive,
);
any(
  "The largest lane is a lane",
  "lanes",
  greet(),
  send(laned(1, 0xffff_ffff)),
  tally({ settled: [1] }),
  alive,
);
any(
  "EVENTs of another lane go on while one waits",
  "lanes",
  greet(),
  send(laned(1, 7, { then: "wait" }), laned(2, 8), laned(3, 0)),
  tally({ settled: [2, 3] }),
  ...log("mine1", "begin 1", "begin 2", "end 2", "begin 3", "end 3"),
  ...release("mine1"),
  tally({ settled: [1, 2, 3] }),
  alive,
);
any(
  "EVENTs of one lane are handled one after the other",
  "lanes",
  greet(),
  send(laned(1, 7, { then: "wait" }), laned(2, 7)),
  ...log("mine1", "begin 1"),
  ...release("mine1"),
  tally({ settled: [1, 2] }),
  ...log("mine1", "begin 1", "end 1", "begin 2", "end 2"),
  alive,
);
any(
  "Events of other names share a lane",
  "lanes",
  greet(),
  send(laned(1, 7, { then: "wait" }), hint(2, {}, { id: 7 })),
  ...log("mine1", "begin 1"),
  ...release("mine1"),
  ...log("mine1", "begin 1", "end 1", "begin 2", "end 2"),
  alive,
);
any(
  "A failure in one lane is rejected, and acknowledged by a range",
  "lanes reject ack-ranges",
  greet(),
  send(laned(1, 7, { then: "wait" }), laned(2, 8, { then: "fail" })),
  expect({ kind: "REJECT", number: 2 }),
  tally({ settled: [2] }),
  ...release("mine1"),
  tally({ settled: [1, 2] }),
  alive,
);
any(
  "The pieces of EVENTs of two lanes may alternate",
  "lanes pieces-between",
  greet(),
  send(
    frame("EVENT", { id: 7, name: "blot", number: 1, fill: 5, more: true }),
    frame("EVENT", { id: 8, name: "blot", number: 2, fill: 5, more: true }),
    frame("EVENT", { id: 8 }),
    frame("EVENT", { id: 7 }),
  ),
  tally({ settled: [1, 2] }),
  alive,
);
any(
  "An EVENT's lane and a conversation of the same number do not disturb each other",
  "lanes pieces-between",
  greet(),
  send(
    frame("EVENT", { id: "mine1", name: "blot", number: 1, fill: 5, more: true }),
    frame("REQUEST", { id: "mine1", name: "echo", text: "1", more: true }),
    frame("EVENT", { id: "mine1" }),
    frame("REQUEST", { id: "mine1" }),
  ),
  expect(result("mine1", 1)),
  tally({ settled: [1] }),
  alive,
);
any(
  "A number that is whole above one that is unfinished is no gap",
  "lanes events-numbers",
  greet(),
  send(frame("EVENT", { id: 7, name: "blot", number: 1, fill: 5, more: true }), laned(2, 8)),
  tally({ settled: [2] }),
  send(frame("EVENT", { id: 7 })),
  tally({ settled: [1, 2] }),
  alive,
);
any(
  "A number that is whole above one that has not begun is a violation",
  "lanes events-numbers",
  greet(),
  send(frame("EVENT", { id: 7, name: "blot", number: 1, fill: 5, more: true }), laned(3, 8)),
  violation,
);
any(
  "An EVENT of a lane costs the account of all events too",
  "lanes events-flow",
  greet(),
  send(
    ...[1, 2, 3, 4].map((n) =>
      frame("EVENT", {
        id: n,
        name: "note",
        number: n,
        json: told(n, { then: "wait", fill: "a".repeat(450) }),
      }),
    ),
    laned(5, 5),
  ),
  flow,
);
any(
  "An EVENT that begins without credit of its lane is a FLOW_VIOLATION",
  "lanes lanes-flow",
  greet(),
  send(laned(1, 7, { then: "wait", fill: "a".repeat(500) }), laned(2, 7)),
  flow,
);
any(
  "A lane's account holds back no other lane",
  "lanes lanes-flow",
  greet(),
  send(laned(1, 7, { then: "wait", fill: "a".repeat(500) }), laned(2, 8)),
  tally({ settled: [2] }),
  alive,
);
any(
  "The common lane has no account of its own",
  "lanes lanes-flow",
  greet(),
  send(laned(1, 0, { then: "wait", fill: "a".repeat(500) }), laned(2, 0), laned(3, 0)),
  alive,
);
any(
  "A lane's credit is given back when nothing of it waits or runs",
  "lanes lanes-credit",
  greet(),
  send(laned(1, 7, { then: "wait" })),
  ...log("mine1", "begin 1"),
  tally({ credit: { "lane:7": 0 } }),
  ...release("mine1"),
  tally({ credit: { "lane:7": { atLeast: 1 } } }),
  alive,
);
any(
  "A lane's credit that was given back may be spent",
  "lanes lanes-credit",
  greet(),
  send(frame("EVENT", { id: 7, name: "blot", number: 1, fill: 600 })),
  tally({ credit: { "lane:7": 616 } }),
  send(frame("EVENT", { id: 7, name: "blot", number: 2, fill: 600 })),
  tally({ credit: { "lane:7": 1_232 } }),
  alive,
);
any(
  "LANE that takes a lane's account above 2 147 483 647 is a FLOW_VIOLATION",
  "lanes credit-max",
  greet(),
  send(frame("LANE", { id: 7, bytes: 0x7fff_ffff })),
  flow,
);
any(
  "LANE of a lane that was never used is credit above what was taken",
  "lanes credit-grow",
  greet(),
  send(frame("LANE", { id: 7, bytes: 100 })),
  alive,
);
any(
  "Two events of the target with the same key share a lane, with another not",
  "lanes lane-hash",
  greet(),
  emit("mine1", "keyed", told(1, { key: "a" }), told(2, { key: "b" }), told(3, { key: "a" })),
  inAnyOrder(
    { kind: "RESULT", id: "mine1" },
    event("keyed", { id: 0xe40c292c, number: 1 }),
    event("keyed", { id: 0xe70c2de5, number: 2 }),
    event("keyed", { id: 0xe40c292c, number: 3 }),
  ),
  send(ack(3)),
  alive,
);
any(
  "The target's event with a named lane goes there",
  "lanes lane-hash",
  greet(),
  emit("mine1", "audit", told(1)),
  inAnyOrder({ kind: "RESULT", id: "mine1" }, event("audit", { id: 0xf5615aa8 })),
  alive,
);
any(
  "The target's events of a lane wait for its credit, and those of another do not",
  "lanes lanes-credit-theirs",
  greet({ limits: { laneWindowBytes: 1 } }),
  emit("mine1", "keyed", told(1, { key: "a" }), told(2, { key: "a" }), told(3, { key: "b" })),
  inAnyOrder(
    { kind: "RESULT", id: "mine1" },
    event("keyed", { id: 0xe40c292c, json: told(1, { key: "a" }) }),
    event("keyed", { id: 0xe70c2de5, json: told(3, { key: "b" }) }),
  ),
  alive,
  send(frame("LANE", { id: 0xe40c292c, bytes: 200 })),
  expect(event("keyed", { id: 0xe40c292c, number: 3, json: told(2, { key: "a" }) })),
  send(ack(3)),
  alive,
);
any(
  "Without laneWindowBytes the target's lanes have no account",
  "lanes lanes-credit-theirs",
  greet({
    members: {
      limits: {
        maxMessageBytes: 100_000,
        maxPartials: 4,
        maxConversations: 8,
        windowBytes: 1_000,
        eventWindowBytes: 2_000,
      },
    },
  }),
  emit("mine1", "keyed", ...[1, 2, 3].map((n) => told(n, { key: "a", fill: "a".repeat(400) }))),
  inAnyOrder(
    { kind: "RESULT", id: "mine1" },
    event("keyed", { number: 1 }),
    event("keyed", { number: 2 }),
    event("keyed", { number: 3 }),
  ),
  send(ack(3)),
  alive,
);
