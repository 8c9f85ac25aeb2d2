// A session's life: handshake, heartbeat, drain, close, resumption, and callbacks that throw or
// call back.
import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { defineProtocol, type Protocol } from "../../src/contract/contract.ts";
import { HawserError } from "../../src/errors.ts";
import { resolveSessionLimits, sessionLimitTable } from "../../src/session/limits.ts";
import { nativeSessions } from "../../src/session/native.ts";
import { type } from "../../src/contract/schema.ts";
import type { InboundCall, SessionKind } from "../../src/session/types.ts";
import {
  frame,
  head,
  hello,
  joined,
  KIND,
  linesOf,
  NAME,
  readyClient,
  readyServer,
  SESSION,
  SIGNATURE,
  small,
  u32,
  u64,
  waitingClient,
  welcome,
} from "./by-hand.ts";
import { countingRandom, echo, End, entryOf, greet, Pair, readyPair } from "./ends.ts";

describe("a handshake", () => {
  test("makes both ready, and gives both the session's identity and the other's version", () => {
    const pair = new Pair().connect();
    expect(pair.told()).toEqual({ client: ["ready"], server: ["ready"] });
    for (const { session } of [pair.client, pair.server]) {
      expect([session.state, session.id, session.peerVersion, session.roundTripMs]).toEqual([
        "ready",
        "000102030405060708090a0b0c0d0e0f",
        1,
        null,
      ]);
    }
  });

  test("tells the client how long the server keeps the session", () => {
    const infos: unknown[] = [];
    const pair = new Pair({}, { limits: { resumeWindowMs: 7 } });
    for (const end of [pair.client, pair.server]) end.onReady = (info) => void infos.push(info);
    pair.connect();
    expect(infos).toEqual(
      Array.from({ length: 2 }, () => ({
        resumed: false,
        peerVersion: 1,
        repeatedEvents: 0,
        resumeWindowMs: 7,
      })),
    );
  });

  test("takes too long: the session may try again", () => {
    const end = waitingClient();
    expect(end.session.deadline()).toBe(5000);
    end.session.tick(4999);
    end.session.tick(5000);
    expect([end.told(), end.session.state, end.session.deadline()]).toEqual([
      ["over HANDSHAKE_TIMEOUT resumable"],
      "lost",
      Infinity,
    ]);
    end.session.attach(end.output, 5000);
    expect(end.session.deadline()).toBe(10_000);
  });

  test("that the connection does not survive may be tried again", () => {
    const end = waitingClient();
    end.session.lost(1);
    expect([end.told(), end.session.state]).toEqual([[], "lost"]);
  });

  test("carries auth, which the server judges", () => {
    const end = new End("client");
    end.session.attach(end.output, 0, { token: "x" });
    expect(greet(end.kind, end.take()).hello.auth).toEqual({ token: "x" });
    const refused = new End("client");
    refused.session.attach(refused.output, 0);
    expect(greet(refused.kind, refused.take()).hello.auth).toBeUndefined();
    const bytes = refused.kind.refusal(new HawserError("AUTH_REFUSED", "unknown token"));
    refused.session.receive(bytes, 0);
    expect([refused.told(), refused.session.state]).toEqual([["over AUTH_REFUSED"], "closed"]);
  });

  test.each([1n, () => 1, Symbol("x"), "x".repeat(17_000)])(
    "does not begin with an auth that can't be sent (%#)",
    (auth) => {
      const end = new End("client");
      expect(() => {
        end.session.attach(end.output, 0, auth);
      }).toThrow(HawserError);
      expect([end.session.state, end.output.length]).toEqual(["new", 0]);
    },
  );

  test("carries as much auth as fits into 16 384 bytes", () => {
    const end = new End("client");
    end.session.attach(end.output, 0, "");
    const auth = "x".repeat(16_384 - (end.take().length - 8 - 9));
    const fits = new End("client");
    fits.session.attach(fits.output, 0, auth);
    expect(greet(fits.kind, fits.take()).hello.auth).toBe(auth);
    expect(() => {
      new End("client").session.attach(fits.output, 0, `${auth}x`);
    }).toThrow(expect.objectContaining({ code: "PAYLOAD_TOO_LARGE" }));
  });

  test.each([
    ["OVERLOADED", "lost", "over OVERLOADED resumable"],
    ["DRAINING", "lost", "over DRAINING resumable"],
    ["CONTRACT_DIFFERS", "closed", "over CONTRACT_DIFFERS"],
    ["SOMETHING_NEW", "closed", "over PROTOCOL_VIOLATION"],
    ["NORMAL", "closed", "over PROTOCOL_VIOLATION"],
  ])("that is refused with %s leaves the session %s", (code, state, told) => {
    const end = waitingClient();
    end.session.receive(
      joined(SIGNATURE, frame(KIND.REFUSE, 0, JSON.stringify({ code, message: "no" }))),
      0,
    );
    expect([end.session.state, end.told(), end.take().length]).toEqual([state, [told], 0]);
  });

  test.each([
    ["OVERLOADED", "lost", "over OVERLOADED resumable"],
    ["HELLO_INVALID", "closed", "over HELLO_INVALID"],
    ["NORMAL", "closed", "over PROTOCOL_VIOLATION"],
  ])("that ends with CLOSE %s is refused with that: the session is %s", (code, state, told) => {
    const end = waitingClient();
    end.session.receive(
      joined(SIGNATURE, frame(KIND.CLOSE, 0, JSON.stringify({ code, message: "no" }))),
      0,
    );
    expect([end.session.state, end.told(), end.take().length]).toEqual([state, [told], 0]);
  });

  test("refuses by a code that the client knows, whatever the error", () => {
    const { kind } = new End("server");
    expect(
      linesOf(kind.refusal(new HawserError("TOO_MANY_CONNECTIONS", "full")).subarray(8)),
    ).toEqual(['REFUSE 0 {"code":"OVERLOADED","message":"full"}']);
  });

  test("is for one side each", () => {
    const { client, server } = new Pair();
    expect(() => {
      server.session.attach(server.output, 0);
    }).toThrow(TypeError);
    client.session.attach(client.output, 0);
    const { hello: read } = greet(client.kind, client.take());
    expect(() => {
      client.session.welcome(client.output, read, false, 0);
    }).toThrow(TypeError);
    expect(() => {
      server.session.welcome(
        server.output,
        { auth: undefined, resume: null, peerVersion: 1 },
        false,
        0,
      );
    }).toThrow(TypeError);
    expect(() => {
      server.session.welcome(server.output, read, true, 0);
    }).toThrow(new TypeError("Cannot resume this session with this peer: ask canResume()"));
    expect(() => {
      client.session.attach(client.output, 0);
    }).toThrow(new TypeError("Cannot attach a session that is handshake"));
  });

  const differing: [string, object, string, string][] = [
    [
      "another contract",
      { protocol: "ohce\u0007" },
      "PROTOCOL_MISMATCH",
      'The server speaks the contract "ohce", this client "echo": see whether the address is right',
    ],
    [
      "a higher version that does not accept this one",
      { version: 3, accepts: [2, 3] },
      "PROTOCOL_MISMATCH",
      'The server speaks "echo" version 3 (accepts 2 to 3), this client version 1 (accepts 1): ' +
        "update the older one, or let the newer accept it",
    ],
    [
      "a message of another type",
      { messages: [["note", "request", "json", ""]] },
      "CONTRACT_DIFFERS",
      'Both sides speak "echo" 1, but not the same: "note" has another type; the server lacks ' +
        '"tick", and 4 more. Raise the version with each change',
    ],
    [
      "a message more",
      {
        messages: [
          ["note", "event", "text", ""],
          ["more", "event", "json", ""],
        ],
      },
      "CONTRACT_DIFFERS",
      'Both sides speak "echo" 1, but not the same: "note" has another codec; this client ' +
        'lacks "more", and 5 more. Raise the version with each change',
    ],
    [
      "another version of the page",
      { hawser: 2 },
      "VERSION_UNSUPPORTED",
      "The server chose version 2 of Hawser's session protocol, this client speaks version 1",
    ],
    [
      "another session than the one asked for",
      { resumed: true },
      "PROTOCOL_VIOLATION",
      "The server's WELCOME goes on with another session than this one, or with events that it " +
        "did not get",
    ],
    [
      "events of a session that is new",
      { received: 1 },
      "PROTOCOL_VIOLATION",
      "The server's WELCOME goes on with another session than this one, or with events that it " +
        "did not get",
    ],
  ];
  test.each(differing)("ends with CLOSE when the WELCOME has %s", (_, members, code, message) => {
    const end = waitingClient();
    const errors: unknown[] = [];
    end.onOver = (error) => void errors.push(error);
    end.session.receive(joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome(members))), 0);
    expect(errors).toEqual([expect.objectContaining({ code, message })]);
    expect(message.length).toBeLessThanOrEqual(256);
    expect(linesOf(end.take())).toEqual([`CLOSE 0 ${JSON.stringify({ code, message })}`]);
  });

  test("between two versions is the higher one's to accept, on either side", () => {
    const kindOf = (version: number, accepts: readonly [number, number]): SessionKind =>
      nativeSessions(
        defineProtocol({
          name: "v",
          version,
          accepts,
          requests: { [`of ${String(version)}`]: {} },
        }),
      );
    const older = kindOf(2, [2, 2]);
    const cases: [SessionKind, string][] = [
      [kindOf(5, [1, 5]), "ready"],
      [kindOf(5, [2, 5]), "ready"],
      [kindOf(5, [3, 5]), "over PROTOCOL_MISMATCH"],
      [kindOf(1, [1, 1]), "over PROTOCOL_MISMATCH"],
      [kindOf(1, [1, 9]), "over PROTOCOL_MISMATCH"],
    ];
    for (const [other, expected] of cases) {
      for (const [client, server] of [
        [older, other],
        [other, older],
      ] as const) {
        const pair = new Pair({ kind: client }, { kind: server });
        pair.client.session.attach(pair.client.output, 0);
        const greeting = pair.server.kind
          .greeter({ random: countingRandom() })
          .receive(pair.client.take());
        pair.client.session.lost(0);
        if (greeting?.ok === true) {
          pair.connect();
        } else {
          pair.client.session.attach(pair.client.output, 0);
          pair.client.session.receive(greeting?.reply ?? SIGNATURE, 0);
        }
        expect(pair.client.told()).toEqual([expected]);
      }
    }
  });

  test("compares shapes where both sides know them", () => {
    const messages = (digest: string): unknown => [
      ["note", "event", "json", ""],
      ["tick", "event", "json", ""],
      ["ask", "request", "json", ""],
      ["say", "request", "json", digest],
      ["count", "stream", "json", ""],
      ["talk", "stream", "json", ""],
    ];
    const entries = echo.messages.map((entry) =>
      entry.name === "say" ? { ...entry, digest: "0123456789abcdef" } : entry,
    );
    const kind = nativeSessions({
      ...echo,
      messages: entries,
      find: (name) => entries.find((entry) => entry.name === name),
    });
    for (const [digest, state] of [
      ["", "ready"],
      ["0123456789abcdef", "ready"],
      ["fedcba9876543210", "closed"],
    ] as const) {
      const end = waitingClient({ kind });
      end.session.receive(
        joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome({ messages: messages(digest) }))),
        0,
      );
      expect(end.session.state).toBe(state);
    }
  });

  test("between two versions leaves what only one has unknown to the other", () => {
    const older = nativeSessions(
      defineProtocol({
        name: "v",
        version: 1,
        requests: { both: { from: "both" }, old: { from: "both" } },
        events: { changed: { payload: type<unknown>() } },
      }),
    );
    const newer = nativeSessions(
      defineProtocol({
        name: "v",
        version: 2,
        accepts: [1, 2],
        requests: { both: { from: "both" }, fresh: { from: "both" }, changed: {} },
        events: { later: { delivery: "at-least-once" } },
      }),
    );
    const pair = readyPair({ kind: older }, { kind: newer });
    expect([pair.client.session.peerVersion, pair.server.session.peerVersion]).toEqual([2, 1]);
    pair.server.onCall = (call) => void call.reply(undefined);
    pair.client.open("both");
    pair.flush();
    expect(pair.client.told()).toEqual(["both result nothing"]);
    expect(() => pair.client.open("old")).toThrow(
      expect.objectContaining({ code: "MESSAGE_UNKNOWN" }),
    );
    expect(() => pair.server.open("fresh")).toThrow(
      expect.objectContaining({ code: "MESSAGE_UNKNOWN" }),
    );
    expect([pair.client.emit("changed"), pair.server.emit("later")]).toEqual([true, true]);
    expect(
      [pair.client, pair.server].map((end) =>
        ["changed", "later"]
          .map((name) => end.kind.contract.find(name))
          .map((entry) => entry !== undefined && end.session.knows(entry)),
      ),
    ).toEqual([
      [false, false],
      [false, false],
    ]);
    expect([pair.client.told(), pair.server.log.at(-1)]).toEqual([
      ["changed nothing not-sent MESSAGE_UNKNOWN", "dropped MESSAGE_UNKNOWN"],
      "dropped MESSAGE_UNKNOWN",
    ]);
    expect(pair.server.log.at(-2)).toBe("later nothing not-sent MESSAGE_UNKNOWN");
    // What the peer sends all the same is answered, or dropped.
    pair.client.session.receive(
      joined(
        frame(KIND.REQUEST, 2, head(2), ""),
        frame(KIND.EVENT, 0, head(0, 4), u64(1)),
        frame(KIND.STREAM, 4, head(2, 8), "1"),
        frame(KIND.ITEM, 4, "1"),
        frame(KIND.END, 4),
      ),
      0,
    );
    expect(linesOf(pair.client.take()).map((line) => line.slice(0, 36))).toEqual([
      'FAIL 2 {"code":"UNKNOWN_MESSAGE","me',
      "REJECT 0 85 bytes",
      'FAIL 4 {"code":"UNKNOWN_MESSAGE","me',
      "ACK 0 0000000000000001",
    ]);
    expect([pair.client.told(), pair.client.session.openCalls]).toEqual([
      ["dropped MESSAGE_UNKNOWN"],
      0,
    ]);
  });

  test("keeps events that were taken before it, but not those that the peer does not know", () => {
    const older = nativeSessions(
      defineProtocol({
        name: "v",
        version: 1,
        accepts: [1, 2],
        events: { gone: { delivery: "at-least-once" }, kept: { delivery: "at-least-once" } },
      }),
    );
    const newer = nativeSessions(
      defineProtocol({
        name: "v",
        version: 2,
        accepts: [1, 2],
        events: { kept: { delivery: "at-least-once" } },
      }),
    );
    const pair = new Pair({ kind: older }, { kind: newer });
    pair.client.emit("gone");
    pair.client.emit("kept");
    pair.connect();
    pair.flush();
    expect(pair.told()).toEqual({
      client: ["gone nothing not-sent MESSAGE_UNKNOWN", "ready", "kept nothing delivered"],
      server: ["ready", "event kept nothing"],
    });
  });
});

