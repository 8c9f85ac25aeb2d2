// Conversations: what both ends see of requests and streams, their credit, cancels and deadlines.
import { describe, expect, test } from "vitest";
import { bytes as bytesCodec, text } from "../../src/codec/codec.ts";
import { defineProtocol } from "../../src/contract/contract.ts";
import { HawserError } from "../../src/errors.ts";
import { type Schema, type } from "../../src/contract/schema.ts";
import { nativeSessions } from "../../src/session/native.ts";
import type { SessionKind } from "../../src/session/types.ts";
import {
  frame,
  head,
  joined,
  KIND,
  linesOf,
  NAME,
  readyClient,
  readyServer,
  SIGNATURE,
  small,
  u32,
  waitingClient,
  welcome,
} from "./by-hand.ts";
import { entryOf, Pair, readyPair } from "./ends.ts";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const LARGE = "x".repeat(200_000);

/** A schema that takes numbers above 0, and gives ten times as many to the receiver. */
const positive: Schema<number> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) =>
      typeof value === "number" && value > 0
        ? { value: value * 10 }
        : { issues: [{ message: "is not above 0", path: ["amount"] }] },
  },
};
/** One that fails for 13. */
const unlucky: Schema<number> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => {
      if (value === 13) throw new Error("secret");
      return { value: value as number };
    },
  },
};

const checked = nativeSessions(
  defineProtocol({
    name: "checked",
    version: 1,
    requests: {
      double: { input: positive, output: positive, errors: { broke: positive } },
      lucky: { input: unlucky },
    },
    streams: { numbers: { input: positive, item: positive, send: positive } },
    events: { paid: { payload: positive, delivery: "at-least-once" } },
  }),
);

test("credit for a stream that has begun to come counts when it is whole", () => {
  const server = readyServer({ limits: { ...small, windowBytes: 100 } });
  const opening = joined(head(NAME.count), Uint8Array.of(0x31));
  server.session.receive(frame(KIND.STREAM | 0x80, 1, opening.subarray(0, 2)), 0);
  server.session.receive(frame(KIND.CREDIT, 1, u32(1_000)), 0);
  server.session.receive(frame(KIND.STREAM, 1, opening.subarray(2)), 0);
  const [call] = server.calls;
  expect([
    call?.send("x".repeat(200)),
    call?.send("x".repeat(700)),
    call?.send("x".repeat(700)),
  ]).toEqual([true, true, false]);
});

test(
  "after DRAIN its sender opens nothing: what had an id and had not begun is told so, and the " +
    "peer ends the session for a new opening",
  () => {
    const pair = readyPair({ limits: { maxMessageBytes: 1_000_000, maxPartials: 1 } });
    pair.client.open("say", "x".repeat(200_000), {}, "begun");
    pair.client.open("say", "y".repeat(200_000), {}, "not begun");
    pair.client.session.drain();
    expect(pair.client.told()).toEqual(["not begun fail DRAINING"]);
    pair.server.onCall = (call) => void call.reply(1);
    pair.flush();
    expect(pair.client.told()).toEqual(["begun result 1", "over null"]);
    const server = readyServer();
    server.session.receive(frame(KIND.REQUEST, 1, head(NAME.say), "1"), 0);
    server.session.receive(frame(KIND.DRAIN, 0), 0);
    server.session.receive(frame(KIND.REQUEST, 3, head(NAME.say), "1"), 0);
    expect(server.told()).toEqual([
      "call say 1",
      "draining",
      "say cancelled PROTOCOL_VIOLATION",
      "over PROTOCOL_VIOLATION",
    ]);
  },
);

test("a FAIL's path is a list of names and indexes, or the session ends", () => {
  for (const [path, outcome] of [
    [["a", 0], "say fail INPUT_INVALID"],
    [[], "say fail INPUT_INVALID"],
    [1, "over PROTOCOL_VIOLATION"],
    ["a", "over PROTOCOL_VIOLATION"],
    [null, "over PROTOCOL_VIOLATION"],
    [[{}], "over PROTOCOL_VIOLATION"],
    [[1.5], "over PROTOCOL_VIOLATION"],
    [[-1], "over PROTOCOL_VIOLATION"],
  ] as const) {
    const client = readyClient();
    client.open("say", 1);
    client.take();
    client.session.receive(
      frame(KIND.FAIL, 1, JSON.stringify({ code: "INPUT_INVALID", message: "", path })),
      0,
    );
    expect([path, client.told().at(-1)]).toEqual([path, outcome]);
  }
});

