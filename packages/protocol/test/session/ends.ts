// Two sessions and what carries their bytes, for the tests: each end writes down what it is told,
// one short string for each thing.
import { ByteWriter } from "../../src/bytes/writer.ts";
import {
  defineProtocol,
  type MessageEntry,
  type Protocol,
  type Side,
} from "../../src/contract/contract.ts";
import { type HawserError, isHawserError, type NamedFailure } from "../../src/errors.ts";
import type { SessionLimits } from "../../src/session/limits.ts";
import { nativeSessions } from "../../src/session/native.ts";
import type { Retention } from "../../src/session/events/retention.ts";
import type {
  CallOptions,
  CallSink,
  Greeting,
  InboundCall,
  InboundEvent,
  OutboundCall,
  ReadyInfo,
  Session,
  SessionKind,
  SessionSink,
} from "../../src/session/types.ts";
import { type } from "../../src/contract/schema.ts";

/** The contract of most tests: nothing is checked, and nothing is known of the shapes. */
export const echo: Protocol = defineProtocol({
  name: "echo",
  version: 1,
  requests: {
    ask: { input: type<unknown>(), output: type<unknown>(), from: "server" },
    say: { input: type<unknown>(), output: type<unknown>(), errors: { rude: type<unknown>() } },
  },
  streams: {
    count: { input: type<unknown>(), item: type<unknown>(), errors: { rude: type<unknown>() } },
    talk: { input: type<unknown>(), item: type<unknown>(), send: type<unknown>(), from: "both" },
  },
  events: {
    note: { payload: type<unknown>(), delivery: "at-least-once" },
    tick: { payload: type<unknown>() },
  },
});

/** A message of a contract that has it. */
export function entryOf(kind: SessionKind, name: string): MessageEntry {
  const entry = kind.contract.find(name);
  if (entry === undefined) throw new Error(`no ${name}`);
  return entry;
}

/** Bytes that anybody can guess: 0, 1, 2, … */
export function countingRandom(): (bytes: number) => Uint8Array {
  let next = 0;
  return (bytes) => Uint8Array.from({ length: bytes }, () => next++ & 0xff);
}

