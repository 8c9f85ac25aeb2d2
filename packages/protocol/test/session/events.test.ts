// Events: delivery, order, numbers, credit, and what becomes of them when the connection is lost.
import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { defineProtocol } from "../../src/contract/contract.ts";
import { HawserError } from "../../src/errors.ts";
import { nativeSessions } from "../../src/session/native.ts";
import type { Settled } from "../../src/session/types.ts";
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
  SESSION,
  SIGNATURE,
  small,
  u32,
  u64,
  waitingClient,
  welcome,
} from "./by-hand.ts";
import { End, entryOf, greet, type Handled, Pair, readyPair } from "./ends.ts";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
const LARGE = "x".repeat(200_000);

describe("an event that is delivered at most once", () => {
  test("comes with its trace; its outcome is unknown as soon as it is in the output", () => {
    const pair = readyPair();
    expect(pair.client.emit("tick", 1, TRACE)).toBe(true);
    expect(pair.client.told()).toEqual(["tick 1 unknown"]);
    expect(pair.flush()).toBe(1); // nothing is acknowledged
    expect(pair.server.told()).toEqual([`event tick 1 ${TRACE}`]);
  });

  test("needs a connection", () => {
    const end = new End("client");
    expect(() => end.emit("tick")).toThrow(expect.objectContaining({ code: "NOT_READY" }));
    const pair = readyPair();
    pair.cut();
    expect(() => pair.client.emit("tick")).toThrow(expect.objectContaining({ code: "NOT_READY" }));
    pair.client.session.close();
    expect(() => pair.client.emit("tick")).toThrow(
      expect.objectContaining({ code: "SESSION_CLOSED" }),
    );
  });

  test("that waits for credit when the connection is lost was not sent", () => {
    const client = readyClient(); // 100 bytes
    const taken = Array.from({ length: 8 }, (_, item) => client.emit("tick", item));
    expect(taken).toEqual([true, true, true, true, true, false, false, false]);
    client.session.lost(0);
    expect(client.told()).toEqual([
      ...Array.from({ length: 6 }, (_, item) => `tick ${String(item)} unknown`),
      "tick 6 not-sent NOT_SENT",
      "tick 7 not-sent NOT_SENT",
    ]);
  });

  test("that is cut into pieces when the connection is lost was not sent", () => {
    const pair = readyPair();
    pair.client.emit("tick", LARGE);
    pair.server.session.receive(pair.client.take(), 0);
    pair.cut();
    expect(pair.told()).toEqual({
      client: ['tick "xxxxxxxxxxxxxxx…200002 not-sent NOT_SENT'],
      server: [],
    });
  });

  test("finds no room when too much waits", () => {
    const pair = readyPair({ limits: { maxQueuedBytes: 100_000 } });
    pair.client.emit("tick", "x".repeat(90_000));
    expect(() => pair.client.emit("tick", "x".repeat(90_000))).toThrow(
      expect.objectContaining({ code: "WRITE_BUFFER_FULL" }),
    );
    pair.flush();
    expect(pair.server.log.length).toBe(1);
  });

  test("that can't be encoded was not taken", () => {
    const pair = readyPair();
    for (const name of ["tick", "note"]) {
      expect(() => pair.client.emit(name, 1n)).toThrow(
        expect.objectContaining({ code: "PAYLOAD_FORBIDDEN" }),
      );
      expect(() => pair.client.emit(name, "x".repeat(1_100_000))).toThrow(
        expect.objectContaining({ code: "PAYLOAD_TOO_LARGE" }),
      );
    }
    expect([pair.client.output.length, pair.client.log, pair.flush()]).toEqual([0, [], 0]);
  });
});

