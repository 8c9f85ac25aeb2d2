// Vectors of PROTOCOL.md §4 and §5: streams and their credit.

import {
  alive,
  echo,
  expect,
  fail,
  failing,
  flow,
  frame,
  greet,
  inAnyOrder,
  item,
  log,
  request,
  result,
  send,
  stream,
  tally,
  TAG,
  Vectors,
  violation,
} from "./build.ts";
import type { Step } from "../../runner/vector.ts";

export const streams = new Vectors();
const any: Vectors["any"] = (name, rules, ...steps) => {
  streams.any(name, rules, ...steps);
};

const END = (id: string) => ({ kind: "END", id }) as const;
/** A stream that takes nothing and sends nothing, of mine1. */
const hanging: readonly Step[] = [
  send(stream("mine1", "hang", { tag: TAG }, { items: true })),
  ...log("mine2", "waiting"),
];
/** A body of 84 bytes: an ITEM of it costs 100. */
const big = (bytes: number) => ({ text: `"${"a".repeat(bytes - 2)}"` });
const hundred = { text: `"${"a".repeat(82)}"` };

// What comes.
any(
  "A STREAM's items come in order, then END",
  "stream-items",
  greet(),
  send(stream("mine1", "count", { to: 3 })),
  expect(item("mine1", 1), item("mine1", 2), item("mine1", 3), END("mine1")),
  alive,
);
any(
  "A STREAM without items is END",
  "stream-items",
  greet(),
  send(stream("mine1", "count", { to: 0 })),
  expect(END("mine1")),
  alive,
);
any(
  "A stream that fails by name sends its items, then FAIL NAMED",
  "stream-items fail-named",
  greet(),
  send(stream("mine1", "broken", { after: 2, how: "name" })),
  expect(
    item("mine1", 1),
    item("mine1", 2),
    fail("mine1", "NAMED", { name: "rude", payload: { after: 2 } }),
  ),
  alive,
);
any(
  "A stream that throws sends its items, then FAIL HANDLER_FAILED",
  "stream-items fail-handler",
  greet(),
  send(stream("mine1", "broken", { after: 1, how: "throw" })),
  expect(item("mine1", 1), fail("mine1", "HANDLER_FAILED")),
  alive,
);
any(
  "The opener's items are taken until its END",
  "stream-both",
  greet(),
  send(
    stream("mine1", "collect", null, { items: true }),
    item("mine1", 1),
    item("mine1", 2),
    item("mine1", 3),
  ),
  alive,
  send(END("mine1")),
  expect(item("mine1", 6), END("mine1")),
  alive,
);
any(
  "Items go both ways",
  "stream-both",
  greet(),
  send(stream("mine1", "mirror", null, { items: true }), item("mine1", "a")),
  expect(item("mine1", "a")),
  send(item("mine1", "b")),
  expect(item("mine1", "b")),
  send(END("mine1")),
  expect(END("mine1")),
  alive,
);
any(
  "A STREAM without flag 08 sends no items",
  "stream-both",
  greet(),
  send(stream("mine1", "mirror", null)),
  expect(END("mine1")),
  alive,
);
any(
  "Items behind flag 08 for which the contract has no place are dropped",
  "items-dropped",
  greet(),
  send(stream("mine1", "count", { to: 1 }, { items: true })),
  expect(item("mine1", 1), END("mine1")),
  send(item("mine1", "x"), END("mine1")),
  alive,
  ...echo("mine1"),
);
any(
  "Items under way when the responder has ended are dropped, and END frees the id",
  "items-dropped id-free",
  greet(),
  send(stream("mine1", "take", { n: 1 }, { items: true }), item("mine1", "a")),
  expect(item("mine1", ["a"]), END("mine1")),
  send(item("mine1", "b"), item("mine1", "c"), END("mine1")),
  alive,
  ...echo("mine1"),
);
any(
  "CANCEL frees the id when the responder has ended",
  "items-dropped id-free",
  greet(),
  send(stream("mine1", "take", { n: 0 }, { items: true })),
  expect(item("mine1", []), END("mine1")),
  send(frame("CANCEL", { id: "mine1" })),
  alive,
  ...echo("mine1"),
);
any(
  "The opener's END frees the id when the responder has failed",
  "id-free",
  greet(),
  send(stream("mine1", "broken", { after: 0, how: "throw" }, { items: true })),
  expect(fail("mine1", "HANDLER_FAILED")),
  send(END("mine1")),
  alive,
  ...echo("mine1"),
);
any(
  "An ITEM that is no JSON is answered by FAIL ITEM_INVALID",
  "item-invalid",
  greet(),
  send(
    stream("mine1", "collect", null, { items: true }),
    frame("ITEM", { id: "mine1", text: "{" }),
  ),
  expect(fail("mine1", "ITEM_INVALID")),
  send(END("mine1")),
  alive,
  ...echo("mine1"),
);
any(
  "An ITEM that its schema does not take is answered by FAIL ITEM_INVALID with a path",
  "item-invalid",
  greet(),
  send(stream("mine1", "collect", null, { items: true }), item("mine1", "x")),
  expect(fail("mine1", "ITEM_INVALID", { path: [] })),
  send(END("mine1")),
  alive,
);
any(
  "CANCEL of a stream is answered by FAIL CANCELLED, and its handler is told",
  "cancel",
  greet(),
  ...hanging,
  send(frame("CANCEL", { id: "mine1" })),
  expect(fail("mine1", "CANCELLED")),
  ...log("mine2", "waiting", "cancelled CANCELLED"),
  alive,
);
any(
  "CANCEL of a stream that sends is answered by FAIL or END, and no item follows",
  "cancel",
  greet({ limits: { windowBytes: 30 } }),
  send(stream("mine1", "count", { to: 100 })),
  expect(item("mine1", 1), item("mine1", 2)),
  send(frame("CANCEL", { id: "mine1" })),
  expect({ kind: "FAIL|END", id: "mine1" }),
  alive,
  ...echo("mine1"),
);
any(
  "CANCEL between the pieces of an ITEM cuts it off",
  "pieces-cancel",
  greet(),
  ...hanging,
  send(frame("ITEM", { id: "mine1", text: "1", more: true }), frame("CANCEL", { id: "mine1" })),
  expect(fail("mine1", "CANCELLED")),
  alive,
  ...echo("mine1"),
);
any(
  "An ITEM that CANCEL cuts off costs nothing of the account of all streams",
  "cancel-window",
  greet(),
  ...[1, 2, 3, 4].flatMap((n) => [
    send(
      stream(`mine${n}`, "hang", { tag: TAG }, { items: true }),
      frame("ITEM", { id: `mine${n}`, fill: 900, more: true }),
      frame("CANCEL", { id: `mine${n}` }),
    ),
    expect(fail(`mine${n}`, "CANCELLED")),
  ]),
  alive,
);

