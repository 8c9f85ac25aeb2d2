/**
 * Paths of local sockets: how long they may be, and the private directory of `pipe:` names. How a
 * path is taken and given back is claim.ts's.
 *
 * @module
 */
import { lstatSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { HawserError } from "@hawser/protocol";
import { systemCode } from "../errno.ts";

/** Bytes in `sun_path`, less the NUL: 107 on Linux, 103 on macOS and the BSDs. */
const MAX_PATH_BYTES = process.platform === "linux" ? 107 : 103;

/** True if a path names no file: an abstract socket, or a Windows pipe. */
export function isFileless(path: string): boolean {
  return path.startsWith("\0") || process.platform === "win32";
}

/**
 * Where `pipe:name` lives: a pipe on Windows, elsewhere a socket in a directory that is this user's
 * alone.
 */
export function pipePath(name: string): string {
  if (process.platform === "win32") return `\\\\.\\pipe\\${name}`;
  return join(privateDirectory(), `${name}.sock`);
}

/** True if the operating system takes a path of that length. */
export function fitsPath(path: string): boolean {
  return process.platform === "win32" || Buffer.byteLength(path) <= MAX_PATH_BYTES;
}

/**
 * Refuse a path that the operating system would cut off in silence, and on Windows one that is no
 * pipe's.
 *
 * @throws {HawserError} PATH_TOO_LONG, ADDRESS_UNAVAILABLE
 */
export function checkPath(path: string, action: string, platform: string = process.platform): void {
  if (platform === "win32" && !/^\\\\[.?]\\pipe\\/i.test(path)) {
    throw new HawserError(
      "ADDRESS_UNAVAILABLE",
      `Cannot ${action}: Windows has pipes in place of Unix sockets; use pipe:name on both ends`,
    );
  }
  if (fitsPath(path)) return;
  throw new HawserError(
    "PATH_TOO_LONG",
    `Cannot ${action}: the path has ${String(Buffer.byteLength(path))} bytes, the system takes ` +
      `at most ${String(MAX_PATH_BYTES)}; choose a shorter directory, or pipe:name`,
  );
}

/**
 * Make sure that the directory of a `pipe:` name is this user's alone: made with mode 0700 when
 * `create` is set.
 *
 * @throws {HawserError} PERMISSION_DENIED when somebody else could have put the socket there
 */
export function checkPrivateDirectory(path: string, action: string, create: boolean): void {
  if (process.platform === "win32") return;
  const directory = dirname(path);
  if (create) makeDirectory(directory);
  const stats = lstatSync(directory, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (stats.isDirectory() && stats.uid === process.getuid?.() && (stats.mode & 0o077) === 0) return;
  throw new HawserError(
    "PERMISSION_DENIED",
    `Cannot ${action}: ${directory} is not a directory of this user alone; remove it, or set ` +
      "its owner and its mode to 0700",
  );
}

/** What is there already is looked at by the caller, also when it is no directory. */
function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  }
}

function privateDirectory(): string {
  const runtime = process.env["XDG_RUNTIME_DIR"];
  return runtime === undefined || runtime === ""
    ? join(tmpdir(), `hawser-${String(process.getuid?.() ?? 0)}`)
    : join(runtime, "hawser");
}
