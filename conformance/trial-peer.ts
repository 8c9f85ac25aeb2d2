// A peer that is written by hand, from PROTOCOL.md and with nothing of the engine: bytes on a plain
// socket, and the frames in what comes back.

import net from "node:net";
import tls from "node:tls";
import type { Protocol } from "@hawser/protocol";
import { frame, framesOf, joined, KIND, type ReadFrame, SIGNATURE } from "@hawser/protocol/testing";
import type { Address } from "@hawser/transport";
import { clientTls, type Fixture, type TransportName } from "./transports.ts";

export { filler, frame, head, joined, KIND, SIGNATURE, u32, u64 } from "@hawser/protocol/testing";

/** What a side says it can take (PROTOCOL.md §3). */
export const roomy = {
  maxMessageBytes: 1_048_576,
  maxPartials: 8,
  maxConversations: 1_024,
  windowBytes: 262_144,
  eventWindowBytes: 262_144,
};

/** A text as bytes. */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** What both greetings say of a contract. */
export function introduction({ name, version, accepts, messages }: Protocol): {
  readonly messages: readonly unknown[];
  readonly [member: string]: unknown;
} {
  return {
    protocol: name,
    version,
    accepts,
    features: [],
    messages: messages.map((each) => [each.name, each.type, each.codec.name, each.digest]),
    limits: roomy,
  };
}

/** The number of a name, for whoever has greeted with the whole listing. */
export function numberOf(contract: Protocol, name: string): number {
  const number = contract.messages.findIndex((message) => message.name === name);
  if (number === -1) throw new TypeError(`The contract has no ${name}`);
  return number;
}

/** The HELLO of a client of a contract, or one with other members. */
export function helloFor(contract: Protocol, members: object = {}): Uint8Array {
  return frame(
    KIND.HELLO,
    0,
    JSON.stringify({ hawser: [1, 1], ...introduction(contract), ...members }),
  );
}

/** The WELCOME of a server of a contract, or one with other members. */
export function welcomeFor(contract: Protocol, members: object = {}): Uint8Array {
  const session = {
    session: "00112233445566778899aabbccddeeff",
    origin: "ffeeddccbbaa99887766554433221100",
    resumed: false,
    received: 0,
    resumeWindowMs: 30_000,
  };
  return frame(
    KIND.WELCOME,
    0,
    JSON.stringify({ hawser: 1, ...introduction(contract), ...session, ...members }),
  );
}

/** A message of any length, in as many pieces as it takes. */
export function message(
  kind: number,
  id: number,
  ...payload: readonly (Uint8Array | string)[]
): Uint8Array {
  const whole = joined(...payload.map((part) => (typeof part === "string" ? utf8(part) : part)));
  const frames: Uint8Array[] = [];
  for (let from = 0; from === 0 || from < whole.length; from += MAX_PAYLOAD) {
    const isLast = from + MAX_PAYLOAD >= whole.length;
    frames.push(frame(isLast ? kind : kind | MORE, id, whole.subarray(from, from + MAX_PAYLOAD)));
  }
  return joined(...frames);
}

const MAX_PAYLOAD = 65_536;
const MORE = 0x80;

/** One end of a connection. */
export class HandPeer {
  readonly socket: net.Socket;
  /** What carries it: of TLS, the socket of TCP below; else the same. */
  readonly carrier: net.Socket;
  /** Resolves when both directions are closed, however they were. */
  readonly closed: Promise<void>;
  /** Whole frames behind the signature. */
  readonly frames: ReadFrame[] = [];
  /** Whether the other side has said that nothing more comes, or the connection is gone. */
  hasEnded = false;
  readonly #chunks: Uint8Array[] = [];
  /** What is not a whole frame yet, nor the whole signature. */
  #rest: Uint8Array = new Uint8Array(0);
  #isGreeted = false;
  #next = 0;
  #wake: () => void = () => undefined;