describe("an event that is delivered at least once", () => {
  test("is delivered when its handler has finished", () => {
    const pair = readyPair();
    let finish: Handled = () => undefined;
    pair.server.onEvent = (_entry, _payload, handled) => {
      finish = handled;
    };
    pair.client.emit("note", 1);
    pair.flush();
    expect(pair.told()).toEqual({ client: [], server: ["event note 1"] });
    finish();
    expect(linesOf(pair.server.output.copy())).toEqual(["ACK 0 0000000000000001"]);
    pair.flush();
    expect(pair.client.told()).toEqual(["note 1 delivered"]);
    finish(new HawserError("HANDLER_FAILED", "twice"));
    expect(pair.flush()).toBe(0);
    const first = finish;
    pair.client.emit("note", 2);
    pair.flush();
    first(); // nor does it stand for the next
    expect(pair.flush()).toBe(0);
    finish();
    pair.flush();
    expect(pair.client.told()).toEqual(["note 2 delivered"]);
  });

  test("comes after the one before it is handled, and one ACK covers many", () => {
    const pair = readyPair();
    const waiting: Handled[] = [];
    pair.server.onEvent = (_entry, payload, handled) => {
      if (payload === 1) waiting.push(handled);
      else handled();
    };
    for (const payload of [1, 2, 3]) pair.client.emit("note", payload);
    pair.client.emit("tick", 4);
    pair.flush();
    expect(pair.server.told()).toEqual(["event note 1"]);
    waiting[0]?.();
    expect(pair.server.told()).toEqual(["event note 2", "event note 3", "event tick 4"]);
    expect(linesOf(pair.server.take())).toEqual(["ACK 0 0000000000000003"]);
    for (const payload of [5, 6, 7]) pair.client.emit("note", payload);
    pair.server.session.receive(pair.client.take(), 0);
    expect(linesOf(pair.server.output.copy()).filter((line) => line.startsWith("ACK"))).toEqual([
      "ACK 0 0000000000000006",
    ]);
  });

  test("is delivered with an error when its handler fails; the cause stays there", () => {
    const pair = readyPair();
    pair.server.onEvent = (_entry, payload, handled) => {
      handled(
        payload === 1
          ? new HawserError("PATH_NOT_FOUND", "/etc/secret")
          : payload === 2
            ? { name: "x", payload: "secret" }
            : null,
      );
    };
    for (const payload of [1, 2, 3]) pair.client.emit("note", payload);
    pair.server.session.receive(pair.client.take(), 0);
    expect(linesOf(pair.server.output.copy()).map((line) => line.slice(0, 9))).toEqual([
      "REJECT 0 ",
      "REJECT 0 ",
      "ACK 0 000",
    ]);
    expect(new TextDecoder().decode(pair.server.output.copy())).not.toContain("secret");
    pair.flush();
    expect(pair.client.told()).toEqual([
      "note 1 delivered REMOTE_HANDLER_FAILED",
      "note 2 delivered REMOTE_HANDLER_FAILED",
      "note 3 delivered",
    ]);
  });

  test("is kept while there is no connection, in every state, and sent when there is", () => {
    const pair = readyPair();
    const early = new End("server");
    expect(early.emit("note", "early")).toBe(true);
    const { hello: read } = greet(early.kind, joined(SIGNATURE, frame(KIND.HELLO, 0, hello())));
    early.session.welcome(early.output, read, false, 0);
    expect(linesOf(early.take().subarray(8)).at(-1)).toBe(
      "EVENT 0 0000040000000000000001226561726c7922",
    );
    pair.cut();
    expect([pair.client.emit("note", 1), pair.client.emit("note", 2)]).toEqual([true, true]);
    pair.connect(true);
    pair.flush();
    expect(pair.told()).toEqual({
      client: ["ready resumed", "note 1 delivered", "note 2 delivered"],
      server: ["ready resumed", "event note 1", "event note 2"],
    });
  });

  test("of a server's new session is sent, whatever the client had of another", () => {
    const server = new End("server");
    server.emit("note", 1);
    const { hello: read } = greet(
      server.kind,
      joined(SIGNATURE, frame(KIND.HELLO, 0, hello({ resume: { session: SESSION, received: 7 } }))),
    );
    server.session.welcome(server.output, read, false, 0);
    expect(linesOf(server.take().subarray(8)).at(-1)).toBe("EVENT 0 000004000000000000000131");
  });

  test(
    "that has left may take the connection with it, and begin another: nothing of it goes to the " +
      "old one",
    () => {
      const pair = readyPair();
      const { client } = pair;
      const settle = (): void => {
        client.session.lost(0);
        client.emit("note", 2);
        client.output = new ByteWriter();
        client.session.attach(client.output, 0);
      };
      client.session.emit(entryOf(client.kind, "tick"), LARGE, {}, settle);
      client.session.emit(entryOf(client.kind, "tick"), LARGE, {}, null);
      const old = client.output;
      while (client.session.state === "ready") {
        old.truncate(0);
        client.session.transmit(65_536);
      }
      expect(linesOf(old.copy()).length).toBe(1);
      expect(linesOf(client.output.copy().subarray(8)).map((line) => line.slice(0, 7))).toEqual([
        "HELLO 0",
      ]);
    },
  );

  test("is bounded in number and bytes", () => {
    const end = new End("client", { limits: { maxRetainedEvents: 2, maxRetainedBytes: 100 } });
    end.emit("note", 1);
    expect(() => end.emit("note", "x".repeat(100))).toThrow(
      expect.objectContaining({ code: "RETENTION_FULL", retryable: true }),
    );
    end.emit("note", 2);
    expect(() => end.emit("note", 3)).toThrow(expect.objectContaining({ code: "RETENTION_FULL" }));
    end.session.close();
    expect(end.told()).toEqual([
      "note 1 not-sent SESSION_CLOSED",
      "note 2 not-sent SESSION_CLOSED",
    ]);
    const pair = readyPair({ limits: { maxRetainedBytes: 36 } }); // 12 each: head, number and body
    for (let round = 0; round < 3; round++) {
      for (const payload of [1, 2, 3]) pair.client.emit("note", payload);
      expect(() => pair.client.emit("note", 4)).toThrow(
        expect.objectContaining({ code: "RETENTION_FULL" }),
      );
      pair.flush();
    }
    expect(pair.client.log.length).toBe(9);
  });

  test("needs no one who waits for its outcome", () => {
    const pair = readyPair();
    for (const name of ["note", "tick"])
      pair.client.session.emit(entryOf(pair.client.kind, name), 1, {}, null);
    pair.flush();
    expect(pair.server.told()).toEqual(["event note 1", "event tick 1"]);
  });

  test("larger than a frame goes in pieces, and those behind it wait their turn", () => {
    const pair = readyPair();
    expect(pair.client.emit("note", LARGE)).toBe(false);
    pair.client.emit("note", 2);
    pair.client.emit("tick", 3);
    pair.flush();
    expect(pair.told()).toEqual({
      client: [
        "tick 3 unknown",
        "writable",
        'note "xxxxxxxxxxxxxxx…200002 delivered',
        "note 2 delivered",
      ],
      server: ['event note "xxxxxxxxxxxxxxx…200002', "event note 2", "event tick 3"],
    });
  });
});

