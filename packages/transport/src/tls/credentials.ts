/**
 * The TLS options, and a check of one's own certificate and key before they are used: Deno reads
 * them at the first handshake, and takes a key that is not the certificate's. Must not know
 * sockets.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { KeyObject, X509Certificate } from "node:crypto";
import { describeCaught, describeValue } from "@hawser/protocol/engine";

/** Text in PEM form, or its bytes; several where a list is given. */
export type Pem = string | Uint8Array | readonly (string | Uint8Array)[];

/** Options of TLS for either end. */
export interface TlsOptions {
  /** One's own certificate chain; a server needs it, a client has it where the server asks. */
  readonly cert?: Pem | undefined;
  /** The private key of `cert`. */
  readonly key?: Pem | undefined;
  readonly passphrase?: string | undefined;
  /**
   * Authorities that may sign the peer's certificate. Given to a server, it makes a client
   * certificate required, unless `clientCertificate` says otherwise.
   */
  readonly ca?: Pem | undefined;
  /**
   * Server with `ca`: whether a client may do without a certificate. Default `"required"`. With
   * `"optional"` a certificate that is not trusted counts as none: `authenticate` decides, for
   * which `peer.certificate` is null.
   */
  readonly clientCertificate?: "optional" | "required" | undefined;
  /** Application protocols (ALPN) in the order of preference. */
  readonly alpn?: readonly string[] | undefined;
  /** Client: the name that the server's certificate must bear. Default the host. */
  readonly serverName?: string | undefined;
}

/**
 * Check that each key of `tls.key` is that of a certificate of `tls.cert`.
 *
 * @throws {TypeError} when one of them can't be read, or they do not belong together
 */
export async function checkCredentials(
  { cert, key, passphrase }: TlsOptions,
  action: string,
): Promise<void> {
  if (cert === undefined || key === undefined) return;
  // Loaded when it is needed, as node:tls is.
  const { createPrivateKey, X509Certificate } = await import("node:crypto");
  const certificates = pemList(cert).map((each): X509Certificate =>
    read(() => new X509Certificate(each), action, "tls.cert is not a certificate as PEM"),
  );
  const keys = pemList(key).map((each): KeyObject =>
    read(
      () => createPrivateKey({ key: each, ...(passphrase === undefined ? {} : { passphrase }) }),
      action,
      "tls.key is not a private key as PEM, or tls.passphrase is not that of the key",
    ),
  );
  if (keys.every((each) => certificates.some((certificate) => certificate.checkPrivateKey(each))))
    return;
  throw new TypeError(
    `Cannot ${action}: tls.key is not the key of tls.cert; give the private key that the ` +
      "certificate was made for",
  );
}

/**
 * Check what a server asks of its clients.
 *
 * @throws {TypeError} when `clientCertificate` is not known, or there is no `ca` to trust
 */
export function checkClientCertificate(
  { ca, clientCertificate }: TlsOptions,
  action: string,
): void {
  if (clientCertificate === undefined) return;
  const given: unknown = clientCertificate;
  if (given !== "optional" && given !== "required")
    throw new TypeError(
      `Cannot ${action}: tls.clientCertificate is ${describeValue(given)}; use "required" or ` +
        `"optional"`,
    );
  if (ca === undefined)
    throw new TypeError(
      `Cannot ${action}: tls.clientCertificate is "${given}", but tls.ca is missing; give who ` +
        "is trusted to sign the clients' certificates",
    );
}

/** One or several PEM texts, as node:tls takes them. */
export function pemList(value: Pem): (string | Buffer)[] {
  const list = typeof value === "string" || value instanceof Uint8Array ? [value] : value;
  return list.map((each) => (typeof each === "string" ? each : Buffer.from(each)));
}

function read<T>(use: () => T, action: string, fault: string): T {
  try {
    return use();
  } catch (cause) {
    throw new TypeError(`Cannot ${action}: ${fault} (${describeCaught(cause).slice(0, 120)})`, {
      cause,
    });
  }
}
