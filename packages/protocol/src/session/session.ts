/**
 * The native session: PROTOCOL.md as one state machine without I/O. Owns the state
 * (transitions.ts), the handshake, and how a session ends. Must not know conversations (calls.ts),
 * events (emitter.ts, receiver.ts), or where bytes come from.
 *
 *     receive -> Reader -> Inbound -> Calls | Receiver | Emitter -> sink
 *     open, emit -> Calls | Emitter -> Link -> output, or Outbox and later output
 *
 * @module
 */
import { type ReadBudget, unlimitedBudget } from "../wire/budget.ts";
import type { ByteWriter } from "../bytes/writer.ts";
import type { MessageEntry, Protocol, Side } from "../contract/contract.ts";
import { type ErrorCode, HawserError } from "../errors.ts";
import { peerError } from "../stack.ts";
import { Calls } from "./calls/calls.ts";
import { compareContracts, compareLists } from "./handshake/compare.ts";
import type { OfferedContract } from "./handshake/contract-request.ts";
import { lossReason, type LossReason } from "./calls/conversation.ts";
import { Emitter } from "./events/emitter.ts";
import { formatClosing, readClosing } from "./frames/failure.ts";
import {
  CLOSE,
  DRAIN,
  HELLO,
  MESSAGES,
  MORE,
  PING,
  PONG,
  readU64,
  REFUSE,
  SIGNATURE,
  WANT,
  WELCOME,
  writeEmpty,
  writeFrame,
  writeNumbered,
  writeText,
} from "./frames/frames.ts";
import { NativeHello } from "./handshake/greeter.ts";
import { Heartbeat } from "./heartbeat.ts";
import {
  formatHello,
  formatWelcome,
  introduce,
  type Opening,
  readWelcome,
  type WelcomeText,
} from "./handshake/hello.ts";
import { type Control, Inbound } from "./inbound.ts";
import type { SessionLimits } from "./limits.ts";
import { Link, type Violate } from "./link.ts";
import {
  ForeignView,
  ListReader,
  type MessageView,
  type OwnList,
} from "./handshake/message-list.ts";
import { GreetedPeer, type PeerLimits } from "./handshake/peer.ts";
import { hexadecimal, plain } from "./quote.ts";
import { Reader } from "./frames/reader.ts";
import { Receiver } from "./events/receiver.ts";
import { Recogniser } from "./handshake/recognise.ts";
import type { Retention } from "./events/retention.ts";
import {
  type Cell,
  type Input,
  isConnected,
  publicState,
  type State,
  transitions,
} from "./transitions.ts";
import type {
  CallOptions,
  CallSink,
  CloseCode,
  EmitOptions,
  Hello,
  OutboundCall,
  PreparedCall,
  PreparedEvent,
  Session,
  SessionSink,
  SessionState,
  Settled,
} from "./types.ts";

/** Names of the two sides in a client's texts. */
const US = "this client";
const THEM = "the server";

/** What sessions of one kind share. */
export interface SessionParts {
  readonly contract: Protocol;
  /** The contract's list of messages, as it is told. */
  readonly own: OwnList;
  /** The contract's codecs that want to see each chunk. */
  readonly chunked: readonly ChunkReader[];
  readonly limits: SessionLimits;
  readonly random: (bytes: number) => Uint8Array;
  readonly retention: Retention | null;
  /** What this side can use. */
  readonly features: readonly string[];
  /** What a server tells of its contract; null: nothing. */
  readonly offered: OfferedContract | null;
}

/** The part of a codec that is told of chunks. */
export interface ChunkReader {
  chunk(bytes: Uint8Array | null): void;
}

