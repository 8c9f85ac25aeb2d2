/**
 * What the server programs share: their options on the command line, and how they talk to the
 * bench. `key=value` arguments in; "listening PORT" out; "gc" on stdin is answered when the garbage
 * is collected; they end when stdin does.
 */
import process from "node:process";

/** What a server is to do with each message: answer it, or send it to everybody `burst` times. */
export interface ServingOptions {
  readonly mode: "broadcast" | "echo";
  readonly burst: number;
  /** Any further argument, or its default. */
  readonly value: (key: string, otherwise: string) => string;
}

export function servingOptions(): ServingOptions {
  const value = (key: string, otherwise: string): string => {
    const given = process.argv.find((argument) => argument.startsWith(`${key}=`));
    return given === undefined ? otherwise : given.slice(key.length + 1);
  };
  return {
    mode: value("mode", "echo") === "broadcast" ? "broadcast" : "echo",
    burst: Number(value("burst", "1")),
    value,
  };
}

/** Connections that a burst of clients may have waiting, the same for every server. */
export const BACKLOG = 4_096;

/** A server of `node:net` or `node:http`. */
interface Listening {
  listen(options: { port: number; host: string; backlog: number }, listening: () => void): unknown;
  address(): string | { port: number } | null;
}

/** Have a server listen on loopback; resolves with its port. */
export function listenOn(server: Listening): Promise<number> {
  return new Promise((resolve, reject) => {
    server.listen({ port: 0, host: "127.0.0.1", backlog: BACKLOG }, () => {
      const address = server.address();
      if (address === null || typeof address === "string")
        reject(new Error("The server has no port"));
      else resolve(address.port);
    });
  });
}

/** Say where the server listens, and do what stdin says from now on. */
export function announce(port: number): void {
  process.stdin.on("data", () => {
    collectGarbage();
    process.stdout.write("gc\n");
  });
  process.stdin.on("end", () => process.exit(0));
  process.stdout.write(`listening ${port}\n`);
}

function collectGarbage(): void {
  // what the runtimes offer beyond the standard
  const runtime = globalThis as { gc?: () => void; Bun?: { gc(sync: boolean): void } };
  runtime.gc?.();
  runtime.Bun?.gc(true);
}