// Credit for the target's items.
const narrow = greet({ limits: { windowBytes: 30 } });
any(
  "The target begins items while the stream's account is above zero, and then waits",
  "credit-stream",
  narrow,
  send(stream("mine1", "count", { to: 5 })),
  expect(item("mine1", 1), item("mine1", 2)),
  alive,
  send(frame("CREDIT", { id: "mine1", bytes: 5 })),
  expect(item("mine1", 3)),
  alive,
  send(frame("CREDIT", { id: "mine1", bytes: 17 })),
  expect(item("mine1", 4)),
  alive,
  send(frame("CREDIT", { id: "mine1", bytes: 34 })),
  expect(item("mine1", 5), END("mine1")),
  alive,
);
any(
  "Credit of one byte above what is missing lets one item go",
  "credit-stream",
  greet({ limits: { windowBytes: 1 } }),
  send(stream("mine1", "count", { to: 3 })),
  expect(item("mine1", 1)),
  alive,
  send(frame("CREDIT", { id: "mine1", bytes: 16 })),
  alive,
  send(frame("CREDIT", { id: "mine1", bytes: 1 })),
  expect(item("mine1", 2)),
  alive,
);
any(
  "END waits for no credit",
  "credit-none",
  greet({ limits: { windowBytes: 1 } }),
  send(request("mine1", "pull", { name: "collect", input: null, send: [1], end: true })),
  expect({ kind: "STREAM", id: "theirs1", items: true }, item("theirs1", 1), END("theirs1")),
  send(END("theirs1")),
  expect(result("mine1", { items: [], ended: true })),
  alive,
);
any(
  "FAIL waits for no credit",
  "credit-none",
  greet({ limits: { windowBytes: 1 } }),
  send(stream("mine1", "hang", { tag: TAG }, { items: true })),
  ...log("mine2", "waiting"),
  send(request("mine2", "release", { tag: TAG })),
  inAnyOrder(item("mine1", "released"), { kind: "RESULT", id: "mine2" }),
  send(frame("CANCEL", { id: "mine1" })),
  expect({ kind: "FAIL|END", id: "mine1" }),
  alive,
);
any(
  "RESULT waits for no credit",
  "credit-none",
  greet({ limits: { windowBytes: 1, connectionWindowBytes: 0, eventWindowBytes: 0 } }),
  ...echo("mine1"),
  alive,
);
any(
  "Credit for a STREAM that has begun and is unfinished counts",
  "credit-begun",
  greet({ limits: { windowBytes: 1 } }),
  send(
    frame("STREAM", { id: "mine1", name: "count", text: '{"to"', more: true }),
    frame("CREDIT", { id: "mine1", bytes: 100 }),
    frame("STREAM", { id: "mine1", text: ":2}" }),
  ),
  expect(item("mine1", 1), item("mine1", 2), END("mine1")),
  alive,
);
any(
  "Each stream has an account of its own",
  "credit-stream",
  greet({ limits: { windowBytes: 1 } }),
  send(stream("mine1", "count", { to: 2 }), stream("mine2", "count", { to: 2 })),
  inAnyOrder(item("mine1", 1), item("mine2", 1)),
  alive,
  send(frame("CREDIT", { id: "mine2", bytes: 100 })),
  expect(item("mine2", 2), END("mine2")),
  alive,
  send(frame("CREDIT", { id: "mine1", bytes: 100 })),
  expect(item("mine1", 2), END("mine1")),
);
any(
  "The items of all streams share an account",
  "credit-all",
  greet({ limits: { connectionWindowBytes: 30 } }),
  send(stream("mine1", "count", { to: 3 }), stream("mine2", "count", { to: 3 })),
  expect({ kind: "ITEM" }, { kind: "ITEM" }),
  alive,
  send(frame("WINDOW", { bytes: 1_000 })),
  inAnyOrder(
    { kind: "ITEM" },
    { kind: "ITEM" },
    { kind: "ITEM" },
    { kind: "ITEM" },
    END("mine1"),
    END("mine2"),
  ),
  alive,
);
any(
  "Nothing but items waits for the account of all streams",
  "credit-none",
  greet({ limits: { connectionWindowBytes: 1 } }),
  send(stream("mine1", "count", { to: 2 })),
  expect(item("mine1", 1)),
  ...echo("mine2"),
  send(request("mine2", "emit", { name: "hint", payloads: [{ tag: TAG, n: 1 }] })),
  inAnyOrder({ kind: "EVENT", name: "hint" }, { kind: "RESULT", id: "mine2" }),
  alive,
);
any(
  "An account of all streams that begins with 0 holds items back until WINDOW",
  "credit-all",
  greet({ limits: { connectionWindowBytes: 0 } }),
  send(stream("mine1", "count", { to: 1 })),
  alive,
  send(frame("WINDOW", { bytes: 18 })),
  expect(item("mine1", 1), END("mine1")),
  alive,
);
any(
  "Without connectionWindowBytes there is no account of all streams",
  "credit-all",
  greet({
    members: {
      limits: {
        maxMessageBytes: 100_000,
        maxPartials: 4,
        maxConversations: 8,
        windowBytes: 100_000,
        eventWindowBytes: 2_000,
      },
    },
  }),
  send(frame("STREAM", { id: "mine1", name: "chunks", text: "9 10000" })),
  expect(
    ...Array.from({ length: 9 }, () => ({ kind: "ITEM", id: "mine1", size: 10_000 })),
    END("mine1"),
  ),
  alive,
);
any(
  "An item that is larger than the credit is sent whole",
  "credit-stream",
  greet({ limits: { windowBytes: 1 } }),
  send(frame("STREAM", { id: "mine1", name: "chunks", text: "2 70000" })),
  expect({ kind: "ITEM", id: "mine1", size: 70_000 }),
  alive,
  send(frame("CREDIT", { id: "mine1", bytes: 70_016 })),
  alive,
  ...echo("mine2"),
);

