/**
 * Codecs: one message to and from the bytes of one payload. text(), bytes(), json().
 * Owns what a payload means. Must not know where a frame begins or ends.
 *
 * @module
 */
import { checkNone, checkOptions, describeValue } from "../arguments.ts";
import type { ByteWriter } from "../bytes/writer.ts";
import { HawserError } from "../errors.ts";
import { checkJsonable, jsonText } from "./json-text.ts";
import { JSON_EXPANSION, jsonFootprint } from "./footprint.ts";
import type { ChunkSearch } from "../framing/framing.ts";
import { SMALL_BYTES, smallBytes } from "../bytes/small-bytes.ts";
import { JsonParser, withoutStack } from "../stack.ts";
import { ChunkText, utf8Pieces, utf8Write } from "../bytes/utf8.ts";

/**
 * A value <-> bytes pair, shared by every connection of a wire; what it remembers is only the chunk
 * at hand. `In` is what arrives, `Out` what may be sent.
 */
export interface Codec<In, Out = In> {
  readonly name: string;
  /**
   * Read a message from `bytes[start, end)`. What it returns must not be a view of `bytes`, whose
   * owner overwrites it. Whatever it throws becomes the `cause` of a MESSAGE_INVALID.
   */
  decode(bytes: Uint8Array, start: number, end: number): In;
  /**
   * As `decode`, where nobody writes into the storage of `bytes` any more: what it returns may be a
   * view of it. Absent where that spares nothing. Asked for large messages, which were received
   * where they can stay.
   */
  adopt?(bytes: Uint8Array, start: number, end: number): In;
  /**
   * Append the message's bytes to `output`.
   *
   * @throws {HawserError} PAYLOAD_FORBIDDEN when the message has no such bytes
   * @throws {TypeError} when the message is not of the codec's type
   */
  encode(message: Out, output: ByteWriter): void;
  /**
   * The message's bytes as the well-formed text that they are in UTF-8; throws as `encode` does.
   * Absent where they are not text. Used in place of `encode` where a message is sent.
   */
  text?(message: Out): string;
  /**
   * The message's bytes where they are; throws as `encode` does. They are copied before anything
   * else is encoded, unless the codec is `uncopied`. Absent where `encode` makes them. Used in
   * place of `encode` where a message is sent.
   */
  bytes?(message: Out): Uint8Array;
  /**
   * True if the bytes of a large message are read where `bytes` says they are, until they have
   * left. Default: false.
   */
  readonly uncopied?: boolean;
  /**
   * A chunk is about to be cut into messages, or null: its bytes do not change until the next call,
   * so what is worked out for one message may serve the next. Absent where there is nothing to
   * share. Other bytes may be decoded in between.
   */
  chunk?(bytes: Uint8Array | null): void;
  /**
   * Bytes of memory that one byte of a message becomes at most when it is decoded. Absent: 40, as
   * of JSON.
   */
  readonly expansion?: number;
  /**
   * Estimates the memory that the message in `bytes[start, end)` takes when it is decoded. Absent:
   * `expansion` times its bytes. Asked for when much is held already, for bytes that nobody has
   * looked at.
   */
  footprint?(bytes: Uint8Array, start: number, end: number): number;
  /** Searches the chunk at hand in the text that is made of it. Absent where none is. */
  readonly search?: ChunkSearch;
  /**
   * A decoder for an unframed stream, whose pieces may cut a value anywhere. Absent where the codec
   * needs whole messages.
   */
  pieces?(): PieceDecoder<In>;
}

/**
 * The reason why a caller's value is no codec, as the end of a sentence; null where nothing
 * does.
 */
export function flawOfCodec(value: unknown): string | null {
  if (typeof value === "function") return "is a function; call it, as in codec: text()";
  if (typeof value !== "object" || value === null)
    return `is ${describeValue(value)}; use json(), text(), bytes() or a codec of your own`;
  // looked at before it is believed
  const { name, encode, decode } = value as Partial<Codec<unknown>>;
  const whole =
    typeof name === "string" &&
    name !== "" &&
    typeof encode === "function" &&
    typeof decode === "function";
  return whole ? null : "is not one: it needs a name, encode() and decode()";
}

