/**
 * Certificates that TLS peers have proved to hold, as plain values that are the same on every
 * runtime. Owns the reading of a certificate's names from its bytes. Must not know sockets, nor
 * whether a certificate is trusted.
 *
 * @module
 */

/** The certificate of a TLS peer: it is trusted by `tls.ca`, and the peer holds its private key. */
export interface PeerCertificate {
  /**
   * Its subject, by the short names of the attributes: `{ CN: "desk", O: ["One", "Two"] }`.
   */
  readonly subject: CertificateName;
  /** Its issuer. */
  readonly issuer: CertificateName;
  /** SHA-256 of `der`, as `openssl x509 -fingerprint -sha256` prints it: `"76:9B:…"`. */
  readonly fingerprint256: string;
  readonly serialNumber: string;
  readonly validFrom: Date;
  readonly validTo: Date;
  /**
   * Its subject alternative names: `"DNS:desk.example"`, `"URI:spiffe://desk/agent"`,
   * `"email:a@desk.example"`, `"IP:10.0.0.1"` (IPv6 as eight groups without zeros in front). Names
   * of other kinds are left out. Read from the certificate's bytes, since not every runtime's text
   * keeps names apart that contain commas.
   */
  readonly altNames: readonly string[];
  /** The whole certificate, for `new X509Certificate(der)` of node:crypto. */
  readonly der: Uint8Array;
}

/** A distinguished name; an attribute that is there several times has a list. */
export type CertificateName = Readonly<Record<string, string | readonly string[]>>;

/** What a TLS socket of each runtime tells of its peer, if anything. */
export interface CertificateSource {
  readonly authorized?: boolean;
  getPeerCertificate?(): Readonly<Record<string, unknown>> | null | undefined;
}

/**
 * The certificate of a socket's peer; null where it has none, or none that is trusted, or its
 * connection is gone.
 */
export function peerCertificate(socket: CertificateSource): PeerCertificate | null {
  if (socket.authorized !== true) return null;
  const {
    raw,
    subject,
    issuer,
    fingerprint256,
    serialNumber,
    valid_from: from,
    valid_to: to,
  } = socket.getPeerCertificate?.() ?? {};
  // an empty object stands for none
  if (!(raw instanceof Uint8Array) || typeof fingerprint256 !== "string") return null;
  const der = new Uint8Array(raw);
  return Object.freeze({
    subject: subject as CertificateName, // node:tls, and what Deno and Bun make of it
    issuer: issuer as CertificateName,
    fingerprint256,
    serialNumber: String(serialNumber),
    validFrom: new Date(String(from)),
    validTo: new Date(String(to)),
    altNames: altNames(der),
    der,
  });
}

const SEQUENCE = 0x30;
const OBJECT_ID = 0x06;
const OCTETS = 0x04;
const EXTENSIONS = 0xa3;
/** The tags of the names that are told. */
const prefixes: ReadonlyMap<number, string> = new Map([
  [0x81, "email"],
  [0x82, "DNS"],
  [0x86, "URI"],
]);
const IP_ADDRESS = 0x87;
/** 2.5.29.17, the extension of alternative names. */
const SUBJECT_ALT_NAME = "55 1d 11";

/**
 * The subject alternative names of a certificate. Empty where it has none, or its bytes are no
 * certificate: never throws.
 *
 * Source: RFC 5280, sections 4.1 and 4.2.1.6
 */
export function altNames(der: Uint8Array): readonly string[] {
  const [certificate] = elements(der);
  const [signed] = elements(certificate?.content);
  const extensions = elements(signed?.content).find(({ tag }) => tag === EXTENSIONS);
  const [list] = elements(extensions?.content);
  for (const { content } of elements(list?.content)) {
    const parts = elements(content);
    const [id] = parts;
    const value = parts.at(-1);
    if (id?.tag !== OBJECT_ID || hex(id.content) !== SUBJECT_ALT_NAME || value?.tag !== OCTETS)
      continue;
    const [names] = elements(value.content);
    return names?.tag === SEQUENCE ? elements(names.content).flatMap(nameOf) : [];
  }
  return [];
}

/** One value of DER. */
interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** The values that follow each other in `bytes`, up to the first that is cut off. */
function elements(bytes: Uint8Array = new Uint8Array(0)): Element[] {
  const found: Element[] = [];
  let at = 0;
  while (at + 2 <= bytes.length) {
    const tag = bytes[at] ?? 0;
    let length = bytes[at + 1] ?? 0;
    at += 2;
    if (length > 0x80) {
      const end = at + length - 0x80;
      if (end - at > 4 || end > bytes.length) break;
      length = 0;
      for (; at < end; at++) length = length * 256 + (bytes[at] ?? 0);
    } else if (length === 0x80) {
      break; // of no known length: not DER
    }
    if (at + length > bytes.length) break;
    found.push({ tag, content: bytes.subarray(at, at + length) });
    at += length;
  }
  return found;
}

function nameOf({ tag, content }: Element): string[] {
  const prefix = prefixes.get(tag);
  if (prefix !== undefined) return [`${prefix}:${String.fromCharCode(...content)}`]; // ASCII
  if (tag !== IP_ADDRESS) return [];
  if (content.length === 4) return [`IP:${content.join(".")}`];
  if (content.length !== 16) return [];
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((content[2 * index] ?? 0) * 256 + (content[2 * index + 1] ?? 0)).toString(16),
  );
  return [`IP:${groups.join(":")}`];
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
