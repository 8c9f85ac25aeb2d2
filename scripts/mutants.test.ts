// Each planted fault has its place in the engine as it stands: a change of that line changes the list.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { mutants } from "./mutants.ts";

const packages = resolve(import.meta.dirname, "../packages");

test.each(mutants)("the text of the fault is in $file once: $what", ({ file, find, replace }) => {
  const parts = readFileSync(join(packages, file), "utf8").split(find);
  expect([parts.length - 1, find === replace]).toEqual([1, false]);
});
