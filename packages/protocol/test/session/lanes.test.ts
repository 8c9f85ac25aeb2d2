// Lanes of events: their order, numbers, accounts and acknowledgements; and what of them has parts
// of its own.
import { describe, expect, test } from "vitest";
import { defineProtocol, type Protocol } from "../../src/contract/contract.ts";
import { laneNumber } from "../../src/contract/lane.ts";
import { BegunEvents } from "../../src/session/events/begun.ts";
import { EventLanes } from "../../src/session/events/lanes.ts";
import { Flushes } from "../../src/session/events/flushes.ts";
import { nativeSessions } from "../../src/session/native.ts";
import { NumberSet } from "../../src/session/events/number-set.ts";
import { Outbox } from "../../src/session/outbox.ts";
import { type } from "../../src/contract/schema.ts";
import { Random } from "../../src/testing/random.ts";
import { u64 } from "./by-hand.ts";
import { frame, framesOf, head, joined, KIND, linesOf, readyServer, small } from "./by-hand.ts";
import { End, type EndOptions, type Handled, Pair, readyPair } from "./ends.ts";

const contract: Protocol = defineProtocol({
  name: "lanes",
  version: 1,
  events: {
    audit: { payload: type<unknown>(), lane: "audit" },
    keyed: {
      payload: type<unknown>(),
      delivery: "at-least-once",
      lane: (payload: { key: string }) => payload.key,
    },
    note: { payload: type<unknown>(), delivery: "at-least-once" },
    wrong: { payload: type<unknown>(), lane: (payload: { key: unknown }) => payload.key as string },
  },
});
const kind = nativeSessions(contract);

/** A pair whose server's handlers finish when they are told to, by what they were given. */
function held(options: EndOptions = { kind, limits: {} }): {
  pair: Pair;
  finish: (key: string) => void;
  waiting: () => string[];
} {
  const pair = new Pair({ ...options, kind });
  const open = new Map<string, Handled>();
  pair.server.onEvent = (entry, payload, handled) =>
    void open.set(`${entry.name} ${JSON.stringify(payload)}`, handled);
  pair.connect();
  pair.told();
  return {
    pair,
    finish(key) {
      const handled = open.get(key);
      open.delete(key);
      if (handled === undefined) throw new Error(`${key} is not handled`);
      handled();
    },
    waiting: () => [...open.keys()],
  };
}

const a = (n: number): { key: string; n: number } => ({ key: "a", n });
const b = (n: number): { key: string; n: number } => ({ key: "b", n });
const seen = (value: unknown): string => `keyed ${JSON.stringify(value)}`;

