import { delimited, HawserError, raw, text, wire } from "@hawser/protocol";
import type { ConnectionLimitOptions } from "@hawser/transport";
import { describe, expect, it } from "vitest";
import { byteLines, plainLines, socketAndPeer, textLines } from "../socket-and-peer.ts";

describe("WireSocket: messages", () => {
  it("delivers what the peer wrote, and sends everything of a turn in one write", async () => {
    const { socket, peer, turns, messages } = socketAndPeer(textLines);
    peer.write("one\ntw");
    peer.write("o\n");
    await turns.settle();
    expect(messages).toEqual(["one", "two"]);
    socket.send("a");
    socket.send("b");
    expect(socket.pendingBytes).toBe(4);
    await turns.settle();
    expect(peer.chunks).toEqual(["a\nb\n"]);
    expect(socket.pendingBytes).toBe(0);
  });

  it("refuses a message that the wire can't carry, sends nothing of it, and goes on", async () => {
    const { socket, peer, turns } = socketAndPeer(textLines, { maxFrameBytes: 4 });
    expect(() => socket.send("a\nb")).toThrow(HawserError);
    expect(() => socket.send("exit")).toThrow(/sentinel/);
    expect(() => socket.send("12345")).toThrow(/maxFrameBytes is 4/);
    expect(() => socket.send(7 as never)).toThrow(TypeError);
    socket.send("1234");
    await turns.settle();
    expect(peer.received).toBe("1234\n");
    expect(socket.state).toBe("open");
  });

  it("hold() stops in the middle of a chunk and stops the reading; release() goes on in order", async () => {
    const { socket, peer, turns, messages } = socketAndPeer(textLines);
    socket.hold();
    peer.write("1\n2\n3\n");
    await turns.settle();
    peer.write("4\n");
    await turns.settle();
    expect([messages.length, socket.waiting]).toEqual([0, 3]);
    socket.release();
    await turns.settle();
    expect(messages).toEqual(["1", "2", "3", "4"]);
  });

  it("a passed-over frame is told, and the connection goes on", async () => {
    const { peer, turns, log, messages, socket } = socketAndPeer(textLines, {
      maxFrameBytes: 4,
      onOversize: "skip",
    });
    peer.write("12345\nok\n");
    await turns.settle();
    expect([messages, log, socket.state]).toEqual([["ok"], ["failed FRAME_TOO_LARGE"], "open"]);
  });
});

