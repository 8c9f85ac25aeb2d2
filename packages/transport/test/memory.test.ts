import { describe, expect, it } from "vitest";
import { memoryPair } from "../src/mod.ts";
import { RawPeer, Turns } from "../../session/test/socket-and-peer.ts";

describe("memoryPair()", () => {
  it("carries bytes both ways, in a later turn, in order", async () => {
    const turns = new Turns();
    const [a, b] = memoryPair({ schedule: turns.schedule }).map(
      (connection) => new RawPeer(connection),
    ) as [RawPeer, RawPeer];
    a.write("ping");
    expect(b.received).toBe("");
    await turns.settle();
    b.write("pong");
    await turns.settle();
    expect([a.received, b.received]).toEqual(["pong", "ping"]);
  });

  it("holds no more than its window while the reader pauses, then delivers everything", async () => {
    const turns = new Turns();
    const [a, b] = memoryPair({ schedule: turns.schedule, windowBytes: 8 }).map(
      (connection) => new RawPeer(connection),
    ) as [RawPeer, RawPeer];
    b.connection.pause();
    a.write("0123456789abcdef");
    await turns.settle();
    expect([b.received, a.connection.pendingBytes]).toEqual(["", 16]);
    b.connection.resume();
    await turns.settle();
    expect([b.received, a.connection.pendingBytes]).toEqual(["0123456789abcdef", 0]);
  });

  it("half-closes: the other direction goes on until it ends too", async () => {
    const turns = new Turns();
    const [a, b] = memoryPair({ schedule: turns.schedule }).map(
      (connection) => new RawPeer(connection),
    ) as [RawPeer, RawPeer];
    a.connection.end();
    a.connection.end();
    await turns.settle();
    b.write("answer");
    await turns.settle();
    expect([a.received, b.events, a.events]).toEqual(["answer", ["ended"], []]);
    b.connection.end();
    await turns.settle();
    expect([a.events, b.events]).toEqual([
      ["ended", "closed"],
      ["ended", "closed"],
    ]);
  });

  it("abort() loses what waits and resets the peer", async () => {
    const turns = new Turns();
    const [a, b] = memoryPair({ schedule: turns.schedule }).map(
      (connection) => new RawPeer(connection),
    ) as [RawPeer, RawPeer];
    a.write("lost");
    a.connection.abort();
    await turns.settle();
    expect([a.events, b.events, b.received]).toEqual([["closed"], ["closed CONNECTION_RESET"], ""]);
  });

  it("keeps early bytes for a reader that opens later", async () => {
    const turns = new Turns();
    const [one, two] = memoryPair({ schedule: turns.schedule });
    new RawPeer(one).write("early");
    await turns.settle();
    const late = new RawPeer(two);
    await turns.settle();
    expect(late.received).toBe("early");
  });

  it.each([0, -1, 1.5, NaN])("refuses a window of %s bytes", (windowBytes) => {
    expect(() => memoryPair({ windowBytes })).toThrow(RangeError);
  });
});
