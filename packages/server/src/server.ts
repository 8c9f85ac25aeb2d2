/**
 * createServer: listeners, the set of sockets, broadcast, and the orderly end of all of it.
 * Must not know what a message means, nor how one connection's handlers are called.
 *
 * @module
 */
import { HawserError, type Protocol, type Wire } from "@hawser/protocol";
import {
  checkSpoken,
  nativeSessions,
  type SessionKind,
  WireEncoder,
} from "@hawser/protocol/engine";
import { rejected, Reporter, WireSocket, type WireSocketOptions } from "@hawser/session";
import {
  type Address,
  type AddressInput,
  type Connection,
  SharedOutput,
  type Ticking,
} from "@hawser/transport";
import {
  type Dispatch,
  Dispatcher,
  checkHandlers,
  hasErrorHandler,
  type ServerSocket,
  type WireHandlers,
} from "./wire/dispatcher.ts";
import { type ListenCallOptions, Listeners, refuse } from "./listeners.ts";
import {
  type CloseOptions,
  type CloseResult,
  type ResolvedServerOptions,
  resolveCloseOptions,
  resolveServerOptions,
  type ServerOptions,
} from "./options.ts";
import type { SessionHandlers, SessionServer } from "./contract/handlers.ts";
import type { SessionServerOptions } from "./contract/options.ts";
import { ContractServer } from "./contract/server.ts";

/** A server of one wire, on any number of addresses. */
export interface Server<In, Out = In> extends AsyncDisposable {
  /**
   * Listen on an address; may be called many times. Resolves with where it listens really, the port
   * chosen for 0 filled in.
   *
   * @throws {TypeError} when the address can't be read, or `tls://` lacks a certificate
   * @throws {HawserError} ADDRESS_IN_USE, PERMISSION_DENIED, PATH_TOO_LONG, PATH_NOT_FOUND, …
   */
  listen(address: AddressInput, options?: ListenCallOptions): Promise<Address>;
  /**
   * Serve a connection that was made elsewhere: one end of a `memoryPair()`, or a transport of
   * one's own.
   */
  accept(connection: Connection): void;
  /** The first address that it listens on, or null. */
  address(): Address | null;
  /** Every address that it listens on. */
  addresses(): readonly Address[];
  /** The open sockets. */
  readonly sockets: ReadonlySet<ServerSocket<In, Out>>;
  /**
   * Send a message to every open socket, encoded once. Returns how many took it; a socket whose
   * output is full is closed as SLOW_CONSUMER, one that has ended is left out.
   *
   * @throws {HawserError} PAYLOAD_FORBIDDEN, PAYLOAD_IS_SENTINEL or PAYLOAD_TOO_LARGE: then nobody
   *   gets it
   */
  broadcast(message: Out): number;
  /**
   * Stop listening, end the connections (each gets the sentinel), and abort what is left at the
   * deadline.
   */
  close(options?: CloseOptions): Promise<CloseResult>;
}

/**
 * Make a server for a wire; it listens when `listen()` is called.
 *
 * @throws {TypeError} when an option has the wrong type
 * @throws {RangeError} when a limit is out of its range
 * @example
 * ```ts
 * import { lines, text, wire } from "@hawser/protocol";
 * import { createServer } from "@hawser/server";
 *
 * const shout = wire({ framing: lines(), codec: text(), sentinel: "exit" });
 * const server = createServer(shout, {
 *   message: (message, socket) => void socket.send(message.toUpperCase()),
 * });
 * await server.listen("tcp://localhost:0");
 * await server.close();
 * ```
 */
