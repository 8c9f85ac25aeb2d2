// What comes late: events behind a slow handler, pieces after a standstill, answers that are under
// way when the connection is lost.
import { expect, test } from "vitest";
import { defineProtocol } from "../../src/contract/contract.ts";
import { HawserError } from "../../src/errors.ts";
import { type, type Schema } from "../../src/contract/schema.ts";
import { nativeSessions } from "../../src/session/native.ts";
import { frame, head, joined, KIND, linesOf, NAME, readyServer, small, u64 } from "./by-hand.ts";
import { echo, End, type Handled, Pair, readyPair } from "./ends.ts";

test("events behind a slow handler keep their traces; one of an unknown name is rejected in its turn", () => {
  const newer = defineProtocol({
    name: "echo",
    version: 2,
    accepts: [1, 2],
    events: {
      note: { payload: type<unknown>(), delivery: "at-least-once" },
      other: { payload: type<unknown>(), delivery: "at-least-once" },
    },
  });
  const older = defineProtocol({
    name: "echo",
    version: 1,
    events: { note: { payload: type<unknown>(), delivery: "at-least-once" } },
  });
  const server = new End("server", { kind: nativeSessions(older) });
  const client = new End("client", { kind: nativeSessions(newer) });
  const pair = Object.assign(new Pair(), { client, server }).connect();
  const waiting: Handled[] = [];
  server.onEvent = (_entry, _payload, handled) => void waiting.push(handled);
  const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  pair.told();
  client.emit("note", 1);
  client.emit("note", 2, trace);
  client.emit("other", 3);
  pair.flush();
  expect(pair.told()).toEqual({
    client: ["other 3 not-sent MESSAGE_UNKNOWN", "dropped MESSAGE_UNKNOWN"],
    server: ["event note 1"],
  });
  waiting.shift()?.();
  expect(server.told()).toEqual([`event note 2 ${trace}`]);
});

test("an EVENT of a name that is not this side's waits its turn, and is rejected in it", () => {
  const server = readyServer();
  const waiting: Handled[] = [];
  server.onEvent = (_entry, _payload, handled) => void waiting.push(handled);
  const event = (name: number, number: number): Uint8Array =>
    frame(KIND.EVENT, 0, head(name, 4), u64(number), "1");
  server.session.receive(joined(event(NAME.note, 1), event(NAME.say, 2), event(NAME.note, 3)), 0);
  expect(server.told()).toEqual(["event note 1"]);
  waiting.shift()?.();
  expect(server.told()).toEqual(["dropped MESSAGE_UNKNOWN", "event note 1"]);
  expect(linesOf(server.take()).map((line) => line.slice(0, 6))).toEqual(["REJECT", "ACK 0 "]);
});

test("an event whose schema fails is this side's own fault, and rejected", () => {
  const failing: Schema = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value: unknown) => {
        if (value === 2) throw new Error("no");
        return { value };
      },
    },
  };
  const kind = (payload: Schema): ReturnType<typeof nativeSessions> =>
    nativeSessions(
      defineProtocol({
        name: "a",
        version: 1,
        events: { note: { payload, delivery: "at-least-once" } },
      }),
    );
  const pair = new Pair({ kind: kind(type<unknown>()) }, { kind: kind(failing) }).connect();
  pair.told();
  pair.client.emit("note", 2);
  pair.flush();
  expect(pair.told()).toEqual({
    client: ["note 2 delivered INPUT_INVALID"],
    server: ["dropped EVENT_INVALID"],
  });
});

test("events that a new session's peer does not know are told with what is known of them", () => {
  const twice = nativeSessions(
    defineProtocol({
      name: "echo",
      version: 2,
      accepts: [1, 2],
      events: { gone: { delivery: "at-least-once" }, kept: { delivery: "at-least-once" } },
    }),
  );
  const once = nativeSessions(
    defineProtocol({ name: "echo", version: 1, events: { kept: { delivery: "at-least-once" } } }),
  );
  const pair = new Pair({ kind: twice }).connect();
  pair.told();
  pair.client.emit("gone"); // in the output, but never carried
  pair.cut();
  pair.client.emit("gone");
  const next = Object.assign(new Pair(), {
    client: pair.client,
    server: new End("server", { kind: once }),
  });
  pair.client.told();
  next.connect();
  expect(pair.client.told()).toEqual([
    "gone nothing unknown MESSAGE_UNKNOWN",
    "gone nothing not-sent MESSAGE_UNKNOWN",
    "ready",
  ]);
});

test("a piece that could not come while this process stood still is waited for anew", () => {
  const server = readyServer({ limits: { ...small, frameTimeoutMs: 1_000 } });
  server.session.stoodStill(100, 100);
  server.session.receive(frame(KIND.REQUEST | 0x80, 1, head(NAME.say), "1"), 200);
  server.session.stoodStill(5_000, 5_200);
  server.session.receive(frame(KIND.PONG, 0).subarray(0, 3), 5_300);
  server.session.stoodStill(5_000, 10_300);
  server.session.tick(10_400);
  expect(server.session.state).toBe("ready");
  server.session.tick(11_400);
  expect(server.told()).toEqual(["over FRAME_TIMEOUT"]);
});

test("an answer in pieces whose connection is lost leaves room for other calls", () => {
  const pair = readyPair({ limits: { maxConversations: 1, maxMessageBytes: 1_000_000 } });
  pair.client.open("say", 1);
  pair.flush();
  expect(pair.server.calls[0]?.reply("x".repeat(500_000))).toBeNull();
  pair.server.take();
  pair.cut();
  pair.connect(true);
  pair.told();
  pair.client.open("say", 2);
  pair.flush();
  expect(pair.told()).toEqual({ client: [], server: ["call say 2"] });
});

test("a FAIL of a local error without a path says its code alone", () => {
  const pair = readyPair();
  pair.client.open("say", 1);
  pair.flush();
  pair.server.calls[0]?.fail(new HawserError("INPUT_INVALID", "no", { origin: "remote" }));
  pair.flush();
  expect([pair.client.told(), echo.name]).toEqual([["say fail INPUT_INVALID"], "echo"]);
});
