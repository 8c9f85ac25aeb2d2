/**
 * Paths of local sockets: how long they may be, the private directory of `pipe:` names, and how a path is taken and given
 * back without ever removing somebody else's socket. The only file that touches the file system.
 *
 * @module
 */
import { chmodSync, existsSync, linkSync, lstatSync, mkdirSync, renameSync, rmSync, type Stats, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { HawserError } from "@hawser/protocol";

/** Bytes in `sun_path`, less the NUL: 107 on Linux, 103 on macOS and the BSDs. */
const MAX_PATH_BYTES = process.platform === "linux" ? 107 : 103;

/** Whether a path names no file: an abstract socket, or a Windows pipe. */
export function isFileless(path: string): boolean {
  return path.startsWith("\0") || process.platform === "win32";
}

/** Where `pipe:name` lives: a pipe on Windows, elsewhere a socket in a directory that is this user's alone. */
export function pipePath(name: string): string {
  if (process.platform === "win32") return `\\\\.\\pipe\\${name}`;
  return join(privateDirectory(), `${name}.sock`);
}

/**
 * Refuse a path that the operating system would cut off in silence.
 *
 * @throws {HawserError} PATH_TOO_LONG
 */
export function checkPath(path: string, action: string): void {
  const length = Buffer.byteLength(path);
  if (process.platform === "win32" || length <= MAX_PATH_BYTES) return;
  throw new HawserError(
    "PATH_TOO_LONG",
    `Cannot ${action}: the path has ${String(length)} bytes, the system takes at most ${String(MAX_PATH_BYTES)}; choose a shorter directory, or pipe:name`,
  );
}

/**
 * Make sure that the directory of a `pipe:` name is this user's alone: made with mode 0700 when `create` is set.
 *
 * @throws {HawserError} PERMISSION_DENIED when somebody else could have put the socket there
 */
export function checkPrivateDirectory(path: string, action: string, create: boolean): void {
  if (process.platform === "win32") return;
  const directory = dirname(path);
  if (create) mkdirSync(directory, { recursive: true, mode: 0o700 });
  const stats = lstatSync(directory, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (stats.isDirectory() && stats.uid === process.getuid?.() && (stats.mode & 0o077) === 0) return;
  throw new HawserError(
    "PERMISSION_DENIED",
    `Cannot ${action}: ${directory} is not a directory of this user alone; remove it, or set its owner and its mode to 0700`,
  );
}

/** A socket file that is this process's own. */
export interface OwnedPath {
  /** Remove the file, if it is still the one that was made. */
  release(): void;
}

/**
 * Bind a path so that nobody connects before its mode is set, and nobody's live socket is taken away.
 *
 * The socket is bound under a temporary name beside `path`, gets its mode, and is then linked to `path`, which fails when
 * something is there. A socket file that nobody answers on is stale, from a crash, and is replaced; anything else stays.
 *
 * @throws {HawserError} ADDRESS_IN_USE when another program listens there, or the path is not a socket
 * @throws {HawserError} PATH_NOT_FOUND when the directory does not exist
 */
export async function claimPath(
  path: string,
  mode: number,
  action: string,
  bind: (path: string) => Promise<void>,
  answers: (path: string) => Promise<boolean>,
): Promise<OwnedPath> {
  if (!existsSync(dirname(path))) {
    throw new HawserError("PATH_NOT_FOUND", `Cannot ${action}: the directory ${dirname(path)} does not exist; create it, or choose another path`);
  }
  const existing = lstatSync(path, { throwIfNoEntry: false });
  if (existing !== undefined) await checkStale(path, existing, action, answers);
  const temporary = join(dirname(path), temporaryName(basename(path)));
  await bind(temporary);
  try {
    chmodSync(temporary, mode);
    const own = lstatSync(temporary);
    await place(temporary, path, action, answers);
    return {
      release(): void {
        const now = lstatSync(path, { throwIfNoEntry: false });
        if (now !== undefined && isSameFile(now, own)) unlinkSync(path);
      },
    };
  } finally {
    rmSync(temporary, { force: true });
  }
}

async function place(temporary: string, path: string, action: string, answers: (path: string) => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      linkSync(temporary, path);
      return;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code; // node:fs throws nothing else
      if (code !== "EEXIST" && !existsSync(path)) {
        renameSync(temporary, path); // a file system without hard links
        return;
      }
    }
    const stale = lstatSync(path, { throwIfNoEntry: false });
    if (stale === undefined) continue;
    await checkStale(path, stale, action, answers);
    const now = lstatSync(path, { throwIfNoEntry: false });
    if (now !== undefined && isSameFile(now, stale)) unlinkSync(path);
  }
  throw inUse(action, "other programs fight for it");
}

async function checkStale(path: string, stats: Stats, action: string, answers: (path: string) => Promise<boolean>): Promise<void> {
  if (!stats.isSocket()) throw inUse(action, "the path is a file that is not a socket; choose another path");
  if (await answers(path)) throw inUse(action, "another program listens there; stop it, or choose another path");
}

function inUse(action: string, why: string): HawserError {
  return new HawserError("ADDRESS_IN_USE", `Cannot ${action}: ${why}`);
}

function isSameFile(one: Stats, other: Stats): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}

/** A name no longer than the path's own, so that a path that fits still fits; hidden, and told apart by process and time. */
function temporaryName(name: string): string {
  const unique = `${process.pid.toString(36)}${process.hrtime.bigint().toString(36)}`;
  const length = Math.min(Buffer.byteLength(name), 12);
  return length === 1 ? unique.slice(-1) : `.${unique.slice(1 - length)}`;
}

function privateDirectory(): string {
  const runtime = process.env["XDG_RUNTIME_DIR"];
  return runtime === undefined || runtime === "" ? join(tmpdir(), `hawser-${String(process.getuid?.() ?? 0)}`) : join(runtime, "hawser");
}
