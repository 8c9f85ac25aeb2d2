// The fuzzer: mutates inputs that showed something new, and asks the model about each. No clock, no
// files: scripts/fuzz.ts and the tests own these.
import type { FrameLimits } from "../../src/limits.ts";
import { type Cut, singleBytes } from "../../src/testing/cuts.ts";
import { Random } from "../../src/testing/random.ts";
import { disagreement, randomStream } from "./agree.ts";
import type { Model } from "./model.ts";

const LIMITS: readonly FrameLimits[] = [
  { maxFrameBytes: 4, onOversize: "close" },
  { maxFrameBytes: 4, onOversize: "skip" },
  { maxFrameBytes: 65_536, onOversize: "close" },
];
const MOST_KEPT = 2000;
const MOST_BYTES = 8192;

/** An input and what is wrong with it. */
export interface Failure {
  readonly stream: string;
  readonly report: string;
}

/** Fuzzes the variants of one framing. The same seed and corpus give the same run. */
export class Fuzzer {
  runs = 0;
  readonly #models: readonly Model[];
  readonly #random: Random;
  /** Inputs that showed something new: latin strings. */
  readonly #kept: string[] = [];
  readonly #shapes = new Set<string>();

  constructor(models: readonly Model[], seed: number) {
    this.#models = models;
    this.#random = new Random(seed);
  }

  get kept(): number {
    return this.#kept.length;
  }

  get shapes(): number {
    return this.#shapes.size;
  }

  /** Try one input as it is. */
  try(stream: string): Failure | null {
    const random = this.#random;
    const cuts: Cut[] = [
      [],
      singleBytes(stream.length),
      [random.below(stream.length + 1)],
      [random.below(stream.length + 1), stream.length].sort((one, other) => one - other),
    ];
    for (const [variant, model] of this.#models.entries()) {
      for (const limits of LIMITS) {
        this.runs++;
        const report = disagreement(model, stream, limits, cuts);
        if (report !== null) return { stream, report };
        this.#keepIfNew(
          stream,
          `${variant} ${String(limits.maxFrameBytes)} ${shapeOf(model.read(stream, limits))}`,
        );
      }
    }
    return null;
  }

  /** Mutate an input that is kept, and try that. */
  step(): Failure | null {
    const random = this.#random;
    let stream =
      this.#kept.length === 0 || random.below(16) === 0
        ? randomStream(random.pick(this.#models), random)
        : random.pick(this.#kept);
    for (let changes = 1 + random.below(4); changes > 0; changes--) stream = this.#mutate(stream);
    return this.try(stream.slice(0, MOST_BYTES));
  }

  /** The failure with what does not matter taken out. */
  shrink(failure: Failure): Failure {
    let smallest = failure;
    for (
      let size = Math.ceil(failure.stream.length / 2);
      size >= 1;
      size = size === 1 ? 0 : Math.ceil(size / 2)
    ) {
      for (let at = 0; at < smallest.stream.length;) {
        const less = this.try(smallest.stream.slice(0, at) + smallest.stream.slice(at + size));
        if (less === null) at += size;
        else smallest = less;
      }
    }
    return smallest;
  }

  #mutate(stream: string): string {
    const random = this.#random;
    const at = random.below(stream.length + 1);
    const end = Math.min(stream.length, at + 1 + random.below(8));
    const model = random.pick(this.#models);
    switch (random.below(8)) {
      case 0:
        return stream.slice(0, at) + String.fromCharCode(random.below(256)) + stream.slice(at + 1);
      case 1:
        return (
          stream.slice(0, at) +
          String.fromCharCode((stream.charCodeAt(at) || 0) ^ (1 << random.below(8))) +
          stream.slice(at + 1)
        );
      case 2:
        return stream.slice(0, at) + random.pick(model.tokens) + stream.slice(at);
      case 3:
        return stream.slice(0, at) + stream.slice(end);
      case 4:
        return stream.slice(0, end) + stream.slice(at);
      case 5:
        return (
          stream.slice(0, at) +
          random.pick(this.#kept.length === 0 ? [""] : this.#kept).slice(random.below(32))
        );
      case 6:
        return stream.slice(0, at);
      default:
        return stream.slice(0, at) + String(random.below(300)) + stream.slice(at);
    }
  }

  #keepIfNew(stream: string, shape: string): void {
    if (this.#shapes.has(shape) || this.#kept.length >= MOST_KEPT) return;
    this.#shapes.add(shape);
    if (this.#kept.at(-1) !== stream) this.#kept.push(stream);
  }
}

/**
 * What is found, without where: empty frames and others, faults by their code and whether they
 * stand in the first bytes.
 */
function shapeOf(found: readonly string[]): string {
  const words = found
    .slice(0, 5)
    .map((one) =>
      one.startsWith("=")
        ? one === "="
          ? "empty"
          : "frame"
        : one.replace(/@(\d+)$/, (_, at) => (Number(at) < 16 ? `@${String(at)}` : "")),
    );
  return words.join(" ");
}
