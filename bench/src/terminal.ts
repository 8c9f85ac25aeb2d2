/**
 * What the two programs of the bench have in common at the terminal: their flags' values, progress,
 * and what is wrong with a flag.
 */
import { availableParallelism, cpus } from "node:os";
import process from "node:process";
import { pinned } from "./children.ts";

/**
 * Progress is for people at a terminal: on one line there, a line for each measurement elsewhere.
 */
export function progress(text: string, settled = false): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (settled) process.stderr.write(`${text}\n`);
}

/** A flag's number; ends the program when it is none. */
export function numberOf(flag: string, given: string, min: number, max: number): number {
  const value = Number(given);
  if (!(value >= min && value <= max)) usage(`--${flag} ${given}: it is from ${min} to ${max}`);
  return value;
}

/** A flag's whole number from 1 on; ends the program when it is none. */
export function countOf(flag: string, given: string, max: number): number {
  const value = numberOf(flag, given, 1, max);
  if (!Number.isInteger(value)) usage(`--${flag} ${given}: it is a whole number`);
  return value;
}

/** Works that `--only` names: whole, or by the beginning up to a "-". All where it is not given. */
export function worksNamed<W extends { readonly name: string }>(
  works: readonly W[],
  only: string | undefined,
): W[] {
  const wanted = only?.split(",");
  return works.filter(
    ({ name }) =>
      wanted === undefined || wanted.some((each) => name === each || name.startsWith(`${each}-`)),
  );
}

/**
 * Systems by their names, of which each may end with "*"; `isAsked`: the names are the user's, and
 * a wrong one ends the program.
 */
export function systemsNamed<S extends { readonly name: string }>(
  systems: readonly S[],
  names: readonly string[],
  isAsked: boolean,
): S[] {
  return names.flatMap((name) => {
    const found = systems.filter((each) =>
      name.endsWith("*") ? each.name.startsWith(name.slice(0, -1)) : each.name === name,
    );
    if (found.length === 0 && isAsked)
      usage(`no system is named ${JSON.stringify(name)}; see --help`);
    return found;
  });
}

/** Names and titles, a line for each. */
export function listing(
  named: readonly { readonly name: string; readonly title: string }[],
): string {
  return named.map(({ name, title }) => `  ${name.padEnd(24)}${title}`).join("\n");
}

/** What the figures were measured on; `other`: the program that is not the server. */
export function describeMachine(other: string): string {
  return (
    `node ${process.versions.node}, ${availableParallelism()} cores ` +
    `(${cpus()[0]?.model ?? "?"}), ` +
    (pinned ? `server on core 0, ${other} on core 1` : "not pinned")
  );
}

/** Say what is wrong with a flag, and end. */
export function usage(text: string): never {
  console.error(`Cannot run the bench: ${text}`);
  process.exit(2);
}
