/**
 * faultProxy(): stands between a client and a server and does to their bytes what networks do:
 * delay, trickle, cut, stall, end and reset. TCP and Unix sockets on either side. Owns the faults;
 * moves bytes with the same connections as everybody else. Never changes a byte.
 *
 * @module
 */
import { type Address, type AddressInput, parseAddress } from "../address.ts";
import { type Clock, systemClock } from "../clock.ts";
import type { Connection, Listener } from "../connection.ts";
import { dial, listen } from "../node/socket.ts";

/** Faults of one direction of each connection. They apply in the order given. */
export type Fault =
  /** Every chunk arrives `ms` late, more or less by up to `jitterMs`; the order stays. */
  | { readonly kind: "latency"; readonly ms: number; readonly jitterMs?: number }
  /** At most so many bytes a second. */
  | { readonly kind: "bandwidth"; readonly bytesPerSecond: number }
  /**
   * Chunks are cut into pieces of `bytes`, more or less by up to `variation`, each written by
   * itself, `delayMs` apart.
   */
  | {
      readonly kind: "slice";
      readonly bytes: number;
      readonly variation?: number;
      readonly delayMs?: number;
    }
  /** Nothing passes; after `ms` both sides are closed. Infinity never closes. */
  | { readonly kind: "timeout"; readonly ms: number }
  /** After `ms` the connection is aborted on both sides. */
  | { readonly kind: "reset"; readonly ms: number }
  /** The end of the stream is passed on `ms` late. */
  | { readonly kind: "slow-close"; readonly ms: number }
  /** After so many bytes of a connection both sides are closed. */
  | { readonly kind: "limit"; readonly bytes: number };

/** Faults by direction: `up` is what the client sends, `down` what the server sends. */
export interface Faults {
  readonly up?: readonly Fault[];
  readonly down?: readonly Fault[];
}

/** Options of {@link faultProxy}. */
export interface FaultProxyOptions {
  /** Where clients connect. Default a free TCP port of the loopback. */
  readonly listen?: AddressInput;
  /** Faults from the start. */
  readonly faults?: Faults;
  /** Default the machine's clock. */
  readonly clock?: Clock;
  /**
   * Numbers from 0 to 1 for jitter and variation; a test passes its seeded source. Default always
   * 0.5: no variation.
   */
  readonly random?: () => number;
}

/** A running proxy. */
export interface FaultProxy extends AsyncDisposable {
  /** The address that clients connect to. */
  readonly address: Address;
  /** Number of connections that pass through now. */
  readonly links: number;
  /** Apply other faults from the next chunk on, to connections that are open too. */
  setFaults(faults: Faults): void;
  /** Abort every connection that passes through now, on both sides. */
  cut(): void;
  /** Stop listening and abort what is open. */
  close(): Promise<void>;
}

/**
 * Start a proxy to `upstream`.
 *
 * @throws {TypeError} when an address can't be read
 * @throws {HawserError} when it can't listen
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { connect } from "@hawser/client";
 * import { lines, text, wire } from "@hawser/protocol";
 * import { createServer } from "@hawser/server";
 * import { faultProxy } from "@hawser/transport/testing";
 *
 * const echo = wire({ framing: lines(), codec: text(), sentinel: "exit" });
 * const server = createServer(echo, { message: (message, socket) => void socket.send(message) });
 * const upstream = await server.listen("tcp://localhost:0");
 * const proxy = await faultProxy(upstream, { faults: { up: [{ kind: "slice", bytes: 1 }] } });
 * const socket = await connect(echo, proxy.address);
 * socket.send("cut into single bytes");
 * for await (const message of socket) {
 *   assert.equal(message, "cut into single bytes");
 *   socket.end();
 * }
 * await proxy.close();
 * await server.close();
 * ```
 */
export async function faultProxy(
  upstream: AddressInput,
  options: FaultProxyOptions = {},
): Promise<FaultProxy> {
  const proxy = new LoopbackProxy(parseAddress(upstream), options);
  await proxy.listen(parseAddress(options.listen ?? { host: "127.0.0.1", port: 0 }));
  return proxy;
}

interface Setting {
  faults: Faults;
  readonly clock: Clock;
  readonly random: () => number;
}

