/**
 * What TLS calls a failure -> one sentence for each kind: dates, name, issuer, purpose, a missing
 * certificate, an alert of the peer. Part of errno.ts, with the runtimes' differences: Deno says
 * that the issuer is unknown also of a certificate that is out of its dates. Must not know sockets.
 *
 * @module
 */
import type { ErrorCode } from "@hawser/protocol";
import { printable } from "@hawser/protocol";

/** The code for a failure of TLS, and what to do about it. */
export interface TlsFault {
  readonly code: ErrorCode;
  readonly advice: string;
}

const MAX_NAMES = 90;
const onDeno = "Deno" in globalThis;

const notSpoken: TlsFault = {
  code: "TLS_NOT_SPOKEN",
  advice: "the peer does not speak TLS on this port; use tcp://, or the server's TLS port",
};
const untrustedIssuer: TlsFault = rejected(
  `the issuer of the peer's certificate is not trusted; give its CA's certificate as tls.ca${
    onDeno ? " (Deno says the same of a certificate that has expired or is not valid yet)" : ""
  }`,
);
const selfSigned = rejected(
  "the peer's certificate is self-signed, and not trusted; give it as tls.ca, or have a CA " +
    "sign one",
);
const wrongPurpose = rejected(
  "the peer's certificate is not made for this use; its extendedKeyUsage must hold serverAuth " +
    "for a server, clientAuth for a client",
);
const demanded = rejected("the server demands a client certificate; give tls.cert and tls.key");
const refusedOwn = rejected(
  "the peer refuses this end's certificate; see the error of the peer for why",
);

const faults: Readonly<Record<string, TlsFault>> = {
  CERT_HAS_EXPIRED: rejected(
    "the peer's certificate has expired; renew it, or set this machine's clock right",
  ),
  CERT_NOT_YET_VALID: rejected(
    "the peer's certificate is not valid yet; set this machine's clock right, or see the " +
      "certificate's dates",
  ),
  CERT_REVOKED: rejected(
    "the peer's certificate was revoked by its issuer; the peer needs another",
  ),
  CERT_MISSING: rejected(
    "the client has no certificate, and tls.ca demands one; give the client tls.cert and tls.key",
  ),
  CERT_UNTRUSTED: untrustedIssuer,
  DEPTH_ZERO_SELF_SIGNED_CERT: selfSigned,
  SELF_SIGNED_CERT_IN_CHAIN: untrustedIssuer,
  UNABLE_TO_GET_ISSUER_CERT: untrustedIssuer,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrustedIssuer,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrustedIssuer,
  INVALID_PURPOSE: wrongPurpose,
  ERR_TLS_HANDSHAKE_TIMEOUT: {
    code: "HANDSHAKE_TIMEOUT",
    advice:
      "the TLS handshake took longer than handshakeTimeoutMs; see whether the peer speaks TLS",
  },
  ERR_SSL_WRONG_VERSION_NUMBER: notSpoken,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: notSpoken,
  ERR_SSL_HTTP_REQUEST: notSpoken,
  ERR_SSL_UNKNOWN_PROTOCOL: notSpoken,
};

/**
 * Alerts that the peer sends, by the end of their code; what comes before names the version by
 * which they were defined.
 */
const alerts: readonly (readonly [end: string, fault: TlsFault])[] = [
  ["CERTIFICATE_REQUIRED", demanded],
  [
    "UNKNOWN_CA",
    rejected(
      "the peer does not trust the issuer of this end's certificate; give the peer the CA's " +
        "certificate as tls.ca",
    ),
  ],
  [
    "CERTIFICATE_EXPIRED",
    rejected(
      "the peer finds this end's certificate expired or not valid yet; renew it, or set the " +
        "peer's clock right",
    ),
  ],
  [
    "CERTIFICATE_REVOKED",
    rejected("this end's certificate was revoked by its issuer; get another"),
  ],
  ["BAD_CERTIFICATE", refusedOwn],
  ["CERTIFICATE_UNKNOWN", refusedOwn],
  ["UNSUPPORTED_CERTIFICATE", refusedOwn],
  [
    "NO_APPLICATION_PROTOCOL",
    failed("the two ends have no application protocol in common; see tls.alpn of both"),
  ],
  ["PROTOCOL_VERSION", failed("the two ends have no version of TLS in common")],
  [
    "HANDSHAKE_FAILURE",
    failed("the two ends have no cipher in common, or the peer wants a client certificate"),
  ],
];

/** The fault that a code of TLS stands for; undefined where it is none of TLS'. */
export function findTlsFault(code: string, error: unknown): TlsFault | undefined {
  if (Object.hasOwn(faults, code)) return faults[code];
  if (/ALTNAME|HOSTNAME_MISMATCH/.test(code)) return wrongName(error);
  const alert = code.includes("_ALERT_") ? alerts.find(([end]) => code.endsWith(end)) : undefined;
  if (alert !== undefined) return alert[1];
  if (/CERT|SELF_SIGNED|UNABLE_TO_|UNKNOWN_CA/.test(code))
    return rejected(
      `the peer's certificate was rejected with ${code}; see tls.ca of the end that rejects it`,
    );
  if (/^ERR_(SSL|TLS|OSSL)|^EPROTO$/.test(code))
    return failed(
      `the TLS handshake failed with ${code}; check versions, ciphers and keys of both ends`,
    );
  return undefined;
}

/** The error holds the name that was asked for, and the certificate. */
function wrongName(error: unknown): TlsFault {
  // each is tested
  const { host, cert } = error as { host?: unknown; cert?: { subjectaltname?: unknown } };
  const names = typeof cert?.subjectaltname === "string" ? printable(cert.subjectaltname) : "";
  const has = names.length > MAX_NAMES ? `${names.slice(0, MAX_NAMES)}…` : names;
  return rejected(
    "the peer's certificate is not for " +
      (typeof host === "string" ? printable(host) : "this name") +
      `${has === "" ? "" : `, but for ${has}`}; ` +
      "connect by a name that it has, or give that as tls.serverName",
  );
}

function rejected(advice: string): TlsFault {
  return { code: "TLS_CERTIFICATE_REJECTED", advice };
}

function failed(advice: string): TlsFault {
  return { code: "TLS_FAILED", advice };
}
