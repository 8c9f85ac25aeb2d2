// Rows 14 to 18 of the immunity table (the faults of others that must not be ours), as far as they
// concern sessions on real sockets; each title begins with its row. Rows 19 and 20, about handles
// and idle processes, are in interop/trial-handles.test.ts.

import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { deflateSync } from "node:zlib";
import { connect, type SessionClient } from "@hawser/client";
import { defineProtocol, type HawserError, type } from "@hawser/protocol";
import { Random } from "@hawser/protocol/testing";
import { createServer, type SessionServer, type SessionServerOptions } from "@hawser/server";
import { Ticker } from "@hawser/transport";
import { ManualClock } from "@hawser/transport/testing";
import { turns, until } from "./conversation.ts";
import { failure, SessionFixture, taken } from "./sessions.ts";
import {
  filler,
  frame,
  head,
  HandPeer,
  helloFor,
  introduction,
  joined,
  KIND,
  message,
  numberOf,
  roomy,
  SIGNATURE,
  u32,
  u64,
  utf8,
  welcomeFor,
} from "./trial-peer.ts";

const den = defineProtocol({
  name: "den",
  version: 1,
  requests: {
    say: { input: type<unknown>(), output: type<unknown>(), from: "both" },
    wait: { input: type<unknown>(), output: type<unknown>() },
  },
  streams: {
    pour: { input: type<number>(), item: type<number>() },
    hoard: { send: type<unknown>() },
  },
  events: {
    note: { payload: type<unknown>(), delivery: "at-least-once" },
    tick: { payload: type<unknown>() },
  },
});

type Den = typeof den;

const KiB = 1_024;
const MiB = 1_048_576;
const more = 0x80;
const smallest = {
  maxMessageBytes: 1_024,
  maxPartials: 1,
  maxConversations: 1,
  windowBytes: 1,
  eventWindowBytes: 1,
};
const never = new Promise<undefined>(() => undefined);

/** The frames that a client that has been let in may send first. */
const opening = {
  say: (id: number, body: Uint8Array | string = "1") =>
    message(KIND.REQUEST, id, head(numberOf(den, "say")), body),
  wait: (id: number, body: Uint8Array | string = "1") =>
    message(KIND.REQUEST, id, head(numberOf(den, "wait")), body),
  pour: (id: number, count: number) =>
    message(KIND.STREAM, id, head(numberOf(den, "pour")), String(count)),
  hoard: (id: number) => message(KIND.STREAM, id, head(numberOf(den, "hoard"), 8)),
  note: (number: number, body: Uint8Array | string = "1") =>
    message(KIND.EVENT, 0, head(numberOf(den, "note"), 4), u64(number), body),
  tick: (body: Uint8Array | string = "1") =>
    message(KIND.EVENT, 0, head(numberOf(den, "tick")), body),
};

class Served {
  readonly clock = new ManualClock();
  readonly errors: HawserError[] = [];
  /** What of the program has been called. */
  readonly called: string[] = [];
  readonly server: SessionServer<Den, undefined>;
  readonly #fixture: SessionFixture;

  constructor(fixture: SessionFixture, options: SessionServerOptions<Den, undefined> = {}) {
    this.#fixture = fixture;
    const call = (name: string): void => void this.called.push(name);
    this.server = createServer<Den>(
      den,
      {
        say: (value) => {
          call("say");
          return value;
        },
        wait: () => {
          call("wait");
          return never;
        },
        pour: (count) => {
          call("pour");
          return Array.from({ length: count }, (_, i) => i);
        },
        hoard: () => {
          call("hoard");
          return never;
        },
        note: () => {
          call("note");
          return never;
        },
        tick: () => {
          call("tick");
          return never;
        },
      },
      {
        ticker: new Ticker(this.clock),
        open: () => {
          call("open");
        },
        error: (error) => void this.errors.push(error),
        ...options,
      },
    );
    fixture.own({ close: () => this.server.close({ deadlineMs: 0 }) });
  }

