// Comparing what came with a pattern of a vector, and the variables of a vector.

import type { Json, Members } from "./vector.ts";

/** What a vector's variables stand for. */
export class Variables {
  readonly #values = new Map<string, Json>();

  set(name: string, value: Json): void {
    this.#values.set(name, value);
  }

  get(name: string): Json {
    const value = this.#values.get(name);
    if (value === undefined)
      throw new Error(`The vector uses ${JSON.stringify(name)}, which is not set`);
    return value;
  }

  /** A value with `${name}` in its texts, and `{$get: name}`, replaced. */
  fill<T extends Json>(value: T): T {
    // texts stay texts; what stands for $get is the vector's own doing
    return this.#fill(value) as T;
  }

  #fill(value: Json): Json {
    if (typeof value === "string")
      return value.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => asText(this.get(name)));
    if (isList(value)) return value.map((one) => this.#fill(one));
    if (typeof value !== "object" || value === null) return value;
    if (typeof value["$get"] === "string") return this.get(value["$get"]);
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [name, this.#fill(member)]),
    );
  }
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

/**
 * Why a value does not match a pattern, or null. Objects may have more members than the pattern;
 * lists may not.
 */
export function mismatch(
  pattern: Json,
  value: Json | undefined,
  variables: Variables,
  where = "",
): string | null {
  const at = where === "" ? "it" : where;
  if (typeof pattern === "object" && pattern !== null && !isList(pattern)) {
    const [wildcard] = Object.keys(pattern);
    if (wildcard?.startsWith("$") === true) return wild(pattern, wildcard, value, variables, at);
    if (typeof value !== "object" || value === null || isList(value))
      return `${at} is ${show(value)}, not an object`;
    for (const [name, member] of Object.entries(pattern)) {
      const found = mismatch(
        member,
        value[name],
        variables,
        where === "" ? name : `${where}.${name}`,
      );
      if (found !== null) return found;
    }
    return null;
  }
  if (isList(pattern)) {
    if (value === undefined || !isList(value)) return `${at} is ${show(value)}, not a list`;
    if (value.length !== pattern.length)
      return `${at} is ${show(value)}, not a list of ${pattern.length}`;
    for (const [index, member] of pattern.entries()) {
      const found = mismatch(member, value[index], variables, `${where}[${index}]`);
      if (found !== null) return found;
    }
    return null;
  }
  const wanted = typeof pattern === "string" ? variables.fill(pattern) : pattern;
  return wanted === value ? null : `${at} is ${show(value)}, not ${show(wanted)}`;
}

function wild(
  pattern: Members,
  wildcard: string,
  value: Json | undefined,
  variables: Variables,
  at: string,
): string | null {
  const operand = pattern[wildcard] ?? null;
  const word = asText(operand);
  switch (wildcard) {
    case "$any":
      return value === undefined ? `${at} is missing` : null;
    case "$absent":
      return value === undefined ? null : `${at} is ${show(value)}, and should not be there`;
    case "$type":
      return typeOf(value) === operand ? null : `${at} is ${show(value)}, not a ${word}`;
    case "$matches":
      return typeof value === "string" && new RegExp(word, "u").test(value)
        ? null
        : `${at} is ${show(value)}, and does not match ${word}`;
    case "$set":
      if (value === undefined) return `${at} is missing`;
      variables.set(word, value);
      return null;
    case "$get":
      return mismatch(variables.get(word), value, variables, at);
    case "$not":
      return mismatch(operand, value, variables, at) === null
        ? `${at} is ${show(value)}, and should not be`
        : null;
    default:
      throw new Error(`There is no wildcard ${wildcard}`);
  }
}

/** A text as it is, and everything else as JSON. */
export function asText(value: Json | undefined): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}

function typeOf(value: Json | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (typeof value === "string") return "text";
  return isList(value) ? "list" : typeof value;
}

function show(value: Json | undefined): string {
  if (value === undefined) return "missing";
  const text = JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
