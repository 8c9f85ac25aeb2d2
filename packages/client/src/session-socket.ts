/**
 * ClientSession: a client of a contract: one session after another, over one connection after another.
 * Owns when it connects, comes back or gives up, and what its program is told. Must not know what is on the wire.
 *
 *     state         leaves it when
 *     connecting    a session is ready; no address serves: over, unless reconnect.fromStart
 *     ready         the server drains; the connection is lost
 *     draining      nothing is open any more, or the connection is lost: disconnected
 *     disconnected  a session is ready; what went wrong will not pass by itself, or reconnect.attempts are over: closed
 *     closed        -
 *
 * @module
 */
import {
  ByteWriter,
  type CallOptions,
  describeIssue,
  type EmitOptions,
  type Handled,
  HawserError,
  type InboundCall,
  isHawserError,
  type MessageEntry,
  type Outcome,
  type Protocol,
  type ReadyInfo,
  type Session,
  type SessionKind,
  type SessionSink,
} from "@hawser/protocol";
import {
  CallContext,
  callOptions,
  type Closed,
  type Connection,
  emitEvent,
  handlerFailed,
  isThenable,
  laterTurn,
  messageToOpen,
  type OpenOptions,
  openRequest,
  openStream,
  rejected,
  RequestCall,
  Responder,
  SessionLink,
  type SessionStream,
} from "@hawser/transport";
import type { ClientState, SessionClient } from "./session-handlers.ts";
import { ClientLifecycle } from "./session-lifecycle.ts";
import { type AnyListener, Listeners } from "./session-listeners.ts";
import { type ResolvedConnectOptions, type ResolvedReconnect, resolveSessionConnectOptions, type SessionConnectOptions } from "./session-options.ts";
import { OfflineQueue } from "./session-queue.ts";
import { isConnection, pauseMs, type Target, Targets } from "./session-targets.ts";

/** What one attempt to connect waits for. */
type Attempt = PromiseWithResolvers<undefined>;

/** An event that came before anybody could listen. */
interface EarlyEvent {
  readonly entry: MessageEntry;
  readonly payload: unknown;
  readonly trace: string | null;
  readonly handled: Handled;
}

/** A client of a contract. */
export class ClientSession<P extends Protocol> implements SessionClient<P> {
  readonly lifecycle: ClientLifecycle = new ClientLifecycle();
  readonly #kind: SessionKind;
  readonly #options: ResolvedConnectOptions;
  readonly #reconnect: ResolvedReconnect | null;
  readonly #targets: Targets;
  readonly #responder: Responder;
  readonly #listeners = new Listeners();
  readonly #queue: OfflineQueue;
  /** Gives up what is under way: an attempt to connect, a pause. */
  readonly #leaving = new AbortController();
  #session: Session;
  /** The newest link; `#isLinked` while it carries the session. */
  #link: SessionLink | null = null;
  #isLinked = false;
  #state: ClientState = "connecting";
  /** Whether the server has asked to drain: what follows is no fault of anybody's. */
  #drained = false;
  #attempt: Attempt | null = null;
  /** When a session was ready last. */
  #readyMs = -Infinity;
  #round = 0;
  /** Made when somebody asks for `ready`. */
  #ready: PromiseWithResolvers<undefined> | null = null;
  readonly #closed = Promise.withResolvers<Closed>();
  #outcome: Closed | null = null;
  /** Whether events wait for their first listener: until the turn in which `connect()` resolves is over. */
  #waitsForListeners = true;
  #early: EarlyEvent | null = null;

  /**
   * @throws {TypeError} when a handler is missing, an option has the wrong type, or an address can't be read
   * @throws {RangeError} when a limit is out of its range
   */
  constructor(kind: SessionKind, target: Target, given: SessionConnectOptions<P>) {
    const { handlers = null } = given;
    this.#kind = kind;
    this.#options = resolveSessionConnectOptions(given);
    this.#reconnect = isConnection(target) ? null : this.#options.reconnect;
    this.#targets = new Targets(target);
    this.#responder = new Responder(kind.contract, "client", handlers);
    this.#queue = new OfflineQueue(this.#options.queue, this.#options.ticker.clock);
    this.#session = this.#newSession();
    for (const entry of kind.contract.messages) {
      const listener = entry.type === "event" ? this.#responder.handlerOf(entry) : undefined;
      if (listener !== undefined) this.#listeners.on(entry.name, listener);
    }
  }

