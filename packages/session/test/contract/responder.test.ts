import { defineProtocol, HawserError, type } from "@hawser/protocol";
import type {
  InboundCall,
  InboundEvent,
  InboundSink,
  MessageEntry,
  NamedFailure,
} from "@hawser/protocol/engine";
import {
  type AnyHandler,
  type AnyMiddleware,
  type Backlog,
  CallContext,
  RecentEvents,
  Responder,
  StuckHandlers,
} from "../../src/mod.ts";
import { ManualClock } from "@hawser/transport/testing";
import { describe, expect, it } from "vitest";

const contract = defineProtocol({
  name: "unit",
  version: 1,
  requests: {
    get: { input: type<number>(), output: type<unknown>(), errors: { no: type<number>() } },
    ask: { from: "server" },
    either: { from: "both" },
  },
  streams: { count: { item: type<number>() }, take: { send: type<number>() } },
  events: { told: { payload: type<string>() }, saying: { from: "server" } },
});

function entryOf(name: string): MessageEntry {
  const entry = contract.find(name);
  if (entry === undefined) throw new Error(name);
  return entry;
}

/** A call that remembers its end, and has room for as many items as it is told. */
class FakeCall implements InboundCall {
  readonly entry: MessageEntry;
  readonly input: unknown = 7;
  readonly deadlineMs = 5_000;
  readonly trace = null;
  cancellation: HawserError | null = null;
  sink: InboundSink | null = null;
  readonly log: string[] = [];
  room = Infinity;

  constructor(name: string) {
    this.entry = entryOf(name);
  }

  reply(output: unknown): HawserError | null {
    this.log.push(`reply ${JSON.stringify(output)}`);
    return output === "bad" ? new HawserError("OUTPUT_INVALID", "bad") : null;
  }

  fail(error: HawserError | NamedFailure): HawserError | null {
    this.log.push(
      "code" in error
        ? `fail ${error.code}`
        : `fail ${error.name} ${JSON.stringify(error.payload)}`,
    );
    return "name" in error && error.name === "unnamed"
      ? new HawserError("OUTPUT_INVALID", "unnamed")
      : null;
  }

  send(item: unknown): boolean {
    this.log.push(`item ${JSON.stringify(item)}`);
    if (item === "bad") throw new HawserError("ITEM_INVALID", "bad");
    return --this.room > 0;
  }

  end(): void {
    this.log.push("end");
  }

  refuse(): void {
    this.log.push("refuse");
  }

  consume(cost: number): void {
    this.log.push(`consume ${String(cost)}`);
  }

  pull(): boolean {
    return false;
  }

  drop(): void {
    // Nothing waits here.
  }

  cancel(): void {
    this.cancellation = new HawserError("CALL_CANCELLED", "enough");
    this.sink?.cancelled(this.cancellation);
  }
}

class Context extends CallContext {
  readonly reported: string[] = [];
  readonly stuckHandlers = new StuckHandlers(new ManualClock(), 1_000);

  constructor(
    call: InboundCall,
    backlog: Backlog = { isHigh: false, room: () => Promise.resolve() },
  ) {
    super(call, backlog);
  }

  report(error: HawserError): void {
    this.reported.push(error.code);
  }
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
};

async function run(
  name: string,
  handler: unknown,
  use: readonly AnyMiddleware[] = [],
  prepare: (call: FakeCall) => void = () => undefined,
) {
  const given = {
    get: () => 1,
    either: () => undefined,
    count: () => [],
    take: () => undefined,
    [name]: handler,
  };
  const call = new FakeCall(name);
  prepare(call);
  const context = new Context(call);
  new Responder(contract, "server", given, use).call(call, context);
  await turns();
  return { call, context, log: call.log };
}

