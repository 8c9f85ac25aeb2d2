/**
 * The peer's requests on one connection, one by one or in batches, and their answers. Owns what is
 * open here, how many that may be, and that each is answered once. Must not know how a message is
 * told from another.
 *
 * Source: JSON-RPC 2.0 §5 and §6; `$/cancelRequest`: Language Server Protocol 3.17, "Cancellation
 * Support".
 *
 * @module
 */
import { issueIn } from "../contract/check.ts";
import { HawserError, isHawserError, type NamedFailure } from "../errors.ts";
import type { MessageEntry } from "../contract/message.ts";
import { invalid } from "../session/frames/failure.ts";
import { plain } from "../session/quote.ts";
import { peerError } from "../stack.ts";
import {
  errorObject,
  failureObject,
  INVALID_REQUEST,
  invalidParams,
  METHOD_NOT_FOUND,
  namedObject,
} from "./codes.ts";
import type { Context } from "./context.ts";
import { type Answers, Batch, Inbound } from "./inbound.ts";
import { checkSize, type Outbox } from "./outbox.ts";
import { Budget } from "../session/calls/budget.ts";
import { readParams, valueText } from "./params.ts";
import { errorText, type Id, resultText } from "./text.ts";

export class Responder implements Answers {
  readonly #context: Context;
  readonly #outbox: Outbox;
  /** Requests that have no answer yet, by id; those with the id null are not among them. */
  readonly #byId = new Map<Id, Inbound>();
  readonly #open = new Set<Inbound>();
  /** Bytes of their texts. */
  #openBytes = 0;
  /** Memory of their inputs. */
  readonly #decoded: Budget;
  /** True if new requests are refused. */
  #state: "draining" | "lost" | "open" = "open";

  constructor(context: Context, outbox: Outbox) {
    this.#context = context;
    this.#outbox = outbox;
    this.#decoded = new Budget(context.limits.maxDecodedBytes);
  }

  /** Number of requests that have no answer yet. */
  get size(): number {
    return this.#open.size;
  }

  /** Refuse what comes from now on. */
  drain(): void {
    this.#state = "draining";
  }

  /** The connection is gone: nobody waits for answers. */
  lose(reason: HawserError): void {
    this.#state = "lost";
    const open = [...this.#open];
    this.#open.clear();
    this.#openBytes = 0;
    this.#byId.clear();
    for (const call of open) this.#cancel(call, reason);
  }

  /**
   * A request of about so many bytes has come; `entry` is null where the peer has none of that
   * name.
   */
  request(
    id: Id,
    entry: MessageEntry | null,
    params: unknown,
    batch: Batch | null,
    bytes: number,
  ): void {
    const decodedBytes = this.#decoded.weighValue(params, batch === null ? bytes : null);
    const refusal = this.#refusal(id, entry, bytes, decodedBytes);
    if (refusal !== null || entry === null) {
      this.answer(errorText(id, refusal ?? ""), batch);
      return;
    }
    const input = readParams(entry.input, params);
    if (this.#isLost()) return; // the program's schema has ended the session
    const issue = issueIn(entry.input, input);
    if (issue !== null) {
      this.answer(errorText(id, invalidParams(issue)), batch);
      return;
    }
    const call = new Inbound(entry, input, id, batch, bytes, decodedBytes, this);
    if (id !== null) this.#byId.set(id, call);
    this.#open.add(call);
    this.#openBytes += bytes;
    this.#decoded.hold(decodedBytes);
    if (batch !== null) batch.open++;
    this.#context.turn.run(() => {
      this.#context.sink.call(call);
    });
  }

