// Two engines that talk to each other: in any order, cut anywhere, each call settles once and each
// event comes once.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contentLength, type Framing, HawserError, jsonRpc, lines } from "../../src/mod.ts";
import type { OutboundCall } from "../../src/engine.ts";
import { desk, End, type EndOptions, notification, request, success } from "./end.ts";

/** What is on its way in one direction. */
class Wire {
  readonly from: End;
  readonly to: End;
  #bytes = new Uint8Array(0);

  constructor(from: End, to: End) {
    this.from = from;
    this.to = to;
  }

  /** Take what was written, and deliver up to so many bytes; whether any were. */
  carry(most: number): boolean {
    const { output, session } = this.from;
    const written = output.copy();
    output.truncate(0);
    session.transmit(65_536);
    const joined = new Uint8Array(this.#bytes.length + written.length);
    joined.set(this.#bytes);
    joined.set(written, this.#bytes.length);
    const chunk = joined.slice(0, most);
    this.#bytes = joined.slice(most);
    if (chunk.length === 0) return output.length > 0;
    this.to.session.receive(chunk, this.to.nowMs);
    chunk.fill(0xee);
    return true;
  }
}

/** Two connected ends; `settle` carries until nothing moves. */
function pair(
  framing: Framing,
  client: EndOptions = {},
  server: EndOptions = {},
): { client: End; server: End; wires: readonly [Wire, Wire]; settle: () => void } {
  const kind = jsonRpc(desk, { framing });
  const ends = {
    client: End.ready("client", { kind, ...client }, framing),
    server: End.ready("server", { kind, ...server }, framing),
  };
  const wires = [new Wire(ends.client, ends.server), new Wire(ends.server, ends.client)] as const;
  const settle = (): void => {
    while (wires.map((wire) => wire.carry(Infinity)).includes(true));
  };
  return { ...ends, wires, settle };
}

/** How the calls of an end have ended, by input. */
class Ledger {
  readonly settled = new Map<number, string[]>();
  readonly calls: (readonly [id: number, call: OutboundCall])[] = [];

  open(end: End, id: number, timeoutMs?: number): void {
    const ended: string[] = [];
    const settle = (how: string): void => void ended.push(how);
    const unexpected = (): void => {
      settle("unexpected");
    };
    const call = end.session.open(
      end.entry("echo"),
      { id },
      { timeoutMs, nowMs: end.nowMs },
      {
        result: (value) => {
          settle(
            JSON.stringify(value) === JSON.stringify({ id })
              ? "answered"
              : `answered ${JSON.stringify(value)}`,
          );
        },
        fail: ({ code }) => {
          settle(code);
        },
        item: unexpected,
        end: unexpected,
        writable: unexpected,
      },
    );
    expect(ended).toEqual([]);
    this.settled.set(id, ended);
    this.calls.push([id, call]);
  }
}

type Side = "client" | "server";
type Step =
  | { readonly do: "carry"; readonly to: Side; readonly most: number }
  | { readonly do: "emit" | "lose" | "drain" | "close"; readonly side: Side }
  | { readonly do: "open"; readonly side: Side; readonly timeoutMs: number | undefined }
  | { readonly do: "answer" | "cancel" | "fail"; readonly side: Side; readonly which: number }
  | { readonly do: "tick"; readonly ms: number };

const side = fc.constantFrom<Side>("client", "server");
const which = fc.nat(20);
const work: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("carry"),
      to: side,
      most: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.constant(100_000)),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("open"),
      side,
      timeoutMs: fc.option(fc.nat(50), { nil: undefined }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("answer"), side, which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("fail"), side, which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("cancel"), side, which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("emit"), side }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("tick"), ms: fc.nat(30) }) },
);
const ending: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom("lose", "drain", "close"),
  side,
});

