// The immunity table (the faults of others that must not be ours), as far as it concerns sessions:
// each title begins with its row. Rows about real sockets are tested where these live; those about
// bytes and frames in ../immunity.test.ts.
import { describe, expect, test } from "vitest";
import { bytes } from "../../src/codec/codec.ts";
import { defineProtocol } from "../../src/contract/contract.ts";
import { type } from "../../src/contract/schema.ts";
import { nativeSessions } from "../../src/session/native.ts";
import { meter } from "../../src/testing/meter.ts";
import { Random } from "../../src/testing/random.ts";
import {
  filler,
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
  SIGNATURE,
  small,
  u32,
  u64,
  waitingClient,
  welcome,
} from "./by-hand.ts";
import { countingRandom, End, greet, Pair, readyPair } from "./ends.ts";

const { kind } = new End("server");
const say = head(NAME.say);

describe("row 1: memory for what arrived, not for what was promised", () => {
  test("row 1: a HELLO and a frame that promise their longest cost what came of them", () => {
    const promise = (length: number, of: number): Uint8Array =>
      joined(u32(length), Uint8Array.of(of), u32(0), filler(3));
    const greeting = meter((counted) => {
      kind
        .greeter({ random: countingRandom() })
        .receive(counted(joined(SIGNATURE, promise(16_389, KIND.HELLO))));
    });
    const server = readyServer();
    const ready = meter((counted) => {
      server.session.receive(counted(promise(65_541, KIND.REQUEST)), 0);
    });
    expect(Math.max(greeting.largestBytes, ready.largestBytes)).toBeLessThan(64);
  });

  test("row 1: as many begun messages as there may be cost what came of them", () => {
    const server = readyServer();
    const work = meter((counted) => {
      for (const id of [1, 3])
        server.session.receive(counted(frame(KIND.REQUEST | 0x80, id, say, filler(20))), 0);
    });
    expect(work.largestBytes).toBeLessThan(128);
  });
});

test("row 2: a frame of the longest size, one byte at a time, keeps no array for each byte", () => {
  // Only bytes() reads the arrays that the meter counts.
  const octets = nativeSessions(
    defineProtocol({
      name: "octets",
      version: 1,
      requests: { put: { input: type<Uint8Array>(), codec: bytes() } },
    }),
  );
  const messages = [["put", "request", "bytes", ""]];
  const server = new End("server", { kind: octets });
  const greeting = greet(
    octets,
    joined(SIGNATURE, frame(KIND.HELLO, 0, hello({ protocol: "octets", messages }))),
  );
  server.session.welcome(server.output, greeting.hello, false, 0);
  const stream = frame(KIND.REQUEST, 1, head(0), filler(20_000));
  const chunk = new Uint8Array(1);
  const work = meter((counted) => {
    const one = counted(chunk);
    for (const byte of stream) {
      chunk[0] = byte;
      server.session.receive(one, 0);
    }
  });
  expect(server.calls.length).toBe(1);
  expect(work.arrays).toBeLessThan(60);
  expect(work.largestBytes).toBeLessThanOrEqual(20_012);
});

test("row 3: a flood of empty messages is bounded by credit and by maxConversations", () => {
  const server = readyServer();
  server.onEvent = () => undefined;
  const event = frame(KIND.EVENT, 0, head(NAME.tick));
  for (let count = 0; count < 100 && server.session.state === "ready"; count++)
    server.session.receive(event, 0);
  expect([server.session.state, server.log]).toEqual([
    "closed",
    ["event tick nothing", "over FLOW_VIOLATION"],
  ]);
  const other = readyServer();
  let opened = 0;
  for (; opened < 100 && other.session.state === "ready"; opened++)
    other.session.receive(frame(KIND.REQUEST, 2 * opened + 1, say), 0);
  expect([other.calls.length, opened]).toEqual([4, 5]);
});

