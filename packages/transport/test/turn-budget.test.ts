import { describe, expect, it } from "vitest";
import { TurnBudget } from "../src/turn-budget.ts";
import {
  byteLines,
  plainLines,
  socketAndPeer,
  textLines,
} from "../../session/test/socket-and-peer.ts";

function budgeted() {
  const time = { now: 0 };
  const tasks: (() => void)[] = [];
  const budget = new TurnBudget(
    () => time.now,
    (task) => void tasks.push(task),
  );
  const endTurn = (): void => {
    for (const task of tasks.splice(0)) task();
  };
  return { budget, time, endTurn };
}

/**
 * How many messages of so many bytes are taken until the budget is spent; each takes so many
 * milliseconds.
 */
function taken({ budget, time }: ReturnType<typeof budgeted>, bytes: number, ms = 0): number {
  for (let count = 1; count <= 100_000; count++) {
    time.now += ms;
    if (budget.spend(bytes)) return count;
  }
  return Infinity;
}

const ONE = {};
const OTHER = {};

describe("TurnBudget", () => {
  it("is spent by 2 048 messages, by 4 MiB of large ones, and by 5 ms", () => {
    const turn = budgeted();
    turn.budget.begin(ONE, 65_536);
    expect(taken(turn, 0)).toBe(2_048);
    turn.budget.begin(OTHER, 65_536);
    expect(taken(turn, 65_536)).toBe(63);
    turn.budget.begin(ONE, 65_536);
    expect(taken(turn, 10, 1)).toBe(32); // the clock is looked at now and then
    turn.budget.begin(OTHER, 65_536);
    expect(taken(turn, 1_048_576, 6)).toBe(1);
  });

  it(
    "counts what one connection is read again in the same turn, and begins anew with the next " +
      "turn",
    () => {
      const turn = budgeted();
      turn.budget.begin(ONE, 65_536);
      for (let i = 0; i < 1_500; i++) expect(turn.budget.spend(0)).toBe(false);
      turn.budget.begin(ONE, 65_536);
      expect(taken(turn, 0)).toBe(548);
      turn.endTurn();
      turn.budget.begin(ONE, 65_536);
      expect(taken(turn, 0)).toBe(2_048);
      turn.budget.beginTurn(ONE);
      expect(taken(turn, 0)).toBe(2_048);
    },
  );
});

describe("WireSocket: the budget of a turn", () => {
  it("delivers 2 048 messages of a chunk, and the others' before the rest", async () => {
    const { socket, peer, turns, messages, log } = socketAndPeer(plainLines);
    const all = Array.from({ length: 5_000 }, (_, i) => String(i));
    peer.write(`${all.join("\n")}\n`);
    peer.connection.end();
    const counts: number[] = [];
    const count = (): void => {
      if (messages.length > (counts.at(-1) ?? 0)) counts.push(messages.length);
      if (messages.length < 5_000) turns.schedule(count);
    };
    turns.schedule(count);
    await turns.settle();
    expect(counts).toEqual([2_048, 4_096, 5_000]);
    expect(messages).toEqual(all);
    expect([log, socket.state]).toEqual([["finished ended"], "open"]);
  });

  it("keeps the order of faults and messages, and of the end behind them", async () => {
    const { peer, turns, messages, log } = socketAndPeer(textLines, {
      maxFrameBytes: 4,
      onOversize: "skip",
    });
    peer.write(`${"12345\nok\n".repeat(3_000)}exit\n`);
    await turns.settle();
    expect([messages.length, log.length, log.at(-1)]).toEqual([3_000, 3_001, "finished sentinel"]);
  });

  it("is not met by a large message, whose bytes stay where they were read", async () => {
    const { peer, turns, messages } = socketAndPeer(byteLines, { windowBytes: 2_097_152 });
    peer.write(`${"x".repeat(1_000_000)}\n`);
    await turns.settle();
    expect(messages.map((message) => message.length)).toEqual([1_000_000]);
  });

  it("release() counts too, and an owner that holds is not passed over", async () => {
    const { socket, peer, turns, messages } = socketAndPeer(plainLines);
    socket.hold();
    peer.write("x\n".repeat(5_000));
    await turns.settle();
    expect([messages.length, socket.waiting]).toEqual([0, 5_000]);
    socket.release();
    const first = messages.length;
    expect(first).toBeLessThan(5_000);
    socket.hold();
    await turns.settle();
    expect(messages.length).toBe(first);
    socket.release();
    await turns.settle();
    expect(messages.length).toBe(5_000);
  });

  it("a socket that is aborted, or whose peer is gone, while messages wait is closed once", async () => {
    const aborted = socketAndPeer(plainLines);
    aborted.peer.write("x\n".repeat(5_000));
    await new Promise<void>((resolve) => {
      aborted.turns.schedule(resolve);
      void aborted.turns.settle();
    });
    aborted.socket.abort();
    await aborted.turns.settle();
    expect(aborted.log).toEqual(["closed aborted"]);
    const left = socketAndPeer(plainLines);
    left.peer.write("x\n".repeat(5_000));
    left.turns.schedule(() => {
      left.socket.gone(null);
    });
    await left.turns.settle();
    expect(left.log).toEqual(["closed error"]);
    expect(left.messages.length).toBe(5_000);
  });
});
