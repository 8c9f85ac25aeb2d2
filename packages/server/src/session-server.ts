/**
 * SessionServer: the sessions of one contract, whoever's connections carry them; rooms, broadcast, and the orderly end of all of it.
 * Must not know how a connection is greeted, nor how one session's handlers are called.
 *
 * @module
 */
import { type EmitOptions, HawserError, type Hello, type Protocol, type SessionKind } from "@hawser/protocol";
import { type Address, type AddressInput, type Closed, type Connection, isThenable, messageToOpen, Responder, type SessionLink, type Ticking } from "@hawser/transport";
import { type ListenCallOptions, Listeners, refuse } from "./listeners.ts";
import { type CloseOptions, type CloseResult, resolveCloseOptions } from "./options.ts";
import { type Carried, draining, Greeted, type GreetingHost } from "./session-greeting.ts";
import type { Audience, Room, SessionServer, SessionSocket } from "./session-handlers.ts";
import { resolveSessionServerOptions, type ResolvedSessionOptions, type SessionServerOptions } from "./session-options.ts";
import { Rooms } from "./session-rooms.ts";
import { ServedSession, type SessionHost } from "./session-socket.ts";

/** The server of a contract. One object for its caller, its connections and its sessions, so that each of them is small. */
export class ContractServer<P extends Protocol, C> implements SessionServer<P, C>, GreetingHost<C>, SessionHost<P, C>, Ticking {
  readonly kind: SessionKind;
  readonly options: ResolvedSessionOptions;
  readonly responder: Responder;
  readonly memberships: Rooms<ServedSession<P, C>> = new Rooms<ServedSession<P, C>>();
  readonly #given: SessionServerOptions<P, C>;
  readonly #listeners: Listeners;
  readonly #connections = new Set<Greeted<C>>();
  /** Every session that is not over, with a connection or without. */
  readonly #sessions = new Set<ServedSession<P, C>>();
  /** Those that can resume. */
  readonly #byId = new Map<string, ServedSession<P, C>>();
  /** Those without a connection, the longest lost first. */
  readonly #lost = new Set<ServedSession<P, C>>();
  /** While the server closes: when each session is asked to drain. */
  readonly #drainMs = new Map<ServedSession<P, C>, number>();
  /** Called when the last connection and the last session are gone. */
  #emptied: (() => void) | null = null;
  #closing: Promise<CloseResult> | null = null;