describe("nativeSessions()", () => {
  test("refuses a contract whose list of messages has more than 1 MiB", () => {
    const wide = (count: number): Protocol =>
      defineProtocol({
        name: "wide",
        version: 1,
        requests: Object.fromEntries(
          Array.from({ length: count }, (_, at) => [
            `a request with a name that is long enough, and a number: ${String(at).padStart(5)}`,
            {},
          ]),
        ),
      });
    expect(nativeSessions(wide(10_000)).name).toBe("hawser");
    expect(() => nativeSessions(wide(12_000))).toThrow(
      /the list of its 12000 messages has [0-9]+ bytes, and at most 1048576 can be told/,
    );
  });

  test("checks the limits once, by their table", () => {
    const { kind } = new End("client");
    const session = (limits: object): unknown =>
      kind.session("client", { limits, random: countingRandom() }, new End("client"));
    expect(() => session({ maxPartials: 0 })).toThrow(RangeError);
    expect(() => session({ windowBytes: 2 ** 31 })).toThrow(
      new RangeError("Cannot use windowBytes 2147483648: it is at most 2147483647"),
    );
    expect(() => session({ maxMessageBytes: 1023 })).toThrow(RangeError);
    expect(() => session({ heartbeatMs: "1" })).toThrow(TypeError);
    expect(session({ windowBytes: 2 ** 31 - 1, heartbeatMs: Infinity })).toBeDefined();
    for (const [name, row] of Object.entries(sessionLimitTable)) {
      expect(row.default, name).toBeGreaterThanOrEqual(row.min);
      expect(row.reason, name).toMatch(/^[A-Z].*[.)]$/);
    }
    expect(resolveSessionLimits()).toMatchObject({
      maxMessageBytes: 1_048_576,
      heartbeatMs: 15_000,
      maxInputBytes: 16_777_216,
      maxDecodedBytes: 67_108_864,
    });
    expect(resolveSessionLimits({ maxMessageBytes: 33_554_432 })).toMatchObject({
      maxInputBytes: 67_108_864,
      maxDecodedBytes: 134_217_728,
    });
    expect(
      resolveSessionLimits({ maxMessageBytes: 33_554_432, maxInputBytes: 5, maxDecodedBytes: 6 }),
    ).toMatchObject({ maxInputBytes: 5, maxDecodedBytes: 6 });
  });
});

