import type { HawserError } from "@hawser/protocol";
import { SessionLink, type Speaker } from "../../src/mod.ts";
import {
  memoryPair,
  resolveConnectionLimits,
  Ticker,
  type WriteBufferOptions,
} from "@hawser/transport";
import { ManualClock } from "@hawser/transport/testing";
import { describe, expect, it } from "vitest";
import { RawPeer, Turns } from "../socket-and-peer.ts";

/** A speaker that says what it is told to, and remembers what it heard. */
class FakeSpeaker implements Speaker {
  readonly log: string[] = [];
  dueMs = Infinity;
  /** What waits for its turn. */
  waiting = "";
  link: SessionLink | null = null;

  receive(chunk: Uint8Array, nowMs: number): boolean {
    this.log.push(`heard ${new TextDecoder().decode(chunk)} at ${String(nowMs)}`);
    return this.left > 0;
  }

  stoodStill(ms: number, nowMs: number): void {
    this.log.push(`stood still ${String(ms)} until ${String(nowMs)}`);
  }

  /** How many turns the last chunk takes. */
  left = 0;

  goOn(): boolean {
    this.log.push(`went on`);
    return --this.left > 0;
  }

  tick(nowMs: number): void {
    if (nowMs < this.dueMs) return;
    this.log.push(`due ${String(this.dueMs)} at ${String(nowMs)}`);
    this.dueMs = Infinity;
  }

  deadline(): number {
    return this.dueMs;
  }

  transmit(highBytes: number): boolean {
    const output = this.link?.output;
    if (output === undefined) return false;
    const room = Math.max(0, highBytes - output.length);
    output.append(new TextEncoder().encode(this.waiting.slice(0, room)));
    this.waiting = this.waiting.slice(room);
    if (room > 0) this.link?.wrote();
    return this.waiting !== "";
  }

  say(text: string): void {
    this.link?.output.append(new TextEncoder().encode(text));
    this.link?.wrote();
  }
}

function linked(
  options: {
    writeBuffer?: WriteBufferOptions;
    windowBytes?: number;
    lingerTimeoutMs?: number;
    onFull?: "close" | "throw";
  } = {},
) {
  const turns = new Turns();
  const clock = new ManualClock();
  const ticker = new Ticker(clock);
  const [mine, theirs] = memoryPair({
    schedule: turns.schedule,
    windowBytes: options.windowBytes ?? 65_536,
  });
  const log: string[] = [];
  const link = new SessionLink(
    mine,
    {
      limits: resolveConnectionLimits(options, "server"),
      ticker,
      onFull: options.onFull ?? "close",
    },
    {
      lost: (error: HawserError) => void log.push(`lost ${error.code}`),
      gone: () => {
        log.push("gone");
        ticker.delete(link);
      },
    },
  );
  const speaker = new FakeSpeaker();
  speaker.link = link;
  const peer = new RawPeer(theirs);
  ticker.add(link);
  link.open(speaker);
  return { turns, clock, ticker, link, speaker, peer, log };
}

