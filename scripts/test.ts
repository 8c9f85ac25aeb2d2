// What `pnpm test` runs: the unit tests (vitest), then the conformance suite on each runtime, then
// interop on Node 26. Every runner writes a JUnit file; the counts are read from there and agree
// with its exit code, or the run has failed.
//
//   node scripts/test.ts [--all-nodes] [--no-interop] [SUITE]...
//
// SUITE is unit, node26, node24, node22, deno or bun. --all-nodes, or HAWSER_NODES=all, adds Node
// 22 and 24. --no-interop leaves interop out. The last line is `N passed, N failed`.

import { spawn } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs, stripVTControlCharacters } from "node:util";

interface Run {
  readonly suite: string;
  readonly runtime: string;
  readonly files: readonly string[];
  /** The command line, given where to write the JUnit file. */
  readonly command: (junit: string) => readonly string[];
}

interface Case {
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
  readonly reason: string;
}

interface Result {
  readonly run: Run;
  readonly cases: readonly Case[];
  readonly seconds: number;
  /** What is wrong with the run itself, beyond its failed tests. */
  readonly fault: string | null;
}

const root = resolve(import.meta.dirname, "..");
const runLimitMs = 10 * 60_000;
const runtimes = ["node26", "node24", "node22", "deno", "bun"];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: { "all-nodes": { type: "boolean" }, interop: { type: "boolean", default: true } },
});
const unknown = positionals.find((name) => name !== "unit" && !runtimes.includes(name));
if (unknown !== undefined) {
  console.error(`"${unknown}" is neither "unit" nor one of ${runtimes.join(", ")}`);
  process.exit(2);
}
const allNodes = values["all-nodes"] === true || process.env["HAWSER_NODES"] === "all";
const daily = allNodes ? ["unit", ...runtimes] : ["unit", "node26", "deno", "bun"];
const wanted = new Set(positionals.length > 0 ? positionals : daily);

const scratch = mkdtempSync(join(tmpdir(), "hawser-test-"));
process.once("SIGINT", () => process.exit(130));
process.once("exit", () => {
  rmSync(scratch, { recursive: true, force: true });
});

const results: Result[] = [];
for (const run of planRuns()) results.push(await execute(run));
report(results);

function planRuns(): Run[] {
  const conformance = testFiles("conformance");
  const interop = testFiles("conformance/interop");
  const runs = [
    {
      suite: "unit",
      runtime: "node26",
      files: testFiles("{packages/*/test/**,scripts}"),
      command: vitest,
    },
    ...runtimes.map((runtime) => ({
      suite: "conformance",
      runtime,
      files: conformance,
      command: runner(runtime, conformance),
    })),
    { suite: "interop", runtime: "node26", files: interop, command: runner("node26", interop) },
  ];
  return runs.filter(({ suite, runtime, files }) => {
    if (suite === "interop" && (files.length === 0 || !values.interop)) return false;
    return wanted.has(suite === "unit" ? "unit" : runtime);
  });
}

function testFiles(dir: string): string[] {
  return globSync(`${dir}/*.test.ts`, { cwd: root })
    .sort()
    .map((path) => `./${path.replaceAll("\\", "/")}`);
}

function vitest(junit: string): string[] {
  return [
    node("node"),
    "node_modules/vitest/vitest.mjs",
    "run",
    "--reporter=dot",
    "--reporter=junit",
    `--outputFile.junit=${junit}`,
  ];
}

function runner(runtime: string, files: readonly string[]): Run["command"] {
  switch (runtime) {
    case "deno":
      return (junit) => [
        bin("deno"),
        "test",
        "-A",
        "--no-check",
        "--reporter=dot",
        `--junit-path=${junit}`,
        ...files,
      ];
    case "bun":
      return (junit) => [
        bin("bun"),
        "test",
        "--dots",
        "--reporter=junit",
        `--reporter-outfile=${junit}`,
        ...files,
      ];
    default: {
      const executable = node(runtime === "node26" ? "node" : runtime);
      // Not `dot`: it leaves out what a test file that can't be loaded wrote to stderr.
      const reporters = (junit: string): string[] => [
        ...["--test-reporter=spec", "--test-reporter-destination=stdout"],
        ...["--test-reporter=junit", `--test-reporter-destination=${junit}`],
      ];
      return (junit) => [executable, "--test", ...reporters(junit), ...files];
    }
  }
}

function node(alias: string): string {
  return join(root, "node_modules", alias, "bin", "node");
}

function bin(name: string): string {
  return join(root, "node_modules", ".bin", name);
}

async function execute(run: Run): Promise<Result> {
  const title = `${run.suite} on ${run.runtime}`;
  console.log(`\n== ${title} (${run.files.length} files)`);
  if (run.files.length === 0) return { run, cases: [], seconds: 0, fault: "found no test file" };
  const junit = join(scratch, `${run.suite}-${run.runtime}.xml`);
  const started = performance.now();
  const ended = await spawned(run.command(junit));
  const seconds = (performance.now() - started) / 1000;
  const xml = existsSync(junit) ? readFileSync(junit, "utf8") : "";
  const cases = run.runtime === "deno" ? withoutParents(readCases(xml)) : readCases(xml);
  const silent = run.files.find((file) =>
    ranNoTest(run.runtime, file.slice("./".length), xml, cases),
  );
  const failed = cases.some(({ outcome }) => outcome === "failed");
  let fault: string | null = null;
  if (cases.length === 0) fault = `ran no test (${ended})`;
  else if (ended !== "exit code 0" && !failed) fault = `${ended} without a failed test`;
  else if (silent !== undefined) fault = `${silent} ran no test`;
  return { run, cases, seconds, fault };
}

