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

  it("reads the first of several addresses' errors", () => {
    expect(fromSystem(new AggregateError([system("ECONNREFUSED"), system("ENETUNREACH")]), "connect", "x").code).toBe("CONNECT_REFUSED");
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
