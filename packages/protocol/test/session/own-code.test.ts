// The program's own code runs while a session encodes and decodes: codecs, schemas, getters. What
// it does to the session meanwhile is looked at again.
import { describe, expect, test } from "vitest";
import { defineProtocol, type MessageEntry } from "../../src/contract/contract.ts";
import { HawserError } from "../../src/errors.ts";
import { libraryCodec } from "../../src/codec/library-codec.ts";
import type { Schema } from "../../src/contract/schema.ts";
import { nativeSessions } from "../../src/session/native.ts";
import { bytes } from "../../src/codec/codec.ts";
import { type } from "../../src/contract/schema.ts";
import { briefError, type End, entryOf, Pair } from "./ends.ts";

/** What the schema and the codec do besides, each time. */
let meanwhile: () => void = () => undefined;

const curious: Schema = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value: unknown) => {
      meanwhile();
      return { value };
    },
  },
};

const curiousCodec = libraryCodec("curious", {
  encode: (value: unknown) => {
    meanwhile();
    return new TextEncoder().encode(JSON.stringify(value));
  },
  decode: (encoded: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(encoded)),
});

const contract = defineProtocol({
  name: "curious",
  version: 1,
  requests: {
    ask: { input: curious, output: curious, errors: { no: curious } },
    coded: { input: type<unknown>(), output: type<unknown>(), codec: curiousCodec },
    plain: { input: type<unknown>(), output: type<unknown>() },
    octets: { input: type<Uint8Array>(), codec: bytes() },
  },
  streams: { both: { item: type<unknown>(), send: type<unknown>(), codec: curiousCodec } },
  events: {
    note: { payload: curious },
    kept: { payload: curious, delivery: "at-least-once" },
    told: { payload: type<unknown>(), codec: curiousCodec },
  },
});

function pairOf(): Pair {
  meanwhile = () => undefined;
  const pair = new Pair({ kind: nativeSessions(contract) }).connect();
  pair.told();
  return pair;
}

/** Does something once, at the next call of the program's code. */
function once(what: () => void): void {
  meanwhile = () => {
    meanwhile = () => undefined;
    what();
  };
}

function codeOf(run: () => unknown): string {
  try {
    run();
    return "none";
  } catch (error) {
    return error instanceof HawserError ? error.code : String(error);
  }
}

/** Loses the connection, and makes another for the same session. */
function reconnect(pair: Pair): void {
  pair.cut();
  pair.connect(true);
}

describe("the program's code that runs while something is sent", () => {
  test(
    "and loses the connection: the call, and the event at most once, are not sent, even where " +
      "there is another connection",
    () => {
      for (const [name, send] of [
        ["ask", (end: End) => end.open("ask", 1)],
        ["coded", (end: End) => end.open("coded", 1)],
        ["note", (end: End) => end.emit("note", 1)],
        ["told", (end: End) => end.emit("told", 1)],
      ] as const) {
        const lost = pairOf();
        once(() => {
          lost.cut();
        });
        expect([name, codeOf(() => send(lost.client))]).toEqual([name, "NOT_READY"]);
        const replaced = pairOf();
        once(() => {
          reconnect(replaced);
        });
        expect([name, codeOf(() => send(replaced.client))]).toEqual([name, "NOT_SENT"]);
      }
    },
  );

  test("and loses the connection: an event at least once is taken, and arrives over the next", () => {
    const pair = pairOf();
    once(() => {
      reconnect(pair);
    });
    pair.client.emit("kept", 1);
    pair.flush();
    expect(pair.told()).toEqual({
      client: ["ready resumed", "kept 1 delivered"],
      server: ["ready resumed", "event kept 1"],
    });
  });

  test("and closes the session: nothing is sent", () => {
    for (const send of [
      (end: End) => end.open("ask", 1),
      (end: End) => end.emit("kept", 1),
      (end: End) => end.emit("told", 1),
    ]) {
      const pair = pairOf();
      once(() => {
        pair.client.session.close();
      });
      expect(codeOf(() => send(pair.client))).toBe("SESSION_CLOSED");
    }
  });

  test("and answers the call meanwhile: the first answer counts", () => {
    for (const name of ["ask", "coded"]) {
      const pair = pairOf();
      pair.client.open(name, 1);
      pair.flush();
      const [call] = pair.server.calls;
      once(() => call?.reply("inner"));
      expect(call?.reply("outer")).toBeNull();
      pair.flush();
      expect(pair.client.told()).toEqual([`${name} result "inner"`]);
    }
  });

  test("and fails the call meanwhile: what was to be the named error is dropped", () => {
    const pair = pairOf();
    pair.client.open("ask", 1);
    pair.flush();
    const [call] = pair.server.calls;
    once(() => call?.fail(new HawserError("OVERLOADED", "later")));
    expect(call?.fail({ name: "no", payload: 1 })).toBeNull();
    pair.flush();
    expect(pair.client.told()).toEqual(["ask fail OVERLOADED"]);
  });

  test(
    "and loses the connection while a call is answered with what can't be sent: nothing is said " +
      "to the next",
    () => {
      const pair = pairOf();
      pair.client.open("ask", 1);
      pair.flush();
      const [call] = pair.server.calls;
      pair.told();
      meanwhile = () => {
        pair.server.session.lost(0);
        throw new Error("no");
      };
      expect(briefError(call?.reply(1) ?? null)).toBe("OUTPUT_INVALID");
      meanwhile = () => undefined;
      expect(pair.server.take()).toEqual(new Uint8Array(0));
    },
  );

  test("and ends a stream while its item is encoded: the item is dropped", () => {
    const pair = pairOf();
    const call = pair.client.open("both");
    pair.flush();
    const [served] = pair.server.calls;
    once(() => {
      call.cancel();
    });
    expect(call.send(1)).toBe(true);
    once(() => {
      served?.end();
    });
    expect(served?.send(1)).toBe(true);
    pair.flush();
    expect(pair.told()).toEqual({
      client: ["both fail CALL_CANCELLED"],
      server: ["call both nothing"],
    });
  });
});

describe("the program's code that runs while something is read", () => {
  test("and closes the session: no handler sees the input", () => {
    const pair = pairOf();
    pair.client.open("ask", 1);
    once(() => undefined); // the caller's own check has run
    meanwhile = () => {
      pair.server.session.close();
    };
    pair.server.session.receive(pair.client.take(), 0);
    meanwhile = () => undefined;
    expect([pair.server.calls.length, pair.server.session.state]).toEqual([0, "closed"]);
  });
});

describe("prepareCall()", () => {
  const kind = nativeSessions(contract);
  const refusing: MessageEntry = entryOf(
    nativeSessions(defineProtocol({ name: "a", version: 1, requests: { never: {} } })),
    "never",
  );

  test("refuses an input that the contract does not take", () => {
    expect(codeOf(() => kind.prepareCall(refusing, 1))).toBe("INPUT_INVALID");
  });

  test("keeps bytes as they are at that moment", () => {
    const given = Uint8Array.of(1, 2);
    const { body } = kind.prepareCall(entryOf(kind, "octets"), given);
    given[0] = 9;
    expect([...body]).toEqual([1, 2]);
  });
});
