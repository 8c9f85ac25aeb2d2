// The cached tasks of turbo.json know all that they read: without that, a run that should fail
// would be taken from the cache. Asks turbo for its plan; runs no task.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative, resolve } from "node:path";
import process from "node:process";
import { describe, it } from "vitest";

interface Task {
  readonly taskId: string;
  /** Paths from the package's directory. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly dependencies: readonly string[];
}

const root = resolve(import.meta.dirname, "..");
const tasks = planTasks();
const packages = globSync("packages/*", { cwd: root }).map((path) => path.replaceAll("\\", "/"));

function planTasks(): ReadonlyMap<string, Task> {
  const args = ["run", "test:unit", "test:docs", "lint", "lint:root", "--dry=json"];
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, "node_modules/turbo/bin/turbo"), ...args],
    {
      cwd: root,
      encoding: "utf8",
      timeout: 60_000,
      env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1" },
    },
  );
  if (stdout === "") throw new Error(`turbo printed no plan: ${stderr}`);
  const { tasks } = JSON.parse(stdout) as { readonly tasks: readonly Task[] };
  return new Map(tasks.map((task) => [task.taskId, task]));
}

/** The files that a task's cache depends on, from the root, its dependencies' among them. */
function filesOf(taskId: string, directory: string): Set<string> {
  const task = tasks.get(taskId);
  if (task === undefined) throw new Error(`turbo plans no ${taskId}`);
  const own = Object.keys(task.inputs).map((path) => posix.join(directory, path));
  const others = task.dependencies.flatMap((id) => [
    ...filesOf(id, `packages/${id.replace(/^@hawser\/|#.*$/g, "")}`),
  ]);
  return new Set([...own, ...others]);
}

describe("turbo", () => {
  for (const directory of packages) {
    const name = directory.slice("packages/".length);
    const tests = globSync(`${directory}/test/**/*.ts`, { cwd: root });

    it(`${name}'s unit tests run again when a package that they import changes`, () => {
      const files = filesOf(`@hawser/${name}#test:unit`, directory);
      for (const test of tests) {
        for (const [, imported = ""] of readFileSync(join(root, test), "utf8").matchAll(
          /^(?:import|export|\}) .*from "@hawser\/([a-z]+)/gm,
        ))
          assert(files.has(`packages/${imported}/src/mod.ts`), `${test} imports ${imported}`);
      }
    });

    it(`${name}'s unit tests run again when a file that they read changes`, () => {
      const files = filesOf(`@hawser/${name}#test:unit`, directory);
      for (const test of tests) {
        for (const [, path = ""] of readFileSync(join(root, test), "utf8").matchAll(
          /["'`]((?:\.\.\/){2,}[^"'`$]*)/g,
        )) {
          const read = relative(root, resolve(root, dirname(test), path)).replaceAll("\\", "/");
          if (read === "" || read.includes("node_modules")) continue;
          const isInput = [...files].some((file) => file === read || file.startsWith(`${read}/`));
          assert(isInput, `${test} reads ${read}`);
        }
      }
    });

    it(`${name}'s tests are no reason to run those of its dependants again`, () => {
      const inputs = Object.keys(tasks.get(`@hawser/${name}#source`)?.inputs ?? {});
      assert(inputs.includes("src/mod.ts"));
      assert.deepEqual(
        inputs.filter((path) => path.startsWith("test/")),
        [],
      );
    });
  }

  it("lint runs again when a package that it takes types from changes", () => {
    const files = filesOf("@hawser/server#lint", "packages/server");
    for (const path of ["packages/protocol/src/mod.ts", "eslint.config.js", "tsconfig.base.json"])
      assert(files.has(path), path);
  });

  it("the root depends on no package by workspace:, which makes its tests an input of all", () => {
    const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      devDependencies: Record<string, string>;
    };
    for (const [name, version] of Object.entries(devDependencies))
      assert(!version.startsWith("workspace:"), `${name}: use link:`);
  });
});