class LoopbackProxy implements FaultProxy {
  readonly #upstream: Address;
  readonly #setting: Setting;
  readonly #links = new Set<Link>();
  #listener: Listener | null = null;

  constructor(upstream: Address, options: FaultProxyOptions) {
    this.#upstream = upstream;
    this.#setting = {
      faults: options.faults ?? {},
      clock: options.clock ?? systemClock,
      random: options.random ?? ((): number => 0.5),
    };
  }

  async listen(address: Address): Promise<void> {
    this.#listener = await listen(
      address,
      { handshakeTimeoutMs: 5_000, mode: 0o600, backlog: 1_024 },
      {
        accepted: (client) => {
          const link = new Link(client, this.#setting, () => void this.#links.delete(link));
          this.#links.add(link);
          dial(this.#upstream, { clock: this.#setting.clock, connectTimeoutMs: 10_000 }).then(
            (server) => {
              link.join(server);
            },
            () => {
              link.abort();
            },
          );
        },
        failed: () => undefined, // the client is told by its own error
      },
    );
  }

  get address(): Address {
    if (this.#listener === null) throw new TypeError("Cannot tell the address before listen()");
    return this.#listener.address;
  }

  get links(): number {
    return this.#links.size;
  }

  setFaults(faults: Faults): void {
    this.#setting.faults = faults;
  }

  cut(): void {
    for (const link of this.#links) link.abort();
  }

  async close(): Promise<void> {
    await this.#listener?.close();
    this.cut();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** One client and its connection to the server. */
class Link {
  readonly #client: Connection;
  readonly #setting: Setting;
  readonly #onClosed: () => void;
  readonly #up: Direction;
  readonly #down: Direction;
  #server: Connection | null = null;
  #state: "closed" | "open" = "open";

  constructor(client: Connection, setting: Setting, onClosed: () => void) {
    this.#client = client;
    this.#setting = setting;
    this.#onClosed = onClosed;
    const abort = (): void => {
      this.abort();
    };
    this.#up = new Direction(setting, "up", abort);
    this.#down = new Direction(setting, "down", abort);
    this.#connect(client, this.#up, this.#down);
  }

  join(server: Connection): void {
    if (this.#isClosed()) {
      server.abort();
      return;
    }
    this.#server = server;
    this.#connect(server, this.#down, this.#up);
    this.#up.to(server, this.#client);
    this.#down.to(this.#client, server);
    for (const direction of ["up", "down"] as const) {
      for (const fault of this.#setting.faults[direction] ?? []) {
        if (fault.kind === "reset" || (fault.kind === "timeout" && fault.ms !== Infinity)) {
          this.#setting.clock.after(fault.ms, () => {
            this.abort();
          });
        }
      }
    }
  }

  abort(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#up.stop();
    this.#down.stop();
    this.#client.abort();
    this.#server?.abort();
    this.#onClosed();
  }

  #isClosed(): boolean {
    return this.#state === "closed";
  }

  #connect(connection: Connection, out: Direction, back: Direction): void {
    connection.open({
      chunk: (bytes) => {
        out.chunk(bytes);
      },
      ended: () => {
        out.ended();
      },
      written: () => {
        back.written();
      },
      gone: (error) => {
        if (error !== null || (this.#up.done && this.#down.done)) this.abort();
      },
    });
  }
}

/** Bytes on their way in one direction: in order, each with the time at which it may arrive. */
class Direction {
  readonly #setting: Setting;
  readonly #name: "down" | "up";
  readonly #abort: () => void;
  readonly #queue: { readonly bytes: Uint8Array | null; readonly dueMs: number }[] = [];
  #to: Connection | null = null;
  #from: Connection | null = null;
  #lastDueMs = 0;
  #passed = 0;
  #cancel: (() => void) | null = null;
  #paused = false;
  #limited = false;
  /** True if the end of the stream has been passed on. */
  done = false;

  constructor(setting: Setting, name: "down" | "up", abort: () => void) {
    this.#setting = setting;
    this.#name = name;
    this.#abort = abort;
  }

  to(to: Connection, from: Connection): void {
    this.#to = to;
    this.#from = from;
    this.#move();
  }

  chunk(bytes: Uint8Array): void {
    let pieces: Uint8Array[] = [new Uint8Array(bytes)];
    let delayMs = 0;
    let apartMs = 0;
    for (const fault of this.#faults()) {
      if (fault.kind === "latency")
        delayMs += Math.max(0, fault.ms + this.#vary(fault.jitterMs ?? 0));
      if (fault.kind === "bandwidth")
        apartMs += (bytes.length * 1000) / fault.bytesPerSecond / pieces.length;
      if (fault.kind === "slice") {
        pieces = pieces.flatMap((piece) => this.#slice(piece, fault.bytes, fault.variation ?? 0));
        apartMs = apartMs / pieces.length + (fault.delayMs ?? 0);
      }
    }
    const arrivedMs = this.#setting.clock.now() + delayMs;
    for (const piece of pieces) this.#put(piece, Math.max(arrivedMs, this.#lastDueMs) + apartMs);
    this.#move();
  }

  ended(): void {
    const late = this.#faults().reduce(
      (sum, fault) => sum + (fault.kind === "slow-close" ? fault.ms : 0),
      0,
    );
    this.#put(null, Math.max(this.#setting.clock.now(), this.#lastDueMs) + late);
    this.#move();
  }

  written(): void {
    if (this.#limited && this.#to !== null) this.#abortWhenWritten(this.#to);
    if (this.#paused && this.#to !== null && this.#to.pendingBytes < PIPE_BYTES) {
      this.#paused = false;
      this.#from?.resume();
    }
    this.#move();
  }

  stop(): void {
    this.#cancel?.();
    this.#queue.length = 0;
    this.#to = null;
  }

  #faults(): readonly Fault[] {
    return this.#setting.faults[this.#name] ?? [];
  }

  #put(bytes: Uint8Array | null, dueMs: number): void {
    this.#queue.push({ bytes, dueMs });
    this.#lastDueMs = dueMs;
  }

  /** Pass on what is due, one write at a time; come back when the next is. */
  #move(): void {
    const to = this.#to;
    if (
      to === null ||
      this.#limited ||
      this.#cancel !== null ||
      this.#faults().some((fault) => fault.kind === "timeout")
    )
      return;
    const sliced = this.#faults().some((fault) => fault.kind === "slice");
    for (
      let first = this.#queue[0];
      first !== undefined && this.#to !== null;
      first = this.#queue[0]
    ) {
      const waitMs = first.dueMs - this.#setting.clock.now();
      if (waitMs > 0) {
        this.#later(waitMs);
        return;
      }
      // One write for each slice: the next leaves when the operating system has this one.
      if (sliced && to.pendingBytes > 0) return;
      this.#queue.shift();
      this.#pass(first.bytes, to);
    }
  }

  #pass(bytes: Uint8Array | null, to: Connection): void {
    if (bytes === null) {
      this.done = true;
      to.end();
      return;
    }
    const limit = this.#faults().reduce(
      (least, fault) => (fault.kind === "limit" ? Math.min(least, fault.bytes) : least),
      Infinity,
    );
    const count = Math.min(bytes.length, limit - this.#passed);
    this.#passed += count;
    to.output.append(bytes, 0, Math.max(count, 0));
    to.schedule();
    if (count < bytes.length) {
      this.#limited = true;
      to.end();
      this.#abortWhenWritten(to);
    } else if (to.pendingBytes > PIPE_BYTES && !this.#paused) {
      this.#paused = true;
      this.#from?.pause();
    }
  }

  /** What was let through before the limit still arrives. */
  #abortWhenWritten(to: Connection): void {
    if (to.pendingBytes === 0) this.#setting.clock.after(0, this.#abort);
  }

  #later(waitMs: number): void {
    this.#cancel = this.#setting.clock.after(waitMs, () => {
      this.#cancel = null;
      this.#move();
    });
  }

  #slice(bytes: Uint8Array, size: number, variation: number): Uint8Array[] {
    const slices: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const end = at + Math.max(1, Math.round(size + this.#vary(variation)));
      slices.push(bytes.subarray(at, end));
      at = end;
    }
    return slices;
  }

  #vary(amount: number): number {
    return (this.#setting.random() * 2 - 1) * amount;
  }
}

/** Bytes that a direction holds before it stops reading. */
const PIPE_BYTES = 1_048_576;