// Credit for the runner's items.
any(
  "Ten items of 100 bytes of cost are within a window of 1 000",
  "flow-stream",
  greet(),
  ...hanging,
  send(frame("ITEM", { id: "mine1", ...hundred, times: 10 })),
  alive,
  send(frame("CANCEL", { id: "mine1" })),
  expect(fail("mine1", "CANCELLED")),
  alive,
);
any(
  "An item that begins without credit of its stream is a FLOW_VIOLATION",
  "flow-stream",
  greet(),
  ...hanging,
  send(frame("ITEM", { id: "mine1", ...hundred, times: 11 })),
  flow,
);
any(
  "An item may take its stream's account below zero, and the next is a FLOW_VIOLATION",
  "flow-stream",
  greet(),
  ...hanging,
  send(frame("ITEM", { id: "mine1", ...big(1_200) })),
  alive,
  send(frame("ITEM", { id: "mine1", json: 1 })),
  flow,
);
any(
  "Pieces behind the first need no credit",
  "flow-stream",
  greet(),
  ...hanging,
  send(frame("ITEM", { id: "mine1", ...big(1_400), pieces: [1, 1_200] })),
  alive,
);
any(
  "The first piece without credit is a FLOW_VIOLATION",
  "flow-stream",
  greet(),
  ...hanging,
  send(
    frame("ITEM", { id: "mine1", ...big(1_000) }),
    frame("ITEM", { id: "mine1", text: "1", more: true }),
  ),
  flow,
);
any(
  "Items of all streams within the window of the connection are taken",
  "flow-all",
  greet(),
  send(
    stream("mine1", "hang", { tag: TAG }, { items: true }),
    stream("mine2", "hang", { tag: TAG }, { items: true }),
  ),
  send(
    frame("ITEM", { id: "mine1", ...hundred, times: 8 }),
    frame("ITEM", { id: "mine2", ...hundred, times: 7 }),
  ),
  alive,
);
any(
  "An item that begins without credit of all streams is a FLOW_VIOLATION",
  "flow-all",
  greet(),
  send(
    stream("mine1", "hang", { tag: TAG }, { items: true }),
    stream("mine2", "hang", { tag: TAG }, { items: true }),
  ),
  send(
    frame("ITEM", { id: "mine1", ...hundred, times: 8 }),
    frame("ITEM", { id: "mine2", ...hundred, times: 8 }),
  ),
  flow,
);
any(
  "The target gives credit back to a stream as its program takes items",
  "credit-back",
  greet(),
  send(
    stream("mine1", "collect", null, { items: true }),
    frame("ITEM", { id: "mine1", text: "1".padEnd(84), times: 10 }),
  ),
  tally({ credit: { mine1: { atLeast: 501, atMost: 1_000 } } }),
  alive,
);
any(
  "The target gives credit back to all streams as its program takes items",
  "credit-back",
  greet(),
  ...[1, 2].flatMap((n) => [
    send(
      stream(`mine${n}`, "collect", null, { items: true }),
      frame("ITEM", { id: `mine${n}`, text: "1".padEnd(84), times: 7 }),
    ),
  ]),
  tally({ credit: { streams: { atLeast: 651, atMost: 1_400 } } }),
  alive,
);
any(
  "The target gives nothing back for items that its program does not take",
  "credit-back",
  greet(),
  ...hanging,
  send(frame("ITEM", { id: "mine1", ...hundred, times: 9 })),
  alive,
  tally({ credit: { mine1: 0, streams: 0 } }),
  alive,
);
any(
  "Items of a stream that is cancelled are given back to all streams",
  "credit-back-dropped",
  greet(),
  ...hanging,
  send(frame("ITEM", { id: "mine1", ...hundred, times: 9 }), frame("CANCEL", { id: "mine1" })),
  expect(fail("mine1", "CANCELLED")),
  tally({ credit: { streams: { atLeast: 151, atMost: 900 } } }),
  alive,
);
any(
  "Items that are dropped behind the responder's end are given back to all streams",
  "credit-back-dropped",
  greet(),
  send(stream("mine1", "take", { n: 0 }, { items: true })),
  expect(item("mine1", []), END("mine1")),
  send(frame("ITEM", { id: "mine1", ...hundred, times: 9 })),
  tally({ credit: { streams: { atLeast: 151, atMost: 900 }, mine1: 0 } }),
  send(END("mine1")),
  alive,
);
any(
  "Items for which the contract has no place are given back to all streams",
  "credit-back-dropped",
  greet(),
  send(
    stream("mine1", "count", { to: 0 }, { items: true }),
    frame("ITEM", { id: "mine1", ...hundred, times: 8 }),
    END("mine1"),
  ),
  expect(END("mine1")),
  tally({ credit: { streams: { atLeast: 51, atMost: 800 } } }),
  alive,
);
any(
  "An invalid item is given back to all streams",
  "credit-back-dropped",
  greet(),
  send(
    stream("mine1", "collect", null, { items: true }),
    frame("ITEM", { id: "mine1", fill: 984 }),
  ),
  expect(fail("mine1", "ITEM_INVALID")),
  tally({ credit: { streams: { atLeast: 251, atMost: 1_000 } } }),
  send(END("mine1")),
  alive,
);
any(
  "Credit that is given back may be spent",
  "credit-back",
  greet(),
  send(stream("mine1", "collect", null, { items: true })),
  send(frame("ITEM", { id: "mine1", text: "1".padEnd(484) })),
  tally({ credit: { mine1: { atLeast: 500 } } }),
  send(frame("ITEM", { id: "mine1", text: "2".padEnd(984) })),
  send(END("mine1")),
  expect(item("mine1", 3), END("mine1")),
  alive,
);

