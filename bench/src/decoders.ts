/**
 * The decoders that bench:framings compares: which bytes each reads, and how it is run over them.
 * Each counts the messages that it hands over; the peers as their documentation shows them.
 */
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import {
  bytes,
  contentLength,
  type Framing,
  json,
  lengthPrefixed,
  lines,
  text,
  varintPrefixed,
  wire,
  type Wire,
} from "@hawser/protocol";
import { resolveFrameLimits, WireDecoder } from "@hawser/protocol/engine";
import binarySplit from "binary-split";
import { decode as lengthPrefixedStream } from "length-prefixed-stream";
import split2 from "split2";
import { StreamMessageReader } from "vscode-jsonrpc/node";

/** Bytes on the wire, by the way in which they are framed. */
export type Form = "content-length" | "lines" | "u32be" | "varint";

export interface Decoder {
  readonly name: string;
  readonly form: Form;
  /** What it is compared within. */
  readonly group: "content-length, JSON" | "length-prefixed" | "lines";
  /** What comes out for a message. */
  readonly gives: "bytes" | "range" | "string" | "value";
  /** Decode a whole stream; returns how many messages came out. Null for the C program. */
  readonly run: ((chunks: readonly Buffer[]) => Promise<number> | number) | null;
}

const prefixed = "length-prefixed";

export const decoders: readonly Decoder[] = [
  {
    name: "hawser lengthPrefixed",
    form: "u32be",
    group: prefixed,
    gives: "range",
    run: framing(lengthPrefixed()),
  },
  {
    name: "hawser lengthPrefixed, bytes",
    form: "u32be",
    group: prefixed,
    gives: "bytes",
    run: wired(wire({ framing: lengthPrefixed(), codec: bytes() })),
  },
  {
    name: "hawser varintPrefixed",
    form: "varint",
    group: prefixed,
    gives: "range",
    run: framing(varintPrefixed()),
  },
  {
    name: "length-prefixed-stream",
    form: "varint",
    group: prefixed,
    gives: "bytes",
    run: (chunks) => drain(fed(chunks).pipe(lengthPrefixedStream())),
  },
  { name: "C walk", form: "u32be", group: prefixed, gives: "range", run: null },
  { name: "hawser lines", form: "lines", group: "lines", gives: "range", run: framing(lines()) },
  {
    name: "hawser lines, text",
    form: "lines",
    group: "lines",
    gives: "string",
    run: wired(wire({ framing: lines(), codec: text() })),
  },
  {
    name: "split2",
    form: "lines",
    group: "lines",
    gives: "string",
    run: (chunks) => drain(fed(chunks).pipe(split2())),
  },
  { name: "readline", form: "lines", group: "lines", gives: "string", run: readline },
  {
    name: "binary-split",
    form: "lines",
    group: "lines",
    gives: "bytes",
    run: (chunks) => drain(fed(chunks).pipe(binarySplit("\n"))),
  },
  { name: "C memchr", form: "lines", group: "lines", gives: "range", run: null },
  {
    name: "hawser contentLength",
    form: "content-length",
    group: "content-length, JSON",
    gives: "range",
    run: framing(contentLength()),
  },
  {
    name: "hawser contentLength, json",
    form: "content-length",
    group: "content-length, JSON",
    gives: "value",
    run: wired(wire({ framing: contentLength(), codec: json() })),
  },
  {
    name: "vscode-jsonrpc reader",
    form: "content-length",
    group: "content-length, JSON",
    gives: "value",
    run: jsonRpcReader,
  },
];

/** One frame of `form` whose payload has `bytes` bytes. */
export function frameOf(form: Form, bytes: number): Buffer {
  const payload = Buffer.alloc(bytes, "a");
  switch (form) {
    case "lines":
      return Buffer.concat([payload, Buffer.from("\n")]);
    case "u32be": {
      const header = Buffer.alloc(4);
      header.writeUInt32BE(bytes);
      return Buffer.concat([header, payload]);
    }
    case "varint": {
      const header: number[] = [];
      for (let rest = bytes; ; rest >>>= 7) {
        header.push(rest < 128 ? rest : 128 | (rest & 127));
        if (rest < 128) break;
      }
      return Buffer.concat([Buffer.from(header), payload]);
    }
    case "content-length": {
      const shell = '{"jsonrpc":"2.0"}'; // the reader of vscode-jsonrpc gives any object
      const body =
        bytes < shell.length + 7
          ? shell.padEnd(bytes)
          : `${shell.slice(0, -1)},"p":"${"a".repeat(bytes - shell.length - 7)}"}`;
      return Buffer.from(`Content-Length: ${body.length}\r\n\r\n${body}`);
    }
  }
}

function framing(framed: Framing): (chunks: readonly Buffer[]) => number {
  let frames = 0;
  let total = 0;
  const sink = {
    frame(_: Uint8Array, start: number, end: number): void {
      frames++;
      // a small integer for ever: the sum is not what is measured
      total = (total + end - start) & 0x3fff_ffff;
    },
    fault(fault: { detail: string }): void {
      throw new Error(fault.detail);
    },
  };
  return (chunks) => {
    frames = 0;
    const decoder = framed.decoder(resolveFrameLimits({}));
    for (const chunk of chunks) decoder.push(chunk, sink);
    decoder.end(sink);
    return total > 0 ? frames : 0;
  };
}

function wired<T>(messages: Wire<T>): (chunks: readonly Buffer[]) => number {
  let count = 0;
  const sink = {
    message(): void {
      count++;
    },
    finished(): void {
      // The stream's end.
    },
    fault(error: Error): void {
      throw error;
    },
  };
  return (chunks) => {
    count = 0;
    const decoder = new WireDecoder<T>(messages, {}, sink);
    for (const chunk of chunks) decoder.push(chunk);
    decoder.end();
    return count;
  };
}

function fed(chunks: readonly Buffer[]): Readable {
  let at = 0;
  return new Readable({
    highWaterMark: 1 << 20,
    read() {
      this.push(chunks[at++] ?? null);
    },
  });
}

function drain(stream: NodeJS.ReadableStream): Promise<number> {
  return new Promise((resolve, reject) => {
    let count = 0;
    stream.on("data", () => {
      count++;
    });
    stream.on("error", reject);
    stream.on("end", () => {
      resolve(count);
    });
  });
}

function readline(chunks: readonly Buffer[]): Promise<number> {
  return new Promise((resolve) => {
    let count = 0;
    const lineReader = createInterface({ input: fed(chunks), crlfDelay: Infinity });
    lineReader.on("line", () => {
      count++;
    });
    lineReader.on("close", () => {
      resolve(count);
    });
  });
}

/** Its messages come some turns after their bytes. */
async function jsonRpcReader(chunks: readonly Buffer[]): Promise<number> {
  let count = 0;
  const source = fed(chunks);
  const reader = new StreamMessageReader(source);
  const closed = new Promise<void>((resolve) => reader.onClose(resolve));
  reader.listen(() => {
    count++;
  });
  await closed;
  for (let before = -1; before !== count;) {
    before = count;
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
  reader.dispose();
  return count;
}