describe("a heartbeat", () => {
  test("asks after silence, measures the way, and takes any byte for life", () => {
    const { client, server } = readyPair();
    expect(client.session.deadline()).toBe(15_000);
    client.session.tick(15_000);
    expect(client.session.deadline()).toBe(25_000);
    server.session.receive(client.take(), 15_100);
    client.session.receive(server.take(), 15_200);
    expect([
      client.session.roundTripMs,
      client.session.deadline(),
      server.session.deadline(),
    ]).toEqual([200, 30_200, 30_100]);
  });

  test("gives up when nothing comes; the session may be resumed", () => {
    const { client } = readyPair();
    client.open("say", 1);
    client.take();
    client.session.tick(20_000); // late
    client.session.tick(29_999);
    expect(client.told()).toEqual([]);
    client.session.tick(30_000);
    expect(client.told()).toEqual(["say fail SESSION_LOST", "over HEARTBEAT_LOST resumable"]);
    expect(linesOf(client.take()).map((line) => line.slice(0, 32))).toEqual([
      "PING 0 0000000000000001",
      'CLOSE 0 {"code":"HEARTBEAT_LOST"',
    ]);
    expect([client.session.state, client.session.deadline()]).toEqual(["lost", Infinity]);
  });

  test("does not ask twice while an answer is under way behind other bytes", () => {
    const client = readyClient();
    client.session.tick(15_000);
    client.session.receive(frame(KIND.EVENT, 0, head(NAME.tick), "1").subarray(0, 5), 16_000);
    client.session.tick(31_000);
    expect(linesOf(client.take())).toEqual(["PING 0 0000000000000001"]);
    client.session.tick(41_000);
    expect(client.told()).toEqual(["over HEARTBEAT_LOST resumable"]);
  });

  test("that the peer lost ends the connection, and not the session", () => {
    const client = readyClient();
    client.session.receive(frame(KIND.CLOSE, 0, '{"code":"HEARTBEAT_LOST","message":""}'), 0);
    expect([client.session.state, client.told()]).toEqual([
      "lost",
      ["over HEARTBEAT_LOST resumable"],
    ]);
  });

  test("can be switched off", () => {
    const { client } = readyPair({
      limits: { heartbeatMs: Infinity, heartbeatTimeoutMs: Infinity },
    });
    expect(client.session.deadline()).toBe(Infinity);
    client.session.tick(1e12);
    expect(client.take().length).toBe(0);
  });
});

