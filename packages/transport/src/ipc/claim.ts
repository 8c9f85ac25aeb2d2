/**
 * Takes a path for a socket, and gives it back: binds the path itself, so that what the kernel
 * lists is what is published, replaces a stale file, and never a live one. Must not know sockets or
 * connections: {@link PathClaim} brings what binds and what probes.
 *
 * A file is stale when the kernel lists nobody who is bound to it and a connection to it is
 * refused, twice. Only the holder of a lock file beside the path removes it, so that of many starts
 * over one stale file exactly one listens.
 *
 * @module
 */
import {
  chmodSync,
  closeSync,
  existsSync,
  fstatSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  type Stats,
  unlinkSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import process from "node:process";
import { HawserError } from "@hawser/protocol";
import { systemClock } from "../clock.ts";
import { systemCode } from "../errno.ts";
import { fitsPath } from "./path.ts";

/** A path to take, and what binds and probes it. */
export interface PathClaim {
  readonly path: string;
  /** The permission bits of the file, from the moment that it exists. */
  readonly mode: number;
  /** What is being done, for errors: "listen on unix:/run/desk.sock". */
  readonly action: string;
  /**
   * True in a worker of node:cluster, whose primary process binds, shares what it has bound, and
   * removes the file.
   */
  readonly isShared: boolean;
  /**
   * Binds and listens; outside a worker of node:cluster it does so before it returns. Rejects with
   * EADDRINUSE where a file is.
   */
  readonly bind: (path: string) => Promise<void>;
  /** True unless the system refuses a connection to the path, or there is nothing. */
  readonly answers: (path: string) => Promise<boolean>;
}

/** A socket file that is this process's own. */
export interface OwnedPath {
  /**
   * Close the listener by `stop`, and remove the file if it is still the one that was bound;
   * another's file stays.
   */
  close(stop: () => void): void;
}

/** Number of times that the path is tried when it is free, then taken, then free. */
const MAX_ATTEMPTS = 5;
/** Between the two probes of a stale file: a program that has just bound it may not listen yet. */
const SETTLE_MS = 20;
const POLL_MS = 5;
/**
 * A lock that does not change for so many polls was left by a program that was killed while it held
 * it.
 */
const MAX_POLLS = 400;

/**
 * Bind a path with its mode set from the first instant, in place of a stale file if one is there.
 *
 * The umask of the process is set for the length of the bind() call, which is synchronous.
 *
 * @throws {HawserError} ADDRESS_IN_USE when another program listens there, or the path is not a
 *   socket
 * @throws {HawserError} PATH_NOT_FOUND when the directory does not exist
 * @throws {HawserError} PERMISSION_DENIED when the umask would let others connect and can't be set
 */
export async function claimPath(claim: PathClaim): Promise<OwnedPath> {
  const { action } = claim;
  if (!existsSync(dirname(claim.path))) {
    throw new HawserError(
      "PATH_NOT_FOUND",
      `Cannot ${action}: the directory ${dirname(claim.path)} does not exist; create it, or ` +
        "choose another path",
    );
  }
  const path = publishedPath(claim.path);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (await tryBind(path, claim)) return own(path, claim);
    if (await isLive(path, claim)) {
      // A sibling may have made the primary process bind it since.
      if (claim.isShared && (await tryBind(path, claim))) return own(path, claim);
      throw inUse(action, "another program listens there; stop it, or choose another path");
    }
    if (await replaceStale(path, claim)) return own(path, claim);
  }
  throw inUse(action, "other programs bind and remove it; choose another path");
}

/**
 * The path as the kernel lists it for `ss`, `lsof` and systemd-tmpfiles: absolute and without
 * symbolic links, where that fits.
 */
function publishedPath(path: string): string {
  const real = join(realpathSync(dirname(path)), basename(path));
  return [real, resolve(path)].find(fitsPath) ?? path;
}

/** False when a file is there already. */
async function tryBind(path: string, claim: PathClaim): Promise<boolean> {
  const before = narrowUmask(claim);
  try {
    let bound: Promise<void>;
    try {
      bound = claim.bind(path);
    } finally {
      if (before !== null) process.umask(before);
    }
    await bound;
  } catch (error) {
    if (systemCode(error) === "EADDRINUSE") return false;
    throw error;
  }
  return true;
}

/**
 * The umask before, or null where it can't be set; then it is refused if it would let others
 * connect.
 */
function narrowUmask({ mode, action, isShared }: PathClaim): number | null {
  if (!isShared) {
    try {
      return process.umask(0o777 & ~mode);
    } catch {
      // A worker thread, or Deno without --allow-sys=umask.
    }
  }
  const open = 0o222 & ~readUmask() & ~mode; // to connect is to write
  if (open === 0) return null;
  throw new HawserError(
    "PERMISSION_DENIED",
    `Cannot ${action}: others could connect before its mode is ` +
      `${mode.toString(8).padStart(4, "0")}, since ` +
      (isShared
        ? "the primary process of the cluster binds it; call " +
          `process.umask(0o${(0o777 & ~mode).toString(8)}) there before it forks`
        : "the umask can't be set here; listen in the main thread, set a narrower umask before, " +
          "or give Deno --allow-sys=umask"),
  );
}

function readUmask(): number {
  try {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- read only where it can't be set
    return process.umask();
  } catch {
    return 0; // unknown
  }
}

