/**
 * Sockets: TCP, TLS and IPC over node:net and node:tls, which Node, Deno and Bun all have. The only
 * file that imports them. Owns the life of one socket and of one listener. Must not know frames or
 * messages. What Bun accepts without TLS is bun/socket.ts's.
 *
 * Where the runtimes differ: a TLS peer that breaks off in the handshake is an error on Node and
 * Bun and a mere end on Deno, so the end of a handshake is an error here.
 *
 * @module
 */
import net from "node:net";
import process from "node:process";
import type tls from "node:tls";
import { HawserError, isHawserError } from "@hawser/protocol";
import { describeCaught } from "@hawser/protocol/engine";
import { type Address, formatAddress, formatPeer } from "../address.ts";
import { bunAnswers } from "../bun/probe.ts";
import { bunAcceptor } from "../bun/socket.ts";
import { afterPatience, afterReads, type Clock, laterTurn, systemClock } from "../clock.ts";
import type {
  Acceptor,
  Binding,
  Connection,
  ConnectionSink,
  Listener,
  ListenerSink,
} from "../connection.ts";
import { fromSystem, systemCode } from "../errno.ts";
import { claimPath, type OwnedPath } from "../ipc/claim.ts";
import { checkPath, checkPrivateDirectory, isFileless } from "../ipc/path.ts";
import { countRead, flushAtEndOfTurn, Output } from "../output.ts";
import { Handshakes } from "../tls/handshakes.ts";
import {
  type CertificateSource,
  type PeerCertificate,
  peerCertificate,
} from "../tls/peer-certificate.ts";
import { leftBytes, Pieces } from "../pieces.ts";
import {
  chooseNext,
  type DirectWrite,
  directWrite,
  isOwn,
  readStatically,
  stopReading,
} from "./static-read.ts";
import {
  checkClientCertificate,
  checkCredentials,
  pemList,
  type TlsOptions,
} from "../tls/credentials.ts";

