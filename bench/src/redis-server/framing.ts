/**
 * How RESP cuts a stream into commands: one frame per command, whole, as it stands on the wire.
 *
 *     *2 CR LF  $4 CR LF ECHO CR LF  $2 CR LF hi CR LF      a count, and each argument after its length
 *     *-1 CR LF                                             a negative count: no command
 *     PING CR LF                                            inline: a line; its CR may be missing
 *
 * Limits: a command <= maxFrameBytes, refused as soon as its count or a length says more; an inline
 * one <= 64 KiB. Faults are always fatal, and say what Redis says of them.
 */
import {
  defineFraming,
  FrameBuffer,
  type FrameDecoder,
  type FrameLimits,
  type FrameSink,
  type FramingFault,
  malformed,
  tooLarge,
  truncated,
} from "@hawser/protocol";

const [LF, CR, DOLLAR, STAR, MINUS, ZERO] = [0x0a, 0x0d, 0x24, 0x2a, 0x2d, 0x30] as const;
const EIGHT_DIGITS = 99_999_999; // after more than this a number takes no further digit
const MAX_LINE_BYTES = 65_536;
const EMPTY_BYTES = 6; // an empty argument: $0 CR LF CR LF

/** Replies need no framing: the codec writes each of them whole. */
export const resp = defineFraming({
  name: "resp",
  decoder: (limits) => new CommandDecoder(limits),
  encoder: () => ({ headerBytes: 0, seal: () => undefined }),
});

/**
 * Reads in the chunk itself. Only a command that the chunk cuts is kept; its reading goes on at the
 * part that was cut.
 */
class CommandDecoder implements FrameDecoder {
  readonly #limits: FrameLimits;
  readonly #kept = new FrameBuffer();
  // bytes of the kept command that need not be read again: up to its count, or one of its arguments
  #read = 0;
  #need = 0; // bytes of it that must be there before reading can go on
  #left = -1; // arguments of it still to come; -1 before the count
  #offset = 0; // of the command in the stream
  #fault: FramingFault | null = null;

  constructor(limits: FrameLimits) {
    this.#limits = limits;
  }

  get partial(): boolean {
    return this.#kept.length > 0;
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    const kept = this.#kept;
    for (let at = 0; at < chunk.length && this.#fault === null;) {
      const fresh = kept.length === 0;
      if (!fresh)
        kept.append(chunk, at, (at = Math.min(chunk.length, at + this.#need - kept.length)));
      const bytes = fresh ? chunk : kept.bytes;
      const start = fresh ? at : 0;
      const end = this.#scan(bytes, start, fresh ? chunk.length : kept.length);
      if (fresh) at = end === -1 ? chunk.length : end;
      if (end !== -1) {
        if (!fresh) kept.clear();
        this.#offset += end - start;
        sink.frame(bytes, start, end);
      } else if (!this.#failed(sink) && fresh) {
        kept.append(chunk, start, chunk.length);
      }
    }
  }

  end(sink: FrameSink): void {
    const cut = truncated(
      this.#offset + this.#kept.length,
      this.#kept.length,
      "the rest of a command",
    );
    if (this.partial) sink.fault(cut);
    this.#fault ??= cut; // from here on it ignores what it is given
    this.#kept.clear();
  }

  /**
   * Read on in the command that begins at `start`; returns where it ends, or -1 when `end` cuts it
   * or it is wrong.
   */
  #scan(bytes: Uint8Array, start: number, end: number): number {
    if (bytes[start] !== STAR) return this.#scanLine(bytes, start, end);
    let at = start + this.#read;
    let left = this.#left;
    this.#read = 0;
    this.#left = -1;
    while (left !== 0) {
      if (left !== -1 && at < end && bytes[at] !== DOLLAR)
        return this.#refuse(start, at, `expected '$', got '${printable(bytes[at])}'`);
      const invalid = left === -1 ? "invalid multibulk length" : "invalid bulk length";
      const sign = left === -1 && bytes[at + 1] === MINUS && at + 1 < end ? 1 : 0;
      const first = at + 1 + sign;
      let number = 0;
      let digit = first;
      for (; digit < end; digit++) {
        const value = (bytes[digit] as number) ^ ZERO; // digit < end
        if (value > 9 || number > EIGHT_DIGITS || (number === 0 && digit > first)) break;
        number = number * 10 + value;
      }
      if (digit === first && digit < end) return this.#refuse(start, digit, invalid);
      if (digit + 1 >= end || bytes[digit] !== CR || bytes[digit + 1] !== LF)
        return this.#stop(bytes, start, at, digit, end, left, invalid);
      if (sign === 1 && number === 0) return this.#refuse(start, first, invalid);
      const rest = left === -1 ? number * EMPTY_BYTES : number + 2 + (left - 1) * EMPTY_BYTES;
      const size = digit + 2 - start + (sign === 1 ? 0 : rest);
      if (size > this.#limits.maxFrameBytes) return this.#tooLarge(start, first, size, invalid);
      if (sign === 1) return digit + 2;
      if (left === -1) {
        left = number;
        at = digit + 2;
      } else {
        const cr = digit + 2 + number;
        if (cr + 1 >= end || bytes[cr] !== CR || bytes[cr + 1] !== LF)
          return this.#stop(bytes, start, at, cr, end, left, "no CR LF behind an argument");
        left--;
        at = cr + 2;
      }
    }
    return at;
  }

  #scanLine(bytes: Uint8Array, start: number, end: number): number {
    let at = start + this.#read;
    this.#read = 0;
    while (at < end && bytes[at] !== LF) at++;
    const most = Math.min(this.#limits.maxFrameBytes, MAX_LINE_BYTES);
    if (Math.min(at + 1, end) - start > most)
      return this.#tooLarge(start, start + most, most + 1, "too big inline request");
    return at < end ? at + 1 : this.#wait(at - start, at + 1 - start, -1);
  }

  /**
   * CR LF does not stand at `cr`. If it has not come yet, reading goes on at `from` when it has.
   */
  #stop(
    bytes: Uint8Array,
    start: number,
    from: number,
    cr: number,
    end: number,
    left: number,
    detail: string,
  ): -1 {
    if (cr < end && bytes[cr] !== CR) return this.#refuse(start, cr, detail);
    if (cr + 1 < end) return this.#refuse(start, cr + 1, detail);
    return this.#wait(from - start, Math.max(cr, end) + 1 - start, left);
  }

  #failed(sink: FrameSink): boolean {
    if (this.#fault === null) return false;
    this.#kept.clear();
    sink.fault(this.#fault);
    return true;
  }

  #wait(read: number, need: number, left: number): -1 {
    this.#read = read;
    this.#need = need;
    this.#left = left;
    return -1;
  }

  #tooLarge(start: number, at: number, size: number, detail: string): -1 {
    const { maxFrameBytes } = this.#limits;
    const limit = Math.min(maxFrameBytes, size - 1); // of a line it may be less
    this.#fault = {
      ...tooLarge(this.#offset + at - start, size, { maxFrameBytes: limit }, true),
      detail,
    };
    return -1;
  }

  #refuse(start: number, at: number, detail: string): -1 {
    this.#fault = malformed(this.#offset + at - start, detail);
    return -1;
  }
}

function printable(byte: number | undefined): string {
  return byte !== undefined && byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "?";
}