/** A value as it stands in a log. */
export function brief(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 16)}…${String(text.length)}` : text;
}

/** An error as it stands in a log. */
export function briefError(error: HawserError | NamedFailure | null): string {
  if (error === null) return "null";
  if (!isHawserError(error)) return error.name;
  return error.failure === null
    ? error.code
    : `${error.code}(${error.failure.name} ${brief(error.failure.payload)})`;
}

/** Ends an event. */
export type Handled = (...outcome: Parameters<InboundEvent["handled"]>) => void;

/** One session with its output and its log. */
export class End implements SessionSink {
  readonly kind: SessionKind;
  readonly session: Session;
  readonly log: string[] = [];
  /** Calls that the peer opened, in order. */
  readonly calls: InboundCall[] = [];
  output: ByteWriter = new ByteWriter();
  wrotes = 0;
  /** What is done with what comes; a test may replace each. */
  onCall: (call: InboundCall) => void = () => undefined;
  onEvent: (entry: MessageEntry, payload: unknown, handled: Handled) => void = (
    _entry,
    _payload,
    handled,
  ) => {
    handled();
  };
  onReady: (info: ReadyInfo) => void = () => undefined;
  onWritable: () => void = () => undefined;
  onOver: (error: HawserError | null, resumable: boolean) => void = () => undefined;

  constructor(side: Side, options: EndOptions = {}) {
    this.kind = options.kind ?? nativeSessions(echo);
    this.session = this.kind.session(
      side,
      {
        limits: options.limits,
        random: options.random ?? countingRandom(),
        retention: options.retention,
      },
      this,
    );
  }

  /** What was written since the last time, as a chunk of its own. */
  take(): Uint8Array {
    const bytes = this.output.copy();
    this.output.truncate(0);
    return bytes;
  }

  /** The log since the last time. */
  told(): string[] {
    return this.log.splice(0);
  }

  open(
    name: string,
    input?: unknown,
    options: CallOptions = {},
    label: string = name,
  ): OutboundCall & { readonly sink: CallSink } {
    const sink: CallSink = {
      result: (value) => void this.log.push(`${label} result ${brief(value)}`),
      item: (value, cost) => {
        this.log.push(`${label} item ${brief(value)}`);
        call.consume(cost);
      },
      end: () => void this.log.push(`${label} end`),
      fail: (error) => void this.log.push(`${label} fail ${briefError(error)}`),
      refused: () => void this.log.push(`${label} refused`),
      writable: () => void this.log.push(`${label} writable`),
    };
    const call = this.session.open(entryOf(this.kind, name), input, options, sink);
    return Object.assign(call, { sink });
  }

  emit(name: string, payload?: unknown, trace?: string): boolean {
    return this.session.emit(entryOf(this.kind, name), payload, { trace }, (outcome, error) => {
      this.log.push(
        `${name} ${brief(payload)} ${outcome}${error === null ? "" : ` ${error.code}`}`,
      );
    });
  }

  wrote(): void {
    this.wrotes++;
  }

  ready(info: ReadyInfo): void {
    this.log.push(
      `ready${info.resumed ? " resumed" : ""}${info.repeatedEvents > 0 ? ` repeated ${String(info.repeatedEvents)}` : ""}`,
    );
    this.onReady(info);
  }

  call(call: InboundCall): void {
    this.log.push(`call ${call.entry.name} ${brief(call.input)}`);
    this.calls.push(call);
    call.sink = {
      item: (value, cost) => {
        this.log.push(`${call.entry.name} got ${brief(value)}`);
        call.consume(cost);
      },
      end: () => void this.log.push(`${call.entry.name} got end`),
      cancelled: (error) => void this.log.push(`${call.entry.name} cancelled ${error.code}`),
      refused: () => void this.log.push(`${call.entry.name} refused`),
      writable: () => void this.log.push(`${call.entry.name} may send`),
    };
    this.onCall(call);
  }

  event(event: InboundEvent): void {
    const { entry, payload, trace } = event;
    this.log.push(`event ${entry.name} ${brief(payload)}${trace === null ? "" : ` ${trace}`}`);
    this.onEvent(entry, payload, (error) => {
      event.handled(error);
    });
  }

  writable(): void {
    this.log.push("writable");
    this.onWritable();
  }

  draining(): void {
    this.log.push("draining");
  }

  dropped(error: HawserError): void {
    this.log.push(`dropped ${error.code}`);
  }

  over(error: HawserError | null, resumable: boolean): void {
    this.log.push(`over ${briefError(error)}${resumable ? " resumable" : ""}`);
    this.onOver(error, resumable);
  }
}

export interface EndOptions {
  readonly kind?: SessionKind;
  readonly limits?: Partial<SessionLimits> | undefined;
  readonly random?: (bytes: number) => Uint8Array;
  readonly retention?: Retention;
}

/**
 * Read a client's greeting, and let it in; throws where it is not good. `answer`: what the client
 * says to what the greeter asks.
 */
export function greet(
  kind: SessionKind,
  bytes: Uint8Array,
  answer: ((ask: Uint8Array) => Uint8Array) | null = null,
): Extract<Greeting, { ok: true }> {
  const greeter = kind.greeter({ random: countingRandom() });
  const greeting = greeter.receive(bytes);
  if (greeting?.ok !== true) throw greeting?.error ?? new Error("no greeting");
  const admission = greeter.admitted();
  if (admission.ok === false) throw admission.error;
  if (admission.ok === true) return greeting;
  if (answer === null) throw new Error("the greeter asks for more");
  const whole = greeter.receive(answer(admission.ask));
  if (whole?.ok !== true) throw whole?.error ?? new Error("no whole greeting");
  return whole;
}

/** A client and a server that are joined by memory. */
export class Pair {
  readonly client: End;
  readonly server: End;
  nowMs = 0;

  constructor(client: EndOptions = {}, server?: EndOptions) {
    this.client = new End("client", client);
    this.server = new End("server", server ?? client);
  }

  /** Connect: a new session, or the same one. */
  connect(resumed = false): this {
    const { client, server } = this;
    client.output = new ByteWriter();
    server.output = new ByteWriter();
    client.session.attach(client.output, this.nowMs);
    const { hello } = greet(server.kind, client.take(), (ask) => {
      client.session.receive(ask, this.nowMs);
      return client.take();
    });
    server.session.welcome(server.output, hello, resumed, this.nowMs);
    client.session.receive(server.take(), this.nowMs);
    return this;
  }

  /**
   * Carry bytes both ways until there are none, in chunks of at most `chunkBytes`; returns how many
   * chunks it took.
   */
  flush(chunkBytes?: number): number {
    const { client, server } = this;
    for (let chunks = 0; ;) {
      for (const end of [client, server]) end.session.transmit(65_536);
      const bytes = [client.take(), server.take()] as const;
      if (bytes[0].length + bytes[1].length === 0) return chunks;
      for (const [end, from] of [
        [server, bytes[0]],
        [client, bytes[1]],
      ] as const) {
        for (let at = 0; at < from.length; at += chunkBytes ?? from.length) {
          end.session.receive(from.subarray(at, at + (chunkBytes ?? from.length)), this.nowMs);
          chunks++;
        }
      }
      if (chunks > 10_000_000) throw new Error("the two never come to rest");
    }
  }

  /** The connection is gone. */
  cut(): void {
    this.client.session.lost(this.nowMs);
    this.server.session.lost(this.nowMs);
    this.client.take();
    this.server.take();
  }

  /** Both logs since the last time. */
  told(): { client: string[]; server: string[] } {
    return { client: this.client.told(), server: this.server.told() };
  }
}

/** A pair that is ready, with empty logs. */
export function readyPair(client: EndOptions = {}, server?: EndOptions): Pair {
  const pair = new Pair(client, server ?? client).connect();
  pair.told();
  return pair;
}
