/**
 * `pnpm bench`: every system at the same work, in turn, several rounds.
 * Owns the command line and the order of the measurements; measure.ts makes them, report.ts prints them.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { pinned } from "./children.ts";
import { measure, nativeLoad, type Pace, type Sample } from "./measure.ts";
import { plot } from "./plot.ts";
import { formatProfile } from "./profile.ts";
import { missingRedis } from "./redis.ts";
import { count, criterion, formatWork, type Row } from "./report.ts";
import { systems } from "./systems.ts";
import { type Work, works } from "./works.ts";

const help = `Usage: node bench/src/main.ts [options]

  --quick          fewer works, systems and rounds, short measurements: under two minutes
  --only WORK,…    only these works: a name, or the beginning of names up to a "-" (see below)
  --systems A,…    these systems instead of each work's own list; "*" at the end stands for anything
  --rounds N       how often each system is measured (default 3; 1 with --quick)
  --seconds S      how long each measurement takes (default 1.5; 0.4 with --quick)
  --attempts N     measure again, up to N times, while others use the two cores (default 3; 1 with --quick)
  --json           print one JSON document instead of tables
  --plot FILE.svg  draw the medians, with the spread of the rounds
  --profile DIR    have Node write CPU profiles of its servers, and print where their time goes
  --help           print this
`;

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    systems: { type: "string" },
    rounds: { type: "string" },
    seconds: { type: "string" },
    attempts: { type: "string" },
    json: { type: "boolean", default: false },
    plot: { type: "string" },
    profile: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

if (flags.help) {
  console.log(`${help}\nWorks:\n${listing(works)}\n\nSystems:\n${listing(systems)}`);
  process.exit();
}

const rounds = wholeNumber("rounds", flags.rounds, flags.quick ? 1 : 3, 100);
const seconds = Number(flags.seconds ?? (flags.quick ? 0.4 : 1.5));
if (!(seconds >= 0.1 && seconds <= 60)) usage(`--seconds ${flags.seconds ?? ""}: it is from 0.1 to 60`);
const attempts = wholeNumber("attempts", flags.attempts, flags.quick || flags.profile !== undefined ? 1 : 3, 20);
const pace: Pace = { warmupMs: flags.quick ? 300 : 700, durationMs: seconds * 1_000, attempts, profileDir: flags.profile ?? null };
if (pace.profileDir !== null) mkdirSync(pace.profileDir, { recursive: true });

const wanted = flags.only?.split(",");
const named = works.filter(({ name }) => wanted === undefined || wanted.some((each) => name === each || name.startsWith(`${each}-`)));
const noRedis = named.some(({ kind }) => kind === "redis") ? missingRedis() : null;
if (noRedis !== null) note(`skipped: redis-*, ${noRedis}`);
const plan = named
  .filter(({ kind }) => kind !== "redis" || noRedis === null)
  .map((work) => ({ work, systems: systemsFor(work) }))
  .filter((each) => each.systems.length > 0);
if (plan.length === 0 && noRedis === null) usage("no work is left; see --help for the names");

const total = plan.reduce((sum, each) => sum + each.systems.length, 0) * rounds;
const estimate = total * (pace.warmupMs / 1_000 + seconds + 0.4);
const machine = `node ${process.versions.node}, ${availableParallelism()} cores (${cpus()[0]?.model ?? "?"}), ${pinned ? "server on core 0, load on core 1" : "not pinned"}, load generator in ${nativeLoad === null ? "TypeScript" : "C"}`;
note(`${total} measurements in ${rounds} round${rounds === 1 ? "" : "s"}, about ${Math.ceil(estimate / 60)} min; ${machine}\n`);

/** `--quick` keeps its word on a busy machine too: what does not fit is left out, and said. */
const deadline = flags.quick ? performance.now() + 100_000 : Infinity;
let done = 0;
const results: { work: Work; rows: Row[] }[] = [];
for (const { work, systems: chosen } of plan) {
  const samples = chosen.map(() => [] as (Sample | null)[]);
  const failures = chosen.map(() => null as string | null);
  for (let round = 0; round < rounds; round++) {
    for (const [index, system] of chosen.entries()) {
      progress(`[${++done}/${total}] ${work.name}, round ${round + 1}: ${system.name}`);
      try {
        if (performance.now() > deadline) throw new Error("left out, the time of --quick is over");
        const profileDir = pace.profileDir === null ? null : join(pace.profileDir, `${work.name}-${system.name}-${round + 1}`);
        const sample = await measure(system, work, { ...pace, profileDir });
        samples[index]?.push(sample);
        const { key, name } = criterion(work.kind);
        progress(`[${done}/${total}] ${work.name}, round ${round + 1}: ${system.name}: ${count(sample[key] ?? NaN)} ${name}`, true);
      } catch (error) {
        samples[index]?.push(null);
        failures[index] = error instanceof Error ? error.message : String(error);
      }
    }
  }
  const rows = chosen.map((system, index) => {
    const own = samples[index] ?? [];
    return { system, rounds: own, failure: own.every((sample) => sample === null) ? (failures[index] ?? "not measured") : null };
  });
  results.push({ work, rows });
  progress("");
  if (!flags.json) console.log(formatWork(work, rows));
  if (pace.profileDir !== null) printProfiles(pace.profileDir, work);
}
if (flags.json) console.log(JSON.stringify({ machine, pinned, rounds, seconds, results }, null, 1));
if (flags.plot !== undefined) writeFileSync(flags.plot, plot(results, `Medians of ${rounds} rounds; ${machine}`));
process.exit();

function systemsFor(work: Work): typeof systems {
  const own = flags.quick ? work.quick : work.systems;
  const named = flags.systems?.split(",") ?? own;
  const chosen = named.flatMap((name) => {
    const found = systems.filter((each) => (name.endsWith("*") ? each.name.startsWith(name.slice(0, -1)) : each.name === name));
    if (found.length === 0 && flags.systems !== undefined) usage(`no system is named ${JSON.stringify(name)}; see --help`);
    return found;
  });
  const skipped = flags.quick && own.length === 0 && wanted === undefined;
  return skipped ? [] : chosen.filter(({ kinds }) => kinds.includes(work.kind));
}

/** Of each system's last round. */
function printProfiles(directory: string, work: Work): void {
  for (const each of readdirSync(directory).filter((name) => name.startsWith(`${work.name}-`) && name.endsWith(`-${rounds}`))) {
    const latest = readdirSync(join(directory, each)).sort().at(-1);
    if (latest !== undefined) note(`${each}\n${formatProfile(join(directory, each, latest), pace.durationMs, 16)}\n`);
  }
}

/** Progress is for people at a terminal: on one line there, a line for each measurement elsewhere. */
function progress(text: string, settled = false): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (settled) process.stderr.write(`${text}\n`);
}

function note(text: string): void {
  if (flags.json) process.stderr.write(`${text}\n`);
  else console.log(text);
}

function wholeNumber(name: string, given: string | undefined, otherwise: number, max: number): number {
  const value = Number(given ?? otherwise);
  if (!Number.isInteger(value) || value < 1 || value > max) usage(`--${name} ${given ?? ""}: it is a whole number from 1 to ${max}`);
  return value;
}

function listing(named: readonly { name: string; title: string }[]): string {
  return named.map(({ name, title }) => `  ${name.padEnd(24)}${title}`).join("\n");
}

function usage(text: string): never {
  console.error(`Cannot run the bench: ${text}`);
  process.exit(2);
}