describe("events in lanes", () => {
  test(
    "of one lane are handled one after the other, of others meanwhile; ranges tell what is " +
      "handled above the first gap",
    () => {
      const { pair, finish, waiting } = held();
      for (const payload of [a(1), a(2), b(3), b(4)]) pair.client.emit("keyed", payload);
      pair.client.emit("note", 5);
      pair.client.emit("audit", 6);
      pair.flush();
      expect(waiting()).toEqual([seen(a(1)), seen(b(3)), "note 5", "audit 6"]);
      finish(seen(b(3)));
      finish("note 5");
      expect(
        framesOf(pair.server.output.copy())
          .filter(({ kind: of }) => of === "ACK")
          .map(({ payload }) =>
            Array.from(payload, (byte) => byte).filter((_, at) => at % 8 === 7),
          ),
      ).toEqual([
        [0, 3, 3],
        [0, 5, 5],
      ]);
      pair.flush();
      expect(pair.client.told().filter((line) => line.includes("delivered"))).toEqual([
        'keyed {"key":"b","n":3} delivered',
        "note 5 delivered",
      ]);
      for (const key of [seen(a(1)), seen(a(2)), seen(b(4)), "audit 6"]) finish(key);
      pair.flush();
      expect([waiting(), pair.client.session.state, pair.client.told().length]).toEqual([
        [],
        "ready",
        3,
      ]);
    },
  );

  test(
    "are sent under the numbers in which they begin, again in their order on the next " +
      "connection, and each once",
    () => {
      const { pair, finish, waiting } = held({ kind, limits: { laneWindowBytes: 60 } });
      for (let n = 1; n <= 6; n++) pair.client.emit("keyed", n % 2 === 1 ? a(n) : b(n));
      pair.server.session.receive(pair.client.take(), 0);
      expect(waiting()).toEqual([seen(a(1)), seen(b(2))]);
      pair.cut();
      pair.connect(true);
      pair.flush();
      finish(seen(a(1)));
      finish(seen(b(2)));
      for (let n = 3; n <= 6; n++) {
        pair.flush();
        finish(n % 2 === 1 ? seen(a(n)) : seen(b(n)));
      }
      pair.flush();
      expect(
        pair.client
          .told()
          .filter((line) => line.includes("delivered"))
          .sort(),
      ).toEqual(
        [1, 2, 3, 4, 5, 6]
          .map((n) => `keyed ${JSON.stringify(n % 2 === 1 ? a(n) : b(n))} delivered`)
          .sort(),
      );
      expect(pair.server.told().filter((line) => line.startsWith("event")).length).toBe(6);
    },
  );

  test("have an identity in another session, where what had begun says so, and the rest does not", () => {
    const { pair } = held({ kind, limits: { eventWindowBytes: 40 } });
    const { origin } = pair.client.session;
    for (let n = 1; n <= 3; n++) pair.client.emit("keyed", a(n));
    pair.client.take();
    pair.cut();
    const next = new Pair({ kind });
    Object.assign(next, {
      client: pair.client,
      server: new End("server", { kind, random: (bytes) => new Uint8Array(bytes).fill(7) }),
    });
    next.connect();
    const flags = framesOf(pair.client.take()).map(({ payload }) => payload[2]);
    expect([origin.length, flags]).toEqual([32, [0x14, 0x14, 0x04]]);
  });

  test("wait for their lane's credit, or for that of all events, and hold up no other lane", () => {
    const { pair, finish, waiting } = held({ kind, limits: { laneWindowBytes: 20 } });
    expect([
      pair.client.emit("keyed", a(1)),
      pair.client.emit("keyed", a(2)),
      pair.client.emit("keyed", b(3)),
      pair.client.emit("note", 4),
    ]).toEqual([false, false, false, true]);
    pair.flush();
    expect(waiting()).toEqual([seen(a(1)), seen(b(3)), "note 4"]);
    finish(seen(a(1)));
    expect(linesOf(pair.server.output.copy()).map((line) => line.split(" ")[0])).toEqual([
      "LANE",
      "ACK",
    ]);
    pair.flush();
    expect(waiting()).toEqual([seen(b(3)), "note 4", seen(a(2))]);
    expect(pair.client.told()).not.toContain("writable");
    finish(seen(b(3)));
    pair.flush();
    expect(pair.client.told()).toContain("writable");
  });

  test("are given up while they wait in their lane", () => {
    const { pair, finish, waiting } = held({ kind, limits: { laneWindowBytes: 20 } });
    const entry = contract.find("keyed");
    if (entry === undefined) throw new Error("no entry");
    const told: string[] = [];
    const settled = [1, 2, 3].map(
      (n) => (outcome: string) => void told.push(`${String(n)} ${outcome}`),
    );
    settled.forEach((each, at) => pair.client.session.emit(entry, a(at + 1), {}, each));
    pair.flush();
    for (const each of settled) pair.client.session.withdraw(each);
    expect(told).toEqual(["1 unknown", "2 not-sent", "3 not-sent"]);
    finish(seen(a(1)));
    pair.flush();
    expect(waiting()).toEqual([]);
  });

  test("are flushed whatever order their lanes let them leave in", () => {
    const { pair, finish } = held({ kind, limits: { laneWindowBytes: 20 } });
    const told: string[] = [];
    for (const payload of [a(1), a(2), b(3)]) pair.client.emit("keyed", payload);
    pair.client.session.flushEvents((error) => void told.push(`first ${String(error)}`));
    pair.client.emit("keyed", b(4));
    pair.client.session.flushEvents((error) => void told.push(`second ${error?.code ?? "null"}`));
    pair.flush();
    expect(told).toEqual([]);
    finish(seen(a(1)));
    pair.flush();
    expect(told).toEqual(["first null"]);
    pair.client.session.close();
    expect(told).toEqual(["first null", "second SESSION_CLOSED"]);
  });

  test("whose key is none are refused, and nothing is sent", () => {
    const { pair } = held();
    const emit = (payload: unknown) => () => pair.client.emit("wrong", payload);
    for (const key of [undefined, null, NaN, Infinity, {}, true])
      expect(emit({ key })).toThrow(TypeError);
    expect(emit({ key: NaN })).toThrow(
      'Cannot emit "wrong": its lane function returned NaN; return a string or a finite number',
    );
    // the contract's own function fails
    expect(() => pair.client.emit("keyed", null)).toThrow(TypeError);
    expect(pair.client.output.length).toBe(0);
    expect([
      emit({ key: 7 })(),
      emit({ key: "7" })(),
      emit({ key: 1e21 })(),
      emit({ key: 0.5 })(),
    ]).toEqual([true, true, true, true]);
    expect(framesOf(pair.client.take()).map(({ id }) => id)).toEqual([
      laneNumber("7"),
      laneNumber("7"),
      laneNumber("1000000000000000000000"),
      laneNumber("0.5"),
    ]);
  });

  test("may be a few at once: the others wait for their turn", () => {
    const { pair, finish, waiting } = held({ kind, limits: { maxEventHandlers: 2 } });
    for (const key of ["a", "b", "c", "d"]) pair.client.emit("keyed", { key });
    pair.flush();
    expect(waiting().length).toBe(2);
    finish(seen({ key: "b" }));
    expect(waiting()).toEqual([seen({ key: "a" }), seen({ key: "c" })]);
  });

  test(
    "come in random lanes, pieces and connections in the order of their lanes, none lost, none " +
      "twice",
    () => {
      for (let seed = 1; seed <= 40; seed++) {
        const random = new Random(seed);
        const { pair, finish, waiting } = held({
          kind,
          limits: {
            laneWindowBytes: random.pick([20, 100, 100_000]),
            eventWindowBytes: random.pick([40, 1_000, 200_000]),
            maxEventHandlers: random.pick([1, 3, 256]),
          },
        });
        const sent: { key: string; n: number; fill: string }[] = [];
        for (let step = 0; step < 120; step++) {
          const does = random.below(10);
          if (does < 4 && sent.length < 40) {
            const payload = {
              key: String(random.below(4)),
              n: sent.length,
              fill: "x".repeat(random.pick([0, 10, 100, 150_000])),
            };
            sent.push(payload);
            pair.client.emit("keyed", payload);
          } else if (does < 6 && waiting().length > 0) {
            finish(random.pick(waiting()));
          } else if (does < 9) {
            pair.flush(random.pick([7_000, 100_000]));
          } else {
            pair.cut();
            pair.connect(true);
          }
        }
        for (let rounds = 0; rounds < 200; rounds++) {
          pair.flush();
          for (const key of waiting()) finish(key);
        }
        const came = pair.server.told().filter((line) => line.startsWith("event")).length;
        const delivered = pair.client.told().filter((line) => line.endsWith("delivered")).length;
        expect([came, delivered, pair.client.session.state], `seed ${String(seed)}`).toEqual([
          sent.length,
          sent.length,
          "ready",
        ]);
      }
    },
    60_000,
  );
});

