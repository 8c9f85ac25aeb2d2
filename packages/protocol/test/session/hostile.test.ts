// Each rule of PROTOCOL.md broken once by a peer written by hand: the session ends with CLOSE and
// the code that the page names, and nothing throws.
import { describe, expect, test } from "vitest";
import { Random } from "../../src/testing/random.ts";
import { hex } from "../notation.ts";
import {
  filler,
  frame,
  framesOf,
  head,
  hello,
  joined,
  KIND,
  linesOf,
  NAME,
  readyClient,
  readyServer,
  SIGNATURE,
  small,
  u32,
  u64,
  waitingClient,
  welcome,
} from "./by-hand.ts";
import type { End } from "./ends.ts";

const P = "PROTOCOL_VIOLATION";
const F = "FLOW_VIOLATION";
const L = "MESSAGE_TOO_LARGE";

/** The limits of the session under test: by-hand.ts. */
const MAX_MESSAGE = 100_000;
const MORE = 0x80;

const say = head(NAME.say);
const talk = joined(head(NAME.talk, 0x08));

/** A frame whose length field says something else. */
function lying(length: number, kind: number = KIND.PING): Uint8Array {
  const bytes = frame(kind, 0, filler(8));
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}

/** A message of `size` body bytes in pieces of at most a frame. */
function pieces(kind: number, id: number, start: Uint8Array, size: number): Uint8Array {
  const payload = joined(start, filler(size));
  const parts: Uint8Array[] = [];
  for (let at = 0; at < payload.length; at += 65_536) {
    const isLast = at + 65_536 >= payload.length;
    parts.push(frame(isLast ? kind : kind | MORE, id, payload.subarray(at, at + 65_536)));
  }
  return joined(...parts);
}

type Breach = readonly [rule: string, code: string, bytes: readonly Uint8Array[]];

