import { HawserError } from "@hawser/protocol";
import { ManualClock } from "@hawser/transport/testing";
import { hostileValues } from "@hawser/protocol/testing";
import { describe, expect, it } from "vitest";
import { MiddlewareStep } from "../src/contract/middleware-step.ts";
import {
  isThenable,
  programFailed,
  runProgram,
  tellProgram,
  whenSettled,
  withinTime,
} from "../src/program.ts";
import { PulledItems } from "../src/contract/pulled-items.ts";
import { Reporter } from "../src/reporter.ts";
import { StuckHandlers } from "../src/contract/stuck-handlers.ts";
import { unsent } from "../src/contract/unsent.ts";

const turns = async (count = 5): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
};

describe("runProgram()", () => {
  it("tells once how any function ended, whatever it threw or returned", async () => {
    for (const [name, make] of Object.entries(hostileValues)) {
      for (const how of ["throw", "return", "reject"] as const) {
        const log: string[] = [];
        runProgram(
          () => {
            if (how === "return") return make();
            if (how === "reject")
              return turns(1).then(() => {
                throw make();
              });
            throw make();
          },
          () => void log.push("settled"),
          () => void log.push("failed"),
        );
        await turns(4);
        expect([name, how, log.length]).toEqual([name, how, 1]);
        if (how !== "return") expect([name, how, log]).toEqual([name, how, ["failed"]]);
      }
    }
  });

  it("awaits a then() of any kind once", async () => {
    const log: unknown[] = [];
    const thenable = (
      then: (resolve: (value: unknown) => void, reject: (cause: unknown) => void) => void,
    ) => ({ then }) as PromiseLike<unknown>;
    const wait = (promise: PromiseLike<unknown>): void => {
      whenSettled(
        promise,
        (value) => log.push(`settled ${String(value)}`),
        (cause) => log.push(`failed ${String(cause)}`),
      );
    };
    wait(
      thenable((resolve, reject) => {
        resolve(1);
        reject(2);
        resolve(3);
      }),
    );
    await turns();
    wait(
      thenable(() => {
        throw new Error("then");
      }),
    );
    await turns();
    class Lazy extends Promise<number> {
      override then<A, B>(
        settled?: ((value: number) => A | PromiseLike<A>) | null,
        failed?: ((cause: unknown) => B | PromiseLike<B>) | null,
      ): Promise<A | B> {
        return Promise.resolve(7).then(settled, failed);
      }
    }
    wait(new Lazy(() => undefined));
    await turns();
    wait(
      Object.defineProperty(Promise.resolve(8), "constructor", {
        get: () => {
          throw new Error("constructor");
        },
      }),
    );
    await turns();
    wait(
      Object.assign(
        thenable((resolve) => {
          resolve(9);
        }),
        { constructor: Promise },
      ),
    );
    await turns();
    expect(log).toEqual([
      "settled 1",
      "failed Error: then",
      "settled 7",
      "failed Error: constructor",
      "settled 9",
    ]);
    expect([
      isThenable(1),
      isThenable({}),
      isThenable(hostileValues["revoked"]?.()),
      isThenable(Promise.resolve()),
    ]).toEqual([false, false, true, true]);
  });

  it("tellProgram() is told of failures alone", async () => {
    const failed: unknown[] = [];
    tellProgram(
      () => 1,
      (cause) => failed.push(cause),
    );
    tellProgram(
      () => Promise.reject(new Error("x")),
      () => failed.push("rejected"),
    );
    await turns();
    expect(failed).toEqual(["rejected"]);
    expect(programFailed("The hook", 42n)).toMatchObject({
      code: "HANDLER_FAILED",
      message: "The hook failed: it threw a value of type bigint",
      cause: 42n,
    });
  });
});

describe("withinTime()", () => {
  const late = (): HawserError => new HawserError("CONNECT_TIMEOUT", "late");

  it("gives what the function gives, or why not: its failure, the time, the signal", async () => {
    const clock = new ManualClock();
    const options = { clock, timeoutMs: 100, signal: undefined, late };
    expect(await withinTime(() => 1, options)).toBe(1);
    await expect(withinTime(() => Promise.reject(new Error("no")), options)).rejects.toThrow("no");
    const never = expect(
      withinTime(() => new Promise(() => undefined), options),
    ).rejects.toMatchObject({ code: "CONNECT_TIMEOUT" });
    clock.advance(101);
    await never;
    const controller = new AbortController();
    const aborted = expect(
      withinTime(() => new Promise(() => undefined), {
        ...options,
        timeoutMs: Infinity,
        signal: controller.signal,
      }),
    ).rejects.toThrow("enough");
    controller.abort(new Error("enough"));
    await aborted;
    await expect(withinTime(() => 1, { ...options, signal: controller.signal })).rejects.toThrow(
      "enough",
    );
  });

  it("hands what comes too late to `unwanted`", async () => {
    const clock = new ManualClock();
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const unwanted: unknown[] = [];
    const result = expect(
      withinTime(() => promise, {
        clock,
        timeoutMs: 10,
        signal: undefined,
        late,
        unwanted: (value) => unwanted.push(value),
      }),
    ).rejects.toMatchObject({ code: "CONNECT_TIMEOUT" });
    clock.advance(11);
    await result;
    resolve("a connection");
    await turns();
    expect(unwanted).toEqual(["a connection"]);
  });
});