describe("WireSocket: the end of a conversation", () => {
  it("the peer's sentinel finishes; finish() answers it with the sentinel; both ends close", async () => {
    const { socket, peer, turns, log, closed } = socketAndPeer(textLines);
    peer.write("hello\nexit\n");
    await turns.settle();
    expect(log).toEqual(["finished sentinel"]);
    socket.finish();
    peer.connection.end();
    await turns.settle();
    expect(peer.received).toBe("exit\n");
    expect(closed()).toEqual({ reason: "sentinel", error: null });
    expect(peer.events).toEqual(["ended", "closed"]);
  });

  it("end() sends the sentinel; only the peer's own is its answer", async () => {
    const { socket, peer, turns, closed } = socketAndPeer(textLines);
    socket.send("last");
    socket.end();
    expect(socket.send("more")).toBe(false);
    peer.write("still read\nexit\n");
    peer.connection.end();
    await turns.settle();
    expect(peer.received).toBe("last\nexit\n");
    expect(closed()).toEqual({ reason: "sentinel", error: null });
    const unanswered = socketAndPeer(textLines);
    unanswered.socket.end();
    unanswered.peer.connection.end();
    await unanswered.turns.settle();
    expect(unanswered.closed()).toEqual({ reason: "ended", error: null });
  });

  it("the peer's end without the sentinel is told apart", async () => {
    const { socket, peer, turns, log, closed, messages } = socketAndPeer(textLines);
    peer.write("last\n");
    peer.connection.end();
    await turns.settle();
    expect([messages, log]).toEqual([["last"], ["finished ended"]]);
    socket.finish();
    await turns.settle();
    expect(closed()).toEqual({ reason: "ended", error: null });
  });

  it("a wire without sentinel ends with the stream, by either end", async () => {
    const one = socketAndPeer(plainLines);
    one.socket.end();
    one.peer.connection.end();
    await one.turns.settle();
    expect([one.peer.received, one.closed()?.reason]).toEqual(["", "ended"]);
  });

  it("a suffix is not answered with a suffix", async () => {
    const classic = wire({ framing: raw(), codec: text(), sentinel: { suffix: " exit" } });
    const { socket, peer, turns, closed, messages } = socketAndPeer(classic);
    peer.write("Hello World! exit");
    await turns.settle();
    socket.finish();
    peer.connection.end();
    await turns.settle();
    expect([messages, peer.received, closed()?.reason]).toEqual([["Hello World!"], "", "sentinel"]);
  });

  it("bytes after the sentinel are an error, also in a later chunk", async () => {
    const { peer, turns, log, closed } = socketAndPeer(textLines);
    peer.write("exit\n");
    await turns.settle();
    peer.write("more\n");
    await turns.settle();
    peer.connection.end();
    await turns.settle();
    expect(log).toEqual(["finished sentinel", "failed BYTES_AFTER_SENTINEL", "closed error"]);
    expect(closed()?.error?.code).toBe("BYTES_AFTER_SENTINEL");
  });

  it("after a fault, what was sent before still arrives, and what comes is dropped", async () => {
    const { socket, peer, turns, log, closed, messages } = socketAndPeer(textLines, {
      maxFrameBytes: 4,
    });
    peer.write("ok\n12345\nlost\n");
    await turns.settle();
    expect(socket.send("x")).toBe(false);
    peer.write("and this\n");
    peer.connection.end();
    await turns.settle();
    expect([messages, log]).toEqual([["ok"], ["failed FRAME_TOO_LARGE", "closed error"]]);
    expect(closed()?.error?.code).toBe("FRAME_TOO_LARGE");
    expect(peer.events).toEqual(["ended", "closed"]);
  });

  it.each([
    ["returns", () => undefined],
    [
      "throws",
      () => {
        throw new Error("boom");
      },
    ],
  ])(
    "failed can send last words before it %s; they arrive, and what comes is dropped",
    async (_, then) => {
      const { socket, peer, turns, log, closed } = socketAndPeer(
        textLines,
        { maxFrameBytes: 4 },
        () => {
          log.push(`state ${socket.state}`);
          socket.send("bye");
          then();
          return undefined;
        },
      );
      try {
        peer.write("12345\nlost\n");
        await turns.settle();
      } catch {
        // What an owner throws comes out of the chunk's way.
      }
      await turns.settle();
      expect([log, socket.state]).toEqual([
        ["state failing", "failed FRAME_TOO_LARGE"],
        "lingering",
      ]);
      expect(socket.send("x")).toBe(false);
      peer.connection.end();
      await turns.settle();
      expect([peer.received, peer.events, closed()?.error?.code]).toEqual([
        "bye\n",
        ["ended", "closed"],
        "FRAME_TOO_LARGE",
      ]);
    },
  );

  it("failed can end with the sentinel", async () => {
    const { socket, peer, turns, closed } = socketAndPeer(textLines, { maxFrameBytes: 4 }, () => {
      socket.send("bye");
      socket.end();
      expect(socket.state).toBe("lingering");
      return undefined;
    });
    peer.write("12345\n");
    await turns.settle();
    peer.connection.end();
    await turns.settle();
    expect([peer.received, closed()?.error?.code]).toEqual(["bye\nexit\n", "FRAME_TOO_LARGE"]);
  });

  it.each(["resolves", "rejects"] as const)(
    "failed can send last words until its promise %s",
    async (how) => {
      const later = Promise.withResolvers<undefined>();
      const { socket, peer, turns } = socketAndPeer(
        textLines,
        { maxFrameBytes: 4 },
        () => later.promise,
      );
      peer.write("12345\nlost\n");
      await turns.settle();
      peer.write("dropped\n");
      await turns.settle();
      expect(socket.send("by")).toBe(true);
      expect(socket.send("e")).toBe(true);
      if (how === "resolves") later.resolve(undefined);
      else later.reject(new Error("boom"));
      await turns.settle();
      expect([socket.state, peer.received, peer.events]).toEqual([
        "lingering",
        "by\ne\n",
        ["ended"],
      ]);
    },
  );

  it("failed has no longer than lingerTimeoutMs for last words", async () => {
    const { socket, peer, turns, clock } = socketAndPeer(
      textLines,
      { maxFrameBytes: 4, lingerTimeoutMs: 1_000 },
      () => new Promise(() => undefined),
    );
    peer.write("12345\n");
    await turns.settle();
    clock.advance(750);
    expect(socket.state).toBe("failing");
    clock.advance(500);
    expect(socket.state).toBe("lingering");
    clock.advance(1_250);
    await turns.settle();
    expect([socket.state, clock.pending]).toEqual(["closed", 0]);
  });

  it.each(["abort", "leave", "peer"] as const)(
    "while failed waits, %s ends it at once",
    async (how) => {
      const { socket, peer, turns, closed } = socketAndPeer(
        textLines,
        { maxFrameBytes: 4 },
        () => new Promise(() => undefined),
      );
      peer.write("12345\n");
      await turns.settle();
      if (how === "peer") peer.connection.abort();
      else socket[how]();
      peer.connection.end();
      await turns.settle();
      expect([socket.state, closed()?.error?.code]).toEqual(["closed", "FRAME_TOO_LARGE"]);
    },
  );

  it.each([
    ["IDLE_TIMEOUT", { idleTimeoutMs: 1_000 }, ""],
    ["FRAME_TIMEOUT", { frameTimeoutMs: 1_000 }, "half"],
    ["MESSAGE_INVALID", {}, Uint8Array.of(0xff, 0x0a)],
  ] as const)("failed can send last words after %s", async (code, limits, bytes) => {
    const { socket, peer, turns, clock, closed, log } = socketAndPeer(textLines, limits, () => {
      socket.send("bye");
      return undefined;
    });
    peer.write(bytes);
    await turns.settle();
    clock.advance(code === "MESSAGE_INVALID" ? 0 : 1_250);
    await turns.settle();
    peer.connection.end();
    await turns.settle();
    expect([peer.received, log, closed()?.error?.code]).toEqual([
      "bye\n",
      [`failed ${code}`, "closed error"],
      code,
    ]);
  });

  it("abort() closes at once; the peer is told; what closed says is what abort was given", async () => {
    const { socket, peer, turns, closed } = socketAndPeer(textLines);
    const why = new HawserError("ABORTED", "no more");
    socket.abort(why);
    socket.abort();
    await turns.settle();
    expect(closed()).toEqual({ reason: "aborted", error: why });
    expect(peer.events).toEqual(["closed CONNECTION_RESET"]);
  });

  it("the peer's abort is an error, but not after the conversation is over", async () => {
    const early = socketAndPeer(textLines);
    early.peer.connection.abort();
    await early.turns.settle();
    expect(early.closed()?.error?.code).toBe("CONNECTION_RESET");
    const late = socketAndPeer(textLines);
    late.peer.write("exit\n");
    await late.turns.settle();
    late.peer.connection.abort();
    await late.turns.settle();
    expect(late.closed()).toEqual({ reason: "sentinel", error: null });
  });

  it("a truncated frame is an error; leave() ends although nobody reads", async () => {
    const cut = socketAndPeer(wire({ framing: delimited("||"), codec: text() }));
    cut.peer.write("half|");
    cut.peer.connection.end();
    await cut.turns.settle();
    expect(cut.closed()?.error?.code).toBe("FRAME_TRUNCATED");
    const left = socketAndPeer(textLines);
    left.socket.hold();
    left.peer.write("unread\n".repeat(30_000));
    await left.turns.settle();
    left.socket.end();
    left.socket.leave();
    left.peer.connection.end();
    await left.turns.settle();
    expect(left.closed()).toEqual({ reason: "aborted", error: null });
  });
});

