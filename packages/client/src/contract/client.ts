/**
 * ClientSession: a client of a contract: one session after another, over one connection after
 * another. Owns when it connects, comes back or gives up, and what its program is told. Must not
 * know what is on the wire.
 *
 *     state         leaves it when
 *     connecting    a session is ready; no address serves: over, unless reconnect.fromStart
 *     ready         the server drains; the connection is lost
 *     draining      nothing is open any more, or the connection is lost: disconnected
 *     disconnected  a session is ready; the fault stays, or reconnect.attempts are over: closed
 *     closed        -
 *
 * @module
 */
import { type ContractSchema, HawserError, type Outcome, type Protocol } from "@hawser/protocol";
import {
  CONTRACT_FEATURE,
  contractRequest,
  describeCaught,
  type InboundCall,
  type InboundEvent,
  type MessageEntry,
  readHawserError,
  type ReadyInfo,
  type Session,
  type SessionKind,
  type SessionSink,
} from "@hawser/protocol/engine";
import {
  type Backlog,
  CallContext,
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
  Responder,
  SessionLink,
  type SessionStream,
  StuckHandlers,
  unlessSeen,
  unsent,
  withinTime,
} from "@hawser/session";
import { type Clock, type Connection, laterTurn } from "@hawser/transport";
import { Delivery } from "./delivery.ts";
import type { ClientState, SessionClient } from "./handlers.ts";
import { HeldEvent, HeldRequest } from "./held.ts";
import { captureCaller, withCaller } from "./caller-stack.ts";
import { ClientLifecycle } from "./lifecycle.ts";
import type { AnyListener } from "./listeners.ts";
import {
  type ResolvedConnectOptions,
  type ResolvedReconnect,
  resolveSessionConnectOptions,
  type SessionConnectOptions,
} from "./options.ts";
import { OfflineQueue } from "./offline-queue.ts";
import { Route } from "./route.ts";
import { isConnection, type Target, Targets } from "./targets.ts";

/** A client of a contract. */
export class ClientSession<P extends Protocol> implements SessionClient<P> {
  readonly lifecycle: ClientLifecycle;
  readonly #kind: SessionKind;
  readonly #options: ResolvedConnectOptions;
  /** Null: the first connection is the last. */
  readonly #reconnect: ResolvedReconnect | null;
  readonly #targets: Targets;
  readonly #route: Route;
  readonly #responder: Responder;
  readonly #delivery: Delivery;
  readonly #queue: OfflineQueue;
  /** Gives up what is under way: an attempt to connect, a pause. */
  readonly #leaving = new AbortController();
  #session: Session;
  /** The newest link; `#isLinked` while it carries the session. */
  #link: SessionLink | null = null;
  #isLinked = false;
  #state: ClientState = "connecting";
  /** True if the server has asked to drain: what follows is no fault of anybody's. */
  #drained = false;
  /** The cancellation of an attempt to connect. */
  #attempt: PromiseWithResolvers<undefined> | null = null;
  /** When a session was ready last. */
  #readyMs = -Infinity;
  /** The newest event that was held, until it has left. */
  #heldEvent: Promise<Outcome> | null = null;
  /** True if held calls are being sent, or more of them when there is room. */
  #sending: "no" | "waiting" | "yes" = "no";
  /** Made when somebody asks for `ready`. */
  #ready: PromiseWithResolvers<undefined> | null = null;
  readonly #closed = Promise.withResolvers<Closed>();
  /** Made when a handler asks for it. */
  #drain: AbortController | null = null;
  /** Made when a call is cancelled whose handler goes on. */
  #stuck: StuckHandlers | null = null;
  #outcome: Closed | null = null;

