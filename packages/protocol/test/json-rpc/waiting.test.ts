// What a JSON-RPC session does about things that wait: events that are given up, texts that are
// cut, calls that are given up in numbers.
import { describe, expect, test } from "vitest";
import type { Settled } from "../../src/session/types.ts";
import { End } from "./end.ts";

/** An end on which so many bytes wait already. */
function full(event = "note"): { end: End; settled: Settled } {
  const end = End.ready("client", { limits: { maxQueuedBytes: 1_000_000 } });
  end.emit("note", "x".repeat(100_000)); // above what goes into the output at once
  end.log.length = 0;
  const settled: Settled = (outcome) => void end.log.push(`late ${outcome}`);
  end.session.emit(end.entry(event), "y".repeat(100_000), {}, settled);
  return { end, settled };
}

describe("withdraw()", () => {
  test("takes an event back of which nothing has left", () => {
    const { end, settled } = full();
    end.session.withdraw(settled);
    end.session.withdraw(settled); // a second time: nothing
    expect(end.log).toEqual(["late not-sent"]);
    for (let turn = 0; turn < 20; turn++) end.session.transmit(65_536);
    expect(end.said().filter((text) => text.includes("yyy"))).toEqual([]);
  });

  test("of an event that has left in part says that it is unknown", () => {
    const { end, settled } = full();
    for (
      let turn = 0;
      turn < 20 && !new TextDecoder().decode(end.output.copy()).includes("yyy");
      turn++
    ) {
      end.output.truncate(0);
      end.session.transmit(65_536);
    }
    end.log.length = 0;
    end.session.withdraw(settled);
    expect(end.log).toEqual(["late unknown"]);
  });
});

describe("flushEvents()", () => {
  test("calls back at once: everything leaves in order; with an error once the session is over", () => {
    const end = End.ready("client");
    const told: (string | null)[] = [];
    end.session.flushEvents((error) => void told.push(error?.code ?? null));
    end.session.close();
    end.session.flushEvents((error) => void told.push(error?.code ?? null));
    expect(told).toEqual([null, "SESSION_CLOSED"]);
  });
});

describe("a text that does not come whole", () => {
  const half = new TextEncoder().encode('{"jsonrpc":"2.0",');

  test(
    "ends the session after frameTimeoutMs, in which the time does not count that this process " +
      "stood still",
    () => {
      const end = End.ready("server", { limits: { frameTimeoutMs: 1_000 } });
      end.session.stoodStill(500, 500); // nothing is begun: nothing is moved
      expect(end.session.deadline()).toBe(Infinity);
      end.session.receive(half, 1_000);
      expect(end.session.deadline()).toBe(2_000);
      end.session.stoodStill(5_000, 6_000);
      end.session.tick(6_500);
      expect(end.session.state).toBe("ready");
      end.session.tick(7_000);
      expect([end.session.state, end.errors.map(({ code }) => code)]).toEqual([
        "closed",
        ["FRAME_TIMEOUT"],
      ]);
    },
  );

  test("may wait while texts before it wait for their turn", () => {
    const end = End.ready("server", { limits: { frameTimeoutMs: 1_000 } });
    const chunk = new TextEncoder().encode(
      `{"jsonrpc":"2.0","method":"bell"}\n{"jsonrpc":"2.0","method":"bell"}\n{"jsonrpc":`,
    );
    const one = { spend: () => true };
    expect(end.session.receive(chunk, 0, one)).toBe(true);
    end.session.tick(5_000);
    while (end.session.goOn(5_000, one));
    expect(end.session.deadline()).toBe(6_000);
    end.session.tick(6_000);
    expect(end.session.state).toBe("closed");
  });
});

test("calls that are given up while they wait leave the queue, however many", () => {
  const end = End.ready("client", { limits: { maxConversations: 1 } });
  const calls = Array.from({ length: 4_000 }, (_, count) => end.open("echo", count));
  for (const [count, call] of calls.entries()) if (count > 0 && count < 3_998) call.cancel();
  end.log.length = 0;
  const first = end.read() as { readonly id: number }[];
  end.hear({ jsonrpc: "2.0", id: first[0]?.id, result: "a" });
  const second = end.read() as { readonly id: number; readonly params: unknown }[];
  expect([end.log, second.map(({ params }) => params)]).toEqual([['echo = "a"'], [[3_998]]]);
});

test("an answer whose schema fails is told as this side's own fault", () => {
  const end = End.ready("client");
  end.open("ticket.get", { id: 1 });
  const [asked] = end.read() as { readonly id: number }[];
  end.hear({ jsonrpc: "2.0", id: asked?.id, result: { id: "no" } });
  expect(end.errors.map(({ code, origin }) => [code, origin])).toEqual([
    ["OUTPUT_INVALID", "remote"],
  ]);
});
