import { describe, expect, it } from "vitest";
import { afterPatience } from "../src/clock.ts";
import { systemClock, Ticker } from "../src/mod.ts";
import { ManualClock } from "../src/testing/mod.ts";

describe("Ticker", () => {
  it("has one timer for all its members, and none without members", () => {
    const clock = new ManualClock();
    const ticker = new Ticker(clock);
    const ticks: string[] = [];
    const one = {
      stoodStill: () => undefined,
      tick: (nowMs: number) => void ticks.push(`one ${nowMs}`),
    };
    const two = {
      stoodStill: () => undefined,
      tick: (nowMs: number) => void ticks.push(`two ${nowMs}`),
    };
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
    const member = { stoodStill: () => undefined, tick: () => undefined };
    ticker.add(member);
    expect(ticker.now).toBe(5_000);
    ticker.delete(member);
  });

  it("bears members that leave and come during a tick", () => {
    const clock = new ManualClock();
    const ticker = new Ticker(clock);
    let ticks = 0;
    const member = {
      stoodStill: () => undefined,
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

describe("a process that stood still", () => {
  function ticking() {
    const clock = new ManualClock();
    const ticker = new Ticker(clock);
    const log: string[] = [];
    ticker.add({
      tick: (nowMs) => void log.push(`tick ${nowMs}`),
      stoodStill: (ms) => void log.push(`still ${ms}`),
    });
    return { clock, ticker, log };
  }

  it(
    "a tick that is late by more than half its time is none: its members are told how long " +
      "nothing ran",
    () => {
      const { clock, log } = ticking();
      clock.advance(250);
      clock.standStill(10_000);
      clock.advance(250);
      expect(log).toEqual(["tick 250", "still 9750", "tick 10500"]);
      clock.standStill(375); // as late as a busy loop may be
      expect(log.at(-1)).toBe("tick 10875");
    },
  );

  it("a timer that fires before the late tick can have it looked at first", () => {
    const { clock, ticker, log } = ticking();
    clock.after(200, () => {
      ticker.look();
      log.push("timer");
    });
    clock.standStill(5_000);
    expect(log).toEqual(["still 4750", "timer"]);
    clock.advance(250);
    expect(log).toEqual(["still 4750", "timer", "tick 5250"]);
  });

  it("afterPatience() counts the time in which it ran, and gives what had begun another step", () => {
    const clock = new ManualClock();
    const ran: number[] = [];
    afterPatience(clock, 1_000, () => void ran.push(clock.now()));
    clock.advance(900);
    clock.standStill(60_000);
    expect(ran).toEqual([]);
    clock.advance(240);
    expect(ran).toEqual([]);
    clock.advance(20);
    expect(ran).toHaveLength(1);
    const cancel = afterPatience(clock, 1_000, () => void ran.push(clock.now()));
    clock.advance(600);
    cancel();
    clock.advance(5_000);
    expect([ran.length, clock.pending]).toEqual([1, 0]);
    afterPatience(clock, Infinity, () => void ran.push(0));
    afterPatience(clock, 0, () => void ran.push(1));
    clock.advance(1_000_000);
    expect(ran.slice(1)).toEqual([1]);
  });
});

describe("systemClock", () => {
  it("takes times that no timer takes: they do not fire at once", async () => {
    let fired = 0;
    const cancels = [2 ** 31, 2 ** 40, Infinity].map((ms) => systemClock.after(ms, () => fired++));
    await new Promise<void>((resolve) => void systemClock.after(20, resolve));
    for (const cancel of cancels) cancel();
    expect(fired).toBe(0);
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
