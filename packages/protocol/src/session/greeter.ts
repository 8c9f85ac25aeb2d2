/**
 * Greeter: the server's side of a connection until it knows who calls (PROTOCOL.md §1, §3).
 * Owns the signature and HELLO as they arrive, and the replies to what is not one. Must not know sessions.
 *
 * @module
 */
import { unlimitedBudget } from "../budget.ts";
import { ByteWriter } from "../bytes.ts";
import type { Protocol } from "../contract.ts";
import { HawserError } from "../errors.ts";
import { peerError } from "../stack.ts";
import { compareContracts } from "./compare.ts";
import { formatRefusal } from "./failure.ts";
import { COUNTED_BYTES, HELLO, kindName, MAX_EARLY_PAYLOAD, REFUSE, SIGNATURE, writeText } from "./frames.ts";
import { type HelloText, readHello } from "./hello.ts";
import { GreetedPeer, type Peer } from "./peer.ts";
import { type FrameTarget, Reader } from "./reader.ts";
import { Recogniser } from "./recognise.ts";
import type { Greeter, Greeting, Hello } from "./types.ts";

const NOTHING = new Uint8Array(0);

/** A HELLO that fits the contract; only `NativeGreeter` makes it. */
export class NativeHello implements Hello {
  readonly auth: unknown;
  readonly resume: Hello["resume"];
  readonly peerVersion: number;
  readonly peer: Peer;

  constructor(contract: Protocol, text: HelloText, features: readonly string[]) {
    this.auth = text.auth;
    this.resume = text.resume;
    this.peerVersion = text.version;
    this.peer = new GreetedPeer(contract, text, features);
  }
}

/** Reads one connection's signature and HELLO. */
export class NativeGreeter implements Greeter, FrameTarget {
  readonly #contract: Protocol;
  /** What the server can use. */
  readonly #features: readonly string[];
  readonly #recogniser = new Recogniser();
  readonly #reader = new Reader();
  /** `"greeted"`: the HELLO was good; `"over"`: nothing more is read. */
  #state: "greeted" | "hello" | "over" | "signature" = "signature";
  /** What the chunk at hand has led to. */
  #found: Greeting | null = null;
  /** Why nothing more is read. */
  #refusal: HawserError | null = null;

  constructor(contract: Protocol, features: readonly string[]) {
    this.#contract = contract;
    this.#features = features;
  }

  receive(chunk: Uint8Array): Greeting | null {
    if (chunk.length === 0) return null;
    this.#found = null;
    if (this.#state === "signature") this.#readSignature(chunk);
    else if (this.#state === "hello") this.#readHello(chunk, 0);
    else if (this.#state === "greeted") this.#tooEarly();
    return this.#found;
  }

  end(): HawserError {
    if (this.#state === "signature") return this.#recogniser.end();
    return this.#refusal ?? peerError("HELLO_INVALID", "The peer sent Hawser's signature, but no whole HELLO behind it");
  }

  /** For the reader: the first frame is HELLO, and there is no second. */
  frame(kind: number, id: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#state === "greeted") this.#tooEarly();
    else if (kind !== HELLO || id !== 0) this.#violate(`sent ${kindName(kind)} with the id ${String(id)} where HELLO belongs`);
    else this.#judge(readHello(bytes, start, end));
    return this.#state === "greeted";
  }

  badLength(length: number): void {
    if (this.#state === "greeted") this.#tooEarly();
    else this.#violate(`sent a frame of length ${String(length)}, where HELLO has at most ${String(MAX_EARLY_PAYLOAD + COUNTED_BYTES)}`);
  }

  #readSignature(chunk: Uint8Array): void {
    const behind = this.#recogniser.read(chunk, 0);
    if (behind instanceof HawserError) {
      this.#refuse(behind, NOTHING);
    } else if (behind !== -1) {
      this.#state = "hello";
      this.#readHello(chunk, behind);
    }
  }

  #readHello(chunk: Uint8Array, from: number): void {
    this.#reader.read(chunk, from, this, unlimitedBudget);
    if (this.#state === "greeted" && this.#reader.partial) this.#tooEarly();
  }

  #judge(text: HawserError | HelloText): void {
    const error = text instanceof HawserError ? text : compareContracts(this.#contract, text, "this server", "the client");
    if (error !== null) {
      this.#refuse(error, formatRefusalReply(error));
    } else if (!(text instanceof HawserError)) {
      this.#state = "greeted";
      this.#found = { ok: true, hello: new NativeHello(this.#contract, text, this.#features), rest: NOTHING };
    }
  }

  #tooEarly(): void {
    this.#violate("sent more before it had the WELCOME");
  }

  #violate(what: string): void {
    const error = peerError("HELLO_INVALID", `The client ${what}`);
    this.#refuse(error, formatRefusalReply(error));
  }

  #refuse(error: HawserError, reply: Uint8Array): void {
    this.#state = "over";
    this.#refusal = error;
    this.#found = { ok: false, error, reply };
  }
}

/** Signature and REFUSE. */
export function formatRefusalReply(error: HawserError): Uint8Array {
  const reply = new ByteWriter();
  reply.append(SIGNATURE);
  writeText(reply, REFUSE, formatRefusal(error));
  return reply.copy();
}
