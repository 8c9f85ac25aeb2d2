// After `changeset version`: copies each public package's version from package.json, which
// changesets owns, to deno.json.

import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");

for (const manifest of globSync("packages/*/package.json", { cwd: root }).sort()) {
  const { name, version } = JSON.parse(readFileSync(join(root, manifest), "utf8")) as {
    name: string;
    version: string;
  };
  const path = join(root, manifest.replace(/package\.json$/, "deno.json"));
  const text = readFileSync(path, "utf8");
  const synced = text.replace(/("version":\s*)"[^"]*"/, `$1"${version}"`);
  if (!synced.includes(`"version": "${version}"`))
    throw new Error(`${name}: its deno.json has no "version" to set`);
  if (synced !== text) writeFileSync(path, synced);
  console.log(`${name} ${version}`);
}
