/**
 * libraryCodec(): a codec of somebody's library, such as MessagePack or CBOR, which the user
 * installs and passes. Owns what stands between a library and the bytes of a payload. Must not know
 * any library.
 *
 * @module
 */
import { describeValue } from "../arguments.ts";
import type { ByteWriter } from "../bytes/writer.ts";
import type { Codec } from "./codec.ts";
import { dropPromise } from "../caught.ts";
import { HawserError, readHawserError } from "../errors.ts";
import { BINARY_EXPANSION, cborFootprint, msgpackFootprint } from "./footprint.ts";

/** A library's pair of functions, both synchronous. */
export interface CodecLibrary {
  /** Its bytes may be storage that the library uses again: they are copied at once. */
  encode(value: unknown): Uint8Array;
  /**
   * Reads exactly one value, and throws where there is less or more. The bytes are its own: it may
   * keep them, and return views of them.
   */
  decode(bytes: Uint8Array): unknown;
  /**
   * Bytes of memory that one encoded byte becomes at most: a session holds so much less at once.
   * Default: 80, since formats like these have a map in one byte; of `"msgpack"` and `"cbor"` the
   * bytes are looked through instead, when much is held.
   */
  readonly expansion?: number | undefined;
}

/**
 * Values in the format of a library.
 *
 * `name` is what both ends tell each other in the handshake: `"msgpack"` and `"cbor"` are the usual
 * ones. `T` is what the caller says the peer sends: it is not checked here, and a schema that wants
 * a `Date` or a `Map` must get one from the library on both ends.
 *
 * What the library throws while it encodes is the cause of a PAYLOAD_FORBIDDEN, while it decodes
 * that of a MESSAGE_INVALID.
 *
 * @throws {TypeError} when the name is empty or that of another codec, or the library has not both
 *   functions
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { ByteWriter, libraryCodec } from "@hawser/protocol";
 *
 * // With a real one: import * as msgpack from "@msgpack/msgpack",
 * // and libraryCodec("msgpack", msgpack).
 * const base64 = libraryCodec("base64-json", {
 *   encode: (value) => Buffer.from(Buffer.from(JSON.stringify(value)).toString("base64")),
 *   decode: (bytes) => JSON.parse(Buffer.from(Buffer.from(bytes).toString(), "base64").toString()),
 * });
 * const output = new ByteWriter();
 * base64.encode({ id: 7 }, output);
 * assert.deepEqual(base64.decode(output.bytes, 0, output.length), { id: 7 });
 * ```
 */
export function libraryCodec<T = unknown>(name: string, library: CodecLibrary): Codec<T> {
  if (typeof name !== "string" || name === "")
    throw new TypeError(
      'Cannot use a library\'s codec without a name: both ends compare it; use "msgpack", ' +
        '"cbor" or one of your own',
    );
  if (OWN.includes(name))
    throw new TypeError(
      `Cannot use ${JSON.stringify(name)} as the name of a library's codec: it is Hawser's ` +
        "own; choose another",
    );
  const given: unknown = library;
  if ((typeof given !== "object" && typeof given !== "function") || given === null) {
    throw new TypeError(
      `Cannot use ${describeValue(given)} as the codec ${JSON.stringify(name)}: give the ` +
        "library's object, with encode(value) and decode(bytes)",
    );
  }
  if (typeof library.encode !== "function" || typeof library.decode !== "function") {
    throw new TypeError(
      `Cannot use this library as the codec ${JSON.stringify(name)}: it needs the functions ` +
        "encode(value) and decode(bytes)",
    );
  }
  return new LibraryCodec<T>(name, library);
}

const OWN: readonly string[] = ["bytes", "json", "text"];

class LibraryCodec<T> implements Codec<T> {
  readonly name: string;
  readonly expansion: number;
  readonly footprint?: (bytes: Uint8Array, start: number, end: number) => number;
  readonly #library: CodecLibrary;

  constructor(name: string, library: CodecLibrary) {
    this.name = name;
    this.#library = library;
    this.expansion = library.expansion ?? BINARY_EXPANSION;
    if (library.expansion !== undefined) return;
    if (name === "msgpack") this.footprint = msgpackFootprint;
    else if (name === "cbor") this.footprint = cborFootprint;
  }

  decode(source: Uint8Array, start: number, end: number): T {
    // A copy, not a view: libraries return views of what they read, and the source's owner
    // overwrites it. Not `slice()`: a Buffer's is a view.
    return this.adopt(new Uint8Array(source.subarray(start, end)), 0, end - start);
  }

  adopt(source: Uint8Array, start: number, end: number): T {
    const value = this.#library.decode(
      new Uint8Array(source.buffer, source.byteOffset + start, end - start),
    );
    if (typeof value === "object" && dropPromise(value))
      throw new TypeError(
        `Cannot use the codec ${JSON.stringify(this.name)}: its decode() returned a promise; ` +
          "it must be synchronous",
      );
    return value as T; // the type is the caller's claim, as libraryCodec() says
  }

  encode(message: T, output: ByteWriter): void {
    output.append(this.bytes(message));
  }

  bytes(message: T): Uint8Array {
    let encoded: unknown;
    try {
      encoded = this.#library.encode(message);
    } catch (cause) {
      const own = readHawserError(cause);
      if (own !== null) throw own;
      throw new HawserError(
        "PAYLOAD_FORBIDDEN",
        `Cannot send a value as ${this.name}: the codec's library refuses it`,
        { cause },
      );
    }
    if (!(encoded instanceof Uint8Array)) {
      throw new TypeError(
        `Cannot use the codec ${JSON.stringify(this.name)}: its encode() returned ` +
          `${dropPromise(encoded) ? "a promise" : "something else"} where a Uint8Array is wanted`,
      );
    }
    return encoded;
  }
}
