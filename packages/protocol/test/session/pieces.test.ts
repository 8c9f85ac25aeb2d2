// Messages that have begun and do not end: the time that they may stand still, and the budget that
// they count against.
import { describe, expect, test } from "vitest";
import {
  filler,
  frame,
  framesOf,
  head,
  joined,
  KIND,
  linesOf,
  NAME,
  readyClient,
  readyServer,
  small,
  u64,
} from "./by-hand.ts";
import { readyPair } from "./ends.ts";

const MORE = 0x80;
const begun = frame(KIND.REQUEST | MORE, 1, head(NAME.say), filler(1_000));
const ping = frame(KIND.PING, 0, u64(1));

describe("a message that has begun", () => {
  const unfinished: [string, Uint8Array, string][] = [
    ["REQUEST", begun, "REQUEST 1"],
    ["EVENT", frame(KIND.EVENT | MORE, 0, head(NAME.tick), filler(10)), "EVENT 0"],
    ["frame", begun.subarray(0, 100), "a frame"],
    ["length", begun.subarray(0, 2), "a frame"],
  ];
  test.each(unfinished)(
    "and does not grow for frameTimeoutMs ends the session: a %s",
    (_, bytes, what) => {
      const server = readyServer();
      server.session.receive(bytes, 0);
      server.session.receive(what === "a frame" ? bytes.subarray(0, 1) : ping, 5_000);
      expect(server.session.deadline()).toBe(10_000); // another byte of a frame is not a frame
      server.take();
      server.session.tick(9_999);
      expect(server.session.state).toBe("ready");
      server.session.tick(10_000);
      expect(server.told()).toEqual(["over FRAME_TIMEOUT"]);
      expect(linesOf(server.take())).toEqual([
        `CLOSE 0 {"code":"FRAME_TIMEOUT","message":"The peer began ${what} and sent no more of ` +
          `it for frameTimeoutMs 10000"}`,
      ]);
    },
  );

  test("may take for ever while it grows", () => {
    const server = readyServer();
    server.session.receive(begun, 0);
    for (let nowMs = 9_000; nowMs < 200_000; nowMs += 9_000) {
      server.session.receive(joined(ping, frame(KIND.REQUEST | MORE, 1, "x")), nowMs);
      server.session.tick(nowMs + 8_999);
    }
    expect(server.session.state).toBe("ready");
  });

  test("may wait for its turn while others' bytes come, and a long piece for a slow line", () => {
    const server = readyServer({ limits: { ...small, maxConversations: 100 } });
    server.session.receive(begun, 0);
    for (let nowMs = 9_000; nowMs < 100_000; nowMs += 9_000) {
      server.session.receive(
        frame(KIND.REQUEST, 3 + (nowMs / 9_000) * 2, head(NAME.say), `"${"x".repeat(4_200)}"`),
        nowMs,
      );
      server.session.tick(nowMs + 8_999);
    }
    expect(server.session.state).toBe("ready");
    const slow = readyServer();
    const long = frame(KIND.REQUEST, 1, head(NAME.say), `"${"x".repeat(60_000)}"`);
    for (let at = 0; at < long.length; at += 5_000) {
      slow.session.receive(long.subarray(at, at + 5_000), at * 2);
      slow.session.tick(at * 2 + 9_999);
    }
    expect(slow.told().map((line) => line.slice(0, 8))).toEqual(["call say"]);
  });

  test("of a peer that is silent is the heartbeat's: the session can be resumed", () => {
    const server = readyServer();
    server.session.receive(begun, 0);
    for (let nowMs = 1_000; nowMs <= 25_000; nowMs += 1_000) server.session.tick(nowMs);
    expect(server.told()).toEqual(["over HEARTBEAT_LOST resumable"]);
  });

  test("is told to the other side as what it is", () => {
    const client = readyClient();
    client.session.receive(frame(KIND.CLOSE, 0, '{"code":"FRAME_TIMEOUT","message":"slow"}'), 0);
    expect([client.session.state, client.told()]).toEqual(["closed", ["over FRAME_TIMEOUT"]]);
  });

  test("asks for no tick when it is whole, cancelled or lost", () => {
    const server = readyServer({ limits: { ...small, heartbeatMs: Infinity } });
    const idle = (): number => server.session.deadline();
    server.session.receive(begun, 0);
    expect(idle()).toBe(10_000);
    server.session.receive(frame(KIND.CANCEL, 1), 0);
    expect(idle()).toBe(Infinity);
    server.session.receive(joined(begun, frame(KIND.REQUEST, 1)), 0);
    expect(idle()).toBe(Infinity);
    server.session.receive(begun.subarray(0, 20), 0);
    server.session.lost(0);
    expect(idle()).toBe(Infinity);
  });
});

