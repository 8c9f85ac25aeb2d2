// Vectors of PROTOCOL.md §3 (identity) and §8: sessions over one connection after another.

import {
  alive,
  echo,
  end,
  expect,
  finish,
  frame,
  greet,
  inAnyOrder,
  log,
  lose,
  open,
  refuse,
  request,
  result,
  send,
  signed,
  stream,
  tally,
  TAG,
  told,
  Vectors,
  violation,
} from "./build.ts";
import type { FrameSpec, Greeting, Json, Step } from "../../runner/vector.ts";

export const resumption = new Vectors();
const any: Vectors["any"] = (name, rules, ...steps) => {
  resumption.any(name, rules, ...steps);
};
const server: Vectors["server"] = (name, rules, ...steps) => {
  resumption.server(name, rules, ...steps);
};
const client: Vectors["client"] = (name, rules, ...steps) => {
  resumption.client(name, rules, ...steps);
};

const note = (
  n: number,
  rest: Record<string, Json> = {},
  more: Partial<FrameSpec> = {},
): FrameSpec => ({ kind: "EVENT", name: "note", number: n, json: told(n, rest), ...more });
const event = (number: number, rest: object = {}) =>
  ({ kind: "EVENT", name: "note", number, ...rest }) as const;
const ack = (number: number): FrameSpec => ({ kind: "ACK", number });
const reject = (number: number): FrameSpec => ({
  kind: "REJECT",
  number,
  json: { code: "HANDLER_FAILED", message: "" },
});
const release = (id: string): readonly Step[] => [
  send(request(id, "release", { tag: TAG })),
  expect({ kind: "RESULT", id }),
];
const emitted = (...numbers: readonly number[]): readonly Step[] => [
  send(request("mine1", "emit", { name: "note", payloads: numbers.map((n) => told(n)) })),
  inAnyOrder({ kind: "RESULT", id: "mine1" }, ...numbers.map((number) => event(number))),
];
const resumed = greet({ resume: true });
/** Another session than that of the resume. */
const begun = (greeting: Greeting = {}, as?: string): Step =>
  greet({ ...greeting, theirs: { resumed: false } }, as);
/** The server's side: the client asks for its session, and gets another. */
const refound = (greeting: Greeting = {}): Step => greet(greeting);
const resume = (session: string, received = 0): Greeting => ({
  members: { resume: { session, received } },
});

