// The stack of an error names who called: of connect() always, of a request where traceCalls asks
// for it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect } from "@hawser/client";
import { defineProtocol, HawserError, isHawserError, type } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { type Address, memoryPair } from "@hawser/transport";
import { chat } from "./conversation.ts";
import { Fixture } from "./transports.ts";

const calls = defineProtocol({
  name: "calls",
  version: 1,
  requests: {
    fail: { input: type<null>(), output: type<null>() },
    hang: { input: type<null>(), output: type<null>() },
  },
});
const other = defineProtocol({
  ...calls.definition,
  requests: { fail: { input: type<null>(), output: type<null>() } },
  version: 2,
});

describe("the stack of an error", () => {
  const fixture = new Fixture();

  async function errorOf(call: () => Promise<unknown>): Promise<HawserError> {
    try {
      await call();
    } catch (error) {
      assert(isHawserError(error), String(error));
      return error;
    }
    throw new Error("it did not fail");
  }

  async function serve(): Promise<Address> {
    const server = createServer(
      calls,
      {
        fail: () => {
          throw new Error("as it should");
        },
        hang: () => new Promise<null>(() => undefined),
      },
      { error: () => undefined },
    );
    fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
    return server.listen("tcp://localhost:0");
  }

  it("names who called connect(), of a wire and of a contract", async () => {
    const server = fixture.server(chat, {});
    const address = await server.listen("tcp://localhost:0");
    await server.close();
    async function connectsAWire(): Promise<void> {
      await connect(chat, address);
    }
    async function connectsAContract(): Promise<void> {
      await connect(calls, address);
    }
    async function connectsToAnother(): Promise<void> {
      await connect(other, await serve());
    }
    for (const [call, code] of [
      [connectsAWire, "CONNECT_REFUSED"],
      [connectsAContract, "CONNECT_REFUSED"],
      [connectsToAnother, "PROTOCOL_MISMATCH"],
    ] as const) {
      const error = await errorOf(call);
      assert.equal(error.code, code, String(error));
      // that one awaits before it calls
      if (call !== connectsToAnother) assert.match(error.stack ?? "", new RegExp(call.name));
      assert.match(error.stack ?? "", /caller-stack\.test\.ts/);
    }
  });

  it("names who called a request, where traceCalls is true, and a deadline says how long it was", async () => {
    const address = await serve();
    for (const traceCalls of [true, false]) {
      const client = fixture.own(await connect(calls, address, { traceCalls }));
      async function asks(name: "fail" | "hang"): Promise<void> {
        await client.request(name, null, { timeoutMs: 1_000 });
      }
      for (const [name, code, says] of [
        ["fail", "REMOTE_HANDLER_FAILED", /./],
        ["hang", "DEADLINE_EXCEEDED", /"hang" was not answered within timeoutMs 1000/],
      ] as const) {
        const error = await errorOf(() => asks(name));
        assert.equal(error.code, code);
        assert.match(error.message, says);
        assert.equal(
          /asks.*caller-stack\.test\.ts/.test(error.stack ?? ""),
          traceCalls,
          error.stack ?? "",
        );
      }
      await client.close();
    }
  });

  it("is each call's own, where one lost connection ends them all", async () => {
    const [near, far] = memoryPair();
    const server = createServer(calls, {
      fail: () => null,
      hang: () => new Promise<null>(() => undefined),
    });
    fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
    server.accept(far);
    const client = fixture.own(await connect(calls, near, { traceCalls: true }));
    async function one(): Promise<void> {
      await client.request("hang", null);
    }
    async function two(): Promise<void> {
      await client.request("hang", null);
    }
    const errors = Promise.all([errorOf(one), errorOf(two)]);
    far.abort();
    const [first, second] = await errors;
    assert.match(first.stack ?? "", /at (?:async )?one /);
    assert.doesNotMatch(first.stack ?? "", /at (?:async )?two /);
    assert.match(second.stack ?? "", /at (?:async )?two /);
  });
});