describe("drain()", () => {
  test("lets what is open finish; then the other side closes", () => {
    const pair = readyPair();
    pair.client.open("say", 1);
    pair.flush();
    pair.server.session.drain();
    pair.server.session.drain();
    expect(() => pair.server.open("ask")).toThrow(expect.objectContaining({ code: "DRAINING" }));
    pair.flush();
    expect([pair.client.session.state, pair.server.session.state]).toEqual([
      "draining",
      "draining",
    ]);
    expect(() => pair.client.open("say")).toThrow(
      expect.objectContaining({ code: "DRAINING", retryable: true }),
    );
    pair.client.emit("note", "last");
    pair.server.calls[0]?.reply("done");
    pair.flush();
    expect(pair.told()).toEqual({
      client: ["draining", 'say result "done"', 'note "last" delivered', "over null"],
      server: ["call say 1", 'event note "last"', "over null"],
    });
  });

  test("closes at once where nothing is open", () => {
    const pair = readyPair();
    pair.client.session.drain();
    pair.flush();
    expect(pair.told()).toEqual({ client: ["over null"], server: ["draining", "over null"] });
    expect([pair.client.session.state, pair.server.session.state]).toEqual(["closed", "closed"]);
  });

  test("waits for the handlers of events, and for answers that are large", () => {
    const pair = readyPair();
    const waiting: (() => void)[] = [];
    pair.client.onEvent = (_entry, _payload, handled) => void waiting.push(handled);
    pair.server.emit("note", 1);
    pair.server.session.drain();
    pair.flush();
    expect(pair.client.session.state).toBe("draining");
    waiting[0]?.();
    expect(pair.client.told()).toEqual(["event note 1", "draining", "over null"]);
    pair.flush();
    expect(pair.server.told()).toEqual(["note 1 delivered", "over null"]);

    const other = readyPair();
    other.server.open("ask");
    other.flush();
    other.server.session.drain();
    other.flush();
    other.client.calls[0]?.reply("x".repeat(300_000));
    expect(other.client.session.state).toBe("draining");
    other.flush();
    expect(other.server.told()).toEqual(['ask result "xxxxxxxxxxxxxxx…300002', "over null"]);
  });

  test("of both sides ends as well", () => {
    const pair = readyPair();
    pair.client.open("say", 1);
    pair.flush();
    pair.client.session.drain();
    pair.server.session.drain();
    pair.flush();
    pair.server.calls[0]?.reply(1);
    pair.flush();
    expect([pair.client.session.state, pair.server.session.state]).toEqual(["closed", "closed"]);
  });

  test("ends with its connection", () => {
    const pair = readyPair();
    pair.client.open("say", 1);
    pair.server.session.drain();
    pair.flush();
    pair.cut();
    pair.connect(true);
    expect([pair.client.session.state, pair.server.session.state]).toEqual(["ready", "ready"]);
  });

  test("without a connection is nothing", () => {
    const end = new End("client");
    end.session.drain();
    expect([end.session.state, end.output.length]).toEqual(["new", 0]);
  });
});