/** A session of either side. */
export class NativeSession implements Session, Control {
  readonly side: Side;
  readonly #parts: SessionParts;
  readonly #sink: SessionSink;
  readonly #link: Link;
  readonly #calls: Calls;
  readonly #emitter: Emitter;
  readonly #receiver: Receiver;
  readonly #inbound: Inbound;
  #state: State = "new";
  #id = "";
  /**
   * Server: the identity with which the client came to this connection; it is taken until the
   * client is known to have the newer one.
   */
  #formerId = "";
  #takesFormer = false;
  #origin = "";
  #reader = new Reader();
  /** Client: reads the server's signature; null when it has come. */
  #recogniser: Recogniser | null = null;
  /**
   * Client: reads the server's list of messages, where it comes before WELCOME; null after the
   * handshake.
   */
  #lists: ListReader | null = null;
  /** Client: whether the server has asked for this side's list. */
  #isWanted = false;
  #heartbeat: Heartbeat | null = null;
  /** When the handshake takes too long; counts in that state alone. */
  #handshakeDueMs = Infinity;
  /** True if a chunk is being read. */
  #reading: "no" | "yes" = "no";
  /** What is left of a chunk, in storage of its own, while the others have their turn. */
  #rest: Uint8Array | null = null;
  /** The highest rejection that was sent before the last PING. */
  #proving = 0;

