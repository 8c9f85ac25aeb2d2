/**
 * ServedSession: one client's session, from its welcome to its end, over one connection after
 * another. Owns what becomes of what the engine tells, and what a handler has in its hands. Must
 * not know listeners or greetings.
 *
 * @module
 */
import {
  HawserError,
  type Hello,
  isHawserError,
  type Outcome,
  type Protocol,
} from "@hawser/protocol";
import type {
  EmitOptions,
  ErrorPeer,
  InboundCall,
  InboundEvent,
  MessageEntry,
  PreparedEvent,
  ReadyInfo,
  Session,
  SessionKind,
  SessionSink,
  SessionState,
} from "@hawser/protocol/engine";
import {
  type Closed,
  emitEvent,
  type EventOptions,
  eventsFlushed,
  mayBeSeen,
  messageToOpen,
  type OpenOptions,
  openRequest,
  openStream,
  rejected,
  type Responder,
  type SessionLink,
  type SessionStream,
  StuckHandlers,
  unlessSeen,
  unsent,
} from "@hawser/session";
import type { Connection } from "@hawser/transport";
import { type ContextOwner, ServedCall, ServedEvent } from "./context.ts";
import { draining } from "./handshake.ts";
import type { SessionServer, SessionSocket } from "./handlers.ts";
import type { ResolvedSessionOptions } from "./options.ts";
import { type LostSession, placeOf } from "./lost-sessions.ts";
import type { Rooms } from "./rooms.ts";

/** What a session needs of its server. */
export interface SessionHost<P extends Protocol, C> {
  readonly kind: SessionKind;
  readonly options: ResolvedSessionOptions;
  readonly responder: Responder;
  readonly memberships: Rooms<ServedSession<P, C>>;
  readonly server: SessionServer<P, C>;
  /** Whose handler is being called, in its first turn: what `close()` does not wait for. */
  handling: ServedSession<P, C> | null;
  /** The session is ready for the first time; `settled` is called when its calls may begin. */
  opened(session: ServedSession<P, C>, settled: () => void): void;
  /** Its connection is gone, and the client may come back. */
  disconnected(session: ServedSession<P, C>, error: HawserError | null): void;
  /** It goes on over another connection. */
  resumed(session: ServedSession<P, C>): void;
  /** A context is replaced. */
  release(context: unknown): void;
  /** Its connection is gone. Returns whether the server keeps it for the client to come back. */
  keeps(session: ServedSession<P, C>): boolean;
  /** A session without a connection keeps another event. */
  retained(): void;
  /** It is over. */
  ended(session: ServedSession<P, C>, closed: Closed): void;
  report(error: HawserError, peer: ErrorPeer, session: ServedSession<P, C>): void;
}

/**
 * One client's session: {@link SessionSocket} for the handlers, {@link SessionSink} for the engine.
 */