/** Do the steps, then everything that is left; checks what must be true of any. */
function play(framing: Framing, steps: readonly Step[]): void {
  const events = {
    client: { sent: 0, heard: [] as unknown[] },
    server: { sent: 0, heard: [] as unknown[] },
  };
  const options = (of: Side): EndOptions => ({
    call: null,
    limits: { maxConversations: 5 },
    event: (payload, handled) => {
      events[of].heard.push((payload as { at: number }).at);
      handled();
    },
  });
  const { client, server, wires, settle } = pair(framing, options("client"), options("server"));
  const ends = { client, server };
  const ledgers = { client: new Ledger(), server: new Ledger() };
  let nextId = 0;
  let isWhole = true;
  const take = <T>(list: T[], at: number): T | undefined =>
    list.splice(at % Math.max(1, list.length), 1)[0];
  const lose = (): void => {
    client.session.lost(client.nowMs);
    server.session.lost(server.nowMs);
    isWhole = false;
  };

  for (const step of steps) {
    switch (step.do) {
      case "carry":
        if (isWhole) wires[step.to === "server" ? 0 : 1].carry(step.most);
        break;
      case "open":
        if (ends[step.side].session.state === "ready")
          ledgers[step.side].open(ends[step.side], nextId++, step.timeoutMs);
        break;
      case "answer": {
        const call = take(ends[step.side].calls, step.which);
        expect(call?.reply(call.input) ?? null).toBeNull();
        break;
      }
      case "fail":
        take(ends[step.side].calls, step.which)?.fail(new HawserError("HANDLER_FAILED", ""));
        break;
      case "cancel":
        take(ledgers[step.side].calls, step.which)?.[1].cancel();
        break;
      case "emit":
        if (["ready", "draining"].includes(ends[step.side].session.state))
          ends[step.side].emit("note", { at: events[step.side].sent++ });
        break;
      case "tick":
        for (const end of [client, server]) {
          end.nowMs += step.ms;
          end.session.tick(end.nowMs);
        }
        break;
      case "lose":
        lose();
        break;
      case "drain":
        ends[step.side].session.drain();
        break;
      case "close":
        ends[step.side].session.close();
        break;
    }
    for (const end of [client, server])
      if (["closed", "lost"].includes(end.session.state) && isWhole) isWhole = false;
  }

  // Every handler answers, everything arrives; or the connection that is over is lost at the other
  // end, too.
  for (let round = 0; round < 3 && isWhole; round++) {
    settle();
    for (const end of [client, server])
      for (const call of end.calls.splice(0)) call.reply(call.input);
  }
  const wasWhole = client.session.state === "ready" && server.session.state === "ready";
  if (!wasWhole) lose();
  for (const of of ["client", "server"] as const) {
    for (const [id, how] of ledgers[of].settled)
      expect(how, `call ${id} of the ${of}`).toHaveLength(1);
    const hows = [...ledgers[of].settled.values()].flat();
    const expected = [
      "answered",
      "CALL_CANCELLED",
      "DEADLINE_EXCEEDED",
      "OVERLOADED",
      "REMOTE_HANDLER_FAILED",
      ...(wasWhole ? [] : ["SESSION_LOST", "SESSION_CLOSED", "NOT_SENT", "DRAINING"]),
    ];
    for (const how of hows) expect(expected).toContain(how);
    expect(ends[of].session.openCalls).toBe(0);
    expect(ends[of].session.queuedBytes).toBe(0);
    const other = of === "client" ? "server" : "client";
    const { heard } = events[of];
    expect(heard).toEqual(
      Array.from({ length: wasWhole ? events[other].sent : heard.length }, (_, at) => at),
    );
    expect(ends[of].log.filter((line) => line.startsWith("dropped"))).toEqual([]);
    expect(ends[of].log.filter((line) => line.startsWith("over")).length).toBeLessThanOrEqual(1);
  }
}

