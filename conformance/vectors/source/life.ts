// Vectors of PROTOCOL.md §7: PING, DRAIN, CLOSE, and what may not come once the session is ready.

import {
  alive,
  close,
  echo,
  end,
  expect,
  fail,
  finish,
  frame,
  greet,
  inAnyOrder,
  item,
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

export const life = new Vectors();
const any: Vectors["any"] = (name, rules, ...steps) => {
  life.any(name, rules, ...steps);
};

const closing = (code: Json, message: Json = "") => frame("CLOSE", { json: { code, message } });
const drain = frame("DRAIN");

// PING and PONG.
for (const payload of ["0000000000000000", "FFFFFFFFFFFFFFFF", "0123456789ABCDEF"]) {
  any(
    `PING ${payload} is answered by PONG with the same bytes`,
    "ping",
    greet(),
    send(frame("PING", { hex: payload })),
    expect({ kind: "PONG", hex: payload }),
    alive,
  );
}
any(
  "Each PING is answered, in order",
  "ping",
  greet(),
  send(frame("PING", { hex: "01".repeat(8) }), frame("PING", { hex: "02".repeat(8) })),
  expect({ kind: "PONG", hex: "01".repeat(8) }, { kind: "PONG", hex: "02".repeat(8) }),
  alive,
);
any(
  "PING is answered while handlers run",
  "ping",
  greet(),
  send(request("mine1", "wait", { tag: TAG })),
  alive,
  send(request("mine2", "release", { tag: TAG })),
  inAnyOrder(result("mine1", "released"), { kind: "RESULT", id: "mine2" }),
);
any(
  "PONG that answers no PING is a violation",
  "pong-unasked",
  greet(),
  send(frame("PONG", { hex: "00".repeat(8) })),
  violation,
);
any(
  "PONG with other bytes than a PING's is a violation",
  "pong-unasked",
  greet(),
  send(frame("PONG", { hex: "A5".repeat(8) })),
  violation,
);

// DRAIN.
any(
  "A side that receives DRAIN, and has nothing open, closes with DRAINED",
  "drain",
  greet(),
  send(drain),
  close("DRAINED"),
);
any(
  "A side that receives DRAIN finishes what is open before it closes",
  "drain",
  greet(),
  send(request("mine1", "wait", { tag: TAG }), request("mine2", "stubborn", { tag: TAG })),
  send(request("mine3", "echo", 1)),
  expect(result("mine3", 1)),
  send(drain, frame("CANCEL", { id: "mine1" })),
  expect(fail("mine1", "CANCELLED")),
  alive,
  send(frame("CANCEL", { id: "mine2" })),
);
any(
  "A side that receives DRAIN closes when the last conversation of the other side is over",
  "drain",
  greet(),
  send(stream("mine1", "collect", null, { items: true })),
  send(drain),
  alive,
  send(item("mine1", 5), frame("END", { id: "mine1" })),
  expect(item("mine1", 5), { kind: "END", id: "mine1" }),
  close("DRAINED"),
);
any(
  "A side that receives DRAIN closes when its own last conversation is over",
  "drain",
  greet(),
  send(request("mine1", "call", { name: "echo", input: 1 })),
  expect({ kind: "REQUEST", id: "theirs1" }),
  send(drain),
  alive,
  send(result("theirs1", 2)),
  expect(result("mine1", { result: 2 })),
  close("DRAINED"),
);
any(
  "A side that receives DRAIN closes when its own numbered events are acknowledged",
  "drain drain-events",
  greet(),
  send(request("mine1", "emit", { name: "note", payloads: [told(1)] })),
  inAnyOrder({ kind: "EVENT", name: "note", number: 1 }, { kind: "RESULT", id: "mine1" }),
  send(drain),
  alive,
  send(frame("ACK", { number: 1 })),
  close("DRAINED"),
);
any(
  "A side that receives DRAIN handles the events that came before it closes",
  "drain drain-events",
  greet(),
  send(frame("EVENT", { name: "note", number: 1, json: told(1) }), drain),
  expect({ kind: "ACK", number: 1 }),
  close("DRAINED"),
);
any(
  "DRAIN twice is as once",
  "drain-twice",
  greet(),
  send(stream("mine1", "collect", null, { items: true }), drain, drain),
  alive,
  send(frame("END", { id: "mine1" })),
  expect(item("mine1", 0), { kind: "END", id: "mine1" }),
  close("DRAINED"),
);
any(
  "A side that received DRAIN opens nothing",
  "drain",
  greet(),
  send(
    request("mine1", "wait", { tag: TAG }),
    request("mine2", "call", { name: "echo", input: 1, tag: TAG }),
  ),
  expect({ kind: "REQUEST", id: "theirs1" }),
  send(drain),
  send(result("theirs1", 1)),
  expect(result("mine2", { result: 1 })),
  alive,
  send(frame("CANCEL", { id: "mine1" })),
  expect(fail("mine1", "CANCELLED")),
  close("DRAINED"),
);
any(
  "EVENTs may come behind DRAIN",
  "drain",
  greet(),
  send(
    stream("mine1", "collect", null, { items: true }),
    drain,
    frame("EVENT", { name: "note", number: 1, json: told(1) }),
  ),
  expect({ kind: "ACK", number: 1 }),
  send(frame("END", { id: "mine1" })),
  expect(item("mine1", 0), { kind: "END", id: "mine1" }),
  close("DRAINED"),
);
for (const [kind, opening] of [
  ["REQUEST", request("mine3", "echo", 1)],
  ["STREAM", stream("mine3", "count", { to: 1 })],
] as const) {
  any(
    `A ${kind} from a side that has sent DRAIN is a violation`,
    "drain-opens",
    greet(),
    send(stream("mine1", "collect", null, { items: true }), drain, opening),
    violation,
  );
}
life.server(
  "A server that drains sends DRAIN, and takes the CLOSE",
  "drain",
  greet(),
  send(request("mine1", "drain", null)),
  inAnyOrder({ kind: "RESULT", id: "mine1" }, { kind: "DRAIN" }),
  send(closing("DRAINED")),
  end,
);
life.server(
  "A REQUEST that crossed the server's DRAIN is served or answered by FAIL DRAINING",
  "drain-crossed",
  greet(),
  send(request("mine1", "wait", { tag: TAG })),
  ...log("mine2", "waiting"),
  send(request("mine2", "drain", null)),
  inAnyOrder({ kind: "RESULT", id: "mine2" }, { kind: "DRAIN" }),
  send(request("mine3", "echo", 1)),
  expect({ kind: "RESULT|FAIL", id: "mine3" }),
  alive,
  send(frame("CANCEL", { id: "mine1" })),
  expect(fail("mine1", "CANCELLED")),
  send(closing("DRAINED")),
  end,
);

// CLOSE.
for (const code of [
  "NORMAL",
  "DRAINED",
  "PROTOCOL_VIOLATION",
  "FLOW_VIOLATION",
  "MESSAGE_TOO_LARGE",
  "HEARTBEAT_LOST",
  "FRAME_TIMEOUT",
  "OVERLOADED",
  "SOMETHING_NEW",
  "",
  "toString",
]) {
  any(
    `CLOSE with the code ${JSON.stringify(code)} is not answered, and the stream ends`,
    "close",
    greet(),
    send(closing(code)),
    finish,
    end,
  );
}
life.client(
  "CLOSE SESSION_REPLACED is not answered, and the stream ends",
  "close",
  greet(),
  send(closing("SESSION_REPLACED")),
  finish,
  end,
);
life.server(
  "CLOSE SESSION_REPLACED from a client ends the session",
  "close replaced-client",
  greet(),
  send(closing("SESSION_REPLACED")),
  finish,
  end,
  greet({
    members: { resume: { session: "${session}", received: 0 } },
    theirs: { resumed: false },
  }),
  alive,
);
for (const [what, body] of [
  ["no JSON", { text: "{" }],
  ["empty", {}],
  ["not UTF-8", { hex: "22FF22" }],
  ["a list", { json: [] }],
  ["without a code", { json: { message: "" } }],
  ["with a number for its code", { json: { code: 1, message: "" } }],
] as const) {
  any(
    `CLOSE whose payload is ${what} is not answered, and the stream ends`,
    "close-form",
    greet(),
    send(frame("CLOSE", body)),
    finish,
    end,
  );
}
any(
  "What comes behind CLOSE is ignored",
  "close-after",
  greet(),
  send(closing("NORMAL"), frame("19", { fill: 20 }), request("mine1", "echo", 1)),
  finish,
  end,
);
any(
  "Garbage behind CLOSE is ignored",
  "close-after",
  greet(),
  send(closing("NORMAL"), { fill: 5_000 }),
  finish,
  end,
);
any(
  "CLOSE ends conversations that are open",
  "close",
  greet(),
  send(request("mine1", "wait", { tag: TAG }), closing("NORMAL")),
  finish,
  end,
);
any(
  "CLOSE between the pieces of a message ends the session",
  "close",
  greet(),
  send(frame("REQUEST", { id: "mine1", name: "echo", text: "1", more: true }), closing("NORMAL")),
  finish,
  end,
);
any(
  "CLOSE with members that are not known ends the session",
  "close",
  greet(),
  send(frame("CLOSE", { json: { code: "NORMAL", message: "", more: 1 } })),
  finish,
  end,
);
life.server(
  "A session that CLOSE NORMAL has ended is not resumed",
  "close-over",
  greet(),
  send(closing("NORMAL")),
  finish,
  end,
  greet({
    members: { resume: { session: "${session}", received: 0 } },
    theirs: { resumed: false },
  }),
  alive,
);
life.server(
  "A session that a violation has ended is not resumed",
  "close-over",
  greet(),
  send(frame("19")),
  violation,
  greet({
    members: { resume: { session: "${session}", received: 0 } },
    theirs: { resumed: false },
  }),
  alive,
);
life.server(
  "A session that CLOSE HEARTBEAT_LOST left is resumed",
  "close-heartbeat",
  greet(),
  send(closing("HEARTBEAT_LOST")),
  finish,
  end,
  greet({ resume: true }),
  alive,
);
life.client(
  "A client comes back with its session behind CLOSE HEARTBEAT_LOST",
  "close-heartbeat",
  greet(),
  send(closing("HEARTBEAT_LOST")),
  finish,
  end,
  greet({ resume: true }),
  alive,
);
life.client(
  "A client does not come back with its session behind CLOSE NORMAL",
  "close-over",
  greet(),
  send(closing("NORMAL")),
  finish,
  end,
  greet({ theirs: { resume: { $absent: true } } }),
  alive,
);
life.client(
  "A client does not come back with its session behind CLOSE SESSION_REPLACED",
  "close-over",
  greet(),
  send(closing("SESSION_REPLACED")),
  finish,
  end,
  greet({ theirs: { resume: { $absent: true } } }),
  alive,
);
life.client(
  "A client does not come back with its session behind its own CLOSE",
  "close-over",
  greet(),
  send(frame("19")),
  violation,
  greet({ theirs: { resume: { $absent: true } } }),
  alive,
);

// Frames of the handshake, once ready.
for (const kind of ["HELLO", "WELCOME", "REFUSE", "MESSAGES"]) {
  any(
    `${kind} once the session is ready is a violation`,
    "handshake-frames",
    greet(),
    send(frame(kind, { json: { code: "NORMAL", message: "" } })),
    violation,
  );
}
any(
  "WANT once the session is ready is a violation",
  "handshake-frames",
  greet(),
  send(frame("WANT")),
  violation,
);
any(
  "The signature once the session is ready is a violation",
  "handshake-frames",
  greet(),
  send({ hex: "89 48 57 53 0D 0A 1A 0A" }),
  violation,
);

// The end of the stream.
any(
  "A stream that ends between frames is a lost connection",
  "stream-end",
  greet(),
  finish,
  end,
  greet({ resume: true }),
  alive,
);
for (const cut of [1, 3, 4, 5, 8, 9, 12]) {
  const whole = "0000000C10000000010001002268692200".slice(0, cut * 2);
  any(
    `A stream that ends behind ${cut} bytes of a frame is a lost connection`,
    "stream-end",
    greet(),
    send({ hex: whole }),
    finish,
    end,
    greet({ resume: true }),
    ...echo("mine1"),
    alive,
  );
}
any(
  "A stream that ends between the pieces of a message is a lost connection",
  "stream-end",
  greet(),
  send(frame("REQUEST", { id: "mine1", name: "echo", text: "1", more: true })),
  finish,
  end,
  greet({ resume: true }),
  ...echo("mine1"),
  alive,
);

// Garbage.
const garbage: readonly (readonly [string, Step])[] = [
  ["zeros", send({ hex: "00".repeat(64) })],
  ["bytes FF", send({ hex: "FF".repeat(64) })],
  ["text", send({ text: "GET / HTTP/1.1\r\nHost: a\r\n\r\n" })],
  ["a frame inside out", send({ hex: "10 00 00 00 0C 00 00 00 01" })],
];
for (const [what, step] of garbage)
  any(
    `${what} in place of a frame are a violation`,
    "frame-length unknown-kind",
    greet(),
    step,
    violation,
  );