describe("credit for events", () => {
  test("is given back as they are handled; emit() says when to wait, writable() when to go on", () => {
    const pair = readyPair({ limits: { eventWindowBytes: 60 } });
    const waiting: Handled[] = [];
    pair.server.onEvent = (_entry, _payload, handled) => void waiting.push(handled);
    // 17 each: after the fourth there is none
    const said = Array.from({ length: 5 }, (_, payload) => pair.client.emit("note", payload));
    expect(said).toEqual([true, true, true, false, false]);
    pair.flush();
    expect(pair.server.told()).toEqual(["event note 0"]);
    waiting.shift()?.();
    pair.flush();
    expect(pair.client.told()).toEqual(["note 0 delivered"]);
    waiting.shift()?.();
    pair.flush();
    expect(pair.client.told()).toEqual(["writable", "note 1 delivered"]);
    while (waiting.length > 0) {
      waiting.shift()?.();
      pair.flush();
    }
    expect(pair.server.log.filter((line) => line.startsWith("event")).length).toBe(4);
  });

  test("does not grow when events of the old connection are not handled", () => {
    const pair = readyPair({ limits: { eventWindowBytes: 100 } });
    pair.server.onEvent = () => undefined;
    for (let round = 0; round < 5; round++) {
      for (let payload = 0; payload < 10; payload++) pair.client.emit("note", payload);
      pair.flush();
      pair.cut();
      pair.connect(true);
    }
    const { length } = pair.server.log;
    // one is with the program; of the others a window and one more each time have come
    expect(length).toBeLessThan(15);
    expect(pair.client.log.filter((line) => line.includes("delivered"))).toEqual([]);
  });
});

describe("credit for events of a lost connection", () => {
  test("that comes free during a handshake is given when that is over", () => {
    const server = readyServer();
    const waiting: Handled[] = [];
    server.onEvent = (_entry, _payload, handled) => void waiting.push(handled);
    server.session.receive(
      joined(
        ...[1, 2, 3, 4].map((number) =>
          frame(KIND.EVENT, 0, head(NAME.note, 4), u64(number), `"${"x".repeat(20)}"`),
        ),
      ),
      0,
    ); // 38 each
    expect(server.session.state).toBe("closed"); // the fourth had no credit

    const client = readyClient();
    client.onEvent = (_entry, _payload, handled) => void waiting.push(handled);
    client.session.receive(
      joined(
        ...[1, 2, 3].map((number) =>
          frame(KIND.EVENT, 0, head(NAME.note, 4), u64(number), `"${"x".repeat(20)}"`),
        ),
      ),
      0,
    );
    client.session.lost(0);
    client.session.attach(client.output, 0);
    // more than all of it is taken
    expect(new TextDecoder().decode(client.take())).toContain('"eventWindowBytes":0,');
    waiting.splice(0).forEach((handled) => {
      handled();
    });
    while (waiting.length > 0) waiting.shift()?.();
    client.session.receive(
      joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome({ resumed: true }))),
      0,
    );
    expect(linesOf(client.take())).toEqual(["ACK 0 0000000000000003", "CREDIT 0 00000064"]);
  });

  test("that is not free is not given anew, however often the connection is lost", () => {
    for (const end of [readyClient(), readyServer()]) {
      const waiting: Handled[] = [];
      end.onEvent = (_entry, _payload, handled) => void waiting.push(handled);
      const event = (number: number): Uint8Array =>
        frame(KIND.EVENT, 0, head(NAME.note, 4), u64(number), `"${"x".repeat(500)}"`);
      end.session.receive(event(1), 0);
      const announced = [];
      for (let round = 0; round < 5; round++) {
        end.session.lost(0);
        end.output.truncate(0);
        if (end.session.side === "client") {
          end.session.attach(end.output, 0);
          announced.push(
            /"eventWindowBytes":(\d+)/.exec(new TextDecoder().decode(end.take()))?.[1],
          );
          end.session.receive(
            joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome({ resumed: true }))),
            0,
          );
        } else {
          const { hello: read } = greet(
            end.kind,
            joined(
              SIGNATURE,
              frame(KIND.HELLO, 0, hello({ resume: { session: end.session.id, received: 0 } })),
            ),
          );
          end.session.welcome(end.output, read, true, 0);
          announced.push(
            /"eventWindowBytes":(\d+)/.exec(new TextDecoder().decode(end.take()))?.[1],
          );
        }
      }
      expect(announced).toEqual(["0", "0", "0", "0", "0"]);
      end.take();
      waiting.shift()?.();
      // 100: all of it, and not what the first had above it
      expect(linesOf(end.take()).sort()).toEqual(["ACK 0 0000000000000001", "CREDIT 0 00000064"]);
      end.session.receive(joined(event(2), event(3)), 0);
      expect([end.session.state, linesOf(end.take()).at(-1)]).toEqual([
        "closed",
        'CLOSE 0 {"code":"FLOW_VIOLATION","message":"The peer sent an event without credit"}',
      ]);
    }
  });
});

