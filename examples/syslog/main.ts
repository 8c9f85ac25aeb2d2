/**
 * A syslog receiver for `logger --tcp`, with and without `--octet-count`: `node examples/syslog/main.ts --address tcp://127.0.0.1:6514`
 *
 * Reads the headers of RFC 5424 and RFC 3164, and prints one line per message: who said it, how urgent it is, what it says.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { type Codec, printable, wire } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { formatAddress } from "@hawser/transport";
import { syslog } from "./framing.ts";

const { values: options } = parseArgs({ options: { address: { type: "string", default: "tcp://127.0.0.1:6514" } } });

interface Entry {
  readonly format: "rfc3164" | "rfc5424" | "unknown";
  readonly facility: number;
  readonly severity: (typeof severities)[number];
  readonly host: string;
  readonly tag: string;
  readonly text: string;
}

const severities = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"] as const;

/** `<PRI>1 TIMESTAMP HOST APP PROCID MSGID STRUCTURED-DATA TEXT`, where the data is `-` or elements in brackets (RFC 5424 §6). */
const rfc5424 = /^<(\d{1,3})>1 \S+ (\S+) (\S+) \S+ \S+ (?:-|(?:\[(?:[^"\]]|"(?:[^"\\]|\\.)*")*\])+)(?: (.*))?$/s;
/** `<PRI>Mmm dd hh:mm:ss HOST TAG: TEXT`, where real senders leave out the host (RFC 3164 §4). */
const rfc3164 = /^<(\d{1,3})>\w{3} [ \d]\d \d\d:\d\d:\d\d (?:(\S+) )??([^\s:[]+)(?:\[\d+\])?: ?(.*)$/s;
const utf8 = new TextDecoder();

/** Takes whatever comes: a log that refuses what it can't read is of no use. */
const entries: Codec<Entry, never> = {
  name: "syslog",
  decode(bytes, start, end) {
    const message = utf8.decode(bytes.subarray(start, end)).replace(/[\n\0]+$/, "");
    const modern = rfc5424.exec(message);
    const match = modern ?? rfc3164.exec(message);
    const [, priority = "13", host = "-", tag = "-", text = message] = match ?? [];
    return {
      format: modern !== null ? "rfc5424" : match !== null ? "rfc3164" : "unknown",
      facility: Number(priority) >> 3,
      severity: severities[Number(priority) & 7] ?? "debug",
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
    message({ format, facility, severity, host, tag, text }) {
      console.log(`${format} facility=${facility} severity=${severity} host=${printable(host)} tag=${printable(tag)} ${printable(text)}`);
    },
    error(error) {
      console.error(error.message);
    },
  },
  { maxFrameBytes: 65_536, idleTimeoutMs: Infinity }, // who has nothing to log is silent
);

console.log(`listening on ${formatAddress(await server.listen(options.address))}`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void server.close({ deadlineMs: 1_000 }));
