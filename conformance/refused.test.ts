// Items that one side does not want any more, in a conversation that goes on; and why a call was
// cancelled.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defineProtocol, isHawserError, type } from "@hawser/protocol";
import { turns, until } from "./conversation.ts";
import { failure, SessionFixture, taken } from "./sessions.ts";
import { transports } from "./transports.ts";

const desk = defineProtocol({
  name: "desk",
  version: 1,
  requests: { wait: {} },
  streams: {
    broken: { send: type<string>(), item: type<number>() },
    firstOf: { input: type<number>(), send: type<string>(), item: type<string>() },
    ticks: { send: type<string>(), item: type<number>() },
  },
});

interface Told {
  left: number;
  heard: string[];
  reasons: unknown[];
}

for (const transport of transports) {
  describe(`items that are refused over ${transport}`, () => {
    const fixture = new SessionFixture(transport);

    async function served() {
      const told: Told = { left: 0, heard: [], reasons: [] };
      const { connect, errors } = await fixture.serveContract(desk, {
        wait: (_, { signal }) =>
          new Promise<void>((resolve) => {
            signal.addEventListener("abort", () => {
              told.reasons.push(isHawserError(signal.reason) ? signal.reason.code : signal.reason);
              resolve();
            });
          }),
        async *firstOf(count, { items }) {
          const found: string[] = [];
          for await (const item of items) if (found.push(item.slice(0, 6)) === count) break;
          yield `the first ${found.length}: ${found.join(" ")}`;
        },
        async *broken() {
          try {
            for (let n = 1; ; n++) {
              yield n;
              await turns(1);
            }
          } finally {
            // eslint-disable-next-line no-unsafe-finally -- what is tried
            throw new Error("I could not clean up");
          }
        },
        async *ticks(_, { items }) {
          const reading = (async () => {
            for await (const item of items) told.heard.push(item);
          })();
          try {
            for (let n = 1; ; n++) {
              yield n;
              await turns(1);
            }
          } finally {
            told.left++;
            await reading;
          }
        },
      });
      return { connect, errors, told };
    }

    it("a handler that leaves its loop gets no more, and answers; its opener is told, and stops", async () => {
      const { connect, errors } = await served();
      const client = await connect();
      const stream = client.stream("firstOf", 3);
      let sent = 0;
      const sending = (async () => {
        for (; !stream.isRefused && sent < 100_000; sent++) {
          stream.send(`item ${sent} ${"x".repeat(1_000)}`);
          await stream.writable();
        }
      })();
      assert.deepEqual(await taken(stream), ["the first 3: item 0 item 1 item 2"]);
      await sending;
      assert.ok(stream.isRefused && sent < 100_000, `${sent} items were sent`);
      assert.equal(stream.send("dropped"), true);
      await stream.finished();
      assert.deepEqual(errors, []);
    });

    it("an opener that refuses gets no more, and goes on sending; the handler's source is left", async () => {
      const { connect, errors, told } = await served();
      const client = await connect();
      const stream = client.stream("ticks");
      assert.deepEqual((await stream.next()).value, 1);
      stream.refuse();
      stream.refuse();
      assert.deepEqual(await taken(stream), [], "the loop ends at once");
      await until(() => told.left === 1);
      for (const item of ["one", "two"]) stream.send(item);
      stream.end();
      await stream.finished();
      assert.deepEqual([told.heard, errors], [["one", "two"], []]);
    });

    it("a handler whose source fails when it is left fails the stream", async () => {
      const { connect, errors } = await served();
      const client = await connect();
      const stream = client.stream("broken");
      await stream.next();
      stream.refuse();
      await assert.rejects(stream.finished(), { code: "REMOTE_HANDLER_FAILED" });
      assert.deepEqual(
        errors.map(({ code }) => code),
        ["HANDLER_FAILED"],
      );
    });

    it("refusing what is over does nothing", async () => {
      const { connect } = await served();
      const client = await connect();
      const stream = client.stream("firstOf", 1);
      stream.send("item 0");
      assert.deepEqual(await taken(stream), ["the first 1: item 0"]);
      stream.refuse();
      assert.equal(stream.send("dropped after all"), true);
      stream.end();
      await stream.finished();
    });

    it("a handler is told why its opener cancelled", async () => {
      const { connect, told } = await served();
      const client = await connect();
      const controller = new AbortController();
      const cancelled = failure(client.request("wait", undefined, { signal: controller.signal }));
      await turns(3);
      controller.abort();
      assert.equal((await cancelled).code, "CALL_CANCELLED");
      await until(() => told.reasons.length === 1);
      assert.equal(
        (await failure(client.request("wait", undefined, { timeoutMs: 5 }))).code,
        "DEADLINE_EXCEEDED",
      );
      await until(() => told.reasons.length === 2);
      assert.deepEqual(told.reasons, ["CALL_CANCELLED", "DEADLINE_EXCEEDED"]);
    });
  });
}