  constructor(socket: net.Socket, carrier: net.Socket = socket) {
    this.socket = socket;
    this.carrier = carrier;
    socket.setNoDelay(true);
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#rest = joined(this.#rest, chunk);
      this.#read();
      this.#wake();
    });
    socket.on("end", () => {
      this.#end();
    });
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.#end();
        resolve();
      });
    });
  }

  /** All that has come. */
  get bytes(): Uint8Array {
    return joined(...this.#chunks);
  }

  /** Connect to a server of a contract, and be let in. */
  static async greet(
    fixture: Fixture,
    address: Address | null,
    contract: Protocol,
    members: object = {},
  ): Promise<HandPeer> {
    const peer = await HandPeer.dial(fixture, address);
    peer.say(SIGNATURE, helloFor(contract, members));
    await peer.hearOf("WELCOME");
    return peer;
  }

  /** Let a client of a contract in. */
  async welcome(contract: Protocol, members: object = {}): Promise<void> {
    await this.hearOf("HELLO");
    this.say(SIGNATURE, welcomeFor(contract, members));
  }

  /** Connect to a server; what it sends is kept open when it ends, until this side ends too. */
  static async dial(
    fixture: Fixture,
    address: Address | null,
    transport: TransportName = "tcp",
  ): Promise<HandPeer> {
    if (address === null || !("port" in address)) throw new TypeError("There is no address of TCP");
    const carrier = net.connect({ port: address.port, host: "127.0.0.1", allowHalfOpen: true });
    const socket =
      transport === "tls"
        ? tls.connect({ socket: carrier, ...clientTls, servername: "localhost" })
        : carrier;
    const peer = new HandPeer(socket, carrier);
    fixture.own({ abort: () => void socket.destroy() });
    await new Promise<void>((resolve, reject) => {
      socket.once(transport === "tls" ? "secureConnect" : "connect", resolve).once("error", reject);
    });
    return peer;
  }

  /** A server that hands out who connects to it; `refuse` makes it listen no more. */
  static async listen(
    fixture: Fixture,
  ): Promise<{ address: string; accepted: () => Promise<HandPeer>; refuse: () => void }> {
    const peers: HandPeer[] = [];
    let wake: () => void = () => undefined;
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      peers.push(new HandPeer(socket));
      wake();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const opened: HandPeer[] = [];
    fixture.own({
      close: () => {
        for (const { socket } of [...peers, ...opened]) socket.destroy();
        server.close();
      },
    });
    const { port } = server.address() as net.AddressInfo; // it listens on TCP
    const accepted = async (): Promise<HandPeer> => {
      for (;;) {
        const peer = peers.shift();
        if (peer !== undefined) {
          opened.push(peer);
          return peer;
        }
        await new Promise<void>((resolve) => (wake = resolve));
      }
    };
    const refuse = (): void => void server.close();
    return { address: `tcp://127.0.0.1:${port}`, accepted, refuse };
  }

  /** Send bytes, as they are. */
  say(...parts: readonly Uint8Array[]): void {
    for (const part of parts) this.socket.write(part);
  }

  /** The next whole frame behind the signature, or null at the end of the stream. */
  async hear(): Promise<ReadFrame | null> {
    for (;;) {
      const next = this.frames[this.#next];
      if (next !== undefined) {
        this.#next++;
        return next;
      }
      if (this.hasEnded) return null;
      await this.#more();
    }
  }

  /** The next frame of a kind; what comes before it is passed over. */
  async hearOf(kind: keyof typeof KIND): Promise<ReadFrame> {
    for (;;) {
      const next = await this.hear();
      if (next === null)
        throw new Error(
          `The stream ended before ${kind} came: ` +
            this.frames.map((each) => `${each.kind} ${each.text}`).join(", "),
        );
      if (next.kind === kind) return next;
    }
  }

  /** Resolves when the other side has ended. */
  async ended(): Promise<void> {
    while (!this.hasEnded) await this.#more();
  }

  #read(): void {
    if (!this.#isGreeted) {
      if (this.#rest.length < SIGNATURE.length) return;
      this.#isGreeted = true;
      this.#rest = this.#rest.subarray(SIGNATURE.length);
    }
    const rest = this.#rest;
    const view = new DataView(rest.buffer, rest.byteOffset, rest.length);
    let end = 0;
    while (end + 4 <= rest.length && end + 4 + view.getUint32(end) <= rest.length)
      end += 4 + view.getUint32(end);
    this.frames.push(...framesOf(rest.subarray(0, end)));
    this.#rest = rest.subarray(end);
  }

  #more(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }

  #end(): void {
    this.hasEnded = true;
    this.#wake();
  }
}