  /** The peer takes a request back. */
  cancel(id: Id): void {
    const call = this.#byId.get(id);
    if (call === undefined) return; // the answer is on its way
    this.#cancel(
      call,
      peerError("CALL_CANCELLED", `"${plain(call.entry.name, 60)}" was cancelled by its opener`, {
        origin: "remote",
      }),
    );
  }

  /**
   * The members of a batch have been read: what they are answered with leaves when it is complete.
   */
  close(batch: Batch): void {
    if (--batch.open > 0 || batch.text.length === 0) return;
    this.#outbox.batchedBytes -= batch.text.length;
    batch.text.byte(0x5d);
    this.answer(batch.text.copy(), null);
  }

  reply(call: Inbound, output: unknown): HawserError | null {
    return this.#answer(call, () => {
      const issue = call.entry.output.outbound(output);
      if (issue !== null)
        throw invalid(
          "OUTPUT_INVALID",
          `Cannot answer "${plain(call.entry.name, 60)}" with this`,
          "local",
          issue,
        );
      this.#put(
        resultText(call.id, output === undefined ? "null" : valueText(call.entry.codec, output)),
        call.batch,
      );
    });
  }

  fail(call: Inbound, failure: HawserError | NamedFailure): HawserError | null {
    return this.#answer(call, () => {
      if (isHawserError(failure))
        this.answer(errorText(call.id, failureObject(failure.code, failure.path)), call.batch);
      else
        this.#put(
          errorText(call.id, namedObject(this.#context.dialect.codes, call.entry, failure)),
          call.batch,
        );
    });
  }

  /** Send an answer that must be given: it is small, or known to fit. */
  answer(text: Uint8Array | string, batch: Batch | null): void {
    if (this.#state === "lost") return;
    try {
      if (batch === null || typeof text !== "string") {
        this.#outbox.putAnswer(text);
      } else {
        this.#outbox.checkRoom(text.length);
        this.#outbox.batchedBytes += batch.add(text);
      }
    } catch (thrown) {
      const error = thrown as HawserError; // the outbox throws nothing else
      if (error.code !== "WRITE_BUFFER_FULL") this.#context.broken(error, "flush");
      else
        this.#context.broken(
          peerError(
            "SLOW_CONSUMER",
            "The peer asks, but does not read the answers: more than maxQueuedBytes of them wait",
          ),
          "drop",
        );
    }
  }

  /** Why a request is not served, as an error object, or null. */
  #refusal(id: Id, entry: MessageEntry | null, bytes: number, decodedBytes: number): string | null {
    if (entry === null) return errorObject(METHOD_NOT_FOUND, "Method not found");
    if (entry.type !== "request")
      return errorObject(
        METHOD_NOT_FOUND,
        "Method not found: it is a notification, and takes no id",
      );
    if (this.#byId.has(id))
      return errorObject(INVALID_REQUEST, "Invalid Request: another with this id is open");
    if (this.#state === "draining") return failureObject("DRAINING");
    const { maxConversations, maxInputBytes } = this.#context.limits;
    const fits =
      this.#open.size < maxConversations &&
      (this.#open.size === 0 ||
        (this.#openBytes + bytes <= maxInputBytes && this.#decoded.fits(decodedBytes)));
    return fits ? null : failureObject("OVERLOADED");
  }

  // A method, because the compiler takes a field to keep its value across the call that changes it.
  #isLost(): boolean {
    return this.#state === "lost";
  }

  #cancel(call: Inbound, reason: HawserError): void {
    if (call.cancellation !== null) return;
    call.cancellation = reason;
    this.#context.turn.run(() => call.sink?.cancelled(reason));
  }

  /**
   * Give a call the answer that `give` sends; where that throws a HawserError, tell the peer that
   * there is none, and return why.
   */
  #answer(call: Inbound, give: () => void): HawserError | null {
    if (!this.#open.delete(call)) return null;
    const { batch, bytes, cancellation, decodedBytes, id } = call;
    this.#byId.delete(id);
    this.#openBytes -= bytes;
    this.#decoded.release(decodedBytes);
    const { turn } = this.#context;
    turn.enter();
    try {
      if (cancellation === null) give();
      else this.answer(errorText(id, failureObject(cancellation.code)), batch);
      return null;
    } catch (thrown) {
      const error = thrown as HawserError; // give() throws nothing else
      this.answer(errorText(id, failureObject(error.code)), batch);
      return error;
    } finally {
      if (batch !== null) this.close(batch);
      this.#context.settled();
      turn.leave();
    }
  }

  /**
   * Send an answer of any size.
   *
   * @throws {HawserError} PAYLOAD_TOO_LARGE, PAYLOAD_FORBIDDEN, WRITE_BUFFER_FULL
   */
  #put(text: string, batch: Batch | null): void {
    if (this.#isLost()) return; // what made the text has run the program's code
    const outbox = this.#outbox;
    if (batch === null) {
      outbox.put(text);
      return;
    }
    const { maxMessageBytes, maxQueuedBytes } = this.#context.limits;
    const { length } = batch.text;
    const bytes = batch.add(text);
    try {
      checkSize(batch.text.length + 1, maxMessageBytes);
      outbox.checkRoom(bytes, maxQueuedBytes);
    } catch (error) {
      batch.text.truncate(length);
      throw error;
    }
    outbox.batchedBytes += bytes;
  }
}
