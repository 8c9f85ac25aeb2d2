import { describe, expect, it } from "vitest";
import { HawserError } from "@hawser/protocol";
import { fromSystem } from "../src/mod.ts";

const system = (code: string): Error => Object.assign(new Error(`it says ${code}`), { code });

describe("fromSystem()", () => {
  it.each([
    ["ECONNREFUSED", "connect", "CONNECT_REFUSED"],
    ["ENOENT", "connect", "PATH_NOT_FOUND"],
    ["ENOENT", "listen", "PATH_NOT_FOUND"],
    ["EACCES", "listen", "PERMISSION_DENIED"],
    ["EPERM", "connect", "PERMISSION_DENIED"],
    ["EADDRINUSE", "listen", "ADDRESS_IN_USE"],
    ["EADDRNOTAVAIL", "listen", "ADDRESS_UNAVAILABLE"],
    ["EADDRNOTAVAIL", "connect", "ADDRESS_UNAVAILABLE"],
    ["EINVAL", "connect", "ADDRESS_UNAVAILABLE"],
    ["EINVAL", "listen", "ADDRESS_UNAVAILABLE"],
    ["EINVAL", "open", "SYSTEM_FAILED"],
    ["EAFNOSUPPORT", "connect", "ADDRESS_UNAVAILABLE"],
    ["EAGAIN", "connect", "OVERLOADED"],
    ["EBUSY", "connect", "OVERLOADED"],
    ["EAGAIN", "open", "SYSTEM_FAILED"],
    ["ENOBUFS", "connect", "SYSTEM_FAILED"],
    ["ENOMEM", "connect", "SYSTEM_FAILED"],
    ["ENETDOWN", "connect", "HOST_UNREACHABLE"],
    ["EHOSTDOWN", "connect", "HOST_UNREACHABLE"],
    ["EPROTOTYPE", "connect", "CONNECT_REFUSED"],
    ["UNKNOWN", "connect", "SYSTEM_FAILED"],
    ["constructor", "connect", "SYSTEM_FAILED"],
    ["INVALID_PURPOSE", "connect", "TLS_CERTIFICATE_REJECTED"],
    ["ERR_TLS_HANDSHAKE_TIMEOUT", "connect", "HANDSHAKE_TIMEOUT"],
    ["ENOTFOUND", "connect", "HOST_NOT_FOUND"],
    ["EAI_AGAIN", "connect", "HOST_NOT_FOUND"],
    ["EHOSTUNREACH", "connect", "HOST_UNREACHABLE"],
    ["ENETUNREACH", "connect", "HOST_UNREACHABLE"],
    ["ETIMEDOUT", "connect", "CONNECT_TIMEOUT"],
    ["ETIMEDOUT", "open", "CONNECTION_RESET"],
    ["ECONNRESET", "open", "CONNECTION_RESET"],
    ["EPIPE", "open", "CONNECTION_RESET"],
    ["EMFILE", "listen", "TOO_MANY_FILES"],
    ["ENAMETOOLONG", "listen", "PATH_TOO_LONG"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "connect", "TLS_NOT_SPOKEN"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "connect", "TLS_CERTIFICATE_REJECTED"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "connect", "TLS_CERTIFICATE_REJECTED"],
    ["CERT_HAS_EXPIRED", "connect", "TLS_CERTIFICATE_REJECTED"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "connect", "TLS_CERTIFICATE_REJECTED"],
    ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "open", "TLS_CERTIFICATE_REJECTED"],
    ["ERR_SSL_TLSV1_ALERT_CERTIFICATE_REQUIRED", "open", "TLS_CERTIFICATE_REJECTED"],
    ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "open", "TLS_CERTIFICATE_REJECTED"],
    ["ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL", "connect", "TLS_FAILED"],
    ["ESOMETHING", "open", "SYSTEM_FAILED"],
  ] as const)("makes of %s while it tries to %s: %s", (code, phase, expected) => {
    const cause = system(code);
    const error = fromSystem(cause, phase, "reach tcp://localhost:1");
    expect(error).toMatchObject({ code: expected, cause });
    expect(error.message).toMatch(/^Cannot reach tcp:\/\/localhost:1: .{10,}$/);
  });

  it.each([
    "EAGAIN",
    "EADDRNOTAVAIL",
    "EINVAL",
    "ENOBUFS",
    "ENOMEM",
    "ENETDOWN",
    "EHOSTDOWN",
    "EBUSY",
    "EPROTOTYPE",
    "UNKNOWN",
    "ESOMETHING",
    "ECONNREFUSED",
    "ETIMEDOUT",
  ])("says that %s while it connects may pass", (code) => {
    expect(fromSystem(system(code), "connect", "x")).toMatchObject({
      retryable: true,
      scope: "connection",
    });
  });

  it("says of a full accept queue that it lies between the two ends: nobody has answered", () => {
    expect(fromSystem(system("EAGAIN"), "connect", "x")).toMatchObject({
      code: "OVERLOADED",
      origin: "transport",
      scope: "connection",
      retryable: true,
    });
  });

  it.each([
    ["CERT_HAS_EXPIRED", /has expired; renew it/],
    ["CERT_NOT_YET_VALID", /is not valid yet; set this machine's clock right/],
    [
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      /issuer of the peer's certificate is not trusted; give its CA/,
    ],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", /is self-signed, and not trusted/],
    ["INVALID_PURPOSE", /extendedKeyUsage must hold serverAuth/],
    ["CERT_MISSING", /the client has no certificate, and tls\.ca demands one/],
    [
      "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
      /the server demands a client certificate; give tls\.cert and tls\.key/,
    ],
    [
      "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA",
      /the peer does not trust the issuer of this end's certificate/,
    ],
    ["ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED", /the peer finds this end's certificate expired/],
    ["ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE", /the peer refuses this end's certificate/],
    [
      "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
      /no application protocol in common; see tls\.alpn/,
    ],
    ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", /no version of TLS in common/],
    ["CERT_CHAIN_TOO_LONG", /rejected with CERT_CHAIN_TOO_LONG/],
    ["ERR_SSL_SOMETHING", /the TLS handshake failed with ERR_SSL_SOMETHING/],
  ] as const)("has a sentence of its own for %s", (code, says) => {
    expect(fromSystem(system(code), "connect", "x").message).toMatch(says);
  });

  it("says which names the peer's certificate has, printable and cut", () => {
    const names = `DNS:a\u001b[2J.example, DNS:${"b".repeat(500)}`;
    const error = Object.assign(system("ERR_TLS_CERT_ALTNAME_INVALID"), {
      host: "c.example",
      cert: { subjectaltname: names },
    });
    expect(fromSystem(error, "connect", "x").message).toMatch(
      /^Cannot x: the peer's certificate is not for c\.example, but for DNS:a\\u\{1b\}\[2J\.example, DNS:b+…; connect by a name/,
    );
    expect(fromSystem(system("ERR_TLS_CERT_ALTNAME_INVALID"), "connect", "x").message).toMatch(
      /is not for this name; connect by/,
    );
  });

  it("reads the first of several addresses' errors", () => {
    expect(
      fromSystem(
        new AggregateError([system("ECONNREFUSED"), system("ENETUNREACH")]),
        "connect",
        "x",
      ).code,
    ).toBe("CONNECT_REFUSED");
  });

  it("leaves a HawserError as it is, and takes anything else that was thrown", () => {
    const own = new HawserError("ABORTED", "x");
    expect(fromSystem(own, "open", "y")).toBe(own);
    expect(fromSystem("text", "open", "y").message).toBe("Cannot y: the system says text");
    expect(fromSystem(null, "open", "y").code).toBe("SYSTEM_FAILED");
  });

  it("bounds the text that it did not write", () => {
    expect(fromSystem(new Error("z".repeat(10_000)), "open", "y").message.length).toBeLessThan(256);
  });
});
