// Lists of messages: told by their fingerprint, and asked for where it differs.
import { describe, expect, test } from "vitest";
import { defineProtocol, type Protocol } from "../../src/contract/contract.ts";
import type { HawserError } from "../../src/errors.ts";
import { nativeSessions } from "../../src/session/native.ts";
import type { Greeter } from "../../src/session/types.ts";
import {
  filler,
  frame,
  framesOf,
  hello,
  joined,
  KIND,
  SIGNATURE,
  u64,
  waitingClient,
  welcome,
} from "./by-hand.ts";
import { countingRandom, End, Pair, readyPair } from "./ends.ts";

const MORE = 0x80;
const list = (JSON.parse(hello()) as { messages: string[][] }).messages;
const unlisted = hello({ messages: undefined });

/** A contract of so many messages, and of one more where it has drifted. */
function wide(count: number, drifted = false): Protocol {
  const requests = Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`request.number.${String(at)}`, {}]),
  );
  return defineProtocol({
    name: "wide",
    version: 1,
    requests: { ...requests, ...(drifted ? { "ticket.close": {} } : {}) },
  });
}

/** A server's greeter whose client is let in without a list. */
function asking(): Greeter {
  const greeter = new End("server").kind.greeter({ random: countingRandom() });
  expect(greeter.receive(joined(SIGNATURE, frame(KIND.HELLO, 0, unlisted)))).toMatchObject({
    ok: true,
  });
  const admission = greeter.admitted();
  expect(
    admission.ok === null &&
      framesOf(admission.ask.subarray(8)).map(({ kind, payload }) => [kind, payload.length]),
  ).toEqual([["WANT", 0]]);
  return greeter;
}

