/**
 * A syslog receiver for `logger --tcp`, with and without `--octet-count`: `node
 * examples/syslog/main.ts --address tcp://127.0.0.1:6514`
 *
 * Reads the headers of RFC 5424 and RFC 3164, and rsyslog's forward format, and prints one line per
 * message: who said it, how urgent it is, what it says. Where the rest of a header can't be read,
 * its priority counts all the same (RFC 3164 §4.3.2).
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { type Codec, parseDecimal, printable, wire } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { formatAddress } from "@hawser/transport";
import { syslog } from "./framing.ts";

const { values: options } = parseArgs({
  options: { address: { type: "string", default: "tcp://127.0.0.1:6514" } },
});

interface Entry {
  readonly format: "rfc3164" | "rfc5424" | "unknown";
  readonly facility: number;
  readonly severity: (typeof severities)[number];
  readonly host: string;
  readonly tag: string;
  readonly text: string;
}

const severities = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"] as const;

/**
 * `<PRI>1 TIMESTAMP HOST APP PROCID MSGID STRUCTURED-DATA TEXT`, where the data is `-` or elements
 * in brackets (RFC 5424 §6).
 */
const rfc5424 =
  /^1 \S+ (\S+) (\S+) \S+ \S+ (?:-|(?:\[(?:[^"\]]|"(?:[^"\\]|\\.)*")*\])+)(?: (.*))?$/s;
/**
 * `<PRI>Mmm dd hh:mm:ss HOST TAG: TEXT`, where real senders leave out the host (RFC 3164 §4), and
 * rsyslog writes the time as RFC 3339 does.
 */
const rfc3164 =
  /^(?:\w{3} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) (?:(\S+) )??([^\s:[]+)(?:\[[^\]\s]*\])?: ?(.*)$/s;
/** `<PRI>`; it is one from 0 to 191 without leading zeros (RFC 5424 §6.2.1). */
const header = /^<(\d{1,3})>(.*)$/s;
const counted = /^[1-9]\d{0,8} <\d{1,3}>/;
const [USER_NOTICE, MOST] = [13, 191] as const;
const utf8 = new TextDecoder();

/** Takes whatever comes: a log that refuses what it can't read is of no use. */
const entries: Codec<Entry | null, never> = {
  name: "syslog",
  decode(bytes, start, end) {
    const message = utf8.decode(bytes.subarray(start, end)).replace(/[\n\0]+$/, "");
    if (message === "") return null; // two delimiters behind each other
    const [, digits = "", behind = ""] = header.exec(message) ?? [];
    const priority = parseDecimal(digits, 0, MOST);
    const rest = priority === null ? message : behind;
    const modern = priority === null ? null : rfc5424.exec(rest);
    const match = priority === null ? null : (modern ?? rfc3164.exec(rest));
    const [, host = "-", tag = "-", text = match === null ? rest : ""] = match ?? [];
    return {
      format: modern !== null ? "rfc5424" : match !== null ? "rfc3164" : "unknown",
      facility: (priority ?? USER_NOTICE) >> 3,
      severity: severities[(priority ?? USER_NOTICE) & 7] ?? "debug",
      host,
      tag,
      text: text.replace(/^\uFEFF/, ""),
    };
  },
  encode: () => undefined, // no message has the type `never`
};

const server = createServer(
  wire({ framing: syslog, codec: entries }),
  {
    message(entry, socket) {
      if (entry === null) return;
      const { format, facility, severity, host, tag, text } = entry;
      if (format === "unknown" && counted.test(text))
        console.error(
          `${socket.remote} sends lines, and this one begins as a counted message does`,
        );
      console.log(
        `${format} facility=${facility} severity=${severity} host=${printable(host)} ` +
          `tag=${printable(tag)} ${printable(text)}`,
      );
    },
    error(error) {
      console.error(error.message);
    },
  },
  { maxFrameBytes: 65_536, idleTimeoutMs: Infinity }, // who has nothing to log is silent
);

console.log(`listening on ${formatAddress(await server.listen(options.address))}`);
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void server.close({ deadlineMs: 1_000 }));