const anyone: readonly Breach[] = [
  ["§1 a length below 5", P, [lying(4)]],
  ["§1 a length of 0", P, [lying(0)]],
  ["§1 a length above 65 541", P, [lying(65_542)]],
  ["§1 the longest length there is", P, [lying(0xffff_ffff)]],
  ["§1 an unknown kind", P, [frame(0x00, 0)]],
  ["§1 another unknown kind", P, [frame(0x0b, 0)]],
  ["§1 an unknown kind behind the last", P, [frame(0x18, 0)]],
  ["§1 an unknown kind in pieces", P, [frame(0xa0, 0)]],
  ["§1 the kind before the ignorable ones", P, [frame(0x3f, 0)]],
  ["§1 an empty piece", P, [frame(KIND.EVENT | MORE, 0)]],
  [
    "§1 an empty piece in the middle",
    P,
    [frame(KIND.EVENT | MORE, 0, head(NAME.tick)), frame(KIND.EVENT | MORE, 0)],
  ],
  ["§1 PING in pieces", P, [frame(KIND.PING | MORE, 0, u64(1))]],
  ["§1 CANCEL in pieces", P, [frame(KIND.CANCEL | MORE, 1)]],
  [
    "§1 another kind of the same id between the pieces",
    P,
    [
      frame(KIND.EVENT | MORE, 0, head(NAME.tick)),
      frame(KIND.EVENT, 0, "1"),
      frame(KIND.EVENT | MORE, 0, head(NAME.tick)),
      frame(KIND.REQUEST, 0, say),
    ],
  ],
  [
    "§1 a message of more than maxMessageBytes, whole",
    L,
    [
      frame(KIND.EVENT | MORE, 0, head(NAME.tick), filler(65_000)),
      frame(KIND.EVENT, 0, filler(MAX_MESSAGE - 65_000 + 1)),
    ],
  ],
  [
    "§1 a message of more than maxMessageBytes and a head",
    L,
    [pieces(KIND.EVENT, 0, head(NAME.tick), 130_000)],
  ],
  ["§2 HELLO after the handshake", P, [frame(KIND.HELLO, 0, hello())]],
  ["§2 WELCOME after the handshake", P, [frame(KIND.WELCOME, 0, welcome())]],
  [
    "§2 REFUSE after the handshake",
    P,
    [frame(KIND.REFUSE, 0, '{"code":"OVERLOADED","message":""}')],
  ],
  ["§2 PING with an id", P, [frame(KIND.PING, 1, u64(1))]],
  ["§2 PING of 7 bytes", P, [frame(KIND.PING, 0, filler(7))]],
  ["§2 PING of 9 bytes", P, [frame(KIND.PING, 0, filler(9))]],
  [
    "§2 PING of 7 bytes between the pieces of an EVENT",
    P,
    [frame(KIND.EVENT | MORE, 0, head(NAME.tick)), frame(KIND.PING, 0, filler(7))],
  ],
  ["§7 PONG that answers nothing", P, [frame(KIND.PONG, 0, u64(1))]],
  ["§2 DRAIN with an id", P, [frame(KIND.DRAIN, 3)]],
  ["§2 DRAIN with a payload", P, [frame(KIND.DRAIN, 0, "x")]],
  ["§2 ACK of 7 bytes", P, [frame(KIND.ACK, 0, filler(7))]],
  ["§8 ACK of what was not sent", P, [frame(KIND.ACK, 0, u64(1))]],
  [
    "§8 ACK of the highest number there is",
    P,
    [frame(KIND.ACK, 0, hex("ff ff ff ff ff ff ff ff"))],
  ],
  ["§8 REJECT of what was not sent", P, [frame(KIND.REJECT, 0, u64(1), "{}")]],
  ["§8 REJECT of the number 0", P, [frame(KIND.REJECT, 0, u64(0), "{}")]],
  ["§2 REJECT without its object", P, [frame(KIND.REJECT, 0, u64(1))]],
  ["§2 CREDIT of 3 bytes", P, [frame(KIND.CREDIT, 0, filler(3))]],
  ["§5 credit for events above 2147483647", F, [frame(KIND.CREDIT, 0, u32(0x7fff_ffff))]],
  ["§2 CANCEL with a payload", P, [frame(KIND.CANCEL, 1, "x")]],
  ["§2 LANE of the common lane", P, [frame(KIND.LANE, 0, u32(1))]],
  ["§2 LANE of 3 bytes", P, [frame(KIND.LANE, 7, filler(3))]],
  ["§5 LANE of 0 bytes", P, [frame(KIND.LANE, 7, u32(0))]],
  ["§2 ACK of 16 bytes", P, [frame(KIND.ACK, 0, filler(16))]],
  ["§8 ACK with a range of what was not sent", P, [frame(KIND.ACK, 0, u64(0), u64(2), u64(2))]],
  [
    "§2 EVENT with an origin and no number",
    P,
    [frame(KIND.EVENT, 0, head(NAME.note, 0x10), filler(24))],
  ],
  [
    "§2 EVENT with an origin that is cut short",
    P,
    [frame(KIND.EVENT, 0, head(NAME.note, 0x14), u64(1), filler(23))],
  ],
  [
    "§2 EVENT with the number 0 in its origin",
    P,
    [frame(KIND.EVENT, 0, head(NAME.note, 0x14), u64(1), filler(16), u64(0))],
  ],
  ["§2 EVENT without a whole head", P, [frame(KIND.EVENT, 0, "xx")]],
  [
    "§2 EVENT without a whole head, in pieces",
    P,
    [frame(KIND.EVENT | MORE, 0, "x"), frame(KIND.EVENT, 0, "x")],
  ],
  ["§2 EVENT with a deadline", P, [frame(KIND.EVENT, 0, head(NAME.tick, 1), u32(1))]],
  ["§2 EVENT with the flag of items", P, [frame(KIND.EVENT, 0, head(NAME.tick, 8))]],
  ["§2 EVENT with a flag without a name", P, [frame(KIND.EVENT, 0, head(NAME.tick, 0x10))]],
  ["§2 EVENT whose number is cut short", P, [frame(KIND.EVENT, 0, head(NAME.note, 4), filler(7))]],
  ["§2 EVENT whose trace is cut short", P, [frame(KIND.EVENT, 0, head(NAME.note, 2), filler(24))]],
  ["§2 EVENT with a name that is not in the list", P, [frame(KIND.EVENT, 0, head(6))]],
  ["§8 EVENT with the number 0", P, [frame(KIND.EVENT, 0, head(NAME.note, 4), u64(0))]],
  [
    "§8 EVENT with a number that leaves a gap",
    P,
    [frame(KIND.EVENT, 0, head(NAME.note, 4), u64(2))],
  ],
  [
    "§8 EVENT with the highest number there is",
    P,
    [frame(KIND.EVENT, 0, head(NAME.note, 4), hex("ff ff ff ff ff ff ff ff"))],
  ],
];