describe("row 15: before the session is ready, what may come and go is bounded", () => {
  test("row 15: a client that does not wait gets one answer, whatever it sends", () => {
    const greeter = kind.greeter({ random: countingRandom() });
    const answers: unknown[] = [];
    let replied = 0;
    const requests = joined(
      ...Array.from({ length: 100 }, (_, at) => frame(KIND.REQUEST, 2 * at + 1, say, filler(1000))),
    );
    for (const chunk of [SIGNATURE, frame(KIND.HELLO, 0, hello()), requests, requests, requests]) {
      const greeting = greeter.receive(chunk);
      if (greeting !== null) answers.push(greeting.ok ? "ok" : greeting.error.code);
      if (greeting?.ok === false) replied += greeting.reply.length;
    }
    expect(answers).toEqual(["ok", "HELLO_INVALID"]);
    expect(replied).toBeLessThan(256);
  });

  test("row 15: no frame before the session is ready has more than 16 384 bytes", () => {
    const client = waitingClient();
    client.session.receive(joined(SIGNATURE, u32(16_390)), 0);
    expect(client.told()).toEqual(["over PROTOCOL_VIOLATION"]);
    expect(() => {
      new End("client").session.attach(new End("client").output, 0, filler(16_384).join(""));
    }).toThrow(expect.objectContaining({ code: "PAYLOAD_TOO_LARGE" }));
  });
});

describe("row 16: what one session may cost is bounded", () => {
  test(
    "row 16: a peer that reads nothing: what waits for it stays below maxQueuedBytes, and its " +
      "streams below their windows",
    () => {
      const server = readyServer({ limits: { ...small, maxQueuedBytes: 200_000 } });
      server.onCall = (call) => {
        for (let count = 0; count < 10_000; count++) {
          try {
            call.send(count);
          } catch (error) {
            expect(error).toMatchObject({ code: "WRITE_BUFFER_FULL" });
            return;
          }
        }
      };
      for (const id of [1, 3, 5, 7])
        server.session.receive(frame(KIND.STREAM, id, head(NAME.count)), 0);
      for (let count = 0; count < 100; count++) {
        try {
          server.emit("tick", "x".repeat(10_000));
        } catch (error) {
          expect(error).toMatchObject({ code: "WRITE_BUFFER_FULL" });
        }
      }
      expect(server.session.queuedBytes).toBeLessThanOrEqual(200_000);
      expect(server.output.length).toBeLessThan(20_000);
    },
  );

  test("row 16: events for a peer that does not acknowledge are kept up to their bounds", () => {
    const client = readyClient({ limits: { maxRetainedEvents: 100, maxRetainedBytes: 1_000_000 } });
    let kept = 0;
    for (let count = 0; count < 1000; count++) {
      try {
        client.emit("note", count);
        kept++;
      } catch (error) {
        expect(error).toMatchObject({ code: "RETENTION_FULL" });
      }
    }
    expect(kept).toBe(100);
  });

  test("row 16: calls that are cancelled at once do not run more handlers than maxConversations", () => {
    const server = readyServer();
    const open: number[] = [];
    for (let round = 0; round < 50 && server.session.state === "ready"; round++) {
      const id = 2 * round + 1;
      server.session.receive(joined(frame(KIND.REQUEST, id, say), frame(KIND.CANCEL, id)), 0);
      open.push(server.session.openCalls);
    }
    expect([server.calls.length, server.log.at(-1)]).toEqual([4, "over PROTOCOL_VIOLATION"]);
  });

  test(
    "row 16: large calls that slow handlers keep stay below maxInputBytes; those above are " +
      "refused, and the session goes on",
    () => {
      const server = readyServer({
        limits: { ...small, maxConversations: 16, maxInputBytes: 2_500 },
      });
      const opened = (kind: number, id: number, name: number, size: number): Uint8Array =>
        frame(kind, id, head(name), `"${"x".repeat(size - 2)}"`);
      server.session.receive(
        joined(
          ...[1, 3, 5].map((id) => opened(KIND.REQUEST, id, NAME.say, 1_000)),
          opened(KIND.STREAM, 7, NAME.count, 1_000),
        ),
        0,
      );
      server.session.receive(
        joined(
          frame(KIND.STREAM, 9, head(NAME.talk, 8), `"${"y".repeat(998)}"`),
          frame(KIND.ITEM, 9, "1"),
          frame(KIND.END, 9),
        ),
        0,
      );
      expect(linesOf(server.take()).map((line) => line.slice(0, 25))).toEqual([
        'FAIL 5 {"code":"OVERLOADE',
        'FAIL 7 {"code":"OVERLOADE',
        'FAIL 9 {"code":"OVERLOADE',
      ]);
      server.session.receive(opened(KIND.REQUEST, 5, NAME.say, 400), 0);
      expect(server.told()).toEqual([
        'call say "xxxxxxxxxxxxxxx…1000',
        'call say "xxxxxxxxxxxxxxx…1000',
        'call say "xxxxxxxxxxxxxxx…400',
      ]);
      for (const call of server.calls.splice(0)) call.reply(null);
      for (const size of [3_000, 1_000]) {
        // alone, anything may come
        server.session.receive(opened(KIND.REQUEST, 1, NAME.say, size), 0);
        server.calls.shift()?.reply(null);
      }
      expect(linesOf(server.take())).toEqual(
        [1, 3, 5, 1, 1].map((id) => `RESULT ${String(id)} null`),
      );
    },
  );

  test(
    "row 16: calls above what the peer says of its maxInputBytes wait here, in order, and all " +
      "are answered",
    () => {
      const pair = readyPair({ limits: { maxInputBytes: 2_500 } });
      const sizes = [998, 998, 998, 1, 9_000, 998];
      for (const [index, size] of sizes.entries())
        pair.client.open("say", "x".repeat(size), {}, String(index));
      expect(pair.client.session.openCalls).toBe(6);
      pair.flush();
      expect(pair.server.calls).toHaveLength(2);
      for (
        let call = pair.server.calls.shift();
        call !== undefined;
        call = pair.server.calls.shift()
      ) {
        call.reply(null);
        pair.flush();
      }
      expect(pair.client.told()).toEqual(sizes.map((_, index) => `${String(index)} result null`));
      expect([pair.client.session.openCalls, pair.client.session.queuedBytes]).toEqual([0, 0]);
    },
  );

  test("row 16: what is kept for a connection that is lost counts until its handlers have finished", () => {
    const pair = readyPair({ limits: { maxInputBytes: 2_500 } });
    for (let count = 0; count < 2; count++) pair.client.open("say", "x".repeat(998));
    pair.flush();
    pair.cut();
    pair.connect(true);
    pair.told();
    pair.client.open("say", "x".repeat(998), {}, "early");
    pair.flush();
    expect(pair.client.told()).toEqual(["early fail OVERLOADED"]);
    for (const call of pair.server.calls.splice(0)) call.reply(null); // to nobody
    for (let count = 0; count < 3; count++)
      pair.client.open("say", "x".repeat(998), {}, String(count));
    pair.flush();
    expect(pair.client.told()).toEqual([]); // the third waits
    for (
      let call = pair.server.calls.shift();
      call !== undefined;
      call = pair.server.calls.shift()
    ) {
      call.reply(null);
      pair.flush();
    }
    expect(pair.client.told()).toEqual(["0 result null", "1 result null", "2 result null"]);
  });

  test("row 16: a session without anything open holds no frame, no message and no call", () => {
    const pair = readyPair();
    pair.server.onCall = (call) => void call.reply(call.input);
    for (let count = 0; count < 100; count++) pair.client.open("say", "x".repeat(2000));
    pair.flush(777);
    for (const { session } of [pair.client, pair.server])
      expect([session.openCalls, session.queuedBytes]).toEqual([0, 0]);
  });
});