describe("two engines", () => {
  test.each([lines(), contentLength()])(
    "settle each call once and hear each event once, whatever the order: $name",
    (framing) => {
      fc.assert(
        fc.property(fc.array(work, { maxLength: 80 }), (steps) => {
          play(framing, steps);
        }),
        { numRuns: 400, seed: 7 },
      );
    },
  );

  test("settle each call once, however the connection ends", () => {
    fc.assert(
      fc.property(
        fc.array(work, { maxLength: 40 }),
        ending,
        fc.array(work, { maxLength: 20 }),
        (before, end, after) => {
          play(lines(), [...before, end, ...after]);
        },
      ),
      { numRuns: 400, seed: 7 },
    );
  });

  test("exchange any JSON as it was", () => {
    const { client, settle } = pair(contentLength());
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        client.log.length = 0;
        client.open("echo", value);
        settle();
        expect(client.log).toEqual([`echo = ${JSON.stringify(value)}`]);
      }),
      { numRuns: 500, seed: 7 },
    );
  });

  test("bear any bytes: they answer, or end the session, and never throw", () => {
    const texts = fc.constantFrom(
      '{"jsonrpc":"2.0",',
      '"id":1',
      '"method":"echo"',
      '"params":',
      "[",
      "]",
      "}",
      ",",
      "\n",
      "Content-Length: 2\r\n\r\n",
      "{}",
      '"result":1}',
      '"error":{"code":1,"message":""}',
      "$/cancelRequest",
    );
    const stream = fc.array(fc.oneof(texts, fc.string({ maxLength: 4 })), { maxLength: 20 });
    for (const framing of [lines(), contentLength()]) {
      fc.assert(
        fc.property(stream, (parts) => {
          const end = End.ready("server", { kind: jsonRpc(desk, { framing }) }, framing);
          end.session.receive(new TextEncoder().encode(parts.join("")), 0);
          end.said();
          expect(["ready", "closed"]).toContain(end.session.state);
        }),
        { numRuns: 1_000, seed: 7 },
      );
    }
  });

  test("call each other from within their callbacks", () => {
    let depth = 0;
    const answer: EndOptions["call"] = (call, end) => {
      const count = call.input as number;
      if (count === 0) {
        call.reply(0);
        return;
      }
      depth++;
      end.session.open(
        end.entry("echo"),
        count - 1,
        {},
        {
          result: (value) => void call.reply((value as number) + 1),
          fail: (error) => void call.fail(error),
          item: () => undefined,
          end: () => undefined,
          writable: () => undefined,
        },
      );
    };
    const { client, settle } = pair(lines(), { call: answer }, { call: answer });
    client.open("echo", 100);
    settle();
    expect(client.log.at(-1)).toBe("echo = 100");
    expect(depth).toBe(100);
  });

  test("may be given bytes from within a callback: they come in their turn", () => {
    const encode = (message: object): Uint8Array =>
      new TextEncoder().encode(`${JSON.stringify(message)}\n`);
    const end = End.ready("server", {
      told: (what, self) => {
        if (what.startsWith("typing")) self.session.receive(encode(notification("bell")), 0);
      },
    });
    const first = [
      notification("typing", { who: "a" }),
      request(1, "ping"),
      notification("typing", { who: "b" }),
    ].map(encode);
    end.session.receive(new Uint8Array(first.flatMap((bytes) => [...bytes])), 0);
    expect(end.log).toEqual([
      'typing: {"who":"a"}',
      "ping()",
      'typing: {"who":"b"}',
      "bell: ",
      "bell: ",
    ]);
    expect(end.read()).toEqual([success(1, null)]);
  });

  test("answer from within the call that tells of the write, where the driver is as quick as that", () => {
    const ends: End[] = [];
    const told = (what: string, end: End): void => {
      if (what !== "wrote") return;
      const bytes = end.output.copy();
      end.output.truncate(0);
      ends.find((other) => other !== end)?.session.receive(bytes, 0);
    };
    ends.push(End.ready("client", { told }), End.ready("server", { told }));
    const [client] = ends;
    client?.emit("typing", { who: "a" });
    client?.open("echo", 7);
    client?.open("ticket.get", { id: 1 });
    expect(client?.log).toEqual(["typing unknown", "echo = 7", "ticket.get ! OUTPUT_INVALID"]);
    expect(client?.session.openCalls).toBe(0);
  });
});