const fromClient: readonly Breach[] = [
  ["§2 REQUEST with the id 0", P, [frame(KIND.REQUEST, 0, say)]],
  ["§4 REQUEST with an id of the server", P, [frame(KIND.REQUEST, 2, say)]],
  ["§4 REQUEST with an id in use", P, [frame(KIND.REQUEST, 1, say), frame(KIND.REQUEST, 1, say)]],
  [
    "§4 REQUEST with a high id in use",
    P,
    [frame(KIND.REQUEST, 0xffff_ffff, say), frame(KIND.REQUEST, 0xffff_ffff, say)],
  ],
  [
    "§4 STREAM with an id in use, at its first piece",
    P,
    [frame(KIND.STREAM, 1, talk), frame(KIND.STREAM | MORE, 1, "x")],
  ],
  ["§4 more than maxConversations", P, [1, 3, 5, 7, 9].map((id) => frame(KIND.REQUEST, id, say))],
  [
    "§4 more than maxConversations, one of them not yet whole",
    P,
    [
      ...[1, 3, 5].map((id) => frame(KIND.REQUEST, id, say)),
      frame(KIND.REQUEST | MORE, 7, say),
      frame(KIND.REQUEST, 9, say),
    ],
  ],
  [
    "§4 more than maxConversations, at the first piece",
    P,
    [...[1, 3, 5, 7].map((id) => frame(KIND.REQUEST, id, say)), frame(KIND.STREAM | MORE, 9, talk)],
  ],
  ["§2 REQUEST without a whole head", P, [frame(KIND.REQUEST, 1, "xx")]],
  ["§2 REQUEST with a deadline of 0", P, [frame(KIND.REQUEST, 1, head(NAME.say, 1), u32(0))]],
  [
    "§2 REQUEST whose deadline is cut short",
    P,
    [frame(KIND.REQUEST, 1, head(NAME.say, 1), filler(3))],
  ],
  ["§2 REQUEST with a number", P, [frame(KIND.REQUEST, 1, head(NAME.say, 4), u64(1))]],
  ["§2 REQUEST with the flag of items", P, [frame(KIND.REQUEST, 1, head(NAME.say, 8))]],
  ["§2 REQUEST with a flag without a name", P, [frame(KIND.REQUEST, 1, head(NAME.say, 0x80))]],
  ["§2 STREAM with a number", P, [frame(KIND.STREAM, 1, head(NAME.talk, 4), u64(1))]],
  ["§2 REQUEST with a name that is not in the list", P, [frame(KIND.REQUEST, 1, head(6))]],
  ["§2 REQUEST with the highest name there is", P, [frame(KIND.REQUEST, 1, head(0xffff))]],
  ["§1 a third message begun", P, [1, 3, 5].map((id) => frame(KIND.REQUEST | MORE, id, say))],
  ["§1 a body of more than maxMessageBytes", L, [pieces(KIND.REQUEST, 1, say, MAX_MESSAGE + 1)]],
  [
    "§1 END between the pieces of an ITEM",
    P,
    [frame(KIND.STREAM, 1, talk), frame(KIND.ITEM | MORE, 1, "1"), frame(KIND.END, 1)],
  ],
  [
    "§1 another kind of the same id between the pieces",
    P,
    [frame(KIND.REQUEST | MORE, 1, say), frame(KIND.ITEM, 1, "1")],
  ],
  ["§2 RESULT from the opener", P, [frame(KIND.REQUEST, 1, say), frame(KIND.RESULT, 1)]],
  [
    "§2 FAIL from the opener",
    P,
    [frame(KIND.REQUEST, 1, say), frame(KIND.FAIL, 1, '{"code":"OVERLOADED","message":""}')],
  ],
  ["§4 RESULT for what is not open", P, [frame(KIND.RESULT, 2)]],
  ["§4 RESULT for what is not open, at its first piece", P, [frame(KIND.RESULT | MORE, 2)]],
  ["§4 ITEM for what is not open", P, [frame(KIND.ITEM, 1, "1")]],
  ["§4 ITEM for what is not open, at its first piece", P, [frame(KIND.ITEM | MORE, 1, "1")]],
  ["§4 ITEM of a request", P, [frame(KIND.REQUEST, 1, say), frame(KIND.ITEM, 1, "1")]],
  [
    "§4 ITEM without the flag of items",
    P,
    [frame(KIND.STREAM, 1, head(NAME.talk)), frame(KIND.ITEM, 1, "1")],
  ],
  [
    "§4 ITEM after END",
    P,
    [frame(KIND.STREAM, 1, talk), frame(KIND.END, 1), frame(KIND.ITEM, 1, "1")],
  ],
  ["§4 END after END", P, [frame(KIND.STREAM, 1, talk), frame(KIND.END, 1), frame(KIND.END, 1)]],
  ["§4 END of a request", P, [frame(KIND.REQUEST, 1, say), frame(KIND.END, 1)]],
  ["§4 END for what is not open", P, [frame(KIND.END, 1)]],
  ["§2 END with a payload", P, [frame(KIND.STREAM, 1, talk), frame(KIND.END, 1, "x")]],
  ["§4 CANCEL by the responder", P, [frame(KIND.CANCEL, 2)]],
  [
    "§2 CANCEL with a payload between the pieces of a REQUEST",
    P,
    [frame(KIND.REQUEST | MORE, 1, say), frame(KIND.CANCEL, 1, "x")],
  ],
  [
    "§2 CREDIT of 5 bytes between the pieces of an ITEM",
    P,
    [
      frame(KIND.STREAM, 1, talk),
      frame(KIND.ITEM | MORE, 1, "1"),
      frame(KIND.CREDIT, 1, filler(5)),
    ],
  ],
  ["§5 CREDIT of 0 for events", P, [frame(KIND.CREDIT, 0, u32(0))]],
  ["§5 CREDIT of 0 for a stream", P, [frame(KIND.STREAM, 1, talk), frame(KIND.CREDIT, 1, u32(0))]],
  ["§5 WINDOW of 0", P, [frame(KIND.WINDOW, 0, u32(0))]],
  [
    "§4 CREDIT for a request that has begun",
    P,
    [frame(KIND.REQUEST | MORE, 1, say), frame(KIND.CREDIT, 1, u32(1))],
  ],
  [
    "§5 credit above 2147483647 for a stream that has begun",
    F,
    [frame(KIND.STREAM | MORE, 1, talk), frame(KIND.CREDIT, 1, u32(0x7fff_ffff))],
  ],
  ["§4 CREDIT for a request", P, [frame(KIND.REQUEST, 1, say), frame(KIND.CREDIT, 1, u32(1))]],
  [
    "§5 credit for items above 2147483647",
    F,
    [frame(KIND.STREAM, 1, talk), frame(KIND.CREDIT, 1, u32(0x7fff_ffff))],
  ],
  [
    "§5 an ITEM without credit",
    F,
    [
      frame(KIND.STREAM, 1, talk),
      frame(KIND.ITEM, 1, "1"),
      frame(KIND.ITEM, 1, filler(100)),
      frame(KIND.ITEM, 1, "1"),
    ],
  ],
  [
    "§5 an ITEM without credit, at its first piece",
    F,
    [
      frame(KIND.STREAM, 1, talk),
      frame(KIND.ITEM, 1, filler(100)),
      frame(KIND.ITEM | MORE, 1, "1"),
    ],
  ],
  [
    "§5 an ITEM when the credit is 0",
    F,
    [
      frame(KIND.STREAM, 1, talk),
      frame(KIND.ITEM, 1, "1"),
      frame(KIND.ITEM, 1, `"${"x".repeat(65)}"`),
      frame(KIND.ITEM, 1, "1"),
    ],
  ],
  [
    "§5 an EVENT when the credit is 0",
    F,
    [
      frame(KIND.EVENT, 0, head(NAME.tick), "1"),
      frame(KIND.EVENT, 0, head(NAME.tick), filler(67)),
      frame(KIND.EVENT, 0, head(NAME.tick), "1"),
    ],
  ],
  [
    "§5 an EVENT without credit",
    F,
    [
      frame(KIND.EVENT, 0, head(NAME.tick), "1"),
      frame(KIND.EVENT, 0, head(NAME.tick), filler(100)),
      frame(KIND.EVENT, 0, head(NAME.tick), "1"),
    ],
  ],
  [
    "§5 an EVENT without credit, at its first piece",
    F,
    [
      frame(KIND.EVENT, 0, head(NAME.tick), "1"),
      frame(KIND.EVENT, 0, head(NAME.tick), filler(100)),
      frame(KIND.EVENT | MORE, 0, "1"),
    ],
  ],
];

