// Lanes of events over each transport: a handler that waits holds up its own lane alone; and events
// that are sent again in another session.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defineProtocol, type } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import type { Deduplication } from "@hawser/session";
import { memoryPair } from "@hawser/transport";
import { connect } from "@hawser/client";
import { turns, until } from "./conversation.ts";
import { SessionFixture } from "./sessions.ts";
import { transports } from "./transports.ts";

interface Change {
  readonly ticket: number;
  readonly n: number;
}

const desk = defineProtocol({
  name: "desk",
  version: 1,
  requests: { ping: {} },
  events: {
    changed: {
      payload: type<Change>(),
      delivery: "at-least-once",
      lane: ({ ticket }: Change) => ticket,
    },
    seen: { payload: type<Change>(), lane: ({ ticket }: Change) => ticket },
    audited: { payload: type<string>(), delivery: "at-least-once", lane: "audit" },
    noted: { payload: type<string>(), delivery: "at-least-once" },
  },
});

for (const transport of transports) {
  describe(`lanes over ${transport}`, () => {
    const fixture = new SessionFixture(transport);

    it("go on beside one whose handler waits, in both directions, and requests go on beside all", async () => {
      const gate = Promise.withResolvers<undefined>();
      const log: string[] = [];
      const handle =
        (side: string) =>
        async (change: Change): Promise<void> => {
          log.push(`${side} begins ${change.ticket}/${change.n}`);
          if (change.ticket === 1 && change.n === 1) await gate.promise;
          log.push(`${side} ends ${change.ticket}/${change.n}`);
        };
      const { connect: dial, server } = await fixture.serveContract(desk, {
        ping: () => undefined,
        changed: handle("server"),
        seen: handle("server"),
        audited: (text) => void log.push(`server ${text}`),
        noted: (text) => void log.push(`server ${text}`),
      });
      const client = await dial();
      client.on("changed", handle("client"));
      const [socket] = server.sockets;
      assert.ok(socket !== undefined);
      const waiting = [
        client.emit("changed", { ticket: 1, n: 1 }),
        socket.emit("changed", { ticket: 1, n: 1 }),
      ];
      void client.emit("seen", { ticket: 1, n: 2 });
      const through = [
        client.emit("changed", { ticket: 2, n: 1 }),
        client.emit("changed", { ticket: 2, n: 2 }),
        client.emit("audited", "an audit"),
        client.emit("noted", "a note"),
        socket.emit("changed", { ticket: 2, n: 1 }),
      ];
      assert.deepEqual(await Promise.all(through), [
        "delivered",
        "delivered",
        "delivered",
        "delivered",
        "delivered",
      ]);
      await client.request("ping");
      assert.ok(!log.includes("server begins 1/2"), "an event of the same lane waits");
      assert.deepEqual(
        log.filter((line) => line.includes("2/")),
        [
          "server begins 2/1",
          "server ends 2/1",
          "server begins 2/2",
          "server ends 2/2",
          "client begins 2/1",
          "client ends 2/1",
        ]
          .filter((line) => log.includes(line))
          .sort((one, other) => log.indexOf(one) - log.indexOf(other)),
      );
      gate.resolve(undefined);
      assert.deepEqual(await Promise.all(waiting), ["delivered", "delivered"]);
      await until(() => log.includes("server ends 1/2"));
    });

    it("have events with an identity, which a handler sees", async () => {
      const ids: (string | null)[] = [];
      const { connect: dial } = await fixture.serveContract(desk, {
        ping: () => undefined,
        changed: (_, { eventId }) => void ids.push(eventId),
        seen: (_, { eventId }) => void ids.push(eventId),
        audited: () => undefined,
        noted: () => undefined,
      });
      const client = await dial();
      await client.emit("seen", { ticket: 1, n: 0 });
      for (let n = 1; n <= 3; n++) await client.emit("changed", { ticket: 1, n });
      await until(() => ids.length === 4);
      assert.equal(ids[0], null);
      assert.equal(new Set(ids).size, 4);
      assert.match(ids[1] ?? "", /^[0-9a-f]{32}\/1$/);
    });
  });
}

describe("events that are sent again after the server was started anew", () => {
  /**
   * A server whose acknowledgements are lost with it, and one that is started after it, which share
   * a store or not.
   */
  async function restarted(
    store: Deduplication | undefined,
  ): Promise<{ handled: number[]; reports: string[] }> {
    const handled: number[] = [];
    const reports: string[] = [];
    const start = () =>
      createServer(
        desk,
        {
          ping: () => undefined,
          changed: ({ n }) => void handled.push(n),
          seen: () => undefined,
          audited: () => undefined,
          noted: () => undefined,
        },
        {
          ...(store === undefined ? {} : { deduplicate: store }),
          error: ({ code }) => void reports.push(code),
        },
      );
    let server = start();
    let cut = (): void => undefined;
    const client = await connect(
      desk,
      () => {
        const [near, far] = memoryPair();
        server.accept(near);
        cut = () => {
          near.abort();
        };
        return far;
      },
      { reconnect: { initialMs: 1, maxMs: 5 } },
    );
    const outcomes = [1, 2, 3, 4].map((n) => client.emit("changed", { ticket: n % 2, n }));
    await Promise.all(outcomes);
    // What is emitted now is handled, and its acknowledgement is lost with the server.
    const [session] = server.sockets;
    assert.ok(session !== undefined);
    const late = [5, 6].map((n) => client.emit("changed", { ticket: n, n }));
    const before = server;
    await until(() => {
      if (handled.length < 6) return false;
      server = start();
      cut();
      return true;
    });
    await Promise.all(late);
    assert.equal(await client.emit("changed", { ticket: 7, n: 7 }), "delivered");
    await client.close();
    await Promise.all([before.close({ deadlineMs: 0 }), server.close({ deadlineMs: 0 })]);
    return { handled, reports };
  }

  it("are handled once where the store knows them", async () => {
    const kept = new Set<string>();
    let asked = 0;
    const store = {
      seen: (id: string) => {
        asked++;
        return turns(1).then(() => kept.has(id));
      },
      remember: (id: string) => turns(1).then(() => void kept.add(id)),
    };
    const { handled, reports } = await restarted(store);
    assert.deepEqual([...handled].sort(), [1, 2, 3, 4, 5, 6, 7]);
    assert.equal(kept.size, 7);
    assert.ok(asked > 0, "something was sent again");
    assert.deepEqual(reports, []);
  });

  it("are all handled, some twice, where nobody knows them, and none is lost", async () => {
    const { handled } = await restarted(undefined);
    assert.deepEqual([...new Set(handled)].sort(), [1, 2, 3, 4, 5, 6, 7]);
  });

  it("are handled where the store fails, and the server is told", async () => {
    const { handled, reports } = await restarted({
      seen: () => {
        throw new Error("the store is down");
      },
      remember: () => Promise.reject(new Error("the store is down")),
    });
    assert.deepEqual([...new Set(handled)].sort(), [1, 2, 3, 4, 5, 6, 7]);
    assert.ok(
      reports.length > 0 && reports.every((code) => code === "HANDLER_FAILED"),
      reports.join(" "),
    );
  });

  it("refuses an option that is no store", () => {
    for (const deduplicate of [null, {}, { seen: 1, remember: () => undefined }]) {
      assert.throws(
        () => createServer(desk, { ping: () => undefined }, { deduplicate: deduplicate as never }),
        TypeError,
      );
    }
  });
});
