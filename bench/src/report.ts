/**
 * What is printed: a table per work, and how Hawser stands to each of the others.
 */
import { type Figure, figureOf, ratio } from "./statistics.ts";
import type { SystemRow } from "./rounds.ts";
import type { Kind, System } from "./systems.ts";
import type { Work } from "./works.ts";

export type Row = SystemRow<System>;

/** A figure of the table: its name in the samples, and how it is written. */
export interface Column {
  readonly head: string;
  readonly key: string;
  readonly format: (value: number) => string;
  readonly spread?: true;
}

const rateColumns: readonly Column[] = [
  { head: "CPU ns/msg", key: "cpuNs", format: count, spread: true },
  { head: "p50 us", key: "p50", format: count },
  { head: "p99 us", key: "p99", format: count },
  { head: "p99.9 us", key: "p999", format: count },
  { head: "RSS MB", key: "memoryMb", format: count },
  { head: "server CPU", key: "serverShare", format: percent },
  { head: "load CPU", key: "loadShare", format: percent },
  { head: "others", key: "othersShare", format: percent },
];

const columns: Readonly<Record<Kind, readonly Column[]>> = {
  echo: [{ head: "messages/s", key: "rate", format: count, spread: true }, ...rateColumns],
  broadcast: [{ head: "deliveries/s", key: "rate", format: count, spread: true }, ...rateColumns],
  churn: [{ head: "connections/s", key: "rate", format: count, spread: true }, ...rateColumns],
  slow: [
    { head: "messages/s", key: "rate", format: count, spread: true },
    ...rateColumns,
    { head: "p99 us without", key: "p99Without", format: count },
    {
      head: "p99 with/without",
      key: "p99Ratio",
      format: (value) => value.toFixed(2),
      spread: true,
    },
  ],
  redis: [{ head: "requests/s", key: "rate", format: count, spread: true }, ...rateColumns],
  idle: [
    { head: "KB/connection", key: "kbEach", format: (value) => value.toFixed(2), spread: true },
    { head: "before gc", key: "kbEachUncollected", format: (value) => value.toFixed(2) },
    { head: "empty MB", key: "baseMb", format: count },
    { head: "full MB", key: "memoryMb", format: count },
  ],
};

/** What a work's systems are compared by, and whether more of it is better. */
export function criterion(kind: Kind): {
  readonly key: string;
  readonly name: string;
  readonly moreIsBetter: boolean;
} {
  if (kind === "idle") return { key: "kbEach", name: "KB per connection", moreIsBetter: false };
  return { key: "rate", name: columns[kind][0]?.head ?? "", moreIsBetter: true };
}

export function formatWork(work: Work, rows: readonly Row[]): string {
  const { key } = criterion(work.kind);
  const hawser = rows.find(({ system }) => system.name === "hawser-bytes");
  const table = [
    [
      "system",
      ...columns[work.kind].map(({ head }) => head),
      ...(hawser === undefined ? [] : ["÷ hawser-bytes"]),
    ],
    ...rows.map((row) =>
      row.failure === null
        ? [
            row.system.name,
            ...columns[work.kind].map((column) =>
              cell(figureOf(row.rounds, column.key), column.format, column.spread),
            ),
            ...(hawser === undefined
              ? []
              : [cell(ratio(row.rounds, hawser.rounds, key), times, true)]),
          ]
        : [row.system.name, `failed: ${row.failure}`],
    ),
  ];
  const compared = formatComparison(work, rows);
  return `${work.name}: ${work.title}\n${align(table)}\n${compared === "" ? "" : `\n${compared}\n`}`;
}

/**
 * Hawser's figure over each other system's, and the same by CPU: theirs over Hawser's, so that
 * above 1 is better for Hawser in both.
 */
function formatComparison(work: Work, rows: readonly Row[]): string {
  const hawsers = rows.filter(
    ({ system, failure }) => system.name.startsWith("hawser-") && failure === null,
  );
  const others = rows.filter(
    ({ system, failure }) => !system.name.startsWith("hawser-") && failure === null,
  );
  if (hawsers.length === 0 || others.length === 0) return "";
  const { key, name } = criterion(work.kind);
  const byCpu = work.kind !== "idle";
  return align([
    [
      `${name}: Hawser ÷ theirs${byCpu ? " | by CPU: theirs ÷ Hawser" : ""}`,
      ...hawsers.map(({ system }) => system.name),
    ],
    ...others.map((other) => [
      other.system.name,
      ...hawsers.map((hawser) => {
        const byRate = cell(ratio(hawser.rounds, other.rounds, key), times, true);
        return byCpu
          ? `${byRate} | ${cell(ratio(other.rounds, hawser.rounds, "cpuNs"), times)}`
          : byRate;
      }),
    ]),
  ]);
}

export function cell(
  figure: Figure | null,
  format: (value: number) => string,
  spread = false,
): string {
  if (figure === null) return "-";
  const range =
    spread && figure.min !== figure.max ? ` (${format(figure.min)}..${format(figure.max)})` : "";
  return format(figure.median) + range;
}

/** Three digits that count, with k and M. */
export function count(value: number): string {
  if (value >= 999_500) return `${digits(value / 1e6)}M`;
  if (value >= 9_999.5) return `${digits(value / 1e3)}k`;
  return value >= 100 ? value.toFixed(0) : digits(value);
}

function digits(value: number): string {
  return value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

export function times(value: number): string {
  return digits(value);
}

export function percent(value: number): string {
  return `${(value * 100).toFixed(0)} %`;
}

export function align(table: readonly (readonly string[])[]): string {
  const full = table.filter(({ length }) => length === table[0]?.length);
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...full.map((row) => row[column]?.length ?? 0)),
  );
  return table
    .map((row) =>
      row
        .map((text, column) =>
          column === 0 || row.length === 2
            ? text.padEnd(widths[column] ?? 0)
            : text.padStart(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .map((text) => `  ${text}`)
    .join("\n");
}
