// Reads the vectors and runs those of a role, several at once where the target is a server.

import { readFileSync } from "node:fs";
import { type Result, runVector, type RunOptions } from "./run.ts";
import type { Target } from "./target.ts";
import type { Vector } from "./vector.ts";

/** The files of vectors that are played on connections. */
export const vectorFiles: readonly string[] = [
  "frames",
  "handshake",
  "conversations",
  "states",
  "streams",
  "events",
  "resumption",
  "life",
];

/** The vectors of the files that come with the runner, or of those that are named. */
export function readVectors(paths: readonly (URL | string)[] = vectorFiles.map(pathOf)): Vector[] {
  return paths.flatMap(
    (path) => (JSON.parse(readFileSync(path, "utf8")) as { vectors: Vector[] }).vectors,
  );
}

function pathOf(name: string): URL {
  return new URL(`../vectors/${name}.json`, import.meta.url);
}

export interface SuiteOptions extends RunOptions {
  /** How many vectors run at once against a server. */
  readonly parallel: number;
  /** Stop at the first that fails. */
  readonly bail: boolean;
}

/** Run the vectors that fit the target; the results are in the order of the vectors. */
export async function runSuite(
  vectors: readonly Vector[],
  target: Target,
  options: SuiteOptions,
): Promise<Result[]> {
  const fitting = vectors.filter(
    (vector) => vector.target === "any" || vector.target === target.role,
  );
  const results: (Result | undefined)[] = new Array<Result | undefined>(fitting.length);
  let at = 0;
  let hasFailed = false;
  const work = async (): Promise<void> => {
    for (;;) {
      const index = at++;
      const vector = fitting[index];
      if (vector === undefined || (hasFailed && options.bail)) return;
      const result = await runVector(vector, target, options);
      results[index] = result;
      hasFailed ||= !result.passed;
    }
  };
  const workers = target.role === "client" ? 1 : options.parallel;
  await Promise.all(Array.from({ length: workers }, work));
  return results.filter((result) => result !== undefined);
}
