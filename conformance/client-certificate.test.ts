// What authenticate is told of the client's certificate: the same on every runtime.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import { connect } from "@hawser/client";
import { defineProtocol, HawserError, type } from "@hawser/protocol";
import type { Hello } from "@hawser/protocol";
import { createServer, type PeerCertificate, type SessionPeer } from "@hawser/server";
import type { AddressInput, TlsOptions } from "@hawser/transport";
import { until } from "./conversation.ts";
import { failure, SessionFixture } from "./sessions.ts";
import { certificate, clientTls, serverTls } from "./transports.ts";

const ping = defineProtocol({
  name: "ping",
  version: 1,
  requests: { ping: { output: type<string>() } },
});
const agentsCa = certificate("agents-ca.crt");
const agent = (name: string): TlsOptions => ({
  ...clientTls,
  cert: certificate(`${name}.crt`),
  key: certificate(`${name}.key`),
});

describe("the client's certificate", () => {
  const fixture = new SessionFixture("tls");

  /** A server, and what its authenticate is shown. */
  async function serve(
    tls: TlsOptions,
    address: AddressInput = "tls://localhost:0",
    judge: (peer: SessionPeer) => unknown = () => undefined,
  ): Promise<{
    address: AddressInput;
    shown: (PeerCertificate | null)[];
    errors: HawserError[];
    peers: SessionPeer[];
  }> {
    const shown: (PeerCertificate | null)[] = [];
    const errors: HawserError[] = [];
    const peers: SessionPeer[] = [];
    const server = createServer(
      ping,
      { ping: () => "pong" },
      {
        authenticate: (_: Hello, peer: SessionPeer) => {
          shown.push(peer.certificate);
          peers.push(peer);
          return judge(peer);
        },
        error: (error) => void errors.push(error),
      },
    );
    fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
    return { address: await server.listen(address, { tls }), shown, errors, peers };
  }

  async function assertServes(address: AddressInput, tls?: TlsOptions): Promise<void> {
    const client = await connect(ping, address, {
      reconnect: false,
      ...(tls === undefined ? {} : { tls }),
    });
    assert.equal(await client.request("ping"), "pong");
    await client.close();
  }

  it("has its names, dates, fingerprint and bytes", async () => {
    const { address, shown } = await serve({ ...serverTls, ca: agentsCa });
    await assertServes(address, agent("agent-one"));
    await assertServes(address, agent("agent-two"));
    const [one, two] = shown;
    const real = new X509Certificate(certificate("agent-one.crt"));
    assert(one !== null && one !== undefined);
    assert.deepEqual({ ...one.subject }, { O: ["Desk", "Agents, Inc."], CN: "agent one" });
    assert.deepEqual({ ...one.issuer }, { CN: "Hawser agents CA" });
    assert.equal(one.fingerprint256, real.fingerprint256);
    assert.match(one.fingerprint256, /^(?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    assert.equal(one.serialNumber, real.serialNumber);
    assert.deepEqual(
      [one.validFrom, one.validTo],
      [new Date("2020-01-01T00:00:00Z"), new Date("2120-01-01T00:00:00Z")],
    );
    assert.deepEqual(one.altNames, [
      "URI:spiffe://desk/agent, DNS:admin.example",
      "DNS:one.agents.example",
      "email:one@agents.example",
      "IP:10.0.0.1",
      "IP:2001:db8:0:0:0:0:0:1",
    ]);
    assert.equal(new X509Certificate(one.der).fingerprint256, real.fingerprint256);
    assert.deepEqual([two?.subject["CN"], two?.altNames], ["agent two", []]);
  });

  it("is null over TCP, and over TLS where the server asks for none", async () => {
    const plain = await serve({}, "tcp://localhost:0");
    await assertServes(plain.address);
    const unasked = await serve(serverTls);
    await assertServes(unasked.address, agent("agent-one"));
    assert.deepEqual([...plain.shown, ...unasked.shown], [null, null]);
  });

  it("may be left out where it is optional, and one that is not trusted counts as none", async () => {
    const { address, shown } = await serve({
      ...serverTls,
      ca: agentsCa,
      clientCertificate: "optional",
    });
    await assertServes(address, clientTls);
    await assertServes(address, agent("untrusted"));
    await assertServes(address, agent("client")); // of another CA
    await assertServes(address, agent("agent-one"));
    assert.deepEqual(
      shown.map((one) => one?.subject["CN"] ?? null),
      [null, null, null, "agent one"],
    );
  });

  it("is required where it is not optional: who has none never gets to authenticate", async () => {
    for (const clientCertificate of ["required", undefined] as const) {
      const { address, shown, errors } = await serve({
        ...serverTls,
        ca: agentsCa,
        clientCertificate,
      });
      await failure(connect(ping, address, { reconnect: false, tls: clientTls }));
      await failure(connect(ping, address, { reconnect: false, tls: agent("client") }));
      await until(() => errors.length >= 2);
      assert.deepEqual(
        [shown, errors.map(({ code }) => code)],
        [[], ["TLS_CERTIFICATE_REJECTED", "TLS_CERTIFICATE_REJECTED"]],
      );
      await assertServes(address, agent("agent-one"));
    }
  });

  it("is null once its client has left", async () => {
    const { address, peers } = await serve({ ...serverTls, ca: agentsCa });
    await assertServes(address, agent("agent-one"));
    const [peer] = peers;
    await until(() => peer?.certificate === null);
  });

  it("may be judged with the token", async () => {
    const { address } = await serve(
      { ...serverTls, ca: agentsCa, clientCertificate: "optional" },
      "tls://localhost:0",
      ({ certificate: shown }) => {
        if (shown === null) throw new HawserError("AUTH_REFUSED", "Show a certificate");
      },
    );
    assert.equal(
      (await failure(connect(ping, address, { reconnect: false, tls: clientTls }))).code,
      "AUTH_REFUSED",
    );
    await assertServes(address, agent("agent-two"));
  });

  it("is not asked for without a CA, nor in words that are not known", async () => {
    const server = createServer(ping, { ping: () => "pong" });
    fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
    const listen = (tls: object): Promise<unknown> =>
      server.listen("tls://localhost:0", { tls: { ...serverTls, ...tls } });
    await assert.rejects(listen({ clientCertificate: "required" }), {
      name: "TypeError",
      message: /tls\.clientCertificate is "required", but tls\.ca is missing/,
    });
    await assert.rejects(listen({ ca: agentsCa, clientCertificate: "maybe" }), {
      name: "TypeError",
      message: /tls\.clientCertificate is "maybe"; use "required" or "optional"/,
    });
  });
});