export function createServer<In, Out = In>(
  wire: Wire<In, Out>,
  handlers: WireHandlers<In, Out>,
  options?: ServerOptions,
): Server<In, Out>;
/**
 * Make a server for a contract, spoken natively or as a session kind such as `jsonRpc(contract)`;
 * it listens when `listen()` is called.
 *
 * @throws {TypeError} when a request or stream that clients may open has no handler, or an option
 *   has the wrong type
 * @throws {RangeError} when a limit is out of its range
 * @example
 * ```ts
 * import { defineProtocol, type } from "@hawser/protocol";
 * import { createServer } from "@hawser/server";
 *
 * const desk = defineProtocol({
 *   name: "desk",
 *   version: 1,
 *   requests: {
 *     "ticket.get": {
 *       input: type<{ id: number }>(),
 *       output: type<{ title: string }>(),
 *       errors: { notFound: type<{ id: number }>() },
 *     },
 *   },
 *   streams: { count: { input: type<number>(), item: type<number>() } },
 *   events: { typing: { payload: type<{ who: string }>() } },
 * });
 * const server = createServer(desk, {
 *   "ticket.get": ({ id }, { fail }) =>
 *     id === 7 ? { title: "The printer is on fire" } : fail("notFound", { id }),
 *   count: (to) => Array.from({ length: to }, (_, i) => i + 1),
 *   typing: (payload, { server }) => server.to("agents").emit("typing", payload),
 * });
 * await server.listen("tcp://localhost:0");
 * await server.close();
 * ```
 */
export function createServer<P extends Protocol, C = undefined>(
  contract: P | (SessionKind & { readonly contract: P }),
  handlers: SessionHandlers<P, C>,
  options?: SessionServerOptions<P, C>,
): SessionServer<P, C>;
export function createServer(
  what: Protocol | SessionKind | Wire<unknown>,
  handlers: object,
  options: ServerOptions | SessionServerOptions<Protocol> = {},
): Server<unknown> | SessionServer<Protocol> {
  checkSpoken("createServer()", what);
  if ("framing" in what) return new WireServer(what, handlers, resolveServerOptions(options));
  return new ContractServer("contract" in what ? what : nativeSessions(what), handlers, options);
}

/** For a handler that closes its server: its own connection goes on until it has returned. */
async function allClosed(
  others: readonly { readonly closed: Promise<unknown> }[],
): Promise<CloseResult> {
  await Promise.all(others.map((socket) => socket.closed));
  return { drained: others.length, forced: 0 };
}

class WireServer<In, Out> implements Server<In, Out>, Ticking {
  readonly #wire: Wire<In, Out>;
  readonly #options: ResolvedServerOptions;
  /** What all sockets share, with their encoder, where an encoder remembers nothing. */
  readonly #socketOptions: WireSocketOptions<Out>;
  /** What all dispatchers share. */
  readonly #dispatch: Dispatch<In, Out>;
  readonly #listeners: Listeners;
  readonly #sockets = new Set<WireSocket<In, Out>>();
  /** TLS handshakes that are under way: each has a place among `maxConnections`. */
  #handshakes = 0;
  /** For broadcasts: what all sockets are sent in this turn. */
  #shared = new SharedOutput();
  /** Called when the last socket is gone. */
  #emptied: (() => void) | null = null;
  #closing: Promise<CloseResult> | null = null;

