// Items that wait encoded: decoded as they come while few wait, and else when the program asks.
import { describe, expect, test } from "vitest";
import type { Codec } from "../../src/codec/codec.ts";
import { json } from "../../src/codec/codec.ts";
import { defineProtocol } from "../../src/contract/contract.ts";
import { type } from "../../src/contract/schema.ts";
import { Backlog } from "../../src/session/backlog.ts";
import { nativeSessions } from "../../src/session/native.ts";
import type { CallSink, OutboundCall } from "../../src/session/types.ts";
import { filler } from "./by-hand.ts";
import { entryOf, Pair } from "./ends.ts";

describe("Backlog", () => {
  test(
    "gives messages back in order, whatever their lengths, and holds no more than some twice of " +
      "them",
    () => {
      const backlog = new Backlog();
      const sent: Uint8Array[] = [];
      let held = 0;
      let got = 0;
      for (let round = 0; round < 5_000; round++) {
        const message = filler((round * 7919) % 613).map((_, at) => at + round);
        backlog.push(message, 0, message.length);
        sent.push(message);
        held += message.length;
        if (round % 3 === 0 || round > 4_000) {
          backlog.shift();
          expect(backlog.bytes.slice(backlog.start, backlog.end)).toEqual(sent[got]);
          held -= sent[got]?.length ?? 0;
          got++;
        }
        expect([backlog.size, backlog.count]).toEqual([held, sent.length - got]);
        expect(backlog.bytes.length).toBeLessThanOrEqual(4 * (held + backlog.count * 4) + 4_096);
      }
      backlog.clear();
      expect([backlog.count, backlog.size, backlog.bytes.length]).toEqual([0, 0, 0]);
    },
  );
});

/**
 * Two ends whose codec counts what it decodes; the client opens streams of which nothing is taken
 * unasked.
 */
function counting(windowBytes = 1_000_000): {
  pair: Pair;
  decoded: () => number;
  open: (label?: string) => { call: OutboundCall; told: string[] };
} {
  let decoded = 0;
  const codec: Codec<unknown> = {
    name: "json",
    encode: (value, output) => {
      json().encode(value, output);
    },
    decode: (bytes, start, end) => (decoded++, json().decode(bytes, start, end)),
  };
  const contract = defineProtocol({
    name: "echo",
    version: 1,
    streams: {
      feed: { codec, input: type<unknown>(), item: type<unknown>(), send: type<unknown>() },
    },
  });
  const pair = new Pair({
    kind: nativeSessions(contract),
    limits: { windowBytes, connectionWindowBytes: 4 * windowBytes },
  }).connect();
  const open = (): { call: OutboundCall; told: string[] } => {
    const told: string[] = [];
    const sink: CallSink = {
      result: () => undefined,
      item: (value) => void told.push(String(value).slice(0, 8)),
      end: () => void told.push("end"),
      fail: (error) => void told.push(error.code),
      writable: () => undefined,
    };
    return { call: pair.client.session.open(entryOf(pair.client.kind, "feed"), 0, {}, sink), told };
  };
  return { pair, decoded: () => decoded, open };
}

const LARGE = "x".repeat(131_050); // two of them are just within the budget