describe("inputs that come in pieces", () => {
  const part = (id: number, last: boolean, bytes = 60_000): Uint8Array =>
    frame(
      last ? KIND.REQUEST : KIND.REQUEST | MORE,
      id,
      ...(last ? [] : [head(NAME.say)]),
      filler(bytes),
    );
  const limits = {
    ...small,
    maxPartials: 8,
    maxConversations: 20,
    maxInputBytes: 130_000,
    maxMessageBytes: 200_000,
  };

  test(
    "count against maxInputBytes from their first piece: what has no room is dropped as it " +
      "comes, and answered when it is whole",
    () => {
      const server = readyServer({ limits });
      for (const id of [1, 3, 5, 7]) server.session.receive(part(id, false), 0);
      server.take();
      expect(linesOf(server.take())).toEqual([]);
      for (const id of [7, 5]) server.session.receive(part(id, true, 10), 0);
      expect(
        framesOf(server.take()).map(
          ({ kind, id, text }) => `${kind} ${String(id)} ${String(text.includes("OVERLOADED"))}`,
        ),
      ).toEqual(["FAIL 7 true", "FAIL 5 true"]);
      for (const id of [1, 3]) server.session.receive(part(id, true, 4), 0);
      expect(framesOf(server.take()).map(({ text }) => text.includes("INPUT_INVALID"))).toEqual([
        true,
        true,
      ]); // fillers are no JSON; they were read
      server.session.receive(joined(part(9, false), part(11, false), part(11, true, 1)), 0);
      expect(framesOf(server.take()).map(({ text }) => text.includes("INPUT_INVALID"))).toEqual([
        true,
      ]); // the room is free again
    },
  );

  test("of one alone have room for maxMessageBytes", () => {
    const server = readyServer({ limits: { ...limits, maxInputBytes: 1 } });
    for (let count = 0; count < 3; count++)
      server.session.receive(
        count === 0 ? part(1, false) : frame(KIND.REQUEST | MORE, 1, filler(60_000)),
        0,
      );
    server.session.receive(frame(KIND.REQUEST, 1), 0);
    expect(framesOf(server.take())[0]?.text).toContain("INPUT_INVALID");
  });

  test("that were dropped and cancelled, or belong to a stream with items, are answered like others", () => {
    const server = readyServer({ limits });
    server.session.receive(
      joined(part(1, false), part(3, false), part(5, false), frame(KIND.CANCEL, 5)),
      0,
    );
    expect(
      framesOf(server.take()).map(
        ({ id, text }) => `${String(id)} ${text.includes("CANCELLED") ? "CANCELLED" : text}`,
      ),
    ).toEqual(["5 CANCELLED"]);
    const stream = frame(KIND.STREAM | MORE, 7, head(NAME.talk, 8), filler(60_000));
    server.session.receive(
      joined(
        stream,
        frame(KIND.STREAM, 7, filler(1)),
        frame(KIND.ITEM, 7, "1"),
        frame(KIND.END, 7),
      ),
      0,
    );
    expect([
      framesOf(server.take()).map(
        ({ kind, text }) => `${kind} ${text.includes("OVERLOADED") ? "OVERLOADED" : text}`,
      ),
      server.session.state,
    ]).toEqual([["FAIL OVERLOADED"], "ready"]);
  });

  test("above maxMessageBytes end the session, also where they are dropped", () => {
    const server = readyServer({ limits });
    server.session.receive(joined(part(1, false), part(3, false), part(5, false)), 0);
    for (let count = 0; count < 3; count++)
      server.session.receive(frame(KIND.REQUEST | MORE, 5, filler(60_000)), 0);
    expect(server.told()).toEqual(["over MESSAGE_TOO_LARGE"]);
  });

  test("of a lost connection leave their room", () => {
    const pair = readyPair({ limits });
    pair.server.session.receive(joined(part(1, false), part(3, false)), 0);
    pair.cut();
    pair.connect(true);
    pair.told();
    for (let count = 0; count < 2; count++)
      pair.client.open("say", "x".repeat(60_000), {}, String(count));
    pair.flush();
    expect([pair.client.told(), pair.server.calls.length]).toEqual([[], 2]);
  });
});
