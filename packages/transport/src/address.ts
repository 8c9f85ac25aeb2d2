/**
 * Addresses: the URL and object forms that both ends take, and the one value that they become.
 * Must not open anything.
 *
 * @module
 */
import { describeValue } from "@hawser/protocol/engine";
import { pipePath } from "./ipc/path.ts";

/** Where a server listens and a client connects. */
export type Address =
  | { readonly transport: "tcp" | "tls"; readonly host: string; readonly port: number }
  /**
   * `path` begins with NUL for an abstract name; `pipe` is the name that `pipe:name` was given by.
   */
  | { readonly transport: "ipc"; readonly path: string; readonly pipe?: string }
  | { readonly transport: "fd"; readonly fd: number };

/**
 * An address as a caller writes it: `tcp://host:port`, `tls://host:port`, `unix:/path`,
 * `unix:@abstract`, `pipe:name`, `fd:3`, or the options of `node:net` for the same: `{ port, host
 * }`, `{ path }`, `{ fd }`. The host's default is `localhost`.
 */
export type AddressInput =
  | string
  | URL
  | Address
  | { readonly port: number; readonly host?: string | undefined }
  | { readonly path: string }
  | { readonly fd: number };

const FORMS = "tcp://host:port, tls://host:port, unix:/path, unix:@name or pipe:name";

/**
 * Read an address in any of its forms.
 *
 * @throws {TypeError} when it is none of them; the message names the value and the forms
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { formatAddress, parseAddress } from "@hawser/transport";
 *
 * assert.deepEqual(parseAddress("tcp://localhost:1234"), {
 *   transport: "tcp",
 *   host: "localhost",
 *   port: 1234,
 * });
 * assert.equal(formatAddress(parseAddress({ path: "/run/desk.sock" })), "unix:/run/desk.sock");
 * ```
 */
export function parseAddress(input: AddressInput): Address {
  if (typeof input === "string") return parseUrl(input);
  if (input instanceof URL) return parseUrl(decodePath(input.href));
  if (typeof input !== "object" || (input as unknown) === null)
    throw unreadable(describeValue(input), `it is ${FORMS}`);
  if ("then" in input) throw unreadable("a promise", "await it first");
  if ("fd" in input) return { transport: "fd", fd: checkNumber("fd", input.fd, 0x7fff_ffff) };
  if ("path" in input) {
    if (typeof input.path !== "string" || input.path === "")
      throw unreadable(describeValue(input), "the path is a text that is not empty");
    const pipe = "pipe" in input ? input.pipe : undefined;
    return pipe === undefined
      ? { transport: "ipc", path: input.path }
      : { transport: "ipc", path: input.path, pipe };
  }
  if ("port" in input) {
    const { host = "localhost" } = input;
    if (typeof host !== "string" || host === "")
      throw unreadable(describeValue(input), "the host is a name or an IP address");
    const transport = "transport" in input ? input.transport : "tcp";
    return { transport, host, port: checkNumber("port", input.port, 65_535) };
  }
  throw unreadable(describeValue(input), "an object has { port, host }, { path } or { fd }");
}

/** The address as a URL, as {@link parseAddress} reads it. */
export function formatAddress(address: Address): string {
  switch (address.transport) {
    case "fd":
      return `fd:${String(address.fd)}`;
    case "ipc":
      if (address.pipe !== undefined) return `pipe:${address.pipe}`;
      return `unix:${address.path.startsWith("\0") ? `@${address.path.slice(1)}` : address.path}`;
    default:
      return `${address.transport}://${formatHost(address.host, address.port)}`;
  }
}

/** `host:port`, with brackets around an IPv6 address. */
export function formatHost(host: string, port: number): string {
  // Joined, since a template's pieces stay beside it for as long as the name is kept. Measured:
  // bench/HISTORY.md.
  return [host.includes(":") ? `[${host}]` : host, String(port)].join(":");
}

/**
 * As {@link formatHost}, for a peer: an IPv4 address that a socket of IPv6 tells as one of its own
 * is told as what it is. A destroyed socket does not tell any more.
 */
export function formatPeer(host: string | undefined, port: number): string {
  return host === undefined
    ? "a client that is gone"
    : formatHost(host.replace(/^::ffff:(?=\d+\.)/, ""), port);
}

function parseUrl(url: string): Address {
  const colon = url.indexOf(":");
  const rest = url.slice(colon + 1);
  switch (url.slice(0, colon)) {
    case "tcp":
      return { transport: "tcp", ...parseHost(url, rest) };
    case "tls":
      return { transport: "tls", ...parseHost(url, rest) };
    case "unix": {
      const path = rest.startsWith("///") ? rest.slice(2) : rest;
      if (path === "" || path === "@") throw unreadable(describeValue(url), "the path is missing");
      return { transport: "ipc", path: path.startsWith("@") ? `\0${path.slice(1)}` : path };
    }
    case "pipe":
      if (!/^[\w.-]{1,64}$/.test(rest) || rest.startsWith(".")) {
        throw unreadable(
          describeValue(url),
          "a pipe's name has 1 to 64 letters, digits, '-', '_' or '.', and no '.' first",
        );
      }
      return { transport: "ipc", path: pipePath(rest), pipe: rest };
    case "fd":
      return {
        transport: "fd",
        fd: checkNumber("fd", /^\d+$/.test(rest) ? Number(rest) : NaN, 0x7fff_ffff),
      };
    default:
      throw unreadable(describeValue(url), `it is ${FORMS}`);
  }
}

/**
 * The text that a URL object was made from: it holds a path's spaces and other characters in
 * percent-encoding, where a string says them as they are. What is no encoding stays.
 */
function decodePath(href: string): string {
  return href.replaceAll(/(?:%[\da-f]{2})+/gi, (encoded) => {
    try {
      return decodeURIComponent(encoded);
    } catch {
      return encoded;
    }
  });
}

/** `[IPv6%zone]` or a name, and a port where there is one. */
const HOST_AND_PORT = new RegExp(
  String.raw`^\/\/(?:\[([\da-fA-F:.]+(?:%[^\]%/\s]+)?|[\da-fA-F:.]+%25[a-zA-Z][^\]%/\s]*)\]` +
    String.raw`|([^:/?#@[\]\s]+))(?::(\d{1,5}))?\/?$`,
);

function parseHost(url: string, rest: string): { host: string; port: number } {
  const parts = HOST_AND_PORT.exec(rest);
  // RFC 6874 writes the '%' before a zone's name as %25.
  const host =
    parts?.[1]?.replace("%25", (encoded, at: number, whole: string) =>
      /[a-zA-Z]/.test(whole.charAt(at + 3)) ? "%" : encoded,
    ) ?? parts?.[2];
  if (host === undefined)
    throw unreadable(describeValue(url), `it is ${url.slice(0, 3)}://host:port`);
  if (parts?.[3] === undefined)
    throw unreadable(
      describeValue(url),
      `the port is missing, as in ${url.slice(0, 3)}://${host}:1234`,
    );
  const port = Number(parts[3]);
  if (port > 65_535)
    throw unreadable(describeValue(url), `the port is a whole number from 0 to 65535`);
  return { host, port };
}

function checkNumber(name: string, value: number, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new TypeError(
      `Cannot read ${name} ${String(value)}: it is a whole number from 0 to ${String(max)}`,
    );
  }
  return value;
}

/** `what` is the value as it is to be shown. */
function unreadable(what: string, why: string): TypeError {
  return new TypeError(
    `Cannot read address ${what.length > 120 ? `${what.slice(0, 120)}…` : what}: ${why}`,
  );
}
