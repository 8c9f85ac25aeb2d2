/**
 * SessionLink: what speaks, a greeter or a session, on one connection. What both ends' sessions are
 * carried by. Owns the loop between the two: chunks in, writes out in their turn, ticks and
 * deadlines, a slow peer, the orderly end. Must not know what is said, nor what becomes of a
 * session that has lost its connection.
 *
 *     state    input                    output
 *     open     given to the speaker     scheduled, and fetched from the speaker as there is room
 *     closing  read and dropped: over   ended; the peer's end, or lingerTimeoutMs, closes
 *     gone     -                        -
 *
 * Reading is not held back for a slow handler: requests are bounded by maxConversations and
 * maxInputBytes, items and events by credit. It is held back for a turn when the budget of a turn
 * is spent (turn-budget.ts).
 *
 * @module
 */
import { HawserError } from "@hawser/protocol";
import type { Session } from "@hawser/protocol/engine";
import {
  type Connection,
  type ConnectionLimits,
  type ConnectionSink,
  type Output,
  type PeerCertificate,
  shifted,
  TICK_MS,
  type Ticker,
  type Ticking,
  writeBufferTable,
} from "@hawser/transport";

/** What speaks on a link: a session, or what comes before it. */
export type Speaker = Pick<
  Session,
  "deadline" | "goOn" | "receive" | "stoodStill" | "tick" | "transmit"
>;

/** Callbacks of a link for its one owner. */
export interface SessionLinkEvents {
  /**
   * The connection is of no more use, though nobody here closed it. Told at most once; the link
   * closes by itself.
   */
  lost(error: HawserError): void;
  /** The connection is gone; told once, last. */
  gone(): void;
}

/** Options of a link. */
export interface SessionLinkOptions {
  readonly limits: Pick<ConnectionLimits, "idleTimeoutMs" | "lingerTimeoutMs" | "writeBuffer">;
  readonly ticker: Ticker;
  /**
   * What happens above `writeBuffer.maxBytes`: the connection is closed, or nothing, since the
   * speaker has a limit of its own and tells the sender.
   */
  readonly onFull: "close" | "throw";
}

/** What a connection's backlog looks like to whoever could send more. */
export interface Backlog {
  /** More than `writeBuffer.highBytes` wait to be sent: whoever can waits for `room()`. */
  readonly isHigh: boolean;
  /**
   * Resolves when no more than `writeBuffer.lowBytes` wait, or the connection is of no more use.
   */
  room(): Promise<void>;
}

/**
 * Bytes of output that leave before the turn is over, so that the peer works on them while this
 * side goes on: of 256 calls at once on one connection half as many again are answered, for a few
 * percent more CPU; 16 KiB are too many for that. Measured: bench/src/sessions.ts.
 */
const EARLY_BYTES = 8_192;

/** What has come behind what the speaker has left. */
interface Late {
  readonly chunks: Uint8Array[];
  isEnd: boolean;
  gone: { readonly error: HawserError | null } | null;
}

/**
 * A speaker on a connection. Its owner opens it, ticks it until it is gone, and tells it when the
 * speaker wrote.
 */
export class SessionLink implements Backlog, ConnectionSink, Ticking {
  readonly #connection: Connection;
  readonly #limits: SessionLinkOptions["limits"];
  readonly #onFull: SessionLinkOptions["onFull"];
  readonly #ticker: Ticker;
  readonly #events: SessionLinkEvents;
  #speaker: Speaker | null = null;
  #state: "closing" | "gone" | "open" = "open";
  /** What has come while the speaker has something left for another turn; null while it has not. */
  #late: Late | null = null;
  // Times of the ticker, for tick().
  #progressMs: number;
  /** When bytes last came, or left: a peer that reads what is sent to it is alive. */
  #aliveMs: number;
  /** The connection's `progress` at the last tick. */
  #progress = 0;
  #lingerMs = Infinity;
  /** True if what waits is about to be fetched. */
  #fetching = false;
  /** Callbacks that wait for room. */
  #waiters: PromiseWithResolvers<undefined>[] = [];
  /** The one timer: for a deadline before the next tick. */
  #wakeMs = Infinity;
  #cancelWake: (() => void) | null = null;

  constructor(connection: Connection, options: SessionLinkOptions, events: SessionLinkEvents) {
    this.#connection = connection;
    this.#limits = options.limits;
    this.#onFull = options.onFull;
    this.#ticker = options.ticker;
    this.#events = events;
    this.#progressMs = this.#aliveMs = options.ticker.now;
  }

  get remote(): string {
    return this.#connection.remote;
  }

  get transport(): Connection["transport"] {
    return this.#connection.transport;
  }

  /** The peer's certificate while its connection is there, or null. */
  certificate(): PeerCertificate | null {
    return this.#connection.certificate?.() ?? null;
  }

  /** Where the speaker writes; say `wrote()` afterwards. */
  get output(): Output {
    return this.#connection.output;
  }

  get pendingBytes(): number {
    return this.#connection.pendingBytes;
  }