export class ServedSession<P extends Protocol, C>
  implements LostSession, SessionSocket<P, C>, SessionSink, ContextOwner<P, C>
{
  readonly label: string;
  #context: C;
  readonly #host: SessionHost<P, C>;
  /** When the connection at hand began, and how long those before it lasted. */
  #servedSinceMs = 0;
  #servedMs = 0;
  readonly #session: Session;
  #link: SessionLink;
  /** True if `#link` still carries the session. */
  #isLinked = false;
  #rooms: Set<string> | null = null;
  /** When the connection was lost; Infinity while there is one. */
  #lostMs = Infinity;
  /** When nothing was open any more after the client had been asked to drain; Infinity before. */
  #drainedMs = Infinity;
  #loss: HawserError | null = null;
  /** Which end closes the session, where it ends in order. */
  #closer: "local" | "remote" = "remote";
  #outcome: Closed | null = null;
  /** Made when somebody asks for `closed`. */
  #closed: PromiseWithResolvers<Closed> | null = null;
  /** Calls and events that wait for the `open` hook; null: they don't. */
  #opening: (() => void)[] | null = null;
  /** Stops the timer of the `open` hook. */
  #cancelOpening: (() => void) | null = null;
  /** Made when a handler asks for it. */
  #drain: AbortController | null = null;
  /** Made when a call is cancelled whose handler goes on. */
  #stuck: StuckHandlers | null = null;

  constructor(host: SessionHost<P, C>, link: SessionLink, context: C, label: string) {
    this.#host = host;
    this.#link = link;
    this.#context = context;
    this.label = label;
    this.#session = host.kind.session("server", host.options, this);
  }

  /** Serve the peer behind a link, or go on with it: as `welcome` of the engine. */
  welcome(link: SessionLink, hello: Hello, resumed: boolean): void {
    const old = this.#isLinked ? this.#link : null;
    this.#link = link;
    this.#isLinked = true;
    this.#lostMs = Infinity;
    this.#servedSinceMs = link.now();
    this.#loss = null;
    link.hand(this.#session);
    this.#session.welcome(link.output, hello, resumed, link.now());
    old?.close();
  }

  /** The client has come back, and was judged again. */
  renew(context: C): void {
    const before = this.#context;
    this.#context = context;
    if (before !== context) this.#host.release(before);
  }

  canResume(hello: Hello): boolean {
    return this.#outcome === null && this.#session.canResume(hello);
  }

  /** A link has lost its connection: this session's, unless it has another by now. */
  lost(link: SessionLink, error: HawserError): void {
    if (link !== this.#link || !this.#isLinked) return;
    this.#isLinked = false;
    if (error.code === "SLOW_CONSUMER" || error.code === "IDLE_TIMEOUT")
      this.#host.report(error, this, this);
    this.#session.lost(link.now(), error);
    this.#park(error);
  }

  /** Time has passed for a session that drains, or has no connection. */
  tick(nowMs: number): void {
    const { limits, connection } = this.#host.options;
    if (nowMs - this.#lostMs >= limits.resumeWindowMs) this.giveUp();
    else if (this.#session.state === "draining" && this.#drainedMs !== Infinity) {
      // The client closes; one that does not is not waited for.
      if (this.#session.openCalls > 0) this.#drainedMs = nowMs;
      else if (nowMs - this.#drainedMs >= connection.lingerTimeoutMs)
        this.end("DRAINED", "The server is closing");
    }
  }

  /** The process stood still for `ms`: a client that was lost could not come back meanwhile. */
  stoodStill(ms: number): void {
    this.#lostMs += ms;
    this.#drainedMs += ms;
  }

  /** Ask the client to open nothing more. */
  drain(nowMs: number): void {
    if (this.#outcome !== null || this.#drainedMs !== Infinity) return;
    this.#drainedMs = nowMs;
    this.#drain?.abort(draining());
    this.#session.drain();
  }

  /** The client does not come back, or is not waited for. */
  giveUp(): void {
    this.#session.close("DRAINED");
    this.#end(this.#loss);
  }

  /** End at once. */
  break(): void {
    const link = this.#link;
    this.end("DRAINED", "The server is closing");
    link.abort();
  }

  end(code: "DRAINED" | "NORMAL" | "OVERLOADED", message: string): void {
    this.#closer = "local";
    this.#session.close(code, message);
    this.#end(null); // where there was no connection, nothing else says so
  }

  get context(): C {
    return this.#context;
  }

  /** @see ContextOwner */
  get drainSignal(): AbortSignal {
    if (this.#drain === null) {
      this.#drain = new AbortController();
      if (this.#drainedMs !== Infinity || this.#outcome !== null) this.#drain.abort(draining());
    }
    return this.#drain.signal;
  }

  /** @see ContextOwner */
  get stuckHandlers(): StuckHandlers {
    const { limits, ticker } = this.#host.options;
    return (this.#stuck ??= new StuckHandlers(ticker.clock, limits.cancelTimeoutMs));
  }

  /** @see SessionServer */
  get formerId(): string {
    return this.#session.formerId;
  }

  get id(): string {
    return this.#session.id;
  }

  get remote(): string {
    return this.#link.remote;
  }

  /** @see LostSession */
  get place(): string {
    return placeOf(this.#link.remote);
  }

  /** @see LostSession */
  get servedMs(): number {
    return this.#servedMs;
  }

  get transport(): Connection["transport"] {
    return this.#link.transport;
  }

  get state(): SessionState {
    return this.#session.state;
  }

  get peerVersion(): number {
    return this.#session.peerVersion;
  }

  get roundTripMs(): number | null {
    return this.#session.roundTripMs;
  }

  get rooms(): ReadonlySet<string> {
    return this.#rooms ?? NOWHERE;
  }

  get server(): SessionServer<P, C> {
    return this.#host.server;
  }

  join(room: string): void {
    if (typeof room !== "string")
      throw new TypeError(`Cannot join a room of type ${typeof room}: its name is a string`);
    if (this.#outcome !== null) return;
    (this.#rooms ??= new Set()).add(room);
    this.#host.memberships.join(room, this);
  }

  leave(room: string): void {
    if (this.#rooms?.delete(room) === true) this.#host.memberships.leave(room, this);
  }

  emit(name: string, payload?: unknown, options?: EventOptions): Promise<Outcome> {
    let entry: MessageEntry | null = null;
    try {
      entry = messageToOpen(this.#host.kind.contract, "event", name, "server");
      const outcome = emitEvent(
        this.#session,
        entry,
        payload,
        this.#host.options.ticker.clock,
        options,
      );
      if (this.#session.state === "lost") this.#host.retained();
      return outcome;
    } catch (error) {
      return unsent(entry, error);
    }
  }

  eventsFlushed(): Promise<void> {
    return eventsFlushed(this.#session);
  }

  /** Emit what is encoded already: whether it was taken. */
  emitPrepared(event: PreparedEvent, options: EmitOptions): boolean {
    const { state } = this.#session;
    if (
      state === "closed" ||
      (event.entry.delivery === "at-most-once" && state !== "ready" && state !== "draining")
    )
      return false;
    try {
      this.#session.emitPrepared(event, options, null);
      if (state === "lost") this.#host.retained();
      return this.#session.knows(event.entry);
    } catch (error) {
      if (!isHawserError(error)) throw error;
      if (error.code === "WRITE_BUFFER_FULL" || error.code === "RETENTION_FULL")
        this.#tooSlow(error);
      return false;
    }
  }

  request(name: string, input?: unknown, options: OpenOptions = NO_OPTIONS): Promise<never> {
    let answer: Promise<unknown>;
    try {
      const entry = messageToOpen(this.#host.kind.contract, "request", name, "server");
      answer = openRequest(this.#session, entry, input, options, this.#link.now());
    } catch (error) {
      return rejected(error);
    }
    if (options.timeoutMs !== undefined) this.#link.watch();
    return answer as Promise<never>; // the interface has the type, and the session checks the value
  }

  stream(name: string, input?: unknown, options: OpenOptions = NO_OPTIONS): SessionStream<never> {
    const entry = messageToOpen(this.#host.kind.contract, "stream", name, "server");
    const stream = openStream(this.#session, this.#link, entry, input, options, this.#link.now());
    if (options.timeoutMs !== undefined) this.#link.watch();
    return stream;
  }

  close(message = "The server has closed the session"): Promise<Closed> {
    this.end("NORMAL", message);
    return this.closed;
  }

  abort(): void {
    const link = this.#link;
    link.abort();
    this.lost(
      link,
      new HawserError("ABORTED", `The connection to ${link.remote} was broken off here`),
    );
  }

  get closed(): Promise<Closed> {
    this.#closed ??= Promise.withResolvers<Closed>();
    if (this.#outcome !== null) this.#closed.resolve(this.#outcome);
    return this.#closed.promise;
  }

  /** @see SessionSink */
  wrote(): void {
    if (this.#isLinked) this.#link.wrote();
  }

  /** @see SessionSink */
  ready(info: ReadyInfo): void {
    if (info.resumed) {
      this.#host.resumed(this);
      return;
    }
    this.#opening = [];
    this.#host.opened(this, () => {
      this.#begin();
    });
    if (!this.#isOpening()) return;
    const { limits, ticker } = this.#host.options;
    const { handshakeTimeoutMs } = limits;
    if (handshakeTimeoutMs === Infinity) return;
    this.#cancelOpening = ticker.clock.after(handshakeTimeoutMs, () => {
      const late =
        `The open option for ${this.remote} did not settle within handshakeTimeoutMs ` +
        `${String(handshakeTimeoutMs)}: the session is closed`;
      this.#report(new HawserError("HANDLER_FAILED", late, { scope: "session" }));
      this.end("OVERLOADED", "The server could not begin the session");
    });
  }

  /** @see SessionSink */
  call(call: InboundCall): void {
    const { responder } = this.#host;
    const context = new ServedCall(call, this.#link, this, this);
    if (this.#opening === null) {
      this.#call(responder, call, context);
      return;
    }
    context.hold();
    this.#opening.push(() => {
      if (context.resume()) this.#call(responder, call, context);
    });
  }

  #call(responder: Responder, call: InboundCall, context: ServedCall<P, C>): void {
    const host = this.#host;
    const before = host.handling;
    host.handling = this;
    responder.call(call, context); // never throws
    host.handling = before;
  }

  /** @see SessionSink */
  event(event: InboundEvent): void {
    if (this.#opening === null) {
      this.#event(event);
      return;
    }
    this.#opening.push(() => {
      this.#event(event);
    });
  }

  /** @see SessionSink */
  writable(): void {
    // Whoever emits waits for the outcome.
  }

  /** @see SessionSink */
  draining(): void {
    // The engine refuses what this side opens, and closes.
  }

  /** @see SessionSink */
  dropped(error: HawserError): void {
    this.#host.report(error, this, this);
  }

  /** @see SessionSink */
  over(error: HawserError | null, resumable: boolean): void {
    if (this.#isLinked) {
      this.#isLinked = false;
      this.#link.close();
    }
    if (resumable) {
      this.#park(error);
      return;
    }
    if (error !== null) this.#host.report(error, this, this);
    this.#end(error);
  }

  #event(event: InboundEvent): void {
    const { responder, options } = this.#host;
    const { entry } = event;
    if (responder.handlerOf(entry) === undefined) {
      // One that is sent once may go unheard, as in any emitter; of one that is to arrive, its
      // sender is told.
      event.handled(entry.delivery === "at-least-once" ? unheard(entry) : null);
      return;
    }
    const context = new ServedEvent(event, this, this);
    const { eventMemory } = options;
    if (!mayBeSeen(event)) {
      responder.event(event, context, eventMemory, this.#report);
      return;
    }
    const handle = (): void => {
      responder.event(event, context, eventMemory, this.#report);
    };
    unlessSeen(event, eventMemory, handle, this.#report);
  }

  /** The `open` hook has ended: what waited for it begins. */
  #begin(): void {
    const waiting = this.#opening ?? [];
    this.#stopOpening();
    if (this.#outcome === null) for (const begin of waiting) begin();
  }

  #stopOpening(): void {
    this.#opening = null;
    this.#cancelOpening?.();
    this.#cancelOpening = null;
  }

  // A method, because the compiler takes the field to keep its value across a callback.
  #isOpening(): boolean {
    return this.#opening !== null;
  }

  readonly #report = (error: HawserError): void => {
    this.#host.report(error, this, this);
  };

  /** Without a connection: wait for the client, or not. */
  #park(error: HawserError | null): void {
    if (this.#outcome !== null) return;
    this.#loss = error;
    this.#lostMs = this.#link.now();
    this.#servedMs += this.#lostMs - this.#servedSinceMs;
    if (this.#host.keeps(this)) this.#host.disconnected(this, error);
    else this.giveUp();
  }

  #tooSlow(cause: HawserError): void {
    const link = this.#link;
    this.#host.report(
      new HawserError(
        "SLOW_CONSUMER",
        `${this.remote} takes too little of what is sent to it: the session is closed`,
        { cause, scope: "session" },
      ),
      this,
      this,
    );
    this.end("OVERLOADED", "The client takes too little of what is sent to it");
    link.abort();
  }

  #end(error: HawserError | null): void {
    if (this.#outcome !== null) return;
    this.#outcome =
      error !== null ? { reason: "error", error } : this.#closer === "local" ? CLOSED : ENDED;
    this.#lostMs = Infinity;
    this.#stopOpening();
    this.#drain?.abort(draining());
    for (const room of this.#rooms ?? NOWHERE) this.#host.memberships.leave(room, this);
    this.#closed?.resolve(this.#outcome);
    this.#host.ended(this, this.#outcome);
  }
}

const NO_OPTIONS: OpenOptions = Object.freeze({});
const NOWHERE: ReadonlySet<string> = new Set<string>();
const CLOSED: Closed = Object.freeze({ reason: "closed", error: null });
const ENDED: Closed = Object.freeze({ reason: "ended", error: null });

function unheard(entry: MessageEntry): HawserError {
  return new HawserError("MESSAGE_UNKNOWN", `There is no handler for the event ${entry.name}`, {
    origin: "local",
  });
}