describe("Responder", () => {
  it("wants a handler for each request and stream that the peer opens, for events only who has one", () => {
    const whole = { get: () => 1, either: () => undefined, count: () => [], take: () => undefined };
    new Responder(contract, "server", whole);
    for (const name of Object.keys(whole))
      expect(() => new Responder(contract, "server", { ...whole, [name]: undefined })).toThrow(
        `"${name}"`,
      );
    expect(() => new Responder(contract, "server", { ...whole, told: 1 })).toThrow(TypeError);
    expect(() => new Responder(contract, "server", { ...whole, ask: () => 1 })).toThrow(
      "it is the server's own to open",
    );
    expect(() => new Responder(contract, "server", { ...whole, other: () => 1 })).toThrow(
      "no such message",
    );
    expect(() => new Responder(contract, "server", whole, [1 as never])).toThrow(TypeError);
    expect(new Responder(contract, "server", whole).handlerOf(entryOf("told"))).toBeUndefined();
  });

  it("answers a call without a handler with MESSAGE_UNKNOWN, where handlers may be absent", () => {
    const call = new FakeCall("get");
    new Responder(contract, "server", null).call(call, new Context(call));
    expect(call.log).toEqual(["fail MESSAGE_UNKNOWN"]);
  });

  it("replies with what a handler returns, at once or later; `this` is the object of the handlers", async () => {
    const sync: AnyHandler = (input) => Number(input) + 1;
    const call = new FakeCall("get");
    new Responder(contract, "server", { get: sync, either: sync, count: sync, take: sync }).call(
      call,
      new Context(call),
    );
    expect(call.log).toEqual(["reply 8"]);
    expect((await run("get", (input: unknown) => Promise.resolve(input))).log).toEqual(["reply 7"]);
    class Handlers {
      readonly base = 100;
      get(input: number): number {
        return this.base + input;
      }
      either(): void {
        // nothing to answer
      }
      count(): number[] {
        return [];
      }
      take(): void {
        // nothing to answer
      }
    }
    const other = new FakeCall("get");
    new Responder(contract, "server", new Handlers()).call(other, new Context(other));
    expect(other.log).toEqual(["reply 107"]);
  });

  it("reports an output that can't be sent", async () => {
    const { context, log } = await run("get", () => "bad");
    expect([log, context.reported]).toEqual([['reply "bad"'], ["OUTPUT_INVALID"]]);
  });

  it("fails with the contract's error, with its payload; only where this side says so", async () => {
    const own = await run(
      "get",
      (_: unknown, { fail }: { fail: (name: string, payload: unknown) => never }) => fail("no", 3),
    );
    expect([own.log, own.context.reported]).toEqual([["fail no 3"], []]);
    const unnamed = await run("get", (_: unknown, { fail }: { fail: (name: string) => never }) =>
      fail("unnamed"),
    );
    expect(unnamed.context.reported).toEqual(["OUTPUT_INVALID"]);
    const foreign = await run("get", () => {
      throw new HawserError("NAMED_ERROR", "of another server", {
        failure: { name: "no", payload: 1 },
      });
    });
    expect([foreign.log, foreign.context.reported]).toEqual([
      ["fail HANDLER_FAILED"],
      ["HANDLER_FAILED"],
    ]);
  });

  it("passes OVERLOADED on, and nothing else that a handler throws", async () => {
    const busy = await run("get", () => Promise.reject(new HawserError("OVERLOADED", "not now")));
    expect(busy.log).toEqual(["fail OVERLOADED"]);
    for (const thrown of [
      new Error("x"),
      "a string",
      null,
      new HawserError("AUTH_REFUSED", "no"),
    ]) {
      expect(
        (
          await run("get", () => {
            throw thrown; // eslint-disable-line @typescript-eslint/only-throw-error -- what programs do
          })
        ).log,
      ).toEqual(["fail HANDLER_FAILED"]);
    }
  });

  it("streams what can be iterated, and ends; a handler without items returns nothing", async () => {
    for (const source of [
      [1, 2],
      new Set([1, 2]),
      (async function* () {
        yield await Promise.resolve(1);
        yield 2;
      })(),
      Promise.resolve([1, 2]),
    ]) {
      expect((await run("count", () => source)).log).toEqual(["item 1", "item 2", "end"]);
    }
    expect((await run("take", () => undefined)).log).toEqual(["end"]);
    expect((await run("take", () => Promise.resolve())).log).toEqual(["end"]);
    const wrong = await run("count", () => "text");
    expect([wrong.log, wrong.context.reported]).toEqual([
      ["fail HANDLER_FAILED"],
      ["HANDLER_FAILED"],
    ]);
  });

  it("takes the next item from its source when there is room for it", async () => {
    let made = 0;
    const { call, log } = await run(
      "count",
      function* () {
        for (;;) yield ++made;
      },
      [],
      (one) => {
        one.room = 3;
      },
    );
    expect(made).toBe(3);
    call.room = 2;
    call.sink?.writable();
    await turns();
    expect([made, log.length]).toEqual([5, 5]);
  });

  it("takes no item either while the connection's backlog is high", async () => {
    const call = new FakeCall("count");
    let open: () => void = () => undefined;
    const backlog = {
      isHigh: false,
      room: () =>
        new Promise<void>(
          (resolve) =>
            (open = () => {
              backlog.isHigh = false;
              resolve();
            }),
        ),
    };
    const source = function* () {
      for (let i = 1; i <= 3; i++) {
        backlog.isHigh = i === 2;
        yield i;
      }
    };
    const handlers = {
      get: () => 1,
      either: () => undefined,
      count: source,
      take: () => undefined,
    };
    new Responder(contract, "server", handlers).call(call, new Context(call, backlog));
    await turns();
    expect(call.log).toEqual(["item 1", "item 2"]);
    open();
    await turns();
    expect(call.log).toEqual(["item 1", "item 2", "item 3", "end"]);
  });

  it("an item that can't be sent fails the call, and the source cleans up", async () => {
    let state = "running";
    const { log, context } = await run("count", function* () {
      try {
        yield 1;
        yield "bad";
        yield 2;
      } finally {
        state = "clean";
      }
    });
    expect([log, context.reported, state]).toEqual([
      ["item 1", 'item "bad"', "fail HANDLER_FAILED"],
      ["HANDLER_FAILED"],
      "clean",
    ]);
  });

  it(
    "when the call is cancelled, the source is left, also while it is waited for; the call is " +
      "finished without a report",
    async () => {
      let state = "running";
      const stuck = {
        [Symbol.asyncIterator]: () => {
          let settle: (result: IteratorResult<unknown>) => void = () => undefined;
          return {
            next: () =>
              new Promise<IteratorResult<unknown>>((resolve) => {
                settle = resolve;
              }),
            return: () => {
              state = "left";
              settle({ done: true, value: undefined });
              return Promise.resolve({ done: true as const, value: undefined });
            },
          };
        },
      };
      const { call, log, context } = await run("count", () => stuck);
      call.cancel();
      await turns();
      expect([state, log, context.reported]).toEqual(["left", ["end"], []]);
      const blocked = await run(
        "count",
        function* () {
          for (;;) yield 1;
        },
        [],
        (one) => {
          one.room = 1;
        },
      );
      blocked.call.cancel();
      await turns();
      expect(blocked.log).toEqual(["item 1", "end"]);
    },
  );

  it("the signal is made when it is looked at, and aborted before or after", async () => {
    const seen: AbortSignal[] = [];
    const { call, log, context } = await run("get", (_: unknown, one: { signal: AbortSignal }) => {
      seen.push(one.signal);
      return new Promise((_resolve, reject) => {
        one.signal.addEventListener("abort", () => {
          reject(new Error("stopped"));
        });
      });
    });
    call.cancel();
    await turns();
    expect(seen[0]?.aborted).toBe(true);
    expect((seen[0]?.reason as HawserError).code).toBe("CALL_CANCELLED");
    expect([log, context.reported]).toEqual([["fail CALL_CANCELLED"], []]);
    const late = new FakeCall("get");
    const lateContext = new Context(late);
    late.cancel();
    expect(lateContext.signal.aborted).toBe(true);
  });

  it("the opener's items come one by one, and are taken one by one", async () => {
    const taken: number[] = [];
    const { call, log } = await run(
      "take",
      async (_: unknown, { items }: { items: AsyncIterable<number> }) => {
        for await (const item of items) taken.push(item);
      },
    );
    call.sink?.item(1, 10);
    call.sink?.item(2, 20);
    call.sink?.end();
    await turns();
    expect([taken, log]).toEqual([
      [1, 2],
      ["consume 10", "consume 20", "end"],
    ]);
    const placeless = await run("count", () => new Promise(() => undefined));
    placeless.call.sink?.item(1, 30);
    expect(placeless.log).toEqual(["consume 30"]);
    const none = await run("get", (_: unknown, context: { items: unknown }) => context.items);
    expect(none.log).toEqual(["fail HANDLER_FAILED"]);
  });

  it("middleware runs in order around the handler, and sees the call", async () => {
    const log: string[] = [];
    const outer: AnyMiddleware = async (context, next) => {
      const { name, type: kind, input, deadlineMs } = context as Context;
      log.push(`> ${kind} ${name} ${String(input)} ${String(deadlineMs)}`);
      const result = await next();
      log.push("<");
      return `${String(result)}!`;
    };
    const inner: AnyMiddleware = (_, next) => {
      log.push("inner");
      return next();
    };
    const { call } = await run("get", () => "answer", [outer, inner]);
    expect([log, call.log]).toEqual([["> request get 7 5000", "inner", "<"], ['reply "answer!"']]);
    const refused = await run("get", () => "never", [
      () => {
        throw new Error("no");
      },
    ]);
    expect(refused.log).toEqual(["fail HANDLER_FAILED"]);
  });

  it("an event is handled when its handler has returned, or its promise is settled", async () => {
    const log: string[] = [];
    const handlers = {
      get: () => 1,
      either: () => undefined,
      count: () => [],
      take: () => undefined,
      told: (payload: string) =>
        payload === "later"
          ? turns()
          : payload === "wrong"
            ? Promise.reject(new Error("x"))
            : undefined,
    };
    const responder = new Responder(contract, "server", handlers);
    const tell = (payload: string): void => {
      const handled: InboundEvent["handled"] = (error) =>
        void log.push(
          `handled ${error === undefined || error === null ? "well" : (error as HawserError).code}`,
        );
      responder.event(
        { entry: entryOf("told"), payload, trace: null, identity: null, handled },
        {},
        new RecentEvents(),
        (error) => void log.push(`reported ${error.code}`),
      );
    };
    tell("now");
    expect(log).toEqual(["handled well"]);
    tell("later");
    expect(log.length).toBe(1);
    await turns();
    await turns();
    tell("wrong");
    await turns();
    expect(log).toEqual([
      "handled well",
      "handled well",
      "handled HANDLER_FAILED",
      "reported HANDLER_FAILED",
    ]);
  });
});
