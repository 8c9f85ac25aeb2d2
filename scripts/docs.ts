// Writes docs/errors.md and docs/limits.md from the tables in the code, and the table of states in
// PROTOCOL.md from its vectors, so that the pages can't say anything else.
//
//   node scripts/docs.ts           writes them
//   node scripts/docs.ts --check   exits with 1 when one is not what it would write

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { format, resolveConfig } from "prettier";
import {
  connectLimitTable,
  queueLimitTable,
  reconnectLimitTable,
} from "../packages/client/src/mod.ts";
import { errorTable } from "../packages/protocol/src/mod.ts";
import { frameLimitTable, type Limit, sessionLimitTable } from "../packages/protocol/src/engine.ts";
import {
  closeLimitTable,
  serverLimitTable,
  sessionServerLimitTable,
} from "../packages/server/src/mod.ts";
import { timeLimitTable, writeBufferTable } from "../packages/transport/src/mod.ts";
import { pageRules } from "../conformance/page-rules.ts";
import { files } from "../conformance/vectors/source/files.ts";
import { stateKinds, type StateRow, stateRows } from "../conformance/vectors/source/states.ts";
import { memorySection } from "./memory-bounds.ts";

const root = resolve(import.meta.dirname, "..");
const isCheck = process.argv.includes("--check");

const page = readFileSync(join(root, "PROTOCOL.md"), "utf8");

const pages: Record<string, string> = {
  "conformance/vectors/README.md": between(
    readFileSync(join(root, "conformance/vectors/README.md"), "utf8"),
    "rules",
    rulesOfPage(),
  ),
  "PROTOCOL.md": between(page, "states", conversationStates()),
  "docs/errors.md": `# Errors

${generatedFrom("`errorTable` (packages/protocol/src/errors.ts)")}

Everything that goes wrong at run time is a \`HawserError\`. Match on its \`code\`, never on its
text. From the code follow:

- **origin**: who is at fault. \`local\`: this program; \`remote\`: the peer's bytes or behaviour;
  \`transport\`: what lies between.
- **scope**: what it ends. \`conversation\`: one message or exchange, the connection goes on;
  \`session\`: what both ends know of each other, with every
  conversation in it; \`connection\`: the connection.
- **retryable**: whether the same call may succeed later with nothing changed here.

Misuse by the caller (a value of the wrong type, an option out of its range) throws \`TypeError\` or
\`RangeError\` instead.

${table(
  ["code", "origin", "scope", "retryable", "what happened"],
  Object.entries(errorTable)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([code, { origin, scope, retryable, summary }]) => [
      `\`${code}\``,
      origin,
      scope,
      retryable ? "yes" : "no",
      summary,
    ]),
)}
`,
  "docs/limits.md": `# Limits

${generatedFrom("the limit tables beside the code that keeps them")}

Each limit is an option of \`createServer()\` or \`connect()\`. A value is checked once, when the
server or the connection is
made: the wrong type throws \`TypeError\`, a value out of its range \`RangeError\`. The codes in
brackets are those of
[errors.md](errors.md).

## A frame

Options of both; source: packages/protocol/src/limits.ts.

${limits(frameLimitTable)}

\`onOversize\`: \`"close"\` (default) ends the connection at a frame above the limit; \`"skip"\`
reports it, passes over it and goes on,
where the framing can find the next frame.

## A connection's time

Options of both; source: packages/transport/src/limits.ts.

${limits(timeLimitTable)}

## What waits to be sent

Options of both, inside \`writeBuffer: { … }\`; source: packages/transport/src/limits.ts.

${limits(writeBufferTable)}

## A server

Options of \`createServer()\`; source: packages/server/src/options.ts.

${limits(serverLimitTable)}

## Closing a server

Options of \`server.close()\`; source: packages/server/src/options.ts.

${limits(closeLimitTable)}

## Connecting

Options of \`connect()\`; source: packages/client/src/connect.ts.

${limits(connectLimitTable)}

## A session

Options of both ends of a contract; source: packages/protocol/src/session/limits.ts.

${limits(sessionLimitTable)}

## A server's sessions

Options of \`createServer()\` with a contract; source: packages/server/src/contract/options.ts.

${limits(sessionServerLimitTable)}

## Coming back

Options of \`connect()\` with a contract, inside \`reconnect: { … }\`; source:
packages/client/src/contract/options.ts.

${limits(reconnectLimitTable)}

## What waits while a client is away

Options of \`connect()\` with a contract, inside \`queue: { … }\`; source:
packages/client/src/contract/options.ts.

${limits(queueLimitTable)}

${memorySection(table)}`,
};

const style = { ...(await resolveConfig(join(root, "PROTOCOL.md"))), parser: "markdown" };

for (const [path, text] of Object.entries(pages)) {
  const file = join(root, path);
  const content = await format(text, style);
  if (!isCheck) {
    writeFileSync(file, content);
  } else if (!existsSync(file) || readFileSync(file, "utf8") !== content) {
    console.error(`${path} is not what the tables say; run: node scripts/docs.ts`);
    process.exitCode = 1;
  }
}

function generatedFrom(source: string): string {
  return (
    `<!-- Written by scripts/docs.ts. Change the table, not this page. -->\n\nGenerated from ` +
    `${source}.`
  );
}

function limits(rows: Readonly<Record<string, Limit>>): string {
  return table(
    ["option", "default", "unit", "least", "most", "why"],
    Object.entries(rows).map(([name, { default: value, unit, min, unlimited, reason }]) => [
      `\`${name}\``,
      grouped(value),
      unit,
      grouped(min),
      unlimited ? "`Infinity`: no limit" : "finite",
      reason,
    ]),
  );
}

/** With the digits in groups, as in code: 1_048_576. */
function grouped(value: number): string {
  return `\`${String(value).replace(/\B(?=(\d{3})+$)/g, "_")}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** A page with the text between its two comments of a name replaced. */
function between(page: string, name: string, text: string): string {
  const [start, end] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`];
  const [from, to] = [page.indexOf(start), page.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`a page has no ${start.trim()} … ${end}`);
  return `${page.slice(0, from + start.length)}\n${text}\n\n${page.slice(to)}`;
}

function rulesOfPage(): string {
  const all = files.flatMap(([, , { all: vectors }]) => vectors);
  const count = (name: string, target: string): string =>
    String(
      all.filter(
        (vector) =>
          vector.rules.includes(name) && (vector.target === "any" || vector.target === target),
      ).length,
    );
  return table(
    ["rule", "name", "vectors for a server", "for a client"],
    pageRules(page).map(({ section, number, name }) => [
      `${String(section)}.${String(number)}`,
      `\`${name}\``,
      count(name, "server"),
      count(name, "client"),
    ]),
  );
}

function conversationStates(): string {
  const rows = (isOpener: boolean): string[][] =>
    stateRows
      .filter((row) => row.isOpener === isOpener)
      .map((row: StateRow) => [row.name, ...stateKinds.map((kind) => row.cells[kind] ?? "")]);
  return `A frame from the opener, at the responder:

${table(["a frame that comes …", ...stateKinds], rows(false))}

A frame from the responder, at the opener, which is "the target":

${table(["a frame that comes …", ...stateKinds], rows(true))}`;
}