// Credit that is too much.
for (const [what, id, rule] of [
  ["a stream", "mine1", "credit-max"],
  ["events", 0, "credit-max"],
] as const) {
  any(
    `CREDIT that takes the account of ${what} above 2 147 483 647 is a FLOW_VIOLATION`,
    rule,
    greet(),
    ...hanging,
    send(frame("CREDIT", { id, bytes: 0x7fff_ffff })),
    flow,
  );
  any(
    `CREDIT of 4 294 967 295 bytes for ${what} is a FLOW_VIOLATION`,
    rule,
    greet(),
    ...hanging,
    send(frame("CREDIT", { id, bytes: 0xffff_ffff })),
    flow,
  );
}
any(
  "WINDOW that takes the account above 2 147 483 647 is a FLOW_VIOLATION",
  "credit-max",
  greet(),
  send(frame("WINDOW", { bytes: 0x7fff_ffff })),
  flow,
);
any(
  "Credit above what was taken is a larger window",
  "credit-grow",
  greet({ limits: { windowBytes: 1 } }),
  send(stream("mine1", "count", { to: 5 }), frame("CREDIT", { id: "mine1", bytes: 1_000 })),
  expect(
    item("mine1", 1),
    item("mine1", 2),
    item("mine1", 3),
    item("mine1", 4),
    item("mine1", 5),
    END("mine1"),
  ),
  alive,
);
any(
  "Credit up to 2 147 483 647 in the account of a stream is taken",
  "credit-max",
  greet({ limits: { windowBytes: 1 } }),
  ...hanging,
  send(frame("CREDIT", { id: "mine1", bytes: 0x7fff_fffe })),
  alive,
  send(frame("CREDIT", { id: "mine1", bytes: 1 })),
  flow,
);
any(
  "Credit up to 2 147 483 647 in the account of events is taken",
  "credit-max",
  greet({ limits: { eventWindowBytes: 0 } }),
  send(frame("CREDIT", { bytes: 0x7fff_ffff })),
  alive,
  send(frame("CREDIT", { bytes: 1 })),
  flow,
);
any(
  "Credit up to 2 147 483 647 in the account of all streams is taken",
  "credit-max",
  greet({ limits: { connectionWindowBytes: 0 } }),
  send(frame("WINDOW", { bytes: 0x7fff_ffff })),
  alive,
  send(frame("WINDOW", { bytes: 1 })),
  flow,
);

