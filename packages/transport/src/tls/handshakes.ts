/**
 * Handshakes: the TCP connections of a TLS listener from the moment they are accepted until their
 * handshake is done, or is not. Owns their number, which the listener's owner bounds, and their
 * time. Must not know certificates, or what follows.
 *
 * They are told by the peer's address: below and above TLS, Node and Deno have different objects
 * for one connection.
 *
 * @module
 */
import { HawserError } from "@hawser/protocol";
import { afterPatience, type Clock } from "../clock.ts";
import type { ListenerSink } from "../connection.ts";

/** What is used of an accepted connection. */
export interface Accepted {
  once(event: "close", listener: () => void): unknown;
  destroy(): unknown;
}

/** The handshakes of one listener. */
export class Handshakes<S extends Accepted> {
  readonly #sink: ListenerSink;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #nameOf: (socket: S) => string;
  /** What ends the time of each. */
  readonly #pending = new Map<string, () => void>();
  /** Those that were closed here, whose failure is no news. */
  readonly #closed = new WeakSet<object>();

  constructor(sink: ListenerSink, clock: Clock, timeoutMs: number, nameOf: (socket: S) => string) {
    this.#sink = sink;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#nameOf = nameOf;
  }

  /** A connection has been accepted, and has said nothing yet. */
  begin(socket: S): void {
    const remote = this.#nameOf(socket);
    if (this.#sink.handshake?.(remote) === false) {
      this.#close(socket);
      return;
    }
    const cancel = afterPatience(this.#clock, this.#timeoutMs, () => {
      this.#close(socket);
      this.over(remote);
      const limit = `handshakeTimeoutMs ${String(this.#timeoutMs)}`;
      this.#sink.failed(
        new HawserError(
          "HANDSHAKE_TIMEOUT",
          `Cannot finish the TLS handshake with ${remote}: it took longer than ${limit}; see ` +
            "whether the peer speaks TLS",
        ),
        remote,
      );
    });
    this.#pending.set(remote, cancel);
    socket.once("close", () => {
      this.over(remote);
    });
  }

  /** A handshake is done, or has failed. May be said more than once. */
  over(remote: string): void {
    const cancel = this.#pending.get(remote);
    if (cancel === undefined) return;
    cancel();
    this.#pending.delete(remote);
    this.#sink.handshakeOver?.();
  }

  /**
   * True for a failure of a connection that was closed here. Private: `_parent`, the connection
   * below a TLS socket of Node and Deno.
   */
  wasClosed(socket: object): boolean {
    const below: unknown = "_parent" in socket ? socket._parent : null;
    return (
      this.#closed.has(socket) ||
      (typeof below === "object" && below !== null && this.#closed.has(below))
    );
  }

  #close(socket: Accepted): void {
    this.#closed.add(socket);
    socket.destroy();
  }
}
