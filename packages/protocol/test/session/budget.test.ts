// Memory of decoded values: what codecs estimate, and what a session lets be held at once.
import { describe, expect, test } from "vitest";
import { bytes, type Codec, json, text } from "../../src/codec/codec.ts";
import { libraryCodec } from "../../src/codec/library-codec.ts";
import { Budget } from "../../src/session/calls/budget.ts";
import type { CallSink, OutboundCall } from "../../src/session/types.ts";
import { frame, head, joined, KIND, NAME, readyServer, small } from "./by-hand.ts";
import { entryOf, readyPair } from "./ends.ts";

const utf8 = (source: string): Uint8Array => new TextEncoder().encode(source);
const library = { encode: () => new Uint8Array(0), decode: () => null };

describe("a codec's estimate of decoded memory", () => {
  const estimate = (codec: Codec<never, never> | Codec<unknown>, encoded: Uint8Array): number => {
    const budget = new Budget(0); // so that bodies are looked through
    return budget.weigh(codec, encoded, 0, encoded.length);
  };
  // What 1 000 elements take on V8 and JavaScriptCore at least, as measured for footprint.ts.
  const cases: [string, string, number][] = [
    ["empty objects", `[${"{},".repeat(999)}{}]`, 1_000 * 64],
    ["empty arrays", `[${"[],".repeat(999)}[]]`, 1_000 * 72],
    ["nested arrays", "[".repeat(1_000) + "]".repeat(1_000), 1_000 * 64],
    ["arrays of an object", `[${"[{}],".repeat(999)}[{}]]`, 1_000 * 120],
    [
      "distinct keys",
      `{${Array.from({ length: 1_000 }, (_, at) => `"k${String(at)}":0`).join()}}`,
      1_000 * 80,
    ],
    [
      "objects of distinct shapes",
      `[${Array.from({ length: 1_000 }, (_, at) => `{"k${String(at)}":0}`).join()}]`,
      1_000 * 180,
    ],
    ["small numbers", `[${"0,".repeat(999)}0]`, 1_000 * 8],
    ["numbers among texts", `[""${",1e1".repeat(999)}]`, 1_000 * 24],
    [
      "short texts",
      `[${Array.from({ length: 1_000 }, (_, at) => `"t${String(at)}"`).join()}]`,
      1_000 * 32,
    ],
  ];
  test.each(cases)("covers JSON with %s, and is not far above", (_, source, least) => {
    const estimated = estimate(json(), utf8(source));
    expect(estimated).toBeGreaterThanOrEqual(least);
    expect(estimated).toBeLessThan(least * 4);
  });

  test("takes a long text for what it is", () => {
    expect(estimate(json(), utf8(`"${"x".repeat(100_000)}"`))).toBeLessThan(210_000);
    expect(estimate(text(), utf8("x".repeat(100_000)))).toBeLessThan(210_000);
    expect(estimate(bytes(), new Uint8Array(100_000))).toBeLessThan(110_000);
    expect(estimate(bytes(), new Uint8Array(1))).toBeGreaterThan(200); // a view
  });

  test("reads MessagePack and CBOR: a byte may be a map, or one of many in a text", () => {
    const msgpack = libraryCodec("msgpack", library);
    const cbor = libraryCodec("cbor", library);
    expect(
      estimate(msgpack, Uint8Array.of(0xdc, 0x03, 0xe8, ...new Array<number>(1_000).fill(0x80))),
    ).toBeGreaterThanOrEqual(72_000);
    expect(
      estimate(cbor, Uint8Array.of(0x99, 0x03, 0xe8, ...new Array<number>(1_000).fill(0xa0))),
    ).toBeGreaterThanOrEqual(72_000);
    const long = new Uint8Array(60_000).fill(0x80);
    // a binary of 60 000 bytes
    expect(estimate(msgpack, joined(Uint8Array.of(0xc5, 0xea, 0x60), long))).toBeLessThan(130_000);
    expect(estimate(cbor, joined(Uint8Array.of(0x59, 0xea, 0x60), long))).toBeLessThan(130_000);
    expect(estimate(msgpack, joined(Uint8Array.of(0xda, 0xea, 0x60), long))).toBeLessThan(130_000);
    for (const first of Array.from({ length: 256 }, (_, at) => at)) {
      for (const codec of [msgpack, cbor])
        // what is cut short
        expect(estimate(codec, Uint8Array.of(first, 0xff, 0xff, 0xff, 0xff))).toBeLessThan(1_000);
    }
  });

  test("is the worst of a library that says nothing, and its own of one that does", () => {
    expect(estimate(libraryCodec("other", library), new Uint8Array(1_000))).toBe(80_256);
    expect(
      estimate(libraryCodec("msgpack", { ...library, expansion: 3 }), new Uint8Array(1_000)),
    ).toBe(3_256);
  });
});

