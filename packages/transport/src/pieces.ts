/**
 * Which bytes of a large write have left: read from the socket where the runtime says it (Node),
 * and otherwise known by writing it in pieces, one after the other. It tells a peer that reads
 * slowly and steadily from one that reads nothing. Must not know connections.
 *
 * @module
 */
/**
 * Bytes of a piece. With what a Unix socket holds besides (some 200 KB), a peer that reads 35 KB/s
 * is seen to within the default `stallMs`.
 */
const PIECE_BYTES = 131_072;

/**
 * Bytes that a socket has given to the operating system; null where the runtime does not say.
 * Private: `_handle` of Node's sockets, with what libuv was given and what it still has.
 */
export function leftBytes(socket: object): number | null {
  const handle: unknown = "_handle" in socket ? socket._handle : null;
  if (
    typeof handle !== "object" ||
    handle === null ||
    !("writeQueueSize" in handle) ||
    !("bytesWritten" in handle)
  )
    return null;
  const { writeQueueSize, bytesWritten } = handle;
  return typeof writeQueueSize === "number" && typeof bytesWritten === "number"
    ? bytesWritten - writeQueueSize
    : null;
}

interface Write {
  readonly bytes: Uint8Array;
  readonly done: (error?: Error | null) => void;
}

/**
 * Writes below or by a stream; `done` is called when the system has the bytes, or with an error
 * when it can't.
 */
export type PieceWrite = (bytes: Uint8Array, done: (error?: Error | null) => void) => void;

/** The writes of one socket that are made in pieces, and those behind them. */
export class Pieces {
  /** Pieces that have left. */
  left = 0;
  readonly #socket: object;
  readonly #write: PieceWrite;
  #writes: Write[] = [];
  #at = 0;
  #ended: (() => void) | null = null;

  constructor(socket: object, write: PieceWrite) {
    this.#socket = socket;
    this.#write = write;
  }

  /** True if a write of so many bytes belongs here. */
  takes(bytes: number): boolean {
    return this.#writes.length > 0 || (bytes > PIECE_BYTES && leftBytes(this.#socket) === null);
  }

  /** Writes behind all other writes of the socket; `done` is not called from within. */
  write(bytes: Uint8Array, done: Write["done"]): void {
    const later: Write["done"] = (error) => {
      queueMicrotask(() => {
        done(error);
      });
    };
    if (this.#writes.push({ bytes, done: later }) === 1) this.#next();
  }

  /** Call `run` when everything is given to the socket. */
  whenWritten(run: () => void): void {
    if (this.#writes.length === 0) run();
    else this.#ended = run;
  }

  #next(): void {
    const [write] = this.#writes;
    if (write === undefined) {
      this.#ended?.();
      this.#ended = null;
      return;
    }
    const { bytes, done } = write;
    const to = Math.min(this.#at + PIECE_BYTES, bytes.length);
    const isLast = to === bytes.length;
    const piece = bytes.subarray(this.#at, to);
    this.#at = isLast ? 0 : to;
    this.#write(piece, (error) => {
      this.left++;
      if (error !== undefined && error !== null) {
        this.#writes = [];
        done(error);
        return;
      }
      if (isLast) {
        this.#writes.shift();
        done();
      }
      this.#next();
    });
  }
}