describe("close()", () => {
  test("settles everything on both ends, and tells the other", () => {
    const pair = readyPair();
    pair.client.open("say", 1);
    pair.client.emit("note", 1);
    pair.server.onEvent = () => undefined;
    pair.server.open("ask", 1);
    pair.flush();
    pair.client.open("say", 2);
    pair.told();
    pair.client.session.close("OVERLOADED", "too much");
    pair.client.session.close();
    pair.flush();
    expect(pair.told()).toEqual({
      client: [
        "ask cancelled SESSION_CLOSED",
        "say fail SESSION_CLOSED",
        "say fail SESSION_CLOSED",
        "note 1 unknown SESSION_CLOSED",
        "over null",
      ],
      server: [
        "call say 2",
        "say cancelled OVERLOADED",
        "say cancelled OVERLOADED",
        "ask fail SESSION_LOST",
        "over OVERLOADED",
      ],
    });
    expect(() => pair.client.open("say")).toThrow(
      expect.objectContaining({ code: "SESSION_CLOSED" }),
    );
    expect(pair.client.session.transmit(1000)).toBe(false);
    pair.client.session.lost(0);
    pair.client.session.tick(1e9);
    expect(pair.flush()).toBe(0);
  });

  test("drops events that wait for their turn; those of a peer that closes are still handled", () => {
    for (const closing of ["client", "server"] as const) {
      const pair = readyPair();
      const waiting: (() => void)[] = [];
      pair.server.onEvent = (_entry, _payload, handled) => void waiting.push(handled);
      for (const payload of [1, 2]) pair.client.emit("tick", payload);
      pair.flush();
      pair[closing].session.close();
      pair.flush();
      waiting.shift()?.();
      expect(pair.server.log.filter((line) => line.startsWith("event"))).toEqual(
        closing === "client" ? ["event tick 1", "event tick 2"] : ["event tick 1"],
      );
    }
  });

  test("before a connection, and during a handshake, says nothing to anybody", () => {
    const early = new End("client");
    early.emit("note", 1);
    early.session.close();
    expect(early.told()).toEqual(["note 1 not-sent SESSION_CLOSED"]);
    const waiting = waitingClient();
    waiting.session.close();
    expect([waiting.told(), waiting.take().length]).toEqual([["over null"], 0]);
  });

  test.each([
    ['{"code":"NORMAL","message":""}', "over null", null],
    ['{"code":"DRAINED","message":""}', "over null", null],
    ['{"code":"SESSION_REPLACED","message":"elsewhere"}', "over SESSION_REPLACED", "remote"],
    ['{"code":"PROTOCOL_VIOLATION","message":"you did"}', "over PROTOCOL_VIOLATION", "local"],
    ['{"code":"SOMETHING_NEW","message":7}', "over PROTOCOL_VIOLATION", "local"],
    ["not JSON", "over PROTOCOL_VIOLATION", "local"],
    ["", "over PROTOCOL_VIOLATION", "local"],
    ["[]", "over PROTOCOL_VIOLATION", "local"],
    ["null", "over PROTOCOL_VIOLATION", "local"],
    ["7", "over PROTOCOL_VIOLATION", "local"],
    [`{"code":"OVERLOADED","message":"${"long ".repeat(1000)}"}`, "over OVERLOADED", "remote"],
  ])("of the peer with %s ends the session", (payload, told, origin) => {
    const server = readyServer();
    const origins: unknown[] = [];
    server.onOver = (error) => {
      origins.push(error?.origin ?? null);
      expect(error?.message.length ?? 0).toBeLessThanOrEqual(256);
    };
    server.session.receive(joined(frame(KIND.CLOSE, 0, payload), frame(KIND.PING, 0, u64(1))), 0);
    expect([server.told(), origins, server.session.state, server.take().length]).toEqual([
      [told],
      [origin],
      "closed",
      0,
    ]);
  });
});

test("what a CLOSE says is what the error says", () => {
  for (const [message, text] of [
    ["you sent too much", "The peer closed the session (FLOW_VIOLATION): you sent too much"],
    ["", "The peer closed the session (FLOW_VIOLATION)"],
  ]) {
    const server = readyServer();
    const texts: unknown[] = [];
    server.onOver = (error) => void texts.push(error?.message);
    server.session.receive(
      frame(KIND.CLOSE, 0, JSON.stringify({ code: "FLOW_VIOLATION", message })),
      0,
    );
    expect(texts).toEqual([text]);
  }
});

