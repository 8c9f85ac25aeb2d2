import { readFileSync } from "node:fs";
import { X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  altNames,
  type CertificateSource,
  peerCertificate,
} from "../../src/tls/peer-certificate.ts";

function der(name: string): Uint8Array {
  return new Uint8Array(
    new X509Certificate(
      readFileSync(new URL(`../../../../conformance/certificates/${name}.crt`, import.meta.url)),
    ).raw,
  );
}

const names = [
  "URI:spiffe://desk/agent, DNS:admin.example",
  "DNS:one.agents.example",
  "email:one@agents.example",
  "IP:10.0.0.1",
  "IP:2001:db8:0:0:0:0:0:1",
];

describe("altNames()", () => {
  it("reads each name by itself, also one that contains what reads like another", () => {
    expect(altNames(der("agent-one"))).toEqual(names);
    expect(altNames(der("server"))).toEqual(["DNS:localhost", "IP:127.0.0.1"]);
  });

  it("is empty for a certificate without names", () => {
    expect(altNames(der("agent-two"))).toEqual([]);
  });

  it(
    "never throws for a certificate that is cut off or changed anywhere, and takes no longer for " +
      "it",
    () => {
      const whole = der("agent-one");
      for (let end = 0; end < whole.length; end++)
        expect(altNames(whole.subarray(0, end)).length).toBeLessThanOrEqual(names.length);
      for (let at = 0; at < whole.length; at++) {
        for (const value of [0x00, 0x80, 0x84, 0xff]) {
          const changed = whole.slice();
          changed[at] = value;
          expect(Array.isArray(altNames(changed))).toBe(true);
        }
      }
    },
  );
});

describe("peerCertificate()", () => {
  const raw = der("agent-one");
  const told = {
    raw,
    subject: { CN: "agent one" },
    issuer: { CN: "Hawser agents CA" },
    fingerprint256: "AA:BB",
    serialNumber: "0A",
    valid_from: "Nov 22 13:09:04 2026 GMT",
    valid_to: "Nov 23 13:09:04 2126 GMT",
  };

  it("gives plain values, and bytes of its own", () => {
    const certificate = peerCertificate({ authorized: true, getPeerCertificate: () => told });
    expect(certificate).toEqual({
      subject: { CN: "agent one" },
      issuer: { CN: "Hawser agents CA" },
      fingerprint256: "AA:BB",
      serialNumber: "0A",
      altNames: names,
      der: raw,
      validFrom: new Date("2026-11-22T13:09:04Z"),
      validTo: new Date("2126-11-23T13:09:04Z"),
    });
    expect(certificate?.der).not.toBe(raw);
  });

  it.each<[string, CertificateSource]>([
    ["that is not trusted", { authorized: false, getPeerCertificate: () => told }],
    ["of a socket without TLS", {}],
    ["of a peer that has none", { authorized: true, getPeerCertificate: () => ({}) }],
    ["of a socket that is closed", { authorized: true, getPeerCertificate: () => null }],
  ])("is null for one %s", (_, socket) => {
    expect(peerCertificate(socket)).toBeNull();
  });
});
