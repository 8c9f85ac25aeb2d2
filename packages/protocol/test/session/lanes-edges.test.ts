// Rare turns of lanes, refusals and greetings: what is settled while it waits to be sent again,
// what is not whole, what nobody knows.
import { expect, test } from "vitest";
import { defineProtocol } from "../../src/contract/contract.ts";
import { nativeSessions } from "../../src/session/native.ts";
import { NumberedEvents, Retained } from "../../src/session/events/retained.ts";
import { type } from "../../src/contract/schema.ts";
import {
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
import { echo, End, greet, type Handled, readyPair } from "./ends.ts";

const contract = defineProtocol({
  name: "echo",
  version: 1,
  events: {
    keyed: {
      payload: type<unknown>(),
      delivery: "at-least-once",
      lane: (payload: { key: string }) => payload.key,
    },
  },
});
const kind = nativeSessions(contract);
const messages = [["keyed", "event", "json", ""]];

/** A client of that contract that a server by hand has welcomed. */
function laned(members: object = {}): End {
  const end = waitingClient({ kind, limits: small });
  end.session.receive(
    joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome({ messages, ...members }))),
    0,
  );
  end.told();
  return end;
}

const limits = {
  maxMessageBytes: 1_000_000,
  maxPartials: 4,
  maxConversations: 4,
  windowBytes: 100,
  eventWindowBytes: 1_000_000,
};

test("an event that is settled while it waits to be sent again is passed over", () => {
  const end = laned({ limits });
  end.emit("keyed", { key: "a", fill: "x".repeat(200_000) });
  end.emit("keyed", { key: "b" });
  end.session.transmit(70_000);
  end.session.lost(0);
  end.take();
  end.session.attach(end.output, 0);
  const { session } = end;
  session.receive(
    joined(
      SIGNATURE,
      frame(
        KIND.WELCOME,
        0,
        welcome({ messages, limits: { ...limits, eventWindowBytes: 0 }, resumed: true }),
      ),
    ),
    0,
  );
  end.take();
  end.told();
  session.receive(frame(KIND.ACK, 0, u64(0), u64(2), u64(2)), 0);
  expect(end.told()).toEqual(['keyed {"key":"b"} delivered']);
  session.receive(frame(KIND.CREDIT, 0, u32(1_000_000)), 0);
  session.transmit(1_000_000);
  expect(new Set(framesOf(end.take()).map(({ id }) => id)).size).toBe(1);
});

test(
  "an ACK of an event that is not out whole ends the session, and so does one whose ranges " +
    "touch, or LANE above 2^31 - 1",
  () => {
    const ack = laned({ limits });
    ack.emit("keyed", { key: "a", fill: "x".repeat(200_000) });
    for (const [bytes, code] of [
      [frame(KIND.ACK, 0, u64(1)), "PROTOCOL_VIOLATION"],
      [frame(KIND.REJECT, 0, u64(1), '{"code":"OVERLOADED","message":""}'), "PROTOCOL_VIOLATION"],
    ] as const) {
      const end = laned({ limits });
      end.emit("keyed", { key: "a", fill: "x".repeat(200_000) });
      end.take();
      end.session.receive(bytes, 0);
      expect(linesOf(end.take()).at(-1)).toContain(code);
    }
    const touching = laned({ limits });
    for (let n = 0; n < 3; n++) touching.emit("keyed", { key: "a", n });
    touching.take();
    touching.session.receive(frame(KIND.ACK, 0, u64(1), u64(2), u64(3)), 0);
    expect(linesOf(touching.take()).at(-1)).toContain("ranges that are not above its number");
    const credit = laned({ limits: { ...limits, laneWindowBytes: 50 } });
    credit.session.receive(frame(KIND.LANE, 9, u32(0x7fff_ffff)), 0);
    expect(linesOf(credit.take()).at(-1)).toContain("FLOW_VIOLATION");
  },
);

test("where the peer counts no lanes, the account of all events holds them back alone", () => {
  const end = laned({ limits: { ...limits, eventWindowBytes: 40 } });
  expect([
    end.emit("keyed", { key: "a" }),
    end.emit("keyed", { key: "b" }),
    end.emit("keyed", { key: "c" }),
  ]).toEqual([true, false, false]);
  end.session.receive(frame(KIND.LANE, 9, u32(100)), 0);
  end.session.receive(frame(KIND.CREDIT, 0, u32(100)), 0);
  expect(end.told()).toContain("writable");
});