describe("a session that is resumed", () => {
  test("has another identity and the same origin, and calls begin anew", () => {
    const pair = readyPair();
    const call = pair.client.open("say", 1);
    pair.flush();
    const { id, origin } = pair.client.session;
    pair.cut();
    expect(pair.told()).toEqual({
      client: ["say fail SESSION_LOST"],
      server: ["call say 1", "say cancelled SESSION_LOST"],
    });
    expect(() => pair.client.open("say")).toThrow(
      expect.objectContaining({ code: "NOT_READY", retryable: true }),
    );
    pair.connect(true);
    const [served] = pair.server.calls;
    expect([served?.reply("late"), served?.fail({ name: "rude", payload: 1 })]).toEqual([
      null,
      null,
    ]);
    call.cancel();
    expect(pair.client.session.id).toBe(pair.server.session.id);
    expect([
      pair.client.session.id === id,
      pair.client.session.origin === origin,
      pair.server.session.origin,
    ]).toEqual([false, true, origin]);
    expect([pair.flush(), pair.told()]).toEqual([
      0,
      { client: ["ready resumed"], server: ["ready resumed"] },
    ]);
    pair.server.onCall = (again) => void again.reply(again.input);
    pair.client.open("say", 2);
    pair.flush();
    expect(pair.client.told()).toEqual(["say result 2"]);
  });

  test("tells calls that had not been sent from those of which nothing is known", () => {
    const { client } = readyPair();
    client.open("say", "sent", {}, "sent");
    client.open("say", "x".repeat(200_000), {}, "begun");
    client.open("say", "x".repeat(200_000), {}, "waiting");
    client.session.lost(0);
    expect(client.told()).toEqual([
      "sent fail SESSION_LOST",
      "begun fail NOT_SENT",
      "waiting fail NOT_SENT",
    ]);
  });

  test("is taken from a connection that is still there", () => {
    const pair = readyPair();
    pair.client.open("say", 1);
    pair.flush();
    const old = pair.server.output;
    pair.client.session.lost(0);
    pair.connect(true);
    expect(linesOf(old.copy())).toEqual([
      'CLOSE 0 {"code":"SESSION_REPLACED","message":"resumed on another connection"}',
    ]);
    expect(pair.server.told()).toEqual([
      "call say 1",
      "say cancelled SESSION_LOST",
      "ready resumed",
    ]);
  });

  test("forgets what was begun on the old connection", () => {
    const server = readyServer();
    server.session.receive(
      joined(
        frame(KIND.REQUEST | 0x80, 1, head(NAME.say), "1"),
        frame(KIND.PING, 0, u64(1)).subarray(0, 10),
      ),
      0,
    );
    server.session.lost(0);
    const { hello: read } = greet(
      server.kind,
      joined(
        SIGNATURE,
        frame(KIND.HELLO, 0, hello({ resume: { session: server.session.id, received: 0 } })),
      ),
    );
    server.session.welcome(server.output, read, true, 0);
    server.session.receive(
      joined(
        frame(KIND.REQUEST, 1, head(NAME.say), "2"),
        frame(KIND.REQUEST, 3, head(NAME.say), "3"),
      ),
      0,
    );
    expect(server.told()).toEqual(["ready resumed", "call say 2", "call say 3"]);
  });

  test("is without a connection while it is taken from one", () => {
    const pair = readyPair();
    const errors: unknown[] = [];
    const sink = {
      result: () => undefined,
      item: () => undefined,
      end: () => undefined,
      fail: () => {
        try {
          pair.server.open("ask", 2);
        } catch (error) {
          errors.push(error);
        }
      },
      writable: () => undefined,
    };
    pair.server.session.open(entryOf(pair.server.kind, "ask"), 1, {}, sink);
    pair.client.session.lost(0);
    pair.connect(true);
    expect(errors).toEqual([expect.objectContaining({ code: "NOT_READY" })]);
    expect([pair.server.session.openCalls, pair.server.session.state]).toEqual([0, "ready"]);
  });

  const resume = (received: number, session: string): ReturnType<typeof greet> =>
    greet(
      new End("server").kind,
      joined(SIGNATURE, frame(KIND.HELLO, 0, hello({ resume: { session, received } }))),
    );

  test("is resumed only with numbers that the client can have", () => {
    const server = readyServer();
    for (const payload of [1, 2, 3, 4]) server.emit("note", payload);
    server.session.receive(frame(KIND.ACK, 0, u64(2)), 0);
    const { id } = server.session;
    const can = [0, 1, 2, 3, 4, 5].map((received) =>
      server.session.canResume(resume(received, id).hello),
    );
    expect(can).toEqual([false, false, true, true, true, false]);
    expect(server.session.canResume(resume(3, id.replace("0", "f")).hello)).toBe(false);
    expect(
      server.session.canResume({
        auth: undefined,
        resume: { session: id, received: 3 },
        peerVersion: 1,
      }),
    ).toBe(false);
    const limits = {
      maxMessageBytes: 99_999,
      maxPartials: 1,
      maxConversations: 1,
      windowBytes: 1,
      eventWindowBytes: 1,
    };
    const smaller = greet(
      server.kind,
      joined(
        SIGNATURE,
        frame(KIND.HELLO, 0, hello({ limits, resume: { session: id, received: 3 } })),
      ),
    ).hello;
    // what is kept may be more than it takes now
    expect(server.session.canResume(smaller)).toBe(false);
    server.session.close();
    expect(server.session.canResume(resume(3, id).hello)).toBe(false);
  });

  test("by a server that has events which were not sent, is ended", () => {
    const client = readyClient();
    client.session.lost(0);
    client.session.attach(client.output, 0);
    client.take();
    client.session.receive(
      joined(
        SIGNATURE,
        frame(KIND.WELCOME, 0, welcome({ resumed: true, received: 1, session: SESSION })),
      ),
      0,
    );
    expect(client.told()).toEqual(["over PROTOCOL_VIOLATION"]);
  });
});

