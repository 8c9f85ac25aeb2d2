// Writes conformance/vectors/*.json from their sources. `--check` says whether they are out of
// date, and writes nothing.

import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { files } from "../conformance/vectors/source/files.ts";

const root = resolve(import.meta.dirname, "../conformance/vectors");

for (const [name, about, vectors] of files) {
  const lines = vectors.all.map((vector) => `    ${JSON.stringify(vector)}`);
  const text =
    `{\n  "format": "hawser-vectors/1",\n  "about": ${JSON.stringify(about)},\n  "vectors": ` +
    `[\n${lines.join(",\n")}\n  ]\n}\n`;
  const path = `${root}/${name}.json`;
  if (!process.argv.includes("--check")) writeFileSync(path, text);
  else if (readFileSync(path, "utf8") !== text) {
    console.error(`${path} is out of date: run node scripts/vectors.ts`);
    process.exitCode = 1;
  }
}
console.log(`${files.reduce((sum, [, , { all }]) => sum + all.length, 0)} vectors`);
