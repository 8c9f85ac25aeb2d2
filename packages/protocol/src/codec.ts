/**
 * Codecs: one message to and from the bytes of one payload. text(), bytes(), json().
 * Owns what a payload means. Must not know where a frame begins or ends.
 *
 * @module
 */
import type { ByteWriter } from "./bytes.ts";
import { HawserError } from "./errors.ts";
import { utf8Decode, utf8Pieces, utf8Write } from "./utf8.ts";

/** A value <-> bytes pair; without state, shared by every connection. `In` is what arrives, `Out` what may be sent. */
export interface Codec<In, Out = In> {
  readonly name: string;
  /**
   * Read a message from `bytes[start, end)`. What it returns must not be a view of `bytes`, whose owner overwrites it.
   * Whatever it throws becomes the `cause` of a MESSAGE_INVALID.
   */
  decode(bytes: Uint8Array, start: number, end: number): In;
  /**
   * Append the message's bytes to `output`.
   *
   * @throws {HawserError} PAYLOAD_FORBIDDEN when the message has no such bytes
   * @throws {TypeError} when the message is not of the codec's type
   */
  encode(message: Out, output: ByteWriter): void;
  /** A decoder for an unframed stream, whose pieces may cut a value anywhere. Absent where the codec needs whole messages. */
  pieces?(): PieceDecoder<In>;
}

/** Decodes one unframed stream piece by piece. */
export interface PieceDecoder<In> {
  /** What the piece completes, or null while that is nothing yet. */
  decode(bytes: Uint8Array, start: number, end: number): In | null;
  /** The stream is over; throws when it ended inside a value. */
  end(): void;
}

/** Strings as UTF-8, strict: bytes that are not UTF-8 are MESSAGE_INVALID, a lone surrogate is PAYLOAD_FORBIDDEN. A BOM is text. */
export function text(): Codec<string> {
  return textCodec;
}

/** Bytes as they are. A message that arrives is the receiver's own copy; one that is sent is copied, and may be overwritten at once. */
export function bytes(): Codec<Uint8Array> {
  return bytesCodec;
}

/**
 * Values as JSON (RFC 8259) in UTF-8.
 *
 * `T` is what the caller says the peer sends: it is not checked here. A value that JSON has no text for (`undefined`, a
 * function, a cycle, a bigint) is refused with PAYLOAD_FORBIDDEN.
 */
export function json<T = unknown>(): Codec<T> {
  return jsonCodec as Codec<T>; // the type is the caller's claim, as documented
}

const textCodec: Codec<string> = Object.freeze({
  name: "text",
  decode: utf8Decode,
  encode(message: string, output: ByteWriter): void {
    if (typeof message !== "string") throw new TypeError(`Cannot send ${describeType(message)} as text: it takes a string`);
    if (!utf8Write(message, output)) {
      throw new HawserError("PAYLOAD_FORBIDDEN", "Cannot send a string with a lone surrogate: it has no UTF-8; repair it with toWellFormed()");
    }
  },
  pieces(): PieceDecoder<string> {
    const decoder = utf8Pieces();
    return {
      decode: (source, start, end) => decoder.decode(source, start, end) || null,
      end: () => {
        decoder.end();
      },
    };
  },
});

const bytesCodec: Codec<Uint8Array> = Object.freeze({
  name: "bytes",
  decode: copyBytes,
  encode(message: Uint8Array, output: ByteWriter): void {
    if (!(message instanceof Uint8Array)) throw new TypeError(`Cannot send ${describeType(message)} as bytes: it takes a Uint8Array`);
    output.append(message);
  },
  pieces: (): PieceDecoder<Uint8Array> => ({ decode: copyBytes, end: () => undefined }),
});

const jsonCodec: Codec<unknown> = Object.freeze({
  name: "json",
  decode: (source: Uint8Array, start: number, end: number): unknown => parse(utf8Decode(source, start, end)),
  encode(message: unknown, output: ByteWriter): void {
    const [encoded, cause] = stringify(message);
    if (encoded === undefined || !utf8Write(encoded, output)) {
      throw new HawserError("PAYLOAD_FORBIDDEN", `Cannot send ${describeType(message)} as JSON: JSON has no text for it`, { cause });
    }
  },
});

/** A copy in storage of its own. Not `slice()`: a Buffer's slice is a view. */
function copyBytes(source: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(source.subarray(start, end));
}

/** JSON.parse, with an error that says where but does not quote: the runtimes' own texts hold pieces of the payload. */
function parse(encoded: string): unknown {
  let where: string;
  try {
    return JSON.parse(encoded) as unknown;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    where = / at position \d+(?: \(line \d+ column \d+\))?$/.exec(error.message)?.[0] ?? "";
  }
  throw new SyntaxError(`The text is not JSON${where}`);
}

function stringify(message: unknown): [encoded: string | undefined, cause: unknown] {
  try {
    return [JSON.stringify(message) as string | undefined, undefined]; // undefined for what JSON leaves out, whatever its type says
  } catch (cause) {
    return [undefined, cause];
  }
}

function describeType(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "an array" : `a value of type ${typeof value}`;
}
