import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { claimPath, type PathClaim } from "../../src/ipc/claim.ts";

let directory: string;
let server: net.Server;

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "hawser-")));
  server = net.createServer();
});

afterEach(() => {
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

/** A claim that binds by `server`; what `over` says replaces what is usual. */
function claim(path: string, over: Partial<PathClaim> = {}): PathClaim {
  return {
    path,
    mode: 0o600,
    action: "listen",
    isShared: false,
    bind: bindServer,
    answers: () => Promise.resolve(false),
    ...over,
  };
}

function bindServer(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject).listen(path, resolve);
  });
}

/** A file that nobody is bound to. */
async function leaveStale(path: string): Promise<void> {
  const gone = net.createServer();
  await new Promise<void>((resolve) => gone.listen(`${path}.made`, resolve));
  linkSync(`${path}.made`, path);
  await new Promise((resolve) => gone.close(resolve));
}

describe("claimPath", () => {
  it.each([0o000, 0o022, 0o077])(
    "makes the file with its mode already set under umask %o, which stays as it was",
    async (umask) => {
      const before = process.umask(umask);
      try {
        for (const mode of [0o600, 0o660, 0o666]) {
          const modes: number[] = [];
          const path = join(directory, `${mode.toString(8)}.sock`);
          server = net.createServer();
          const bind = (at: string): Promise<void> => {
            const bound = bindServer(at);
            modes.push(lstatSync(at).mode & 0o777);
            return bound;
          };
          const owned = await claimPath(claim(path, { mode, bind }));
          expect(modes).toEqual([mode]);
          expect(process.umask(umask)).toBe(umask);
          owned.close(() => server.close());
        }
      } finally {
        process.umask(before);
      }
    },
  );

  it("refuses what a primary process would bind open to others", async () => {
    const before = process.umask(0);
    try {
      await expect(
        claimPath(claim(join(directory, "s"), { isShared: true })),
      ).rejects.toMatchObject({
        code: "PERMISSION_DENIED",
        message:
          /the primary process of the cluster binds it; call process\.umask\(0o177\) there before it forks/,
      });
      expect(readdirSync(directory)).toEqual([]);
    } finally {
      process.umask(before);
    }
  });

  it(
    "binds the path without its symbolic links, so that the kernel lists what systemd-tmpfiles " +
      "looks for",
    async () => {
      mkdirSync(join(directory, "real"));
      symlinkSync("real", join(directory, "link"));
      const bound: string[] = [];
      const bind = (path: string): Promise<void> => {
        bound.push(path);
        return bindServer(path);
      };
      await claimPath(claim(join(directory, "link", "s.sock"), { bind }));
      expect(bound).toEqual([join(directory, "real", "s.sock")]);
    },
  );

  it("replaces a stale file, and leaves nothing beside it", async () => {
    const path = join(directory, "s.sock");
    await leaveStale(path);
    await claimPath(claim(path));
    expect(readdirSync(directory)).toEqual(["s.sock"]);
    expect(server.listening).toBe(true);
  });

  it("believes the second probe, too: a program that had bound may have begun to listen", async () => {
    const path = join(directory, "s.sock");
    await leaveStale(path);
    const { ino } = lstatSync(path);
    let probes = 0;
    const answers = (): Promise<boolean> => Promise.resolve(++probes > 2);
    await expect(claimPath(claim(path, { answers }))).rejects.toMatchObject({
      code: "ADDRESS_IN_USE",
    });
    expect(lstatSync(path).ino).toBe(ino);
    expect(readdirSync(directory)).toEqual(["s.sock"]);
  });

  it("does not remove a file that took the stale one's place between probe and removal", async () => {
    const path = join(directory, "s.sock");
    await leaveStale(path);
    const other = net.createServer();
    let probes = 0;
    const answers = async (): Promise<boolean> => {
      if (++probes !== 3) return false;
      rmSync(path);
      await new Promise<void>((resolve) => other.listen(path, resolve));
      return false; // what was asked about was refused
    };
    try {
      await expect(claimPath(claim(path, { answers }))).rejects.toMatchObject({
        code: "ADDRESS_IN_USE",
      });
      await new Promise<void>((resolve) => net.connect(path, resolve).unref());
    } finally {
      other.close();
    }
  });

  it("does not take a directory in its lock's place for a lock", async () => {
    const path = join(directory, "s.sock");
    await leaveStale(path);
    mkdirSync(join(directory, ".s.sock.hawser-lock"));
    await expect(claimPath(claim(path))).rejects.toMatchObject({
      code: "ADDRESS_IN_USE",
      message: /hawser-lock is in the way of its lock file; remove it/,
    });
  });

  it("gives the path back: the own file is removed, another's stays", async () => {
    const path = join(directory, "s.sock");
    const owned = await claimPath(claim(path));
    rmSync(path);
    writeFileSync(path, "another's");
    const { ino } = lstatSync(path);
    owned.close(() => server.close());
    expect(lstatSync(path).ino).toBe(ino);
    expect(readdirSync(directory)).toEqual(["s.sock"]);

    rmSync(path);
    server = net.createServer();
    const again = await claimPath(claim(path));
    again.close(() => server.close());
    expect(existsSync(path)).toBe(false);
  });
});