describe("PulledItems", () => {
  it("cancels a stream of the web while it is read, and destroys a Readable", async () => {
    let cancelled = 0;
    const web = new PulledItems(
      "s",
      new ReadableStream({
        cancel: () => {
          cancelled++;
        },
      }),
    );
    const pending = web.next() as Promise<unknown>;
    let stopped = 0;
    web.leave(() => {
      stopped++;
    });
    expect(await pending).toMatchObject({ done: true });
    expect([cancelled, stopped]).toEqual([1, 1]);
    const log: string[] = [];
    const readable = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => undefined),
        return: () => log.push("return"),
      }),
      pipe: () => undefined,
      destroy: () => log.push("destroy"),
    };
    new PulledItems("s", readable).leave(() => log.push("stopped"));
    expect(log).toEqual(["destroy", "stopped"]);
  });

  it("tells that a generator has stopped when its pending next() has", async () => {
    const gate = Promise.withResolvers<undefined>();
    const items = new PulledItems(
      "s",
      (async function* () {
        await gate.promise;
        yield 1;
      })(),
    );
    void items.next();
    const log: string[] = [];
    items.leave(() => log.push("stopped"));
    await turns();
    expect(log).toEqual([]);
    gate.resolve(undefined);
    await turns();
    expect(log).toEqual(["stopped"]);
  });

  it("checks what next() gave, and the iterator", () => {
    expect(() => new PulledItems("s", { [Symbol.iterator]: () => ({}) })).toThrow(
      /no function next/,
    );
    expect(() => new PulledItems("s", [1]).check(5)).toThrow(/where \{ done, value \} is wanted/);
    expect(() => new PulledItems("s", [1]).check(null)).toThrow(TypeError);
  });
});

describe("MiddlewareStep", () => {
  it("gives what next() threw to a run whose middleware caught it and returned nothing", () => {
    const step = new MiddlewareStep(
      "get",
      () => {
        throw new Error("no");
      },
      null,
    );
    expect(() =>
      step.run((next) => {
        try {
          next();
        } catch {
          // It forgets to say so.
        }
      }),
    ).toThrow("no");
  });

  it("refuses next() after the middleware has ended", async () => {
    let late: (() => unknown) | null = null;
    const step = new MiddlewareStep("get", () => "rest", null);
    expect(
      step.run((next) => {
        late = next;
        return 1;
      }),
    ).toBe(1);
    await expect((late as unknown as () => Promise<unknown>)()).rejects.toThrow(
      /the middleware has ended/,
    );
  });
});

describe("StuckHandlers", () => {
  it("reports each handler that is late once, and none that has ended", () => {
    const clock = new ManualClock();
    const stuck = new StuckHandlers(clock, 1_000);
    const log: string[] = [];
    const one = { isLate: () => void log.push("one") };
    const two = { isLate: () => void log.push("two") };
    stuck.add(one);
    stuck.add(two);
    stuck.delete(two);
    for (let i = 0; i < 5; i++) clock.advance(1_000);
    expect(log).toEqual(["one"]);
    new StuckHandlers(clock, Infinity).add(two);
    clock.advance(100_000);
    expect(log).toEqual(["one"]);
  });
});

describe("Reporter", () => {
  it("warns once for each code, and not of what the network does; of a handler's failure, too", async () => {
    const codes: string[] = [];
    const listener = (warning: Error & { code?: string }): void =>
      void codes.push(String(warning.code));
    process.on("warning", listener);
    const reporter = new Reporter("a test");
    for (let i = 0; i < 2; i++) {
      void reporter.report(
        new HawserError("HANDLER_FAILED", "x", { cause: hostileValues["stackGetter"]?.() }),
        null,
      );
      void reporter.report(new HawserError("CONNECTION_RESET", "x"), null);
      void reporter.report(new HawserError("NOT_HAWSER", "x"), () => {
        throw new Error("thrown");
      });
      await reporter.report(new HawserError("NOT_HAWSER", "x"), () =>
        Promise.reject(new Error("rejected")),
      );
    }
    await turns();
    process.off("warning", listener);
    expect(codes).toEqual(["HAWSER_HANDLER_FAILED", "HAWSER_ERROR_HANDLER_FAILED"]);
  });
});

describe("unsent()", () => {
  it("is not-sent for what is sent at most once and has no connection, else a rejection", async () => {
    const once = { delivery: "at-most-once" } as never;
    expect(await unsent(once, new HawserError("NOT_READY", "x"))).toBe("not-sent");
    await expect(
      unsent({ delivery: "at-least-once" } as never, new HawserError("NOT_READY", "x")),
    ).rejects.toMatchObject({ code: "NOT_READY" });
    await expect(unsent(null, new TypeError("no such event"))).rejects.toThrow(TypeError);
  });
});
