// A server that holds maxConnections: what counts, and what those beside them are told.

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it } from "node:test";
import { connect } from "@hawser/client";
import { type HawserError, isHawserError } from "@hawser/protocol";
import { createServer, type Server, type SessionServer } from "@hawser/server";
import { formatAddress, Ticker } from "@hawser/transport";
import { ManualClock } from "@hawser/transport/testing";
import { chat, echo, until } from "./conversation.ts";
import { conformance, conformanceHandlers } from "./session-contracts.ts";
import { failure, SessionFixture } from "./sessions.ts";
import { clientTls, Fixture, serverTls, transports } from "./transports.ts";

for (const transport of transports) {
  describe(`a full server over ${transport}`, () => {
    const fixture = new SessionFixture(transport);

    it("tells a session client OVERLOADED, which may come again, and serves it then", async () => {
      const served = await fixture.serveContract(conformance, conformanceHandlers, {
        maxConnections: 1,
      });
      const first = await served.connect();
      if (transport === "tls") return; // closed before its handshake: see below
      const error = await failure(served.connect({ reconnect: false }));
      assert.deepEqual([error.code, error.retryable], ["OVERLOADED", true]);
      assert.deepEqual(
        served.errors.map(({ code }) => code),
        ["TOO_MANY_CONNECTIONS"],
      );
      const patient = served.connect({ reconnect: { fromStart: true, initialMs: 5 } });
      await first.close();
      assert.equal(await (await patient).request("echo", "served"), "served");
    });
  });
}

describe("a TLS listener", () => {
  const fixture = new Fixture();
  const kinds: Record<
    string,
    (
      error: (error: HawserError) => void,
      ticker: Ticker,
    ) => Server<string> | SessionServer<typeof conformance>
  > = {
    wire: (error, ticker) =>
      createServer(
        chat,
        { message: echo, error },
        { maxConnections: 2, tls: serverTls, handshakeTimeoutMs: 60_000, ticker },
      ),
    contract: (error, ticker) =>
      createServer(conformance, conformanceHandlers, {
        maxConnections: 2,
        tls: serverTls,
        handshakeTimeoutMs: 60_000,
        ticker,
        error,
      }),
  };

  for (const [kind, make] of Object.entries(kinds)) {
    it(
      "gives a silent TCP connection a place of maxConnections, and closes one more at once: " +
        kind,
      async () => {
        const errors: string[] = [];
        const clock = new ManualClock();
        const server = make(({ code }) => void errors.push(code), new Ticker(clock));
        fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
        const address = await server.listen("tls://localhost:0");
        const port = "port" in address ? address.port : 0;
        const dial = async (): Promise<net.Socket> => {
          const socket = net.connect(port, "127.0.0.1");
          socket.on("error", () => undefined);
          fixture.own({ close: () => socket.destroy() });
          await once(socket, "connect");
          return socket;
        };
        await dial();
        await dial();
        const third = await dial();
        if (!third.closed) await once(third.resume(), "close");
        await until(() => errors.length === 1);
        assert.deepEqual(errors, ["TOO_MANY_CONNECTIONS"]);
        const target = formatAddress(address);
        if (kind === "wire") {
          const refused = await connect(chat, target, { tls: clientTls }).then(
            () => "connected",
            (error: unknown) => (isHawserError(error) ? error.code : ""),
          );
          assert.equal(refused, "CONNECTION_RESET");
        }
        clock.advance(61_000); // the two have had their time, and their places are free
        await until(() => errors.filter((code) => code === "HANDSHAKE_TIMEOUT").length === 2);
        if (kind === "wire") (await connect(chat, target, { tls: clientTls })).abort();
        else (await connect(conformance, target, { tls: clientTls })).abort();
      },
    );
  }
});