/** Decodes one unframed stream piece by piece. */
export interface PieceDecoder<In> {
  /** The message that the piece completes, or null while it completes none. */
  decode(bytes: Uint8Array, start: number, end: number): In | null;
  /** The stream is over; throws when it ended inside a value. */
  end(): void;
}

/**
 * Strings as UTF-8, strict: bytes that are not UTF-8 are MESSAGE_INVALID, a lone surrogate is
 * PAYLOAD_FORBIDDEN. A BOM is text.
 *
 * A string that is kept may keep up to 4 KiB of its neighbours' text alive with it.
 *
 * @throws {TypeError} when an argument is given
 */
export function text(...none: readonly []): Codec<string> {
  checkNone("text()", none);
  return new TextCodec();
}

/** Options of {@link bytes}. */
export interface BytesOptions {
  /**
   * True if a message is copied when it is sent (default), so that its array may be overwritten at
   * once. False: the calls of a session read one of more than 64 KiB where it is, as `socket.write`
   * of `node:net` does it, and it must not change before its call has ended. To copy 64 MiB holds a
   * process up for some 50 ms.
   */
  readonly copy?: boolean;
}

/**
 * Bytes as they are. A message that is sent is copied, and may be overwritten at once, unless
 * `copy` is false; one that arrives is the receiver's own.
 *
 * Messages of up to 4 KiB share slabs of 16 KiB, as Node's small Buffers share 64: each has its own
 * bytes, but its `buffer` holds those of others too, also of other connections, and one that is
 * kept keeps its slab alive. (On Bun, one of up to 512 bytes has a `buffer` of its own.) Those from
 * 16 KiB on may be where the connection was read to, with what else it sent, in up to sixteen times
 * their length (1 MiB for one of 64 KiB). Copy what you keep for long, and what you transfer to
 * another thread. A large one of a session may be a part of its own `buffer`.
 *
 * @throws {TypeError} when `copy` is not a boolean, or there is another option
 */
export function bytes(options: BytesOptions = {}): Codec<Uint8Array> {
  checkOptions("bytes()", options, ["copy"]);
  const { copy = true } = options;
  if (typeof copy !== "boolean")
    throw new TypeError("Cannot use bytes() with a copy that is not true or false");
  return copy ? new BytesCodec() : new UncopiedBytesCodec();
}

/**
 * Values as JSON (RFC 8259) in UTF-8.
 *
 * `T` is what the caller says the peer sends: it is not checked here. A value that JSON has no text
 * for (`undefined`, a function, a cycle, a bigint) is refused with PAYLOAD_FORBIDDEN, whose `path`
 * says which member, where that can be told.
 *
 * @throws {TypeError} when the options are not {@link JsonOptions}
 */
export function json<T = unknown>(options: JsonOptions = {}): JsonCodec<T> {
  checkOptions("json()", options, ["strict"]);
  const { strict = false } = options;
  if (typeof strict !== "boolean")
    throw new TypeError(`json() can't use strict ${describeValue(strict)}: it is true or false`);
  return strict ? new StrictJson<T>() : new Json<T>();
}

/** Options of {@link json}. */
export interface JsonOptions {
  /**
   * True to refuse what JSON would carry as something else, with PAYLOAD_FORBIDDEN: a Date, Map,
   * Set, bytes, NaN, Infinity, `undefined` in an array, functions. For development and tests: it
   * takes several times as long as the encoding itself, 1 µs for an object of a few members.
   * Default: false.
   */
  readonly strict?: boolean;
}

/** A codec whose messages are JSON. */
export interface JsonCodec<T = unknown> extends Codec<T> {
  readonly name: "json";
}

class TextCodec implements Codec<string> {
  readonly name = "text";
  readonly expansion = 2;
  readonly #decoder = new ChunkText();
  readonly search: ChunkSearch = this.#decoder;

  chunk(source: Uint8Array | null): void {
    this.#decoder.chunk(source);
  }

  decode(source: Uint8Array, start: number, end: number): string {
    return this.#decoder.decode(source, start, end);
  }

  encode(message: string, output: ByteWriter): void {
    checkString(message);
    if (!utf8Write(message, output)) throw loneSurrogate();
  }

