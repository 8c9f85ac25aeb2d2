// How much memory a process keeps, for the programs of `memory.test.ts`.

import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const collector = findCollector();
let answers = 0;

/** Collect all garbage, where a program may ask for it. */
export function collect(): void {
  collector?.();
}

/**
 * Print how much memory the process keeps, and what else there is to say; the lines are numbered
 * from 1.
 */
export function report(rest: string): void {
  answers++;
  console.log(`answer ${String(answers)}: kept ${String(kept())} ${rest}`);
}

/**
 * Bytes that the process keeps: what is live after a collection on V8, else its resident memory.
 * Node 22 and 24 do not give back what garbage has taken: 518 MB resident, of which 68 MB were
 * live.
 */
function kept(): number {
  collect();
  const { rss, heapUsed, external } = process.memoryUsage();
  return collector === null || "Bun" in globalThis ? rss : heapUsed + external;
}

function findCollector(): (() => void) | null {
  const { Bun } = globalThis as { Bun?: { gc: (isFull: boolean) => void } };
  if (Bun !== undefined)
    return () => {
      Bun.gc(true);
    };
  try {
    setFlagsFromString("--expose-gc");
    // the flag's function, or nothing of that name: then it throws
    return runInNewContext("gc") as () => void;
  } catch {
    return null;
  }
}
