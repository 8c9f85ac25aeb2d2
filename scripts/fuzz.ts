// Fuzzes the framings of packages/protocol against their models, for as long as one likes: pnpm
// fuzz --framing slip --seconds 60 [--seed 7] and the ends against what a program's own code may
// throw, reject with, return and yield (conformance/values.ts): pnpm fuzz --values [--runs 100000]
// [--seed 7] Invariant: each input is frames or faults as the model says, the same at every cut,
// and nothing is thrown. An input that breaks it is made small, saved in
// packages/protocol/test/corpus/<framing>/ (where the tests find it), and ends the run with 1.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { fuzzValues } from "../conformance/values.ts";
import { modelsByFraming } from "../packages/protocol/test/models/all.ts";
import { Fuzzer } from "../packages/protocol/test/models/fuzz.ts";

const corpus = resolve(import.meta.dirname, "../packages/protocol/test/corpus");
const names = Object.keys(modelsByFraming);

const { framings, isValues, runs, seconds, seed } = readArguments();
console.log(`seed ${seed}: the same seed and corpus give the same inputs, in the same order`);
if (isValues) await fuzzProgram();
else for (const framing of framings) fuzz(framing);

/**
 * Invariant: nothing is unhandled, every call settles, `error` is told, and an honest call is
 * answered afterwards.
 */
async function fuzzProgram(): Promise<void> {
  const unhandled = (what: string) => (): void => {
    console.error(`values: ${what} with seed ${seed}`);
    process.exit(1);
  };
  process.on("uncaughtException", unhandled("an uncaught exception"));
  process.on("unhandledRejection", unhandled("an unhandled rejection"));
  // an error handler that fails is warned of, once in each round
  process.removeAllListeners("warning");
  process.on("warning", () => undefined);
  const begin = performance.now();
  let reported = 0;
  const report = await fuzzValues(runs, seed, (done) => {
    const elapsed = Math.floor((performance.now() - begin) / 1000);
    if (elapsed <= reported) return;
    reported = elapsed;
    console.log(`values: ${elapsed} s, ${done} runs`);
  });
  for (const failure of report.failures) console.error(`values: ${failure}`);
  if (report.failures.length > 0) process.exitCode = 1;
  else
    console.log(
      `values: no failure in ${report.runs} runs, error was told ${report.told} times ` +
        `(${Math.round((report.runs / (performance.now() - begin)) * 1000)} runs per second)`,
    );
}

function fuzz(framing: string): void {
  const fuzzer = new Fuzzer(modelsByFraming[framing] ?? [], seed);
  const directory = join(corpus, framing);
  mkdirSync(directory, { recursive: true });
  const files = readdirSync(directory).sort();
  let failure = null;
  for (const file of files) failure ??= fuzzer.try(readFileSync(join(directory, file), "latin1"));
  const begin = performance.now();
  for (let reported = 0; failure === null;) {
    for (let steps = 0; failure === null && steps < 64; steps++) failure = fuzzer.step();
    const elapsed = (performance.now() - begin) / 1000;
    if (Math.floor(elapsed) > reported) {
      reported = Math.floor(elapsed);
      console.log(
        `${framing}: ${reported} s, ${fuzzer.runs} runs (${Math.round(fuzzer.runs / elapsed)} ` +
          `per second), ${fuzzer.kept} inputs kept, ${fuzzer.shapes} shapes`,
      );
    }
    if (elapsed >= seconds) break;
  }
  if (failure === null) {
    console.log(`${framing}: no failure in ${fuzzer.runs} runs, ${files.length} files of corpus`);
    return;
  }
  const { stream, report } = fuzzer.shrink(failure);
  const bytes = Buffer.from(stream, "latin1");
  const file = join(
    directory,
    `failure-${createHash("sha256").update(bytes).digest("hex").slice(0, 12)}.bin`,
  );
  writeFileSync(file, bytes);
  console.error(
    `${framing}: failed after ${fuzzer.runs} runs of seed ${seed}; saved as ` +
      `${relative(process.cwd(), file)}\n${report}`,
  );
  process.exitCode = 1;
}

function readArguments(): {
  framings: string[];
  isValues: boolean;
  runs: number;
  seconds: number;
  seed: number;
} {
  try {
    const { values } = parseArgs({
      options: {
        framing: { type: "string", default: "all" },
        values: { type: "boolean", default: false },
        runs: { type: "string", default: "100000" },
        seconds: { type: "string", default: "10" },
        seed: { type: "string", default: String(Date.now() % 2 ** 31) },
      },
    });
    if (values.framing !== "all" && !names.includes(values.framing))
      throw new Error(`Cannot fuzz "${values.framing}": it is "all" or one of ${names.join(", ")}`);
    return {
      framings: values.framing === "all" ? names : [values.framing],
      isValues: values.values,
      runs: readNumber("runs", values.runs),
      seconds: readNumber("seconds", values.seconds),
      seed: readNumber("seed", values.seed),
    };
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  }
}

function readNumber(name: string, text: string): number {
  const value = Number(text);
  if (text === "" || !Number.isSafeInteger(value) || value < 0)
    throw new Error(`Cannot use --${name} ${text}: it is a whole number`);
  return value;
}