describe("a request", () => {
  test("is answered with what the handler replies, and its id is used again", () => {
    const pair = readyPair();
    pair.server.onCall = (call) => void call.reply({ heard: call.input });
    for (let round = 0; round < 3; round++) {
      pair.client.open("say", "hi");
      expect(pair.client.session.openCalls).toBe(1);
      pair.flush();
      expect(pair.told()).toEqual({
        client: ['say result {"heard":"hi"}'],
        server: ['call say "hi"'],
      });
      expect([pair.client.session.openCalls, pair.server.session.openCalls]).toEqual([0, 0]);
    }
  });

  test("may be nothing, and be answered with nothing", () => {
    const pair = readyPair();
    pair.server.onCall = (call) => void call.reply(undefined);
    pair.client.open("say");
    pair.flush();
    expect(pair.told()).toEqual({ client: ["say result nothing"], server: ["call say nothing"] });
  });

  test("goes from the server to the client where the contract says so, and nowhere else", () => {
    const pair = readyPair();
    pair.client.onCall = (call) => void call.reply(42);
    pair.server.open("ask", "?");
    pair.flush();
    expect(pair.told()).toEqual({ client: ['call ask "?"'], server: ["ask result 42"] });
    expect(() => pair.client.open("ask")).toThrow(
      new TypeError('Cannot open "ask": the contract leaves it to the server'),
    );
    expect(() => pair.client.open("note")).toThrow(
      new TypeError('Cannot open "note": it is an event'),
    );
    expect(() => pair.client.emit("say")).toThrow(
      new TypeError('Cannot emit "say": it is a request'),
    );
  });

  test("carries its trace, and the time that is left", () => {
    const pair = readyPair();
    pair.nowMs = 100;
    pair.client.open("say", 1, { timeoutMs: 250, nowMs: 40, trace: TRACE });
    pair.client.open("say", 2, { trace: "nonsense", timeoutMs: Infinity });
    pair.flush();
    const [first, second] = pair.server.calls;
    expect([first?.deadlineMs, first?.trace]).toEqual([350, TRACE]); // counted from the arrival
    expect([second?.deadlineMs, second?.trace]).toEqual([Infinity, null]);
  });

  test.each([0.2, 0, -5])(
    "with a timeout of %d ms says 1 ms, and fails at the next tick",
    (timeoutMs) => {
      const pair = readyPair();
      pair.client.open("say", 1, { timeoutMs, nowMs: 1000 });
      expect(pair.client.session.deadline()).toBe(1000 + timeoutMs);
      pair.client.session.tick(1001);
      expect(pair.client.told()).toEqual(["say fail DEADLINE_EXCEEDED"]);
      expect(linesOf(pair.client.take())).toEqual([
        "REQUEST 1 0003010000000131",
        "CANCEL 1 41 bytes",
      ]);
    },
  );

  test("whose timeout no field can say says the most that one can", () => {
    const client = readyClient();
    client.open("say", undefined, { timeoutMs: 2 ** 40 });
    expect(linesOf(client.take())).toEqual(["REQUEST 1 000301ffffffff"]);
  });

  test("fails at its deadline on both ends; the answer that comes later is not sent", () => {
    const pair = readyPair();
    const call = pair.client.open("say", 1, { timeoutMs: 100 });
    pair.flush();
    for (const end of [pair.client, pair.server]) {
      expect(end.session.deadline()).toBe(100);
      end.session.tick(99);
      expect(end.log.filter((line) => !line.startsWith("call"))).toEqual([]);
      end.session.tick(100);
    }
    expect(pair.told()).toEqual({
      client: ["say fail DEADLINE_EXCEEDED"],
      server: ["call say 1", "say cancelled DEADLINE_EXCEEDED"],
    });
    call.cancel();
    const [served] = pair.server.calls;
    expect(served?.cancellation?.code).toBe("DEADLINE_EXCEEDED");
    expect(served?.reply("late")).toBeNull();
    expect(linesOf(pair.server.take())).toEqual([
      'FAIL 1 {"code":"DEADLINE_EXCEEDED","message":"the deadline passed"}',
    ]);
    expect(pair.server.session.openCalls).toBe(0);
  });

  test("that is cancelled fails at once; the handler is told, and what it answers is FAIL", () => {
    const pair = readyPair();
    const call = pair.client.open("say", 1);
    pair.flush();
    call.cancel();
    call.cancel();
    expect(pair.client.told()).toEqual(["say fail CALL_CANCELLED"]);
    // until the peer has answered: its id can't be used before
    expect(pair.client.session.openCalls).toBe(1);
    pair.flush();
    expect(pair.server.told()).toEqual(["call say 1", "say cancelled CALL_CANCELLED"]);
    pair.server.calls[0]?.reply("late");
    pair.server.calls[0]?.reply("twice");
    pair.server.calls[0]?.fail(new HawserError("OVERLOADED", "thrice"));
    expect(linesOf(pair.server.output.copy())).toEqual([
      'FAIL 1 {"code":"CANCELLED","message":"cancelled by its opener"}',
    ]);
    pair.flush();
    expect([
      pair.client.session.openCalls,
      pair.server.session.openCalls,
      pair.client.told(),
    ]).toEqual([0, 0, []]);
  });

  test("is cancelled with the reason that the caller gives", () => {
    const pair = readyPair();
    pair.client.open("say", 1).cancel(new HawserError("ABORTED", "by the user"));
    expect(pair.client.told()).toEqual(["say fail ABORTED"]);
  });

  test("that is larger than a frame goes in pieces, between which others pass", () => {
    const pair = readyPair();
    pair.server.onCall = (call) =>
      void call.reply(typeof call.input === "string" ? call.input.length : call.input);
    pair.client.open("say", LARGE, {}, "large");
    pair.client.open("say", 7, {}, "small");
    expect(linesOf(pair.client.output.copy()).map((line) => line.slice(0, 11))).toEqual([
      "REQUEST+ 1 ",
      "REQUEST 3 0",
    ]);
    expect(pair.client.session.queuedBytes).toBe(200_005);
    pair.flush();
    expect(pair.client.told()).toEqual(["small result 7", "large result 200000"]);
    expect(pair.client.session.queuedBytes).toBe(0);
  });

  test("takes turns with other large ones, as many as the peer lets begin", () => {
    const client = readyClient(); // the peer by hand takes 2 at once, and at most 100 000 bytes
    for (let count = 0; count < 4; count++) client.open("say", "x".repeat(90_000));
    const lines: string[] = [];
    while (client.session.transmit(1))
      lines.push(...linesOf(client.take()).map((line) => line.slice(0, 10)));
    lines.push(...linesOf(client.take()).map((line) => line.slice(0, 10)));
    expect(lines).toEqual([
      "REQUEST+ 1",
      "REQUEST 1 ",
      "REQUEST+ 3",
      "REQUEST+ 5",
      "REQUEST 3 ",
      "REQUEST 5 ",
      "REQUEST+ 7",
      "REQUEST 7 ",
    ]);
  });

  test("that is cancelled before it begins to leave is never seen; its id is free", () => {
    const client = readyClient();
    client.open("say", "x".repeat(90_000));
    client.open("say", "x".repeat(90_000));
    const third = client.open("say", "x".repeat(90_000));
    client.take();
    third.cancel();
    expect([client.told(), client.take().length, client.session.openCalls]).toEqual([
      ["say fail CALL_CANCELLED"],
      0,
      2,
    ]);
    client.open("say", 1);
    expect(linesOf(client.take())).toEqual(["REQUEST 5 00030031"]);
  });

  test("that is cancelled between its pieces ends with CANCEL and one FAIL, and its id is free then", () => {
    const pair = readyPair();
    const large = pair.client.open("say", LARGE);
    const first = pair.client.take();
    large.cancel();
    expect([
      linesOf(pair.client.output.copy()),
      pair.client.session.openCalls,
      pair.client.session.queuedBytes,
    ]).toEqual([["CANCEL 1"], 1, 0]);
    pair.server.session.receive(first, 0);
    expect([pair.server.told(), pair.server.session.openCalls]).toEqual([[], 1]);
    pair.server.session.receive(pair.client.take(), 0);
    expect([linesOf(pair.server.output.copy()), pair.server.session.openCalls]).toEqual([
      ['FAIL 1 {"code":"CANCELLED","message":"cancelled by its opener"}'],
      0,
    ]);
    pair.flush();
    expect([pair.client.told(), pair.client.session.openCalls]).toEqual([
      ["say fail CALL_CANCELLED"],
      0,
    ]);
    pair.client.open("say", 2);
    expect(linesOf(pair.client.output.copy())).toEqual(["REQUEST 1 00030032"]);
    pair.flush();
    expect(pair.server.told()).toEqual(["call say 2"]);
  });

  test("that is answered between its pieces stops with CANCEL, and its id is free", () => {
    const client = readyClient();
    client.open("say", "x".repeat(90_000));
    expect(linesOf(client.take())).toEqual(["REQUEST+ 1 65536 bytes"]);
    client.session.receive(frame(KIND.FAIL, 1, '{"code":"OVERLOADED","message":""}'), 0);
    expect([
      client.told(),
      linesOf(client.take()),
      client.session.openCalls,
      client.session.queuedBytes,
    ]).toEqual([["say fail OVERLOADED"], ["CANCEL 1"], 0, 0]);
    client.open("talk", "x".repeat(90_000));
    client.take();
    client.session.receive(joined(frame(KIND.ITEM, 1, "1"), frame(KIND.END, 1)), 0);
    expect([client.told(), linesOf(client.take()), client.session.openCalls]).toEqual([
      ["talk item 1", "talk end"],
      ["CANCEL 1"],
      0,
    ]);
    client.session.transmit(1_000_000);
    client.open("say", 1);
    expect(linesOf(client.take())).toEqual(["REQUEST 1 00030031"]);
  });

  test("that is answered before its first piece is out ends the session", () => {
    const client = readyClient();
    // the peer lets two be unfinished
    for (let count = 0; count < 3; count++) client.open("say", "x".repeat(90_000));
    client.session.receive(frame(KIND.RESULT, 5, "1"), 0);
    expect(client.log.at(-1)).toBe("over PROTOCOL_VIOLATION");
  });

  test("waits here when the peer takes no more, and is opened when one has ended, in order", () => {
    const client = readyClient({ limits: { maxQueuedCalls: 3 } });
    for (let count = 0; count < 4; count++) client.open("say");
    client.take();
    const waiting = [
      client.open("say", 5, {}, "five"),
      client.open("say", 6, { timeoutMs: 1_000, nowMs: 0 }, "six"),
      client.open("say", 7, {}, "seven"),
    ];
    expect(() => client.open("say")).toThrow(
      expect.objectContaining({ code: "OVERLOADED", origin: "local", retryable: true }),
    );
    expect([linesOf(client.take()), client.session.openCalls]).toEqual([[], 7]);
    client.session.receive(frame(KIND.RESULT, 3), 0);
    expect(linesOf(client.take())).toEqual(["REQUEST 3 00030035"]);
    waiting[0]?.cancel(); // it is open: the peer's answer to CANCEL makes room
    waiting[2]?.cancel(); // it never was
    client.open("say", 8, {}, "eight");
    expect(linesOf(client.take())).toEqual(["CANCEL 3"]);
    client.session.receive(
      joined(frame(KIND.FAIL, 3, '{"code":"CANCELLED","message":""}'), frame(KIND.RESULT, 5)),
      400,
    );
    // 600 ms are left
    expect(linesOf(client.take())).toEqual(["REQUEST 3 0003010000025836", "REQUEST 5 00030038"]);
    expect(client.log.slice(-3)).toEqual([
      "five fail CALL_CANCELLED",
      "seven fail CALL_CANCELLED",
      "say result nothing",
    ]);
  });

  test(
    "that waits here fails at its deadline, is not sent when the connection is lost, and is " +
      "refused when the peer drains",
    () => {
      const client = readyClient({ limits: { maxQueuedBytes: 1_000 } });
      for (let count = 0; count < 4; count++) client.open("say");
      client.take();
      client.open("say", 1, { timeoutMs: 100, nowMs: 0 }, "late");
      expect(client.session.deadline()).toBe(100);
      client.open("say", 2, {}, "lost");
      expect(client.session.queuedBytes).toBe(12);
      expect(() => client.open("say", "x".repeat(1_000))).toThrow(
        expect.objectContaining({ code: "WRITE_BUFFER_FULL" }),
      );
      expect(() => client.open("say", "x".repeat(100_000))).toThrow(
        expect.objectContaining({ code: "PAYLOAD_TOO_LARGE" }),
      );
      client.session.tick(100);
      expect([client.log.at(-1), client.session.queuedBytes, linesOf(client.take())]).toEqual([
        "late fail DEADLINE_EXCEEDED",
        4,
        [],
      ]);
      client.session.lost(100);
      expect(client.log.slice(-5)).toEqual([
        ...Array<string>(4).fill("say fail SESSION_LOST"),
        "lost fail NOT_SENT",
      ]);
      expect([client.session.openCalls, client.session.queuedBytes]).toEqual([0, 0]);
      const drained = readyClient();
      for (let count = 0; count < 5; count++) drained.open("say", undefined, {}, String(count));
      drained.session.receive(frame(KIND.DRAIN, 0), 0);
      expect(drained.log.slice(-2)).toEqual(["4 fail DRAINING", "draining"]);
      expect(drained.session.openCalls).toBe(4);
    },
  );

  test("that waits here may be a stream, to which items are sent and which is ended meanwhile", () => {
    const client = readyClient();
    for (let count = 0; count < 4; count++) client.open("say");
    client.take();
    const call = client.open("talk", "in");
    expect(call.send(1)).toBe(false);
    call.end();
    expect(() => call.send(2)).toThrow(TypeError);
    client.open("talk", "left").cancel();
    expect(linesOf(client.take())).toEqual([]);
    client.session.receive(frame(KIND.RESULT, 7), 0);
    expect(linesOf(client.take())).toEqual(["STREAM 7 00050822696e22", "ITEM 7 1", "END 7"]);
  });

  test("many calls at once are all answered, on both sides", () => {
    const pair = readyPair();
    pair.server.onCall = (call) => void call.reply(call.input);
    for (let count = 0; count < 5_000; count++) pair.client.open("say", count);
    pair.flush();
    expect(pair.client.told()).toEqual(
      Array.from({ length: 5_000 }, (_, count) => `say result ${String(count)}`),
    );
    expect([pair.client.session.openCalls, pair.client.session.queuedBytes]).toEqual([0, 0]);
  });

  test("whose handler fails tells the opener no more than that", () => {
    const pair = readyPair();
    pair.server.onCall = (call) => {
      expect(
        call.fail(new HawserError("PATH_NOT_FOUND", "/etc/secret", { cause: new Error("secret") })),
      ).toBeNull();
    };
    pair.client.open("say", 1);
    expect(pair.client.log).toEqual([]);
    pair.server.session.receive(pair.client.take(), 0);
    expect(new TextDecoder().decode(pair.server.output.copy())).not.toContain("secret");
    pair.flush();
    expect(pair.client.told()).toEqual(["say fail REMOTE_HANDLER_FAILED"]);
  });

  test("is not the opener's fault where the handler's own values are wrong", () => {
    const pair = readyPair();
    for (const code of ["INPUT_INVALID", "ITEM_INVALID", "OUTPUT_INVALID"] as const) {
      for (const origin of ["local", "remote"] as const) {
        pair.server.onCall = (call) =>
          void call.fail(new HawserError(code, "", { origin, path: ["x"] }));
        pair.client.open("say", 1);
        pair.flush();
      }
    }
    expect(pair.client.told().map((line) => line.slice(9))).toEqual([
      "REMOTE_HANDLER_FAILED",
      "INPUT_INVALID",
      "REMOTE_HANDLER_FAILED",
      "ITEM_INVALID",
      "REMOTE_HANDLER_FAILED",
      "REMOTE_HANDLER_FAILED",
    ]);
  });

  test("fails with what the peer says of it, if it says anything", () => {
    const client = readyClient();
    const texts: string[] = [];
    const none = (): void => undefined;
    for (const message of ["too busy", ""]) {
      client.session.open(
        entryOf(client.kind, "say"),
        1,
        {},
        {
          result: none,
          item: none,
          end: none,
          fail: (error) => void texts.push(error.message),
          writable: none,
        },
      );
      client.session.receive(
        frame(KIND.FAIL, 1, JSON.stringify({ code: "OVERLOADED", message })),
        0,
      );
    }
    expect(texts).toEqual([
      '"say" was not handled, because the peer has too much to do: too busy',
      '"say" was not handled, because the peer has too much to do',
    ]);
  });

  test("fails with an error that the contract names", () => {
    const pair = readyPair();
    pair.server.onCall = (call) => {
      expect(call.fail({ name: "rude", payload: { word: "!" } })).toBeNull();
    };
    pair.client.open("say", 1);
    pair.flush();
    expect(pair.client.told()).toEqual(['say fail NAMED_ERROR(rude {"word":"!"})']);
  });

  test("fails with an error whose payload is larger than a frame", () => {
    const pair = readyPair();
    pair.server.onCall = (call) => void call.fail({ name: "rude", payload: LARGE });
    pair.client.open("say", 1);
    pair.flush();
    expect(pair.client.told()).toEqual(['say fail NAMED_ERROR(rude "xxxxxxxxxxxxxxx…200002)']);
  });

  test.each<[string, object | null, string, string]>([
    [
      "that the contract does not name",
      { name: "polite", payload: 1 },
      "OUTPUT_INVALID",
      "the answer is not what the responder's contract says",
    ],
    [
      "whose payload JSON has no text for",
      { name: "rude", payload: 1n },
      "PAYLOAD_FORBIDDEN",
      "the handler failed",
    ],
    [
      "whose payload is larger than what the opener takes",
      { name: "rude", payload: "x".repeat(1_100_000) },
      "PAYLOAD_TOO_LARGE",
      "the answer is larger than what the opener takes",
    ],
  ])(
    "that fails with an error %s fails otherwise, and the responder is told why",
    (_, failure, here, message) => {
      const pair = readyPair();
      pair.server.onCall = (call) => {
        expect(call.fail(failure as { name: string; payload: unknown })?.code).toBe(here);
        expect(linesOf(pair.server.output.copy())).toEqual([
          `FAIL 1 ${JSON.stringify({ code: "HANDLER_FAILED", message })}`,
        ]);
      };
      pair.client.open("say", 1);
      pair.flush();
      expect(pair.client.told()).toEqual(["say fail REMOTE_HANDLER_FAILED"]);
    },
  );

  test.each<[string, unknown, string, string]>([
    ["JSON has no text for", 1n, "PAYLOAD_FORBIDDEN", "the handler failed"],
    [
      "is larger than what the opener takes",
      "x".repeat(1_100_000),
      "PAYLOAD_TOO_LARGE",
      "the answer is larger than what the opener takes",
    ],
  ])("whose answer %s fails, and the responder is told why", (_, answer, here, message) => {
    const pair = readyPair();
    pair.server.onCall = (call) => {
      expect(call.reply(answer)?.code).toBe(here);
      expect(linesOf(pair.server.output.copy())).toEqual([
        `FAIL 1 ${JSON.stringify({ code: "HANDLER_FAILED", message })}`,
      ]);
    };
    pair.client.open("say", 1);
    pair.flush();
    expect(pair.client.told()).toEqual(["say fail REMOTE_HANDLER_FAILED"]);
    expect(pair.server.session.openCalls).toBe(0);
  });

  test("whose answer finds the output full fails as overloaded", () => {
    const pair = readyPair({}, { limits: { maxQueuedBytes: 100_000 } });
    const errors: unknown[] = [];
    pair.server.onCall = (call) => errors.push(call.reply("x".repeat(90_000))?.code);
    for (let count = 0; count < 3; count++) pair.client.open("say", count);
    pair.flush();
    expect(errors).toEqual([undefined, "WRITE_BUFFER_FULL", "WRITE_BUFFER_FULL"]);
    expect(pair.client.told().sort()).toEqual([
      "say fail OVERLOADED",
      "say fail OVERLOADED",
      'say result "xxxxxxxxxxxxxxx…90002',
    ]);
  });

  test(
    "can't be opened with an input that can't be sent; nothing is open then, and nothing was " +
      "written",
    () => {
      const pair = readyPair({ limits: { maxQueuedBytes: 100_000 } });
      const before = pair.client.output.length;
      for (const [input, code] of [
        [1n, "PAYLOAD_FORBIDDEN"],
        ["x".repeat(1_100_000), "PAYLOAD_TOO_LARGE"],
      ] as const) {
        expect(() => pair.client.open("say", input)).toThrow(expect.objectContaining({ code }));
      }
      pair.client.open("say", "x".repeat(90_000));
      expect(() => pair.client.open("say", "x".repeat(70_000))).toThrow(
        expect.objectContaining({ code: "WRITE_BUFFER_FULL", retryable: true }),
      );
      expect([pair.client.session.openCalls, before]).toEqual([1, 0]);
      pair.flush();
      expect(pair.server.told()).toEqual(['call say "xxxxxxxxxxxxxxx…90002']);
    },
  );

  test("is answered once, also while its answer waits", () => {
    const server = readyServer();
    for (const id of [1, 3, 5]) server.session.receive(frame(KIND.REQUEST, id, head(NAME.say)), 0);
    for (const call of server.calls) {
      call.reply("x".repeat(90_000)); // the peer by hand takes two at once
      expect([call.reply("again"), call.fail(new HawserError("OVERLOADED", ""))]).toEqual([
        null,
        null,
      ]);
    }
    server.session.receive(frame(KIND.CANCEL, 5), 0); // its answer has not begun
    const lines = linesOf(server.take()).map((line) => line.slice(0, 9));
    while (server.session.transmit(1))
      lines.push(...linesOf(server.take()).map((line) => line.slice(0, 9)));
    lines.push(...linesOf(server.take()).map((line) => line.slice(0, 9)));
    expect(lines).toEqual(["RESULT+ 1", 'FAIL 5 {"', "RESULT 1 ", "RESULT+ 3", "RESULT 3 "]);
    expect([server.session.openCalls, server.session.queuedBytes]).toEqual([0, 0]);
  });

  test("fills the room that there is, and no more; what is in the output counts", () => {
    const size = 9 + 3 + 2 + 70_000;
    for (const [maxQueuedBytes, fits] of [
      [size, true],
      [size - 1, false],
    ] as const) {
      const pair = readyPair({ limits: { maxQueuedBytes } });
      const open = (): unknown => pair.client.open("say", "x".repeat(70_000));
      if (fits) expect(open).not.toThrow();
      else expect(open).toThrow(expect.objectContaining({ code: "WRITE_BUFFER_FULL" }));
    }
    const pair = readyPair({ limits: { maxQueuedBytes: 150_000 } });
    pair.client.open("say", "x".repeat(70_000));
    expect(() => pair.client.open("say", "x".repeat(70_000))).toThrow(
      expect.objectContaining({ code: "WRITE_BUFFER_FULL" }),
    );
    pair.flush();
    pair.client.open("say", "x".repeat(70_000));
  });

  test("has one way to be answered", () => {
    const pair = readyPair();
    pair.client.open("say", 1);
    pair.flush();
    const [call] = pair.server.calls;
    expect(() => call?.end()).toThrow(
      new TypeError('Cannot end "say": it is a request; use reply()'),
    );
    expect(() => call?.send(1)).toThrow(
      new TypeError('Cannot send an item with "say": its responder sends none'),
    );
    expect(() => pair.client.open("say", 1).send(1)).toThrow(
      new TypeError('Cannot send an item with "say": its opener sends none'),
    );
  });
});

