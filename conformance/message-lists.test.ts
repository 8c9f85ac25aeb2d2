// Contracts of any size are greeted: by their fingerprint, and by their lists where they differ.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defineProtocol, type Protocol } from "@hawser/protocol";
import type { SessionHandlers } from "@hawser/server";
import { Ticker } from "@hawser/transport";
import { ManualClock } from "@hawser/transport/testing";
import { turns, until } from "./conversation.ts";
import { failure, SessionFixture } from "./sessions.ts";
import { frame, HandPeer, helloFor, joined, KIND, SIGNATURE } from "./trial-peer.ts";
import { transports } from "./transports.ts";

/** A contract of so many requests, each of which is answered with nothing. */
function wide(count: number, version = 1, more: object = {}): Protocol {
  const requests = Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`ticket.request.number.${String(at)}`, {}]),
  );
  return defineProtocol({
    name: "wide",
    version,
    accepts: [1, version],
    requests: { ...requests, ...more },
  });
}

function answering(contract: Protocol): SessionHandlers<Protocol, string> {
  // the names are not known to the compiler
  return Object.fromEntries(contract.messages.map(({ name }) => [name, () => undefined])) as never;
}

const large = wide(2_000);
const auth = { token: "t".repeat(10_000) };

for (const transport of transports) {
  describe(`a contract of 2 000 messages over ${transport}`, () => {
    const fixture = new SessionFixture(transport);

    it("is greeted, with room for auth, and its last message is called", async () => {
      const judged: unknown[] = [];
      const { connect } = await fixture.serveContract(large, answering(large), {
        authenticate: (hello) => void judged.push(hello.auth) as never,
      });
      const client = await connect({ auth });
      assert.equal(await client.request("ticket.request.number.1999"), undefined);
      assert.deepEqual(judged, [auth]);
    });

    it("is greeted where the client has another version of it, older or newer", async () => {
      const newer = wide(2_000, 2, { "ticket.close": {} });
      for (const [ours, theirs] of [
        [large, newer],
        [newer, large],
      ] as const) {
        const { connectAs } = await fixture.serveContract(ours, answering(ours));
        const client = await connectAs(theirs);
        assert.equal(await client.request("ticket.request.number.7"), undefined);
        if (theirs === newer)
          assert.equal((await failure(client.request("ticket.close"))).code, "MESSAGE_UNKNOWN");
      }
    });

    it("that has drifted is refused, and both sides name what differs", async () => {
      const { connectAs, errors } = await fixture.serveContract(large, answering(large));
      const error = await failure(connectAs(wide(2_000, 1, { "ticket.close": {} })));
      for (const { code, message } of [error, errors[0] ?? error]) {
        assert.equal(code, "CONTRACT_DIFFERS");
        assert.match(
          message,
          /this server lacks "ticket\.close"\. Raise the version with each change/,
        );
      }
      assert.equal(errors.length, 1);
    });
  });
}

describe("a client that is asked for its list", () => {
  const fixture = new SessionFixture("tcp");

  async function asked(): Promise<{
    peer: HandPeer;
    clock: ManualClock;
    released: unknown[];
    codes: () => string[];
    close: () => Promise<unknown>;
  }> {
    const clock = new ManualClock();
    const released: unknown[] = [];
    const { server, errors } = await fixture.serveContract(large, answering(large), {
      ticker: new Ticker(clock),
      handshakeTimeoutMs: 1_000,
      authenticate: () => "let in",
      release: (context) => void released.push(context),
    });
    const peer = await HandPeer.dial(fixture, await server.listen("tcp://127.0.0.1:0"));
    peer.say(SIGNATURE, helloFor(large, { messages: undefined }));
    await peer.hearOf("WANT");
    return {
      peer,
      clock,
      released,
      codes: () => errors.map(({ code }) => code),
      close: () => server.close({ deadlineMs: 0 }),
    };
  }

  it("and leaves is forgotten: its context is released", async () => {
    const { peer, released, codes } = await asked();
    peer.say(frame(KIND.MESSAGES | 0x80, 0, "["));
    peer.socket.destroy();
    await until(() => released.length === 1);
    assert.deepEqual([released, codes()], [["let in"], ["HELLO_INVALID"]]);
  });

  it("and does not answer is refused at handshakeTimeoutMs", async () => {
    const { peer, clock, released, codes } = await asked();
    clock.advance(999);
    await turns(3);
    assert.deepEqual([released, codes()], [[], []]);
    clock.advance(1);
    await peer.hearOf("REFUSE");
    assert.deepEqual([released, codes()], [["let in"], ["HANDSHAKE_TIMEOUT"]]);
  });

  it("is refused when the server closes", async () => {
    const { peer, released, codes, close } = await asked();
    const closed = close();
    await peer.hearOf("REFUSE");
    peer.socket.destroy();
    await closed;
    assert.deepEqual([released, codes()], [["let in"], ["DRAINING"]]);
  });

  it("and sends another frame, or too much, is refused, and its context is released", async () => {
    for (const bytes of [
      frame(KIND.PING, 0, new Uint8Array(8)),
      joined(
        ...Array.from({ length: 65 }, () => frame(KIND.MESSAGES | 0x80, 0, " ".repeat(16_384))),
      ),
    ]) {
      const { peer, released, codes } = await asked();
      peer.say(bytes);
      await peer.hearOf("REFUSE");
      assert.deepEqual([released, codes()], [["let in"], ["HELLO_INVALID"]]);
    }
  });
});