  /**
   * @throws {TypeError} when a handler is missing, an option has the wrong type, or an address
   *   can't be read
   * @throws {RangeError} when a limit is out of its range
   */
  constructor(kind: SessionKind, target: Target, given: SessionConnectOptions<P>) {
    this.#kind = kind;
    this.lifecycle = new ClientLifecycle(`the client of ${kind.contract.name}`);
    this.#options = resolveSessionConnectOptions(given);
    const { ticker, connectTimeoutMs, tls, random, queue, reconnect } = this.#options;
    this.#reconnect = isConnection(target) ? null : reconnect;
    this.#targets = new Targets(target);
    this.#responder = new Responder(kind.contract, "client", given.handlers ?? null);
    this.#delivery = new Delivery(
      kind.contract,
      this.#responder,
      this.#options.eventMemory,
      this.#report,
    );
    this.#queue = new OfflineQueue(queue, ticker.clock);
    this.#route = new Route(this.#targets, {
      dial: { clock: ticker.clock, connectTimeoutMs, tls, signal: this.#leaving.signal },
      random,
      attempt: (dial) => this.#begin(dial),
      failed: this.#report,
    });
    this.#session = this.#newSession();
  }

  /** Connect for the first time; called once. Whatever it rejects with, the client is over. */
  async start(): Promise<void> {
    try {
      await this.#route.find(this.#reconnect?.fromStart === true ? this.#reconnect : null);
    } catch (error) {
      this.#end({ reason: "error", error: ended(error) });
      throw error;
    }
    laterTurn(() => {
      this.#delivery.settle();
    });
  }

  get id(): string {
    return this.#session.id;
  }

  get remote(): string {
    return this.#link?.remote ?? this.#targets.name(0);
  }

  get transport(): Connection["transport"] | null {
    return this.#link?.transport ?? null;
  }

  get state(): ClientState {
    return this.#state;
  }

  get peerVersion(): number {
    return this.#session.peerVersion;
  }

  get roundTripMs(): number | null {
    return this.#session.roundTripMs;
  }

  get ready(): Promise<void> {
    if (this.#state === "ready") return Promise.resolve();
    if (this.#ready === null) {
      this.#ready = Promise.withResolvers<undefined>();
      this.#ready.promise.catch(() => undefined); // whoever awaits it is told; nobody has to
      if (this.#outcome !== null) this.#ready.reject(this.#isClosed("be ready"));
    }
    return this.#ready.promise;
  }

  get closed(): Promise<Closed> {
    return this.#closed.promise;
  }

  request(name: string, input?: unknown, options: OpenOptions = NO_OPTIONS): Promise<never> {
    // for the deadline alone: the clock costs 4 % of a request
    const nowMs = options.timeoutMs === undefined ? 0 : this.#now();
    let answer: Promise<unknown>;
    try {
      const entry = messageToOpen(this.#kind.contract, "request", name, "client");
      answer = this.#mustHold()
        ? this.#hold(new HeldRequest(this.#kind, entry, input, options, nowMs))
        : openRequest(this.#session, entry, input, options, nowMs);
    } catch (error) {
      return rejected(error);
    }
    if (options.timeoutMs !== undefined) this.#link?.watch();
    if (this.#options.traceCalls) answer = withCaller(answer, captureCaller());
    return answer as Promise<never>; // the interface has the type, and the session checks the value
  }

  async describe(options: OpenOptions = NO_OPTIONS): Promise<ContractSchema | null> {
    const session = this.#session;
    const isConnected = this.#state === "ready" || this.#state === "draining";
    if (isConnected && !session.features.includes(CONTRACT_FEATURE)) return null;
    const answer = openRequest(session, contractRequest, undefined, options, this.#now());
    if (options.timeoutMs !== undefined) this.#link?.watch();
    return (await answer) as ContractSchema; // its format was checked
  }

  /**
   * Throws what is wrong at once: there is no promise that could reject, and an object that failed
   * would be looked at too late.
   */
  stream(name: string, input?: unknown, options: OpenOptions = NO_OPTIONS): SessionStream<never> {
    const entry = messageToOpen(this.#kind.contract, "stream", name, "client");
    const stream = openStream(this.#session, this.#link, entry, input, options, this.#now());
    if (options.timeoutMs !== undefined) this.#link?.watch();
    return stream;
  }

  emit(name: string, payload?: unknown, options?: EventOptions): Promise<Outcome> {
    let entry: MessageEntry | null = null;
    try {
      entry = messageToOpen(this.#kind.contract, "event", name, "client");
      if (entry.delivery === "at-most-once" && this.#mustHold())
        return this.#hold(new HeldEvent(this.#kind, entry, payload, this.#clock, options));
      return emitEvent(this.#session, entry, payload, this.#clock, options);
    } catch (error) {
      return unsent(entry, error);
    }
  }

  async eventsFlushed(): Promise<void> {
    while (this.#heldEvent !== null) await this.#heldEvent; // and what is held behind it meanwhile
    await eventsFlushed(this.#session);
  }

  on(name: string, listener: AnyListener): this {
    this.#delivery.on(name, listener);
    return this;
  }

  once(name: string, listener: AnyListener): this {
    this.#delivery.once(name, listener);
    return this;
  }

  off(name: string, listener: AnyListener): this {
    this.#delivery.off(name, listener);
    return this;
  }

  close(): Promise<Closed> {
    this.#end(CLOSED);
    return this.closed;
  }

  abort(error: HawserError | null = null): void {
    if (this.#outcome !== null) return;
    const link = this.#isLinked ? this.#link : null;
    this.#isLinked = false;
    link?.abort();
    this.#session.lost(this.#now(), error ?? undefined); // without a word to the server
    this.#end({ reason: "aborted", error });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  readonly #settledHeld = (): void => {
    this.#sendMore();
  };

  /** For handlers: aborted when the server asks to drain, or the client is over. */
  get drainSignal(): AbortSignal {
    if (this.#drain === null) {
      this.#drain = new AbortController();
      if (this.#drained || this.#outcome !== null) this.#drain.abort(serverDrains());
    }
    return this.#drain.signal;
  }

  /** For handlers whose calls were cancelled. */
  get stuckHandlers(): StuckHandlers {
    const { limits, ticker } = this.#options;
    return (this.#stuck ??= new StuckHandlers(ticker.clock, limits.cancelTimeoutMs));
  }

  readonly #report = (error: HawserError): void => {
    this.lifecycle.report(error);
  };

  #newSession(): Session {
    const { limits, random } = this.#options;
    const sink: SessionSink = {
      wrote: () => {
        if (this.#isLinked) this.#link?.wrote();
      },
      ready: (info) => {
        this.#isReady(info);
      },
      call: (call) => {
        // it came on one
        if (this.#link !== null) this.#responder.call(call, new ClientCall(call, this.#link, this));
      },
      event: (event) => {
        const context = new ClientEvent(this, event);
        if (!mayBeSeen(event)) {
          this.#delivery.event(event, context);
          return;
        }
        const handle = (): void => {
          this.#delivery.event(event, context);
        };
        unlessSeen(event, this.#options.eventMemory, handle, this.#report);
      },
      writable: () => {
        this.#sendMore(); // whoever emits waits for the outcome
      },
      draining: () => {
        this.#drained = true;
        this.#state = "draining";
        this.#drain?.abort(serverDrains());
        this.lifecycle.tell("draining");
      },
      dropped: this.#report,
      over: (error, resumable) => {
        this.#isLinked = false;
        this.#link?.close();
        this.#disconnected(error, resumable);
      },
    };
    return this.#kind.session("client", { limits, random }, sink);
  }

  /**
   * Try one address: make a connection, and begin the session on it, or go on. Resolves when it is
   * ready.
   */
  async #begin(dial: () => Promise<Connection>): Promise<void> {
    const credentials = await this.#credentials();
    const connection = await dial();
    const link = this.#take(connection);
    if (this.#outcome !== null) {
      link.open(this.#session);
      link.abort();
      throw this.#isClosed("connect");
    }
    this.#link = link;
    this.#isLinked = true;
    const attempt = (this.#attempt = Promise.withResolvers<undefined>());
    attempt.promise.catch(() => undefined); // attach() may throw, and nobody waits then
    link.open(this.#session);
    try {
      this.#session.attach(link.output, link.now(), credentials);
    } catch (error) {
      this.#attempt = null;
      this.#isLinked = false;
      link.abort();
      throw readHawserError(error) ?? authFailed("gave what JSON has no text for", error);
    }
    return attempt.promise;
  }

  /** Ask the `auth` option, within the time for one attempt to connect. */
  async #credentials(): Promise<unknown> {
    const { auth, connectTimeoutMs, ticker } = this.#options;
    if (typeof auth !== "function") return auth;
    const signal = this.#leaving.signal;
    const late = (): HawserError =>
      authFailed(`did not answer within connectTimeoutMs ${String(connectTimeoutMs)}`, undefined);
    try {
      return await withinTime(() => (auth as () => unknown)(), {
        clock: ticker.clock,
        timeoutMs: connectTimeoutMs,
        signal,
        late,
      });
    } catch (cause) {
      signal.throwIfAborted();
      throw readHawserError(cause) ?? authFailed(`failed: ${describeCaught(cause)}`, cause);
    }
  }

  #take(connection: Connection): SessionLink {
    const { ticker, connection: limits } = this.#options;
    const link: SessionLink = new SessionLink(
      connection,
      { limits, ticker, onFull: "throw" },
      {
        lost: (error) => {
          if (this.#link !== link || !this.#isLinked) return;
          this.#isLinked = false;
          this.#session.lost(this.#now(), error);
          this.#disconnected(error, true);
        },
        gone: () => {
          ticker.delete(link);
          if (this.#link === link && this.#outcome !== null) this.#closed.resolve(this.#outcome);
        },
      },
    );
    ticker.add(link);
    return link;
  }

  #isReady(info: ReadyInfo): void {
    this.#state = "ready";
    if (this.#drained) this.#drain = null; // of the session before
    this.#drained = false;
    this.#readyMs = this.#now();
    this.#attempt?.resolve(undefined);
    this.#attempt = null;
    this.#ready?.resolve(undefined);
    this.#ready = null;
    // first: what a listener calls, a login say, goes before what was held
    this.lifecycle.tell(info.resumed ? "resumed" : "ready", info);
    this.#sendHeld();
  }

  /**
   * Send what was held, in order, as fast as the session takes it: what it can't send at once waits
   * in it, and is bounded.
   */
  #sendHeld(): void {
    if (this.#sending === "yes") return;
    this.#sending = "yes";
    while (this.#state === "ready" && this.#hasRoom() && this.#queue.sendNext(this.#session));
    this.#sending = this.#state === "ready" && this.#queue.size > 0 ? "waiting" : "no";
    const link = this.#link;
    // what it waits for is told: an answer, or `writable`
    if (this.#sending !== "waiting" || link?.isHigh !== true) return;
    void link.room().then(() => {
      this.#sendMore();
    });
  }

  /** Something that was sent has left, or is answered. */
  #sendMore(): void {
    if (this.#sending === "waiting") this.#sendHeld();
  }

  #hasRoom(): boolean {
    const { maxQueuedBytes } = this.#options.limits;
    const session = this.#session;
    const waiting = session.queuedBytes + (this.#link?.pendingBytes ?? 0);
    return (
      (waiting === 0 || waiting + this.#queue.nextBytes <= maxQueuedBytes / 2) &&
      session.openCalls < HELD_CALLS
    );
  }

  /** A server that went without a word: one that speaks something else often does. */
  #unready(cause: HawserError | undefined): HawserError {
    return new HawserError(
      "CONNECTION_RESET",
      `Cannot connect to ${this.remote}: it closed before the session was ready; see whether ` +
        "the port is right, and whether it wants tls://",
      { cause },
    );
  }

  /** The connection serves no more: seek another, unless the session was ended on purpose. */
  #disconnected(error: HawserError | null, mayPass: boolean): void {
    if (this.#outcome !== null) return;
    if (this.#session.state === "closed") this.#session = this.#newSession();
    if (this.#attempt !== null) {
      this.#attempt.reject(
        error === null || error.code === "CONNECTION_RESET"
          ? this.#unready(error ?? undefined)
          : error,
      );
      this.#attempt = null;
      return;
    }
    const patience = this.#reconnect;
    if (patience === null || !(mayPass || this.#drained || error?.retryable === true)) {
      this.#end(error === null ? ENDED : { reason: "error", error });
      return;
    }
    if (this.#drained) this.#targets.next();
    this.#state = "disconnected";
    // A server that lets everybody in and then drops them is not met with a storm.
    if (this.#now() - this.#readyMs >= STEADY_MS) this.#route.begin();
    this.lifecycle.tell("disconnected", error);
    if (!this.#isOver()) void this.#comeBack(patience);
  }

  async #comeBack(patience: ResolvedReconnect): Promise<void> {
    try {
      await this.#route.pause(patience);
      await this.#route.find(patience);
    } catch (error) {
      this.#end({ reason: "error", error: ended(error) });
    }
  }

  /** It is over, for whichever reason comes first. */
  #end(outcome: Closed): void {
    if (this.#outcome !== null) return;
    this.#outcome = outcome;
    this.#state = "closed";
    const error = this.#isClosed("connect");
    this.#leaving.abort(error);
    this.#drain?.abort(serverDrains());
    this.#session.close();
    this.#attempt?.reject(error);
    this.#attempt = null;
    this.#queue.fail(
      (what) =>
        new HawserError(
          "NOT_SENT",
          `The client was closed before there was a connection for ${what}`,
          { cause: outcome.error ?? undefined },
        ),
    );
    this.#ready?.reject(this.#isClosed("be ready"));
    this.#isLinked = false;
    if (this.#link === null || this.#link.isGone) this.#closed.resolve(outcome);
    this.lifecycle.tell("close", outcome);
  }

  #isClosed(verb: string): HawserError {
    return new HawserError(
      "SESSION_CLOSED",
      `Cannot ${verb}: the client of ${this.#kind.contract.name} is closed`,
      { cause: this.#outcome?.error ?? undefined },
    );
  }

  // A method, because the compiler takes the field to keep its value across a callback.
  #isOver(): boolean {
    return this.#outcome !== null;
  }

  get #clock(): Clock {
    return this.#options.ticker.clock;
  }

  #now(): number {
    return this.#options.ticker.clock.now();
  }

  #mustHold(): boolean {
    return (
      this.#queue.holds &&
      (this.#state !== "ready" || this.#sending === "waiting") &&
      this.#outcome === null
    );
  }

  #hold<T>(held: HeldEvent | HeldRequest): Promise<T> {
    // The program's code has run since: what it was encoded with may have closed the client.
    if (this.#isOver()) throw this.#isClosed(`send ${held.what}`);
    this.#queue.push(held);
    if (held instanceof HeldRequest) {
      held.promise.then(this.#settledHeld, this.#settledHeld);
    } else {
      const { promise } = held;
      this.#heldEvent = promise;
      void promise.finally(() => {
        if (this.#heldEvent === promise) this.#heldEvent = null;
      });
    }
    return held.promise as Promise<T>; // an event's outcome, a request's answer
  }
}

/** Calls that are open in the session while others are held back: it bounds how many wait in it. */
const HELD_CALLS = 32_768;

/** A session that was ready for so long was no accident: the pauses begin anew. */
const STEADY_MS = 5_000;

const NO_OPTIONS: OpenOptions = Object.freeze({});
const CLOSED: Closed = Object.freeze({ reason: "closed", error: null });
const ENDED: Closed = Object.freeze({ reason: "ended", error: null });

/** The context of an event's listener: {@link EventContext}. */
class ClientEvent<P extends Protocol> {
  readonly socket: ClientSession<P>;
  readonly #event: InboundEvent;

  constructor(socket: ClientSession<P>, event: InboundEvent) {
    this.socket = socket;
    this.#event = event;
  }

  get trace(): string | null {
    return this.#event.trace;
  }

  get eventId(): string | null {
    return this.#event.identity?.id ?? null;
  }

  get draining(): AbortSignal {
    return this.socket.drainSignal;
  }
}

/** The context of a call's handler: {@link HandlerContext}. */
class ClientCall<P extends Protocol> extends CallContext {
  readonly socket: ClientSession<P>;

  constructor(call: InboundCall, backlog: Backlog, socket: ClientSession<P>) {
    super(call, backlog);
    this.socket = socket;
  }

  /** @see SharedContext of a server: aborted when the server drains. */
  get draining(): AbortSignal {
    return this.socket.drainSignal;
  }

  get stuckHandlers(): StuckHandlers {
    return this.socket.stuckHandlers;
  }

  report(error: HawserError): void {
    this.socket.lifecycle.report(error);
  }
}

function serverDrains(): HawserError {
  return new HawserError("DRAINING", "The server is closing, or the client is over", {
    scope: "session",
  });
}

function authFailed(how: string, cause: unknown): HawserError {
  return new HawserError("AUTH_FAILED", `The auth option of the client ${how}`, { cause });
}

/** Why a client is over, for `closed`. */
function ended(error: unknown): HawserError {
  return (
    readHawserError(error) ??
    new HawserError("ABORTED", `The client was given up: ${describeCaught(error)}`, {
      cause: error,
    })
  );
}
