// What is given up while it waits: calls above the peer's maxConversations, one and many.
import { expect, test } from "vitest";
import type { OutboundCall } from "../../src/session/types.ts";
import { readyPair } from "./ends.ts";

test(
  "calls that are given up while they wait leave the queue, and the others are opened in their " +
    "order",
  () => {
    const pair = readyPair({ limits: { maxConversations: 1 } });
    const calls: OutboundCall[] = [];
    for (let count = 0; count < 4_000; count++)
      calls.push(pair.client.open("say", count, {}, String(count)));
    for (const [count, call] of calls.entries()) if (count > 0 && count < 3_990) call.cancel();
    pair.client.told();
    pair.server.onCall = (call) => void call.reply(call.input);
    pair.server.calls[0]?.reply(0);
    pair.flush();
    expect(pair.client.told()).toEqual(
      ["0", ...Array.from({ length: 10 }, (_, at) => String(3_990 + at))].map(
        (count) => `${count} result ${count}`,
      ),
    );
  },
);

test(
  "a call that waits and has a deadline is given up at it; one that was given up before is not " +
    "told twice",
  () => {
    const pair = readyPair({ limits: { maxConversations: 1 } });
    pair.client.open("say", 0, {}, "open");
    const early = pair.client.open("say", 1, { timeoutMs: 100 }, "early");
    pair.client.open("say", 2, { timeoutMs: 200 }, "late");
    early.cancel();
    pair.client.session.tick(150);
    pair.client.session.tick(250);
    expect(pair.client.told()).toEqual([
      "early fail CALL_CANCELLED",
      "late fail DEADLINE_EXCEEDED",
    ]);
  },
);

test("a session that drains gives up the calls that wait, but not one that was given up before", () => {
  const pair = readyPair({ limits: { maxConversations: 1 } });
  pair.client.open("say", 0, {}, "open");
  pair.client.open("say", 1, {}, "cancelled").cancel();
  pair.client.open("say", 2, {}, "waiting");
  pair.client.told();
  pair.client.session.drain();
  expect(pair.client.told()).toEqual(["waiting fail DRAINING"]);
});