describe("a list of messages", () => {
  test("is not told where the fingerprints are the same", () => {
    const pair = new Pair();
    pair.client.session.attach(pair.client.output, 0);
    const [greeting] = framesOf(pair.client.take().subarray(8));
    const said = JSON.parse(greeting?.text ?? "") as object;
    expect([Object.keys(said).includes("messages"), said]).toEqual([
      false,
      expect.objectContaining({ fingerprint: pair.client.kind.contract.fingerprint }),
    ]);
    pair.client.session.lost(0);
    pair.connect();
    expect(pair.told()).toEqual({ client: ["ready"], server: ["ready"] });
  });

  test("of 2 000 messages is greeted, on both sides of a drift of versions", () => {
    const newer = defineProtocol({
      ...wide(2_000).definition,
      version: 2,
      accepts: [1, 2],
      events: { late: {} },
    });
    for (const [client, server] of [
      [wide(2_000), wide(2_000)],
      [wide(2_000), newer],
      [newer, wide(2_000)],
    ] as const) {
      const pair = readyPair({ kind: nativeSessions(client) }, { kind: nativeSessions(server) });
      pair.server.onCall = (call) => void call.reply(call.input);
      pair.client.open("request.number.1999");
      pair.flush();
      expect(pair.client.told()).toEqual(["request.number.1999 result nothing"]);
    }
  });

  test("of 2 000 messages that has drifted is refused, and both sides name what differs", () => {
    const difference =
      'Both sides speak "wide" 1, but not the same: this server lacks "ticket.close". Raise ' +
      "the version with each change";
    const client = { kind: nativeSessions(wide(2_000, true)) };
    const server = { kind: nativeSessions(wide(2_000)) };
    expect(() => new Pair(client, server).connect()).toThrow(
      expect.objectContaining({ code: "CONTRACT_DIFFERS", message: difference }),
    );
    // A server that does not compare sends its own list.
    const end = new End("client", client);
    let error: HawserError | null = null;
    end.onOver = (cause) => void (error = cause);
    end.session.attach(end.output, 0);
    const told = JSON.stringify(
      wide(2_000).messages.map(({ name, type, codec, digest }) => [name, type, codec.name, digest]),
    );
    const pieces = Array.from({ length: Math.ceil(told.length / 16_384) }, (_, at) =>
      told.slice(at * 16_384, (at + 1) * 16_384),
    );
    expect(pieces.length).toBeGreaterThan(3);
    end.session.receive(
      joined(
        SIGNATURE,
        ...pieces.map((piece, at) =>
          frame(at + 1 < pieces.length ? KIND.MESSAGES | MORE : KIND.MESSAGES, 0, piece),
        ),
      ),
      0,
    );
    end.session.receive(
      frame(
        KIND.WELCOME,
        0,
        welcome({ protocol: "wide", messages: undefined, fingerprint: wide(2_000).fingerprint }),
      ),
      0,
    );
    expect(error).toMatchObject({
      code: "CONTRACT_DIFFERS",
      message:
        'Both sides speak "wide" 1, but not the same: the server lacks "ticket.close". Raise ' +
        "the version with each change",
    });
  });

  test("is asked for once the client is let in, and taken at every cut", () => {
    const text = JSON.stringify(list);
    const bytes = joined(
      frame(KIND.MESSAGES | MORE, 0, text.slice(0, 1)),
      frame(KIND.MESSAGES | MORE, 0, text.slice(1, 70)),
      frame(0x41, 7, "x"),
      frame(KIND.MESSAGES, 0, text.slice(70)),
    );
    for (let first = 1; first < bytes.length; first++) {
      const greeter = asking();
      expect(greeter.receive(bytes.slice(0, first))).toBeNull();
      expect(greeter.end()).toMatchObject({
        code: "HELLO_INVALID",
        message: "The client was asked for its list of messages, and did not send all of it",
      });
      expect(greeter.receive(bytes.slice(first))).toMatchObject({
        ok: true,
        hello: { peerVersion: 1 },
      });
    }
  });

  const faults: [string, Uint8Array, string][] = [
    [
      "another frame",
      frame(KIND.PING, 0, u64(1)),
      "The client sent PING with the id 0 where MESSAGES belongs",
    ],
    [
      "an id",
      frame(KIND.MESSAGES, 1, "[]"),
      "The client sent MESSAGES with the id 1 where MESSAGES belongs",
    ],
    [
      "a length out of range",
      frame(KIND.MESSAGES, 0, filler(16_385)),
      "The client sent a frame of length 16390, where HELLO and a piece of MESSAGES have at " +
        "most 16389",
    ],
    [
      "a piece without a byte",
      frame(KIND.MESSAGES | MORE, 0),
      "The peer's list of messages has a piece without a byte",
    ],
    [
      "more than 1 MiB",
      joined(
        ...Array.from({ length: 65 }, () => frame(KIND.MESSAGES | MORE, 0, " ".repeat(16_384))),
      ),
      "The peer's list of messages has more than 1048576 bytes",
    ],
    [
      "no JSON",
      frame(KIND.MESSAGES, 0, "["),
      "The peer's MESSAGES can't be read: it is not JSON in UTF-8",
    ],
    [
      "an object",
      frame(KIND.MESSAGES, 0, "{}"),
      "The peer's MESSAGES can't be read: `messages` is not a list",
    ],
    [
      "more behind it",
      joined(frame(KIND.MESSAGES, 0, JSON.stringify(list)), frame(KIND.PING, 0, u64(1))),
      "The client sent more before it had the WELCOME",
    ],
    [
      "a part of a frame behind it",
      joined(frame(KIND.MESSAGES, 0, JSON.stringify(list)), Uint8Array.of(0)),
      "The client sent more before it had the WELCOME",
    ],
  ];
  test.each(faults)("that has %s is refused without another signature", (_, bytes, message) => {
    const greeting = asking().receive(bytes);
    expect(greeting).toMatchObject({ ok: false, error: { code: "HELLO_INVALID", message } });
    expect(greeting?.ok === false && framesOf(greeting.reply).map(({ kind }) => kind)).toEqual([
      "REFUSE",
    ]);
  });

  test("that HELLO has is compared when the client is let in", () => {
    const greeter = new End("server").kind.greeter({ random: countingRandom() });
    const greeting = greeter.receive(
      joined(SIGNATURE, frame(KIND.HELLO, 0, hello({ messages: [] }))),
    );
    expect(greeting?.ok).toBe(true);
    const message =
      'Both sides speak "echo" 1, but not the same: the client lacks "note"; the client lacks ' +
      '"tick", and 4 more. Raise the version with each change';
    expect(greeter.admitted()).toMatchObject({
      ok: false,
      error: { code: "CONTRACT_DIFFERS", message },
    });
    expect(greeter.receive(frame(KIND.PING, 0, u64(1)))).toBeNull();
    expect(greeter.end()).toMatchObject({ code: "CONTRACT_DIFFERS" });
    expect(() => greeter.admitted()).toThrow(
      "Cannot admit a client whose HELLO has not been read, or that has been admitted",
    );
  });

  test("of a session is welcomed once it is known", () => {
    const end = new End("server");
    const greeting = end.kind
      .greeter({ random: countingRandom() })
      .receive(joined(SIGNATURE, frame(KIND.HELLO, 0, unlisted)));
    if (greeting?.ok !== true) throw new Error("no greeting");
    expect(() => {
      end.session.welcome(end.output, greeting.hello, false, 0);
    }).toThrow(
      "Cannot welcome a peer whose list of messages is not known: ask the greeter with admitted()",
    );
  });
});

describe("a client", () => {
  const over = (...bytes: Uint8Array[]): unknown => {
    const end = waitingClient();
    end.session.receive(joined(SIGNATURE, ...bytes), 0);
    return end.told();
  };
  const told = frame(KIND.MESSAGES, 0, JSON.stringify(list));
  const last = frame(KIND.WELCOME, 0, welcome({ messages: undefined }));

  test("takes the server's list before WELCOME, and answers WANT with its own", () => {
    expect(over(told, last)).toEqual(["ready"]);
    expect(
      over(
        frame(KIND.MESSAGES | MORE, 0, "["),
        frame(KIND.MESSAGES, 0, JSON.stringify(list).slice(1)),
        last,
      ),
    ).toEqual(["ready"]);
    const end = waitingClient();
    end.session.receive(joined(SIGNATURE, frame(KIND.WANT, 0)), 0);
    expect(
      framesOf(end.take()).map(({ kind, text }) => [kind, JSON.parse(text) as unknown]),
    ).toEqual([["MESSAGES", list]]);
  });

  test.each([
    ["a list that has begun", [frame(KIND.MESSAGES | MORE, 0, "["), last]],
    ["no list at all", [last]],
    ["a list twice", [told, told, last]],
    ["WANT twice", [frame(KIND.WANT, 0), frame(KIND.WANT, 0), told, last]],
    ["a list that is none", [frame(KIND.MESSAGES, 0, "{}"), last]],
  ])("ends the session where there is %s", (_, bytes) => {
    expect(over(...bytes)).toEqual(["over PROTOCOL_VIOLATION"]);
  });
});
