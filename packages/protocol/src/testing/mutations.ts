/**
 * Checks of broken streams: each byte replaced by each other value, left out, or doubled, and
 * noise. A decoder parses or reports a fault, throws nothing, and keeps the law of cuts.
 *
 * @module
 */
import { singleBytes } from "./cuts.ts";
import { sameForCuts } from "./law-of-cuts.ts";
import { decode, join, type Trial } from "./trial.ts";

/** Longest stream of which every byte is replaced by every value. */
const MUTATED_BYTES = 24;

/** Every mutation of the short streams, and random ones of the others. */
export function checkMutations(trial: Trial): void {
  for (const stream of trial.streams) {
    for (const [mutant, at] of stream.length <= MUTATED_BYTES
      ? allMutants(stream)
      : someMutants(trial, stream))
      cutsOf(trial, mutant, at);
  }
  const alphabet = join(trial.streams.slice(0, 8));
  for (let made = 0; made < 500; made++) {
    const noise = trial.random.bytes(
      1 + trial.random.below(40),
      made % 2 === 0 && alphabet.length > 0 ? alphabet : undefined,
    );
    cutsOf(trial, noise, trial.random.below(noise.length));
  }
}

/** A broken stream, and where it was broken. */
type Mutant = readonly [stream: Uint8Array, at: number];

function* allMutants(stream: Uint8Array): Generator<Mutant> {
  for (let at = 0; at < stream.length; at++) {
    for (let byte = 0; byte < 256; byte++) {
      if (byte === stream[at]) continue;
      const mutant = new Uint8Array(stream);
      mutant[at] = byte;
      yield [mutant, at];
    }
    yield [join([stream.subarray(0, at), stream.subarray(at + 1)]), at];
    yield [join([stream.subarray(0, at + 1), stream.subarray(at)]), at];
  }
}

function* someMutants({ random }: Trial, stream: Uint8Array): Generator<Mutant> {
  for (let made = 0; made < 50; made++) {
    const mutant = new Uint8Array(stream);
    let at = 0;
    for (let flips = 1 + random.below(3); flips > 0; flips--)
      mutant[(at = random.below(mutant.length))] = random.pick([
        random.below(256),
        random.pick(stream),
      ]);
    yield [mutant, at];
  }
}

function cutsOf(trial: Trial, stream: Uint8Array, at: number): void {
  const check = "broken streams";
  const limits = trial.random.pick(trial.limits);
  const whole = decode(trial, check, stream, [], limits);
  sameForCuts(trial, check, stream, whole, limits, [
    singleBytes(stream.length),
    [at],
    [Math.min(at + 1, stream.length)],
  ]);
}