describe("a peer that breaks the rules of lanes", () => {
  const options = { kind, limits: { ...small, laneWindowBytes: 30, eventWindowBytes: 1_000 } };
  const ready = (): End => {
    const { pair } = held(options);
    return pair.server;
  };
  const event = (lane: number, number: number, body = "1"): Uint8Array =>
    frame(KIND.EVENT, lane, head(1, 4), u64(number), body);

  test.each<[string, Uint8Array[], string]>([
    [
      "an event beyond its lane's credit",
      [event(7, 1, "1".repeat(40)), event(7, 2)],
      "FLOW_VIOLATION",
    ],
    ["a number before one that has not begun", [event(7, 2)], "PROTOCOL_VIOLATION"],
    [
      "a number above a gap, in pieces",
      [frame(KIND.EVENT | 0x80, 7, head(1, 4), u64(3), "1")],
      "PROTOCOL_VIOLATION",
    ],
    [
      "LANE of the common lane",
      [frame(KIND.LANE, 0, new Uint8Array(4).fill(1))],
      "PROTOCOL_VIOLATION",
    ],
    ["LANE of 0 bytes", [frame(KIND.LANE, 7, new Uint8Array(4))], "PROTOCOL_VIOLATION"],
    [
      "an ACK whose ranges are cut short",
      [frame(KIND.ACK, 0, u64(0), u64(2))],
      "PROTOCOL_VIOLATION",
    ],
    [
      "an ACK of what was not sent, in a range",
      [frame(KIND.ACK, 0, u64(0), u64(2), u64(2))],
      "PROTOCOL_VIOLATION",
    ],
  ])("ends the session with %s", (_, bytes, code) => {
    const end = ready();
    end.session.receive(joined(...bytes), 0);
    expect(linesOf(end.take()).at(-1)).toContain(code);
  });

  test("which begins events while a larger one is unfinished is judged when that is whole", () => {
    const end = ready();
    end.session.receive(
      joined(
        frame(KIND.EVENT | 0x80, 7, head(1, 4), u64(1), "1".repeat(900)),
        event(8, 2, "1".repeat(40)),
        event(9, 3, "1".repeat(40)),
      ),
      0,
    );
    expect(end.session.state).toBe("ready");
    end.session.receive(frame(KIND.EVENT, 7, "1".repeat(300)), 0);
    expect(linesOf(end.take()).at(-1)).toContain("FLOW_VIOLATION");
  });

  test("may send the pieces of two lanes in turn, the higher number whole first", () => {
    const server = readyServer({ limits: { ...small, eventWindowBytes: 10_000 } });
    server.session.receive(
      joined(
        frame(KIND.EVENT | 0x80, 7, head(0, 4), u64(1), "1"),
        frame(KIND.EVENT | 0x80, 8, head(0, 4)),
        frame(KIND.EVENT | 0x80, 8, u64(2)),
        frame(KIND.EVENT, 8, "2"),
        frame(KIND.EVENT, 7, "3"),
      ),
      0,
    );
    expect(server.told()).toEqual(["event note 2", "event note 13"]);
  });
});