// Identity.
any(
  "A session whose connection was lost goes on with another",
  "resume",
  greet(),
  lose,
  resumed,
  ...echo("mine1"),
  alive,
);
any(
  "A session goes on over ten connections",
  "resume",
  greet(),
  ...Array.from({ length: 10 }, () => [alive, lose, resumed]).flat(),
  alive,
);
server(
  "Each WELCOME of a session has another identity",
  "rotation",
  greet({ theirs: { session: { $set: "first" } } }),
  lose,
  greet({ resume: true, theirs: { resumed: true, session: { $not: { $get: "first" } } } }),
  alive,
);
server(
  "The origin stays the same while the session goes on",
  "origin",
  greet({ theirs: { origin: { $set: "first" } } }),
  lose,
  greet({ resume: true, theirs: { resumed: true, origin: { $get: "first" } } }),
  alive,
);
server(
  "A new session has another origin",
  "origin",
  greet({ theirs: { origin: { $set: "first" } } }),
  greet({ theirs: { resumed: false, origin: { $not: { $get: "first" } } } }, "new"),
  alive,
);
server(
  "The former identity is taken until a frame has come on the connection with the newer one",
  "rotation",
  greet(),
  lose,
  resumed,
  lose,
  greet({ ...resume("${formerSession}"), theirs: { resumed: true } }),
  alive,
);
server(
  "Each WELCOME that was lost costs nothing: the former identity is taken again and again",
  "rotation",
  greet({ theirs: { session: { $set: "first" } } }),
  alive,
  ...Array.from({ length: 4 }, () => [
    lose,
    greet({ ...resume("${first}"), theirs: { resumed: true } }),
  ]).flat(),
  alive,
);
server(
  "The former identity is unknown once a frame has come on the connection with the newer one",
  "rotation",
  greet(),
  lose,
  resumed,
  alive,
  lose,
  begun(resume("${formerSession}")),
  alive,
);
server(
  "The newer identity is taken where its connection had no frame",
  "rotation",
  greet(),
  lose,
  resumed,
  lose,
  resumed,
  alive,
);
server(
  "An identity that nobody has begins a new session",
  "resume-unknown",
  begun(resume("00".repeat(16))),
  ...echo("mine1"),
  alive,
);
server(
  "The identity of a session that is over begins a new one",
  "resume-unknown",
  greet(),
  send(frame("CLOSE", { json: { code: "NORMAL", message: "" } })),
  finish,
  end,
  begun(resume("${session}")),
  alive,
);
server(
  "A session that is resumed while its connection lives is taken from it with SESSION_REPLACED",
  "replaced",
  greet({}, "old"),
  greet({ resume: true }, "new"),
  alive,
  { use: "old" },
  { close: "SESSION_REPLACED" },
  { use: "new" },
  alive,
);
server(
  "Frames of the replaced connection do not touch the session",
  "replaced",
  greet({}, "old"),
  send(note(1, {}, { more: true })),
  alive,
  greet({ resume: true }, "new"),
  send(note(1)),
  tally({ settled: [1] }),
  { use: "old" },
  { close: "SESSION_REPLACED" },
  { use: "new" },
  alive,
);
client(
  "A client whose session another connection took ends it",
  "replaced",
  greet(),
  send(frame("CLOSE", { json: { code: "SESSION_REPLACED", message: "" } })),
  finish,
  end,
  greet({ theirs: { resume: { $absent: true } } }),
  alive,
);
server(
  "A session is not resumed for another principal: the client gets a new one",
  "principal",
  greet({ members: { auth: { user: "ada" } } }),
  lose,
  greet({
    members: { auth: { user: "bob" }, resume: { session: "${session}", received: 0 } },
    theirs: { resumed: false },
  }),
  alive,
);
server(
  "The session that another principal asked for stays its own client's",
  "principal",
  greet({ members: { auth: { user: "ada" } }, theirs: { session: { $set: "hers" } } }),
  send(note(1)),
  tally({ settled: [1] }),
  lose,
  greet(
    {
      members: { auth: { user: "bob" }, resume: { session: "${hers}", received: 0 } },
      theirs: { resumed: false },
    },
    "bob",
  ),
  alive,
  greet(
    {
      members: { auth: { user: "ada" }, resume: { session: "${hers}", received: 0 } },
      theirs: { resumed: true, received: 1 },
    },
    "ada",
  ),
  alive,
);
server(
  "A resumption that is refused for its auth leaves the session",
  "principal",
  greet({ members: { auth: { user: "ada" } } }),
  lose,
  open,
  send(signed, { kind: "HELLO", greeting: { resume: true, members: { auth: { refuse: true } } } }),
  refuse("AUTH_REFUSED"),
  greet({ resume: true, members: { auth: { user: "ada" } } }),
  alive,
);
server(
  "A resumption that is refused with OVERLOADED may be tried again",
  "refused-again",
  greet(),
  lose,
  open,
  send(signed, { kind: "HELLO", greeting: { resume: true, members: { auth: { busy: true } } } }),
  refuse("OVERLOADED"),
  resumed,
  alive,
);
for (const code of ["OVERLOADED", "DRAINING"])
  client(
    `A client that is refused with ${code} tries again with the same resume`,
    "refused-again",
    greet(),
    lose,
    open,
    { expectGreeting: { kind: "HELLO" } },
    send(signed, frame("REFUSE", { json: { code, message: "" } })),
    end,
    resumed,
    alive,
  );