test("what was handled on the old connection gives no credit on the new one", () => {
  const client = readyClient();
  const events = (first: number): Uint8Array =>
    joined(
      ...[first, first + 1].map((number) =>
        frame(KIND.EVENT, 0, head(NAME.note, 4), u64(number), "1"),
      ),
    );
  client.session.receive(events(1), 0); // 34 of 100 bytes: not worth a frame
  client.session.lost(0);
  client.session.attach(client.output, 0);
  client.session.receive(joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome({ resumed: true }))), 0);
  client.take();
  client.session.receive(events(3), 0);
  expect(linesOf(client.take())).toEqual(["ACK 0 0000000000000004"]);
  // 68 of what the new connection began with: half the window is due
  client.session.receive(events(5), 0);
  expect(linesOf(client.take())).toEqual(["CREDIT 0 00000033", "ACK 0 0000000000000006"]);
});

describe("a lost connection", () => {
  test("makes the sender send again what the other end does not have, and the other drop what it has", () => {
    const pair = readyPair();
    pair.client.emit("note", 1);
    pair.client.emit("note", 2);
    const both = pair.client.take();
    // 2 is lost, and the ACK of 1
    pair.server.session.receive(both.subarray(0, both.length / 2), 0);
    pair.cut();
    pair.connect(true);
    expect(linesOf(pair.client.output.copy()).map((line) => line.slice(0, 7))).toEqual(["EVENT 0"]);
    pair.flush();
    expect(pair.told()).toEqual({
      client: ["ready resumed", "note 1 delivered", "note 2 delivered"],
      server: ["event note 1", "ready resumed", "event note 2"],
    });
  });

  test("makes the receiver say again what it had rejected and acknowledged", () => {
    const pair = readyPair();
    pair.server.onEvent = (_entry, payload, handled) => {
      handled(payload === 1 ? new HawserError("HANDLER_FAILED", "") : null);
    };
    for (const payload of [1, 2]) pair.client.emit("note", payload);
    pair.server.session.receive(pair.client.take(), 0);
    pair.cut();
    pair.connect(true);
    pair.flush();
    expect(pair.client.told()).toEqual([
      "ready resumed",
      "note 1 delivered REMOTE_HANDLER_FAILED",
      "note 2 delivered",
    ]);
    pair.cut();
    pair.connect(true); // what was rejected is said once more, and ignored
    pair.flush();
    expect(pair.client.told()).toEqual(["ready resumed"]);
  });

  test("lets a handler finish; its ACK goes over the next connection", () => {
    const pair = readyPair();
    const waiting: Handled[] = [];
    pair.server.onEvent = (_entry, _payload, handled) => void waiting.push(handled);
    pair.client.emit("note", 1);
    pair.client.emit("note", 2);
    pair.flush();
    pair.cut();
    waiting.shift()?.(new HawserError("HANDLER_FAILED", ""));
    expect(waiting.length).toBe(1);
    pair.connect(true);
    pair.flush();
    waiting.shift()?.();
    pair.flush();
    expect(pair.client.told()).toEqual([
      "ready resumed",
      "note 1 delivered REMOTE_HANDLER_FAILED",
      "note 2 delivered",
    ]);
  });

  test("whose session the server forgot makes the client begin again, under new numbers", () => {
    const pair = readyPair();
    pair.server.onEvent = () => undefined;
    for (const payload of [1, 2]) pair.client.emit("note", payload);
    pair.flush();
    pair.cut();
    pair.client.emit("note", 3);
    const next = new End("server");
    pair.client.output = new ByteWriter();
    pair.client.session.attach(pair.client.output, 0);
    const { hello: read } = greet(next.kind, pair.client.take());
    expect([read.resume, next.session.canResume(read)]).toEqual([
      { session: pair.server.session.id, received: 0 },
      false,
    ]);
    next.session.welcome(next.output, read, false, 0);
    pair.client.session.receive(next.take(), 0);
    next.session.receive(pair.client.take(), 0);
    pair.client.session.receive(next.take(), 0);
    expect(next.told()).toEqual(["ready", "event note 1", "event note 2", "event note 3"]);
    expect(pair.client.told()).toEqual([
      "ready repeated 2",
      "note 1 delivered",
      "note 2 delivered",
      "note 3 delivered",
    ]);
  });

  test(
    "whose session is not resumed in time leaves the server's events unknown, and those that " +
      "never left not sent",
    () => {
      const pair = readyPair({ limits: { eventWindowBytes: 20 } });
      for (const payload of [1, 2, 3]) pair.server.emit("note", payload);
      pair.cut();
      pair.server.session.close();
      expect(pair.server.told()).toEqual([
        "note 1 unknown SESSION_CLOSED",
        "note 2 unknown SESSION_CLOSED",
        "note 3 not-sent SESSION_CLOSED",
      ]);
    },
  );

  test("leaves what has come from the old session for the program, without an ACK in the new one", () => {
    const client = waitingClient();
    client.session.receive(joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome())), 0);
    const waiting: Handled[] = [];
    client.onEvent = (_entry, _payload, handled) => void waiting.push(handled);
    for (const number of [1, 2])
      client.session.receive(
        frame(KIND.EVENT, 0, head(NAME.note, 4), u64(number), String(number)),
        0,
      );
    client.session.lost(0);
    client.session.attach(client.output, 0);
    client.take();
    client.session.receive(
      joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome({ session: SESSION.replace("0", "f") }))),
      0,
    );
    for (const handled of waiting.splice(0)) handled();
    for (const handled of waiting.splice(0)) handled();
    expect(linesOf(client.take())).toEqual([]);
    client.session.receive(frame(KIND.EVENT, 0, head(NAME.note, 4), u64(1), "3"), 0);
    waiting[0]?.();
    expect(linesOf(client.take()).at(-1)).toBe("ACK 0 0000000000000001");
    expect(client.log.filter((line) => line.startsWith("event"))).toEqual([
      "event note 1",
      "event note 2",
      "event note 3",
    ]);
  });
});

