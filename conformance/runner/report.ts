// What the runner says at the end: by rule, and what failed with what was expected and what came.

import type { Result } from "./run.ts";
import type { Vector } from "./vector.ts";

/** What became of one rule's vectors. */
export interface RuleReport {
  readonly rule: string;
  readonly passed: number;
  readonly failed: number;
}

export interface Report {
  readonly role: "client" | "server";
  readonly passed: number;
  readonly failed: number;
  readonly rules: readonly RuleReport[];
  /** Rules that no vector of this role covers. */
  readonly notCovered: readonly string[];
  readonly failures: readonly {
    readonly name: string;
    readonly rules: readonly string[];
    readonly fault: string;
    readonly seen: readonly string[];
  }[];
}

/** Sum results up. `all` are the rules that vectors of either role name. */
export function makeReport(
  role: "client" | "server",
  results: readonly Result[],
  all: readonly string[],
): Report {
  const rules = new Map<string, { passed: number; failed: number }>();
  for (const { vector, passed } of results) {
    for (const rule of vector.rules) {
      const sums = rules.get(rule) ?? { passed: 0, failed: 0 };
      sums[passed ? "passed" : "failed"]++;
      rules.set(rule, sums);
    }
  }
  const failures = results.filter(({ passed }) => !passed);
  return {
    role,
    passed: results.length - failures.length,
    failed: failures.length,
    rules: [...rules]
      .map(([rule, sums]) => ({ rule, ...sums }))
      .sort((one, other) => compareRules(one.rule, other.rule)),
    notCovered: all.filter((rule) => !rules.has(rule)),
    failures: failures.map(({ vector, fault, seen }) => ({
      name: vector.name,
      rules: vector.rules,
      fault,
      seen,
    })),
  };
}

/** The rules that vectors name, in order. */
export function rulesOf(vectors: readonly Vector[]): string[] {
  return [...new Set(vectors.flatMap(({ rules }) => rules))].sort(compareRules);
}

/** `F-2` before `F-10`. */
export function compareRules(one: string, other: string): number {
  const [letter = "", number = ""] = one.split("-");
  const [otherLetter = "", otherNumber = ""] = other.split("-");
  return letter === otherLetter
    ? Number(number) - Number(otherNumber)
    : letter < otherLetter
      ? -1
      : 1;
}

/** The report for people. */
export function formatReport({
  role,
  passed,
  failed,
  rules,
  notCovered,
  failures,
}: Report): string {
  const lines: string[] = [];
  for (const { name, rules: cited, fault, seen } of failures) {
    lines.push(
      `FAILED ${name} (${cited.join(", ")})`,
      `  ${fault}`,
      ...seen.slice(-8).map((one) => `  came: ${one}`),
    );
  }
  lines.push(`rule     passed  failed   (the target is the ${role})`);
  for (const { rule, passed: well, failed: badly } of rules) {
    lines.push(`${rule.padEnd(9)}${String(well).padStart(6)}${String(badly).padStart(8)}`);
  }
  if (notCovered.length > 0) lines.push(`not covered in this role: ${notCovered.join(", ")}`);
  lines.push(`${passed} passed, ${failed} failed`);
  return lines.join("\n");
}
