/**
 * Asks Linux itself whether a socket file is live, on Bun, whose sockets say ECONNREFUSED for a
 * full accept queue (EAGAIN) and for a datagram socket (EPROTOTYPE) as well. The only file that
 * uses `bun:ffi`; where that is missing it knows nothing.
 *
 * @module
 */
import process from "node:process";
import { systemCode } from "../errno.ts";

/** What is used of `bun:ffi`, whose types the package does without. */
interface Ffi {
  dlopen(
    library: string,
    symbols: Readonly<Record<string, { args: readonly string[]; returns: string }>>,
  ): { symbols: Libc };
  ptr(bytes: Uint8Array): number;
  readonly read: { i32(pointer: number, offset: number): number };
}

interface Libc {
  socket(family: number, type: number, protocol: number): number;
  connect(socket: number, address: number, length: number): number;
  close(socket: number): number;
  __errno_location(): number;
}

const SYMBOLS = {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  __errno_location: { args: [], returns: "ptr" },
};
const LIBRARIES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];
const AF_UNIX = 1;
/** SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC */
const STREAM = 1 | 0o4000 | 0o2000000;
const SOCKADDR_BYTES = 110;
const ENOENT = 2;
const ECONNREFUSED = 111;

/**
 * True unless a connection to the path is refused or there is nothing. Null where this can't tell:
 * another runtime or system.
 */
export async function bunAnswers(path: string): Promise<boolean | null> {
  if (process.versions["bun"] === undefined || process.platform !== "linux") return null;
  const ffi = await loadFfi();
  const libc = ffi === null ? null : loadLibc(ffi);
  if (ffi === null || libc === null) return null;
  const address = new Uint8Array(SOCKADDR_BYTES);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(new TextEncoder().encode(path), 2);
  const socket = libc.socket(AF_UNIX, STREAM, 0);
  if (socket < 0) return null;
  const failed = libc.connect(socket, ffi.ptr(address), SOCKADDR_BYTES) < 0;
  const errno = failed ? ffi.read.i32(libc.__errno_location(), 0) : 0;
  libc.close(socket);
  return errno !== ECONNREFUSED && errno !== ENOENT;
}

async function loadFfi(): Promise<Ffi | null> {
  const name = "bun:ffi"; // no literal: bundlers and the other runtimes must not look for it
  try {
    return (await import(name)) as Ffi; // as Bun documents it
  } catch (error) {
    if (systemCode(error) === "") throw error;
    return null;
  }
}

function loadLibc(ffi: Ffi): Libc | null {
  for (const library of LIBRARIES) {
    try {
      return ffi.dlopen(library, SYMBOLS).symbols;
    } catch {
      // the next one
    }
  }
  return null;
}
