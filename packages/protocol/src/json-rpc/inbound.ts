/**
 * A request of the peer: what its handler is given, and the one answer.
 * Owns that an answer is given once. Must not know how it is sent, or when.
 *
 * @module
 */
import { ByteWriter } from "../bytes/writer.ts";
import type { HawserError, NamedFailure } from "../errors.ts";
import type { MessageEntry } from "../contract/message.ts";
import { plain } from "../session/quote.ts";
import type { InboundCall, InboundSink } from "../session/types.ts";
import { utf8Write } from "../bytes/utf8.ts";
import type { Id } from "./text.ts";

/** Where answers go; asked once for each call. */
export interface Answers {
  reply(call: Inbound, output: unknown): HawserError | null;
  fail(call: Inbound, error: HawserError | NamedFailure): HawserError | null;
}

/** The responder's end of a request. */
export class Inbound implements InboundCall {
  readonly entry: MessageEntry;
  readonly input: unknown;
  readonly deadlineMs: number = Infinity;
  readonly trace = null;
  cancellation: HawserError | null = null;
  sink: InboundSink | null = null;
  readonly id: Id;
  /** The batch that it came in. */
  readonly batch: Batch | null;
  /** What its text took, about. */
  readonly bytes: number;
  /** What its input takes in memory, by an estimate. */
  readonly decodedBytes: number;
  readonly #answers: Answers;
  #state: "finished" | "open" = "open";

  constructor(
    entry: MessageEntry,
    input: unknown,
    id: Id,
    batch: Batch | null,
    bytes: number,
    decodedBytes: number,
    answers: Answers,
  ) {
    this.entry = entry;
    this.input = input;
    this.id = id;
    this.batch = batch;
    this.bytes = bytes;
    this.decodedBytes = decodedBytes;
    this.#answers = answers;
  }

  reply(output: unknown): HawserError | null {
    return this.#finish() ? this.#answers.reply(this, output) : null;
  }

  fail(error: HawserError | NamedFailure): HawserError | null {
    return this.#finish() ? this.#answers.fail(this, error) : null;
  }

  send(): boolean {
    throw new TypeError(
      `Cannot send an item with "${plain(this.entry.name, 60)}": it is a request; use reply()`,
    );
  }

  end(): void {
    throw new TypeError(`Cannot end "${plain(this.entry.name, 60)}": it is a request; use reply()`);
  }

  consume(): void {
    // A request's opener sends no items.
  }

  pull(): boolean {
    return false; // as above
  }

  drop(): void {
    // As above.
  }

  refuse(): void {
    // As above.
  }

  #finish(): boolean {
    if (this.#state === "finished") return false;
    this.#state = "finished";
    return true;
  }
}

/** The answers to the members of a batch, which leave together when the last is there. */
export class Batch {
  /** `[` and the answers so far, with commas between. */
  readonly text: ByteWriter = new ByteWriter();
  /** Number of members that may still be answered, and one for the reading of the batch. */
  open = 1;

  /** Append an answer; returns how many bytes it took. */
  add(answer: string): number {
    const { length } = this.text;
    this.text.byte(length === 0 ? 0x5b : 0x2c);
    utf8Write(answer, this.text);
    return this.text.length - length;
  }
}
