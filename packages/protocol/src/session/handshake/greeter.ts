/**
 * Greeter: the server's side of a connection until it knows who calls (PROTOCOL.md §1, §3). Owns
 * the signature, HELLO and the client's list of messages as they arrive, and the replies to what is
 * not one. Must not know sessions.
 *
 *     receive -> a good HELLO -> the driver judges it -> admitted -> welcome
 *                                                                 -> WANT -> receive -> welcome
 *
 * @module
 */
import { unlimitedBudget } from "../../wire/budget.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import type { Protocol } from "../../contract/contract.ts";
import { HawserError } from "../../errors.ts";
import { peerError } from "../../stack.ts";
import { compareContracts, compareLists } from "./compare.ts";
import { formatRefusal } from "../frames/failure.ts";
import {
  COUNTED_BYTES,
  HELLO,
  IGNORABLE,
  kindName,
  MAX_EARLY_PAYLOAD,
  MESSAGES,
  MORE,
  REFUSE,
  SIGNATURE,
  WANT,
  writeEmpty,
  writeText,
} from "../frames/frames.ts";
import { type HelloText, readHello } from "./hello.ts";
import {
  ForeignView,
  ListReader,
  type MessageView,
  type OwnList,
  type PeerMessage,
} from "./message-list.ts";
import { GreetedPeer, type Peer, type PeerLimits } from "./peer.ts";
import { type FrameTarget, Reader } from "../frames/reader.ts";
import { Recogniser } from "./recognise.ts";
import type { Admission, Greeter, Greeting, Hello } from "../types.ts";

const NOTHING = new Uint8Array(0);

/** A HELLO that fits the contract; only `NativeGreeter` makes it. */
export class NativeHello implements Hello {
  readonly auth: unknown;
  readonly resume: Hello["resume"];
  readonly peerVersion: number;
  /** The client's limits. */
  readonly limits: PeerLimits;
  /** True if the client's list is the server's own: neither sends it. */
  readonly hasOwnList: boolean;
  readonly #text: HelloText;
  readonly #features: readonly string[];
  #peer: Peer | null = null;
  /** True if the greeter has sent the signature already. */
  isSigned = false;

  constructor(text: HelloText, features: readonly string[], hasOwnList: boolean) {
    this.auth = text.auth;
    this.resume = text.resume;
    this.peerVersion = text.version;
    this.limits = text.limits;
    this.hasOwnList = hasOwnList;
    this.#text = text;
    this.#features = features;
  }

  /** The client, once its list of messages is known; null: ask the greeter with `admitted`. */
  get peer(): Peer | null {
    return this.#peer;
  }

  /** The client's list is known. */
  listed(view: MessageView): void {
    this.#peer = new GreetedPeer(this.#text, this.#features, view);
  }
}

/**
 * What the greeter waits for: `"judgement"` of a good HELLO, or `"welcome"`, when all is said;
 * `"over"`: nothing more is read.
 */
type State = "hello" | "judgement" | "list" | "over" | "signature" | "welcome";

/** Reads one connection's signature, HELLO, and the list of messages where it must. */
export class NativeGreeter implements Greeter, FrameTarget {
  readonly #contract: Protocol;
  readonly #own: OwnList;
  /** What the server can use. */
  readonly #features: readonly string[];
  readonly #recogniser = new Recogniser();
  readonly #reader = new Reader();
  #state: State = "signature";
  /** The client's list, read from its HELLO or after it. */
  #list: readonly PeerMessage[] | null = null;
  #lists: ListReader | null = null;
  #hello: NativeHello | null = null;
  /** What the chunk at hand has led to. */
  #found: Greeting | null = null;
  /** Why nothing more is read. */
  #refusal: HawserError | null = null;

  constructor(contract: Protocol, own: OwnList, features: readonly string[]) {
    this.#contract = contract;
    this.#own = own;
    this.#features = features;
  }