/**
 * Under the lock: remove the file if it is stale, and bind. False when the path is to be looked at
 * again.
 */
async function replaceStale(path: string, claim: PathClaim): Promise<boolean> {
  const lockPath = join(dirname(path), `.${basename(path)}.hawser-lock`);
  const lock = await acquire(lockPath, claim.action);
  try {
    const stale = lstatSync(path, { throwIfNoEntry: false });
    if (stale !== undefined) {
      if (await isLive(path, claim)) return false;
      await pause(SETTLE_MS);
      if (await isLive(path, claim)) return false;
      // From here to bind() nothing is awaited. Another file may have the inode of one that
      // somebody removed.
      const now = lstatSync(path, { throwIfNoEntry: false });
      if (now === undefined || !isSameFile(now, stale) || now.ctimeMs !== stale.ctimeMs)
        return false;
      if (isListed(path) || !isAt(lockPath, lock)) return false;
      unlinkSync(path);
    }
    return await tryBind(path, claim);
  } finally {
    if (isAt(lockPath, lock)) unlinkSync(lockPath);
  }
}

/** Make the lock file, and wait while another has it. */
async function acquire(path: string, action: string): Promise<Stats> {
  let seen: Stats | undefined;
  for (let polls = 0; ; polls++) {
    const made = create(path);
    if (made !== null) return made;
    const now = lstatSync(path, { throwIfNoEntry: false });
    if (now !== undefined && !now.isFile())
      throw inUse(action, `${path} is in the way of its lock file; remove it`);
    if (
      seen === undefined ||
      now === undefined ||
      !isSameFile(now, seen) ||
      now.mtimeMs !== seen.mtimeMs
    )
      polls = 0;
    else if (polls >= MAX_POLLS) breakLock(path, seen);
    seen = now;
    await pause(POLL_MS);
  }
}

function create(path: string): Stats | null {
  try {
    const file = openSync(path, "wx", 0o600);
    const stats = fstatSync(file);
    closeSync(file);
    return stats;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return null;
    throw error;
  }
}

/**
 * Remove the lock of a program that was killed. It is moved aside first: if it is another's new one
 * by then, it is put back.
 */
function breakLock(path: string, seen: Stats): void {
  const aside = besides(path);
  try {
    renameSync(path, aside);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return;
    throw error;
  }
  if (isAt(aside, seen)) unlinkSync(aside);
  else putBack(aside, path);
}

/**
 * True when the kernel lists somebody who is bound to the path, or a connection to it is not
 * refused.
 */
async function isLive(path: string, claim: PathClaim): Promise<boolean> {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return false;
  if (!stats.isSocket())
    throw inUse(claim.action, "the path is a file that is not a socket; choose another path");
  return isListed(path) || isListed(claim.path) || (await claim.answers(path));
}

/**
 * True when a socket that is bound to the path, and is no connection, is in Linux' table of this
 * network namespace.
 */
function isListed(path: string): boolean {
  if (process.platform !== "linux") return false;
  let table: string;
  try {
    table = readFileSync("/proc/net/unix", "utf8");
  } catch {
    return false; // no /proc, or no permission to read it
  }
  // Num RefCount Protocol Flags Type St Inode Path; St 01 is SS_UNCONNECTED.
  return table.split("\n").some((row) => row.endsWith(` ${path}`) && row.split(/ +/)[5] === "01");
}

function own(path: string, { mode, isShared }: PathClaim): OwnedPath {
  const made = lstatSync(path);
  if ((made.mode & 0o777) !== mode) chmodSync(path, mode);
  return {
    close(stop): void {
      const now = lstatSync(path, { throwIfNoEntry: false });
      if (isShared || now === undefined || now.isDirectory()) {
        stop();
      } else if (isSameFile(now, made)) {
        stop(); // the runtimes remove the file by its name, before they close
        if (isAt(path, made)) unlinkSync(path);
      } else {
        keep(path, stop);
      }
    },
  };
}

/**
 * Run `stop`, which removes whatever is at the path, and have it there again: it is another's file.
 */
function keep(path: string, stop: () => void): void {
  const aside = besides(path);
  const isAside = setAside(path, aside);
  try {
    stop();
  } finally {
    if (isAside) putBack(aside, path);
  }
}

/** False where this process may not touch the file, so that it can't be removed either. */
function setAside(path: string, aside: string): boolean {
  for (const move of [linkSync, renameSync]) {
    try {
      move(path, aside);
      return true;
    } catch {
      // A file system without hard links, or another user's file: renamed, then.
    }
  }
  return false;
}

/** Move a file to a path unless one is there by now. */
function putBack(aside: string, path: string): void {
  try {
    linkSync(aside, path);
  } catch {
    if (!existsSync(path)) {
      renameSync(aside, path);
      return;
    }
  }
  unlinkSync(aside);
}

function besides(path: string): string {
  return join(
    dirname(path),
    `.${basename(path)}.${process.pid.toString(36)}-${process.hrtime.bigint().toString(36)}`,
  );
}

function isAt(path: string, stats: Stats): boolean {
  const now = lstatSync(path, { throwIfNoEntry: false });
  return now !== undefined && isSameFile(now, stats);
}

function isSameFile(one: Stats, other: Stats): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}

function inUse(action: string, why: string): HawserError {
  return new HawserError("ADDRESS_IN_USE", `Cannot ${action}: ${why}`);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    systemClock.after(milliseconds, resolve);
  });
}