describe("a stream", () => {
  test("brings its items in order, then its end; end() and cancel() after it are nothing", () => {
    const pair = readyPair();
    pair.server.onCall = (call) => {
      for (const item of ["a", "b"]) expect(call.send(item)).toBe(true);
      call.end();
      call.end();
      expect(call.send("late")).toBe(true);
    };
    const call = pair.client.open("count", 2);
    pair.flush();
    expect(pair.client.told()).toEqual(['count item "a"', 'count item "b"', "count end"]);
    call.end();
    call.cancel();
    expect([pair.flush(), pair.client.session.openCalls, pair.server.session.openCalls]).toEqual([
      0, 0, 0,
    ]);
  });

  test("goes both ways, and ends when both parts have", () => {
    const pair = readyPair();
    const call = pair.client.open("talk");
    call.send(1);
    pair.flush();
    const [served] = pair.server.calls;
    served?.send("one");
    call.send(2);
    call.end();
    call.end();
    pair.flush();
    expect(pair.told()).toEqual({
      client: ['talk item "one"'],
      server: ["call talk nothing", "talk got 1", "talk got 2", "talk got end"],
    });
    expect(() => call.send(3)).toThrow(TypeError);
    served?.end();
    pair.flush();
    expect(pair.told()).toEqual({ client: ["talk end"], server: [] });
    expect([pair.client.session.openCalls, pair.server.session.openCalls]).toEqual([0, 0]);
  });

  test("gives no credit after its last frame", () => {
    const pair = readyPair({ limits: { windowBytes: 20 } });
    let cost = 0;
    pair.server.onCall = (served) => {
      served.sink = {
        item: (_value, of) => {
          cost = of;
        },
        end: () => undefined,
        cancelled: () => undefined,
        writable: () => undefined,
      };
    };
    pair.client.open("talk").send(1);
    pair.flush();
    const [served] = pair.server.calls;
    served?.end();
    served?.consume(cost);
    expect([cost, linesOf(pair.server.take())]).toEqual([17, ["END 1"]]);
  });

  test("that the responder ends takes the opener's part with it", () => {
    const pair = readyPair();
    const call = pair.client.open("talk");
    pair.flush();
    pair.server.calls[0]?.end();
    expect(pair.server.session.openCalls).toBe(1); // until the opener has said END or CANCEL
    expect(call.send("under way")).toBe(true);
    pair.flush();
    expect([
      pair.told().server,
      pair.client.session.openCalls,
      pair.server.session.openCalls,
    ]).toEqual([["call talk nothing"], 0, 0]);
    expect(call.send("late")).toBe(true);
    expect(pair.flush()).toBe(0);
  });

  test("waits for credit, and goes on with it", () => {
    const pair = readyPair({ limits: { windowBytes: 40 } });
    const taken: number[] = [];
    const call = pair.client.session.open(
      entryOf(pair.client.kind, "count"),
      1,
      {},
      {
        result: () => undefined,
        item: (_value, cost) => void taken.push(cost),
        end: () => void pair.client.log.push("end"),
        fail: () => undefined,
        writable: () => undefined,
      },
    );
    const sent: boolean[] = [];
    pair.server.onCall = (served) => {
      for (let item = 1; item <= 5; item++) sent.push(served.send(item));
      served.end();
    };
    pair.flush();
    expect(sent).toEqual([true, true, false, false, false]); // 17 each: the third goes below zero
    expect([taken, pair.server.session.queuedBytes]).toEqual([[17, 17, 17], 2]);
    call.consume(17);
    expect(pair.flush()).toBe(0); // less than half the window is not worth a frame
    call.consume(17);
    pair.flush();
    expect(taken).toEqual([17, 17, 17, 17, 17]);
    expect(pair.client.told()).toEqual(["end"]); // END costs nothing
    call.consume(1e9);
    expect([pair.flush(), pair.client.session.openCalls]).toEqual([0, 0]);
  });

  test("goes on with a credit of 1, and not of 0", () => {
    const client = readyClient(); // the peer by hand gives 100 bytes
    const call = client.open("talk");
    client.take();
    expect(Array.from({ length: 4 }, () => call.send("12345678"))).toEqual([
      true,
      true,
      true,
      false,
    ]); // 26 each: -4
    client.take();
    call.send(1);
    for (const [bytes, sent] of [
      [4, []],
      [1, ["ITEM 1 1"]],
    ] as const) {
      client.session.receive(frame(KIND.CREDIT, 1, u32(bytes)), 0);
      expect(linesOf(client.take())).toEqual(sent);
    }
    client.session.receive(frame(KIND.CREDIT, 1, u32(33)), 0); // 17 left: one more, and then none
    expect([call.send(1), call.send(2)]).toEqual([false, false]);
    expect(linesOf(client.take())).toEqual(["ITEM 1 1"]);
    expect(client.told()).toEqual(["talk writable"]);
  });

  test("tells its sender when it may go on", () => {
    const pair = readyPair({ limits: { windowBytes: 20 } });
    pair.server.onCall = (served) => {
      expect([served.send(1), served.send(2)]).toEqual([true, false]);
    };
    pair.client.open("count");
    pair.flush();
    expect(pair.server.told()).toEqual(["call count nothing", "count may send"]);
    pair.server.onCall = () => undefined;
    const call = pair.client.open("talk");
    pair.flush();
    expect([call.send(1), call.send(2), call.send(3)]).toEqual([true, false, false]);
    pair.flush();
    expect(pair.client.told()).toEqual(["count item 1", "count item 2", "talk writable"]);
  });

  test("tells its sender when a large item has left", () => {
    const pair = readyPair();
    const call = pair.client.open("talk");
    expect(call.send(LARGE)).toBe(false);
    pair.client.take();
    pair.client.session.transmit(1e9);
    expect(pair.client.told()).toEqual(["talk writable"]);
  });

  test("that is slow does not hold the others up", () => {
    const pair = readyPair({ limits: { windowBytes: 20 } });
    pair.server.onCall = (served) => {
      for (let item = 0; item < 50; item++) served.send(item);
      served.end();
    };
    const slow = {
      result: () => undefined,
      item: () => undefined,
      end: () => undefined,
      fail: () => undefined,
      writable: () => undefined,
    };
    pair.client.session.open(entryOf(pair.client.kind, "count"), 0, {}, slow);
    pair.client.open("count", 1);
    pair.flush();
    expect(pair.client.told()).toEqual([
      ...Array.from({ length: 50 }, (_, item) => `count item ${String(item)}`),
      "count end",
    ]);
  });

  test("of large items, each in pieces, is cancelled between two pieces", () => {
    const pair = readyPair();
    const call = pair.client.open("talk");
    pair.flush();
    call.send(LARGE);
    call.send("next");
    const first = pair.client.take();
    call.cancel();
    pair.server.session.receive(first, 0);
    pair.flush();
    expect(pair.told()).toEqual({
      client: ["talk fail CALL_CANCELLED"],
      server: ["call talk nothing", "talk cancelled CALL_CANCELLED"],
    });
    pair.server.calls[0]?.end();
    pair.flush();
    expect([
      pair.client.session.openCalls,
      pair.server.session.openCalls,
      pair.client.session.queuedBytes,
    ]).toEqual([0, 0, 0]);
  });

  test("that fails sends what it has begun, and not what waits behind it", () => {
    const pair = readyPair();
    pair.server.onCall = (served) => {
      served.send(LARGE);
      served.send("behind");
      served.fail({ name: "rude", payload: 1 });
    };
    pair.client.open("count");
    pair.flush();
    expect(pair.client.told()).toEqual([
      'count item "xxxxxxxxxxxxxxx…200002',
      "count fail NAMED_ERROR(rude 1)",
    ]);
  });

  test("may be opened with more than a frame holds, and ended before that has left", () => {
    const pair = readyPair();
    const call = pair.client.open("talk", LARGE);
    call.send(1);
    call.end();
    expect(() => call.send(2)).toThrow(
      new TypeError('Cannot send an item with "talk" after end()'),
    );
    pair.flush();
    expect(pair.server.told()).toEqual([
      'call talk "xxxxxxxxxxxxxxx…200002',
      "talk got 1",
      "talk got end",
    ]);
    const again = pair.client.open("talk", LARGE);
    again.end();
    again.cancel();
    pair.flush();
    expect(pair.server.told()).toEqual([]);
    expect(pair.client.session.openCalls).toBe(1);
  });

  test("takes no item from its opener after end(), whatever has become of it meanwhile", () => {
    const pair = readyPair();
    const refused = new TypeError('Cannot send an item with "talk" after end()');
    const call = pair.client.open("talk");
    call.end();
    expect(() => call.send(1)).toThrow(refused);
    pair.flush();
    expect(() => call.send(1)).toThrow(refused);
    pair.server.calls[0]?.end();
    pair.flush();
    expect(() => call.send(1)).toThrow(refused);
    expect(pair.server.told()).toEqual(["call talk nothing", "talk got end"]);
    const left = pair.client.open("talk");
    left.cancel();
    expect(left.send(1)).toBe(true); // over, and dropped: finished() tells why
  });

  test("may be served by the client", () => {
    const pair = readyPair();
    pair.client.onCall = (call) => {
      call.send("from the client");
      call.end();
    };
    pair.server.open("talk", 1).end();
    pair.flush();
    expect(pair.told()).toEqual({
      client: ["call talk 1", "talk got end"].slice(0, 1),
      server: ['talk item "from the client"', "talk end"],
    });
  });

  test("whose items nobody wants drops them, and gives their credit back", () => {
    const pair = readyPair({ limits: { windowBytes: 20 } });
    pair.server.onCall = (served) => {
      served.sink = null;
    };
    const call = pair.client.open("talk");
    for (let item = 0; item < 20; item++) call.send(item);
    pair.flush();
    expect(pair.client.session.queuedBytes).toBe(0);
    expect(pair.server.told()).toEqual(["call talk nothing"]);
  });

  test("drops items for which this side's contract has no place, and gives their credit back", () => {
    const server = readyServer();
    const items = Array.from({ length: 20 }, () => "12345678901234567890");
    server.session.receive(frame(KIND.STREAM, 1, head(NAME.count, 8)), 0);
    for (const item of items) server.session.receive(frame(KIND.ITEM, 1, item), 0);
    expect([server.told(), server.session.state]).toEqual([["call count nothing"], "ready"]);

    const bare = nativeSessions(
      defineProtocol({ name: "bare", version: 1, streams: { quiet: {} } }),
    );
    const client = waitingClient({ kind: bare, limits: { windowBytes: 100 } });
    client.session.receive(
      joined(
        SIGNATURE,
        frame(
          KIND.WELCOME,
          0,
          welcome({ protocol: "bare", messages: [["quiet", "stream", "json", ""]] }),
        ),
      ),
      0,
    );
    client.open("quiet");
    for (const item of items) client.session.receive(frame(KIND.ITEM, 1, item), 0);
    client.session.receive(frame(KIND.END, 1), 0);
    expect(client.told()).toEqual(["ready", "quiet end"]);
  });

  test("drops what comes for a cancelled one", () => {
    const server = readyServer();
    server.session.receive(
      joined(frame(KIND.STREAM, 1, head(NAME.talk, 0x09), u32(5)), frame(KIND.ITEM, 1, "1")),
      0,
    );
    server.session.tick(5);
    server.session.receive(frame(KIND.ITEM, 1, "2"), 6);
    server.session.receive(frame(KIND.END, 1), 6);
    expect(server.told()).toEqual([
      "call talk nothing",
      "talk got 1",
      "talk cancelled DEADLINE_EXCEEDED",
    ]);
    server.calls[0]?.end();
    expect([linesOf(server.take()), server.session.openCalls]).toEqual([
      ['FAIL 1 {"code":"DEADLINE_EXCEEDED","message":"the deadline passed"}'],
      0,
    ]);
  });

  test("has one way to be answered", () => {
    const pair = readyPair();
    pair.client.open("count", 1);
    pair.flush();
    expect(() => pair.server.calls[0]?.reply(1)).toThrow(
      new TypeError('Cannot reply to "count": it is a stream; use send() and end()'),
    );
  });
});

