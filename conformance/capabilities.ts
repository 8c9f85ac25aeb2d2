// Where the runtimes differ: each difference is declared here with a sentence of why, and the tests
// assert both sides of it. Measured with Node 22.23, 24.21 and 26.10, Deno 2.9.6 and Bun 1.4.5.
// Nothing else in the suite asks which runtime it is.

import process from "node:process";

type Runtime = "bun" | "deno" | "node22" | "node24" | "node26";

export const runtime: Runtime = findRuntime();

export const capabilities = {
  /**
   * Node 22 can't parse `await using` in source that it runs unbuilt; what is published is
   * compiled, and runs there.
   */
  parsesAwaitUsing: runtime !== "node22",
  /**
   * Bun's node:net listens with a backlog of its own, 512; on a Unix socket the system refuses at
   * once what is above it.
   */
  unixBacklogAsAsked: runtime !== "bun",
  /**
   * Deno's node:tls takes every write into memory at once and calls back at once, so send() never
   * says false there.
   */
  tlsHoldsBackWrites: runtime !== "deno",
  /**
   * Deno's node:tls forgets the peer's end when it comes while the socket is paused: only a
   * sentinel or a timeout ends such a stream.
   */
  tlsHearsTheEndWhilePaused: runtime !== "deno",
  /**
   * Deno says of a certificate that has expired, or is not valid yet, that its issuer is not known.
   */
  namesExpiredCertificates: runtime !== "deno",
  /**
   * Bun says ECONNREFUSED for most of what can go wrong in a connect: an unreachable host, a path
   * through a file.
   */
  namesConnectFailures: runtime !== "bun",
  /**
   * Deno's web streams look at the prototype of what a stream fails with, and let what that throws
   * go unhandled.
   */
  streamsFailWithAnything: runtime !== "deno",
  /**
   * Bun's node:net closes a client's socket when a write fails, with what the peer had said before
   * unread.
   */
  readsBeforeABrokenPipe: runtime !== "bun",
};

function findRuntime(): Runtime {
  if ("Deno" in globalThis) return "deno";
  if (process.versions["bun"] !== undefined) return "bun";
  const major = process.versions.node.split(".")[0];
  return major === "22" ? "node22" : major === "24" ? "node24" : "node26";
}