const fromServer: readonly Breach[] = [
  ["§4 REQUEST with an id of the client", P, [frame(KIND.REQUEST, 1, head(NAME.ask))]],
  ["§4 FAIL for what is not open", P, [frame(KIND.FAIL, 9, '{"code":"OVERLOADED","message":""}')]],
  ["§4 RESULT after RESULT", P, [frame(KIND.RESULT, 1), frame(KIND.RESULT, 1)]],
  ["§4 RESULT of a stream", P, [frame(KIND.RESULT, 3)]],
  ["§4 END of a request", P, [frame(KIND.END, 1)]],
  ["§4 ITEM of a request", P, [frame(KIND.ITEM, 1, "1")]],
  ["§4 ITEM after END", P, [frame(KIND.END, 3), frame(KIND.ITEM, 3, "1")]],
  ["§4 CANCEL by the responder", P, [frame(KIND.CANCEL, 1)]],
  ["§6 FAIL that is not JSON", P, [frame(KIND.FAIL, 1, "no")]],
  ["§6 FAIL that is a list", P, [frame(KIND.FAIL, 1, "[]")]],
  ["§6 FAIL that is null", P, [frame(KIND.FAIL, 1, "null")]],
  ["§6 FAIL that is a number", P, [frame(KIND.FAIL, 1, "12")]],
  [
    "§4 FAIL for a STREAM whose first piece is not out",
    P,
    [frame(KIND.FAIL, 7, '{"code":"OVERLOADED","message":""}')],
  ],
  ["§6 FAIL without a message", P, [frame(KIND.FAIL, 1, '{"code":"OVERLOADED"}')]],
  ["§6 FAIL with a number for its code", P, [frame(KIND.FAIL, 1, '{"code":7,"message":""}')]],
  ["§6 FAIL NAMED without a name", P, [frame(KIND.FAIL, 1, '{"code":"NAMED","message":""}')]],
  ["§2 FAIL without a payload", P, [frame(KIND.FAIL, 1)]],
  [
    "§1 a RESULT of more than maxMessageBytes",
    L,
    [pieces(KIND.RESULT, 1, new Uint8Array(0), MAX_MESSAGE + 1)],
  ],
  [
    "§1 END between the pieces of an ITEM",
    P,
    [frame(KIND.ITEM | MORE, 3, "1"), frame(KIND.END, 3)],
  ],
  [
    "§5 an ITEM without credit",
    F,
    [frame(KIND.ITEM, 3, filler(30)), frame(KIND.ITEM, 3, filler(90)), frame(KIND.ITEM, 3, "1")],
  ],
  ["§8 REJECT that can't be read", P, [frame(KIND.REJECT, 0, u64(1), "[]")]],
];

