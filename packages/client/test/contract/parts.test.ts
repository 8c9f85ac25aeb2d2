import { defineProtocol, HawserError, type } from "@hawser/protocol";
import {
  type CallSink,
  type InboundEvent,
  nativeSessions,
  type PreparedCall,
  type PreparedEvent,
  type Session,
} from "@hawser/protocol/engine";
import { RecentEvents, Responder } from "@hawser/session";
import { type Connection, memoryPair } from "@hawser/transport";
import { ManualClock } from "@hawser/transport/testing";
import { describe, expect, it } from "vitest";
import { Delivery } from "../../src/contract/delivery.ts";
import { HeldEvent, HeldRequest } from "../../src/contract/held.ts";
import { Listeners } from "../../src/contract/listeners.ts";
import {
  resolveSessionConnectOptions,
  type SessionConnectOptions,
} from "../../src/contract/options.ts";
import { OfflineQueue } from "../../src/contract/offline-queue.ts";
import { Route } from "../../src/contract/route.ts";
import { pauseMs, Targets } from "../../src/contract/targets.ts";

const contract = defineProtocol({
  name: "unit",
  version: 1,
  requests: { echo: { input: type<string>(), output: type<string>() } },
  events: {
    told: { payload: type<string>(), delivery: "at-least-once" },
    typed: { payload: type<string>() },
    mine: { from: "client" },
  },
});

function entryOf(name: string) {
  const entry = contract.find(name);
  if (entry === undefined) throw new Error(name);
  return entry;
}

const kind = nativeSessions(contract);
const read = (body: Uint8Array): string => JSON.parse(new TextDecoder().decode(body)) as string;

const turns = async (count = 5): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
};

describe("resolveSessionConnectOptions()", () => {
  it("completes what is absent, and refuses what is wrong", () => {
    const options = resolveSessionConnectOptions({});
    expect(options.reconnect).toMatchObject({
      attempts: Infinity,
      initialMs: 250,
      maxMs: 30_000,
      jitter: "full",
      fromStart: false,
    });
    expect(options.queue).toEqual({
      policy: "fail",
      maxBytes: 1_048_576,
      maxMessages: 65_536,
      ttlMs: 30_000,
    });
    expect(options.random(4).length).toBe(4);
    expect(resolveSessionConnectOptions({ reconnect: false }).reconnect).toBeNull();
    const wrong: [SessionConnectOptions<typeof contract>, ErrorConstructor][] = [
      [{ reconnect: { initialMs: 0 } }, RangeError],
      [{ reconnect: { attempts: 1.5 } }, RangeError],
      [{ reconnect: { jitter: "some" as never } }, TypeError],
      [{ queue: { policy: "keep" as never } }, TypeError],
      [{ queue: { maxBytes: 0 } }, RangeError],
      [{ heartbeatMs: "1" as never }, TypeError],
      [{ random: 1 as never }, TypeError],
    ];
    for (const [given, error] of wrong)
      expect(() => resolveSessionConnectOptions(given)).toThrow(error);
  });
});

describe("Listeners", () => {
  it("are called in order; a change while they are called takes effect afterwards", () => {
    const listeners = new Listeners();
    const log: string[] = [];
    const second = (): void => void log.push("second");
    listeners.once("x", (value: number) => log.push(`first ${String(value)}`));
    listeners.on("x", () => {
      listeners.off("x", second);
    });
    listeners.on("x", second);
    void listeners.call("x", 1);
    void listeners.call("x", 2);
    expect(log).toEqual(["first 1", "second"]);
    expect(listeners.has("y")).toBe(false);
    expect(() => {
      listeners.on("x", 1 as never);
    }).toThrow(TypeError);
    expect(() => {
      listeners.once("x", undefined as never);
    }).toThrow(TypeError);
  });

  it("off takes one away that was added with once; with the last, nobody listens", () => {
    const listeners = new Listeners();
    const listener = (): void => {
      throw new Error("never");
    };
    listeners.once("x", listener);
    listeners.off("x", listener);
    listeners.off("x", listener);
    expect(listeners.has("x")).toBe(false);
    expect(listeners.call("x")).toBeUndefined();
  });

  it(
    "of which none returns a promise return nothing, however many there are: the next event need " +
      "not wait",
    async () => {
      const listeners = new Listeners();
      for (const value of [1, { then: 7 }, undefined]) listeners.on("x", () => value);
      expect(listeners.call("x")).toBeUndefined();
      listeners.on("x", () => Promise.resolve("late"));
      expect(await listeners.call("x")).toEqual([1, { then: 7 }, undefined, "late"]);
      listeners.on("x", () => ({
        get then(): never {
          throw new Error("no");
        },
      }));
      await expect(listeners.call("x")).rejects.toThrow("no");
    },
  );

  it("what one of several throws rejects what all of them return, after all were called", async () => {
    const listeners = new Listeners();
    const log: string[] = [];
    listeners.on("x", () => {
      throw new Error("no");
    });
    listeners.on("x", () => log.push("called"));
    await expect(listeners.call("x")).rejects.toThrow("no");
    expect(log).toEqual(["called"]);
  });
});