test("an event that was taken before its peer was known is not sent to one that takes less", () => {
  const client = waitingClient();
  client.emit("note", "x".repeat(1022));
  client.emit("note", "x".repeat(1023));
  client.session.receive(
    joined(
      SIGNATURE,
      frame(
        KIND.WELCOME,
        0,
        welcome({
          limits: {
            maxMessageBytes: 1024,
            maxPartials: 1,
            maxConversations: 1,
            windowBytes: 1,
            eventWindowBytes: 1,
          },
        }),
      ),
    ),
    0,
  );
  expect(client.told()).toEqual(['note "xxxxxxxxxxxxxxx…1025 not-sent MESSAGE_UNKNOWN', "ready"]);
  client.session.receive(frame(KIND.ACK, 0, u64(1)), 0);
  expect(client.told()).toEqual(['note "xxxxxxxxxxxxxxx…1024 delivered']);
});

describe("an event that the peer does not know", () => {
  test("is reported once for its name and connection", () => {
    const pair = new Pair(
      {},
      {
        kind: nativeSessions(
          defineProtocol({ name: "echo", version: 2, accepts: [1, 2], events: { other: {} } }),
        ),
      },
    );
    pair.connect();
    pair.told();
    for (const name of ["note", "note", "tick", "tick", "note"])
      expect(pair.client.emit(name, 1)).toBe(true);
    const told = pair.client.told();
    expect(told.filter((line) => line.startsWith("dropped"))).toEqual([
      "dropped MESSAGE_UNKNOWN",
      "dropped MESSAGE_UNKNOWN",
    ]);
    expect(told.filter((line) => line.endsWith("not-sent MESSAGE_UNKNOWN"))).toHaveLength(5);
    pair.cut();
    pair.connect(true);
    pair.told();
    pair.client.emit("tick", 1);
    expect(pair.client.told()).toEqual([
      "tick 1 not-sent MESSAGE_UNKNOWN",
      "dropped MESSAGE_UNKNOWN",
    ]);
  });
});

