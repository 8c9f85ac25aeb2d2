/**
 * `pnpm bench:sessions`: typed sessions end to end, client and server each a program on its own core, next to what else people call with.
 * Owns the command line and the order of the measurements; sessions/measure.ts makes them, sessions/report.ts prints them.
 */
import { mkdirSync, readdirSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { pinned } from "./children.ts";
import type { Pace, Sample } from "./measure.ts";
import { formatProfile } from "./profile.ts";
import { count } from "./report.ts";
import { measureSession } from "./sessions/measure.ts";
import { formatSessionWork, type SessionRow } from "./sessions/report.ts";
import { type SessionSystem, sessionSystems } from "./sessions/systems.ts";
import { type SessionWork, sessionWorks } from "./sessions/works.ts";

const help = `Usage: node bench/src/sessions.ts [options]

  --only WORK,…    only these works: a name, or the beginning of names up to a "-" (see below)
  --systems A,…    these systems instead of each work's own list; "*" at the end stands for anything
  --rounds N       how often each system is measured (default 3)
  --seconds S      how long each measurement takes (default 1.5)
  --warmup S       how long it goes before that (default 1)
  --attempts N     measure again, up to N times, while others use the two cores (default 3)
  --json           print one JSON document instead of tables
  --profile DIR    have Node write CPU profiles of servers and clients, and print where their time goes
  --help           print this
`;

const { values: flags } = parseArgs({
  options: {
    only: { type: "string" },
    systems: { type: "string" },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "1.5" },
    warmup: { type: "string", default: "1" },
    attempts: { type: "string" },
    json: { type: "boolean", default: false },
    profile: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

if (flags.help) {
  console.log(`${help}\nWorks:\n${listing(sessionWorks)}\n\nSystems:\n${listing(sessionSystems)}`);
  process.exit();
}

const rounds = number("rounds", flags.rounds, 1, 100);
if (!Number.isInteger(rounds)) usage(`--rounds ${flags.rounds}: it is a whole number`);
const seconds = number("seconds", flags.seconds, 0.1, 60);
const warmup = number("warmup", flags.warmup, 0.1, 60);
const attempts = number("attempts", flags.attempts ?? (flags.profile === undefined ? "3" : "1"), 1, 20);
const pace: Pace = { warmupMs: warmup * 1_000, durationMs: seconds * 1_000, attempts, profileDir: flags.profile ?? null };

const wanted = flags.only?.split(",");
const plan = sessionWorks
  .filter(({ name }) => wanted === undefined || wanted.some((each) => name === each || name.startsWith(`${each}-`)))
  .map((work) => ({ work, systems: systemsFor(work) }))
  .filter(({ systems }) => systems.length > 0);
if (plan.length === 0) usage("no work is left; see --help for the names");

const total = plan.reduce((sum, { systems }) => sum + systems.length, 0) * rounds;
const machine = `node ${process.versions.node}, ${availableParallelism()} cores (${cpus()[0]?.model ?? "?"}), ${pinned ? "server on core 0, client on core 1" : "not pinned"}`;
note(`${total} measurements in ${rounds} round${rounds === 1 ? "" : "s"}, about ${Math.ceil((total * (seconds + warmup + 0.6)) / 60)} min; ${machine}\n`);

let done = 0;
const results: { work: SessionWork; rows: SessionRow[] }[] = [];
for (const { work, systems } of plan) {
  const samples = systems.map(() => [] as (Sample | null)[]);
  const failures = systems.map(() => "not measured");
  for (let round = 0; round < rounds; round++) {
    for (const [index, system] of systems.entries()) {
      const what = `[${++done}/${total}] ${work.name}, round ${round + 1}: ${system.name}`;
      progress(what);
      try {
        const sample = await measureSession(system, work, { ...pace, profileDir: profileDirOf(work, system, round) });
        samples[index]?.push(sample);
        progress(`${what}: ${count(sample["rate"] ?? NaN)} ${work.counts}/s`, true);
      } catch (error) {
        samples[index]?.push(null);
        failures[index] = error instanceof Error ? error.message : String(error);
      }
    }
  }
  const rows = systems.map((system, index) => {
    const own = samples[index] ?? [];
    return { system, rounds: own, failure: own.every((sample) => sample === null) ? (failures[index] ?? null) : null };
  });
  results.push({ work, rows });
  progress("");
  if (!flags.json) console.log(formatSessionWork(work, rows));
  for (const { system, failure } of rows) if (failure === null) printProfiles(work, system);
}
if (flags.json) console.log(JSON.stringify({ machine, pinned, rounds, seconds, results }, null, 1));
process.exit();

function systemsFor(work: SessionWork): SessionSystem[] {
  const chosen = (flags.systems?.split(",") ?? work.systems).flatMap((name) => {
    const found = sessionSystems.filter((each) => (name.endsWith("*") ? each.name.startsWith(name.slice(0, -1)) : each.name === name));
    if (found.length === 0) usage(`no system is named ${JSON.stringify(name)}; see --help`);
    return found;
  });
  return chosen.filter(({ name }) => work.systems.includes(name));
}

function profileDirOf(work: SessionWork, system: SessionSystem, round: number): string | null {
  if (pace.profileDir === null) return null;
  const directory = join(pace.profileDir, `${work.name}-${system.name}-${round + 1}`);
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** Of a system's last round. */
function printProfiles(work: SessionWork, system: SessionSystem): void {
  const directory = profileDirOf(work, system, rounds - 1);
  if (directory === null) return;
  for (const side of ["client", "server"]) {
    const latest = readdirSync(join(directory, side)).sort().at(-1);
    if (latest !== undefined) note(`${work.name}, ${system.name}: ${side}\n${formatProfile(join(directory, side, latest), pace.durationMs, 32)}\n`);
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

function number(name: string, given: string, min: number, max: number): number {
  const value = Number(given);
  if (!(value >= min && value <= max)) usage(`--${name} ${given}: it is from ${min} to ${max}`);
  return value;
}

function listing(named: readonly { name: string; title: string }[]): string {
  return named.map(({ name, title }) => `  ${name.padEnd(24)}${title}`).join("\n");
}

function usage(text: string): never {
  console.error(`Cannot run the bench: ${text}`);
  process.exit(2);
}
