import { describe, expect, it } from "vitest";
import { PulledItems } from "../../src/contract/pulled-items.ts";
import { Items } from "../../src/contract/items.ts";

function source() {
  const log: string[] = [];
  const items = new Items<number>({
    consume: (cost) => void log.push(`consumed ${String(cost)}`),
    pull: () => false,
    abandon: () => void log.push("abandoned"),
    drop: () => undefined,
  });
  return { items, log };
}

describe("Items", () => {
  it("gives what waits, in order, and says what is taken when it is taken", async () => {
    const { items, log } = source();
    items.push(1, 10);
    items.push(2, 20);
    expect(log).toEqual([]);
    expect(await items.next()).toEqual({ done: false, value: 1 });
    expect(log).toEqual(["consumed 10"]);
    expect(await items.next()).toEqual({ done: false, value: 2 });
    expect(log).toEqual(["consumed 10", "consumed 20"]);
  });

  it("gives to who waits, the first first, and takes it for taken at once", async () => {
    const { items, log } = source();
    const takers = [items.next(), items.next()];
    items.push(1, 5);
    items.push(2, 6);
    items.push(3, 7);
    expect(log).toEqual(["consumed 5", "consumed 6"]);
    expect((await Promise.all(takers)).map(({ value }) => value)).toEqual([1, 2]);
  });

  it("keeps the order over many items, taken while others come", async () => {
    const { items } = source();
    const taken: unknown[] = [];
    for (let i = 0; i < 5_000; i++) {
      items.push(2 * i, 1);
      items.push(2 * i + 1, 1);
      taken.push((await items.next()).value);
    }
    items.finish(null);
    for await (const item of items) taken.push(item);
    expect(taken).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
  });

  it("ends behind what waits; then it is done, again and again", async () => {
    const { items } = source();
    items.push(1, 1);
    items.finish(null);
    items.push(2, 1);
    items.finish(new Error("too late"));
    expect(await items.next()).toEqual({ done: false, value: 1 });
    expect(await items.next()).toEqual({ done: true, value: undefined });
    expect(await items.next()).toEqual({ done: true, value: undefined });
  });

  it("throws the error behind what waits, once", async () => {
    const { items } = source();
    items.push(1, 1);
    items.finish(new Error("broken"));
    expect(await items.next()).toEqual({ done: false, value: 1 });
    await expect(items.next()).rejects.toThrow("broken");
    expect(await items.next()).toEqual({ done: true, value: undefined });
  });

  it("tells an error to one of those who wait, and the others that it is done", async () => {
    const { items } = source();
    const [first, second] = [items.next(), items.next()];
    items.finish(new Error("broken"));
    await expect(first).rejects.toThrow("broken");
    expect(await second).toEqual({ done: true, value: undefined });
    expect(await items.next()).toEqual({ done: true, value: undefined });
  });

  it("return() drops what waits and abandons the source, once, and not when it had ended", async () => {
    const { items, log } = source();
    items.push(1, 1);
    const waits = source();
    const taker = waits.items.next();
    for (const each of [items, waits.items]) {
      expect(await each.return()).toEqual({ done: true, value: undefined });
      expect(await each.return()).toEqual({ done: true, value: undefined });
    }
    expect(await taker).toEqual({ done: true, value: undefined });
    expect([log, waits.log]).toEqual([["abandoned"], ["abandoned"]]);
    const ended = source();
    ended.items.finish(new Error("broken"));
    await ended.items.return();
    expect(ended.log).toEqual([]);
    expect(await ended.items.next()).toEqual({ done: true, value: undefined });
  });
});

describe("PulledItems", () => {
  it("takes what can be iterated, and refuses what can't", () => {
    expect(new PulledItems("count", [1]).next()).toEqual({ done: false, value: 1 });
    for (const wrong of ["text", 1, true, {}, () => undefined])
      expect(() => new PulledItems("count", wrong)).toThrow(TypeError);
  });

  it("leave() lets the source clean up once, whatever it does; not when it has ended", async () => {
    const log: string[] = [];
    const iterable = (ends: () => unknown) => ({
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve({ done: false, value: 1 }),
        return: ends,
      }),
    });
    const pulled = new PulledItems(
      "count",
      iterable(() => log.push("left")),
    );
    pulled.leave();
    pulled.leave();
    const ended = new PulledItems(
      "count",
      iterable(() => log.push("never")),
    );
    ended.ended();
    ended.leave();
    new PulledItems(
      "count",
      iterable(() => Promise.reject(new Error("ignored"))),
    ).leave();
    new PulledItems(
      "count",
      iterable(() => {
        throw new Error("ignored");
      }),
    ).leave();
    await new Promise(setImmediate);
    expect(log).toEqual(["left"]);
  });
});
