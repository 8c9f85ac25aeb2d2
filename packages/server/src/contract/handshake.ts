/**
 * Greeted: one connection from its first byte to the session that it carries, or to why it carries
 * none. Owns the greeting, its deadline, and the judgement of who is let in. Must not know what
 * becomes of the session.
 *
 * @module
 */
import { ByteWriter, HawserError, type Hello } from "@hawser/protocol";
import {
  type Admission,
  type ErrorPeer,
  type Greeter,
  type Greeting,
  memberOf,
  readHawserError,
  type SessionKind,
} from "@hawser/protocol/engine";
import { runProgram, SessionLink, type SessionLinkEvents, type Speaker } from "@hawser/session";
import type { Connection } from "@hawser/transport";
import type { SessionPeer } from "./handlers.ts";
import type { ResolvedSessionOptions } from "./options.ts";

/** What a connection needs of its server. */
export interface GreetingHost {
  readonly kind: SessionKind;
  readonly options: ResolvedSessionOptions;
  /** Why nobody is let in now, or null. */
  refusal(): HawserError | null;
  /** Judge a client. May throw, or reject. */
  authenticate(hello: Hello, peer: Omit<SessionPeer, "resumes">): unknown;
  /**
   * A client is let in, with what `authenticate` gave. Returns the session that it begins, or goes
   * on with, for `welcome`.
   */
  admit(
    link: SessionLink,
    hello: Hello,
    context: unknown,
  ): { readonly session: Carried; readonly resumed: boolean };
  /** What `authenticate` gave is not used: the client has left. */
  release(context: unknown): void;
  /** The greeting failed. */
  report(error: HawserError, peer: ErrorPeer): void;
  /** The connection is gone. */
  gone(connection: Greeted): void;
}

/** The session on a connection. */
export interface Carried {
  welcome(link: SessionLink, hello: Hello, resumed: boolean): void;
  lost(link: SessionLink, error: HawserError): void;
}

/** One connection of a server: what speaks on it until there is a session. */
export class Greeted implements Speaker, SessionLinkEvents {
  readonly link: SessionLink;
  readonly #host: GreetingHost;
  #greeter: Greeter | null;
  #dueMs: number;
  #phase: "admitted" | "done" | "judging" | "reading" = "reading";
  #heard = false;
  /** What came behind the greeting before there was a session. */
  #early: ByteWriter | null = null;
  #carried: Carried | null = null;
  /** The client that is let in while the greeter still asks for something. */
  #admitted: { readonly hello: Hello; readonly context: unknown } | null = null;
  /** Made when `authenticate` looks at its signal. */
  #leaving: AbortController | null = null;

  constructor(host: GreetingHost, connection: Connection) {
    const { connection: limits, ticker, handshakeTimeoutMs } = host.options;
    this.#host = host;
    this.#greeter = host.kind.greeter(host.options);
    this.link = new SessionLink(connection, { limits, ticker, onFull: "close" }, this);
    this.#dueMs = this.link.now() + handshakeTimeoutMs;
  }

  open(): void {
    this.link.open(this);
    this.receive(NOTHING); // some greeters let everybody in
  }

  /** The server closes: whoever has no session yet gets none. */
  close(): void {
    if (this.#phase === "judging" || this.#phase === "admitted") {
      this.#refuse(draining());
    } else if (this.#phase === "reading") {
      this.#done(); // without a word: it is not known yet whether he speaks Hawser
      this.link.close();
    }
  }

  /** @see Speaker */
  receive(chunk: Uint8Array): boolean {
    this.#heard ||= chunk.length > 0;
    const greeting = this.#greeter?.receive(chunk) ?? null;
    if (greeting?.ok === false) this.#close(greeting.reply, greeting.error);
    else if (greeting !== null) this.#greeted(greeting);
    return false;
  }

  /** @see Speaker */
  goOn(): boolean {
    return false;
  }

