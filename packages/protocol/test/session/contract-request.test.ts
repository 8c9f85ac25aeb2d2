// $contract: which side may ask, and what the engine answers without its program.
import { describe, expect, test } from "vitest";
import { contractSchema } from "../../src/contract/contract-schema.ts";
import { defineProtocol } from "../../src/contract/contract.ts";
import { contractRequest } from "../../src/session/handshake/contract-request.ts";
import { nativeSessions } from "../../src/session/native.ts";
import type { CallSink, SessionKind } from "../../src/session/types.ts";
import {
  frame,
  head,
  hello,
  joined,
  KIND,
  linesOf,
  readyClient,
  readyServer,
  SIGNATURE,
  small,
  waitingClient,
  welcome,
} from "./by-hand.ts";
import { briefError, countingRandom, echo, End, greet, type Pair, readyPair } from "./ends.ts";

const native = nativeSessions(echo);

/** Sessions of a server that offers its contract. */
function offer(kind: SessionKind): SessionKind {
  return {
    name: kind.name,
    contract: kind.contract,
    greeter: (options) => kind.greeter({ ...options, offerContract: true }),
    session: (side, options, sink) => kind.session(side, { ...options, offerContract: true }, sink),
    refusal: (error) => kind.refusal(error),
    prepare: (entry, payload) => kind.prepare(entry, payload),
    prepareCall: (entry, input) => kind.prepareCall(entry, input),
  };
}

const offering = offer(native);
const document: unknown = JSON.parse(JSON.stringify(contractSchema(echo)));

/** Asks, and writes down what comes. */
function ask({ session }: End, came: unknown[]): void {
  const sink: CallSink = {
    result: (value) => void came.push(value),
    item: () => undefined,
    end: () => undefined,
    fail: (error) => void came.push(briefError(error)),
    writable: () => undefined,
  };
  session.open(contractRequest, undefined, {}, sink);
}

function asked(pair: Pair, chunkBytes?: number): unknown[] {
  const came: unknown[] = [];
  ask(pair.client, came);
  pair.flush(chunkBytes);
  return came;
}