describe("NumberSet", () => {
  test("is a set of numbers, as one of JavaScript's is", () => {
    const random = new Random(5);
    for (let round = 0; round < 200; round++) {
      const set = new NumberSet();
      const model = new Set<number>();
      for (let step = 0; step < 30; step++) {
        const first = 1 + random.below(40);
        const last = first + random.below(4);
        set.add(first, last);
        for (let n = first; n <= last; n++) model.add(n);
        let upTo = 0;
        while (model.has(upTo + 1)) upTo++;
        const missing = (below: number): number =>
          Array.from({ length: below - 1 }, (_, at) => at + 1).filter((n) => !model.has(n)).length;
        expect([set.upTo, set.highest]).toEqual([upTo, Math.max(...model)]);
        for (const n of [1, 5, 20, 43, 60])
          expect([set.has(n), set.missingBelow(n)]).toEqual([model.has(n), missing(n)]);
        const gaps = set
          .gaps(3, 30)
          .flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, at) => from + at));
        expect(gaps).toEqual(
          Array.from({ length: 28 }, (_, at) => at + 3).filter((n) => !model.has(n)),
        );
      }
      expect(
        set.ranges.every(
          ([first, last], at) => first > (set.ranges[at - 1]?.[1] ?? set.upTo) + 1 && last >= first,
        ),
      ).toBe(true);
      set.clear();
      expect([set.upTo, set.highest, set.ranges.length]).toEqual([0, 0, 0]);
    }
  });
});