  #greeted(greeting: Extract<Greeting, { ok: true }>): void {
    const refusal = this.#keep(greeting.rest) ?? this.#host.refusal();
    if (refusal !== null) this.#refuse(refusal);
    else if (this.#phase === "reading") this.#judge(greeting.hello);
    else if (this.#admitted !== null) this.#welcome(this.#admitted.hello, this.#admitted.context);
  }

  /** @see Speaker */
  tick(nowMs: number): void {
    if (nowMs < this.#dueMs) return;
    const { remote } = this.link;
    const { handshakeTimeoutMs } = this.#host.options;
    if (this.#phase === "reading") {
      const cause = this.#heard ? this.#greeter?.end() : undefined;
      const late = new HawserError(
        "HANDSHAKE_TIMEOUT",
        `${remote} did not greet within handshakeTimeoutMs ${String(handshakeTimeoutMs)}`,
        { cause },
      );
      this.#close(NOTHING, cause?.code === "NOT_HAWSER" ? cause : late);
    } else if (this.#phase === "judging") {
      this.#refuse(
        overloaded(
          `authenticate did not answer within handshakeTimeoutMs ${String(handshakeTimeoutMs)}`,
        ),
      );
    } else if (this.#phase === "admitted") {
      this.#refuse(
        new HawserError(
          "HANDSHAKE_TIMEOUT",
          `${remote} did not complete its greeting within handshakeTimeoutMs ` +
            String(handshakeTimeoutMs),
          { cause: this.#greeter?.end() },
        ),
      );
    }
  }

  /** @see Speaker */
  stoodStill(ms: number): void {
    this.#dueMs += ms;
  }

  /** @see Speaker */
  deadline(): number {
    return this.#phase === "done" ? Infinity : this.#dueMs;
  }

  /** @see Speaker */
  transmit(): boolean {
    return false;
  }

  /** @see SessionLinkEvents */
  lost(error: HawserError): void {
    const why =
      this.#phase === "reading" || this.#phase === "admitted"
        ? (this.#greeter?.end() ?? error)
        : error;
    const isGreeting = this.#phase !== "done";
    this.#done();
    if (this.#carried !== null) this.#carried.lost(this.link, error);
    // who said nothing only looked whether somebody is there
    else if (isGreeting && this.#heard) this.#host.report(why, this.link);
  }

  /** @see SessionLinkEvents */
  gone(): void {
    this.#host.gone(this);
  }

  #keep(rest: Uint8Array): HawserError | null {
    if (rest.length === 0) return null;
    this.#early ??= new ByteWriter();
    this.#early.append(rest);
    const { maxMessageBytes } = this.#host.options.limits;
    return this.#early.length > maxMessageBytes
      ? overloaded(
          `more than maxMessageBytes ${String(maxMessageBytes)} came before authenticate had ` +
            "answered",
        )
      : null;
  }

  #judge(hello: Hello): void {
    this.#phase = "judging";
    const { link } = this;
    const { remote, transport } = link;
    const signal = (): AbortSignal => this.#signal();
    const peer = {
      remote,
      transport,
      get certificate() {
        return link.certificate();
      },
      get signal() {
        return signal();
      },
    };
    runProgram(
      () => this.#host.authenticate(hello, peer),
      (context) => {
        this.#admit(hello, context);
      },
      (cause) => {
        this.#refuse(refused(cause));
      },
    );
  }

  /** For `authenticate`: aborted when its answer is not wanted any more. */
  #signal(): AbortSignal {
    if (this.#leaving === null) {
      this.#leaving = new AbortController();
      if (this.#phase === "done") this.#leaving.abort(left(this.link.remote));
    }
    return this.#leaving.signal;
  }

  #admit(hello: Hello, context: unknown): void {
    const refusal = this.#phase === "judging" ? this.#host.refusal() : draining();
    if (refusal !== null) {
      this.#host.release(context);
      this.#refuse(refusal); // unless the client has left, or it was too late
      return;
    }
    const admission = this.#greeter?.admitted() ?? LET_IN;
    if (admission.ok === true) {
      this.#welcome(hello, context);
    } else if (admission.ok === false) {
      this.#host.release(context);
      this.#close(admission.reply, admission.error);
    } else {
      this.#phase = "admitted";
      this.#admitted = { hello, context };
      this.link.output.append(admission.ask);
      this.link.wrote();
    }
  }

  #welcome(hello: Hello, context: unknown): void {
    this.#leaving = null; // it is let in
    this.#admitted = null;
    const early = this.#early?.copy() ?? NOTHING;
    this.#done();
    const { session, resumed } = this.#host.admit(this.link, hello, context);
    this.#carried = session;
    session.welcome(this.link, hello, resumed);
    if (early.length > 0) this.link.chunk(early);
  }

