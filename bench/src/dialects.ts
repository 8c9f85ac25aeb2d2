/**
 * Dialects: the bytes that a client of each system sends for one message, and those that come back.
 * Owns every wire format that is spoken to a server here; written by hand, so that no system is
 * asked what it says itself.
 */

/** How one system's clients talk. */
export interface Dialect {
  /** What comes before the first message; the load generators know how. */
  readonly handshake: "none" | "socketio" | "ws";
  readonly request: (payload: Buffer) => Buffer;
  readonly reply: (payload: Buffer) => Buffer;
  /** Whether the payload must be the text of a JSON object. */
  readonly json?: true;
}

export type DialectName =
  "grpc" | "jsonrpc" | "lines" | "lines-json" | "resp" | "socketio" | "u32be" | "ws" | "ws-json";

const binary = 0x2;
const textual = 0x1;

export const dialects: Readonly<Record<DialectName, Dialect>> = {
  u32be: same(lengthPrefixed),
  lines: same(line),
  "lines-json": { ...same(line), json: true },
  ws: {
    handshake: "ws",
    request: (payload) => masked(binary, payload),
    reply: (payload) => unmasked(binary, payload),
  },
  "ws-json": {
    handshake: "ws",
    request: (payload) => masked(textual, payload),
    reply: (payload) => unmasked(textual, payload),
    json: true,
  },
  socketio: {
    handshake: "socketio",
    request: (payload) => masked(textual, socketioEvent(payload)),
    reply: (payload) => unmasked(textual, socketioEvent(payload)),
  },
  jsonrpc: {
    handshake: "none",
    request: (payload) =>
      contentLength(
        `{"jsonrpc":"2.0","id":1,"method":"echo","params":["${payload.toString("latin1")}"]}`,
      ),
    reply: (payload) =>
      contentLength(`{"jsonrpc":"2.0","id":1,"result":"${payload.toString("latin1")}"}`),
  },
  // Only grpc-load.ts speaks it: it takes the payload's length from here.
  grpc: same((payload) => payload),
  // Only redis-benchmark speaks it, which is told the payload's length.
  resp: same((payload) => payload),
};

/**
 * A payload of `size` bytes of ASCII without line endings, quotes or backslashes; the text of a
 * JSON object where that is wanted.
 */
export function payloadOf(size: number, isJson = false): Buffer {
  const letters = (count: number): string =>
    "abcdefghijklmnopqrstuvwxyz0123456789".repeat(Math.ceil(count / 36)).slice(0, count);
  if (!isJson) return Buffer.from(letters(size));
  const empty = JSON.stringify({ id: 1234, name: "", tags: ["a", "b"], ok: true });
  return Buffer.from(
    JSON.stringify({ id: 1234, name: letters(size - empty.length), tags: ["a", "b"], ok: true }),
  );
}

function same(frame: (payload: Buffer) => Buffer): Dialect {
  return { handshake: "none", request: frame, reply: frame };
}

function lengthPrefixed(payload: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(payload.length);
  return Buffer.concat([header, payload]);
}

function line(payload: Buffer): Buffer {
  return Buffer.concat([payload, Buffer.from("\n")]);
}

function socketioEvent(payload: Buffer): Buffer {
  return Buffer.from(`42["m","${payload.toString("latin1")}"]`);
}

function contentLength(body: string): Buffer {
  return Buffer.from(`Content-Length: ${body.length}\r\n\r\n${body}`);
}

/** RFC 6455 §5.2, server to client. */
function unmasked(opcode: number, payload: Buffer): Buffer {
  return Buffer.concat([webSocketHeader(opcode, payload.length, 0), payload]);
}

/**
 * RFC 6455 §5.3, client to server: always the same mask, which costs the server as much as another.
 */
function masked(opcode: number, payload: Buffer): Buffer {
  const mask = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
  const hidden = Buffer.from(payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
  return Buffer.concat([webSocketHeader(opcode, payload.length, 0x80), mask, hidden]);
}

function webSocketHeader(opcode: number, length: number, maskBit: number): Buffer {
  if (length < 126) return Buffer.from([0x80 | opcode, maskBit | length]);
  const header = Buffer.alloc(length < 65_536 ? 4 : 10);
  header[0] = 0x80 | opcode;
  if (length < 65_536) {
    header[1] = maskBit | 126;
    header.writeUInt16BE(length, 2);
  } else {
    header[1] = maskBit | 127;
    header.writeBigUInt64BE(BigInt(length), 2);
  }
  return header;
}
