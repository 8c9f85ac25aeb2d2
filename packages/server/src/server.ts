/**
 * createServer: listeners, the set of sockets, broadcast, and the orderly end of all of it.
 * Must not know what a message means, nor how one connection's handlers are called.
 *
 * @module
 */
import { ByteWriter, HawserError, type Wire, WireEncoder } from "@hawser/protocol";
import { type Address, type AddressInput, type Connection, formatAddress, listen, type Listener, parseAddress, type Ticking, type TlsOptions, WireSocket } from "@hawser/transport";
import { Dispatcher, type ServerSocket, type WireHandlers } from "./handlers.ts";
import { type ResolvedServerOptions, resolveServerOptions, type ServerOptions } from "./options.ts";

/** What one `listen()` has of its own. */
export interface ListenCallOptions {
  readonly tls?: TlsOptions | undefined;
  readonly mode?: number | undefined;
}

/** How long a server takes to close. */
export interface CloseOptions {
  /** Milliseconds that the connections get to end by themselves before the server ends them. Default 0. */
  readonly graceMs?: number | undefined;
  /** Milliseconds after which what is still open is aborted, counted from the call. Default 10 000. */
  readonly deadlineMs?: number | undefined;
}

/** How a server's connections ended when it closed. */
export interface CloseResult {
  /** Connections that closed in order. */
  readonly drained: number;
  /** Connections that were aborted at the deadline. */
  readonly forced: number;
}

/** A server of one wire, on any number of addresses. */
export interface Server<In, Out = In> extends AsyncDisposable {
  /**
   * Listen on an address; may be called many times. Resolves with where it listens really, the port chosen for 0 filled in.
   *
   * @throws {TypeError} when the address can't be read, or `tls://` lacks a certificate
   * @throws {HawserError} ADDRESS_IN_USE, PERMISSION_DENIED, PATH_TOO_LONG, PATH_NOT_FOUND, …
   */
  listen(address: AddressInput, options?: ListenCallOptions): Promise<Address>;
  /** Serve a connection that was made elsewhere: one end of a `memoryPair()`, or a transport of one's own. */
  accept(connection: Connection): void;
  /** The first address that it listens on, or null. */
  address(): Address | null;
  /** Every address that it listens on. */
  addresses(): readonly Address[];
  /** The open sockets. */
  readonly sockets: ReadonlySet<ServerSocket<In, Out>>;
  /**
   * Send a message to every open socket, encoded once. Returns how many took it; a socket whose output is full is closed
   * as SLOW_CONSUMER, one that has ended is left out.
   *
   * @throws {HawserError} PAYLOAD_FORBIDDEN, PAYLOAD_IS_SENTINEL or PAYLOAD_TOO_LARGE: then nobody gets it
   */
  broadcast(message: Out): number;
  /** Stop listening, end the connections (each gets the sentinel), and abort what is left at the deadline. */
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
export function createServer<In, Out = In>(wire: Wire<In, Out>, handlers: WireHandlers<In, Out>, options: ServerOptions = {}): Server<In, Out> {
  return new WireServer(wire, handlers, resolveServerOptions(options));
}

class WireServer<In, Out> implements Server<In, Out>, Ticking {
  readonly #wire: Wire<In, Out>;
  readonly #handlers: WireHandlers<In, Out>;
  readonly #options: ResolvedServerOptions;
  readonly #listeners: Listener[] = [];
  readonly #sockets = new Set<WireSocket<In, Out>>();
  /** Called when the last socket is gone. */
  #emptied: (() => void) | null = null;
  #closing: Promise<CloseResult> | null = null;

  constructor(wire: Wire<In, Out>, handlers: WireHandlers<In, Out>, options: ResolvedServerOptions) {
    this.#wire = wire;
    this.#handlers = handlers;
    this.#options = options;
  }

  get sockets(): ReadonlySet<ServerSocket<In, Out>> {
    return this.#sockets;
  }

  async listen(input: AddressInput, options: ListenCallOptions = {}): Promise<Address> {
    const address = parseAddress(input);
    if (this.#closing !== null) throw new HawserError("CONNECTION_CLOSED", `Cannot listen on ${formatAddress(address)}: the server is closed`);
    const { handshakeTimeoutMs, backlog, mode, tls } = this.#options;
    const listener = await listen(
      address,
      { handshakeTimeoutMs, backlog, mode: options.mode ?? mode, tls: options.tls ?? tls },
      {
        accepted: (connection) => {
          this.accept(connection);
        },
        failed: (error) => {
          this.#report(error);
        },
      },
    );
    this.#listeners.push(listener);
    if (this.#isClosing()) await listener.close();
    return listener.address;
  }

  accept(connection: Connection): void {
    const { maxConnections, maxInFlight, connection: limits, ticker } = this.#options;
    if (this.#closing !== null || this.#sockets.size >= maxConnections) {
      refuse(connection);
      if (this.#closing === null) {
        this.#report(new HawserError("TOO_MANY_CONNECTIONS", `Cannot serve ${connection.remote}: maxConnections ${String(maxConnections)} are open already`));
      }
      return;
    }
    const dispatcher = new Dispatcher(this.#handlers, maxInFlight, this.#forget);
    const socket = new WireSocket(this.#wire, connection, { limits, ticker, onFull: "close" }, dispatcher);
    if (this.#sockets.size === 0) ticker.add(this);
    this.#sockets.add(socket);
    dispatcher.start(socket);
  }

  address(): Address | null {
    return this.#listeners[0]?.address ?? null;
  }

  addresses(): readonly Address[] {
    return this.#listeners.map((listener) => listener.address);
  }

  broadcast(message: Out): number {
    const output = new ByteWriter();
    new WireEncoder(this.#wire, this.#options.connection.frame).encode(message, output);
    const frame = output.copy();
    let taken = 0;
    for (const socket of this.#sockets) {
      if (socket.state !== "open") continue;
      socket.sendEncoded(frame);
      taken++;
    }
    return taken;
  }

  close(options: CloseOptions = {}): Promise<CloseResult> {
    return (this.#closing ??= this.#close(options.graceMs ?? 0, options.deadlineMs ?? 10_000));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined);
  }

  /** @see Ticking */
  tick(nowMs: number): void {
    for (const socket of this.#sockets) socket.tick(nowMs);
  }

  async #close(graceMs: number, deadlineMs: number): Promise<CloseResult> {
    const total = this.#sockets.size;
    await Promise.all(this.#listeners.map((listener) => listener.close()));
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

  readonly #forget = (socket: WireSocket<In, Out>): void => {
    this.#sockets.delete(socket);
    if (this.#sockets.size > 0) return;
    this.#options.ticker.delete(this);
    this.#emptied?.();
  };

  // A method, because the compiler takes the field to keep its value across an await.
  #isClosing(): boolean {
    return this.#closing !== null;
  }

  #report(error: HawserError): void {
    try {
      this.#handlers.error?.(error);
    } catch {
      // Documented at WireHandlers.error.
    }
  }
}

/** Close a connection that nobody will read. */
function refuse(connection: Connection): void {
  connection.open({ chunk: () => undefined, ended: () => undefined, written: () => undefined, gone: () => undefined });
  connection.abort();
}
