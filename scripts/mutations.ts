/**
 * `node scripts/mutations.ts [TEXT]`: whether the vectors find faults. Plants one fault after the
 * other (mutants.ts) in a copy of the engine, runs the conformance program on it, and plays the
 * vectors against it, as a server, then as a client, until one fails. Exit code 1 says that a fault
 * was not found, or that its place is not there any more. TEXT: only faults whose description has
 * it.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import process from "node:process";
import { kept } from "../conformance/pending-rules.ts";
import { readVectors, runSuite } from "../conformance/runner/suite.ts";
import { ClientTarget, serverAt } from "../conformance/runner/target.ts";
import { type Mutant, mutants } from "./mutants.ts";

const root = resolve(import.meta.dirname, "..");
const options = { waitMs: 2_500, cut: 0, parallel: 4, bail: true } as const;
const vectors = kept(readVectors());

/** A copy of what the conformance program needs, with the same links between packages. */
function copyEngine(): string {
  const copy = mkdtempSync(join(tmpdir(), "hawser-mutations-"));
  const filter = (path: string): boolean =>
    !["dist", "test", "coverage", ".turbo"].includes(basename(path));
  for (const directory of ["packages", "conformance"])
    cpSync(join(root, directory), join(copy, directory), {
      recursive: true,
      verbatimSymlinks: true,
      filter,
    });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"), "dir");
  return copy;
}

/** The conformance program of a copy. */
async function withPeer<T>(
  copy: string,
  role: readonly string[],
  use: (said: string) => Promise<T>,
): Promise<T> {
  const child = spawn(process.execPath, [join(copy, "conformance/peer.ts"), ...role], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  try {
    const said =
      role[0] === "client"
        ? ""
        : await new Promise<string>((resolveSaid, reject) => {
            let text = "";
            child.stdout.setEncoding("utf8").on("data", (data: string) => {
              text += data;
              if (text.includes("\n")) resolveSaid(text);
            });
            child.once("exit", (code) => {
              reject(
                new Error(`the conformance program ended with ${String(code)} before it listened`),
              );
            });
          });
    return await use(said);
  } finally {
    child.kill("SIGKILL");
  }
}

/** The first vector that fails, or null. */
async function firstFailure(copy: string): Promise<string | null> {
  const asServer = await withPeer(copy, ["server"], async (said) => {
    const results = await runSuite(
      vectors,
      serverAt("127.0.0.1", Number(/(\d+)\s*$/.exec(said)?.[1])),
      options,
    );
    return results.find(({ passed }) => !passed)?.vector.name ?? null;
  });
  if (asServer !== null) return `server: ${asServer}`;
  const target = await ClientTarget.listen("127.0.0.1", 0, options.waitMs);
  try {
    return await withPeer(copy, ["client", String(target.port)], async () => {
      const results = await runSuite(vectors, target, options);
      const failed = results.find(({ passed }) => !passed)?.vector.name;
      return failed === undefined ? null : `client: ${failed}`;
    });
  } finally {
    await target.close();
  }
}

/**
 * Plant a fault; returns what takes it out again, or null where its place is not there, or there
 * twice.
 */
function plant(copy: string, { file, find, replace }: Mutant): (() => void) | null {
  const path = join(copy, "packages", file);
  const text = readFileSync(path, "utf8");
  if (text.split(find).length !== 2) return null;
  writeFileSync(
    path,
    text.replace(find, () => replace),
  );
  return () => {
    writeFileSync(path, text);
  };
}

const only = process.argv[2] ?? "";
const chosen = mutants.filter(({ what }) => what.includes(only));
const copy = copyEngine();
try {
  const sound = await firstFailure(copy);
  if (sound !== null) throw new Error(`a vector fails without a fault: ${sound}`);
  let found = 0;
  for (const mutant of chosen) {
    const takeOut = plant(copy, mutant);
    const failed = takeOut === null ? null : await firstFailure(copy);
    takeOut?.();
    if (failed !== null) found++;
    console.log(
      takeOut === null
        ? `NO PLACE   ${mutant.what}: the text in ${mutant.file} is not there once`
        : failed === null
          ? `NOT FOUND  ${mutant.what}`
          : `found      ${mutant.what}: ${failed}`,
    );
  }
  console.log(`${String(chosen.length)} faults, ${String(found)} found`);
  process.exitCode = found === chosen.length ? 0 : 1;
} finally {
  rmSync(copy, { recursive: true, force: true });
}