  text(message: string): string {
    checkString(message);
    if (!message.isWellFormed()) throw loneSurrogate();
    return message;
  }

  pieces(): PieceDecoder<string> {
    const decoder = utf8Pieces();
    return {
      decode: (source, start, end) => decoder.decode(source, start, end) || null,
      end: () => {
        decoder.end();
      },
    };
  }
}

/** Reads how many bytes an array really has, whatever members a program gave it. */
const byteLengthOf = Reflect.get(
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), "byteLength") ?? {},
  "get",
) as (this: Uint8Array) => number; // every runtime has it

class BytesCodec implements Codec<Uint8Array> {
  readonly name = "bytes";
  readonly expansion = 1;
  readonly #small = smallBytes();

  chunk(source: Uint8Array | null): void {
    this.#small.chunk(source);
  }

  decode(source: Uint8Array, start: number, end: number): Uint8Array {
    return end - start > SMALL_BYTES
      ? copyBytes(source, start, end)
      : this.#small.copy(source, start, end);
  }

  adopt(source: Uint8Array, start: number, end: number): Uint8Array {
    return new Uint8Array(source.buffer, source.byteOffset + start, end - start);
  }

  encode(message: Uint8Array, output: ByteWriter): void {
    output.append(this.bytes(message));
  }

  bytes(message: Uint8Array): Uint8Array {
    // isView() first: it runs no code of a Proxy's. An array, or its class, may have a `length` of
    // its own. (To ask for the prototype takes 10 ns.)
    if (ArrayBuffer.isView(message) && message instanceof Uint8Array) {
      return byteLengthOf.call(message) === message.length ? message : new Uint8Array(message);
    }
    throw new TypeError(`Cannot send ${describeType(message)} as bytes: it takes a Uint8Array`);
  }

  pieces(): PieceDecoder<Uint8Array> {
    return { decode: copyBytes, end: () => undefined };
  }
}

class UncopiedBytesCodec extends BytesCodec {
  readonly uncopied = true;
}

class Json<T> implements JsonCodec<T> {
  readonly name = "json";
  readonly expansion = JSON_EXPANSION;
  readonly #decoder = new ChunkText();
  readonly #parser = new JsonParser();
  readonly search: ChunkSearch = this.#decoder;

  chunk(source: Uint8Array | null): void {
    this.#decoder.chunk(source);
  }

  decode(source: Uint8Array, start: number, end: number): T {
    // the type is the caller's claim, as json() says
    return parse(this.#parser, this.#decoder.decode(source, start, end)) as T;
  }

  footprint(source: Uint8Array, start: number, end: number): number {
    return jsonFootprint(source, start, end);
  }

  encode(message: T, output: ByteWriter): void {
    utf8Write(this.text(message), output); // JSON.stringify escapes lone surrogates
  }

  text(message: T): string {
    return jsonText(message);
  }
}

class StrictJson<T> extends Json<T> {
  override text(message: T): string {
    checkJsonable(message);
    return jsonText(message);
  }
}

function checkString(message: unknown): void {
  if (typeof message !== "string")
    throw new TypeError(`Cannot send ${describeType(message)} as text: it takes a string`);
}

function loneSurrogate(): HawserError {
  return new HawserError(
    "PAYLOAD_FORBIDDEN",
    "Cannot send a string with a lone surrogate: it has no UTF-8; repair it with toWellFormed()",
  );
}

/** A copy in storage of its own. Not `slice()`: a Buffer's slice is a view. */
function copyBytes(source: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(source.subarray(start, end));
}

/**
 * Parses JSON, with an error that says where but does not quote: the runtimes' own texts hold
 * pieces of the payload.
 */
function parse(parser: JsonParser, encoded: string): unknown {
  let where: string;
  try {
    return parser.parse(encoded);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    where = / at position \d+(?: \(line \d+ column \d+\))?$/.exec(error.message)?.[0] ?? "";
  }
  throw withoutStack(() => new SyntaxError(`The text is not JSON${where}`));
}

function describeType(value: unknown): string {
  return value === null
    ? "null"
    : Array.isArray(value)
      ? "an array"
      : `a value of type ${typeof value}`;
}