describe("SessionLink", () => {
  it(
    "gives chunks to the speaker with the clock's own time, and sends what it says in one write " +
      "a turn",
    async () => {
      const { turns, clock, speaker, peer } = linked();
      clock.advance(7);
      peer.write("hello");
      await turns.settle();
      expect(speaker.log).toEqual(["heard hello at 7"]);
      speaker.say("one ");
      speaker.say("two");
      await turns.settle();
      expect(peer.chunks).toEqual(["one two"]);
    },
  );

  it("hands the connection to another speaker", async () => {
    const { turns, link, speaker, peer } = linked();
    const other = new FakeSpeaker();
    link.hand(other);
    peer.write("for you");
    await turns.settle();
    expect([speaker.log, other.log.length]).toEqual([[], 1]);
  });

  it("fetches what waits as there is room, and not before", async () => {
    const { turns, speaker, peer, link } = linked({
      windowBytes: 100,
      writeBuffer: { highBytes: 1_000, lowBytes: 500 },
    });
    peer.connection.pause();
    speaker.waiting = "x".repeat(5_000);
    speaker.say("begin");
    await turns.settle();
    expect(link.pendingBytes).toBeLessThanOrEqual(1_000);
    expect(speaker.waiting.length).toBeGreaterThanOrEqual(4_000);
    peer.connection.resume();
    await turns.settle();
    expect(peer.received).toBe(`begin${"x".repeat(5_000)}`);
  });

  it("ticks the speaker: at its deadline where that is near, else with the others", () => {
    const { clock, link, speaker } = linked();
    speaker.dueMs = 90;
    link.watch();
    expect(clock.pending).toBe(2);
    clock.advance(89);
    expect(speaker.log).toEqual([]);
    clock.advance(1);
    expect(speaker.log).toEqual(["due 90 at 90"]);
    expect(clock.pending).toBe(1);
    speaker.dueMs = 10_003;
    link.watch();
    expect(clock.pending).toBe(1); // the tick before it will see to it
    clock.advance(10_000);
    expect(speaker.log).toEqual(["due 90 at 90", "due 10003 at 10003"]);
  });

  it("keeps one timer, for the earliest deadline", () => {
    const { clock, link, speaker } = linked();
    for (const dueMs of [200, 100, 150]) {
      speaker.dueMs = dueMs;
      link.watch();
    }
    expect(clock.pending).toBe(2);
    speaker.dueMs = 100;
    clock.advance(100);
    expect(speaker.log).toEqual(["due 100 at 100"]);
  });

  it("a stream that ends, or breaks, is lost, once; and then gone", async () => {
    const ended = linked();
    ended.peer.connection.end();
    await ended.turns.settle();
    expect(ended.log).toEqual(["lost CONNECTION_RESET", "gone"]);
    const broken = linked();
    broken.peer.connection.abort();
    await broken.turns.settle();
    expect(broken.log).toEqual(["lost CONNECTION_RESET", "gone"]);
    expect(broken.link.isGone).toBe(true);
  });

  it(
    "close() sends what was said, drops what comes, and is gone when the peer closes, or after " +
      "lingerTimeoutMs",
    async () => {
      const { turns, clock, link, speaker, peer, log } = linked({ lingerTimeoutMs: 1_000 });
      speaker.say("good bye");
      link.close();
      link.close();
      peer.write("wait");
      await turns.settle();
      expect([peer.received, peer.events, speaker.log]).toEqual(["good bye", ["ended"], []]);
      clock.advance(750);
      await turns.settle();
      expect(log).toEqual([]);
      clock.advance(500);
      await turns.settle();
      expect(log).toEqual(["gone"]);
      const polite = linked();
      polite.link.close();
      polite.peer.connection.end();
      await polite.turns.settle();
      expect(polite.log).toEqual(["gone"]);
      expect(polite.clock.pending).toBe(0);
    },
  );

  it("abort() breaks off without a word, and nobody is told but gone", async () => {
    const { turns, link, speaker, peer, log } = linked();
    speaker.say("lost");
    link.abort();
    link.abort();
    speaker.say("nothing");
    await turns.settle();
    expect([peer.received, log]).toEqual(["", ["gone"]]);
  });

  it("a peer that lets more than maxBytes pile up is lost as SLOW_CONSUMER", async () => {
    const { turns, speaker, peer, log } = linked({
      windowBytes: 10,
      writeBuffer: { lowBytes: 10, highBytes: 100, maxBytes: 1_000 },
    });
    peer.connection.pause();
    for (let i = 0; i < 100; i++) speaker.say("x".repeat(50));
    await turns.settle();
    expect(log).toEqual(["lost SLOW_CONSUMER", "gone"]);
  });

  it(
    "keeps what is said in the output while the system has not taken what was sent, where its " +
      "speaker can count it",
    async () => {
      const { turns, speaker, peer, link, log } = linked({
        onFull: "throw",
        windowBytes: 10,
        writeBuffer: { lowBytes: 50, highBytes: 100, maxBytes: 1_000 },
      });
      peer.connection.pause();
      speaker.say("x".repeat(200));
      await turns.settle();
      for (let i = 0; i < 50; i++) speaker.say("y".repeat(100));
      await turns.settle();
      expect(link.output.length).toBe(5_000);
      expect([link.isHigh, log]).toEqual([true, []]);
      let hasRoom = false;
      void link.room().then(() => (hasRoom = true));
      await turns.settle();
      expect(hasRoom).toBe(false);
      peer.connection.resume();
      await turns.settle();
      expect([peer.received.length, hasRoom, link.isHigh]).toEqual([5_200, true, false]);
      await link.room();
    },
  );

  it("room() does not wait for a connection that is of no more use", async () => {
    const { turns, speaker, peer, link } = linked({
      windowBytes: 10,
      writeBuffer: { lowBytes: 50, highBytes: 100 },
    });
    peer.connection.pause();
    speaker.say("x".repeat(200));
    await turns.settle();
    const room = link.room();
    link.abort();
    await room;
    await link.room();
  });

  it(
    "a peer that takes nothing for stallMs is lost as SLOW_CONSUMER; one that takes a little is " +
      "not",
    async () => {
      const { turns, clock, speaker, peer, log } = linked({
        windowBytes: 10,
        writeBuffer: { stallMs: 2_000 },
      });
      peer.connection.pause();
      speaker.say("x".repeat(100));
      speaker.say("x".repeat(100));
      await turns.settle();
      for (let i = 0; i < 4; i++) {
        clock.advance(1_000);
        peer.connection.resume();
        speaker.say("y".repeat(100));
        await turns.settle();
        peer.connection.pause();
        speaker.say("z".repeat(100));
        await turns.settle();
      }
      expect(log).toEqual([]);
      clock.advance(2_250);
      await turns.settle();
      expect(log).toEqual(["lost SLOW_CONSUMER", "gone"]);
    },
  );
});

describe("SessionLink: turns", () => {
  it("goes on with what a speaker has left in later turns, and gives it what came behind in order", async () => {
    const { turns, speaker, peer, log, link } = linked();
    speaker.left = 2;
    peer.write("much");
    await turns.settle();
    expect(speaker.log).toEqual(["heard much at 0", "went on", "went on"]);
    speaker.left = 1;
    link.chunk(new TextEncoder().encode("first"));
    link.chunk(new TextEncoder().encode("second"));
    link.ended();
    expect(speaker.log.slice(3)).toEqual(["heard first at 0"]);
    expect(log).toEqual([]);
    await turns.settle();
    expect(speaker.log.slice(3)).toEqual(["heard first at 0", "went on", "heard second at 0"]);
    expect(log).toEqual(["lost CONNECTION_RESET"]);
  });

  it("tells that the connection is gone when everything that came before is handled", async () => {
    const { turns, speaker, log, link } = linked();
    speaker.left = 1;
    link.chunk(new TextEncoder().encode("last words"));
    link.gone(null);
    expect(log).toEqual([]);
    await turns.settle();
    expect([speaker.log.at(-1), log]).toEqual(["went on", ["lost CONNECTION_RESET", "gone"]]);
  });

  it("reads no more when it is closed while something is left", async () => {
    const { turns, speaker, peer, log, link } = linked();
    speaker.left = 5;
    peer.write("much");
    link.chunk(new TextEncoder().encode("more"));
    link.close();
    await turns.settle();
    peer.connection.end();
    await turns.settle();
    expect([speaker.log, log]).toEqual([["heard more at 0"], ["gone"]]);
  });
});