  /** Connect for the first time; called once. Whatever it rejects with, the client is over. */
  async start(): Promise<void> {
    try {
      await this.#connect(this.#reconnect?.fromStart === true ? this.#reconnect : null);
    } catch (error) {
      this.#end({ reason: "error", error: asHawserError(error) });
      throw error;
    }
    laterTurn(() => {
      this.#waitsForListeners = false;
      this.#deliverEarly();
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
      if (this.#outcome !== null) this.#ready.reject(this.#over("be ready"));
    }
    return this.#ready.promise;
  }

  get closed(): Promise<Closed> {
    return this.#closed.promise;
  }

  request(name: string, ...[input, options = NO_OPTIONS]: [input?: unknown, options?: OpenOptions]): Promise<never> {
    let entry: MessageEntry;
    try {
      entry = messageToOpen(this.#kind.contract, "request", name, "client");
    } catch (error) {
      return rejected(error);
    }
    const nowMs = this.#now();
    const answer = this.#mustHold() ? this.#holdRequest(entry, input, options, nowMs) : openRequest(this.#session, entry, input, options, nowMs);
    if (options.timeoutMs !== undefined) this.#link?.watch();
    return answer as Promise<never>; // the interface has the type, and the session has checked it
  }

  stream(name: string, ...[input, options = NO_OPTIONS]: [input?: unknown, options?: OpenOptions]): SessionStream<never> {
    const entry = messageToOpen(this.#kind.contract, "stream", name, "client");
    const stream = openStream(this.#session, entry, input, options, this.#now());
    if (options.timeoutMs !== undefined) this.#link?.watch();
    return stream;
  }

  emit(name: string, ...[payload, options]: [payload?: unknown, options?: EmitOptions]): Promise<Outcome> {
    const entry = messageToOpen(this.#kind.contract, "event", name, "client");
    if (entry.delivery === "at-most-once" && this.#mustHold()) return this.#holdEvent(entry, payload, options);
    return emitEvent(this.#session, entry, payload, options);
  }

  on(name: string, listener: AnyListener): this {
    this.#checkEvent(name);
    this.#listeners.on(name, listener);
    if (this.#early?.entry.name === name) queueMicrotask(this.#deliverEarly);
    return this;
  }

  once(name: string, listener: AnyListener): this {
    this.#checkEvent(name);
    this.#listeners.once(name, listener);
    if (this.#early?.entry.name === name) queueMicrotask(this.#deliverEarly);
    return this;
  }

  off(name: string, listener: AnyListener): this {
    this.#listeners.off(name, listener);
    return this;
  }

  close(): Promise<Closed> {
    this.#end(ORDERLY);
    return this.closed;
  }

  abort(error: HawserError | null = null): void {
    if (this.#outcome !== null) return;
    const link = this.#isLinked ? this.#link : null;
    this.#isLinked = false;
    link?.abort();
    this.#session.lost(this.#now()); // without a word to the server
    this.#end({ reason: "aborted", error });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

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
        this.#responder.call(call, new ClientCall(call, this));
      },
      event: (entry, payload, trace, handled) => {
        if (this.#listeners.has(entry.name)) this.#deliver(entry, payload, trace, handled);
        else if (this.#waitsForListeners) this.#early = { entry, payload, trace, handled };
        else handled(entry.delivery === "at-least-once" ? unheard(entry) : null);
      },
      writable: () => undefined, // whoever emits waits for the outcome
      draining: () => {
        this.#drained = true;
        this.#state = "draining";
        this.lifecycle.tell("draining");
      },
      dropped: (error) => {
        this.lifecycle.tell("error", error);
      },
      over: (error, resumable) => {
        this.#isLinked = false;
        this.#link?.close();
        this.#disconnected(error, resumable);
      },
    };
    return this.#kind.session("client", { limits, random }, sink);
  }

  /** Rounds through the addresses until one serves. `patience`: how many, and how long between them; null: one. */
  async #connect(patience: ResolvedReconnect | null): Promise<void> {
    for (;;) {
      const failures: unknown[] = [];
      for (let index = 0; index < this.#targets.size; index++) {
        try {
          await this.#tryTarget(index);
          this.#targets.served(index);
          return;
        } catch (error) {
          if (this.#isOver()) throw this.#over("connect");
          failures.push(error);
          if (patience !== null && isHawserError(error)) this.lifecycle.tell("error", error);
        }
      }
      const mayPass = failures.some((error) => isHawserError(error) && error.retryable);
      if (patience === null || !mayPass || this.#round >= patience.attempts) throw failures.at(-1);
      await this.#pause(patience);
    }
  }

  /** Make a connection and wait until the session on it is ready. */
  async #tryTarget(index: number): Promise<void> {
    const { ticker, connectTimeoutMs, tls, connection: limits, auth } = this.#options;
    const credentials: unknown = typeof auth === "function" ? await (auth as () => unknown)() : auth;
    const connection = await this.#targets.connect(index, { clock: ticker.clock, connectTimeoutMs, tls, signal: this.#leaving.signal });
    if (this.#isOver()) {
      new SessionLink(connection, { limits, ticker }, { lost: () => undefined, gone: () => undefined }).abort();
      return;
    }
    if (this.#session.state === "closed") this.#session = this.#newSession();
    const link: SessionLink = new SessionLink(connection, { limits, ticker }, {
      lost: (error) => {
        if (this.#link === link && this.#isLinked) this.#lost(error);
      },
      gone: () => {
        ticker.delete(link);
        if (this.#link === link && this.#outcome !== null) this.#closed.resolve(this.#outcome);
      },
    });
    this.#link = link;
    this.#isLinked = true;
    ticker.add(link);
    const attempt: Attempt = Promise.withResolvers<undefined>();
    this.#attempt = attempt;
    link.open(this.#session);
    try {
      this.#session.attach(link.output, link.now(), credentials);
    } catch (error) {
      this.#isLinked = false;
      link.abort();
      throw error;
    }
    return attempt.promise;
  }

  /** Wait before the next round. */
  #pause(patience: ResolvedReconnect): Promise<void> {
    const [a = 0, b = 0, c = 0] = this.#options.random(3);
    const ms = pauseMs(patience, this.#round++, (a * 65_536 + b * 256 + c) / 16_777_216);
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const { signal } = this.#leaving;
    const cancel = this.#options.ticker.clock.after(ms, () => {
      signal.removeEventListener("abort", left);
      resolve(undefined);
    });
    const left = (): void => {
      cancel();
      reject(this.#over("connect"));
    };
    signal.addEventListener("abort", left, { once: true });
    return promise;
  }

  #isReady(info: ReadyInfo): void {
    this.#state = "ready";
    this.#drained = false;
    this.#readyMs = this.#now();
    this.#attempt?.resolve(undefined);
    this.#attempt = null;
    this.#ready?.resolve(undefined);
    this.#ready = null;
    this.#queue.flush();
    this.lifecycle.tell(info.resumed ? "resumed" : "ready", info);
  }

  /** The connection is gone without a word. */
  #lost(error: HawserError): void {
    this.#isLinked = false;
    this.#session.lost(this.#now());
    this.#disconnected(error, true);
  }

  /** There is no connection any more: seek another, unless the session was ended on purpose. */
  #disconnected(error: HawserError | null, mayPass: boolean): void {
    if (this.#outcome !== null) return;
    const attempt = this.#attempt;
    this.#attempt = null;
    if (attempt !== null) {
      attempt.reject(error ?? new HawserError("CONNECTION_RESET", `Cannot connect to ${this.remote}: it ended the session before it was ready`));
      return;
    }
    const patience = this.#reconnect;
    const mayReturn = mayPass || this.#drained || error?.retryable === true;
    if (patience === null || !mayReturn) {
      this.#end(error === null ? ORDERLY : { reason: "error", error });
      return;
    }
    if (this.#session.state === "closed") this.#session = this.#newSession();
    if (this.#drained) this.#targets.next();
    this.#state = "disconnected";
    // A server that lets everybody in and then drops them is not met with a storm.
    if (this.#now() - this.#readyMs >= STEADY_MS) this.#round = 0;
    this.lifecycle.tell("disconnected", error);
    if (!this.#isOver()) void this.#comeBack(patience);
  }

  async #comeBack(patience: ResolvedReconnect): Promise<void> {
    try {
      await this.#pause(patience);
      await this.#connect(patience);
    } catch (error) {
      this.#end({ reason: "error", error: asHawserError(error) });
    }
  }

  /** It is over, for whichever reason comes first. */
  #end(outcome: Closed): void {
    if (this.#outcome !== null) return;
    this.#outcome = outcome;
    this.#state = "closed";
    this.#leaving.abort();
    this.#session.close();
    this.#attempt?.reject(this.#over("connect"));
    this.#attempt = null;
    this.#queue.fail((what) => new HawserError("NOT_SENT", `The client was closed before there was a connection for ${what}`, { cause: outcome.error ?? undefined }));
    this.#ready?.reject(this.#over("be ready"));
    this.#isLinked = false;
    if (this.#link === null || this.#link.isGone) this.#closed.resolve(outcome);
    this.lifecycle.tell("close", outcome);
  }

  #over(verb: string): HawserError {
    return new HawserError("SESSION_CLOSED", `Cannot ${verb}: the client of ${this.#kind.contract.name} is closed`, { cause: this.#outcome?.error ?? undefined });
  }

  // Methods, because the compiler takes the fields to keep their values across an await or a callback.
  #isOver(): boolean {
    return this.#outcome !== null;
  }

  #now(): number {
    return this.#options.ticker.clock.now();
  }

  #mustHold(): boolean {
    return this.#queue.holds && this.#state !== "ready" && this.#outcome === null;
  }

  async #holdRequest(entry: MessageEntry, input: unknown, options: OpenOptions, nowMs: number): Promise<unknown> {
    const bytes = measure(entry, input, "INPUT_INVALID");
    const opened: CallOptions = callOptions(options, nowMs);
    const call = new RequestCall(entry, options.signal);
    this.#queue.push({
      what: `the request ${entry.name}`,
      bytes,
      deadlineMs: nowMs + (options.timeoutMs ?? Infinity),
      isOver: () => call.isOver,
      send: () => {
        try {
          call.opened(this.#session.open(entry, input, opened, call));
        } catch (error) {
          call.fail(asHawserError(error));
        }
      },
      fail: (error) => {
        call.fail(error);
      },
    });
    return call.promise;
  }

  #holdEvent(entry: MessageEntry, payload: unknown, options: EmitOptions | undefined): Promise<Outcome> {
    const bytes = measure(entry, payload, "EVENT_INVALID");
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#queue.push({
      what: `the event ${entry.name}`,
      bytes,
      deadlineMs: Infinity,
      isOver: () => false,
      send: () => {
        try {
          resolve(emitEvent(this.#session, entry, payload, options));
        } catch (error) {
          resolve("not-sent");
          this.lifecycle.tell("error", asHawserError(error));
        }
      },
      fail: () => {
        resolve("not-sent");
      },
    });
    return promise;
  }

  #checkEvent(name: string): void {
    const { contract } = this.#kind;
    const entry = contract.find(name);
    if (entry?.type !== "event") throw new TypeError(`Cannot listen to ${JSON.stringify(name)}: the contract ${contract.name} has no such event`);
    if (entry.from === "client") throw new TypeError(`Cannot listen to ${JSON.stringify(name)}: in the contract ${contract.name} it is the client's own to emit`);
  }

  readonly #deliverEarly = (): void => {
    const early = this.#early;
    if (early === null) return;
    const { entry, payload, trace, handled } = early;
    if (this.#listeners.has(entry.name)) this.#early = null;
    else if (this.#waitsForListeners) return;
    this.#early = null;
    if (this.#listeners.has(entry.name)) this.#deliver(entry, payload, trace, handled);
    else handled(entry.delivery === "at-least-once" ? unheard(entry) : null);
  };

  #deliver(entry: MessageEntry, payload: unknown, trace: string | null, handled: Handled): void {
    const fail = (cause: unknown): void => {
      const error = handlerFailed(entry, cause);
      handled(error);
      this.lifecycle.tell("error", error);
    };
    let result: unknown;
    try {
      result = this.#listeners.call(entry.name, payload, { socket: this, trace });
    } catch (cause) {
      fail(cause);
      return;
    }
    if (isThenable(result)) {
      result.then(() => {
        handled();
      }, fail);
    } else {
      handled();
    }
  }
}

/** A session that was ready for so long was no accident: the pauses begin anew. */
const STEADY_MS = 5_000;

const NO_OPTIONS: OpenOptions = Object.freeze({});
const ORDERLY: Closed = Object.freeze({ reason: "ended", error: null });

/** What the handler of a request or stream gets: {@link HandlerContext}. */
class ClientCall<P extends Protocol> extends CallContext {
  readonly socket: ClientSession<P>;

  constructor(call: InboundCall, socket: ClientSession<P>) {
    super(call);
    this.socket = socket;
  }

  report(error: HawserError): void {
    this.socket.lifecycle.tell("error", error);
  }
}

function unheard(entry: MessageEntry): HawserError {
  return new HawserError("MESSAGE_UNKNOWN", `Nobody listens to the event ${entry.name}`, { origin: "local" });
}

function asHawserError(error: unknown): HawserError {
  if (isHawserError(error)) return error;
  return new HawserError("ABORTED", `The client was given up: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
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