test("an event of a name that this side does not know waits its turn, and is rejected", () => {
  const server = new End("server", { limits: { ...small, eventWindowBytes: 1_000 } });
  const more = [
    ...(JSON.parse(hello()) as { messages: unknown[] }).messages,
    ["later", "event", "json", ""],
  ];
  const read = greet(
    server.kind,
    joined(SIGNATURE, frame(KIND.HELLO, 0, hello({ version: 2, accepts: [1, 2], messages: more }))),
  );
  const waiting: Handled[] = [];
  server.onEvent = (_entry, _payload, handled) => void waiting.push(handled);
  server.session.welcome(server.output, read.hello, false, 0);
  server.take();
  server.session.receive(
    joined(
      frame(KIND.EVENT, 0, head(NAME.note, 4), u64(1), "1"),
      frame(KIND.EVENT, 0, head(6, 4), u64(2), "2"),
    ),
    0,
  );
  waiting[0]?.();
  expect([server.told().at(-1), linesOf(server.take()).map((line) => line.split(" ")[0])]).toEqual([
    "dropped MESSAGE_UNKNOWN",
    ["REJECT", "ACK"],
  ]);
});

test(
  "numbered events are found and settled in any order, and those between are taken out when they " +
    "are many",
  () => {
    const events = new NumberedEvents();
    const entry = echo.find("note");
    if (entry === undefined) throw new Error("no entry");
    const all = Array.from({ length: 4_000 }, (_, at) => {
      const event = new Retained(entry, 0, null, "", null, 0, null);
      event.number = at + 1;
      events.push(event);
      return event;
    });
    for (const event of all.slice(1, 3_500)) events.settle(event);
    expect([
      events.find(1)?.number,
      events.find(2),
      events.find(3_500),
      events.find(3_501)?.number,
      events.find(3_999)?.number,
      events.find(4_000)?.number,
      events.find(4_001),
      events.find(0),
    ]).toEqual([1, undefined, undefined, 3_501, 3_999, 4_000, undefined, undefined]);
    expect([events.toArray().length, events.first?.number]).toEqual([501, 1]);
    events.settle(all[0] as Retained); // there are 4 000
    expect([
      events.first?.number,
      events.find(3_600)?.number,
      events.clear().length,
      events.find(3_600),
    ]).toEqual([3_501, 3_600, 500, undefined]);
  },
);

test("STOP twice is as once, and one of a stream that has ended here waits for nothing", () => {
  const server = readyServer();
  server.session.receive(
    joined(
      frame(KIND.STREAM, 1, head(NAME.talk, 8), "1"),
      frame(KIND.STOP, 1),
      frame(KIND.STOP, 1),
    ),
    0,
  );
  expect(server.told()).toEqual(["call talk 1", "talk refused"]);
  server.calls[0]?.end();
  server.take();
  server.session.receive(frame(KIND.STOP, 1), 0);
  expect(server.take().length).toBe(0);
  const client = readyClient();
  const call = client.open("talk", 1);
  call.end();
  client.take();
  client.session.receive(frame(KIND.STOP, 1), 0);
  expect([client.told(), client.take().length]).toEqual([[], 0]);
});

test(
  "a stream whose opening is under way, with its end, and whose items are refused, still ends " +
    "once",
  () => {
    const pair = readyPair();
    const call = pair.client.open("talk", "x".repeat(200_000));
    call.send("dropped");
    call.end();
    pair.client.session.receive(frame(KIND.STOP, 1), 0);
    pair.flush();
    expect(pair.server.told()).toEqual(['call talk "xxxxxxxxxxxxxxx…200002', "talk got end"]);
  },
);

test("a CANCEL with a code that is not known cancels", () => {
  const server = readyServer();
  server.session.receive(
    joined(
      frame(KIND.REQUEST, 1, head(NAME.say), "1"),
      frame(KIND.CANCEL, 1, '{"code":"LATER","message":""}'),
    ),
    0,
  );
  expect(server.told()).toEqual(["call say 1", "say cancelled CALL_CANCELLED"]);
});

test("a WELCOME without features is a draft's", () => {
  const client = waitingClient();
  client.session.receive(
    joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome({ features: undefined }))),
    0,
  );
  expect(client.told()).toEqual(["over VERSION_UNSUPPORTED"]);
});
