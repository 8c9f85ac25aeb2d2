/**
 * A pair of connections in memory, with a socket's behaviour: chunks of at most a window's size,
 * back-pressure, half-close, delivery in a later turn. For tests, and for two ends in one process.
 *
 * @module
 */
import { HawserError } from "@hawser/protocol";
import { checkOptions } from "@hawser/protocol/engine";
import { laterTurn } from "./clock.ts";
import type { Connection, ConnectionSink } from "./connection.ts";
import { Output } from "./output.ts";

/** Options of {@link memoryPair}. */
export interface MemoryPairOptions {
  /**
   * Bytes that a direction holds until its reader takes them, as a kernel's socket buffers do.
   * Default 65 536.
   */
  readonly windowBytes?: number;
  /**
   * Runs a task in a later turn. Default a later turn of the event loop; a test may run them as it
   * likes, in order.
   */
  readonly schedule?: (task: () => void) => void;
}

/**
 * Two connections, each the other's peer.
 *
 * @throws {TypeError} when there is another option
 * @throws {RangeError} when the window is not a whole number of at least one byte
 */
export function memoryPair(options: MemoryPairOptions = {}): [Connection, Connection] {
  checkOptions("memoryPair()", options, ["windowBytes", "schedule"]);
  const { windowBytes = 65_536, schedule = laterTurn } = options;
  if (!Number.isSafeInteger(windowBytes) || windowBytes < 1) {
    throw new RangeError(
      `Cannot use windowBytes ${String(windowBytes)}: it is a whole number of bytes, at least 1`,
    );
  }
  const one = new MemoryConnection("memory:1", windowBytes, schedule);
  const two = new MemoryConnection("memory:0", windowBytes, schedule);
  one.join(two);
  two.join(one);
  return [one, two];
}

class MemoryConnection implements Connection {
  readonly transport = "memory";
  readonly remote: string;
  readonly #windowBytes: number;
  readonly #schedule: (task: () => void) => void;
  readonly output: Output = new Output(this);
  /**
   * Writes that the window had no room for, oldest first; `#unsentFrom` bytes of the first are in
   * the window already.
   */
  readonly #unsent: Uint8Array[] = [];
  #unsentFrom = 0;
  /** Bytes that the peer's window has taken. */
  #moved = 0;
  /** What the peer wrote and this end has not read. */
  readonly #window: Uint8Array[] = [];
  #windowUsed = 0;
  #peer: MemoryConnection | null = null;
  #sink: ConnectionSink | null = null;
  #reading: "ended" | "flowing" | "paused" = "flowing";
  #writing: "ended" | "ending" | "open" = "open";
  #peerEnded = false;
  #state: "closed" | "open" = "open";
  #awake = false;

  constructor(remote: string, windowBytes: number, schedule: (task: () => void) => void) {
    this.remote = remote;
    this.#windowBytes = windowBytes;
    this.#schedule = schedule;
  }

  join(peer: MemoryConnection): void {
    this.#peer = peer;
  }

  get pendingBytes(): number {
    return this.output.pendingBytes;
  }

  get progress(): number {
    return this.#moved;
  }

  open(sink: ConnectionSink): void {
    this.#sink = sink;
    this.#wake();
  }

  schedule(): void {
    if (this.#writing === "open") this.output.schedule();
  }

  pause(): void {
    if (this.#reading === "flowing") this.#reading = "paused";
  }

  resume(): void {
    if (this.#reading !== "paused") return;
    this.#reading = "flowing";
    this.#wake();
  }

  end(): void {
    if (this.#writing !== "open" || this.#state === "closed") return;
    this.output.flush();
    this.#writing = "ending";
    this.#wake();
  }

  abort(): void {
    const peer = this.#peer;
    this.#close(null);
    peer?.later(() => {
      peer.#close(new HawserError("CONNECTION_RESET", "The peer aborted the connection in memory"));
    });
  }

  /** For the output: hand bytes to the pipe. */
  write(bytes: Uint8Array): boolean {
    this.#unsent.push(bytes);
    this.#wake();
    return false;
  }

  /** For the output: no write says true. */
  taken(): void {
    // The peer takes bytes in a later turn.
  }

  /** For the output, as `write`. */
  flushLater(output: Output): void {
    this.#schedule(() => {
      output.flushDue();
    });
  }

  /** @see Connection */
  later(task: () => void): void {
    this.#schedule(task);
  }

  /** Move bytes in a later turn, once for however many reasons. */
  #wake(): void {
    if (this.#awake) return;
    this.#awake = true;
    this.#schedule(() => {
      this.#awake = false;
      this.#move();
    });
  }

  #move(): void {
    if (this.#state === "closed") return;
    this.#fillPeer();
    this.#read();
    if (this.#writing === "ended" && this.#reading === "ended") this.#close(null);
  }

  #fillPeer(): void {
    const peer = this.#peer;
    if (peer === null || this.#writing === "ended") return;
    let moved = false;
    for (let first = this.#unsent[0]; first !== undefined; first = this.#unsent[0]) {
      const room = this.#windowBytes - peer.#windowUsed;
      const count = Math.min(room, first.length - this.#unsentFrom);
      if (count <= 0) break;
      // A copy, as the kernel makes one: the storage goes back to the pool.
      peer.#window.push(
        Uint8Array.prototype.slice.call(first, this.#unsentFrom, this.#unsentFrom + count),
      );
      peer.#windowUsed += count;
      this.#unsentFrom += count;
      this.#moved += count;
      moved = true;
      if (this.#unsentFrom < first.length) break;
      this.#unsent.shift();
      this.#unsentFrom = 0;
      this.output.written();
      this.#sink?.written();
    }
    if (this.#writing === "ending" && this.#unsent.length === 0) {
      this.#writing = "ended";
      peer.#peerEnded = true;
      moved = true;
    }
    if (moved) peer.#wake();
  }

  #read(): void {
    const sink = this.#sink;
    if (sink === null) return;
    while (this.#isReading()) {
      const chunk = this.#window.shift();
      if (chunk === undefined) break;
      this.#windowUsed -= chunk.length;
      if (this.#peer !== null) this.#peer.#wake();
      sink.chunk(chunk, true);
    }
    if (this.#isReading() && this.#window.length === 0 && this.#peerEnded) {
      this.#reading = "ended";
      sink.ended();
    }
  }

  // A method, because the sink's callbacks change what the compiler takes for constant.
  #isReading(): boolean {
    return this.#state === "open" && this.#reading === "flowing";
  }

  #close(error: HawserError | null): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.output.drop();
    this.#unsent.length = 0;
    this.#window.length = 0;
    const sink = this.#sink;
    this.#schedule(() => {
      sink?.gone(error);
    });
  }
}