describe("a checked contract", () => {
  const pairOf = (): Pair => readyPair({ kind: checked });

  test("gives the receiver what its schema makes of the value, in both directions", () => {
    const pair = pairOf();
    pair.server.onCall = (call) => void call.reply(call.input);
    pair.client.open("double", 2);
    pair.flush();
    expect(pair.told()).toEqual({ client: ["double result 200"], server: ["call double 20"] });
  });

  test("refuses what is wrong before it is sent, and says where", () => {
    const pair = pairOf();
    expect(() => pair.client.open("double", -1)).toThrow(
      expect.objectContaining({
        code: "INPUT_INVALID",
        origin: "local",
        path: ["amount"],
        message: 'Cannot call "double" with this: at amount: is not above 0',
      }),
    );
    expect(() => pair.client.emit("paid", 0)).toThrow(
      expect.objectContaining({ code: "EVENT_INVALID" }),
    );
    expect(() => checked.prepare(entryOf(checked, "paid"), 0)).toThrow(
      expect.objectContaining({ code: "EVENT_INVALID" }),
    );
    const call = pair.client.open("numbers", 1);
    expect(() => call.send(0)).toThrow(expect.objectContaining({ code: "ITEM_INVALID" }));
    pair.server.onCall = (served) => {
      expect(() => served.send(0)).toThrow(expect.objectContaining({ code: "ITEM_INVALID" }));
      served.end();
    };
    pair.flush();
    pair.server.onCall = (served) => {
      expect(served.reply(-1)).toMatchObject({
        code: "OUTPUT_INVALID",
        origin: "local",
        path: ["amount"],
      });
    };
    pair.client.open("double", 1);
    pair.flush();
    pair.server.onCall = (served) => {
      expect(served.fail({ name: "broke", payload: -1 })).toMatchObject({ code: "OUTPUT_INVALID" });
    };
    pair.client.open("double", 1);
    pair.flush();
    expect(pair.client.told()).toEqual([
      "numbers end",
      "double fail REMOTE_HANDLER_FAILED",
      "double fail REMOTE_HANDLER_FAILED",
    ]);
  });

  /** A client whose own schemas take everything, and a server that checks. */
  const loose = (): Pair => {
    const any = { input: type<unknown>(), output: type<unknown>() };
    const kind = nativeSessions(
      defineProtocol({
        name: "checked",
        version: 1,
        requests: {
          double: { ...any, errors: { broke: type<unknown>(), other: type<unknown>() } },
          lucky: { input: type<unknown>() },
        },
        streams: {
          numbers: { input: type<unknown>(), item: type<unknown>(), send: type<unknown>() },
        },
        events: { paid: { payload: type<unknown>(), delivery: "at-least-once" } },
      }),
    );
    return readyPair({ kind }, { kind: checked });
  };

  test("answers a wrong input with FAIL, without asking the handler", () => {
    const pair = loose();
    pair.client.open("double", -1);
    pair.client.open("double", undefined);
    const call = pair.client.open("numbers", -1);
    pair.flush();
    expect(pair.told()).toEqual({
      client: [
        "double fail INPUT_INVALID",
        "double fail INPUT_INVALID",
        "numbers fail INPUT_INVALID",
      ],
      server: [],
    });
    call.send(1);
    expect([pair.client.session.openCalls, pair.server.session.openCalls]).toEqual([0, 0]);
  });

  test("tells this side when its own schema fails, and the peer nothing of it", () => {
    const pair = loose();
    pair.client.open("lucky", 13);
    pair.server.session.receive(pair.client.take(), 0);
    expect(new TextDecoder().decode(pair.server.output.copy())).not.toContain("secret");
    pair.flush();
    expect(pair.told()).toEqual({
      client: ["lucky fail INPUT_INVALID"],
      server: ["dropped INPUT_INVALID"],
    });
  });

  test("ends a stream at a wrong item from the opener: the handler is told, and answers", () => {
    const pair = loose();
    const call = pair.client.open("numbers", 1);
    call.send(1);
    call.send(-1);
    call.send(2);
    pair.flush();
    expect(pair.server.told()).toEqual([
      "call numbers 10",
      "numbers got 10",
      "numbers cancelled ITEM_INVALID",
    ]);
    pair.server.calls[0]?.end();
    pair.flush();
    expect(pair.client.told()).toEqual(["numbers fail ITEM_INVALID"]);
    expect([pair.client.session.openCalls, pair.server.session.openCalls]).toEqual([0, 0]);
  });

  test("drops items for which the responder's contract has no place, and gives their credit back", () => {
    const items = { input: type<unknown>(), item: type<unknown>() };
    const kindOf = (flow: object): SessionKind =>
      nativeSessions(defineProtocol({ name: "f", version: 1, streams: { flow } }));
    const pair = readyPair(
      { kind: kindOf({ ...items, send: type<unknown>() }) },
      { kind: kindOf(items), limits: { windowBytes: 100 } },
    );
    const call = pair.client.open("flow");
    for (let count = 0; count < 50; count++) call.send(count);
    call.end();
    pair.flush();
    expect([pair.client.session.queuedBytes, pair.server.told()]).toEqual([
      0,
      ["call flow nothing", "flow got end"],
    ]);
    pair.server.calls[0]?.end();
    pair.flush();
    expect([pair.client.session.openCalls, pair.server.session.openCalls]).toEqual([0, 0]);
  });

  test("does not take a wrong answer, item or failure from the responder", () => {
    const pair = readyPair({ kind: checked }, { kind: looseServer() });
    const answers = [-1, 1n, "x"];
    for (const answer of answers) {
      pair.server.onCall = (call) => void call.reply(answer);
      pair.client.open("double", 1);
      pair.flush();
    }
    pair.server.onCall = (call) => void call.fail({ name: "broke", payload: -1 });
    pair.client.open("double", 1);
    pair.flush();
    pair.server.onCall = (call) => void call.fail({ name: "other", payload: -1 });
    pair.client.open("double", 1);
    pair.flush();
    pair.server.onCall = (call) => {
      call.send(1);
      call.send(-1);
    };
    pair.client.open("numbers", 1);
    pair.flush();
    expect(pair.client.told()).toEqual([
      "double fail OUTPUT_INVALID",
      "double fail REMOTE_HANDLER_FAILED",
      "double fail OUTPUT_INVALID",
      "double fail OUTPUT_INVALID",
      "double fail REMOTE_HANDLER_FAILED",
      "numbers item 10",
      "numbers fail ITEM_INVALID",
    ]);
    expect(pair.server.told().at(-1)).toBe("numbers cancelled ITEM_INVALID");
  });

  function looseServer(): ReturnType<typeof nativeSessions> {
    return nativeSessions(
      defineProtocol({
        name: "checked",
        version: 1,
        requests: {
          double: {
            input: type<unknown>(),
            output: type<unknown>(),
            errors: { broke: type<unknown>(), other: type<unknown>() },
          },
          lucky: { input: type<unknown>() },
        },
        streams: {
          numbers: { input: type<unknown>(), item: type<unknown>(), send: type<unknown>() },
        },
        events: { paid: { payload: type<unknown>(), delivery: "at-least-once" } },
      }),
    );
  }
});

