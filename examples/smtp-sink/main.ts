/**
 * An SMTP server that takes every message and prints one line about it: `node
 * examples/smtp-sink/main.ts --address tcp://127.0.0.1:2525`
 *
 * Speaks RFC 5321 with PIPELINING, 8BITMIME and SIZE: the replies to what came in one chunk leave
 * in one write.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import {
  bytes,
  type Codec,
  type ErrorCode,
  parseDecimal,
  printable,
  text,
  wire,
} from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { formatAddress } from "@hawser/transport";
import { isData, smtp } from "./framing.ts";

const { values: options } = parseArgs({
  options: {
    address: { type: "string", default: "tcp://127.0.0.1:2525" },
    size: { type: "string", default: "10485760" },
  },
});
const maxBytes =
  parseDecimal(options.size, 1) ??
  fail(`--size is a number of bytes, got ${JSON.stringify(options.size)}`);

/** Bytes in, because a message may be in any encoding; text out. */
const codec: Codec<Uint8Array, string> = {
  name: "smtp",
  decode: (...range) => bytes().decode(...range),
  encode: (reply, output) => {
    text().encode(reply, output);
  },
};

/**
 * The path of MAIL and RCPT: the local part may be in quotes, with blanks and angle brackets in it
 * (RFC 5321 §4.1.2).
 */
const PATH = /^(?:MAIL FROM|RCPT TO): ?<((?:"(?:[^"\\]|\\.)*"|[^"<>\s])*)>/i;

/**
 * What a client reads before the connection is closed (RFC 5321 §4.2.2, §4.5.3.2.7; 521 is what
 * Postfix says to a bare LF).
 */
const lastWords: Readonly<Partial<Record<ErrorCode, string>>> = {
  FRAME_MALFORMED: "521 Lines end with CR LF",
  FRAME_TIMEOUT: "421 The line took too long",
  IDLE_TIMEOUT: "421 Nothing came for too long",
  HANDLER_FAILED: "451 The server failed",
};

/** One connection's conversation. Each reply is one line. */
class Session {
  #sender: string | null = null;
  #recipients: string[] = [];
  #expects: "command" | "message" = "command";

  reply(frame: Uint8Array): readonly string[] {
    if (this.#expects === "message") return [this.#deliver(frame)];
    const command = Buffer.from(frame).toString("utf8");
    const verb = /^\w+/.exec(command)?.[0].toUpperCase() ?? "";
    const path = PATH.exec(command)?.[1];
    if (verb === "EHLO" || verb === "HELO" || verb === "RSET") this.#reset();
    if (verb === "EHLO")
      return ["250-hawser", "250-PIPELINING", "250-8BITMIME", `250 SIZE ${maxBytes}`];
    if (verb === "HELO" || verb === "RSET" || verb === "NOOP") return ["250 OK"];
    if (verb === "MAIL" || verb === "RCPT")
      return [
        path === undefined
          ? "501 The address is missing, or not in <>"
          : this.#address(verb, path, command),
      ];
    if (verb === "QUIT") return ["221 Bye"];
    if (!isData(frame)) return ["500 Unknown command"];
    this.#expects = "message";
    return ["354 Go on, and end with a line of one dot"];
  }

  /** The reply to a frame that was passed over because it is too long. */
  passOver(): string {
    const isMessage = this.#expects === "message";
    if (isMessage) this.#reset();
    return isMessage ? "552 The message is too large" : "500 The line is too long";
  }

  #address(verb: "MAIL" | "RCPT", path: string, command: string): string {
    if ((verb === "MAIL") !== (this.#sender === null)) return `503 ${verb} does not come here`;
    if (verb === "RCPT" && path === "") return "501 A recipient is missing: <> is for MAIL alone";
    const size = / SIZE=(\S*)/i.exec(command)?.[1];
    if (size !== undefined && !/^\d{1,20}$/.test(size)) return "501 SIZE is a number of bytes";
    if (size !== undefined && parseDecimal(size.replace(/^0+(?=\d)/, ""), 0, maxBytes) === null)
      return "552 The message is too large";
    if (this.#recipients.length === 100) return "452 Too many recipients";
    if (verb === "MAIL") this.#sender = path;
    else this.#recipients.push(path);
    return "250 OK";
  }

  #deliver(message: Uint8Array): string {
    const [sender, recipients] = [this.#sender, this.#recipients];
    this.#reset();
    if (sender === null || recipients.length === 0) return "503 MAIL and RCPT come first";
    const subject = /^Subject: *([^\r]*)/im.exec(Buffer.from(message).toString("utf8"))?.[1] ?? "";
    console.log(
      printable(
        `message from=<${sender}> to=<${recipients.join(">,<")}> bytes=${message.length} ` +
          `subject=${JSON.stringify(subject)}`,
      ),
    );
    return "250 Taken";
  }

  #reset(): void {
    this.#sender = null;
    this.#recipients = [];
    this.#expects = "command";
  }
}

const sessions = new WeakMap<object, Session>();

const server = createServer(
  wire({ framing: smtp, codec }),
  {
    open(socket) {
      sessions.set(socket, new Session());
      socket.send("220 hawser ESMTP");
    },
    message(frame, socket) {
      if (socket.state !== "open") return; // what stands behind QUIT is no command
      const replies = sessions.get(socket)?.reply(frame) ?? [];
      for (const reply of replies) socket.send(reply);
      if (replies[0]?.startsWith("221") === true) socket.end();
    },
    error(error, socket) {
      const session = socket === undefined ? undefined : sessions.get(socket);
      const last = lastWords[error.code];
      if (last !== undefined) socket?.send(last);
      if (error.code === "FRAME_TOO_LARGE" && session !== undefined && socket?.state === "open")
        socket.send(session.passOver());
      else console.error(error.message);
    },
  },
  // RFC 5321 §4.5.3.2.7: five minutes
  { maxFrameBytes: maxBytes, onOversize: "skip", idleTimeoutMs: 300_000 },
);
console.log(`listening on ${formatAddress(await server.listen(options.address))}`);
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void server.close({ deadlineMs: 1_000 }));

function fail(reason: string): never {
  console.error(reason);
  process.exit(1);
}