describe("withdraw()", () => {
  /** Emit, and remember how to give up. */
  function emitting(end: End): (name: string, payload: unknown) => () => void {
    return (name, payload) => {
      const settled: Settled = (outcome) =>
        void end.log.push(`${name} ${String(payload)} ${outcome}`);
      end.session.emit(entryOf(end.kind, name), payload, {}, settled);
      return () => {
        end.session.withdraw(settled);
      };
    };
  }

  test("takes back what has not left: those behind it move up, and the rest is delivered", () => {
    const pair = readyPair({ limits: { eventWindowBytes: 38 } }); // two of them
    const handled: Handled[] = [];
    pair.server.onEvent = (_entry, _payload, done) => void handled.push(done);
    const emit = emitting(pair.client);
    const giveUp = ["a", "b", "c", "d", "e"].map((payload, index) =>
      emit(index === 3 ? "tick" : "note", payload),
    );
    pair.flush();
    giveUp[2]?.();
    giveUp[3]?.();
    giveUp[0]?.(); // it has left
    giveUp[0]?.();
    expect(pair.client.told()).toEqual(["note c not-sent", "tick d not-sent", "note a unknown"]);
    for (let done = handled.shift(); done !== undefined; done = handled.shift()) {
      done();
      pair.flush();
    }
    expect(pair.told()).toEqual({
      client: ["writable", "note b delivered", "note e delivered"],
      server: ['event note "a"', 'event note "b"', 'event note "e"'],
    });
  });

  test("takes back what is kept without a connection, and nothing of it is sent later", () => {
    const pair = readyPair();
    pair.cut();
    const emit = emitting(pair.client);
    const giveUp = ["a", LARGE, "c"].map((payload) => emit("note", payload));
    giveUp[1]?.();
    pair.connect(true);
    pair.flush();
    giveUp[2]?.();
    expect(pair.client.log.filter((line) => !line.startsWith("ready"))).toEqual([
      `note ${LARGE} not-sent`,
      "note a delivered",
      "note c delivered",
    ]);
    expect(pair.server.log.filter((line) => line.startsWith("event"))).toEqual([
      'event note "a"',
      'event note "c"',
    ]);
  });

  test("lets an event go on of which a piece has left, and sends again what may have arrived", () => {
    const pair = readyPair();
    const emit = emitting(pair.client);
    const giveUp = emit("note", LARGE);
    pair.client.take();
    giveUp();
    expect(pair.client.told()).toEqual([`note ${LARGE} unknown`]);
    pair.cut();
    pair.connect(true);
    pair.flush();
    expect(pair.server.log.filter((line) => line.startsWith("event"))).toEqual([
      'event note "xxxxxxxxxxxxxxx…200002',
    ]);
  });
});

describe("flushEvents()", () => {
  const flushed = (end: End, name: string): void => {
    end.session.flushEvents((error) => void end.log.push(`${name} ${error?.code ?? "flushed"}`));
  };

  test("is done when all that was emitted has left, and what is sent then arrives after it", () => {
    const pair = readyPair({ limits: { eventWindowBytes: 1_000 } });
    pair.server.onCall = (call) => void call.reply(undefined);
    flushed(pair.client, "first");
    for (let i = 0; i < 200; i++)
      pair.client.session.emit(
        entryOf(pair.client.kind, i % 2 === 0 ? "tick" : "note"),
        i,
        {},
        null,
      );
    let isFlushed = false;
    pair.client.session.flushEvents(() => {
      isFlushed = true;
      pair.client.open("say");
    });
    pair.client.open("say", "overtakes");
    expect([pair.client.told(), isFlushed]).toEqual([["first flushed"], false]);
    pair.flush();
    const told = pair.server.told();
    expect([told.length, told.at(-1)]).toEqual([202, "call say nothing"]);
    expect(told.indexOf('call say "overtakes"')).toBeLessThan(100);
  });

  test("waits for what is kept, counts each event once, and is told when the session is over", () => {
    const pair = readyPair();
    pair.cut();
    pair.client.emit("note", 1);
    flushed(pair.client, "kept");
    pair.connect(true);
    expect(pair.client.log.filter((line) => line.startsWith("kept"))).toEqual(["kept flushed"]);
    pair.cut(); // before the server has it: it is sent again
    pair.client.emit("note", 2);
    flushed(pair.client, "second");
    pair.connect(true);
    pair.flush();
    expect(pair.client.log.filter((line) => line.startsWith("second"))).toEqual(["second flushed"]);
    pair.cut();
    pair.client.emit("note", 3);
    flushed(pair.client, "never");
    pair.client.session.close();
    flushed(pair.client, "late");
    expect(pair.client.log.slice(-2)).toEqual(["never SESSION_CLOSED", "late SESSION_CLOSED"]);
  });

  test("counts what was lost or taken back as gone", () => {
    const client = readyClient(); // 100 bytes of credit
    for (let item = 0; item < 8; item++) client.emit("tick", item);
    flushed(client, "lost");
    client.session.lost(0);
    expect(client.log.at(-1)).toBe("lost flushed");
    const other = readyClient();
    for (let item = 0; item < 6; item++) other.emit("tick", item);
    const settled: Settled = () => undefined;
    other.session.emit(entryOf(other.kind, "tick"), "x", {}, settled);
    flushed(other, "taken back");
    other.session.withdraw(settled);
    expect(other.log.at(-1)).toBe("taken back flushed");
  });
});

