// Sessions whose clients have vanished: which of them is given up, and what they may keep together.
import { connect } from "@hawser/client";
import { defineProtocol, type Outcome, type } from "@hawser/protocol";
import { memoryPair, Ticker } from "@hawser/transport";
import { ManualClock } from "@hawser/transport/testing";
import { describe, expect, it } from "vitest";
import { LostSessions, placeOf } from "../../src/contract/lost-sessions.ts";
import { createServer, type SessionServerOptions, type SessionSocket } from "../../src/mod.ts";

const turns = async (count = 10): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
};

describe("placeOf()", () => {
  const cases: [string, string][] = [
    ["192.0.2.7:4000", "192.0.2.7"],
    ["[2001:db8:1:2:3:4:5:6]:4000", "2001:0db8:0001:0002"],
    ["[2001:db8:1::9]:4000", "2001:0db8:0001:0000"],
    ["[::1]:4000", "0000:0000:0000:0000"],
    ["[1::2:3:4:5:6]:1", "0001:0000:0000:0002"],
    ["unix:/run/desk.sock#17", "unix:/run/desk.sock"],
    ["memory", "memory"],
  ];
  it.each(cases)("of %s is %s", (remote, place) => {
    expect(placeOf(remote)).toBe(place);
  });
});

describe("LostSessions", () => {
  const lost = (...sessions: readonly [place: string, servedMs: number][]) => {
    const all = new LostSessions<{ place: string; servedMs: number; index: number }>();
    const made = sessions.map(([place, servedMs], index) => ({ place, servedMs, index }));
    for (const session of made) all.add(session);
    return { all, made };
  };

  it("lets the place with the most lost sessions lose one of its own", () => {
    const { all, made } = lost(
      ["honest", 1],
      ["churn", 900],
      ["churn", 800],
      ["other", 5],
      ["churn", 700],
    );
    const last = made[3];
    if (last === undefined) throw new Error("unreachable");
    expect(all.first(last)?.place).toBe("churn");
    expect(all.first(made[4] ?? last)?.place).toBe("churn");
  });

  it("begins with those that were served the shortest, the longest lost first", () => {
    const { all, made } = lost(
      ["here", 60_000],
      ["here", 3],
      ["here", 4],
      ["here", 3],
      ["here", 2_000],
    );
    const order: number[] = [];
    for (
      let left = all.first(made[4] as never);
      left !== undefined;
      left = all.first(made[4] as never)
    ) {
      order.push(left.index);
      all.delete(left);
    }
    expect(order).toEqual([1, 2, 3, 4, 0]);
    expect([all.size, all.longest]).toEqual([0, undefined]);
  });

  it("is one for each session, however often it is added or taken out", () => {
    const { all, made } = lost(["a", 1], ["b", 1]);
    const [one, other] = made;
    if (one === undefined || other === undefined) throw new Error("unreachable");
    all.add(one);
    all.delete(other);
    all.delete(other);
    expect([...all]).toEqual([one]);
  });
});

const news = defineProtocol({
  name: "news",
  version: 1,
  events: {
    flash: { payload: type<string>(), delivery: "at-least-once", from: "server" },
    tick: { payload: type<string>(), from: "server" },
  },
});

function serve(options: SessionServerOptions<typeof news> = {}) {
  const clock = new ManualClock();
  const sockets: SessionSocket<typeof news>[] = [];
  const server = createServer(
    news,
    {},
    {
      ticker: new Ticker(clock),
      resumeWindowMs: 600_000,
      open: (socket) => void sockets.push(socket),
      ...options,
    },
  );
  const dial = async (remote?: string) => {
    const [mine, theirs] = memoryPair();
    if (remote !== undefined) Object.defineProperty(theirs, "remote", { value: remote });
    server.accept(theirs);
    return connect(news, mine);
  };
  return { server, dial, clock, sockets };
}

describe("a server whose clients vanish", () => {
  it(
    "keeps the session of one that was there for long, though another comes and goes again and " +
      "again",
    async () => {
      for (const place of ["192.0.2.1:1000", "203.0.113.9:1000"]) {
        const { server, dial, clock, sockets } = serve({ maxConnections: 20 });
        const honest = await dial("192.0.2.1:999");
        clock.advance(5_000);
        honest.abort();
        await turns();
        const [mine] = sockets;
        for (let count = 0; count < 60; count++) {
          (await dial(place)).abort();
          await turns(3);
        }
        expect([server.sockets.size, mine?.state]).toEqual([20, "lost"]);
        await server.close();
      }
    },
  );

  it(
    "keeps one body of a broadcast for all of them, and gives the longest lost up above " +
      "maxRetainedTotalBytes",
    async () => {
      const { server, dial, sockets } = serve({
        maxRetainedTotalBytes: 400_000,
        maxRetainedBytes: 10_000_000,
      });
      for (let count = 0; count < 10; count++) {
        (await dial()).abort();
        await turns(3);
      }
      const outcomes: (Outcome | "?")[] = sockets.map(() => "?");
      sockets.forEach(
        (socket, at) =>
          void socket.emit("flash", "to one").then((outcome) => (outcomes[at] = outcome)),
      );
      for (let count = 0; count < 20; count++)
        // 200 000 bytes of bodies, and 200 records
        expect(server.broadcast("flash", "x".repeat(10_000))).toBe(10);
      expect(server.sockets.size).toBe(10);
      for (let count = 0; count < 20; count++) server.broadcast("flash", "x".repeat(10_000));
      await turns();
      const left = server.sockets.size;
      expect(left).toBeLessThan(10);
      expect(outcomes.map((outcome) => (outcome === "?" ? "kept" : outcome))).toEqual([
        ...new Array<string>(10 - left).fill("not-sent"),
        ...new Array<string>(left).fill("kept"),
      ]);
      await server.close();
    },
  );

  it("counts what each keeps of its own, and no more what is delivered after all", async () => {
    const { server, dial, sockets } = serve({ maxRetainedTotalBytes: 100_000 });
    const heard: string[] = [];
    for (let count = 0; count < 2; count++) {
      (await dial()).abort();
      await turns(3);
    }
    const [one, other] = sockets;
    for (let count = 0; count < 4; count++) void one?.emit("flash", "x".repeat(10_000));
    for (let count = 0; count < 4; count++) void other?.emit("flash", "y".repeat(10_000));
    expect(server.sockets.size).toBe(2);
    void other?.emit("flash", "z".repeat(20_000));
    expect([one?.state, other?.state]).toEqual(["closed", "lost"]);
    expect(heard).toEqual([]);
    for (let count = 0; count < 6; count++) void other?.emit("flash", "y".repeat(10_000));
    expect(other?.state).toBe("closed"); // above the bound by itself
    await server.close();
  });

  it("does not count what clients with a connection have not acknowledged", async () => {
    const { server, dial } = serve({ maxRetainedTotalBytes: 1_000 });
    const client = await dial();
    for (let count = 0; count < 100; count++) server.broadcast("flash", "x".repeat(1_000));
    expect(server.sockets.size).toBe(1);
    const seen = new Promise<void>((resolve) => {
      let left = 100;
      client.on("flash", () => {
        if (--left === 0) resolve();
      });
    });
    await seen;
    await client.close();
    await server.close();
  });
});
