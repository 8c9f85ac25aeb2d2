/**
 * `pnpm bench`: every system at the same work, in turn, several rounds. Owns the command line;
 * rounds.ts orders the measurements, measure.ts makes them, report.ts prints them.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { pinned } from "./children.ts";
import { measure, nativeLoad, type Pace } from "./measure.ts";
import { plot } from "./plot.ts";
import { formatProfile } from "./profile.ts";
import { missingRedis } from "./redis.ts";
import { count, criterion, formatWork, type Row } from "./report.ts";
import { inRounds, measurementsOf } from "./rounds.ts";
import { systems } from "./systems.ts";
import {
  countOf,
  describeMachine,
  listing,
  numberOf,
  systemsNamed,
  usage,
  worksNamed,
} from "./terminal.ts";
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

const rounds = countOf("rounds", flags.rounds ?? (flags.quick ? "1" : "3"), 100);
const seconds = numberOf("seconds", flags.seconds ?? (flags.quick ? "0.4" : "1.5"), 0.1, 60);
const attempts = countOf(
  "attempts",
  flags.attempts ?? (flags.quick || flags.profile !== undefined ? "1" : "3"),
  20,
);
const pace: Pace = {
  warmupMs: flags.quick ? 300 : 700,
  durationMs: seconds * 1_000,
  attempts,
  profileDir: flags.profile ?? null,
};
if (pace.profileDir !== null) mkdirSync(pace.profileDir, { recursive: true });

const named = worksNamed(works, flags.only);
const noRedis = named.some(({ kind }) => kind === "redis") ? missingRedis() : null;
if (noRedis !== null) note(`skipped: redis-*, ${noRedis}`);
const plan = named
  .filter(({ kind }) => kind !== "redis" || noRedis === null)
  .map((work) => ({ work, systems: systemsFor(work) }))
  .filter((each) => each.systems.length > 0);
if (plan.length === 0 && noRedis === null) usage("no work is left; see --help for the names");

const total = measurementsOf(plan, rounds);
const estimate = total * (pace.warmupMs / 1_000 + seconds + 0.4);
const machine = `${describeMachine("load")}, load generator in ${nativeLoad === null ? "TypeScript" : "C"}`;
note(
  `${total} measurements in ${rounds} round${rounds === 1 ? "" : "s"}, about ` +
    `${Math.ceil(estimate / 60)} min; ${machine}\n`,
);

/** `--quick` keeps its word on a busy machine too: what does not fit is left out, and said. */
const deadline = flags.quick ? performance.now() + 100_000 : Infinity;
const results: { work: Work; rows: Row[] }[] = [];
const measured = inRounds(
  plan,
  rounds,
  (work, system, round) => {
    if (performance.now() > deadline) throw new Error("left out, the time of --quick is over");
    const profileDir =
      pace.profileDir === null
        ? null
        : join(pace.profileDir, `${work.name}-${system.name}-${round + 1}`);
    return measure(system, work, { ...pace, profileDir });
  },
  ({ kind }, sample) => {
    const { key, name } = criterion(kind);
    return `${count(sample[key] ?? NaN)} ${name}`;
  },
);
for await (const { work, rows } of measured) {
  results.push({ work, rows });
  if (!flags.json) console.log(formatWork(work, rows));
  if (pace.profileDir !== null) printProfiles(pace.profileDir, work);
}
if (flags.json) console.log(JSON.stringify({ machine, pinned, rounds, seconds, results }, null, 1));
if (flags.plot !== undefined)
  writeFileSync(flags.plot, plot(results, `Medians of ${rounds} rounds; ${machine}`));
process.exit();

function systemsFor(work: Work): typeof systems {
  const own = flags.quick ? work.quick : work.systems;
  const chosen = systemsNamed(
    systems,
    flags.systems?.split(",") ?? own,
    flags.systems !== undefined,
  );
  const skipped = flags.quick && own.length === 0 && flags.only === undefined;
  return skipped ? [] : chosen.filter(({ kinds }) => kinds.includes(work.kind));
}

/** Of each system's last round. */
function printProfiles(directory: string, work: Work): void {
  for (const each of readdirSync(directory).filter(
    (name) => name.startsWith(`${work.name}-`) && name.endsWith(`-${rounds}`),
  )) {
    const latest = readdirSync(join(directory, each)).sort().at(-1);
    if (latest !== undefined)
      note(`${each}\n${formatProfile(join(directory, each, latest), pace.durationMs, 16)}\n`);
  }
}

function note(text: string): void {
  if (flags.json) process.stderr.write(`${text}\n`);
  else console.log(text);
}