/**
 * A client that has opened `say` 1 and `count` 3, whose items it does not take, and emitted `note`
 * 1; `say` 5 is begun, and `talk` 7 waits.
 */
function busyClient(): End {
  const client = readyClient();
  client.open("say", 1);
  const { session, kind } = client;
  const count = kind.contract.find("count");
  const none = (): void => undefined;
  if (count !== undefined)
    session.open(count, 1, {}, { result: none, item: none, end: none, fail: none, writable: none });
  client.emit("note", 1);
  client.open("say", "x".repeat(90_000));
  client.open("talk", "x".repeat(90_000)).end();
  client.take();
  return client;
}

/** A server whose handlers of events never finish, so that it gives no credit. */
function busyServer(): End {
  const server = readyServer();
  server.onEvent = () => undefined;
  server.onCall = (call) => {
    if (call.sink !== null) call.sink = { ...call.sink, item: () => undefined };
  };
  return server;
}

function expectBreach(end: End, code: string, chunks: readonly Uint8Array[]): void {
  const [before, breach] = [chunks.slice(0, -1), chunks.at(-1) ?? new Uint8Array(0)];
  for (const chunk of before) end.session.receive(chunk, 0);
  expect(end.session.state, "before the breach").toBe("ready");
  end.wrotes = 0;
  end.session.receive(breach, 0);
  expect([end.session.state, end.wrotes > 0]).toEqual(["closed", true]);
  expect(end.log.at(-1)).toBe(`over ${code}`);
  const [close] = framesOf(end.take()).slice(-1);
  expect(close?.kind).toBe("CLOSE");
  const said = JSON.parse(close?.text ?? "") as { code: string; message: string };
  expect(said.code).toBe(code);
  expect(said.message).toMatch(/^The peer .{5,250}$/);
  // It is over: nothing more is read, and nothing said.
  end.told();
  end.session.receive(joined(frame(KIND.PING, 0, u64(1)), breach), 0);
  expect([end.told(), end.take().length]).toEqual([[], 0]);
}

describe("a server ends the session for", () => {
  test.each([...anyone, ...fromClient])("%s: %s", (_, code, chunks) => {
    expectBreach(busyServer(), code, chunks);
  });
});

describe("a client ends the session for", () => {
  test.each([
    ...anyone.filter(([rule]) => !/(?:ACK|REJECT) of what was not sent|ACK of 7/.test(rule)),
    ...fromServer,
  ])("%s: %s", (_, code, chunks) => {
    expectBreach(busyClient(), code, chunks);
  });
});

