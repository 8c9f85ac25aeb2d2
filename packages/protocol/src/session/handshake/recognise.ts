/**
 * What a peer speaks, by its first bytes: Hawser, or something else that can be named (PROTOCOL.md
 * §1). Owns the table of what else comes to a port. Must not know what follows the signature.
 *
 * However the bytes are cut, the answer is the same: nothing is said while more than one answer is
 * possible. (Only what an error shows of bytes without a name may be less.)
 *
 * @module
 */
import { HawserError } from "../../errors.ts";
import { peerError } from "../../stack.ts";
import { SIGNATURE } from "../frames/frames.ts";
import { hexadecimal } from "../quote.ts";

/** A way to begin: bytes, each one of a few, or any. */
type Step = number | readonly number[] | "any";

interface Dialect {
  readonly begins: readonly Step[];
  /** What it is, behind "the peer speaks": with advice behind a colon. */
  readonly name: string;
}

const text = (letters: string): number[] => Array.from(letters, (letter) => letter.charCodeAt(0));
const anyCase = (letters: string): Step[] =>
  Array.from(letters, (letter) => [
    ...new Set([...text(letter.toLowerCase()), ...text(letter.toUpperCase())]),
  ]);

const TLS_VERSIONS: readonly number[] = [0x00, 0x01, 0x02, 0x03, 0x04];
const HTTP = "HTTP: the address or the port is that of a web program, or a proxy's";
const MANGLED = "whatever carries the bytes must leave them as they are";

/** What else may come. Of two that begin alike, the first that is complete is named. */
const dialects: readonly Dialect[] = Object.freeze([
  ...["GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "OPTIONS ", "PATCH ", "CONNECT ", "TRACE "].map(
    (method) => ({ begins: text(method), name: HTTP }),
  ),
  { begins: text("PRI * HTTP/2.0"), name: "HTTP/2: the peer is a web or gRPC client" },
  { begins: text("HTTP/"), name: "HTTP: it answered as a web server does" },
  {
    begins: [0x16, 0x03, TLS_VERSIONS, "any", "any", 0x01],
    name: "TLS: this end of the connection is without; use tls:// on both ends, or on neither",
  },
  {
    begins: [0x16, 0x03, TLS_VERSIONS, "any", "any", 0x02],
    name: "TLS: it sent a ServerHello that nobody asked for",
  },
  {
    begins: [0x15, 0x03, TLS_VERSIONS, 0x00, 0x02],
    name: "TLS: it sent an alert; use tls:// on both ends, or on neither",
  },
  { begins: text("SSH-"), name: "SSH: the port is that of an SSH server or client" },
  {
    begins: text("PROXY "),
    name: "the PROXY protocol (v1), which is not read here: switch the proxy's header off",
  },
  {
    begins: [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a],
    name: "the PROXY protocol (v2), which is not read here: switch the proxy's header off",
  },
  {
    begins: anyCase("content-length:"),
    name: "JSON-RPC with Content-Length headers, as language servers do: serve it with jsonRpc()",
  },
  {
    begins: anyCase("content-type:"),
    name: "JSON-RPC with headers, as language servers do: serve it with jsonRpc()",
  },
  {
    begins: [text("{[")],
    name: "JSON: serve it with jsonRpc(), or with a wire of lines() and json()",
  },
  {
    begins: [...SIGNATURE.subarray(0, 4), 0x0a, 0x1a, 0x0a],
    name: `Hawser with CR LF turned into LF: ${MANGLED}`,
  },
  {
    begins: [...SIGNATURE.subarray(0, 4), 0x0d, 0x0d, 0x0a, 0x1a],
    name: `Hawser with LF turned into CR LF: ${MANGLED}`,
  },
  {
    begins: [...SIGNATURE.subarray(0, 4), 0x0d, 0x0a, 0x1a, 0x0d],
    name: `Hawser with a lone LF turned into CR LF: ${MANGLED}`,
  },
  {
    begins: [...SIGNATURE.subarray(0, 4), 0x0a, 0x0a, 0x1a, 0x0a],
    name: `Hawser with CR turned into LF: ${MANGLED}`,
  },
  {
    begins: [...SIGNATURE.subarray(0, 4), 0x0d, 0x0d, 0x1a, 0x0d],
    name: `Hawser with LF turned into CR: ${MANGLED}`,
  },
  {
    begins: [0x09, ...SIGNATURE.subarray(1, 4)],
    name: `Hawser with the eighth bit cut off: ${MANGLED}`,
  },
  {
    begins: [0xc2, ...SIGNATURE.subarray(0, 4)],
    name: `Hawser read as Latin-1 and written as UTF-8: ${MANGLED}`,
  },
  {
    begins: [0xef, 0xbf, 0xbd, ...SIGNATURE.subarray(1, 4)],
    name: `Hawser read as UTF-8 text: ${MANGLED}`,
  },
  { begins: [0xff, [0xfb, 0xfc, 0xfd, 0xfe]], name: "Telnet: the peer is a terminal" },
  { begins: text("220"), name: "SMTP or FTP: it greeted as a mail or file server does" },
]);