describe("Delivery", () => {
  function delivery(handlers: object | null = null) {
    const reported: string[] = [];
    const handled: string[] = [];
    const one = new Delivery(
      contract,
      new Responder(contract, "client", handlers),
      new RecentEvents(),
      (error) => void reported.push(error.code),
    );
    const come = (name: string, payload: string): void => {
      const over: InboundEvent["handled"] = (error) =>
        void handled.push(
          error === undefined || error === null
            ? `${payload} well`
            : `${payload} ${(error as HawserError).code}`,
        );
      one.event({ entry: entryOf(name), payload, trace: null, identity: null, handled: over }, {});
    };
    return { one, come, reported, handled };
  }

  it("an event waits for its first listener until nobody is expected any more", async () => {
    const { one, come, handled } = delivery();
    const heard: string[] = [];
    come("told", "early");
    expect(handled).toEqual([]);
    one.on("told", (text: string) => heard.push(text));
    expect(heard).toEqual([]); // not from within on()
    await turns();
    one.settle();
    come("typed", "once");
    one.off("told", () => undefined);
    expect([heard, handled]).toEqual([["early"], ["early well", "once well"]]);
  });

  it("an event that nobody listens to is told to its sender where it was to arrive, else dropped", () => {
    const { one, come, handled } = delivery();
    come("told", "early");
    one.settle();
    come("told", "late");
    come("typed", "lost");
    expect(handled).toEqual(["early MESSAGE_UNKNOWN", "late MESSAGE_UNKNOWN", "lost well"]);
  });

  it("handlers from the start listen to the first event; on and once check the name", () => {
    const heard: string[] = [];
    const { one, come } = delivery({ told: (text: string) => heard.push(text) });
    come("told", "first");
    expect(heard).toEqual(["first"]);
    for (const name of ["mine", "echo", "other"])
      expect(() => {
        one.on(name, () => undefined);
      }).toThrow(TypeError);
    expect(() => {
      one.once("mine", () => undefined);
    }).toThrow(TypeError);
  });

  it("a listener's failure is told to the sender and here", async () => {
    const { one, come, handled, reported } = delivery();
    one.on("told", (text: string) => {
      if (text === "sync") throw new Error("no");
      return Promise.reject(new Error("no"));
    });
    come("told", "sync");
    come("told", "async");
    await turns();
    expect([handled, reported]).toEqual([
      ["sync HANDLER_FAILED", "async HANDLER_FAILED"],
      ["HANDLER_FAILED", "HANDLER_FAILED"],
    ]);
  });
});