client(
  "A client that is refused with another code gives its session up",
  "refused-again",
  greet(),
  lose,
  open,
  { expectGreeting: { kind: "HELLO" } },
  send(signed, frame("REFUSE", { json: { code: "AUTH_REFUSED", message: "" } })),
  end,
  greet({ theirs: { resume: { $absent: true } } }),
  alive,
);
client(
  "A client whose connection ends before WELCOME tries again with the same resume",
  "early-end",
  greet(),
  lose,
  open,
  { expectGreeting: { kind: "HELLO" } },
  send(signed),
  finish,
  end,
  resumed,
  alive,
);
client(
  "A client resumes with the identity of the newest WELCOME",
  "rotation",
  greet(),
  lose,
  resumed,
  alive,
  lose,
  resumed,
  alive,
);
client(
  "A client whose session the server does not have begins a new one",
  "resume-unknown",
  greet(),
  lose,
  refound(),
  ...echo("mine1"),
  alive,
);
server(
  "HELLO may have other limits and messages when it resumes",
  "resume-hello",
  greet(),
  lose,
  greet({ resume: true, limits: { windowBytes: 1 } }),
  send(stream("mine1", "count", { to: 2 })),
  expect({ kind: "ITEM" }),
  alive,
  send(frame("CREDIT", { id: "mine1", bytes: 100 })),
  expect({ kind: "ITEM" }, { kind: "END" }),
);
server(
  "A session is not resumed with a smaller maxMessageBytes",
  "resume-hello",
  greet(),
  lose,
  greet({
    ...resume("${session}"),
    limits: { maxMessageBytes: 50_000 },
    theirs: { resumed: false },
  }),
  alive,
);
server(
  "A session is resumed with a larger maxMessageBytes",
  "resume-hello",
  greet(),
  lose,
  greet({ resume: true, limits: { maxMessageBytes: 200_000 } }),
  alive,
);
server(
  "A number of events that the client can't have begins a new session",
  "resume-received",
  greet(),
  lose,
  begun(resume("${session}", 1)),
  alive,
);
server(
  "A number of events below what the client had acknowledged begins a new session",
  "resume-received",
  greet(),
  ...emitted(1, 2),
  send(ack(2)),
  ...log("mine2", "delivered 1", "delivered 2"),
  lose,
  begun(resume("${session}", 1)),
  alive,
);
client(
  "WELCOME whose received is above what the client sent is a violation",
  "resume-received",
  greet(),
  lose,
  open,
  { expectGreeting: { kind: "HELLO" } },
  send(signed, { kind: "WELCOME", greeting: { resume: true, received: 5 } }),
  violation,
);

// Calls.
any(
  "Calls are over with their connection, and their ids are free",
  "resume-calls",
  greet(),
  send(
    request("mine1", "wait", { tag: TAG }),
    stream("mine2", "hang", { tag: "other" }, { items: true }),
  ),
  ...log("mine3", "waiting"),
  lose,
  resumed,
  ...echo("mine1"),
  ...echo("mine2"),
  alive,
);
any(
  "A handler is told that its call is over with the connection",
  "resume-calls",
  greet(),
  send(request("mine1", "wait", { tag: TAG })),
  ...log("mine2", "waiting"),
  lose,
  resumed,
  send(request("mine1", "log", { tag: TAG, least: 2 })),
  expect({ kind: "RESULT", id: "mine1", json: ["waiting", { $matches: "^cancelled" }] }),
  alive,
);
any(
  "The answer of a handler that goes on does not come on the next connection",
  "resume-calls",
  greet(),
  send(request("mine1", "stubborn", { tag: TAG })),
  ...log("mine2", "waiting"),
  lose,
  resumed,
  ...release("mine2"),
  alive,
  ...echo("mine1"),
  alive,
);
any(
  "Pieces of a message that was begun are forgotten with the connection",
  "resume-calls",
  greet(),
  send(
    frame("REQUEST", { id: "mine1", name: "echo", text: "1", more: true }),
    frame("REQUEST", { id: "mine2", name: "echo", text: "1", more: true }),
  ),
  alive,
  lose,
  resumed,
  ...echo("mine1"),
  alive,
);
any(
  "The target's call that was open is lost, and its id is used again",
  "resume-calls",
  greet(),
  send(request("mine1", "call", { name: "echo", input: 1 })),
  expect({ kind: "REQUEST", id: "theirs1" }),
  lose,
  resumed,
  send(request("mine1", "call", { name: "echo", input: 2 })),
  expect({ kind: "REQUEST", id: "theirs1", json: 2 }),
  send(result("theirs1", 3)),
  expect(result("mine1", { result: 3 })),
  alive,
);
any(
  "A session that is resumed is not draining",
  "resume-drain",
  greet(),
  send(request("mine1", "wait", { tag: TAG }), frame("DRAIN")),
  alive,
  lose,
  resumed,
  ...echo("mine1"),
  alive,
);
any(
  "Credit begins anew with each connection",
  "resume-credit",
  greet({ limits: { windowBytes: 1 } }),
  send(stream("mine1", "count", { to: 5 })),
  expect({ kind: "ITEM" }),
  alive,
  lose,
  greet({ resume: true, limits: { windowBytes: 1 } }),
  send(stream("mine1", "count", { to: 5 })),
  expect({ kind: "ITEM", json: 1 }),
  alive,
  send(frame("CANCEL", { id: "mine1" })),
  expect({ kind: "FAIL|END", id: "mine1" }),
);

