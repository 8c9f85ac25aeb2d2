/**
 * The C programs, compiled when they are first used, into a directory that git ignores. Without a
 * compiler there are none.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

const builds = join(import.meta.dirname, "..", "node_modules", ".cache", "native");

/** The executable made of native/NAME.c, or null where `cc` is missing or fails. */
export function compiled(name: string): string | null {
  const source = join(import.meta.dirname, "native", `${name}.c`);
  const hash = createHash("sha256").update(readFileSync(source)).digest("hex").slice(0, 12);
  const target = join(builds, `${name}-${hash}`);
  if (existsSync(target)) return target;
  mkdirSync(builds, { recursive: true });
  const unfinished = `${target}.${process.pid}`;
  const { status, error, stderr } = spawnSync("cc", ["-O2", "-o", unfinished, source], {
    encoding: "utf8",
  });
  if (status !== 0) {
    console.error(`cc can't compile ${name}.c (${error?.message ?? stderr.split("\n")[0] ?? ""})`);
    return null;
  }
  renameSync(unfinished, target);
  return target;
}