test("a rejection of an old session is not said again in a new one", () => {
  const client = readyClient();
  const welcomed = (members: object): string[] => {
    client.session.lost(0);
    client.session.attach(client.output, 0);
    client.take();
    client.session.receive(joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome(members))), 0);
    return linesOf(client.take()).map((line) => line.slice(0, 8));
  };
  const event = frame(KIND.EVENT, 0, head(NAME.note, 4), u64(1), "1");
  client.onEvent = (_entry, _payload, handled) => {
    handled(new HawserError("HANDLER_FAILED", ""));
  };
  client.session.receive(event, 0);
  expect(welcomed({ resumed: true })).toEqual(["REJECT 0", "ACK 0 00"]);
  expect(welcomed({ session: SESSION.replace("0", "f") })).toEqual([]);
  client.onEvent = (_entry, _payload, handled) => {
    handled();
  };
  client.session.receive(event, 0);
  expect(welcomed({ session: SESSION.replace("0", "f"), resumed: true })).toEqual(["ACK 0 00"]);
});

describe("rejections that the peer is not known to have", () => {
  const events = (first: number, last: number): Uint8Array =>
    joined(
      ...Array.from({ length: last - first + 1 }, (_, at) =>
        frame(KIND.EVENT, 0, head(NAME.note, 4), u64(first + at), "1"),
      ),
    );
  const failing = (): { client: End; handled: () => number } => {
    const client = readyClient({ limits: { eventWindowBytes: 100_000 } });
    let handled = 0;
    client.onEvent = (_entry, _payload, done) => {
      handled++;
      done(new HawserError("HANDLER_FAILED", ""));
    };
    return { client, handled: () => handled };
  };
  const kinds = (bytes: Uint8Array): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const { kind } of framesOf(bytes)) counts[kind] = (counts[kind] ?? 0) + 1;
    return counts;
  };

  test("are all said again after a resumption: an ACK never covers one that was lost", () => {
    const { client } = failing();
    client.session.receive(events(1, 200), 0);
    client.session.lost(0);
    client.session.attach(client.output, 0);
    client.take();
    client.session.receive(
      joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome({ resumed: true }))),
      0,
    );
    expect(kinds(client.take())).toEqual({ REJECT: 200, ACK: 1, PING: 1 });
  });

  test("hold back the next event above a bound, until a PONG proves them", () => {
    const { client, handled } = failing();
    client.session.receive(events(1, 600), 0);
    expect([handled(), kinds(client.take())]).toEqual([256, { REJECT: 256, PING: 1, ACK: 1 }]);
    client.session.receive(frame(KIND.PONG, 0, u64(1)), 0); // to the PING behind the 64th
    expect([handled(), kinds(client.take())]).toEqual([320, { REJECT: 64, PING: 1, ACK: 1 }]);
    for (let ping = 2; handled() < 600; ping++)
      client.session.receive(frame(KIND.PONG, 0, u64(ping)), 0);
    client.session.lost(0);
    client.session.attach(client.output, 0);
    client.take();
    client.session.receive(
      joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome({ resumed: true }))),
      0,
    );
    // those that are proved are not said again
    expect(kinds(client.take())["REJECT"]).toBeLessThan(320);
  });

  test("are forgotten with the session that they belong to", () => {
    const { client, handled } = failing();
    client.session.receive(events(1, 300), 0);
    client.session.lost(0);
    client.session.attach(client.output, 0);
    client.take();
    client.session.receive(
      joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome({ session: "f".repeat(32) }))),
      0,
    );
    // what came in the old session has no numbers in the new one
    expect([handled(), kinds(client.take())]).toEqual([300, {}]);
  });

  test("no event is told as delivered whose handler failed, whatever is lost on the way", () => {
    const pair = readyPair({ limits: { eventWindowBytes: 100_000 } });
    pair.server.onEvent = (_entry, _payload, done) => {
      done(new HawserError("HANDLER_FAILED", ""));
    };
    for (let number = 0; number < 1_000; number++) pair.client.emit("note", number);
    pair.server.session.receive(pair.client.take(), 0); // and every answer is lost
    pair.cut();
    pair.connect(true).flush();
    const told = pair.client.told().filter((line) => line.startsWith("note"));
    expect([
      told.length,
      told.filter((line) => line.endsWith("delivered REMOTE_HANDLER_FAILED")).length,
    ]).toEqual([1_000, 1_000]);
  });
});

