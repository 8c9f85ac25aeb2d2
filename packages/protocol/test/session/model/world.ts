// The world of the model-based test: a client, a server, and connections between them that cut,
// delay and lose bytes, in virtual time. Everything that is sent has a number of its own; the world
// writes down what became of each, and `verdict` says what can't be true.
import { ByteWriter } from "../../../src/bytes/writer.ts";
import {
  defineProtocol,
  type MessageEntry,
  type Protocol,
  type Side,
} from "../../../src/contract/contract.ts";
import { HawserError } from "../../../src/errors.ts";
import { nativeSessions } from "../../../src/session/native.ts";
import { type } from "../../../src/contract/schema.ts";
import { Monitor } from "./monitor.ts";
import type {
  CallSink,
  Greeter,
  InboundCall,
  InboundEvent,
  OutboundCall,
  Outcome,
  Session,
  SessionKind,
  SessionSink,
} from "../../../src/session/types.ts";

const contract: Protocol = defineProtocol({
  name: "model",
  version: 1,
  requests: {
    ask: {
      input: type<unknown>(),
      output: type<unknown>(),
      errors: { no: type<unknown>() },
      from: "both",
    },
  },
  streams: {
    talk: { input: type<unknown>(), item: type<unknown>(), send: type<unknown>(), from: "both" },
  },
  events: {
    kept: { payload: type<unknown>(), delivery: "at-least-once" },
    passing: { payload: type<unknown>() },
  },
});

export const kind: SessionKind = nativeSessions(contract);
// of the contract above
const entry = (name: string): MessageEntry => contract.find(name) as MessageEntry;

/** How a handler answers. */
export type Manner = "fail" | "large" | "later" | "named" | "reply";

/** What a message holds: its number, and bytes to make it large. */
interface Content {
  readonly id: number;
  readonly how?: Manner;
  readonly filling: string;
}

interface SentEvent {
  readonly id: number;
  readonly delivery: "kept" | "passing";
  outcomes: Outcome[];
  failed: boolean;
  /** The session in whose time it was emitted. */
  readonly session: number;
}

interface SentCall {
  readonly id: number;
  readonly call: OutboundCall;
  readonly isStream: boolean;
  /** How it ended, each time that it did. */
  endings: string[];
  cancelled: boolean;
  readonly dueMs: number;
  /** Numbers of the items that `send` took, and that came back. */
  readonly sent: number[];
  readonly got: number[];
  ended: boolean;
  /** Cost of items that are not taken yet. */
  held: number;
}

interface ServedCall {
  readonly id: number;
  readonly call: InboundCall;
  readonly how: Manner;
  readonly sent: number[];
  readonly got: number[];
  gotEnd: boolean;
  cancellations: number;
  finished: string | null;
  held: number;
}

let numbers = 0;

/** One end: its session, and what it did and was told. */
export class Actor implements SessionSink {
  readonly side: Side;
  readonly world: World;
  session: Session;
  output: ByteWriter = new ByteWriter();
  readonly events: SentEvent[] = [];
  readonly calls: SentCall[] = [];
  readonly served: ServedCall[] = [];
  /** Numbers of the events that came, in order. */
  readonly heard: { readonly id: number; readonly delivery: string }[] = [];
  /** Handlers that have not finished. */
  readonly pending: ((...outcome: Parameters<InboundEvent["handled"]>) => void)[] = [];
  handlers: "fail" | "later" | "now" = "now";
  takes: "later" | "now" = "now";
  readonly faults: string[] = [];
  /** How many callbacks are still answered with another call, from within. */
  reactions = 0;

  constructor(side: Side, world: World) {
    this.side = side;
    this.world = world;
    this.session = this.newSession();
  }

  newSession(): Session {
    const limits = {
      windowBytes: 120,
      eventWindowBytes: 100,
      connectionWindowBytes: 200,
      maxConversations: 4,
      maxPartials: 2,
      maxQueuedBytes: 400_000,
      maxRetainedEvents: 12,
      maxRetainedBytes: 300_000,
      heartbeatMs: 1000,
      heartbeatTimeoutMs: 500,
    };
    return kind.session(
      this.side,
      { limits, random: (bytes) => Uint8Array.from({ length: bytes }, () => numbers++ & 0xff) },
      this,
    );
  }