// The target opens.
const pulling = (more: object = {}): readonly Step[] => [
  send(request("mine1", "pull", { name: "count", input: { to: 2 }, ...more })),
  expect({ kind: "STREAM", id: "theirs1", name: "count", items: false, json: { to: 2 } }),
];
any(
  "A stream that the target opens takes items until END",
  "stream-items",
  greet(),
  ...pulling(),
  send(item("theirs1", 1), item("theirs1", 2), END("theirs1")),
  expect(result("mine1", { items: [1, 2], ended: true })),
  alive,
);
any(
  "A stream that the target opens ends with FAIL",
  "stream-items fail-codes",
  greet(),
  ...pulling(),
  send(item("theirs1", 1), failing("theirs1", "OVERLOADED")),
  expect(result("mine1", { items: [1], code: "OVERLOADED" })),
  alive,
);
any(
  "A target that takes no more of its stream cancels it",
  "cancel",
  greet(),
  ...pulling({ take: 1 }),
  send(item("theirs1", 1)),
  inAnyOrder({ kind: "CANCEL", id: "theirs1" }, result("mine1", { items: [1], ended: false })),
  send(failing("theirs1", "CANCELLED")),
  alive,
);
any(
  "Items that cross the target's CANCEL are dropped",
  "items-dropped",
  greet(),
  ...pulling({ take: 1 }),
  send(item("theirs1", 1), item("theirs1", 2)),
  inAnyOrder({ kind: "CANCEL", id: "theirs1" }, { kind: "RESULT", id: "mine1" }),
  send(item("theirs1", 3), END("theirs1")),
  alive,
  ...echo("mine1"),
);
any(
  "A target that gets an invalid item cancels",
  "item-cancel",
  greet(),
  send(request("mine1", "pull", { name: "count", input: { to: 2 } })),
  expect({ kind: "STREAM", id: "theirs1" }),
  send(frame("ITEM", { id: "theirs1", text: "{" })),
  inAnyOrder(
    { kind: "CANCEL", id: "theirs1" },
    { kind: "RESULT", id: "mine1", json: { code: "ITEM_INVALID" } },
  ),
  send(failing("theirs1", "CANCELLED")),
  alive,
);
any(
  "The target's CANCEL for an invalid item says ITEM_INVALID",
  "cancel-reason",
  greet(),
  send(request("mine1", "pull", { name: "count", input: { to: 2 } })),
  expect({ kind: "STREAM", id: "theirs1" }),
  send(frame("ITEM", { id: "theirs1", text: "{" })),
  inAnyOrder(
    { kind: "CANCEL", id: "theirs1", json: { code: "ITEM_INVALID", message: { $type: "text" } } },
    { kind: "RESULT", id: "mine1" },
  ),
  send(failing("theirs1", "CANCELLED")),
  alive,
);
any(
  "The target's items wait for the runner's credit",
  "credit-stream",
  greet({ limits: { windowBytes: 1 } }),
  send(request("mine1", "pull", { name: "collect", input: null, send: [1, 2], end: true })),
  expect({ kind: "STREAM", id: "theirs1", items: true }, item("theirs1", 1)),
  alive,
  send(frame("CREDIT", { id: "theirs1", bytes: 17 })),
  expect(item("theirs1", 2), END("theirs1")),
  send(item("theirs1", 3), END("theirs1")),
  expect(result("mine1", { items: [3], ended: true })),
  alive,
);
any(
  "The target ends its part when the runner has ended",
  "end-after-end",
  greet({ limits: { windowBytes: 1 } }),
  send(request("mine1", "pull", { name: "collect", input: null, send: [1, 2, 3] })),
  expect({ kind: "STREAM", id: "theirs1", items: true }, item("theirs1", 1)),
  send(END("theirs1")),
  inAnyOrder({ kind: "END|CANCEL", id: "theirs1" }, result("mine1", { items: [], ended: true })),
  alive,
);