// The runner's events.
any(
  "The target says which of the runner's events have come",
  "resume-events",
  greet(),
  send(note(1), note(2)),
  tally({ settled: [1, 2] }),
  lose,
  resumed,
  expect({ kind: "ACK", number: 2 }),
  alive,
  send(note(3)),
  tally({ settled: [1, 2, 3] }),
  ...log("mine1", "begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"),
);
server(
  "WELCOME's received is the highest number that has come whole",
  "resume-events",
  greet(),
  send(note(1), note(2), note(3, {}, { more: true })),
  tally({ settled: [1, 2] }),
  lose,
  greet({ resume: true, theirs: { resumed: true, received: 2 } }),
  send(note(3)),
  tally({ settled: [1, 2, 3] }),
  alive,
);
client(
  "HELLO's received is the highest number that has come whole",
  "resume-events",
  greet(),
  send(note(1), note(2), note(3, {}, { more: true })),
  tally({ settled: [1, 2] }),
  lose,
  greet({ resume: true, theirs: { resume: { received: 2 } } }),
  send(note(3)),
  tally({ settled: [1, 2, 3] }),
  alive,
);
any(
  "An event that is sent again though it has come is dropped, and not handled again",
  "resume-duplicate",
  greet(),
  send(note(1), note(2)),
  tally({ settled: [1, 2] }),
  lose,
  resumed,
  send(note(1), note(2), note(3)),
  tally({ settled: [1, 2, 3] }),
  ...log("mine1", "begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"),
  alive,
);
any(
  "An event that is still handled when the connection is lost is acknowledged on the next",
  "resume-events",
  greet(),
  send(note(1, { then: "wait" })),
  ...log("mine1", "begin 1"),
  lose,
  resumed,
  tally({ settled: [] }),
  ...release("mine1"),
  tally({ settled: [1] }),
  ...log("mine1", "begin 1", "end 1"),
  alive,
);
any(
  "An event that is still handled, and is sent again, is handled once",
  "resume-duplicate",
  greet(),
  send(note(1, { then: "wait" })),
  ...log("mine1", "begin 1"),
  lose,
  resumed,
  send(note(1, { then: "wait" })),
  alive,
  ...release("mine1"),
  tally({ settled: [1] }),
  ...log("mine1", "begin 1", "end 1"),
  alive,
);
any(
  "REJECTs that may be lost are sent again before the ACK",
  "resume-reject",
  greet(),
  send(note(1, { then: "fail" }), note(2), note(3, { then: "fail" })),
  expect({ kind: "REJECT", number: 1 }),
  expect({ kind: "REJECT", number: 3 }),
  lose,
  resumed,
  expect({ kind: "REJECT", number: 1 }, { kind: "REJECT", number: 3 }, { kind: "ACK", number: 3 }),
  alive,
);
any(
  "An event whose handler failed while there was no connection is rejected on the next",
  "resume-reject",
  greet(),
  send(note(1, { then: "wait" }), note(2, { then: "fail" })),
  ...log("mine1", "begin 1"),
  lose,
  resumed,
  ...release("mine1"),
  expect({ kind: "REJECT", number: 2 }),
  tally({ settled: [1, 2] }),
  alive,
);
any(
  "A number above the next is a violation on the next connection too",
  "resume-events",
  greet(),
  send(note(1)),
  tally({ settled: [1] }),
  lose,
  resumed,
  send(note(3)),
  violation,
);

