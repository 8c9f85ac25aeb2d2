/**
 * What `bench:sessions` prints: a table for each work, and how Hawser stands to each of the others.
 */
import { align, cell, type Column, count, percent, times } from "../report.ts";
import type { SystemRow } from "../rounds.ts";
import { figureOf, ratio } from "../statistics.ts";
import type { SessionSystem } from "./systems.ts";
import type { SessionWork } from "./works.ts";

export type SessionRow = SystemRow<SessionSystem>;

export function formatSessionWork(work: SessionWork, rows: readonly SessionRow[]): string {
  const columns = columnsOf(work);
  const table = [
    ["system", ...columns.map(({ head }) => head)],
    ...rows.map(({ system, rounds, failure }) =>
      failure === null
        ? [
            system.name,
            ...columns.map(({ key, format, spread }) =>
              cell(figureOf(rounds, key), format, spread),
            ),
          ]
        : [system.name, `failed: ${failure}`],
    ),
  ];
  const compared = formatComparison(work, rows);
  return `${work.name}: ${work.title}\n${align(table)}\n${compared === "" ? "" : `\n${compared}\n`}`;
}

function columnsOf({ by, counts }: SessionWork): Column[] {
  const latencies: Column[] = [
    { head: "p50 us", key: "p50", format: count, spread: true },
    { head: "p99 us", key: "p99", format: count, spread: true },
  ];
  return [
    { head: `${counts}/s`, key: "rate", format: count, spread: true },
    { head: "client CPU ns", key: "clientNs", format: count, spread: true },
    { head: "server CPU ns", key: "serverNs", format: count, spread: true },
    { head: `${counts}/s by CPU`, key: "boundRate", format: count },
    ...(by === "p50" ? latencies : []),
    { head: "server MB", key: "memoryMb", format: count },
    { head: "client CPU", key: "clientShare", format: percent },
    { head: "server CPU", key: "serverShare", format: percent },
    { head: "others", key: "othersShare", format: percent },
  ];
}

/** Above 1 is better for Hawser, in both. */
function formatComparison({ by, counts }: SessionWork, rows: readonly SessionRow[]): string {
  const hawsers = rows.filter(
    ({ system, failure }) => system.file === "hawser.ts" && failure === null,
  );
  const others = rows.filter(
    ({ system, failure }) => system.file !== "hawser.ts" && failure === null,
  );
  if (hawsers.length === 0 || others.length === 0) return "";
  const what = by === "p50" ? "p50: theirs ÷ Hawser" : `${counts}/s: Hawser ÷ theirs`;
  return align([
    [
      `${what} | by CPU of the slower side: theirs ÷ Hawser`,
      ...hawsers.map(({ system }) => system.name),
    ],
    ...others.map(({ system, rounds }) => [
      system.name,
      ...hawsers.map((hawser) => {
        const compared =
          by === "p50" ? ratio(rounds, hawser.rounds, "p50") : ratio(hawser.rounds, rounds, "rate");
        return (
          `${cell(compared, times, true)} | ` +
          cell(ratio(rounds, hawser.rounds, "slowerNs"), times)
        );
      }),
    ]),
  ]);
}
