/**
 * SessionServer: the sessions of one contract, whoever's connections carry them; rooms, broadcast,
 * and the orderly end of all of it. Must not know how a connection is greeted, nor how one
 * session's handlers are called.
 *
 * @module
 */
import { HawserError, type Hello, type Protocol } from "@hawser/protocol";
import {
  type EmitOptions,
  type ErrorPeer,
  type SessionKind,
  withPeer,
} from "@hawser/protocol/engine";
import {
  type Closed,
  messageToOpen,
  programFailed,
  rejected,
  Reporter,
  Responder,
  runProgram,
  SessionLink,
  type Speaker,
  tellProgram,
} from "@hawser/session";
import type { Address, AddressInput, Connection, Ticking } from "@hawser/transport";
import { hasErrorHandler } from "../wire/dispatcher.ts";
import { LostSessions } from "./lost-sessions.ts";
import { type ListenCallOptions, Listeners, refuse } from "../listeners.ts";
import { type CloseOptions, type CloseResult, resolveCloseOptions } from "../options.ts";
import { isNobody, isSameContext, isSamePrincipal } from "./principal.ts";
import { type Carried, draining, Greeted, type GreetingHost } from "./handshake.ts";
import type { Audience, Room, SessionPeer, SessionServer, SessionSocket } from "./handlers.ts";
import {
  resolveSessionServerOptions,
  type ResolvedSessionOptions,
  type SessionServerOptions,
} from "./options.ts";
import { Rooms } from "./rooms.ts";
import { ServedSession, type SessionHost } from "./session.ts";

/**
 * The server of a contract. One object for its caller, its connections and its sessions, so that
 * each of them is small.
 */