describe("codecs", () => {
  const kind = nativeSessions(
    defineProtocol({
      name: "codecs",
      version: 1,
      requests: {
        letters: { input: type<string>(), output: type<string>(), codec: text() },
        octets: { input: type<Uint8Array>(), output: type<Uint8Array>(), codec: bytesCodec() },
        own: {
          input: type<unknown>(),
          output: type<unknown>(),
          codec: {
            name: "own",
            encode: () => {
              throw new Error("not today");
            },
            decode: () => "decoded",
          },
        },
      },
    }),
  );

  test.each<[string, unknown]>([
    ["letters", "grüße"],
    ["letters", ""],
    ["octets", Uint8Array.of(1, 2, 255)],
    ["octets", new Uint8Array(0)],
  ])("%s carries %o and gives it back", (name, value) => {
    const pair = readyPair({ kind });
    pair.server.onCall = (call) => void call.reply(call.input);
    const results: unknown[] = [];
    pair.client.session.open(
      entryOf(kind, name),
      value,
      {},
      {
        result: (result) => void results.push(result),
        item: () => undefined,
        end: () => undefined,
        fail: () => undefined,
        writable: () => undefined,
      },
    );
    pair.flush();
    expect(results).toEqual([value]);
  });

  test("nothing is the empty body of every codec; with text it comes back as the empty text", () => {
    const pair = readyPair({ kind });
    pair.client.open("letters", undefined);
    pair.client.open("own", undefined);
    pair.flush();
    expect(pair.server.told()).toEqual(['call letters ""', 'call own "decoded"']);
  });

  test("one that can't encode leaves the output as it was", () => {
    const pair = readyPair({ kind });
    for (const [name, value] of [
      ["letters", 7],
      ["octets", "text"],
      ["own", 1],
      ["letters", "\ud800"],
    ] as const) {
      expect(() => pair.client.open(name, value)).toThrow(
        expect.objectContaining({ code: "PAYLOAD_FORBIDDEN" }),
      );
    }
    expect([pair.client.output.length, pair.client.session.openCalls]).toEqual([0, 0]);
  });

  test("bodies that a codec does not read end the call, not the session", () => {
    const server = readyServer();
    server.session.receive(frame(KIND.REQUEST, 1, head(NAME.say), "{"), 0);
    expect(linesOf(server.take())).toEqual([
      'FAIL 1 {"code":"INPUT_INVALID","message":"The input of \\"say\\" is invalid: is not ' +
        'what json() reads","path":[]}',
    ]);
    expect([server.told(), server.session.state]).toEqual([[], "ready"]);
    const client = readyClient();
    client.open("say");
    client.session.receive(frame(KIND.RESULT, 1, "nonsense"), 0);
    expect(client.told()).toEqual(["say fail OUTPUT_INVALID"]);
  });
});