// The target's events.
any(
  "The target sends its unacknowledged events again, in order, with the same numbers",
  "resume-again",
  greet(),
  ...emitted(1, 2, 3),
  send(ack(1)),
  ...log("mine2", "delivered 1"),
  lose,
  greet({ resume: true, received: 1 }),
  expect(event(2), event(3)),
  send(ack(3)),
  ...log("mine2", "delivered 1", "delivered 2", "delivered 3"),
  alive,
);
any(
  "The target does not send again what has arrived",
  "resume-again",
  greet(),
  ...emitted(1, 2, 3),
  lose,
  greet({ resume: true, received: 3 }),
  alive,
  send(ack(3)),
  ...log("mine2", "delivered 1", "delivered 2", "delivered 3"),
  alive,
);
any(
  "The target sends again what the runner has not",
  "resume-again",
  greet(),
  ...emitted(1, 2, 3),
  lose,
  greet({ resume: true, received: 2 }),
  expect(event(3)),
  alive,
  send(ack(3)),
  ...log("mine2", "delivered 1", "delivered 2", "delivered 3"),
  alive,
);
any(
  "Events that are sent again wait for credit",
  "resume-again",
  greet(),
  ...emitted(1, 2),
  lose,
  greet({ resume: true, received: 0, limits: { eventWindowBytes: 1 } }),
  expect(event(1)),
  alive,
  send(frame("CREDIT", { bytes: 500 })),
  expect(event(2)),
  send(ack(2)),
  ...log("mine2", "delivered 1", "delivered 2"),
);
any(
  "What is new follows what is sent again",
  "resume-again",
  greet(),
  ...emitted(1, 2),
  lose,
  greet({ resume: true, received: 0 }),
  send(request("mine1", "emit", { name: "note", payloads: [told(3)] })),
  inAnyOrder({ kind: "RESULT", id: "mine1" }, event(1), event(2), event(3)),
  send(ack(3)),
  ...log("mine2", "delivered 1", "delivered 2", "delivered 3"),
);
any(
  "A REJECT and an ACK on the next connection settle what was sent on the last",
  "resume-reject",
  greet(),
  ...emitted(1, 2),
  lose,
  greet({ resume: true, received: 2 }),
  send(reject(1), ack(2)),
  ...log("mine2", "HANDLER_FAILED 1", "delivered 2"),
  alive,
);
any(
  "A REJECT twice, before and after a loss, counts once",
  "resume-reject",
  greet(),
  ...emitted(1, 2),
  send(reject(1), ack(1)),
  ...log("mine2", "HANDLER_FAILED 1"),
  lose,
  greet({ resume: true, received: 2 }),
  send(reject(1), ack(2)),
  ...log("mine2", "HANDLER_FAILED 1", "delivered 2"),
  alive,
);
any(
  "An ACK above what was sent is a violation on the next connection too",
  "resume-again",
  greet(),
  ...emitted(1),
  lose,
  greet({ resume: true, received: 1 }),
  send(ack(2)),
  violation,
);

