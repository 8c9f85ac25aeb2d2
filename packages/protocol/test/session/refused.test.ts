// Items that are refused (STOP), and the reasons of CANCEL.
import { describe, expect, test } from "vitest";
import { defineProtocol } from "../../src/contract/contract.ts";
import { HawserError } from "../../src/errors.ts";
import { nativeSessions } from "../../src/session/native.ts";
import { type } from "../../src/contract/schema.ts";
import {
  frame,
  framesOf,
  head,
  joined,
  KIND,
  linesOf,
  NAME,
  readyClient,
  readyServer,
} from "./by-hand.ts";
import { readyPair } from "./ends.ts";

const limits = { windowBytes: 100, connectionWindowBytes: 1_000 };

describe("items that are refused", () => {
  test("by the opener: the responder is told, what it sends is dropped, and the conversation goes on", () => {
    const pair = readyPair({ limits });
    const call = pair.client.open("talk", 1);
    pair.flush();
    const [served] = pair.server.calls;
    for (let n = 0; n < 20; n++) served?.send("x".repeat(40));
    expect(pair.server.session.queuedBytes).toBeGreaterThan(0);
    call.refuse();
    call.refuse();
    call.send("still");
    expect(linesOf(pair.client.output.copy())).toEqual(["STOP 1", 'ITEM 1 "still"']);
    pair.flush();
    expect(pair.told()).toMatchObject({
      server: ["call talk 1", "talk refused", 'talk got "still"'],
    });
    expect([served?.send("dropped"), pair.server.session.queuedBytes]).toEqual([true, 0]);
    expect(pair.flush()).toBe(0);
    served?.end();
    call.end();
    pair.flush();
    expect([
      pair.client.told().at(-1),
      pair.client.session.openCalls,
      pair.server.session.openCalls,
    ]).toEqual(["talk end", 0, 0]);
  });

  test("by the responder: the opener ends its part, and gets the answer", () => {
    const pair = readyPair({ limits });
    const call = pair.client.open("talk", 1);
    for (let n = 0; n < 20; n++) call.send("x".repeat(40));
    pair.flush();
    const [served] = pair.server.calls;
    served?.refuse();
    served?.refuse();
    pair.flush();
    expect(pair.client.told().at(-1)).toBe("talk refused");
    expect([call.send("dropped"), pair.client.session.queuedBytes]).toEqual([true, 0]);
    expect(pair.server.told().at(-1)).toBe("talk got end");
    served?.send("the answer");
    served?.end();
    pair.flush();
    expect([
      pair.client.told(),
      pair.client.session.openCalls,
      pair.server.session.openCalls,
    ]).toEqual([['talk item "the answer"', "talk end"], 0, 0]);
    call.end(); // it is over: nothing happens
    expect(pair.flush()).toBe(0);
  });

  test.each([[["end"]], [[]]])(
    "whose end waits for credit end at once, and so does a large one between its pieces (%j)",
    (then) => {
      const pair = readyPair({ limits: { ...limits, windowBytes: 30 } });
      pair.server.onCall = (call) => {
        for (let n = 0; n < 9; n++) call.send("x".repeat(n === 0 ? 200_000 : 40));
        if (then.length > 0) call.end();
      };
      const call = pair.client.open("talk", 1);
      call.send("waits");
      call.send("x".repeat(200_000));
      if (then.length > 0) call.end();
      pair.server.session.receive(pair.client.take(), 0);
      pair.client.session.receive(frame(KIND.STOP, 1), 0);
      pair.server.session.receive(frame(KIND.STOP, 1), 0);
      pair.flush();
      if (then.length === 0) pair.server.calls[0]?.end();
      pair.flush();
      const items = pair.told().client.filter((line) => line.startsWith("talk"));
      expect(items).toEqual(["talk refused", expect.stringMatching(/^talk item /), "talk end"]);
      expect([
        pair.client.session.openCalls,
        pair.client.session.queuedBytes,
        pair.server.session.queuedBytes,
      ]).toEqual([0, 0, 0]);
    },
  );

  test("that come all the same give their credit of all streams back, and none of the stream", () => {
    const client = readyClient({ limits: { ...limits, connectionWindowBytes: 60 } });
    const call = client.open("talk", 1);
    client.take();
    call.refuse();
    client.session.receive(
      joined(frame(KIND.ITEM, 1, '"aaaaaaaaaaaaaaaaaaaa"'), frame(KIND.ITEM, 1, "1")),
      0,
    );
    expect(linesOf(client.take())).toEqual(["STOP 1", "WINDOW 0 00000026"]);
    expect(client.told()).toEqual([]);
    client.session.receive(joined(...[1, 2, 3, 4].map((n) => frame(KIND.ITEM, 1, String(n)))), 0);
    expect(linesOf(client.take()).at(-1)).toContain("FLOW_VIOLATION");
  });

  test(
    "of a stream that has not begun are refused when it does; of one that is over, or a request, " +
      "there is nothing to refuse",
    () => {
      const pair = readyPair({ limits: { ...limits, maxPartials: 1 } });
      pair.client.open("say", "x".repeat(200_000));
      const call = pair.client.open("talk", "y".repeat(200_000));
      const request = pair.client.open("say", 1);
      request.refuse();
      call.refuse();
      expect(framesOf(pair.client.output.copy()).map(({ kind }) => kind)).not.toContain("STOP");
      pair.flush();
      expect(pair.server.told()).toContain("talk refused");
      pair.server.calls.find(({ entry }) => entry.name === "talk")?.end();
      pair.flush();
      call.refuse();
      expect(pair.client.output.length).toBe(0);
    },
  );

  test("between the pieces of what opens the stream are refused from the start", () => {
    const server = readyServer();
    server.session.receive(
      joined(
        frame(KIND.STREAM | 0x80, 1, head(NAME.talk), "1"),
        frame(KIND.STOP, 1),
        frame(KIND.STREAM, 1, "2"),
      ),
      0,
    );
    expect(server.told()).toEqual(["call talk 12", "talk got end", "talk refused"]);
    expect(server.calls[0]?.send("dropped")).toBe(true);
    server.calls[0]?.end();
    expect(linesOf(server.take())).toEqual(["END 1"]);
  });

  test("of a request end the session", () => {
    for (const begun of [
      frame(KIND.REQUEST, 1, head(NAME.say), "1"),
      frame(KIND.REQUEST | 0x80, 1, head(NAME.say), "1"),
    ]) {
      const server = readyServer();
      server.session.receive(joined(begun, frame(KIND.STOP, 1)), 0);
      expect(linesOf(server.take()).at(-1)).toContain("refused the items of a request");
    }
  });

  test("tell a sink that throws of it, and the rest goes on", () => {
    const pair = readyPair({ limits });
    pair.client.open("talk", 1);
    pair.flush();
    const [served] = pair.server.calls;
    if (served === undefined) throw new Error("no call");
    served.sink = {
      item: () => undefined,
      end: () => undefined,
      cancelled: () => undefined,
      writable: () => undefined,
      refused: () => {
        throw new Error("mine");
      },
    };
    expect(() => {
      pair.server.session.receive(frame(KIND.STOP, 1), 0);
    }).toThrow("mine");
    served.end();
    expect(linesOf(pair.server.take())).toEqual(["END 1"]);
  });
});