describe("inputs", () => {
  const objects = (count: number): object[] => Array.from({ length: count }, () => ({}));

  test(
    "of requests that are not answered take so much memory at most; the next is told OVERLOADED, " +
      "and one alone is always served",
    () => {
      const pair = readyPair({ limits: { maxDecodedBytes: 100_000 } });
      pair.client.open("say", objects(3_000), {}, "alone"); // some 225 000 bytes
      pair.client.open("say", 1, {}, "next");
      pair.flush();
      expect(pair.client.told()).toEqual(["next fail OVERLOADED"]);
      pair.server.calls.splice(0)[0]?.reply(null);
      for (let count = 0; count < 4; count++)
        pair.client.open("say", objects(400), {}, String(count)); // some 35 000 each
      pair.flush();
      expect(pair.client.told()).toEqual([
        "alone result null",
        "2 fail OVERLOADED",
        "3 fail OVERLOADED",
      ]);
      pair.server.calls.splice(0)[0]?.fail({ name: "rude", payload: 1 });
      pair.client.open("say", objects(400), {}, "later");
      pair.flush();
      expect([pair.client.told(), pair.server.calls.length]).toEqual([
        ["0 fail NAMED_ERROR(rude 1)"],
        1,
      ]);
    },
  );

  test(
    "of streams count in the same way, also when their connection is lost, until their handlers " +
      "have ended",
    () => {
      const pair = readyPair({ limits: { maxDecodedBytes: 100_000 } });
      pair.client.open("count", objects(1_000));
      pair.flush();
      pair.cut();
      pair.connect(true);
      pair.told();
      pair.client.open("say", objects(1_000), {}, "early");
      pair.flush();
      expect(pair.client.told()).toEqual(["early fail OVERLOADED"]);
      pair.server.calls.splice(0)[0]?.end();
      pair.client.open("say", objects(1_000), {}, "served");
      pair.flush();
      expect(pair.client.told()).toEqual([]);
    },
  );

  test("as large as maxMessageBytes hold up no small call, also where that was raised", () => {
    const pair = readyPair({ limits: { maxMessageBytes: 33_554_432, maxQueuedBytes: 67_108_864 } });
    pair.client.open("say", "x".repeat(33_554_000), {}, "large");
    pair.flush();
    pair.client.open("say", 1, {}, "small");
    pair.flush();
    expect(pair.server.calls.length).toBe(2);
    pair.server.calls[1]?.reply(2);
    pair.flush();
    expect(pair.client.told()).toEqual(["small result 2"]);
  });

  test("are weighed without being looked through while little is held", () => {
    const budget = new Budget(1_000_000);
    let looks = 0;
    const codec: Codec<unknown> = {
      ...json(),
      name: "json",
      expansion: 40,
      decode: () => null,
      encode: () => undefined,
      footprint: () => (looks++, 1_000),
    };
    for (let count = 0; count < 100; count++)
      budget.hold(budget.weigh(codec, new Uint8Array(400), 0, 400));
    expect(looks).toBeGreaterThan(80);
    expect(looks).toBeLessThan(96);
  });
});

