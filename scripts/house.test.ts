// Counts that only go down: what may not grow in packages/*/src and in the packages' entries.
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** The names that an entry exports; those that it passes on from another package are left out. */
function namesOf(entry: string): string[] {
  const lists = read(entry).matchAll(/^export (?:type )?\{([^}]*)\} from "(\.[^"]*)";$/gm);
  return [...lists]
    .flatMap(([, names = ""]) => names.split(",").map((name) => name.trim()))
    .filter((name) => name !== "");
}

describe("the house", () => {
  test("no line of packages/*/src is above 100 columns", () => {
    const long = globSync("packages/*/src/**/*.ts", { cwd: root }).flatMap((path) =>
      read(path)
        .split("\n")
        .flatMap((line, at) => (line.length > 100 ? [`${path}:${String(at + 1)}`] : [])),
    );
    expect(long).toEqual([]);
  });

  test.each([
    ["protocol", 90],
    ["server", 25],
    ["client", 25],
  ] as const)("the entry of %s has at most %d names of its own", (name, most) => {
    const names = namesOf(`packages/${name}/src/mod.ts`);
    expect(names.length).toBeGreaterThan(10);
    expect(names.length, names.join(" ")).toBeLessThanOrEqual(most);
  });
});