describe("callbacks", () => {
  test("may throw: everything else is told, and the error comes out of the driver's call", () => {
    const pair = readyPair();
    pair.server.onCall = (call) => {
      call.reply(call.input);
      throw new Error(`from call ${String(call.input)}`);
    };
    for (const input of [1, 2, 3]) pair.client.open("say", input);
    expect(() => {
      pair.server.session.receive(pair.client.take(), 0);
    }).toThrow(new Error("from call 1"));
    pair.flush();
    expect(pair.client.told()).toEqual(["say result 1", "say result 2", "say result 3"]);
  });

  test.each(["item", "result", "end", "fail", "writable"] as const)(
    "of a call: %s() may throw",
    (which) => {
      const pair = readyPair({ limits: { windowBytes: 20 } });
      const log: string[] = [];
      const tell = (name: string): void => {
        log.push(name);
        if (name === which) throw new Error(name);
      };
      const sink = {
        result: () => {
          tell("result");
        },
        item: (_value: unknown, cost: number) => {
          call?.consume(cost);
          tell("item");
        },
        end: () => {
          tell("end");
        },
        fail: () => {
          tell("fail");
        },
        writable: () => {
          tell("writable");
        },
      };
      const name = which === "result" ? "say" : "talk";
      let call = null as ReturnType<typeof pair.client.session.open> | null;
      pair.server.onCall = (served) => {
        if (which === "result") served.reply(1);
        if (which === "item") served.send(1);
        if (which === "end") served.end();
        if (which === "fail") served.fail(new HawserError("OVERLOADED", ""));
      };
      call = pair.client.session.open(entryOf(pair.client.kind, name), 1, {}, sink);
      if (which === "writable") {
        call.send(1);
        call.send(2);
      }
      expect(() => pair.flush()).toThrow(new Error(which));
      pair.flush();
      expect([log.filter((line) => line === which).length, pair.client.session.state]).toEqual([
        1,
        "ready",
      ]);
    },
  );

  test.each(["item", "end", "cancelled", "writable"] as const)(
    "of a served call: %s() may throw",
    (which) => {
      const pair = readyPair({ limits: { windowBytes: 20 } });
      const throws = (name: string) => (): void => {
        if (name === which) throw new Error(name);
      };
      pair.server.onCall = (served) => {
        served.sink = {
          item: throws("item"),
          end: throws("end"),
          cancelled: throws("cancelled"),
          writable: throws("writable"),
        };
        if (which === "writable") served.send(served.send(1));
      };
      const call = pair.client.open("talk");
      if (which === "item") call.send(1);
      if (which === "end") call.end();
      if (which === "cancelled") call.cancel();
      expect(() => pair.flush()).toThrow(new Error(which));
      pair.flush();
      expect(pair.server.session.state).toBe("ready");
    },
  );

  test.each(["wrote", "ready", "event", "writable", "draining", "dropped", "over"] as const)(
    "of the session: %s() may throw",
    (which) => {
      const pair = readyPair({ limits: { eventWindowBytes: 17 } });
      let threw = 0;
      pair.client[which] = (): never => {
        threw++;
        throw new Error(which);
      };
      const act = (): void => {
        if (which === "ready") {
          pair.cut();
          pair.connect(true);
        } else if (which === "wrote") pair.client.session.tick(15_000);
        else if (which === "event") pair.server.emit("note", 1);
        else if (which === "writable") {
          pair.client.emit("tick", 1);
          pair.client.emit("tick", 2);
        } else if (which === "draining") pair.server.session.drain();
        else if (which === "dropped")
          pair.client.session.receive(frame(KIND.EVENT, 0, head(NAME.say), "1"), 0);
        else pair.server.session.close();
        pair.flush();
      };
      expect(act).toThrow(new Error(which));
      if (which !== "wrote") pair.flush();
      expect(threw).toBeGreaterThan(0);
    },
  );

  test("of an outcome may throw: the others are told", () => {
    const pair = readyPair();
    const told: number[] = [];
    for (const number of [1, 2, 3]) {
      pair.client.session.emit(entryOf(pair.client.kind, "note"), number, {}, () => {
        told.push(number);
        throw new Error(String(number));
      });
    }
    expect(() => pair.flush()).toThrow(new Error("1"));
    expect(told).toEqual([1, 2, 3]);
  });

  test("may call back into the session, whatever it is", () => {
    const pair = readyPair();
    pair.server.onCall = (call) => {
      pair.server.open("ask", "from within");
      pair.server.emit("tick", "from within");
      call.reply(call.input);
    };
    pair.client.onEvent = (_entry, _payload, handled) => {
      handled();
      pair.client.session.close();
    };
    pair.client.open("say", 1);
    pair.client.open("say", 2);
    pair.flush();
    expect(pair.client.told()).toEqual([
      'call ask "from within"',
      'event tick "from within"',
      "ask cancelled SESSION_CLOSED",
      "say fail SESSION_CLOSED",
      "say fail SESSION_CLOSED",
      "over null",
    ]);
    expect([pair.client.session.state, pair.server.session.state]).toEqual(["closed", "closed"]);
  });

  test("may end the connection in the middle of a chunk: the rest of it is not read", () => {
    const server = readyServer();
    server.onCall = () => {
      server.session.lost(0);
    };
    server.session.receive(
      joined(
        frame(KIND.REQUEST, 1, head(NAME.say)),
        frame(KIND.REQUEST, 3, head(NAME.say)),
        frame(0x3f, 0),
      ),
      0,
    );
    expect([server.told(), server.session.state]).toEqual([
      ["call say nothing", "say cancelled SESSION_LOST"],
      "lost",
    ]);
    server.onCall = () => {
      throw new Error("not again");
    };
    server.session.receive(frame(KIND.REQUEST, 5, head(NAME.say)), 0);
    expect(server.told()).toEqual([]);
  });

  test("may not give the session bytes: that is the driver's mistake", () => {
    const server = readyServer();
    server.onCall = () => {
      server.session.receive(frame(KIND.PING, 0, u64(1)), 0);
    };
    expect(() => {
      server.session.receive(frame(KIND.REQUEST, 1, head(NAME.say)), 0);
    }).toThrow(TypeError);
  });

  test("are told of what was written once for each chunk, and before too much has gathered", () => {
    const pair = readyPair();
    pair.server.onCall = (call) => void call.reply(call.input);
    for (let count = 0; count < 100; count++) pair.client.open("say", count);
    const requests = pair.client.take();
    pair.server.wrotes = 0;
    pair.server.session.receive(requests, 0);
    expect(pair.server.wrotes).toBe(1);
    pair.flush();
    for (let count = 0; count < 100; count++) pair.client.open("say", "x".repeat(1000));
    pair.server.wrotes = 0;
    pair.server.session.receive(pair.client.take(), 0);
    expect(pair.server.wrotes).toBeGreaterThan(10);
  });

  test("are told once for each chunk also after connections were lost, times passed and outputs left", () => {
    const pair = readyPair();
    pair.server.onCall = (call) => void call.reply(call.input);
    pair.cut();
    pair.cut();
    pair.connect(true);
    for (const { session } of [pair.client, pair.server]) {
      session.tick(1);
      session.transmit(1);
    }
    for (let count = 0; count < 10; count++) pair.client.open("say", count);
    pair.server.wrotes = 0;
    pair.server.session.receive(pair.client.take(), 0);
    expect(pair.server.wrotes).toBe(1);
    pair.client.wrotes = 0;
    pair.client.session.receive(
      joined(...[1, 2, 3].map((number) => frame(KIND.PING, 0, u64(number)))),
      0,
    );
    expect(pair.client.wrotes).toBe(1);
    pair.client.open("say", 1).cancel();
    expect(pair.client.wrotes).toBe(3);
    pair.server.open("ask", 1);
    pair.server.session.receive(frame(KIND.CREDIT, 0, u32(1)), 0);
    expect(pair.server.wrotes).toBe(2);
    pair.server.session.drain();
    expect(pair.server.wrotes).toBe(3);
    pair.server.session.close();
    expect(pair.server.wrotes).toBe(4);
  });
});