export class ContractServer<P extends Protocol, C>
  implements SessionServer<P, C>, GreetingHost, SessionHost<P, C>, Ticking
{
  readonly kind: SessionKind;
  readonly options: ResolvedSessionOptions;
  readonly responder: Responder;
  readonly memberships: Rooms<ServedSession<P, C>> = new Rooms<ServedSession<P, C>>();
  readonly #given: SessionServerOptions<P, C>;
  readonly #listeners: Listeners;
  readonly #reporter: Reporter;
  /** @see SessionHost */
  handling: ServedSession<P, C> | null = null;
  /** Number of sessions that have begun: their labels. */
  #begun = 0;
  readonly #connections = new Set<Greeted>();
  /** TLS handshakes that are under way: each has a place among `maxConnections`. */
  #handshakes = 0;
  /** Connections above `maxConnections` whose clients are being told so. */
  readonly #refused = new Set<SessionLink>();
  /** Every session that is not over, with a connection or without. */
  readonly #sessions = new Set<ServedSession<P, C>>();
  /** Those that can resume. */
  readonly #byId = new Map<string, ServedSession<P, C>>();
  /** Those without a connection, the longest lost first. */
  readonly #lost = new LostSessions<ServedSession<P, C>>();
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
    this.#reporter = new Reporter(`the server of ${kind.contract.name}`);
    // a middleware takes the context that ServedSession makes
    this.responder = new Responder(kind.contract, "server", handlers, given.use as never);
    this.#listeners = new Listeners(this.options, {
      accepted: (connection) => {
        this.accept(connection);
      },
      handshake: (remote) => {
        const mayBegin = this.#hasRoom();
        if (mayBegin) this.#handshakes++;
        else if (this.#closing === null)
          this.report(this.#isFull(remote), { remote, transport: "tls" });
        return mayBegin;
      },
      handshakeOver: () => {
        this.#handshakes--;
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
    const { ticker } = this.options;
    if (!this.#hasRoom()) {
      this.#refuse(connection);
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
    if (rooms.length === 1 && only !== undefined)
      return new Listening(this, () => this.memberships.members(only));
    return new Listening(
      this,
      () => new Set(rooms.flatMap((room) => [...this.memberships.members(room)])),
    );
  }

  broadcast(name: string, payload?: unknown, options?: EmitOptions): number {
    return this.emitTo(this.#sessions, name, payload, options);
  }

  /** Emit an event to some, encoded once. */
  emitTo(
    sessions: ReadonlySet<ServedSession<P, C>>,
    name: string,
    payload: unknown,
    options: EmitOptions = {},
  ): number {
    const event = this.kind.prepare(
      messageToOpen(this.kind.contract, "event", name, "server"),
      payload,
    );
    let taken = 0;
    for (const session of sessions) if (session.emitPrepared(event, options)) taken++;
    return taken;
  }

  close(options?: CloseOptions): Promise<CloseResult> {
    try {
      const { handling } = this;
      const others = [...this.#sessions].filter((session) => session !== handling);
      const closing = (this.#closing ??= this.#close(resolveCloseOptions(options)));
      return handling === null ? closing : Promise.race([closing, allClosed(others)]);
    } catch (error) {
      return rejected(error);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined);
  }

  /** @see Ticking */
  tick(nowMs: number): void {
    for (const { link } of this.#connections) link.tick(nowMs);
    for (const link of this.#refused) link.tick(nowMs);
    for (const session of this.#lost) session.tick(nowMs);
    for (const [session, dueMs] of this.#drainMs) {
      if (nowMs >= dueMs) session.drain(nowMs);
      session.tick(nowMs);
    }
  }

  /** @see Ticking */
  stoodStill(ms: number): void {
    for (const { link } of this.#connections) link.stoodStill(ms);
    for (const link of this.#refused) link.stoodStill(ms);
    for (const session of this.#sessions) session.stoodStill(ms);
  }

  /** @see GreetingHost */
  refusal(): HawserError | null {
    return this.#closing === null ? null : draining();
  }

  /** @see GreetingHost */
  authenticate(hello: Hello, peer: Omit<SessionPeer, "resumes">): unknown {
    const { authenticate } = this.#given;
    if (authenticate === undefined) return undefined;
    const known = this.#resumable(hello);
    const { remote, transport } = peer;
    return authenticate(hello, {
      remote,
      transport,
      get certificate() {
        return peer.certificate;
      },
      get signal() {
        return peer.signal;
      },
      resumes: known === null ? null : { context: known.context, label: known.label },
    });
  }

  /** @see GreetingHost */
  admit(
    link: SessionLink,
    hello: Hello,
    given: unknown,
  ): { readonly session: Carried; readonly resumed: boolean } {
    // what authenticate returned; without it, C is inferred from nothing
    const context = given as C;
    const known = this.#resumable(hello);
    if (known !== null && this.#isSamePrincipal(known, context, link)) {
      this.#lost.delete(known);
      this.#forget(known);
      known.renew(context);
      return { session: known, resumed: true };
    }
    const session = new ServedSession<P, C>(
      this,
      link,
      context,
      `${this.kind.contract.name}#${String(++this.#begun)}`,
    );
    this.#sessions.add(session);
    return { session, resumed: false };
  }

  /** @see GreetingHost, SessionHost */
  release(context: unknown): void {
    const { release } = this.#given;
    if (release === undefined || context === undefined) return;
    tellProgram(
      () => release(context as C),
      (cause) => {
        // authenticate returned it
        this.report(programFailed("The release option", cause, "session"));
      },
    );
  }

  /**
   * A session may be resumed by the identity that it has now, and by the former one while its
   * client may not have the newer.
   */
  #know(session: ServedSession<P, C>): void {
    if (this.options.limits.resumeWindowMs === 0 || session.id === "") return;
    this.#byId.set(session.id, session);
    if (session.formerId !== "") this.#byId.set(session.formerId, session);
  }

  #forget(session: ServedSession<P, C>): void {
    for (const id of [session.id, session.formerId])
      if (this.#byId.get(id) === session) this.#byId.delete(id);
  }

  /** The session that a client wants to go on with, if it could. */
  #resumable(hello: Hello): ServedSession<P, C> | null {
    const known = hello.resume === null ? undefined : this.#byId.get(hello.resume.session);
    return known?.canResume(hello) === true ? known : null;
  }

  /** True if who comes with a session's identity is who began it. */
  #isSamePrincipal(known: ServedSession<P, C>, context: C, link: SessionLink): boolean {
    const { principal } = this.#given;
    let why =
      "authenticate returned another context; where it is the same client all the same, give " +
      "the option principal";
    let cause: unknown;
    if (principal === undefined) {
      if (isSameContext(known.context, context)) return true;
    } else {
      why = "its principal is another";
      try {
        const before = principal(known.context);
        if (isSamePrincipal(before, principal(context))) return true;
        if (isNobody(before))
          why = `the option principal returned ${String(before)}, which names nobody`;
      } catch (thrown) {
        cause = thrown;
      }
    }
    this.report(
      new HawserError(
        "AUTH_REFUSED",
        `${link.remote} does not go on with the session ${known.label}, but begins a new one: ` +
          why,
        { cause, origin: "remote" },
      ),
      link,
    );
    return false;
  }

  /** @see GreetingHost */
  gone(connection: Greeted): void {
    this.#connections.delete(connection);
    this.#restWhenIdle();
  }

  /** @see SessionHost */
  opened(session: ServedSession<P, C>, settled: () => void): void {
    this.#know(session);
    const { open } = this.#given;
    if (open === undefined) {
      settled();
      return;
    }
    runProgram(
      () => open(session),
      settled,
      (cause) => {
        this.#failed("open", session, cause);
        session.end("OVERLOADED", "The server could not begin the session");
      },
    );
  }

  /** @see SessionHost */
  disconnected(session: ServedSession<P, C>, error: HawserError | null): void {
    this.#tell("disconnected", session, () => this.#given.disconnected?.(session, error));
  }

  /** @see SessionHost */
  resumed(session: ServedSession<P, C>): void {
    this.#know(session);
    this.#tell("resumed", session, () => this.#given.resumed?.(session));
  }

  /** @see SessionHost */
  keeps(session: ServedSession<P, C>): boolean {
    if (this.#closing !== null || !this.#byId.has(session.id)) return false;
    this.#lost.add(session);
    // Sessions that wait are bounded too: whoever connects and leaves again and again costs no more
    // than whoever stays.
    if (this.#lost.size > this.options.maxConnections) this.#lost.first(session)?.giveUp();
    this.retained();
    return true;
  }

  /** @see SessionHost */
  retained(): void {
    const { maxRetainedTotalBytes, retention } = this.options;
    while (retention.bytes > maxRetainedTotalBytes && this.#lost.size > 0)
      this.#lost.longest?.giveUp();
  }

  /** @see SessionHost */
  ended(session: ServedSession<P, C>, closed: Closed): void {
    this.#sessions.delete(session);
    this.#lost.delete(session);
    this.#drainMs.delete(session);
    this.#forget(session);
    this.#tell("close", session, () => this.#given.close?.(session, closed));
    this.release(session.context);
    this.#restWhenIdle();
  }

  /** @see GreetingHost, SessionHost */
  report(error: HawserError, peer?: ErrorPeer, session?: ServedSession<P, C>): void {
    if (peer !== undefined) withPeer(error, peer);
    void this.#reporter.report(
      error,
      hasErrorHandler(this.#given) ? () => this.#given.error?.(error, session) : null,
    );
  }

  /** Call a hook that nothing waits for. */
  #tell(name: string, session: ServedSession<P, C>, hook: () => unknown): void {
    tellProgram(hook, (cause) => {
      this.#failed(name, session, cause);
    });
  }

  #failed(name: string, session: ServedSession<P, C>, cause: unknown): void {
    this.report(
      programFailed(`The ${name} option for ${session.remote}`, cause, "session"),
      session,
      session,
    );
  }

  async #close({
    graceMs,
    deadlineMs,
  }: ReturnType<typeof resolveCloseOptions>): Promise<CloseResult> {
    const { ticker } = this.options;
    const nowMs = ticker.clock.now();
    for (const session of this.#lost) session.giveUp();
    const total = this.#sessions.size;
    for (const session of this.#sessions) {
      const dueMs =
        graceMs === Infinity ? Infinity : nowMs + Math.floor(graceMs * this.#fraction());
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
      for (const link of this.#refused) link.abort();
    });
    await this.#listeners.close();
    this.#restWhenIdle();
    await emptied;
    cancelDeadline();
    return { drained: total - forced, forced };
  }

  #hasRoom(): boolean {
    return (
      this.#closing === null &&
      this.#connections.size + this.#handshakes < this.options.maxConnections
    );
  }

  #isFull(remote: string): HawserError {
    return new HawserError(
      "TOO_MANY_CONNECTIONS",
      `Cannot serve ${remote}: maxConnections ${String(this.options.maxConnections)} are open ` +
        "already",
    );
  }

  /**
   * There is no place for a connection: its client is told so, unless many are being told already.
   */
  #refuse(connection: Connection): void {
    const { connection: limits, ticker } = this.options;
    if (this.#closing !== null || this.#refused.size >= MOST_REFUSED) {
      refuse(connection);
    } else {
      const link = new SessionLink(
        connection,
        { limits, ticker, onFull: "close" },
        {
          lost: () => undefined,
          gone: () => {
            this.#refused.delete(link);
            this.#restWhenIdle();
          },
        },
      );
      if (this.#isIdle()) ticker.add(this);
      this.#refused.add(link);
      link.open(DEAF);
      link.output.append(
        this.kind.refusal(
          new HawserError("OVERLOADED", "The server holds as many connections as it takes", {
            origin: "local",
            scope: "session",
          }),
        ),
      );
      link.close();
    }
    if (this.#closing === null) this.report(this.#isFull(connection.remote), connection);
  }

  #isIdle(): boolean {
    return this.#connections.size === 0 && this.#sessions.size === 0 && this.#refused.size === 0;
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

/** For a handler that closes its server: its own session goes on until it has returned. */
async function allClosed(
  others: readonly { readonly closed: Promise<Closed> }[],
): Promise<CloseResult> {
  await Promise.all(others.map((session) => session.closed));
  return { drained: others.length, forced: 0 };
}

/**
 * Number of clients that are told at once that there is no place for them; who comes beside them is
 * closed without a word.
 */
const MOST_REFUSED = 64;

/** Speaks to a client that is not served. */
const DEAF: Speaker = Object.freeze({
  deadline: () => Infinity,
  goOn: () => false,
  receive: () => false,
  stoodStill: () => undefined,
  tick: () => undefined,
  transmit: () => false,
});

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
    return new Listening(
      this.#server,
      () => new Set([...this.#members()].filter((member) => !without.has(member))),
    );
  }

  emit(name: string, payload?: unknown, options?: EmitOptions): number {
    return this.#server.emitTo(this.#members(), name, payload, options);
  }
}
