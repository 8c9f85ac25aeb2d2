/**
 * An HL7 listener that acknowledges every message: `node examples/mllp/main.ts --address
 * tcp://127.0.0.1:2575`
 *
 *     MSH|^~\&|SENDER|ITS FACILITY|RECEIVER|ITS FACILITY|time||ADT^A01|control id|P|2.5
 *
 * The answer turns sender and receiver around and names the control id: AA when the message was
 * taken, AR when it is no HL7.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { type Codec, mllp, printable, wire } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { formatAddress } from "@hawser/transport";

const { values: options } = parseArgs({
  options: { address: { type: "string", default: "tcp://127.0.0.1:2575" } },
});

/**
 * One character per byte: HL7's structure is ASCII, and what is repeated in the answer keeps the
 * encoding that it came in (MSH-18).
 */
const latin1: Codec<string> = {
  name: "latin1",
  decode: (bytes, start, end) =>
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1", start, end),
  encode: (message, output) => {
    output.append(Buffer.from(message, "latin1"));
  },
};

/** The answer to a message, and what to print about it. */
function acknowledge(
  message: string,
  at: Date,
): { readonly answer: string; readonly note: string } {
  const [header = ""] = message.split("\r", 1);
  const isHl7 = /^MSH[^\w\s]/.test(header);
  const separator = isHl7 ? header.charAt(3) : "|";
  // MSH-1 is the separator itself, so that field n stands at index n - 1.
  const fields = isHl7 ? header.split(separator) : [];
  const field = (number: number): string => fields[number - 1] ?? "";
  const code = isHl7 && field(10) !== "" ? "AA" : "AR";
  const trigger = field(9).split(field(2).charAt(0) || "^")[1];
  const time = at.toISOString().replace(/\D/g, "").slice(0, 14);
  const join = (...parts: readonly string[]): string => parts.join(separator);
  const type = trigger === undefined ? "ACK" : `ACK^${trigger}^ACK`;
  const head = join(
    "MSH",
    field(2) || "^~\\&",
    field(5),
    field(6),
    field(3),
    field(4),
    time,
    "",
    type,
    `${field(10)}A`,
    field(11) || "P",
    field(12) || "2.5",
  );
  const result = join(
    "MSA",
    code,
    field(10),
    ...(code === "AA" ? [] : ["The message has no MSH segment with a control id"]),
  );
  return {
    answer: `${head}\r${result}\r`,
    note:
      `${code} type=${JSON.stringify(field(9))} id=${JSON.stringify(field(10))} ` +
      `bytes=${message.length}`,
  };
}

const server = createServer(
  // CR and LF between two blocks are what some senders put there.
  wire({ framing: mllp({ skipBetween: "crlf" }), codec: latin1 }),
  {
    message(message, socket) {
      const { answer, note } = acknowledge(message, new Date());
      console.log(printable(`${socket.remote} ${note}`));
      return socket.send(answer) ? undefined : socket.writable();
    },
    error(error) {
      console.error(error.message);
    },
  },
  { idleTimeoutMs: Infinity }, // a ward may be quiet all night
);

console.log(`listening on ${formatAddress(await server.listen(options.address))}`);
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void server.close({ deadlineMs: 1_000 }));