describe("the reason of a CANCEL", () => {
  const strict = nativeSessions(
    defineProtocol({
      name: "strict",
      version: 1,
      streams: {
        numbers: {
          input: type<unknown>(),
          item: {
            "~standard": {
              version: 1,
              vendor: "test",
              validate: (value: unknown) =>
                typeof value === "number" ? { value } : { issues: [{ message: "no number" }] },
            },
          } as const,
        },
      },
    }),
  );

  test("is told to the handler: a deadline, an item that is invalid, a program that failed", () => {
    const pair = readyPair({ limits });
    pair.client.open("say", 1, {}, "plain").cancel();
    pair.client.open("say", 2, { timeoutMs: 5 }, "late");
    pair.client.open("say", 3, {}, "own").cancel(new HawserError("HANDLER_FAILED", "a secret"));
    pair.client.open("say", 4, {}, "other").cancel(new HawserError("NOT_READY", "a secret"));
    pair.client.session.tick(10);
    const bytes = pair.client.take();
    expect(
      framesOf(bytes)
        .filter(({ kind }) => kind === "CANCEL")
        .map(({ text }) => text),
    ).toEqual([
      "",
      '{"code":"HANDLER_FAILED","message":""}',
      "",
      '{"code":"DEADLINE_EXCEEDED","message":""}',
    ]);
    pair.server.session.receive(bytes, 0);
    expect(pair.server.told().filter((line) => line.includes("cancelled"))).toEqual([
      "say cancelled CALL_CANCELLED",
      "say cancelled REMOTE_HANDLER_FAILED",
      "say cancelled CALL_CANCELLED",
      "say cancelled DEADLINE_EXCEEDED",
    ]);
    for (const call of pair.server.calls) call.reply("late");
    expect(
      framesOf(pair.server.take()).map(({ text }) => (JSON.parse(text) as { code: string }).code),
    ).toEqual(["CANCELLED", "DEADLINE_EXCEEDED", "CANCELLED", "CANCELLED"]);
  });

  test(
    "is ITEM_INVALID where an item is not what the opener takes; the handler's answer is not " +
      "wanted then",
    () => {
      const pair = readyPair({ kind: strict, limits });
      pair.client.open("numbers");
      pair.flush();
      const [served] = pair.server.calls;
      if (served === undefined) throw new Error("no call");
      pair.client.session.receive(frame(KIND.ITEM, 1, '"a"'), 0);
      const bytes = pair.client.take();
      expect(framesOf(bytes).map(({ kind, text }) => `${kind} ${text}`)).toEqual([
        'CANCEL {"code":"ITEM_INVALID","message":""}',
      ]);
      pair.server.session.receive(bytes, 0);
      expect([pair.client.told(), pair.server.told(), served.cancellation?.origin]).toEqual([
        ["numbers fail ITEM_INVALID"],
        ["call numbers nothing", "numbers cancelled ITEM_INVALID"],
        "remote",
      ]);
      served.end();
      expect(linesOf(pair.server.take())[0]).toContain('FAIL 1 {"code":"CANCELLED"');
    },
  );

  test.each([
    "{",
    "[]",
    '{"code":"CANCELLED"}',
    '{"code":1,"message":""}',
    `{"code":"${"x".repeat(1_001)}","message":""}`,
  ])("that can't be read ends the session: %s", (text) => {
    const server = readyServer();
    server.session.receive(
      joined(frame(KIND.REQUEST, 1, head(NAME.say), "1"), frame(KIND.CANCEL, 1, text)),
      0,
    );
    expect(linesOf(server.take()).at(-1)).toContain("PROTOCOL_VIOLATION");
  });

  test("of what is not open is read all the same, and ignored", () => {
    const server = readyServer();
    server.session.receive(frame(KIND.CANCEL, 1, '{"code":"LATER","message":"x"}'), 0);
    expect([server.session.state, server.take().length]).toEqual(["ready", 0]);
  });
});