/** Options of a connection that is made. */
export interface DialOptions {
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  readonly tls?: TlsOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Options of a listener. */
export interface ListenOptions {
  /** For the time of TLS handshakes. Default the machine's. */
  readonly clock?: Clock | undefined;
  readonly handshakeTimeoutMs: number;
  readonly tls?: TlsOptions | undefined;
  /** Mode of a socket file. */
  readonly mode: number;
  readonly backlog: number;
}

/**
 * Connect to an address.
 *
 * @throws {TypeError} when TLS options lack what they need
 * @throws {HawserError} CONNECT_REFUSED, CONNECT_TIMEOUT, HOST_NOT_FOUND, PATH_NOT_FOUND, TLS_…:
 *   see the error table
 * @throws the signal's reason, when it is aborted
 */
export async function dial(address: Address, options: DialOptions): Promise<Connection> {
  const action = `connect to ${formatAddress(address)}`;
  options.signal?.throwIfAborted();
  if (address.transport === "fd")
    throw new TypeError(`Cannot ${action}: a client connects to a host or a path`);
  if (address.transport === "ipc") {
    checkPath(address.path, action);
    if (address.pipe !== undefined) checkPrivateDirectory(address.path, action, false);
  }
  const socket = await connected(address, action, options);
  return new SocketConnection(
    socket,
    address.transport,
    address.transport === "ipc" ? formatAddress(address) : remoteOf(socket),
  );
}

type Dialled = Exclude<Address, { transport: "fd" }>;

/**
 * Milliseconds that the runtimes give each of a host's addresses before they try the next: their
 * own default.
 */
const ATTEMPT_MS = 250;

/**
 * Milliseconds within which a CONNECT_TIMEOUT is that of such attempts: a system's own takes far
 * longer.
 */
const HASTY_MS = 5_000;

/**
 * A socket that is connected. Of a host with several addresses, the runtimes give the first one up
 * after a moment, and have none left when the last refuses: then each gets all the time that is
 * left.
 */
async function connected(
  address: Dialled,
  action: string,
  options: DialOptions,
): Promise<net.Socket> {
  const { clock, connectTimeoutMs } = options;
  const begunMs = clock.now();
  const attempt = async (attemptMs: number, leftMs: number): Promise<net.Socket> => {
    const socket =
      address.transport === "tls"
        ? await dialTls(address, options, attemptMs)
        : dialPlain(address, attemptMs);
    await established(
      socket,
      address.transport === "tls" ? "secureConnect" : "connect",
      action,
      options,
      leftMs,
    );
    return socket;
  };
  try {
    return await attempt(ATTEMPT_MS, connectTimeoutMs);
  } catch (error) {
    const spentMs = clock.now() - begunMs;
    const leftMs = connectTimeoutMs - spentMs;
    const isHasty =
      isHawserError(error) &&
      error.code === "CONNECT_TIMEOUT" &&
      spentMs < HASTY_MS &&
      leftMs > ATTEMPT_MS;
    if (!isHasty || options.signal?.aborted === true) throw error;
    return attempt(Math.floor(Math.min(leftMs, NEVER_MS)), leftMs);
  }
}

/**
 * Listen on an address.
 *
 * @throws {TypeError} when TLS lacks a certificate or its key
 * @throws {HawserError} ADDRESS_IN_USE, PERMISSION_DENIED, PATH_TOO_LONG, …: see the error table
 */
export async function listen(
  address: Address,
  options: ListenOptions,
  sink: ListenerSink,
): Promise<Listener> {
  const action = `listen on ${formatAddress(address)}`;
  const isShared = await isClusterWorker();
  // Bun.listen knows nothing of the cluster's primary process, which binds for its workers.
  const acceptor =
    (isShared ? null : bunAcceptor(address, sink)) ?? (await nodeAcceptor(address, options, sink));
  try {
    if (address.transport === "ipc") checkPath(address.path, action);
    if (address.transport === "ipc" && !isFileless(address.path)) {
      if (address.pipe !== undefined) checkPrivateDirectory(address.path, action, true);
      const bind = async (path: string): Promise<void> => {
        await acceptor.bind({ path, backlog: options.backlog });
      };
      const { path } = address;
      return listener(
        acceptor,
        address,
        await claimPath({ path, mode: options.mode, action, isShared, bind, answers }),
      );
    }
    const bound = await acceptor.bind(bindingOf(address, options.backlog));
    if (bound === null || address.transport === "ipc") return listener(acceptor, address, null);
    return listener(
      acceptor,
      { transport: address.transport === "tls" ? "tls" : "tcp", ...bound },
      null,
    );
  } catch (error) {
    acceptor.close();
    throw fromSystem(error, "listen", action);
  }
}

// Half-open, so that a peer that has said everything still gets its answers; no delay, since each
// turn is one write already.
const SOCKET_OPTIONS = { allowHalfOpen: true, noDelay: true };

/** Milliseconds for which a connection is read whose peer takes nothing any more. */
const LAST_READ_MS = 1_000;

/** Bytes of a write that may have to be made in pieces. */
const LARGE_BYTES = 65_536;

/**
 * What connects a socket's events to its connection, with functions that all sockets share: an idle
 * connection is small.
 */
const owner: unique symbol = Symbol("connection");

type OwnedSocket = net.Socket & { [owner]?: SocketConnection };

class SocketConnection implements Connection {
  readonly transport: "ipc" | "tcp" | "tls";
  readonly remote: string;
  readonly output: Output;
  readonly #socket: net.Socket;
  #sink: ConnectionSink | null = null;
  #error: HawserError | null = null;
  /**
   * Writes that the system took at once, and whose callbacks are still to come: earlier ones than
   * those of other writes.
   */
  #taken = 0;
  /** Made for the first large write, where the runtime does not say how much of one has left. */
  #pieces: Pieces | null = null;
  /**
   * The socket's write below its stream, where the runtime is known: it calls back before it
   * returns when the system took all.
   */
  #write: DirectWrite | null = null;
  /** The call of `#write` that is under way; `"closed"`: the socket is gone, and there is none. */
  #call: "begun" | "closed" | "done" | null = null;

  constructor(socket: net.Socket, transport: "ipc" | "tcp" | "tls", remote: string) {
    this.#socket = socket;
    this.transport = transport;
    this.remote = remote;
    this.output = new Output(this);
    (socket as OwnedSocket)[owner] = this;
    socket.on("error", onError);
  }