describe("what is just within a rule is taken:", () => {
  const within: [string, readonly Uint8Array[]][] = [
    ["a body of maxMessageBytes", [pieces(KIND.REQUEST, 1, say, MAX_MESSAGE)]],
    ["a payload of 65 536 bytes", [frame(KIND.REQUEST, 1, say, filler(65_533))]],
    [
      "as many conversations as maxConversations",
      [1, 3, 5, 7].map((id) => frame(KIND.REQUEST, id, say)),
    ],
    [
      "as many begun messages as maxPartials",
      [1, 3].map((id) => frame(KIND.REQUEST | MORE, id, say)),
    ],
    ["a last piece of no bytes", [frame(KIND.REQUEST | MORE, 1, say), frame(KIND.REQUEST, 1)]],
    [
      "as many conversations as maxConversations, none of them whole at once",
      [1, 3]
        .map((id) => frame(KIND.REQUEST | MORE, id, say))
        .concat([1, 3, 5, 7].map((id) => frame(KIND.REQUEST, id, id < 5 ? "1" : say))),
    ],
    [
      "other frames between pieces",
      [
        frame(KIND.EVENT | MORE, 0, head(NAME.tick)),
        frame(KIND.PING, 0, u64(1)),
        frame(KIND.CREDIT, 0, u32(1)),
        frame(KIND.REQUEST, 1, say),
        frame(KIND.EVENT, 0, "1"),
      ],
    ],
    [
      "CREDIT of a stream between the pieces of its item",
      [
        frame(KIND.STREAM, 1, talk),
        frame(KIND.ITEM | MORE, 1, "1"),
        frame(KIND.CREDIT, 1, u32(1)),
        frame(KIND.ITEM, 1, "2"),
      ],
    ],
    [
      "CANCEL between the pieces of a REQUEST, and its id again",
      [frame(KIND.REQUEST | MORE, 1, say), frame(KIND.CANCEL, 1), frame(KIND.REQUEST, 1, say)],
    ],
    [
      "CANCEL, CREDIT for what is not open",
      [frame(KIND.CANCEL, 9), frame(KIND.CREDIT, 9, u32(0xffff_ffff))],
    ],
    ["CANCEL twice", [frame(KIND.REQUEST, 1, say), frame(KIND.CANCEL, 1), frame(KIND.CANCEL, 1)]],
    ["CANCEL after END", [frame(KIND.STREAM, 1, talk), frame(KIND.END, 1), frame(KIND.CANCEL, 1)]],
    [
      "credit for items up to 2147483647",
      [frame(KIND.STREAM, 1, talk), frame(KIND.CREDIT, 1, u32(0x7fff_ffff - 100))],
    ],
    [
      "credit for a stream that has begun",
      [
        frame(KIND.STREAM | 0x80, 1, talk),
        frame(KIND.CREDIT, 1, u32(50)),
        frame(KIND.STREAM, 1, "1"),
      ],
    ],
    [
      "what had begun before a DRAIN",
      [
        frame(KIND.REQUEST | 0x80, 1, say),
        frame(KIND.DRAIN, 0),
        frame(KIND.REQUEST | 0x80, 1, "1"),
        frame(KIND.REQUEST, 1, "1"),
      ],
    ],
    ["ACK of 0", [frame(KIND.ACK, 0, u64(0))]],
    [
      "kinds that are ignorable, with any id and payload",
      [0x40, 0x5a, 0x7f, 0xc0, 0xff].map((kind) => frame(kind, 3, filler(100))),
    ],
    [
      "an ignorable kind between the pieces of a REQUEST of its id",
      [
        frame(KIND.REQUEST | 0x80, 1, say),
        frame(0x40, 1),
        frame(0xd0, 1, "x"),
        frame(KIND.REQUEST, 1, "1"),
      ],
    ],
    ["DRAIN twice", [frame(KIND.REQUEST, 1, say), frame(KIND.DRAIN, 0), frame(KIND.DRAIN, 0)]],
    [
      "an ITEM and an EVENT with a credit of 1",
      [
        frame(KIND.STREAM, 1, talk),
        frame(KIND.ITEM, 1, "1"),
        frame(KIND.ITEM, 1, `"${"x".repeat(64)}"`),
        frame(KIND.ITEM, 1, "1"),
        frame(KIND.EVENT, 0, head(NAME.tick), "1"),
        frame(KIND.EVENT, 0, head(NAME.tick), filler(66)),
        frame(KIND.EVENT, 0, head(NAME.tick), "1"),
      ],
    ],
    [
      "an item that goes below zero",
      [frame(KIND.STREAM, 1, talk), frame(KIND.ITEM, 1, "1"), frame(KIND.ITEM, 1, filler(9000))],
    ],
    [
      "a trace of zeros, which is none",
      [frame(KIND.REQUEST, 1, head(NAME.say, 2), new Uint8Array(25))],
    ],
    [
      "ids in any order, as high as they go",
      [0xffff_ffff, 8191, 8193, 5].map((id) => frame(KIND.REQUEST, id, say)),
    ],
  ];
  test.each(within)("%s", (_, chunks) => {
    for (const server of [busyServer(), busyServer()]) {
      for (const chunk of chunks) server.session.receive(chunk, 0);
      expect([
        server.session.state === "draining" ? "ready" : server.session.state,
        server.log.filter((line) => line.startsWith("over")),
      ]).toEqual(["ready", []]);
    }
  });

  test("an ITEM for a stream that the client has cancelled", () => {
    const client = readyClient();
    const call = client.open("talk", 1);
    call.cancel();
    client.session.receive(joined(frame(KIND.ITEM, 1, "1"), frame(KIND.END, 1)), 0);
    expect([client.session.state, client.session.openCalls]).toEqual(["ready", 0]);
  });
});