describe("row 17: nothing reaches the program before the session is ready", () => {
  test("row 17: whatever a server sends before its WELCOME, in whatever order", () => {
    const random = new Random(17);
    const frames = [
      frame(KIND.REQUEST, 2, head(NAME.ask)),
      frame(KIND.STREAM, 2, head(NAME.talk)),
      frame(KIND.EVENT, 0, head(NAME.tick), "1"),
      frame(KIND.EVENT, 0, head(NAME.note, 4), u64(1), "1"),
      frame(KIND.DRAIN, 0),
      frame(KIND.RESULT, 1),
      frame(KIND.CREDIT, 0, u32(1)),
      frame(KIND.ACK, 0, u64(0)),
      frame(KIND.EVENT | 0x80, 0, head(NAME.tick)),
    ];
    for (let run = 0; run < 300; run++) {
      const client = waitingClient();
      const order = Array.from({ length: 1 + random.below(4) }, () => random.pick(frames));
      for (const bytes of [SIGNATURE, ...order, frame(KIND.WELCOME, 0, welcome())])
        client.session.receive(bytes, 0);
      expect(client.told()).toEqual(["over PROTOCOL_VIOLATION"]);
    }
  });

  test("row 17: whatever a client sends before its HELLO was read, in whatever order", () => {
    for (const early of [
      frame(KIND.REQUEST, 1, say),
      frame(KIND.EVENT, 0, head(NAME.tick)),
      frame(KIND.WELCOME, 0, welcome()),
      frame(KIND.PING, 0, u64(1)),
    ]) {
      const greeter = kind.greeter({ random: countingRandom() });
      expect(greeter.receive(joined(SIGNATURE, early, frame(KIND.HELLO, 0, hello())))?.ok).toBe(
        false,
      );
      expect(greeter.receive(frame(KIND.HELLO, 0, hello()))).toBeNull();
    }
  });

  test("row 17: a session of a server takes no bytes before it is welcomed, whatever they are", () => {
    const server = new End("server");
    server.session.receive(
      joined(SIGNATURE, frame(KIND.HELLO, 0, hello()), frame(KIND.REQUEST, 1, say)),
      0,
    );
    expect([server.told(), server.session.state]).toEqual([[], "new"]);
  });
});