  /** What the greeting needed is not kept: ten thousand idle connections are small. */
  #done(): void {
    this.#phase = "done";
    this.#greeter = null;
    if (this.#admitted !== null) this.#host.release(this.#admitted.context);
    this.#admitted = null;
    this.#early = null;
    this.#leaving?.abort(left(this.link.remote));
    this.#leaving = null;
  }

  #refuse(error: HawserError): void {
    if (this.#phase === "done") return;
    this.#close(this.#greeter?.refusal(error) ?? NOTHING, error);
  }

  #close(reply: Uint8Array, error: HawserError): void {
    this.#done();
    if (reply.length > 0) this.link.output.append(reply);
    this.link.close();
    this.#host.report(error, this.link);
  }
}

const NOTHING = new Uint8Array(0);

const LET_IN: Admission = Object.freeze({ ok: true });

/** Why a server that closes lets nobody in. */
export function draining(): HawserError {
  return new HawserError("DRAINING", "The server is closing", {
    origin: "local",
    scope: "session",
  });
}

function overloaded(why: string): HawserError {
  return new HawserError("OVERLOADED", `The server can't let this client in now: ${why}`, {
    origin: "local",
    scope: "session",
  });
}

function left(remote: string): HawserError {
  return new HawserError(
    "ABORTED",
    `${remote} is not let in any more: it has left, or it took too long`,
  );
}

/** What `authenticate` threw, for the client: its own words only where they are meant for it. */
function refused(cause: unknown): HawserError {
  const own = readHawserError(cause);
  if (own?.code === "OVERLOADED")
    return new HawserError("OVERLOADED", own.message, { cause, origin: "local", scope: "session" });
  if (couldNotJudge(cause)) {
    return new HawserError("OVERLOADED", "The server can't judge this client now", {
      cause,
      origin: "local",
      scope: "session",
    });
  }
  return new HawserError(
    "AUTH_REFUSED",
    own?.code === "AUTH_REFUSED" ? own.message : "The server does not let this client in",
    { cause },
  );
}

/** Codes of a service that can't be reached now, as node:net, node:dns and fetch() say them. */
const unreachable = new RegExp(
  "^(?:ECONN[A-Z]+|EHOST[A-Z]+|ENET[A-Z]+|EAI_AGAIN|ENOTFOUND|EPIPE|ETIMEDOUT|EMFILE|ENFILE" +
    "|UND_ERR_[A-Z_]+)$",
);

/** Number of causes of an error that are looked at. */
const MAX_CAUSES = 4;

/**
 * True if an error says that what authenticate asks (a database, another service) could not be
 * reached or did not answer in time: the client may be welcome, and must not be sent away for good.
 */
function couldNotJudge(caught: unknown): boolean {
  let error = caught;
  for (let depth = 0; depth < MAX_CAUSES && typeof error === "object" && error !== null; depth++) {
    const own = readHawserError(error);
    if (own !== null) return own.retryable;
    const code = memberOf(error, "code");
    if (
      memberOf(error, "name") === "TimeoutError" ||
      (typeof code === "string" && unreachable.test(code))
    )
      return true;
    error = memberOf(error, "cause");
  }
  return false;
}
