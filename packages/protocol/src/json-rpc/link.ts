/**
 * One connection, from its first byte to its last: bytes become messages, and each goes to whom it
 * is for. Owns what is a request, a notification, a response, a batch or none of them. Must not
 * know the state of the session.
 *
 * Source: JSON-RPC 2.0 §4 to §6; names with `$/`: Language Server Protocol 3.17, "Base Protocol".
 *
 * @module
 */
import { type ReadBudget, unlimitedBudget } from "../wire/budget.ts";
import type { ByteWriter } from "../bytes/writer.ts";
import { issueIn } from "../contract/check.ts";
import { HawserError } from "../errors.ts";
import {
  describeFault,
  type FrameDecoder,
  type FrameSink,
  type FramingFault,
} from "../framing/framing.ts";
import { Inbox } from "../wire/inbox.ts";
import type { MessageEntry } from "../contract/message.ts";
import { invalid } from "../session/frames/failure.ts";
import { plain } from "../session/quote.ts";
import { JsonParser, peerError } from "../stack.ts";
import { ChunkText } from "../bytes/utf8.ts";
import { Caller, type Response } from "./caller.ts";
import { errorObject, INVALID_REQUEST, PARSE_ERROR } from "./codes.ts";
import type { Context } from "./context.ts";
import type { EventQueue } from "./events.ts";
import { Batch } from "./inbound.ts";
import { Outbox } from "./outbox.ts";
import { readParams } from "./params.ts";
import { Responder } from "./responder.ts";
import { errorText, isId } from "./text.ts";

/** The members of a JSON object as they may be; what a text does not have is undefined. */
interface Message extends Response {
  readonly method?: unknown;
  readonly params?: unknown;
}

/** The parts of a session that live and die with a connection. */
export class Link implements FrameSink {
  readonly outbox: Outbox;
  readonly caller: Caller;
  readonly responder: Responder;
  readonly #context: Context;
  readonly #events: EventQueue;
  readonly #decoder: FrameDecoder;
  readonly #parser = new JsonParser();
  readonly #text = new ChunkText();
  #state: "lost" | "open" = "open";
  /** Chunks that came from within a callback; null while none is being read. */
  #pending: Uint8Array[] | null = null;
  /** What a text of the chunk at hand is counted by. */
  #budget: ReadBudget = unlimitedBudget;
  #yielded = false;
  #texts = 0;
  /** The chunk at hand. */
  #chunk: Uint8Array | null = null;
  /** What came after the budget was spent; null until that happens. */
  #inbox: Inbox<FramingFault> | null = null;

