// Who is let in over TLS, and what each failure is called.

import assert from "node:assert/strict";
import net from "node:net";
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
const untrusted = {
  ...clientTls,
  cert: certificate("untrusted.crt"),
  key: certificate("untrusted.key"),
};

describe("TLS", () => {
  const fixture = new Fixture("tls");

  /** A TLS server and what its error handler was told. */
  async function serve(
    tls: TlsOptions,
    options: ServerOptions = {},
  ): Promise<{ port: number; errors: HawserError[]; count: () => number }> {
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

  it(
    "a client without a certificate is refused by a server that wants one, both ends are told, " +
      "and the server goes on",
    async () => {
      const { port, errors, count } = await serve(mutual);
      assert.equal(await refusalOf(port, clientTls), "TLS_CERTIFICATE_REJECTED");
      await until(() => errors.length > 0);
      assert.equal(errors[0]?.code, "TLS_CERTIFICATE_REJECTED", String(errors[0]));
      assert.equal(count(), 0);
      await assertServes(port, trusted);
    },
  );

  it(
    "a client certificate that nobody trusts is refused without a word to the client, the server " +
      "is told, and goes on",
    async () => {
      const { port, errors, count } = await serve(mutual);
      assert.match(await refusalOf(port, untrusted), /^ended$|^CONNECTION_RESET$|^TLS_/);
      await until(() => errors.length > 0);
      assert.equal(errors[0]?.code, "TLS_CERTIFICATE_REJECTED", String(errors[0]));
      assert.equal(count(), 0);
      await assertServes(port, trusted);
    },
  );

  it("a server certificate that the client does not trust is TLS_CERTIFICATE_REJECTED", async () => {
    const { port } = await serve(serverTls);
    await assert.rejects(connect(chat, `tls://localhost:${port}`), {
      code: "TLS_CERTIFICATE_REJECTED",
    });
    await assert.rejects(
      connect(chat, `tls://localhost:${port}`, { tls: { ca: certificate("untrusted.crt") } }),
      { code: "TLS_CERTIFICATE_REJECTED" },
    );
  });

  it(
    "a server certificate for another name is TLS_CERTIFICATE_REJECTED; an address that it names " +
      "is accepted",
    async () => {
      const { port } = await serve(serverTls);
      await assert.rejects(
        connect(chat, `tls://localhost:${port}`, {
          tls: { ...clientTls, serverName: "example.org" },
        }),
        {
          code: "TLS_CERTIFICATE_REJECTED",
        },
      );
      const socket = await connect(chat, `tls://127.0.0.1:${port}`, { tls: clientTls });
      socket.send("hello");
      assert.equal(await next(socket), "hello");
      socket.abort();
      await socket.closed;
    },
  );

  it("a TLS client of a plain server is told that TLS is not spoken there", async () => {
    const server = fixture.server(chat, { message: echo });
    const address = await server.listen("tcp://localhost:0");
    assert("port" in address);
    await assert.rejects(
      connect(chat, `tls://localhost:${address.port}`, { tls: clientTls, connectTimeoutMs: 2_000 }),
      (error: HawserError) => {
        // A server that closes without a word may as well be full: CONNECTION_RESET, which may
        // pass.
        assert(["CONNECTION_RESET", "TLS_NOT_SPOKEN"].includes(error.code), String(error));
        assert.match(error.message, /TLS on this port/);
        return true;
      },
    );
  });

  it(
    "a plain client of a TLS server gets no message, the server is told that TLS was not spoken, " +
      "and goes on",
    async () => {
      const { port, errors } = await serve(serverTls);
      const socket = await connect(chat, `tcp://localhost:${port}`);
      socket.send("hello");
      socket.end();
      // What comes back is a TLS alert, which is no message either.
      // a loop throws nothing else
      const outcome = await collect(socket).catch((error: unknown) => (error as HawserError).code);
      if (typeof outcome === "string")
        assert.match(outcome, /CONNECTION_RESET|MESSAGE_INVALID|FRAME_/);
      else assert.deepEqual(outcome, []);
      await until(() => errors.length > 0);
      assert.equal(errors[0]?.code, "TLS_NOT_SPOKEN", String(errors[0]));
      await socket.closed;
      await assertServes(port, clientTls);
    },
  );

  it("tls:// without a certificate can't be listened on, and the sentence says what is missing", async () => {
    const server = fixture.server(chat, {});
    await assert.rejects(server.listen("tls://localhost:0"), {
      name: "TypeError",
      message: /tls:\/\/localhost:0.*tls\.cert is missing/,
    });
    await assert.rejects(server.listen("tls://localhost:0", { tls: { cert: serverTls.cert } }), {
      name: "TypeError",
      message: /tls\.key is missing/,
    });
  });

  it(
    "a certificate or a key that is no PEM, or a key that is not the certificate's, can't be " +
      "used: one sentence, before anything is opened",
    async () => {
      const server = fixture.server(chat, {});
      const { port } = await serve(serverTls);
      for (const [own, says] of [
        [{ cert: "nonsense", key: serverTls.key }, /tls\.cert is not a certificate as PEM/],
        [{ cert: serverTls.cert, key: "nonsense" }, /tls\.key is not a private key as PEM/],
        [
          { cert: serverTls.cert, key: certificate("client.key") },
          /tls\.key is not the key of tls\.cert; give the private key that the certificate was made for/,
        ],
      ] as const) {
        await assert.rejects(server.listen("tls://localhost:0", { tls: own }), {
          name: "TypeError",
          message: says,
        });
        await assert.rejects(
          connect(chat, `tls://localhost:${port}`, { tls: { ...clientTls, ...own } }),
          { name: "TypeError", message: says },
        );
      }
    },
  );

  const dated = { ca: certificate("dated-ca.crt") };
  for (const [kind, file, tls, says, onDeno] of [
    [
      "that has expired",
      "expired",
      dated,
      /has expired; renew it/,
      /has expired or is not valid yet/,
    ],
    [
      "that is not valid yet",
      "future",
      dated,
      /is not valid yet; set this machine's clock right/,
      /has expired or is not valid yet/,
    ],
    [
      "of an issuer that the client does not know",
      "server",
      dated,
      /issuer of the peer's certificate is not trusted; give its CA's certificate as tls\.ca/,
      null,
    ],
    [
      "for other names",
      "server",
      { ...clientTls, serverName: "example.org" },
      /is not for example\.org, but for DNS:localhost, IP Address:127\.0\.0\.1; connect by a name/,
      null,
    ],
  ] as const) {
    it(`a server certificate ${kind} has its own sentence`, async () => {
      const key = file === "server" ? serverTls.key : certificate("dated.key");
      const { port } = await serve({ cert: certificate(`${file}.crt`), key });
      await assert.rejects(connect(chat, `tls://localhost:${port}`, { tls }), {
        code: "TLS_CERTIFICATE_REJECTED",
        message: capabilities.namesExpiredCertificates ? says : (onDeno ?? says),
      });
    });
  }

  it("a client that does not shake hands is HANDSHAKE_TIMEOUT for the server", async () => {
    const { port, errors } = await serve(serverTls, { handshakeTimeoutMs: 50 });
    const silent = net.connect(port, "127.0.0.1");
    fixture.own({ close: () => silent.destroy() });
    silent.on("error", () => undefined);
    await until(() => errors.length > 0);
    assert.equal(errors[0]?.code, "HANDSHAKE_TIMEOUT", String(errors[0]));
    assert.match(String(errors[0]), /took longer than handshakeTimeoutMs/);
  });
});
