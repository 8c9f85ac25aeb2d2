// Who is let in over TLS, and what each failure is called.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect } from "@hawser/client";
import type { HawserError } from "@hawser/protocol";
import type { ServerOptions } from "@hawser/server";
import type { TlsOptions } from "@hawser/transport";
import { capabilities } from "./capabilities.ts";
import { chat, collect, echo, next, until } from "./conversation.ts";
import { certificate, clientTls, Fixture, serverTls } from "./transports.ts";

const mutual = { ...serverTls, ca: certificate("ca.crt") };
const trusted = { ...clientTls, cert: certificate("client.crt"), key: certificate("client.key") };
const untrusted = { ...clientTls, cert: certificate("untrusted.crt"), key: certificate("untrusted.key") };

describe("TLS", () => {
  const fixture = new Fixture("tls");

  /** A TLS server and what its error handler was told. */
  async function serve(tls: TlsOptions, options: ServerOptions = {}): Promise<{ port: number; errors: HawserError[]; count: () => number }> {
    const errors: HawserError[] = [];
    const server = fixture.server(
      chat,
      {
        message: echo,
        error(error) {
          errors.push(error);
        },
      },
      options,
    );
    const address = await server.listen("tls://localhost:0", { tls });
    assert("port" in address);
    return { port: address.port, errors, count: () => server.sockets.size };
  }

  async function assertServes(port: number, tls: TlsOptions): Promise<void> {
    const socket = await connect(chat, `tls://localhost:${port}`, { tls });
    socket.send("hello");
    assert.equal(await next(socket), "hello");
    socket.end();
    assert.deepEqual(await collect(socket), []);
    await socket.closed;
  }

  /** Where the refusal shows depends on the TLS version: while connecting, or at the first use. */
  async function refusalOf(port: number, tls: TlsOptions): Promise<string> {
    try {
      const socket = await connect(chat, `tls://localhost:${port}`, { tls });
      const { reason, error } = await socket.closed;
      return error?.code ?? reason;
    } catch (error) {
      return (error as HawserError).code; // connect() rejects with nothing else here
    }
  }

  it("a client certificate that the server's CA signed is accepted", async () => {
    const { port } = await serve(mutual);
    await assertServes(port, trusted);
  });

  it("a client without a certificate is refused by a server that wants one, both ends are told, and the server goes on", async () => {
    const { port, errors, count } = await serve(mutual);
    assert.equal(await refusalOf(port, clientTls), "TLS_CERTIFICATE_REJECTED");
    await until(() => errors.length > 0);
    assert.equal(errors[0]?.code, "TLS_CERTIFICATE_REJECTED", String(errors[0]));
    assert.equal(count(), 0);
    await assertServes(port, trusted);
  });

  it("a client certificate that nobody trusts is refused without a word to the client, the server is told, and goes on", async () => {
    const { port, errors, count } = await serve(mutual);
    assert.match(await refusalOf(port, untrusted), /^ended$|^CONNECTION_RESET$|^TLS_/);
    await until(() => errors.length > 0);
    assert.equal(errors[0]?.code, "TLS_CERTIFICATE_REJECTED", String(errors[0]));
    assert.equal(count(), 0);
    await assertServes(port, trusted);
  });

  it("a server certificate that the client does not trust is TLS_CERTIFICATE_REJECTED", async () => {
    const { port } = await serve(serverTls);
    await assert.rejects(connect(chat, `tls://localhost:${port}`), { code: "TLS_CERTIFICATE_REJECTED" });
    await assert.rejects(connect(chat, `tls://localhost:${port}`, { tls: { ca: certificate("untrusted.crt") } }), { code: "TLS_CERTIFICATE_REJECTED" });
  });

  it("a server certificate for another name is TLS_CERTIFICATE_REJECTED; an address that it names is accepted", async () => {
    const { port } = await serve(serverTls);
    await assert.rejects(connect(chat, `tls://localhost:${port}`, { tls: { ...clientTls, serverName: "example.org" } }), {
      code: "TLS_CERTIFICATE_REJECTED",
    });
    const socket = await connect(chat, `tls://127.0.0.1:${port}`, { tls: clientTls });
    socket.send("hello");
    assert.equal(await next(socket), "hello");
    socket.abort();
    await socket.closed;
  });

  it("a TLS client of a plain server is told that TLS is not spoken there", async () => {
    const server = fixture.server(chat, { message: echo });
    const address = await server.listen("tcp://localhost:0");
    assert("port" in address);
    await assert.rejects(connect(chat, `tls://localhost:${address.port}`, { tls: clientTls, connectTimeoutMs: 2_000 }), (error: HawserError) => {
      assert(["TLS_FAILED", "TLS_NOT_SPOKEN"].includes(error.code), String(error));
      assert.match(error.message, /TLS on this port/);
      return true;
    });
  });

  it("a plain client of a TLS server gets no message, the server is told that TLS was not spoken, and goes on", async () => {
    const { port, errors } = await serve(serverTls);
    const socket = await connect(chat, `tcp://localhost:${port}`);
    socket.send("hello");
    socket.end();
    // What comes back is a TLS alert, which is no message either.
    const outcome = await collect(socket).catch((error: unknown) => (error as HawserError).code); // a loop throws nothing else
    if (typeof outcome === "string") assert.match(outcome, /CONNECTION_RESET|MESSAGE_INVALID|FRAME_/);
    else assert.deepEqual(outcome, []);
    await until(() => errors.length > 0);
    assert.equal(errors[0]?.code, "TLS_NOT_SPOKEN", String(errors[0]));
    await socket.closed;
    await assertServes(port, clientTls);
  });

  it("tls:// without a certificate can't be listened on, and the sentence says what is missing", async () => {
    const server = fixture.server(chat, {});
    await assert.rejects(server.listen("tls://localhost:0"), { name: "TypeError", message: /tls:\/\/localhost:0.*tls\.cert is missing/ });
    await assert.rejects(server.listen("tls://localhost:0", { tls: { cert: serverTls.cert } }), { name: "TypeError", message: /tls\.key is missing/ });
  });

  it("a certificate that is no PEM can't be used, in one sentence, by whichever runtime reads it at once", async () => {
    const nonsense = { cert: "nonsense", key: "nonsense" };
    const server = fixture.server(chat, {});
    const outcome = await server.listen("tls://localhost:0", { tls: nonsense }).then(() => "listens", (error: unknown) => String(error));
    if (capabilities.readsCertificatesAtOnce) assert.match(outcome, /^TypeError: Cannot listen on tls:\/\/localhost:0: tls.cert, tls.key or tls.ca is not a PEM/);
    else assert.equal(outcome, "listens");
    const { port } = await serve(serverTls);
    const connecting = connect(chat, `tls://localhost:${port}`, { tls: { ...clientTls, ...nonsense } }).then(() => "connects", String);
    if (capabilities.readsCertificatesAtOnce) assert.match(await connecting, /^TypeError: Cannot connect to tls:/);
    else assert.equal(await connecting, "connects");
  });
});
