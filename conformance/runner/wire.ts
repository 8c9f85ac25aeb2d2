// One connection to the target: what came over it, in order, waited for within a time. Must not
// know vectors.

import type { Socket } from "node:net";
import { kinds } from "./kinds.ts";
import {
  describe,
  Fault,
  type Frame,
  FrameReader,
  hex,
  type Message,
  MessageReader,
} from "./reader.ts";
import { frame as frameOf } from "./writer.ts";

/** One thing that came: a message, or the end of the stream. */
export type Arrival = "end" | Message;

export class Wire {
  /** Everything that came, for the report. */
  readonly seen: string[] = [];
  /** Called for each frame before it is joined. */
  onFrame: ((frame: Frame) => void) | null = null;
  #isBroken = false;
  readonly #socket: Socket;
  readonly #waitMs: number;
  readonly #frames = new FrameReader();
  readonly #messages = new MessageReader();
  #arrivals: Arrival[] = [];
  #fault: Fault | null = null;
  #hasEnded = false;
  #waiter: (() => void) | null = null;
  #bytes = 0;

  constructor(socket: Socket, waitMs: number) {
    this.#socket = socket;
    this.#waitMs = waitMs;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Uint8Array) => {
      this.#read(chunk);
    });
    socket.on("end", () => {
      socket.end(); // a program may wait for it before it goes on
      this.#end();
    });
    socket.on("error", () => {
      this.#end();
    });
    socket.on("close", () => {
      this.#end();
    });
  }

  /** How many bytes came. */
  get bytes(): number {
    return this.#bytes;
  }

  get hasSignature(): boolean {
    return this.#frames.hasSignature;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Write; resolves when the system has taken the bytes, or the connection is gone. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.destroyed || !this.#socket.writable) resolve();
      else
        this.#socket.write(bytes, () => {
          resolve();
        });
    });
  }

  /** Half close. */
  finish(): void {
    this.#socket.end();
  }

  /** Say the last, and wait until the other side has ended too, or for a second. */
  async leave(bytes: Uint8Array): Promise<void> {
    await this.write(bytes);
    this.finish();
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => {
      resolve(undefined);
    }, 1_000);
    this.#waiter = () => {
      if (this.#hasEnded) resolve(undefined);
    };
    this.#waiter();
    await promise;
    clearTimeout(timer);
    this.#waiter = null;
  }

  /** Break it off. */
  /** Breaks the stream off: what has come and was not taken does not matter. */
  destroy(): void {
    this.#socket.destroy();
    this.#isBroken = true;
  }

  /**
   * Resolves with the next arrival, which stays. @throws {Fault} when nothing comes in time, or
   * what comes can't be read
   */
  async peek(what: string): Promise<Arrival> {
    await this.#until(() => this.#arrivals.length > 0, what);
    return this.#arrivals[0] ?? "end";
  }

  /** As `peek`, and takes it away; the end stays. */
  async next(what: string): Promise<Arrival> {
    const arrival = await this.peek(what);
    if (arrival !== "end") this.#arrivals.shift();
    return arrival;
  }

  /** What has come and was not taken. */
  get waiting(): readonly Arrival[] {
    return this.#isBroken ? [] : this.#arrivals;
  }

  /** Resolves when the signature is here. */
  async signature(): Promise<void> {
    await this.#until(() => this.#frames.hasSignature || this.#hasEnded, "the signature");
    if (!this.#frames.hasSignature) throw new Fault("the stream ended before the signature");
  }

  async #until(isHere: () => boolean, what: string): Promise<void> {
    if (isHere()) return;
    this.#throwFault();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => {
      resolve(false);
    }, this.#waitMs);
    this.#waiter = () => {
      if (isHere() || this.#fault !== null) resolve(true);
    };
    const came = await promise;
    clearTimeout(timer);
    this.#waiter = null;
    if (!isHere()) this.#throwFault();
    if (!came) {
      const { rest } = this.#frames;
      const half =
        rest.length === 0
          ? ""
          : `; ${rest.length} bytes of a frame are here: ${hex(rest.subarray(0, 32))}`;
      throw new Fault(`nothing more came within ${this.#waitMs} ms, waiting for ${what}${half}`);
    }
  }

  #throwFault(): void {
    if (this.#fault !== null) throw this.#fault;
  }

  #read(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    if (this.#fault !== null) return;
    try {
      for (const frame of this.#frames.read(chunk)) {
        this.onFrame?.(frame);
        const message = this.#messages.read(frame);
        if (message === null) continue;
        this.seen.push(describe(message));
        // Both sides answer at once, whatever they wait for; no vector looks at a PING itself.
        if (message.kind === "PING")
          void this.write(frameOf(kinds["PONG"] ?? 0, 0, message.payload));
        else this.#arrivals.push(message);
      }
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.#fault = error;
    }
    this.#waiter?.();
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#arrivals.push("end");
    this.#waiter?.();
  }
}