  get pendingBytes(): number {
    return this.output.pendingBytes;
  }

  get progress(): number {
    return leftBytes(this.#socket) ?? this.#pieces?.left ?? 0;
  }

  certificate(): PeerCertificate | null {
    // then it is a TLSSocket
    return this.transport === "tls" ? peerCertificate(this.#socket as CertificateSource) : null;
  }

  open(sink: ConnectionSink): void {
    this.#sink = sink;
    const socket = this.#socket;
    if (this.transport === "tls" || !readStatically(socket, onRead)) socket.on("data", onData);
    else {
      this.#write = directWrite(socket);
      shedEnd(socket);
    }
    socket.on("end", onEnd).on("close", onClose);
    socket.resume();
  }

  schedule(): void {
    this.output.schedule();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  later(task: () => void): void {
    afterReads(task);
  }

  end(): void {
    this.output.flush();
    // Node 22 and 24 drop what a TLS peer sends when this side ends in the very turn of the
    // handshake.
    if (this.#pieces !== null) this.#pieces.whenWritten(() => void this.#socket.end());
    else if (this.transport === "tls") laterTurn(() => void this.#socket.end());
    else this.#socket.end();
  }

  abort(): void {
    this.output.drop();
    this.#socket.destroy();
  }

  /** For the output: hand bytes to the socket. */
  write(bytes: Uint8Array): boolean {
    // what came before the end may still be answered, to nobody
    if (this.#call === "closed") return true;
    // Made for each write, and not kept: an idle connection is small.
    const onWritten = (error?: Error | null): void => {
      this.#written(error);
    };
    const write = this.#write;
    if (this.#inPieces(bytes, onWritten)) return false;
    if (write === null) {
      this.#socket.write(bytes, onWritten);
      if (this.#socket.writableLength > 0) return false;
      this.#taken++;
      return true;
    }
    this.#call = "begun";
    write.call(this.#socket, bytes, "buffer", onWritten);
    return this.#endCall();
  }

  #inPieces(bytes: Uint8Array, done: (error?: Error | null) => void): boolean {
    if (this.#pieces === null && bytes.length < LARGE_BYTES) return false;
    const pieces = (this.#pieces ??= this.#newPieces());
    if (!pieces.takes(bytes.length)) return false;
    pieces.write(bytes, done);
    return true;
  }

  #newPieces(): Pieces {
    const socket = this.#socket;
    const write = this.#write;
    return new Pieces(socket, (bytes, done) => {
      if (write === null) socket.write(bytes, done);
      else write.call(socket, bytes, "buffer", done);
    });
  }

  /** True if the write that was begun is done: it called back before it returned. */
  #endCall(): boolean {
    const done = this.#call === "done";
    if (this.#call !== "closed") this.#call = null;
    return done;
  }

  #written(error: Error | null | undefined): void {
    if (error !== undefined && error !== null) {
      if (this.#write !== null) this.#writeFailed(error); // the stream destroys the socket itself
      return; // 'close' follows
    }
    // after abort(), what the callback is for has been dropped
    if (this.#socket.destroyed || this.#call === "closed") return;
    if (this.#call === "begun") {
      this.#call = "done"; // taken() follows
      return;
    }
    if (this.#taken > 0) this.#taken--;
    else this.output.written();
    this.#sink?.written();
  }

  /**
   * The peer takes nothing any more. What it said before is read first, since it may say why: to
   * the end of the stream, or for a second at most. Nothing more is written.
   */
  #writeFailed(error: Error): void {
    if (this.#error !== null) return;
    this.#error = fromSystem(error, "open", `go on with ${this.remote}`);
    this.#call = "closed";
    this.output.drop();
    const destroy = (): void => void this.#socket.destroy();
    if (this.#socket.readableEnded) {
      destroy(); // it has been read to its end
      return;
    }
    const cancel = systemClock.after(LAST_READ_MS, destroy);
    this.#socket.once("end", destroy).once("close", cancel);
  }

  /** For the output, as `write`: the stream tells it by its callback, in a later tick. */
  taken(): void {
    if (this.#write !== null) this.#sink?.written();
  }

  /** For the output, as `write`. */
  flushLater(output: Output): void {
    flushAtEndOfTurn(output);
  }

  /** For the socket's events, as the next three. */
  received(chunk: Uint8Array, stays: boolean): boolean {
    const keeps = this.#sink?.chunk(chunk, stays) ?? false;
    countRead(chunk.length);
    return keeps;
  }

  ended(): void {
    if (this.#error === null) this.#sink?.ended(); // Bun says so after an error too
  }

  failed(error: unknown): void {
    this.#error ??= fromSystem(error, "open", `go on with ${this.remote}`);
    // a TLS alert alone does not: the end would follow, and be taken for an orderly one
    this.#socket.destroy();
  }

  closed(): void {
    this.#call = "closed";
    stopReading(this.#socket);
    this.output.drop();
    this.#sink?.gone(this.#error);
  }
}

function onRead(this: OwnedSocket, count: number, bytes: Uint8Array): boolean {
  const stays = isOwn(bytes);
  const keeps = this[owner]?.received(bytes.subarray(0, count), stays) ?? false;
  if (keeps || stays) chooseNext(this, count, bytes, keeps);
  return true;
}

function onData(this: OwnedSocket, chunk: Uint8Array): void {
  this[owner]?.received(chunk, true); // a stream's chunks are their receiver's
}

function onEnd(this: OwnedSocket): void {
  this[owner]?.ended();
}

function onError(this: OwnedSocket, error: unknown): void {
  this[owner]?.failed(error);
}

function onClose(this: OwnedSocket): void {
  this[owner]?.closed();
}

function dialPlain(address: Dialled, attemptMs: number): net.Socket {
  const socket =
    address.transport === "ipc"
      ? net.connect({ ...SOCKET_OPTIONS, path: address.path })
      : net.connect({
          ...SOCKET_OPTIONS,
          host: address.host,
          port: address.port,
          autoSelectFamily: true,
          autoSelectFamilyAttemptTimeout: attemptMs,
        });
  // Deno would begin a read at once, and lose its bytes when open() gives the socket another
  // buffer.
  return socket.pause();
}

async function dialTls(
  address: Extract<Address, { host: string }>,
  { tls: own = {}, signal }: DialOptions,
  attemptMs: number,
): Promise<tls.TLSSocket> {
  const action = `connect to ${formatAddress(address)}`;
  const { connect } = await loadTls();
  await checkCredentials(own, action);
  signal?.throwIfAborted();
  const serverName = own.serverName ?? (net.isIP(address.host) === 0 ? address.host : undefined);
  // node:tls hands these to node:net, which its types do not say.
  const target = {
    ...SOCKET_OPTIONS,
    ...credentials(own),
    host: address.host,
    port: address.port,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: attemptMs,
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
  return withCredentials(action, () => connect(target));
}

/** Resolves at `event`; rejects with what came instead, and then the socket is destroyed. */
function established(
  socket: net.Socket,
  event: "connect" | "secureConnect",
  action: string,
  options: DialOptions,
  leftMs: number,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const fail = (error: unknown): void => {
    settle();
    reject(error); // a HawserError, or the reason that the signal's owner chose
    socket.destroy();
  };
  const onError = (error: unknown): void => {
    fail(fromSystem(error, "connect", action));
  };
  const onEnd = (): void => {
    // Without an alert nothing says why: a full server, or one that restarts, closes so, too.
    fail(
      new HawserError(
        "CONNECTION_RESET",
        `Cannot ${action}: the peer closed during the TLS handshake without a word; it may be ` +
          "full or restarting, or not speak TLS on this port",
      ),
    );
  };
  const onAbort = (): void => {
    fail(options.signal?.reason);
  };
  const onConnect = (): void => {
    settle();
    resolve(undefined);
  };
  const cancel =
    options.connectTimeoutMs === Infinity
      ? (): void => undefined
      : afterPatience(options.clock, leftMs, () => {
          const within = `within connectTimeoutMs ${String(options.connectTimeoutMs)}`;
          const why =
            event === "secureConnect" && !socket.connecting
              ? `the peer took the connection, but no TLS handshake was complete ${within}; see ` +
                "whether it speaks TLS on this port"
              : `no connection ${within}; check the address, and a firewall between`;
          fail(new HawserError("CONNECT_TIMEOUT", `Cannot ${action}: ${why}`));
        });
  const settle = (): void => {
    cancel();
    options.signal?.removeEventListener("abort", onAbort);
    socket.off(event, onConnect).off("end", onEnd).off("close", onEnd).off("error", onError);
    socket.on("error", () => undefined); // what comes after the outcome is nobody's
  };
  options.signal?.addEventListener("abort", onAbort, { once: true });
  socket.on(event, onConnect).on("end", onEnd).on("close", onEnd).on("error", onError);
  return promise;
}

function credentials(options: TlsOptions): tls.SecureContextOptions & { ALPNProtocols?: string[] } {
  const { cert, key, ca, passphrase, alpn } = options;
  return {
    ...(cert === undefined ? {} : { cert: pemList(cert) }),
    ...(key === undefined ? {} : { key: pemList(key) }),
    ...(ca === undefined ? {} : { ca: pemList(ca) }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
  };
}

/** What is not PEM is thrown in OpenSSL's words. */
function withCredentials<T>(action: string, use: () => T): T {
  try {
    return use();
  } catch (cause) {
    throw new TypeError(
      `Cannot ${action}: tls.cert, tls.key or tls.ca is not a PEM text that fits ` +
        `(${describeCaught(cause, 120)})`,
      { cause },
    );
  }
}

/**
 * Loaded when it is needed: it takes as much of the heap as all of Hawser, which the collector
 * looks through again and again.
 */
async function loadTls(): Promise<typeof tls> {
  return (await import("node:tls")).default;
}

async function tlsServer(
  address: Address,
  options: ListenOptions,
  sink: ListenerSink,
  accept: (socket: net.Socket) => void,
): Promise<tls.Server> {
  const own = options.tls ?? {};
  if (own.cert === undefined || own.key === undefined) {
    throw new TypeError(
      `Cannot listen on ${formatAddress(address)}: ` +
        `tls.${own.cert === undefined ? "cert" : "key"} is missing; give the server's ` +
        "certificate and its private key as PEM",
    );
  }
  checkClientCertificate(own, `listen on ${formatAddress(address)}`);
  const { createServer } = await loadTls();
  await checkCredentials(own, `listen on ${formatAddress(address)}`);
  const requestCert = own.ca !== undefined;
  const rejectUnauthorized = requestCert && own.clientCertificate !== "optional";
  const server = withCredentials(`listen on ${formatAddress(address)}`, () =>
    createServer(
      {
        ...SOCKET_OPTIONS,
        ...credentials(own),
        handshakeTimeout: NEVER_MS,
        requestCert,
        rejectUnauthorized,
      },
      (socket) => {
        handshakes.over(remoteOf(socket));
        accept(socket);
      },
    ),
  );
  const handshakes = new Handshakes(
    sink,
    options.clock ?? systemClock,
    options.handshakeTimeoutMs,
    remoteOf,
  );
  server.prependListener("connection", (socket: net.Socket) => {
    handshakes.begin(socket);
  });
  server.on("tlsClientError", (error, socket) => {
    if (handshakes.wasClosed(socket)) return;
    const remote = remoteOf(socket);
    sink.failed(
      fromSystem(
        handshakeError(error, socket),
        "connect",
        `finish the TLS handshake with ${remote}`,
      ),
      remote,
    );
    socket.destroy(); // after a handshake timeout it would stay open
  });
  return server;
}

/**
 * For the runtimes' own timer of TLS handshakes, which knows nothing of a process that stood still:
 * the longest that it takes.
 */
const NEVER_MS = 2 ** 31 - 1;

/**
 * A server's report of a client whose certificate is missing has another code than a client's; of
 * one that is not trusted, only the socket tells. Deno gives a timeout no code.
 */
function handshakeError(error: Error, socket: tls.TLSSocket): Error {
  // null, an Error or its code, by runtime and version
  const refusal: unknown = socket.authorizationError;
  if (typeof refusal === "string" && refusal !== "")
    return Object.assign(
      new Error(`the client's certificate is not trusted: ${refusal}`, { cause: error }),
      { code: refusal },
    );
  const code = systemCode(error);
  const known =
    code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE"
      ? "CERT_MISSING"
      : code === "" && error.message === "TLS handshake timeout"
        ? "ERR_TLS_HANDSHAKE_TIMEOUT"
        : null;
  return known === null
    ? error
    : Object.assign(new Error(error.message, { cause: error }), { code: known });
}

function acceptInto(sink: ListenerSink, address: Address): (socket: net.Socket) => void {
  let accepted = 0;
  const transport = address.transport === "fd" ? "tcp" : address.transport;
  return (socket) => {
    accepted++;
    const remote =
      transport === "ipc" ? `${formatAddress(address)}#${String(accepted)}` : remoteOf(socket);
    sink.accepted(new SocketConnection(socket, transport, remote));
  };
}

function remoteOf(socket: net.Socket): string {
  const { remoteAddress, remotePort = 0 } = socket;
  // What Node keeps of its answer costs more than the name itself; it would ask the system again.
  // Measured: bench/HISTORY.md.
  if ("_peername" in socket) socket._peername = null;
  return formatPeer(remoteAddress, remotePort);
}

/**
 * Take Node's own listener for 'end' off a half-open socket, where it does nothing: beside it ours
 * would need an array. Measured: bench/HISTORY.md.
 */
function shedEnd(socket: net.Socket): void {
  for (const idle of socket.listeners("end")) socket.off("end", idle);
}

function bindingOf(address: Address, backlog: number): Binding {
  switch (address.transport) {
    case "fd":
      return { fd: address.fd };
    case "ipc":
      return { path: address.path, backlog };
    default:
      // A name that means this machine is bound by its IPv4 address, so that what is printed is
      // what a peer can use.
      return {
        host: address.host === "localhost" ? "127.0.0.1" : address.host,
        port: address.port,
        backlog,
      };
  }
}

/** What listens by node:net or node:tls. */
async function nodeAcceptor(
  address: Address,
  options: ListenOptions,
  sink: ListenerSink,
): Promise<Acceptor> {
  const accept = acceptInto(sink, address);
  const server =
    address.transport === "tls"
      ? await tlsServer(address, options, sink, accept)
      : net.createServer(SOCKET_OPTIONS, accept);
  return {
    bind: async (binding) => {
      await bound(server, binding);
      // A failure to accept (no file descriptor left, say) must not end the program: the listener
      // goes on.
      server.on("error", (error) => {
        sink.failed(fromSystem(error, "listen", `accept on ${formatAddress(address)}`), "");
      });
      const real = server.address();
      return real === null || typeof real === "string"
        ? null
        : { host: real.address, port: real.port };
    },
    close: () => {
      server.close();
    },
  };
}

function bound(server: net.Server, binding: Binding): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const onError = (error: unknown): void => {
    reject(error); // as the system says it
  };
  server.once("error", onError);
  try {
    server.listen(binding, () => {
      server.off("error", onError);
      resolve(undefined);
    });
  } catch (error) {
    onError(error); // some runtimes throw where others emit
  }
  return promise;
}

function listener(acceptor: Acceptor, address: Address, owned: OwnedPath | null): Listener {
  let closing: Promise<void> | null = null;
  return {
    address,
    // Not the event 'close', which waits for the connections: those belong to whoever accepted
    // them.
    close: () =>
      (closing ??= new Promise((resolve) => {
        const stop = (): void => {
          acceptor.close();
        };
        if (owned === null) stop();
        else owned.close(stop);
        resolve();
      })),
  };
}

/** True in a worker of node:cluster. */
async function isClusterWorker(): Promise<boolean> {
  if (process.send === undefined) return false; // a worker has a channel to its primary process
  return (await import("node:cluster")).default.isWorker;
}

/** True unless a connection to the socket file is refused, or there is none. */
async function answers(path: string): Promise<boolean> {
  return (
    (await bunAnswers(path)) ??
    (await new Promise((resolve) => {
      const socket = net.connect({ path });
      const settle = (answer: boolean) => (): void => {
        resolve(answer);
        socket.destroy();
      };
      socket.on("connect", settle(true));
      socket.on("error", (error) => {
        // Anything but refused or vanished (a full accept queue, no permission, another type of
        // socket) is somebody.
        settle(!["ECONNREFUSED", "ENOENT"].includes(systemCode(error)))();
      });
    }))
  );
}