  async dial(): Promise<HandPeer> {
    if (this.server.address() === null) await this.server.listen("tcp://127.0.0.1:0");
    return HandPeer.dial(this.#fixture, this.server.address());
  }

  /** Somebody who has been let in. */
  async greet(members: object = {}): Promise<HandPeer> {
    const peer = await this.dial();
    peer.say(SIGNATURE, helloFor(den, members));
    await peer.hearOf("WELCOME");
    return peer;
  }
}

/** The code of the CLOSE or REFUSE that a peer hears last. */
async function lastWord(peer: HandPeer): Promise<string> {
  await peer.ended();
  const last = peer.frames.at(-1);
  return last?.kind === "CLOSE" || last?.kind === "REFUSE"
    ? (JSON.parse(last.text) as HawserError).code
    : `no last word, but ${last?.kind ?? "nothing"}`;
}

describe("row 14: a bomb of compression", () => {
  const fixture = new SessionFixture("tcp");

  it(
    "row 14: there is no compression: a client that asks for it is let in without, and what it " +
      "deflates is no payload",
    async () => {
      const served = new Served(fixture);
      const peer = await served.greet({
        features: ["deflate"],
        compression: "deflate",
        deflate: true,
      });
      assert.doesNotMatch(peer.frames[0]?.text ?? "", /deflate|compress/);
      const bomb = deflateSync(new Uint8Array(64 * MiB).fill(0x31));
      assert(bomb.length < 128 * KiB);
      const before = process.memoryUsage().rss;
      peer.say(opening.say(1, bomb));
      assert.match((await peer.hearOf("FAIL")).text, /INPUT_INVALID/);
      assert(process.memoryUsage().rss - before < 32 * MiB);
      assert.deepEqual(served.called, ["open"]);
      // Nor is there a bit for it.
      peer.say(frame(KIND.REQUEST | 0x20, 1, head(numberOf(den, "say")), bomb.subarray(0, 100)));
      assert.equal(await lastWord(peer), "PROTOCOL_VIOLATION");
    },
  );
});

describe("row 15: a client that has not been let in", () => {
  const fixture = new SessionFixture("tcp");

  for (const [what, options] of [
    ["without authenticate", {}],
    ["while authenticate is asked", { authenticate: () => never }],
  ] as const) {
    it(
      `row 15: pipelines requests and never reads, ${what}: closed at its first surplus byte, ` +
        "and for good when it lingers",
      async () => {
        const served = new Served(fixture, options);
        const peer = await served.dial();
        peer.socket.pause();
        const flood = joined(
          ...Array.from({ length: 1_000 }, (_, i) => opening.say(2 * i + 1, "x".repeat(40))),
        );
        peer.say(joined(SIGNATURE, helloFor(den), opening.say(1)));
        await until(() => served.errors.length > 0);
        const before = process.memoryUsage().rss;
        let sent = 0;
        while (sent < 16 * MiB && !peer.socket.destroyed) {
          if (peer.socket.writableLength < MiB) {
            peer.say(flood);
            sent += flood.length;
          }
          await turns();
        }
        served.clock.advance(1_000); // lingerTimeoutMs
        peer.socket.resume();
        await Promise.race([peer.closed, peer.ended()]);
        assert.deepEqual(served.called, []);
        assert.equal(served.server.sockets.size, 0);
        assert.equal(served.errors.length, 1);
        assert(peer.bytes.length < KiB, `${peer.bytes.length} bytes came`);
        assert(process.memoryUsage().rss - before < 64 * MiB);
        peer.socket.destroy();
      },
    );
  }

  it("row 15: announces a HELLO above 16 384 bytes: refused at its length, before a byte of it", async () => {
    for (const length of [16_390, 65_541, 0x7fff_ffff, 0xffff_ffff, 4, 0]) {
      const served = new Served(fixture);
      const peer = await served.dial();
      peer.say(SIGNATURE, u32(length));
      assert.equal(await lastWord(peer), "HELLO_INVALID", String(length));
      assert.equal(served.errors.length, 1);
      assert.deepEqual(served.called, []);
    }
  });

  it(
    "row 15: sends its HELLO of 16 384 bytes one by one: let in; and is closed at " +
      "handshakeTimeoutMs where one is missing",
    async () => {
      const hello = helloFor(den, {
        auth: "x".repeat(16_384 - helloFor(den, { auth: "" }).length + 9),
      });
      assert.equal(hello.length, 16_384 + 9);
      const served = new Served(fixture, { authenticate: () => undefined });
      const [whole, partial] = [await served.dial(), await served.dial()];
      for (const byte of joined(SIGNATURE, hello)) whole.say(Uint8Array.of(byte));
      await whole.hearOf("WELCOME");
      partial.say(SIGNATURE, hello.subarray(0, -1));
      await turns(20);
      served.clock.advance(5_000);
      await partial.ended();
      assert.equal(partial.bytes.length, 0);
      assert.deepEqual(
        served.errors.map(({ code }) => code),
        ["HANDSHAKE_TIMEOUT"],
      );
      assert.equal(served.server.sockets.size, 1);
    },
  );
});

describe("row 16: a client that has been let in and hoards memory", () => {
  const fixture = new SessionFixture("tcp");

  it("row 16: begins more large messages than maxPartials: its session ends, and no handler ran", async () => {
    const served = new Served(fixture);
    const peer = await served.greet();
    const piece = filler(65_536);
    for (let id = 1; id <= 15; id += 2) {
      peer.say(frame(KIND.REQUEST | more, id, head(numberOf(den, "say")), piece.subarray(3)));
      for (let i = 0; i < 14; i++) peer.say(frame(KIND.REQUEST | more, id, piece));
    }
    await turns(50);
    assert.equal(peer.hasEnded, false);
    peer.say(frame(KIND.REQUEST | more, 17, head(numberOf(den, "say")), "x"));
    assert.equal(await lastWord(peer), "PROTOCOL_VIOLATION");
    assert.deepEqual(served.called, ["open"]);
  });

  it("row 16: sends a message above maxMessageBytes: its session ends before the message is whole", async () => {
    for (const open of [opening.say(1, ""), opening.note(1, ""), opening.tick("")]) {
      const served = new Served(fixture);
      const peer = await served.greet();
      const [kind = 0] = open.subarray(4);
      const id = open[8] ?? 0;
      peer.say(frame(kind | more, id, open.subarray(9)));
      for (let i = 0; i < 17; i++) peer.say(frame(kind | more, id, filler(65_536)));
      assert.equal(await lastWord(peer), "MESSAGE_TOO_LARGE");
      assert.deepEqual(served.called, ["open"]);
    }
  });

  it("row 16: opens more calls than maxConversations: its session ends, and the handlers are told", async () => {
    const served = new Served(fixture, { maxConversations: 100 });
    const peer = await served.greet();
    for (let id = 1; id < 200; id += 2) peer.say(opening.wait(id));
    await until(() => served.called.length === 101);
    peer.say(opening.wait(201));
    assert.equal(await lastWord(peer), "PROTOCOL_VIOLATION");
    assert.equal(served.called.length, 101);
  });

  it(
    "row 16: opens more large calls than maxInputBytes lets slow handlers keep: they are " +
      "refused, and the session goes on",
    async () => {
      const served = new Served(fixture, { maxInputBytes: 10 * KiB });
      const peer = await served.greet();
      const large = JSON.stringify("x".repeat(4 * KiB));
      for (const id of [1, 3, 5]) peer.say(opening.wait(id, large));
      const refusal = await peer.hearOf("FAIL");
      assert.equal(refusal.id, 5);
      assert.match(refusal.text, /OVERLOADED/);
      peer.say(opening.say(7, '"small"'));
      assert.equal((await peer.hearOf("RESULT")).text, '"small"');
      assert.deepEqual(served.called, ["open", "wait", "wait", "say"]);
    },
  );

  for (const [what, first, next] of [
    ["events at least once", null, (i: number) => opening.note(i)],
    ["events at most once", null, () => opening.tick()],
    ["empty events", null, () => opening.tick("")],
    ["items", opening.hoard(1), () => message(KIND.ITEM, 1, "1")],
    ["empty items", opening.hoard(1), () => message(KIND.ITEM, 1)],
  ] as const) {
    it(
      `row 16: sends ${what} that nobody takes: its session ends at the window, whatever their ` +
        "size",
      async () => {
        const served = new Served(fixture, { windowBytes: 4_000, eventWindowBytes: 4_000 });
        const peer = await served.greet();
        if (first !== null) peer.say(first);
        // Each costs its body and 16: of 17, 236 fit, and the last of them goes below zero.
        const most = what.startsWith("empty") ? 250 : 236;
        for (let i = 1; i <= most; i++) peer.say(next(i));
        peer.say(frame(KIND.PING, 0, u64(1)));
        await peer.hearOf("PONG");
        assert.equal(peer.hasEnded, false);
        peer.say(next(most + 1));
        assert.equal(await lastWord(peer), "FLOW_VIOLATION");
        assert(served.called.length <= 2, served.called.join()); // one event at a time
      },
    );
  }

  for (const [what, each] of [
    ["PINGs", frame(KIND.PING, 0, u64(1))],
    [
      "requests by the name of an event",
      message(KIND.REQUEST, 1, head(numberOf(den, "note")), "1"),
    ],
    ["requests at length", opening.say(1, JSON.stringify("x".repeat(1_000)))],
  ] as const) {
    it(
      `row 16: makes the server answer ${what} and reads nothing: closed as SLOW_CONSUMER within ` +
        "writeBuffer.maxBytes",
      async () => {
        const served = new Served(fixture, { writeBuffer: { highBytes: 65_536, maxBytes: MiB } });
        const peer = await served.greet();
        peer.socket.pause();
        const many = joined(...Array.from({ length: 500 }, () => each));
        let sent = 0;
        while (served.errors.length === 0 && sent < 256 * MiB) {
          if (peer.socket.writableLength < MiB) {
            peer.say(many);
            sent += many.length;
          }
          await turns();
        }
        assert.deepEqual(
          served.errors.map(({ code }) => code),
          ["SLOW_CONSUMER"],
        );
      },
    );
  }
});

describe("row 17: nothing reaches the program before the session is ready", () => {
  const fixture = new SessionFixture("tcp");
  const kinds = [...Object.values(KIND), 0x00, 0x0b, 0x18, 0x7f, 0x90, 0xff];

  /** A frame of a kind that would be right later. */
  function plausible(kind: number): Uint8Array {
    switch (kind) {
      case KIND.HELLO:
        return helloFor(den);
      case KIND.WELCOME:
        return welcomeFor(den);
      case KIND.REQUEST:
        return opening.say(1);
      case KIND.STREAM:
        return opening.pour(1, 3);
      case KIND.EVENT:
        return opening.note(1);
      case KIND.PING:
      case KIND.PONG:
      case KIND.ACK:
        return frame(kind, 0, u64(1));
      case KIND.CREDIT:
        return frame(kind, 0, u32(100));
      case KIND.CLOSE:
      case KIND.REFUSE:
        return frame(kind, 0, '{"code":"NORMAL","message":""}');
      default:
        return frame(kind, kind < 0x10 ? 0 : 1);
    }
  }

  it("row 17: of a server, whatever frame comes in HELLO's place", async () => {
    const served = new Served(fixture);
    for (const kind of kinds) {
      if (kind === KIND.HELLO) continue;
      served.errors.length = 0;
      const peer = await served.dial();
      peer.say(joined(SIGNATURE, plausible(kind)));
      assert.equal(await lastWord(peer), "HELLO_INVALID", `kind ${kind}`);
      assert.deepEqual(
        served.errors.map(({ code }) => code),
        ["HELLO_INVALID"],
      );
    }
    assert.deepEqual(served.called, []);
  });

  it("row 17: of a server, in 300 random orders of frames that come at once", async () => {
    const seed = Date.now() % 2 ** 31;
    const random = new Random(seed);
    const served = new Served(fixture, { authenticate: () => turns(2).then(() => undefined) });
    for (let i = 0; i < 300; i++) {
      const parts = Array.from({ length: 2 + random.below(4) }, () =>
        plausible(random.pick(kinds)),
      );
      // Half of them begin well.
      const begin =
        random.below(2) === 0
          ? [SIGNATURE, helloFor(den)]
          : random.below(4) === 0
            ? []
            : [SIGNATURE];
      if (begin.length === 1 && parts[0]?.[4] === KIND.HELLO) continue;
      const peer = await served.dial();
      peer.say(joined(...begin, ...parts));
      const word = begin.length === 0 ? "no last word, but nothing" : "HELLO_INVALID";
      assert.equal(await lastWord(peer), word, `seed ${seed}, ${i}`);
      assert.equal(peer.frames.length <= 1, true, `seed ${seed}, ${i}`);
      peer.socket.destroy();
    }
    await turns(10);
    assert.deepEqual(served.called, [], `seed ${seed}`);
    assert.equal(served.server.sockets.size, 0);
  });

  it(
    "row 17: of a server that refuses whoever authenticate refuses, at once or later, also when " +
      "it went on sending",
    async () => {
      for (const later of [false, true]) {
        const served = new Served(fixture, {
          authenticate: () => {
            if (!later) throw new Error("no");
            return turns(20).then(() => Promise.reject(new Error("no")));
          },
        });
        const peer = await served.dial();
        peer.say(SIGNATURE, helloFor(den));
        if (later) await turns(5);
        else await peer.hearOf("REFUSE");
        peer.say(opening.say(1), opening.note(1));
        assert.equal(await lastWord(peer), later ? "HELLO_INVALID" : "AUTH_REFUSED");
        await turns(30);
        assert.deepEqual(served.called, []);
      }
    },
  );

  it("row 17: of a client, whatever frame comes in WELCOME's place", async () => {
    for (const kind of kinds) {
      if (
        kind === KIND.WELCOME ||
        kind === KIND.REFUSE ||
        kind === KIND.CLOSE ||
        kind === KIND.WANT ||
        (kind & 0x40) !== 0
      )
        continue; // the last are ignorable
      const called: string[] = [];
      const { address, accepted } = await HandPeer.listen(fixture);
      const attempt = failure(
        connect(den, address, {
          reconnect: false,
          handlers: {
            say: () => called.push("say"),
            note: () => called.push("note"),
            tick: () => called.push("tick"),
          },
        }),
      );
      const peer = await accepted();
      await peer.hearOf("HELLO");
      peer.say(
        joined(
          SIGNATURE,
          plausible(kind),
          welcomeFor(den),
          message(KIND.REQUEST, 2, head(numberOf(den, "say")), "1"),
        ),
      );
      assert.equal(await lastWord(peer), "PROTOCOL_VIOLATION", `kind ${kind}`);
      peer.socket.end();
      assert.equal((await attempt).code, "PROTOCOL_VIOLATION", `kind ${kind}`);
      assert.deepEqual(called, []);
    }
  });
});

describe("row 18: limits that are absurd, or that are not kept", () => {
  const fixture = new SessionFixture("tcp");
  const absurd = [0, -1, 1.5, 4_294_967_296, 1e300, "1", null, [], {}];

  it("row 18: limits below the smallest, or no numbers, are refused by a server", async () => {
    const served = new Served(fixture);
    const all = [
      ...Object.keys(smallest).flatMap((name) =>
        absurd
          .filter((value) => value !== 0 || name !== "eventWindowBytes")
          .map((value) => ({ [name]: value })),
      ),
      ...["connectionWindowBytes", "maxInputBytes"].flatMap((name) =>
        absurd.slice(1).map((value) => ({ [name]: value })),
      ),
      { maxMessageBytes: 1 },
      { maxMessageBytes: 1_023 },
      { windowBytes: 2_147_483_648 },
    ];
    for (const limits of all) {
      const peer = await served.dial();
      peer.say(SIGNATURE, helloFor(den, { limits: { ...roomy, ...limits } }));
      assert.equal(await lastWord(peer), "HELLO_INVALID", JSON.stringify(limits));
    }
    assert.deepEqual(served.called, []);
  });

  it("row 18: limits below the smallest, or no numbers, are refused by a client", async () => {
    for (const limits of [
      { maxMessageBytes: 1 },
      ...absurd.map((value) => ({ windowBytes: value })),
    ]) {
      const { address, accepted } = await HandPeer.listen(fixture);
      const attempt = failure(connect(den, address, { handlers: { say: (value) => value } }));
      const peer = await accepted();
      await peer.welcome(den, { limits: { ...roomy, ...limits } });
      assert.equal(await lastWord(peer), "PROTOCOL_VIOLATION", JSON.stringify(limits));
      peer.socket.end();
      assert.equal((await attempt).code, "PROTOCOL_VIOLATION");
    }
  });

  it(
    "row 18: with the smallest limits a server sends an item and an event at a time, and no " +
      "answer that is too large",
    async () => {
      const served = new Served(fixture);
      const peer = await served.greet({ limits: smallest });
      peer.say(opening.pour(1, 50));
      for (let i = 0; i < 50; i++) {
        const item = await peer.hearOf("ITEM");
        assert.equal(item.text, String(i));
        await turns(3);
        assert.equal(peer.frames.at(-1), item, "no item came without credit");
        peer.say(frame(KIND.CREDIT, 1, u32(16 + item.payload.length)));
      }
      await peer.hearOf("END");
      const [socket] = served.server.sockets;
      assert(socket !== undefined);
      const outcomes = [1, 2, 3].map((payload) => socket.emit("note", payload));
      for (let number = 1; number <= 3; number++) {
        const event = await peer.hearOf("EVENT");
        assert.equal(event.text.at(-1), String(number));
        await turns(3);
        assert.equal(peer.frames.at(-1), event, "no event came without credit");
        peer.say(frame(KIND.ACK, 0, u64(number)), frame(KIND.CREDIT, 0, u32(17)));
      }
      assert.deepEqual(await Promise.all(outcomes), ["delivered", "delivered", "delivered"]);
      peer.say(opening.say(1, JSON.stringify("x".repeat(1_023))));
      assert.match((await peer.hearOf("FAIL")).text, /HANDLER_FAILED/);
      peer.say(opening.say(1, JSON.stringify("x".repeat(1_022))));
      assert.equal((await peer.hearOf("RESULT")).payload.length, 1_024);
      const first = socket.request("say", 1);
      const second = socket.request("say", 2);
      const request = await peer.hearOf("REQUEST");
      await turns(3);
      assert.equal(peer.frames.at(-1), request, "the second waits for its turn");
      peer.say(message(KIND.RESULT, request.id, "3"));
      assert.equal(await first, 3);
      peer.say(message(KIND.RESULT, (await peer.hearOf("REQUEST")).id, "4"));
      assert.equal(await second, 4);
      await assert.rejects(socket.request("say", "x".repeat(1_023)), { code: "PAYLOAD_TOO_LARGE" });
    },
  );

  it(
    "row 18: with the smallest limits a client sends an item at a time, and waits with its " +
      "second call",
    async () => {
      const { address, accepted } = await HandPeer.listen(fixture);
      const connecting = connect(den, address, {
        reconnect: false,
        handlers: { say: (value) => value },
      });
      const peer = await accepted();
      await peer.welcome(den, { limits: smallest });
      const client: SessionClient<Den> = await connecting;
      fixture.own({
        abort: () => {
          client.abort();
        },
      });
      const stream = client.stream("hoard");
      const { id } = await peer.hearOf("STREAM");
      const waiting = client.request("say", 1);
      assert.equal(stream.send(1), false);
      assert.equal(stream.send(2), false);
      const item = await peer.hearOf("ITEM");
      await turns(5);
      assert.equal(peer.frames.at(-1), item, "no item came without credit");
      peer.say(frame(KIND.CREDIT, id, u32(17)));
      assert.equal((await peer.hearOf("ITEM")).text, "2");
      assert.throws(() => stream.send("x".repeat(1_023)), { code: "PAYLOAD_TOO_LARGE" });
      stream.end();
      await peer.hearOf("END");
      peer.say(frame(KIND.END, id));
      assert.deepEqual(await taken(stream), []);
      peer.say(message(KIND.RESULT, (await peer.hearOf("REQUEST")).id, "2"));
      assert.equal(await waiting, 2);
    },
  );

  it("row 18: credit above what can be counted ends the session, for streams and for events", async () => {
    for (const id of [0, 1]) {
      const served = new Served(fixture);
      const peer = await served.greet({ limits: smallest });
      peer.say(opening.pour(1, 50));
      await peer.hearOf("ITEM");
      peer.say(frame(KIND.CREDIT, id, u32(0x7fff_ffff)), frame(KIND.CREDIT, id, u32(0x7fff_ffff)));
      assert.equal(await lastWord(peer), "FLOW_VIOLATION");
    }
  });

  it("row 18: a server that does not keep a client's limits loses its session", async () => {
    const wrongs: readonly (readonly [string, readonly Uint8Array[]])[] = [
      ["MESSAGE_TOO_LARGE", [message(KIND.EVENT, 0, head(numberOf(den, "tick")), filler(1_025))]],
      [
        "PROTOCOL_VIOLATION",
        [
          frame(KIND.REQUEST | more, 2, head(numberOf(den, "say")), "1"),
          frame(KIND.REQUEST | more, 4, head(numberOf(den, "say")), "1"),
        ],
      ],
      [
        "PROTOCOL_VIOLATION",
        [
          message(KIND.REQUEST, 2, head(numberOf(den, "say")), "1"),
          message(KIND.REQUEST, 4, head(numberOf(den, "say")), "1"),
        ],
      ],
      ["FLOW_VIOLATION", [opening.tick(), opening.tick()]],
      ["PROTOCOL_VIOLATION", [joined(u32(65_542), Uint8Array.of(KIND.EVENT))]],
    ];
    for (const [code, frames] of wrongs) {
      const { address, accepted } = await HandPeer.listen(fixture);
      const connecting = connect(den, address, {
        ...smallest,
        reconnect: false,
        handlers: { say: () => never, tick: () => never },
      });
      const peer = await accepted();
      await peer.welcome(den);
      const client = await connecting;
      peer.say(...frames);
      assert.equal(await lastWord(peer), code);
      peer.socket.end();
      const { reason, error } = await client.closed;
      assert.deepEqual([reason, error?.code], ["error", code]);
    }
  });

  it("row 18: greetings that list absurd things are refused, and reach no handler", async () => {
    const served = new Served(fixture);
    const { messages } = introduction(den);
    for (const members of [
      { messages: {} },
      { messages: [...messages, ["note", "event", "json", ""]] },
      { messages: [...messages, ["x", "procedure", "json", ""]] },
      { messages: [...messages, ["x", "event", "json", "0".repeat(15)]] },
      { version: 0 },
      { version: 2, accepts: [3, 1] },
      { accepts: [2, 3] },
      { hawser: "1" },
      { resume: { session: "x", received: 0 } },
      { resume: { session: "0".repeat(32), received: -1 } },
      { limits: undefined },
    ]) {
      const peer = await served.dial();
      peer.say(SIGNATURE, helloFor(den, members));
      assert.equal(await lastWord(peer), "HELLO_INVALID", JSON.stringify(members));
    }
    for (const text of ["", "{", "[]", "null", '"x"', "\ufeff{}"]) {
      const peer = await served.dial();
      peer.say(SIGNATURE, frame(KIND.HELLO, 0, utf8(text)));
      assert.equal(await lastWord(peer), "HELLO_INVALID", text);
    }
    assert.deepEqual(served.called, []);
  });
});