describe("items that nobody asks for", () => {
  test("are decoded up to a budget of the session, and kept encoded above it", () => {
    const { pair, decoded, open } = counting();
    const streams = [open(), open(), open(), open()];
    pair.flush();
    const before = decoded();
    for (const call of pair.server.calls)
      for (let count = 0; count < 5; count++) call.send(`${String(count)}${LARGE}`);
    pair.flush();
    expect(decoded() - before).toBe(2); // of 20: a third would be above 256 KiB
    const [first] = streams;
    first?.call.consume(131_069);
    expect(first?.call.pull()).toBe(true);
    // the other was of the second stream
    expect([decoded() - before, first?.told]).toEqual([3, ["0xxxxxxx", "1xxxxxxx"]]);
  });

  test("come in order, and their end or failure behind them", () => {
    for (const ending of ["end", "fail"] as const) {
      const { pair, open } = counting();
      const { call, told } = open();
      pair.flush();
      const served = pair.server.calls.splice(0)[0];
      for (let count = 0; count < 5; count++) served?.send(`${String(count)}${LARGE}`);
      pair.flush();
      if (ending === "end") served?.end();
      else served?.fail({ name: "none", payload: null });
      pair.flush();
      expect(told).toEqual([
        "0xxxxxxx",
        "1xxxxxxx",
        ending === "end" ? "end" : "REMOTE_HANDLER_FAILED",
      ]);
      expect([call.pull(), call.pull(), call.pull(), call.pull()]).toEqual([
        true,
        true,
        true,
        false,
      ]);
      expect(told.slice(3)).toEqual(["2xxxxxxx", "3xxxxxxx", "4xxxxxxx"]);
    }
  });

  test("are decoded as they come while the program waits for one", () => {
    const { pair, decoded, open } = counting();
    const hog = open();
    const waiting = open();
    pair.flush();
    const [first, second] = pair.server.calls.splice(0);
    for (let count = 0; count < 5; count++) first?.send(`${String(count)}${LARGE}`);
    pair.flush();
    expect(waiting.call.pull()).toBe(false);
    const before = decoded();
    second?.send("a");
    second?.send("b");
    pair.flush();
    expect([decoded() - before, waiting.told, hog.told.length]).toEqual([1, ["a"], 2]);
    waiting.call.consume(19);
    expect([waiting.call.pull(), waiting.told]).toEqual([true, ["a", "b"]]);
  });

  test("tell that one is invalid in its turn, behind those that are not", () => {
    const { pair, open } = counting();
    const { call, told } = open();
    pair.flush();
    const [served] = pair.server.calls.splice(0);
    for (let count = 0; count < 4; count++) served?.send(`${String(count)}${LARGE}`);
    pair.server.session.transmit(10_000_000);
    const bytes = pair.server.take();
    bytes[bytes.length - 1] = 0x7b; // the last byte of the last item
    pair.client.session.receive(bytes, 0);
    expect(told).toEqual(["0xxxxxxx", "1xxxxxxx"]);
    expect(call.pull()).toBe(true);
    expect(call.pull()).toMatchObject({ code: "ITEM_INVALID" });
    expect(told.slice(2)).toEqual(["2xxxxxxx", "ITEM_INVALID"]);
    expect(call.pull()).toBe(false);
  });

  test("are dropped with a call of the peer that is cancelled, and their credit comes back", () => {
    const { pair, open } = counting();
    const { call } = open();
    pair.flush();
    for (let count = 0; count < 7; count++) call.send(`${String(count)}${LARGE}`);
    pair.server.onCall = () => undefined;
    const [served] = pair.server.calls;
    if (served !== undefined)
      served.sink = {
        item: () => undefined,
        end: () => undefined,
        cancelled: () => undefined,
        writable: () => undefined,
      };
    pair.flush();
    call.cancel();
    pair.flush();
    expect(served?.pull()).toBe(false);
    served?.fail({ name: "none", payload: null });
    pair.flush();
    const other = open();
    pair.flush();
    for (let count = 0; count < 7; count++) other.call.send(`${String(count)}${LARGE}`);
    pair.flush();
    expect(pair.client.session).toMatchObject({ state: "ready", queuedBytes: 0 });
  });
});

describe("events that wait", () => {
  test(
    "are decoded when they are begun, in order, with their traces, also by another greeting's " +
      "names",
    () => {
      let decoded = 0;
      const codec: Codec<unknown> = {
        name: "json",
        encode: (value, output) => {
          json().encode(value, output);
        },
        decode: (bytes, start, end) => (decoded++, json().decode(bytes, start, end)),
      };
      const contract = defineProtocol({
        name: "echo",
        version: 1,
        events: {
          a: { codec, payload: type<unknown>(), delivery: "at-least-once" },
          b: { codec, payload: type<unknown>() },
        },
      });
      const pair = new Pair({ kind: nativeSessions(contract) }).connect();
      const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
      const waiting: (() => void)[] = [];
      pair.server.onEvent = (_entry, _payload, handled) => void waiting.push(handled);
      for (let count = 0; count < 20; count++)
        pair.client.emit(count % 2 === 0 ? "a" : "b", count, count % 3 === 0 ? trace : undefined);
      pair.flush();
      expect(decoded).toBe(1);
      pair.cut();
      pair.connect(true).flush();
      for (let handled = waiting.shift(); handled !== undefined; handled = waiting.shift())
        handled();
      const heard = pair.server.told().filter((line) => line.startsWith("event"));
      expect(heard).toEqual(
        Array.from(
          { length: 20 },
          (_, count) =>
            `event ${count % 2 === 0 ? "a" : "b"} ` +
            `${String(count)}${count % 3 === 0 ? ` ${trace}` : ""}`,
        ),
      );
      expect(decoded).toBe(20);
    },
  );
});
