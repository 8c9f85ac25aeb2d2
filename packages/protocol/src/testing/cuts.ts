/**
 * Cuts: the ways in which a network may cut a stream into chunks. A cut is the ascending list of
 * offsets at which it cuts.
 *
 * @module
 */
import type { Random } from "./random.ts";

/** Offsets inside a stream, ascending; empty means one chunk. */
export type Cut = readonly number[];

/** Longest stream that is cut in every way: 2^15 of them. */
export const EXHAUSTIVE_BYTES = 16;

/** All 2^(length - 1) cuts of a stream; `length` is at most 31. The first is no cut at all. */
export function* allCuts(length: number): Generator<Cut> {
  const count = length === 0 ? 1 : 2 ** (length - 1);
  for (let mask = 0; mask < count; mask++) {
    const cut: number[] = [];
    for (let at = 1; at < length; at++) if ((mask & (1 << (at - 1))) !== 0) cut.push(at);
    yield cut;
  }
}

/** Every cut into two. */
export function* twoPieces(length: number): Generator<Cut> {
  for (let at = 1; at < length; at++) yield [at];
}

/** The cut into single bytes. */
export function singleBytes(length: number): Cut {
  return Array.from({ length: Math.max(0, length - 1) }, (_, at) => at + 1);
}

/** `count` random cuts, from a few large chunks to many small ones. */
export function* randomCuts(length: number, count: number, random: Random): Generator<Cut> {
  for (let made = 0; made < count; made++) {
    const longest = 1 + random.below(Math.max(1, random.below(length)));
    const cut: number[] = [];
    for (let at = 1 + random.below(longest); at < length; at += 1 + random.below(longest))
      cut.push(at);
    yield cut;
  }
}

/**
 * The cuts that a check can afford: all of a short stream; of a long one into two, into bytes, and
 * `count` random ones.
 */
export function* affordableCuts(
  length: number,
  count: number,
  random: Random,
  exhaustiveBytes: number = EXHAUSTIVE_BYTES,
): Generator<Cut> {
  if (length <= exhaustiveBytes) {
    yield* allCuts(length);
    return;
  }
  yield singleBytes(length);
  if (length <= 256) yield* twoPieces(length);
  yield* randomCuts(length, count, random);
}

/** The chunks of `stream`, as views. */
export function chunksOf(stream: Uint8Array, cut: Cut): Uint8Array[] {
  const ends = [...cut, stream.length];
  return ends.map((end, index) => stream.subarray(index === 0 ? 0 : ends[index - 1], end));
}
