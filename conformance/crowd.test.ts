// Many connections at once.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { HawserError } from "@hawser/protocol";
import { capabilities } from "./capabilities.ts";
import { chat, collect, echo, next, until } from "./conversation.ts";
import { Fixture, transports } from "./transports.ts";

for (const transport of transports) {
  describe(`a crowd over ${transport}`, () => {
    const fixture = new Fixture(transport);
    const count = transport === "tls" ? 200 : 1_000;

    it(`${count} connections at once each get their own answers, and all close in order`, async () => {
      let closed = 0;
      const { server, connect } = await fixture.serve(chat, {
        message: echo,
        close(_, { reason }) {
          if (reason === "sentinel") closed++;
        },
      });
      const burst = transport === "unix" && !capabilities.unixBacklogAsAsked ? 500 : count;
      const sockets = [];
      while (sockets.length < count)
        sockets.push(...(await Promise.all(Array.from({ length: burst }, () => connect(chat)))));
      await until(() => server.sockets.size === count);
      for (const [i, socket] of sockets.entries()) socket.send(`first of ${i}`);
      const firsts = await Promise.all(sockets.map((socket) => next(socket)));
      assert.deepEqual(
        firsts,
        sockets.map((_, i) => `first of ${i}`),
      );
      const rests = sockets.map(async (socket, i) => {
        socket.send(`last of ${i}`);
        socket.end();
        return collect(socket);
      });
      assert.deepEqual(
        await Promise.all(rests),
        sockets.map((_, i) => [`last of ${i}`]),
      );
      for (const socket of sockets) assert.equal((await socket.closed).reason, "sentinel");
      await until(() => closed === count);
      assert.equal(server.sockets.size, 0);
    });
  });
}

describe("a burst over unix", () => {
  const fixture = new Fixture("unix");

  it(
    "fills the backlog that was asked for, in one turn, where the runtime passes it on; what is " +
      "above is CONNECT_REFUSED",
    async () => {
      const { connect } = await fixture.serve(chat, {}, { backlog: 1_024 });
      const outcomes = await Promise.allSettled(Array.from({ length: 1_000 }, () => connect(chat)));
      const refused = outcomes.filter((outcome) => outcome.status === "rejected");
      assert.equal(refused.length === 0, capabilities.unixBacklogAsAsked);
      // connect() rejects with nothing else here
      for (const { reason } of refused)
        assert.equal((reason as HawserError).code, "CONNECT_REFUSED");
    },
  );
});