  constructor(context: Context, events: EventQueue, output: ByteWriter) {
    const { dialect, limits } = context;
    this.#context = context;
    this.#events = events;
    this.#decoder = dialect.framing.decoder({
      maxFrameBytes: limits.maxMessageBytes,
      onOversize: "close",
    });
    this.outbox = new Outbox(output, context);
    this.responder = new Responder(context, this.outbox);
    this.caller = new Caller(context, this.outbox, this.responder);
  }

  /** True if a text has begun and is not complete. */
  get partial(): boolean {
    return this.#state === "open" && this.#decoder.partial === true;
  }

  /** Number of texts, or faults, that have come. */
  get texts(): number {
    return this.#texts;
  }

  /** True if the budget is spent: what waits is read by `goOn()`. */
  get yielded(): boolean {
    return this.#yielded;
  }

  /** Go on with what waits, in another turn. */
  goOn(budget: ReadBudget): void {
    this.#budget = budget;
    this.#yielded = false;
    const inbox = this.#inbox;
    if (inbox !== null) while (!this.#isYielded() && inbox.length > 0) inbox.take();
    this.#budget = unlimitedBudget;
  }

  /** Take the next bytes; the chunk is not kept. */
  receive(chunk: Uint8Array, budget: ReadBudget): void {
    this.#budget = budget;
    if (this.#pending !== null) {
      this.#pending.push(new Uint8Array(chunk));
      return;
    }
    const pending: Uint8Array[] = [];
    this.#pending = pending;
    try {
      for (let next: Uint8Array | undefined = chunk; next !== undefined; next = pending.shift()) {
        this.#chunk = next;
        this.#text.chunk(next);
        this.#decoder.push(next, this, this.#text);
        this.#inbox?.endChunk();
      }
    } finally {
      this.#text.chunk(null);
      this.#chunk = null;
      this.#inbox?.endChunk();
      this.#pending = null;
      this.#budget = unlimitedBudget;
    }
  }

  /** The connection is gone: nothing that is open goes on, and nothing more is read. */
  lose(reason: HawserError): void {
    this.#state = "lost";
    this.#inbox = null;
    this.#yielded = false;
    const { turn } = this.#context;
    const unsent = new HawserError(
      "NOT_SENT",
      "The connection was lost before the event had been sent",
    );
    for (const { settled } of this.outbox.clear()) turn.run(() => settled?.("not-sent", unsent));
    this.caller.lose(reason);
    this.responder.lose(reason);
  }

  /** For the framing's decoder: the stream is wrong. */
  fault(fault: FramingFault): void {
    if (this.#waits()) (this.#inbox ??= this.#newInbox()).putNote(fault);
    else this.#fault(fault);
    if (!fault.fatal) this.#spend(0);
  }

  #fault(fault: FramingFault): void {
    if (this.#state === "lost") return;
    const { responder } = this;
    const { dialect, limits } = this.#context;
    if (!fault.fatal) {
      responder.answer(
        errorText(
          null,
          errorObject(PARSE_ERROR, "Parse error: the message is damaged, and was passed over"),
        ),
        null,
      );
      this.#dropped(
        peerError(fault.code, describeFault(fault), { cause: fault, scope: "conversation" }),
      );
    } else if (fault.code === "FRAME_TOO_LARGE") {
      const limit = `maxMessageBytes (${String(limits.maxMessageBytes)})`;
      responder.answer(
        errorText(null, errorObject(INVALID_REQUEST, `Invalid Request: it has more than ${limit}`)),
        null,
      );
      this.#context.broken(
        peerError(
          "MESSAGE_TOO_LARGE",
          `The peer's message has more than ${limit}: raise the limit, or see whether the peer ` +
            `uses ${dialect.framing.name}`,
          { cause: fault },
        ),
        "flush",
      );
    } else {
      responder.answer(errorText(null, errorObject(PARSE_ERROR, "Parse error")), null);
      this.#context.broken(peerError(fault.code, describeFault(fault), { cause: fault }), "flush");
    }
  }

  /** For the framing's decoder: a JSON text has come. */
  frame(bytes: Uint8Array, start: number, end: number): void {
    this.#texts++;
    if (this.#waits()) {
      const inbox = (this.#inbox ??= this.#newInbox());
      if (bytes === this.#chunk) inbox.putOfChunk(bytes, start, end);
      else inbox.put(bytes, start, end);
      return;
    }
    this.#read(bytes, start, end);
    this.#spend(end - start);
  }

  #waits(): boolean {
    return this.#yielded || (this.#inbox !== null && this.#inbox.length > 0);
  }

  #newInbox(): Inbox<FramingFault> {
    return new Inbox(
      (bytes, start, end) => {
        this.#read(bytes, start, end);
        this.#spend(end - start);
      },
      (fault) => {
        this.#fault(fault);
      },
    );
  }

  /** A text of so many bytes, or a member of a batch, has been handled. */
  #spend(bytes: number): void {
    if (this.#state === "open" && this.#budget.spend(bytes)) this.#yielded = true;
  }

  #read(bytes: Uint8Array, start: number, end: number): void {
    if (this.#state === "lost") return;
    let value: unknown;
    try {
      value = this.#parser.parse(this.#text.decode(bytes, start, end));
    } catch {
      this.#drop(`${String(end - start)} bytes that are not JSON in UTF-8`);
      this.responder.answer(errorText(null, errorObject(PARSE_ERROR, "Parse error")), null);
      return;
    }
    if (Array.isArray(value)) this.#batch(value, end - start);
    else this.#message(value, null, end - start);
  }

  #batch(messages: readonly unknown[], cost: number): void {
    const most = this.#context.dialect.maxBatchMessages;
    if (messages.length === 0 || messages.length > most) {
      const why =
        messages.length === 0
          ? "the batch is empty"
          : `the batch has more than ${String(most)} members`;
      this.responder.answer(
        errorText(null, errorObject(INVALID_REQUEST, `Invalid Request: ${why}`)),
        null,
      );
      return;
    }
    const batch = new Batch();
    for (const message of messages) {
      if (this.#isLost) return;
      this.#message(message, batch, Math.ceil(cost / messages.length));
      this.#spend(0);
    }
    this.responder.close(batch);
  }

  #message(value: unknown, batch: Batch | null, cost: number): void {
    const { caller, responder } = this;
    const { cancel } = this.#context.dialect;
    const message: Message =
      typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
    const { error, id, jsonrpc, method, params, result } = message;
    // What names no method answers a request of this side: also where it has neither member, as
    // JavaScript's servers say undefined.
    if (
      method === undefined &&
      (result !== undefined || error !== undefined || caller.hasUsed(id))
    ) {
      // Never answered: two peers who do not understand each other would go on for ever.
      if (!caller.response(message)) this.#drop(describeResponse(message));
    } else if (
      jsonrpc !== "2.0" ||
      typeof method !== "string" ||
      (params !== undefined && typeof params !== "object") ||
      (id !== undefined && !isId(id))
    ) {
      responder.answer(
        errorText(
          isId(id) ? id : null,
          errorObject(INVALID_REQUEST, `Invalid Request: ${describeInvalid(message)}`),
        ),
        batch,
      );
    } else if (id !== undefined) {
      responder.request(id, this.#find(method), params, batch, cost);
    } else if (method === cancel.method) {
      const cancelled: unknown =
        typeof params === "object" && params !== null && Object.hasOwn(params, cancel.id)
          ? Reflect.get(params, cancel.id)
          : undefined;
      if (isId(cancelled)) responder.cancel(cancelled);
      else this.#drop(`a ${quote(method)} without ${quote(cancel.id)}`);
    } else if (!method.startsWith("$/") || this.#find(method) !== null) {
      // LSP: who does not know such a notification ignores it
      this.#event(method, params, cost);
    }
  }

  #event(method: string, params: unknown, cost: number): void {
    const entry = this.#find(method);
    if (entry?.type !== "event") {
      this.#dropped(
        peerError(
          "MESSAGE_UNKNOWN",
          `The peer's event ${quote(method)} was dropped: the contract has none of that name ` +
            "from its side",
          { scope: "conversation" },
        ),
      );
      return;
    }
    const payload = readParams(entry.input, params);
    if (this.#isLost) return; // the program's schema has ended the session
    const issue = issueIn(entry.input, payload);
    if (issue !== null) {
      this.#dropped(
        invalid(
          "EVENT_INVALID",
          `The peer's event ${quote(method)} was dropped: its payload is invalid`,
          issue.cause === undefined ? "remote" : "local",
          issue,
        ),
      );
    } else if (!this.#events.push(entry, payload, cost)) {
      const most = String(this.#context.limits.eventWindowBytes);
      this.#dropped(
        peerError(
          "OVERLOADED",
          `The peer's event ${quote(method)} was dropped: eventWindowBytes (${most}) of events ` +
            "wait for their handlers",
          { origin: "local" },
        ),
      );
    }
  }

  /** Something of no use has come. */
  #drop(what: string): void {
    this.#dropped(peerError("MESSAGE_INVALID", `The peer sent ${what}`, { scope: "conversation" }));
  }

  #dropped(error: HawserError): void {
    this.#context.turn.run(() => {
      this.#context.sink.dropped(error);
    });
  }

  /** What the peer may open or emit by that name, or null. */
  #find(method: string): MessageEntry | null {
    const entry = this.#context.dialect.contract.find(method);
    return entry === undefined || entry.from === this.#context.side ? null : entry;
  }

  // A getter, because the compiler takes a field to keep its value across the calls that change it.
  get #isLost(): boolean {
    return this.#state === "lost";
  }

  // A method, for the same reason.
  #isYielded(): boolean {
    return this.#yielded;
  }
}

/** A name that the peer chose. */
function quote(method: string): string {
  return `"${plain(method.slice(0, 200), 60)}"`;
}

/** Why a message is no request. */
function describeInvalid({ id, jsonrpc, method, params }: Message): string {
  if (jsonrpc !== "2.0") return 'jsonrpc is not "2.0"';
  if (typeof method !== "string") return "method is not a string";
  if (params !== undefined && typeof params !== "object")
    return "params is not an object or an array";
  return typeof id === "number"
    ? "id is a number that can't be given back exactly"
    : "id is not a string, a number or null";
}

/** A response that answers nothing here. */
function describeResponse({ error, id }: Message): string {
  const request = id === null ? "something that it could not read" : "a request that is not open";
  if (typeof error !== "object" || error === null) return `a result for ${request}`;
  // as they may be
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  return (
    `the error ${typeof code === "number" ? String(code) : "without a code"} for ` +
    `${request}${typeof message === "string" ? `: ${plain(message.slice(0, 200), 80)}` : ""}`
  );
}