/** Bytes of the longest beginning. */
const LONGEST = Math.max(...dialects.map(({ begins }) => begins.length));

/** Bytes that an error shows where they have no name, if they came together. */
const SHOWN = 16;

/** Reads the first bytes of one peer. */
export class Recogniser {
  readonly #seen: number[] = [];
  #answer: HawserError | "hawser" | "unknown" | null = null;

  /**
   * Take the bytes from `start` on. Returns where the bytes behind the signature begin, -1 while it
   * is not known what the peer speaks, or the error that names it.
   */
  read(chunk: Uint8Array, start: number): HawserError | number {
    let at = start;
    while (this.#answer === null && at < chunk.length) {
      this.#seen.push(chunk[at++] as number); // in range, as the loop says
      this.#answer = judge(this.#seen);
    }
    if (this.#answer === "unknown") {
      // in range, as the loop says
      while (this.#seen.length < SHOWN && at < chunk.length) this.#seen.push(chunk[at++] as number);
      this.#answer = unnamed(this.#seen);
    }
    if (this.#answer === "hawser") return at;
    return this.#answer instanceof HawserError ? this.#answer : -1;
  }

  /** Nothing more comes: what can be said of what did. */
  end(): HawserError {
    if (this.#answer instanceof HawserError) return this.#answer;
    const { length } = this.#seen;
    if (length > 0 && begins(this.#seen, SIGNATURE)) {
      return peerError(
        "HELLO_INVALID",
        `The peer sent the first ${String(length)} bytes of Hawser's signature, and nothing ` +
          "behind them",
      );
    }
    return unnamed(this.#seen);
  }
}

/** What so many first bytes say: an answer, or null while there is more than one. */
function judge(seen: readonly number[]): HawserError | "hawser" | "unknown" | null {
  if (begins(seen, SIGNATURE)) return seen.length === SIGNATURE.length ? "hawser" : null;
  let isPossible = false;
  for (const dialect of dialects) {
    if (!begins(seen, dialect.begins)) continue;
    if (seen.length >= dialect.begins.length)
      return peerError(
        "NOT_HAWSER",
        `The peer does not speak Hawser's session protocol but ${dialect.name}`,
      );
    isPossible = true;
  }
  return isPossible && seen.length < LONGEST ? null : "unknown";
}

/** True if what was seen agrees with a beginning, as far as both go. */
function begins(seen: readonly number[], steps: ArrayLike<Step>): boolean {
  const count = Math.min(seen.length, steps.length);
  for (let at = 0; at < count; at++) {
    const step = steps[at];
    const byte = seen[at] as number; // below count
    if (step !== "any" && (typeof step === "object" ? !step.includes(byte) : step !== byte))
      return false;
  }
  return true;
}

function unnamed(seen: readonly number[]): HawserError {
  const what =
    seen.length === 0 ? "it sent nothing" : `its first bytes are ${hexadecimal(seen, " ")}`;
  return peerError("NOT_HAWSER", `The peer does not speak Hawser's session protocol: ${what}`);
}