describe("WireSocket: output", () => {
  it("send() says false above highBytes, writable() waits for lowBytes, flushed() for nothing", async () => {
    const options = {
      windowBytes: 10,
      writeBuffer: { highBytes: 20, lowBytes: 10, maxBytes: 1_000 },
    };
    const { socket, peer, turns, log } = socketAndPeer(byteLines, options);
    peer.connection.pause();
    expect(socket.send(new Uint8Array(15))).toBe(true);
    expect(socket.send(new Uint8Array(15))).toBe(false);
    const order: string[] = [];
    const writable = socket
      .writable()
      .then(() => order.push(`writable ${socket.pendingBytes <= 10}`));
    const flushed = socket.flushed().then(() => order.push(`flushed ${socket.pendingBytes}`));
    await turns.settle();
    expect(order).toEqual([]);
    peer.connection.resume();
    await turns.settle();
    await Promise.all([writable, flushed]);
    expect(order).toEqual(["writable true", "flushed 0"]);
    expect(log).toEqual(["writable"]);
    await socket.writable();
    await socket.flushed();
  });

  it(
    "flushed() rejects after abort(), which drops what had not left, also before the connection " +
      "is gone",
    async () => {
      const { socket, turns } = socketAndPeer(plainLines);
      socket.send("lost");
      const before = expect(socket.flushed()).rejects.toMatchObject({ code: "CONNECTION_CLOSED" });
      socket.abort();
      await expect(socket.flushed()).rejects.toMatchObject({ code: "CONNECTION_CLOSED" });
      await turns.settle();
      await before;
    },
  );

  it("writable() and flushed() reject when the connection is lost", async () => {
    const { socket, peer, turns } = socketAndPeer(byteLines, {
      windowBytes: 10,
      writeBuffer: { highBytes: 20, lowBytes: 10 },
    });
    peer.connection.pause();
    socket.send(new Uint8Array(50));
    const outcomes = Promise.allSettled([socket.writable(), socket.flushed()]);
    peer.connection.abort();
    await turns.settle();
    expect((await outcomes).map((each) => each.status)).toEqual(["rejected", "rejected"]);
    await expect(socket.writable()).rejects.toThrow(/connection is closed/);
  });

  it("above maxBytes a server closes with SLOW_CONSUMER", async () => {
    const { socket, peer, turns, log, closed } = socketAndPeer(byteLines, {
      windowBytes: 10,
      writeBuffer: { highBytes: 20, lowBytes: 10, maxBytes: 50 },
    });
    peer.connection.pause();
    socket.send(new Uint8Array(60));
    expect(socket.send(new Uint8Array(1))).toBe(false);
    await turns.settle();
    expect([log, closed()?.error?.code]).toEqual([
      ["failed SLOW_CONSUMER", "closed error"],
      "SLOW_CONSUMER",
    ]);
  });

  it(
    "refuses a message when exactly maxBytes wait, also where highBytes is as much and send() " +
      "has said true",
    () => {
      const { socket, peer } = socketAndPeer(byteLines, {
        onFull: "throw",
        windowBytes: 10,
        writeBuffer: { highBytes: 50, lowBytes: 10, maxBytes: 50 },
      });
      peer.connection.pause();
      expect(socket.send(new Uint8Array(48))).toBe(true);
      expect(socket.send(new Uint8Array(0))).toBe(true); // each line has its ending
      expect(() => socket.send(new Uint8Array(1))).toThrow(
        expect.objectContaining({ code: "WRITE_BUFFER_FULL" }) as Error,
      );
    },
  );

  it("above maxBytes a client's send() throws WRITE_BUFFER_FULL, and goes on when there is room", async () => {
    const { socket, peer, turns } = socketAndPeer(byteLines, {
      onFull: "throw",
      windowBytes: 10,
      writeBuffer: { highBytes: 20, lowBytes: 10, maxBytes: 50 },
    });
    peer.connection.pause();
    socket.send(new Uint8Array(60));
    expect(() => socket.send(new Uint8Array(1))).toThrow(
      expect.objectContaining({ code: "WRITE_BUFFER_FULL" }) as Error,
    );
    peer.connection.resume();
    await turns.settle();
    await socket.writable();
    expect(socket.send(new Uint8Array(1))).toBe(true);
  });
});

