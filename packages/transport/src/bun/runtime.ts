/**
 * What is used of Bun's sockets, whose types the package does without, and whether they are there.
 * Declarations only: must not know connections.
 *
 * @module
 */

/** What is used of Bun, whose types the package does without. */
export interface BunRuntime {
  listen(options: BunListenOptions): BunListener;
}

/** As `Bun.listen` takes them. There is no backlog among them: Bun has its own, 512. */
export interface BunListenOptions {
  readonly hostname?: string | undefined;
  readonly port?: number | undefined;
  readonly unix?: string | undefined;
  readonly allowHalfOpen: boolean;
  /** What `data` of each socket begins as. */
  readonly data: unknown;
  readonly socket: BunHandlers;
}

/** A listening socket of Bun. */
export interface BunListener {
  /** Fills in the address and the port that it is bound to. */
  getsockname(bound: { address?: string; port?: number }): void;
  stop(): void;
}

/** A socket of Bun. */
export interface BunSocket {
  /** The owner of the socket. */
  data: unknown;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number;
  /**
   * Returns how many bytes the system took, which may be none; below 0 when it will never take any
   * more.
   */
  write(bytes: Uint8Array): number;
  /** Ends this direction; what was written still leaves. (`end()` closes both directions.) */
  shutdown(): void;
  pause(): void;
  resume(): void;
  /** Closes both directions; calls the handler `close` before it returns. */
  close(): void;
}

/** What Bun calls for each socket of a listener. */
export interface BunHandlers {
  open(socket: BunSocket): void;
  data(socket: BunSocket, chunk: Uint8Array): void;
  drain(socket: BunSocket): void;
  /**
   * The peer's end. Not called where both directions end at once, as when it comes after
   * `shutdown()`.
   */
  end(socket: BunSocket): void;
  /** Called once, last; with what broke it, if that is known. */
  close(socket: BunSocket, error?: unknown): void;
  /** Called with what one of the others has thrown. */
  error(socket: BunSocket, error: unknown): void;
}

/** Bun, or null on another runtime. */
export function findBun(): BunRuntime | null {
  // as Bun documents it
  const { Bun: found } = globalThis as { readonly Bun?: Partial<BunRuntime> };
  // with all that is asked of it
  return typeof found?.listen === "function" ? (found as BunRuntime) : null;
}