// STOP.
any(
  "STOP ends the target's items, and the stream with END or FAIL",
  "stop",
  narrow,
  send(stream("mine1", "count", { to: 1_000 })),
  expect(item("mine1", 1), item("mine1", 2)),
  send(frame("STOP", { id: "mine1" })),
  expect({ kind: "END|FAIL", id: "mine1" }),
  alive,
  ...echo("mine1"),
);
any(
  "STOP lets the conversation go on: the opener's items are still taken",
  "stop",
  greet(),
  send(
    stream("mine1", "collect", null, { items: true }),
    frame("STOP", { id: "mine1" }),
    item("mine1", 1),
  ),
  alive,
  send(END("mine1")),
  expect({ kind: "END|FAIL", id: "mine1" }),
  alive,
  ...echo("mine1"),
);
any(
  "STOP twice is as once",
  "stop",
  narrow,
  send(stream("mine1", "count", { to: 1_000 })),
  expect(item("mine1", 1), item("mine1", 2)),
  send(frame("STOP", { id: "mine1" }), frame("STOP", { id: "mine1" })),
  expect({ kind: "END|FAIL", id: "mine1" }),
  alive,
);
any(
  "STOP behind the end of the stream is ignored",
  "stop",
  greet(),
  send(stream("mine1", "count", { to: 1 })),
  expect(item("mine1", 1), END("mine1")),
  send(frame("STOP", { id: "mine1" })),
  alive,
);
any(
  "STOP of what was never opened is ignored",
  "stop",
  greet(),
  send(frame("STOP", { id: "mine7" })),
  alive,
);
any(
  "STOP behind CANCEL is ignored",
  "stop",
  greet(),
  ...hanging,
  send(frame("CANCEL", { id: "mine1" }), frame("STOP", { id: "mine1" })),
  expect(fail("mine1", "CANCELLED")),
  alive,
);
any(
  "STOP of a request is a violation",
  "stop",
  greet(),
  send(request("mine1", "wait", { tag: TAG }), frame("STOP", { id: "mine1" })),
  violation,
);
any(
  "STOP where the other direction has ended is ignored, and the items still come",
  "stop",
  greet({ limits: { windowBytes: 1 } }),
  send(request("mine1", "pull", { name: "count", input: { to: 2 } })),
  expect({ kind: "STREAM", id: "theirs1", items: false }),
  send(frame("STOP", { id: "theirs1" }), item("theirs1", 1), item("theirs1", 2), END("theirs1")),
  expect(result("mine1", { items: [1, 2], ended: true })),
  alive,
);
any(
  "STOP to an opener that sends items has it send END and begin no other",
  "stop",
  greet({ limits: { windowBytes: 1 } }),
  send(request("mine1", "pull", { name: "mirror", input: null, send: [1, 2, 3] })),
  expect({ kind: "STREAM", id: "theirs1", items: true }, item("theirs1", 1)),
  send(frame("STOP", { id: "theirs1" })),
  expect({ kind: "END", id: "theirs1" }),
  send(item("theirs1", "a"), END("theirs1")),
  expect(result("mine1", { items: ["a"], ended: true })),
  alive,
);
any(
  "STOP between the pieces of the target's STREAM body leaves the rest of it",
  "stop",
  greet({ limits: { windowBytes: 1 } }),
  send(
    frame("STREAM", { id: "mine1", name: "count", text: '{"to"', more: true }),
    frame("STOP", { id: "mine1" }),
    frame("STREAM", { id: "mine1", text: ":100}" }),
  ),
  expect({ kind: "END|FAIL", id: "mine1" }),
  alive,
);