  receive(chunk: Uint8Array): Greeting | null {
    if (chunk.length === 0) return null;
    this.#found = null;
    if (this.#state === "signature") this.#readSignature(chunk);
    else if (this.#state === "hello" || this.#state === "list") this.#read(chunk, 0);
    else if (this.#state !== "over") this.#tooEarly();
    return this.#found;
  }

  admitted(): Admission {
    const hello = this.#hello;
    if (hello === null || this.#state !== "judgement")
      throw new TypeError(
        "Cannot admit a client whose HELLO has not been read, or that has been admitted",
      );
    this.#state = "welcome";
    if (hello.hasOwnList) {
      hello.listed(this.#own);
      return WELCOME_IT;
    }
    if (this.#list !== null) {
      const error = this.#compare(hello, this.#list);
      return error === null ? WELCOME_IT : this.#refused(error);
    }
    this.#state = "list";
    this.#lists = new ListReader("HELLO_INVALID");
    hello.isSigned = true;
    const output = new ByteWriter();
    output.append(SIGNATURE);
    writeEmpty(output, WANT, 0);
    return { ok: null, ask: output.copy() };
  }

  refusal(error: HawserError): Uint8Array {
    return formatRefusalReply(error, this.#hello?.isSigned === true);
  }

  end(): HawserError {
    if (this.#state === "signature") return this.#recogniser.end();
    if (this.#state === "list")
      return peerError(
        "HELLO_INVALID",
        "The client was asked for its list of messages, and did not send all of it",
      );
    return (
      this.#refusal ??
      peerError("HELLO_INVALID", "The peer sent Hawser's signature, but no whole HELLO behind it")
    );
  }

  /** For the reader: the first frame is HELLO, and there is no second. */
  frame(kind: number, id: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#state === "list") return this.#takeList(kind, id, bytes, start, end);
    if (this.#state !== "hello") this.#tooEarly();
    else if (kind !== HELLO || id !== 0)
      this.#violate(`sent ${kindName(kind)} with the id ${String(id)} where HELLO belongs`);
    else this.#judge(readHello(bytes, start, end));
    return this.#state === "judgement";
  }

  badLength(length: number): void {
    if (this.#state === "hello" || this.#state === "list")
      this.#violate(
        `sent a frame of length ${String(length)}, where HELLO and a piece of MESSAGES have at ` +
          `most ${String(MAX_EARLY_PAYLOAD + COUNTED_BYTES)}`,
      );
    else this.#tooEarly();
  }

  #readSignature(chunk: Uint8Array): void {
    const behind = this.#recogniser.read(chunk, 0);
    if (behind instanceof HawserError) {
      this.#refuse(behind, NOTHING);
    } else if (behind !== -1) {
      this.#state = "hello";
      this.#read(chunk, behind);
    }
  }

  #read(chunk: Uint8Array, from: number): void {
    this.#reader.read(chunk, from, this, unlimitedBudget);
    if ((this.#state === "judgement" || this.#state === "welcome") && this.#reader.partial)
      this.#tooEarly();
  }

  #judge(text: HawserError | HelloText): void {
    const error =
      text instanceof HawserError ? text : compareContracts(this.#contract, text, US, THEM);
    if (error !== null) {
      this.#fail(error);
    } else if (!(text instanceof HawserError)) {
      this.#state = "judgement";
      this.#list = text.messages;
      const hello = new NativeHello(
        text,
        this.#features,
        text.messages === null && text.fingerprint === this.#own.fingerprint,
      );
      this.#hello = hello;
      this.#found = { ok: true, hello, rest: NOTHING };
    }
  }

  #takeList(kind: number, id: number, bytes: Uint8Array, start: number, end: number): boolean {
    const hello = this.#hello;
    const lists = this.#lists;
    if (hello === null || lists === null) return false; // neither is, in this state
    if ((kind & IGNORABLE) !== 0) return true;
    if ((kind & ~MORE) !== MESSAGES || id !== 0) {
      this.#violate(`sent ${kindName(kind)} with the id ${String(id)} where MESSAGES belongs`);
      return false;
    }
    const fault = lists.take(kind, bytes, start, end);
    if (fault !== null) {
      this.#fail(fault);
      return false;
    }
    if (lists.messages === null) return true;
    this.#state = "welcome";
    const error = this.#compare(hello, lists.messages);
    if (error === null) this.#found = { ok: true, hello, rest: NOTHING };
    else this.#fail(error);
    return error === null;
  }

  /**
   * The error where the client's list does not fit, or null: then the client's frames are read by
   * it.
   */
  #compare(hello: NativeHello, messages: readonly PeerMessage[]): HawserError | null {
    const error = compareLists(this.#contract, hello.peerVersion, messages, US, THEM);
    if (error === null) hello.listed(new ForeignView(this.#contract, messages));
    return error;
  }

  #tooEarly(): void {
    this.#violate("sent more before it had the WELCOME");
  }

  #violate(what: string): void {
    this.#fail(peerError("HELLO_INVALID", `The client ${what}`));
  }

  #fail(error: HawserError): void {
    this.#refuse(error, this.refusal(error));
  }

  #refuse(error: HawserError, reply: Uint8Array): void {
    this.#found = { ok: false, error, reply };
    this.#over(error);
  }

  #refused(error: HawserError): Admission {
    this.#over(error);
    return { ok: false, error, reply: this.refusal(error) };
  }

  #over(error: HawserError): void {
    this.#state = "over";
    this.#refusal = error;
  }
}

/** Names of the two sides in texts. */
const US = "this server";
const THEM = "the client";

const WELCOME_IT: Admission = Object.freeze({ ok: true });

/** REFUSE, behind the signature unless that was sent. */
export function formatRefusalReply(error: HawserError, isSigned = false): Uint8Array {
  const reply = new ByteWriter();
  if (!isSigned) reply.append(SIGNATURE);
  writeText(reply, REFUSE, 0, formatRefusal(error));
  return reply.copy();
}