describe("OfflineQueue", () => {
  const closed = (what: string): HawserError => new HawserError("NOT_SENT", what);

  it("holds up to maxBytes; gives all of it, in order, to the session that comes", async () => {
    const clock = new ManualClock();
    const queue = new OfflineQueue(
      { policy: "hold", maxBytes: 30, maxMessages: 10, ttlMs: 1_000 },
      clock,
    );
    const sent: string[] = [];
    const session = {
      openPrepared: ({ body }: PreparedCall, _: unknown, sink: CallSink) => {
        sent.push(read(body));
        sink.result(read(body));
        return { cancel: () => undefined };
      },
      emitPrepared: (
        { body }: PreparedEvent,
        _: unknown,
        settled: (outcome: string, error: null) => void,
      ) => {
        sent.push(read(body));
        settled("unknown", null);
      },
    } as unknown as Session;
    const request = new HeldRequest(kind, entryOf("echo"), "12345678", {}, 0);
    const event = new HeldEvent(kind, entryOf("typed"), "event", new ManualClock());
    const aborted = new AbortController();
    const gone = new HeldRequest(kind, entryOf("echo"), "gone", { signal: aborted.signal }, 0);
    expect([request.bytes, event.bytes]).toEqual([10, 7]);
    queue.push(request);
    queue.push(gone);
    expect(() => {
      queue.push(new HeldRequest(kind, entryOf("echo"), "x".repeat(20), {}, 0));
    }).toThrow("queue.maxBytes 30");
    aborted.abort();
    await expect(gone.promise).rejects.toMatchObject({ code: "CALL_CANCELLED" });
    queue.push(event); // what is over makes room
    queue.push(new HeldEvent(kind, entryOf("typed"), "12345678901", new ManualClock()));
    expect(queue.size).toBe(3);
    while (queue.sendNext(session));
    expect(sent).toEqual(["12345678", "event", "12345678901"]);
    expect(await request.promise).toBe("12345678");
    expect(await event.promise).toBe("unknown");
    expect([queue.size, clock.pending]).toEqual([0, 0]);
  });

  it("drop-oldest lets the oldest go for a newer one, and tells it", async () => {
    const queue = new OfflineQueue(
      { policy: "drop-oldest", maxBytes: 20, maxMessages: 10, ttlMs: Infinity },
      new ManualClock(),
    );
    const held = ["1234567", "7654321", "x"].map(
      (text) => new HeldEvent(kind, entryOf("typed"), text, new ManualClock()),
    );
    for (const each of held) queue.push(each);
    expect(queue.size).toBe(2);
    expect(await held[0]?.promise).toBe("not-sent");
    expect(() => {
      queue.push(new HeldEvent(kind, entryOf("typed"), "x".repeat(30), new ManualClock()));
    }).toThrow(HawserError);
    queue.fail(closed);
    expect(await Promise.all([held[1]?.promise, held[2]?.promise])).toEqual([
      "not-sent",
      "not-sent",
    ]);
  });

  it("lets go what has waited ttlMs, or as long as its caller waits, with one timer", async () => {
    const clock = new ManualClock();
    const queue = new OfflineQueue(
      { policy: "hold", maxBytes: 1_000, maxMessages: 10, ttlMs: 1_000 },
      clock,
    );
    const [slow, quick] = [
      new HeldRequest(kind, entryOf("echo"), "slow", {}, 0),
      new HeldRequest(kind, entryOf("echo"), "quick", { timeoutMs: 300 }, 0),
    ];
    const failures = [slow, quick].map((held) =>
      held.promise.catch((error: unknown) => (error as HawserError).code),
    );
    queue.push(slow);
    queue.push(quick);
    expect(clock.pending).toBe(1);
    clock.advance(300);
    expect(queue.size).toBe(1);
    clock.advance(700);
    expect(await Promise.all(failures)).toEqual(["NOT_SENT", "DEADLINE_EXCEEDED"]);
    expect(clock.pending).toBe(0);
  });

  it("what can't be sent is told when it is made, or when it is sent", async () => {
    expect(() => new HeldEvent(kind, entryOf("typed"), () => undefined, new ManualClock())).toThrow(
      HawserError,
    );
    expect(() => new HeldRequest(kind, entryOf("echo"), "x", { timeoutMs: -1 }, 0)).toThrow(
      RangeError,
    );
    const refusing = {
      openPrepared: () => {
        throw new HawserError("OVERLOADED", "no");
      },
      emitPrepared: () => {
        throw new HawserError("WRITE_BUFFER_FULL", "no");
      },
    } as unknown as Session;
    const [request, event] = [
      new HeldRequest(kind, entryOf("echo"), "x", {}, 0),
      new HeldEvent(kind, entryOf("typed"), "x", new ManualClock()),
    ];
    request.send(refusing);
    event.send(refusing);
    await expect(request.promise).rejects.toMatchObject({ code: "OVERLOADED" });
    expect(await event.promise).toBe("not-sent");
  });

  it(
    "refuses what is above maxMessages; what is refused follows its signal no more, and aborting " +
      "it later is harmless",
    async () => {
      const queue = new OfflineQueue(
        { policy: "hold", maxBytes: 10, maxMessages: 2, ttlMs: 1_000 },
        new ManualClock(),
      );
      for (const text of ["x", "y"])
        queue.push(new HeldEvent(kind, entryOf("typed"), text, new ManualClock()));
      const controller = new AbortController();
      let listeners = 0;
      const { signal } = controller;
      const add = signal.addEventListener.bind(signal);
      const remove = signal.removeEventListener.bind(signal);
      signal.addEventListener = (...args: Parameters<typeof add>) => {
        listeners++;
        add(...args);
      };
      signal.removeEventListener = (...args: Parameters<typeof remove>) => {
        listeners--;
        remove(...args);
      };
      const refused = new HeldRequest(kind, entryOf("echo"), "x", { signal }, 0);
      expect(() => {
        queue.push(refused);
      }).toThrow("queue.maxMessages 2");
      expect(listeners).toBe(0);
      queue.fail(closed);
      const taken = new HeldRequest(kind, entryOf("echo"), "x", { signal }, 0);
      queue.push(taken);
      expect([listeners, queue.size]).toEqual([1, 1]);
      // of the refused one nothing is heard, and nothing is an unhandled rejection
      controller.abort();
      await expect(taken.promise).rejects.toMatchObject({ code: "CALL_CANCELLED" });
      expect([listeners, queue.size]).toEqual([0, 0]);
    },
  );

  it("sends what was given as it was then", async () => {
    const queue = new OfflineQueue(
      { policy: "hold", maxBytes: 1_000, maxMessages: 10, ttlMs: 1_000 },
      new ManualClock(),
    );
    const sent: string[] = [];
    const session = {
      openPrepared: ({ body }: PreparedCall, _: unknown, sink: CallSink) => {
        sent.push(read(body));
        sink.result(undefined);
        return { cancel: () => undefined };
      },
      emitPrepared: ({ body }: PreparedEvent) => void sent.push(read(body)),
    } as unknown as Session;
    const value = { a: 1 };
    queue.push(new HeldRequest(kind, entryOf("echo"), value, {}, 0));
    queue.push(new HeldEvent(kind, entryOf("typed"), value, new ManualClock()));
    value.a = 2;
    while (queue.sendNext(session));
    expect(sent).toEqual([{ a: 1 }, { a: 1 }]);
    await turns();
  });

  it("stays in order while many are taken, dropped and forgotten", () => {
    const queue = new OfflineQueue(
      { policy: "drop-oldest", maxBytes: 1_000_000, maxMessages: 1_500, ttlMs: Infinity },
      new ManualClock(),
    );
    const sent: string[] = [];
    const session = {
      openPrepared: ({ body }: PreparedCall) => void sent.push(read(body)),
    } as unknown as Session;
    const controller = new AbortController();
    for (let i = 0; i < 6_000; i++) {
      const held = new HeldRequest(
        kind,
        entryOf("echo"),
        String(i),
        i % 3 === 0 ? { signal: controller.signal } : {},
        0,
      );
      held.promise.catch(() => undefined);
      queue.push(held);
    }
    controller.abort();
    expect(queue.size).toBe(1_000);
    while (queue.sendNext(session));
    expect(sent).toEqual(
      Array.from({ length: 1_500 }, (_, i) => String(4_500 + i)).filter((_, i) => i % 3 !== 0),
    );
  });
});