  constructor(side: Side, parts: SessionParts, sink: SessionSink) {
    this.side = side;
    this.#parts = parts;
    this.#sink = sink;
    const violate: Violate = (code, what) => {
      this.#violated(code, what);
    };
    const link = new Link(
      side,
      parts.contract.messages,
      parts.limits,
      sink,
      violate,
      (input, entry) => {
        this.#admit(input, entry);
      },
    );
    this.#link = link;
    this.#calls = new Calls(link, parts.offered);
    this.#emitter = new Emitter(link, parts.retention);
    this.#receiver = new Receiver(link);
    this.#inbound = new Inbound(link, this, this.#calls, this.#emitter, this.#receiver);
    this.#receiver.onProof = () => {
      this.#prove();
    };
  }

  get state(): SessionState {
    return publicState(this.#state);
  }

  /** For Inbound: the state as the table knows it. */
  get current(): State {
    return this.#state;
  }

  get id(): string {
    return this.#id;
  }

  get formerId(): string {
    return this.#formerId;
  }

  get origin(): string {
    return this.#origin;
  }

  get roundTripMs(): number | null {
    return this.#heartbeat?.roundTripMs ?? null;
  }

  get peerVersion(): number {
    return this.#link.peer.version;
  }

  get features(): readonly string[] {
    return this.#link.peer.features;
  }

  get queuedBytes(): number {
    return this.#link.outbox.queuedBytes;
  }

  get openCalls(): number {
    return this.#calls.open;
  }

  attach(output: ByteWriter, nowMs: number, auth?: unknown): void {
    const { contract, limits, features } = this.#parts;
    if (this.side !== "client")
      throw new TypeError("Cannot attach a server's session: welcome a peer with it");
    this.#check("attach", "attach");
    const resume =
      this.#id === "" ? null : { session: this.#id, received: this.#receiver.received };
    const hello = formatHello(
      introduce(contract, limits, this.#announce(), features),
      auth,
      resume,
    );
    this.#check("attach", "attach"); // again: `auth` may have a getter that closes the session
    this.#enter(nowMs);
    this.#move("attach");
    this.#connect(output);
    this.#recogniser = new Recogniser();
    this.#lists = new ListReader("PROTOCOL_VIOLATION");
    this.#isWanted = false;
    this.#handshakeDueMs = nowMs + limits.handshakeTimeoutMs;
    output.append(SIGNATURE);
    writeText(output, HELLO, 0, hello);
    this.#link.wrote();
    this.#link.leave();
  }

  canResume(hello: Hello): boolean {
    const { resume } = hello;
    return (
      hello instanceof NativeHello &&
      resume !== null &&
      this.#isKnownAs(resume.session) &&
      this.#state !== "closed" &&
      this.#takesAsMuch(hello.limits) &&
      this.#emitter.canHave(resume.received)
    );
  }

  welcome(output: ByteWriter, hello: Hello, resumed: boolean, nowMs: number): void {
    const { contract, limits, own, random } = this.#parts;
    if (this.side !== "server")
      throw new TypeError("Cannot welcome a peer with a client's session: attach it");
    if (!(hello instanceof NativeHello))
      throw new TypeError("Cannot welcome a peer whose Hello is of another kind of session");
    if (hello.peer === null)
      throw new TypeError(
        "Cannot welcome a peer whose list of messages is not known: ask the greeter with " +
          "admitted()",
      );
    if (resumed && !this.canResume(hello))
      throw new TypeError("Cannot resume this session with this peer: ask canResume()");
    this.#check(resumed ? "resume" : "welcome", "welcome a peer with");
    this.#enter(nowMs);
    if (isConnected(this.#state)) this.#replace();
    this.#move(resumed ? "resume" : "welcome");
    this.#formerId = resumed ? (hello.resume?.session ?? "") : "";
    this.#takesFormer = resumed;
    this.#id = hexadecimal(random(16));
    if (!resumed) this.#origin = hexadecimal(random(16));
    this.#link.peer = hello.peer;
    this.#connect(output);
    if (!hello.isSigned) output.append(SIGNATURE);
    const welcoming = {
      session: this.#id,
      origin: this.#origin,
      resumed,
      received: this.#receiver.received,
      resumeWindowMs: limits.resumeWindowMs,
    };
    const { text, isListed } = formatWelcome(
      introduce(contract, limits, this.#announce(), hello.peer.features),
      welcoming,
      hello.hasOwnList ? null : own.members,
    );
    if (!hello.hasOwnList && !isListed) own.write(output);
    writeText(output, WELCOME, 0, text);
    this.#link.wrote();
    this.#begin(resumed, resumed ? (hello.resume?.received ?? 0) : 0, limits.resumeWindowMs);
    this.#link.leave();
  }

  receive(chunk: Uint8Array, nowMs: number, budget: ReadBudget = unlimitedBudget): boolean {
    if (this.#reading === "yes")
      throw new TypeError(
        "Cannot receive while the session reads a chunk: wait until that call returns",
      );
    if (this.#rest !== null)
      throw new TypeError(
        "Cannot receive while something is left of the last chunk: call goOn() until it says false",
      );
    return this.#receive(chunk, nowMs, budget);
  }

  goOn(nowMs: number, budget: ReadBudget): boolean {
    const rest = this.#rest;
    if (rest === null || this.#reading === "yes") return rest !== null;
    return this.#receive(rest, nowMs, budget);
  }

  /** Read a chunk, and keep what is left of it. */
  #receive(chunk: Uint8Array, nowMs: number, budget: ReadBudget): boolean {
    if (chunk.length === 0 || (this.#state !== "handshake" && !isConnected(this.#state)))
      return false;
    const { chunked } = this.#parts;
    const { epoch } = this.#link;
    this.#enter(nowMs);
    this.#reading = "yes";
    this.#heartbeat?.heard(nowMs);
    this.#takesFormer = false; // whatever comes on this connection was sent behind its WELCOME
    if (this.#rest === null) this.#link.receivedBytes += chunk.length;
    for (const codec of chunked) codec.chunk(chunk);
    try {
      const at = this.#read(chunk, budget);
      if (epoch === this.#link.epoch) {
        this.#keep(chunk, at);
        this.#inbound.read(this.#reader.partial);
      }
    } finally {
      for (const codec of chunked) codec.chunk(null);
      this.#reading = "no";
      this.#receiver.acknowledge();
      this.#checkDone();
      this.#link.leave();
    }
    return this.#rest !== null;
  }

  #keep(chunk: Uint8Array, at: number): void {
    if (at === chunk.length) this.#rest = null;
    // a first chunk is not the session's
    else this.#rest = this.#rest === null ? new Uint8Array(chunk.subarray(at)) : chunk.subarray(at);
  }

  lost(nowMs: number, cause?: HawserError): void {
    this.#enter(nowMs);
    if (this.#state !== "lost" && this.#state !== "closed" && this.#move("lost") === "lost") {
      this.#disconnect(
        lossReason("The connection was lost", cause),
        new HawserError("SESSION_LOST", "The connection was lost", { cause }),
      );
    }
    this.#link.leave();
  }

  tick(nowMs: number): void {
    this.#enter(nowMs);
    if (this.#state === "handshake") {
      if (nowMs >= this.#handshakeDueMs) {
        this.#over(
          "retry",
          new HawserError("HANDSHAKE_TIMEOUT", "The peer did not complete the handshake in time"),
          lossReason("The handshake took too long"),
        );
      }
    } else if (isConnected(this.#state)) {
      this.#beat(nowMs);
      if (this.#rest === null && isConnected(this.#state)) this.#inbound.tick(nowMs);
      this.#calls.tick(nowMs);
      this.#checkDone();
    }
    this.#link.leave();
  }

  stoodStill(ms: number, nowMs: number): void {
    this.#handshakeDueMs += ms;
    this.#heartbeat?.stoodStill(ms, nowMs);
    this.#inbound.stoodStill(ms, nowMs);
  }

  deadline(): number {
    if (this.#state === "handshake") return this.#handshakeDueMs;
    if (!isConnected(this.#state)) return Infinity;
    return Math.min(
      this.#heartbeat?.deadlineMs ?? Infinity,
      this.#calls.dueMs,
      this.#inbound.sinceMs + this.#parts.limits.frameTimeoutMs,
    );
  }

  transmit(highBytes: number): boolean {
    const link = this.#link;
    const before = link.output.length;
    link.enter();
    const more = link.outbox.pump(link.output, highBytes);
    if (link.output.length > before) link.wrote();
    this.#checkDone();
    link.leave();
    return more;
  }

  open(entry: MessageEntry, input: unknown, options: CallOptions, sink: CallSink): OutboundCall {
    this.#checkEntry(entry, "open");
    this.#admit("open", entry);
    return this.#calls.begin(entry, input, options, sink);
  }

  openPrepared({ entry, body }: PreparedCall, options: CallOptions, sink: CallSink): OutboundCall {
    this.#checkEntry(entry, "open");
    this.#admit("open", entry);
    return this.#calls.beginPrepared(entry, body, options, sink);
  }

  emit(
    entry: MessageEntry,
    payload: unknown,
    options: EmitOptions,
    settled: Settled | null,
  ): boolean {
    return this.#emit(entry, payload, null, options, settled);
  }

  emitPrepared(event: PreparedEvent, options: EmitOptions, settled: Settled | null): boolean {
    return this.#emit(event.entry, undefined, event, options, settled);
  }

  knows(entry: MessageEntry): boolean {
    return this.#link.peer.knows(entry);
  }

  withdraw(settled: Settled): void {
    const link = this.#link;
    link.enter();
    this.#emitter.withdraw(settled);
    this.#checkDone();
    link.leave();
  }

  flushEvents(done: (error: HawserError | null) => void): void {
    if (this.#state === "closed")
      done(
        new HawserError("SESSION_CLOSED", "Cannot wait for events to leave: the session is over"),
      );
    else this.#emitter.flush(done);
  }

  drain(): void {
    const from = this.#state;
    if (this.#move("drain") === "." || this.#state === from) return;
    this.#refuseWaiting();
    writeEmpty(this.#link.output, DRAIN, 0);
    this.#link.wrote();
  }

  close(code: CloseCode = "NORMAL", message = ""): void {
    const link = this.#link;
    link.enter();
    if (isConnected(this.#state)) {
      writeText(link.output, CLOSE, 0, formatClosing(code, message));
      link.wrote();
    }
    const reason: LossReason = (entry) =>
      new HawserError(
        "SESSION_CLOSED",
        `The session was closed here while "${plain(entry.name, 60)}" was open`,
      );
    this.#receiver.close();
    this.#over("close", null, reason);
    link.leave();
  }

  /** For Inbound: a frame that concerns the session itself. */
  control(kind: number, bytes: Uint8Array, start: number, end: number): void {
    const link = this.#link;
    switch (
      kind & ~MORE // only MESSAGES comes in pieces here
    ) {
      case PING:
        writeFrame(link.output, PONG, 0, bytes, start, end);
        link.wrote();
        return;
      case PONG:
        this.#answered(readU64(bytes, start));
        return;
      case DRAIN:
        this.#drained();
        return;
      case WELCOME:
        this.#welcomed(readWelcome(bytes, start, end));
        return;
      case WANT:
        this.#wanted();
        return;
      case MESSAGES:
        this.#listed(kind, bytes, start, end);
        return;
      default: // CLOSE and REFUSE; a HELLO is nowhere in the table
        this.#closed(
          readClosing(
            bytes,
            start,
            end,
            kind === REFUSE ? "The server refused the session" : "The peer closed the session",
          ),
        );
    }
  }

  /** True if a client that comes with this identity means this session. */
  #isKnownAs(id: string): boolean {
    return id === this.#id || (this.#takesFormer && id === this.#formerId);
  }

  /** True if a peer that comes again takes what is kept for it. */
  #takesAsMuch({ maxMessageBytes }: PeerLimits): boolean {
    return maxMessageBytes >= this.#link.peer.limits.maxMessageBytes;
  }

  #read(chunk: Uint8Array, budget: ReadBudget): number {
    let from = 0;
    if (this.#recogniser !== null) {
      const behind = this.#recogniser.read(chunk, 0);
      if (behind instanceof HawserError) {
        this.#over("over", behind, lossReason("The peer speaks something else"));
        return chunk.length;
      }
      if (behind === -1) return chunk.length;
      this.#recogniser = null;
      from = behind;
    }
    return this.#reader.read(chunk, from, this.#inbound, budget);
  }

  /** The server asks for this side's list of messages. */
  #wanted(): void {
    if (this.#isWanted) {
      this.#violated("PROTOCOL_VIOLATION", "sent WANT twice");
      return;
    }
    this.#isWanted = true;
    this.#parts.own.write(this.#link.output);
    this.#link.wrote();
  }

  /** A piece of the server's list of messages. */
  #listed(kind: number, bytes: Uint8Array, start: number, end: number): void {
    const error = this.#lists?.take(kind, bytes, start, end) ?? null;
    if (error !== null) this.#refuse(error);
  }

  #welcomed(text: HawserError | WelcomeText): void {
    const { contract, features } = this.#parts;
    const view =
      text instanceof HawserError
        ? text
        : (compareContracts(contract, text, US, THEM) ??
          this.#disagrees(text) ??
          this.#viewOf(text));
    if (view instanceof HawserError) {
      this.#refuse(view);
    } else if (!(text instanceof HawserError)) {
      this.#move("WELCOME");
      this.#link.peer = new GreetedPeer(text, features, view);
      this.#lists = null;
      this.#id = text.session;
      this.#origin = text.origin;
      this.#begin(text.resumed, text.received, text.resumeWindowMs);
    }
  }

  /** The meaning of the server's list, wherever it was told, or the error where it does not fit. */
  #viewOf({ version, fingerprint, messages }: WelcomeText): HawserError | MessageView {
    const { contract, own } = this.#parts;
    if (this.#lists?.isPartial === true)
      return new HawserError(
        "PROTOCOL_VIOLATION",
        "The server's list of messages was not complete before its WELCOME",
      );
    const told = messages ?? this.#lists?.messages ?? null;
    if (told !== null)
      return compareLists(contract, version, told, US, THEM) ?? new ForeignView(contract, told);
    return fingerprint === own.fingerprint
      ? own
      : new HawserError(
          "PROTOCOL_VIOLATION",
          "The server's WELCOME has another list of messages than this client, and does not " +
            "tell it",
        );
  }

  /** True if a WELCOME does not fit what this side asked for. */
  #disagrees({ resumed, received }: WelcomeText): HawserError | null {
    const fits = resumed ? this.#id !== "" && this.#emitter.canHave(received) : received === 0;
    return fits
      ? null
      : new HawserError(
          "PROTOCOL_VIOLATION",
          "The server's WELCOME goes on with another session than this one, or with events " +
            "that it did not get",
        );
  }

  /** Both sides are ready: what is kept is sent, then calls may begin. */
  #begin(resumed: boolean, received: number, resumeWindowMs: number): void {
    const link = this.#link;
    const { peer } = link;
    this.#heartbeat = new Heartbeat(this.#parts.limits, link.nowMs);
    this.#reader.open();
    link.outbox.maxPartials = peer.limits.maxPartials;
    link.outbox.window = peer.limits.connectionWindowBytes;
    link.attached = true;
    link.origin = this.#origin;
    link.items.giveBack();
    this.#receiver.resume(!resumed);
    const repeatedEvents = this.#emitter.resume(!resumed, received);
    this.#tell(() => {
      this.#sink.ready({ resumed, peerVersion: peer.version, repeatedEvents, resumeWindowMs });
    });
    this.#receiver.begin();
  }

  #refuseWaiting(): void {
    this.#calls.refuseWaiting(
      new HawserError(
        "DRAINING",
        "The call waited for its turn, and was not sent: the session is about to close",
        { origin: "local" },
      ),
    );
  }

  #drained(): void {
    const from = this.#state;
    if (this.#move("DRAIN") === from) return;
    this.#refuseWaiting();
    const check = (): void => {
      if (this.#reading === "no") this.#checkDone();
    };
    this.#calls.onIdle = check;
    this.#receiver.onIdle = check;
    this.#tell(() => {
      this.#sink.draining();
    });
  }

  /** The peer has asked for it: close when nothing is open any more. */
  #checkDone(): void {
    const isAsked = this.#state === "leaving" || this.#state === "parting";
    if (
      !isAsked ||
      this.#calls.open > 0 ||
      this.#emitter.unsettled > 0 ||
      this.#receiver.unhandled > 0
    )
      return;
    const link = this.#link;
    link.enter();
    writeText(link.output, CLOSE, 0, formatClosing("DRAINED", ""));
    link.wrote();
    this.#over("over", null, lossReason("The session was drained"));
    link.leave();
  }

  #closed(said: HawserError | "DRAINED" | "NORMAL"): void {
    const isRefused = this.#state === "handshake"; // a CLOSE is as a REFUSE there
    const error =
      typeof said !== "string"
        ? said
        : isRefused
          ? new HawserError("PROTOCOL_VIOLATION", "The server refused the session without a reason")
          : null;
    const mayPass = isRefused ? error?.retryable === true : error?.code === "HEARTBEAT_LOST";
    this.#over(
      mayPass ? (isRefused ? "retry" : "silence") : "over",
      error,
      lossReason("The peer closed the session", error ?? undefined),
    );
  }

  #beat(nowMs: number): void {
    const heartbeat = this.#heartbeat;
    const pulse = heartbeat?.tick(nowMs);
    const link = this.#link;
    if (heartbeat === null || pulse === "none") return;
    if (pulse === "ping") {
      this.#ping(heartbeat.count);
      return;
    }
    const error = new HawserError(
      "HEARTBEAT_LOST",
      "Nothing came from the peer for too long: the connection is taken for lost",
    );
    writeText(link.output, CLOSE, 0, formatClosing(error.code, error.message));
    link.wrote();
    this.#over("silence", error, lossReason("The connection was lost", error));
  }

  #ping(count: number): void {
    const link = this.#link;
    this.#proving = this.#receiver.rejected;
    writeNumbered(link.output, PING, count);
    link.wrote();
  }

  /** Asks whether the peer has the rejections that were sent, unless a question is open. */
  #prove(): void {
    if (isConnected(this.#state) && this.#heartbeat?.ask(this.#link.nowMs) === true)
      this.#ping(this.#heartbeat.count);
  }

  /** PONG has come: what was sent before its PING has arrived. */
  #answered(count: number): void {
    const link = this.#link;
    if (this.#heartbeat?.answered(count, link.nowMs) !== true) {
      link.violate("PROTOCOL_VIOLATION", "sent a PONG that answers no PING");
      return;
    }
    this.#receiver.proved(this.#proving);
    if (this.#receiver.wantsProof) this.#prove();
  }

  #violated(code: ErrorCode, what: string): void {
    if (transitions.violation[this.#state] === ".") return;
    this.#refuse(peerError(code, `The peer ${what}`));
  }

  /** End the session for what the peer did. */
  #refuse(error: HawserError): void {
    const link = this.#link;
    writeText(link.output, CLOSE, 0, formatClosing(error.code, error.message));
    link.wrote();
    this.#over("violation", error, lossReason("The session ended", error));
  }

  /** The connection is to be closed; the state says whether the session is over with it. */
  #over(input: Input, error: HawserError | null, reason: LossReason): void {
    const hadConnection = this.#state === "handshake" || isConnected(this.#state);
    const next = this.#move(input);
    if (next === ".") return;
    const why = error ?? new HawserError("SESSION_CLOSED", "The session is over");
    this.#disconnect(reason, why);
    if (this.#state === "closed") this.#emitter.close(why);
    if (!hadConnection) return;
    const resumable = this.#state === "lost";
    this.#tell(() => {
      this.#sink.over(error, resumable);
    });
  }

  /** A session is resumed whose old connection was not known to be lost. */
  #replace(): void {
    writeText(
      this.#link.output,
      CLOSE,
      0,
      formatClosing("SESSION_REPLACED", "resumed on another connection"),
    );
    this.#move("lost");
    this.#disconnect(
      lossReason("The connection was replaced"),
      new HawserError("SESSION_LOST", "The connection was replaced"),
    );
  }

  /** Returns the credit that the new connection begins with. */
  #announce(): Opening {
    return {
      eventWindowBytes: this.#receiver.announce(),
      connectionWindowBytes: this.#link.items.announce(),
    };
  }

  #connect(output: ByteWriter): void {
    this.#link.output = output;
    this.#link.epoch++;
    this.#reader = new Reader();
    this.#rest = null;
    this.#inbound.clear();
  }

  #disconnect(reason: LossReason, cancellation: HawserError): void {
    this.#link.detach();
    this.#rest = null;
    this.#inbound.clear();
    this.#recogniser = null;
    this.#lists = null;
    this.#calls.onIdle = null;
    this.#receiver.onIdle = null;
    this.#calls.lose(reason, cancellation);
    this.#emitter.lose();
  }

  #emit(
    entry: MessageEntry,
    payload: unknown,
    shared: PreparedEvent | null,
    { trace }: EmitOptions,
    settled: Settled | null,
  ): boolean {
    this.#checkEntry(entry, "emit");
    this.#admit(entry.delivery === "at-least-once" ? "retain" : "emit", entry);
    return this.#emitter.emit(entry, payload, shared, trace ?? null, settled);
  }

  #admit(input: "emit" | "open" | "retain", entry: MessageEntry): void {
    if (transitions[input][this.#state] === "!")
      throw this.#notReady(entry, input === "open" ? "call" : "emit");
  }

  #checkEntry(entry: MessageEntry, verb: "emit" | "open"): void {
    if ((entry.type === "event") !== (verb === "emit"))
      throw new TypeError(
        `Cannot ${verb} "${plain(entry.name, 60)}": it is ` +
          (entry.type === "event" ? "an event" : `a ${entry.type}`),
      );
    if (entry.from !== "both" && entry.from !== this.side)
      throw new TypeError(
        `Cannot ${verb} "${plain(entry.name, 60)}": the contract leaves it to the ${entry.from}`,
      );
  }

  #notReady(entry: MessageEntry, verb: string): HawserError {
    const what = `Cannot ${verb} "${plain(entry.name, 60)}"`;
    if (this.#state === "closed")
      return new HawserError("SESSION_CLOSED", `${what}: the session is over`);
    if (isConnected(this.#state))
      return new HawserError("DRAINING", `${what}: the session is about to close`);
    return new HawserError(
      "NOT_READY",
      `${what}: the session has no connection, or its handshake is not complete`,
    );
  }

  #check(input: Input, verb: string): void {
    if (transitions[input][this.#state] === "!")
      throw new TypeError(`Cannot ${verb} a session that is ${this.#state}`);
  }

  /** Go where the table says; returns its cell. */
  #move(input: Input): Cell {
    const cell = transitions[input][this.#state];
    if (cell === "!" || cell === ".") return cell;
    this.#state = cell;
    this.#link.moves++;
    return cell;
  }

  #enter(nowMs: number): void {
    this.#link.nowMs = nowMs;
    this.#link.enter();
  }

  #tell(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#link.caught(error);
    }
  }
}