  get isHigh(): boolean {
    return this.#connection.output.exceeds(this.#limits.writeBuffer.highBytes);
  }

  room(): Promise<void> {
    if (this.#state !== "open" || this.pendingBytes <= this.#limits.writeBuffer.lowBytes)
      return Promise.resolve();
    const waiter = Promise.withResolvers<undefined>();
    this.#waiters.push(waiter);
    return waiter.promise;
  }

  /** True if the connection is gone. */
  get isGone(): boolean {
    return this.#state === "gone";
  }

  /** The instant at which a speaker's call happens, on the clock of all of them. */
  now(): number {
    return this.#ticker.clock.now();
  }

  /** Begin to read, for `speaker`. Called once, in the turn in which the connection was made. */
  open(speaker: Speaker): void {
    this.#speaker = speaker;
    this.#connection.open(this);
  }

  /** Give what comes from now on to another. */
  hand(speaker: Speaker): void {
    this.#speaker = speaker;
    this.watch();
  }

  /**
   * The speaker has written. Called often: what a turn writes leaves in one write, or in several
   * where it is much.
   */
  wrote(): void {
    if (this.#state !== "open") return;
    this.#schedule();
    const { maxBytes } = this.#limits.writeBuffer;
    if (this.#onFull === "close" && this.#connection.output.exceeds(maxBytes))
      this.#slow(`let more than writeBuffer.maxBytes ${String(maxBytes)} pile up`);
  }

  /** The speaker may have a new deadline, before the next tick: a call has been opened. */
  watch(): void {
    const dueMs = this.#speaker?.deadline() ?? Infinity;
    if (dueMs >= this.#wakeMs || this.#state !== "open") return;
    const nowMs = this.now();
    if (dueMs - nowMs > TICK_MS) return; // the tick before it will see to it
    this.#cancelWake?.();
    this.#wakeMs = dueMs;
    this.#cancelWake = this.#ticker.clock.after(Math.max(0, dueMs - nowMs), () => {
      this.#wakeMs = Infinity;
      this.#cancelWake = null;
      const { clock } = this.#ticker;
      this.#ticker.look();
      if (clock.afterReads === undefined) this.#tickSpeaker();
      else clock.afterReads(this.#tickSpeaker);
    });
  }

  /**
   * Send what is written, end, and give the peer some time to read it and to close. The speaker
   * hears no more.
   */
  close(): void {
    if (this.#state !== "open") return;
    this.#leave();
    this.#connection.end();
    this.#lingerMs = this.#ticker.now + this.#limits.lingerTimeoutMs;
  }

  /** Give up at once; what has not left is lost. */
  abort(): void {
    if (this.#state === "open") this.#leave();
    if (this.#state === "closing") this.#connection.abort();
  }

  /** @see ConnectionSink */
  chunk(bytes: Uint8Array): undefined {
    if (this.#state !== "open" || this.#speaker === null) return;
    this.#aliveMs = this.#ticker.now;
    if (this.#late === null) this.#receive(this.#speaker, bytes);
    else this.#late.chunks.push(new Uint8Array(bytes)); // it was under way when reading stopped
  }

  /** @see ConnectionSink */
  ended(): void {
    if (this.#state !== "open") return;
    if (this.#late !== null) {
      this.#late.isEnd = true;
      return;
    }
    this.close();
    this.#events.lost(
      new HawserError(
        "CONNECTION_RESET",
        `Cannot go on with ${this.remote}: it ended the stream without taking leave`,
      ),
    );
  }

  /** @see ConnectionSink */
  written(): void {
    this.#progressMs = this.#aliveMs = this.#ticker.now;
    if (this.#speaker === null || this.#fetching) return;
    // Not here: this may be called from within the write that the operating system has taken at
    // once.
    this.#fetching = true;
    queueMicrotask(() => {
      this.#fetching = false;
      if (this.#speaker !== null) this.#fetch(this.#speaker);
    });
  }

  /** @see ConnectionSink */
  gone(error: HawserError | null): void {
    const wasOpen = this.#state === "open";
    if (wasOpen && this.#late !== null) {
      this.#late.gone = { error };
      return;
    }
    if (wasOpen) this.#leave();
    this.#state = "gone";
    if (wasOpen)
      this.#events.lost(
        error ??
          new HawserError(
            "CONNECTION_RESET",
            `Cannot go on with ${this.remote}: the connection is gone`,
          ),
      );
    this.#events.gone();
  }

  /** @see Ticking */
  tick(nowMs: number): void {
    this.#tickOutput(nowMs);
    if (this.#state === "open") {
      this.#tickSpeaker();
      this.#tickIdle(nowMs);
    } else if (this.#connection.pendingBytes > 0)
      this.#lingerMs = nowMs + this.#limits.lingerTimeoutMs;
    else if (nowMs >= this.#lingerMs) this.#connection.abort();
  }

  /** @see Ticking */
  stoodStill(ms: number): void {
    this.#progressMs = shifted(this.#progressMs, ms, this.#ticker.now);
    this.#aliveMs = shifted(this.#aliveMs, ms, this.#ticker.now);
    this.#lingerMs += ms;
    this.#speaker?.stoodStill(ms, this.now());
    this.watch();
  }

  #receive(speaker: Speaker, chunk: Uint8Array): void {
    const { budget } = this.#ticker;
    budget.begin(this, chunk.length);
    let isLeft = true; // also when a callback throws: goOn() says false when nothing is
    try {
      isLeft = speaker.receive(chunk, this.now(), budget);
    } finally {
      if (isLeft && this.#state === "open" && this.#late === null) this.#yield();
      this.watch();
    }
  }

  /**
   * The budget of this turn is spent: read no more, and go on with what is left when the others
   * have had their turn.
   */
  #yield(): void {
    this.#late ??= { chunks: [], isEnd: false, gone: null };
    this.#connection.pause();
    this.#connection.later(() => {
      this.#goOn();
    });
  }

  #goOn(): void {
    const { budget } = this.#ticker;
    const late = this.#late;
    if (late === null) return; // closed in the meantime
    budget.beginTurn(this);
    let isLeft = true;
    try {
      isLeft = this.#speaker?.goOn(this.now(), budget) ?? false;
      for (
        let next = isLeft ? undefined : late.chunks.shift();
        next !== undefined;
        next = isLeft ? undefined : late.chunks.shift()
      ) {
        isLeft = this.#speaker?.receive(next, this.now(), budget) ?? false;
      }
    } finally {
      if (this.#late !== null) this.#settle(late, isLeft);
      this.watch();
    }
  }

  #settle(late: Late, isLeft: boolean): void {
    if (isLeft) {
      this.#yield();
      return;
    }
    this.#late = null;
    this.#connection.resume();
    if (late.gone !== null) this.gone(late.gone.error);
    else if (late.isEnd) this.ended();
  }

  readonly #tickSpeaker = (): void => {
    this.#speaker?.tick(this.now());
    this.watch();
  };

  /** For sessions without a heartbeat: one with a heartbeat is never silent for long. */
  #tickIdle(nowMs: number): void {
    const { idleTimeoutMs } = this.#limits;
    if (this.#late !== null) this.#aliveMs = nowMs;
    if (this.#state !== "open" || nowMs - this.#aliveMs < idleTimeoutMs) return;
    this.close();
    this.#events.lost(
      new HawserError(
        "IDLE_TIMEOUT",
        `${this.remote} was silent, and took nothing, for idleTimeoutMs ${String(idleTimeoutMs)}`,
      ),
    );
  }

  #tickOutput(nowMs: number): void {
    // Patience for a peer that reads slowly ends with the session.
    const stallMs = Math.min(
      this.#limits.writeBuffer.stallMs,
      this.#state === "open" ? Infinity : writeBufferTable.stallMs.default,
    );
    const { pendingBytes, progress } = this.#connection;
    if (progress !== this.#progress) this.#aliveMs = nowMs;
    if (pendingBytes === 0 || progress !== this.#progress) this.#progressMs = nowMs;
    else if (nowMs - this.#progressMs >= stallMs)
      this.#slow(`has read nothing for stallMs ${String(stallMs)}`);
    this.#progress = progress;
  }

  /**
   * Send what is written, unless the operating system has not taken what was sent before: then it
   * stays in the output, where the speaker's limits see it, and a heartbeat is never behind more
   * than one such batch.
   */
  #schedule(): void {
    const { output } = this.#connection;
    if (output.pendingBytes - output.length >= this.#limits.writeBuffer.highBytes) return;
    if (output.length >= EARLY_BYTES) output.flush();
    else output.schedule();
  }

  /** Send what is written, and fetch what waits for its turn, as far as the output has room. */
  #fetch(speaker: Speaker): void {
    const { output } = this.#connection;
    const { highBytes, lowBytes } = this.#limits.writeBuffer;
    if (output.length > 0) this.#schedule();
    const { pendingBytes } = this.#connection;
    if (pendingBytes < highBytes) speaker.transmit(output.length + highBytes - pendingBytes);
    if (this.#waiters.length > 0 && this.pendingBytes <= lowBytes) this.#wake();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.resolve(undefined);
  }

  /** The peer does not read: nothing that is sent to it would arrive, so nothing is waited for. */
  #slow(what: string): void {
    const wasOpen = this.#state === "open";
    this.abort();
    if (wasOpen)
      this.#events.lost(
        new HawserError(
          "SLOW_CONSUMER",
          `${this.remote} ${what}: it reads too slowly, the connection is closed`,
        ),
      );
  }

  #leave(): void {
    this.#state = "closing";
    this.#speaker = null;
    const late = this.#late;
    this.#late = null;
    if (late !== null) this.#connection.resume(); // what comes is read and dropped
    if (late?.gone !== null && late !== null) {
      this.#connection.later(() => {
        this.gone(late.gone?.error ?? null);
      });
    }
    this.#cancelWake?.();
    this.#cancelWake = null;
    this.#wakeMs = Infinity;
    this.#wake();
  }
}