describe("Targets", () => {
  it("begin with the one that served last", () => {
    const targets = new Targets(["tcp://one:1", "tcp://two:2", "unix:/three"]);
    expect([0, 1, 2].map((index) => targets.name(index))).toEqual([
      "tcp://one:1",
      "tcp://two:2",
      "unix:/three",
    ]);
    targets.served(1);
    expect([0, 1, 2].map((index) => targets.name(index))).toEqual([
      "tcp://two:2",
      "unix:/three",
      "tcp://one:1",
    ]);
    targets.next();
    expect(targets.name(0)).toBe("unix:/three");
    expect(() => new Targets([])).toThrow(RangeError);
    expect(() => new Targets("nowhere")).toThrow(TypeError);
  });

  it("use a connection that was made elsewhere once", async () => {
    const [mine] = memoryPair();
    const targets = new Targets(mine);
    expect(await targets.connect(0, {} as never)).toBe(mine);
    await expect(targets.connect(0, {} as never)).rejects.toThrow(TypeError);
  });
});

describe("Route", () => {
  it("pauses are at most a bound that doubles up to maxMs", () => {
    const options = {
      attempts: Infinity,
      initialMs: 100,
      maxMs: 1_000,
      jitter: "full",
      fromStart: false,
    } as const;
    expect([0, 1, 2, 3, 4, 100].map((round) => pauseMs(options, round, 1))).toEqual([
      100, 200, 400, 800, 1_000, 1_000,
    ]);
    expect([0, 0.5, 0.999].map((fraction) => pauseMs(options, 1, fraction))).toEqual([0, 100, 199]);
    expect(pauseMs({ ...options, jitter: "none" }, 1, 0)).toBe(200);
  });

  function route(attempts: number, outcomes: readonly (string | null)[]) {
    const clock = new ManualClock();
    const leaving = new AbortController();
    const log: string[] = [];
    const left = [...outcomes];
    const attempt = async (dial: () => Promise<Connection>): Promise<void> => {
      await dial().catch(() => undefined);
      const outcome = left.shift() ?? null;
      log.push(outcome ?? "served");
      if (outcome === "TypeError") throw new TypeError("misuse");
      if (outcome !== null) throw new HawserError(outcome as "CONNECT_REFUSED", outcome);
    };
    const targets = new Targets([
      () => Promise.reject(new Error("unused")),
      () => Promise.reject(new Error("unused")),
    ]);
    const one = new Route(targets, {
      dial: { clock, connectTimeoutMs: 1, signal: leaving.signal },
      random: (count) => new Uint8Array(count),
      attempt,
      failed: () => void log.push("told"),
    });
    return {
      one,
      clock,
      leaving,
      log,
      patience: { attempts, initialMs: 100, maxMs: 200, jitter: "none", fromStart: false } as const,
    };
  }

  it("goes through the addresses, round after round, as long as something may pass", async () => {
    const { one, clock, log, patience } = route(5, [
      "CONNECT_REFUSED",
      "AUTH_REFUSED",
      "CONNECT_REFUSED",
      null,
    ]);
    const found = one.find(patience);
    await turns();
    expect(log).toEqual(["CONNECT_REFUSED", "told", "AUTH_REFUSED", "told"]);
    clock.advance(100);
    await found;
    expect(log.slice(4)).toEqual(["CONNECT_REFUSED", "told", "served"]);
  });

  it(
    "gives up when nothing will pass by itself, when the rounds are over, or after one where it " +
      "is not patient",
    async () => {
      const hopeless = route(5, ["AUTH_REFUSED", "PROTOCOL_MISMATCH"]);
      await expect(hopeless.one.find(hopeless.patience)).rejects.toMatchObject({
        code: "PROTOCOL_MISMATCH",
      });
      const misused = route(5, ["TypeError", "TypeError"]);
      await expect(misused.one.find(misused.patience)).rejects.toThrow(TypeError);
      const counted = route(
        2,
        Array.from({ length: 9 }, () => "CONNECT_REFUSED"),
      );
      const found = expect(counted.one.find(counted.patience)).rejects.toMatchObject({
        code: "CONNECT_REFUSED",
      });
      await turns();
      counted.clock.advance(100);
      await found;
      expect(counted.log.filter((line) => line !== "told").length).toBe(4);
      const once = route(2, ["CONNECT_REFUSED", "CONNECT_REFUSED"]);
      await expect(once.one.find(null)).rejects.toMatchObject({ code: "CONNECT_REFUSED" });
      expect(once.log).toEqual(["CONNECT_REFUSED", "CONNECT_REFUSED"]);
    },
  );

  it("a pause ends when the client is left, without a timer behind it", async () => {
    const { one, clock, leaving, patience } = route(5, ["CONNECT_REFUSED", "CONNECT_REFUSED"]);
    const found = expect(one.find(patience)).rejects.toThrow("left");
    await turns();
    expect(clock.pending).toBe(1);
    leaving.abort(new Error("left"));
    await found;
    expect(clock.pending).toBe(0);
  });
});