describe("WireSocket: time", () => {
  it("IDLE_TIMEOUT after idleTimeoutMs in which the peer said nothing and took nothing", async () => {
    const { socket, peer, turns, clock, closed, log } = socketAndPeer(textLines, {
      idleTimeoutMs: 1_000,
    });
    clock.advance(750);
    peer.write("life\n");
    await turns.settle();
    clock.advance(750);
    socket.send("ours");
    await turns.settle();
    clock.advance(750);
    expect(log).toEqual([]);
    peer.connection.pause();
    clock.advance(250);
    expect(log).toEqual(["failed IDLE_TIMEOUT"]);
    peer.connection.resume();
    peer.connection.end();
    await turns.settle();
    expect(closed()?.error?.code).toBe("IDLE_TIMEOUT");
    expect(clock.pending).toBe(0);
  });

  it("silence does not count while we do not read", async () => {
    const { socket, peer, turns, clock, log } = socketAndPeer(textLines, {
      idleTimeoutMs: 1_000,
      frameTimeoutMs: 1_000,
    });
    socket.hold();
    peer.write("waits\nhalf");
    await turns.settle();
    clock.advance(10_000);
    expect(log).toEqual([]);
    socket.release();
    clock.advance(1_500);
    expect(log).toEqual(["failed FRAME_TIMEOUT"]);
  });

  it("FRAME_TIMEOUT for a frame that trickles; whole frames start it anew", async () => {
    const { peer, turns, clock, log } = socketAndPeer(textLines, { frameTimeoutMs: 1_000 });
    for (let i = 0; i < 4; i++) {
      peer.write(`whole\nhalf`);
      await turns.settle();
      clock.advance(750);
      peer.write("\n");
      await turns.settle();
      clock.advance(750);
    }
    expect(log).toEqual([]);
    for (let i = 0; i < 6; i++) {
      peer.write(".");
      await turns.settle();
      clock.advance(250);
    }
    expect(log).toEqual(["failed FRAME_TIMEOUT"]);
  });

  it(
    "a peer that only listens, and takes what is sent to it, is not idle; one that takes nothing " +
      "is",
    async () => {
      const { socket, turns, clock, log, peer } = socketAndPeer(byteLines, {
        idleTimeoutMs: 1_000,
        windowBytes: 10,
      });
      for (let i = 0; i < 10; i++) {
        clock.advance(750);
        socket.send(new Uint8Array(5));
        await turns.settle();
      }
      expect(log).toEqual([]);
      peer.connection.pause();
      for (let i = 0; i < 2; i++) {
        socket.send(new Uint8Array(50));
        await turns.settle();
        clock.advance(500);
      }
      clock.advance(250);
      expect(log).toEqual(["failed IDLE_TIMEOUT"]);
    },
  );

  it.each<[string, ConnectionLimitOptions, string]>([
    ["idle", { idleTimeoutMs: 1_000 }, ""],
    ["a frame", { frameTimeoutMs: 1_000 }, "half"],
    ["output", { idleTimeoutMs: Infinity, writeBuffer: { stallMs: 1_000 } }, ""],
  ])(
    "time in which this process stood still is nobody's silence: %s",
    async (what, limits, said) => {
      const { socket, peer, turns, clock, log, messages } = socketAndPeer(textLines, {
        ...limits,
        windowBytes: 20,
      });
      if (what === "output") {
        peer.connection.pause();
        socket.send("x".repeat(100));
      }
      peer.write(said);
      await turns.settle();
      clock.advance(750);
      peer.write(" and the rest, in time\n"); // waits with the system while nothing runs
      clock.standStill(60_000);
      peer.connection.resume();
      await turns.settle();
      expect(messages).toEqual([`${said} and the rest, in time`]);
      clock.advance(500);
      expect(log).toEqual([]);
    },
  );

  it(
    "a peer that takes some of a large message at each tick is not slow, however long the whole " +
      "takes",
    async () => {
      const { socket, peer, turns, clock, log } = socketAndPeer(byteLines, {
        windowBytes: 10,
        writeBuffer: { stallMs: 1_000 },
      });
      peer.connection.pause();
      await turns.settle();
      socket.send(new Uint8Array(1_000).fill(1));
      for (let i = 0; i < 60; i++) {
        peer.connection.resume();
        turns.schedule(() => {
          peer.connection.pause();
        });
        await turns.settle();
        clock.advance(500);
      }
      expect(log).toEqual([]);
      const before = peer.received.length;
      clock.advance(1_500);
      expect([before > 300, before < 1_000, log]).toEqual([
        true,
        true,
        ["failed SLOW_CONSUMER", "closed error"].slice(0, 1),
      ]);
    },
  );

  it.each([
    ["server", "goes on", "close", true],
    ["server", "is silent", "close", true],
    ["client", "goes on", "throw", false],
    ["client", "is silent", "throw", true],
  ] as const)(
    "a %s that has ended, whose peer %s, closes after endTimeoutMs if it must",
    async (_role, what, onFull, closes) => {
      const { socket, peer, turns, clock, log, closed } = socketAndPeer(textLines, {
        endTimeoutMs: 2_000,
        idleTimeoutMs: Infinity,
        onFull,
      });
      socket.end();
      for (let i = 0; i < 5; i++) {
        await turns.settle();
        if (what === "goes on") peer.write("and on\n");
        await turns.settle();
        clock.advance(500);
      }
      await turns.settle();
      expect(log).toEqual(closes ? ["failed END_TIMEOUT", "closed error"] : []);
      expect(closed()?.error?.code).toBe(closes ? "END_TIMEOUT" : undefined);
    },
  );

  it(
    "endTimeoutMs counts from when the peer has got everything, and not while this end does not " +
      "read",
    async () => {
      const { socket, peer, turns, clock, log } = socketAndPeer(byteLines, {
        endTimeoutMs: 1_000,
        idleTimeoutMs: Infinity,
        windowBytes: 10,
        writeBuffer: { stallMs: 60_000 },
      });
      peer.connection.pause();
      socket.send(new Uint8Array(100).fill(1));
      socket.end();
      await turns.settle();
      clock.advance(5_000);
      expect(log).toEqual([]);
      peer.connection.resume();
      await turns.settle();
      socket.hold();
      peer.write("waits\n");
      await turns.settle();
      clock.advance(5_000);
      expect(log).toEqual([]);
      socket.release();
      clock.advance(1_250);
      expect(log).toEqual(["failed END_TIMEOUT"]);
    },
  );

  it("SLOW_CONSUMER when the peer takes nothing for stallMs", async () => {
    const { socket, peer, turns, clock, log } = socketAndPeer(byteLines, {
      windowBytes: 10,
      writeBuffer: { stallMs: 1_000 },
    });
    peer.connection.pause();
    clock.advance(5_000);
    socket.send(new Uint8Array(100));
    await turns.settle();
    clock.advance(750);
    expect(log).toEqual([]);
    clock.advance(500);
    expect(log).toEqual(["failed SLOW_CONSUMER"]);
  });

  it(
    "lingers no longer than lingerTimeoutMs for a peer that does not close, and no shorter than " +
      "its output takes",
    async () => {
      const { socket, peer, turns, clock, closed } = socketAndPeer(textLines, {
        windowBytes: 10,
        lingerTimeoutMs: 500,
      });
      peer.connection.pause();
      socket.send("something longer than the window");
      peer.write("exit\n");
      await turns.settle();
      socket.finish();
      clock.advance(3_000);
      await turns.settle();
      expect([socket.state, closed()]).toEqual(["lingering", null]);
      peer.connection.resume();
      await turns.settle();
      expect(peer.received).toBe("something longer than the window\nexit\n");
      clock.advance(1_000);
      await turns.settle();
      expect(closed()).toEqual({ reason: "sentinel", error: null });
      expect(clock.pending).toBe(0);
    },
  );
});
