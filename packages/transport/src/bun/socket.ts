/**
 * Sockets that Bun accepts, TCP and IPC without TLS, by `Bun.listen`: below its node:net, whose
 * streams cost a server of small messages a third of its time. Measured: bench/HISTORY.md. Owns the
 * life of one accepted socket and of what accepts it. Must not know frames or messages, TLS, where
 * a socket file lies, nor the other runtimes: there {@link bunAcceptor} is null.
 *
 * What connects stays on node:net: an attempt of `Bun.connect` can't be given up, neither by a
 * signal nor by a timeout, keeps the process alive meanwhile, and says ECONNREFUSED in the end,
 * also where nobody answered.
 *
 * @module
 */
import type { HawserError } from "@hawser/protocol";
import { type Address, formatAddress, formatPeer } from "../address.ts";
import {
  type BunHandlers,
  type BunListener,
  type BunRuntime,
  type BunSocket,
  findBun,
} from "./runtime.ts";
import { afterReads, laterTurn } from "../clock.ts";
import type { Acceptor, Binding, Connection, ConnectionSink, ListenerSink } from "../connection.ts";
import { fromSystem } from "../errno.ts";
import { isFileless } from "../ipc/path.ts";
import { countRead, flushAtEndOfTurn, Output } from "../output.ts";

/**
 * What listens on `address` by Bun's own sockets.
 *
 * Null where the runtime is not Bun, for TLS, for a file descriptor, and for the pipes of Windows.
 */
export function bunAcceptor(
  address: Address,
  sink: ListenerSink,
  runtime: BunRuntime | null = findBun(),
): Acceptor | null {
  if (runtime === null || address.transport === "fd" || address.transport === "tls") return null;
  if (address.transport === "ipc" && isFileless(address.path) && !address.path.startsWith("\0"))
    return null;
  return new BunAcceptor(runtime, address, sink);
}

class BunAcceptor implements Acceptor {
  readonly #runtime: BunRuntime;
  readonly #address: Address;
  readonly #sink: ListenerSink;
  #listener: BunListener | null = null;
  #accepted = 0;

  constructor(runtime: BunRuntime, address: Address, sink: ListenerSink) {
    this.#runtime = runtime;
    this.#address = address;
    this.#sink = sink;
  }

  bind(binding: Binding): Promise<{ host: string; port: number } | null> {
    // In a promise, since Bun throws what others emit.
    return new Promise((resolve) => {
      const { host: hostname, port, path: unix } = binding;
      const options = {
        ...(unix === undefined ? { hostname, port } : { unix }),
        allowHalfOpen: true,
        data: this,
        socket: handlers,
      };
      this.#listener = this.#runtime.listen(options);
      const bound: { address?: string; port?: number } = {};
      if (unix === undefined) this.#listener.getsockname(bound);
      resolve(
        bound.address === undefined || bound.port === undefined
          ? null
          : { host: bound.address, port: bound.port },
      );
    });
  }

  close(): void {
    this.#listener?.stop();
  }

  /** For the handlers. */
  accept(socket: BunSocket): void {
    this.#accepted++;
    const isIpc = this.#address.transport === "ipc";
    const remote = isIpc
      ? `${formatAddress(this.#address)}#${String(this.#accepted)}`
      : formatPeer(socket.remoteAddress, socket.remotePort);
    const connection = new BunConnection(socket, isIpc ? "ipc" : "tcp", remote);
    socket.data = connection;
    this.#sink.accepted(connection);
    connection.keepUntilOpen();
  }
}

class BunConnection implements Connection {
  readonly transport: "ipc" | "tcp";
  readonly remote: string;
  readonly output: Output;
  readonly #socket: BunSocket;
  #sink: ConnectionSink | null = null;
  #error: HawserError | null = null;
  /**
   * What this end does: it may write; it ends when all is written; it has ended; the socket is
   * closed, or about to be.
   */
  #state: "closed" | "ended" | "ending" | "open" = "open";
  /** True if the peer's end has been told. */
  #heardEnd = false;
  /**
   * Writes that the system has not taken, of the first what is left of it. Null when there are
   * none: an idle connection is small.
   */
  #unwritten: Uint8Array[] | null = null;
  /** Bytes that the system has taken of writes that it did not take whole. */
  #taken = 0;
  /**
   * What the sink has not been given of a large chunk, because it paused meanwhile. Null when there
   * is none.
   */
  #unread: Uint8Array | null = null;
  #isPaused = false;
  /** What the sink is told once it has everything; null: nothing. */
  #behind: (() => void) | null = null;

  constructor(socket: BunSocket, transport: "ipc" | "tcp", remote: string) {
    this.#socket = socket;
    this.transport = transport;
    this.remote = remote;
    this.output = new Output(this);
  }

  get pendingBytes(): number {
    return this.output.pendingBytes;
  }

  get progress(): number {
    return this.#taken;
  }

  open(sink: ConnectionSink): void {
    this.#sink = sink;
    this.#socket.resume();
  }