describe("the parts of lanes", () => {
  test("BegunEvents judges credit behind an unfinished event, and gaps in the numbers", () => {
    const begun = new BegunEvents();
    const came = new NumberSet();
    begun.begin(7, 100);
    begun.pass(80);
    expect([begun.any, begun.has(7), begun.has(8), begun.grew(9, new Uint8Array(0), 0)]).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect([begun.grew(7, Uint8Array.of(0, 0), 2), begun.leavesGap(came)]).toEqual([false, false]);
    begun.number(2);
    expect(begun.leavesGap(came, 2)).toBe(false); // the one whose head has not come may be 1
    begun.number(3);
    expect(begun.leavesGap(came, 3)).toBe(true);
    expect([begun.finish(7, 79), begun.any]).toEqual([true, false]);
    begun.clear();
    begun.begin(1, 10);
    begun.begin(2, 10);
    begun.pass(5);
    expect(begun.finish(1, 4)).toBe(true);
    expect(begun.finish(2, 5)).toBe(false);
    expect(begun.grew(1, Uint8Array.of(0, 0, 0), 3)).toBe(true);
  });

  test("EventLanes keeps what owes credit, up to a number, and forgets what is as new", () => {
    const outbox = new Outbox();
    const lanes = new EventLanes(
      { written: () => undefined, widened: () => undefined },
      outbox,
      1_000,
      100,
      2,
    );
    const [one, two, three] = [1, 2, 3].map((id) => lanes.find(id));
    if (one === undefined || two === undefined || three === undefined) throw new Error("no lanes");
    lanes.spend(one, 30);
    lanes.spend(two, 30);
    expect([lanes.size, lanes.hasRoom, three.open, one.open, lanes.common.credit]).toEqual([
      3,
      false,
      false,
      true,
      940,
    ]);
    expect([lanes.credit(1, 30, 1_000), lanes.hasRoom, three.open, lanes.get(1)]).toEqual([
      true,
      true,
      true,
      undefined,
    ]);
    expect([
      lanes.credit(9, 30, 1_000),
      lanes.credit(9, 1_000, 1_000),
      lanes.credit(2, 1_000, 1_000),
    ]).toEqual([true, false, false]);
    lanes.update(three);
    expect(lanes.all.map(({ id }) => id)).toEqual([0, 2]);
    const uncounted = new EventLanes(
      { written: () => undefined, widened: () => undefined },
      outbox,
      1_000,
      Infinity,
    );
    expect(uncounted.credit(5, 1_000, 10)).toBe(true);
  });

  test("Flushes tells who waits once all before have left", () => {
    const flushes = new Flushes();
    const told: string[] = [];
    const wait = (name: string): void => {
      flushes.wait((error) => void told.push(`${name} ${error?.code ?? "null"}`));
    };
    wait("nothing");
    const first = flushes.enter();
    wait("one");
    const second = flushes.enter();
    wait("two");
    wait("two again");
    flushes.left(second);
    expect(told).toEqual(["nothing null"]);
    flushes.left(first);
    expect(told).toEqual(["nothing null", "one null", "two null", "two again null"]);
  });

  test("a contract says an event's lane in its definition", () => {
    const define = (lane: unknown): unknown =>
      defineProtocol({ name: "l", version: 1, events: { e: { lane } } } as never);
    expect(() => define(7)).toThrow(
      "its lane is of type number; use a name, or a function that makes a key of the payload",
    );
    expect(() => define("")).toThrow("its lane has an empty name");
    expect([
      laneNumber("a"),
      laneNumber("b"),
      contract.find("audit")?.lane?.name,
      contract.find("keyed")?.lane?.name,
      contract.find("note")?.lane,
    ]).toEqual([0xe40c292c, 0xe70c2de5, "audit", null, null]);
    const plain = defineProtocol({ name: "l", version: 1, events: { e: {} } });
    expect(
      defineProtocol({ name: "l", version: 1, events: { e: { lane: "x" } } }).fingerprint,
    ).toBe(plain.fingerprint); // the sender alone needs it
  });

  test("sessions without lanes are as they were: one lane, no LANE frames", () => {
    const pair = readyPair();
    for (let n = 0; n < 5; n++) pair.client.emit("note", n);
    const frames = framesOf(pair.client.output.copy());
    pair.flush();
    expect([frames.map(({ id }) => id), pair.client.told().length]).toEqual([[0, 0, 0, 0, 0], 5]);
  });
});
