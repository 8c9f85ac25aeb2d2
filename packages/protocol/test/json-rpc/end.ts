/**
 * One end of a JSON-RPC conversation, driven by hand: says lines, and writes down what it is told.
 *
 * @module
 */
import * as z from "zod";
import {
  ByteWriter,
  decodeChunks,
  defineProtocol,
  type Framing,
  type HawserError,
  jsonRpc,
  lines,
  type Protocol,
} from "../../src/mod.ts";
import type {
  CallSink,
  InboundCall,
  InboundEvent,
  MessageEntry,
  OutboundCall,
  Session,
  SessionKind,
  SessionLimits,
  SessionSink,
  Side,
} from "../../src/engine.ts";
import { type as unchecked } from "../../src/contract/schema.ts";

/** A contract with a message of each kind. */
export const desk: Protocol = defineProtocol({
  name: "desk",
  version: 1,
  requests: {
    "ticket.get": {
      input: z.object({ id: z.int() }),
      output: z.object({ id: z.int(), title: z.string() }),
      errors: { notFound: z.object({ id: z.int() }), gone: unchecked<undefined>() },
    },
    add: { input: z.tuple([z.number(), z.number()]), output: z.number(), from: "both" },
    echo: { input: unchecked<unknown>(), output: unchecked<unknown>(), from: "both" },
    "agent.ask": { input: z.string(), output: z.boolean(), from: "server" },
    ping: { from: "both" },
  },
  events: {
    typing: { payload: z.object({ who: z.string() }) },
    note: { payload: unchecked<unknown>() },
    bell: {},
    "server.news": { payload: z.string(), from: "server" },
  },
});

export interface EndOptions {
  readonly limits?: Partial<SessionLimits>;
  readonly kind?: SessionKind;
  /** What is done with a request; null: it waits in `calls`. */
  readonly call?: ((call: InboundCall, end: End) => void) | null;
  /** What is done with an event; else it is handled at once. */
  readonly event?: (payload: unknown, handled: () => void, end: End) => void;
  /** Called for each thing that is told. */
  readonly told?: (what: string, end: End) => void;
}

export class End implements SessionSink {
  readonly session: Session;
  readonly contract: Protocol;
  /** What the sink was told, one short text each. */
  readonly log: string[] = [];
  /** Requests of the peer that wait for an answer. */
  readonly calls: InboundCall[] = [];
  readonly errors: HawserError[] = [];
  output: ByteWriter = new ByteWriter();
  nowMs = 0;
  readonly #options: EndOptions;
  readonly #framing: Framing;

  constructor(side: Side, options: EndOptions = {}, framing: Framing = lines()) {
    const kind = options.kind ?? jsonRpc(desk, { framing, downgrade: true });
    this.#options = options;
    this.#framing = framing;
    this.contract = kind.contract;
    this.session = kind.session(
      side,
      {
        ...(options.limits === undefined ? {} : { limits: options.limits }),
        random: (bytes) => new Uint8Array(bytes),
      },
      this,
    );
  }

  /** An end that is connected. */
  static ready(side: Side, options: EndOptions = {}, framing: Framing = lines()): End {
    const end = new End(side, options, framing);
    end.connect();
    end.log.length = 0;
    return end;
  }

  connect(): void {
    this.output = new ByteWriter();
    if (this.session.side === "client") this.session.attach(this.output, this.nowMs);
    else
      this.session.welcome(
        this.output,
        { auth: undefined, resume: null, peerVersion: 0 },
        false,
        this.nowMs,
      );
  }

  /** Texts come, one line each. */
  hear(...texts: readonly (string | object)[]): void {
    for (const text of texts)
      this.session.receive(
        new TextEncoder().encode(`${typeof text === "string" ? text : JSON.stringify(text)}\n`),
        this.nowMs,
      );
  }

