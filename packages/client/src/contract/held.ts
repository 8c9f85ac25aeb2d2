/**
 * Queued calls: a request, or an event that is sent at most once, checked and
 * encoded when it is made. Must not know how long it waits, nor what else does.
 *
 * @module
 */
import { HawserError } from "@hawser/protocol";
import {
  describeCaught,
  type EmitOptions,
  type MessageEntry,
  type PreparedCall,
  type PreparedEvent,
  readHawserError,
  type Session,
  type SessionKind,
} from "@hawser/protocol/engine";
import {
  callOptions,
  EventCall,
  type EventOptions,
  type OpenOptions,
  RequestCall,
} from "@hawser/session";
import type { Clock } from "@hawser/transport";

/**
 * Something that is to be sent when there is a connection: as it was when it was made, whatever
 * becomes of its values.
 */
export interface Held {
  /** Its name in the error: `"the request ticket.get"`. */
  readonly what: string;
  /** Its encoded form. */
  readonly bytes: number;
  /** When the caller gives up by itself; Infinity: never. */
  readonly deadlineMs: number;
  /**
   * The queue has taken it; it calls `left` when nobody waits for it any more. Nothing is
   * registered anywhere before.
   */
  taken(left: () => void): void;
  /** There is a session with a connection. Never throws. */
  send(session: Session): void;
  /** It was not sent, and will not be. */
  fail(error: HawserError): void;
}

/** A request that waits. */
export class HeldRequest extends RequestCall implements Held {
  readonly what: string;
  readonly deadlineMs: number;
  readonly #prepared: PreparedCall;
  readonly #options: OpenOptions;
  readonly #nowMs: number;
  #left: (() => void) | null = null;

  /**
   * @throws {RangeError} when `timeoutMs` is not above zero
   * @throws {HawserError} INPUT_INVALID, PAYLOAD_FORBIDDEN; CALL_CANCELLED when the signal is
   *   aborted already
   */
  constructor(
    kind: SessionKind,
    entry: MessageEntry,
    input: unknown,
    options: OpenOptions,
    nowMs: number,
  ) {
    super(entry, options.signal);
    callOptions(options, nowMs);
    this.what = `the request ${entry.name}`;
    this.deadlineMs = nowMs + (options.timeoutMs ?? Infinity);
    this.#options = options;
    this.#nowMs = nowMs;
    this.#prepared = kind.prepareCall(entry, input);
  }

  get bytes(): number {
    return this.#prepared.body.length;
  }

  taken(left: () => void): void {
    this.#left = left;
    this.follow();
  }

  send(session: Session): void {
    if (this.isOver) return;
    try {
      this.opened(
        session.openPrepared(this.#prepared, callOptions(this.#options, this.#nowMs), this),
      );
    } catch (error) {
      this.fail(asNotSent(this.what, error));
    }
  }

  protected override over(): void {
    super.over();
    this.#left?.();
  }
}

/** An event that waits. */
export class HeldEvent extends EventCall implements Held {
  readonly what: string;
  readonly deadlineMs: number = Infinity; // its own timer sees to that
  readonly #prepared: PreparedEvent;
  readonly #trace: EmitOptions;
  readonly #clock: Clock;
  #left: (() => void) | null = null;

  /**
   * @throws {RangeError} when `timeoutMs` is not above zero
   * @throws {HawserError} EVENT_INVALID, PAYLOAD_FORBIDDEN
   */
  constructor(
    kind: SessionKind,
    entry: MessageEntry,
    payload: unknown,
    clock: Clock,
    options: EventOptions = {},
  ) {
    super(options);
    this.what = `the event ${entry.name}`;
    this.#prepared = kind.prepare(entry, payload);
    this.#trace = { trace: options.trace };
    this.#clock = clock;
  }

  get bytes(): number {
    return this.#prepared.body.length;
  }

  taken(left: () => void): void {
    this.#left = left;
    if (this.isOver) left();
    else this.follow(this.#clock);
  }

  send(session: Session): void {
    try {
      session.emitPrepared(this.#prepared, this.#trace, this.settled);
      this.opened(session);
    } catch {
      this.fail(); // which is what its caller waits to hear
    }
  }

  fail(): void {
    this.settled("not-sent", null);
  }

  protected override over(): void {
    super.over();
    this.#left?.();
  }
}

function asNotSent(what: string, error: unknown): HawserError {
  return (
    readHawserError(error) ??
    new HawserError("NOT_SENT", `Cannot send ${what}: ${describeCaught(error)}`, { cause: error })
  );
}