  constructor(
    wire: Wire<In, Out>,
    handlers: WireHandlers<In, Out>,
    options: ResolvedServerOptions,
  ) {
    checkHandlers(handlers);
    const { connection: limits, ticker, maxInFlight } = options;
    const encoder =
      wire.sentinel?.form === "suffix" ? undefined : new WireEncoder<Out>(wire, limits.frame);
    this.#wire = wire;
    this.#options = options;
    this.#socketOptions = { limits, ticker, onFull: "close", encoder };
    this.#dispatch = {
      handlers,
      maxInFlight,
      reporter: new Reporter("a server"),
      handling: null,
      onClosed: this.#forget,
    };
    this.#listeners = new Listeners(options, {
      accepted: (connection) => {
        this.accept(connection);
      },
      handshake: (remote) => {
        const mayBegin = this.#hasRoom();
        if (mayBegin) this.#handshakes++;
        else if (this.#closing === null) this.#reportFull({ remote, transport: "tls" });
        return mayBegin;
      },
      handshakeOver: () => {
        this.#handshakes--;
      },
      failed: (error) => {
        this.#report(error);
      },
    });
  }

  get sockets(): ReadonlySet<ServerSocket<In, Out>> {
    return this.#sockets;
  }

  listen(address: AddressInput, options: ListenCallOptions = {}): Promise<Address> {
    return this.#listeners.listen(address, options);
  }

  accept(connection: Connection): void {
    const { ticker } = this.#options;
    if (!this.#hasRoom()) {
      refuse(connection);
      if (this.#closing === null) this.#reportFull(connection);
      return;
    }
    const dispatcher = new Dispatcher(this.#dispatch);
    const socket = new WireSocket(this.#wire, connection, this.#socketOptions, dispatcher);
    if (this.#sockets.size === 0) ticker.add(this);
    this.#sockets.add(socket);
    dispatcher.start(socket);
  }

  address(): Address | null {
    return this.#listeners.addresses()[0] ?? null;
  }

  addresses(): readonly Address[] {
    return this.#listeners.addresses();
  }

  broadcast(message: Out): number {
    const encoder =
      this.#socketOptions.encoder ??
      new WireEncoder<Out>(this.#wire, this.#options.connection.frame);
    const body = encoder.prepare(message); // runs the program's code, which may broadcast
    if (this.#shared.sealed) this.#shared = new SharedOutput();
    const shared = this.#shared;
    const from = shared.length;
    encoder.write(body, shared);
    shared.settle();
    let taken = 0;
    for (const socket of this.#sockets) {
      if (socket.state !== "open") continue;
      socket.sendShared(shared, from, shared.length);
      taken++;
    }
    if (taken === 0) shared.truncate(from); // nobody sends it, so nobody seals it
    return taken;
  }

  close(options?: CloseOptions): Promise<CloseResult> {
    try {
      const { handling } = this.#dispatch;
      const others = [...this.#sockets].filter((socket) => socket !== handling);
      const closing = (this.#closing ??= this.#close(resolveCloseOptions(options)));
      return handling === null ? closing : Promise.race([closing, allClosed(others)]);
    } catch (error) {
      return rejected(error);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined);
  }

  /** @see Ticking */
  tick(nowMs: number): void {
    for (const socket of this.#sockets) socket.tick(nowMs);
  }

  /** @see Ticking */
  stoodStill(ms: number): void {
    for (const socket of this.#sockets) socket.stoodStill(ms);
  }

  async #close({
    graceMs,
    deadlineMs,
  }: ReturnType<typeof resolveCloseOptions>): Promise<CloseResult> {
    const total = this.#sockets.size;
    await this.#listeners.close();
    const { clock } = this.#options.ticker;
    const emptied = new Promise<void>((resolve) => {
      this.#emptied = resolve;
      if (this.#sockets.size === 0) resolve();
    });
    const cancelGrace = clock.after(graceMs, () => {
      for (const socket of this.#sockets) socket.end();
    });
    let forced = 0;
    const cancelDeadline = clock.after(Math.max(graceMs, deadlineMs), () => {
      forced = this.#sockets.size;
      for (const socket of this.#sockets) socket.abort();
    });
    await emptied;
    cancelGrace();
    cancelDeadline();
    return { drained: total - forced, forced };
  }

  #hasRoom(): boolean {
    return (
      this.#closing === null && this.#sockets.size + this.#handshakes < this.#options.maxConnections
    );
  }

  #reportFull({ remote, transport }: Pick<Connection, "remote" | "transport">): void {
    const limit = `maxConnections ${String(this.#options.maxConnections)}`;
    this.#report(
      new HawserError("TOO_MANY_CONNECTIONS", `Cannot serve ${remote}: ${limit} are open already`, {
        peer: { remote, transport },
      }),
    );
  }

  readonly #forget = (socket: WireSocket<In, Out>): void => {
    this.#sockets.delete(socket);
    if (this.#sockets.size > 0) return;
    this.#options.ticker.delete(this);
    this.#emptied?.();
  };

  #report(error: HawserError): void {
    const { handlers, reporter } = this.#dispatch;
    void reporter.report(error, hasErrorHandler(handlers) ? () => handlers.error?.(error) : null);
  }
}