  /** What was sent since, and is taken away: texts. */
  said(): string[] {
    const { frames, fault } = decodeChunks(this.#framing, [this.output.copy()]);
    if (fault !== null) throw new Error(fault.detail);
    this.output.truncate(0);
    return frames.map((frame) => new TextDecoder("utf-8", { fatal: true }).decode(frame));
  }

  /** As {@link said}, read. */
  read(): unknown[] {
    return this.said().map((text) => JSON.parse(text) as unknown);
  }

  /** What the end hears of a text. */
  answers(...texts: readonly (string | object)[]): unknown[] {
    this.hear(...texts);
    return this.read();
  }

  entry(name: string): MessageEntry {
    const entry = this.contract.find(name);
    if (entry === undefined) throw new Error(`no ${name}`);
    return entry;
  }

  open(name: string, input?: unknown, timeoutMs?: number): OutboundCall {
    return this.session.open(
      this.entry(name),
      input,
      { timeoutMs, nowMs: this.nowMs },
      this.callSink(name),
    );
  }

  emit(name: string, payload?: unknown): boolean {
    return this.session.emit(this.entry(name), payload, {}, (outcome) => {
      this.#tell(`${name} ${outcome}`);
    });
  }

  callSink(name: string): CallSink {
    return {
      result: (value) => {
        this.#tell(`${name} = ${value === undefined ? "nothing" : JSON.stringify(value)}`);
      },
      item: () => {
        this.#tell(`${name} item`);
      },
      end: () => {
        this.#tell(`${name} end`);
      },
      fail: (error) => {
        this.errors.push(error);
        this.#tell(`${name} ! ${error.code}`);
      },
      writable: () => {
        this.#tell(`${name} writable`);
      },
    };
  }

  wrote(): void {
    this.#options.told?.("wrote", this);
  }

  ready(): void {
    this.#tell("ready");
  }

  call(call: InboundCall): void {
    call.sink = {
      item: () => {
        this.#tell("item");
      },
      end: () => {
        this.#tell("end");
      },
      cancelled: (error) => {
        this.#tell(`${call.entry.name} cancelled ${error.code}`);
      },
      writable: () => {
        this.#tell("writable");
      },
    };
    this.#tell(`${call.entry.name}(${show(call.input)})`);
    if (this.#options.call === undefined) call.reply(call.input);
    else if (this.#options.call === null) this.calls.push(call);
    else this.#options.call(call, this);
  }

  event(event: InboundEvent): void {
    const { entry, payload } = event;
    const handled = (): void => {
      event.handled();
    };
    this.#tell(`${entry.name}: ${show(payload)}`);
    if (this.#options.event === undefined) handled();
    else this.#options.event(payload, handled, this);
  }

  writable(): void {
    this.#tell("writable");
  }

  draining(): void {
    this.#tell("draining");
  }

  dropped(error: HawserError): void {
    this.errors.push(error);
    this.#tell(`dropped ${error.code}`);
  }

  over(error: HawserError | null, resumable: boolean): void {
    if (error !== null) this.errors.push(error);
    this.#tell(`over ${error?.code ?? "in order"}${resumable ? ", resumable" : ""}`);
  }

  #tell(what: string): void {
    this.log.push(what);
    this.#options.told?.(what, this);
  }
}

function show(value: unknown): string {
  return value === undefined ? "" : JSON.stringify(value);
}

/** An error response. */
export function failure(id: unknown, code: number, message: unknown, data?: unknown): object {
  return { jsonrpc: "2.0", id, error: { code, message, ...(data === undefined ? {} : { data }) } };
}

/** A response. */
export function success(id: unknown, result: unknown): object {
  return { jsonrpc: "2.0", id, result };
}

/** A request. */
export function request(id: unknown, method: string, params?: unknown): object {
  return { jsonrpc: "2.0", id, method, ...(params === undefined ? {} : { params }) };
}

/** A notification. */
export function notification(method: string, params?: unknown): object {
  return { jsonrpc: "2.0", method, ...(params === undefined ? {} : { params }) };
}