/**
 * Node counts a file that ran no test (it exited, say) as one passed test with the file's name;
 * Deno and Bun leave it out.
 */
function ranNoTest(runtime: string, file: string, xml: string, cases: readonly Case[]): boolean {
  if (runtime === "deno" || runtime === "bun") return !xml.includes(file);
  return cases.some(({ name, outcome }) => name === file && outcome === "passed");
}

/** Runs to the end and says how it ended. */
function spawned([command = "", ...args]: readonly string[]): Promise<string> {
  const quiet = { DENO_NO_UPDATE_CHECK: "1", ...(process.stdout.isTTY ? {} : { NO_COLOR: "1" }) };
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, ...quiet },
    stdio: ["ignore", command === bin("deno") ? "pipe" : "inherit", "inherit"],
    timeout: runLimitMs,
  });
  if (child.stdout !== null) printJoiningDots(child.stdout);
  return new Promise((settle) => {
    child.once("error", (error) => {
      settle(error.message);
    });
    child.once("close", (code, signal) => {
      settle(
        signal === null
          ? `exit code ${code ?? "unknown"}`
          : `killed by ${signal} (a run may take ${runLimitMs / 60_000} minutes)`,
      );
    });
  });
}

/** Deno's dots come one per line. */
function printJoiningDots(stream: NodeJS.ReadableStream): void {
  let dots = false;
  createInterface({ input: stream }).on("line", (line) => {
    const dot = /^[.,!]$/.test(stripVTControlCharacters(line));
    process.stdout.write(dot ? line : `${dots ? "\n" : ""}${line}\n`);
    dots = dot;
  });
}

function readCases(xml: string): Case[] {
  const attributes = String.raw`((?:\s+[\w:.-]+="[^"]*")*)\s*`;
  return [...xml.matchAll(new RegExp(`<testcase${attributes}(?:/>|>([^]*?)</testcase>)`, "g"))].map(
    ([, own = "", body = ""]) => {
      const skipped = new RegExp(`<skipped${attributes}/?>`).exec(body);
      const failed = /<(failure|error)[\s>]/.test(body);
      const todo = attribute(skipped?.[1] ?? "", "type") === "todo" ? "todo: " : "";
      return {
        name: attribute(own, "name"),
        outcome: failed ? "failed" : skipped === null ? "passed" : "skipped",
        reason: todo + attribute(skipped?.[1] ?? "", "message"),
      };
    },
  );
}

/**
 * Deno lists a `describe` beside its tests, as "parent" and "parent > child"; only a failure of its
 * own counts.
 */
function withoutParents(cases: readonly Case[]): Case[] {
  return cases.filter((one) => {
    const children = cases.filter(({ name }) => name.startsWith(`${one.name} > `));
    return one.outcome === "failed"
      ? children.every(({ outcome }) => outcome !== "failed")
      : children.length === 0;
  });
}

function attribute(text: string, name: string): string {
  const named: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(text)?.[1] ?? "";
  return value.replace(
    /&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi,
    (whole, decimal?: string, hex?: string, word?: string) => {
      if (word !== undefined) return named[word] ?? whole;
      return String.fromCodePoint(
        decimal === undefined ? parseInt(hex ?? "", 16) : Number(decimal),
      );
    },
  );
}

function report(all: readonly Result[]): void {
  const total = { passed: 0, failed: 0, skipped: 0 };
  const rows = all.map(({ run, cases, seconds, fault }) => {
    const count = (outcome: Case["outcome"]): number =>
      cases.filter((one) => one.outcome === outcome).length;
    const counts = {
      passed: count("passed"),
      failed: count("failed") + (fault === null ? 0 : 1),
      skipped: count("skipped"),
    };
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
    return [run.suite, run.runtime, ...Object.values(counts).map(String), seconds.toFixed(1)];
  });
  console.log(
    `\n${formatTable([["suite", "runtime", "passed", "failed", "skipped", "seconds"], ...rows])}\n`,
  );
  for (const { run, cases, fault } of all) {
    const where = `${run.suite} on ${run.runtime}`;
    if (fault !== null) console.log(`failed: ${where}: ${fault}`);
    for (const { name, outcome, reason } of cases) {
      if (outcome === "failed") console.log(`failed: ${where}: ${name}`);
      if (outcome === "skipped")
        console.log(`skipped: ${where}: ${name}${reason === "" ? "" : ` (${reason})`}`);
    }
  }
  const sizes = all
    .filter(({ run }) => run.suite === "conformance")
    .map(({ run, cases }) => `${run.runtime} ${cases.length}`);
  if (new Set(sizes.map((size) => size.split(" ")[1])).size > 1) {
    console.log(
      "note: the conformance suite has not the same number of tests everywhere: " +
        sizes.join(", "),
    );
  }
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
  console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
  process.exitCode = total.failed > 0 ? 1 : 0;
}

function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const cell = (text: string, column: number): string =>
    column < 2 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(cell).join("  ")).join("\n");
}
