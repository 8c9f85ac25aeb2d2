/**
 * `pnpm bench:framings`: decoders alone, without sockets: GB/s, messages/s and ns per message, next
 * to the peers and to C. Owns the order of the runs and the tables; decoders.ts has the decoders,
 * framing-run.ts runs one.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { type Child, linesOf, runtimes, start, stop } from "./children.ts";
import { type Decoder, decoders } from "./decoders.ts";
import { compiled } from "./native.ts";
import { align, count } from "./report.ts";
import { figureOf, ratio } from "./statistics.ts";
import type { Sample } from "./rounds.ts";
import { join } from "node:path";

const help = `Usage: node bench/src/framings.ts [--rounds N] [--only TEXT] [--json]

Decodes streams of frames of 32 B, 64 B (length-prefixed), 1 KiB and 64 KiB, in chunks of 64 KiB, with each decoder in a
process of its own, in turn. --only TEXT takes the decoders whose name or group contains it, and Hawser's of that group.
`;
const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    only: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (flags.help) {
  console.log(help);
  process.exit();
}
const rounds = Number(flags.rounds);
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) {
  console.error("Cannot run: --rounds is a whole number from 1 to 100");
  process.exit(2);
}

const times = { warmupMs: 250, durationMs: 300 };
const limit = compiled("framings");
const groups = [...new Set(decoders.map(({ group }) => group))];
const plan = groups.flatMap((group) => {
  const sizes = group === "length-prefixed" ? [32, 64, 1_024, 65_536] : [32, 1_024, 65_536];
  const chosen = decoders.filter(
    (each) => each.group === group && (each.run !== null || limit !== null) && isWanted(each),
  );
  return chosen.length === 0 ? [] : sizes.map((size) => ({ group, size, chosen }));
});

const results: {
  group: string;
  size: number;
  decoder: string;
  gives: string;
  rounds: (Sample | null)[];
}[] = [];
for (const { group, size, chosen } of plan) {
  const samples = chosen.map(() => [] as (Sample | null)[]);
  const failures: string[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const [index, decoder] of chosen.entries()) {
      if (process.stderr.isTTY)
        process.stderr.write(`\r\x1b[K${group}, ${size} B, round ${round + 1}: ${decoder.name}`);
      try {
        samples[index]?.push(await decode(decoder, size));
      } catch (error) {
        samples[index]?.push(null);
        failures.push(`${decoder.name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  results.push(
    ...chosen.map((decoder, index) => ({
      group,
      size,
      decoder: decoder.name,
      gives: decoder.gives,
      rounds: samples[index] ?? [],
    })),
  );
  if (!flags.json)
    console.log(
      `${group}, ` +
        `${size < 1_024 ? `${size} B` : `${size / 1_024} KiB`}\n${table(chosen, samples)}\n${failures.map((each) => `  failed: ${each}\n`).join("")}`,
    );
}
if (flags.json) console.log(JSON.stringify(results, null, 1));
process.exit();

function isWanted({ name, group }: Decoder): boolean {
  const { only } = flags;
  return (
    only === undefined ||
    name.includes(only) ||
    group.includes(only) ||
    (name.startsWith("hawser") &&
      decoders.some((each) => each.group === group && each.name.includes(only)))
  );
}

async function decode(decoder: Decoder, size: number): Promise<Sample> {
  const streamBytes = (size <= 64 ? 4 : size <= 1_024 ? 16 : 32) << 20;
  const numbers = [size, streamBytes, times.warmupMs, times.durationMs].map(String);
  const child: Child =
    decoder.run === null
      ? start(1, limit ?? "", [decoder.form, ...numbers])
      : start(1, runtimes.node, [
          join(import.meta.dirname, "framing-run.ts"),
          decoder.name,
          ...numbers,
        ]);
  try {
    const { messages, bytes, ns } = JSON.parse(await linesOf(child)()) as {
      messages: number;
      bytes: number;
      ns: number;
    }; // our own programs wrote it
    return { bytesPerSecond: (bytes / ns) * 1e9, rate: (messages / ns) * 1e9, ns: ns / messages };
  } finally {
    await stop(child);
  }
}

/**
 * The columns on the right hold how often as many messages Hawser's decoder decodes in the same
 * time, one for each of Hawser's.
 */
function table(chosen: readonly Decoder[], samples: readonly (Sample | null)[][]): string {
  const hawsers = chosen.flatMap(({ name }, index) =>
    name.startsWith("hawser") ? [{ name, rounds: samples[index] ?? [] }] : [],
  );
  return align([
    [
      "decoder",
      "gives",
      "GB/s",
      "messages/s",
      "ns/message",
      ...hawsers.map(({ name }) => `${name} ÷ it`),
    ],
    ...chosen.map(({ name, gives }, index) => {
      const own = samples[index] ?? [];
      const spread = figureOf(own, "ns");
      return [
        name,
        gives,
        ((figureOf(own, "bytesPerSecond")?.median ?? NaN) / 1e9).toFixed(3),
        count(figureOf(own, "rate")?.median ?? NaN),
        spread === null
          ? "-"
          : `${count(spread.median)} (${count(spread.min)}..${count(spread.max)})`,
        ...hawsers.map((hawser) => (ratio(hawser.rounds, own, "rate")?.median ?? NaN).toFixed(2)),
      ];
    }),
  ]);
}
