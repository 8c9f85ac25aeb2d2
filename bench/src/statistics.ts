/**
 * The figures of many rounds: median, smallest and largest; ratios are taken within a round, where
 * both had the same noise.
 */
import type { Sample } from "./rounds.ts";

export interface Figure {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function figure(values: readonly number[]): Figure | null {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  const [min] = sorted;
  const max = sorted.at(-1);
  const low = sorted[Math.floor((sorted.length - 1) / 2)];
  const high = sorted[Math.ceil((sorted.length - 1) / 2)];
  if (min === undefined || max === undefined || low === undefined || high === undefined)
    return null;
  return { median: (low + high) / 2, min, max };
}

export function figureOf(rounds: readonly (Sample | null)[], key: string): Figure | null {
  return figure(rounds.flatMap((sample) => sample?.[key] ?? []));
}

/** One system's value over another's, round by round. */
export function ratio(
  over: readonly (Sample | null)[],
  under: readonly (Sample | null)[],
  key: string,
): Figure | null {
  return figure(
    over.flatMap((sample, round) => {
      const [above, below] = [sample?.[key], under[round]?.[key]];
      return above === undefined || below === undefined ? [] : above / below;
    }),
  );
}
