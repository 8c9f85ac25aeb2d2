/**
 * The medians as an SVG: one group of bars for each work, with the spread of the rounds as a line.
 */
import { count, criterion, type Row } from "./report.ts";
import { figureOf } from "./statistics.ts";
import type { Work } from "./works.ts";

const labelWidth = 190;
const barWidth = 560;
const rowHeight = 20;
const titleHeight = 46;
const width = labelWidth + barWidth + 190;

/** A document of its own, with a description for each bar. */
export function plot(
  results: readonly { readonly work: Work; readonly rows: readonly Row[] }[],
  caption: string,
): string {
  let top = 30;
  const groups = results.map(({ work, rows }) => {
    const { key, name, moreIsBetter } = criterion(work.kind);
    const bars = rows.flatMap(({ system, rounds }) => {
      const figure = figureOf(rounds, key);
      return figure === null ? [] : [{ name: system.name, figure }];
    });
    const longest = Math.max(...bars.map(({ figure }) => figure.max));
    const scale = (value: number): number => Math.max(1, (Math.max(0, value) / longest) * barWidth);
    const body = bars.map(({ name: system, figure }, index) => {
      const y = titleHeight + index * rowHeight;
      const middle = y + rowHeight / 2 - 2;
      const text = count(figure.median);
      return [
        `<g><title>${system}: ${text} ${name} (${count(figure.min)} to ` +
          `${count(figure.max)})</title>`,
        `<text x="${labelWidth - 8}" y="${y + 12}" text-anchor="end">${system}</text>`,
        `<rect class="${system.startsWith("hawser") ? "own" : "other"}" x="${labelWidth}" ` +
          `y="${y}" width="${scale(figure.median).toFixed(1)}" height="${rowHeight - 4}"/>`,
        `<path d="M${(labelWidth + scale(figure.min)).toFixed(1)} ` +
          `${middle}H${(labelWidth + scale(figure.max)).toFixed(1)}"/>`,
        `<text x="${(labelWidth + scale(figure.max) + 8).toFixed(1)}" ` +
          `y="${y + 12}">${text}</text></g>`,
      ].join("");
    });
    const group =
      `<g transform="translate(0 ${top})"><text class="title" x="12" ` +
      `y="18">${work.title}</text><text class="unit" x="12" y="36">${name}, ` +
      `${moreIsBetter ? "more" : "less"} is better</text>${body.join("\n")}</g>`;
    top += titleHeight + bars.length * rowHeight + 24;
    return group;
  });
  const style =
    "text{font:12px " +
    "sans-serif;fill:#222}.title{font-weight:bold;font-size:14px}.unit{fill:#666}.own{fill:#0b6e99}.other{fill:#b8c4cc}path{stroke:#222;stroke-width:1.5}";
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${top}" viewBox="0 0 ` +
    `${width} ${top}" role="img"><style>${style}</style><rect width="100%" height="100%" ` +
    `fill="#fff"/><text class="unit" x="12" ` +
    `y="20">${caption}</text>\n${groups.join("\n")}\n</svg>\n`
  );
}
