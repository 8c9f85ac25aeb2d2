/**
 * What waits for a connection: a request, or an event that is sent at most once, checked and measured when it is made.
 * Must not know how long it waits, nor what else does.
 *
 * @module
 */
import { ByteWriter, describeIssue, type EmitOptions, HawserError, isHawserError, type MessageEntry, type Outcome, type Session } from "@hawser/protocol";
import { callOptions, emitEvent, type OpenOptions, RequestCall } from "@hawser/transport";

/** Something that is to be sent when there is a connection. */
export interface Held {
  /** What it is, for the error: `"the request ticket.get"`. */
  readonly what: string;
  /** What it is encoded. */
  readonly bytes: number;
  /** When the caller gives up by itself; Infinity: never. */
  readonly deadlineMs: number;
  /** Whether nobody waits for it any more. */
  isOver(): boolean;
  /** There is a session with a connection. Never throws. */
  send(session: Session): void;
  /** It was not sent, and will not be. */
  fail(error: HawserError): void;
}

/** A request that waits. */
export class HeldRequest implements Held {
  readonly what: string;
  readonly bytes: number;
  readonly deadlineMs: number;
  readonly promise: Promise<unknown>;
  readonly #call: RequestCall;
  readonly #input: unknown;
  readonly #options: OpenOptions;
  readonly #nowMs: number;

  /**
   * @throws {RangeError} when `timeoutMs` is not above zero
   * @throws {HawserError} INPUT_INVALID, PAYLOAD_FORBIDDEN; CALL_CANCELLED when the signal is aborted already
   */
  constructor(entry: MessageEntry, input: unknown, options: OpenOptions, nowMs: number) {
    this.what = `the request ${entry.name}`;
    this.bytes = measure(entry, input, "INPUT_INVALID");
    callOptions(options, nowMs);
    this.deadlineMs = nowMs + (options.timeoutMs ?? Infinity);
    this.#input = input;
    this.#options = options;
    this.#nowMs = nowMs;
    this.#call = new RequestCall(entry, options.signal);
    this.promise = this.#call.promise;
  }

  isOver(): boolean {
    return this.#call.isOver;
  }

  send(session: Session): void {
    const call = this.#call;
    try {
      call.opened(session.open(call.entry, this.#input, callOptions(this.#options, this.#nowMs), call));
    } catch (error) {
      call.fail(asNotSent(this.what, error));
    }
  }

  fail(error: HawserError): void {
    this.#call.fail(error);
  }
}

/** An event that waits. */
export class HeldEvent implements Held {
  readonly what: string;
  readonly bytes: number;
  readonly deadlineMs: number = Infinity;
  readonly promise: Promise<Outcome>;
  readonly #entry: MessageEntry;
  readonly #payload: unknown;
  readonly #options: EmitOptions | undefined;
  readonly #resolve: (outcome: Outcome | Promise<Outcome>) => void;

  /** @throws {HawserError} EVENT_INVALID, PAYLOAD_FORBIDDEN */
  constructor(entry: MessageEntry, payload: unknown, options: EmitOptions | undefined) {
    this.what = `the event ${entry.name}`;
    this.bytes = measure(entry, payload, "EVENT_INVALID");
    this.#entry = entry;
    this.#payload = payload;
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.promise = promise;
    this.#resolve = resolve;
  }

  isOver(): boolean {
    return false;
  }

  send(session: Session): void {
    try {
      this.#resolve(emitEvent(session, this.#entry, this.#payload, this.#options));
    } catch {
      this.#resolve("not-sent"); // which is what its caller waits to hear
    }
  }

  fail(): void {
    this.#resolve("not-sent");
  }
}

function asNotSent(what: string, error: unknown): HawserError {
  if (isHawserError(error)) return error;
  return new HawserError("NOT_SENT", `Cannot send ${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}

/**
 * How many bytes a value that is to wait has when it is encoded.
 *
 * @throws {HawserError} the given code, when it is not what the contract's schema wants; PAYLOAD_FORBIDDEN
 */
function measure(entry: MessageEntry, value: unknown, code: "EVENT_INVALID" | "INPUT_INVALID"): number {
  const issue = entry.input.outbound(value);
  if (issue !== null) throw new HawserError(code, `Cannot send ${JSON.stringify(entry.name)}: ${describeIssue(issue)}`, { path: issue.path, cause: issue.cause });
  if (value === undefined) return 0;
  const output = new ByteWriter();
  entry.codec.encode(value, output);
  output.settle();
  return output.length;
}