describe("before the session is ready", () => {
  const early: [string, string, Uint8Array][] = [
    ["a PING before the WELCOME", P, frame(KIND.PING, 0, u64(1))],
    ["a REQUEST before the WELCOME", P, frame(KIND.REQUEST, 2, head(NAME.ask))],
    ["an EVENT before the WELCOME", P, frame(KIND.EVENT, 0, head(NAME.tick))],
    ["a HELLO from the server", P, frame(KIND.HELLO, 0, hello())],
    ["a WELCOME with an id", P, frame(KIND.WELCOME, 1, welcome())],
    [
      "a WELCOME of more than 16 384 bytes",
      P,
      frame(KIND.WELCOME, 0, welcome({ padding: "x".repeat(17_000) })),
    ],
    [
      "two WELCOMEs",
      P,
      joined(frame(KIND.WELCOME, 0, welcome()), frame(KIND.WELCOME, 0, welcome())),
    ],
    ["a WELCOME that is not JSON", P, frame(KIND.WELCOME, 0, "no")],
    ["a WELCOME without limits", P, frame(KIND.WELCOME, 0, welcome({ limits: undefined }))],
    [
      "a WELCOME whose session is not an identity",
      P,
      frame(KIND.WELCOME, 0, welcome({ session: "0" })),
    ],
    ["a WELCOME whose resumed is a number", P, frame(KIND.WELCOME, 0, welcome({ resumed: 1 }))],
    [
      "a WELCOME whose received is not whole",
      P,
      frame(KIND.WELCOME, 0, welcome({ received: 0.5 })),
    ],
    [
      "a WELCOME whose window is too long",
      P,
      frame(KIND.WELCOME, 0, welcome({ resumeWindowMs: 2 ** 32 })),
    ],
  ];
  test.each(early)("a client ends the session for %s: %s", (_, code, bytes) => {
    const client = waitingClient();
    client.session.receive(joined(SIGNATURE, bytes), 0);
    expect([client.session.state, client.log.at(-1)]).toEqual(["closed", `over ${code}`]);
    expect(linesOf(client.take()).at(-1)).toContain(`CLOSE 0 {"code":"${code}"`);
  });
});

