// Vectors of PROTOCOL.md §1 and §2: the stream, frames and their form, pieces.

import {
  alive,
  close,
  echo,
  expect,
  fail,
  frame,
  greet,
  log,
  request,
  result,
  send,
  stream,
  told,
  Vectors,
  violation,
} from "./build.ts";

export const frames = new Vectors();

// Lengths.
for (const length of [0, 1, 4]) {
  frames.any(
    `A frame whose length is ${length} is a violation`,
    "frame-length",
    greet(),
    send(frame("PING", { hex: "00".repeat(8), length })),
    violation,
  );
}
for (const length of [65_542, 65_546, 16_777_216, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
  frames.any(
    `A frame whose length is ${length} is a violation at its first bytes`,
    "frame-length",
    greet(),
    send({ hex: length.toString(16).padStart(8, "0") + "10" }),
    violation,
  );
}
frames.any(
  "A frame with the longest payload is taken",
  "frame-length",
  greet(),
  send(frame("REQUEST", { id: "mine1", name: "blob", fill: 65_533 })),
  expect({ kind: "RESULT", id: "mine1", size: 65_533 }),
  alive,
);
frames.any(
  "A frame with an empty payload is taken",
  "frame-length",
  greet(),
  send(frame("CANCEL", { id: "mine1" })),
  alive,
);

// Kinds.
for (const kind of [
  "00",
  "0F",
  "19",
  "1A",
  "1F",
  "20",
  "2F",
  "30",
  "3F",
  "80",
  "8F",
  "99",
  "A0",
  "BF",
]) {
  frames.any(
    `A frame of the unknown kind ${kind} is a violation`,
    "unknown-kind",
    greet(),
    send(frame(kind, { id: 0 })),
    violation,
  );
}
frames.any(
  "A frame of an unknown kind with an id and a payload is a violation",
  "unknown-kind",
  greet(),
  send(frame("2A", { id: "mine1", fill: 20 })),
  violation,
);
for (const kind of ["40", "41", "5A", "60", "7E", "7F", "C0", "C1", "D5", "FF"]) {
  for (const [what, more] of [
    ["without a payload", {}],
    ["with an id and a payload", { id: 0xffff_ffff, fill: 300 }],
  ] as const) {
    frames.any(
      `A frame of the ignorable kind ${kind} ${what} is ignored`,
      "ignorable",
      greet(),
      send(frame(kind, more)),
      alive,
      ...echo("mine1"),
    );
  }
}
frames.any(
  "An ignorable frame with the longest payload is ignored",
  "ignorable",
  greet(),
  send(frame("55", { fill: 65_536 })),
  alive,
);
frames.any(
  "An ignorable frame with an id that is open does not touch its conversation",
  "ignorable",
  greet(),
  send(
    request("mine1", "wait", { tag: "${tag}" }),
    frame("44", { id: "mine1", fill: 3 }),
    request("mine2", "release", { tag: "${tag}" }),
  ),
  { expect: [result("mine1", "released"), { kind: "RESULT", id: "mine2" }], anyOrder: true },
  alive,
);
frames.any(
  "Ignorable frames between the pieces of a message are ignored",
  "ignorable pieces-between",
  greet(),
  send(
    frame("REQUEST", { id: "mine1", name: "echo", text: '"a', more: true }),
    frame("C1", { id: "mine1", fill: 9 }),
    frame("REQUEST", { id: "mine1", text: 'b"' }),
  ),
  expect(result("mine1", "ab")),
  alive,
);
frames.any(
  "A thousand ignorable frames are ignored",
  "ignorable",
  greet(),
  send(frame("66", { fill: 10, times: 1_000 })),
  alive,
);

// Bit 7 where there are no pieces.
for (const [kind, more] of [
  ["PING", { hex: "00".repeat(8) }],
  ["PONG", { hex: "00".repeat(8) }],
  ["DRAIN", {}],
  ["CLOSE", { json: { code: "NORMAL", message: "" } }],
  ["ACK", { number: 0 }],
  ["REJECT", { number: 1, json: { code: "HANDLER_FAILED", message: "" } }],
  ["CREDIT", { bytes: 1 }],
  ["WINDOW", { bytes: 1 }],
  ["LANE", { id: 7, bytes: 1 }],
  ["CANCEL", { id: "mine1" }],
  ["END", { id: "mine1" }],
  ["STOP", { id: "mine1" }],
] as const) {
  frames.any(
    `${kind} in pieces is a violation`,
    "pieces-kinds",
    greet(),
    send(frame(kind, { ...more, more: true })),
    violation,
  );
}

// Ids.
for (const [kind, more] of [
  ["PING", { hex: "00".repeat(8) }],
  ["PONG", { hex: "00".repeat(8) }],
  ["DRAIN", {}],
  ["ACK", { number: 0 }],
  ["REJECT", { number: 1, json: { code: "HANDLER_FAILED", message: "" } }],
  ["WINDOW", { bytes: 1 }],
] as const) {
  frames.any(
    `${kind} with an id is a violation`,
    "id-zero",
    greet(),
    send(frame(kind, { ...more, id: "mine1" })),
    violation,
  );
}
for (const [kind, more] of [
  ["REQUEST", { name: "echo", json: 1 }],
  ["STREAM", { name: "count", json: { to: 1 } }],
  ["RESULT", { json: 1 }],
  ["FAIL", { json: { code: "CANCELLED", message: "" } }],
  ["CANCEL", {}],
  ["ITEM", { json: 1 }],
  ["END", {}],
  ["LANE", { bytes: 1 }],
  ["STOP", {}],
] as const) {
  frames.any(
    `${kind} with the id 0 is a violation`,
    "id-zero",
    greet(),
    send(frame(kind, { ...more, id: 0 })),
    violation,
  );
}

// Sizes of payloads.
for (const [kind, id, sizes] of [
  ["PING", 0, [0, 7, 9]],
  ["PONG", 0, [0, 7, 9]],
  ["DRAIN", 0, [1]],
  ["ACK", 0, [0, 7, 9, 15, 23]],
  ["REJECT", 0, [0, 7]],
  ["CREDIT", 0, [0, 3, 5]],
  ["WINDOW", 0, [0, 3, 5]],
  ["LANE", 7, [0, 3, 5]],
  ["REQUEST", "mine1", [0, 1, 2]],
  ["STREAM", "mine1", [0, 2]],
  ["EVENT", 0, [0, 2]],
] as const) {
  for (const size of sizes) {
    frames.any(
      `${kind} with ${size} bytes of payload is a violation`,
      "payload-size",
      greet(),
      send(frame(kind, { id, hex: "00".repeat(size) })),
      violation,
    );
  }
}
for (const kind of ["END", "STOP"]) {
  frames.any(
    `${kind} with a payload is a violation`,
    "payload-size",
    greet(),
    send(
      stream("mine1", "hang", { tag: "${tag}" }, { items: true }),
      frame(kind, { id: "mine1", hex: "00" }),
    ),
    violation,
  );
}
for (const [kind, id] of [
  ["CREDIT", 0],
  ["WINDOW", 0],
  ["LANE", 7],
] as const) {
  frames.any(
    `${kind} of 0 bytes is a violation`,
    "credit-zero",
    greet(),
    send(frame(kind, { id, bytes: 0 })),
    violation,
  );
}

// Pieces.
const payload = 7; // name, flags, and "hi" in quotes
for (let at = 1; at < payload; at++) {
  frames.any(
    `A REQUEST that is cut behind its byte ${at} is joined`,
    "pieces",
    greet(),
    send(request("mine1", "echo", "hi", { pieces: [at] })),
    expect(result("mine1", "hi")),
    alive,
  );
}
frames.any(
  "A REQUEST in pieces of one byte is joined",
  "pieces",
  greet(),
  send(request("mine1", "echo", "hi", { pieces: [1, 1, 1, 1, 1, 1] })),
  expect(result("mine1", "hi")),
  alive,
);
frames.any(
  "The last piece may be empty",
  "pieces-empty",
  greet(),
  send(request("mine1", "echo", "hi", { pieces: [7] })),
  expect(result("mine1", "hi")),
  alive,
);
frames.any(
  "A first piece that is empty is a violation",
  "pieces-empty",
  greet(),
  send(frame("REQUEST", { id: "mine1", more: true })),
  violation,
);
frames.any(
  "A piece in the middle that is empty is a violation",
  "pieces-empty",
  greet(),
  send(request("mine1", "echo", "hi", { pieces: [3, 0, 2] })),
  violation,
);
frames.any(
  "A STREAM in pieces is joined",
  "pieces",
  greet(),
  send(stream("mine1", "count", { to: 2 }, { pieces: [1, 4] })),
  expect(
    { kind: "ITEM", id: "mine1", json: 1 },
    { kind: "ITEM", id: "mine1", json: 2 },
    { kind: "END", id: "mine1" },
  ),
  alive,
);
frames.any(
  "ITEMs in pieces are joined",
  "pieces",
  greet(),
  send(
    stream("mine1", "collect", null, { items: true }),
    frame("ITEM", { id: "mine1", json: 1234, pieces: [1, 2] }),
    frame("ITEM", { id: "mine1", json: 4321, pieces: [3] }),
    frame("END", { id: "mine1" }),
  ),
  expect({ kind: "ITEM", id: "mine1", json: 5_555 }, { kind: "END", id: "mine1" }),
  alive,
);
frames.any(
  "An EVENT in pieces is joined",
  "pieces",
  greet(),
  send(frame("EVENT", { name: "hint", json: told(1), pieces: [2, 5, 9] })),
  ...log("mine1", "begin 1", "end 1"),
  alive,
);
frames.any(
  "A numbered EVENT in pieces is joined",
  "pieces events-ack",
  greet(),
  send(frame("EVENT", { name: "note", number: 1, json: told(1), pieces: [1, 4, 5] })),
  { tally: { settled: [1] } },
  alive,
);
for (const [answer, outcome] of [
  [frame("RESULT", { id: "theirs1", json: { a: 1 }, pieces: [1, 2] }), { result: { a: 1 } }],
  [
    frame("FAIL", {
      id: "theirs1",
      json: { code: "NAMED", message: "", name: "rude", payload: 5 },
      pieces: [1, 20, 3],
    }),
    { code: "NAMED", name: "rude", payload: 5 },
  ],
] as const) {
  frames.any(
    `A ${answer.kind} in pieces is joined`,
    "pieces",
    greet(),
    send(request("mine1", "call", { name: answer.kind === "FAIL" ? "fail" : "echo", input: 1 })),
    expect({ kind: "REQUEST", id: "theirs1" }),
    send(answer),
    expect(result("mine1", outcome)),
    alive,
  );
}
frames.any(
  "A message of more than one frame comes in pieces of at most 65 536 bytes",
  "pieces frame-length",
  greet(),
  send(frame("REQUEST", { id: "mine1", name: "blob", fill: 99_000, pieces: [65_536] })),
  expect({ kind: "RESULT", id: "mine1", size: 99_000 }),
  alive,
);
frames.any(
  "The pieces of two conversations may alternate",
  "pieces-between",
  greet(),
  send(
    frame("REQUEST", { id: "mine1", name: "echo", text: '"a', more: true }),
    frame("REQUEST", { id: "mine2", name: "echo", text: '"b', more: true }),
    frame("REQUEST", { id: "mine1", text: 'c"' }),
    frame("REQUEST", { id: "mine2", text: 'd"' }),
  ),
  { expect: [result("mine1", "ac"), result("mine2", "bd")], anyOrder: true },
  alive,
);
frames.any(
  "An EVENT's pieces and a conversation's may alternate",
  "pieces-between",
  greet(),
  send(
    frame("EVENT", { name: "note", number: 1, json: told(1), more: true }),
    frame("REQUEST", { id: "mine1", name: "echo", text: '"b', more: true }),
    frame("EVENT", {}),
    frame("REQUEST", { id: "mine1", text: 'd"' }),
  ),
  expect(result("mine1", "bd")),
  { tally: { settled: [1] } },
  alive,
);
for (const [what, control] of [
  ["CREDIT of another stream", frame("CREDIT", { id: "mine3", bytes: 5 })],
  ["CREDIT of events", frame("CREDIT", { bytes: 5 })],
  ["WINDOW", frame("WINDOW", { bytes: 5 })],
  ["ACK of nothing new", frame("ACK", { number: 0 })],
  ["LANE", frame("LANE", { id: 7, bytes: 5 })],
] as const) {
  frames.any(
    `${what} may come between pieces`,
    what === "LANE" ? "pieces-between lanes" : "pieces-between",
    greet(),
    send(
      frame("REQUEST", { id: "mine1", name: "echo", text: '"a', more: true }),
      control,
      frame("REQUEST", { id: "mine1", text: 'b"' }),
    ),
    expect(result("mine1", "ab")),
    alive,
  );
}
frames.any(
  "A PING between pieces is answered at once",
  "pieces-between ping",
  greet(),
  send(frame("REQUEST", { id: "mine1", name: "echo", text: '"a', more: true })),
  alive,
  send(frame("REQUEST", { id: "mine1", text: 'b"' })),
  expect(result("mine1", "ab")),
  alive,
);
frames.any(
  "CANCEL between the pieces of a REQUEST cuts it off, and it is answered",
  "pieces-cancel",
  greet(),
  send(
    frame("REQUEST", { id: "mine1", name: "echo", text: '"a', more: true }),
    frame("CANCEL", { id: "mine1" }),
  ),
  expect(fail("mine1", "CANCELLED")),
  ...echo("mine1"),
  alive,
);
frames.any(
  "A piece behind the CANCEL that cut its message off is a violation",
  "pieces-cancel after-cancel",
  greet(),
  send(
    frame("REQUEST", { id: "mine1", name: "echo", text: '"a', more: true }),
    frame("CANCEL", { id: "mine1" }),
  ),
  expect(fail("mine1", "CANCELLED")),
  send(frame("RESULT", { id: "mine1", text: 'b"' })),
  violation,
);
for (const kind of ["STREAM", "ITEM", "RESULT", "FAIL"]) {
  frames.any(
    `${kind} of the same id between the pieces of a REQUEST is a violation`,
    "pieces-between",
    greet(),
    send(
      frame("REQUEST", { id: "mine1", name: "echo", text: '"a', more: true }),
      frame(kind, { id: "mine1", text: "12345678" }),
    ),
    violation,
  );
}
frames.any(
  "END of the same id between the pieces of an ITEM is a violation",
  "pieces-between",
  greet(),
  send(
    stream("mine1", "collect", null, { items: true }),
    frame("ITEM", { id: "mine1", text: "1", more: true }),
    frame("END", { id: "mine1" }),
  ),
  violation,
);

// How much.
frames.any(
  "Messages that are begun and unfinished may be as many as maxPartials",
  "max-partials",
  greet(),
  send(
    frame("REQUEST", { id: "mine1", name: "echo", text: "1", more: true }),
    frame("REQUEST", { id: "mine2", name: "echo", text: "2", more: true }),
    request("mine3", "echo", 3),
    frame("REQUEST", { id: "mine2" }),
    frame("REQUEST", { id: "mine4", name: "echo", text: "4", more: true }),
    frame("REQUEST", { id: "mine4" }),
    frame("REQUEST", { id: "mine1" }),
  ),
  {
    expect: [result("mine1", 1), result("mine2", 2), result("mine3", 3), result("mine4", 4)],
    anyOrder: true,
  },
  alive,
);
frames.any(
  "One message more than maxPartials is a violation at its first piece",
  "max-partials",
  greet(),
  send(
    ...["mine1", "mine2", "mine3"].map((id) =>
      frame("REQUEST", { id, name: "echo", text: "1", more: true }),
    ),
  ),
  violation,
);
frames.any(
  "Messages that CANCEL has cut off do not count for maxPartials",
  "max-partials pieces-cancel",
  greet(),
  send(
    ...["mine1", "mine2", "mine3", "mine4"].flatMap((id) => [
      frame("REQUEST", { id, name: "echo", text: "1", more: true }),
      frame("CANCEL", { id }),
    ]),
  ),
  {
    expect: ["mine1", "mine2", "mine3", "mine4"].map((id) => fail(id, "CANCELLED")),
    anyOrder: true,
  },
  alive,
);
frames.any(
  "Unfinished EVENTs count for maxPartials",
  "max-partials",
  greet(),
  send(
    frame("EVENT", { name: "hint", text: "1", more: true }),
    ...["mine1", "mine2"].map((id) =>
      frame("REQUEST", { id, name: "echo", text: "1", more: true }),
    ),
  ),
  violation,
);
frames.any(
  "A body of maxMessageBytes is taken",
  "max-message",
  greet(),
  send(frame("REQUEST", { id: "mine1", name: "blob", fill: 100_000, pieces: [65_536] })),
  expect({ kind: "RESULT", id: "mine1", size: 100_000 }),
  alive,
);
frames.any(
  "A body of maxMessageBytes and more than 64 bytes ends the session",
  "max-message",
  greet(),
  send(frame("REQUEST", { id: "mine1", name: "blob", fill: 100_065, pieces: [65_536] })),
  close("MESSAGE_TOO_LARGE"),
);
frames.any(
  "A body that would be larger than maxMessageBytes ends the session before it is whole",
  "max-message",
  greet(),
  send(frame("REQUEST", { id: "mine1", name: "blob", fill: 131_000, pieces: [65_536, 65_400] })),
  close("MESSAGE_TOO_LARGE"),
);
frames.any(
  "An EVENT that is larger than maxMessageBytes ends the session",
  "max-message",
  greet(),
  send(frame("EVENT", { name: "blot", number: 1, fill: 100_065, pieces: [65_536] })),
  close("MESSAGE_TOO_LARGE"),
);
frames.any(
  "An ITEM that is larger than maxMessageBytes ends the session",
  "max-message",
  greet(),
  send(
    stream("mine1", "hang", { tag: "${tag}" }, { items: true }),
    frame("ITEM", { id: "mine1", fill: 100_065, pieces: [65_536] }),
  ),
  close("MESSAGE_TOO_LARGE"),
);
frames.any(
  "A RESULT that is larger than maxMessageBytes ends the session",
  "max-message",
  greet(),
  send(request("mine1", "call", { name: "echo", input: 1 })),
  expect({ kind: "REQUEST", id: "theirs1" }),
  send(frame("RESULT", { id: "theirs1", fill: 100_065, pieces: [65_536] })),
  close("MESSAGE_TOO_LARGE"),
);
frames.any(
  "A FAIL that is larger than maxMessageBytes ends the session",
  "max-message",
  greet(),
  send(request("mine1", "call", { name: "echo", input: 1 })),
  expect({ kind: "REQUEST", id: "theirs1" }),
  send(frame("FAIL", { id: "theirs1", fill: 100_065, pieces: [65_536] })),
  close("MESSAGE_TOO_LARGE"),
);

// Where chunks end does not matter.
for (const cut of [1, 2, 3, 5, 9, 13]) {
  frames.any(
    `Frames in chunks of ${cut} bytes are the same frames`,
    "chunks",
    greet(),
    {
      send: [
        request("mine1", "echo", "a"),
        frame("EVENT", { name: "note", number: 1, json: told(1) }),
        request("mine2", "echo", ["b", 2], { pieces: [2, 3] }),
      ],
      cut,
    },
    expect(result("mine1", "a"), result("mine2", ["b", 2])),
    { tally: { settled: [1] } },
    alive,
  );
}