  /** From within a callback: use the session, each time in another way. */
  react(): void {
    if (this.reactions === 0) return;
    this.reactions--;
    const way = this.reactions % 7;
    if (way === 0) this.emit("kept", "");
    else if (way === 1) this.open(false, "reply", "", undefined);
    else if (way === 2) this.cancel(this.reactions);
    else if (way === 3) this.open(true, "reply", "x".repeat(66_000), 50);
    else if (way === 4) this.emit("passing", "x".repeat(70_000));
    else if (way === 5) this.send(this.reactions, "y".repeat(100));
    else this.finish(this.reactions, "reply");
  }

  emit(delivery: "kept" | "passing", filling: string): void {
    const event: SentEvent = {
      id: ++numbers,
      delivery,
      outcomes: [],
      failed: false,
      session: this.world.sessions,
    };
    // before it, because it may be settled, and others emitted, from within
    this.events.push(event);
    try {
      this.session.emit(
        entry(delivery),
        { id: event.id, filling } satisfies Content,
        {},
        (outcome, error) => {
          event.outcomes.push(outcome);
          event.failed ||= error?.code === "REMOTE_HANDLER_FAILED";
          this.react();
        },
      );
    } catch (error) {
      this.events.splice(this.events.indexOf(event), 1);
      this.expected(error, ["NOT_READY", "SESSION_CLOSED", "RETENTION_FULL", "WRITE_BUFFER_FULL"]);
    }
  }

  open(isStream: boolean, how: Manner, filling: string, timeoutMs: number | undefined): void {
    const id = ++numbers;
    const holder: { sent?: SentCall } = {};
    const of = (): SentCall => {
      if (holder.sent === undefined) throw new Error("told before open() returned");
      return holder.sent;
    };
    const ended = (ending: string): void => {
      of().endings.push(ending);
      this.react();
    };
    const sink: CallSink = {
      result: (value) => {
        ended(`result ${String((value as Content).id)}`);
      },
      item: (value, cost) => {
        if (of().endings.length > 0) this.faults.push(`item after the end of ${String(id)}`);
        of().got.push((value as Content).id);
        if (this.takes === "now") of().call.consume(cost);
        else of().held += cost;
        this.react();
      },
      end: () => {
        ended("end");
      },
      fail: (error) => {
        ended(
          error.failure === null
            ? error.code
            : `NAMED ${String((error.failure.payload as Content).id)}`,
        );
      },
      writable: () => {
        this.react();
      },
    };
    try {
      const call = this.session.open(
        entry(isStream ? "talk" : "ask"),
        { id, how, filling } satisfies Content,
        { timeoutMs, nowMs: this.world.nowMs },
        sink,
      );
      holder.sent = {
        id,
        call,
        isStream,
        endings: [],
        cancelled: false,
        dueMs: this.world.nowMs + (timeoutMs ?? Infinity),
        sent: [],
        got: [],
        ended: false,
        held: 0,
      };
      this.calls.push(holder.sent);
    } catch (error) {
      this.expected(error, [
        "NOT_READY",
        "SESSION_CLOSED",
        "DRAINING",
        "OVERLOADED",
        "WRITE_BUFFER_FULL",
      ]);
    }
  }

  /** Send an item with the nth stream of this end that goes on, opened here or there. */
  send(nth: number, filling: string): void {
    const mine = this.calls.filter(
      ({ isStream, ended, endings }) => isStream && !ended && endings.length === 0,
    );
    const theirs = this.served.filter(
      ({ call, finished }) =>
        call.entry.type === "stream" && finished === null && call.cancellation === null,
    );
    const all = [...mine, ...theirs];
    const chosen = all[nth % Math.max(1, all.length)];
    if (chosen === undefined) return;
    const id = ++numbers;
    chosen.sent.push(id); // before it, as above
    try {
      chosen.call.send({ id, filling } satisfies Content);
    } catch (error) {
      chosen.sent.splice(chosen.sent.indexOf(id), 1);
      this.expected(error, ["WRITE_BUFFER_FULL"]);
    }
  }