describe("$contract", () => {
  test("is agreed and answered by a server that offers it; no handler is called", () => {
    const pair = readyPair({ kind: offering });
    expect([pair.client.session.features, pair.server.session.features]).toEqual([
      ["contract"],
      ["contract"],
    ]);
    for (const chunkBytes of [undefined, 1, 7]) expect(asked(pair, chunkBytes)).toEqual([document]);
    expect(pair.told()).toEqual({ client: [], server: [] });
    expect([pair.client.session.openCalls, pair.server.session.openCalls]).toEqual([0, 0]);
  });

  test("is asked again over each connection, and lost with it", () => {
    const pair = readyPair({ kind: offering });
    const came: unknown[] = [];
    ask(pair.client, came);
    pair.cut();
    expect(came).toEqual(["SESSION_LOST"]);
    pair.connect(true);
    expect(asked(pair)).toEqual([document]);
  });

  test("is not known to a client whose server does not offer it, nor before there is a connection", () => {
    const pair = readyPair({ kind: native });
    expect([pair.client.session.features, pair.server.session.features]).toEqual([[], []]);
    expect(() => asked(pair)).toThrow(
      'Cannot call "$contract": the peer\'s contract (version 1) does not have it',
    );
    expect(new End("client", { kind: offering }).session.features).toEqual([]);
  });

  test("is not the server's to ask, nor does a client that is asked answer", () => {
    const pair = readyPair({ kind: offering });
    expect(() => {
      ask(pair.server, []);
    }).toThrow('Cannot open "$contract": the contract leaves it to the client');
    const client = waitingClient({ kind: offering, limits: small });
    client.session.receive(
      joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome({ features: ["contract"] }))),
      0,
    );
    client.session.receive(frame(KIND.REQUEST, 2, head(0xffff)), 0);
    expect(linesOf(client.take())[0]).toContain("PROTOCOL_VIOLATION");
  });

  test.each([
    [offering, [], KIND.REQUEST],
    [native, ["contract"], KIND.REQUEST],
    [offering, ["contract"], KIND.STREAM],
  ] as const)(
    "is outside the list where it was not agreed, and as a stream",
    (kind, features, opening) => {
      const server = new End("server", { kind, limits: small });
      const greeting = greet(kind, joined(SIGNATURE, frame(KIND.HELLO, 0, hello({ features }))));
      server.session.welcome(server.output, greeting.hello, false, 0);
      server.take();
      server.session.receive(frame(opening, 1, head(0xffff)), 0);
      expect(linesOf(server.take())[0]).toContain(
        "opened with the name 65535, which is not in its list",
      );
    },
  );

  test("fails where the client takes less than the document has, and the server is told", () => {
    const wide = defineProtocol({
      name: "wide",
      version: 1,
      events: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`event-${String(i)}`, {}])),
    });
    const pair = readyPair({
      kind: offer(nativeSessions(wide)),
      limits: { maxMessageBytes: 1_024 },
    });
    expect(asked(pair)).toEqual(["REMOTE_HANDLER_FAILED"]);
    expect(pair.told().server).toEqual(["dropped PAYLOAD_TOO_LARGE"]);
  });

  test("counts among the calls that handlers have, and is refused above maxConversations", () => {
    const pair = readyPair({ kind: offering, limits: { maxConversations: 1 } });
    pair.client.open("say", "hi");
    pair.flush();
    pair.cut();
    pair.connect(true);
    pair.told();
    expect(asked(pair)).toEqual(["OVERLOADED"]); // the handler of the lost call goes on
    pair.server.calls[0]?.reply("late");
    expect(asked(pair)).toEqual([document]);
  });

  test("takes no document of another format from a server", () => {
    for (const wrong of ["null", "[]", '{"format":"other/1"}']) {
      const client = waitingClient({ kind: offering, limits: small });
      client.session.receive(
        joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome({ features: ["contract"] }))),
        0,
      );
      const came: unknown[] = [];
      ask(client, came);
      client.session.receive(frame(KIND.RESULT, 1, wrong), 0);
      expect(came).toEqual(["OUTPUT_INVALID"]);
    }
  });
});

describe("features", () => {
  const refusal = (features: unknown): string => {
    const greeting = native
      .greeter({ random: countingRandom() })
      .receive(joined(SIGNATURE, frame(KIND.HELLO, 0, hello({ features }))));
    return greeting?.ok === false ? greeting.error.message : "taken";
  };

  test.each<[string, unknown, string]>([
    ["null", null, "`features` is not a list"],
    ["a text", "contract", "`features` is not a list"],
    ["a number in it", [1], "`features[0]` is not a text"],
    ["an empty text in it", ["a", ""], "`features[1]` has not 1 to 64 bytes"],
    ["a text of 65 bytes in it", ["é".repeat(32) + "x"], "`features[0]` has not 1 to 64 bytes"],
    ["one that is there twice", ["a", "b", "a"], "`features[2]` is there twice"],
    [
      "33 of them",
      Array.from({ length: 33 }, (_, i) => String(i)),
      "`features` has more than 32 members",
    ],
  ])("%s can't be read", (_, features, why) => {
    expect(refusal(features)).toBe(`The peer's HELLO can't be read: ${why}`);
  });

  test("are taken up to 32 of 64 bytes, and those that are not known are ignored", () => {
    expect(refusal(Array.from({ length: 32 }, (_, i) => String(i).padStart(64, "x")))).toBe(
      "taken",
    );
    expect(refusal([])).toBe("taken");
    expect([readyServer().session.features, readyClient().session.features]).toEqual([[], []]);
    const client = waitingClient();
    client.session.receive(
      joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome({ features: ["later"] }))),
      0,
    );
    expect([client.session.state, client.session.features]).toEqual(["ready", []]);
  });
});