describe("hostile JSON", () => {
  test("__proto__, constructor and the like are members like others", () => {
    const server = readyServer();
    const text =
      '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"a":1,"a":2}';
    server.session.receive(
      joined(
        frame(KIND.REQUEST, 1, say, text),
        frame(KIND.EVENT, 0, head(NAME.tick), '"__proto__"'),
      ),
      0,
    );
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    const input = server.calls[0]?.input as Record<string, unknown>;
    expect([Object.keys(input), Object.getPrototypeOf(input), input["a"]]).toEqual([
      ["__proto__", "constructor", "a"],
      Object.prototype,
      2,
    ]);
    server.calls[0]?.fail({ name: "__proto__", payload: 1 });
    server.calls[0]?.reply(input);
    expect(server.session.state).toBe("ready");
  });

  test("names and codes that every object has are unknown ones", () => {
    const client = readyClient();
    for (const code of ["__proto__", "constructor", "toString"]) {
      client.open("say", 1);
      client.session.receive(frame(KIND.FAIL, 1, JSON.stringify({ code, message: "" })), 0);
      client.open("say", 1);
      client.session.receive(
        frame(KIND.FAIL, 1, JSON.stringify({ code: "NAMED", message: "", name: code })),
        0,
      );
    }
    expect(client.told()).toEqual(
      Array.from({ length: 6 }, () => "say fail REMOTE_HANDLER_FAILED"),
    );
    client.session.receive(frame(KIND.CLOSE, 0, '{"code":"__proto__","message":""}'), 0);
    expect(client.told()).toEqual(["over PROTOCOL_VIOLATION"]);
  });

  test("a million nested lists end no more than their call", () => {
    const server = readyServer({ limits: { ...small, maxMessageBytes: 2_000_000 } });
    server.onCall = (call) => void call.reply(null);
    const nested = new TextEncoder().encode("[".repeat(500_000) + "]".repeat(500_000));
    server.session.receive(pieces(KIND.REQUEST, 1, say, 0), 0);
    server.take();
    const parts: Uint8Array[] = [];
    const payload = joined(say, nested);
    for (let at = 0; at < payload.length; at += 65_536)
      parts.push(
        frame(
          at + 65_536 >= payload.length ? KIND.REQUEST : KIND.REQUEST | MORE,
          3,
          payload.subarray(at, at + 65_536),
        ),
      );
    server.session.receive(joined(...parts), 0);
    expect(
      ["RESULT 3 null", "FAIL 3"].some((start) => linesOf(server.take())[0]?.startsWith(start)),
    ).toBe(true);
    // one that is not closed
    server.session.receive(joined(...parts.slice(0, -1), frame(KIND.REQUEST, 3, "]")), 0);
    expect(linesOf(server.take())[0]).toMatch(/^FAIL 3 \{"code":"INPUT_INVALID"/);
    expect(server.session.state).toBe("ready");
  });

  test("numbers beyond all bounds are what JSON.parse makes of them; in greetings they are refused", () => {
    const server = readyServer();
    server.session.receive(frame(KIND.REQUEST, 1, say, "1e999"), 0);
    expect(server.calls[0]?.input).toBe(Infinity);
    const greeting = server.kind
      .greeter({ random: () => new Uint8Array(0) })
      .receive(
        joined(SIGNATURE, frame(KIND.HELLO, 0, hello().replace('"version":1', '"version":1e999'))),
      );
    expect(greeting).toMatchObject({ ok: false, error: { code: "HELLO_INVALID" } });
  });

  test("a text that is not UTF-8 ends its call, and an error never quotes what came", () => {
    const server = readyServer();
    server.session.receive(frame(KIND.REQUEST, 1, say, hex("22 ff 22")), 0);
    server.session.receive(frame(KIND.REQUEST, 3, say, '{"password":"hunter2"'), 0);
    const said = server.take();
    expect(linesOf(said).map((line) => line.slice(0, 30))).toEqual([
      'FAIL 1 {"code":"INPUT_INVALID"',
      'FAIL 3 {"code":"INPUT_INVALID"',
    ]);
    expect(new TextDecoder().decode(said)).not.toContain("hunter2");
  });

  test("a FAIL's text and path are kept short and on one line", () => {
    const client = readyClient();
    const errors: unknown[] = [];
    client.open("say", 1);
    const say1 = client.kind.contract.find("say");
    const none = (): void => undefined;
    if (say1 !== undefined)
      client.session.open(
        say1,
        1,
        {},
        {
          result: none,
          item: none,
          end: none,
          fail: (error) => void errors.push(error),
          writable: none,
        },
      );
    client.session.receive(
      frame(
        KIND.FAIL,
        3,
        JSON.stringify({
          code: "INPUT_INVALID",
          message: `\u001b[2J\n${"x".repeat(1000)}`,
          path: [7, ...Array.from({ length: 100 }, () => "a")],
        }),
      ),
      0,
    );
    const [error] = errors as { message: string; path: unknown[]; origin: string }[];
    expect(error?.path.slice(0, 2)).toEqual([7, "a"]);
    expect(error?.message.length).toBeLessThanOrEqual(256);
    expect(error?.message).not.toMatch(/[\u0000-\u001f]/); // eslint-disable-line no-control-regex -- that is what is looked for
    expect([error?.path.length, error?.origin]).toEqual([32, "local"]);
  });
});

test("whatever bytes come, a session ends in order or goes on, and throws nothing", () => {
  const random = new Random(7);
  const kinds = Object.values(KIND);
  for (let run = 0; run < 3000; run++) {
    const end = run % 2 === 0 ? busyServer() : busyClient();
    for (let count = 0; count < 8; count++) {
      const kind =
        random.below(20) === 0
          ? random.below(256)
          : random.pick(kinds) | (random.below(8) === 0 ? MORE : 0);
      const payload =
        random.below(2) === 0
          ? joined(
              head(random.below(7), random.pick([0, 0, 1, 2, 4, 8, 15])),
              random.bytes(random.below(40)),
            )
          : random.bytes(random.below(60));
      const bytes = frame(kind, random.below(6), payload);
      if (random.below(10) === 0) bytes[random.below(bytes.length)] = random.below(256);
      end.session.receive(bytes, count);
    }
    expect(["ready", "draining", "closed", "lost"]).toContain(end.session.state);
    end.session.close();
    expect(end.log.filter((line) => line.startsWith("over")).length).toBeLessThanOrEqual(1);
    expect(end.session.openCalls).toBe(0);
  }
});

test("a client that waits for its WELCOME ignores what is ignorable, and no other kind", () => {
  const patient = waitingClient();
  patient.session.receive(
    joined(SIGNATURE, frame(0x40, 7, "x"), frame(KIND.WELCOME, 0, welcome())),
    0,
  );
  expect(patient.told()).toEqual(["ready"]);
  const strict = waitingClient();
  strict.session.receive(joined(SIGNATURE, frame(0x20, 0), frame(KIND.WELCOME, 0, welcome())), 0);
  expect(strict.told()).toEqual(["over PROTOCOL_VIOLATION"]);
});