describe("items that programs have in hand", () => {
  const limits = {
    ...small,
    maxMessageBytes: 1_000_000,
    windowBytes: 1_000_000,
    connectionWindowBytes: 10_000_000,
    maxDecodedBytes: 200_000,
    maxConversations: 100,
  };
  const expanding = `[${"{},".repeat(999)}{}]`; // some 90 000 bytes of memory
  const streams = (count: number): { end: ReturnType<typeof readyServer>; told: string[] } => {
    const end = readyServer({ limits });
    const told: string[] = [];
    end.onCall = (call) => {
      const label = String(end.calls.length);
      call.sink = {
        item: (_value, cost) => {
          told.push(label);
          call.consume(cost);
        },
        end: () => void told.push(`${label} end`),
        cancelled: (error) => void told.push(`${label} ${error.code}`),
        writable: () => undefined,
      };
    };
    for (let at = 0; at < count; at++)
      end.session.receive(frame(KIND.STREAM, 1 + 2 * at, head(NAME.talk, 8), "1"), 0);
    for (const call of end.calls) call.pull();
    return { end, told };
  };
  const item = (stream: number, body = expanding): Uint8Array =>
    frame(KIND.ITEM, 2 * stream - 1, body);

  test("take so much memory at most: others wait, encoded, until one is put down", () => {
    const { end, told } = streams(5);
    end.session.receive(joined(...[1, 2, 3, 4, 5].map((at) => item(at))), 0);
    expect(told).toEqual(["1", "2"]);
    end.calls[0]?.pull();
    expect(told).toEqual(["1", "2", "3"]);
    end.calls[1]?.end();
    expect(told).toEqual(["1", "2", "3", "4"]);
    end.session.receive(joined(frame(KIND.CANCEL, 5), frame(KIND.CANCEL, 7)), 0);
    // their handlers still have the items
    expect(told.slice(4)).toEqual(["3 CALL_CANCELLED", "4 CALL_CANCELLED"]);
    end.calls[2]?.end();
    expect(told.slice(6)).toEqual(["5"]);
  });

  test("are put down by asking for the next, which waits behind others that waited before", () => {
    const { end, told } = streams(3);
    end.session.receive(joined(item(1), item(2), item(3), item(1)), 0);
    expect(told).toEqual(["1", "2"]);
    expect(end.calls[0]?.pull()).toBe("later");
    expect(told).toEqual(["1", "2", "3"]);
    expect(end.calls[1]?.pull()).toBe(false);
    expect(told).toEqual(["1", "2", "3", "1"]);
  });

  test("of one stream are always taken, one at a time, however large", () => {
    const { end, told } = streams(1);
    const large = `[${"{},".repeat(9_999)}{}]`;
    for (let count = 0; count < 3; count++) end.session.receive(item(1, large), 0);
    expect(told).toEqual(["1"]);
    expect([end.calls[0]?.pull(), end.calls[0]?.pull(), end.calls[0]?.pull()]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test("that are small never wait", () => {
    const { end, told } = streams(2);
    end.session.receive(
      joined(item(1, `[${"{},".repeat(9_999)}{}]`), item(2, "1"), item(2, "2")),
      0,
    );
    expect(told).toEqual(["1", "2", "2"]);
  });

  test("of a call that has ended are told behind the end, and so is that one is invalid", () => {
    const pair = readyPair({ limits });
    const told: string[] = [];
    const open = (label: string): OutboundCall => {
      const sink: CallSink = {
        result: () => undefined,
        item: () => void told.push(label),
        end: () => void told.push(`${label} end`),
        fail: (error) => void told.push(`${label} ${error.code}`),
        writable: () => undefined,
      };
      return pair.client.session.open(entryOf(pair.client.kind, "count"), 1, {}, sink);
    };
    const [one, other] = [open("1"), open("2")];
    pair.flush();
    one.pull();
    other.pull();
    pair.client.session.receive(
      joined(
        frame(KIND.ITEM, 1, `[${"{},".repeat(9_999)}{}]`),
        frame(KIND.ITEM, 3, expanding),
        frame(KIND.ITEM, 3, `${expanding}{`),
        frame(KIND.END, 3),
      ),
      0,
    );
    expect(told).toEqual(["1", "2 end"]);
    one.pull();
    expect(told).toEqual(["1", "2 end", "2"]);
    expect(other.pull()).toMatchObject({ code: "ITEM_INVALID" });
  });
});