  /**
   * @throws {TypeError} when a handler is missing, or an option has the wrong type
   * @throws {RangeError} when a limit is out of its range
   */
  constructor(kind: SessionKind, handlers: object, given: SessionServerOptions<P, C>) {
    this.kind = kind;
    this.#given = given;
    this.options = resolveSessionServerOptions(given);
    this.responder = new Responder(kind.contract, "server", handlers, given.use as never); // a middleware takes the context that ServedSession makes
    this.#listeners = new Listeners(this.options, {
      accepted: (connection) => {
        this.accept(connection);
      },
      failed: (error) => {
        this.report(error);
      },
    });
  }

  get server(): this {
    return this;
  }

  get sockets(): ReadonlySet<SessionSocket<P, C>> {
    return this.#sessions;
  }

  get rooms(): ReadonlySet<string> {
    return this.memberships.names();
  }

  listen(address: AddressInput, options: ListenCallOptions = {}): Promise<Address> {
    return this.#listeners.listen(address, options);
  }

  accept(connection: Connection): void {
    const { maxConnections, ticker } = this.options;
    if (this.#closing !== null || this.#connections.size >= maxConnections) {
      refuse(connection);
      if (this.#closing === null) {
        this.report(new HawserError("TOO_MANY_CONNECTIONS", `Cannot serve ${connection.remote}: maxConnections ${String(maxConnections)} are open already`));
      }
      return;
    }
    if (this.#isIdle()) ticker.add(this);
    const greeted = new Greeted(this, connection);
    this.#connections.add(greeted);
    greeted.open();
  }

  address(): Address | null {
    return this.#listeners.addresses()[0] ?? null;
  }

  addresses(): readonly Address[] {
    return this.#listeners.addresses();
  }

  room(name: string): Room<P, C> {
    const sockets = this.memberships.members(name);
    return { name, size: sockets.size, sockets };
  }

  to(...rooms: readonly string[]): Audience<P, C> {
    const [only] = rooms;
    if (rooms.length === 1 && only !== undefined) return new Listening(this, () => this.memberships.members(only));
    return new Listening(this, () => new Set(rooms.flatMap((room) => [...this.memberships.members(room)])));
  }

  broadcast(name: string, payload?: unknown, options?: EmitOptions): number {
    return this.emitTo(this.#sessions, name, payload, options);
  }

  /** Emit an event to some, encoded once. */
  emitTo(sessions: ReadonlySet<ServedSession<P, C>>, name: string, payload: unknown, options: EmitOptions = {}): number {
    const event = this.kind.prepare(messageToOpen(this.kind.contract, "event", name, "server"), payload);
    let taken = 0;
    for (const session of sessions) if (session.emitPrepared(event, options)) taken++;
    return taken;
  }

  close(options?: CloseOptions): Promise<CloseResult> {
    return (this.#closing ??= this.#close(resolveCloseOptions(options)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined);
  }

  /** @see Ticking */
  tick(nowMs: number): void {
    for (const { link } of this.#connections) link.tick(nowMs);
    for (const session of this.#lost) session.tick(nowMs);
    for (const [session, dueMs] of this.#drainMs) {
      if (nowMs >= dueMs) session.drain(nowMs);
      session.tick(nowMs);
    }
  }

  /** @see GreetingHost */
  refusal(): HawserError | null {
    return this.#closing === null ? null : draining();
  }

  /** @see GreetingHost */
  authenticate(hello: Hello, { remote, transport }: SessionLink): C | PromiseLike<C> {
    const { authenticate } = this.#given;
    return authenticate === undefined ? (undefined as C) : authenticate(hello, { remote, transport }); // without it, C is inferred from nothing
  }

  /** @see GreetingHost */
  admit(link: SessionLink, hello: Hello, context: C): { readonly session: Carried; readonly resumed: boolean } {
    const known = hello.resume === null ? undefined : this.#byId.get(hello.resume.session);
    const resumed = known?.canResume(hello) === true;
    const session = resumed ? known : new ServedSession<P, C>(this, link, context);
    this.#lost.delete(session);
    if (!resumed) this.#sessions.add(session);
    return { session, resumed };
  }

  /** @see GreetingHost */
  gone(connection: Greeted<C>): void {
    this.#connections.delete(connection);
    this.#restWhenIdle();
  }

  /** @see SessionHost */
  opened(session: ServedSession<P, C>): void {
    if (this.options.limits.resumeWindowMs > 0 && session.id !== "") this.#byId.set(session.id, session);
    this.#run("open", session, () => this.#given.open?.(session), () => {
      session.end("OVERLOADED", "The server could not begin the session");
    });
  }

  /** @see SessionHost */
  keeps(session: ServedSession<P, C>): boolean {
    if (this.#closing !== null || !this.#byId.has(session.id)) return false;
    this.#lost.add(session);
    const [longest] = this.#lost;
    // Sessions that wait are bounded too: whoever connects and leaves again and again costs no more than whoever stays.
    if (this.#lost.size > this.options.maxConnections) longest?.giveUp();
    return true;
  }

  /** @see SessionHost */
  ended(session: ServedSession<P, C>, closed: Closed): void {
    this.#sessions.delete(session);
    this.#lost.delete(session);
    this.#drainMs.delete(session);
    if (this.#byId.get(session.id) === session) this.#byId.delete(session.id);
    this.#run("close", session, () => this.#given.close?.(session, closed), () => undefined);
    this.#restWhenIdle();
  }

  /** @see GreetingHost, SessionHost */
  report(error: HawserError, session?: ServedSession<P, C>): void {
    try {
      this.#given.error?.(error, session);
    } catch {
      // Documented at SessionServerOptions.error.
    }
  }

  /** Call one of the caller's functions; what goes wrong in it is reported, and then `failed` runs. */
  #run(name: string, session: ServedSession<P, C>, hook: () => unknown, failed: () => void): void {
    const fail = (cause: unknown): void => {
      const text = cause instanceof Error ? cause.message : `it threw a value of type ${typeof cause}`;
      this.report(new HawserError("HANDLER_FAILED", `The ${name} option failed for ${session.remote}: ${text.slice(0, 160)}`, { cause, scope: "session" }), session);
      failed();
    };
    try {
      const result = hook();
      if (isThenable(result)) result.then(undefined, fail);
    } catch (cause) {
      fail(cause);
    }
  }

  async #close({ graceMs, deadlineMs }: ReturnType<typeof resolveCloseOptions>): Promise<CloseResult> {
    const { ticker } = this.options;
    const nowMs = ticker.clock.now();
    for (const session of this.#lost) session.giveUp();
    const total = this.#sessions.size;
    for (const session of this.#sessions) {
      const dueMs = nowMs + Math.floor(graceMs * this.#fraction());
      this.#drainMs.set(session, dueMs);
    }
    for (const connection of this.#connections) connection.close();
    for (const [session, dueMs] of this.#drainMs) if (dueMs <= nowMs) session.drain(nowMs);
    const emptied = new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    let forced = 0;
    const cancelDeadline = ticker.clock.after(Math.max(graceMs, deadlineMs), () => {
      forced = this.#sessions.size;
      for (const session of this.#sessions) session.break();
      for (const { link } of this.#connections) link.abort();
    });
    await this.#listeners.close();
    this.#restWhenIdle();
    await emptied;
    cancelDeadline();
    return { drained: total - forced, forced };
  }

  #isIdle(): boolean {
    return this.#connections.size === 0 && this.#sessions.size === 0;
  }

  #restWhenIdle(): void {
    if (!this.#isIdle()) return;
    this.options.ticker.delete(this);
    this.#emptied?.();
  }

  /** At random from 0 to 1. */
  #fraction(): number {
    const [a = 0, b = 0, c = 0] = this.options.random(3);
    return (a * 65_536 + b * 256 + c) / 16_777_216;
  }
}

/** Some sessions, found anew at each emit. */
class Listening<P extends Protocol, C> implements Audience<P, C> {
  readonly #server: ContractServer<P, C>;
  readonly #members: () => ReadonlySet<ServedSession<P, C>>;

  constructor(server: ContractServer<P, C>, members: () => ReadonlySet<ServedSession<P, C>>) {
    this.#server = server;
    this.#members = members;
  }

  except(...sockets: readonly SessionSocket<P, C>[]): Audience<P, C> {
    const without = new Set<unknown>(sockets);
    return new Listening(this.#server, () => new Set([...this.#members()].filter((member) => !without.has(member))));
  }

  emit(name: string, payload?: unknown, options?: EmitOptions): number {
    return this.#server.emitTo(this.#members(), name, payload, options);
  }
}
