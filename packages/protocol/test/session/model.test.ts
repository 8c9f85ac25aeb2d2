// Two sessions against each other in virtual time: whatever happens to their connection, nothing is
// lost, doubled or left open without being said.
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Model, runs } from "./model/commands.ts";
import { verdict } from "./model/verdict.ts";
import { World } from "./model/world.ts";

/** One hundred thousand were run when the engine was written: HAWSER_MODEL_RUNS=100000. */
const count = Number(process.env["HAWSER_MODEL_RUNS"] ?? 2000);
const seed = Number(process.env["HAWSER_MODEL_SEED"] ?? 1);

test(
  `two sessions keep their promises through ${count} random lives`,
  { timeout: 60_000 + count * 30 },
  () => {
    fc.assert(
      fc.property(runs, (commands) => {
        const world = new World();
        world.connect();
        world.settle();
        fc.modelRun((): { model: Model; real: World } => ({ model: {}, real: world }), commands);
        world.conclude();
        expect(verdict(world)).toEqual([]);
      }),
      { numRuns: count, seed, endOnFailure: false },
    );
  },
);
