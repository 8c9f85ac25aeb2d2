import { describe, expect, it } from "vitest";
import { systemClock, Ticker } from "../src/mod.ts";
import { ManualClock } from "../src/testing/mod.ts";

describe("Ticker", () => {
  it("has one timer for all its members, and none without members", () => {
    const clock = new ManualClock();
    const ticker = new Ticker(clock);
    const ticks: string[] = [];
    const one = { tick: (nowMs: number) => void ticks.push(`one ${nowMs}`) };
    const two = { tick: (nowMs: number) => void ticks.push(`two ${nowMs}`) };
    ticker.add(one);
    ticker.add(two);
    expect(clock.pending).toBe(1);
    clock.advance(250);
    expect(ticks).toEqual(["one 250", "two 250"]);
    ticker.delete(one);
    clock.advance(250);
    expect(ticks.at(-1)).toBe("two 500");
    ticker.delete(two);
    expect(clock.pending).toBe(0);
    clock.advance(10_000);
    expect(ticks).toHaveLength(3);
  });

  it("tells the time anew when a member comes after an idle time", () => {
    const clock = new ManualClock();
    const ticker = new Ticker(clock);
    clock.advance(5_000);
    const member = { tick: () => undefined };
    ticker.add(member);
    expect(ticker.now).toBe(5_000);
    ticker.delete(member);
  });

  it("bears members that leave and come during a tick", () => {
    const clock = new ManualClock();
    const ticker = new Ticker(clock);
    let ticks = 0;
    const member = {
      tick: () => {
        ticks++;
        ticker.delete(member);
        if (ticks === 1) ticker.add(member);
      },
    };
    ticker.add(member);
    clock.advance(250);
    expect(ticks).toBeGreaterThan(0);
    ticker.delete(member);
    expect(clock.pending).toBe(0);
  });
});

describe("systemClock", () => {
  it("never goes back, and cancels what it is told to cancel", async () => {
    const before = systemClock.now();
    const cancelAfter = systemClock.after(60_000, () => undefined);
    const cancelEvery = systemClock.every(60_000, () => undefined);
    cancelAfter();
    cancelEvery();
    await new Promise<void>((resolve) => void systemClock.after(1, resolve));
    expect(systemClock.now()).toBeGreaterThanOrEqual(before);
  });
});