// A new session in place of the old.
server(
  "Numbers begin at 1 in a new session",
  "new-session",
  greet(),
  send(note(1), note(2)),
  tally({ settled: [1, 2] }),
  lose,
  begun({}),
  send(note(1)),
  tally({ settled: [1] }),
  alive,
);
client(
  "What the client has unacknowledged is sent again under new numbers",
  "new-session",
  greet(),
  ...emitted(1, 2),
  lose,
  refound({}),
  expect(event(1, { json: told(1) }), event(2, { json: told(2) })),
  send(ack(2)),
  ...log("mine2", "delivered 1", "delivered 2"),
  alive,
);
client(
  "What was acknowledged is not sent again in a new session",
  "new-session",
  greet(),
  ...emitted(1, 2),
  send(ack(1)),
  ...log("mine2", "delivered 1"),
  lose,
  refound({}),
  expect(event(1, { json: told(2) })),
  send(ack(1)),
  ...log("mine2", "delivered 1", "delivered 2"),
  alive,
);
client(
  "What is sent again in a new session has the identity under which it was first sent",
  "origin again",
  greet({ members: { origin: "ab".repeat(16) } }),
  ...emitted(1, 2),
  lose,
  refound({ members: { origin: "cd".repeat(16) } }),
  expect(
    event(1, { json: told(1), origin: ["ab".repeat(16), 1] }),
    event(2, { json: told(2), origin: ["ab".repeat(16), 2] }),
  ),
  send(ack(2)),
  ...log("mine2", "delivered 1", "delivered 2"),
  alive,
);
client(
  "The identity stays in yet another session",
  "origin again",
  greet({ members: { origin: "ab".repeat(16) } }),
  ...emitted(1, 2),
  lose,
  refound({ members: { origin: "cd".repeat(16) } }),
  expect(event(1), event(2)),
  send(ack(1)),
  ...log("mine2", "delivered 1"),
  lose,
  refound({}),
  expect(event(1, { json: told(2), origin: ["ab".repeat(16), 2] })),
  send(ack(1)),
  ...log("mine2", "delivered 1", "delivered 2"),
  alive,
);
client(
  "What had not begun has no origin in a new session",
  "origin again",
  greet({ limits: { eventWindowBytes: 1 } }),
  send(request("mine1", "emit", { name: "note", payloads: [told(1), told(2)] })),
  inAnyOrder({ kind: "RESULT", id: "mine1" }, event(1)),
  alive,
  lose,
  refound({}),
  expect(event(1, { origin: { $type: "list" } }), event(2, { origin: { $absent: true } })),
  send(ack(2)),
  ...log("mine2", "delivered 1", "delivered 2"),
  alive,
);
server(
  "An event with the identity of one that was handled in a session that is over is dropped, " +
    "and acknowledged",
  "origin again",
  greet({ theirs: { origin: { $set: "before" } } }),
  send(note(1)),
  tally({ settled: [1] }),
  send(frame("CLOSE", { json: { code: "NORMAL", message: "" } })),
  finish,
  end,
  begun({}),
  send(note(1, {}, { origin: ["${before}", 1] }), note(2)),
  tally({ settled: [1, 2] }),
  ...log("mine1", "begin 1", "end 1", "begin 2", "end 2"),
  alive,
);
server(
  "An event with an identity that was not handled is handled",
  "origin again",
  greet({ theirs: { origin: { $set: "before" } } }),
  send(note(1)),
  tally({ settled: [1] }),
  send(frame("CLOSE", { json: { code: "NORMAL", message: "" } })),
  finish,
  end,
  begun({}),
  send(note(1, {}, { origin: ["${before}", 2] })),
  tally({ settled: [1] }),
  ...log("mine1", "begin 1", "end 1", "begin 1", "end 1"),
  alive,
);
server(
  "An event with an identity of which nothing is known is handled",
  "origin again",
  greet(),
  send(note(1, {}, { origin: ["12".repeat(16), 7] })),
  tally({ settled: [1] }),
  ...log("mine1", "begin 1", "end 1"),
  alive,
);
any(
  "Flag 10 without flag 04 is a violation",
  "origin-flags",
  greet(),
  send(frame("EVENT", { name: "note", flags: 0x10, hex: "00".repeat(24), json: told(1) })),
  violation,
);
any(
  "An EVENT that ends within its origin is a violation",
  "origin-flags",
  greet(),
  send(frame("EVENT", { name: "note", flags: 0x14, hex: "0000000000000001" + "00".repeat(23) })),
  violation,
);
any(
  "An origin with the number 0 is a violation",
  "origin-flags",
  greet(),
  send(note(1, {}, { origin: ["12".repeat(16), 0] })),
  violation,
);
