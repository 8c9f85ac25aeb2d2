/**
 * Requests and replies as bytes. Arguments stay as they stand on the wire, length and all
 * ("$5\r\nhello\r\n"): so a value that was set is the reply to GET, and nothing is taken apart or
 * put together twice. Must not know which commands there are.
 */
import type { ByteWriter, Codec } from "@hawser/protocol";
import { splitWords } from "./inline.ts";
import type { Range } from "./store.ts";

const [CR, STAR, MINUS, ZERO] = [0x0d, 0x2a, 0x2d, 0x30] as const;
const NOTHING = Buffer.alloc(0);
/** Bytes below which copying one by one is quicker than a call that leaves JavaScript. */
const FEW = 32;

/**
 * A command with its arguments. It is good until the next one is decoded: whoever keeps a part of
 * it copies it.
 */
export interface Request<Command> {
  readonly command: Command;
  /** How many arguments there are. */
  readonly count: number;
  /** The first argument and the second; they mean nothing where there are fewer. */
  readonly key: Range;
  readonly value: Range;
  /** The arguments after those. */
  readonly more: readonly Range[];
}

/** What the name at `name[start, end)` means. */
export type Find<Command> = (name: Buffer, start: number, end: number) => Command;

/**
 * Requests come in, or null for an empty line and an array of nothing; replies go out as they are.
 */
export function requests<Command>(find: Find<Command>): Codec<Request<Command> | null, Range> {
  return new RequestCodec(find);
}

class RequestCodec<Command> implements Codec<Request<Command> | null, Range> {
  readonly name = "requests";
  readonly #find: Find<Command>;
  /** There is one request at a time, so it is always the same: none is made for each command. */
  readonly #request: {
    command: Command;
    count: number;
    readonly key: Bulk;
    readonly value: Bulk;
    more: readonly Range[];
  };
  #chunk: Uint8Array | null = null;
  /**
   * A copy of the chunk, at the same places, from the first request in it on; or of a request that
   * chunks have cut.
   */
  #copy = NOTHING;
  #copied: Uint8Array | null = null;

  constructor(find: Find<Command>) {
    this.#find = find;
    this.#request = {
      command: find(NOTHING, 0, 0),
      count: 0,
      key: new Bulk(),
      value: new Bulk(),
      more: [],
    };
  }

  chunk(source: Uint8Array | null): void {
    this.#chunk = source;
    this.#copied = null;
  }

  decode(source: Uint8Array, start: number, end: number): Request<Command> | null {
    if (source[start] !== STAR) return this.#readLine(source, start, end);
    if (source !== this.#copied) this.#take(source, start, end);
    return this.#read(this.#copy, start);
  }

  encode({ bytes, start, end }: Range, output: ByteWriter): void {
    if (end - start < FEW) {
      output.append(bytes, start, end);
    } else {
      const at = output.skip(end - start);
      bytes.copy(output.bytes, at, start, end);
    }
  }

  /** One copy for all the requests of a chunk. */
  #take(source: Uint8Array, start: number, end: number): void {
    const isChunk = source === this.#chunk;
    const to = isChunk ? source.length : end;
    if (to > this.#copy.length) this.#copy = Buffer.allocUnsafeSlow(to);
    this.#copy.set(source.subarray(start, to), start);
    this.#copied = isChunk ? source : null;
  }

  /**
   * The framing has verified it: digits up to each CR, and as many bytes as they say. A negative
   * count is that of no command.
   */
  #read(bytes: Buffer, start: number): Request<Command> | null {
    const request = this.#request;
    if (bytes[start + 1] === MINUS) return null;
    let count = (bytes[start + 1] as number) - ZERO; // in range, as all that follows
    let at = start + 2;
    for (; bytes[at] !== CR; at++) count = count * 10 + (bytes[at] as number) - ZERO;
    if (count === 0) return null;
    let length = (bytes[at + 3] as number) - ZERO;
    for (at += 4; bytes[at] !== CR; at++) length = length * 10 + (bytes[at] as number) - ZERO;
    at += 2 + length;
    request.command = this.#find(bytes, at - length, at);
    request.count = count - 1;
    at += 2;
    if (count > 1) at = request.key.set(bytes, at);
    if (count > 2) at = request.value.set(bytes, at);
    if (count > 3 || request.more.length > 0) request.more = readMore(bytes, at, count - 3);
    return request;
  }

  #readLine(source: Uint8Array, start: number, end: number): Request<Command> | null {
    const words = splitWords(Buffer.from(source.subarray(start, end)).toString("latin1"));
    return this.#read(
      Buffer.from(`*${words.length}\r\n${words.map(bulkText).join("")}`, "latin1"),
      0,
    );
  }
}

/** A bulk string where it stands. */
class Bulk implements Range {
  bytes: Buffer = NOTHING;
  start = 0;
  end = 0;

  /** Be the one that begins at `at`; returns where it ends. */
  set(bytes: Buffer, at: number): number {
    this.bytes = bytes;
    this.start = at;
    let length = (bytes[at + 1] as number) - ZERO; // in range, as in #read
    for (at += 2; bytes[at] !== CR; at++) length = length * 10 + (bytes[at] as number) - ZERO;
    return (this.end = at + 4 + length);
  }
}

function readMore(bytes: Buffer, start: number, count: number): readonly Range[] {
  let at = start;
  return Array.from({ length: Math.max(0, count) }, () => {
    const bulk = new Bulk();
    at = bulk.set(bytes, at);
    return bulk;
  });
}

/** Up to four letters as one number, the same for capitals and small ones. */
export function lettersOf(bytes: Buffer, start: number, end: number): number {
  let letters = 0;
  // in range; 0x20 makes A to a
  for (let at = start; at < end; at++) letters = (letters << 8) | (bytes[at] as number) | 0x20;
  return letters;
}

/** Text of one byte per character. */
export function range(text: string): Range {
  return { bytes: Buffer.from(text, "latin1"), start: 0, end: text.length };
}

/** The text of a bulk string that holds `text`. */
export function bulkText(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

/** The text that a bulk string holds. */
export function textOf({ bytes, start, end }: Range): string {
  const whole = bytes.toString("latin1", start, end);
  return whole.slice(whole.indexOf("\n") + 1, -2);
}