describe("row 18: what was agreed is kept, however small", () => {
  test(
    "row 18: nothing larger than the peer's maxMessageBytes is sent, and nothing larger than " +
      "one's own is taken",
    () => {
      const pair = readyPair({ limits: { maxMessageBytes: 1024 } }, {});
      pair.server.onCall = (call) => {
        expect(call.reply("x".repeat(1023))?.code).toBe("PAYLOAD_TOO_LARGE");
      };
      pair.client.open("say", "x".repeat(500_000)); // the server takes a megabyte
      expect(() => pair.server.open("ask", "x".repeat(1023))).toThrow(
        expect.objectContaining({ code: "PAYLOAD_TOO_LARGE" }),
      );
      pair.server.open("ask", "x".repeat(1022));
      pair.flush();
      expect(pair.client.told()).toEqual([
        'call ask "xxxxxxxxxxxxxxx…1024',
        "say fail REMOTE_HANDLER_FAILED",
      ]);
    },
  );

  test("row 18: with the smallest windows and limits, everything arrives all the same", () => {
    const limits = {
      maxMessageBytes: 1024,
      maxPartials: 1,
      maxConversations: 1,
      windowBytes: 1,
      eventWindowBytes: 1,
    };
    const pair = readyPair({ limits });
    pair.server.onCall = (call) => {
      for (let item = 0; item < 20; item++) call.send(item);
      call.end();
    };
    pair.client.open("count");
    for (let count = 0; count < 20; count++) pair.client.emit("note", count);
    pair.flush();
    const told = pair.client.told();
    expect(told.filter((line) => line.endsWith("delivered")).length).toBe(20);
    expect(told.filter((line) => line.startsWith("count item")).length).toBe(20);
    expect(told.at(-1)).toBeDefined();
  });

  test("row 18: limits below the smallest are refused in the handshake", () => {
    for (const limit of [
      "maxMessageBytes",
      "maxPartials",
      "maxConversations",
      "windowBytes",
      "maxInputBytes",
    ]) {
      const limits = {
        maxMessageBytes: 1024,
        maxPartials: 1,
        maxConversations: 1,
        windowBytes: 1,
        eventWindowBytes: 0,
        connectionWindowBytes: 0,
        maxInputBytes: 1,
        [limit]: 0,
      };
      const client = waitingClient();
      client.session.receive(joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome({ limits }))), 0);
      expect(client.told()).toEqual(["over PROTOCOL_VIOLATION"]);
    }
  });
});