  /** End the items of the nth stream that this end opened. */
  endItems(nth: number): void {
    const mine = this.calls.filter(
      ({ isStream, ended, endings }) => isStream && !ended && endings.length === 0,
    );
    const chosen = mine[nth % Math.max(1, mine.length)];
    if (chosen === undefined) return;
    chosen.ended = true;
    chosen.call.end();
  }

  cancel(nth: number): void {
    const open = this.calls.filter(({ endings }) => endings.length === 0);
    const chosen = open[nth % Math.max(1, open.length)];
    if (chosen === undefined) return;
    chosen.cancelled = true;
    chosen.call.cancel();
  }

  /** Finish the nth call that this end serves and has not finished. */
  finish(nth: number, how: Manner): void {
    const open = this.served.filter(({ finished }) => finished === null);
    const chosen = open[nth % Math.max(1, open.length)];
    if (chosen !== undefined) this.answer(chosen, how);
  }

  answer(served: ServedCall, how: Manner): void {
    const { call, id } = served;
    const content = { id, filling: how === "large" ? "x".repeat(70_000) : "" } satisfies Content;
    served.finished = how;
    if (how === "fail") call.fail(new HawserError("HANDLER_FAILED", "the handler's own"));
    else if (how === "named" && call.entry.type === "request")
      call.fail({ name: "no", payload: content });
    else if (call.entry.type === "stream") call.end();
    else call.reply(content);
  }

  /** Finish handlers of events, and take items. */
  catchUp(): void {
    for (const handled of this.pending.splice(0)) handled();
    for (const one of [...this.calls, ...this.served]) {
      one.call.consume(one.held);
      one.held = 0;
    }
  }

  call(call: InboundCall): void {
    const { id, how = "reply" } = call.input as Content;
    const served: ServedCall = {
      id,
      call,
      how,
      sent: [],
      got: [],
      gotEnd: false,
      cancellations: 0,
      finished: null,
      held: 0,
    };
    if (this.served.some((other) => other.id === id))
      this.faults.push(`the call ${String(id)} came twice`);
    this.served.push(served);
    call.sink = {
      item: (value, cost) => {
        if (served.gotEnd || served.cancellations > 0)
          this.faults.push(`item after the end of ${String(id)}`);
        served.got.push((value as Content).id);
        if (this.takes === "now") call.consume(cost);
        else served.held += cost;
        this.react();
      },
      end: () => {
        if (served.gotEnd) this.faults.push(`two ends of ${String(id)}`);
        served.gotEnd = true;
        this.react();
      },
      cancelled: () => {
        served.cancellations++;
        this.react();
      },
      writable: () => {
        this.react();
      },
    };
    if (how !== "later" && call.entry.type === "request") this.answer(served, how);
  }

  event(event: InboundEvent): void {
    this.heard.push({ id: (event.payload as Content).id, delivery: event.entry.name });
    if (this.pending.length > 0) this.faults.push("an event came before the last was handled");
    this.react();
    if (this.handlers === "later")
      this.pending.push((error) => {
        event.handled(error);
      });
    else event.handled(this.handlers === "fail" ? { name: "none", payload: null } : null);
  }

  over(error: HawserError | null, resumable: boolean): void {
    if (
      error !== null &&
      !["HEARTBEAT_LOST", "HANDSHAKE_TIMEOUT", "SESSION_REPLACED"].includes(error.code)
    )
      this.faults.push(`over: ${error.code}: ${error.message}`);
    if (resumable !== (this.session.state === "lost")) this.faults.push("resumable, but not lost");
    this.world.closing(this.side);
  }

  dropped(error: HawserError): void {
    this.faults.push(`dropped: ${error.message}`);
  }

  wrote(): void {
    // the world collects after each step
  }

  ready(): void {
    this.world.readies++;
    this.react();
  }

