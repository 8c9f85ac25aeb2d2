/**
 * `pnpm bench:sessions`: typed sessions end to end, client and server each a program on its own
 * core, next to what else people call with. Owns the command line; rounds.ts orders the
 * measurements, sessions/measure.ts makes them, sessions/report.ts prints them.
 */
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { pinned } from "./children.ts";
import type { Pace } from "./measure.ts";
import { formatProfile } from "./profile.ts";
import { count } from "./report.ts";
import { inRounds, measurementsOf } from "./rounds.ts";
import { measureSession } from "./sessions/measure.ts";
import { formatSessionWork, type SessionRow } from "./sessions/report.ts";
import { type SessionSystem, sessionSystems } from "./sessions/systems.ts";
import { type SessionWork, sessionWorks } from "./sessions/works.ts";
import {
  countOf,
  describeMachine,
  listing,
  numberOf,
  systemsNamed,
  usage,
  worksNamed,
} from "./terminal.ts";

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

const rounds = countOf("rounds", flags.rounds, 100);
const seconds = numberOf("seconds", flags.seconds, 0.1, 60);
const warmup = numberOf("warmup", flags.warmup, 0.1, 60);
const attempts = countOf(
  "attempts",
  flags.attempts ?? (flags.profile === undefined ? "3" : "1"),
  20,
);
const pace: Pace = {
  warmupMs: warmup * 1_000,
  durationMs: seconds * 1_000,
  attempts,
  profileDir: flags.profile ?? null,
};

const plan = worksNamed(sessionWorks, flags.only)
  .map((work) => ({ work, systems: systemsFor(work) }))
  .filter(({ systems }) => systems.length > 0);
if (plan.length === 0) usage("no work is left; see --help for the names");

const total = measurementsOf(plan, rounds);
const machine = describeMachine("client");
note(
  `${total} measurements in ${rounds} round${rounds === 1 ? "" : "s"}, about ` +
    `${Math.ceil((total * (seconds + warmup + 0.6)) / 60)} min; ${machine}\n`,
);

const results: { work: SessionWork; rows: SessionRow[] }[] = [];
const measured = inRounds(
  plan,
  rounds,
  (work, system, round) =>
    measureSession(system, work, { ...pace, profileDir: profileDirOf(work, system, round) }),
  ({ counts }, sample) => `${count(sample["rate"] ?? NaN)} ${counts}/s`,
);
for await (const { work, rows } of measured) {
  results.push({ work, rows });
  if (!flags.json) console.log(formatSessionWork(work, rows));
  for (const { system, failure } of rows) if (failure === null) printProfiles(work, system);
}
if (flags.json) console.log(JSON.stringify({ machine, pinned, rounds, seconds, results }, null, 1));
process.exit();

function systemsFor(work: SessionWork): SessionSystem[] {
  const chosen = systemsNamed(sessionSystems, flags.systems?.split(",") ?? work.systems, true);
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
    if (latest !== undefined)
      note(
        `${work.name}, ${system.name}: ` +
          `${side}\n${formatProfile(join(directory, side, latest), pace.durationMs, 32)}\n`,
      );
  }
}

function note(text: string): void {
  if (flags.json) process.stderr.write(`${text}\n`);
  else console.log(text);
}
