/**
 * A transcript: everything that a decoder reported for one stream, in order, copied as it was
 * delivered. Owns how a decoder is run under hostile conditions: chunks between guard bytes, in a
 * buffer that is overwritten behind it.
 *
 * @module
 */
import type { FrameDecoder, FrameSink, Framing, FramingFault } from "../framing/framing.ts";
import type { FrameLimits } from "../limits.ts";
import type { Cut } from "./cuts.ts";

/** A frame (a copy of its payload), or a fault. */
export type Entry = Uint8Array | FramingFault;

/** What a decoder reported. */
export interface Transcript {
  readonly entries: readonly Entry[];
  /** Number of the entries that came before the end of the stream. */
  readonly beforeEnd: number;
  /** `partial` when the stream was over, before the decoder was told so. */
  readonly partial: boolean | undefined;
}

/** Bytes before and after each chunk: those that most framings take for structure. */
const GUARD = Uint8Array.of(0x0a, 0xc0, 0x00, 0x0d, 0x0a);
const POISON = 0x0a;

/**
 * Decode `stream`, cut so, and then its end; `during` is called inside the sink, and between two
 * chunks. Throws what the decoder throws, and when the decoder touches what is not its own.
 */
export function transcribe(
  framing: Framing,
  stream: Uint8Array,
  cut: Cut,
  limits: FrameLimits,
  during?: (decoder: FrameDecoder) => void,
): Transcript {
  const entries: Entry[] = [];
  const decoder = framing.decoder(limits);
  const sink: FrameSink = {
    frame(bytes, start, end) {
      if (!(start >= 0 && start <= end && end <= bytes.length)) {
        throw new Error(
          `the frame's range [${String(start)}, ${String(end)}) is not within its ` +
            `${String(bytes.length)} bytes`,
        );
      }
      entries.push(copy(bytes, start, end));
      during?.(decoder);
    },
    fault(fault) {
      entries.push(fault);
      during?.(decoder);
    },
  };
  const arena = new Uint8Array(2 * GUARD.length + stream.length);
  for (let index = 0; index <= cut.length; index++) {
    const begin = cut[index - 1] ?? 0;
    push(decoder, sink, arena, stream, begin, cut[index] ?? stream.length);
    during?.(decoder);
  }
  const beforeEnd = entries.length;
  const { partial } = decoder;
  decoder.end(sink);
  const whole = entries.length;
  push(decoder, sink, arena, stream, 0, stream.length);
  decoder.end(sink);
  if (entries.length > whole)
    throw new Error("the decoder reports something after the end of the stream");
  if (decoder.partial === true) throw new Error("`partial` is true after the end of the stream");
  return { entries, beforeEnd, partial };
}

/**
 * One chunk, between guard bytes, overwritten when the decoder has returned. Byte by byte: most
 * chunks are tiny.
 */
function push(
  decoder: FrameDecoder,
  sink: FrameSink,
  arena: Uint8Array,
  stream: Uint8Array,
  begin: number,
  end: number,
): void {
  const length = end - begin;
  const after = GUARD.length + length;
  // in range by the arena's length
  for (let at = 0; at < GUARD.length; at++) arena[at] = arena[after + at] = GUARD[at] as number;
  // in range by the cut
  for (let at = 0; at < length; at++) arena[GUARD.length + at] = stream[begin + at] as number;
  decoder.push(arena.subarray(GUARD.length, after), sink);
  for (let at = 0; at < length; at++) {
    if (arena[GUARD.length + at] !== stream[begin + at])
      throw new Error("the decoder writes into the chunk, which is not its own");
    arena[GUARD.length + at] = POISON;
  }
  for (let at = 0; at < GUARD.length; at++) {
    if (arena[at] !== GUARD[at] || arena[after + at] !== GUARD[at])
      throw new Error("the decoder writes outside the chunk");
  }
}

/** True if two transcripts say the same. */
export function sameTranscript(one: Transcript, other: Transcript): boolean {
  if (one.partial !== other.partial || one.beforeEnd !== other.beforeEnd) return false;
  return sameEntries(one.entries, other.entries);
}

/** True if two lists of entries say the same. */
export function sameEntries(one: readonly Entry[], other: readonly Entry[]): boolean {
  return one.length === other.length && one.every((entry, index) => sameEntry(entry, other[index]));
}

/** True if two entries say the same: each byte of a frame, each field of a fault. */
export function sameEntry(one: Entry, other: Entry | undefined): boolean {
  if (one instanceof Uint8Array) return other instanceof Uint8Array && sameBytes(one, other);
  if (other === undefined || other instanceof Uint8Array) return false;
  return (
    one.code === other.code &&
    one.offset === other.offset &&
    one.fatal === other.fatal &&
    one.limit === other.limit &&
    one.size === other.size &&
    one.detail === other.detail
  );
}

/** True if two byte sequences are the same. */
export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}

/** A transcript in words. */
export function formatTranscript({ entries, beforeEnd, partial }: Transcript): string {
  const words = entries.map(formatEntry);
  words.splice(beforeEnd, 0, `end of stream (partial ${String(partial)})`);
  return words.join(", ");
}

/** An entry in words. */
export function formatEntry(entry: Entry): string {
  if (entry instanceof Uint8Array) return `frame ${formatBytes(entry)}`;
  const limit = entry.limit === undefined ? "" : `, limit ${String(entry.limit)}`;
  const size = entry.size === undefined ? "" : `, size ${String(entry.size)}`;
  return `${entry.fatal ? "" : "passing "}${entry.code} at ${String(entry.offset)}${limit}${size}`;
}

/** Bytes in hex, the middle left out where they are many. */
export function formatBytes(bytes: Uint8Array): string {
  const shown = bytes.length > 96 ? [...bytes.subarray(0, 64)] : [...bytes];
  const rest = bytes.length > 96 ? ` ... ${String(bytes.length)} bytes` : "";
  return `[${shown.map((byte) => byte.toString(16).padStart(2, "0")).join(" ")}${rest}]`;
}

function copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const own = new Uint8Array(end - start);
  // in range, as checked
  for (let at = start; at < end; at++) own[at - start] = bytes[at] as number;
  return own;
}