  writable(): void {
    this.react();
  }

  draining(): void {
    this.react();
  }

  expected(error: unknown, codes: readonly string[]): void {
    const code = (error as HawserError).code as string | undefined;
    if (code === undefined || !codes.includes(code)) throw error;
  }
}

/** Bytes under way, in one direction. */
class Pipe {
  #bytes: Uint8Array = new Uint8Array(0);
  /** Whether its sender has closed it. */
  closed = false;

  get length(): number {
    return this.#bytes.length;
  }

  put(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const joined = new Uint8Array(this.#bytes.length + bytes.length);
    joined.set(this.#bytes);
    joined.set(bytes, this.#bytes.length);
    this.#bytes = joined;
  }

  take(count: number): Uint8Array {
    const taken = this.#bytes.slice(0, count);
    this.#bytes = this.#bytes.slice(count);
    return taken;
  }
}

/** One connection. */
class Connection {
  readonly monitor: Monitor = new Monitor(2);
  readonly toServer: Pipe = new Pipe();
  readonly toClient: Pipe = new Pipe();
  /** Null when the server knows who calls. */
  greeter: Greeter | null = kind.greeter({ random: () => new Uint8Array(0) });
  /** Which ends use it still. */
  client = true;
  server = true;
}

/** Two ends and the connection of the moment. */
export class World {
  nowMs = 0;
  /** How many sessions there were, and how many times one was ready. */
  sessions = 1;
  readies = 0;
  connection: Connection | null = null;
  /** Whether the server forgets the session when the client comes again. */
  forgets = false;
  readonly client: Actor;
  readonly server: Actor;
  steps = 0;

  constructor() {
    this.client = new Actor("client", this);
    this.server = new Actor("server", this);
  }

  of(side: Side): Actor {
    return side === "client" ? this.client : this.server;
  }

  get over(): boolean {
    return this.client.session.state === "closed";
  }

  connect(): void {
    const { client } = this;
    if (client.session.state !== "new" && client.session.state !== "lost") return;
    this.leave("client");
    this.connection = new Connection();
    if (
      this.server.session.state === "new" ||
      this.server.session.state === "lost" ||
      this.server.session.state === "closed"
    )
      this.server.output = new ByteWriter();
    client.output = new ByteWriter();
    client.session.attach(client.output, this.nowMs);
    this.collect();
  }

  /** What the ends wrote goes into the connection. */
  collect(): void {
    for (const { output, side } of [this.client, this.server]) {
      const { connection } = this;
      const bytes = output.copy();
      output.truncate(0);
      const isGreeted = side === "client" || connection?.greeter === null;
      if (connection === null || !connection[side] || !isGreeted) continue; // nobody reads it
      const pipe = side === "client" ? connection.toServer : connection.toClient;
      if (pipe.closed) continue;
      pipe.put(bytes);
      connection.monitor.see(side, bytes);
      for (const wrong of connection.monitor.wrong.splice(0)) this.of(side).faults.push(wrong);
    }
  }

  /** Carry so many bytes to one end, in one chunk. */
  deliver(to: Side, count: number): void {
    this.collect();
    const { connection } = this;
    if (connection === null) return;
    const pipe = to === "server" ? connection.toServer : connection.toClient;
    const chunk = pipe.take(count);
    if (chunk.length > 0 && connection[to]) {
      this.steps++;
      if (to === "client") this.client.session.receive(chunk, this.nowMs);
      else this.toServer(connection, chunk);
    }
    chunk.fill(0xee); // it is not kept
    if (pipe.closed && pipe.length === 0) this.leave(to);
    this.collect();
  }

  toServer(connection: Connection, chunk: Uint8Array): void {
    const { server } = this;
    if (connection.greeter === null) {
      server.session.receive(chunk, this.nowMs);
      return;
    }
    const greeting = connection.greeter.receive(chunk);
    if (greeting === null) return;
    if (!greeting.ok) {
      server.faults.push(greeting.error.message);
      return;
    }
    if (connection.greeter.admitted().ok !== true)
      server.faults.push("a client of the same contract is asked for its list");
    connection.greeter = null;
    const { hello } = greeting;
    const isKnown =
      (hello.resume?.session === server.session.id ||
        (hello.resume !== null && hello.resume.session === server.session.formerId)) &&
      server.session.state !== "closed";
    const resumed = !this.forgets && hello.resume !== null && server.session.canResume(hello);
    server.output = new ByteWriter();
    if (!resumed && server.session.state !== "new") {
      this.connection = null; // the old session takes leave of another connection
      server.session.close();
      this.connection = connection;
      server.catchUp(); // handlers of the old session finish when they will
      server.session = server.newSession();
      this.sessions++;
    }
    if (isKnown && !resumed && !this.forgets)
      server.faults.push("a session that was not forgotten was not resumed");
    this.forgets = false;
    server.session.welcome(server.output, hello, resumed, this.nowMs);
  }

  /** The connection is lost: these ends notice; so many bytes still come through. */
  cut(notices: "both" | Side, toServer: number, toClient: number): void {
    this.collect();
    this.deliver("server", toServer);
    this.deliver("client", toClient);
    const { connection } = this;
    if (connection === null) return;
    this.connection = null;
    for (const side of ["client", "server"] as const) {
      if (!connection[side]) continue;
      if (notices === "both" || notices === side) this.lose(connection, side);
    }
  }

  lose(connection: Connection, side: Side): void {
    if (side === "server" && connection.greeter !== null) return; // no session was there
    this.of(side).session.lost(this.nowMs);
    this.of(side).output.truncate(0);
  }

  /** An end's session is done with the connection: what it wrote leaves, then the stream ends. */
  closing(side: Side): void {
    this.collect();
    const { connection } = this;
    if (connection === null) return;
    connection[side] = false;
    (side === "client" ? connection.toServer : connection.toClient).closed = true;
  }

  /** One end sees the stream end. */
  leave(side: Side): void {
    const { connection } = this;
    if (connection?.[side] !== true) return;
    connection[side] = false;
    (side === "client" ? connection.toServer : connection.toClient).closed = true;
    this.lose(connection, side);
  }

  pass(ms: number): void {
    this.nowMs += ms;
    for (const { session } of [this.client, this.server]) {
      session.tick(this.nowMs);
      if (session.deadline() <= this.nowMs)
        this.of(session.side).faults.push(
          `the deadline of the ${session.side} has passed: ${String(session.deadline())} at ` +
            String(this.nowMs),
        );
    }
    this.collect();
  }

  pump(): void {
    for (const { session } of [this.client, this.server]) session.transmit(65_536);
    this.collect();
  }

  /** Carry everything, until nothing moves. */
  settle(): void {
    for (let round = 0; ; round++) {
      if (round > 2_000) throw new Error("the two never come to rest");
      const before = this.steps;
      this.pump();
      this.deliver("server", Infinity);
      this.deliver("client", Infinity);
      if (this.steps === before) return;
    }
  }

  /** Come to an end: connected again, everything answered, taken and acknowledged; or over. */
  conclude(): void {
    for (const actor of [this.client, this.server]) {
      actor.reactions = 0;
      actor.handlers = "now";
      actor.takes = "now";
    }
    for (let round = 0; round < 40; round++) {
      if (this.client.session.state === "new" || this.client.session.state === "lost")
        this.connect();
      this.settle();
      for (const actor of [this.client, this.server]) {
        actor.catchUp();
        for (const served of actor.served)
          if (served.finished === null) this.of(actor.side).answer(served, "reply");
      }
      this.settle();
      for (const actor of [this.client, this.server]) actor.catchUp();
      this.settle();
      for (const { calls } of [this.client, this.server]) {
        for (const one of calls) {
          if (!one.isStream || one.ended || one.endings.length > 0) continue;
          one.ended = true;
          one.call.end();
        }
      }
      this.settle();
      this.pass(400);
    }
    // its window has passed
    if (this.over && this.server.session.state !== "closed") this.server.session.close();
    if (this.server.session.state === "closed" && !this.over) this.client.session.close();
  }
}