describe("row 19: the end of a connection is the end of everything on it", () => {
  test(
    "row 19: at every byte of a life, a lost connection settles every call and cancels every " +
      "handler, once",
    () => {
      const live = (): { pair: Pair; bytes: Uint8Array } => {
        const pair = readyPair({ limits: small });
        pair.client.open("say", 1, {}, "a");
        pair.client.open("talk", 2, {}, "b").send("item");
        pair.client.emit("note", 1);
        pair.client.open("say", "x".repeat(500), {}, "c");
        return { pair, bytes: pair.client.take() };
      };
      const { length } = live().bytes;
      for (let at = 0; at <= length; at++) {
        const { pair, bytes } = live();
        pair.server.session.receive(bytes.subarray(0, at), 0);
        pair.cut();
        pair.cut();
        expect(pair.client.told()).toEqual([
          "a fail SESSION_LOST",
          "b fail SESSION_LOST",
          "c fail SESSION_LOST",
        ]);
        const told = pair.server.told();
        expect(told.filter((line) => line.includes("cancelled")).length).toBe(
          told.filter((line) => line.startsWith("call")).length,
        );
        for (const { session } of [pair.client, pair.server])
          expect([session.openCalls, session.queuedBytes, session.deadline()]).toEqual([
            0,
            0,
            Infinity,
          ]);
      }
    },
  );

  test("row 19: nothing is written after the end", () => {
    const pair = readyPair();
    pair.client.open("talk", 1);
    pair.flush();
    const [served] = pair.server.calls;
    pair.server.session.lost(0);
    served?.send(1);
    served?.consume(100);
    served?.end();
    pair.server.session.drain();
    pair.server.session.tick(1e9);
    pair.server.session.transmit(1e9);
    expect(pair.server.take().length).toBe(0);
  });
});

test("row 20: two sessions come to rest in a bounded number of steps after whatever happens", () => {
  const random = new Random(20);
  for (let run = 0; run < 200; run++) {
    const pair = readyPair({ limits: small });
    pair.server.onCall = (call) => {
      if (call.entry.type === "request") call.reply(call.input);
      else call.end();
    };
    for (let step = 0; step < 10; step++) {
      const end = random.pick([pair.client, pair.server]);
      const act = random.below(8);
      try {
        if (act === 0) end.open(end === pair.client ? "say" : "ask", step);
        else if (act === 1) end.open("talk", step);
        else if (act === 2) end.emit("note", step);
        else if (act === 3) end.emit("tick", step);
        else if (act === 4) end.session.drain();
        else if (act === 5 && random.below(10) === 0) end.session.close();
        else if (act === 6) pair.cut();
        else end.session.tick(step * 5000);
      } catch {
        // it is not ready, or over
      }
    }
    expect(pair.flush()).toBeLessThan(100);
    expect(pair.flush()).toBe(0); // and stays there
  }
});

describe("row 26: the reason for an end is the last thing that is said", () => {
  test("row 26: CLOSE stands behind everything that was written before it, and nothing behind CLOSE", () => {
    const server = readyServer();
    server.onCall = (call) => void call.reply(call.input);
    server.session.receive(
      joined(frame(KIND.REQUEST, 1, say, "1"), frame(0x3f, 0), frame(KIND.REQUEST, 3, say, "3")),
      0,
    );
    server.session.drain();
    expect(linesOf(server.take()).map((line) => line.slice(0, 8))).toEqual([
      "RESULT 1",
      "CLOSE 0 ",
    ]);
  });
});

test(
  "row 30: what stands before a broken rule in the same chunk is served, and what stands behind " +
    "it is not",
  () => {
    const server = readyServer();
    server.session.receive(
      joined(
        frame(KIND.EVENT, 0, head(NAME.tick), "1"),
        frame(KIND.PONG, 0, u64(9)),
        frame(KIND.EVENT, 0, head(NAME.tick), "2"),
      ),
      0,
    );
    expect(server.told()).toEqual(["event tick 1", "over PROTOCOL_VIOLATION"]);
  },
);

test(
  "row 33: no text that is sent or thrown for wrong bytes is longer than 256 characters, or " +
    "quotes them",
  () => {
    const secret = "hunter2".repeat(1000);
    const client = readyClient();
    const messages: string[] = [];
    client.onOver = (error) => void messages.push(error?.message ?? "");
    client.open("say", 1);
    client.session.receive(frame(KIND.RESULT, 1, `{"password":"${secret}`), 0);
    client.session.receive(frame(KIND.FAIL, 9, secret), 0);
    const greeting = kind
      .greeter({ random: countingRandom() })
      .receive(joined(SIGNATURE, frame(KIND.HELLO, 0, hello({ version: secret }))));
    if (greeting?.ok === false)
      messages.push(greeting.error.message, framesOf(greeting.reply.subarray(8))[0]?.text ?? "");
    for (const message of messages) {
      expect(message.length).toBeLessThanOrEqual(300);
      expect(message).not.toContain("hunter2");
    }
    expect(messages.length).toBe(3);
  },
);