  /** For the acceptor: until it is opened, what comes stays with the system. */
  keepUntilOpen(): void {
    if (this.#sink === null) this.#socket.pause();
  }

  schedule(): void {
    this.output.schedule();
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#unread === null) {
      this.#socket.resume();
      return;
    }
    afterReads(() => {
      this.#read();
      if (this.#unread === null && !this.#isPaused) this.#socket.resume();
    });
  }

  later(task: () => void): void {
    afterReads(task);
  }

  end(): void {
    this.output.flush();
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.#endWhenWritten();
  }

  abort(): void {
    this.#unwritten = null;
    this.#unread = null;
    this.output.drop();
    this.#close();
  }

  /** For the output: hand bytes to the system. */
  write(bytes: Uint8Array): boolean {
    // what came before the end may still be answered, to nobody
    if (this.#state === "closed") return true;
    if (this.#unwritten !== null) {
      this.#unwritten.push(bytes); // behind what waits
      return false;
    }
    const taken = this.#take(bytes);
    if (taken === bytes.length) return true;
    this.#unwritten = [bytes.subarray(taken)];
    return false;
  }

  /** For the output, as `write`. */
  taken(): void {
    this.#sink?.written();
  }

  /** For the output, as `write`. */
  flushLater(output: Output): void {
    flushAtEndOfTurn(output);
  }

  /** For the handlers, as the next three. */
  received(chunk: Uint8Array): void {
    countRead(chunk.length);
    if (chunk.length <= MOST_AT_ONCE && this.#unread === null) {
      this.#sink?.chunk(chunk, true); // Bun makes each of its own storage
      return;
    }
    // it is paused in the second case, when none should come
    this.#unread = this.#unread === null ? chunk : joined(this.#unread, chunk);
    this.#read();
  }

  /** Gives the sink what it has not been given, until it pauses; then what followed it. */
  #read(): void {
    while (this.#unread !== null && !this.#isPaused) {
      const part = this.#unread.subarray(0, MOST_AT_ONCE);
      this.#unread =
        part.length === this.#unread.length ? null : this.#unread.subarray(part.length);
      this.#sink?.chunk(part, true);
    }
    if (this.#unread !== null) return;
    const behind = this.#behind;
    this.#behind = null;
    behind?.();
  }

  /** Tells the sink something once it has everything that came before. */
  #tellBehind(tell: () => void): void {
    if (this.#unread === null) {
      tell();
      return;
    }
    const before = this.#behind;
    this.#behind = () => {
      before?.();
      tell();
    };
  }

  /** There may be room for more; Bun says so at other times, too. */
  drained(): void {
    const waiting = this.#unwritten;
    if (waiting === null) return;
    let done = 0;
    for (const bytes of waiting) {
      const taken = this.#take(bytes);
      this.#taken += taken;
      if (taken < bytes.length) {
        waiting[done] = bytes.subarray(taken);
        break;
      }
      done++;
    }
    if (done === waiting.length) this.#unwritten = null;
    else waiting.splice(0, done);
    for (let i = 0; i < done; i++) this.output.written();
    this.#endWhenWritten();
    if (done > 0) this.#sink?.written();
  }

  ended(): void {
    if (this.#heardEnd || this.#error !== null) return;
    this.#heardEnd = true;
    this.#tellBehind(() => this.#sink?.ended());
  }

  closed(error: unknown): void {
    if (this.#state === "closed") {
      // Closed by this end, which is still at it.
      queueMicrotask(() => {
        this.#gone();
      });
      return;
    }
    // Without an error Bun closes also what a peer has left while something waited for it.
    if (error !== undefined && error !== null) this.#fail(error);
    else if (this.pendingBytes > 0) this.#fail(BROKEN_PIPE);
    const wasEnded = this.#state === "ended";
    this.#state = "closed";
    // the peer's end is the answer to this one's: Bun says only that it closes
    if (wasEnded) this.ended();
    this.#gone();
  }

  #gone(): void {
    this.#unwritten = null;
    this.output.drop();
    // as on the other runtimes, where a reset drops what was not read
    if (this.#error !== null) this.#unread = this.#behind = null;
    this.#tellBehind(() => this.#sink?.gone(this.#error));
  }

  /** Number of the bytes that the system takes. */
  #take(bytes: Uint8Array): number {
    if (this.#error !== null || this.#state === "closed") return 0;
    const taken = this.#socket.write(bytes);
    if (taken >= 0) return taken;
    this.#fail(BROKEN_PIPE);
    // Not at once: what the peer said before is read in this turn, if it is read at all, and the
    // end of both directions with it.
    laterTurn(() => {
      this.#close();
    });
    return 0;
  }

  #fail(error: unknown): void {
    this.#error ??= fromSystem(error, "open", `go on with ${this.remote}`);
  }

  #endWhenWritten(): void {
    if (this.#state !== "ending" || this.#unwritten !== null) return;
    this.#state = "ended";
    this.#socket.shutdown();
  }

  #close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#socket.close();
  }
}

/**
 * Bytes of a chunk that the sink is given at once; Bun's have up to 512 KiB. A sink that pauses has
 * the rest of what it was given cut into messages all the same: of 512 KiB of empty lines that took
 * 100 ms.
 */
const MOST_AT_ONCE = 65_536;

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

/** What systems say of a write to a peer that is gone. */
const BROKEN_PIPE = Object.freeze({ code: "EPIPE" });

/**
 * Shared by all sockets: `data` of each says whose it is, the acceptor's first, then its
 * connection's.
 */
const handlers: BunHandlers = {
  open(socket) {
    (socket.data as BunAcceptor).accept(socket);
  },
  data(socket, chunk) {
    (socket.data as BunConnection).received(chunk);
  },
  drain(socket) {
    (socket.data as BunConnection).drained();
  },
  end(socket) {
    (socket.data as BunConnection).ended();
  },
  close(socket, error) {
    (socket.data as BunConnection).closed(error);
  },
  error(_, error) {
    throw error; // it is the program's, as on the other runtimes
  },
};
