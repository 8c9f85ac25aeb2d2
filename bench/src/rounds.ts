/**
 * The order of measurements: every system at the same work, in turn, several rounds; what is
 * disturbed is measured again.
 */
import { progress } from "./terminal.ts";

/** What was measured, by name: see `columns` in report.ts for the units. */
export type Sample = Readonly<Record<string, number>>;

/** One system's samples, one for each round; null where it failed. */
export interface SystemRow<S> {
  readonly system: S;
  readonly rounds: readonly (Sample | null)[];
  readonly failure: string | null;
}

/** A work, and the systems that do it. */
export interface Planned<W, S> {
  readonly work: W;
  readonly systems: readonly S[];
}

interface Named {
  readonly name: string;
}

/**
 * Measure a plan, work by work; rounds count from 0, and `say` gives a sample's figure for the line
 * of progress.
 */
export async function* inRounds<W extends Named, S extends Named>(
  plan: readonly Planned<W, S>[],
  rounds: number,
  measure: (work: W, system: S, round: number) => Promise<Sample>,
  say: (work: W, sample: Sample) => string,
): AsyncGenerator<{ work: W; rows: SystemRow<S>[] }> {
  const total = measurementsOf(plan, rounds);
  let done = 0;
  for (const { work, systems } of plan) {
    const found = systems.map((system) => ({
      system,
      rounds: [] as (Sample | null)[],
      why: "not measured",
    }));
    for (let round = 0; round < rounds; round++) {
      for (const each of found) {
        const what = `[${++done}/${total}] ${work.name}, round ${round + 1}: ${each.system.name}`;
        progress(what);
        try {
          const sample = await measure(work, each.system, round);
          each.rounds.push(sample);
          progress(`${what}: ${say(work, sample)}`, true);
        } catch (error) {
          each.rounds.push(null);
          each.why = error instanceof Error ? error.message : String(error);
        }
      }
    }
    progress("");
    yield {
      work,
      rows: found.map(({ system, rounds: samples, why }) => ({
        system,
        rounds: samples,
        failure: samples.every((sample) => sample === null) ? why : null,
      })),
    };
  }
}

/** How many measurements a plan takes. */
export function measurementsOf(plan: readonly Planned<unknown, unknown>[], rounds: number): number {
  return plan.reduce((sum, { systems }) => sum + systems.length, 0) * rounds;
}

/** Share of the two cores that others may use in a measurement that counts. */
const CALM_SHARE = 0.15;

/**
 * Measure up to `attempts` times while others use the cores; the sample that they disturbed least.
 */
export async function calmest(attempts: number, measure: () => Promise<Sample>): Promise<Sample> {
  let best = await measure();
  for (let attempt = 1; attempt < attempts && othersOf(best) > CALM_SHARE; attempt++) {
    const sample = await measure();
    if (othersOf(sample) < othersOf(best)) best = sample;
  }
  return best;
}

function othersOf(sample: Sample): number {
  return sample["othersShare"] ?? 0;
}