describe("an event that this side can't use", () => {
  const cases: [string, Uint8Array, string[], string[]][] = [
    [
      "of another type than the frame",
      frame(KIND.EVENT, 0, head(NAME.say), "1"),
      ["dropped MESSAGE_UNKNOWN"],
      [],
    ],
    [
      "whose payload its codec does not read",
      frame(KIND.EVENT, 0, head(NAME.tick), "{"),
      ["dropped EVENT_INVALID"],
      [],
    ],
    [
      "numbered, of another type",
      frame(KIND.EVENT, 0, head(NAME.say, 4), u64(1), "1"),
      ["dropped MESSAGE_UNKNOWN"],
      ["REJECT", "ACK 0 0000000000000001"],
    ],
    [
      "numbered, whose payload its codec does not read",
      frame(KIND.EVENT, 0, head(NAME.note, 4), u64(1), "{"),
      ["dropped EVENT_INVALID"],
      ["REJECT", "ACK 0 0000000000000001"],
    ],
  ];
  test.each(cases)("%s is dropped, and rejected if it is numbered", (_, bytes, told, sent) => {
    const server = readyServer();
    server.session.receive(bytes, 0);
    expect(server.told()).toEqual(told);
    expect(
      linesOf(server.take()).map((line) => (line.startsWith("REJECT") ? "REJECT" : line)),
    ).toEqual(sent);
    server.session.receive(frame(KIND.EVENT, 0, head(NAME.tick), "1"), 0);
    expect(server.told()).toEqual(["event tick 1"]);
  });

  test("is not sent to a peer whose contract does not have it", () => {
    const client = waitingClient();
    const messages = [["say", "request", "json", ""]];
    client.emit("note", "kept before");
    // the same version would have to have the same messages
    client.session.receive(joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome({ messages }))), 0);
    expect(client.session.state).toBe("closed");
    expect(client.told()).toEqual([
      'note "kept before" not-sent CONTRACT_DIFFERS',
      "over CONTRACT_DIFFERS",
    ]);
  });
});

describe("ACK, REJECT and CREDIT by hand", () => {
  const sent = (): End => {
    const client = readyClient();
    for (const payload of [1, 2, 3]) client.emit("note", payload);
    client.take();
    return client;
  };

  test("settle what they cover, once", () => {
    const client = sent();
    client.session.receive(
      joined(
        frame(KIND.REJECT, 0, u64(2), '{"code":"OVERLOADED","message":"busy"}'),
        frame(KIND.ACK, 0, u64(2)),
        frame(KIND.ACK, 0, u64(1)),
        frame(KIND.REJECT, 0, u64(1), "{}"),
        frame(KIND.ACK, 0, u64(3)),
      ),
      0,
    );
    expect(client.told()).toEqual([
      "note 1 delivered",
      "note 2 delivered OVERLOADED",
      "note 3 delivered",
    ]);
    client.session.receive(frame(KIND.REJECT, 0, u64(3), "{}"), 0);
    expect(client.session.state).toBe("ready");
  });

  test("an event that came twice is dropped, and its credit given back", () => {
    const server = readyServer();
    const event = frame(KIND.EVENT, 0, head(NAME.note, 4), u64(1), "1");
    for (let times = 0; times < 4; times++) server.session.receive(event, 0);
    expect(server.told()).toEqual(["event note 1"]);
    expect(linesOf(server.take())).toEqual(["ACK 0 0000000000000001", "CREDIT 0 00000033"]);
  });

  test("credit up to 2147483647 is taken", () => {
    const client = readyClient();
    client.session.receive(frame(KIND.CREDIT, 0, u32(0x7fff_ffff - 100)), 0);
    expect(client.session.state).toBe("ready");
  });
});

describe("prepare()", () => {
  test("encodes once what many sessions emit", () => {
    const pairs = [readyPair({ limits: small }), readyPair({ limits: small })];
    for (const name of ["note", "tick"]) {
      const [first] = pairs;
      if (first === undefined) return;
      const prepared = first.server.kind.prepare(entryOf(first.server.kind, name), { to: "all" });
      for (const { server } of pairs) server.session.emitPrepared(prepared, {}, null);
    }
    for (const pair of pairs) {
      pair.flush();
      expect(pair.client.told()).toEqual(['event note {"to":"all"}', 'event tick {"to":"all"}']);
    }
  });

  test("refuses what can't be sent, and what a peer does not take", () => {
    const pair = readyPair();
    const { kind } = pair.server;
    expect(() => kind.prepare(entryOf(kind, "tick"), 1n)).toThrow(
      expect.objectContaining({ code: "PAYLOAD_FORBIDDEN" }),
    );
    const large = kind.prepare(entryOf(kind, "tick"), "x".repeat(1_100_000));
    expect(() => pair.server.session.emitPrepared(large, {}, null)).toThrow(
      expect.objectContaining({ code: "PAYLOAD_TOO_LARGE" }),
    );
    pair.server.session.emitPrepared(kind.prepare(entryOf(kind, "tick"), undefined), {}, null);
    pair.flush();
    expect(pair.client.told()).toEqual(["event tick nothing"]);
  });
});