describe("receive()", () => {
  test("takes chunks cut anywhere, and does not keep them", () => {
    const answer = (call: InboundCall): void => {
      if (call.entry.type === "request") call.reply(call.input);
    };
    const whole = (): string[] => {
      const pair = readyPair();
      pair.server.onCall = answer;
      conversation(pair);
      pair.flush();
      return pair.server.told();
    };
    const conversation = (pair: Pair): void => {
      pair.client.open("say", { some: "grüße" });
      pair.client.emit("note", 1, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
      pair.client.open("talk", 2).send("item");
      pair.client.open("say", "y").cancel();
    };
    const expected = whole();
    const pair = readyPair();
    conversation(pair);
    const bytes = pair.client.take();
    for (let first = 0; first <= bytes.length; first++) {
      for (const second of [
        first,
        Math.min(first + 1, bytes.length),
        Math.min(first + 10, bytes.length),
      ]) {
        const { server } = readyPair();
        server.onCall = answer;
        for (const [from, to] of [
          [0, first],
          [first, second],
          [second, bytes.length],
        ] as const) {
          const chunk = bytes.slice(from, to);
          server.session.receive(chunk, 0);
          chunk.fill(0xee);
        }
        expect(server.told(), `cut at ${String(first)} and ${String(second)}`).toEqual(expected);
      }
    }
  });

  test("takes any cut of a whole life, down to single bytes", () => {
    for (const chunkBytes of [1, 2, 3, 7, 64, 1000]) {
      const pair = readyPair({ limits: small });
      pair.server.onCall = (call) => {
        if (call.entry.type === "request") call.reply(call.input);
        else call.end();
      };
      pair.client.open("say", "x".repeat(3000));
      pair.client.open("count", 1);
      pair.client.emit("note", "y".repeat(500));
      pair.flush(chunkBytes);
      expect(pair.client.told().sort()).toEqual([
        "count end",
        'note "yyyyyyyyyyyyyyy…502 delivered',
        'say result "xxxxxxxxxxxxxxx…3002',
        "writable",
      ]);
    }
  });

  test("ignores what comes without a connection", () => {
    const end = new End("server");
    end.session.receive(frame(KIND.PING, 0, u64(1)), 0);
    end.session.receive(new Uint8Array(0), 0);
    expect([end.told(), end.take().length]).toEqual([[], 0]);
    const client = new End("client");
    client.output = new ByteWriter();
    client.session.receive(SIGNATURE, 0);
    expect(client.session.state).toBe("new");
  });
});
